// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page request groups of several requests: published whole, as consecutive records with
 * one cookie, whatever the requests of other groups and devices come in between, and
 * wherever the end of the ring is. What is too long, or never complete, is terminated or
 * dropped, and counted.
 *
 * The address of a request carries the number of its group and its place in it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/kinds.h"
#include "support/mock.h"
#include "support/quota.h"
#include "support/tap.h"

#define ENTRIES 64
#define SLOTS		256
#define DEVICES 4
#define MAX_GROUP 32

static struct abi_device devices[DEVICES];
static struct abi_device *const device = &devices[0];
static struct abi_ring ring;
static uint32_t next; /* record to be read */
static int vm;

static void open_all(uint32_t entries, unsigned int count)
{
	vm = abi_open();
	abi_ring_open(&ring, vm, SLOTS, entries);
	next = 0;
	for (unsigned int i = 0; i < count; i++) {
		char name[] = { 'd', '0' + i, '\0' };

		abi_device_make(&devices[i], "groups", name);
		assert_int_equal(abi_device_attach(&devices[i], vm), 0);
	}
}

static void close_all(unsigned int count)
{
	abi_ring_close(&ring);
	close(vm);
	for (unsigned int i = 0; i < count; i++)
		abi_device_destroy(&devices[i]);
}

static int open_one(void **state)
{
	(void)state;
	open_all(ENTRIES, 1);
	return 0;
}

static int close_one(void **state)
{
	(void)state;
	close_all(1);
	return 0;
}

static uint64_t address_of(uint32_t group, uint32_t place)
{
	return ((uint64_t)group << 20 | place) * ABI_PAGE;
}

/* Returns whether the IOMMU core took it. */
static bool request(const struct abi_device *from, uint32_t group, uint32_t place, uint32_t flags)
{
	return mock_page_request(from->mock, flags, MOCK_IOMMU_READ, group, 0,
				 address_of(group, place)) == 1;
}

static bool request_group(const struct abi_device *from, uint32_t group, uint32_t length)
{
	for (uint32_t place = 0; place < length; place++)
		if (!request(from, group, place, place + 1 == length ? MOCK_IOMMU_LAST : 0))
			return false;
	return true;
}

static uint32_t waiting(void)
{
	return abi_producer(&ring) - next;
}

static const struct faultq_record *record_at(uint32_t ahead)
{
	return &ring.records[(next + ahead) % ring.layout.entries];
}

static void consume(uint32_t count)
{
	next += count;
	abi_set_consumer(&ring, next);
}

/* Takes the next group, which must be whole; returns its length, *cookie and *group. */
static uint32_t take_group(uint64_t *cookie, uint32_t *group)
{
	uint32_t count = waiting(), length = 0;

	assert_true(count > 0);
	*cookie = record_at(0)->cookie;
	*group = record_at(0)->group;
	assert_int_not_equal(*cookie, 0);
	for (bool last = false; !last; length++) {
		const struct faultq_record *record = record_at(length);

		assert_true(length < count);
		assert_int_equal(record->type, FAULTQ_PAGE_REQUEST);
		assert_int_equal(record->cookie, *cookie);
		assert_int_equal(record->group, *group);
		assert_int_equal(record->device, record_at(0)->device);
		last = record->flags & FAULTQ_RECORD_LAST;
	}
	return length;
}

static void expect_group(uint32_t group, uint32_t length)
{
	uint64_t cookie;
	uint32_t seen;

	assert_int_equal(take_group(&cookie, &seen), length);
	assert_int_equal(seen, group);
	for (uint32_t place = 0; place < length; place++)
		assert_int_equal(record_at(place)->address, address_of(group, place));
	consume(length);
}

static void answer(uint64_t cookie, uint32_t code)
{
	struct faultq_answer entry = { .cookie = cookie, .code = code };
	struct faultq_respond respond = {
		.size = sizeof(respond),
		.answers = (uintptr_t)&entry,
		.count = 1,
		.entry_size = sizeof(entry),
	};

	assert_int_equal(abi_ioctl(vm, FAULTQ_RESPOND, &respond), 0);
	assert_int_equal(entry.result, 0);
}

static void groups_of_every_length_arrive_whole(void **state)
{
	(void)state;
	for (uint32_t length = 1; length <= MAX_GROUP; length++) {
		assert_true(request_group(device, length, length));
		expect_group(length, length);
		assert_int_equal(waiting(), 0);
		assert_int_equal(abi_stats(vm, 0).outstanding, length);
	}
	assert_int_equal(abi_stats(vm, 0).groups, MAX_GROUP);
	assert_int_equal(abi_stats(vm, 0).page_requests, MAX_GROUP * (MAX_GROUP + 1) / 2);
}

static void nothing_is_seen_of_a_group_before_its_last_request(void **state)
{
	struct pollfd pfd = { .fd = vm, .events = POLLIN };

	(void)state;
	for (uint32_t place = 0; place < MAX_GROUP - 1; place++) {
		assert_true(request(device, 1, place, 0));
		assert_int_equal(waiting(), 0);
		assert_int_equal(poll(&pfd, 1, 0), 0);
		assert_int_equal(abi_stats(vm, 0).outstanding, 0);
	}
	assert_true(request(device, 1, MAX_GROUP - 1, MOCK_IOMMU_LAST));
	assert_int_equal(poll(&pfd, 1, 0), 1);
	expect_group(1, MAX_GROUP);
}

static void one_answer_ends_a_group(void **state)
{
	uint64_t cookie;
	uint32_t group;

	(void)state;
	assert_true(request_group(device, 9, 7));
	assert_int_equal(take_group(&cookie, &group), 7);
	answer(cookie, FAULTQ_INVALID);
	abi_expect_answer(device, 9, FAULTQ_INVALID);
	assert_int_equal(abi_stats(vm, 0).answered_invalid, 1);
	assert_int_equal(abi_stats(vm, 0).outstanding, 0);
}

static void requests_of_several_groups_are_sorted_out(void **state)
{
	enum { GROUPS = 8, LENGTH = 4 };

	(void)state;
	for (uint32_t place = 0; place < LENGTH - 1; place++)
		for (uint32_t group = 0; group < GROUPS; group++)
			assert_true(request(device, group, place, 0));
	for (uint32_t group = GROUPS; group--;)
		assert_true(request(device, group, LENGTH - 1, MOCK_IOMMU_LAST));
	for (uint32_t group = GROUPS; group--;)
		expect_group(group, LENGTH);
	assert_int_equal(abi_stats(vm, 0).partial_dropped, 0);
}

static void the_same_index_with_another_pasid_is_another_group(void **state)
{
	(void)state;
	needs_pasid_requests();
	for (uint32_t pasid = 0; pasid < 3; pasid++)
		assert_int_equal(mock_page_request(device->mock, 0,
						   MOCK_IOMMU_READ | MOCK_IOMMU_PASID, 5, pasid,
						   address_of(5, pasid)),
				 1);
	assert_true(request(device, 5, 9, MOCK_IOMMU_LAST));
	assert_int_equal(waiting(), 1);
	assert_false(record_at(0)->flags & FAULTQ_RECORD_PASID);
	consume(1);
	for (uint32_t pasid = 3; pasid--;) {
		assert_int_equal(mock_page_request(device->mock, MOCK_IOMMU_LAST,
						   MOCK_IOMMU_READ | MOCK_IOMMU_PASID, 5, pasid,
						   address_of(5, 8)),
				 1);
		assert_int_equal(waiting(), 2);
		for (uint32_t place = 0; place < 2; place++) {
			assert_true(record_at(place)->flags & FAULTQ_RECORD_PASID);
			assert_int_equal(record_at(place)->pasid, pasid);
		}
		assert_int_equal(record_at(0)->address, address_of(5, pasid));
		consume(2);
	}
}

static void groups_cross_the_end_of_the_ring_whole(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 500; round++) {
		uint32_t length = 1 + round * 7 % MAX_GROUP;

		assert_true(request_group(device, round, length));
		answer(record_at(0)->cookie, FAULTQ_SUCCESS);
		expect_group(round, length);
	}
	assert_true(next > 10 * ENTRIES);
}

static void groups_that_are_too_long_are_terminated(void **state)
{
	static const uint32_t lengths[] = { MAX_GROUP + 1, MAX_GROUP + 2, 2 * MAX_GROUP, 1000 };
	uint64_t requests = 0;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		assert_true(request_group(device, i, lengths[i]));
		requests += lengths[i];
		abi_expect_answer(device, i, FAULTQ_INVALID);
		assert_int_equal(waiting(), 0);
		assert_int_equal(abi_stats(vm, 0).terminated_too_long, i + 1);
		assert_int_equal(abi_stats(vm, device->id).terminated_too_long, i + 1);
		assert_int_equal(abi_stats(vm, 0).page_requests, requests);
		assert_int_equal(ring.header->terminated, i + 1);
	}
	assert_int_equal(abi_stats(vm, 0).groups | abi_stats(vm, 0).outstanding, 0);
	assert_true(request_group(device, 1, MAX_GROUP));
	expect_group(1, MAX_GROUP);
}

static void a_group_without_room_for_all_of_it_is_not_published_at_all(void **state)
{
	(void)state;
	assert_true(request_group(device, 1, 1));
	assert_true(request_group(device, 2, ENTRIES / 2));
	abi_expect_answer(device, 2, FAULTQ_INVALID);
	assert_int_equal(waiting(), 1);
	assert_int_equal(abi_stats(vm, 0).terminated_no_room, 1);
	assert_true(request_group(device, 3, ENTRIES / 2 - 1));
	expect_group(1, 1);
	expect_group(3, ENTRIES / 2 - 1);
	assert_true(request_group(device, 4, ENTRIES / 2));
	expect_group(4, ENTRIES / 2);
}

/*
 * Where the module collects the requests itself, it forgets the oldest groups to keep its
 * bound. Each group either was dropped, and then has its last request only, or is whole.
 */
static void groups_that_are_never_complete_are_dropped_at_the_bound(void **state)
{
	enum { OPEN = 1000 };
	uint32_t whole = 0, group;
	uint64_t cookie, dropped;

	(void)state;
	needs_open_groups();
	for (group = 0; group < OPEN; group++)
		assert_true(request(device, group, 0, 0));
	dropped = abi_stats(vm, 0).partial_dropped;
	assert_in_range(dropped, OPEN / 2, OPEN - 1);
	assert_int_equal(abi_stats(vm, device->id).partial_dropped, dropped);
	assert_int_equal(abi_stats(vm, 0).page_requests, dropped);
	for (uint32_t i = 0; i < OPEN; i++) {
		uint32_t length;

		assert_true(request(device, i, 1, MOCK_IOMMU_LAST));
		length = take_group(&cookie, &group);
		assert_int_equal(group, i);
		assert_in_range(length, 1, 2);
		whole += length == 2;
		consume(length);
		answer(cookie, FAULTQ_SUCCESS);
	}
	assert_int_equal(whole + dropped, OPEN);
	assert_int_equal(abi_stats(vm, 0).partial_dropped, dropped);
	assert_int_equal(abi_stats(vm, 0).page_requests, 2 * OPEN);
}

static void dropped_requests_count_one_by_one(void **state)
{
	enum { OPEN = 200, LENGTH = 40 };
	uint64_t dropped;

	(void)state;
	needs_open_groups();
	for (uint32_t group = 0; group < OPEN; group++)
		for (uint32_t place = 0; place < LENGTH; place++)
			assert_true(request(device, group, place, 0));
	dropped = abi_stats(vm, 0).partial_dropped;
	assert_int_equal(dropped % LENGTH, 0);
	assert_in_range(dropped, OPEN * LENGTH / 2, OPEN * LENGTH - 1);
	assert_int_equal(waiting(), 0);
}

/* A device that drops its open groups does not touch those of its neighbours. */
static void the_bound_is_one_of_each_device(void **state)
{
	(void)state;
	open_all(ENTRIES, 2);
	assert_true(request(&devices[1], 7, 0, 0));
	for (uint32_t group = 0; group < 1000; group++)
		assert_true(request(&devices[0], group, 0, 0));
	assert_true(request(&devices[1], 7, 1, MOCK_IOMMU_LAST));
	expect_group(7, 2);
	assert_int_equal(abi_stats(vm, devices[1].id).partial_dropped, 0);
	close_all(2);
}

static void a_new_attachment_knows_nothing_of_open_groups(void **state)
{
	struct faultq_detach detach = { .size = sizeof(detach), .device = device->id };

	(void)state;
	assert_true(request(device, 3, 0, 0));
	assert_int_equal(abi_ioctl(vm, FAULTQ_DETACH, &detach), 0);
	assert_int_equal(abi_device_attach(device, vm), 0);
	assert_int_not_equal(device->id, detach.device);
	assert_true(request(device, 3, 1, MOCK_IOMMU_LAST));
	assert_int_equal(waiting(), 1);
	assert_int_equal(record_at(0)->address, address_of(3, 1));
	assert_int_equal(record_at(0)->device, device->id);
}

/* A stop marker ends a group that asks for nothing; it is passed on, without permissions. */
static void a_stop_marker_is_a_request_without_permissions(void **state)
{
	(void)state;
	assert_int_equal(mock_page_request(device->mock, MOCK_IOMMU_LAST, 0, 11, 0, 0), 1);
	assert_int_equal(waiting(), 1);
	assert_int_equal(record_at(0)->perm, 0);
	answer(record_at(0)->cookie, FAULTQ_SUCCESS);
	abi_expect_answer(device, 11, FAULTQ_SUCCESS);
}

/* A thread for each device, that sends groups one after the other and waits for each answer. */
struct sender {
	struct abi_device *device;
	pthread_t thread;
	uint32_t total;
	uint32_t received;
};

static uint32_t length_of(uint32_t group)
{
	return 3 + group % (MAX_GROUP - 2);
}

static void *send_groups(void *data)
{
	struct sender *sender = data;
	struct mock_iommu_response response;

	for (uint32_t group = 0; group < sender->total; group++) {
		if (!request_group(sender->device, group, length_of(group)) ||
		    mock_response(sender->device->mock, 0, &response) || response.group != group ||
		    response.code != FAULTQ_SUCCESS) {
			fprintf(stderr, "device %u failed at group %u\n", sender->device->id,
				group);
			_exit(1);
		}
	}
	return NULL;
}

static void take_from(struct sender *senders)
{
	uint32_t id = record_at(0)->device, group, length;
	struct sender *sender = senders;
	uint64_t cookie;

	while (sender->device->id != id)
		assert_true(++sender < senders + DEVICES);
	length = take_group(&cookie, &group);
	assert_int_equal(group, sender->received);
	assert_int_equal(length, length_of(group));
	for (uint32_t place = 0; place < length; place++)
		assert_int_equal(record_at(place)->address, address_of(group, place));
	sender->received++;
	consume(length);
	answer(cookie, FAULTQ_SUCCESS);
}

static void groups_of_several_devices_do_not_mix(void **state)
{
	struct sender senders[DEVICES] = {};
	uint32_t total = scaled(500, 50000);

	(void)state;
	open_all(8 * ENTRIES, DEVICES);
	for (unsigned int i = 0; i < DEVICES; i++) {
		senders[i] = (struct sender){ .device = &devices[i], .total = total };
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_groups, &senders[i]),
				 0);
	}
	for (uint32_t group = 0; group < DEVICES * total; group++) {
		struct pollfd pfd = { .fd = vm, .events = POLLIN };

		if (!waiting())
			assert_int_equal(poll(&pfd, 1, -1), 1);
		take_from(senders);
	}
	for (unsigned int i = 0; i < DEVICES; i++)
		pthread_join(senders[i].thread, NULL);
	assert_int_equal(waiting(), 0);
	assert_int_equal(abi_stats(vm, 0).groups, DEVICES * total);
	assert_int_equal(abi_stats(vm, 0).partial_dropped, 0);
	assert_int_equal(ring.header->terminated, 0);
	close_all(DEVICES);
}

int main(void)
{
#define with_one(test) cmocka_unit_test_setup_teardown(test, open_one, close_one)
	const struct CMUnitTest tests[] = {
		with_one(groups_of_every_length_arrive_whole),
		with_one(nothing_is_seen_of_a_group_before_its_last_request),
		with_one(one_answer_ends_a_group),
		with_one(requests_of_several_groups_are_sorted_out),
		with_one(the_same_index_with_another_pasid_is_another_group),
		with_one(groups_cross_the_end_of_the_ring_whole),
		with_one(groups_that_are_too_long_are_terminated),
		with_one(a_group_without_room_for_all_of_it_is_not_published_at_all),
		with_one(groups_that_are_never_complete_are_dropped_at_the_bound),
		with_one(dropped_requests_count_one_by_one),
		cmocka_unit_test(the_bound_is_one_of_each_device),
		with_one(a_new_attachment_knows_nothing_of_open_groups),
		with_one(a_stop_marker_is_a_request_without_permissions),
		cmocka_unit_test(groups_of_several_devices_do_not_mix),
	};

	shares_lift(16384);
	return tap_run_request_group(tests, NULL, NULL);
}
