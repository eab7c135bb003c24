// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests of MAP and UNMAP share; see map.h. The devices belong to the group of tests and
 * never change while a test runs, so that threads may use them. A failed assertion ends the test
 * that calls.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map.h"
#include "tap.h"

/* The devices, in configfs and in this process. */
static const struct {
	const char *instance;
	const char *name;
} configs[MAP_DEVICES] = {
	[MAP_FIRST]	= { "map0", "first" },
	[MAP_SIBLING]	= { "map0", "sibling" },
	[MAP_OTHER]	= { "map1", "other" },
};

static int devices[MAP_DEVICES];

/**
 * map_group_setup() - make the devices
 * @state: of cmocka, not used
 *
 * Return: 0.
 */
int map_group_setup(void **state)
{
	(void)state;
	assert_int_equal(mock_instance_create("map0", 0), 0);
	assert_int_equal(mock_instance_create("map1", 0), 0);
	for (int i = 0; i < MAP_DEVICES; i++) {
		const char *instance = configs[i].instance, *name = configs[i].name;

		assert_int_equal(mock_device_create(instance, name, "mode=none"), 0);
		devices[i] = mock_open(instance, name);
		assert_true(devices[i] >= 0);
	}
	return 0;
}

/**
 * map_group_teardown() - remove the devices
 * @state: of cmocka, not used
 *
 * Return: 0.
 */
int map_group_teardown(void **state)
{
	(void)state;
	for (int i = 0; i < MAP_DEVICES; i++) {
		close(devices[i]);
		assert_int_equal(mock_device_destroy(configs[i].instance, configs[i].name), 0);
	}
	assert_int_equal(mock_instance_destroy("map0"), 0);
	assert_int_equal(mock_instance_destroy("map1"), 0);
	return 0;
}

/**
 * map_setup() - make a VM
 * @state: of cmocka, gets a struct map_test
 *
 * Return: 0.
 */
int map_setup(void **state)
{
	struct map_test *test = calloc(1, sizeof(*test));

	assert_non_null(test);
	assert_int_equal(faultq_open(&test->fq), 0);
	assert_int_equal(pinned_pages(), 0);
	*state = test;
	return 0;
}

/**
 * map_setup_attached() - make a VM and attach the device MAP_FIRST
 * @state: of cmocka, gets a struct map_test
 *
 * Return: 0.
 */
int map_setup_attached(void **state)
{
	struct map_test *test;

	map_setup(state);
	test = *state;
	test->id = map_attach(test->fq, MAP_FIRST);
	return 0;
}

/**
 * map_teardown() - close the VM, whatever is mapped, and see that it is unpinned
 * @state: of cmocka
 *
 * Return: 0.
 */
int map_teardown(void **state)
{
	struct map_test *test = *state;

	faultq_close(test->fq);
	free(test);
	assert_int_equal(pinned_pages(), 0);
	return 0;
}

/**
 * map_try_attach() - attach a device, which may fail
 * @fq: the VM
 * @device: which one
 *
 * Return: the id, or a negative errno.
 */
int map_try_attach(struct faultq *fq, enum map_device device)
{
	struct faultq_attach attach;
	char name[FAULTQ_NAME_SIZE];
	int ret;

	snprintf(name, sizeof(name), "platform/mock-%s-%s", configs[device].instance,
		 configs[device].name);
	ret = faultq_attach(fq, name, &attach);
	return ret ? ret : (int)attach.device;
}

/**
 * map_attach() - attach a device
 * @fq: the VM
 * @device: which one
 *
 * Return: the id.
 */
uint32_t map_attach(struct faultq *fq, enum map_device device)
{
	int id = map_try_attach(fq, device);

	assert_true(id > 0);
	return id;
}

/**
 * memory_of() - memory of a file, or other than what memory_new() gives
 * @fd: the file, or -1
 * @length: bytes
 * @prot: as for mmap()
 * @flags: as for mmap()
 *
 * Return: its address.
 */
void *memory_of(int fd, size_t length, int prot, int flags)
{
	void *memory = mmap(NULL, length, prot, flags, fd, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/**
 * memory_new() - private, anonymous memory
 * @length: bytes
 *
 * Return: its address.
 */
void *memory_new(size_t length)
{
	return memory_of(-1, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
}

/**
 * memory_fd() - a file in memory
 * @length: bytes
 *
 * Return: its file descriptor.
 */
int memory_fd(size_t length)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, length), 0);
	return fd;
}

/**
 * memory_free() - unmap memory of the test
 * @memory: its address
 * @length: bytes
 */
void memory_free(void *memory, size_t length)
{
	assert_int_equal(munmap(memory, length), 0);
}

/* A different value in every word, and with every seed. */
static uint64_t pattern(uint64_t seed, size_t word)
{
	return (seed * 0x9e3779b97f4a7c15ull) ^ (word * 0xc2b2ae3d27d4eb4full);
}

/**
 * pattern_fill() - fill memory with what assert_pattern() expects
 * @memory: page-aligned
 * @length: bytes, a multiple of 8
 * @seed: patterns of different seeds differ in every word
 */
void pattern_fill(void *memory, size_t length, uint64_t seed)
{
	uint64_t *words = memory;

	for (size_t i = 0; i < length / sizeof(*words); i++)
		words[i] = pattern(seed, i);
}

/**
 * assert_pattern() - look whether memory holds a pattern
 * @memory: page-aligned
 * @length: bytes, a multiple of 8
 * @seed: as for pattern_fill()
 */
void assert_pattern(const void *memory, size_t length, uint64_t seed)
{
	const uint64_t *words = memory;

	for (size_t i = 0; i < length / sizeof(*words); i++)
		if (words[i] != pattern(seed, i))
			fail_msg("byte %zu of %zu is not that of pattern %llu", i * sizeof(*words),
				 length, (unsigned long long)seed);
}

/**
 * mapped_bytes() - what STATS says about it
 * @fq: the VM
 *
 * Return: bytes.
 */
uint64_t mapped_bytes(struct faultq *fq)
{
	struct faultq_stats stats;

	assert_int_equal(faultq_stats(fq, 0, &stats), 0);
	assert_int_equal(stats.pinned_pages, stats.mapped_bytes / PAGE);
	return stats.mapped_bytes;
}

/**
 * pinned_pages() - what is charged to this process
 *
 * Return: VmPin of /proc/self/status, in pages.
 */
unsigned long pinned_pages(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long kib = 0;
	char line[128];
	bool found = false;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "VmPin: %lu kB", &kib) == 1;
	fclose(file);
	assert_true(found);
	return kib * 1024 / PAGE;
}

/**
 * assert_mapped() - STATS and the charge of this process agree on what is mapped
 * @fq: the VM, all of whose mappings this process made; it made no others
 * @bytes: what is mapped
 */
void assert_mapped(struct faultq *fq, uint64_t bytes)
{
	assert_int_equal(mapped_bytes(fq), bytes);
	assert_int_equal(pinned_pages(), bytes / PAGE);
}

/**
 * assert_nothing_mapped() - nothing is mapped, pinned, or charged
 * @fq: the VM
 */
void assert_nothing_mapped(struct faultq *fq)
{
	assert_mapped(fq, 0);
}

/**
 * map() - MAP, which must not fail
 * @fq: the VM
 * @iova: as for faultq_map()
 * @memory: as for faultq_map()
 * @length: as for faultq_map()
 * @perm: as for faultq_map()
 */
void map(struct faultq *fq, uint64_t iova, void *memory, uint64_t length, uint32_t perm)
{
	int ret = faultq_map(fq, iova, memory, length, perm);

	if (ret)
		fail_msg("MAP of %#llx bytes at %#llx: %s", (unsigned long long)length,
			 (unsigned long long)iova, strerror(-ret));
}

/**
 * unmap() - UNMAP, which must not fail
 * @fq: the VM
 * @iova: as for faultq_unmap()
 * @length: as for faultq_unmap()
 *
 * Return: bytes that were unmapped.
 */
uint64_t unmap(struct faultq *fq, uint64_t iova, uint64_t length)
{
	uint64_t unmapped = ~0ull;

	assert_int_equal(faultq_unmap(fq, iova, length, &unmapped), 0);
	return unmapped;
}

/**
 * dma_write() - let a device write
 * @device: which one
 * @iova: where
 * @data: what
 * @length: bytes
 *
 * Return: enum mock_iommu_dma_status.
 */
int dma_write(enum map_device device, uint64_t iova, const void *data, size_t length)
{
	return mock_dma_write(devices[device], iova, data, length, NULL);
}

/**
 * dma_read() - let a device read
 * @device: which one
 * @iova: where
 * @data: where it goes what the device read
 * @length: bytes
 * @exec: MOCK_IOMMU_EXEC: the device wants to execute it; else 0
 *
 * Return: enum mock_iommu_dma_status.
 */
int dma_read(enum map_device device, uint64_t iova, void *data, size_t length, uint32_t exec)
{
	int tag = mock_dma_start(devices[device], MOCK_IOMMU_READ | exec, 0, iova, NULL, length);

	return tag < 0 ? tag : mock_dma_wait(devices[device], tag, 0, data, NULL);
}

/* Whether a DMA moved data; that it did not must have one reason only. */
static bool moved(int status)
{
	if (status != MOCK_IOMMU_DMA_DONE)
		assert_int_equal(status, MOCK_IOMMU_DMA_FAULT);
	return status == MOCK_IOMMU_DMA_DONE;
}

/**
 * dma_reads() - can a device read
 * @device: which one
 * @iova: where
 *
 * Return: whether it got data; else there was an unrecoverable fault.
 */
bool dma_reads(enum map_device device, uint64_t iova)
{
	uint8_t byte;

	return moved(dma_read(device, iova, &byte, 1, 0));
}

/**
 * dma_writes() - can a device write; it writes a zero
 * @device: which one
 * @iova: where
 *
 * Return: whether it wrote; else there was an unrecoverable fault.
 */
bool dma_writes(enum map_device device, uint64_t iova)
{
	uint8_t byte = 0;

	return moved(dma_write(device, iova, &byte, 1));
}

/* How much of a range one DMA takes. */
static size_t dma_part(size_t length)
{
	return length < MOCK_IOMMU_DMA_MAX ? length : MOCK_IOMMU_DMA_MAX;
}

/**
 * assert_device_reads() - a device reads a pattern
 * @device: which one
 * @iova: where, page-aligned
 * @length: bytes
 * @seed: of the pattern
 */
void assert_device_reads(enum map_device device, uint64_t iova, size_t length, uint64_t seed)
{
	uint8_t *buffer = malloc(length);

	assert_non_null(buffer);
	for (size_t done = 0, part; done < length; done += part) {
		part = dma_part(length - done);
		assert_int_equal(dma_read(device, iova + done, buffer + done, part, 0),
				 MOCK_IOMMU_DMA_DONE);
	}
	assert_pattern(buffer, length, seed);
	free(buffer);
}

/**
 * assert_device_writes() - a device writes a pattern
 * @device: which one
 * @iova: where, page-aligned
 * @length: bytes
 * @seed: of the pattern
 */
void assert_device_writes(enum map_device device, uint64_t iova, size_t length, uint64_t seed)
{
	uint8_t *buffer = malloc(length);

	assert_non_null(buffer);
	pattern_fill(buffer, length, seed);
	for (size_t done = 0, part; done < length; done += part) {
		part = dma_part(length - done);
		assert_int_equal(dma_write(device, iova + done, buffer + done, part),
				 MOCK_IOMMU_DMA_DONE);
	}
	free(buffer);
}

/**
 * assert_device_misses() - a device neither reads nor writes
 * @device: which one
 * @iova: where
 */
void assert_device_misses(enum map_device device, uint64_t iova)
{
	assert_false(dma_reads(device, iova));
	assert_false(dma_writes(device, iova));
}
