/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading and removing kernel modules in a test.
 */
#ifndef TESTS_SUPPORT_MODULE_H
#define TESTS_SUPPORT_MODULE_H

#include <stddef.h>

#define MODULE_FAULTQ	"iommu_faultq"
#define MODULE_MOCK	"mock_iommu"
#define MODULE_VFIO	"vfio_iommu_faultq"

void module_path(char *path, size_t size, const char *folder, const char *name);
int module_load_from(const char *path, int flags);
int module_load(const char *name);
int module_unload(const char *name);

#endif
