// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address space of a VM: which IOVA leads to which user memory.
 *
 * A mapping goes into every domain of the address space, or into none; a domain
 * that comes later gets all mappings. MAP reserves its range, pins the memory
 * without a lock, and commits. Until then the mapping is not live: it keeps others
 * off its range and is nothing else.
 *
 * fq_ioas.lock guards it all. The fault path does not take it.
 */
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "ioas.h"
#include "pin.h"
#include "source.h"

/**
 * struct fq_mapping - a mapped range
 * @node: first and last IOVA
 * @dead: in a list of those that are to be freed
 * @pin: its memory
 * @prot: IOMMU_READ, IOMMU_WRITE, IOMMU_NOEXEC
 * @live: it is in the domains
 */
struct fq_mapping {
	struct interval_tree_node node;
	struct list_head dead;
	struct fq_pin pin;
	int prot;
	bool live;
};

/**
 * struct fq_domain - the page table for the devices of one IOMMU instance
 * @node: in the address space's domains
 * @domain: the kernel's domain
 * @instance: the IOMMU instance
 * @requests: for devices that raise page requests
 * @prot: added to the prot of every mapping
 * @users: attached groups
 */
struct fq_domain {
	struct list_head node;
	struct iommu_domain *domain;
	struct iommu_device *instance;
	bool requests;
	int prot;
	unsigned int users;
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
	INIT_LIST_HEAD(&ioas->domains);
}

static void fq_domain_unmap(struct fq_domain *domain, unsigned long iova, size_t size)
{
	if (size)
		WARN_ON_ONCE(iommu_unmap(domain->domain, iova, size) != size);
}

static bool fq_domain_fits(const struct fq_domain *domain, const struct fq_mapping *mapping)
{
	const struct iommu_domain_geometry *geometry = &domain->domain->geometry;

	return mapping->node.start >= geometry->aperture_start &&
	       mapping->node.last <= geometry->aperture_end;
}

/* Sets @done to the bytes that were mapped, also on error. */
static int fq_domain_map_runs(struct fq_domain *domain, const struct fq_mapping *mapping,
			      size_t *done)
{
	int prot = mapping->prot | domain->prot;
	const struct fq_run *run;
	struct fq_run_iter iter;
	int ret = 0;

	*done = 0;
	for (run = fq_first_run(&mapping->pin, &iter); run; run = fq_next_run(&iter)) {
		size_t size = run->pages << PAGE_SHIFT;

		ret = iommu_map(domain->domain, mapping->node.start + *done,
				PFN_PHYS(run->pfn), size, prot, GFP_KERNEL_ACCOUNT);
		if (ret)
			break;
		*done += size;
		cond_resched();
	}
	return ret;
}

static int fq_domain_map(struct fq_domain *domain, const struct fq_mapping *mapping)
{
	size_t done;
	int ret;

	if (!fq_domain_fits(domain, mapping))
		return -EINVAL;
	ret = fq_domain_map_runs(domain, mapping, &done);
	if (ret)
		fq_domain_unmap(domain, mapping->node.start, done);
	return ret;
}

/* Into all domains, or into none. */
static int fq_map_all(struct fq_ioas *ioas, const struct fq_mapping *mapping)
{
	struct fq_domain *domain;
	int ret;

	list_for_each_entry(domain, &ioas->domains, node) {
		ret = fq_domain_map(domain, mapping);
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

static int fq_mapping_prot(u32 flags)
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

/* Keep others off the range. */
static struct fq_mapping *fq_reserve(struct fq_ioas *ioas, unsigned long iova,
				     unsigned long last, int prot)
{
	struct fq_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	bool taken;

	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->node.start = iova;
	mapping->node.last = last;
	mapping->prot = prot;

	mutex_lock(&ioas->lock);
	taken = fq_first_mapping(ioas, iova, last);
	if (!taken)
		interval_tree_insert(&mapping->node, &ioas->mappings);
	mutex_unlock(&ioas->lock);
	if (!taken)
		return mapping;
	kfree(mapping);
	return ERR_PTR(-EEXIST);
}

static void fq_unreserve(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	mutex_lock(&ioas->lock);
	interval_tree_remove(&mapping->node, &ioas->mappings);
	mutex_unlock(&ioas->lock);
	kfree(mapping);
}

static int fq_commit(struct fq_ioas *ioas, struct fq_mapping *mapping)
{
	int ret;

	mutex_lock(&ioas->lock);
	ret = fq_map_all(ioas, mapping);
	if (!ret) {
		mapping->live = true;
		ioas->mapped_bytes += fq_mapping_size(mapping);
		ioas->pinned_pages += mapping->pin.charged;
	}
	mutex_unlock(&ioas->lock);
	return ret;
}

static int fq_pin_and_commit(struct fq_ioas *ioas, struct fq_mapping *mapping,
			     unsigned long address)
{
	int ret = fq_pin(&mapping->pin, address, fq_mapping_size(mapping) >> PAGE_SHIFT,
			 mapping->prot & IOMMU_WRITE);

	if (ret)
		return ret;
	ret = fq_commit(ioas, mapping);
	if (ret)
		fq_unpin(&mapping->pin);
	return ret;
}

/* The last byte of a page-aligned range; false when the range is no such thing. */
static bool fq_range_last(u64 start, u64 length, u64 *last)
{
	if (!length || !PAGE_ALIGNED(start | length))
		return false;
	return !check_add_overflow(start, length - 1, last) && *last <= ULONG_MAX;
}

/**
 * fq_ioas_map() - map memory of the caller
 * @ioas: the address space
 * @iova: from user space, anything; so are the next two
 * @length: bytes
 * @address: user address
 * @flags: FAULTQ_MAP_* bits
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_ioas_map(struct fq_ioas *ioas, u64 iova, u64 length, u64 address, u32 flags)
{
	struct fq_mapping *mapping;
	u64 last, last_address;
	int ret;

	if (!fq_range_last(iova, length, &last) ||
	    !fq_range_last(address, length, &last_address))
		return -EINVAL;

	mapping = fq_reserve(ioas, iova, last, fq_mapping_prot(flags));
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	ret = fq_pin_and_commit(ioas, mapping, address);
	if (ret)
		fq_unreserve(ioas, mapping);
	return ret;
}

/* Does the range cut a mapping in two? */
static bool fq_range_cuts(struct fq_ioas *ioas, unsigned long first, unsigned long last)
{
	struct fq_mapping *mapping;

	for (mapping = fq_first_mapping(ioas, first, last); mapping;
	     mapping = fq_next_mapping(mapping, first, last))
		if (mapping->live && (mapping->node.start < first || mapping->node.last > last))
			return true;
	return false;
}

static void fq_remove(struct fq_ioas *ioas, struct fq_mapping *mapping, struct list_head *dead)
{
	interval_tree_remove(&mapping->node, &ioas->mappings);
	fq_unmap_all(ioas, mapping);
	ioas->mapped_bytes -= fq_mapping_size(mapping);
	ioas->pinned_pages -= mapping->pin.charged;
	list_add_tail(&mapping->dead, dead);
}

/* Take all live mappings of a range out of the domains, onto a list. */
static u64 fq_remove_range(struct fq_ioas *ioas, unsigned long first, unsigned long last,
			   struct list_head *dead)
{
	struct fq_mapping *mapping, *next;
	u64 bytes = 0;

	for (mapping = fq_first_mapping(ioas, first, last); mapping; mapping = next) {
		next = fq_next_mapping(mapping, first, last);
		if (!mapping->live)
			continue;
		bytes += fq_mapping_size(mapping);
		fq_remove(ioas, mapping, dead);
		cond_resched();
	}
	return bytes;
}

static void fq_free_dead(struct list_head *dead)
{
	struct fq_mapping *mapping, *next;

	list_for_each_entry_safe(mapping, next, dead, dead) {
		fq_unpin(&mapping->pin);
		kfree(mapping);
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
	LIST_HEAD(dead);
	u64 last = ULONG_MAX;

	*unmapped = 0;
	if ((iova || length != U64_MAX) && !fq_range_last(iova, length, &last))
		return -EINVAL;

	mutex_lock(&ioas->lock);
	if (fq_range_cuts(ioas, iova, last)) {
		mutex_unlock(&ioas->lock);
		return -EINVAL;
	}
	*unmapped = fq_remove_range(ioas, iova, last, &dead);
	mutex_unlock(&ioas->lock);

	fq_free_dead(&dead);
	return 0;
}

/**
 * fq_ioas_clear() - remove everything
 * @ioas: no call is in it
 */
void fq_ioas_clear(struct fq_ioas *ioas)
{
	u64 unmapped;

	fq_ioas_unmap(ioas, 0, U64_MAX, &unmapped);
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

static void fq_domain_clear(struct fq_ioas *ioas, struct fq_domain *domain,
			    struct fq_mapping *until)
{
	struct fq_mapping *mapping;

	for (mapping = fq_first_mapping(ioas, 0, ULONG_MAX); mapping;
	     mapping = fq_next_mapping(mapping, 0, ULONG_MAX)) {
		if (mapping == until)
			return;
		if (mapping->live)
			fq_domain_unmap(domain, mapping->node.start, fq_mapping_size(mapping));
	}
}

static int fq_domain_fill(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_mapping *mapping;
	int ret;

	for (mapping = fq_first_mapping(ioas, 0, ULONG_MAX); mapping;
	     mapping = fq_next_mapping(mapping, 0, ULONG_MAX)) {
		ret = mapping->live ? fq_domain_map(domain, mapping) : 0;
		if (ret) {
			fq_domain_clear(ioas, domain, mapping);
			return ret;
		}
	}
	return 0;
}

static struct fq_domain *fq_domain_create(struct fq_vm *vm, struct device *dev, bool requests)
{
	struct fq_domain *domain = kzalloc(sizeof(*domain), GFP_KERNEL_ACCOUNT);
	struct iommu_domain *paging;

	if (!domain)
		return ERR_PTR(-ENOMEM);
	paging = iommu_paging_domain_alloc(dev);
	if (IS_ERR(paging)) {
		kfree(domain);
		return ERR_CAST(paging);
	}
	domain->domain = paging;
	domain->instance = dev->iommu->iommu_dev;
	domain->requests = requests;
	if (device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		domain->prot = IOMMU_CACHE;
	fq_source_watch_domain(paging, vm);
	if (requests)
		fq_source_watch_requests(paging);
	return domain;
}

static void fq_domain_destroy(struct fq_domain *domain)
{
	iommu_domain_free(domain->domain);
	kfree(domain);
}

/**
 * struct fq_joining - a group that is being attached
 * @vm: to this VM
 * @dev: a device of the group
 * @group: the group
 * @handle: names the attachment
 */
struct fq_joining {
	struct fq_vm *vm;
	struct device *dev;
	struct iommu_group *group;
	struct iommu_attach_handle *handle;
};

/* A domain of the same IOMMU instance that takes the group, if there is one. */
static struct fq_domain *fq_attach_existing(struct fq_ioas *ioas,
					    const struct fq_joining *joining, bool requests)
{
	struct fq_domain *domain;

	list_for_each_entry(domain, &ioas->domains, node)
		if (domain->instance == joining->dev->iommu->iommu_dev &&
		    domain->requests == requests &&
		    !iommu_attach_group_handle(domain->domain, joining->group, joining->handle))
			return domain;
	return NULL;
}

static struct fq_domain *fq_attach_new(struct fq_ioas *ioas, const struct fq_joining *joining,
				       bool requests)
{
	struct fq_domain *domain = fq_domain_create(joining->vm, joining->dev, requests);
	int ret;

	if (IS_ERR(domain))
		return domain;
	ret = iommu_attach_group_handle(domain->domain, joining->group, joining->handle);
	if (ret)
		goto free;
	/* An IOMMU driver may settle the geometry only when it attaches. */
	ret = fq_domain_fill(ioas, domain);
	if (ret)
		goto detach;
	list_add_tail(&domain->node, &ioas->domains);
	return domain;

detach:
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

/**
 * fq_ioas_attach() - let a group's DMA go through the address space
 * @ioas: the address space
 * @vm: whose it is
 * @dev: a device of the group
 * @group: its DMA ownership is claimed
 * @handle: of the attachment; stays until the group is detached
 *
 * Return: the domain, for fq_ioas_detach(), or an ERR_PTR().
 */
struct fq_domain *fq_ioas_attach(struct fq_ioas *ioas, struct fq_vm *vm, struct device *dev,
				 struct iommu_group *group,
				 struct iommu_attach_handle *handle)
{
	const struct fq_joining joining = {
		.vm = vm, .dev = dev, .group = group, .handle = handle,
	};
	struct fq_domain *domain;

	mutex_lock(&ioas->lock);
	domain = fq_attach_some(ioas, &joining, true);
	/* What IOMMU drivers say of a device that has no page requests. */
	if (domain == ERR_PTR(-ENODEV) || domain == ERR_PTR(-EOPNOTSUPP))
		domain = fq_attach_some(ioas, &joining, false);
	if (!IS_ERR(domain))
		domain->users++;
	mutex_unlock(&ioas->lock);
	return domain;
}

/**
 * fq_ioas_detach() - block a group's DMA
 * @ioas: the address space
 * @domain: from fq_ioas_attach()
 * @group: the group
 *
 * The group gets its owner's blocking domain.
 */
void fq_ioas_detach(struct fq_ioas *ioas, struct fq_domain *domain, struct iommu_group *group)
{
	mutex_lock(&ioas->lock);
	iommu_detach_group_handle(domain->domain, group);
	if (!--domain->users) {
		list_del(&domain->node);
		fq_domain_clear(ioas, domain, NULL);
		fq_domain_destroy(domain);
	}
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
