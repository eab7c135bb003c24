/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels.
 *
 * The rest of the module is written against the newest kernel API. Where an older
 * kernel has an older form of a call, this header gives the newer form its name.
 * Nothing outside of this folder knows about kernel versions.
 */
#ifndef FQ_COMPAT_H
#define FQ_COMPAT_H

#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/iommu.h>
#include <linux/mm.h>

/* 6.3 gave iommu_map() the gfp argument. */
#define iommu_map(domain, iova, paddr, size, prot, gfp) \
	iommu_map(domain, iova, paddr, size, prot)

/* 6.7 dropped the count of eventfd_signal(), which was always 1. */
#define eventfd_signal(ctx) eventfd_signal(ctx, 1)

/* 6.11 brought iommu_paging_domain_alloc(), by device and with an error code. */
static inline struct iommu_domain *iommu_paging_domain_alloc(struct device *dev)
{
	return iommu_domain_alloc(dev->bus) ?: ERR_PTR(-ENOMEM);
}

/* 6.3 made vm_flags read-only but for these. */
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}

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

struct fq_delivery;

/**
 * fq_compat_delivery() - what the device's IOMMU driver reports on this kernel
 * @dev: a device behind an IOMMU
 * @delivery: is filled in
 */
void fq_compat_delivery(struct device *dev, struct fq_delivery *delivery);

#endif
