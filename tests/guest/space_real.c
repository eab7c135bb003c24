// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real translation: QEMU's edu does DMA through small and huge pages of the lane's own IOMMU
 * driver, and the window where that IOMMU, or the kernel, has interrupts is listed and kept free.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "support/pci.h"
#include "support/space.h"

#define HUGE	0x200000ull
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define IOVA	0x400000ull	/* within edu's 28 bits */

static struct pci edu;
static struct faultq *fq;
static uint32_t id;

static int open_edu(void **state)
{
	struct faultq_attach attach;

	(void)state;
	assert_int_equal(faultq_open(&fq), 0);
	pci_open(&edu);
	assert_int_equal(faultq_attach(fq, edu.name, &attach), 0);
	id = attach.device;
	pci_set_master(&edu, true);
	return 0;
}

/* edu cannot be reset and is held. */
static int close_edu(void **state)
{
	struct faultq *other;

	(void)state;
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

static void copy(uint64_t from, uint64_t to, unsigned int length)
{
	edu_dma(&edu, EDU_READ, from, length);
	edu_dma(&edu, EDU_WRITE, to, length);
}

/* From one end of memory to the other, at both ends of a range, and back. */
static void copies(char *memory, uint64_t iova, size_t length)
{
	pages_fill(memory, length, 11);
	copy(iova, iova + length - EDU_DMA_MAX, EDU_DMA_MAX);
	assert_memory_equal(memory, memory + length - EDU_DMA_MAX, EDU_DMA_MAX);
	memset(memory, 0x5a, 256);
	copy(iova + length - EDU_DMA_MAX, iova, 256);
	assert_memory_equal(memory, memory + length - EDU_DMA_MAX, 256);
}

static void through_small_pages(void **state)
{
	char *memory = pages_new(16);

	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(faultq_map(fq, IOVA + i * PAGE, memory + (15 - i) * PAGE, PAGE,
					    RW), 0);
	pages_fill(memory, 16 * PAGE, 7);
	copy(IOVA, IOVA + 15 * PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory + 15 * PAGE, memory, EDU_DMA_MAX);
	/* two pages that are neighbours for the device and not in memory */
	copy(IOVA + 3 * PAGE - EDU_DMA_MAX / 2, IOVA + 8 * PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory + 7 * PAGE, memory + 14 * PAGE - EDU_DMA_MAX / 2,
			    EDU_DMA_MAX / 2);
	assert_memory_equal(memory + 7 * PAGE + EDU_DMA_MAX / 2, memory + 12 * PAGE,
			    EDU_DMA_MAX / 2);
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	pages_free(memory, 16);
}

static void through_a_huge_page(void **state)
{
	char *memory = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "we");

	(void)state;
	if (memory == MAP_FAILED && file && fputs("4", file) >= 0 && !fflush(file))
		memory = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (file)
		fclose(file);
	if (memory == MAP_FAILED)
		skip_because("the kernel has no huge page of 2 MiB");
	assert_int_equal(faultq_map(fq, IOVA, memory, HUGE, RW), 0);
	copies(memory, IOVA, HUGE);
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	munmap(memory, HUGE);
}

static void what_is_unmapped_is_out_of_reach(void **state)
{
	char *memory = pages_new(2);

	(void)state;
	assert_int_equal(faultq_map(fq, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_map(fq, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	copies(memory, IOVA, 2 * PAGE);
	assert_int_equal(faultq_unmap(fq, IOVA + PAGE, PAGE, NULL), 0);
	memset(memory + PAGE, 0x33, PAGE);
	copy(IOVA, IOVA + PAGE, EDU_DMA_MAX);
	for (unsigned int i = 0; i < PAGE; i++)
		assert_int_equal(memory[PAGE + i], 0x33);
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	pages_free(memory, 2);
}

static const struct faultq_window_entry *find_interrupts(struct faultq_window_entry *windows)
{
	uint32_t count = list_windows(fq, windows);

	for (uint32_t i = 0; i < count; i++)
		if (windows[i].type == FAULTQ_WINDOW_HW_MSI ||
		    windows[i].type == FAULTQ_WINDOW_SW_MSI)
			return &windows[i];
	fail_msg("no window for interrupts among %u", count);
	return NULL;
}

static void assert_kept_free(const struct faultq_window_entry *window)
{
	char *memory = pages_new(1);

	assert_int_equal(faultq_map(fq, window->iova, memory, PAGE, RW), -EEXIST);
	assert_int_equal(faultq_map(fq, window->iova + window->length - PAGE, memory, PAGE, RW),
			 -EEXIST);
	assert_int_equal(faultq_map(fq, window->iova - PAGE, memory, PAGE, RW), 0);
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	pages_free(memory, 1);
}

static void the_window_of_interrupts_is_listed_and_kept_free(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	const struct faultq_window_entry *window = find_interrupts(windows);

	(void)state;
#ifdef __x86_64__
	assert_window(window, 0xfee00000, 0x100000, FAULTQ_WINDOW_HW_MSI, 0);
#else
	assert_window(window, 0x8000000, 0x100000, FAULTQ_WINDOW_SW_MSI, 0);
#endif
	assert_int_equal(window->groups, 1);
	assert_kept_free(window);
}

/* Where the kernel binds doorbells itself, a window that was added takes the place of its own. */
static void the_kernels_own_window_can_be_moved(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	const struct faultq_window_entry *window = find_interrupts(windows);
	uint32_t own;

	(void)state;
	if (window->type != FAULTQ_WINDOW_SW_MSI)
		skip_because("this IOMMU takes interrupts where it always does");
	assert_int_equal(faultq_window_add(fq, IOVA, HUGE, FAULTQ_WINDOW_SW_MSI, 0, &own), -EBUSY);
	assert_int_equal(faultq_detach(fq, id, NULL), 0);
	assert_int_equal(faultq_release(fq, edu.name), 0);
	own = window_add(fq, IOVA, HUGE, FAULTQ_WINDOW_SW_MSI, 0);
	id = vm_attach_name(fq, edu.name);
	window = find_interrupts(windows);
	assert_window(window, IOVA, HUGE, FAULTQ_WINDOW_SW_MSI, own);
	assert_kept_free(window);
	assert_int_equal(faultq_window_del(fq, own), -EBUSY);
	pci_set_master(&edu, true);
}

int main(void)
{
#define EDU(test) cmocka_unit_test_setup_teardown(test, open_edu, close_edu)
	const struct CMUnitTest tests[] = {
		EDU(through_small_pages),
		EDU(through_a_huge_page),
		EDU(what_is_unmapped_is_out_of_reach),
		EDU(the_window_of_interrupts_is_listed_and_kept_free),
		EDU(the_kernels_own_window_can_be_moved),
	};

	return tap_run_group(tests, find_edu, NULL);
}
