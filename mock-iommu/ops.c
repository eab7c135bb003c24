// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOMMU core asks of the mock and what has the same answer in every era;
 * the tables of callbacks are in compat/.
 */
#include "mock.h"

/**
 * mock_ops_capable() - what the mock can do for a device
 * @dev: a device of the mock
 * @cap: which capability
 *
 * It does not claim to isolate interrupts: a mock device has none, and who asks
 * wants to know about the device's interrupt controller.
 *
 * Return: whether it has it.
 */
bool mock_ops_capable(struct device *dev, enum iommu_cap cap)
{
	const struct mock_device *device = dev_iommu_priv_get(dev);

	return cap == IOMMU_CAP_CACHE_COHERENCY ? device->settings.coherent :
						  cap == IOMMU_CAP_NOEXEC;
}

/**
 * mock_ops_get_resv_regions() - list the reserved regions that configfs gave a device
 * @dev: a device of the mock
 * @head: where they are added
 */
void mock_ops_get_resv_regions(struct device *dev, struct list_head *head)
{
	struct mock_device *device = dev_iommu_priv_get(dev);
	const struct mock_reserved *reserved;
	struct iommu_resv_region *region;
	unsigned int i;

	for (i = 0; i < device->settings.nr_reserved; i++) {
		reserved = &device->settings.reserved[i];
		region = iommu_alloc_resv_region(reserved->start, reserved->length,
						 IOMMU_READ | IOMMU_WRITE,
						 reserved->type, GFP_KERNEL);
		if (!region)
			return;
		list_add_tail(&region->list, head);
	}
}
