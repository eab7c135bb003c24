// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel's IOMMU drivers report.
 *
 * No interface tells whether a driver reports unrecoverable faults, so this file
 * knows the drivers, by the name under which their instances stand in
 * /sys/class/iommu. A driver that it does not know may report or not, and is said
 * to be unknown.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/property.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "source.h"

/**
 * struct fq_driver - one IOMMU driver
 * @prefix: of the names of its instances
 * @kinds: kinds of unrecoverable faults that it reports, where the kernel has them
 * @can_request: whether a device can raise page requests that reach a handler
 * @canonical: a page request whose address is not canonical for the CPU is an error to it,
 *	which it logs and answers itself
 * @hasty: it takes a device out of the queue of page requests before it blocks it
 */
struct fq_driver {
	const char *prefix;
	u32 kinds;
	bool (*can_request)(struct device *dev);
	bool canonical;
	bool hasty;
};

static bool fq_never(struct device *dev)
{
	return false;
}

/*
 * Ask the IOMMU driver whether it takes page requests of a device: by its switch for them, or,
 * where attaching is the switch, by looking whether that put the device into a queue.
 */
#ifdef FQ_HAVE_IOPF_FEATURE
static bool fq_ask(struct device *dev)
{
	int ret = iommu_dev_enable_feature(dev, IOMMU_DEV_FEAT_IOPF);

	if (!ret)
		iommu_dev_disable_feature(dev, IOMMU_DEV_FEAT_IOPF);
	return !ret || ret == -EBUSY;
}
#else
static bool fq_ask(struct device *dev)
{
	return rcu_access_pointer(dev->iommu->fault_param);
}
#endif

/*
 * SMMUv3 stalls the devices that the firmware allows it to, or all, and its driver tells of
 * which it takes the requests. One that was built without SVA does not tell; up to 6.8 it
 * takes them all the same.
 */
static bool fq_can_stall(struct device *dev)
{
	if (IS_ENABLED(CONFIG_ARM_SMMU_V3_SVA))
		return fq_ask(dev);
	return device_property_read_bool(dev, "dma-can-stall");
}

/*
 * Intel (dmar) logs unrecoverable faults and tells nobody. Up to 6.14 it reports page
 * requests with a PASID only; since then attaching tells whether a device has any. AMD
 * (ivhd) reports none to a domain of ours.
 */
#ifdef FQ_HAVE_IOPF_FEATURE
#define fq_intel_can_request fq_never
#else
#define fq_intel_can_request fq_ask
#endif

static const struct fq_driver fq_drivers[] = {
	{ "dmar", 0, fq_intel_can_request, .canonical = true, .hasty = true },
	{ "ivhd", FAULTQ_KIND_DOMAIN_FAULT, fq_never },
	{ "smmu3.", FAULTQ_KIND_UNRECOVERABLE, fq_can_stall },
	{ "smmu.", FAULTQ_KIND_DOMAIN_FAULT, fq_never },
	{ "mock-", FAULTQ_KIND_UNRECOVERABLE | FAULTQ_KIND_DOMAIN_FAULT, fq_ask },
};

const char *fq_compat_instance_name(struct device *dev)
{
	struct device *instance = dev->iommu->iommu_dev->dev;

	return instance ? dev_name(instance) : "unknown";
}

static const struct fq_driver *fq_find_driver(struct device *dev)
{
	const char *instance = fq_compat_instance_name(dev);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fq_drivers); i++)
		if (str_has_prefix(instance, fq_drivers[i].prefix))
			return &fq_drivers[i];
	return NULL;
}

static enum faultq_why fq_why_no_request(struct device *dev, const struct fq_driver *driver)
{
	if (!(fq_source_kinds() & FAULTQ_KIND_PAGE_REQUEST))
		return FAULTQ_WHY_KERNEL;
	if (!dev->iommu->iommu_dev->ops->page_response)
		return FAULTQ_WHY_DRIVER;
	if (!driver)
		return FAULTQ_WHY_UNKNOWN;
	if (driver->can_request == fq_never)
		return FAULTQ_WHY_DRIVER;
	return driver->can_request(dev) ? FAULTQ_WHY_DELIVERED : FAULTQ_WHY_DEVICE;
}

static enum faultq_why fq_why_no_fault(const struct fq_driver *driver)
{
	if (!driver)
		return FAULTQ_WHY_UNKNOWN;
	if (!driver->kinds)
		return FAULTQ_WHY_DRIVER;
	return driver->kinds & fq_source_kinds() ? FAULTQ_WHY_DELIVERED : FAULTQ_WHY_KERNEL;
}

void fq_compat_delivery(struct device *dev, struct fq_delivery *delivery)
{
	const struct fq_driver *driver = fq_find_driver(dev);

	delivery->no_page_request = fq_why_no_request(dev, driver);
	delivery->no_unrecoverable = fq_why_no_fault(driver);
	delivery->kinds = driver ? driver->kinds & fq_source_kinds() : 0;
	if (delivery->no_page_request == FAULTQ_WHY_DELIVERED)
		delivery->kinds |= fq_source_kinds() &
				   (FAULTQ_KIND_PAGE_REQUEST | FAULTQ_KIND_PASID_REQUEST);
}

bool fq_compat_hasty(struct device *dev)
{
	const struct fq_driver *driver = fq_find_driver(dev);

	return driver && driver->hasty;
}

/* The last of the lower half: the upper one is beyond what an IOMMU translates. */
#ifdef CONFIG_X86_64
static u64 fq_last_canonical(void)
{
	return (1UL << __VIRTUAL_MASK_SHIFT) - 1;
}
#else
static u64 fq_last_canonical(void)
{
	return U64_MAX;
}
#endif

/* Devices of the mock say it themselves. */
u64 fq_compat_last_request(struct device *dev)
{
	const struct fq_driver *driver = fq_find_driver(dev);
	u32 bits;

	if (driver && driver->canonical && driver->can_request != fq_never)
		return fq_last_canonical();
	if (!device_property_read_u32(dev, "page-request-bits", &bits) && bits < 64)
		return (1ULL << bits) - 1;
	return U64_MAX;
}

/*
 * A PCI device and its virtual functions have one page request interface, and a failure
 * that is answered to one of them stops it. Devices of the mock say it themselves, too.
 */
bool fq_compat_shares_requests(struct device *dev)
{
	if (dev_is_pci(dev))
		return to_pci_dev(dev)->is_virtfn || pci_num_vf(to_pci_dev(dev));
	return device_property_read_bool(dev, "shared-page-requests");
}
