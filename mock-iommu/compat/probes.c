// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel offers to an IOMMU driver, found out by compiling: scripts/kernel-probes
 * compiles each section alone and defines MOCK_HAVE_NAME where that works. Releases
 * named here are mainline's; a stable kernel may differ, which is why nobody asks for
 * its version.
 */
#define SUPPORTED "it supports Linux 6.1 and 6.11 to 7.3"

#include <linux/iommu.h>
#include <linux/platform_device.h>

#ifdef PROBE_BUS_OPS
/* Up to 6.7 each bus has one IOMMU driver; up to 6.3 this callback cannot fail. */
int probe(const struct iommu_ops *ops)
{
	void (*sync)(struct iommu_domain *domain, unsigned long iova, size_t size) =
		ops->default_domain_ops->iotlb_sync_map;

	platform_bus_type.iommu_ops = ops;
	return !!sync;
}
#endif

#ifdef PROBE_IOPF_GROUP
/* 6.11: page request groups go to the domain, and name the attachment. */
int probe(struct iommu_domain *domain, struct iopf_group *group)
{
	return domain->iopf_handler(group) || group->attach_handle->domain == domain;
}
#endif

#ifdef PROBE_IOPF_FEATURE
/* Up to 6.14: page requests have a switch; since then it is attaching that decides. */
int probe(const struct iommu_ops *ops, struct device *dev)
{
	return ops->dev_enable_feat(dev, IOMMU_DEV_FEAT_IOPF);
}
#endif

#ifdef PROBE_ATTACH_OLD
/* 6.19: attach_dev() is told which domain was attached. */
int probe(const struct iommu_domain_ops *ops, struct iommu_domain *domain, struct device *dev)
{
	return ops->attach_dev(domain, dev, domain);
}
#endif

#ifdef PROBE_SET_PASID_OLD
/* 6.13, and stable updates of 6.12: so is set_dev_pasid(). */
int probe(const struct iommu_domain_ops *ops, struct iommu_domain *domain, struct device *dev)
{
	return ops->set_dev_pasid(domain, dev, 1, domain);
}
#endif

#ifdef PROBE_REMOVE_PASID
/* Up to 6.13: a PASID is detached by a callback; since then by attaching the blocked domain. */
void probe(const struct iommu_ops *ops, struct device *dev, struct iommu_domain *domain)
{
	ops->remove_dev_pasid(dev, 1, domain);
}
#endif

#ifdef PROBE_REQUIRED
#if !defined(CONFIG_IOMMU_API) || !IS_ENABLED(CONFIG_CONFIGFS_FS)
#error it was built without IOMMUs or without configfs
#endif

#if !defined(MOCK_HAVE_BUS_OPS) && !defined(MOCK_HAVE_IOPF_GROUP)
#error no known way to be an IOMMU driver with page requests
#endif

/* The rest of the module is written against this. */
int probe(struct iommu_device *iommu, struct iommu_domain *domain, struct device *dev)
{
	report_iommu_fault(domain, dev, 0, IOMMU_FAULT_READ);
	return iommu_device_sysfs_add(iommu, NULL, NULL, "%s", "mock");
}
#endif
