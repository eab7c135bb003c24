// SPDX-License-Identifier: GPL-2.0-only
/*
 * Injection: what makes no sense is refused, whatever else is taken and answered, and the
 * counters of what was never answered, or answered twice, stay true.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA	0x100000ull
#define ROUNDS	scaled(200, 5000)

static const uint32_t pasids[] = { 0, 1, 0xfffff, 0x100000, UINT32_MAX };

/* A PASID is given with the flag that says so, and has 20 bits. */
static bool pasid_makes_sense(uint32_t access, uint32_t pasid)
{
	return access & MOCK_IOMMU_PASID ? pasid <= 0xfffff : !pasid;
}

static bool request_makes_sense(const struct mock_iommu_page_request *request)
{
	if (request->flags & ~(uint32_t)(MOCK_IOMMU_LAST | MOCK_IOMMU_NEEDS_PASID) ||
	    request->access & 0x20)
		return false;
	return pasid_makes_sense(request->access, request->pasid);
}

/* All groups that are in the queue. */
static void answer_all(struct rig *rig)
{
	const struct faultq_record *records;

	while (faultq_peek(rig->fq, &records) > 0) {
		uint64_t cookie = records[0].cookie;

		faultq_consume(rig->fq);
		if (cookie)
			faultq_answer(rig->fq, cookie, FAULTQ_INVALID);
	}
}

static void assert_counters_true(struct rig *rig)
{
	answer_all(rig);
	device_assert_idle(&rig->device);
}

static void inject_one(struct rig *rig, const struct mock_iommu_page_request *request)
{
	struct mock_iommu_page_request copy = *request;
	int taken = mock_page_requests(rig->device.fd, &copy);

	if (request_makes_sense(request) ? taken < 0 : taken != -EINVAL)
		fail_msg("flags %#x access %#x pasid %#x: %d", request->flags, request->access,
			 request->pasid, taken);
	assert_counters_true(rig);
}

static void every_page_request_is_taken_or_makes_no_sense(void **state)
{
	struct rig *rig = *state;
	uint32_t group = 0;

	needs_page_requests();
	for (uint32_t flags = 0; flags < 8; flags++) {
		for (uint32_t access = 0; access < 0x40; access++) {
			for (unsigned int i = 0; i < ARRAY_SIZE(pasids); i++) {
				struct mock_iommu_page_request request =
					page_request(group++, IOVA);

				request.flags = flags;
				request.access = access;
				request.pasid = pasids[i];
				inject_one(rig, &request);
			}
		}
	}
}

static bool fault_makes_sense(const struct mock_iommu_unrecoverable *fault)
{
	const uint32_t by_domain = MOCK_IOMMU_HARD_IRQ | MOCK_IOMMU_NO_DEVICE;
	const uint32_t by_device = MOCK_IOMMU_FETCH | MOCK_IOMMU_NO_ADDRESS;

	if (fault->flags & (fault->flags & MOCK_IOMMU_VIA_DOMAIN ? by_device : by_domain))
		return false;
	if (fault->fetch_address && !(fault->flags & MOCK_IOMMU_FETCH))
		return false;
	if (fault->address && fault->flags & MOCK_IOMMU_NO_ADDRESS)
		return false;
	return !(fault->access & 0x20) && pasid_makes_sense(fault->access, fault->pasid);
}

static void inject_fault(struct rig *rig, const struct mock_iommu_unrecoverable *fault)
{
	struct mock_iommu_unrecoverable copy = *fault;
	int ret = ioctl(rig->device.fd, MOCK_IOMMU_UNRECOVERABLE, &copy) ? -errno : 0;

	if (fault_makes_sense(fault) ? ret && ret != -EOPNOTSUPP : ret != -EINVAL)
		fail_msg("flags %#x access %#x pasid %#x addresses %#llx %#llx: %d", fault->flags,
			 fault->access, fault->pasid, (unsigned long long)fault->address,
			 (unsigned long long)fault->fetch_address, ret);
	assert_counters_true(rig);
}

static void every_fault_is_taken_or_makes_no_sense(void **state)
{
	for (uint32_t flags = 0; flags < 0x20; flags++) {
		for (uint32_t access = 0; access < 0x40; access++) {
			for (unsigned int i = 0; i < 4 * ARRAY_SIZE(pasids); i++) {
				const struct mock_iommu_unrecoverable fault = {
					.size = sizeof(fault), .flags = flags, .access = access,
					.pasid = pasids[i / 4], .count = 1,
					.address = i & 1 ? IOVA : 0,
					.fetch_address = i & 2 ? IOVA : 0,
				};

				inject_fault(*state, &fault);
			}
		}
	}
}

/* The same page request group index from several threads, until the device goes. */
static void *inject_until_gone(void *argument)
{
	const struct device *device = argument;

	while (mock_page_request(device->fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 1, 0, IOVA) >= 0)
		;
	return NULL;
}

static void *answer_until_told(void *argument)
{
	struct rig *rig = argument;
	struct faultq_record record;

	do {
		record = take_record(rig->fq);
		if (record.type == FAULTQ_PAGE_REQUEST)
			faultq_answer(rig->fq, record.cookie, FAULTQ_SUCCESS);
	} while (record.type != FAULTQ_DEVICE_GONE);
	return NULL;
}

static void unplug_while_injecting(struct rig *rig, bool answering)
{
	pthread_t injectors[2], pager;

	if (answering)
		must(!pthread_create(&pager, NULL, answer_until_told, rig));
	for (unsigned int i = 0; i < 2; i++)
		must(!pthread_create(&injectors[i], NULL, inject_until_gone, &rig->device));
	while (device_state(&rig->device).requests < 20)
		;
	assert_int_equal(mock_set(rig->device.instance, rig->device.name, "live", "0"), 0);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(injectors[i], NULL);
	if (answering)
		pthread_join(pager, NULL);
	assert_int_equal(instance_counter(rig->device.instance, "unanswered"), 0);
}

static void groups_of_one_index_are_all_answered_when_the_device_goes(void **state)
{
	struct rig *rig = *state;

	needs_page_requests();
	for (unsigned long i = 0; i < ROUNDS; i++) {
		unplug_while_injecting(rig, i % 2);
		close(rig->device.fd);
		faultq_close(rig->fq);
		device_plug(&rig->device);
		rig->fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
		rig->id = vm_attach(rig->fq, &rig->device);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(every_page_request_is_taken_or_makes_no_sense),
		RIG_TEST(every_fault_is_taken_or_makes_no_sense),
		RIG_TEST(groups_of_one_index_are_all_answered_when_the_device_goes),
	};

	return tap_run_group(tests, NULL, NULL);
}
