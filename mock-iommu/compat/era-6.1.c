// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock as an IOMMU driver of Linux 6.1 (era A: page requests go to a handler of
 * the device, one set of driver callbacks per bus).
 *
 * iommu_device_register() cannot be used beside another IOMMU driver: it knows one
 * driver for the whole system, and it sets the callbacks of every bus and probes
 * all their devices. All that is needed of it is a bus's pointer: it makes the core's
 * bus notifier probe the mock's devices when they are added, and iommu_domain_alloc()
 * find the mock. So the first instance saves the platform bus's pointer and puts the
 * mock's there, and the last one restores it. The PCI bus's is exchanged in the same way
 * while at least one PCI device is adopted, and else never touched.
 *
 * - A device that is probed already keeps its driver: the core reaches that through
 *   dev->iommu, not through the bus. But who wants a new domain for it meanwhile gets
 *   one of the mock, by the bus, and cannot attach it: -EINVAL. The first who claims the
 *   DMA of its group has the core remember such a domain as the group's blocking one.
 * - A foreign device that is added meanwhile gets -ENODEV and has no IOMMU until it is
 *   added again. Its driver's callbacks cannot be called in its stead: the core would
 *   take the device's domains from the mock.
 * - Another IOMMU driver that wants to register meanwhile gets -EBUSY.
 * - The core may have read the pointer just before it is restored, and use it a
 *   little later. It does so with a lock held that is not exported, but that adding
 *   a device passes: once one was added after the restore, nobody has the pointer.
 * - A probed device and a domain hold the module each.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <uapi/linux/iommu.h>

#include "../mock.h"
#include "era.h"

static_assert(MOCK_IOMMU_READ == IOMMU_FAULT_PERM_READ);
static_assert(MOCK_IOMMU_WRITE == IOMMU_FAULT_PERM_WRITE);
static_assert(MOCK_IOMMU_EXEC == IOMMU_FAULT_PERM_EXEC);
static_assert(MOCK_IOMMU_PRIV == IOMMU_FAULT_PERM_PRIV);
static_assert(MOCK_REASON_PTE_FETCH == IOMMU_FAULT_REASON_PTE_FETCH);
static_assert(MOCK_REASON_PERMISSION == IOMMU_FAULT_REASON_PERMISSION);

static struct mock_domain *to_mock_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

static bool era_capable(struct device *dev, enum iommu_cap cap)
{
	return mock_ops_capable(dev, cap);
}

static struct iommu_domain *era_domain_alloc(unsigned int type)
{
	struct mock_domain *domain;

	if (type != IOMMU_DOMAIN_UNMANAGED && type != IOMMU_DOMAIN_IDENTITY &&
	    type != IOMMU_DOMAIN_BLOCKED)
		return NULL;
	domain = mock_domain_alloc();
	return domain ? &domain->domain : NULL;
}

static struct iommu_device *era_probe_device(struct device *dev)
{
	struct mock_device *device = mock_device_of(dev);

	if (!device)
		return ERR_PTR(-ENODEV);
	dev_iommu_priv_set(dev, device);
	return &device->instance->iommu;
}

static void era_release_device(struct device *dev)
{
	struct mock_device *device = dev_iommu_priv_get(dev);

	down_write(&device->life);
	mock_device_release(device);
	up_write(&device->life);
}

static int era_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

/* A device's handler gets them without it; it tells whether there are any. */
static int era_switch_feature(struct device *dev, enum iommu_dev_features feature)
{
	struct mock_device *device = dev_iommu_priv_get(dev);

	return feature == IOMMU_DEV_FEAT_IOPF && device->settings.page_requests ? 0 : -ENODEV;
}

static int era_page_response(struct device *dev, struct iommu_fault_event *event,
			     struct iommu_page_response *msg)
{
	struct mock_answer answer = {
		.group = msg->grpid,
		.pasid = msg->pasid,
		.code = msg->code,
		.has_pasid = msg->flags & IOMMU_PAGE_RESP_PASID_VALID,
	};

	return mock_answer(dev_iommu_priv_get(dev), &answer);
}

/* A domain comes by bus here, so a foreign device may be shown the mock's. */
static int era_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct mock_device *device = mock_device_of(dev);
	int ret = device ? mock_device_check(device, to_mock_domain(domain)) : -EINVAL;

	if (!ret)
		mock_device_attach(device, to_mock_domain(domain));
	return ret;
}

static bool era_enforce_cache_coherency(struct iommu_domain *domain)
{
	return mock_devices_snoop(to_mock_domain(domain));
}

static int era_map_pages(struct iommu_domain *domain, unsigned long iova, phys_addr_t phys,
			 size_t pgsize, size_t pgcount, int prot, gfp_t gfp, size_t *mapped)
{
	return mock_domain_map(to_mock_domain(domain), iova, phys, pgsize * pgcount, prot,
			       gfp, mapped);
}

static size_t era_unmap_pages(struct iommu_domain *domain, unsigned long iova, size_t pgsize,
			      size_t pgcount, struct iommu_iotlb_gather *gather)
{
	size_t unmapped = mock_domain_unmap(to_mock_domain(domain), iova, pgsize * pgcount);

	if (unmapped)
		iommu_iotlb_gather_add_range(gather, iova, unmapped);
	return unmapped;
}

static void era_iotlb_sync_map(struct iommu_domain *domain, unsigned long iova, size_t size)
{
	mock_domain_invalidate(to_mock_domain(domain), iova, iova + size - 1);
}

static void era_iotlb_sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
	mock_domain_invalidate(to_mock_domain(domain), gather->start, gather->end);
}

static void era_flush_iotlb_all(struct iommu_domain *domain)
{
	mock_domain_invalidate(to_mock_domain(domain), 0, ULONG_MAX);
}

static phys_addr_t era_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	return mock_domain_iova_to_phys(to_mock_domain(domain), iova);
}

static void era_domain_free(struct iommu_domain *domain)
{
	mock_domain_free(to_mock_domain(domain));
}

static const struct iommu_domain_ops era_domain_ops = {
	.attach_dev		= era_attach_dev,
	.map_pages		= era_map_pages,
	.unmap_pages		= era_unmap_pages,
	.iotlb_sync_map		= era_iotlb_sync_map,
	.iotlb_sync		= era_iotlb_sync,
	.flush_iotlb_all	= era_flush_iotlb_all,
	.iova_to_phys		= era_iova_to_phys,
	.enforce_cache_coherency = era_enforce_cache_coherency,
	.free			= era_domain_free,
};

static const struct iommu_ops era_ops = {
	.capable		= era_capable,
	.domain_alloc		= era_domain_alloc,
	.probe_device		= era_probe_device,
	.release_device		= era_release_device,
	.device_group		= generic_device_group,
	.get_resv_regions	= mock_ops_get_resv_regions,
	.def_domain_type	= era_def_domain_type,
	.dev_enable_feat	= era_switch_feature,
	.dev_disable_feat	= era_switch_feature,
	.page_response		= era_page_response,
	.default_domain_ops	= &era_domain_ops,
	.pgsize_bitmap		= SZ_4K | SZ_2M,
	.owner			= THIS_MODULE,
};

/**
 * struct era_bus - a bus whose devices the mock can have
 * @bus: the bus
 * @users: instances or adopted devices that need the mock's callbacks there
 * @saved: the bus's own callbacks meanwhile
 */
struct era_bus {
	struct bus_type *bus;
	unsigned int users;
	const struct iommu_ops *saved;
};

/* Guards the two below and their buses' pointers. */
static DEFINE_MUTEX(era_lock);
static struct era_bus era_platform = { .bus = &platform_bus_type };
static struct era_bus era_pci = { .bus = &pci_bus_type };

/* Wait until nobody can have the pointer any more, see the top of this file. */
static void era_quiesce(void)
{
	struct platform_device *pdev;
	unsigned int tries;

	for (tries = 0; tries < 100; tries++) {
		pdev = platform_device_register_simple("mock-iommu-quiesce",
						       PLATFORM_DEVID_NONE, NULL, 0);
		if (!IS_ERR(pdev)) {
			platform_device_unregister(pdev);
			return;
		}
		msleep(20);
	}
	__module_get(THIS_MODULE);	/* no memory for so long: stay for ever */
}

static void era_take_bus(struct era_bus *taken)
{
	mutex_lock(&era_lock);
	if (!taken->users++) {
		taken->saved = taken->bus->iommu_ops;
		WRITE_ONCE(taken->bus->iommu_ops, &era_ops);
	}
	mutex_unlock(&era_lock);
}

static void era_restore_bus(struct era_bus *taken)
{
	mutex_lock(&era_lock);
	if (!--taken->users) {
		WRITE_ONCE(taken->bus->iommu_ops, taken->saved);
		era_quiesce();
	}
	mutex_unlock(&era_lock);
}

/**
 * mock_era_register() - make the IOMMU core know an instance
 * @instance: the instance; its iommu device is in sysfs already
 *
 * Return: 0.
 */
int mock_era_register(struct mock_instance *instance)
{
	instance->iommu.ops = &era_ops;
	era_take_bus(&era_platform);
	return 0;
}

/**
 * mock_era_unregister() - undo mock_era_register()
 * @instance: the instance; none of its devices is left
 */
void mock_era_unregister(struct mock_instance *instance)
{
	era_restore_bus(&era_platform);
}

/**
 * mock_era_prepare() - make the IOMMU core find the mock when a device is added
 * @device: its platform device is about to be added
 *
 * It finds the mock by the bus.
 *
 * Return: 0.
 */
int mock_era_prepare(struct mock_device *device)
{
	return 0;
}

/**
 * mock_era_unprepare() - undo mock_era_prepare()
 * @device: its platform device could not be added
 */
void mock_era_unprepare(struct mock_device *device)
{
}

/**
 * mock_era_adopt() - make the IOMMU core find the mock when a PCI device is added
 * @device: is found by its PCI device's name; pci_lock_rescan_remove() is held
 *
 * Return: 0.
 */
int mock_era_adopt(struct mock_device *device)
{
	era_take_bus(&era_pci);
	return 0;
}

/**
 * mock_era_give_back() - undo mock_era_adopt()
 * @device: its PCI device was removed; pci_lock_rescan_remove() is held
 */
void mock_era_give_back(struct mock_device *device)
{
	era_restore_bus(&era_pci);
}

/* The core keeps its state of a device until that is released, not longer. */
static int era_report(struct mock_device *device, struct iommu_fault_event *event)
{
	lockdep_assert_held(&device->life);
	if (device->released)
		return -EIO;
	return iommu_report_device_fault(device->dev, event) ? -EIO : 0;
}

/**
 * mock_era_report_request() - report a page request to the IOMMU core
 * @device: whose it is, live
 * @request: the request
 *
 * Return: 0, or -EIO: then nobody will answer it.
 */
int mock_era_report_request(struct mock_device *device, const struct mock_request *request)
{
	struct iommu_fault_event event = {
		.fault.type = IOMMU_FAULT_PAGE_REQ,
		.fault.prm = {
			.grpid = request->group,
			.perm = request->access & MOCK_PERMISSIONS,
			.addr = request->address,
		},
	};
	struct iommu_fault_page_request *prm = &event.fault.prm;

	if (!device->settings.page_requests)
		return -EIO;
	if (request->last)
		prm->flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	if (request->needs_pasid)
		prm->flags |= IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID;
	if (request->access & MOCK_IOMMU_PASID) {
		prm->flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
		prm->pasid = request->pasid;
	}
	return era_report(device, &event);
}

/**
 * mock_era_report_fault() - report an unrecoverable fault of a device
 * @device: whose it is, live
 * @fault: the fault, as for injection
 *
 * Return: 0, -EOPNOTSUPP where the kernel has no such report, or -EIO: nobody took it.
 */
int mock_era_report_fault(struct mock_device *device,
			  const struct mock_iommu_unrecoverable *fault)
{
	struct iommu_fault_event event = {
		.fault.type = IOMMU_FAULT_DMA_UNRECOV,
		.fault.event = {
			.reason = fault->reason,
			.perm = fault->access & MOCK_PERMISSIONS,
		},
	};
	struct iommu_fault_unrecoverable *out = &event.fault.event;

	if (!(fault->flags & MOCK_IOMMU_NO_ADDRESS)) {
		out->flags |= IOMMU_FAULT_UNRECOV_ADDR_VALID;
		out->addr = fault->address;
	}
	if (fault->flags & MOCK_IOMMU_FETCH) {
		out->flags |= IOMMU_FAULT_UNRECOV_FETCH_ADDR_VALID;
		out->fetch_addr = fault->fetch_address;
	}
	if (fault->access & MOCK_IOMMU_PASID) {
		out->flags |= IOMMU_FAULT_UNRECOV_PASID_VALID;
		out->pasid = fault->pasid;
	}
	return era_report(device, &event);
}
