/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO as a VMM uses it: a container, the groups in it, their devices, their registers. Every
 * file is closed on exec; what is not open is -1. Whatever fails ends the test, unless the text
 * says what is returned instead.
 */
#ifndef TESTS_SUPPORT_VFIO_H
#define TESTS_SUPPORT_VFIO_H

#include <faultq.h>
#include <linux/vfio.h>
#include <stdint.h>

#include "fault.h"
#include "pci.h"

/**
 * struct vfio - a device that VFIO hands out, and what is under it
 * @pci: the device
 * @container: file of the container
 * @group: file of the group
 * @device: file of the device
 */
struct vfio {
	struct pci *pci;
	int container;
	int group;
	int device;
};

void vfio_load(void);
void vfio_unload(void);
int vfio_parameter(const char *module, const char *name, const char *value);
void vfio_bind(const struct pci *pci);
void vfio_unbind(const struct pci *pci);
void vfio_take_edu(struct pci *edu);
void vfio_give_edu_back(const struct pci *edu);
void vfio_take_adopted_edu(struct pci *edu, struct device *adopted);
void vfio_give_adopted_edu_back(const struct pci *edu, struct device *adopted);

int vfio_container(void);
int vfio_open_group(const struct pci *pci);
int vfio_set_iommu(int container, unsigned long type);

void vfio_begin(struct vfio *vfio, struct pci *pci, int container);
void vfio_enable(const struct vfio *vfio);
void vfio_get_device(struct vfio *vfio);
void vfio_map_registers(const struct vfio *vfio, void *address, size_t size);
void vfio_open_device(struct vfio *vfio);
void vfio_open(struct vfio *vfio, struct pci *pci, unsigned long type);
void vfio_set_msi(const struct vfio *vfio, int eventfd);
void vfio_close_file(int *fd);
void vfio_close_device(struct vfio *vfio);
void vfio_close(struct vfio *vfio);

void vfio_assert_edu_copies(const struct vfio *vfio, char *memory, uint64_t iova);

struct faultq *vfio_vm(int container);
int vfio_map(int container, uint64_t iova, void *memory, uint64_t size, uint32_t flags);
int vfio_unmap(int container, uint64_t iova, uint64_t size, uint32_t flags, uint64_t *unmapped);

#endif
