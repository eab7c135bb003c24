// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is in the records: each field of page requests and of unrecoverable faults, in the order
 * in which they happened, and what the counters say afterwards.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/quota.h"

#define IOVA	0x12340000UL

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static struct mock_iommu_unrecoverable unrecoverable(uint32_t reason, uint64_t address)
{
	return (struct mock_iommu_unrecoverable){
		.size = sizeof(struct mock_iommu_unrecoverable),
		.access = MOCK_IOMMU_WRITE,
		.reason = reason,
		.address = address,
		.count = 1,
	};
}

static void raise_fault(const struct rig *rig, const struct mock_iommu_unrecoverable *fault)
{
	struct mock_iommu_unrecoverable copy = *fault;

	if (!(copy.flags & (MOCK_IOMMU_FETCH | MOCK_IOMMU_NO_ADDRESS)))
		copy.flags |= fault_way();
	assert_int_equal(ioctl(rig->device.fd, MOCK_IOMMU_UNRECOVERABLE, &copy), 0);
	assert_int_equal(copy.done, copy.count);
}

static void assert_record(const struct faultq_record *got, const struct faultq_record *want)
{
	assert_int_equal(got->type, want->type);
	assert_int_equal(got->perm, want->perm);
	assert_int_equal(got->flags, want->flags);
	assert_int_equal(got->device, want->device);
	assert_int_equal(got->pasid, want->pasid);
	assert_int_equal(got->group, want->group);
	assert_int_equal(got->address, want->address);
	assert_int_equal(got->cookie, want->cookie);
	assert_int_equal(got->fetch_address, want->fetch_address);
	assert_int_equal(got->reason, want->reason);
	for (unsigned int i = 0; i < ARRAY_SIZE(got->reserved); i++)
		assert_int_equal(got->reserved[i], 0);
}

static void a_page_request_has_all_its_fields(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(0x1ff, IOVA + 0xabc);
	struct faultq_record record, want = {
		.type = FAULTQ_PAGE_REQUEST,
		.perm = FAULTQ_PERM_WRITE,
		.flags = FAULTQ_RECORD_LAST | FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_ADDRESS,
		.device = rig->id,
		.group = 0x1ff,
		.address = IOVA,
	};
	uint64_t before = now();

	request.access = MOCK_IOMMU_WRITE;
	if (kernel_delivers(FAULTQ_KIND_PASID_REQUEST)) {
		want.flags |= FAULTQ_RECORD_PASID;
		want.pasid = 0xfedcb;
		request.access |= MOCK_IOMMU_PASID;
		request.pasid = 0xfedcb;
	}
	assert_int_equal(inject(&rig->device, &request), 1);
	record = take_record(rig->fq);
	assert_true(record.cookie != 0);
	want.cookie = record.cookie;
	assert_record(&record, &want);
	assert_in_range(record.timestamp, before, now());
}

static void every_permission_is_told(void **state)
{
	struct rig *rig = *state;

	for (uint32_t access = 0; access < 16; access++) {
		struct mock_iommu_page_request request = page_request(access, IOVA);

		request.access = access;
		assert_int_equal(inject(&rig->device, &request), 1);
		assert_int_equal(take_record(rig->fq).perm, access);
	}
	assert_int_equal(FAULTQ_PERM_READ, MOCK_IOMMU_READ);
	assert_int_equal(FAULTQ_PERM_WRITE, MOCK_IOMMU_WRITE);
	assert_int_equal(FAULTQ_PERM_EXEC, MOCK_IOMMU_EXEC);
	assert_int_equal(FAULTQ_PERM_PRIV, MOCK_IOMMU_PRIV);
}

static void the_records_of_a_group_share_all_but_the_address(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(3, IOVA);
	struct faultq_record records[32];

	request.flags = 0;
	request.address_step = 2 * PAGE;
	request.count = 4;
	assert_int_equal(inject(&rig->device, &request), 4);
	assert_queue_empty(rig->fq);
	inject_group(&rig->device, 3, IOVA + 8 * PAGE);

	assert_int_equal(take_group(rig->fq, records), 5);
	for (unsigned int i = 0; i < 5; i++) {
		struct faultq_record want = records[0];

		want.address = IOVA + i * 2 * PAGE;
		want.flags = FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_ADDRESS |
			     (i == 4 ? FAULTQ_RECORD_LAST : 0);
		assert_record(&records[i], &want);
		assert_true(i == 0 || records[i].timestamp >= records[i - 1].timestamp);
	}
}

static void open_groups_are_kept_apart_by_index_and_pasid(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(0, IOVA);
	struct faultq_record records[32];

	needs_pasid_requests();
	/* index 1, index 2, and index 1 with a PASID, one page each, then their last ones */
	for (unsigned int last = 0; last < 2; last++) {
		for (unsigned int i = 0; i < 3; i++) {
			request.flags = last ? MOCK_IOMMU_LAST : 0;
			request.group = i == 1 ? 2 : 1;
			request.access = MOCK_IOMMU_READ | (i == 2 ? MOCK_IOMMU_PASID : 0);
			request.pasid = i == 2 ? 77 : 0;
			request.address = IOVA + (last * 3 + i) * PAGE;
			assert_int_equal(inject(&rig->device, &request), 1);
		}
	}
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(take_group(rig->fq, records), 2);
		assert_int_equal(records[0].address, IOVA + i * PAGE);
		assert_int_equal(records[1].address, IOVA + (3 + i) * PAGE);
		assert_int_equal(records[0].group, i == 1 ? 2 : 1);
		assert_int_equal(records[1].pasid, i == 2 ? 77 : 0);
	}
}

static void an_unrecoverable_fault_has_all_its_fields(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_unrecoverable fault =
		unrecoverable(FAULTQ_REASON_PASID_FETCH, IOVA + 0xabc);
	struct faultq_record record, want = {
		.type = FAULTQ_UNRECOVERABLE,
		.perm = FAULTQ_PERM_READ | FAULTQ_PERM_EXEC | FAULTQ_PERM_PRIV,
		.flags = FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_PASID | FAULTQ_RECORD_ADDRESS |
			 FAULTQ_RECORD_REASON | FAULTQ_RECORD_FETCH,
		.device = rig->id,
		.pasid = 0x1234,
		.address = IOVA + 0xabc,
		.fetch_address = 0xdeadbee0,
		.reason = FAULTQ_REASON_PASID_FETCH,
	};
	uint64_t before = now();

	needs_device_faults();
	fault.flags = MOCK_IOMMU_FETCH;
	fault.access = MOCK_IOMMU_READ | MOCK_IOMMU_EXEC | MOCK_IOMMU_PRIV | MOCK_IOMMU_PASID;
	fault.pasid = 0x1234;
	fault.fetch_address = 0xdeadbee0;
	raise_fault(rig, &fault);
	record = take_record(rig->fq);
	assert_record(&record, &want);
	assert_in_range(record.timestamp, before, now());
}

static void every_reason_is_told(void **state)
{
	struct rig *rig = *state;

	needs_device_faults();
	for (uint32_t reason = FAULTQ_REASON_UNKNOWN; reason <= FAULTQ_REASON_ADDRESS_SIZE;
	     reason++) {
		struct mock_iommu_unrecoverable fault = unrecoverable(reason, IOVA);
		struct faultq_record record;

		raise_fault(rig, &fault);
		record = take_record(rig->fq);
		assert_int_equal(record.reason, reason);
		assert_true(record.flags & FAULTQ_RECORD_REASON);
	}
}

static void what_a_fault_does_not_tell_is_not_flagged(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_unrecoverable fault = unrecoverable(FAULTQ_REASON_UNKNOWN, 0);
	struct faultq_record record, want = {
		.type = FAULTQ_UNRECOVERABLE,
		.perm = FAULTQ_PERM_WRITE,
		.flags = FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_REASON,
		.device = rig->id,
	};

	needs_device_faults();
	fault.flags = MOCK_IOMMU_NO_ADDRESS;
	raise_fault(rig, &fault);
	record = take_record(rig->fq);
	assert_record(&record, &want);
}

/* Through the domain: address and direction, and the device if the driver knows it. */
static void assert_domain_fault(struct rig *rig, uint32_t flags, uint32_t access)
{
	struct mock_iommu_unrecoverable fault = unrecoverable(0, IOVA + 0x123);
	bool known = !(flags & MOCK_IOMMU_NO_DEVICE);
	struct faultq_record record, want = {
		.type = FAULTQ_UNRECOVERABLE,
		.perm = access,
		.flags = FAULTQ_RECORD_ADDRESS | (known ? FAULTQ_RECORD_DEVICE : 0),
		.device = known ? rig->id : 0,
		.address = IOVA + 0x123,
	};

	fault.flags = MOCK_IOMMU_VIA_DOMAIN | flags;
	fault.access = access;
	raise_fault(rig, &fault);
	record = take_record(rig->fq);
	assert_record(&record, &want);
}

static void a_fault_of_the_domain_tells_address_and_direction(void **state)
{
	assert_domain_fault(*state, 0, MOCK_IOMMU_READ);
	assert_domain_fault(*state, 0, MOCK_IOMMU_WRITE);
}

static void a_fault_of_the_domain_may_come_in_a_hard_interrupt(void **state)
{
	assert_domain_fault(*state, MOCK_IOMMU_HARD_IRQ, MOCK_IOMMU_READ);
}

static void a_fault_of_the_domain_may_not_know_the_device(void **state)
{
	assert_domain_fault(*state, MOCK_IOMMU_NO_DEVICE, MOCK_IOMMU_WRITE);
	assert_domain_fault(*state, MOCK_IOMMU_NO_DEVICE | MOCK_IOMMU_HARD_IRQ, MOCK_IOMMU_WRITE);
}

static void all_kinds_arrive_in_one_queue_in_order(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_unrecoverable by_device = unrecoverable(FAULTQ_REASON_NOT_MAPPED, 0);
	struct mock_iommu_unrecoverable by_domain = unrecoverable(0, 0);
	uint64_t last = 0;

	needs_page_requests();
	by_domain.flags = MOCK_IOMMU_VIA_DOMAIN | MOCK_IOMMU_HARD_IRQ;
	for (unsigned int i = 0; i < 60; i += 3) {
		inject_group(&rig->device, i, IOVA + i * PAGE);
		by_device.address = IOVA + (i + 1) * PAGE;
		raise_fault(rig, &by_device);
		by_domain.address = IOVA + (i + 2) * PAGE;
		raise_fault(rig, &by_domain);
	}
	for (unsigned int i = 0; i < 60; i++) {
		struct faultq_record record = take_record(rig->fq);

		assert_int_equal(record.type, i % 3 ? FAULTQ_UNRECOVERABLE : FAULTQ_PAGE_REQUEST);
		assert_int_equal(record.address, IOVA + i * PAGE);
		assert_true(record.timestamp >= last);
		last = record.timestamp;
	}
	assert_queue_empty(rig->fq);
}

static void assert_dma_faults(struct rig *rig, uint16_t flags, uint32_t reason)
{
	int tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA + 8, "lost", 4);
	struct faultq_record record, want = {
		.type = FAULTQ_UNRECOVERABLE,
		.perm = FAULTQ_PERM_WRITE,
		.flags = FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_ADDRESS | flags,
		.device = rig->id,
		.address = IOVA + 8,
		.reason = reason,
	};

	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_FAULT);
	record = take_record(rig->fq);
	assert_record(&record, &want);
}

static void a_dma_without_page_requests_faults_unrecoverably(void **state)
{
	struct rig *rig = *state;
	char *page = pages_new(1);

	needs_device_faults();
	assert_dma_faults(rig, FAULTQ_RECORD_REASON, FAULTQ_REASON_NOT_MAPPED);
	assert_int_equal(faultq_map(rig->fq, IOVA, page, PAGE, FAULTQ_MAP_READ), 0);
	assert_dma_faults(rig, FAULTQ_RECORD_REASON, FAULTQ_REASON_PERMISSION);
	assert_int_equal(page[8], 0);
	pages_free(page, 1);
}

static void a_dma_of_a_driver_that_knows_no_better_faults_in_the_domain(void **state)
{
	struct rig *rig = *state;

	vm_detach(rig->fq, rig->id);
	device_unplug(&rig->device);
	assert_int_equal(mock_set(rig->device.instance, rig->device.name, "unrecoverable",
				  "domain"), 0);
	device_plug(&rig->device);
	rig->id = vm_attach(rig->fq, &rig->device);
	assert_dma_faults(rig, 0, 0);
}

/* Each answer of user space is in one place of the histogram; which, is a matter of time. */
static void assert_latencies(const struct faultq_stats *stats)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < FAULTQ_LATENCIES; i++)
		sum += stats->latency[i];
	assert_int_equal(sum, stats->answered_success + stats->answered_invalid +
			 stats->answered_failure);
}

/* Compares all counters that faults change; the rest of @want is taken from @got. */
static void assert_stats(const struct faultq_stats *got, struct faultq_stats want)
{
	want.size = got->size;
	want.device = got->device;
	want.devices = got->devices;
	want.slots = got->slots;
	want.mapped_bytes = got->mapped_bytes;
	want.pinned_pages = got->pinned_pages;
	if (got->device && want.answered_failure)
		want.state = FAULTQ_STATE_FAILED;
	assert_latencies(got);
	memcpy(want.latency, got->latency, sizeof(want.latency));
	assert_memory_equal(got, &want, sizeof(want));
}

static void answer_next(struct rig *rig, uint32_t code)
{
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), code), 0);
}

static void counters_are_exact(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_unrecoverable by_device = unrecoverable(1, IOVA),
					by_domain = unrecoverable(0, IOVA);
	struct faultq_stats stats, want = {
		.outstanding = 2, .page_requests = 11, .groups = 8, .answered_success = 3,
		.answered_invalid = 2, .answered_failure = 1, .unrecoverable = 5,
	};
	struct mock_iommu_page_request partial = page_request(8, IOVA);

	needs_page_requests();
	for (unsigned int i = 0; i < 6; i++) {
		inject_group(&rig->device, i, IOVA);
		answer_next(rig, i < 3 ? FAULTQ_SUCCESS : i < 5 ? FAULTQ_INVALID : FAULTQ_FAILURE);
	}
	inject_group(&rig->device, 7, IOVA);
	partial.flags = 0;
	partial.count = 3;
	assert_int_equal(inject(&rig->device, &partial), 3);
	inject_group(&rig->device, 8, IOVA);
	by_device.count = 5;
	raise_fault(rig, &by_device);

	stats = vm_stats(rig->fq, rig->id);
	assert_stats(&stats, want);
	assert_int_equal(stats.devices, 1);
	assert_int_equal(stats.device, rig->id);
	assert_int_equal(stats.slots, RIG_SLOTS);

	/* what only the VM can count */
	by_domain.flags = MOCK_IOMMU_VIA_DOMAIN | MOCK_IOMMU_NO_DEVICE;
	by_domain.count = 2;
	raise_fault(rig, &by_domain);
	assert_int_equal(faultq_answer(rig->fq, 0x7fff0000, FAULTQ_SUCCESS), -ESTALE);
	stats = vm_stats(rig->fq, rig->id);
	assert_stats(&stats, want);
	want.unrecoverable += 2;
	want.stale_answers = 1;
	stats = vm_stats(rig->fq, 0);
	assert_stats(&stats, want);
	assert_int_equal(stats.devices, 1);
}

static void counters_of_the_vm_outlive_its_devices(void **state)
{
	struct rig *rig = *state;
	struct faultq_stats stats, want = {
		.page_requests = 3, .groups = 3, .answered_success = 1, .terminated_detached = 2,
	};
	uint32_t past = rig->id;

	needs_page_requests();
	for (unsigned int i = 0; i < 3; i++)
		inject_group(&rig->device, i, IOVA);
	answer_next(rig, FAULTQ_SUCCESS);
	vm_detach(rig->fq, rig->id);
	stats = vm_stats(rig->fq, 0);
	assert_stats(&stats, want);
	assert_int_equal(stats.devices, 0);
	assert_int_equal(faultq_stats(rig->fq, past, &stats), -ENOENT);
	rig->id = vm_attach(rig->fq, &rig->device);
	assert_true(rig->id != past);
	stats = vm_stats(rig->fq, rig->id);
	assert_stats(&stats, (struct faultq_stats){ 0 });
}

static void a_group_that_is_too_long_is_terminated(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(5, IOVA);

	request.flags = 0;
	request.count = 32;
	request.address_step = PAGE;
	assert_int_equal(inject(&rig->device, &request), 32);
	inject_group(&rig->device, 5, IOVA);
	assert_response(&rig->device, 5, FAULTQ_INVALID);
	assert_queue_empty(rig->fq);
	assert_int_equal(vm_stats(rig->fq, rig->id).terminated_too_long, 1);
	assert_int_equal(vm_stats(rig->fq, rig->id).page_requests, 33);
	assert_int_equal(faultq_header(rig->fq)->terminated, 1);
}

static void groups_that_never_end_make_room_for_others(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(0, IOVA);
	struct faultq_record records[32];
	struct faultq_stats stats;

	needs_open_groups();
	request.flags = 0;
	request.count = 1000;
	request.group_step = 1;
	assert_int_equal(inject(&rig->device, &request), 1000);
	stats = vm_stats(rig->fq, rig->id);
	assert_true(stats.partial_dropped > 900);
	assert_int_equal(stats.groups, 0);

	/* the newest is whole still, the oldest has lost its first request */
	inject_group(&rig->device, 999, IOVA + PAGE);
	assert_int_equal(take_group(rig->fq, records), 2);
	inject_group(&rig->device, 0, IOVA + PAGE);
	assert_int_equal(take_group(rig->fq, records), 1);
}

static void without_a_queue_requests_are_terminated_and_faults_lost(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_unrecoverable fault = unrecoverable(1, IOVA);
	struct faultq_stats want = { .page_requests = 2, .terminated_no_queue = 2, .lost = 3 },
			    stats;
	struct faultq *fq;
	uint32_t id;

	needs_page_requests();
	vm_detach(rig->fq, rig->id);
	assert_int_equal(faultq_open(&fq), 0);
	id = vm_attach(fq, &rig->device);
	inject_group(&rig->device, 1, IOVA);
	inject_group(&rig->device, 2, IOVA);
	assert_response(&rig->device, 1, FAULTQ_INVALID);
	assert_response(&rig->device, 2, FAULTQ_INVALID);
	fault.count = 3;
	raise_fault(rig, &fault);
	stats = vm_stats(fq, id);
	assert_stats(&stats, want);

	assert_int_equal(faultq_queue(fq, RIG_SLOTS, RIG_ENTRIES, -1, 0), 0);
	inject_group(&rig->device, 3, IOVA);
	inject_group(&rig->device, 4, IOVA);
	assert_true(take_record(fq).flags & FAULTQ_RECORD_AFTER_LOSS);
	assert_false(take_record(fq).flags & FAULTQ_RECORD_AFTER_LOSS);
	faultq_close(fq);
}

static void floods_of_one_kind_leave_the_room_of_the_other(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(0, IOVA);
	struct mock_iommu_unrecoverable fault = unrecoverable(1, IOVA);
	struct faultq *fq = vm_open(256, 64, 0);
	struct faultq_stats want = {
		.outstanding = 32, .page_requests = 100, .groups = 32, .terminated_no_room = 68,
		.unrecoverable = 16, .lost = 84,
	}, stats;
	uint32_t id;

	vm_detach(rig->fq, rig->id);
	id = vm_attach(fq, &rig->device);
	request.count = 100;
	request.group_step = 1;
	assert_int_equal(inject(&rig->device, &request), 100);
	fault.count = 100;
	raise_fault(rig, &fault);
	stats = vm_stats(fq, id);
	assert_stats(&stats, want);
	assert_int_equal(faultq_header(fq)->lost, 84);
	assert_int_equal(faultq_header(fq)->terminated, 68);

	for (unsigned int i = 0; i < 48; i++)
		assert_int_equal(take_record(fq).type,
				 i < 32 ? FAULTQ_PAGE_REQUEST : FAULTQ_UNRECOVERABLE);
	fault.count = 1;
	raise_fault(rig, &fault);
	assert_true(take_record(fq).flags & FAULTQ_RECORD_AFTER_LOSS);
	faultq_close(fq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_page_request_has_all_its_fields),
		RIG_TEST(every_permission_is_told),
		RIG_TEST(the_records_of_a_group_share_all_but_the_address),
		RIG_TEST(open_groups_are_kept_apart_by_index_and_pasid),
		RIG_TEST(an_unrecoverable_fault_has_all_its_fields),
		RIG_TEST(every_reason_is_told),
		RIG_TEST(what_a_fault_does_not_tell_is_not_flagged),
		RIG_TEST(a_fault_of_the_domain_tells_address_and_direction),
		RIG_TEST(a_fault_of_the_domain_may_come_in_a_hard_interrupt),
		RIG_TEST(a_fault_of_the_domain_may_not_know_the_device),
		RIG_TEST(all_kinds_arrive_in_one_queue_in_order),
		RIG_TEST_NONE(a_dma_without_page_requests_faults_unrecoverably),
		RIG_TEST_NONE(a_dma_of_a_driver_that_knows_no_better_faults_in_the_domain),
		RIG_TEST(counters_are_exact),
		RIG_TEST(counters_of_the_vm_outlive_its_devices),
		RIG_TEST(a_group_that_is_too_long_is_terminated),
		RIG_TEST(groups_that_never_end_make_room_for_others),
		RIG_TEST(without_a_queue_requests_are_terminated_and_faults_lost),
		RIG_TEST(floods_of_one_kind_leave_the_room_of_the_other),
	};

	shares_lift(16384);
	return tap_run_group(tests, NULL, NULL);
}
