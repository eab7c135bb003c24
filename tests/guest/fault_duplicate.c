// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page requests as a broken or hostile device makes them: the same group index again while it
 * is outstanding, groups without a sensible request, answers that come when the device has
 * begun a new life.
 */
#include <errno.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA	0x1000000UL

/* Inject a request that may carry a PASID, and the answer of which may have to. */
static uint64_t ask(struct rig *rig, uint32_t group, uint32_t pasid, bool needed)
{
	struct mock_iommu_page_request request = page_request(group, IOVA);

	if (pasid) {
		request.access |= MOCK_IOMMU_PASID;
		request.pasid = pasid;
	}
	if (needed)
		request.flags |= MOCK_IOMMU_NEEDS_PASID;
	assert_int_equal(inject(&rig->device, &request), 1);
	return take_cookie(rig->fq);
}

static void assert_answered_in(struct rig *rig, const unsigned int *order, unsigned int count)
{
	uint64_t cookies[8];

	for (unsigned int i = 0; i < count; i++)
		cookies[i] = ask(rig, 4, 0, false);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(faultq_answer(rig->fq, cookies[order[i]], FAULTQ_INVALID), 0);
		assert_response(&rig->device, 4, FAULTQ_INVALID);
		assert_int_equal(device_state(&rig->device).outstanding, count - 1 - i);
		assert_int_equal(faultq_answer(rig->fq, cookies[order[i]], FAULTQ_INVALID),
				 -ESTALE);
	}
	device_assert_idle(&rig->device);
}

static void the_same_index_twice_is_two_groups_answered_in_any_order(void **state)
{
	assert_answered_in(*state, (const unsigned int[]){ 0, 1 }, 2);
	assert_answered_in(*state, (const unsigned int[]){ 1, 0 }, 2);
	assert_answered_in(*state, (const unsigned int[]){ 2, 0, 1 }, 3);
	assert_answered_in(*state, (const unsigned int[]){ 3, 5, 1, 7, 0, 2, 6, 4 }, 8);
}

static void the_same_index_with_other_pasids_gets_each_its_answer(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_response answer;
	uint64_t first, second;

	needs_pasid_requests();
	first = ask(rig, 4, 5, true);
	second = ask(rig, 4, 6, true);
	assert_int_equal(faultq_answer(rig->fq, second, FAULTQ_INVALID), 0);
	answer = response(&rig->device);
	assert_int_equal(answer.pasid, 6);
	assert_int_equal(answer.code, FAULTQ_INVALID);
	assert_int_equal(faultq_answer(rig->fq, first, FAULTQ_SUCCESS), 0);
	answer = response(&rig->device);
	assert_int_equal(answer.pasid, 5);
	assert_int_equal(answer.code, FAULTQ_SUCCESS);
}

/* The IOMMU core finds a request without PASID for an answer with one, too. */
static void the_same_index_with_and_without_pasid_is_answered_in_any_order(void **state)
{
	struct rig *rig = *state;

	needs_pasid_requests();
	for (unsigned int order = 0; order < 2; order++) {
		uint64_t without = ask(rig, 4, 0, false), with = ask(rig, 4, 6, true);

		assert_int_equal(faultq_answer(rig->fq, order ? with : without, FAULTQ_SUCCESS), 0);
		assert_int_equal(response(&rig->device).code, FAULTQ_SUCCESS);
		assert_int_equal(faultq_answer(rig->fq, order ? without : with, FAULTQ_SUCCESS), 0);
		assert_int_equal(response(&rig->device).code, FAULTQ_SUCCESS);
		device_assert_idle(&rig->device);
	}
}

static void the_same_index_with_and_without_pasid_is_detached(void **state)
{
	struct rig *rig = *state;

	needs_pasid_requests();
	ask(rig, 4, 0, false);
	ask(rig, 4, 6, true);
	ask(rig, 4, 0, false);
	ask(rig, 4, 7, true);
	vm_detach(rig->fq, rig->id);
	device_assert_idle(&rig->device);
	rig->id = vm_attach(rig->fq, &rig->device);
	ask(rig, 4, 0, false);
}

/* Malformed: the answer must carry a PASID that the request does not have. */
static void a_demanded_pasid_that_was_not_there_does_not_stay_outstanding(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(faultq_answer(rig->fq, ask(rig, 4, 0, true), FAULTQ_SUCCESS), 0);
	assert_response(&rig->device, 4, FAULTQ_SUCCESS);
	device_assert_idle(&rig->device);
	ask(rig, 5, 0, true);
	vm_detach(rig->fq, rig->id);
	device_assert_idle(&rig->device);
	rig->id = vm_attach(rig->fq, &rig->device);
}

static void a_stop_marker_is_a_group_that_asks_for_nothing(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request marker = page_request(4, 0);
	struct faultq_record record;

	marker.access = 0;
	assert_int_equal(inject(&rig->device, &marker), 1);
	record = take_record(rig->fq);
	assert_int_equal(record.perm, 0);
	assert_int_equal(faultq_answer(rig->fq, record.cookie, FAULTQ_SUCCESS), 0);
	assert_response(&rig->device, 4, FAULTQ_SUCCESS);
}

static void a_group_that_lost_its_last_request_holds_up_nothing(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request lost = page_request(4, IOVA);

	lost.flags = 0;
	lost.count = 3;
	assert_int_equal(inject(&rig->device, &lost), 3);
	assert_queue_empty(rig->fq);
	assert_int_equal(faultq_answer(rig->fq, ask(rig, 5, 0, false), FAULTQ_SUCCESS), 0);
	vm_detach(rig->fq, rig->id);
	device_assert_idle(&rig->device);

	/* the next life knows nothing of it */
	rig->id = vm_attach(rig->fq, &rig->device);
	assert_int_equal(faultq_answer(rig->fq, ask(rig, 4, 0, false), FAULTQ_SUCCESS), 0);
}

/* The same device, index and slot, but another life of the device. */
static void late_answers_never_reach_a_new_life(void **state)
{
	struct rig *rig = *state;
	struct faultq *fq = vm_open(1, 64, 0);
	uint64_t old[20];

	vm_detach(rig->fq, rig->id);
	for (unsigned int life = 0; life < ARRAY_SIZE(old); life++) {
		uint32_t id = vm_attach(fq, &rig->device);

		inject_group(&rig->device, 4, IOVA);
		old[life] = take_cookie(fq);
		for (unsigned int i = 0; i < life; i++)
			assert_int_equal(faultq_answer(fq, old[i], FAULTQ_SUCCESS), -ESTALE);
		assert_no_response(&rig->device);
		assert_int_equal(device_state(&rig->device).outstanding, 1);
		vm_detach(fq, id);
		assert_response(&rig->device, 4, FAULTQ_INVALID);
		assert_int_equal(faultq_answer(fq, old[life], FAULTQ_SUCCESS), -ESTALE);
		assert_no_response(&rig->device);
	}
	device_assert_idle(&rig->device);
	faultq_close(fq);
}

static void late_answers_never_reach_another_owner(void **state)
{
	struct rig *rig = *state;
	struct faultq *other = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
	uint64_t late = ask(rig, 4, 0, false), fresh;

	vm_detach(rig->fq, rig->id);
	assert_response(&rig->device, 4, FAULTQ_INVALID);
	vm_attach(other, &rig->device);
	inject_group(&rig->device, 4, IOVA);
	fresh = take_cookie(other);
	assert_int_equal(faultq_answer(rig->fq, late, FAULTQ_SUCCESS), -ESTALE);
	assert_int_equal(faultq_answer(rig->fq, fresh, FAULTQ_SUCCESS), -ESTALE);
	assert_no_response(&rig->device);
	assert_int_equal(faultq_answer(other, fresh, FAULTQ_SUCCESS), 0);
	assert_response(&rig->device, 4, FAULTQ_SUCCESS);
	faultq_close(other);
}

static void guessed_cookies_are_stale(void **state)
{
	struct rig *rig = *state;
	uint64_t cookie = ask(rig, 4, 0, false);

	for (unsigned int bit = 0; bit < 64; bit++)
		assert_int_equal(faultq_answer(rig->fq, cookie ^ 1ULL << bit, FAULTQ_SUCCESS),
				 cookie == 1ULL << bit ? -EINVAL : -ESTALE);
	assert_no_response(&rig->device);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_same_index_twice_is_two_groups_answered_in_any_order),
		RIG_TEST(the_same_index_with_other_pasids_gets_each_its_answer),
		RIG_TEST(a_stop_marker_is_a_group_that_asks_for_nothing),
		RIG_TEST(a_group_that_lost_its_last_request_holds_up_nothing),
		RIG_TEST(late_answers_never_reach_a_new_life),
		RIG_TEST(late_answers_never_reach_another_owner),
		RIG_TEST(guessed_cookies_are_stale),
		RIG_TEST(a_demanded_pasid_that_was_not_there_does_not_stay_outstanding),
		RIG_TEST(the_same_index_with_and_without_pasid_is_answered_in_any_order),
		RIG_TEST(the_same_index_with_and_without_pasid_is_detached),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
