// SPDX-License-Identifier: GPL-2.0-only
/*
 * DRAIN, by device and by PASID, and ENABLE: what is outstanding is answered at once, nothing
 * else is touched; answers that come too late, or from an earlier life of the device, meet nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA	0x1000000UL
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static void inject_pasid(const struct device *device, uint32_t group, uint32_t pasid)
{
	struct mock_iommu_page_request request = page_request(group, IOVA);

	request.flags |= MOCK_IOMMU_NEEDS_PASID;
	request.access |= MOCK_IOMMU_PASID;
	request.pasid = pasid;
	assert_int_equal(inject(device, &request), 1);
}

static void drain_ends_all_of_one_device(void **state)
{
	struct rig *rig = *state;
	struct device other;
	uint64_t cookies[6];
	uint32_t id, drained;

	device_make(&other, rig->device.instance, "other", "mode=stall");
	id = vm_attach(rig->fq, &other);
	for (unsigned int i = 0; i < 6; i++) {
		inject_group(i % 2 ? &other : &rig->device, i, IOVA);
		cookies[i] = take_cookie(rig->fq);
	}
	assert_int_equal(faultq_drain(rig->fq, rig->id, &drained), 0);
	assert_int_equal(drained, 3);
	assert_response(&rig->device, 0, FAULTQ_INVALID);
	assert_response(&rig->device, 2, FAULTQ_INVALID);
	assert_response(&rig->device, 4, FAULTQ_INVALID);
	assert_no_response(&other);
	assert_int_equal(vm_stats(rig->fq, rig->id).terminated_drained, 3);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 3);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(faultq_answer(rig->fq, cookies[i], FAULTQ_SUCCESS),
				 i % 2 ? 0 : -ESTALE);
	assert_int_equal(vm_stats(rig->fq, 0).stale_answers, 3);
	vm_detach(rig->fq, id);
	device_remove(&other);
}

static void a_drained_device_goes_on_asking(void **state)
{
	struct rig *rig = *state;
	uint32_t drained;

	assert_int_equal(faultq_drain(rig->fq, rig->id, &drained), 0);
	assert_int_equal(drained, 0);
	inject_group(&rig->device, 1, IOVA);
	assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	assert_response(&rig->device, 1, FAULTQ_INVALID);
	take_cookie(rig->fq);
	inject_group(&rig->device, 1, IOVA);
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_SUCCESS), 0);
	assert_response(&rig->device, 1, FAULTQ_SUCCESS);
}

static void drain_by_pasid_ends_those_of_that_pasid_only(void **state)
{
	struct rig *rig = *state;
	uint64_t cookies[8];
	uint32_t drained;

	needs_pasid_requests();
	for (unsigned int i = 0; i < 8; i++) {
		if (i < 2)
			inject_group(&rig->device, i, IOVA);
		else
			inject_pasid(&rig->device, i, i % 2);
		cookies[i] = take_cookie(rig->fq);
	}
	assert_int_equal(faultq_drain_pasid(rig->fq, rig->id, 1, &drained), 0);
	assert_int_equal(drained, 3);
	for (unsigned int i = 3; i < 8; i += 2) {
		struct mock_iommu_response answer = response(&rig->device);

		assert_int_equal(answer.group, i);
		assert_int_equal(answer.code, FAULTQ_INVALID);
		assert_int_equal(answer.flags, MOCK_IOMMU_RESPONSE_PASID);
		assert_int_equal(answer.pasid, 1);
	}
	assert_no_response(&rig->device);

	/* PASID 0 is one like any other, and not the same as none */
	assert_int_equal(faultq_drain_pasid(rig->fq, rig->id, 0, &drained), 0);
	assert_int_equal(drained, 3);
	assert_int_equal(faultq_drain_pasid(rig->fq, rig->id, 7, &drained), 0);
	assert_int_equal(drained, 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(faultq_answer(rig->fq, cookies[i], FAULTQ_SUCCESS),
				 i < 2 ? 0 : -ESTALE);
}

static void long_groups_are_drained_whole(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(0, IOVA);
	struct faultq_record records[32];
	uint32_t drained;

	needs_pasid_requests();
	request.access |= MOCK_IOMMU_PASID;
	request.flags = MOCK_IOMMU_NEEDS_PASID;
	for (request.group = 0; request.group < 4; request.group++) {
		request.pasid = request.group % 2;
		request.count = 8;
		request.flags &= ~MOCK_IOMMU_LAST;
		assert_int_equal(inject(&rig->device, &request), 8);
		request.count = 1;
		request.flags |= MOCK_IOMMU_LAST;
		assert_int_equal(inject(&rig->device, &request), 1);
		assert_int_equal(take_group(rig->fq, records), 9);
	}
	assert_int_equal(faultq_drain_pasid(rig->fq, rig->id, 1, &drained), 0);
	assert_int_equal(drained, 2);
	assert_response(&rig->device, 1, FAULTQ_INVALID);
	assert_response(&rig->device, 3, FAULTQ_INVALID);
	assert_int_equal(faultq_drain(rig->fq, rig->id, &drained), 0);
	assert_int_equal(drained, 2);
	assert_response(&rig->device, 0, FAULTQ_INVALID);
	assert_response(&rig->device, 2, FAULTQ_INVALID);
	/* all slots are free again */
	for (unsigned int i = 0; i < RIG_SLOTS; i++)
		inject_group(&rig->device, i, IOVA);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, RIG_SLOTS);
}

static void drain_of_what_is_not_there_is_refused(void **state)
{
	struct rig *rig = *state;
	struct faultq_drain drain = { .size = sizeof(drain), .device = rig->id, .pasid = 1 };

	assert_int_equal(faultq_drain(rig->fq, rig->id + 1, NULL), -ENOENT);
	assert_int_equal(faultq_drain(rig->fq, 0, NULL), -ENOENT);
	assert_int_equal(faultq_drain_pasid(rig->fq, rig->id + 1, 1, NULL), -ENOENT);
	assert_int_equal(faultq_enable(rig->fq, rig->id + 1, NULL), -ENOENT);
	assert_int_equal(ioctl(faultq_fd(rig->fq), FAULTQ_DRAIN, &drain), -1);
	assert_int_equal(errno, EINVAL);
}

/* The group index, the slot and the address are the same; only the life of the device is not. */
static void an_answer_from_an_earlier_life_never_reaches_the_new_one(void **state)
{
	struct rig *rig = *state;
	uint64_t old, new;

	vm_detach(rig->fq, rig->id);
	for (unsigned int i = 0; i < 3; i++) {
		struct faultq *fq = vm_open(1, RIG_ENTRIES, 0);
		uint32_t id = vm_attach(fq, &rig->device);

		inject_group(&rig->device, 1, IOVA);
		old = take_cookie(fq);
		vm_detach(fq, id);
		assert_response(&rig->device, 1, FAULTQ_INVALID);
		id = vm_attach(fq, &rig->device);
		inject_group(&rig->device, 1, IOVA);
		assert_int_equal(faultq_answer(fq, old, i), -ESTALE);
		assert_no_response(&rig->device);
		new = take_cookie(fq);
		assert_int_not_equal(new, old);
		assert_int_equal(new & 0xffff, old & 0xffff);
		assert_int_equal(faultq_answer(fq, old, i), -ESTALE);
		assert_int_equal(vm_stats(fq, 0).stale_answers, 2);
		assert_int_equal(faultq_answer(fq, new, FAULTQ_SUCCESS), 0);
		assert_response(&rig->device, 1, FAULTQ_SUCCESS);
		vm_detach(fq, id);
		faultq_close(fq);
	}
	rig->id = vm_attach(rig->fq, &rig->device);
}

static void failure_shows_in_the_devices_state_until_enable(void **state)
{
	struct rig *rig = *state;
	int interrupted, tag;

	assert_int_equal(faultq_enable(rig->fq, rig->id, &interrupted), 0);
	assert_int_equal(interrupted, 0);
	tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, "x", 1);
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_FAILURE), 0);
	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_FAILURE);
	assert_int_equal(vm_stats(rig->fq, rig->id).state, FAULTQ_STATE_FAILED);
	assert_int_equal(vm_stats(rig->fq, 0).state, 0);
	assert_int_equal(device_state(&rig->device).requests_on, 0);

	assert_int_equal(faultq_enable(rig->fq, rig->id, &interrupted), 0);
	assert_int_equal(interrupted, 1);
	assert_int_equal(vm_stats(rig->fq, rig->id).state, 0);
	assert_int_equal(device_state(&rig->device).requests_on, 1);
	tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, "x", 1);
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_INVALID), 0);
	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_INVALID);
}

static void enable_ends_what_is_outstanding_and_keeps_mappings(void **state)
{
	struct rig *rig = *state;
	char *memory = pages_new(1);
	uint64_t cookie;
	int tag;

	assert_int_equal(faultq_map(rig->fq, IOVA, memory, PAGE, RW), 0);
	inject_group(&rig->device, 1, IOVA);
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_FAILURE), 0);
	assert_response(&rig->device, 1, FAULTQ_FAILURE);
	inject_group(&rig->device, 2, IOVA);
	cookie = take_cookie(rig->fq);
	assert_int_equal(faultq_enable(rig->fq, rig->id, NULL), 0);
	assert_response(&rig->device, 2, FAULTQ_INVALID);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), -ESTALE);
	assert_int_equal(vm_stats(rig->fq, rig->id).terminated_drained, 1);
	tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, "z", 1);
	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(*memory, 'z');
	assert_int_equal(faultq_unmap(rig->fq, 0, ~0ULL, NULL), 0);
	pages_free(memory, 1);
}

/* Answers, drains, ENABLE and new requests of several threads at once. */

static bool stop;

static void *answer_for_ever(void *argument)
{
	const struct faultq_record *records;
	struct rig *rig = argument;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		int count = faultq_peek(rig->fq, &records);

		must(count >= 0);
		if (count && records->type == FAULTQ_PAGE_REQUEST)
			faultq_answer(rig->fq, records->cookie, records->group % 3);
		faultq_consume(rig->fq);
	}
	return NULL;
}

static void *ask_for_ever(void *argument)
{
	struct rig *rig = argument;

	for (uint32_t group = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); group += 8) {
		struct mock_iommu_page_request request = page_request(group, IOVA);

		request.count = 8;
		request.group_step = 1;
		must(mock_page_requests(rig->device.fd, &request) >= 0);
	}
	return NULL;
}

static void drains_race_with_answers_and_requests(void **state)
{
	static void *(*const others[])(void *) = { answer_for_ever, ask_for_ever, ask_for_ever };
	unsigned long rounds = scaled(300, 20000);
	pthread_t threads[ARRAY_SIZE(others)];
	struct rig *rig = *state;

	stop = false;
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, others[i], rig), 0);
	for (unsigned long i = 0; i < rounds; i++) {
		if (i % 16)
			assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
		else if (i % 32)
			assert_int_equal(faultq_drain_pasid(rig->fq, rig->id, 1, NULL), 0);
		else
			assert_int_equal(faultq_enable(rig->fq, rig->id, NULL), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 0);
	device_assert_idle(&rig->device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(drain_ends_all_of_one_device),
		RIG_TEST(a_drained_device_goes_on_asking),
		RIG_TEST(drain_by_pasid_ends_those_of_that_pasid_only),
		RIG_TEST(long_groups_are_drained_whole),
		RIG_TEST(drain_of_what_is_not_there_is_refused),
		RIG_TEST(an_answer_from_an_earlier_life_never_reaches_the_new_one),
		RIG_TEST(failure_shows_in_the_devices_state_until_enable),
		RIG_TEST(enable_ends_what_is_outstanding_and_keeps_mappings),
		RIG_TEST(drains_race_with_answers_and_requests),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
