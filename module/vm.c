// SPDX-License-Identifier: GPL-2.0-only
/*
 * One VM: its lifetime, its queue, and the way of a fault through it.
 *
 * A fault is reported by a source, admitted, takes a slot if it is to be answered,
 * and is published in the ring, all under the fault lock: no allocation, no search,
 * no user memory. A page request group that is not admitted is answered by the
 * source at once.
 *
 * An answer takes the slot away under the fault lock and then goes down to the
 * source without it; whoever takes the slot answers, so a group is answered once.
 * An answer that is under way keeps its device: see fq_begin_answer().
 */
#include <linux/eventfd.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "device.h"
#include "vm.h"

/* @device is NULL when it is not known. */
static void fq_count(struct fq_vm *vm, struct fq_device *device, unsigned int counter,
		     u64 count)
{
	vm->counters.nr[counter] += count;
	if (device)
		device->counters.nr[counter] += count;
}

static void fq_count_terminated(struct fq_device *device, enum fq_outcome why)
{
	struct fq_ring *ring = device->vm->ring;

	fq_count(device->vm, device, FQ_COUNT_TERMINATED + why, 1);
	if (ring)
		WRITE_ONCE(ring->header->terminated, ring->header->terminated + 1);
}

static void fq_vm_wake(struct fq_vm *vm, __poll_t events)
{
	wake_up_interruptible_poll(&vm->wait, events);
	if (vm->eventfd)
		eventfd_signal(vm->eventfd);
}

/* Take over the consumer's index; on nonsense, see that everything ends. */
static bool fq_vm_sync(struct fq_vm *vm)
{
	if (vm->ring->stopped)
		return false;
	if (fq_ring_sync(vm->ring))
		return true;
	schedule_work(&vm->stop_work);
	return false;
}

/* The next record, with what all kinds of records have in common. */
static struct faultq_record *fq_vm_stage(struct fq_vm *vm, enum fq_ring_kind kind)
{
	struct faultq_record *record = fq_ring_stage(vm->ring, kind);

	record->timestamp = ktime_get_ns();
	if (vm->lost_before) {
		record->flags = FAULTQ_RECORD_AFTER_LOSS;
		vm->lost_before = false;
	}
	return record;
}

/* Tell of removed devices, as far as there is room; returns whether to wake. */
static bool fq_tell_gone(struct fq_vm *vm)
{
	struct fq_device *device, *next;
	bool wake = false;

	list_for_each_entry_safe(device, next, &vm->gone, node) {
		struct faultq_record *record;

		if (!vm->ring || !fq_vm_sync(vm) ||
		    !fq_ring_has_room(vm->ring, FQ_RING_EVENT, 1))
			break;
		record = fq_vm_stage(vm, FQ_RING_EVENT);
		record->type = FAULTQ_DEVICE_GONE;
		record->flags |= FAULTQ_RECORD_DEVICE;
		record->device = device->id;
		wake |= fq_ring_publish(vm->ring);
		list_del(&device->node);
		kfree_rcu(device, rcu);
	}
	return wake;
}

static enum fq_outcome fq_admit(struct fq_device *device, unsigned int count)
{
	struct fq_vm *vm = device->vm;

	if (device->detached)
		return FQ_DETACHED;
	if (!vm->ring)
		return FQ_NO_QUEUE;
	if (!fq_vm_sync(vm))
		return FQ_STOPPED;
	if (vm->pending.outstanding == vm->pending.count)
		return FQ_NO_SLOT;
	if (!fq_ring_has_room(vm->ring, FQ_RING_REQUEST, count))
		return FQ_NO_ROOM;
	return FQ_QUEUED;
}

static void fq_stage_request(struct fq_device *device, const struct fq_group_key *key,
			     const struct fq_page_request *request, u64 cookie, bool last)
{
	struct faultq_record *record = fq_vm_stage(device->vm, FQ_RING_REQUEST);

	record->type = FAULTQ_PAGE_REQUEST;
	record->perm = request->perm;
	record->flags |= FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_ADDRESS;
	if (key->has_pasid)
		record->flags |= FAULTQ_RECORD_PASID;
	if (last)
		record->flags |= FAULTQ_RECORD_LAST;
	record->device = device->id;
	record->pasid = key->pasid;
	record->group = key->group;
	record->address = request->address;
	record->cookie = cookie;
}

/* Make an admitted group outstanding and publish it; returns whether to wake. */
static bool fq_queue_group(struct fq_device *device, const struct fq_group_key *key,
			   const struct fq_page_request *requests, unsigned int count)
{
	struct fq_pending *pending = &device->vm->pending;
	struct fq_slot *slot = fq_pending_take(pending, device, &device->outstanding);
	u64 cookie = fq_pending_cookie(pending, slot);
	unsigned int i;

	slot->key = *key;
	device->nr_outstanding++;
	fq_count(device->vm, device, FQ_COUNT_GROUPS, 1);
	for (i = 0; i < count; i++)
		fq_stage_request(device, key, &requests[i], cookie, i + 1 == count);
	return fq_ring_publish(device->vm->ring);
}

enum fq_outcome fq_report_group(struct fq_device *device, const struct fq_group_key *key,
				const struct fq_page_request *requests, unsigned int count)
{
	struct fq_vm *vm = device->vm;
	enum fq_outcome outcome;
	unsigned long flags;
	bool wake;

	spin_lock_irqsave(&vm->lock, flags);
	wake = fq_tell_gone(vm);
	fq_count(vm, device, FQ_COUNT_PAGE_REQUESTS, count);
	outcome = fq_admit(device, count);
	if (outcome == FQ_QUEUED)
		wake |= fq_queue_group(device, key, requests, count);
	else
		fq_count_terminated(device, outcome);
	spin_unlock_irqrestore(&vm->lock, flags);

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

static void fq_lose_fault(struct fq_vm *vm, struct fq_device *device)
{
	fq_count(vm, device, FQ_COUNT_LOST, 1);
	vm->lost_before = true;
	if (vm->ring)
		WRITE_ONCE(vm->ring->header->lost, vm->ring->header->lost + 1);
}

/* Publish an unrecoverable fault, if there is room; returns whether to wake. */
static bool fq_queue_fault(struct fq_vm *vm, struct fq_device *device,
			   const struct fq_unrecoverable *fault)
{
	struct faultq_record *record;

	if (!vm->ring || !fq_vm_sync(vm) || !fq_ring_has_room(vm->ring, FQ_RING_FAULT, 1)) {
		fq_lose_fault(vm, device);
		return false;
	}
	fq_count(vm, device, FQ_COUNT_UNRECOVERABLE, 1);
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
	bool wake;

	spin_lock_irqsave(&vm->lock, flags);
	wake = fq_tell_gone(vm);
	wake |= fq_queue_fault(vm, device, fault);
	spin_unlock_irqrestore(&vm->lock, flags);

	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
}

/*
 * Take a slot away to answer its group. The device stays until fq_end_answer():
 * detach waits for the answers that are under way.
 */
static struct fq_device *fq_begin_answer(struct fq_vm *vm, struct fq_slot *slot,
					 struct fq_group_key *key)
{
	struct fq_device *device = slot->device;

	*key = slot->key;
	fq_pending_put(&vm->pending, slot);
	device->nr_outstanding--;
	refcount_inc(&device->answers);
	return device;
}

static void fq_end_answer(struct fq_device *device)
{
	if (refcount_dec_and_test(&device->answers))
		complete(&device->answered);
}

/**
 * fq_vm_answer() - answer a page request group for user space
 * @vm: the VM; has a queue
 * @cookie: from user space, anything
 * @code: from user space, anything
 *
 * Return: 0, -EINVAL (@code is unknown or @cookie is 0) or -ESTALE.
 */
int fq_vm_answer(struct fq_vm *vm, u64 cookie, u32 code)
{
	struct fq_group_key key;
	struct fq_device *device;
	struct fq_slot *slot;

	if (code > FAULTQ_FAILURE || !cookie)
		return -EINVAL;

	spin_lock_irq(&vm->lock);
	slot = fq_pending_find(&vm->pending, cookie);
	if (!slot) {
		fq_count(vm, NULL, FQ_COUNT_STALE, 1);
		spin_unlock_irq(&vm->lock);
		return -ESTALE;
	}
	device = fq_begin_answer(vm, slot, &key);
	fq_count(vm, device, FQ_COUNT_ANSWERED + code, 1);
	spin_unlock_irq(&vm->lock);

	fq_source_answer(device, &key, code);
	fq_end_answer(device);
	return 0;
}

static bool fq_terminate_one(struct fq_device *device, enum fq_outcome why)
{
	struct fq_vm *vm = device->vm;
	struct fq_group_key key;
	struct fq_slot *slot;

	spin_lock_irq(&vm->lock);
	slot = list_first_entry_or_null(&device->outstanding, struct fq_slot, node);
	if (slot) {
		fq_begin_answer(vm, slot, &key);
		fq_count_terminated(device, why);
	}
	spin_unlock_irq(&vm->lock);
	if (!slot)
		return false;

	fq_source_answer(device, &key, FAULTQ_INVALID);
	fq_end_answer(device);
	return true;
}

/**
 * fq_vm_terminate() - answer all outstanding groups of a device with INVALID
 * @device: the device
 * @why: what to count them under
 */
void fq_vm_terminate(struct fq_device *device, enum fq_outcome why)
{
	while (fq_terminate_one(device, why))
		cond_resched();
}

/**
 * fq_vm_device_gone() - tell user space that a device was removed
 * @device: detached; is freed when the event has found room
 */
void fq_vm_device_gone(struct fq_device *device)
{
	struct fq_vm *vm = device->vm;
	bool wake;

	spin_lock_irq(&vm->lock);
	list_add_tail(&device->node, &vm->gone);
	wake = fq_tell_gone(vm);
	spin_unlock_irq(&vm->lock);

	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
}

static void fq_stop_work(struct work_struct *work)
{
	struct fq_vm *vm = container_of(work, struct fq_vm, stop_work);
	struct fq_device *device;
	unsigned long id;

	mutex_lock(&vm->mutex);
	xa_for_each(&vm->devices, id, device)
		fq_vm_terminate(device, FQ_STOPPED);
	mutex_unlock(&vm->mutex);

	fq_vm_wake(vm, EPOLLERR);
}

/**
 * fq_vm_create() - make a VM without queue and devices
 *
 * Return: the VM with one reference, or NULL.
 */
struct fq_vm *fq_vm_create(void)
{
	struct fq_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	kref_init(&vm->kref);
	mutex_init(&vm->mutex);
	mutex_init(&vm->read_mutex);
	spin_lock_init(&vm->lock);
	INIT_LIST_HEAD(&vm->gone);
	INIT_LIST_HEAD(&vm->attachments);
	init_waitqueue_head(&vm->wait);
	INIT_WORK(&vm->stop_work, fq_stop_work);
	xa_init(&vm->devices);
	hash_init(vm->by_dev);
	fq_ioas_init(&vm->ioas);
	return vm;
}

static void fq_free_gone(struct fq_vm *vm)
{
	struct fq_device *device, *next;

	list_for_each_entry_safe(device, next, &vm->gone, node)
		kfree_rcu(device, rcu);
}

static void fq_vm_free(struct kref *kref)
{
	struct fq_vm *vm = container_of(kref, struct fq_vm, kref);

	fq_free_gone(vm);
	xa_destroy(&vm->devices);
	if (vm->ring) {
		fq_ring_destroy(vm->ring);
		fq_pending_destroy(&vm->pending);
	}
	if (vm->eventfd)
		eventfd_ctx_put(vm->eventfd);
	kfree(vm);
}

/**
 * fq_vm_shutdown() - the last user is gone: leave nothing behind
 * @vm: no call is in it, and no one maps its ring
 *
 * Detaches all devices and unmaps all memory; drops the creator's reference.
 */
void fq_vm_shutdown(struct fq_vm *vm)
{
	fq_device_detach_all(vm);
	cancel_work_sync(&vm->stop_work);
	fq_ioas_clear(&vm->ioas);
	fq_vm_put(vm);
}

/**
 * fq_vm_get() - take a reference
 * @vm: the VM
 */
void fq_vm_get(struct fq_vm *vm)
{
	kref_get(&vm->kref);
}

/**
 * fq_vm_put() - drop a reference
 * @vm: the VM
 */
void fq_vm_put(struct fq_vm *vm)
{
	kref_put(&vm->kref, fq_vm_free);
}

static bool fq_queue_valid(const struct faultq_queue *queue)
{
	return queue->slots && queue->slots <= FQ_MAX_SLOTS &&
	       queue->entries >= FQ_MIN_ENTRIES && queue->entries <= FQ_MAX_ENTRIES &&
	       is_power_of_2(queue->entries) && queue->eventfd >= -1;
}

static struct eventfd_ctx *fq_get_eventfd(int fd)
{
	return fd == -1 ? NULL : eventfd_ctx_fdget(fd);
}

/* Make ring and slots, and show them to the fault path at one stroke. */
static int fq_create_queue(struct fq_vm *vm, const struct faultq_queue *queue,
			   struct eventfd_ctx *eventfd)
{
	struct fq_pending pending = {};
	struct fq_ring *ring;

	if (vm->ring)
		return -EEXIST;
	ring = fq_ring_create(queue->entries, queue->flags & FAULTQ_QUEUE_READ);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	if (fq_pending_create(&pending, queue->slots)) {
		fq_ring_destroy(ring);
		return -ENOMEM;
	}

	spin_lock_irq(&vm->lock);
	vm->pending.slots = pending.slots;
	vm->pending.count = pending.count;
	list_replace(&pending.free, &vm->pending.free);
	vm->eventfd = eventfd;
	/* Pairs with fq_vm_ring(). */
	smp_store_release(&vm->ring, ring);
	spin_unlock_irq(&vm->lock);
	return 0;
}

/**
 * fq_vm_queue() - create the queue
 * @vm: the VM
 * @queue: QUEUE's argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_vm_queue(struct fq_vm *vm, struct faultq_queue *queue)
{
	struct eventfd_ctx *eventfd;
	int ret;

	if (queue->flags & ~FAULTQ_QUEUE_READ || queue->reserved || !fq_queue_valid(queue))
		return -EINVAL;
	eventfd = fq_get_eventfd(queue->eventfd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);

	mutex_lock(&vm->mutex);
	ret = fq_create_queue(vm, queue, eventfd);
	mutex_unlock(&vm->mutex);
	if (ret) {
		if (eventfd)
			eventfd_ctx_put(eventfd);
		return ret;
	}
	fq_ring_describe(vm->ring, queue);
	return 0;
}

/**
 * fq_vm_ring() - the ring, where no lock is held
 * @vm: the VM
 *
 * Return: the ring, or NULL before QUEUE.
 */
struct fq_ring *fq_vm_ring(struct fq_vm *vm)
{
	/* Pairs with fq_create_queue(): what it points to is complete. */
	return smp_load_acquire(&vm->ring);
}

/**
 * fq_vm_stopped() - was the queue stopped
 * @vm: the VM
 *
 * Looks at the consumer index, so that a caller learns of nonsense at once.
 *
 * Return: whether it was.
 */
bool fq_vm_stopped(struct fq_vm *vm)
{
	bool stopped;

	if (!fq_vm_ring(vm))
		return false;
	spin_lock_irq(&vm->lock);
	stopped = !fq_vm_sync(vm);
	spin_unlock_irq(&vm->lock);
	return stopped;
}

/* How many records can be read; negative when the queue was stopped. */
static int fq_vm_ready(struct fq_vm *vm)
{
	int ready = -EIO;

	spin_lock_irq(&vm->lock);
	if (fq_vm_sync(vm)) {
		fq_tell_gone(vm);
		ready = fq_ring_fill(vm->ring);
	}
	spin_unlock_irq(&vm->lock);
	return ready;
}

/**
 * fq_vm_poll() - poll() of a VM file
 * @vm: the VM
 * @file: the file
 * @table: of poll()
 *
 * Return: EPOLLIN when a record waits, EPOLLERR when the queue was stopped.
 */
__poll_t fq_vm_poll(struct fq_vm *vm, struct file *file, struct poll_table_struct *table)
{
	int ready;

	poll_wait(file, &vm->wait, table);
	if (!fq_vm_ring(vm))
		return 0;
	ready = fq_vm_ready(vm);
	if (ready < 0)
		return EPOLLERR;
	return ready ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Copy one run of records up to the end of the ring; returns how many went. */
static u32 fq_copy_run(struct fq_ring *ring, u32 from, u32 count, char __user *buffer)
{
	const struct faultq_record *records = fq_ring_peek(ring, from);
	u32 to_end = ring->entries - (records - ring->records);
	size_t bytes;

	count = min(count, to_end);
	bytes = count * sizeof(*records);
	bytes -= copy_to_user(buffer, records, bytes);
	return bytes / sizeof(*records);
}

/* The records stay as they are: only the holder of read_mutex moves the tail. */
static ssize_t fq_copy_records(struct fq_vm *vm, char __user *buffer, u32 count)
{
	u32 done = fq_copy_run(vm->ring, 0, count, buffer);

	if (done && done < count)
		done += fq_copy_run(vm->ring, done, count - done,
				    buffer + done * sizeof(struct faultq_record));

	spin_lock_irq(&vm->lock);
	vm->ring->tail += done;
	spin_unlock_irq(&vm->lock);
	return done ? done * sizeof(struct faultq_record) : -EFAULT;
}

/* Another reader may be held up by its user memory for as long as it likes. */
static int fq_read_lock(struct fq_vm *vm, bool nonblock)
{
	if (nonblock)
		return mutex_trylock(&vm->read_mutex) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&vm->read_mutex);
}

/* Returns 0 when another reader was faster. */
static ssize_t fq_read_some(struct fq_vm *vm, char __user *buffer, size_t length,
			    bool nonblock)
{
	ssize_t ret;
	int ready;

	ret = fq_read_lock(vm, nonblock);
	if (ret)
		return ret;
	ready = fq_vm_ready(vm);
	ret = ready;
	if (ready > 0)
		ret = fq_copy_records(vm, buffer, min_t(size_t, ready,
							length / sizeof(struct faultq_record)));
	mutex_unlock(&vm->read_mutex);
	return ret;
}

/**
 * fq_vm_read() - read() of a VM file
 * @vm: the VM
 * @buffer: where the records go
 * @length: bytes of room
 * @nonblock: do not wait for the first record
 *
 * Return: bytes, or a negative errno as documented in uapi at QUEUE.
 */
ssize_t fq_vm_read(struct fq_vm *vm, char __user *buffer, size_t length, bool nonblock)
{
	struct fq_ring *ring = fq_vm_ring(vm);
	ssize_t ret;

	if (!ring)
		return -ENXIO;
	if (!ring->by_read)
		return -EBUSY;
	if (length < sizeof(struct faultq_record))
		return -EINVAL;

	do {
		if (nonblock && !fq_vm_ready(vm))
			return -EAGAIN;
		if (wait_event_interruptible(vm->wait, fq_vm_ready(vm)))
			return -ERESTARTSYS;
		ret = fq_read_some(vm, buffer, length, nonblock);
	} while (!ret);
	return ret;
}

static void fq_fill_stats(const struct fq_counters *counters, struct faultq_stats *stats)
{
	const u64 *nr = counters->nr;

	stats->page_requests = nr[FQ_COUNT_PAGE_REQUESTS];
	stats->groups = nr[FQ_COUNT_GROUPS];
	stats->answered_success = nr[FQ_COUNT_ANSWERED + FAULTQ_SUCCESS];
	stats->answered_invalid = nr[FQ_COUNT_ANSWERED + FAULTQ_INVALID];
	stats->answered_failure = nr[FQ_COUNT_ANSWERED + FAULTQ_FAILURE];
	stats->stale_answers = nr[FQ_COUNT_STALE];
	stats->terminated_no_queue = nr[FQ_COUNT_TERMINATED + FQ_NO_QUEUE];
	stats->terminated_no_slot = nr[FQ_COUNT_TERMINATED + FQ_NO_SLOT];
	stats->terminated_no_room = nr[FQ_COUNT_TERMINATED + FQ_NO_ROOM];
	stats->terminated_too_long = nr[FQ_COUNT_TERMINATED + FQ_TOO_LONG];
	stats->terminated_detached = nr[FQ_COUNT_TERMINATED + FQ_DETACHED];
	stats->terminated_stopped = nr[FQ_COUNT_TERMINATED + FQ_STOPPED];
	stats->partial_dropped = nr[FQ_COUNT_DROPPED];
	stats->unrecoverable = nr[FQ_COUNT_UNRECOVERABLE];
	stats->lost = nr[FQ_COUNT_LOST];
}

static int fq_device_stats(struct fq_vm *vm, struct faultq_stats *stats)
{
	struct fq_device *device = xa_load(&vm->devices, stats->device);

	if (!device)
		return -ENOENT;
	spin_lock_irq(&vm->lock);
	stats->devices = 1;
	stats->outstanding = device->nr_outstanding;
	stats->slots = vm->pending.count;
	fq_fill_stats(&device->counters, stats);
	spin_unlock_irq(&vm->lock);
	return 0;
}

/**
 * fq_vm_stats() - read the counters of the VM or of one device
 * @vm: the VM
 * @stats: STATS' argument, is filled in
 *
 * Return: 0, -EINVAL or -ENOENT.
 */
int fq_vm_stats(struct fq_vm *vm, struct faultq_stats *stats)
{
	u32 id = stats->device;
	int ret = 0;

	if (stats->flags)
		return -EINVAL;
	*stats = (struct faultq_stats){ .size = stats->size, .device = id };

	mutex_lock(&vm->mutex);
	if (id) {
		ret = fq_device_stats(vm, stats);
	} else {
		spin_lock_irq(&vm->lock);
		stats->devices = vm->nr_devices;
		stats->outstanding = vm->pending.outstanding;
		stats->slots = vm->pending.count;
		fq_fill_stats(&vm->counters, stats);
		spin_unlock_irq(&vm->lock);
		fq_ioas_stats(&vm->ioas, &stats->mapped_bytes, &stats->pinned_pages);
	}
	mutex_unlock(&vm->mutex);
	return ret;
}
