// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kinds of memory that MAP takes: a device reads and writes the very pages that the process has
 * there, with the permissions of the mapping and no others, for as long as the mapping lasts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/map.h"
#include "support/tap.h"

#define IOVA		0x200000ull
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define PAGEMAP_PFN	((1ull << 55) - 1)
#define KPF_DIRTY	(1ull << 4)

/* What the process wrote the device reads, and the other way round. */
static void assert_shared_with_device(void *memory, uint64_t iova, size_t length)
{
	pattern_fill(memory, length, 1);
	assert_device_reads(MAP_FIRST, iova, length, 1);
	assert_device_writes(MAP_FIRST, iova, length, 2);
	assert_pattern(memory, length, 2);
}

/* Two pages of a file take the place of two pages of memory. */
static void map_file_over(void *memory, int fd, off_t offset, int prot, int flags)
{
	assert_ptr_equal(mmap(memory, 2 * PAGE, prot, flags | MAP_FIXED, fd, offset), memory);
}

static void map_and_share(const struct map_test *test, void *memory, size_t length)
{
	map(test->fq, IOVA, memory, length, RW);
	assert_mapped(test->fq, length);
	assert_shared_with_device(memory, IOVA, length);
	assert_int_equal(unmap(test->fq, IOVA, length), length);
	assert_nothing_mapped(test->fq);
	assert_pattern(memory, length, 2);
}

static void untouched_anonymous_memory(void **state)
{
	void *memory = memory_new(64 * PAGE);

	map_and_share(*state, memory, 64 * PAGE);
	memory_free(memory, 64 * PAGE);
}

static void one_page(void **state)
{
	void *memory = memory_new(PAGE);

	map_and_share(*state, memory, PAGE);
	memory_free(memory, PAGE);
}

/* Memory whose physical pages are in no order. */
static uint8_t *scattered_memory(size_t pages)
{
	uint8_t *memory = memory_new(pages * PAGE);

	assert_int_equal(madvise(memory, pages * PAGE, MADV_NOHUGEPAGE), 0);
	for (size_t i = 0; i < pages; i++)
		memory[i * 7919 % pages * PAGE] = 1;
	return memory;
}

static void every_page_of_a_scattered_range(void **state)
{
	struct map_test *test = *state;
	size_t pages = 2048;
	uint8_t *memory = scattered_memory(pages);

	pattern_fill(memory, pages * PAGE, 3);
	map(test->fq, IOVA, memory, pages * PAGE, RW);
	assert_device_reads(MAP_FIRST, IOVA, pages * PAGE, 3);
	for (size_t i = 0; i < pages; i++)
		assert_device_writes(MAP_FIRST, IOVA + i * PAGE, PAGE, i);
	for (size_t i = 0; i < pages; i++)
		assert_pattern(memory + i * PAGE, PAGE, i);
	memory_free(memory, pages * PAGE);
}

static void dma_across_a_page_boundary(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = scattered_memory(3);
	char text[] = "this text crosses from one page to the next one", copy[sizeof(text)];

	map(test->fq, IOVA, memory, 3 * PAGE, RW);
	for (size_t before = 1; before < sizeof(text); before++) {
		memset(memory, 0, 3 * PAGE);
		assert_int_equal(dma_write(MAP_FIRST, IOVA + PAGE - before, text, sizeof(text)),
				 MOCK_IOMMU_DMA_DONE);
		assert_memory_equal(memory + PAGE - before, text, sizeof(text));
		assert_int_equal(dma_read(MAP_FIRST, IOVA + PAGE - before, copy, sizeof(copy), 0),
				 MOCK_IOMMU_DMA_DONE);
		assert_memory_equal(copy, text, sizeof(text));
	}
	memory_free(memory, 3 * PAGE);
}

static void shared_memfd(void **state)
{
	int fd = memory_fd(16 * PAGE);
	void *memory = memory_of(fd, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	void *other = memory_of(fd, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	map_and_share(*state, memory, 16 * PAGE);
	assert_pattern(other, 16 * PAGE, 2);
	memory_free(memory, 16 * PAGE);
	memory_free(other, 16 * PAGE);
	close(fd);
}

static void private_file_mapping(void **state)
{
	int fd = memory_fd(16 * PAGE);
	void *file = memory_of(fd, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	void *memory = memory_of(fd, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	pattern_fill(file, 16 * PAGE, 9);
	map_and_share(*state, memory, 16 * PAGE);
	assert_pattern(file, 16 * PAGE, 9);
	memory_free(memory, 16 * PAGE);
	memory_free(file, 16 * PAGE);
	close(fd);
}

/* The device sees what the process writes later, although there was nothing to pin before. */
static void assert_reads_later_writes(const struct map_test *test, void *memory, size_t length)
{
	map(test->fq, IOVA, memory, length, FAULTQ_MAP_READ);
	pattern_fill(memory, length, 4);
	assert_device_reads(MAP_FIRST, IOVA, length, 4);
	assert_false(dma_writes(MAP_FIRST, IOVA));
	assert_int_equal(unmap(test->fq, IOVA, length), length);
	memory_free(memory, length);
}

static void device_reads_what_is_written_later_to_untouched_memory(void **state)
{
	assert_reads_later_writes(*state, memory_new(32 * PAGE), 32 * PAGE);
}

static void device_reads_what_is_written_later_to_memory_that_was_read(void **state)
{
	volatile uint8_t *memory = memory_new(32 * PAGE);

	for (size_t i = 0; i < 32; i++)
		assert_int_equal(memory[i * PAGE], 0);
	assert_reads_later_writes(*state, (void *)memory, 32 * PAGE);
}

static void device_reads_what_is_written_later_to_a_private_file_mapping(void **state)
{
	int fd = memory_fd(8 * PAGE);
	void *memory = memory_of(fd, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	assert_reads_later_writes(*state, memory, 8 * PAGE);
	close(fd);
}

static void device_reads_what_is_written_later_to_a_shared_mapping(void **state)
{
	int fd = memory_fd(8 * PAGE);
	void *memory = memory_of(fd, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	assert_reads_later_writes(*state, memory, 8 * PAGE);
	close(fd);
}

/* Some of the memory may be written, some not, and some of it not yet there. */
static void device_reads_what_is_written_later_to_a_mixed_range(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(6 * PAGE);
	int fd = memory_fd(2 * PAGE);

	pattern_fill(memory, PAGE, 5);
	assert_int_equal(mprotect(memory, PAGE, PROT_READ), 0);
	map_file_over(memory + 2 * PAGE, fd, 0, PROT_READ, MAP_SHARED);
	map(test->fq, IOVA, memory, 6 * PAGE, FAULTQ_MAP_READ);
	pattern_fill(memory + PAGE, PAGE, 6);
	pattern_fill(memory + 4 * PAGE, 2 * PAGE, 7);
	assert_device_reads(MAP_FIRST, IOVA, PAGE, 5);
	assert_device_reads(MAP_FIRST, IOVA + PAGE, PAGE, 6);
	assert_device_reads(MAP_FIRST, IOVA + 4 * PAGE, 2 * PAGE, 7);
	memory_free(memory, 6 * PAGE);
	close(fd);
}

/* A child that has a copy of all memory until it is told to end. */
struct child {
	pid_t pid;
	int hold;
};

static struct child fork_child(void)
{
	struct child child;
	int hold[2];
	char byte;

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (!child.pid) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	close(hold[0]);
	child.hold = hold[1];
	return child;
}

static void end_child(struct child child)
{
	int status;

	close(child.hold);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	assert_int_equal(status, 0);
}

static void memory_stays_the_same_after_fork(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(8 * PAGE);
	struct child child;

	map(test->fq, IOVA, memory, 8 * PAGE, RW);
	child = fork_child();
	assert_shared_with_device(memory, IOVA, 8 * PAGE);
	end_child(child);
	assert_shared_with_device(memory, IOVA, 8 * PAGE);
	assert_mapped(test->fq, 8 * PAGE);
	memory_free(memory, 8 * PAGE);
}

static void memory_that_a_child_shares(void **state)
{
	void *memory = memory_new(8 * PAGE);
	struct child child;

	pattern_fill(memory, 8 * PAGE, 8);
	child = fork_child();
	assert_reads_later_writes(*state, memory, 8 * PAGE);
	end_child(child);
}

static uint8_t *huge_aligned(uint8_t *memory)
{
	return memory + (-(uintptr_t)memory & (HUGE_PAGE - 1));
}

/* Does the kernel back this memory with huge pages? */
static bool has_huge_pages(const void *memory)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long first, last, kib = 0;
	bool here = false;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
			here = first <= (uintptr_t)memory && (uintptr_t)memory < last;
		else if (here && sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
			break;
	}
	fclose(file);
	return kib;
}

static void transparent_huge_pages(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(4 * HUGE_PAGE), *huge = huge_aligned(memory);

	if (madvise(huge, 2 * HUGE_PAGE, MADV_HUGEPAGE))
		skip_because("this kernel has no transparent huge pages");
	memset(huge, 1, 2 * HUGE_PAGE);
	if (!has_huge_pages(huge))
		skip_because("no huge page was free");
	map_and_share(test, huge, 2 * HUGE_PAGE);
	map_and_share(test, huge + 17 * PAGE, PAGE);
	map_and_share(test, huge + HUGE_PAGE - 3 * PAGE, 6 * PAGE);
	memory_free(memory, 4 * HUGE_PAGE);
}

static void huge_page_is_split_while_mapped(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(2 * HUGE_PAGE), *huge = huge_aligned(memory);

	madvise(huge, HUGE_PAGE, MADV_HUGEPAGE);
	memset(huge, 1, HUGE_PAGE);
	map(test->fq, IOVA, huge, HUGE_PAGE, RW);
	assert_int_equal(mprotect(huge + 8 * PAGE, PAGE, PROT_READ), 0);
	assert_int_equal(munmap(huge + 64 * PAGE, PAGE), 0);
	assert_int_equal(mprotect(huge + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
	assert_shared_with_device(huge, IOVA, 64 * PAGE);
	assert_device_writes(MAP_FIRST, IOVA + 64 * PAGE, PAGE, 1);
	assert_device_reads(MAP_FIRST, IOVA + 64 * PAGE, PAGE, 1);
	assert_int_equal(unmap(test->fq, IOVA, HUGE_PAGE), HUGE_PAGE);
	assert_nothing_mapped(test->fq);
	memory_free(memory, 2 * HUGE_PAGE);
}

static void reserve_huge_pages(const char *count)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, count, strlen(count)) < 0)
		print_message("nr_hugepages: %s\n", strerror(errno));
	close(fd);
}

static void hugetlb_pages(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory;

	reserve_huge_pages("2");
	memory = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (memory == MAP_FAILED) {
		reserve_huge_pages("0");
		skip_because("no huge pages to reserve");
	}
	map_and_share(test, memory, 2 * HUGE_PAGE);
	map_and_share(test, memory + HUGE_PAGE - PAGE, 2 * PAGE);
	memory_free(memory, 2 * HUGE_PAGE);
	reserve_huge_pages("0");
}

static void one_range_of_several_kinds(void **state)
{
	uint8_t *memory = memory_new(10 * PAGE);
	int fd = memory_fd(4 * PAGE);

	map_file_over(memory + 2 * PAGE, fd, 0, PROT_READ | PROT_WRITE, MAP_SHARED);
	map_file_over(memory + 5 * PAGE, fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	assert_int_equal(mprotect(memory + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	map_and_share(*state, memory, 10 * PAGE);
	memory_free(memory, 10 * PAGE);
	close(fd);
}

static void same_memory_at_two_addresses(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(4 * PAGE);

	map(test->fq, IOVA, memory, 4 * PAGE, FAULTQ_MAP_READ);
	map(test->fq, 2 * IOVA, memory, 4 * PAGE, FAULTQ_MAP_WRITE);
	assert_mapped(test->fq, 8 * PAGE);
	assert_device_writes(MAP_FIRST, 2 * IOVA, 4 * PAGE, 10);
	assert_device_reads(MAP_FIRST, IOVA, 4 * PAGE, 10);
	assert_false(dma_writes(MAP_FIRST, IOVA));
	assert_false(dma_reads(MAP_FIRST, 2 * IOVA));
	assert_int_equal(unmap(test->fq, IOVA, 4 * PAGE), 4 * PAGE);
	assert_device_writes(MAP_FIRST, 2 * IOVA, 4 * PAGE, 11);
	assert_pattern(memory, 4 * PAGE, 11);
	assert_mapped(test->fq, 4 * PAGE);
	memory_free(memory, 4 * PAGE);
}

static void assert_permissions(const struct map_test *test, uint8_t *memory, uint32_t perm)
{
	uint8_t byte = 0, new = 0xa5;
	int may_read = perm & FAULTQ_MAP_READ ? MOCK_IOMMU_DMA_DONE : MOCK_IOMMU_DMA_FAULT;
	int may_write = perm & FAULTQ_MAP_WRITE ? MOCK_IOMMU_DMA_DONE : MOCK_IOMMU_DMA_FAULT;
	int may_execute = perm & FAULTQ_MAP_EXEC ? may_read : MOCK_IOMMU_DMA_FAULT;

	*memory = 0x5a;
	map(test->fq, IOVA, memory, PAGE, perm);
	assert_int_equal(dma_read(MAP_FIRST, IOVA, &byte, 1, 0), may_read);
	assert_int_equal(byte, perm & FAULTQ_MAP_READ ? 0x5a : 0);
	assert_int_equal(dma_read(MAP_FIRST, IOVA, &byte, 1, MOCK_IOMMU_EXEC), may_execute);
	assert_int_equal(dma_write(MAP_FIRST, IOVA, &new, 1), may_write);
	assert_int_equal(*memory, perm & FAULTQ_MAP_WRITE ? 0xa5 : 0x5a);
	assert_int_equal(unmap(test->fq, IOVA, PAGE), PAGE);
}

/* There is no page that can only be executed; see map_flags.c. */
static void permissions_are_those_of_the_mapping(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(PAGE);

	for (uint32_t perm = 1; perm <= (RW | FAULTQ_MAP_EXEC); perm++)
		if (perm != FAULTQ_MAP_EXEC)
			assert_permissions(test, memory, perm);
	assert_int_equal(faultq_map(test->fq, IOVA, memory, PAGE, FAULTQ_MAP_EXEC), -EINVAL);
	assert_nothing_mapped(test->fq);
	memory_free(memory, PAGE);
}

static void memory_outlives_its_mapping_in_the_process(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(8 * PAGE);

	pattern_fill(memory, 8 * PAGE, 12);
	map(test->fq, IOVA, memory, 8 * PAGE, RW);
	memory_free(memory, 8 * PAGE);
	assert_mapped(test->fq, 8 * PAGE);
	assert_device_reads(MAP_FIRST, IOVA, 8 * PAGE, 12);
	assert_device_writes(MAP_FIRST, IOVA, 8 * PAGE, 13);
	assert_device_reads(MAP_FIRST, IOVA, 8 * PAGE, 13);
	assert_int_equal(unmap(test->fq, IOVA, 8 * PAGE), 8 * PAGE);
	assert_nothing_mapped(test->fq);
}

static void file_keeps_what_the_device_wrote(void **state)
{
	struct map_test *test = *state;
	int fd = memory_fd(8 * PAGE);
	void *memory = memory_of(fd, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	map(test->fq, IOVA, memory, 8 * PAGE, FAULTQ_MAP_WRITE);
	memory_free(memory, 8 * PAGE);
	assert_device_writes(MAP_FIRST, IOVA, 8 * PAGE, 14);
	assert_int_equal(unmap(test->fq, IOVA, 8 * PAGE), 8 * PAGE);

	memory = memory_of(fd, 8 * PAGE, PROT_READ, MAP_SHARED);
	assert_pattern(memory, 8 * PAGE, 14);
	memory_free(memory, 8 * PAGE);
	close(fd);
}

static void file_is_truncated_while_mapped(void **state)
{
	struct map_test *test = *state;
	int fd = memory_fd(8 * PAGE);
	void *memory = memory_of(fd, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	map(test->fq, IOVA, memory, 8 * PAGE, RW);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_device_writes(MAP_FIRST, IOVA, 8 * PAGE, 15);
	assert_device_reads(MAP_FIRST, IOVA, 8 * PAGE, 15);
	assert_int_equal(unmap(test->fq, IOVA, 8 * PAGE), 8 * PAGE);
	assert_nothing_mapped(test->fq);
	memory_free(memory, 8 * PAGE);
	close(fd);
}

static uint64_t read_entry(const char *path, uint64_t index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	if (fd < 0)
		skip_because("this kernel has no %s", path);
	assert_int_equal(pread(fd, &entry, sizeof(entry), index * sizeof(entry)), sizeof(entry));
	close(fd);
	return entry;
}

static bool is_dirty(const void *memory)
{
	uint64_t pfn = read_entry("/proc/self/pagemap", (uintptr_t)memory / PAGE) & PAGEMAP_PFN;

	return read_entry("/proc/kpageflags", pfn) & KPF_DIRTY;
}

static void written_pages_are_dirty(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = scattered_memory(8);

	map(test->fq, IOVA, memory, 8 * PAGE, RW);
	assert_device_writes(MAP_FIRST, IOVA, 8 * PAGE, 16);
	assert_int_equal(unmap(test->fq, IOVA, 8 * PAGE), 8 * PAGE);
	for (size_t i = 0; i < 8; i++)
		assert_true(is_dirty(memory + i * PAGE));
	memory_free(memory, 8 * PAGE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, map_setup_attached, map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(untouched_anonymous_memory),
		TEST(one_page),
		TEST(every_page_of_a_scattered_range),
		TEST(dma_across_a_page_boundary),
		TEST(shared_memfd),
		TEST(private_file_mapping),
		TEST(device_reads_what_is_written_later_to_untouched_memory),
		TEST(device_reads_what_is_written_later_to_memory_that_was_read),
		TEST(device_reads_what_is_written_later_to_a_private_file_mapping),
		TEST(device_reads_what_is_written_later_to_a_shared_mapping),
		TEST(device_reads_what_is_written_later_to_a_mixed_range),
		TEST(memory_stays_the_same_after_fork),
		TEST(memory_that_a_child_shares),
		TEST(transparent_huge_pages),
		TEST(huge_page_is_split_while_mapped),
		TEST(hugetlb_pages),
		TEST(one_range_of_several_kinds),
		TEST(same_memory_at_two_addresses),
		TEST(permissions_are_those_of_the_mapping),
		TEST(memory_outlives_its_mapping_in_the_process),
		TEST(file_keeps_what_the_device_wrote),
		TEST(file_is_truncated_while_mapped),
		TEST(written_pages_are_dirty),
	};

	return tap_run_group(tests, map_group_setup, map_group_teardown);
}
