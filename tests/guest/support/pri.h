/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PCI devices of the pri lanes, which ask for pages through the machine's own IOMMU; what
 * their registers do is told in tests/qemu/pri_registers.h. A device is a struct pci, whose
 * registers are mapped by pci_open() or vfio_open_device(). What touches registers only may be
 * called by any thread; whatever else fails here ends the running test.
 */
#ifndef TESTS_SUPPORT_PRI_H
#define TESTS_SUPPORT_PRI_H

#include <faultq.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../qemu/pri_registers.h"
#include "pci.h"
#include "tap.h"

#define NO_PRI_DEVICE	"no device here asks for pages (lanes pri-* have such)"

/**
 * tap_run_pri_group() - tap_run_group() for tests that all need a device that asks for pages
 * @tests: array of struct CMUnitTest
 * @setup: fixture before the group, or NULL
 * @teardown: fixture after the group, or NULL
 *
 * Return: what main() returns; not 0 if a test failed.
 */
#define tap_run_pri_group(tests, setup, teardown) \
({ \
	__auto_type group_ = &(tests); \
	struct pci pri_; \
	\
	pri_find(&pri_, PRI_ANY) ? tap_run_group(*group_, setup, teardown) : \
		tap_skip_group(*group_, sizeof(*group_) / sizeof((*group_)[0]), NO_PRI_DEVICE); \
})

enum pri_kind {
	PRI_ANY,		/* has PASIDs, though they need not be used */
	PRI_NEIGHBOUR,		/* another one of this kind */
	PRI_WITHOUT_PASID,
};

bool pri_find(struct pci *pri, enum pri_kind kind);

uint64_t pri_read(const struct pci *pri, unsigned int reg);
void pri_write(const struct pci *pri, unsigned int reg, uint64_t value);
enum pri_status pri_wait(const struct pci *pri);

void pri_dma(const struct pci *pri, uint64_t access, uint64_t iova, uint64_t data);
void pri_group(const struct pci *pri, uint64_t iova, unsigned int count, unsigned int index);
void pri_burst(const struct pci *pri, uint64_t iova, unsigned int count, unsigned int index);
void pri_clear(const struct pci *pri);

/* A storm, of requests without a PASID */
void pri_storm(const struct pci *pri, uint64_t iova, unsigned int limit);
void pri_end_storm(const struct pci *pri);
uint64_t pri_answers(const struct pci *pri);
void pri_wait_answers(const struct pci *pri, uint64_t count);

void pri_needs_requests(const struct faultq_attach *told);

#endif
