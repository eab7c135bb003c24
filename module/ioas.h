/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address space of a VM; see ioas.c.
 */
#ifndef FQ_IOAS_H
#define FQ_IOAS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct fq_domain;
struct fq_vm;
struct iommu_attach_handle;
struct iommu_group;

/**
 * struct fq_ioas - an address space
 * @lock: guards everything here; taken for IOMMU work, never for user memory
 * @mappings: interval tree of struct fq_mapping, by IOVA
 * @domains: one for each IOMMU instance with attached devices, each with all
 *	mappings
 * @mapped_bytes: sum of the mappings
 * @pinned_pages: pages pinned for them
 */
struct fq_ioas {
	struct mutex lock; /* everything here */
	struct rb_root_cached mappings;
	struct list_head domains;
	u64 mapped_bytes;
	u64 pinned_pages;
};

void fq_ioas_init(struct fq_ioas *ioas);
void fq_ioas_clear(struct fq_ioas *ioas);

int fq_ioas_map(struct fq_ioas *ioas, u64 iova, u64 length, u64 address, u32 flags);
int fq_ioas_unmap(struct fq_ioas *ioas, u64 iova, u64 length, u64 *unmapped);
void fq_ioas_stats(struct fq_ioas *ioas, u64 *mapped_bytes, u64 *pinned_pages);

struct fq_domain *fq_ioas_attach(struct fq_ioas *ioas, struct fq_vm *vm, struct device *dev,
				 struct iommu_group *group,
				 struct iommu_attach_handle *handle);
void fq_ioas_detach(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group);
void fq_ioas_block(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group);
int fq_ioas_unblock(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group,
		    struct iommu_attach_handle *handle);

#endif
