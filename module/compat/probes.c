// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel offers, found out by compiling: scripts/kernel-probes compiles each
 * section alone and defines FQ_HAVE_NAME where that works. Releases named here are
 * mainline's; a stable kernel may differ, which is why nobody asks for its version.
 */
#define SUPPORTED "it supports Linux 6.1 to 6.8, 6.11 to 6.14, 7.2 and 7.3"

#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#ifdef PROBE_FAULT_HANDLER
/* Up to 6.8: page requests and faults go to a handler of the device. */
int probe(struct device *dev, int (*handler)(struct iommu_fault *, void *))
{
	return iommu_register_device_fault_handler(dev, handler, dev);
}
#endif

#ifdef PROBE_IOPF_GROUP
/* 6.11: page request groups go to the domain, and name the attachment. */
int probe(struct iommu_domain *domain, struct iopf_group *group)
{
	return domain->iopf_handler(group) || group->attach_handle->domain == domain;
}
#endif

#ifdef PROBE_IOPF_GROUP_DEQUEUE
/* 7.2: who wants to keep a group takes it from the kernel's list. */
void probe(struct iopf_group *group)
{
	iopf_group_dequeue(group);
}
#endif

#ifdef PROBE_IOPF_FEATURE
/* Up to 6.14: page requests have a switch; since then attaching switches them on. */
int probe(struct device *dev)
{
	return iommu_dev_enable_feature(dev, IOMMU_DEV_FEAT_IOPF);
}
#endif

#ifdef PROBE_NAMESPACE_TOKEN
/* Up to 6.12: namespaces of exported symbols are tokens; since then they are strings. */
#include <linux/module.h>
MODULE_IMPORT_NS(FAULTQ);
#endif

#ifdef PROBE_ISOLATED_MSI
/* 6.3: the kernel tells it of a group. */
bool probe(struct iommu_group *group)
{
	return iommu_group_has_isolated_msi(group);
}
#endif

#ifdef PROBE_ONE_COOKIE
/* 6.15: a domain has one cookie; of several kinds, the fault handler's is one. */
int probe(struct iommu_domain *domain)
{
	return domain->cookie_type == IOMMU_COOKIE_FAULT_HANDLER;
}
#endif

#ifdef PROBE_PAGING_DOMAIN_ALLOC
/* 6.11: a domain is for a device, not for a bus, and comes with an error code. */
struct iommu_domain *probe(struct device *dev)
{
	return iommu_paging_domain_alloc(dev);
}
#endif

#ifdef PROBE_SNOOP_CAPABILITY
/* 6.4: a driver tells it of a device, before anything is attached. */
bool probe(struct device *dev)
{
	return device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
}
#endif

#ifdef PROBE_MAP_GFP
/* 6.3: iommu_map() and iommu_map_sg() take the gfp argument. */
int probe(struct iommu_domain *domain)
{
	return iommu_map(domain, 0, 0, PAGE_SIZE, IOMMU_READ, GFP_KERNEL);
}
#endif

#ifdef PROBE_EVENTFD_SIGNAL
/* 6.8: eventfd_signal() lost its count, which was always 1. */
void probe(struct eventfd_ctx *eventfd)
{
	eventfd_signal(eventfd);
}
#endif

#ifdef PROBE_VM_FLAGS_MOD
/* 6.3: vm_flags of a VMA are read-only but for these. */
void probe(struct vm_area_struct *vma)
{
	vm_flags_mod(vma, 0, 0);
}
#endif

#ifdef PROBE_CONST_BUS
/* 6.4 to 6.11: functions of a bus do not change it. */
int probe(const struct bus_type *bus, struct notifier_block *block)
{
	return bus_register_notifier(bus, block) || bus_find_device_by_name(bus, NULL, "");
}
#endif

#ifdef PROBE_PIN_FAST_ONLY
/*
 * Gone in 6.5. Kernels that have it may still need compat/pin.c, which 6.2 made
 * needless and which does no harm after that.
 */
int probe(struct page **pages)
{
	return pin_user_pages_fast_only(0, 1, FOLL_LONGTERM, pages);
}
#endif

#ifdef PROBE_FOLLOW_PFNMAP
/* 6.12: a page of MMIO is looked up by VMA, in entries of any size. */
int probe(struct vm_area_struct *vma)
{
	struct follow_pfnmap_args args = { .vma = vma };
	int ret = follow_pfnmap_start(&args);

	follow_pfnmap_end(&args);
	return ret;
}
#endif

#ifdef PROBE_FOLLOW_ADDR_MASK
/* 6.15: and it tells of which size. */
unsigned long probe(const struct follow_pfnmap_args *args)
{
	return args->addr_mask;
}
#endif

#ifdef PROBE_FOLLOW_PTE_VMA
/* 6.10 and 6.11: the entry of a page is looked up by VMA; before, by process. */
int probe(struct vm_area_struct *vma, pte_t **pte, spinlock_t **lock)
{
	return follow_pte(vma, 0, pte, lock);
}
#endif

#ifdef PROBE_REQUIRED
/* Whenever a device gets another domain. */
#if defined(FQ_HAVE_IOPF_GROUP) && !defined(FQ_HAVE_IOPF_FEATURE) && \
	!defined(FQ_HAVE_IOPF_GROUP_DEQUEUE)
#error it frees page requests that wait for an answer; Linux 7.2 has iopf_group_dequeue for that
#endif

#include "compat.h"

#ifndef CONFIG_IOMMU_API
#error it was built without IOMMUs
#endif

#if !defined(FQ_HAVE_FAULT_HANDLER) && !defined(FQ_HAVE_IOPF_GROUP)
#error no known way to get page requests
#endif

/* The rest of the module is written against this. */
int probe(struct device *dev, struct iommu_group *group, struct iommu_attach_handle *handle,
	  struct page **pages, struct vm_area_struct *vma, const struct bus_type *bus,
	  struct eventfd_ctx *eventfd, struct mmu_interval_notifier *notifier)
{
	struct iommu_domain *domain = iommu_paging_domain_alloc(dev);

	iommu_set_fault_handler(domain, NULL, NULL);
	iommu_map(domain, 0, 0, PAGE_SIZE, IOMMU_READ | IOMMU_NOEXEC, GFP_KERNEL);
	eventfd_signal(eventfd);
	vm_flags_mod(vma, 0, 0);
	pin_user_pages_fast(0, 1, FOLL_LONGTERM, pages);
	mmu_interval_read_retry(notifier, mmu_interval_read_begin(notifier));
	iommu_attach_group_handle(domain, group, handle);
	iommu_detach_group_handle(domain, group);
	iommu_domain_free(domain);
	iommu_group_release_dma_owner(group);
	return bus_register_notifier(bus, NULL) ?: iommu_group_claim_dma_owner(group, group);
}
#endif
