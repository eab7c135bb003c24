// SPDX-License-Identifier: GPL-2.0-only
/*
 * The main job: a device's DMA meets an unmapped page, the VM maps memory and answers, and the
 * data arrives. And what the other answers do to the DMA.
 */
#include <errno.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA	0x40000000UL
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

/*
 * Serve a DMA of some pages: map each page asked for, answer each group. Returns the number of
 * groups.
 */
static unsigned int serve(struct rig *rig, char *memory, unsigned int pages, bool in_one_call)
{
	struct faultq_record records[32];
	unsigned int served = 0, groups = 0;

	while (served < pages) {
		unsigned int count = take_group(rig->fq, records);
		uint64_t cookie = records[0].cookie;
		int ret, result = -1;

		for (unsigned int i = 0; i < count; i++) {
			char *page = memory + (records[i].address - IOVA);

			if (in_one_call && i + 1 == count) {
				ret = faultq_map_answer(rig->fq, records[i].address, page, PAGE,
							RW, cookie, &result);
				assert_int_equal(result, 0);
			} else {
				ret = faultq_map(rig->fq, records[i].address, page, PAGE, RW);
			}
			assert_int_equal(ret, 0);
		}
		if (!in_one_call)
			assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), 0);
		served += count;
		groups++;
	}
	return groups;
}

/*
 * The device reads and then writes some pages; their data must be right. Returns the groups
 * that it took.
 */
static unsigned int transfer(struct rig *rig, unsigned int pages, uint32_t access, bool in_one_call)
{
	size_t length = pages * PAGE;
	char *memory = pages_new(pages), *other = pages_new(pages);
	struct mock_iommu_dma_wait end;
	unsigned int groups;
	uint64_t unmapped;
	int tag;

	pages_fill(memory, length, 1);
	tag = dma_start(&rig->device, MOCK_IOMMU_READ | access, IOVA, NULL, length);
	groups = serve(rig, memory, pages, in_one_call);
	end = dma_wait(&rig->device, tag, other);
	assert_int_equal(end.status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(end.done, length);
	assert_int_equal(end.requests, pages);
	assert_pages_filled(other, length, 1);
	assert_int_equal(faultq_unmap(rig->fq, IOVA, length, &unmapped), 0);
	assert_int_equal(unmapped, length);

	pages_fill(other, length, 2);
	tag = dma_start(&rig->device, MOCK_IOMMU_WRITE | access, IOVA, other, length);
	assert_int_equal(serve(rig, memory, pages, in_one_call), groups);
	end = dma_wait(&rig->device, tag, NULL);
	assert_int_equal(end.status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(end.done, length);
	assert_pages_filled(memory, length, 2);
	assert_int_equal(faultq_unmap(rig->fq, IOVA, length, NULL), 0);

	assert_queue_empty(rig->fq);
	pages_free(memory, pages);
	pages_free(other, pages);
	return groups;
}

static void one_page_is_mapped_answered_and_transferred(void **state)
{
	assert_int_equal(transfer(*state, 1, 0, false), 1);
}

static void one_page_is_mapped_and_answered_in_one_call(void **state)
{
	assert_int_equal(transfer(*state, 1, 0, true), 1);
}

static void three_pages_are_one_group_with_one_answer(void **state)
{
	assert_int_equal(transfer(*state, 3, 0, false), 1);
}

static void the_last_map_of_a_group_of_three_answers_it(void **state)
{
	assert_int_equal(transfer(*state, 3, 0, true), 1);
}

static void accesses_with_pasid_are_transferred(void **state)
{
	needs_pasid_requests();
	assert_int_equal(transfer(*state, 3, MOCK_IOMMU_PASID, false), 1);
	assert_int_equal(transfer(*state, 1, MOCK_IOMMU_PASID, true), 1);
}

static void a_stalled_access_is_answered_and_transferred(void **state)
{
	assert_int_equal(transfer(*state, 1, 0, false), 1);
	assert_int_equal(transfer(*state, 1, 0, true), 1);
}

static void three_stalled_pages_are_three_groups(void **state)
{
	assert_int_equal(transfer(*state, 3, 0, false), 3);
}

static void the_longest_group_is_delivered_whole(void **state)
{
	assert_int_equal(transfer(*state, 32, 0, false), 1);
}

static void an_engine_without_pasid_in_answers_works(void **state)
{
	struct rig *rig = *state;

	needs_pasid_requests();
	vm_detach(rig->fq, rig->id);
	device_unplug(&rig->device);
	assert_int_equal(mock_set(rig->device.instance, rig->device.name, "response_pasid", "0"),
			 0);
	device_plug(&rig->device);
	rig->id = vm_attach(rig->fq, &rig->device);
	assert_int_equal(transfer(rig, 3, MOCK_IOMMU_PASID, false), 1);
}

static void assert_answer(struct rig *rig, uint32_t flags, bool pasid_in_request,
			  bool pasid_in_answer)
{
	struct mock_iommu_page_request request = page_request(7, IOVA);
	struct mock_iommu_response answer;
	struct faultq_record record;

	request.flags |= flags;
	if (pasid_in_request) {
		request.access |= MOCK_IOMMU_PASID;
		request.pasid = 9;
	}
	assert_int_equal(inject(&rig->device, &request), 1);
	record = take_record(rig->fq);
	assert_int_equal(!!(record.flags & FAULTQ_RECORD_PASID), pasid_in_request);
	assert_int_equal(record.pasid, pasid_in_request ? 9 : 0);
	assert_int_equal(faultq_answer(rig->fq, record.cookie, FAULTQ_SUCCESS), 0);
	answer = response(&rig->device);
	assert_int_equal(answer.group, 7);
	assert_int_equal(answer.code, FAULTQ_SUCCESS);
	assert_int_equal(!!(answer.flags & MOCK_IOMMU_RESPONSE_PASID), pasid_in_answer);
	assert_int_equal(answer.pasid, pasid_in_answer ? 9 : 0);
}

static void an_answer_carries_the_pasid_exactly_when_demanded(void **state)
{
	assert_answer(*state, 0, false, false);
	needs_pasid_requests();
	assert_answer(*state, 0, true, false);
	assert_answer(*state, MOCK_IOMMU_NEEDS_PASID, true, true);
}

static void every_code_arrives_at_the_device(void **state)
{
	static const uint32_t codes[] = { FAULTQ_SUCCESS, FAULTQ_INVALID, FAULTQ_FAILURE };
	struct rig *rig = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++) {
		inject_group(&rig->device, i, IOVA);
		assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), codes[i]), 0);
		assert_response(&rig->device, i, codes[i]);
	}
	assert_no_response(&rig->device);
}

static void invalid_aborts_the_access(void **state)
{
	struct rig *rig = *state;
	char *memory = pages_new(2), *read = pages_new(2);
	struct mock_iommu_dma_wait end;
	int tag;

	pages_fill(memory, PAGE, 3);
	assert_int_equal(faultq_map(rig->fq, IOVA, memory, PAGE, RW), 0);
	tag = dma_start(&rig->device, MOCK_IOMMU_READ, IOVA, NULL, 2 * PAGE);
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_INVALID), 0);
	end = dma_wait(&rig->device, tag, read);
	assert_int_equal(end.status, MOCK_IOMMU_DMA_INVALID);
	assert_int_equal(end.done, PAGE);
	assert_pages_filled(read, PAGE, 3);
	assert_int_equal(device_state(&rig->device).requests_on, 1);
	pages_free(memory, 2);
	pages_free(read, 2);
}

static void failure_switches_page_requests_off(void **state)
{
	struct rig *rig = *state;
	int tag = dma_start(&rig->device, MOCK_IOMMU_READ, IOVA, NULL, PAGE);
	char *page = pages_new(1);

	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_FAILURE), 0);
	assert_int_equal(dma_wait(&rig->device, tag, page).status, MOCK_IOMMU_DMA_FAILURE);
	assert_int_equal(device_state(&rig->device).requests_on, 0);

	tag = dma_start(&rig->device, MOCK_IOMMU_READ, IOVA, NULL, PAGE);
	assert_int_equal(dma_wait(&rig->device, tag, page).status, MOCK_IOMMU_DMA_FAILURE);
	assert_queue_empty(rig->fq);

	assert_int_equal(faultq_map(rig->fq, IOVA, page, PAGE, RW), 0);
	tag = dma_start(&rig->device, MOCK_IOMMU_READ, IOVA, NULL, PAGE);
	assert_int_equal(dma_wait(&rig->device, tag, page).status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(faultq_unmap(rig->fq, IOVA, PAGE, NULL), 0);
	pages_free(page, 1);
}

static void attaching_again_switches_page_requests_on(void **state)
{
	struct rig *rig = *state;

	failure_switches_page_requests_off(state);
	vm_detach(rig->fq, rig->id);
	rig->id = vm_attach(rig->fq, &rig->device);
	assert_int_equal(transfer(rig, 1, 0, false), 1);
}

static void failure_ends_a_stalled_access_only(void **state)
{
	struct rig *rig = *state;
	int tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, "x", 1);

	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_FAILURE), 0);
	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_FAILURE);
	assert_int_equal(transfer(rig, 1, 0, false), 1);
}

static void success_without_a_page_makes_the_device_ask_again(void **state)
{
	struct rig *rig = *state;
	int tag = dma_start(&rig->device, MOCK_IOMMU_READ, IOVA, NULL, PAGE);
	char *memory = pages_new(1), *read = pages_new(1);
	uint64_t first = take_cookie(rig->fq), second;

	pages_fill(memory, PAGE, 4);
	assert_int_equal(faultq_answer(rig->fq, first, FAULTQ_SUCCESS), 0);
	second = take_cookie(rig->fq);
	assert_true(first != second);
	assert_int_equal(faultq_map(rig->fq, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_answer(rig->fq, second, FAULTQ_SUCCESS), 0);
	assert_int_equal(dma_wait(&rig->device, tag, read).status, MOCK_IOMMU_DMA_DONE);
	assert_pages_filled(read, PAGE, 4);
	pages_free(memory, 1);
	pages_free(read, 1);
}

static void writing_to_a_read_only_page_is_asked_for(void **state)
{
	struct rig *rig = *state;
	char *memory = pages_new(1);
	struct faultq_record record;
	int tag;

	pages_fill(memory, PAGE, 5);
	assert_int_equal(faultq_map(rig->fq, IOVA, memory, PAGE, FAULTQ_MAP_READ), 0);
	tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA + 16, "spoilt", 6);
	record = take_record(rig->fq);
	assert_int_equal(record.perm, FAULTQ_PERM_WRITE);
	assert_int_equal(record.address, IOVA);
	assert_int_equal(faultq_answer(rig->fq, record.cookie, FAULTQ_INVALID), 0);
	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_INVALID);
	assert_pages_filled(memory, PAGE, 5);
	pages_free(memory, 1);
}

static void map_without_its_answer_leaves_the_group_outstanding(void **state)
{
	struct rig *rig = *state;
	uint64_t cookie;
	int result = 1;
	char *page = pages_new(1);

	inject_group(&rig->device, 1, IOVA);
	cookie = take_cookie(rig->fq);
	assert_int_equal(faultq_map_answer(rig->fq, IOVA + 1, page, PAGE, RW, cookie, &result),
			 -EINVAL);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 1);
	assert_no_response(&rig->device);

	assert_int_equal(faultq_map_answer(rig->fq, IOVA, page, PAGE, RW, cookie, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(response(&rig->device).code, FAULTQ_SUCCESS);
	pages_free(page, 1);
}

static void map_with_a_stale_cookie_maps_and_says_so(void **state)
{
	struct rig *rig = *state;
	int result = 0;
	char *page = pages_new(1);

	assert_int_equal(faultq_map_answer(rig->fq, IOVA, page, PAGE, RW, 0x10000, &result), 0);
	assert_int_equal(result, -ESTALE);
	assert_int_equal(faultq_map_answer(rig->fq, IOVA + PAGE, page, PAGE, RW, 0, &result), 0);
	assert_int_equal(result, -EINVAL);
	assert_int_equal(vm_stats(rig->fq, 0).mapped_bytes, 2 * PAGE);
	pages_free(page, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(one_page_is_mapped_answered_and_transferred),
		RIG_TEST(one_page_is_mapped_and_answered_in_one_call),
		RIG_TEST(three_pages_are_one_group_with_one_answer),
		RIG_TEST(the_last_map_of_a_group_of_three_answers_it),
		RIG_TEST(the_longest_group_is_delivered_whole),
		RIG_TEST(accesses_with_pasid_are_transferred),
		RIG_TEST(an_engine_without_pasid_in_answers_works),
		RIG_TEST(an_answer_carries_the_pasid_exactly_when_demanded),
		RIG_TEST_STALL(a_stalled_access_is_answered_and_transferred),
		RIG_TEST_STALL(three_stalled_pages_are_three_groups),
		RIG_TEST(every_code_arrives_at_the_device),
		RIG_TEST(invalid_aborts_the_access),
		RIG_TEST(failure_switches_page_requests_off),
		RIG_TEST(attaching_again_switches_page_requests_on),
		RIG_TEST_STALL(failure_ends_a_stalled_access_only),
		RIG_TEST(success_without_a_page_makes_the_device_ask_again),
		RIG_TEST(writing_to_a_read_only_page_is_asked_for),
		RIG_TEST(map_without_its_answer_leaves_the_group_outstanding),
		RIG_TEST(map_with_a_stale_cookie_maps_and_says_so),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
