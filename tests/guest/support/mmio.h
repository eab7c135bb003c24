/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MMIO that VFIO hands out, and what makes it go: BAR 2 of QEMU's ivshmem, which is memory that
 * stays when the BAR goes, and which can be looked at through VFIO without being mapped.
 *
 * Whatever fails ends the test. For the thread that runs the test, but for bar_map() and
 * bar_replace(): any thread and process may call those.
 */
#ifndef TESTS_SUPPORT_MMIO_H
#define TESTS_SUPPORT_MMIO_H

#include <faultq.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vfio.h"

#define PCI_IVSHMEM	0x1af41110
#define BAR_WHOLE	0x200000ul	/* see mmio/device.opts */
#define BAR_SIZE	0x10000ul	/* of it, what most tests map */

/**
 * struct bar - a BAR that VFIO hands out
 * @vfio: the device, in a container of its own
 * @offset: of the BAR in the device's file
 * @memory: where it is mapped, or NULL
 */
struct bar {
	struct vfio vfio;
	uint64_t offset;
	uint8_t *memory;
};

/**
 * struct departure - how a device goes from VFIO, which waits until it has the device back
 * @begin: returns 0 or a negative errno, when it is gone
 * @undo: gives it to VFIO again
 */
struct departure {
	int (*begin)(const struct pci *pci);
	void (*undo)(const struct pci *pci);
};

extern const struct departure departure_unbind, departure_remove;

/**
 * struct leaving - a device that goes
 * @departure: how
 * @pci: the device
 * @thread: does it
 * @result: of it
 */
struct leaving {
	const struct departure *departure;
	const struct pci *pci;
	pthread_t thread;
	int result;
};

void leaving_begin(struct leaving *leaving, const struct departure *departure,
		   const struct pci *pci);
void leaving_end(struct leaving *leaving, struct bar *bar);
bool bar_moves_quietly(void);

void bar_find(struct pci *pci);
void bar_open_in(struct bar *bar, struct pci *pci, unsigned long backend);
void bar_open(struct bar *bar, struct pci *pci);
void bar_close(struct bar *bar);

uint8_t *bar_map(const struct bar *bar, void *address);
uint8_t *bar_map_whole(const struct bar *bar);
void bar_replace(void *address);
void bar_unmap(struct bar *bar);
void bar_decode(const struct bar *bar, bool on);
void bar_reset(const struct bar *bar);

void bar_write(const struct bar *bar, size_t offset, uint64_t value);
uint64_t bar_read(const struct bar *bar, size_t offset);

struct faultq_record mmio_event(struct faultq *fq);
void mmio_assert_revoked(struct faultq *fq, uint64_t id, uint32_t why);
void mmio_assert_silence(struct faultq *fq);
struct faultq_record mmio_await_restored(struct faultq *fq, uint64_t iova);
uint32_t mmio_max_extents(struct faultq *fq);
struct faultq_mapping_entry mmio_entry(struct faultq *fq, uint64_t iova);

#endif
