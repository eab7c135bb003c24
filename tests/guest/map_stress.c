// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP and UNMAP, often: the memory that it takes comes back, all of it, whoever counts it: the
 * process's charge, the memory cgroup, and the memory that the machine has free.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/cgroup.h"
#include "support/map.h"
#include "support/tap.h"

#define IOVA		0x80000000ull
#define CGROUP		"map_stress"
#define TOLERANCE	(8 * MIB)	/* what else a small system may use meanwhile */

static bool cgroup_counts;

/* A memory cgroup for this process, where the kernel has them. */
static int setup_all(void **state)
{
	cgroup_counts = cgroup_make(CGROUP) && cgroup_enter(CGROUP);
	if (!cgroup_counts)
		print_message("no memory cgroup: its charge is not looked at\n");
	return map_group_setup(state);
}

/* The sum of the numbers in a file of lines, of those that look like FORMAT. */
static unsigned long sum_of(const char *path, const char *format)
{
	FILE *file = fopen(path, "re");
	unsigned long number, sum = 0;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, format, &number) == 1)
			sum += number;
	fclose(file);
	return sum;
}

/* Also what is kept free for one CPU, which can be many huge pages. */
static unsigned long free_bytes(void)
{
	return sum_of("/proc/meminfo", "MemFree: %lu kB") * 1024 +
	       sum_of("/proc/zoneinfo", " count: %lu") * PAGE;
}

static unsigned long charged_bytes(void)
{
	return cgroup_counts ? cgroup_charged(CGROUP) : 0;
}

struct usage {
	unsigned long free;
	unsigned long charged;
};

static struct usage usage_now(void)
{
	return (struct usage){ .free = free_bytes(), .charged = charged_bytes() };
}

/* Nothing is used any more of what was taken since. */
static void assert_all_is_back(const struct map_test *test, struct usage before)
{
	struct usage after = usage_now();

	assert_nothing_mapped(test->fq);
	if (after.free + TOLERANCE < before.free)
		fail_msg("%lu KiB are missing", (before.free - after.free) / 1024);
	if (after.charged > before.charged + TOLERANCE)
		fail_msg("%lu KiB are charged to the cgroup",
			 (after.charged - before.charged) / 1024);
}

static void small_pages(void **state)
{
	struct map_test *test = *state;
	struct usage before = usage_now();
	unsigned long rounds = scaled(1000, 100000);

	for (unsigned long i = 0; i < rounds; i++) {
		uint64_t *memory = memory_new(PAGE), iova = IOVA + i % 512 * PAGE;

		map(test->fq, iova, memory, PAGE, RW);
		if (i % 16 == 0) {
			assert_int_equal(dma_write(MAP_FIRST, iova, &i, sizeof(i)),
					 MOCK_IOMMU_DMA_DONE);
			assert_int_equal(*memory, i);
		}
		assert_int_equal(unmap(test->fq, iova, PAGE), PAGE);
		memory_free(memory, PAGE);
	}
	assert_all_is_back(test, before);
}

static void small_pages_that_the_process_forgets_first(void **state)
{
	struct map_test *test = *state;
	struct usage before = usage_now();
	unsigned long rounds = scaled(100, 2000), batch = 64;

	for (unsigned long i = 0; i < rounds; i++) {
		for (unsigned long j = 0; j < batch; j++) {
			void *memory = memory_new(PAGE);

			map(test->fq, IOVA + 2 * j * PAGE, memory, PAGE, RW);
			memory_free(memory, PAGE);
		}
		assert_int_equal(unmap(test->fq, 0, ~0ull), batch * PAGE);
	}
	assert_all_is_back(test, before);
}

/* Memory that is 2 MiB long and aligned, of huge pages or of small ones. */
static void large_memory(struct map_test *test, int advice)
{
	uint8_t *memory = memory_new(2 * HUGE_PAGE);
	uint8_t *huge = memory + (-(uintptr_t)memory & (HUGE_PAGE - 1));
	uint64_t word = (uintptr_t)huge;

	/* fails where there are no transparent huge pages: then they are small */
	madvise(memory, 2 * HUGE_PAGE, advice);
	map(test->fq, IOVA, huge, HUGE_PAGE, RW);
	assert_int_equal(dma_write(MAP_FIRST, IOVA + HUGE_PAGE - PAGE, &word, sizeof(word)),
			 MOCK_IOMMU_DMA_DONE);
	assert_memory_equal(huge + HUGE_PAGE - PAGE, &word, sizeof(word));
	assert_int_equal(unmap(test->fq, IOVA, HUGE_PAGE), HUGE_PAGE);
	memory_free(memory, 2 * HUGE_PAGE);
}

static void large_memory_often(struct map_test *test, int advice)
{
	struct usage before = usage_now();

	for (unsigned long i = scaled(20, 2000); i; i--)
		large_memory(test, advice);
	assert_all_is_back(test, before);
}

static void huge_pages(void **state)
{
	large_memory_often(*state, MADV_HUGEPAGE);
}

static void large_ranges_of_small_pages(void **state)
{
	large_memory_often(*state, MADV_NOHUGEPAGE);
}

static void many_mappings_at_a_time(void **state)
{
	struct map_test *test = *state;
	struct usage before = usage_now();
	unsigned long pages = scaled(2048, 16384);
	uint8_t *memory = memory_new(pages * PAGE);

	for (unsigned long i = 0; i < pages; i++)
		map(test->fq, IOVA + 2 * i * PAGE, memory + i * PAGE, PAGE, RW);
	assert_mapped(test->fq, pages * PAGE);
	assert_int_equal(unmap(test->fq, 0, ~0ull), pages * PAGE);
	memory_free(memory, pages * PAGE);
	assert_all_is_back(test, before);
}

static void closed_with_many_mappings(void **state)
{
	struct usage before = usage_now();
	size_t length = 2048 * PAGE;

	for (unsigned long i = scaled(3, 100); i; i--) {
		uint8_t *memory = memory_new(length);
		struct faultq *fq;

		assert_int_equal(faultq_open(&fq), 0);
		map_attach(fq, MAP_OTHER);
		for (size_t offset = 0; offset < length; offset += 2 * PAGE)
			map(fq, IOVA + offset, memory + offset, PAGE, RW);
		assert_mapped(fq, length / 2);
		faultq_close(fq);
		assert_int_equal(pinned_pages(), 0);
		memory_free(memory, length);
	}
	assert_all_is_back(*state, before);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, map_setup_attached, map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(small_pages),
		TEST(small_pages_that_the_process_forgets_first),
		TEST(huge_pages),
		TEST(large_ranges_of_small_pages),
		TEST(many_mappings_at_a_time),
		TEST(closed_with_many_mappings),
	};

	return tap_run_group(tests, setup_all, map_group_teardown);
}
