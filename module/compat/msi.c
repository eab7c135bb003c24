// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether devices can signal interrupts that are not theirs.
 */
#include <linux/iommu.h>
#include <linux/irqdomain.h>

#include "compat.h"

#ifdef FQ_HAVE_ISOLATED_MSI
bool fq_compat_isolated_msi(struct iommu_group *group)
{
	return iommu_group_has_isolated_msi(group);
}
#else
static int fq_remaps_interrupts(struct device *dev, void *data)
{
	return device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP) ? 0 : -EPERM;
}

/* Either the platform remaps all of them, or the IOMMU those of each device. */
bool fq_compat_isolated_msi(struct iommu_group *group)
{
	return irq_domain_check_msi_remap() ||
	       !iommu_group_for_each_dev(group, NULL, fq_remaps_interrupts);
}
#endif
