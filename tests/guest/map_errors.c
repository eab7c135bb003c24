// SPDX-License-Identifier: GPL-2.0-only
/*
 * What MAP and UNMAP refuse, with which errno, and that nothing remains of a call that failed: no
 * mapping, no pinned page, no charge, nothing that a device reaches.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/map.h"
#include "support/tap.h"

#define IOVA		0x100000ull
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static int map_raw(struct faultq *fq, struct faultq_map map)
{
	map.size = sizeof(map);
	return ioctl(faultq_fd(fq), FAULTQ_MAP, &map) ? -errno : 0;
}

static void *address(uint64_t value)
{
	return (void *)(uintptr_t)value;
}

/* MAP fails and leaves nothing behind. */
static void assert_map_fails(const struct map_test *test, uint64_t iova, void *memory,
			     uint64_t length, uint32_t perm, int error)
{
	assert_int_equal(faultq_map(test->fq, iova, memory, length, perm), -error);
	assert_nothing_mapped(test->fq);
	if (test->id)
		assert_device_misses(MAP_FIRST, IOVA);
}

static void misaligned_ranges_are_invalid(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(4 * PAGE);
	static const unsigned int wrong[] = { 1, 8, 512, PAGE / 2, PAGE - 1 };

	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_map_fails(test, IOVA + wrong[i], memory, PAGE, RW, EINVAL);
		assert_map_fails(test, IOVA, memory + wrong[i], PAGE, RW, EINVAL);
		assert_map_fails(test, IOVA, memory, PAGE + wrong[i], RW, EINVAL);
		assert_map_fails(test, IOVA, memory, wrong[i], RW, EINVAL);
	}
	memory_free(memory, 4 * PAGE);
}

static void empty_range_is_invalid(void **state)
{
	void *memory = memory_new(PAGE);

	assert_map_fails(*state, IOVA, memory, 0, RW, EINVAL);
	assert_map_fails(*state, 0, NULL, 0, RW, EINVAL);
	memory_free(memory, PAGE);
}

static void wrapping_ranges_are_invalid(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(2 * PAGE);

	assert_map_fails(test, -PAGE, memory, 2 * PAGE, RW, EINVAL);
	assert_map_fails(test, IOVA, memory, -IOVA + PAGE, RW, EINVAL);
	assert_map_fails(test, IOVA, address(-PAGE), 2 * PAGE, RW, EINVAL);
	assert_map_fails(test, 2 * PAGE, memory, -PAGE, RW, EINVAL);
	assert_map_fails(test, 0, memory, ~0ull, RW, EINVAL);
	memory_free(memory, 2 * PAGE);
}

static void permissions_and_flags_are_checked(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(PAGE);

	assert_map_fails(test, IOVA, memory, PAGE, 0, EINVAL);
	assert_map_fails(test, IOVA, memory, PAGE, FAULTQ_MAP_ANSWER, EINVAL);
	for (unsigned int bit = 4; bit < 32; bit++)
		assert_map_fails(test, IOVA, memory, PAGE, RW | 1u << bit,
				 1u << bit == FAULTQ_MAP_MMIO ? EFAULT : EINVAL);
	memory_free(memory, PAGE);
}

static void cookie_needs_the_answer_flag(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(PAGE);
	struct faultq_map map = {
		.flags = RW,
		.iova = IOVA,
		.length = PAGE,
		.user_address = (uintptr_t)memory,
	};

	map.cookie = 1;
	assert_int_equal(map_raw(test->fq, map), -EINVAL);
	map.cookie = ~0ull;
	assert_int_equal(map_raw(test->fq, map), -EINVAL);
	map.cookie = 0;
	map.reserved = 1;
	assert_int_equal(map_raw(test->fq, map), -EINVAL);
	assert_nothing_mapped(test->fq);
	map.reserved = 0;
	assert_int_equal(map_raw(test->fq, map), 0);
	assert_mapped(test->fq, PAGE);
	memory_free(memory, PAGE);
}

static void aperture_is_the_limit(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(2 * PAGE);

	assert_map_fails(test, APERTURE, memory, PAGE, RW, EINVAL);
	assert_map_fails(test, APERTURE - PAGE, memory, 2 * PAGE, RW, EINVAL);
	assert_map_fails(test, -PAGE, memory, PAGE, RW, EINVAL);
	assert_map_fails(test, 1ull << 63, memory, 2 * PAGE, RW, EINVAL);

	map(test->fq, APERTURE - 2 * PAGE, memory, 2 * PAGE, RW);
	assert_device_writes(MAP_FIRST, APERTURE - 2 * PAGE, 2 * PAGE, 1);
	assert_pattern(memory, 2 * PAGE, 1);
	assert_device_misses(MAP_FIRST, APERTURE);
	memory_free(memory, 2 * PAGE);
}

static void first_and_last_page_of_the_aperture_can_be_mapped(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(2 * PAGE);

	map(test->fq, 0, memory, PAGE, RW);
	map(test->fq, APERTURE - PAGE, memory + PAGE, PAGE, RW);
	assert_device_writes(MAP_FIRST, 0, PAGE, 2);
	assert_device_writes(MAP_FIRST, APERTURE - PAGE, PAGE, 3);
	assert_pattern(memory, PAGE, 2);
	assert_pattern(memory + PAGE, PAGE, 3);
	memory_free(memory, 2 * PAGE);
}

/* Two mappings of two pages with two free pages around and between: of 12 pages those marked x. */
static const char occupied[] = "..xx..xx....";
#define SPAN (sizeof(occupied) - 1)

static bool overlaps(size_t first, size_t pages)
{
	return memchr(occupied + first, 'x', pages);
}

static void assert_overlap(struct faultq *fq, uint8_t *memory, size_t first, size_t pages)
{
	uint64_t iova = IOVA + first * PAGE;
	int ret = faultq_map(fq, iova, memory, pages * PAGE, RW);

	assert_int_equal(ret, overlaps(first, pages) ? -EEXIST : 0);
	if (ret)
		assert_mapped(fq, 4 * PAGE);
	else
		assert_int_equal(unmap(fq, iova, pages * PAGE), pages * PAGE);
}

static void every_overlap_exists_already(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(4 * PAGE), *other = memory_new(SPAN * PAGE);

	map(test->fq, IOVA + 2 * PAGE, memory, 2 * PAGE, RW);
	map(test->fq, IOVA + 6 * PAGE, memory + 2 * PAGE, 2 * PAGE, RW);
	for (size_t first = 0; first < SPAN; first++)
		for (size_t pages = 1; first + pages <= SPAN; pages++)
			assert_overlap(test->fq, other, first, pages);

	assert_device_writes(MAP_FIRST, IOVA + 2 * PAGE, 2 * PAGE, 4);
	assert_device_writes(MAP_FIRST, IOVA + 6 * PAGE, 2 * PAGE, 5);
	assert_pattern(memory, 2 * PAGE, 4);
	assert_pattern(memory + 2 * PAGE, 2 * PAGE, 5);
	memory_free(memory, 4 * PAGE);
	memory_free(other, SPAN * PAGE);
}

static void no_memory_is_a_fault(void **state)
{
	uint8_t *memory = memory_new(8 * PAGE);

	memory_free(memory + 5 * PAGE, PAGE);
	for (size_t pages = 6; pages <= 8; pages++)
		assert_map_fails(*state, IOVA, memory, pages * PAGE, RW, EFAULT);
	for (size_t pages = 1; pages <= 3; pages++)
		assert_map_fails(*state, IOVA, memory + 5 * PAGE, pages * PAGE, FAULTQ_MAP_READ,
				 EFAULT);
	memory_free(memory, 8 * PAGE);
}

static void hole_far_in_a_long_range_is_a_fault(void **state)
{
	struct map_test *test = *state;
	size_t length = 8 * MIB;
	uint8_t *memory = memory_new(length);

	memory_free(memory + length - PAGE, PAGE);
	assert_map_fails(test, IOVA, memory, length, RW, EFAULT);
	assert_map_fails(test, IOVA, memory, length, FAULTQ_MAP_READ, EFAULT);
	map(test->fq, IOVA, memory, length - PAGE, RW);
	assert_int_equal(unmap(test->fq, IOVA, length - PAGE), length - PAGE);
	memory_free(memory, length);
}

static void addresses_that_are_no_users_are_a_fault(void **state)
{
	static const uint64_t wrong[] = {
		0,
		PAGE,
		0x00007ffffffff000ull,
		0x0000800000000000ull,
		0x8000000000000000ull,
		0xffff888000000000ull,
		0xffffffff81000000ull,
		0xffffffffff600000ull,
		0xfffffffffffff000ull,
	};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_map_fails(*state, IOVA, address(wrong[i]), PAGE, RW, EFAULT);
		assert_map_fails(*state, IOVA, address(wrong[i]), PAGE,
				 FAULTQ_MAP_READ | FAULTQ_MAP_EXEC, EFAULT);
	}
}

static void read_only_memory_cannot_be_written(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(2 * PAGE);

	pattern_fill(memory, 2 * PAGE, 6);
	assert_int_equal(mprotect(memory + PAGE, PAGE, PROT_READ), 0);
	assert_map_fails(test, IOVA, memory + PAGE, PAGE, RW, EFAULT);
	assert_map_fails(test, IOVA, memory, 2 * PAGE, FAULTQ_MAP_WRITE, EFAULT);
	map(test->fq, IOVA, memory, 2 * PAGE, FAULTQ_MAP_READ);
	assert_device_reads(MAP_FIRST, IOVA, 2 * PAGE, 6);
	memory_free(memory, 2 * PAGE);
}

static void read_only_shared_memory_cannot_be_written(void **state)
{
	struct map_test *test = *state;
	int fd = memory_fd(PAGE);
	uint8_t *memory = memory_of(fd, PAGE, PROT_READ, MAP_SHARED);

	assert_map_fails(test, IOVA, memory, PAGE, RW, EFAULT);
	map(test->fq, IOVA, memory, PAGE, FAULTQ_MAP_READ);
	assert_true(dma_reads(MAP_FIRST, IOVA));
	assert_false(dma_writes(MAP_FIRST, IOVA));
	memory_free(memory, PAGE);
	close(fd);
}

static void memory_without_access_is_a_fault(void **state)
{
	void *memory = memory_new(2 * PAGE);

	pattern_fill(memory, 2 * PAGE, 7);
	assert_int_equal(mprotect(memory, PAGE, PROT_NONE), 0);
	assert_map_fails(*state, IOVA, memory, PAGE, FAULTQ_MAP_READ, EFAULT);
	assert_map_fails(*state, IOVA, memory, PAGE, FAULTQ_MAP_WRITE, EFAULT);
	assert_map_fails(*state, IOVA, memory, 2 * PAGE, RW, EFAULT);
	memory_free(memory, 2 * PAGE);
}

static void memory_behind_the_end_of_a_file_is_a_fault(void **state)
{
	int fd = memory_fd(PAGE);
	void *memory = memory_of(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	assert_map_fails(*state, IOVA, memory, 2 * PAGE, RW, EFAULT);
	assert_map_fails(*state, IOVA, memory + PAGE, PAGE, FAULTQ_MAP_READ, EFAULT);
	memory_free(memory, 2 * PAGE);
	close(fd);
}

/* A page of MMIO that sysfs lets us map, or MAP_FAILED. */
static void *map_some_mmio(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	void *memory = MAP_FAILED;
	struct dirent *entry;

	assert_non_null(dir);
	while (memory == MAP_FAILED && (entry = readdir(dir))) {
		char path[300];
		int fd;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	closedir(dir);
	return memory;
}

static void device_memory_cannot_be_pinned(void **state)
{
	void *memory = map_some_mmio();

	if (memory == MAP_FAILED)
		skip_because("no PCI device with a memory BAR");
	assert_map_fails(*state, IOVA, memory, PAGE, RW, EFAULT);
	assert_map_fails(*state, IOVA, memory, PAGE, FAULTQ_MAP_READ, EFAULT);
	memory_free(memory, PAGE);
}

/* The queue's own pages are kernel memory in a user mapping. */
static void ring_cannot_be_written_by_a_device(void **state)
{
	struct map_test *test = *state;

	assert_int_equal(faultq_queue(test->fq, 8, 64, -1, 0), 0);
	assert_map_fails(test, IOVA, (void *)faultq_header(test->fq), PAGE, RW, EFAULT);
}

/* What the range and the memory of a call may be: around all limits there are. */
static const uint64_t edges[] = {
	0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, (1ull << 32) - 1, 1ull << 32, (1ull << 32) + 1,
	APERTURE - PAGE, APERTURE - 1, APERTURE, APERTURE + 1, APERTURE + PAGE, 1ull << 63,
	-PAGE, -1,
};

static bool is_range(uint64_t start, uint64_t length)
{
	return length && !((start | length) % PAGE) && start + (length - 1) >= start;
}

static void assert_edge_of_map(const struct map_test *test, uint64_t iova, uint64_t length,
			       uint64_t memory, bool is_memory)
{
	int ret = faultq_map(test->fq, iova, address(memory), length, RW);

	if (!is_range(iova, length) || !is_range(memory, length)) {
		assert_int_equal(ret, -EINVAL);
	} else if (test->id && iova + (length - 1) >= APERTURE) {
		assert_int_equal(ret, -EINVAL);
	} else if (!is_memory) {
		assert_int_equal(ret, -EFAULT);
	} else if (length > 2 * PAGE) {
		/* Which of the two comes first is not said: more than there is, or not there. */
		assert_true(ret == -EFAULT || ret == -ENOMEM);
	} else {
		assert_int_equal(ret, 0);
		assert_int_equal(mapped_bytes(test->fq), length);
		assert_int_equal(unmap(test->fq, iova, length), length);
	}
	assert_int_equal(mapped_bytes(test->fq), 0);
}

static void edges_of_map(void **state)
{
	uint8_t *memory = memory_new(2 * PAGE);

	for (size_t i = 0; i < COUNT(edges); i++)
		for (size_t j = 0; j < COUNT(edges); j++) {
			assert_edge_of_map(*state, edges[i], edges[j], (uintptr_t)memory, true);
			for (size_t k = 0; k < COUNT(edges); k++)
				assert_edge_of_map(*state, edges[i], edges[j], edges[k], false);
		}
	assert_nothing_mapped(((struct map_test *)*state)->fq);
	memory_free(memory, 2 * PAGE);
}

/* What UNMAP must say when the page at PAGE is mapped. */
static void assert_edge_of_unmap(struct faultq *fq, uint64_t iova, uint64_t length, void *memory)
{
	bool all = !iova && length == ~0ull;
	bool hit = all || (iova <= PAGE && iova + (length - 1) >= 2 * PAGE - 1);
	uint64_t unmapped = 0;
	int ret = faultq_unmap(fq, iova, length, &unmapped);

	if (!all && !is_range(iova, length)) {
		assert_int_equal(ret, -EINVAL);
		assert_int_equal(mapped_bytes(fq), PAGE);
		return;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(unmapped, hit ? PAGE : 0);
	if (hit)
		map(fq, PAGE, memory, PAGE, RW);
	assert_int_equal(mapped_bytes(fq), PAGE);
}

static void edges_of_unmap(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(PAGE);

	map(test->fq, PAGE, memory, PAGE, RW);
	for (size_t i = 0; i < COUNT(edges); i++)
		for (size_t j = 0; j < COUNT(edges); j++)
			assert_edge_of_unmap(test->fq, edges[i], edges[j], memory);
	assert_device_writes(MAP_FIRST, PAGE, PAGE, 8);
	assert_pattern(memory, PAGE, 8);
	memory_free(memory, PAGE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, map_setup_attached, map_teardown)
#define TEST_BEFORE_ATTACH(function) \
	{ #function "_before_attach", function, map_setup, map_teardown, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(misaligned_ranges_are_invalid),
		TEST_BEFORE_ATTACH(misaligned_ranges_are_invalid),
		TEST(empty_range_is_invalid),
		TEST(wrapping_ranges_are_invalid),
		TEST_BEFORE_ATTACH(wrapping_ranges_are_invalid),
		TEST(permissions_and_flags_are_checked),
		TEST(cookie_needs_the_answer_flag),
		TEST(aperture_is_the_limit),
		TEST(first_and_last_page_of_the_aperture_can_be_mapped),
		TEST(every_overlap_exists_already),
		TEST(no_memory_is_a_fault),
		TEST_BEFORE_ATTACH(no_memory_is_a_fault),
		TEST(hole_far_in_a_long_range_is_a_fault),
		TEST(addresses_that_are_no_users_are_a_fault),
		TEST(read_only_memory_cannot_be_written),
		TEST(read_only_shared_memory_cannot_be_written),
		TEST(memory_without_access_is_a_fault),
		TEST(memory_behind_the_end_of_a_file_is_a_fault),
		TEST(device_memory_cannot_be_pinned),
		TEST(ring_cannot_be_written_by_a_device),
		TEST(edges_of_map),
		TEST_BEFORE_ATTACH(edges_of_map),
		TEST(edges_of_unmap),
	};

	return tap_run_group(tests, map_group_setup, map_group_teardown);
}
