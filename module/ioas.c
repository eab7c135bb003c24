// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address space of a VM: which IOVA leads to which user memory.
 *
 * A mapping goes into every domain of the address space, or into none; a domain
 * that comes later gets all mappings. MAP reserves its range, pins the memory
 * without a lock, and commits. Until then the mapping is not live: it keeps others
 * off its range and is nothing else. Mappings of MMIO are mmio.c's.
 *
 * fq_ioas.lock guards it all; changes of the list of domains, fq_mmios.lock as well. The fault
 * path takes neither.
 */
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "doorbell.h"
#include "ioas.h"
#include "pin.h"

#define FQ_MAPPING_FLAGS (~(u32)FAULTQ_MAP_ANSWER)

/* Mappings that are removed while the lock is held. */
#define FQ_BATCH_MAPPINGS 256

/**
 * struct fq_mapping - a mapped range
 * @node: first and last IOVA
 * @dead: in a list of those that are to be freed
 * @pin: its memory
 * @mmio: NULL, or the MMIO that is there instead
 * @address: where its memory is in the process that mapped it
 * @flags: FAULTQ_MAP_READ and so on
 * @prot: the same, as the IOMMU takes it
 * @live: it is in the domains
 */
struct fq_mapping {
	struct interval_tree_node node;
	struct list_head dead;
	struct fq_pin pin;
	struct fq_mmio *mmio;
	u64 address;
	u32 flags;
	int prot;
	bool live;
};

static struct fq_mapping *fq_first_mapping(struct fq_ioas *ioas, unsigned long first,
					   unsigned long last)
{
	struct interval_tree_node *node = interval_tree_iter_first(&ioas->mappings, first, last);

	return node ? container_of(node, struct fq_mapping, node) : NULL;
}

static struct fq_mapping *fq_next_mapping(struct fq_mapping *mapping, unsigned long first,
					  unsigned long last)
{
	struct interval_tree_node *node = interval_tree_iter_next(&mapping->node, first, last);

	return node ? container_of(node, struct fq_mapping, node) : NULL;
}

static size_t fq_mapping_size(const struct fq_mapping *mapping)
{
	return mapping->node.last - mapping->node.start + 1;
}

/**
 * fq_ioas_init() - make an empty address space
 * @ioas: is initialised
 */
void fq_ioas_init(struct fq_ioas *ioas)
{
	mutex_init(&ioas->lock);
	ioas->mappings = RB_ROOT_CACHED;
	ioas->windows.tree = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&ioas->doorbells);
	fq_mmios_init(&ioas->mmio);
	INIT_LIST_HEAD(&ioas->domains);
}

static int fq_mapping_into(struct fq_domain *domain, const struct fq_mapping *mapping)
{
	return fq_domain_map(domain, mapping->node.start, mapping->node.last, &mapping->pin,
			     mapping->prot);
}

/* Into all domains, or into none. */
static int fq_map_all(struct fq_ioas *ioas, const struct fq_mapping *mapping)
{
	struct fq_domain *domain;
	int ret;

	list_for_each_entry(domain, &ioas->domains, node) {
		ret = fq_mapping_into(domain, mapping);
		if (ret)
			goto undo;
	}
	return 0;

undo:
	list_for_each_entry_continue_reverse(domain, &ioas->domains, node)
		fq_domain_unmap(domain, mapping->node.start, fq_mapping_size(mapping));
	return ret;
}

static void fq_unmap_all(struct fq_ioas *ioas, const struct fq_mapping *mapping)
{
	struct fq_domain *domain;

	list_for_each_entry(domain, &ioas->domains, node)
		fq_domain_unmap(domain, mapping->node.start, fq_mapping_size(mapping));
}

/**
 * fq_mapping_prot() - what devices may do, as the IOMMU takes it
 * @flags: FAULTQ_MAP_* bits
 *
 * Return: IOMMU_* bits.
 */
int fq_mapping_prot(u32 flags)
{
	int prot = 0;

	if (flags & FAULTQ_MAP_READ)
		prot |= IOMMU_READ;
	if (flags & FAULTQ_MAP_WRITE)
		prot |= IOMMU_WRITE;
	if (!(flags & FAULTQ_MAP_EXEC))
		prot |= IOMMU_NOEXEC;
	return prot;
}

/**
 * fq_ioas_mapped() - is there a mapping in a range, or is one being made
 * @ioas: the address space; its lock is held
 * @first: first IOVA
 * @last: last IOVA
 *
 * Return: whether there is.
 */
bool fq_ioas_mapped(struct fq_ioas *ioas, unsigned long first, unsigned long last)
{
	return fq_first_mapping(ioas, first, last);
}

static bool fq_range_addressable(struct fq_ioas *ioas, unsigned long first, unsigned long last)
{
	const struct fq_domain *domain;

	list_for_each_entry(domain, &ioas->domains, node)
		if (!fq_domain_fits(domain, first, last))
			return false;
	return true;
}

/* What is wrong with the range is told in the order in which VFIO's type1 does. */
static int fq_insert(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	unsigned long first = mapping->node.start, last = mapping->node.last;

	if (fq_ioas_mapped(ioas, first, last))
		return -EEXIST;
	if (ioas->max_ranges && ioas->nr_ranges >= ioas->max_ranges)
		return -ENOSPC;
	if (fq_windows_block(ioas, first, last))
		return -EADDRNOTAVAIL;
	if (!fq_range_addressable(ioas, first, last))
		return -EINVAL;
	interval_tree_insert(&mapping->node, &ioas->mappings);
	ioas->nr_ranges++;
	return 0;
}

static void fq_take_out(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	interval_tree_remove(&mapping->node, &ioas->mappings);
	ioas->nr_ranges--;
}

/* Keep others off the range. */
static struct fq_mapping *fq_reserve(struct fq_ioas *ioas, const struct faultq_map *map,
				     unsigned long last)
{
	struct fq_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->node.start = map->iova;
	mapping->node.last = last;
	mapping->address = map->user_address;
	mapping->flags = map->flags & FQ_MAPPING_FLAGS;
	mapping->prot = fq_mapping_prot(map->flags);

	mutex_lock(&ioas->lock);
	ret = fq_insert(ioas, mapping);
	mutex_unlock(&ioas->lock);
	if (!ret)
		return mapping;
	kfree(mapping);
	return ERR_PTR(ret);
}

static void fq_unreserve(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	mutex_lock(&ioas->lock);
	fq_take_out(ioas, mapping);
	mutex_unlock(&ioas->lock);
	kfree(mapping);
}

static unsigned int fq_mapping_entries(const struct fq_mapping *mapping)
{
	return mapping->mmio ? mapping->mmio->nr_extents : 1;
}

static void fq_go_live(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	mapping->live = true;
	ioas->nr_entries += fq_mapping_entries(mapping);
	ioas->mapped_bytes += fq_mapping_size(mapping);
	ioas->pinned_pages += mapping->pin.charged;
}

static int fq_commit(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	int ret;

	mutex_lock(&ioas->lock);
	ret = fq_map_all(ioas, mapping);
	if (!ret)
		fq_go_live(ioas, mapping);
	mutex_unlock(&ioas->lock);
	return ret;
}

static int fq_pin_and_commit(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	int ret = fq_pin(&mapping->pin, mapping->address, fq_mapping_size(mapping) >> PAGE_SHIFT,
			 mapping->prot & IOMMU_WRITE);

	if (ret)
		return ret;
	ret = fq_commit(ioas, mapping);
	if (ret)
		fq_unpin(&mapping->pin);
	return ret;
}

/* MMIO comes extent by extent; only then it is a mapping. */
static int fq_commit_mmio(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	struct fq_mmio *mmio = mapping->mmio;
	int ret = fq_mmio_map(mmio);

	mutex_lock(&ioas->lock);
	if (ret)
		fq_mmio_remove(mmio);
	else
		fq_go_live(ioas, mapping);
	mutex_unlock(&ioas->lock);
	if (ret)
		fq_mmio_free(mmio);
	return ret;
}

static int fq_watch_and_commit(struct fq_ioas *ioas, struct fq_mapping *mapping,
			       struct faultq_map *map)
{
	struct fq_mmio *mmio = fq_mmio_create(ioas, map, mapping->prot);

	if (IS_ERR(mmio))
		return PTR_ERR(mmio);
	mapping->mmio = mmio;
	map->id = mmio->id;
	return fq_commit_mmio(ioas, mapping);
}

static int fq_provide(struct fq_ioas *ioas, struct fq_mapping *mapping, struct faultq_map *map)
{
	map->id = 0;
	return map->flags & FAULTQ_MAP_MMIO ? fq_watch_and_commit(ioas, mapping, map) :
					      fq_pin_and_commit(ioas, mapping);
}

/**
 * fq_range_last() - the last byte of a page-aligned range
 * @start: from user space, anything
 * @length: the same
 * @last: is set
 *
 * Return: false when the range is no such thing.
 */
bool fq_range_last(u64 start, u64 length, u64 *last)
{
	if (!length || !PAGE_ALIGNED(start | length))
		return false;
	return !check_add_overflow(start, length - 1, last) && *last <= ULONG_MAX;
}

/**
 * fq_ioas_map() - map memory of the caller
 * @ioas: the address space
 * @map: MAP's argument, of which the flags were checked; @id is filled in
 *
 * Return: 0; -EADDRNOTAVAIL a window is in the range, and no mapping; or another negative errno
 * as documented in uapi.
 */
int fq_ioas_map(struct fq_ioas *ioas, struct faultq_map *map)
{
	struct fq_mapping *mapping;
	u64 last, last_address;
	int ret;

	if (!fq_range_last(map->iova, map->length, &last) ||
	    !fq_range_last(map->user_address, map->length, &last_address))
		return -EINVAL;

	mapping = fq_reserve(ioas, map, last);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	ret = fq_provide(ioas, mapping, map);
	if (ret)
		fq_unreserve(ioas, mapping);
	return ret;
}
EXPORT_SYMBOL_FAULTQ(fq_ioas_map);

/* Does the range cut a mapping in two? That can only be its first one or its last one. */
static bool fq_range_cuts(struct fq_ioas *ioas, unsigned long first, unsigned long last)
{
	const struct fq_mapping *mapping = fq_first_mapping(ioas, first, last);

	if (!mapping)
		return false;
	if (mapping->live && (mapping->node.start < first || mapping->node.last > last))
		return true;
	if (mapping->node.last >= last)
		return false;
	mapping = fq_first_mapping(ioas, last, last);
	return mapping && mapping->live && mapping->node.last > last;
}

static void fq_remove(struct fq_ioas *ioas, struct fq_mapping *mapping, struct list_head *dead)
{
	fq_take_out(ioas, mapping);
	if (mapping->mmio)
		fq_mmio_remove(mapping->mmio);
	else
		fq_unmap_all(ioas, mapping);
	ioas->nr_entries -= fq_mapping_entries(mapping);
	ioas->mapped_bytes -= fq_mapping_size(mapping);
	ioas->pinned_pages -= mapping->pin.charged;
	list_add_tail(&mapping->dead, dead);
}

/**
 * struct fq_removal - mappings that are being removed
 * @first: first IOVA of the range
 * @last: last IOVA
 * @begun: also one that begins in the range and ends behind it
 * @next: where to go on
 * @ended: there is nothing behind it
 * @bytes: removed so far
 */
struct fq_removal {
	unsigned long first;
	unsigned long last;
	bool begun;
	unsigned long next;
	bool ended;
	u64 bytes;
};

/* One that came since the range was looked at, and is cut by it, came after the removal. */
static bool fq_removal_takes(const struct fq_removal *removal, const struct fq_mapping *mapping)
{
	return mapping->live && mapping->node.start >= removal->first &&
	       (removal->begun || mapping->node.last <= removal->last);
}

/* Take some live mappings out of the domains, onto a list. */
static void fq_remove_some(struct fq_ioas *ioas, struct fq_removal *removal,
			   struct list_head *dead)
{
	struct fq_mapping *mapping, *next;
	unsigned int i;

	mapping = fq_first_mapping(ioas, removal->next, removal->last);
	for (i = 0; mapping && i < FQ_BATCH_MAPPINGS; i++, mapping = next) {
		next = fq_next_mapping(mapping, removal->next, removal->last);
		if (!fq_removal_takes(removal, mapping))
			continue;
		removal->bytes += fq_mapping_size(mapping);
		fq_remove(ioas, mapping, dead);
		if (next)
			cond_resched();
	}
	removal->ended = !mapping;
	if (mapping)
		removal->next = max(removal->next, mapping->node.start);
}

static void fq_free_dead(struct list_head *dead)
{
	struct fq_mapping *mapping, *next;

	list_for_each_entry_safe(mapping, next, dead, dead) {
		if (mapping->mmio)
			fq_mmio_free(mapping->mmio);
		else
			fq_unpin(&mapping->pin);
		kfree(mapping);
	}
}

/*
 * Some at a time: who waits for the lock waits for no more than that, and memory comes back
 * while it goes on. The lock is held at the beginning, and is not in the end.
 */
static void fq_remove_range(struct fq_ioas *ioas, struct fq_removal *removal)
{
	lockdep_assert_held(&ioas->lock);
	removal->next = removal->first;
	for (;;) {
		LIST_HEAD(dead);

		fq_remove_some(ioas, removal, &dead);
		mutex_unlock(&ioas->lock);
		fq_free_dead(&dead);
		if (removal->ended)
			return;
		mutex_lock(&ioas->lock);
	}
}

/**
 * fq_ioas_unmap() - remove the mappings of a range
 * @ioas: the address space
 * @iova: from user space, anything
 * @length: bytes; with @iova 0, ~0 is everything
 * @unmapped: is set to the bytes removed
 *
 * When this returns no device reaches the memory.
 *
 * Return: 0 or -EINVAL.
 */
int fq_ioas_unmap(struct fq_ioas *ioas, u64 iova, u64 length, u64 *unmapped)
{
	struct fq_removal removal = {};
	u64 last = ULONG_MAX;

	*unmapped = 0;
	if ((iova || length != U64_MAX) && !fq_range_last(iova, length, &last))
		return -EINVAL;

	mutex_lock(&ioas->lock);
	if (fq_range_cuts(ioas, iova, last)) {
		mutex_unlock(&ioas->lock);
		return -EINVAL;
	}
	removal.first = iova;
	removal.last = last;
	fq_remove_range(ioas, &removal);
	*unmapped = removal.bytes;
	return 0;
}
EXPORT_SYMBOL_FAULTQ(fq_ioas_unmap);

/**
 * fq_ioas_unmap_begun() - remove the mappings that begin in a range, and all of them
 * @ioas: the address space
 * @iova: from user space, anything
 * @length: bytes
 * @unmapped: is set to the bytes removed, which may be more
 *
 * Nothing is removed when a mapping that begins before the range reaches into it.
 *
 * Return: 0 or -EINVAL.
 */
int fq_ioas_unmap_begun(struct fq_ioas *ioas, u64 iova, u64 length, u64 *unmapped)
{
	struct fq_removal removal = { .begun = true };
	struct fq_mapping *first;
	u64 last;

	*unmapped = 0;
	if (!fq_range_last(iova, length, &last))
		return -EINVAL;

	mutex_lock(&ioas->lock);
	first = fq_first_mapping(ioas, iova, last);
	if (!first || first->node.start < iova) {
		mutex_unlock(&ioas->lock);
		return 0;
	}
	removal.first = iova;
	removal.last = last;
	fq_remove_range(ioas, &removal);
	*unmapped = removal.bytes;
	return 0;
}
EXPORT_SYMBOL_FAULTQ(fq_ioas_unmap_begun);

/**
 * fq_ioas_clear() - remove everything
 * @ioas: no call is in it, and no device is attached
 */
void fq_ioas_clear(struct fq_ioas *ioas)
{
	u64 unmapped;

	fq_ioas_unmap(ioas, 0, U64_MAX, &unmapped);
	fq_windows_clear(ioas);
}

/**
 * fq_ioas_stats() - how much is mapped
 * @ioas: the address space
 * @mapped_bytes: is set
 * @pinned_pages: is set
 */
void fq_ioas_stats(struct fq_ioas *ioas, u64 *mapped_bytes, u64 *pinned_pages)
{
	mutex_lock(&ioas->lock);
	*mapped_bytes = ioas->mapped_bytes;
	*pinned_pages = ioas->pinned_pages;
	mutex_unlock(&ioas->lock);
}

/**
 * fq_ioas_limit() - limit the number of mappings
 * @ioas: the address space
 * @max: mappings, those that are being made included; 0: any number
 */
void fq_ioas_limit(struct fq_ioas *ioas, unsigned int max)
{
	mutex_lock(&ioas->lock);
	ioas->max_ranges = max;
	mutex_unlock(&ioas->lock);
}
EXPORT_SYMBOL_FAULTQ(fq_ioas_limit);

/**
 * fq_ioas_max() - how many mappings there can be
 * @ioas: the address space
 *
 * Return: mappings; 0: any number.
 */
unsigned int fq_ioas_max(struct fq_ioas *ioas)
{
	unsigned int max;

	mutex_lock(&ioas->lock);
	max = ioas->max_ranges;
	mutex_unlock(&ioas->lock);
	return max;
}

/* An IOMMU's smaller pages are of no use: memory comes in the CPU's. */
static u64 fq_page_sizes(struct fq_ioas *ioas)
{
	unsigned long sizes = ULONG_MAX;
	struct fq_domain *domain;

	list_for_each_entry(domain, &ioas->domains, node)
		sizes &= domain->domain->pgsize_bitmap;
	return sizes & ~PAGE_MASK ? (sizes & PAGE_MASK) | PAGE_SIZE : sizes;
}

static bool fq_all_coherent(struct fq_ioas *ioas)
{
	struct fq_domain *domain;

	list_for_each_entry(domain, &ioas->domains, node)
		if (!domain->coherent)
			return false;
	return true;
}

/**
 * fq_ioas_info() - what a user of mappings is told
 * @ioas: the address space
 * @info: is filled in
 */
void fq_ioas_info(struct fq_ioas *ioas, struct fq_ioas_info *info)
{
	mutex_lock(&ioas->lock);
	info->page_sizes = fq_page_sizes(ioas);
	info->coherent = fq_all_coherent(ioas);
	info->room = ioas->max_ranges ? ioas->max_ranges - min(ioas->max_ranges, ioas->nr_ranges) :
					UINT_MAX;
	mutex_unlock(&ioas->lock);
}
EXPORT_SYMBOL_FAULTQ(fq_ioas_info);

/* MMIO is not among what comes and goes with the functions for all mappings. */
static bool fq_is_pinned(const struct fq_mapping *mapping)
{
	return mapping->live && !mapping->mmio;
}

static void fq_mappings_empty(struct fq_ioas *ioas, struct fq_domain *domain,
			      struct fq_mapping *until)
{
	struct fq_mapping *mapping;

	for (mapping = fq_first_mapping(ioas, 0, ULONG_MAX); mapping;
	     mapping = fq_next_mapping(mapping, 0, ULONG_MAX)) {
		if (mapping == until)
			return;
		if (fq_is_pinned(mapping))
			fq_domain_unmap(domain, mapping->node.start, fq_mapping_size(mapping));
		cond_resched();
	}
}

static int fq_mappings_fill(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_mapping *mapping;
	int ret;

	for (mapping = fq_first_mapping(ioas, 0, ULONG_MAX); mapping;
	     mapping = fq_next_mapping(mapping, 0, ULONG_MAX)) {
		ret = fq_is_pinned(mapping) ? fq_mapping_into(domain, mapping) : 0;
		if (ret) {
			fq_mappings_empty(ioas, domain, mapping);
			return ret;
		}
		cond_resched();
	}
	return 0;
}

/* A domain of the same IOMMU instance that takes the group, if there is one. */
static struct fq_domain *fq_attach_existing(struct fq_ioas *ioas,
					    const struct fq_joining *joining, bool requests)
{
	struct fq_domain *domain;

	list_for_each_entry(domain, &ioas->domains, node)
		if (fq_domain_suits(domain, joining, requests) &&
		    !iommu_attach_group_handle(domain->domain, joining->group, joining->handle))
			return domain;
	return NULL;
}

/* What is not revoked, into a new domain. */
static int fq_ioas_fill(struct fq_ioas *ioas, struct fq_domain *domain)
{
	int ret = fq_mappings_fill(ioas, domain);

	if (ret)
		return ret;
	ret = fq_doorbells_fill(ioas, domain);
	if (ret)
		goto empty_mappings;
	ret = fq_mmio_fill_scratch(ioas, domain);
	if (ret)
		goto empty_doorbells;
	return 0;

empty_doorbells:
	fq_doorbells_empty(ioas, domain);
empty_mappings:
	fq_mappings_empty(ioas, domain, NULL);
	return ret;
}

static void fq_ioas_empty(struct fq_ioas *ioas, struct fq_domain *domain)
{
	fq_mmio_empty_scratch(ioas, domain);
	fq_doorbells_empty(ioas, domain);
	fq_mappings_empty(ioas, domain, NULL);
}

static struct fq_domain *fq_attach_new(struct fq_ioas *ioas, const struct fq_joining *joining,
				       bool requests)
{
	struct fq_domain *domain = fq_domain_create(joining, requests);
	int ret;

	if (IS_ERR(domain))
		return domain;
	ret = iommu_attach_group_handle(domain->domain, joining->group, joining->handle);
	if (ret)
		goto free;
	fq_compat_quiet_attached(joining->quiet, domain->domain, joining->handle);
	fq_domain_settle(domain);
	ret = fq_ioas_fill(ioas, domain);
	if (ret)
		goto detach;
	ret = fq_mmio_domain_joins(ioas, domain);
	if (ret)
		goto empty;
	return domain;

empty:
	fq_ioas_empty(ioas, domain);
detach:
	fq_compat_quiet(joining->quiet, domain->domain, joining->handle);
	iommu_detach_group_handle(domain->domain, joining->group);
free:
	fq_domain_destroy(domain);
	return ERR_PTR(ret);
}

static struct fq_domain *fq_attach_some(struct fq_ioas *ioas, const struct fq_joining *joining,
					bool requests)
{
	return fq_attach_existing(ioas, joining, requests) ?:
	       fq_attach_new(ioas, joining, requests);
}

static struct fq_domain *fq_attach_any(struct fq_ioas *ioas, const struct fq_joining *joining)
{
	struct fq_domain *domain = fq_attach_some(ioas, joining, joining->requests);

	/* What IOMMU drivers say of a device that has no page requests. */
	if (domain == ERR_PTR(-ENODEV) || domain == ERR_PTR(-EOPNOTSUPP))
		domain = fq_attach_some(ioas, joining, false);
	/* ATTACH has another meaning for that. */
	if (domain == ERR_PTR(-EOPNOTSUPP))
		domain = ERR_PTR(-EINVAL);
	if (!IS_ERR(domain))
		domain->users++;
	return domain;
}

/**
 * fq_ioas_attach() - let a group's DMA go through the address space
 * @ioas: the address space
 * @joining: the group; the window for the kernel's doorbells is filled in
 * @regions: an empty list, for fq_ioas_detach()
 *
 * Return: the domain, for fq_ioas_detach(), or an ERR_PTR(): then @regions is empty.
 */
struct fq_domain *fq_ioas_attach(struct fq_ioas *ioas, struct fq_joining *joining,
				 struct list_head *regions)
{
	struct fq_domain *domain;
	int ret;

	mutex_lock(&ioas->lock);
	ret = fq_windows_join(ioas, joining->group, regions, &joining->msi);
	domain = ret ? ERR_PTR(ret) : fq_attach_any(ioas, joining);
	if (IS_ERR(domain))
		fq_windows_leave(ioas, regions);
	mutex_unlock(&ioas->lock);
	return domain;
}

/**
 * fq_ioas_detach() - block a group's DMA
 * @ioas: the address space
 * @domain: from fq_ioas_attach()
 * @group: the group
 * @regions: from fq_ioas_attach(), is emptied
 *
 * The group gets its owner's blocking domain.
 */
void fq_ioas_detach(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group,
		    struct list_head *regions)
{
	mutex_lock(&ioas->lock);
	iommu_detach_group_handle(domain->domain, group);
	if (!--domain->users) {
		fq_mmio_domain_leaves(ioas, domain);
		fq_ioas_empty(ioas, domain);
		fq_domain_destroy(domain);
	}
	fq_windows_leave(ioas, regions);
	mutex_unlock(&ioas->lock);
}

/**
 * fq_ioas_block() - block the DMA of an attached group for a while
 * @ioas: the address space
 * @domain: from fq_ioas_attach()
 * @group: the group
 */
void fq_ioas_block(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group)
{
	mutex_lock(&ioas->lock);
	iommu_detach_group_handle(domain->domain, group);
	mutex_unlock(&ioas->lock);
}

/**
 * fq_ioas_unblock() - undo fq_ioas_block()
 * @ioas: the address space
 * @domain: as there
 * @group: as there
 * @handle: as for fq_ioas_attach()
 *
 * Return: 0 or a negative errno: the group stays blocked.
 */
int fq_ioas_unblock(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group,
		    struct iommu_attach_handle *handle)
{
	int ret;

	mutex_lock(&ioas->lock);
	ret = iommu_attach_group_handle(domain->domain, group, handle);
	mutex_unlock(&ioas->lock);
	return ret;
}

static void fq_describe_memory(const struct fq_mapping *mapping,
			       struct faultq_mapping_entry *entry)
{
	entry->iova = mapping->node.start;
	entry->length = fq_mapping_size(mapping);
	entry->user_address = mapping->address;
	entry->flags = mapping->flags;
}

static unsigned int fq_describe_mmio(const struct fq_mapping *mapping, u64 from,
				     struct faultq_mapping_entry *entries, unsigned int room)
{
	const struct fq_extent *extent;
	unsigned int done = 0;

	list_for_each_entry(extent, &mapping->mmio->extents, node) {
		if (extent->iova < from)
			continue;
		if (done == room)
			break;
		fq_extent_describe(extent, &entries[done]);
		entries[done++].flags = mapping->flags;
	}
	return done;
}

/* What of it begins at @from or behind; returns how many entries it took. */
static unsigned int fq_describe_mapping(const struct fq_mapping *mapping, u64 from,
					struct faultq_mapping_entry *entries, unsigned int room)
{
	if (mapping->mmio)
		return fq_describe_mmio(mapping, from, entries, room);
	if (mapping->node.start < from)
		return 0;
	fq_describe_memory(mapping, entries);
	return 1;
}

static unsigned int fq_describe_mappings(struct fq_ioas *ioas, u64 from,
					 struct faultq_mapping_entry *entries, unsigned int room)
{
	struct fq_mapping *mapping = fq_first_mapping(ioas, from, ULONG_MAX);
	unsigned int done = 0;

	for (; mapping && done < room; mapping = fq_next_mapping(mapping, from, ULONG_MAX))
		if (mapping->live)
			done += fq_describe_mapping(mapping, from, entries + done, room - done);
	return done;
}

/* Go on behind the last entry, if there can be anything. */
static void fq_listing_advance(struct fq_ioas *ioas, struct fq_listed_mappings *listed,
			       const struct faultq_mapping_entry *last)
{
	u64 last_iova = last->iova + last->length - 1;

	listed->ended = last_iova == ULONG_MAX ||
			!fq_ioas_mapped(ioas, last_iova + 1, ULONG_MAX);
	listed->from = last_iova + 1;
}

/**
 * fq_ioas_list_mappings() - list some mappings, by IOVA
 * @ioas: the address space
 * @listed: how far the list is, at first zeroed; is updated
 * @entries: where they go, zeroed
 * @room: how many fit
 *
 * A mapping that is there from the first call to the last is listed once, whatever else comes
 * and goes between the calls.
 *
 * Return: how many entries were filled in.
 */
unsigned int fq_ioas_list_mappings(struct fq_ioas *ioas, struct fq_listed_mappings *listed,
				   struct faultq_mapping_entry *entries, unsigned int room)
{
	unsigned int done;

	mutex_lock(&ioas->lock);
	listed->present = ioas->nr_entries;
	done = fq_describe_mappings(ioas, listed->from, entries, room);
	if (done < room)
		listed->ended = true;
	else if (done)
		fq_listing_advance(ioas, listed, &entries[done - 1]);
	mutex_unlock(&ioas->lock);
	return done;
}
