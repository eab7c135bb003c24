/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels.
 *
 * The rest of the module is written against the newest kernel API. Where an older
 * kernel has an older form of a call, this header gives the newer form its name.
 * What a kernel has is found out by compiling (probes.c). Nothing outside of this
 * folder knows about kernel versions.
 */
#ifndef FQ_COMPAT_H
#define FQ_COMPAT_H

#include <linux/device.h>
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/mm.h>

#ifdef FQ_HAVE_IOPF_GROUP
/* For iommufd only, as the namespace says, and so in no header that is shipped. */
int iommu_attach_group_handle(struct iommu_domain *domain, struct iommu_group *group,
			      struct iommu_attach_handle *handle);
void iommu_detach_group_handle(struct iommu_domain *domain, struct iommu_group *group);
int iommu_replace_group_handle(struct iommu_group *group, struct iommu_domain *domain,
			       struct iommu_attach_handle *handle);
#else
/* Before 6.9 an attachment has no handle. */
struct iommu_attach_handle {
	struct iommu_domain *domain;
};

static inline int iommu_attach_group_handle(struct iommu_domain *domain,
					    struct iommu_group *group,
					    struct iommu_attach_handle *handle)
{
	handle->domain = domain;
	return iommu_attach_group(domain, group);
}

static inline void iommu_detach_group_handle(struct iommu_domain *domain,
					     struct iommu_group *group)
{
	iommu_detach_group(domain, group);
}
#endif

#if defined(FQ_HAVE_IOPF_GROUP) && !defined(FQ_HAVE_IOPF_GROUP_DEQUEUE)
/* Until then the list is only looked at when page requests are switched off. */
static inline void iopf_group_dequeue(struct iopf_group *group) {}
#endif

/* What the other module of this package uses of this one. */
#ifdef FQ_HAVE_NAMESPACE_TOKEN
#define EXPORT_SYMBOL_FAULTQ(symbol) EXPORT_SYMBOL_NS_GPL(symbol, FAULTQ)
#else
#define EXPORT_SYMBOL_FAULTQ(symbol) EXPORT_SYMBOL_NS_GPL(symbol, "FAULTQ")
#endif

/* Whether a domain can have both, an MSI cookie and a fault handler. */
#ifdef FQ_HAVE_ONE_COOKIE
#define FQ_COMPAT_MSI_AND_FAULTS false
#else
#define FQ_COMPAT_MSI_AND_FAULTS true
#endif

/* Whether the IOMMU can keep a device from getting around the CPU's caches. */
#ifdef FQ_HAVE_SNOOP_CAPABILITY
static inline bool fq_compat_can_snoop(struct device *dev)
{
	return device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
}
#else
/* Not told: drivers that have it have it for all devices of an IOMMU instance. */
static inline bool fq_compat_can_snoop(struct device *dev)
{
	return false;
}
#endif

#ifndef FQ_HAVE_MAP_GFP
static inline int fq_compat_map(struct iommu_domain *domain, unsigned long iova, phys_addr_t phys,
				size_t size, int prot, gfp_t gfp)
{
	return gfpflags_allow_blocking(gfp) ? iommu_map(domain, iova, phys, size, prot) :
					      iommu_map_atomic(domain, iova, phys, size, prot);
}

#define iommu_map(domain, iova, phys, size, prot, gfp) \
	fq_compat_map(domain, iova, phys, size, prot, gfp)

/* For callers that may sleep. */
#define iommu_map_sg(domain, iova, sg, count, prot, gfp) \
	iommu_map_sg(domain, iova, sg, count, prot)
#endif

#ifndef FQ_HAVE_EVENTFD_SIGNAL
#define eventfd_signal(ctx) eventfd_signal(ctx, 1)
#endif

#ifndef FQ_HAVE_PAGING_DOMAIN_ALLOC
static inline struct iommu_domain *iommu_paging_domain_alloc(struct device *dev)
{
	return iommu_domain_alloc(dev->bus) ?: ERR_PTR(-ENOMEM);
}
#endif

#ifndef FQ_HAVE_VM_FLAGS_MOD
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

#ifndef FQ_HAVE_CONST_BUS
#define bus_register_notifier(bus, block) \
	bus_register_notifier((struct bus_type *)(bus), block)
#define bus_unregister_notifier(bus, block) \
	bus_unregister_notifier((struct bus_type *)(bus), block)
#define bus_find_device_by_name(bus, start, name) \
	bus_find_device_by_name((struct bus_type *)(bus), start, name)
#endif

#ifdef FQ_HAVE_PIN_FAST_ONLY
/**
 * fq_compat_pin_user_pages() - pin_user_pages_fast() as it is since 6.2
 * @start: page-aligned user address
 * @pages: how many
 * @flags: FOLL_LONGTERM, with or without FOLL_WRITE
 * @batch: gets the pages
 *
 * Return: how many were pinned, or a negative errno.
 */
int fq_compat_pin_user_pages(unsigned long start, int pages, unsigned int flags,
			     struct page **batch);

#define pin_user_pages_fast(start, pages, flags, batch) \
	fq_compat_pin_user_pages(start, pages, flags, batch)
#endif

/**
 * struct fq_followed - what a page of a VM_PFNMAP mapping leads to
 * @pfn: its number
 * @size: bytes from the page on that the CPU's entry covers
 * @writable: the process may write
 */
struct fq_followed {
	unsigned long pfn;
	unsigned long size;
	bool writable;
};

/**
 * fq_compat_follow() - look a page of a VM_PFNMAP mapping up
 * @vma: the mapping; its mmap lock is held
 * @address: page-aligned address in it
 * @followed: is filled in
 *
 * Return: 0, or -EINVAL when it is not there at present.
 */
int fq_compat_follow(struct vm_area_struct *vma, unsigned long address,
		     struct fq_followed *followed);

/**
 * fq_compat_requests_on() - let a device raise page requests
 * @dev: a device whose domain has an iopf_handler
 *
 * Since 6.15 attaching the domain does it.
 *
 * Return: 0, -EBUSY when somebody else did, or another negative errno.
 */
int fq_compat_requests_on(struct device *dev);

/**
 * fq_compat_requests_off() - undo fq_compat_requests_on()
 * @dev: the device; none of its groups is outstanding
 */
void fq_compat_requests_off(struct device *dev);

/**
 * fq_compat_shares_requests() - are a device's page requests switched off with others'
 * @dev: the device
 *
 * PCI virtual functions share those of their physical function. Any context.
 *
 * Return: whether they are.
 */
bool fq_compat_shares_requests(struct device *dev);

/**
 * fq_compat_last_request() - up to which address a device's page requests are taken
 * @dev: a device that raises page requests
 *
 * Return: the last address; U64_MAX: whatever can be mapped.
 */
u64 fq_compat_last_request(struct device *dev);

/**
 * fq_compat_instance_name() - name of a device's IOMMU instance
 * @dev: a device behind an IOMMU
 *
 * Return: the name as under /sys/class/iommu; lives as long as the instance.
 */
const char *fq_compat_instance_name(struct device *dev);

/**
 * fq_compat_isolated_msi() - can no device of a group signal what is not its own interrupt
 * @group: the group
 *
 * Return: whether the kernel says so.
 */
bool fq_compat_isolated_msi(struct iommu_group *group);

/**
 * fq_compat_hasty() - is a device's domain gone before its page requests are
 * @dev: a device behind an IOMMU
 *
 * Return: whether its IOMMU driver takes it out of the queue of page requests before it blocks it.
 */
bool fq_compat_hasty(struct device *dev);

#if defined(FQ_HAVE_IOPF_GROUP) && !defined(FQ_HAVE_IOPF_FEATURE)
/**
 * struct fq_quiet - keeps a group in the queue of page requests until nobody asks any more
 * @group: the group
 * @dev: its device
 * @plain: a domain without page requests; NULL: none of this is needed
 * @mute_handle: names the group's attachment when nobody asks any more
 * @asking: what the group's handle names while it is attached
 */
struct fq_quiet {
	struct iommu_group *group;
	struct device *dev;
	struct iommu_domain *plain;
	struct iommu_attach_handle mute_handle;
	struct iommu_domain asking;
};

/**
 * fq_compat_quiet_prepare() - make what a group needs
 * @quiet: zeroed; is filled in
 * @group: a group that is to get a domain with page requests
 * @dev: one of its devices
 * @nr_devices: how many it has
 *
 * Return: 0; -EOPNOTSUPP: the group must not have page requests; or another negative errno.
 */
int fq_compat_quiet_prepare(struct fq_quiet *quiet, struct iommu_group *group,
			    struct device *dev, unsigned int nr_devices);

/**
 * fq_compat_quiet_attached() - the group was attached to its domain, or was again
 * @quiet: of the group
 * @domain: the domain, of this group only if fq_compat_quiet_alone()
 * @handle: of the attachment
 */
void fq_compat_quiet_attached(struct fq_quiet *quiet, struct iommu_domain *domain,
			      struct iommu_attach_handle *handle);

/**
 * fq_compat_quiet() - let the group ask no more; it is to be detached next
 * @quiet: of the group
 * @domain: as attached
 * @handle: the same
 */
void fq_compat_quiet(struct fq_quiet *quiet, struct iommu_domain *domain,
		     struct iommu_attach_handle *handle);

/**
 * fq_compat_quiet_end() - undo fq_compat_quiet_prepare()
 * @quiet: of a group that is detached, if it ever was attached
 */
void fq_compat_quiet_end(struct fq_quiet *quiet);

/**
 * fq_compat_quiet_alone() - must the group have a domain of its own for page requests
 * @quiet: of the group
 *
 * Return: whether it must.
 */
static inline bool fq_compat_quiet_alone(const struct fq_quiet *quiet)
{
	return quiet->plain;
}
#else
/* Page requests have a switch of their own, which the module knows when to use. */
struct fq_quiet {
};

static inline int fq_compat_quiet_prepare(struct fq_quiet *quiet, struct iommu_group *group,
					  struct device *dev, unsigned int nr_devices)
{
	return 0;
}

static inline void fq_compat_quiet_attached(struct fq_quiet *quiet, struct iommu_domain *domain,
					    struct iommu_attach_handle *handle)
{
}

static inline void fq_compat_quiet(struct fq_quiet *quiet, struct iommu_domain *domain,
				   struct iommu_attach_handle *handle)
{
}

static inline void fq_compat_quiet_end(struct fq_quiet *quiet)
{
}

static inline bool fq_compat_quiet_alone(const struct fq_quiet *quiet)
{
	return false;
}
#endif

struct fq_delivery;

/**
 * fq_compat_delivery() - what the device's IOMMU driver reports on this kernel
 * @dev: a device behind an IOMMU
 * @delivery: is filled in
 */
void fq_compat_delivery(struct device *dev, struct fq_delivery *delivery);

#endif
