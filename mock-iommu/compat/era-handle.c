// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock as an IOMMU driver of Linux 6.11 and later: page request groups go to the
 * handle with which a domain was attached.
 *
 * The IOMMU core finds the driver of a device by the firmware node of its IOMMU, so the
 * mock stands beside other drivers, and none of them sees its devices. An instance has a
 * software node for that. A platform device is given that node before it is added; a PCI
 * device that is adopted gets it from a bus notifier that comes before the core's.
 *
 * A device is in the core's queue of page requests, and so may report any, while the core
 * wants them. Up to 6.14 it says so by switching a feature of the device on and off, later
 * by attaching a domain that has a handler for them. A report is made with the device's
 * life lock held for reading, what decides about reports changes with it held for writing:
 * when the core was told that a domain or a PASID is detached, or that the feature is off,
 * no report to its user is in flight, and none will come. The core holds its group's mutex
 * when it attaches; handlers of page requests do not take that.
 *
 * A probed device and a domain hold the module each.
 */
#include <linux/mutex.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/property.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../mock.h"
#include "era.h"

static_assert(MOCK_IOMMU_READ == IOMMU_FAULT_PERM_READ);
static_assert(MOCK_IOMMU_WRITE == IOMMU_FAULT_PERM_WRITE);
static_assert(MOCK_IOMMU_EXEC == IOMMU_FAULT_PERM_EXEC);
static_assert(MOCK_IOMMU_PRIV == IOMMU_FAULT_PERM_PRIV);

static struct mock_domain *to_mock_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

/*
 * Page requests on and off
 */

static int era_want_requests(struct mock_device *device, struct device *dev)
{
	int ret = 0;

	lockdep_assert_held_write(&device->life);
	if (!device->requests_wanted)
		ret = iopf_queue_add_device(device->instance->iopf, dev);
	if (ret)
		return ret;
	device->requests_wanted++;
	mock_device_resume_requests(device);
	return 0;
}

/* The core answers what is outstanding. */
static void era_unwant_requests(struct mock_device *device, struct device *dev)
{
	lockdep_assert_held_write(&device->life);
	if (!--device->requests_wanted)
		iopf_queue_remove_device(device->instance->iopf, dev);
}

#ifdef MOCK_HAVE_IOPF_FEATURE
static int era_enable_feature(struct device *dev, enum iommu_dev_features feature)
{
	struct mock_device *device = dev_iommu_priv_get(dev);
	int ret = -EBUSY;

	if (feature != IOMMU_DEV_FEAT_IOPF || !device->settings.page_requests)
		return -ENODEV;
	down_write(&device->life);
	if (!device->requests_wanted)
		ret = era_want_requests(device, dev);
	up_write(&device->life);
	return ret;
}

static int era_disable_feature(struct device *dev, enum iommu_dev_features feature)
{
	struct mock_device *device = dev_iommu_priv_get(dev);
	int ret = -EINVAL;

	if (feature != IOMMU_DEV_FEAT_IOPF)
		return -ENODEV;
	down_write(&device->life);
	if (device->requests_wanted) {
		era_unwant_requests(device, dev);
		ret = 0;
	}
	up_write(&device->life);
	return ret;
}

static bool era_domain_wants(struct mock_device *device, struct mock_domain *domain)
{
	return false;
}
#else
/* As SMMUv3's driver, it takes such a domain for a device that has no page requests, too. */
static bool era_domain_wants(struct mock_device *device, struct mock_domain *domain)
{
	return device->settings.page_requests && domain && domain->domain.iopf_handler;
}
#endif

/*
 * Attaching
 */

static int era_attach(struct mock_device *device, struct device *dev, struct mock_domain *domain)
{
	bool wanted = era_domain_wants(device, device->domain);
	int ret = mock_device_check(device, domain);

	if (!ret && era_domain_wants(device, domain))
		ret = era_want_requests(device, dev);
	if (ret)
		return ret;
	mock_device_attach(device, domain);
	if (wanted)
		era_unwant_requests(device, dev);
	return 0;
}

/*
 * Where the core tells the old domain, it tells nothing new. A foreign device may be shown the
 * mock's domain: the core puts it into the group of another function of its slot.
 */
#ifdef MOCK_HAVE_ATTACH_OLD
static int era_attach_dev(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
#else
static int era_attach_dev(struct iommu_domain *domain, struct device *dev)
#endif
{
	struct mock_device *device = mock_device_of(dev);
	int ret;

	if (!device)
		return -EINVAL;
	down_write(&device->life);
	ret = era_attach(device, dev, to_mock_domain(domain));
	up_write(&device->life);
	return ret;
}

static int era_attach_pasid(struct mock_device *device, struct device *dev, u32 pasid,
			    struct mock_domain *domain)
{
	bool wanted = era_domain_wants(device, xa_load(&device->pasids, pasid));
	int ret = mock_device_check(device, domain);

	if (!ret && era_domain_wants(device, domain))
		ret = era_want_requests(device, dev);
	if (ret)
		return ret;
	ret = mock_device_attach_pasid(device, pasid, domain);
	if (ret)
		wanted = era_domain_wants(device, domain);
	if (wanted)
		era_unwant_requests(device, dev);
	return ret;
}

#ifdef MOCK_HAVE_SET_PASID_OLD
static int era_set_dev_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid,
			     struct iommu_domain *old)
#else
static int era_set_dev_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid)
#endif
{
	struct mock_device *device = mock_device_of(dev);
	int ret;

	if (!device)
		return -EINVAL;
	down_write(&device->life);
	ret = era_attach_pasid(device, dev, pasid, to_mock_domain(domain));
	up_write(&device->life);
	return ret;
}

/*
 * Domains
 */

static const struct iommu_domain_ops era_identity_ops = {
	.attach_dev		= era_attach_dev,
};

static const struct iommu_domain_ops era_blocked_ops = {
	.attach_dev		= era_attach_dev,
	.set_dev_pasid		= era_set_dev_pasid,
};

static struct mock_domain era_identity = {
	.domain.type		= IOMMU_DOMAIN_IDENTITY,
	.domain.ops		= &era_identity_ops,
};

static struct mock_domain era_blocked = {
	.domain.type		= IOMMU_DOMAIN_BLOCKED,
	.domain.ops		= &era_blocked_ops,
};

#ifdef MOCK_HAVE_REMOVE_PASID
/* A PASID that had a domain does not fall back to the device's. */
static void era_remove_dev_pasid(struct device *dev, ioasid_t pasid, struct iommu_domain *domain)
{
	struct mock_device *device = dev_iommu_priv_get(dev);

	down_write(&device->life);
	era_attach_pasid(device, dev, pasid, &era_blocked);
	up_write(&device->life);
}
#endif

static struct iommu_domain *era_domain_alloc_paging(struct device *dev)
{
	struct mock_domain *domain = mock_domain_alloc();

	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->domain.pgsize_bitmap = SZ_4K | SZ_2M;
	return &domain->domain;
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

static int era_iotlb_sync_map(struct iommu_domain *domain, unsigned long iova, size_t size)
{
	mock_domain_invalidate(to_mock_domain(domain), iova, iova + size - 1);
	return 0;
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

static bool era_enforce_cache_coherency(struct iommu_domain *domain)
{
	return mock_devices_snoop(to_mock_domain(domain));
}

static void era_domain_free(struct iommu_domain *domain)
{
	mock_domain_free(to_mock_domain(domain));
}

static const struct iommu_domain_ops era_paging_ops = {
	.attach_dev		= era_attach_dev,
	.set_dev_pasid		= era_set_dev_pasid,
	.map_pages		= era_map_pages,
	.unmap_pages		= era_unmap_pages,
	.iotlb_sync_map		= era_iotlb_sync_map,
	.iotlb_sync		= era_iotlb_sync,
	.flush_iotlb_all	= era_flush_iotlb_all,
	.iova_to_phys		= era_iova_to_phys,
	.enforce_cache_coherency = era_enforce_cache_coherency,
	.free			= era_domain_free,
};

/*
 * Devices
 */

static bool era_capable(struct device *dev, enum iommu_cap cap)
{
	struct mock_device *device = dev_iommu_priv_get(dev);

	if (cap == IOMMU_CAP_ENFORCE_CACHE_COHERENCY)
		return device->settings.snoop_control;
	return mock_ops_capable(dev, cap);
}

static struct iommu_device *era_probe_device(struct device *dev)
{
	struct mock_device *device = mock_device_of(dev);

	if (!device)
		return ERR_PTR(-ENODEV);
	dev_iommu_priv_set(dev, device);
	return &device->instance->iommu;
}

/* Whoever had it attached may not have heard that it goes. */
static void era_release_device(struct device *dev)
{
	struct mock_device *device = dev_iommu_priv_get(dev);

	down_write(&device->life);
	if (device->requests_wanted) {
		device->requests_wanted = 1;
		era_unwant_requests(device, dev);
	}
	mock_device_release(device);
	up_write(&device->life);
}

static int era_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

/* The core refuses the very event that was reported, and answers a group's. */
static bool era_is_refusal(const struct iopf_fault *event)
{
	return list_empty(&event->list);
}

static void era_page_response(struct device *dev, struct iopf_fault *event,
			      struct iommu_page_response *msg)
{
	struct mock_answer answer = {
		.group = msg->grpid,
		.pasid = msg->pasid,
		.code = msg->code,
		.has_pasid = event->fault.prm.flags & IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID,
	};

	if (!era_is_refusal(event))
		mock_answer(dev_iommu_priv_get(dev), &answer);
}

static const struct iommu_ops era_ops = {
	.capable		= era_capable,
	.identity_domain	= &era_identity.domain,
	.blocked_domain		= &era_blocked.domain,
	.domain_alloc_paging	= era_domain_alloc_paging,
	.probe_device		= era_probe_device,
	.release_device		= era_release_device,
	.device_group		= generic_device_group,
	.get_resv_regions	= mock_ops_get_resv_regions,
#ifdef MOCK_HAVE_IOPF_FEATURE
	.dev_enable_feat	= era_enable_feature,
	.dev_disable_feat	= era_disable_feature,
#endif
#ifdef MOCK_HAVE_REMOVE_PASID
	.remove_dev_pasid	= era_remove_dev_pasid,
#endif
	.def_domain_type	= era_def_domain_type,
	.page_response		= era_page_response,
	.default_domain_ops	= &era_paging_ops,
	.owner			= THIS_MODULE,
};

/**
 * mock_era_register() - make the IOMMU core know an instance
 * @instance: the instance; its iommu device is in sysfs already
 *
 * Return: 0 or an error.
 */
int mock_era_register(struct mock_instance *instance)
{
	struct iommu_device *iommu = &instance->iommu;
	int ret = -ENOMEM;

	/* A kernel that is built without page requests has no queue. */
	instance->iopf = iopf_queue_alloc(instance->name);
	if (IS_ENABLED(CONFIG_IOMMU_IOPF) && !instance->iopf)
		return -ENOMEM;
	iommu->max_pasids = 1U << MOCK_PASID_BITS_MAX;
	iommu->fwnode = fwnode_create_software_node(NULL, NULL);
	if (IS_ERR(iommu->fwnode)) {
		ret = PTR_ERR(iommu->fwnode);
		goto err_queue;
	}
	ret = iommu_device_register(iommu, &era_ops, NULL);
	if (ret)
		goto err_node;
	return 0;

err_node:
	fwnode_remove_software_node(iommu->fwnode);
err_queue:
	iopf_queue_free(instance->iopf);
	return ret;
}

/**
 * mock_era_unregister() - undo mock_era_register()
 * @instance: the instance; none of its devices is left
 */
void mock_era_unregister(struct mock_instance *instance)
{
	iommu_device_unregister(&instance->iommu);
	fwnode_remove_software_node(instance->iommu.fwnode);
	iopf_queue_free(instance->iopf);
}

/*
 * As iommu_fwspec_init() does, which may only be called with a lock held that is not
 * exported. What the lock is for cannot happen: nobody knows a device that was not added.
 */
static int era_fwspec_init(struct device *dev, struct fwnode_handle *fwnode)
{
	struct dev_iommu *iommu = kzalloc(sizeof(*iommu), GFP_KERNEL);
	struct iommu_fwspec *fwspec = kzalloc(struct_size(fwspec, ids, 1), GFP_KERNEL);

	if (!iommu || !fwspec) {
		kfree(iommu);
		kfree(fwspec);
		return -ENOMEM;
	}
	mutex_init(&iommu->lock);
	fwspec->iommu_fwnode = fwnode_handle_get(fwnode);
	iommu->fwspec = fwspec;
	dev->iommu = iommu;
	return 0;
}

/**
 * mock_era_prepare() - make the IOMMU core find the mock when a device is added
 * @device: its platform device is about to be added
 *
 * Return: 0 or an error.
 */
int mock_era_prepare(struct mock_device *device)
{
	return era_fwspec_init(device->dev, device->instance->iommu.fwnode);
}

/**
 * mock_era_unprepare() - undo mock_era_prepare()
 * @device: its platform device could not be added
 */
void mock_era_unprepare(struct mock_device *device)
{
	struct device *dev = device->dev;

	if (!dev->iommu)
		return;	/* the IOMMU core has seen it, and has freed it */
	fwnode_handle_put(dev->iommu->fwspec->iommu_fwnode);
	kfree(dev->iommu->fwspec);
	kfree(dev->iommu);
	dev->iommu = NULL;
}

/* When it cannot be given the mock, it is probed without, which mock_pci_adopt() sees. */
static int era_pci_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct mock_device *device = NULL;
	struct device *dev = data;

	if (action == BUS_NOTIFY_ADD_DEVICE && !dev->iommu)
		device = mock_device_of(dev);
	if (device)
		era_fwspec_init(dev, device->instance->iommu.fwnode);
	return NOTIFY_DONE;
}

/* Comes before the core's; is there while a device is adopted. */
static struct notifier_block era_pci_notifier = {
	.notifier_call	= era_pci_notify,
	.priority	= INT_MAX,
};

static unsigned int era_pci_users;	/* guarded by pci_lock_rescan_remove() */

/**
 * mock_era_adopt() - make the IOMMU core find the mock when a PCI device is added
 * @device: is found by its PCI device's name; pci_lock_rescan_remove() is held
 *
 * Return: 0 or an error.
 */
int mock_era_adopt(struct mock_device *device)
{
	int ret = 0;

	if (!era_pci_users)
		ret = bus_register_notifier(&pci_bus_type, &era_pci_notifier);
	if (!ret)
		era_pci_users++;
	return ret;
}

/**
 * mock_era_give_back() - undo mock_era_adopt()
 * @device: its PCI device was removed; pci_lock_rescan_remove() is held
 */
void mock_era_give_back(struct mock_device *device)
{
	if (!--era_pci_users)
		bus_unregister_notifier(&pci_bus_type, &era_pci_notifier);
}

/*
 * Without a place in the core's queue no request may be reported to a domain that has a
 * handler; and between a detachment and the core's forgetting of its handle none must
 * reach that.
 */
static bool era_may_report(struct mock_device *device, const struct mock_request *request)
{
	struct mock_domain *domain = mock_device_domain(device, request->access, request->pasid);

	lockdep_assert_held(&device->life);
	return device->requests_wanted && domain && domain->domain.iopf_handler;
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
	struct iopf_fault event = {
		.fault.type = IOMMU_FAULT_PAGE_REQ,
		.fault.prm = {
			.grpid = request->group,
			.perm = request->access & MOCK_PERMISSIONS,
			.addr = request->address,
		},
	};
	struct iommu_fault_page_request *prm = &event.fault.prm;

	if (!era_may_report(device, request))
		return -EIO;
	INIT_LIST_HEAD(&event.list);
	if (request->last)
		prm->flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	if (request->needs_pasid)
		prm->flags |= IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID;
	if (request->access & MOCK_IOMMU_PASID) {
		prm->flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
		prm->pasid = request->pasid;
	}
	return iommu_report_device_fault(device->dev, &event) ? -EIO : 0;
}

/**
 * mock_era_report_fault() - report an unrecoverable fault of a device
 * @device: whose it is, live
 * @fault: the fault, as for injection
 *
 * Return: -EOPNOTSUPP: these kernels have no such report.
 */
int mock_era_report_fault(struct mock_device *device,
			  const struct mock_iommu_unrecoverable *fault)
{
	return -EOPNOTSUPP;
}
