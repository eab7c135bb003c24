// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ends of what can be mapped, on the machine's own IOMMU: what IOVA_RANGES offers works up to
 * its last page, for a real device too; what it does not offer is refused as documented. Neither
 * makes the kernel print.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/pci.h"
#include "support/space.h"

#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define IOVA	0x400000ull

static struct pci edu;
static struct faultq *fq;
static int log_fd = -1;

/* The lines of the log that are written from here on. */
static void open_log(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(log_fd >= 0);
	assert_int_equal(lseek(log_fd, 0, SEEK_END), 0);
}

static void assert_log_quiet(void)
{
	char line[8192];
	ssize_t length;

	while ((length = read(log_fd, line, sizeof(line) - 1)) > 0) {
		line[length] = '\0';
		if (strcasestr(line, "dmar") || strcasestr(line, "iommu") ||
		    strcasestr(line, "smmu") || strcasestr(line, "faultq"))
			fail_msg("the kernel printed: %s", line);
	}
	assert_int_equal(errno, EAGAIN);
}

static int open_edu(void **state)
{
	(void)state;
	assert_int_equal(faultq_open(&fq), 0);
	pci_open(&edu);
	return 0;
}

/* edu cannot be reset and is held. */
static int close_edu(void **state)
{
	struct faultq *other;

	(void)state;
	close(log_fd);
	pci_close(&edu);
	faultq_close(fq);
	assert_int_equal(faultq_open(&other), 0);
	assert_int_equal(faultq_release(other, edu.name), 0);
	faultq_close(other);
	return 0;
}

static int find_edu(void **state)
{
	(void)state;
	assert_true(pci_find(&edu, PCI_EDU, NULL));
	return 0;
}

static void attach_edu(void)
{
	vm_attach_name(fq, edu.name);
	pci_set_master(&edu, true);
	open_log();
}

static void copy(uint64_t from, uint64_t to)
{
	edu_dma(&edu, EDU_READ, from, EDU_DMA_MAX);
	edu_dma(&edu, EDU_WRITE, to, EDU_DMA_MAX);
}

/* A page there, and the device writes it and reads it. */
static void assert_usable(char *memory, uint64_t iova)
{
	print_message("page %#llx\n", (unsigned long long)iova);
	assert_int_equal(faultq_map(fq, iova, memory + PAGE, PAGE, RW), 0);
	pages_fill(memory, PAGE, 3);
	memset(memory + PAGE, 0, PAGE);
	copy(IOVA, iova);
	assert_memory_equal(memory, memory + PAGE, EDU_DMA_MAX);
	copy(iova, IOVA + EDU_DMA_MAX);
	assert_memory_equal(memory + EDU_DMA_MAX, memory + PAGE, EDU_DMA_MAX);
	assert_int_equal(faultq_unmap(fq, iova, PAGE, NULL), 0);
}

static void all_that_is_offered_works_to_its_ends(void **state)
{
	struct faultq_range_entry ranges[LIST_ROOM];
	char *memory = pages_new(2);
	uint32_t count;

	(void)state;
	attach_edu();
	count = list_ranges(fq, ranges);
	assert_true(count);
	assert_int_equal(faultq_map(fq, IOVA, memory, PAGE, RW), 0);
	for (uint32_t i = 0; i < count; i++) {
		assert_usable(memory, ranges[i].first);
		assert_usable(memory, ranges[i].last - PAGE + 1);
	}
	assert_log_quiet();
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	pages_free(memory, 2);
}

static uint64_t end_of_ranges(void)
{
	struct faultq_range_entry ranges[LIST_ROOM];
	uint32_t count = list_ranges(fq, ranges);

	assert_true(count);
	return ranges[count - 1].last + 1;
}

static void assert_refused(uint64_t iova, void *memory, uint64_t length)
{
	print_message("%#llx bytes at %#llx\n", (unsigned long long)length,
		      (unsigned long long)iova);
	assert_int_equal(faultq_map(fq, iova, memory, length, RW), -EINVAL);
}

static void what_is_not_offered_is_refused_and_the_kernel_prints_nothing(void **state)
{
	char *memory = pages_new(2);
	uint64_t end;

	(void)state;
	attach_edu();
	end = end_of_ranges();
	assert_refused(end, memory, PAGE);
	assert_refused(end - PAGE, memory, 2 * PAGE);
	for (unsigned int bit = 30; bit < 64; bit++)
		if (1ull << bit >= end)
			assert_refused(1ull << bit, memory, PAGE);
	assert_refused(-PAGE, memory, PAGE);
	assert_log_quiet();
	pages_free(memory, 2);
}

/* What was mapped before a device was there is the device's to refuse. */
static void a_device_is_not_attached_to_what_it_cannot_address(void **state)
{
	char *memory = pages_new(1);
	struct faultq_attach told;
	uint64_t end;

	(void)state;
	attach_edu();
	end = end_of_ranges();
	faultq_close(fq);
	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_release(fq, edu.name), 0);
	assert_int_equal(faultq_map(fq, end, memory, PAGE, RW), 0);
	assert_int_equal(faultq_attach(fq, edu.name, &told), -EINVAL);
	assert_int_equal(faultq_unmap(fq, end, PAGE, NULL), 0);
	assert_int_equal(faultq_map(fq, end - PAGE, memory, PAGE, RW), 0);
	assert_int_equal(faultq_attach(fq, edu.name, &told), 0);
	assert_log_quiet();
	pages_free(memory, 1);
}

int main(void)
{
#define EDU(test) cmocka_unit_test_setup_teardown(test, open_edu, close_edu)
	const struct CMUnitTest tests[] = {
		EDU(all_that_is_offered_works_to_its_ends),
		EDU(what_is_not_offered_is_refused_and_the_kernel_prints_nothing),
		EDU(a_device_is_not_attached_to_what_it_cannot_address),
	};

	return tap_run_group(tests, find_edu, NULL);
}
