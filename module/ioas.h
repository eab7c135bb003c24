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

#include <linux/faultq.h>

#include "domain.h"
#include "mmio.h"
#include "window.h"

/**
 * struct fq_ioas - an address space
 * @lock: guards everything here; taken for IOMMU work, never for user memory
 * @mappings: interval tree of struct fq_mapping, by IOVA
 * @nr_entries: those that are live, or their extents of MMIO
 * @nr_ranges: all, also those that are being made
 * @max_ranges: what that may be; 0: anything
 * @windows: reserved windows
 * @doorbells: doorbells that are bound
 * @nr_doorbells: how many
 * @mmio: mappings of MMIO
 * @domains: one for each IOMMU instance with attached devices, each with all
 *	mappings and doorbells; guarded by @mmio's lock as well, either is enough to read
 * @mapped_bytes: sum of the mappings
 * @pinned_pages: pages pinned for them
 */
struct fq_ioas {
	struct mutex lock; /* everything here */
	struct rb_root_cached mappings;
	unsigned int nr_entries;
	unsigned int nr_ranges;
	unsigned int max_ranges;
	struct fq_windows windows;
	struct list_head doorbells;
	unsigned int nr_doorbells;
	struct fq_mmios mmio;
	struct list_head domains;
	u64 mapped_bytes;
	u64 pinned_pages;
};

/**
 * struct fq_ioas_info - what a user of mappings is told
 * @page_sizes: sizes of pages that all domains have, as bits; no less than PAGE_SIZE
 * @coherent: the attached devices cannot get around the CPU's caches
 * @room: mappings that can still be made
 */
struct fq_ioas_info {
	u64 page_sizes;
	bool coherent;
	unsigned int room;
};

/**
 * struct fq_listed_mappings - how far a list of mappings is
 * @from: entries from this IOVA on are to be listed
 * @ended: there are no more
 * @present: how many there were in all, the last time
 */
struct fq_listed_mappings {
	u64 from;
	bool ended;
	unsigned int present;
};

/**
 * fq_access_valid() - is it something that devices may do
 * @flags: FAULTQ_MAP_* bits
 *
 * No IOMMU has a page that can be executed only. Asked for one, some drivers refuse, some warn,
 * and with some iommu_map() never returns.
 *
 * Return: whether an IOMMU can be asked for it.
 */
static inline bool fq_access_valid(u32 flags)
{
	return flags & (FAULTQ_MAP_READ | FAULTQ_MAP_WRITE);
}

void fq_ioas_init(struct fq_ioas *ioas);
void fq_ioas_clear(struct fq_ioas *ioas);

int fq_ioas_map(struct fq_ioas *ioas, struct faultq_map *map);
int fq_ioas_unmap(struct fq_ioas *ioas, u64 iova, u64 length, u64 *unmapped);
int fq_ioas_unmap_begun(struct fq_ioas *ioas, u64 iova, u64 length, u64 *unmapped);
void fq_ioas_stats(struct fq_ioas *ioas, u64 *mapped_bytes, u64 *pinned_pages);
void fq_ioas_limit(struct fq_ioas *ioas, unsigned int max);
unsigned int fq_ioas_max(struct fq_ioas *ioas);
void fq_ioas_info(struct fq_ioas *ioas, struct fq_ioas_info *info);

bool fq_range_last(u64 start, u64 length, u64 *last);
int fq_mapping_prot(u32 flags);
bool fq_ioas_mapped(struct fq_ioas *ioas, unsigned long first, unsigned long last);

struct fq_domain *fq_ioas_attach(struct fq_ioas *ioas, struct fq_joining *joining,
				 struct list_head *regions);
void fq_ioas_detach(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group,
		    struct list_head *regions);
void fq_ioas_block(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group);
int fq_ioas_unblock(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group,
		    struct iommu_attach_handle *handle);

unsigned int fq_ioas_list_mappings(struct fq_ioas *ioas, struct fq_listed_mappings *listed,
				   struct faultq_mapping_entry *entries, unsigned int room);
unsigned int fq_ioas_list_windows(struct fq_ioas *ioas, struct faultq_window_entry *entries,
				  unsigned int room);
unsigned int fq_ioas_list_ranges(struct fq_ioas *ioas, struct faultq_range_entry *entries,
				 unsigned int room);
unsigned int fq_ioas_list_doorbells(struct fq_ioas *ioas, struct faultq_doorbell_entry *entries,
				    unsigned int room);

#endif
