/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lists of the kernel's, whole: VMs, IOMMU instances, and what a VM has. Functions that fail
 * print why and exit, but for a VM that has ended meanwhile.
 */
#ifndef FAULTQ_LISTS_H
#define FAULTQ_LISTS_H

#include <stdint.h>

#include "faultq.h"

/* All to be freed by the caller; how many goes to *@count. */
struct faultq_vm_entry *list_vms(struct faultq *fq, uint32_t *count);
struct faultq_share *list_instances(struct faultq *fq, uint32_t *count);

/* None, when the VM has ended; @vm 0 is that of @fq. */
struct faultq_device_entry *list_devices(struct faultq *fq, uint32_t vm, uint32_t *count);
struct faultq_window_entry *list_windows(struct faultq *fq, uint32_t vm, uint32_t *count);
struct faultq_range_entry *list_ranges(struct faultq *fq, uint32_t vm, uint32_t *count);
struct faultq_mapping_entry *list_mappings(struct faultq *fq, uint32_t vm, uint32_t *count);
struct faultq_doorbell_entry *list_doorbells(struct faultq *fq, uint32_t vm, uint32_t *count);

#endif /* FAULTQ_LISTS_H */
