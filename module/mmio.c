// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of MMIO, which are revoked when the MMIO goes.
 *
 * A mapping is made of extents: the parts that are each within one mapping of the process. An
 * MMU notifier watches each, and a bus notifier the devices. When one tells that something is
 * about to happen to an extent, its translation is gone in all domains before that goes on, and
 * an event tells the VM. An extent is revoked as a whole, as it was mapped.
 *
 * An extent comes (again) in the way that the MMU notifiers want it: note their sequence, look
 * the MMIO up, take the lock, begin anew if something happened meanwhile, map. As nothing waits
 * for memory under that lock, it is mapped in parts: before each, without the lock, it is seen
 * that there is memory. A revocation between two takes out what has come.
 *
 * The lock of the address space guards the lists and all changes of states but revocations.
 * Those have fq_mmios.lock, which also guards every other change to or from FQ_EXTENT_COMING and
 * FQ_EXTENT_MAPPED, and what is mapped then. It nests in the former. fq_all_mmio_lock guards the
 * list of all mappings of MMIO, and nothing is done under it.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "compat/compat.h"
#include "domain.h"
#include "ioas.h"
#include "mmio.h"
#include "report.h"
#include "trace.h"
#include "vm.h"

/* Pauses between tries to restore, milliseconds. */
#define FQ_PAUSE_FIRST 10u
#define FQ_PAUSE_MAX 1000u

/* Tries to map a part of MMIO when memory is short. */
#define FQ_PART_TRIES 16

static DEFINE_MUTEX(fq_all_mmio_lock);
static LIST_HEAD(fq_all_mmio);
static u64 fq_mmio_serial;

/* How often a device began to go; what was looked up before may be gone. */
static atomic_t fq_removals;

static struct fq_vm *fq_mmio_vm(const struct fq_mmio *mmio)
{
	return container_of(mmio->ioas, struct fq_vm, ioas);
}

/**
 * fq_mmios_init() - an address space has no MMIO
 * @mmios: is initialised
 */
void fq_mmios_init(struct fq_mmios *mmios)
{
	mutex_init(&mmios->lock);
	INIT_LIST_HEAD(&mmios->extents);
}

static void fq_extent_out_of(const struct fq_extent *extent, struct fq_domain *domain)
{
	fq_domain_unmap(domain, extent->iova, extent->range.size);
}

/* Out of all domains in which it is, or some of it. */
static void fq_extent_out(struct fq_extent *extent)
{
	struct fq_domain *domain;

	list_for_each_entry(domain, &extent->mmio->ioas->domains, node) {
		if (domain == extent->lacking) {
			fq_domain_unmap(domain, extent->iova, extent->done);
			break;
		}
		fq_extent_out_of(extent, domain);
	}
	extent->state = FQ_EXTENT_AWAY;
	extent->lacking = NULL;
	extent->done = 0;
}

/* The scratch page. The lock of the address space is held. */

static int fq_scratch_into(const struct fq_extent *extent, struct fq_domain *domain)
{
	return fq_domain_map_repeated(domain, extent->iova, extent->range.size,
				      fq_scratch_phys(&extent->scratch), extent->mmio->prot);
}

/* Into all domains, or into none. */
static int fq_scratch_in(struct fq_extent *extent)
{
	struct fq_ioas *ioas = extent->mmio->ioas;
	struct fq_domain *domain;
	int ret;

	list_for_each_entry(domain, &ioas->domains, node) {
		ret = fq_scratch_into(extent, domain);
		if (ret)
			goto undo;
	}
	extent->state = FQ_EXTENT_SCRATCH;
	return 0;

undo:
	list_for_each_entry_continue_reverse(domain, &ioas->domains, node)
		fq_extent_out_of(extent, domain);
	return ret;
}

/**
 * fq_mmio_fill_scratch() - put the scratch pages that are mapped into a new domain
 * @ioas: the address space; its lock is held
 * @domain: in no list
 *
 * Return: 0 or a negative errno: then none is mapped.
 */
int fq_mmio_fill_scratch(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_extent *extent;
	int ret;

	list_for_each_entry(extent, &ioas->mmio.extents, in_ioas) {
		ret = extent->state == FQ_EXTENT_SCRATCH ? fq_scratch_into(extent, domain) : 0;
		if (ret)
			goto undo;
	}
	return 0;

undo:
	list_for_each_entry_continue_reverse(extent, &ioas->mmio.extents, in_ioas)
		if (extent->state == FQ_EXTENT_SCRATCH)
			fq_extent_out_of(extent, domain);
	return ret;
}

/**
 * fq_mmio_empty_scratch() - undo fq_mmio_fill_scratch()
 * @ioas: as there
 * @domain: as there
 */
void fq_mmio_empty_scratch(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_extent *extent;

	list_for_each_entry(extent, &ioas->mmio.extents, in_ioas) {
		if (extent->state == FQ_EXTENT_SCRATCH)
			fq_extent_out_of(extent, domain);
		cond_resched();
	}
}

/* Revocation. fq_mmios.lock is held. */
static void fq_extent_revoke(struct fq_extent *extent, enum faultq_revocation why)
{
	struct fq_mmio *mmio = extent->mmio;

	if (extent->state != FQ_EXTENT_MAPPED) {
		/* nobody was told that it came, and who maps it begins anew */
		if (extent->state == FQ_EXTENT_COMING)
			fq_extent_out(extent);
		return;
	}
	fq_extent_out(extent);
	trace_faultq_revoke(fq_mmio_vm(mmio), extent, why);
	fq_report_revoked(fq_mmio_vm(mmio), extent, why);
	WRITE_ONCE(mmio->pause, FQ_PAUSE_FIRST);
	if (mmio->flags & (FAULTQ_MAP_SCRATCH | FAULTQ_MAP_RETRY))
		mod_delayed_work(fq_workqueue, &mmio->work, 0);
}

static enum faultq_revocation fq_revocation_of(const struct mmu_notifier_range *range)
{
	switch (range->event) {
	case MMU_NOTIFY_UNMAP:
		return FAULTQ_REVOKED_UNMAPPED;
	case MMU_NOTIFY_PROTECTION_VMA:
		return FAULTQ_REVOKED_PROTECTED;
	case MMU_NOTIFY_RELEASE:
		return FAULTQ_REVOKED_EXITED;
	default:
		return FAULTQ_REVOKED_CLEARED;
	}
}

/* The CPU's entries of an extent are about to change; what /proc asks for changes no target. */
static bool fq_extent_invalidate(struct mmu_interval_notifier *notifier,
				 const struct mmu_notifier_range *range, unsigned long sequence)
{
	struct fq_extent *extent = container_of(notifier, struct fq_extent, notifier);
	struct mutex *lock = &extent->mmio->ioas->mmio.lock;

	if (mmu_notifier_range_blockable(range))
		mutex_lock(lock);
	else if (!mutex_trylock(lock))
		return false;
	mmu_interval_set_seq(notifier, sequence);
	if (range->event != MMU_NOTIFY_SOFT_DIRTY)
		fq_extent_revoke(extent, fq_revocation_of(range));
	mutex_unlock(lock);
	return true;
}

static const struct mmu_interval_notifier_ops fq_extent_ops = {
	.invalidate = fq_extent_invalidate,
};

static void fq_mmio_revoke_of(struct fq_mmio *mmio, struct device *dev,
			      enum faultq_revocation why)
{
	struct fq_extent *extent;

	mutex_lock(&mmio->ioas->mmio.lock);
	list_for_each_entry(extent, &mmio->extents, node) {
		if (fq_bar_of(dev, extent->phys, extent->range.size))
			fq_extent_revoke(extent, why);
		cond_resched();
	}
	mutex_unlock(&mmio->ioas->mmio.lock);
}

/*
 * The mapping to visit after @mmio, which is NULL at first, of those that there were when the
 * last one had serial @last; NULL: there is none. The list's lock is held.
 */
static struct fq_mmio *fq_next_to_visit(struct fq_mmio *mmio, u64 last)
{
	struct fq_mmio *next;

	next = mmio ? list_next_entry(mmio, all) :
		      list_first_entry(&fq_all_mmio, struct fq_mmio, all);
	return !list_entry_is_head(next, &fq_all_mmio, all) && next->serial <= last ? next : NULL;
}

/* End the visit to @mmio, if it is not NULL, and begin that to the next one. */
static struct fq_mmio *fq_visit_next(struct fq_mmio *mmio, u64 last)
{
	struct fq_mmio *next;

	mutex_lock(&fq_all_mmio_lock);
	next = fq_next_to_visit(mmio, last);
	if (next)
		atomic_inc(&next->visitors);
	if (mmio && atomic_dec_and_test(&mmio->visitors))
		wake_up_var(&mmio->visitors);
	mutex_unlock(&fq_all_mmio_lock);
	return next;
}

static u64 fq_last_mmio_serial(void)
{
	u64 serial;

	mutex_lock(&fq_all_mmio_lock);
	serial = fq_mmio_serial;
	mutex_unlock(&fq_all_mmio_lock);
	return serial;
}

/*
 * No lock over all VMs is held while one VM's MMIO is revoked. What comes into the list now is
 * looked up after the removal was counted.
 */
static void fq_revoke_all_of(struct device *dev, enum faultq_revocation why)
{
	struct fq_mmio *mmio = NULL;
	u64 last;

	atomic_inc(&fq_removals);
	last = fq_last_mmio_serial();
	while ((mmio = fq_visit_next(mmio, last)))
		fq_mmio_revoke_of(mmio, dev, why);
}

/*
 * At the end of a removal the device is not found any more, so that is when what came back
 * since its beginning goes for good.
 */
static int fq_mmio_notify(struct notifier_block *block, unsigned long action, void *dev)
{
	switch (action) {
	case BUS_NOTIFY_DEL_DEVICE:
	case BUS_NOTIFY_REMOVED_DEVICE:
		fq_revoke_all_of(dev, FAULTQ_REVOKED_REMOVED);
		break;
	case BUS_NOTIFY_UNBIND_DRIVER:
		fq_revoke_all_of(dev, FAULTQ_REVOKED_UNBOUND);
		break;
	}
	return NOTIFY_DONE;
}

/* Mapping, at first and again */

/* Both locks are held. A device that writes on to the scratch page is cut off before it is read. */
static void fq_extent_end_scratch(struct fq_extent *extent)
{
	if (extent->state != FQ_EXTENT_SCRATCH)
		return;
	fq_extent_out(extent);
	if (fq_scratch_changed(&extent->scratch))
		fq_note_written(fq_mmio_vm(extent->mmio), extent);
}

/**
 * struct fq_look - what was found of an extent, and as of when
 * @phys: where its MMIO is
 * @sequence: of its MMU notifier
 * @removals: value of fq_removals
 */
struct fq_look {
	phys_addr_t phys;
	unsigned long sequence;
	int removals;
};

static int fq_extent_look(struct fq_extent *extent, struct fq_look *look)
{
	look->removals = atomic_read(&fq_removals);
	look->sequence = mmu_interval_read_begin(&extent->notifier);
	return fq_bar_look_up(&extent->range, &look->phys);
}

/* fq_mmios.lock is held. */
static bool fq_look_holds(struct fq_extent *extent, const struct fq_look *look)
{
	return !mmu_interval_read_retry(&extent->notifier, look->sequence) &&
	       atomic_read(&fq_removals) == look->removals;
}

/* The domain that comes after one, NULL: the first one. The lock of the address space is held. */
static struct fq_domain *fq_domain_after(struct fq_ioas *ioas, struct fq_domain *domain)
{
	if (!domain)
		return list_first_entry_or_null(&ioas->domains, struct fq_domain, node);
	return list_is_last(&domain->node, &ioas->domains) ? NULL : list_next_entry(domain, node);
}

/* Both locks are held. One more part of it into the domain that lacks it. */
static int fq_extent_part_in(struct fq_extent *extent)
{
	size_t done;
	int ret = fq_domain_map_mmio(extent->lacking, extent->iova + extent->done,
				     extent->range.size - extent->done,
				     extent->phys + extent->done, extent->mmio->prot, &done);

	extent->done += done;
	if (extent->done == extent->range.size) {
		extent->lacking = fq_domain_after(extent->mmio->ioas, extent->lacking);
		extent->done = 0;
	}
	return ret;
}

/* Begin to map it. Returns 1, 0 when it is mapped, or -EAGAIN. The address space is locked. */
static int fq_extent_begin(struct fq_extent *extent, const struct fq_look *look)
{
	struct fq_ioas *ioas = extent->mmio->ioas;
	int ret = 0;

	mutex_lock(&ioas->mmio.lock);
	if (extent->state == FQ_EXTENT_MAPPED)
		goto unlock;
	ret = -EAGAIN;
	if (!fq_look_holds(extent, look))
		goto unlock;
	ret = 1;
	fq_extent_end_scratch(extent);
	extent->phys = look->phys;
	extent->state = FQ_EXTENT_COMING;
	extent->lacking = fq_domain_after(ioas, NULL);
unlock:
	mutex_unlock(&ioas->mmio.lock);
	return ret;
}

/* Both locks are held. */
static void fq_extent_is_there(struct fq_extent *extent, bool tell)
{
	struct fq_vm *vm = fq_mmio_vm(extent->mmio);

	extent->state = FQ_EXTENT_MAPPED;
	trace_faultq_restore(vm, extent);
	if (tell)
		fq_report_restored(vm, extent);
}

/* One more part of one that was begun, or the end. Returns 1 when it is mapped, or 0. */
static int fq_extent_go_on(struct fq_extent *extent, const struct fq_look *look, bool tell)
{
	struct fq_ioas *ioas = extent->mmio->ioas;
	int ret = -EAGAIN;

	mutex_lock(&ioas->mmio.lock);
	if (extent->state == FQ_EXTENT_COMING && fq_look_holds(extent, look)) {
		ret = extent->lacking ? fq_extent_part_in(extent) : 1;
		if (ret > 0)
			fq_extent_is_there(extent, tell);
	}
	mutex_unlock(&ioas->mmio.lock);
	return ret;
}

/* What a part needs is free when it is tried, but others may be faster now and then. */
static int fq_extent_try_on(struct fq_extent *extent, const struct fq_look *look, bool tell)
{
	unsigned int tries;
	int ret;

	for (tries = 0; tries < FQ_PART_TRIES; tries++) {
		ret = fq_domain_reclaim() ?: fq_extent_go_on(extent, look, tell);
		if (ret != -ENOMEM)
			break;
	}
	return ret;
}

/* What has come of it goes. The address space is locked. */
static void fq_extent_give_up(struct fq_extent *extent)
{
	struct fq_mmio *mmio = extent->mmio;

	mutex_lock(&mmio->ioas->mmio.lock);
	if (extent->state == FQ_EXTENT_COMING)
		fq_extent_out(extent);
	mutex_unlock(&mmio->ioas->mmio.lock);
	if (extent->scratch.page)
		mod_delayed_work(fq_workqueue, &mmio->work, 0);
}

/*
 * Map it, part by part: an MMU notifier waits for no more than one. The address space is locked.
 * Returns 1, 0 when it was mapped already, -EAGAIN when what was found is out of date, or another
 * negative errno.
 */
static int fq_extent_come(struct fq_extent *extent, const struct fq_look *look, bool tell)
{
	int ret = fq_extent_begin(extent, look);

	if (ret <= 0)
		return ret;
	do {
		ret = fq_extent_try_on(extent, look, tell);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	} while (!ret);
	if (ret < 0)
		fq_extent_give_up(extent);
	return ret;
}

static int fq_extent_commit(struct fq_extent *extent, const struct fq_look *look, bool tell)
{
	struct fq_mmio *mmio = extent->mmio;
	int ret;

	mutex_lock(&mmio->ioas->lock);
	ret = mmio->dead ? -ENOENT : fq_extent_come(extent, look, tell);
	mutex_unlock(&mmio->ioas->lock);
	return ret;
}

static bool fq_extent_is(struct fq_extent *extent, enum fq_extent_state state)
{
	struct mutex *lock = &extent->mmio->ioas->mmio.lock;
	bool is;

	mutex_lock(lock);
	is = extent->state == state;
	mutex_unlock(lock);
	return is;
}

/* Returns 1 when it was away and is mapped now, 0 when it was mapped. */
static int fq_extent_restore(struct fq_extent *extent, bool tell)
{
	struct fq_look look;
	int ret;

	if (fq_extent_is(extent, FQ_EXTENT_MAPPED))
		return 0;
	do {
		ret = fq_extent_look(extent, &look);
		if (!ret)
			ret = fq_extent_commit(extent, &look, tell);
	} while (ret == -EAGAIN && !fatal_signal_pending(current));
	return ret == -EAGAIN ? -EINTR : ret;
}

/**
 * fq_mmio_map() - map all of it for the first time
 * @mmio: from fq_mmio_create()
 *
 * Return: 0 or a negative errno: then some of it may be mapped.
 */
int fq_mmio_map(struct fq_mmio *mmio)
{
	struct fq_extent *extent;
	int ret;

	list_for_each_entry(extent, &mmio->extents, node) {
		ret = fq_extent_restore(extent, false);
		if (ret < 0)
			return ret == -ENXIO ? -EFAULT : ret;
	}
	return 0;
}

/* Everything that can be restored; sets @restored. Returns the first error. */
static int fq_mmio_restore_some(struct fq_mmio *mmio, u64 *restored)
{
	struct fq_extent *extent;
	int ret, error = 0;

	list_for_each_entry(extent, &mmio->extents, node) {
		ret = fq_extent_restore(extent, false);
		if (ret > 0)
			*restored += extent->range.size;
		else if (!error)
			error = ret;
	}
	return error;
}

/* Only for a call that tells it: it is told once. */
static bool fq_mmio_take_written(struct fq_mmio *mmio)
{
	struct fq_extent *extent;
	bool written = false;

	list_for_each_entry(extent, &mmio->extents, node)
		if (fq_extent_is(extent, FQ_EXTENT_MAPPED))
			written |= fq_take_written(fq_mmio_vm(mmio), extent);
	return written;
}

static u64 fq_mmio_revoked(struct fq_mmio *mmio)
{
	struct fq_extent *extent;
	u64 bytes = 0;

	mutex_lock(&mmio->ioas->mmio.lock);
	list_for_each_entry(extent, &mmio->extents, node)
		if (extent->state != FQ_EXTENT_MAPPED)
			bytes += extent->range.size;
	mutex_unlock(&mmio->ioas->mmio.lock);
	return bytes;
}

static void fq_extent_free(struct fq_extent *extent)
{
	if (extent->notifier.mm)
		mmu_interval_notifier_remove(&extent->notifier);
	fq_scratch_destroy(&extent->scratch);
	kfree(extent);
}

static bool fq_mmio_unlist_now(struct fq_mmio *mmio)
{
	bool alone;

	mutex_lock(&fq_all_mmio_lock);
	alone = !atomic_read(&mmio->visitors);
	if (alone)
		list_del_init(&mmio->all);
	mutex_unlock(&fq_all_mmio_lock);
	return alone;
}

/* Wait for those who visit it. */
static void fq_mmio_unlist(struct fq_mmio *mmio)
{
	while (!fq_mmio_unlist_now(mmio))
		wait_var_event(&mmio->visitors, !atomic_read(&mmio->visitors));
}

/* Without a lock: an MMU notifier that runs is waited for. */
static void fq_mmio_release(struct kref *kref)
{
	struct fq_mmio *mmio = container_of(kref, struct fq_mmio, kref);
	struct fq_extent *extent, *next;

	fq_mmio_unlist(mmio);
	list_for_each_entry_safe(extent, next, &mmio->extents, node)
		fq_extent_free(extent);
	kfree(mmio);
}

static struct fq_mmio *fq_mmio_find(struct fq_ioas *ioas, u64 id)
{
	struct fq_mmio *found = NULL;
	struct fq_extent *extent;

	mutex_lock(&ioas->lock);
	list_for_each_entry(extent, &ioas->mmio.extents, in_ioas) {
		if (extent->mmio->id == id) {
			found = extent->mmio;
			kref_get(&found->kref);
			break;
		}
	}
	mutex_unlock(&ioas->lock);
	return found;
}

/**
 * fq_mmio_restore() - map revoked MMIO again
 * @ioas: the address space
 * @restore: MMIO_RESTORE's argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_mmio_restore(struct fq_ioas *ioas, struct faultq_restore *restore)
{
	struct fq_mmio *mmio;
	int ret;

	if (restore->flags || restore->reserved)
		return -EINVAL;
	mmio = fq_mmio_find(ioas, restore->id);
	if (!mmio)
		return -ENOENT;
	restore->restored = 0;
	ret = fq_mmio_restore_some(mmio, &restore->restored);
	if (restore->restored)
		ret = 0;
	if (!ret)
		restore->written = fq_mmio_take_written(mmio);
	restore->revoked = fq_mmio_revoked(mmio);
	kref_put(&mmio->kref, fq_mmio_release);
	return ret;
}

/* Work */

/* The lock of the address space is held: what is away stays so. */
static int fq_extent_begin_scratch(struct fq_extent *extent)
{
	if (!fq_extent_is(extent, FQ_EXTENT_AWAY))
		return 0;
	fq_scratch_fill(&extent->scratch);
	return fq_scratch_in(extent);
}

/* Returns false when there was no memory for it. */
static bool fq_mmio_scratch(struct fq_mmio *mmio)
{
	struct fq_extent *extent;
	bool done = true;

	mutex_lock(&mmio->ioas->lock);
	list_for_each_entry(extent, &mmio->extents, node)
		if (!mmio->dead && fq_extent_begin_scratch(extent))
			done = false;
	mutex_unlock(&mmio->ioas->lock);
	return done;
}

/* Returns false when there is something left to try. */
static bool fq_mmio_retry(struct fq_mmio *mmio)
{
	struct fq_extent *extent;
	bool done = true;
	int ret;

	list_for_each_entry(extent, &mmio->extents, node) {
		ret = fq_extent_restore(extent, true);
		if (ret < 0 && ret != -ESRCH && ret != -ENOENT)
			done = false;
	}
	return done;
}

static void fq_mmio_work(struct work_struct *work)
{
	struct fq_mmio *mmio = container_of(to_delayed_work(work), struct fq_mmio, work);
	unsigned int pause = READ_ONCE(mmio->pause);
	bool done = true;

	if (mmio->flags & FAULTQ_MAP_SCRATCH)
		done &= fq_mmio_scratch(mmio);
	if (mmio->flags & FAULTQ_MAP_RETRY)
		done &= fq_mmio_retry(mmio);
	if (done)
		return;
	WRITE_ONCE(mmio->pause, min(2 * pause, FQ_PAUSE_MAX));
	queue_delayed_work(fq_workqueue, &mmio->work, msecs_to_jiffies(pause));
}

/* Creation */

static int fq_mmio_add_extent(struct fq_mmio *mmio, unsigned long iova, unsigned long address,
			      unsigned long size)
{
	struct fq_extent *extent = kzalloc(sizeof(*extent), GFP_KERNEL_ACCOUNT);

	if (!extent)
		return -ENOMEM;
	extent->mmio = mmio;
	extent->iova = iova;
	extent->range = (struct fq_bar_range){
		.mm = current->mm,
		.address = address,
		.size = size,
		.writable = mmio->prot & IOMMU_WRITE,
		.partly = mmio->flags & FAULTQ_MAP_PARTLY_WATCHED,
	};
	INIT_LIST_HEAD(&extent->telling);
	INIT_LIST_HEAD(&extent->in_ioas);
	list_add_tail(&extent->node, &mmio->extents);
	mmio->nr_extents++;
	mmio->size += size;
	return 0;
}

/* One extent for each mapping of the process. The mmap lock is held. */
static int fq_mmio_divide(struct fq_mmio *mmio, const struct faultq_map *map)
{
	unsigned long done, size;
	int ret;

	for (done = 0; done < map->length; done += size) {
		unsigned long address = map->user_address + done;
		const struct vm_area_struct *vma = vma_lookup(current->mm, address);

		if (!vma || !fq_bar_acceptable(vma, map->flags & FAULTQ_MAP_PARTLY_WATCHED))
			return -EFAULT;
		if (mmio->nr_extents == FQ_MAX_EXTENTS)
			return -ENOSPC;
		size = min_t(u64, vma->vm_end - address, map->length - done);
		ret = fq_mmio_add_extent(mmio, map->iova + done, address, size);
		if (ret)
			return ret;
	}
	return 0;
}

static int fq_extent_watch(struct fq_extent *extent)
{
	bool scratch = extent->mmio->flags & FAULTQ_MAP_SCRATCH;
	int ret = scratch ? fq_scratch_create(&extent->scratch) : 0;

	if (ret)
		return ret;
	ret = mmu_interval_notifier_insert(&extent->notifier, extent->range.mm,
					   extent->range.address, extent->range.size,
					   &fq_extent_ops);
	if (ret)
		extent->notifier.mm = NULL;
	return ret;
}

static int fq_mmio_watch(struct fq_mmio *mmio)
{
	struct fq_extent *extent;
	int ret;

	mutex_lock(&fq_all_mmio_lock);
	mmio->serial = ++fq_mmio_serial;
	list_add_tail(&mmio->all, &fq_all_mmio);
	mutex_unlock(&fq_all_mmio_lock);
	list_for_each_entry(extent, &mmio->extents, node) {
		ret = fq_extent_watch(extent);
		if (ret)
			return ret;
	}
	return 0;
}

/* The bytes that have a scratch page. */
static u64 fq_mmio_scratch_bytes(const struct fq_mmio *mmio)
{
	return mmio->flags & FAULTQ_MAP_SCRATCH ? mmio->size : 0;
}

static int fq_mmio_join(struct fq_mmio *mmio)
{
	struct fq_mmios *mmios = &mmio->ioas->mmio;
	struct fq_extent *extent;
	int ret = -ENOSPC;

	mutex_lock(&mmio->ioas->lock);
	if (mmios->nr_extents + mmio->nr_extents <= FQ_MAX_EXTENTS &&
	    mmios->scratch_bytes + fq_mmio_scratch_bytes(mmio) <= FQ_MAX_SCRATCH) {
		mmios->nr_extents += mmio->nr_extents;
		mmios->scratch_bytes += fq_mmio_scratch_bytes(mmio);
		mmio->id = ++mmios->last_id;
		list_for_each_entry(extent, &mmio->extents, node)
			list_add_tail(&extent->in_ioas, &mmios->extents);
		ret = 0;
	}
	mutex_unlock(&mmio->ioas->lock);
	return ret;
}

static struct fq_mmio *fq_mmio_alloc(struct fq_ioas *ioas, u32 flags, int prot)
{
	struct fq_mmio *mmio = kzalloc(sizeof(*mmio), GFP_KERNEL_ACCOUNT);

	if (!mmio)
		return NULL;
	kref_init(&mmio->kref);
	INIT_LIST_HEAD(&mmio->all);
	INIT_LIST_HEAD(&mmio->extents);
	INIT_DELAYED_WORK(&mmio->work, fq_mmio_work);
	mmio->ioas = ioas;
	mmio->flags = flags;
	mmio->prot = prot;
	mmio->pause = FQ_PAUSE_FIRST;
	return mmio;
}

/**
 * fq_mmio_create() - begin to watch MMIO of the caller
 * @ioas: the address space
 * @map: MAP's argument, whose ranges are valid
 * @prot: IOMMU_* bits
 *
 * Return: the mapping, of which nothing is mapped yet, or an ERR_PTR().
 */
struct fq_mmio *fq_mmio_create(struct fq_ioas *ioas, const struct faultq_map *map, int prot)
{
	struct fq_mmio *mmio = fq_mmio_alloc(ioas, map->flags, prot);
	int ret;

	if (!mmio)
		return ERR_PTR(-ENOMEM);
	mmap_read_lock(current->mm);
	ret = fq_mmio_divide(mmio, map);
	mmap_read_unlock(current->mm);
	if (!ret)
		ret = fq_mmio_watch(mmio);
	if (!ret)
		ret = fq_mmio_join(mmio);
	if (!ret)
		return mmio;
	kref_put(&mmio->kref, fq_mmio_release);
	return ERR_PTR(ret);
}

/* The lock of the address space is held. */
static void fq_extent_remove(struct fq_extent *extent)
{
	struct mutex *lock = &extent->mmio->ioas->mmio.lock;

	mutex_lock(lock);
	if (extent->state != FQ_EXTENT_AWAY)
		fq_extent_out(extent);
	list_del(&extent->in_ioas);
	fq_forget_extent(fq_mmio_vm(extent->mmio), extent);
	mutex_unlock(lock);
}

/**
 * fq_mmio_remove() - take it out of the address space
 * @mmio: from fq_mmio_create(); its address space's lock is held
 */
void fq_mmio_remove(struct fq_mmio *mmio)
{
	struct fq_mmios *mmios = &mmio->ioas->mmio;
	struct fq_extent *extent;

	mmio->dead = true;
	mmios->nr_extents -= mmio->nr_extents;
	mmios->scratch_bytes -= fq_mmio_scratch_bytes(mmio);
	list_for_each_entry(extent, &mmio->extents, node) {
		fq_extent_remove(extent);
		cond_resched();
	}
}

/**
 * fq_mmio_free() - end watching
 * @mmio: removed; no lock is held, and the caller is not in its work
 */
void fq_mmio_free(struct fq_mmio *mmio)
{
	cancel_delayed_work_sync(&mmio->work);
	kref_put(&mmio->kref, fq_mmio_release);
}

/* Domains */

/* Let the last domain lack all of an extent that is mapped, or @domain NULL: none lacks it. */
static void fq_mmio_set_lacking(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_extent *extent;

	list_for_each_entry(extent, &ioas->mmio.extents, in_ioas) {
		if (extent->state != FQ_EXTENT_MAPPED)
			continue;
		extent->lacking = domain;
		extent->done = 0;
	}
}

/* One more part of an extent that the last domain lacks. Returns 1 when it lacks nothing. */
static int fq_extent_complete_some(struct fq_extent *extent)
{
	struct mutex *lock = &extent->mmio->ioas->mmio.lock;
	int ret = fq_domain_reclaim();

	if (ret)
		return ret;
	mutex_lock(lock);
	ret = extent->lacking ? fq_extent_part_in(extent) : 1;
	mutex_unlock(lock);
	return ret;
}

static int fq_extent_complete(struct fq_extent *extent)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = fq_extent_complete_some(extent);
		if (ret == -ENOMEM && ++tries < FQ_PART_TRIES)
			ret = 0;
		cond_resched();
	} while (!ret);
	return ret;
}

/**
 * fq_mmio_domain_joins() - a domain comes, with the MMIO that is mapped
 * @ioas: the address space; its lock is held
 * @domain: comes into its list, as the last one; has all that is mapped but that
 *
 * From the beginning revocations find the domain, and what it has already.
 *
 * Return: 0 or a negative errno: then it is not in the list, and nothing of MMIO is mapped.
 */
int fq_mmio_domain_joins(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_extent *extent;
	int ret;

	mutex_lock(&ioas->mmio.lock);
	list_add_tail(&domain->node, &ioas->domains);
	fq_mmio_set_lacking(ioas, domain);
	mutex_unlock(&ioas->mmio.lock);
	list_for_each_entry(extent, &ioas->mmio.extents, in_ioas) {
		ret = fq_extent_complete(extent);
		if (ret < 0) {
			fq_mmio_domain_leaves(ioas, domain);
			return ret;
		}
	}
	return 0;
}

/* The last domain lacks it from now on. */
static void fq_extent_leaves(struct fq_extent *extent, struct fq_domain *domain)
{
	struct mutex *lock = &extent->mmio->ioas->mmio.lock;

	mutex_lock(lock);
	if (extent->state == FQ_EXTENT_MAPPED) {
		if (extent->lacking)
			fq_domain_unmap(domain, extent->iova, extent->done);
		else
			fq_extent_out_of(extent, domain);
		extent->lacking = domain;
		extent->done = 0;
	}
	mutex_unlock(lock);
}

/**
 * fq_mmio_domain_leaves() - a domain goes, and the MMIO that is mapped from it
 * @ioas: the address space; its lock is held
 * @domain: goes from its list
 */
void fq_mmio_domain_leaves(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_extent *extent;

	mutex_lock(&ioas->mmio.lock);
	list_move_tail(&domain->node, &ioas->domains);
	mutex_unlock(&ioas->mmio.lock);
	list_for_each_entry(extent, &ioas->mmio.extents, in_ioas) {
		fq_extent_leaves(extent, domain);
		cond_resched();
	}
	mutex_lock(&ioas->mmio.lock);
	list_del(&domain->node);
	fq_mmio_set_lacking(ioas, NULL);
	mutex_unlock(&ioas->mmio.lock);
}

/**
 * fq_extent_describe() - tell of an extent
 * @extent: the extent; the lock of its address space is held
 * @entry: where it goes, zeroed
 */
void fq_extent_describe(const struct fq_extent *extent, struct faultq_mapping_entry *entry)
{
	struct fq_mmio *mmio = extent->mmio;

	entry->iova = extent->iova;
	entry->length = extent->range.size;
	entry->user_address = extent->range.address;
	entry->id = mmio->id;
	mutex_lock(&mmio->ioas->mmio.lock);
	if (extent->state != FQ_EXTENT_MAPPED) {
		entry->state = FAULTQ_MAPPING_REVOKED;
		entry->revocation = extent->revocation;
	}
	if (extent->state == FQ_EXTENT_SCRATCH)
		entry->state |= FAULTQ_MAPPING_SCRATCH;
	mutex_unlock(&mmio->ioas->mmio.lock);
}

static struct notifier_block fq_mmio_block = {
	.notifier_call = fq_mmio_notify,
};

/**
 * fq_mmio_init() - start to watch PCI devices
 *
 * Return: 0 or a negative errno.
 */
int fq_mmio_init(void)
{
	return bus_register_notifier(&pci_bus_type, &fq_mmio_block);
}

/**
 * fq_mmio_exit() - stop to watch; nothing is mapped
 */
void fq_mmio_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &fq_mmio_block);
}
