// SPDX-License-Identifier: GPL-2.0-only
/*
 * UNMAP: what it takes away and what it says about it, and that no device reaches the memory any
 * more when it has returned, also when devices are at it all the time. The mock's IOTLB keeps what
 * it is not told to forget.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "support/map.h"
#include "support/tap.h"

#define IOVA	0x40000000ull

/* Mappings of the lengths given, each followed by a hole of a page; 0 ends the list. */
static void map_row(struct faultq *fq, uint8_t *memory, const unsigned int *pages)
{
	uint64_t offset = 0;

	for (; *pages; pages++) {
		map(fq, IOVA + offset, memory + offset, *pages * PAGE, RW);
		offset += (*pages + 1) * PAGE;
	}
}

static void exact_range(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(8 * PAGE);

	map_row(test->fq, memory, (unsigned int[]){ 1, 2, 3, 0 });
	assert_int_equal(unmap(test->fq, IOVA + 2 * PAGE, 2 * PAGE), 2 * PAGE);
	assert_mapped(test->fq, 4 * PAGE);
	assert_device_misses(MAP_FIRST, IOVA + 2 * PAGE);
	assert_device_misses(MAP_FIRST, IOVA + 3 * PAGE);
	assert_device_writes(MAP_FIRST, IOVA, PAGE, 1);
	assert_device_writes(MAP_FIRST, IOVA + 5 * PAGE, 3 * PAGE, 2);
	assert_pattern(memory, PAGE, 1);
	assert_pattern(memory + 5 * PAGE, 3 * PAGE, 2);
	memory_free(memory, 8 * PAGE);
}

static void several_mappings_and_holes(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(16 * PAGE);

	map_row(test->fq, memory, (unsigned int[]){ 1, 2, 1, 3, 2, 0 });
	/* from the hole behind the first to the hole before the last */
	assert_int_equal(unmap(test->fq, IOVA + PAGE, 10 * PAGE), 6 * PAGE);
	assert_mapped(test->fq, 3 * PAGE);
	assert_true(dma_reads(MAP_FIRST, IOVA));
	for (int page = 1; page < 11; page++)
		assert_device_misses(MAP_FIRST, IOVA + page * PAGE);
	assert_true(dma_reads(MAP_FIRST, IOVA + 11 * PAGE));
	memory_free(memory, 16 * PAGE);
}

static void empty_range_gives_zero(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(PAGE);

	assert_int_equal(unmap(test->fq, 0, ~0ull), 0);
	assert_int_equal(unmap(test->fq, IOVA, PAGE), 0);
	map(test->fq, IOVA, memory, PAGE, RW);
	assert_int_equal(unmap(test->fq, 0, IOVA), 0);
	assert_int_equal(unmap(test->fq, IOVA + PAGE, -IOVA - PAGE), 0);
	assert_mapped(test->fq, PAGE);
	assert_int_equal(unmap(test->fq, IOVA, PAGE), PAGE);
	assert_int_equal(unmap(test->fq, IOVA, PAGE), 0);
	assert_nothing_mapped(test->fq);
	memory_free(memory, PAGE);
}

static void everything(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(4 * PAGE);
	static const uint64_t iovas[] = { 0, PAGE, 1ull << 32, APERTURE - PAGE };

	for (int i = 0; i < 4; i++)
		map(test->fq, iovas[i], memory + i * PAGE, PAGE, RW);
	assert_mapped(test->fq, 4 * PAGE);
	assert_int_equal(unmap(test->fq, 0, ~0ull), 4 * PAGE);
	assert_nothing_mapped(test->fq);
	for (int i = 0; i < 4; i++)
		assert_device_misses(MAP_FIRST, iovas[i]);
	memory_free(memory, 4 * PAGE);
}

static void last_page_of_all_addresses(void **state)
{
	struct map_test *test = *state;
	void *memory = memory_new(PAGE);

	map(test->fq, -PAGE, memory, PAGE, RW);
	assert_int_equal(unmap(test->fq, -PAGE, PAGE), PAGE);
	map(test->fq, -PAGE, memory, PAGE, RW);
	assert_int_equal(unmap(test->fq, PAGE, -PAGE), PAGE);
	map(test->fq, -PAGE, memory, PAGE, RW);
	assert_int_equal(unmap(test->fq, 0, ~0ull), PAGE);
	assert_nothing_mapped(test->fq);
	memory_free(memory, PAGE);
}

static void cut_removes_nothing(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(16 * PAGE);
	uint64_t unmapped;

	/* pages 0-3, 5-8, 10-13 */
	map_row(test->fq, memory, (unsigned int[]){ 4, 4, 4, 0 });
	for (uint64_t first = 0; first < 14; first++) {
		for (uint64_t last = first; last < 14; last++) {
			if (first % 5 % 4 == 0 && last % 5 >= 3)
				continue;
			assert_int_equal(faultq_unmap(test->fq, IOVA + first * PAGE,
						      (last - first + 1) * PAGE, &unmapped),
					 -EINVAL);
			assert_int_equal(mapped_bytes(test->fq), 12 * PAGE);
		}
	}
	for (int i = 0; i < 3; i++)
		assert_device_writes(MAP_FIRST, IOVA + i * 5 * PAGE, 4 * PAGE, i);
	for (int i = 0; i < 3; i++)
		assert_pattern(memory + i * 5 * PAGE, 4 * PAGE, i);
	assert_mapped(test->fq, 12 * PAGE);
	memory_free(memory, 16 * PAGE);
}

static void cut_of_a_huge_mapping_removes_nothing(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(4 * MIB);
	uint64_t unmapped;

	map(test->fq, IOVA, memory, 4 * MIB, RW);
	assert_int_equal(faultq_unmap(test->fq, IOVA, 2 * MIB, &unmapped), -EINVAL);
	assert_int_equal(faultq_unmap(test->fq, IOVA + 2 * MIB, 2 * MIB, &unmapped), -EINVAL);
	assert_int_equal(faultq_unmap(test->fq, IOVA + MIB, PAGE, &unmapped), -EINVAL);
	assert_device_writes(MAP_FIRST, IOVA, 4 * MIB, 3);
	assert_pattern(memory, 4 * MIB, 3);
	assert_int_equal(unmap(test->fq, IOVA, 4 * MIB), 4 * MIB);
	memory_free(memory, 4 * MIB);
}

/* Whatever the IOTLB knows of a range, it has to forget. */
static void assert_forgotten(const struct map_test *test, size_t length)
{
	uint8_t *memory = memory_new(length), *second = memory_new(length);
	size_t step = length > 100 * PAGE ? 5 * PAGE : PAGE;

	assert_device_misses(MAP_FIRST, IOVA + length - PAGE);
	map(test->fq, IOVA, memory, length, RW);
	for (int device = 0; device < MAP_DEVICES; device++)
		assert_device_writes(device, IOVA, length, 4);
	assert_int_equal(unmap(test->fq, IOVA, length), length);
	for (int device = 0; device < MAP_DEVICES; device++)
		for (size_t offset = 0; offset < length; offset += step)
			assert_device_misses(device, IOVA + offset);

	map(test->fq, IOVA, second, length, RW);
	for (int device = 0; device < MAP_DEVICES; device++) {
		assert_device_writes(device, IOVA, length, 5 + device);
		assert_pattern(second, length, 5 + device);
	}
	assert_int_equal(unmap(test->fq, IOVA, length), length);
	assert_pattern(memory, length, 4);
	memory_free(memory, length);
	memory_free(second, length);
}

static void no_device_reaches_what_was_unmapped(void **state)
{
	struct map_test *test = *state;

	map_attach(test->fq, MAP_SIBLING);
	map_attach(test->fq, MAP_OTHER);
	assert_forgotten(test, PAGE);
	assert_forgotten(test, 3 * PAGE);
	assert_forgotten(test, 100 * PAGE);
	assert_forgotten(test, HUGE_PAGE);
}

static void all_mappings_are_flushed_by_one_call(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(256 * PAGE);

	for (int i = 0; i < 256; i++)
		map(test->fq, IOVA + i * HUGE_PAGE, memory + i * PAGE, PAGE, RW);
	for (int i = 0; i < 256; i++)
		assert_true(dma_writes(MAP_FIRST, IOVA + i * HUGE_PAGE));
	assert_int_equal(unmap(test->fq, IOVA, 256 * HUGE_PAGE), 256 * PAGE);
	for (int i = 0; i < 256; i++)
		assert_device_misses(MAP_FIRST, IOVA + i * HUGE_PAGE);
	memory_free(memory, 256 * PAGE);
}

/*
 * Threads let their devices write one page without a break. @epoch is odd from before the MAP to
 * after the UNMAP: a DMA that began and ended in the same even epoch must have missed.
 */
struct hammer {
	atomic_uint epoch;
	atomic_bool stop;
	atomic_uint late;	/* DMAs that hit when they must not */
	atomic_uint errors;	/* DMAs that ended in another way */
	pthread_mutex_t mutex;	/* guards @dmas, @hits */
	pthread_cond_t moved;
	unsigned long dmas[MAP_DEVICES];
	unsigned long hits[MAP_DEVICES];
};

struct hammer_thread {
	struct hammer *hammer;
	enum map_device device;
	pthread_t thread;
};

#define DEVICE_BYTE	0xdd
#define OWN_BYTE	0x11

static void hammer_count(struct hammer *hammer, enum map_device device, bool hit)
{
	pthread_mutex_lock(&hammer->mutex);
	hammer->dmas[device]++;
	hammer->hits[device] += hit;
	pthread_cond_broadcast(&hammer->moved);
	pthread_mutex_unlock(&hammer->mutex);
}

static void *hammer_run(void *data)
{
	struct hammer_thread *self = data;
	struct hammer *hammer = self->hammer;
	uint8_t bytes[64];

	memset(bytes, DEVICE_BYTE, sizeof(bytes));
	while (!atomic_load(&hammer->stop)) {
		unsigned int before = atomic_load(&hammer->epoch);
		int status = dma_write(self->device, IOVA, bytes, sizeof(bytes));
		bool hit = status == MOCK_IOMMU_DMA_DONE;

		if (!hit && status != MOCK_IOMMU_DMA_FAULT)
			atomic_fetch_add(&hammer->errors, 1);
		if (hit && !(before & 1) && atomic_load(&hammer->epoch) == before)
			atomic_fetch_add(&hammer->late, 1);
		hammer_count(hammer, self->device, hit);
	}
	return NULL;
}

/* Wait until every device did two more DMAs, of which, if so wanted, one moved data. */
static void hammer_wait(struct hammer *hammer, bool hit)
{
	unsigned long *counts = hit ? hammer->hits : hammer->dmas;

	pthread_mutex_lock(&hammer->mutex);
	for (int i = 0; i < MAP_DEVICES; i++) {
		unsigned long want = counts[i] + 2;

		while (counts[i] < want)
			pthread_cond_wait(&hammer->moved, &hammer->mutex);
	}
	pthread_mutex_unlock(&hammer->mutex);
}

/* Returns whether the page kept what the process wrote after the UNMAP. */
static bool hammer_round(struct faultq *fq, struct hammer *hammer, uint8_t *memory)
{
	uint64_t unmapped = 0;
	bool untouched = true;

	atomic_fetch_add(&hammer->epoch, 1);
	if (faultq_map(fq, IOVA, memory, PAGE, RW))
		return false;
	hammer_wait(hammer, true);
	if (faultq_unmap(fq, IOVA, PAGE, &unmapped) || unmapped != PAGE)
		return false;
	memset(memory, OWN_BYTE, PAGE);
	atomic_fetch_add(&hammer->epoch, 1);
	hammer_wait(hammer, false);
	for (size_t i = 0; i < PAGE; i++)
		untouched &= memory[i] == OWN_BYTE;
	return untouched;
}

static void devices_hammer_while_it_is_unmapped(void **state)
{
	struct map_test *test = *state;
	struct hammer hammer = {
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.moved = PTHREAD_COND_INITIALIZER,
	};
	struct hammer_thread threads[MAP_DEVICES];
	unsigned long rounds = scaled(100, 5000), i = 0;
	uint8_t *memory = memory_new(PAGE);

	map_attach(test->fq, MAP_SIBLING);
	map_attach(test->fq, MAP_OTHER);
	for (int device = 0; device < MAP_DEVICES; device++) {
		threads[device].hammer = &hammer;
		threads[device].device = device;
		assert_int_equal(pthread_create(&threads[device].thread, NULL, hammer_run,
						&threads[device]),
				 0);
	}
	while (i < rounds && hammer_round(test->fq, &hammer, memory))
		i++;
	atomic_store(&hammer.stop, true);
	for (int device = 0; device < MAP_DEVICES; device++)
		pthread_join(threads[device].thread, NULL);

	assert_int_equal(i, rounds);
	assert_int_equal(hammer.late, 0);
	assert_int_equal(hammer.errors, 0);
	assert_nothing_mapped(test->fq);
	memory_free(memory, PAGE);
}

static void *write_for_long(void *data)
{
	int *status = data;
	uint8_t *bytes = malloc(MIB);

	memset(bytes, DEVICE_BYTE, MIB);
	*status = dma_write(MAP_FIRST, IOVA, bytes, MIB);
	free(bytes);
	return NULL;
}

/* Returns how the DMA ended. */
static int unmap_under_a_long_dma(const struct map_test *test, volatile uint8_t *memory)
{
	pthread_t thread;
	int status = -1;

	memset((void *)memory, OWN_BYTE, MIB);
	map(test->fq, IOVA, (void *)memory, MIB, RW);
	assert_int_equal(pthread_create(&thread, NULL, write_for_long, &status), 0);
	while (memory[0] == OWN_BYTE)
		sched_yield();
	assert_int_equal(unmap(test->fq, IOVA, MIB), MIB);
	memset((void *)memory, OWN_BYTE, MIB);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < MIB; i++)
		if (memory[i] != OWN_BYTE)
			fail_msg("the device wrote byte %zu after UNMAP had returned", i);
	return status;
}

static void long_dma_ends_where_it_was_unmapped(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(MIB);

	for (unsigned long i = scaled(20, 2000); i; i--) {
		int status = unmap_under_a_long_dma(test, memory);

		assert_true(status == MOCK_IOMMU_DMA_DONE || status == MOCK_IOMMU_DMA_FAULT);
	}
	memory_free(memory, MIB);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, map_setup_attached, map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exact_range),
		TEST(several_mappings_and_holes),
		TEST(empty_range_gives_zero),
		TEST(everything),
		cmocka_unit_test_setup_teardown(last_page_of_all_addresses, map_setup,
						map_teardown),
		TEST(cut_removes_nothing),
		TEST(cut_of_a_huge_mapping_removes_nothing),
		TEST(no_device_reaches_what_was_unmapped),
		TEST(all_mappings_are_flushed_by_one_call),
		TEST(devices_hammer_while_it_is_unmapped),
		TEST(long_dma_ends_where_it_was_unmapped),
	};

	return tap_run_group(tests, map_group_setup, map_group_teardown);
}
