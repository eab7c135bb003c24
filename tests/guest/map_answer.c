// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP with FAULTQ_MAP_ANSWER: one call maps the memory and answers the page request group that
 * asked for it. When the memory cannot be mapped nothing is answered; when there is nothing to
 * answer the memory is mapped all the same.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/kinds.h"
#include "support/map.h"
#include "support/tap.h"

#define IOVA	0x500000ull

/* Two devices that ask for pages: one for one at a time, one for many at once. */
static int stall, pri;

struct answer_test {
	struct faultq *fq;
	uint32_t stall_id;
	uint8_t *memory;	/* four pages */
};

static int group_setup(void **state)
{
	(void)state;
	assert_int_equal(mock_instance_create("answer", 0), 0);
	assert_int_equal(mock_device_create("answer", "stall", "mode=stall"), 0);
	assert_int_equal(mock_device_create("answer", "pri", "mode=pri"), 0);
	stall = mock_open("answer", "stall");
	pri = mock_open("answer", "pri");
	assert_true(stall >= 0 && pri >= 0);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	close(stall);
	close(pri);
	assert_int_equal(mock_device_destroy("answer", "stall"), 0);
	assert_int_equal(mock_device_destroy("answer", "pri"), 0);
	assert_int_equal(mock_instance_destroy("answer"), 0);
	return 0;
}

static int setup(void **state)
{
	struct answer_test *test = calloc(1, sizeof(*test));
	struct faultq_attach attach;

	assert_non_null(test);
	assert_int_equal(faultq_open(&test->fq), 0);
	assert_int_equal(faultq_queue(test->fq, 16, 64, -1, 0), 0);
	assert_int_equal(faultq_attach(test->fq, "platform/mock-answer-stall", &attach), 0);
	test->stall_id = attach.device;
	assert_int_equal(faultq_attach(test->fq, "platform/mock-answer-pri", &attach), 0);
	test->memory = memory_new(4 * PAGE);
	*state = test;
	return 0;
}

static int teardown(void **state)
{
	struct answer_test *test = *state;

	faultq_close(test->fq);
	memory_free(test->memory, 4 * PAGE);
	free(test);
	assert_int_equal(pinned_pages(), 0);
	return 0;
}

/* A device writes; returns the tag of its DMA. */
static int start_write(int device, uint64_t iova, const void *data, size_t length)
{
	int tag = mock_dma_start(device, MOCK_IOMMU_WRITE, 0, iova, data, length);

	assert_true(tag >= 0);
	return tag;
}

/* Wait for the next page request group; it asks for pages from an address on. */
static uint64_t next_cookie(struct faultq *fq, uint64_t iova, int pages)
{
	const struct faultq_record *records;
	uint64_t cookie;

	assert_int_equal(faultq_wait(fq, -1), 0);
	assert_int_equal(faultq_peek(fq, &records), pages);
	for (int i = 0; i < pages; i++) {
		assert_int_equal(records[i].type, FAULTQ_PAGE_REQUEST);
		assert_int_equal(records[i].address, iova + i * PAGE);
	}
	cookie = records[0].cookie;
	faultq_consume(fq);
	return cookie;
}

static int map_answer(const struct answer_test *test, uint64_t iova, size_t length, uint64_t cookie,
		      int *result)
{
	*result = 1;
	return faultq_map_answer(test->fq, iova, test->memory, length, RW, cookie, result);
}

static void assert_answered(const struct answer_test *test, uint64_t iova, size_t length,
			    uint64_t cookie, int expected)
{
	int result;

	assert_int_equal(map_answer(test, iova, length, cookie, &result), 0);
	assert_int_equal(result, expected);
	assert_int_equal(mapped_bytes(test->fq), length);
}

static struct faultq_stats stats_of(const struct answer_test *test)
{
	struct faultq_stats stats;

	assert_int_equal(faultq_stats(test->fq, 0, &stats), 0);
	return stats;
}

static void page_request_is_mapped_and_answered(void **state)
{
	struct answer_test *test = *state;
	int tag = start_write(stall, IOVA + 8, "hello", 5);
	uint64_t cookie = next_cookie(test->fq, IOVA, 1);

	assert_int_equal(stats_of(test).outstanding, 1);
	assert_answered(test, IOVA, PAGE, cookie, 0);
	assert_int_equal(mock_dma_wait(stall, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_DONE);
	assert_memory_equal(test->memory + 8, "hello", 5);
	assert_int_equal(stats_of(test).outstanding, 0);
	assert_int_equal(stats_of(test).answered_success, 1);
}

static void device_reads_what_was_mapped_for_it(void **state)
{
	struct answer_test *test = *state;
	char text[6] = "";
	uint64_t cookie;
	int tag;

	strcpy((char *)test->memory, "hello");
	tag = mock_dma_start(stall, MOCK_IOMMU_READ, 0, IOVA, NULL, sizeof(text));
	assert_true(tag >= 0);
	cookie = next_cookie(test->fq, IOVA, 1);
	assert_answered(test, IOVA, PAGE, cookie, 0);
	assert_int_equal(mock_dma_wait(stall, tag, 0, text, NULL), MOCK_IOMMU_DMA_DONE);
	assert_string_equal(text, "hello");
}

static void group_of_three_is_answered_by_one_call(void **state)
{
	struct answer_test *test = *state;
	struct mock_iommu_dma_wait end;
	uint8_t data[3 * PAGE];
	uint64_t cookie;
	int tag;

	pattern_fill(data, sizeof(data), 1);
	tag = start_write(pri, IOVA, data, sizeof(data));
	cookie = next_cookie(test->fq, IOVA, 3);
	assert_answered(test, IOVA, 3 * PAGE, cookie, 0);
	assert_int_equal(mock_dma_wait(pri, tag, 0, NULL, &end), MOCK_IOMMU_DMA_DONE);
	assert_int_equal(end.requests, 3);
	assert_pattern(test->memory, 3 * PAGE, 1);
}

static void stale_cookie_maps_all_the_same(void **state)
{
	struct answer_test *test = *state;
	int tag = start_write(stall, IOVA, "hello", 5);
	uint64_t cookie = next_cookie(test->fq, IOVA, 1);

	assert_int_equal(faultq_answer(test->fq, cookie, FAULTQ_INVALID), 0);
	assert_int_equal(mock_dma_wait(stall, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_INVALID);
	assert_answered(test, IOVA, PAGE, cookie, -ESTALE);
	assert_int_equal(stats_of(test).stale_answers, 1);
	assert_int_equal(stats_of(test).answered_success, 0);
	assert_int_equal(mock_dma_write(stall, IOVA, "again", 5, NULL), MOCK_IOMMU_DMA_DONE);
	assert_memory_equal(test->memory, "again", 5);
}

static void cookie_is_good_for_one_answer(void **state)
{
	struct answer_test *test = *state;
	int tag = start_write(stall, IOVA, "hello", 5), result;
	uint64_t cookie = next_cookie(test->fq, IOVA, 1);

	assert_answered(test, IOVA, PAGE, cookie, 0);
	assert_int_equal(mock_dma_wait(stall, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_DONE);
	assert_int_equal(map_answer(test, IOVA + PAGE, PAGE, cookie, &result), 0);
	assert_int_equal(result, -ESTALE);
	assert_int_equal(mapped_bytes(test->fq), 2 * PAGE);
	assert_int_equal(faultq_answer(test->fq, cookie, FAULTQ_SUCCESS), -ESTALE);
}

static void cookie_that_never_was(void **state)
{
	struct answer_test *test = *state;
	static const uint64_t cookies[] = { 1, 0xffffffff, 1ull << 32, 1ull << 63, ~0ull };
	int result;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(map_answer(test, IOVA + i * PAGE, PAGE, cookies[i], &result), 0);
		assert_int_equal(result, -ESTALE);
	}
	assert_int_equal(mapped_bytes(test->fq), 5 * PAGE);
	assert_int_equal(stats_of(test).stale_answers, 5);
}

static void cookie_zero_names_no_group(void **state)
{
	struct answer_test *test = *state;
	int tag = start_write(stall, IOVA, "hello", 5);
	uint64_t cookie = next_cookie(test->fq, IOVA, 1);

	assert_answered(test, IOVA, PAGE, 0, -EINVAL);
	assert_int_equal(stats_of(test).outstanding, 1);
	assert_int_equal(faultq_answer(test->fq, cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(mock_dma_wait(stall, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_DONE);
}

static void cookie_of_a_device_that_was_detached(void **state)
{
	struct answer_test *test = *state;
	int tag = start_write(stall, IOVA, "hello", 5);
	uint64_t cookie = next_cookie(test->fq, IOVA, 1);

	assert_int_equal(faultq_detach(test->fq, test->stall_id, NULL), 0);
	assert_int_not_equal(mock_dma_wait(stall, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_DONE);
	assert_answered(test, IOVA, PAGE, cookie, -ESTALE);
}

static void cookie_of_another_vm(void **state)
{
	struct answer_test *test = *state;
	int tag = start_write(stall, IOVA, "hello", 5), result;
	uint64_t cookie = next_cookie(test->fq, IOVA, 1);
	struct faultq *other;

	assert_int_equal(faultq_open(&other), 0);
	assert_int_equal(faultq_queue(other, 16, 64, -1, 0), 0);
	assert_int_equal(faultq_map_answer(other, IOVA, test->memory, PAGE, RW, cookie, &result),
			 0);
	assert_int_equal(result, -ESTALE);
	assert_int_equal(stats_of(test).outstanding, 1);
	assert_answered(test, IOVA, PAGE, cookie, 0);
	assert_int_equal(mock_dma_wait(stall, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_DONE);
	faultq_close(other);
}

static void failed_map_answers_nothing(void **state)
{
	struct answer_test *test = *state;
	int tag = start_write(stall, IOVA, "hello", 5), result;
	uint64_t cookie = next_cookie(test->fq, IOVA, 1);

	assert_int_equal(map_answer(test, IOVA + 1, PAGE, cookie, &result), -EINVAL);
	assert_int_equal(map_answer(test, IOVA, 0, cookie, &result), -EINVAL);
	assert_int_equal(map_answer(test, APERTURE, PAGE, cookie, &result), -EINVAL);
	assert_int_equal(faultq_map_answer(test->fq, IOVA, test->memory, PAGE, 0, cookie, &result),
			 -EINVAL);
	assert_int_equal(faultq_map_answer(test->fq, IOVA, NULL, PAGE, RW, cookie, &result),
			 -EFAULT);
	map(test->fq, IOVA + PAGE, test->memory, PAGE, RW);
	assert_int_equal(map_answer(test, IOVA, 2 * PAGE, cookie, &result), -EEXIST);
	assert_int_equal(unmap(test->fq, IOVA + PAGE, PAGE), PAGE);
	assert_int_equal(result, 1);
	assert_int_equal(mapped_bytes(test->fq), 0);
	assert_int_equal(stats_of(test).outstanding, 1);
	assert_int_equal(stats_of(test).stale_answers, 0);

	assert_answered(test, IOVA, PAGE, cookie, 0);
	assert_int_equal(mock_dma_wait(stall, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_DONE);
}

static void no_queue_no_answer(void **state)
{
	struct answer_test *test = *state;
	struct faultq *other;
	int result;

	assert_int_equal(faultq_open(&other), 0);
	assert_int_equal(faultq_map_answer(other, IOVA, test->memory, PAGE, RW, 1, &result),
			 -ENXIO);
	assert_int_equal(mapped_bytes(other), 0);
	assert_int_equal(pinned_pages(), 0);
	map(other, IOVA, test->memory, PAGE, RW);
	faultq_close(other);
}

/* What asks for a page again and again is served a new one each time. */
static void many_page_requests(void **state)
{
	struct answer_test *test = *state;

	for (uint64_t i = scaled(500, 20000); i; i--) {
		uint64_t iova = IOVA + i % 7 * PAGE;
		int tag = start_write(stall, iova, &i, sizeof(i));

		assert_answered(test, iova, PAGE, next_cookie(test->fq, iova, 1), 0);
		assert_int_equal(mock_dma_wait(stall, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_DONE);
		assert_memory_equal(test->memory, &i, sizeof(i));
		assert_int_equal(unmap(test->fq, iova, PAGE), PAGE);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(page_request_is_mapped_and_answered),
		TEST(device_reads_what_was_mapped_for_it),
		TEST(group_of_three_is_answered_by_one_call),
		TEST(stale_cookie_maps_all_the_same),
		TEST(cookie_is_good_for_one_answer),
		TEST(cookie_that_never_was),
		TEST(cookie_zero_names_no_group),
		TEST(cookie_of_a_device_that_was_detached),
		TEST(cookie_of_another_vm),
		TEST(failed_map_answers_nothing),
		TEST(no_queue_no_answer),
		TEST(many_page_requests),
	};

	return tap_run_request_group(tests, group_setup, group_teardown);
}
