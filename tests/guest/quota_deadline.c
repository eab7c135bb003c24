// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines: an event when a group waits too long, INVALID when that was asked for, strikes, the
 * device switched off, and ENABLE that brings it back; in this order, by the guest's clock.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA		0x1000000UL
#define MS		1000000ULL
#define DEADLINE_MS	40
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define SMALL		64		/* entries of the smallest ring */
#define SMALL_ROOM	(SMALL / 4)	/* of it, for events */
#define LATE		(SMALL_ROOM + 8)

static void set_deadline(struct faultq *fq, uint32_t ms, uint32_t invalid, uint32_t grace_ms,
			 uint32_t strikes)
{
	const struct faultq_limits limits = {
		.deadline_ms = ms, .invalid = invalid, .grace_ms = grace_ms, .strikes = strikes,
	};

	assert_int_equal(faultq_set_limits(fq, &limits), 0);
}

static struct faultq_record take_request(struct faultq *fq)
{
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_PAGE_REQUEST);
	return record;
}

/* The next record tells that this group has passed its deadline. */
static struct faultq_record expect_deadline(struct faultq *fq, const struct faultq_record *group)
{
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_DEADLINE);
	assert_int_equal(record.flags & FAULTQ_RECORD_DEVICE, FAULTQ_RECORD_DEVICE);
	assert_int_equal(record.device, group->device);
	assert_int_equal(record.group, group->group);
	assert_int_equal(record.cookie, group->cookie);
	assert_int_equal(record.flags & FAULTQ_RECORD_PASID, group->flags & FAULTQ_RECORD_PASID);
	assert_int_equal(record.pasid, group->pasid);
	return record;
}

static void expect_off(struct faultq *fq, uint32_t device)
{
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_FAULTING_OFF);
	assert_int_equal(record.device, device);
	assert_int_equal(record.reason, FAULTQ_CAUSE_STRIKES);
}

static struct mock_iommu_response wait_response(const struct device *device)
{
	struct mock_iommu_response answer;

	assert_int_equal(mock_response(device->fd, 0, &answer), 0);
	return answer;
}

static void the_event_comes_after_the_deadline_and_ends_nothing(void **state)
{
	struct rig *rig = *state;
	struct faultq_record group, event;

	set_deadline(rig->fq, DEADLINE_MS, 0, 0, 0);
	inject_group(&rig->device, 1, IOVA);
	group = take_request(rig->fq);
	event = expect_deadline(rig->fq, &group);
	assert_true(event.timestamp >= group.timestamp + DEADLINE_MS * MS);
	assert_no_response(&rig->device);
	assert_int_equal(vm_stats(rig->fq, rig->id).deadlines, 1);
	assert_int_equal(vm_stats(rig->fq, rig->id).outstanding, 1);
	assert_int_equal(faultq_answer(rig->fq, group.cookie, FAULTQ_SUCCESS), 0);
	assert_response(&rig->device, 1, FAULTQ_SUCCESS);
}

/* Answer the next request, and say whether that was done before the deadline could pass. */
static bool answered_in_time(struct faultq *fq)
{
	struct faultq_record record = take_record(fq);
	struct timespec now;

	if (faultq_answer(fq, record.cookie, FAULTQ_SUCCESS))
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 * MS + now.tv_nsec < record.timestamp + DEADLINE_MS * MS;
}

static void an_answer_in_time_causes_no_event(void **state)
{
	struct rig *rig = *state;
	struct faultq_record late;

	set_deadline(rig->fq, DEADLINE_MS, 1, 0, 1);
	for (unsigned int i = 0; i < 50; i++) {
		inject_group(&rig->device, i, IOVA);
		/* in one go, but a slow machine may still be late */
		if (!answered_in_time(rig->fq))
			skip_because("the machine is slower than %u ms", DEADLINE_MS);
	}
	set_deadline(rig->fq, DEADLINE_MS, 0, 0, 0);
	inject_group(&rig->device, 99, IOVA);
	late = take_request(rig->fq);
	expect_deadline(rig->fq, &late);
	assert_int_equal(vm_stats(rig->fq, 0).deadlines, 1);
}

static void groups_pass_their_deadlines_in_the_order_they_came(void **state)
{
	struct rig *rig = *state;
	struct faultq_record groups[RIG_SLOTS / 2];

	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++)
		inject_group(&rig->device, i, IOVA);
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++)
		groups[i] = take_request(rig->fq);
	/* only now: where injecting takes long, the first event would come among the requests */
	set_deadline(rig->fq, DEADLINE_MS, 0, 0, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++)
		expect_deadline(rig->fq, &groups[i]);
	assert_queue_empty(rig->fq);
	assert_int_equal(vm_stats(rig->fq, 0).deadlines, ARRAY_SIZE(groups));
}

static void invalid_follows_the_event_when_asked_for(void **state)
{
	struct rig *rig = *state;
	struct faultq_record group;

	set_deadline(rig->fq, DEADLINE_MS, 1, 0, 0);
	inject_group(&rig->device, 1, IOVA);
	group = take_request(rig->fq);
	assert_int_equal(wait_response(&rig->device).code, FAULTQ_INVALID);
	expect_deadline(rig->fq, &group);
	assert_int_equal(faultq_answer(rig->fq, group.cookie, FAULTQ_SUCCESS), -ESTALE);
	assert_no_response(&rig->device);
	assert_int_equal(vm_stats(rig->fq, 0).terminated_deadline, 1);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 0);
}

static void the_grace_leaves_time_to_answer_after_the_event(void **state)
{
	struct rig *rig = *state;
	struct faultq_record group;

	set_deadline(rig->fq, DEADLINE_MS, 1, FAULTQ_MAX_DEADLINE_MS, 0);
	inject_group(&rig->device, 1, IOVA);
	group = take_request(rig->fq);
	expect_deadline(rig->fq, &group);
	assert_int_equal(faultq_answer(rig->fq, group.cookie, FAULTQ_SUCCESS), 0);
	assert_response(&rig->device, 1, FAULTQ_SUCCESS);

	set_deadline(rig->fq, DEADLINE_MS, 1, DEADLINE_MS, 0);
	inject_group(&rig->device, 2, IOVA);
	group = take_request(rig->fq);
	expect_deadline(rig->fq, &group);
	assert_int_equal(wait_response(&rig->device).code, FAULTQ_INVALID);
}

static void a_deadline_that_is_set_later_counts_for_what_waits(void **state)
{
	struct rig *rig = *state;
	struct faultq_record group;

	inject_group(&rig->device, 1, IOVA);
	group = take_request(rig->fq);
	assert_queue_empty(rig->fq);
	set_deadline(rig->fq, DEADLINE_MS, 0, 0, 0);
	expect_deadline(rig->fq, &group);
	/* and INVALID for what has passed it */
	set_deadline(rig->fq, DEADLINE_MS, 1, 0, 0);
	assert_int_equal(wait_response(&rig->device).code, FAULTQ_INVALID);
}

static void a_deadline_that_is_taken_back_causes_nothing(void **state)
{
	struct rig *rig = *state;
	struct faultq_record group, other;

	set_deadline(rig->fq, FAULTQ_MAX_DEADLINE_MS, 1, 0, 1);
	inject_group(&rig->device, 1, IOVA);
	group = take_request(rig->fq);
	set_deadline(rig->fq, 0, 0, 0, 0);
	inject_group(&rig->device, 2, IOVA);
	other = take_request(rig->fq);
	set_deadline(rig->fq, DEADLINE_MS, 0, 0, 0);
	expect_deadline(rig->fq, &group);
	expect_deadline(rig->fq, &other);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 2);
}

/* The whole way: event, INVALID, strikes, FAULTING_OFF, nothing, ENABLE, everything works. */
static void strikes_switch_a_device_off_until_enable(void **state)
{
	struct rig *rig = *state;
	struct faultq_record group;
	void *memory = pages_new(1);
	int tag, interrupted;

	set_deadline(rig->fq, DEADLINE_MS, 1, 0, 3);
	for (unsigned int i = 0; i < 2; i++) {
		inject_group(&rig->device, i, IOVA);
		group = take_request(rig->fq);
		assert_int_equal(wait_response(&rig->device).code, FAULTQ_INVALID);
		expect_deadline(rig->fq, &group);
		assert_int_equal(vm_stats(rig->fq, rig->id).state, 0);
	}
	inject_group(&rig->device, 2, IOVA);
	group = take_request(rig->fq);
	expect_deadline(rig->fq, &group);
	expect_off(rig->fq, rig->id);
	assert_int_equal(wait_response(&rig->device).code, FAULTQ_INVALID);
	assert_int_equal(vm_stats(rig->fq, rig->id).state, FAULTQ_STATE_OFF);
	assert_int_equal(vm_stats(rig->fq, 0).switched_off, 1);

	inject_group(&rig->device, 3, IOVA);
	assert_response(&rig->device, 3, FAULTQ_FAILURE);
	assert_int_equal(vm_stats(rig->fq, rig->id).terminated_off, 1);
	tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, "x", 1);
	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_FAILURE);
	assert_queue_empty(rig->fq);

	assert_int_equal(faultq_enable(rig->fq, rig->id, &interrupted), 0);
	assert_int_equal(interrupted, 1);
	assert_int_equal(vm_stats(rig->fq, rig->id).state, 0);
	set_deadline(rig->fq, 0, 0, 0, 0);
	tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, "y", 1);
	group = take_request(rig->fq);
	assert_int_equal(faultq_map(rig->fq, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_answer(rig->fq, group.cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(*(char *)memory, 'y');
	assert_int_equal(faultq_unmap(rig->fq, 0, ~0ULL, NULL), 0);
	pages_free(memory, 1);
}

/* What else a device has outstanding when it is switched off gets FAILURE. */
static void what_waits_when_a_device_goes_off_fails(void **state)
{
	struct rig *rig = *state;
	struct faultq_record group;

	set_deadline(rig->fq, DEADLINE_MS, 0, 0, 1);
	inject_group(&rig->device, 1, IOVA);
	group = take_request(rig->fq);
	expect_deadline(rig->fq, &group);
	expect_off(rig->fq, rig->id);
	assert_int_equal(wait_response(&rig->device).code, FAULTQ_FAILURE);
	assert_int_equal(device_state(&rig->device).requests_on, 0);
	assert_int_equal(faultq_answer(rig->fq, group.cookie, FAULTQ_SUCCESS), -ESTALE);
	assert_int_equal(vm_stats(rig->fq, rig->id).terminated_off, 1);
}

/* A VM whose ring is the smallest, with @count groups outstanding that nobody looks at. */
static struct faultq *small_vm(struct rig *rig, unsigned int count)
{
	struct faultq *fq = vm_open(RIG_SLOTS, SMALL, 0);

	vm_detach(rig->fq, rig->id);
	rig->id = vm_attach(fq, &rig->device);
	for (unsigned int i = 0; i < count; i++)
		inject_group(&rig->device, i, IOVA);
	return fq;
}

static void small_vm_close(struct rig *rig, struct faultq *fq)
{
	faultq_close(fq);
	rig->id = vm_attach(rig->fq, &rig->device);
}

static void groups_whose_events_find_no_room_are_told_in_one(void **state)
{
	struct rig *rig = *state;
	struct faultq *fq = small_vm(rig, LATE);
	struct faultq_record groups[LATE], rest;

	set_deadline(fq, DEADLINE_MS, 0, 0, 0);
	while (vm_stats(fq, rig->id).deadlines < LATE)
		sched_yield();
	for (unsigned int i = 0; i < LATE; i++)
		groups[i] = take_request(fq);
	for (unsigned int i = 0; i < SMALL_ROOM; i++)
		expect_deadline(fq, &groups[i]);
	rest = take_record(fq);
	assert_int_equal(rest.type, FAULTQ_DEADLINE);
	assert_int_equal(rest.count, LATE - SMALL_ROOM);
	assert_int_equal(rest.flags & FAULTQ_RECORD_DEVICE, 0);
	assert_int_equal(rest.cookie, 0);
	assert_queue_empty(fq);
	assert_int_equal(vm_stats(fq, 0).outstanding, LATE);
	small_vm_close(rig, fq);
}

/* Its pager is dead: nobody makes room. */
static void groups_are_ended_by_their_age_whatever_room_there_is(void **state)
{
	struct rig *rig = *state;
	struct faultq *fq = small_vm(rig, LATE);

	set_deadline(fq, DEADLINE_MS, 1, 0, 0);
	for (unsigned int i = 0; i < LATE; i++)
		assert_int_equal(wait_response(&rig->device).code, FAULTQ_INVALID);
	assert_int_equal(vm_stats(fq, rig->id).outstanding, 0);
	assert_int_equal(vm_stats(fq, rig->id).terminated_deadline, LATE);
	small_vm_close(rig, fq);
}

static void strikes_count_whatever_room_there_is(void **state)
{
	struct rig *rig = *state;
	struct faultq *fq = small_vm(rig, LATE);

	set_deadline(fq, DEADLINE_MS, 0, 0, LATE);
	for (unsigned int i = 0; i < LATE; i++)
		assert_int_equal(wait_response(&rig->device).code, FAULTQ_FAILURE);
	assert_int_equal(vm_stats(fq, rig->id).state, FAULTQ_STATE_OFF);
	small_vm_close(rig, fq);
}

static void a_deadline_passes_while_the_vm_ends(void **state)
{
	unsigned long rounds = scaled(20, 500);
	struct rig *rig = *state;

	vm_detach(rig->fq, rig->id);
	for (unsigned long i = 0; i < rounds; i++) {
		struct faultq *fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
		uint32_t id = vm_attach(fq, &rig->device);

		set_deadline(fq, 1, i % 2, 0, i % 3);
		for (unsigned int group = 0; group < 16; group++)
			inject_group(&rig->device, group, IOVA);
		while (i % 4 && !vm_stats(fq, 0).deadlines)
			sched_yield();
		if (i % 5)
			vm_detach(fq, id);
		faultq_close(fq);
		device_assert_idle(&rig->device);
	}
	rig->id = vm_attach(rig->fq, &rig->device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_event_comes_after_the_deadline_and_ends_nothing),
		RIG_TEST(an_answer_in_time_causes_no_event),
		RIG_TEST(groups_pass_their_deadlines_in_the_order_they_came),
		RIG_TEST(invalid_follows_the_event_when_asked_for),
		RIG_TEST(the_grace_leaves_time_to_answer_after_the_event),
		RIG_TEST(a_deadline_that_is_set_later_counts_for_what_waits),
		RIG_TEST(a_deadline_that_is_taken_back_causes_nothing),
		RIG_TEST(strikes_switch_a_device_off_until_enable),
		RIG_TEST(what_waits_when_a_device_goes_off_fails),
		RIG_TEST(groups_whose_events_find_no_room_are_told_in_one),
		RIG_TEST(groups_are_ended_by_their_age_whatever_room_there_is),
		RIG_TEST(strikes_count_whatever_room_there_is),
		RIG_TEST(a_deadline_passes_while_the_vm_ends),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
