// SPDX-License-Identifier: GPL-2.0-only
/*
 * One address space, any number of devices: what is mapped before a device is attached it reaches
 * afterwards, devices of one IOMMU instance and of several see the same, and an attach that fails
 * changes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/map.h"
#include "support/tap.h"

#define IOVA	0x300000ull

static void detach(struct faultq *fq, uint32_t id)
{
	int held = -1;

	assert_int_equal(faultq_detach(fq, id, &held), 0);
	assert_int_equal(held, 0);
}

static uint32_t attached_devices(struct faultq *fq)
{
	struct faultq_stats stats;

	assert_int_equal(faultq_stats(fq, 0, &stats), 0);
	return stats.devices;
}

/* A device that is not attached reaches nothing at all. */
static void assert_out_of_reach(enum map_device device, uint64_t iova)
{
	uint8_t byte = 0;

	assert_int_not_equal(dma_read(device, iova, &byte, 1, 0), MOCK_IOMMU_DMA_DONE);
	assert_int_not_equal(dma_write(device, iova, &byte, 1), MOCK_IOMMU_DMA_DONE);
}

static void assert_reaches(enum map_device device, void *memory, uint64_t iova, size_t length)
{
	pattern_fill(memory, length, device);
	assert_device_reads(device, iova, length, device);
	assert_device_writes(device, iova, length, 100 + device);
	assert_pattern(memory, length, 100 + device);
}

static void mapped_before_attach(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(4 * PAGE);

	map(test->fq, IOVA, memory, 2 * PAGE, RW);
	map(test->fq, 0, memory + 2 * PAGE, PAGE, RW);
	map(test->fq, APERTURE - PAGE, memory + 3 * PAGE, PAGE, FAULTQ_MAP_READ);
	assert_mapped(test->fq, 4 * PAGE);
	map_attach(test->fq, MAP_FIRST);

	assert_reaches(MAP_FIRST, memory, IOVA, 2 * PAGE);
	assert_reaches(MAP_FIRST, memory + 2 * PAGE, 0, PAGE);
	assert_true(dma_reads(MAP_FIRST, APERTURE - PAGE));
	assert_false(dma_writes(MAP_FIRST, APERTURE - PAGE));
	assert_device_misses(MAP_FIRST, IOVA + 2 * PAGE);
	assert_mapped(test->fq, 4 * PAGE);
	memory_free(memory, 4 * PAGE);
}

static void unmapped_before_attach(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(3 * PAGE);

	for (int i = 0; i < 3; i++)
		map(test->fq, IOVA + i * PAGE, memory + i * PAGE, PAGE, RW);
	assert_int_equal(unmap(test->fq, IOVA + PAGE, PAGE), PAGE);
	map_attach(test->fq, MAP_FIRST);

	assert_true(dma_reads(MAP_FIRST, IOVA));
	assert_device_misses(MAP_FIRST, IOVA + PAGE);
	assert_true(dma_reads(MAP_FIRST, IOVA + 2 * PAGE));
	memory_free(memory, 3 * PAGE);
}

static void devices_share_the_address_space(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(2 * PAGE);

	map(test->fq, IOVA, memory, PAGE, RW);
	for (int device = 0; device < MAP_DEVICES; device++)
		map_attach(test->fq, device);
	map(test->fq, IOVA + PAGE, memory + PAGE, PAGE, RW);
	assert_mapped(test->fq, 2 * PAGE);

	for (int device = 0; device < MAP_DEVICES; device++)
		assert_reaches(device, memory, IOVA, 2 * PAGE);
	assert_int_equal(unmap(test->fq, IOVA, PAGE), PAGE);
	for (int device = 0; device < MAP_DEVICES; device++) {
		assert_device_misses(device, IOVA);
		assert_reaches(device, memory + PAGE, IOVA + PAGE, PAGE);
	}
	memory_free(memory, 2 * PAGE);
}

static void refused_map_reaches_no_device(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(3 * PAGE);

	memory_free(memory + 2 * PAGE, PAGE);
	for (int device = 0; device < MAP_DEVICES; device++)
		map_attach(test->fq, device);
	assert_int_equal(faultq_map(test->fq, APERTURE - PAGE, memory, 2 * PAGE, RW), -EINVAL);
	assert_int_equal(faultq_map(test->fq, IOVA, memory + PAGE, 2 * PAGE, RW), -EFAULT);
	for (int device = 0; device < MAP_DEVICES; device++) {
		assert_device_misses(device, APERTURE - PAGE);
		assert_device_misses(device, IOVA);
	}
	assert_nothing_mapped(test->fq);
	memory_free(memory, 2 * PAGE);
}

static void second_instance_gets_all_mappings(void **state)
{
	struct map_test *test = *state;
	size_t pages = 512;
	uint8_t *memory = memory_new(pages * PAGE);

	map_attach(test->fq, MAP_FIRST);
	for (size_t i = 0; i < pages; i++)
		map(test->fq, IOVA + 2 * i * PAGE, memory + i * PAGE, PAGE, RW);
	map_attach(test->fq, MAP_OTHER);
	for (size_t i = 0; i < pages; i++)
		assert_device_writes(MAP_OTHER, IOVA + 2 * i * PAGE, PAGE, i);
	for (size_t i = 0; i < pages; i++)
		assert_pattern(memory + i * PAGE, PAGE, i);
	assert_device_misses(MAP_OTHER, IOVA + PAGE);
	memory_free(memory, pages * PAGE);
}

static void detach_leaves_the_others_alone(void **state)
{
	struct map_test *test = *state;
	uint32_t ids[MAP_DEVICES];
	void *memory = memory_new(PAGE);

	map(test->fq, IOVA, memory, PAGE, RW);
	for (int device = 0; device < MAP_DEVICES; device++)
		ids[device] = map_attach(test->fq, device);
	for (int gone = 0; gone < MAP_DEVICES; gone++) {
		detach(test->fq, ids[gone]);
		for (int device = 0; device <= gone; device++)
			assert_out_of_reach(device, IOVA);
		for (int device = gone + 1; device < MAP_DEVICES; device++)
			assert_reaches(device, memory, IOVA, PAGE);
		assert_mapped(test->fq, PAGE);
	}
	memory_free(memory, PAGE);
}

static void device_comes_back(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(2 * PAGE);

	map(test->fq, IOVA, memory, PAGE, RW);
	for (int i = 0; i < 20; i++) {
		uint32_t id = map_attach(test->fq, MAP_FIRST);

		assert_reaches(MAP_FIRST, memory, IOVA, PAGE);
		assert_device_misses(MAP_FIRST, IOVA + PAGE);
		detach(test->fq, id);
		map(test->fq, IOVA + PAGE, memory + PAGE, PAGE, RW);
		assert_int_equal(unmap(test->fq, IOVA + PAGE, PAGE), PAGE);
	}
	memory_free(memory, 2 * PAGE);
}

static void close_takes_memory_and_device_apart(void **state)
{
	struct map_test *test = *state;
	struct faultq *fq;
	void *memory = memory_new(PAGE);

	assert_int_equal(faultq_open(&fq), 0);
	map_attach(fq, MAP_FIRST);
	map(fq, IOVA, memory, PAGE, RW);
	assert_true(dma_reads(MAP_FIRST, IOVA));
	faultq_close(fq);
	assert_out_of_reach(MAP_FIRST, IOVA);
	assert_int_equal(pinned_pages(), 0);
	map_attach(test->fq, MAP_FIRST);
	assert_device_misses(MAP_FIRST, IOVA);
	memory_free(memory, PAGE);
}

static void virtual_machines_do_not_see_each_other(void **state)
{
	struct map_test *test = *state;
	struct faultq *other;
	uint8_t *memory = memory_new(3 * PAGE);

	assert_int_equal(faultq_open(&other), 0);
	map_attach(test->fq, MAP_FIRST);
	map_attach(other, MAP_SIBLING);
	map(test->fq, IOVA, memory, PAGE, RW);
	map(other, IOVA, memory + PAGE, PAGE, RW);
	map(other, IOVA + PAGE, memory + 2 * PAGE, PAGE, RW);

	assert_reaches(MAP_FIRST, memory, IOVA, PAGE);
	assert_reaches(MAP_SIBLING, memory + PAGE, IOVA, 2 * PAGE);
	assert_pattern(memory, PAGE, 100 + MAP_FIRST);
	assert_device_misses(MAP_FIRST, IOVA + PAGE);
	assert_int_equal(unmap(other, 0, ~0ull), 2 * PAGE);
	assert_reaches(MAP_FIRST, memory, IOVA, PAGE);
	assert_int_equal(map_try_attach(other, MAP_FIRST), -EBUSY);
	faultq_close(other);
	memory_free(memory, 3 * PAGE);
}

/* The mock reaches less than what can be mapped while no IOMMU is there to say so. */
static void map_too_far(struct faultq *fq, uint8_t *memory)
{
	map(fq, IOVA, memory, PAGE, RW);
	map(fq, IOVA + 2 * PAGE, memory + PAGE, PAGE, RW);
	map(fq, APERTURE - PAGE, memory + 2 * PAGE, 2 * PAGE, RW);
}

static void attach_fails_when_a_mapping_does_not_fit(void **state)
{
	struct map_test *test = *state;
	uint8_t *memory = memory_new(4 * PAGE);

	map_too_far(test->fq, memory);
	for (int device = 0; device < MAP_DEVICES; device++) {
		assert_int_equal(map_try_attach(test->fq, device), -EINVAL);
		assert_int_equal(attached_devices(test->fq), 0);
		assert_out_of_reach(device, IOVA);
		assert_mapped(test->fq, 4 * PAGE);
	}
	assert_int_equal(unmap(test->fq, APERTURE - PAGE, 2 * PAGE), 2 * PAGE);
	map_attach(test->fq, MAP_FIRST);
	assert_reaches(MAP_FIRST, memory, IOVA, PAGE);
	assert_reaches(MAP_FIRST, memory + PAGE, IOVA + 2 * PAGE, PAGE);
	assert_device_misses(MAP_FIRST, APERTURE - PAGE);
	memory_free(memory, 4 * PAGE);
}

static void device_is_free_after_a_failed_attach(void **state)
{
	struct map_test *test = *state;
	struct faultq *other;
	uint8_t *memory = memory_new(4 * PAGE);

	map_too_far(test->fq, memory);
	assert_int_equal(map_try_attach(test->fq, MAP_FIRST), -EINVAL);
	assert_int_equal(faultq_open(&other), 0);
	map_attach(other, MAP_FIRST);
	map(other, IOVA, memory + 3 * PAGE, PAGE, RW);
	assert_reaches(MAP_FIRST, memory + 3 * PAGE, IOVA, PAGE);
	assert_int_equal(map_try_attach(test->fq, MAP_FIRST), -EBUSY);
	faultq_close(other);
	memory_free(memory, 4 * PAGE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, map_setup, map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mapped_before_attach),
		TEST(unmapped_before_attach),
		TEST(devices_share_the_address_space),
		TEST(refused_map_reaches_no_device),
		TEST(second_instance_gets_all_mappings),
		TEST(detach_leaves_the_others_alone),
		TEST(device_comes_back),
		TEST(close_takes_memory_and_device_apart),
		TEST(virtual_machines_do_not_see_each_other),
		TEST(attach_fails_when_a_mapping_does_not_fit),
		TEST(device_is_free_after_a_failed_attach),
	};

	return tap_run_group(tests, map_group_setup, map_group_teardown);
}
