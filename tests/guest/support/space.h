/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of windows and doorbells share: devices with reserved regions, looking at an
 * address space by its lists and by a device's page table. Whatever fails here ends the test.
 */
#ifndef TESTS_SUPPORT_SPACE_H
#define TESTS_SUPPORT_SPACE_H

#include <faultq.h>
#include <linux/mock-iommu.h>
#include <stdbool.h>
#include <stdint.h>

#include "fault.h"

#define LIST_ROOM 512

void device_make_reserving(struct device *device, const char *instance, const char *name,
			   const char *regions);

uint32_t window_add(struct faultq *fq, uint64_t iova, uint64_t length, uint32_t type,
		    uint32_t prot);
uint32_t list_windows(struct faultq *fq, struct faultq_window_entry windows[LIST_ROOM]);
uint32_t list_ranges(struct faultq *fq, struct faultq_range_entry ranges[LIST_ROOM]);
void assert_window(const struct faultq_window_entry *window, uint64_t iova, uint64_t length,
		   uint32_t type, uint32_t id);

int device_scan(const struct device *device, uint32_t access, uint64_t iova,
		struct mock_iommu_scan_page *pages, uint32_t count);
uint32_t device_reaches(const struct device *device, uint32_t access, uint64_t iova,
			uint64_t *value);

int msi_call(const struct device *device, unsigned long call, uint32_t controller,
	     struct mock_iommu_msi *msi);
uint64_t msi_bind(const struct device *device, uint32_t controller);
void msi_unbind(const struct device *device, uint32_t controller);
bool msi_arrives(const struct device *device, uint32_t controller);

#endif
