/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of MAP and UNMAP share: a fixture with mock devices, memory of the test, looking
 * through a device's DMA at what is mapped, and at what is pinned and charged.
 *
 * The fixture of a group makes two IOMMU instances, the first with two devices, in mode "none": a
 * page that is not mapped ends the DMA with an unrecoverable fault. The fixture of a test makes a
 * VM; when the test is over nothing may be pinned any more.
 */
#ifndef TESTS_SUPPORT_MAP_H
#define TESTS_SUPPORT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultq.h>

#include "mock.h"

#define PAGE		4096ul
#define MIB		(1ul << 20)
#define HUGE_PAGE	(2 * MIB)
#define APERTURE	(1ull << 48)	/* of the mock: IOVAs below it */
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

enum map_device {
	MAP_FIRST,	/* the device that most tests use */
	MAP_SIBLING,	/* behind the same IOMMU instance */
	MAP_OTHER,	/* behind another one */
	MAP_DEVICES,
};

/**
 * struct map_test - what a test finds in its *state
 * @fq: a VM without queue and devices
 * @id: of the device MAP_FIRST, when map_setup_attached() attached it
 */
struct map_test {
	struct faultq *fq;
	uint32_t id;
};

int map_group_setup(void **state);
int map_group_teardown(void **state);
int map_setup(void **state);
int map_setup_attached(void **state);
int map_teardown(void **state);

uint32_t map_attach(struct faultq *fq, enum map_device device);
int map_try_attach(struct faultq *fq, enum map_device device);

void *memory_new(size_t length);
void *memory_of(int fd, size_t length, int prot, int flags);
int memory_fd(size_t length);
void memory_free(void *memory, size_t length);
void pattern_fill(void *memory, size_t length, uint64_t seed);
void assert_pattern(const void *memory, size_t length, uint64_t seed);

uint64_t mapped_bytes(struct faultq *fq);
unsigned long pinned_pages(void);
void assert_mapped(struct faultq *fq, uint64_t bytes);
void assert_nothing_mapped(struct faultq *fq);
void map(struct faultq *fq, uint64_t iova, void *memory, uint64_t length, uint32_t perm);
uint64_t unmap(struct faultq *fq, uint64_t iova, uint64_t length);

int dma_write(enum map_device device, uint64_t iova, const void *data, size_t length);
int dma_read(enum map_device device, uint64_t iova, void *data, size_t length, uint32_t exec);
bool dma_reads(enum map_device device, uint64_t iova);
bool dma_writes(enum map_device device, uint64_t iova);
void assert_device_reads(enum map_device device, uint64_t iova, size_t length, uint64_t seed);
void assert_device_writes(enum map_device device, uint64_t iova, size_t length, uint64_t seed);
void assert_device_misses(enum map_device device, uint64_t iova);

#endif
