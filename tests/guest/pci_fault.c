// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unrecoverable faults of a real device behind the machine's own IOMMU, where its driver
 * reports them: edu reaches for what is not mapped, and the queue tells what it was.
 *
 * edu cannot be reset and is held after each test; the fixture lets it go.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <faultq.h>

#include "support/pci.h"
#include "support/tap.h"

#define PAGE	4096
#define LENGTH	64		/* bytes of a DMA; a fault for each of its bursts */

static struct pci edu;
static struct faultq *vm;
static struct faultq_attach told;
static uint8_t *memory;
static uint64_t iova = 0x100000;	/* another in each test; within edu's 28 bits */

static int find_edu(void **state)
{
	(void)state;
	return pci_find(&edu, PCI_EDU, NULL) ? 0 : -1;
}

static int open_edu(void **state)
{
	(void)state;
	iova += 0x10000;
	assert_int_equal(faultq_open(&vm), 0);
	assert_int_equal(faultq_queue(vm, 64, 1024, -1, 0), 0);
	pci_open(&edu);
	assert_int_equal(faultq_attach(vm, edu.name, &told), 0);
	pci_set_master(&edu, true);
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	return 0;
}

static int close_edu(void **state)
{
	(void)state;
	munmap(memory, PAGE);
	pci_close(&edu);
	faultq_close(vm);
	assert_int_equal(faultq_open(&vm), 0);
	assert_int_equal(faultq_release(vm, edu.name), 0);
	faultq_close(vm);
	return 0;
}

static void needs_reports(void)
{
	if (!(told.kinds & (FAULTQ_KIND_UNRECOVERABLE | FAULTQ_KIND_DOMAIN_FAULT)))
		skip_because("faults of edu are not delivered: %s",
			     faultq_why_text(told.no_unrecoverable));
}

/* Waits for the first one. What is told of a former test comes before it. */
static struct faultq_record next_fault(void)
{
	struct pollfd wakeup = { .fd = faultq_fd(vm), .events = POLLIN };
	const struct faultq_record *records;
	struct faultq_record record;

	do {
		while (!faultq_peek(vm, &records))
			assert_int_equal(poll(&wakeup, 1, -1), 1);
		record = records[0];
		faultq_consume(vm);
	} while (record.address < iova);
	return record;
}

static bool fault_waits(void)
{
	const struct faultq_record *records;

	return faultq_peek(vm, &records) > 0;
}

/* They come some time after the DMA, in order. There is one at least. */
static void assert_faults(uint64_t address, uint32_t perm, uint32_t reason)
{
	unsigned int count = 0;

	do {
		struct faultq_record record = next_fault();

		assert_int_equal(record.type, FAULTQ_UNRECOVERABLE);
		assert_true(record.flags & FAULTQ_RECORD_DEVICE);
		assert_int_equal(record.device, told.device);
		assert_true(record.flags & FAULTQ_RECORD_ADDRESS);
		assert_in_range(record.address, address, address + LENGTH - 1);
		assert_int_equal(record.perm & (FAULTQ_PERM_READ | FAULTQ_PERM_WRITE), perm);
		if (record.flags & FAULTQ_RECORD_REASON)
			assert_int_equal(record.reason, reason);
		count++;
	} while (fault_waits());
	assert_in_range(count, 1, LENGTH);
}

static void a_read_of_an_unmapped_iova_is_told(void **state)
{
	(void)state;
	needs_reports();
	edu_dma(&edu, EDU_READ, iova + 0x340, LENGTH);
	assert_faults(iova + 0x340, FAULTQ_PERM_READ, FAULTQ_REASON_NOT_MAPPED);
}

static void a_write_to_an_unmapped_iova_is_told(void **state)
{
	(void)state;
	needs_reports();
	edu_dma(&edu, EDU_WRITE, iova + 0x680, LENGTH);
	assert_faults(iova + 0x680, FAULTQ_PERM_WRITE, FAULTQ_REASON_NOT_MAPPED);
}

static void a_write_without_permission_is_told(void **state)
{
	(void)state;
	needs_reports();
	memset(memory, 7, PAGE);
	assert_int_equal(faultq_map(vm, iova, memory, PAGE, FAULTQ_MAP_READ), 0);
	edu_dma(&edu, EDU_READ, iova, LENGTH);
	edu_dma(&edu, EDU_WRITE, iova + 8, LENGTH);
	assert_faults(iova + 8, FAULTQ_PERM_WRITE, FAULTQ_REASON_PERMISSION);
}

static void what_is_mapped_faults_no_more(void **state)
{
	const uint64_t marker = iova + 4 * PAGE;
	struct faultq_record record;

	(void)state;
	needs_reports();
	edu_dma(&edu, EDU_READ, iova, LENGTH);
	assert_int_equal(next_fault().address & -PAGE, iova);
	memset(memory, 9, PAGE);
	assert_int_equal(faultq_map(vm, iova, memory, PAGE, FAULTQ_MAP_READ | FAULTQ_MAP_WRITE), 0);
	edu_dma(&edu, EDU_WRITE, iova, LENGTH);
	edu_dma(&edu, EDU_READ, marker, LENGTH);
	do {
		record = next_fault();
		if (record.address < marker)
			assert_int_equal(record.perm & FAULTQ_PERM_WRITE, 0);
	} while (record.address < marker);
}

/* The driver's thread may still tell of faults when the DMA that made them has ended. */
static uint64_t settled_lost(struct faultq_stats *stats)
{
	uint64_t lost;

	do {
		lost = faultq_header(vm)->lost;
		assert_int_equal(faultq_stats(vm, 0, stats), 0);
	} while (faultq_header(vm)->lost != lost);
	return lost;
}

/* Nobody reads: the guest's DMA cannot hold up anything, and the counters are exact. */
static void a_flood_is_counted(void **state)
{
	struct faultq_stats stats;
	uint64_t told_or_lost = 0, lost;

	(void)state;
	needs_reports();
	for (unsigned int i = 0; i < 20; i++) {
		edu_dma(&edu, EDU_READ, iova, EDU_DMA_MAX);
		assert_int_equal(faultq_stats(vm, 0, &stats), 0);
		assert_true(stats.unrecoverable + stats.lost >= told_or_lost);
		told_or_lost = stats.unrecoverable + stats.lost;
	}
	next_fault();
	lost = settled_lost(&stats);
	assert_int_equal(lost, stats.lost);
}

int main(void)
{
#define EDU_TEST(test) cmocka_unit_test_setup_teardown(test, open_edu, close_edu)
	const struct CMUnitTest tests[] = {
		EDU_TEST(a_read_of_an_unmapped_iova_is_told),
		EDU_TEST(a_write_to_an_unmapped_iova_is_told),
		EDU_TEST(a_write_without_permission_is_told),
		EDU_TEST(what_is_mapped_faults_no_more),
		EDU_TEST(a_flood_is_counted),
	};

	return tap_run_group(tests, find_edu, NULL);
}
