// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scratch page that takes the place of MMIO: whatever a device changes in it is found when the
 * MMIO comes back, and nothing of anybody else is ever in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/mmio.h"
#include "support/space.h"
#include "support/tap.h"

#define IOVA		0x200000ull
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define INSTANCE	"scratch"
#define FEW		64	/* entries of the smallest ring */

static struct pci ivshmem;
static struct device device, neighbour;
static struct bar bar;
static struct faultq *vm, *other;
static uint64_t id;

static int make_devices(void **state)
{
	(void)state;
	bar_find(&ivshmem);
	instance_make(INSTANCE, 0);
	device_make(&device, INSTANCE, "d", "mode=none");
	device_make(&neighbour, INSTANCE, "n", "mode=none");
	srand(test_seed());
	return 0;
}

static int remove_devices(void **state)
{
	(void)state;
	device_remove(&neighbour);
	device_remove(&device);
	instance_remove(INSTANCE);
	vfio_unbind(&ivshmem);
	vfio_unload();
	return 0;
}

static uint64_t map_scratch(struct faultq *fq, uint32_t flags)
{
	uint64_t mapping;

	assert_int_equal(faultq_map_mmio(fq, IOVA, bar.memory, BAR_SIZE,
					 RW | FAULTQ_MAP_SCRATCH | flags, &mapping), 0);
	return mapping;
}

static int open_all(void **state)
{
	(void)state;
	bar_open(&bar, &ivshmem);
	vm = vm_open(8, 256, 0);
	vm_attach(vm, &device);
	other = vm_open(8, 256, 0);
	vm_attach(other, &neighbour);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	faultq_close(other);
	faultq_close(vm);
	bar_close(&bar);
	return 0;
}

/* It comes from a work item, soon. */
static void await_scratch(struct faultq *fq)
{
	while (!(mmio_entry(fq, IOVA).state & FAULTQ_MAPPING_SCRATCH))
		usleep(200);
}

static void take_away(void)
{
	bar_decode(&bar, false);
	await_scratch(vm);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_CLEARED);
}

/* Returns whether a device wrote meanwhile. */
static bool bring_back(void)
{
	struct faultq_restore restore;

	bar_decode(&bar, true);
	assert_int_equal(faultq_mmio_restore(vm, id, &restore), 0);
	assert_int_equal(restore.restored, BAR_SIZE);
	return restore.written;
}

static uint64_t peek(const struct device *of, uint64_t iova)
{
	uint64_t value = 0;

	assert_int_equal(device_reaches(of, MOCK_IOMMU_READ, iova, &value), MOCK_IOMMU_ACCESS_DONE);
	return value;
}

static void it_takes_the_place_and_goes(void **state)
{
	uint64_t value = 0;

	(void)state;
	id = map_scratch(vm, 0);
	assert_int_equal(mmio_entry(vm, IOVA).state, 0);
	take_away();
	assert_int_equal(mmio_entry(vm, IOVA).state,
			 FAULTQ_MAPPING_REVOKED | FAULTQ_MAPPING_SCRATCH);
	/* one page, repeated */
	for (uint64_t offset = PAGE; offset < BAR_SIZE; offset += PAGE)
		assert_int_equal(peek(&device, IOVA + offset), peek(&device, IOVA));
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -ENXIO);
	assert_int_equal(peek(&device, IOVA), peek(&device, IOVA + PAGE));
	assert_false(bring_back());
	assert_int_equal(device_reaches(&device, MOCK_IOMMU_READ, IOVA, &value),
			 MOCK_IOMMU_ACCESS_NO_MEMORY);
	take_away();
	assert_int_equal(faultq_unmap(vm, IOVA, BAR_SIZE, NULL), 0);
	assert_int_equal(device_reaches(&device, MOCK_IOMMU_READ, IOVA, &value),
			 MOCK_IOMMU_ACCESS_MISS);
}

static void permissions_hold_for_it(void **state)
{
	uint64_t value = 1;

	(void)state;
	assert_int_equal(faultq_map_mmio(vm, IOVA, bar.memory, BAR_SIZE,
					 FAULTQ_MAP_READ | FAULTQ_MAP_SCRATCH, &id), 0);
	take_away();
	assert_int_equal(device_reaches(&device, MOCK_IOMMU_WRITE, IOVA, &value),
			 MOCK_IOMMU_ACCESS_DENIED);
	peek(&device, IOVA);
	assert_false(bring_back());
}

/* Writes through the engine, of any length, anywhere, and changes one bit. */
static void write_something(void)
{
	size_t length = 1 + rand() % 64, at = rand() % (PAGE - length);
	uint64_t iova = IOVA + rand() % (BAR_SIZE / PAGE) * PAGE + at;
	uint8_t data[64];

	assert_int_equal(dma_wait(&device, dma_start(&device, MOCK_IOMMU_READ, iova, NULL, length),
				  data).status, MOCK_IOMMU_DMA_DONE);
	data[rand() % length] ^= 1 << rand() % 8;
	assert_int_equal(dma_wait(&device, dma_start(&device, MOCK_IOMMU_WRITE, iova, data, length),
				  NULL).status, MOCK_IOMMU_DMA_DONE);
}

static void every_change_is_found(void **state)
{
	unsigned long written = 0, rounds = scaled(300, 20000);

	(void)state;
	id = map_scratch(vm, 0);
	for (unsigned long i = 0; i < rounds; i++) {
		bool writes = i % 2;

		take_away();
		if (writes)
			write_something();
		assert_int_equal(bring_back(), writes);
		written += writes;
	}
	assert_int_equal(written, rounds / 2);
}

/* It is told once, by whichever call brings it back. */
static void a_retry_tells_of_it(void **state)
{
	struct faultq_record record;
	struct faultq_restore restore;

	(void)state;
	id = map_scratch(vm, FAULTQ_MAP_RETRY);
	for (unsigned int i = 0; i < 4; i++) {
		take_away();
		if (i % 2)
			write_something();
		bar_decode(&bar, true);
		record = mmio_await_restored(vm, IOVA);
		assert_int_equal(record.count, i % 2);
		assert_int_equal(faultq_mmio_restore(vm, id, &restore), 0);
		assert_int_equal(restore.restored, 0);
		assert_int_equal(restore.written, 0);
	}
}

/* Two extents side by side, of the same BAR. */
static void map_twice(uint8_t *memory)
{
	must(bar_map(&bar, memory) == memory);
	must(bar_map(&bar, memory + BAR_SIZE) == memory + BAR_SIZE);
	assert_int_equal(faultq_map_mmio(vm, IOVA, memory, 2 * BAR_SIZE,
					 RW | FAULTQ_MAP_SCRATCH | FAULTQ_MAP_RETRY, &id), 0);
}

static void await_state(uint64_t iova, uint32_t bits)
{
	while (mmio_entry(vm, iova).state != bits)
		usleep(200);
}

/* So many that the next event waits for room, as nobody takes them. */
static void fill_the_events(void)
{
	for (unsigned int i = 0; i < FEW / 4; i += 4) {
		bar_decode(&bar, false);
		await_state(IOVA, FAULTQ_MAPPING_REVOKED | FAULTQ_MAPPING_SCRATCH);
		await_state(IOVA + BAR_SIZE, FAULTQ_MAPPING_REVOKED | FAULTQ_MAPPING_SCRATCH);
		bar_decode(&bar, true);
		await_state(IOVA, 0);
		await_state(IOVA + BAR_SIZE, 0);
	}
}

/* What a call cannot tell, because another extent fails, is told by the event that waits. */
static void a_restore_that_fails_keeps_what_was_written(void **state)
{
	uint8_t *memory = mmap(NULL, 2 * BAR_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	faultq_close(vm);
	vm = vm_open(8, FEW, 0);
	vm_attach(vm, &device);
	map_twice(memory);
	fill_the_events();
	bar_replace(memory + BAR_SIZE);
	bar_decode(&bar, false);
	await_state(IOVA, FAULTQ_MAPPING_REVOKED | FAULTQ_MAPPING_SCRATCH);
	write_something();
	bar_decode(&bar, true);
	await_state(IOVA, 0);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
	assert_int_equal(mmio_await_restored(vm, IOVA).count, 1);
	munmap(memory, 2 * BAR_SIZE);
}

static void nothing_of_another_vm_is_in_it(void **state)
{
	const uint64_t secret = 0x5ec2e75ec2e7ull;
	uint64_t before = 0, theirs;

	(void)state;
	id = map_scratch(vm, 0);
	theirs = map_scratch(other, 0);
	for (unsigned long i = 0; i < scaled(50, 2000); i++) {
		uint8_t page[PAGE];
		uint64_t value = secret;

		take_away();
		await_scratch(other);
		mmio_assert_revoked(other, theirs, FAULTQ_REVOKED_CLEARED);
		assert_int_equal(dma_wait(&device, dma_start(&device, MOCK_IOMMU_READ, IOVA, NULL,
							     PAGE), page).status,
				 MOCK_IOMMU_DMA_DONE);
		assert_null(memmem(page, PAGE, &secret, sizeof(secret)));
		/* nor of an earlier time */
		assert_memory_not_equal(page, &before, sizeof(before));
		memcpy(&before, page, sizeof(before));
		assert_int_not_equal(peek(&neighbour, IOVA), before);
		for (size_t at = 0; at < BAR_SIZE; at += PAGE)
			assert_int_equal(device_reaches(&neighbour, MOCK_IOMMU_WRITE, IOVA + at,
							&value), MOCK_IOMMU_ACCESS_DONE);
		assert_int_equal(peek(&device, IOVA), before);
		assert_false(bring_back());
		assert_int_equal(faultq_mmio_restore(other, theirs, NULL), 0);
	}
}

/* As much as a VM may have, by mapping the same BAR again and again. */
static void it_is_bounded(void **state)
{
	const uint64_t all = (1ull << 30) / BAR_WHOLE;
	uint8_t *whole = bar_map_whole(&bar);
	uint64_t unmapped;

	(void)state;
	for (uint64_t i = 0; i < all; i++)
		assert_int_equal(faultq_map_mmio(vm, IOVA + i * BAR_WHOLE, whole, BAR_WHOLE,
						 RW | FAULTQ_MAP_SCRATCH, NULL), 0);
	assert_int_equal(faultq_map_mmio(vm, IOVA + all * BAR_WHOLE, whole, PAGE,
					 RW | FAULTQ_MAP_SCRATCH, NULL), -ENOSPC);
	assert_int_equal(faultq_map_mmio(vm, IOVA + all * BAR_WHOLE, whole, PAGE, RW, NULL), 0);
	assert_int_equal(faultq_unmap(vm, 0, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, all * BAR_WHOLE + PAGE);
	map_scratch(vm, 0);
	munmap(whole, BAR_WHOLE);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_takes_the_place_and_goes),
		TEST(permissions_hold_for_it),
		TEST(every_change_is_found),
		TEST(a_retry_tells_of_it),
		TEST(a_restore_that_fails_keeps_what_was_written),
		TEST(nothing_of_another_vm_is_in_it),
		TEST(it_is_bounded),
	};

	return tap_run_group(tests, make_devices, remove_devices);
}
