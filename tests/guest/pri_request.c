// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real page requests, without a PASID, of a PCI device, through the IOMMU's driver: single ones
 * and groups, each way to answer, and the device's data, which moves when it should and not when
 * it should not.
 */
#include <sched.h>
#include <string.h>

#include "support/fault.h"
#include "support/pri.h"
#include "support/vfio.h"

#define IOVA	0x40000000ULL
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define DATA	0x1122334455667788ULL
#define PAGES	4

static struct pci pri;
static struct faultq *fq;
static struct faultq_attach told;
static uint64_t *memory;

static int attach(void **state)
{
	(void)state;
	assert_true(pri_find(&pri, PRI_ANY));
	fq = vm_open(64, 512, 0);
	memory = pages_new(PAGES);
	pci_open(&pri);
	assert_int_equal(faultq_attach(fq, pri.name, &told), 0);
	pci_set_master(&pri, true);
	pri_clear(&pri);
	return 0;
}

static int detach(void **state)
{
	(void)state;
	faultq_close(fq);
	pci_close(&pri);
	pages_free(memory, PAGES);
	return 0;
}

static struct faultq_record take_request(uint64_t address, uint32_t perm)
{
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_PAGE_REQUEST);
	assert_true(record.flags & FAULTQ_RECORD_LAST);
	assert_int_equal(record.device, told.device);
	assert_int_equal(record.address, address);
	assert_int_equal(record.perm & (FAULTQ_PERM_READ | FAULTQ_PERM_WRITE), perm);
	return record;
}

static void map_and_answer(uint64_t cookie, uint64_t iova, void *page)
{
	int result;

	assert_int_equal(faultq_map_answer(fq, iova, page, PAGE, RW, cookie, &result), 0);
	assert_int_equal(result, 0);
}

static void assert_counters(uint64_t success, uint64_t invalid, uint64_t failure)
{
	assert_int_equal(pri_read(&pri, PRI_SUCCESS), success);
	assert_int_equal(pri_read(&pri, PRI_INVALID), invalid);
	assert_int_equal(pri_read(&pri, PRI_FAILURE), failure);
	assert_int_equal(pri_read(&pri, PRI_UNASKED), 0);
	assert_int_equal(pri_read(&pri, PRI_OUTSTANDING), 0);
}

static void a_write_waits_for_its_page_and_arrives_there(void **state)
{
	(void)state;
	pri_needs_requests(&told);
	pri_dma(&pri, PRI_WRITE, IOVA + 0x340, DATA);
	map_and_answer(take_request(IOVA, FAULTQ_PERM_WRITE).cookie, IOVA, memory);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_DONE);
	assert_int_equal(memory[0x340 / 8], DATA);
	assert_counters(1, 0, 0);

	/* the page is there: nothing is asked */
	pri_dma(&pri, PRI_WRITE, IOVA + 0x348, ~DATA);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_DONE);
	assert_int_equal(memory[0x348 / 8], ~DATA);
	assert_counters(1, 0, 0);
}

static void a_read_waits_for_its_page_and_gets_what_is_there(void **state)
{
	(void)state;
	pri_needs_requests(&told);
	memory[1] = DATA;
	pri_dma(&pri, PRI_READ, IOVA + 8, 0);
	map_and_answer(take_request(IOVA, FAULTQ_PERM_READ).cookie, IOVA, memory);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_DONE);
	assert_int_equal(pri_read(&pri, PRI_DATA), DATA);
	assert_counters(1, 0, 0);
}

static void success_without_a_mapping_lets_the_device_try_once_more(void **state)
{
	(void)state;
	pri_needs_requests(&told);
	pri_dma(&pri, PRI_WRITE, IOVA, DATA);
	assert_int_equal(faultq_answer(fq, take_request(IOVA, FAULTQ_PERM_WRITE).cookie,
				       FAULTQ_SUCCESS), 0);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_MISSED);
	assert_counters(1, 0, 0);
}

static void a_group_is_one_answer(void **state)
{
	struct faultq_record records[32];
	unsigned int count;

	(void)state;
	pri_needs_requests(&told);
	pri_group(&pri, IOVA, PAGES, 77);
	count = take_group(fq, records);
	assert_int_equal(count, PAGES);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(records[i].address, IOVA + i * PAGE);
		assert_int_equal(records[i].cookie, records[0].cookie);
		assert_int_equal(!!(records[i].flags & FAULTQ_RECORD_LAST), i == count - 1);
	}
	assert_int_equal(pri_read(&pri, PRI_STATUS), PRI_STATUS_WAITING);
	assert_int_equal(faultq_map(fq, IOVA, memory, PAGES * PAGE, RW), 0);
	assert_int_equal(faultq_answer(fq, records[0].cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_DONE);
	assert_int_equal(pri_read(&pri, PRI_LAST_INDEX), 77);
	assert_counters(1, 0, 0);
}

static void invalid_ends_the_access(void **state)
{
	(void)state;
	pri_needs_requests(&told);
	pri_dma(&pri, PRI_WRITE, IOVA, DATA);
	assert_int_equal(faultq_answer(fq, take_request(IOVA, FAULTQ_PERM_WRITE).cookie,
				       FAULTQ_INVALID), 0);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_NO_SUCCESS);
	assert_counters(0, 1, 0);

	/* and no other one */
	pri_dma(&pri, PRI_WRITE, IOVA, DATA);
	map_and_answer(take_request(IOVA, FAULTQ_PERM_WRITE).cookie, IOVA, memory);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_DONE);
	assert_int_equal(memory[0], DATA);
	assert_counters(1, 1, 0);
}

static void answer_failure(void)
{
	pri_dma(&pri, PRI_WRITE, IOVA, DATA);
	assert_int_equal(faultq_answer(fq, take_request(IOVA, FAULTQ_PERM_WRITE).cookie,
				       FAULTQ_FAILURE), 0);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_NO_SUCCESS);
	assert_true(vm_stats(fq, told.device).state & FAULTQ_STATE_FAILED);
}

static void assert_served(void)
{
	pri_dma(&pri, PRI_WRITE, IOVA, DATA);
	map_and_answer(take_request(IOVA, FAULTQ_PERM_WRITE).cookie, IOVA, memory);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_DONE);
	assert_int_equal(memory[0], DATA);
	assert_int_equal(faultq_unmap(fq, IOVA, PAGE, NULL), 0);
}

static void failure_stops_the_device(void **state)
{
	(void)state;
	pri_needs_requests(&told);
	answer_failure();
	assert_counters(0, 0, 1);

	pri_dma(&pri, PRI_WRITE, IOVA, DATA);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_LOST);
	assert_queue_empty(fq);

	/* what needs no asking still works */
	assert_int_equal(faultq_map(fq, IOVA, memory, PAGE, RW), 0);
	pri_dma(&pri, PRI_WRITE, IOVA, DATA);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_DONE);
	assert_int_equal(memory[0], DATA);
}

static void enable_starts_it_again(void **state)
{
	int interrupted;

	(void)state;
	pri_needs_requests(&told);
	for (unsigned int i = 0; i < 4; i++) {
		answer_failure();
		assert_int_equal(faultq_enable(fq, told.device, &interrupted), 0);
		assert_int_equal(interrupted, 1);
		assert_int_equal(vm_stats(fq, told.device).state & FAULTQ_STATE_FAILED, 0);
		assert_served();
	}
	assert_int_equal(faultq_enable(fq, told.device, &interrupted), 0);
	assert_int_equal(interrupted, 0);
}

/* Whoever has the device next does not know what was answered. */
static void attaching_again_starts_it_again(void **state)
{
	(void)state;
	pri_needs_requests(&told);
	answer_failure();
	assert_int_equal(faultq_detach(fq, told.device, NULL), 0);
	assert_int_equal(faultq_attach(fq, pri.name, &told), 0);
	pci_set_master(&pri, true);
	assert_served();
}

static void answers_go_to_their_groups_in_any_order(void **state)
{
	enum { GROUPS = 16 };
	uint64_t cookies[GROUPS];

	(void)state;
	pri_needs_requests(&told);
	pri_burst(&pri, IOVA, GROUPS, 500);
	for (unsigned int i = 0; i < GROUPS; i++)
		cookies[i] = take_request(IOVA + i * PAGE, FAULTQ_PERM_WRITE).cookie;
	for (unsigned int i = GROUPS; i-- > 0;) {
		uint32_t code = i % 2 ? FAULTQ_INVALID : FAULTQ_SUCCESS;

		assert_int_equal(faultq_answer(fq, cookies[i], code), 0);
		pri_wait_answers(&pri, GROUPS - i);
		assert_int_equal(pri_read(&pri, PRI_LAST_INDEX), (500 + i) % PRI_INDICES);
		assert_int_equal(pri_read(&pri, PRI_LAST_CODE), code);
	}
	assert_counters(GROUPS / 2, GROUPS / 2, 0);
}

/* Nobody reads or answers: what is too much is answered at once. */
static void what_is_over_quota_is_invalid(void **state)
{
	enum { GROUPS = 300 };
	uint32_t drained = 0;

	(void)state;
	pri_needs_requests(&told);
	pri_burst(&pri, IOVA, GROUPS, 0);
	while (pri_answers(&pri) + vm_stats(fq, 0).outstanding < GROUPS)
		sched_yield();
	assert_in_range(vm_stats(fq, 0).outstanding, 1, 64);
	assert_int_equal(faultq_drain(fq, told.device, &drained), 0);
	assert_true(drained > 0);
	pri_wait_answers(&pri, GROUPS);
	assert_counters(0, GROUPS, 0);
}

static void what_is_outstanding_is_invalid_after_detach(void **state)
{
	int held;

	(void)state;
	pri_needs_requests(&told);
	pri_burst(&pri, IOVA, 8, 0);
	for (unsigned int i = 0; i < 8; i++)
		take_request(IOVA + i * PAGE, FAULTQ_PERM_WRITE);
	assert_int_equal(faultq_detach(fq, told.device, &held), 0);
	assert_int_equal(held, 0);
	assert_int_equal(pri_answers(&pri), 8);
	assert_int_equal(pri_read(&pri, PRI_INVALID), 8);
	assert_int_equal(pri_read(&pri, PRI_OUTSTANDING), 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, attach, detach)
	const struct CMUnitTest tests[] = {
		CASE(a_write_waits_for_its_page_and_arrives_there),
		CASE(a_read_waits_for_its_page_and_gets_what_is_there),
		CASE(success_without_a_mapping_lets_the_device_try_once_more),
		CASE(a_group_is_one_answer),
		CASE(invalid_ends_the_access),
		CASE(failure_stops_the_device),
		CASE(enable_starts_it_again),
		CASE(attaching_again_starts_it_again),
		CASE(answers_go_to_their_groups_in_any_order),
		CASE(what_is_over_quota_is_invalid),
		CASE(what_is_outstanding_is_invalid_after_detach),
	};

	return tap_run_pri_group(tests, NULL, NULL);
}
