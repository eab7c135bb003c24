// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved windows of an address space: ranges of IOVAs that no mapping may touch.
 *
 * Some come from devices: what their IOMMU driver says must not be mapped, or is used by
 * the hardware or by the kernel itself. Such a window is there as long as a group that has
 * it is attached; several groups with the same one share it. Others are added one by one,
 * and removed one by one while nothing is bound in them. No two windows overlap, but for
 * those of devices, and no window overlaps a mapping.
 *
 * A window for the kernel's own MSI doorbells is needed once for a group, wherever it is: one
 * that was added takes the place of what devices say. The kernel maps one doorbell after the
 * other from its start, in each domain, and knows no end; so it must be as large as devices say.
 *
 * The lock of the address space guards everything here.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "domain.h"
#include "ioas.h"
#include "window.h"

/**
 * fq_window_first() - the first window of a range
 * @ioas: the address space
 * @first: first IOVA
 * @last: last IOVA
 *
 * Return: the window, or NULL.
 */
struct fq_window *fq_window_first(struct fq_ioas *ioas, unsigned long first, unsigned long last)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(&ioas->windows.tree, first, last);
	return node ? container_of(node, struct fq_window, node) : NULL;
}

/**
 * fq_window_next() - the next window of a range
 * @window: from fq_window_first() or from here
 * @first: as there
 * @last: as there
 *
 * Return: the window, or NULL.
 */
struct fq_window *fq_window_next(struct fq_window *window, unsigned long first,
				 unsigned long last)
{
	struct interval_tree_node *node = interval_tree_iter_next(&window->node, first, last);

	return node ? container_of(node, struct fq_window, node) : NULL;
}

/**
 * fq_window_keeps_off() - may nothing else be where a window is
 * @window: the window
 *
 * Return: false for one that devices can do without.
 */
bool fq_window_keeps_off(const struct fq_window *window)
{
	return window->type != FAULTQ_WINDOW_DIRECT_RELAXABLE;
}

/**
 * fq_windows_block() - is there a window that keeps a mapping off
 * @ioas: the address space
 * @first: first IOVA of the mapping
 * @last: last IOVA of the mapping
 *
 * Return: whether there is.
 */
bool fq_windows_block(struct fq_ioas *ioas, unsigned long first, unsigned long last)
{
	struct fq_window *window;

	for (window = fq_window_first(ioas, first, last); window;
	     window = fq_window_next(window, first, last))
		if (fq_window_keeps_off(window))
			return true;
	return false;
}

static struct fq_window *fq_window_create(struct fq_ioas *ioas, unsigned long first,
					  unsigned long last, u32 type)
{
	struct fq_window *window = kzalloc(sizeof(*window), GFP_KERNEL_ACCOUNT);

	if (!window)
		return NULL;
	window->node.start = first;
	window->node.last = last;
	window->type = type;
	if (type == FAULTQ_WINDOW_MSI)
		init_iova_domain(&window->iovas, PAGE_SIZE, first >> PAGE_SHIFT);
	interval_tree_insert(&window->node, &ioas->windows.tree);
	return window;
}

static void fq_window_destroy(struct fq_ioas *ioas, struct fq_window *window)
{
	interval_tree_remove(&window->node, &ioas->windows.tree);
	if (window->type == FAULTQ_WINDOW_MSI)
		put_iova_domain(&window->iovas);
	kfree(window);
}

/* The one that was added for doorbells that the kernel maps itself, if there is one. */
static struct fq_window *fq_added_msi(struct fq_ioas *ioas)
{
	struct fq_window *window;

	for (window = fq_window_first(ioas, 0, ULONG_MAX); window;
	     window = fq_window_next(window, 0, ULONG_MAX))
		if (window->id && window->type == FAULTQ_WINDOW_SW_MSI)
			return window;
	return NULL;
}

static bool fq_window_valid(const struct faultq_window *window)
{
	switch (window->type) {
	case FAULTQ_WINDOW_RESERVED:
		return !window->prot;
	case FAULTQ_WINDOW_SW_MSI:
		return !window->prot && window->length >= FAULTQ_SW_MSI_MIN_SIZE;
	case FAULTQ_WINDOW_MSI:
		return fq_access_valid(window->prot) &&
		       !(window->prot & ~(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE | FAULTQ_MAP_EXEC));
	default:
		return false;
	}
}

/* Does the kernel map doorbells of its own in any window? */
static bool fq_own_msi_in_use(struct fq_ioas *ioas)
{
	const struct fq_domain *domain;

	list_for_each_entry(domain, &ioas->domains, node)
		if (domain->msi.size)
			return true;
	return false;
}

static int fq_window_try(struct fq_ioas *ioas, const struct faultq_window *window,
			 unsigned long last)
{
	if (window->type == FAULTQ_WINDOW_SW_MSI && fq_own_msi_in_use(ioas))
		return -EBUSY;
	if (window->type == FAULTQ_WINDOW_SW_MSI && fq_added_msi(ioas))
		return -EEXIST;
	if (fq_windows_block(ioas, window->iova, last) ||
	    fq_ioas_mapped(ioas, window->iova, last))
		return -EEXIST;
	if (ioas->windows.count == FQ_MAX_WINDOWS || ioas->windows.last_id == U32_MAX)
		return -ENOSPC;
	return 0;
}

static int fq_window_insert(struct fq_ioas *ioas, struct faultq_window *window,
			    unsigned long last)
{
	struct fq_window *added;
	int ret = fq_window_try(ioas, window, last);

	if (ret)
		return ret;
	added = fq_window_create(ioas, window->iova, last, window->type);
	if (!added)
		return -ENOMEM;
	added->prot = window->prot;
	added->id = ++ioas->windows.last_id;
	ioas->windows.count++;
	window->id = added->id;
	return 0;
}

/**
 * fq_window_add() - add a window
 * @ioas: the address space
 * @window: WINDOW_ADD's argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_window_add(struct fq_ioas *ioas, struct faultq_window *window)
{
	u64 last;
	int ret;

	if (window->flags || window->reserved || !fq_window_valid(window) ||
	    !fq_range_last(window->iova, window->length, &last))
		return -EINVAL;
	mutex_lock(&ioas->lock);
	ret = fq_window_insert(ioas, window, last);
	mutex_unlock(&ioas->lock);
	return ret;
}
EXPORT_SYMBOL_FAULTQ(fq_window_add);

static struct fq_window *fq_window_find(struct fq_ioas *ioas, u32 id)
{
	struct fq_window *window;

	for (window = fq_window_first(ioas, 0, ULONG_MAX); window;
	     window = fq_window_next(window, 0, ULONG_MAX))
		if (window->id == id)
			return window;
	return NULL;
}

static bool fq_window_in_use(struct fq_ioas *ioas, const struct fq_window *window)
{
	return window->used ||
	       (window->type == FAULTQ_WINDOW_SW_MSI && fq_own_msi_in_use(ioas));
}

/**
 * fq_window_del() - remove a window that was added
 * @ioas: the address space
 * @id: from user space, anything
 *
 * Return: 0, -ENOENT or -EBUSY.
 */
int fq_window_del(struct fq_ioas *ioas, u32 id)
{
	struct fq_window *window;
	int ret = 0;

	mutex_lock(&ioas->lock);
	window = id ? fq_window_find(ioas, id) : NULL;
	if (!window)
		ret = -ENOENT;
	else if (fq_window_in_use(ioas, window))
		ret = -EBUSY;
	if (!ret) {
		fq_window_destroy(ioas, window);
		ioas->windows.count--;
	}
	mutex_unlock(&ioas->lock);
	return ret;
}

/**
 * fq_windows_clear() - remove all windows
 * @ioas: no call is in it, and no device is attached
 */
void fq_windows_clear(struct fq_ioas *ioas)
{
	struct fq_window *window;

	while ((window = fq_window_first(ioas, 0, ULONG_MAX)))
		fq_window_destroy(ioas, window);
}

static u32 fq_region_type(const struct iommu_resv_region *region)
{
	switch (region->type) {
	case IOMMU_RESV_DIRECT:
		return FAULTQ_WINDOW_DIRECT;
	case IOMMU_RESV_DIRECT_RELAXABLE:
		return FAULTQ_WINDOW_DIRECT_RELAXABLE;
	case IOMMU_RESV_MSI:
		return FAULTQ_WINDOW_HW_MSI;
	case IOMMU_RESV_SW_MSI:
		return FAULTQ_WINDOW_SW_MSI;
	default:
		return FAULTQ_WINDOW_RESERVED;
	}
}

static unsigned long fq_region_first(const struct iommu_resv_region *region)
{
	return region->start & PAGE_MASK;
}

static unsigned long fq_region_last(const struct iommu_resv_region *region)
{
	return (region->start + region->length - 1) | ~PAGE_MASK;
}

static u32 fq_region_prot(const struct iommu_resv_region *region)
{
	return (region->prot & IOMMU_READ ? FAULTQ_MAP_READ : 0) |
	       (region->prot & IOMMU_WRITE ? FAULTQ_MAP_WRITE : 0);
}

/* What devices have in common is one window. */
static struct fq_window *fq_window_same(struct fq_ioas *ioas,
					const struct iommu_resv_region *region)
{
	unsigned long first = fq_region_first(region), last = fq_region_last(region);
	struct fq_window *window;

	for (window = fq_window_first(ioas, first, last); window;
	     window = fq_window_next(window, first, last))
		if (window->groups && window->node.start == first && window->node.last == last &&
		    window->type == fq_region_type(region) &&
		    window->prot == fq_region_prot(region))
			return window;
	return NULL;
}

/* Would a window of a device meet a mapping, or one that was added? */
static bool fq_region_collides(struct fq_ioas *ioas, const struct iommu_resv_region *region)
{
	unsigned long first = fq_region_first(region), last = fq_region_last(region);
	struct fq_window *window;

	if (region->type == IOMMU_RESV_DIRECT_RELAXABLE)
		return false;
	if (fq_ioas_mapped(ioas, first, last))
		return true;
	for (window = fq_window_first(ioas, first, last); window;
	     window = fq_window_next(window, first, last))
		if (window->id)
			return true;
	return false;
}

static int fq_region_join(struct fq_ioas *ioas, const struct iommu_resv_region *region)
{
	struct fq_window *window = fq_window_same(ioas, region);

	if (!window) {
		if (fq_region_collides(ioas, region))
			return -EEXIST;
		window = fq_window_create(ioas, fq_region_first(region), fq_region_last(region),
					  fq_region_type(region));
		if (!window)
			return -ENOMEM;
		window->prot = fq_region_prot(region);
	}
	window->groups++;
	return 0;
}

static void fq_region_leave(struct fq_ioas *ioas, const struct iommu_resv_region *region)
{
	struct fq_window *window = fq_window_same(ioas, region);

	if (!--window->groups)
		fq_window_destroy(ioas, window);
}

static void fq_region_free(struct iommu_resv_region *region)
{
	list_del(&region->list);
	kfree(region);
}

/* What has no extent is no window. */
static void fq_drop_empty(struct list_head *regions)
{
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, regions, list)
		if (!region->length)
			fq_region_free(region);
}

/* The first region where the kernel maps doorbells for the group itself. */
static struct fq_msi fq_regions_msi(const struct list_head *regions)
{
	const struct iommu_resv_region *region;

	list_for_each_entry(region, regions, list)
		if (region->type == IOMMU_RESV_SW_MSI)
			return (struct fq_msi){
				.base = fq_region_first(region),
				.size = fq_region_last(region) - fq_region_first(region) + 1,
			};
	return (struct fq_msi){};
}

/* Returns -EINVAL when the window that was added is too small to take a region's place. */
static int fq_replace_msi(const struct fq_window *added, struct list_head *regions)
{
	u64 size = added->node.last - added->node.start + 1;
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, regions, list) {
		if (region->type != IOMMU_RESV_SW_MSI)
			continue;
		if (fq_region_last(region) - fq_region_first(region) >= size)
			return -EINVAL;
		fq_region_free(region);
	}
	return 0;
}

/* Where the kernel maps the group's doorbells; the added window takes the place of its own. */
static int fq_place_msi(struct fq_ioas *ioas, struct list_head *regions, struct fq_msi *msi)
{
	const struct fq_window *added = fq_added_msi(ioas);

	*msi = fq_regions_msi(regions);
	if (!msi->size || !added)
		return 0;
	msi->base = added->node.start;
	msi->size = added->node.last - added->node.start + 1;
	return fq_replace_msi(added, regions);
}

static void fq_regions_free(struct list_head *regions)
{
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, regions, list)
		fq_region_free(region);
}

static int fq_regions_join(struct fq_ioas *ioas, struct list_head *regions)
{
	struct iommu_resv_region *region;
	int ret;

	list_for_each_entry(region, regions, list) {
		ret = fq_region_join(ioas, region);
		if (ret)
			goto undo;
	}
	return 0;

undo:
	list_for_each_entry_continue_reverse(region, regions, list)
		fq_region_leave(ioas, region);
	return ret;
}

/**
 * fq_windows_join() - add the windows of a group that is being attached
 * @ioas: the address space
 * @group: the group
 * @regions: an empty list, which keeps what fq_windows_leave() needs
 * @msi: is set to the window where the kernel may map doorbells for the group
 *
 * Return: 0, -EEXIST when one meets a mapping or a window, or another negative errno:
 * then @regions is empty.
 */
int fq_windows_join(struct fq_ioas *ioas, struct iommu_group *group, struct list_head *regions,
		    struct fq_msi *msi)
{
	int ret = iommu_get_group_resv_regions(group, regions);

	lockdep_assert_held(&ioas->lock);
	fq_drop_empty(regions);
	if (!ret)
		ret = fq_place_msi(ioas, regions, msi);
	if (!ret)
		ret = fq_regions_join(ioas, regions);
	if (ret)
		fq_regions_free(regions);
	return ret;
}

/**
 * fq_windows_leave() - remove the windows of a group that was detached
 * @ioas: the address space
 * @regions: from fq_windows_join(), is emptied
 */
void fq_windows_leave(struct fq_ioas *ioas, struct list_head *regions)
{
	struct iommu_resv_region *region;

	lockdep_assert_held(&ioas->lock);
	list_for_each_entry(region, regions, list)
		fq_region_leave(ioas, region);
	fq_regions_free(regions);
}

static void fq_describe_window(const struct fq_window *window,
			       struct faultq_window_entry *entry)
{
	entry->iova = window->node.start;
	entry->length = window->node.last - window->node.start + 1;
	entry->id = window->id;
	entry->type = window->type;
	entry->prot = window->prot;
	entry->groups = window->groups;
	entry->used = window->used;
}

/**
 * fq_ioas_list_windows() - list the windows, by IOVA
 * @ioas: the address space
 * @entries: where they go, zeroed
 * @room: how many fit
 *
 * Return: how many there are, which may be more.
 */
unsigned int fq_ioas_list_windows(struct fq_ioas *ioas, struct faultq_window_entry *entries,
				  unsigned int room)
{
	struct fq_window *window;
	unsigned int count = 0;

	mutex_lock(&ioas->lock);
	for (window = fq_window_first(ioas, 0, ULONG_MAX); window;
	     window = fq_window_next(window, 0, ULONG_MAX)) {
		if (count < room)
			fq_describe_window(window, &entries[count]);
		count++;
	}
	mutex_unlock(&ioas->lock);
	return count;
}

/**
 * struct fq_ranges - usable ranges, as they are found
 * @entries: where they go
 * @room: how many fit
 * @count: how many there are
 */
struct fq_ranges {
	struct faultq_range_entry *entries;
	unsigned int room;
	unsigned int count;
};

static void fq_range_found(struct fq_ranges *ranges, u64 first, u64 last)
{
	if (ranges->count < ranges->room) {
		ranges->entries[ranges->count].first = first;
		ranges->entries[ranges->count].last = last;
	}
	ranges->count++;
}

/* What every domain can address. */
static void fq_aperture(struct fq_ioas *ioas, u64 *first, u64 *last)
{
	const struct fq_domain *domain;

	*first = 0;
	*last = ULONG_MAX;
	list_for_each_entry(domain, &ioas->domains, node) {
		*first = max(*first, domain->first);
		*last = min(*last, domain->last);
	}
}

static void fq_find_ranges(struct fq_ioas *ioas, struct fq_ranges *ranges)
{
	struct fq_window *window;
	u64 first, last;

	fq_aperture(ioas, &first, &last);
	for (window = fq_window_first(ioas, 0, ULONG_MAX); window && first <= last;
	     window = fq_window_next(window, 0, ULONG_MAX)) {
		if (!fq_window_keeps_off(window) || window->node.last < first)
			continue;
		if (window->node.start > last)
			break;
		if (window->node.start > first)
			fq_range_found(ranges, first, window->node.start - 1);
		if (window->node.last >= last)
			return;
		first = window->node.last + 1;
	}
	if (first <= last)
		fq_range_found(ranges, first, last);
}

/**
 * fq_ioas_list_ranges() - list where mappings and windows can be, by IOVA
 * @ioas: the address space
 * @entries: where they go, zeroed
 * @room: how many fit
 *
 * Return: how many there are, which may be more.
 */
unsigned int fq_ioas_list_ranges(struct fq_ioas *ioas, struct faultq_range_entry *entries,
				 unsigned int room)
{
	struct fq_ranges ranges = { .entries = entries, .room = room };

	mutex_lock(&ioas->lock);
	fq_find_ranges(ioas, &ranges);
	mutex_unlock(&ioas->lock);
	return ranges.count;
}
EXPORT_SYMBOL_FAULTQ(fq_ioas_list_ranges);
