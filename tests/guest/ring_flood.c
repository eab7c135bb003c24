// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floods: more faults than there is room for. What is queued, lost and terminated adds up
 * to what was sent, the counters in STATS and in the ring's header agree, and no kind of
 * record takes the room of another: half of the ring is for page requests, a quarter for
 * unrecoverable faults, a quarter for events.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/kinds.h"
#include "support/mock.h"
#include "support/quota.h"
#include "support/tap.h"

#define ENTRIES 256
#define SLOTS 1024
#define REQUEST_ROOM (ENTRIES / 2)
#define FAULT_ROOM (ENTRIES / 4)
#define FLOOD 1000

static struct abi_device device;
static struct abi_ring ring;
static uint32_t next; /* record to be read */
static int vm;

static int open_device(void **state)
{
	(void)state;
	vm = abi_open();
	abi_device_make(&device, "flood", "d0");
	assert_int_equal(abi_device_attach(&device, vm), 0);
	next = 0;
	return 0;
}

static int open_ring(void **state)
{
	open_device(state);
	abi_ring_open(&ring, vm, SLOTS, ENTRIES);
	return 0;
}

static int close_device(void **state)
{
	(void)state;
	close(vm);
	abi_device_destroy(&device);
	return 0;
}

static int close_ring(void **state)
{
	abi_ring_close(&ring);
	return close_device(state);
}

/* Unrecoverable faults, all alike. */
static void flood_faults(uint32_t count)
{
	struct mock_iommu_unrecoverable fault = {
		.flags = MOCK_IOMMU_VIA_DOMAIN,
		.access = MOCK_IOMMU_READ,
		.count = count,
		.address = 0x1000,
	};

	fault.size = sizeof(fault);
	assert_int_equal(abi_ioctl(device.mock, MOCK_IOMMU_UNRECOVERABLE, &fault), 0);
	assert_int_equal(fault.done, count);
}

static void send_fault(uint64_t address)
{
	assert_int_equal(mock_unrecoverable(device.mock, fault_way(), MOCK_IOMMU_READ, 5, address),
			 1);
}

static uint32_t waiting(void)
{
	return abi_producer(&ring) - next;
}

static const struct faultq_record *peek(void)
{
	assert_true(waiting() > 0);
	return &ring.records[next % ENTRIES];
}

static void consume(uint32_t count)
{
	assert_true(waiting() >= count);
	next += count;
	abi_set_consumer(&ring, next);
}

static void expect_answers(uint32_t first, uint32_t count, uint32_t code)
{
	for (uint32_t i = 0; i < count; i++)
		abi_expect_answer(&device, first + i, code);
}

static void expect_no_answer(void)
{
	struct mock_iommu_response response;

	assert_int_equal(mock_response(device.mock, MOCK_IOMMU_NOWAIT, &response), -EAGAIN);
}

static int answer(uint64_t cookie, uint32_t code)
{
	struct faultq_answer entry = { .cookie = cookie, .code = code };
	struct faultq_respond respond = {
		.size = sizeof(respond),
		.answers = (uintptr_t)&entry,
		.count = 1,
		.entry_size = sizeof(entry),
	};

	assert_int_equal(abi_ioctl(vm, FAULTQ_RESPOND, &respond), 0);
	return entry.result;
}

static void expect_header_agrees(void)
{
	struct faultq_stats stats = abi_stats(vm, 0);

	assert_int_equal(ring.header->lost, stats.lost);
	assert_int_equal(ring.header->terminated,
			 stats.terminated_no_slot + stats.terminated_no_room);
}

static void before_the_queue_page_requests_are_terminated(void **state)
{
	struct faultq_stats stats;

	(void)state;
	abi_request(&device, 0, 0x1000, 100);
	expect_answers(0, 100, FAULTQ_INVALID);
	stats = abi_stats(vm, 0);
	assert_int_equal(stats.terminated_no_queue, 100);
	assert_int_equal(stats.page_requests, 100);
	assert_int_equal(stats.groups | stats.outstanding | stats.slots, 0);
	assert_int_equal(abi_stats(vm, device.id).terminated_no_queue, 100);
}

static void before_the_queue_unrecoverable_faults_are_lost_and_told(void **state)
{
	(void)state;
	flood_faults(100);
	send_fault(0);
	assert_int_equal(abi_stats(vm, 0).lost, 101);
	assert_int_equal(abi_stats(vm, device.id).lost, 101);
	abi_ring_open(&ring, vm, SLOTS, ENTRIES);
	assert_int_equal(waiting(), 0);
	send_fault(0x5000);
	send_fault(0x6000);
	assert_true(peek()->flags & FAULTQ_RECORD_AFTER_LOSS);
	consume(1);
	assert_false(peek()->flags & FAULTQ_RECORD_AFTER_LOSS);
	assert_int_equal(abi_stats(vm, 0).unrecoverable, 2);
	abi_ring_close(&ring);
}

static void unrecoverable_faults_beyond_their_room_are_lost(void **state)
{
	(void)state;
	flood_faults(FLOOD);
	assert_int_equal(waiting(), FAULT_ROOM);
	assert_int_equal(abi_stats(vm, 0).unrecoverable, FAULT_ROOM);
	assert_int_equal(abi_stats(vm, 0).lost, FLOOD - FAULT_ROOM);
	expect_header_agrees();
}

static void the_next_record_after_a_loss_says_so_once(void **state)
{
	(void)state;
	flood_faults(FAULT_ROOM + 1);
	for (unsigned int i = 0; i < FAULT_ROOM; i++) {
		assert_false(peek()->flags & FAULTQ_RECORD_AFTER_LOSS);
		consume(1);
	}
	abi_request(&device, 7, 0x1000, 1);
	send_fault(0x2000);
	assert_int_equal(peek()->type, FAULTQ_PAGE_REQUEST);
	assert_true(peek()->flags & FAULTQ_RECORD_AFTER_LOSS);
	consume(1);
	assert_false(peek()->flags & FAULTQ_RECORD_AFTER_LOSS);
}

static void a_flood_of_faults_leaves_page_requests_their_room(void **state)
{
	(void)state;
	flood_faults(FLOOD);
	abi_request(&device, 0, 0x1000, REQUEST_ROOM);
	assert_int_equal(waiting(), FAULT_ROOM + REQUEST_ROOM);
	assert_int_equal(abi_stats(vm, 0).outstanding, REQUEST_ROOM);
	flood_faults(FLOOD);
	expect_no_answer();
	assert_int_equal(abi_stats(vm, 0).lost, 2 * FLOOD - FAULT_ROOM);
	expect_header_agrees();
}

static void a_flood_of_page_requests_leaves_faults_their_room(void **state)
{
	(void)state;
	abi_request(&device, 0, 0x1000, FLOOD);
	expect_answers(REQUEST_ROOM, FLOOD - REQUEST_ROOM, FAULTQ_INVALID);
	expect_no_answer();
	flood_faults(FAULT_ROOM);
	assert_int_equal(abi_stats(vm, 0).lost, 0);
	assert_int_equal(abi_stats(vm, 0).unrecoverable, FAULT_ROOM);
	assert_int_equal(abi_stats(vm, 0).terminated_no_room, FLOOD - REQUEST_ROOM);
	expect_header_agrees();
}

static void both_floods_leave_events_their_room(void **state)
{
	const struct faultq_record *record;
	uint32_t id = device.id;

	abi_request(&device, 0, 0x1000, FLOOD);
	flood_faults(FLOOD);
	consume(0);
	abi_device_destroy(&device);
	consume(REQUEST_ROOM + FAULT_ROOM);
	record = peek();
	assert_int_equal(record->type, FAULTQ_DEVICE_GONE);
	assert_int_equal(record->device, id);
	assert_true(record->flags & FAULTQ_RECORD_DEVICE);
	assert_true(record->flags & FAULTQ_RECORD_AFTER_LOSS);
	assert_int_equal(abi_stats(vm, 0).terminated_detached, REQUEST_ROOM);
	abi_ring_close(&ring);
	close(vm);
	open_ring(state);
}

static void page_requests_without_room_are_terminated(void **state)
{
	struct faultq_stats stats;

	(void)state;
	abi_request(&device, 0, 0x1000, FLOOD);
	assert_int_equal(waiting(), REQUEST_ROOM);
	expect_answers(REQUEST_ROOM, FLOOD - REQUEST_ROOM, FAULTQ_INVALID);
	stats = abi_stats(vm, 0);
	assert_int_equal(stats.page_requests, FLOOD);
	assert_int_equal(stats.groups, REQUEST_ROOM);
	assert_int_equal(stats.outstanding, REQUEST_ROOM);
	assert_int_equal(stats.terminated_no_room, FLOOD - REQUEST_ROOM);
	assert_int_equal(stats.terminated_no_slot, 0);
	expect_header_agrees();
	consume(1);
	abi_request(&device, FLOOD, 0x1000, 2);
	expect_answers(FLOOD + 1, 1, FAULTQ_INVALID);
	assert_int_equal(abi_stats(vm, 0).groups, REQUEST_ROOM + 1);
}

static void page_requests_without_a_slot_are_terminated(void **state)
{
	enum { FEW = 4 };

	(void)state;
	abi_ring_open(&ring, vm, FEW, ENTRIES);
	abi_request(&device, 0, 0x1000, 50);
	assert_int_equal(waiting(), FEW);
	expect_answers(FEW, 50 - FEW, FAULTQ_INVALID);
	assert_int_equal(abi_stats(vm, 0).terminated_no_slot, 50 - FEW);
	assert_int_equal(abi_stats(vm, 0).terminated_no_room, 0);
	expect_header_agrees();
	consume(FEW);
	abi_request(&device, 50, 0x1000, 1);
	expect_answers(50, 1, FAULTQ_INVALID);
	assert_int_equal(answer(ring.records[0].cookie, FAULTQ_SUCCESS), 0);
	expect_answers(0, 1, FAULTQ_SUCCESS);
	abi_request(&device, 51, 0x1000, 2);
	assert_int_equal(waiting(), 1);
	expect_answers(52, 1, FAULTQ_INVALID);
	abi_ring_close(&ring);
}

/* A flood does not make the ring forget what it holds. */
static void records_are_kept_until_they_are_consumed(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < FAULT_ROOM; i++)
		send_fault(i);
	flood_faults(FLOOD);
	abi_request(&device, 0, 0x1000, REQUEST_ROOM);
	flood_faults(FLOOD);
	for (uint64_t i = 0; i < FAULT_ROOM; i++, consume(1))
		assert_int_equal(peek()->address, i);
	for (uint32_t i = 0; i < REQUEST_ROOM; i++, consume(1))
		assert_int_equal(peek()->group, i);
	assert_int_equal(waiting(), 0);
}

/* One device floods with numbered faults while another thread reads, and makes breaks. */
static void *number_faults(void *total)
{
	for (uint64_t i = 0; i < *(uint64_t *)total; i++)
		if (mock_unrecoverable(device.mock, fault_way(), MOCK_IOMMU_READ, 5, i) != 1)
			return NULL;
	return total;
}

struct gaps {
	uint64_t expected, received, lost;
};

static void check_gap(struct gaps *gaps)
{
	const struct faultq_record *record = peek();
	bool gap = record->address != gaps->expected;

	assert_true(record->address >= gaps->expected);
	assert_int_equal(!!(record->flags & FAULTQ_RECORD_AFTER_LOSS), gap);
	gaps->lost += record->address - gaps->expected;
	gaps->expected = record->address + 1;
	gaps->received++;
	consume(1);
}

static void the_flag_marks_each_gap_of_a_flood(void **state)
{
	uint64_t total = scaled(50000, 2000000);
	struct pollfd pfd = { .fd = vm, .events = POLLIN };
	struct gaps gaps = {};
	pthread_t thread;
	void *ret;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, number_faults, &total), 0);
	while (gaps.expected + FAULT_ROOM < total) {
		/* Read nothing until the ring is full, then a part of it. */
		while (waiting() < FAULT_ROOM &&
		       abi_stats(vm, 0).unrecoverable + abi_stats(vm, 0).lost < total)
			sched_yield();
		for (uint32_t part = 1 + gaps.received % (FAULT_ROOM - 1); part && waiting();
		     part--)
			check_gap(&gaps);
		if (!waiting() && abi_stats(vm, 0).unrecoverable + abi_stats(vm, 0).lost == total)
			break;
	}
	pthread_join(thread, &ret);
	assert_non_null(ret);
	while (waiting())
		check_gap(&gaps);
	gaps.lost += total - gaps.expected;
	assert_int_equal(gaps.received, abi_stats(vm, 0).unrecoverable);
	assert_int_equal(gaps.lost, abi_stats(vm, 0).lost);
	assert_int_equal(gaps.received + gaps.lost, total);
	assert_in_range(poll(&pfd, 1, 0), 0, 0);
	expect_header_agrees();
}

/*
 * Page requests and faults of two threads at a time; nobody answers, the slots run out
 * first, then the room.
 */
static void *request_pages(void *count)
{
	struct mock_iommu_page_request request = {
		.flags = MOCK_IOMMU_LAST,
		.access = MOCK_IOMMU_READ,
		.group_step = 1,
		.address_step = ABI_PAGE,
		.count = *(uint32_t *)count,
	};

	return mock_page_requests(device.mock, &request) == (int)request.count ? count : NULL;
}

static void floods_at_the_same_time_add_up(void **state)
{
	uint32_t requests = scaled(20000, 500000);
	uint64_t faults = requests;
	pthread_t request_thread, fault_thread;
	struct faultq_stats stats;
	struct mock_iommu_state mock;

	(void)state;
	needs_page_requests();
	assert_int_equal(pthread_create(&request_thread, NULL, request_pages, &requests), 0);
	assert_int_equal(pthread_create(&fault_thread, NULL, number_faults, &faults), 0);
	do {
		stats = abi_stats(vm, 0);
		consume(waiting());
	} while (stats.page_requests < requests || stats.unrecoverable + stats.lost < faults);
	pthread_join(request_thread, NULL);
	pthread_join(fault_thread, NULL);
	consume(waiting());
	stats = abi_stats(vm, 0);
	assert_int_equal(stats.groups, stats.outstanding);
	assert_int_equal(stats.groups + stats.terminated_no_room + stats.terminated_no_slot,
			 requests);
	assert_int_equal(stats.unrecoverable + stats.lost, faults);
	assert_int_equal(next, (uint32_t)(stats.groups + stats.unrecoverable));
	assert_int_equal(mock_state(device.mock, &mock), 0);
	assert_int_equal(mock.outstanding, stats.outstanding);
	assert_int_equal(mock.answered + mock.outstanding, requests);
	assert_int_equal(mock.unmatched | mock.refused | mock.overflows, 0);
	expect_header_agrees();
}

int main(void)
{
#define with_device(test) cmocka_unit_test_setup_teardown(test, open_device, close_device)
#define with_ring(test) cmocka_unit_test_setup_teardown(test, open_ring, close_ring)
	const struct CMUnitTest tests[] = {
		with_device(before_the_queue_page_requests_are_terminated),
		with_device(before_the_queue_unrecoverable_faults_are_lost_and_told),
		with_ring(unrecoverable_faults_beyond_their_room_are_lost),
		with_ring(the_next_record_after_a_loss_says_so_once),
		with_ring(a_flood_of_faults_leaves_page_requests_their_room),
		with_ring(a_flood_of_page_requests_leaves_faults_their_room),
		with_ring(both_floods_leave_events_their_room),
		with_ring(page_requests_without_room_are_terminated),
		with_device(page_requests_without_a_slot_are_terminated),
		with_ring(records_are_kept_until_they_are_consumed),
		with_ring(the_flag_marks_each_gap_of_a_flood),
		with_ring(floods_at_the_same_time_add_up),
	};

	shares_lift(16384);
	return tap_run_group(tests, NULL, NULL);
}
