// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a fault up: reported by a source, admitted, published.
 *
 * A page request group takes slots, a place of its IOMMU instance, and room in the ring,
 * all under the fault lock: no allocation, no search, no user memory. One that is not
 * admitted is answered by the source at once.
 *
 * Events that find no room in the ring wait for it: one of each kind for a device and for an
 * extent of MMIO, two for the VM. The header says so, and the VM's timer looks for room now and
 * then, since a consumer that makes room tells nobody.
 */
#include <linux/eventfd.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "device.h"
#include "report.h"
#include "trace.h"

/**
 * fq_count_terminated() - count a group that the kernel answers itself
 * @device: whose group
 * @why: not %FQ_QUEUED
 */
void fq_count_terminated(struct fq_device *device, enum fq_outcome why)
{
	struct fq_ring *ring = device->vm->ring;

	fq_count(device->vm, device, FQ_COUNT_TERMINATED + why, 1);
	if (ring)
		WRITE_ONCE(ring->header->terminated, ring->header->terminated + 1);
}

/**
 * fq_vm_wake() - wake who waits for records; without a lock
 * @vm: the VM
 * @events: for poll()
 */
void fq_vm_wake(struct fq_vm *vm, __poll_t events)
{
	struct eventfd_ctx *eventfd;

	if (wq_has_sleeper(&vm->wait))
		wake_up_interruptible_poll(&vm->wait, events);
	rcu_read_lock();
	eventfd = rcu_dereference(vm->eventfd);
	if (eventfd)
		eventfd_signal(eventfd);
	rcu_read_unlock();
}

/**
 * fq_vm_stop() - the consumer's index is nonsense, or was: see that everything ends
 * @vm: has a queue
 */
void fq_vm_stop(struct fq_vm *vm)
{
	if (fq_ring_stop(vm->ring))
		queue_work(fq_workqueue, &vm->stop_work);
}

static bool fq_vm_has_room(struct fq_vm *vm, enum fq_ring_kind kind)
{
	return vm->ring && fq_vm_sync(vm) && fq_ring_has_room(vm->ring, kind, 1);
}

/* The first record after faults were lost tells so. */
static inline void fq_stage_loss(struct fq_vm *vm, struct faultq_record *record)
{
	if (likely(!vm->lost_before))
		return;
	record->flags |= FAULTQ_RECORD_AFTER_LOSS;
	vm->lost_before = false;
}

/* The next record, with what events and unrecoverable faults have in common. */
static struct faultq_record *fq_vm_stage(struct fq_vm *vm, enum fq_ring_kind kind)
{
	struct faultq_record *record = fq_ring_stage(vm->ring, kind);

	memset(record, 0, sizeof(*record));
	record->timestamp = ktime_get_ns();
	fq_stage_loss(vm, record);
	return record;
}

static struct faultq_record *fq_stage_event(struct fq_vm *vm, enum faultq_type type, u32 device)
{
	struct faultq_record *record = fq_vm_stage(vm, FQ_RING_EVENT);

	record->type = type;
	record->flags |= FAULTQ_RECORD_DEVICE;
	record->device = device;
	return record;
}

static void fq_stage_reason(struct faultq_record *record, u32 reason)
{
	record->flags |= FAULTQ_RECORD_REASON;
	record->reason = reason;
}

/* Tell the next thing of a device; frees it when it is gone and all was told. */
static bool fq_tell_next(struct fq_device *device)
{
	struct fq_vm *vm = device->vm;
	bool gone = false;

	if (device->tell & FQ_TELL_OFF) {
		device->tell &= ~FQ_TELL_OFF;
		fq_stage_reason(fq_stage_event(vm, FAULTQ_FAULTING_OFF, device->id),
				device->off_cause);
	} else {
		device->tell &= ~FQ_TELL_GONE;
		fq_stage_event(vm, FAULTQ_DEVICE_GONE, device->id);
		gone = true;
	}
	if (!device->tell)
		list_del_init(&device->telling);
	if (gone)
		kfree_rcu(device, rcu);
	return fq_ring_publish(vm->ring);
}

/* The next event is due when this one was consumed and a group was admitted after that. */
static bool fq_tell_over(struct fq_vm *vm)
{
	struct fq_over *over = &vm->over;
	struct faultq_record *record;

	over->index = vm->ring->staged;
	over->told = true;
	record = fq_stage_event(vm, FAULTQ_OVER_QUOTA, over->device);
	fq_stage_reason(record, over->cause);
	record->count = over->count;
	over->count = 0;
	return fq_ring_publish(vm->ring);
}

static void fq_stage_extent(struct faultq_record *record, const struct fq_extent *extent)
{
	record->flags |= FAULTQ_RECORD_ADDRESS;
	record->cookie = extent->mmio->id;
	record->address = extent->iova;
	record->length = extent->range.size;
}

/* Tell the next thing of an extent. */
static bool fq_tell_extent(struct fq_vm *vm, struct fq_extent *extent)
{
	struct faultq_record *record = fq_vm_stage(vm, FQ_RING_EVENT);

	fq_stage_extent(record, extent);
	if (extent->tell & FQ_TELL_REVOKED) {
		extent->tell &= ~FQ_TELL_REVOKED;
		record->type = FAULTQ_MMIO_REVOKED;
		fq_stage_reason(record, extent->revocation);
	} else {
		extent->tell &= ~FQ_TELL_RESTORED;
		record->type = FAULTQ_MMIO_RESTORED;
		record->count = extent->written;
		extent->written = false;
	}
	if (!extent->tell)
		list_del_init(&extent->telling);
	return fq_ring_publish(vm->ring);
}

/* One event for all groups whose own found no room. */
static bool fq_tell_late(struct fq_vm *vm)
{
	struct faultq_record *record = fq_vm_stage(vm, FQ_RING_EVENT);

	record->type = FAULTQ_DEADLINE;
	record->count = vm->late;
	vm->late = 0;
	return fq_ring_publish(vm->ring);
}

static bool fq_over_is_due(const struct fq_over *over)
{
	return over->count && !over->told;
}

static bool fq_events_wait(const struct fq_vm *vm)
{
	return !list_empty(&vm->telling) || !list_empty(&vm->revoked) ||
	       fq_over_is_due(&vm->over) || vm->late;
}

/* Publish events as far as there is room. */
static bool fq_tell_some(struct fq_vm *vm)
{
	struct fq_device *device;
	struct fq_extent *extent;
	bool wake = false;

	while (!list_empty(&vm->telling) && fq_vm_has_room(vm, FQ_RING_EVENT)) {
		device = list_first_entry(&vm->telling, struct fq_device, telling);
		wake |= fq_tell_next(device);
	}
	while (!list_empty(&vm->revoked) && fq_vm_has_room(vm, FQ_RING_EVENT)) {
		extent = list_first_entry(&vm->revoked, struct fq_extent, telling);
		wake |= fq_tell_extent(vm, extent);
	}
	if (fq_over_is_due(&vm->over) && fq_vm_has_room(vm, FQ_RING_EVENT))
		wake |= fq_tell_over(vm);
	if (vm->late && fq_vm_has_room(vm, FQ_RING_EVENT))
		wake |= fq_tell_late(vm);
	vm->untold = fq_events_wait(vm);
	return wake;
}

/**
 * fq_tell_events() - publish events that wait, as far as there is room
 * @vm: the VM
 *
 * What is left is tried again by the VM's timer.
 *
 * Return: whether to wake the consumer.
 */
bool fq_tell_events(struct fq_vm *vm)
{
	struct fq_ring *ring = vm->ring;
	u32 before;
	bool wake;

	if (!ring)
		return false;
	before = ring->staged;
	wake = fq_tell_some(vm);
	if (fq_ring_wait(ring, vm->untold && !ring->stopped))
		wake |= fq_tell_some(vm);
	fq_timer_retry(vm, ring->staged != before);
	return wake;
}

/**
 * fq_tell_device() - let something be told of a device; fq_tell_events() tells it
 * @device: the device; one that is gone is freed when it was told
 * @what: what
 */
void fq_tell_device(struct fq_device *device, enum fq_tell what)
{
	if (!device->tell)
		list_add_tail(&device->telling, &device->vm->telling);
	device->tell |= what;
	device->vm->untold = true;
}

/**
 * fq_tell_deadline() - tell that a group has passed its deadline
 * @vm: the VM
 * @slot: stands for the group
 *
 * Where there is no room it is counted, and fq_tell_events() tells the count.
 *
 * Return: whether to wake the consumer.
 */
bool fq_tell_deadline(struct fq_vm *vm, const struct fq_slot *slot)
{
	const struct fq_group_key *key = &slot->key;
	struct faultq_record *record;

	if (vm->late || !fq_vm_has_room(vm, FQ_RING_EVENT)) {
		vm->late++;
		vm->untold = true;
		return false;
	}
	record = fq_stage_event(vm, FAULTQ_DEADLINE, slot->device->id);
	if (key->has_pasid)
		record->flags |= FAULTQ_RECORD_PASID;
	record->pasid = key->pasid;
	record->group = key->group;
	record->cookie = slot->cookie;
	return fq_ring_publish(vm->ring);
}

/**
 * fq_switch_off() - let a device's page requests fail until ENABLE
 * @device: the device
 * @cause: why
 *
 * What is outstanding is terminated by the VM's timer, at once.
 */
void fq_switch_off(struct fq_device *device, enum faultq_cause cause)
{
	if (device->off)
		return;
	device->off = true;
	device->off_cause = cause;
	fq_count(device->vm, device, FQ_COUNT_SWITCHED_OFF, 1);
	fq_tell_device(device, FQ_TELL_OFF);
	mod_delayed_work(fq_workqueue, &device->vm->timer, 0);
}

/* Without a limit, 0, what is compared with is the largest number. */
static bool fq_over_limit(u32 outstanding, u32 limit)
{
	return outstanding > limit - 1;
}

/* The place of the IOMMU instance comes last: it is taken, the rest is only looked at. */
static inline enum fq_outcome fq_admit(struct fq_vm *vm, struct fq_device *device,
				       unsigned int count)
{
	struct fq_ring *ring = vm->ring;

	if (device->detached)
		return FQ_DETACHED;
	if (device->off)
		return FQ_OFF;
	if (!ring)
		return FQ_NO_QUEUE;
	if (!fq_vm_sync(vm))
		return FQ_STOPPED;
	if (fq_over_limit(device->nr_outstanding, device->max_outstanding))
		return FQ_OVER_DEVICE;
	if (fq_over_limit(vm->pending.outstanding, vm->max_outstanding))
		return FQ_OVER_VM;
	if (!fq_pending_has_room(&vm->pending, count))
		return FQ_NO_SLOT;
	if (!fq_ring_has_room(ring, FQ_RING_REQUEST, count))
		return FQ_NO_ROOM;
	return fq_share_take(device->member) ? FQ_QUEUED : FQ_OVER_SHARE;
}

/* 0 for what no OVER_QUOTA event tells of. */
static enum faultq_cause fq_over_cause(enum fq_outcome outcome)
{
	switch (outcome) {
	case FQ_OVER_DEVICE:
		return FAULTQ_CAUSE_DEVICE;
	case FQ_OVER_VM:
		return FAULTQ_CAUSE_VM;
	case FQ_OVER_SHARE:
		return FAULTQ_CAUSE_INSTANCE;
	default:
		return 0;
	}
}

static void fq_note_over(struct fq_device *device, enum faultq_cause cause)
{
	struct fq_over *over = &device->vm->over;

	if (!over->count) {
		over->device = device->id;
		over->cause = cause;
	}
	if (over->count < U32_MAX)
		over->count++;
	device->vm->untold = true;
}

/* The event was consumed, and now a group is admitted: the next refusal is news. */
static inline void fq_rearm_over(struct fq_vm *vm)
{
	struct fq_over *over = &vm->over;

	if (likely(!over->told) || (s32)(vm->ring->tail - over->index) <= 0)
		return;
	over->told = false;
	vm->untold = true;
}

/* Are a device's groups refused at a higher rate than it may be? */
static bool fq_refused_too_often(struct fq_device *device)
{
	u64 now = ktime_get_ns();

	if (!device->refused_rate)
		return false;
	if (now - device->refused_since >= NSEC_PER_SEC) {
		device->refused_since = now;
		device->refused = 0;
	}
	return ++device->refused > device->refused_rate;
}

/* A group that is not admitted; returns how to answer it. */
static enum fq_outcome fq_refuse(struct fq_device *device, enum fq_outcome outcome)
{
	enum faultq_cause cause = fq_over_cause(outcome);

	fq_count_terminated(device, outcome);
	if (cause)
		fq_note_over(device, cause);
	else if (outcome != FQ_NO_SLOT && outcome != FQ_NO_ROOM)
		return outcome;
	if (!fq_refused_too_often(device))
		return outcome;
	fq_switch_off(device, FAULTQ_CAUSE_RATE);
	return FQ_OFF;
}

/**
 * fq_fill_request() - write the record of a page request
 * @record: is written as a whole
 * @slot: stands for its group
 * @request: the request
 * @flags: FAULTQ_RECORD_LAST or 0
 *
 * The records of a group have one time, by which its deadline is reckoned.
 */
void fq_fill_request(struct faultq_record *record, const struct fq_slot *slot,
		     const struct fq_page_request *request, u16 flags)
{
	const struct fq_group_key *key = &slot->key;

	flags |= FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_ADDRESS;
	if (key->has_pasid)
		flags |= FAULTQ_RECORD_PASID;
	record->type = FAULTQ_PAGE_REQUEST;
	record->perm = request->perm;
	record->flags = flags;
	record->device = slot->device->id;
	record->pasid = key->pasid;
	record->group = key->group;
	record->address = request->address;
	record->cookie = slot->cookie;
	record->timestamp = slot->time;
	memset_after(record, 0, timestamp);
}

static inline void fq_stage_request(struct fq_vm *vm, const struct fq_slot *slot,
				    const struct fq_page_request *request, u16 flags)
{
	struct faultq_record *record = fq_ring_stage(vm->ring, FQ_RING_REQUEST);

	fq_fill_request(record, slot, request, flags);
	fq_stage_loss(vm, record);
}

static inline void fq_stage_group(struct fq_vm *vm, const struct fq_slot *slot,
				  const struct fq_page_request *request, unsigned int count)
{
	for (; unlikely(count > 1); count--)
		fq_stage_request(vm, slot, request++, 0);
	fq_stage_request(vm, slot, request, FAULTQ_RECORD_LAST);
}

/* Make an admitted group outstanding and publish it; returns whether to wake. */
static inline bool fq_queue_group(struct fq_vm *vm, struct fq_device *device,
				  const struct fq_group_key *key,
				  const struct fq_page_request *requests)
{
	struct fq_slot *slot;

	slot = fq_pending_take(&vm->pending, device, &device->outstanding, key, requests);
	slot->time = ktime_get_ns();
	device->nr_outstanding++;
	fq_count(vm, device, FQ_COUNT_GROUPS, 1);
	fq_stage_group(vm, slot, requests, key->count);
	if (vm->deadlines.deadline)
		fq_timer_arm(vm);
	trace_faultq_queue(device, slot);
	return fq_ring_publish(vm->ring);
}

enum fq_outcome fq_report_group(struct fq_device *device, const struct fq_group_key *key,
				const struct fq_page_request *requests)
{
	struct fq_vm *vm = device->vm;
	enum fq_outcome outcome;
	bool wake = false;

	trace_faultq_report(device, key, requests);
	spin_lock_irq(&vm->lock);
	fq_count(vm, device, FQ_COUNT_PAGE_REQUESTS, key->count);
	outcome = fq_admit(vm, device, key->count);
	if (unlikely(outcome != FQ_QUEUED))
		outcome = fq_refuse(device, outcome);
	else
		fq_rearm_over(vm);
	if (unlikely(vm->untold))
		wake = fq_tell_events(vm);
	if (likely(outcome == FQ_QUEUED))
		wake |= fq_queue_group(vm, device, key, requests);
	spin_unlock_irq(&vm->lock);

	if (outcome != FQ_QUEUED)
		trace_faultq_terminate(device, key, outcome);
	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
	return outcome;
}

void fq_report_refused(struct fq_device *device, enum fq_outcome why, unsigned int count)
{
	unsigned long flags;

	spin_lock_irqsave(&device->vm->lock, flags);
	fq_count(device->vm, device, FQ_COUNT_PAGE_REQUESTS, count);
	fq_count_terminated(device, why);
	spin_unlock_irqrestore(&device->vm->lock, flags);
}

void fq_report_dropped(struct fq_device *device, unsigned int count)
{
	unsigned long flags;

	spin_lock_irqsave(&device->vm->lock, flags);
	fq_count(device->vm, device, FQ_COUNT_PAGE_REQUESTS, count);
	fq_count(device->vm, device, FQ_COUNT_DROPPED, count);
	spin_unlock_irqrestore(&device->vm->lock, flags);
}

/* @device: NULL when it is not known */
static void fq_count_fault(struct fq_vm *vm, struct fq_device *device, unsigned int counter)
{
	if (device)
		fq_count(vm, device, counter, 1);
	else
		fq_count_vm(vm, counter, 1);
}

static void fq_lose_fault(struct fq_vm *vm, struct fq_device *device)
{
	fq_count_fault(vm, device, FQ_COUNT_LOST);
	vm->lost_before = true;
	if (vm->ring)
		WRITE_ONCE(vm->ring->header->lost, vm->ring->header->lost + 1);
}

/* Publish an unrecoverable fault, if there is room; returns whether to wake. */
static bool fq_queue_fault(struct fq_vm *vm, struct fq_device *device,
			   const struct fq_unrecoverable *fault)
{
	struct faultq_record *record;

	if (!fq_vm_has_room(vm, FQ_RING_FAULT)) {
		fq_lose_fault(vm, device);
		return false;
	}
	fq_count_fault(vm, device, FQ_COUNT_UNRECOVERABLE);
	record = fq_vm_stage(vm, FQ_RING_FAULT);
	record->type = FAULTQ_UNRECOVERABLE;
	record->perm = fault->perm;
	record->flags |= fault->flags;
	if (device) {
		record->flags |= FAULTQ_RECORD_DEVICE;
		record->device = device->id;
	}
	record->pasid = fault->pasid;
	record->address = fault->address;
	record->fetch_address = fault->fetch_address;
	record->reason = fault->reason;
	return fq_ring_publish(vm->ring);
}

void fq_report_unrecoverable(struct fq_vm *vm, struct fq_device *device,
			     const struct fq_unrecoverable *fault)
{
	unsigned long flags;
	bool wake = false;

	spin_lock_irqsave(&vm->lock, flags);
	if (unlikely(vm->untold))
		wake = fq_tell_events(vm);
	wake |= fq_queue_fault(vm, device, fault);
	spin_unlock_irqrestore(&vm->lock, flags);

	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
}

static bool fq_tell_of_extent(struct fq_vm *vm, struct fq_extent *extent,
			      enum fq_extent_tell what)
{
	extent->tell |= what;
	if (list_empty(&extent->telling))
		list_add_tail(&extent->telling, &vm->revoked);
	vm->untold = true;
	return fq_tell_events(vm);
}

/**
 * fq_report_revoked() - an extent of MMIO is not mapped any more; without the fault lock
 * @vm: the VM
 * @extent: the extent; fq_mmios.lock is held
 * @why: why
 *
 * What is told last is what is true: a restoration that is not told yet is forgotten.
 */
void fq_report_revoked(struct fq_vm *vm, struct fq_extent *extent, enum faultq_revocation why)
{
	bool wake;

	spin_lock_irq(&vm->lock);
	fq_count_vm(vm, FQ_COUNT_REVOCATIONS, 1);
	extent->revocation = why;
	extent->tell = 0;
	wake = fq_tell_of_extent(vm, extent, FQ_TELL_REVOKED);
	spin_unlock_irq(&vm->lock);

	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
}

/**
 * fq_report_restored() - an extent of MMIO is mapped again; without the fault lock
 * @vm: the VM
 * @extent: the extent; fq_mmios.lock is held
 */
void fq_report_restored(struct fq_vm *vm, struct fq_extent *extent)
{
	bool wake;

	spin_lock_irq(&vm->lock);
	wake = fq_tell_of_extent(vm, extent, FQ_TELL_RESTORED);
	spin_unlock_irq(&vm->lock);

	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
}

/**
 * fq_forget_extent() - what was not told of an extent will not be; without the fault lock
 * @vm: the VM
 * @extent: the extent, which is unmapped
 */
void fq_forget_extent(struct fq_vm *vm, struct fq_extent *extent)
{
	spin_lock_irq(&vm->lock);
	list_del_init(&extent->telling);
	spin_unlock_irq(&vm->lock);
}

/**
 * fq_note_written() - a device has written to an extent's scratch page; without the fault lock
 * @vm: the VM
 * @extent: the extent
 */
void fq_note_written(struct fq_vm *vm, struct fq_extent *extent)
{
	spin_lock_irq(&vm->lock);
	extent->written = true;
	spin_unlock_irq(&vm->lock);
}

/**
 * fq_take_written() - tell once whether a device has written to an extent's scratch page;
 * without the fault lock
 * @vm: the VM
 * @extent: the extent
 *
 * Return: whether it has.
 */
bool fq_take_written(struct fq_vm *vm, struct fq_extent *extent)
{
	bool written;

	spin_lock_irq(&vm->lock);
	written = extent->written;
	extent->written = false;
	spin_unlock_irq(&vm->lock);
	return written;
}
