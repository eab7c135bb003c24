/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iommu_faultq for other kernel modules: doorbells in the address space of a VM.
 *
 * A device of a VM signals an interrupt by a write to an IOVA. Whoever implements the
 * interrupt controller, virtual or real, binds the physical page of its doorbell, and gives
 * the device the IOVA. All devices of the address space reach a page that is bound at the
 * same IOVA, so one binding serves any number of them.
 *
 * A module that works without iommu_faultq takes these by symbol_get().
 */
#ifndef IOMMU_FAULTQ_H
#define IOMMU_FAULTQ_H

#include <linux/types.h>

struct device;

/**
 * faultq_doorbell_get() - let a device of a VM reach a doorbell
 * @dev: a device that is attached to a VM
 * @doorbell: physical address, anywhere in its page
 * @iova: is set to where the device reaches it
 *
 * The page is bound in one of the VM's windows for doorbells, in the first by IOVA that has
 * room, with that window's permissions; if it is bound already, it gets a user more. It is
 * unbound by faultq_doorbell_put(), and at the latest when @dev is detached from its VM,
 * when its DMA is blocked already. May sleep; takes locks under which devices are attached
 * to IOMMU domains and reset, so none may be held that the IOMMU driver or a reset takes.
 *
 * Return: 0; -ENODEV @dev is attached to no VM; -ENOENT the VM has no window for doorbells;
 * -ENOSPC all are full, or too many doorbells are bound; -ENOMEM; or what the IOMMU driver
 * says to the mapping.
 */
int faultq_doorbell_get(struct device *dev, phys_addr_t doorbell, dma_addr_t *iova);

/**
 * faultq_doorbell_put() - undo one faultq_doorbell_get()
 * @dev: the device
 * @doorbell: as given there
 *
 * Nothing, when the device was detached meanwhile.
 */
void faultq_doorbell_put(struct device *dev, phys_addr_t doorbell);

#endif
