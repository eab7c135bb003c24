// SPDX-License-Identifier: GPL-2.0-only
/*
 * Letting devices raise page requests, and the right to attach domains that take them.
 */
#include <linux/iommu.h>
#include <linux/module.h>

#include "compat.h"

/* Where iommu_attach_group_handle() is. 6.13 made MODULE_IMPORT_NS() take a string. */
MODULE_INFO(import_ns, "IOMMUFD_INTERNAL");

#ifdef FQ_HAVE_IOPF_FEATURE
static bool fq_in_queue(struct device *dev)
{
	return rcu_access_pointer(dev->iommu->fault_param);
}

/* SMMUv3 adds a device to its queue when the next switch is on, too. */
static int fq_join_queue(struct device *dev)
{
	int ret;

	if (fq_in_queue(dev))
		return 0;
	ret = iommu_dev_enable_feature(dev, IOMMU_DEV_FEAT_SVA);
	if (!ret && !fq_in_queue(dev))
		ret = -ENODEV;
	return ret;
}

int fq_compat_requests_on(struct device *dev)
{
	int ret = iommu_dev_enable_feature(dev, IOMMU_DEV_FEAT_IOPF);

	if (ret)
		return ret;
	ret = fq_join_queue(dev);
	if (ret)
		fq_compat_requests_off(dev);
	return ret;
}

void fq_compat_requests_off(struct device *dev)
{
	if (iommu_dev_disable_feature(dev, IOMMU_DEV_FEAT_IOPF) != -EBUSY)
		return;
	iommu_dev_disable_feature(dev, IOMMU_DEV_FEAT_SVA);
	iommu_dev_disable_feature(dev, IOMMU_DEV_FEAT_IOPF);
}
#else
int fq_compat_requests_on(struct device *dev)
{
	return 0;
}

void fq_compat_requests_off(struct device *dev)
{
}
#endif
