// SPDX-License-Identifier: GPL-2.0-only
/*
 * One VM: its lifetime, its id, its queue.
 *
 * A VM goes with the last of its files and containers. Its id, which is for an administrator,
 * is in fq_vms until then; who finds it there holds a reference, and may meet a VM that has
 * detached everything already.
 */
#include <linux/eventfd.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "answer.h"
#include "compat/compat.h"
#include "device.h"
#include "report.h"
#include "vm.h"

struct workqueue_struct *fq_workqueue;

static DEFINE_XARRAY_ALLOC1(fq_vms);
static u32 fq_last_vm;

static void fq_stop_work(struct work_struct *work)
{
	struct fq_vm *vm = container_of(work, struct fq_vm, stop_work);
	struct fq_device *device;
	unsigned long id;

	mutex_lock(&vm->mutex);
	xa_for_each(&vm->devices, id, device)
		fq_terminate_all(device, FQ_STOPPED);
	mutex_unlock(&vm->mutex);

	fq_vm_wake(vm, EPOLLERR);
}

static void fq_vm_init(struct fq_vm *vm)
{
	kref_init(&vm->kref);
	refcount_set(&vm->users, 1);
	mutex_init(&vm->mutex);
	mutex_init(&vm->read_mutex);
	spin_lock_init(&vm->lock);
	INIT_LIST_HEAD(&vm->telling);
	INIT_LIST_HEAD(&vm->revoked);
	INIT_LIST_HEAD(&vm->attachments);
	INIT_LIST_HEAD(&vm->members);
	init_waitqueue_head(&vm->wait);
	INIT_WORK(&vm->stop_work, fq_stop_work);
	INIT_DELAYED_WORK(&vm->timer, fq_timer_work);
	vm->timer_due = U64_MAX;
	xa_init(&vm->devices);
	hash_init(vm->by_dev);
	fq_pending_init(&vm->pending);
	fq_ioas_init(&vm->ioas);
}

static void fq_vm_own(struct fq_vm *vm)
{
	struct fq_caps caps;

	fq_share_caps("", &caps);
	vm->cap = caps.max_vm;
	vm->max_outstanding = caps.max_vm;
	vm->owner = get_pid(task_tgid(current));
	get_task_comm(vm->comm, current);
}

/**
 * fq_vm_create() - make a VM without queue and devices
 *
 * Return: the VM with one user, or NULL.
 */
struct fq_vm *fq_vm_create(void)
{
	struct fq_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	fq_vm_init(vm);
	fq_vm_own(vm);
	if (xa_alloc_cyclic(&fq_vms, &vm->id, vm, XA_LIMIT(1, S32_MAX), &fq_last_vm,
			    GFP_KERNEL_ACCOUNT) < 0) {
		put_pid(vm->owner);
		kfree(vm);
		return NULL;
	}
	return vm;
}
EXPORT_SYMBOL_FAULTQ(fq_vm_create);

static void fq_free_gone(struct fq_vm *vm)
{
	struct fq_device *device, *next;

	list_for_each_entry_safe(device, next, &vm->telling, telling)
		kfree_rcu(device, rcu);
}

static struct eventfd_ctx *fq_replace_eventfd(struct fq_vm *vm, struct eventfd_ctx *eventfd)
{
	return unrcu_pointer(xchg(&vm->eventfd, RCU_INITIALIZER(eventfd)));
}

static void fq_put_eventfd(struct eventfd_ctx *eventfd)
{
	if (eventfd)
		eventfd_ctx_put(eventfd);
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
	fq_put_eventfd(fq_replace_eventfd(vm, NULL));
	put_pid(vm->owner);
	kfree(vm);
}

/* Leave nothing behind: detach all devices and unmap all memory. */
static void fq_vm_shutdown(struct fq_vm *vm)
{
	fq_device_detach_all(vm);
	/* until then a revocation of MMIO may find the queue to be stopped */
	fq_ioas_clear(&vm->ioas);
	cancel_delayed_work_sync(&vm->timer);
	cancel_work_sync(&vm->stop_work);
	xa_erase(&fq_vms, vm->id);
	fq_vm_put(vm);
}

/**
 * fq_vm_use() - something more stands for a VM
 * @vm: the VM, which has a user
 */
void fq_vm_use(struct fq_vm *vm)
{
	refcount_inc(&vm->users);
}

/**
 * fq_vm_unuse() - something that stood for a VM is gone
 * @vm: the VM; if this was its last user, no call is in it and no one maps its ring
 */
void fq_vm_unuse(struct fq_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		fq_vm_shutdown(vm);
}
EXPORT_SYMBOL_FAULTQ(fq_vm_unuse);

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

/**
 * fq_vm_find() - find a VM by its id
 * @id: from user space, anything
 *
 * Return: the VM, referenced, or NULL.
 */
struct fq_vm *fq_vm_find(u32 id)
{
	struct fq_vm *vm;

	xa_lock(&fq_vms);
	vm = xa_load(&fq_vms, id);
	if (vm)
		fq_vm_get(vm);
	xa_unlock(&fq_vms);
	return vm;
}

/**
 * fq_vm_next() - go through all VMs
 * @id: where to begin; is set to the id of the VM that is found
 *
 * Return: the VM, referenced, or NULL when there is no other.
 */
struct fq_vm *fq_vm_next(u32 *id)
{
	unsigned long index = *id;
	struct fq_vm *vm;

	xa_lock(&fq_vms);
	vm = xa_find(&fq_vms, &index, S32_MAX, XA_PRESENT);
	if (vm)
		fq_vm_get(vm);
	xa_unlock(&fq_vms);
	*id = index;
	return vm;
}

static bool fq_queue_valid(const struct faultq_queue *queue)
{
	return queue->slots && queue->slots <= FQ_MAX_SLOTS &&
	       queue->entries >= FQ_MIN_ENTRIES && queue->entries <= FQ_MAX_ENTRIES &&
	       is_power_of_2(queue->entries) && queue->eventfd >= -1;
}

static bool fq_takeover_valid(const struct faultq_queue *queue)
{
	return queue->flags == FAULTQ_QUEUE_TAKEOVER && !queue->slots && !queue->entries &&
	       queue->eventfd >= -1;
}

static struct eventfd_ctx *fq_get_eventfd(int fd)
{
	return fd == -1 ? NULL : eventfd_ctx_fdget(fd);
}

/* Make ring and slots, and show them to the fault path at one stroke. */
static int fq_create_queue(struct fq_vm *vm, const struct faultq_queue *queue,
			   struct eventfd_ctx *eventfd)
{
	struct fq_ring *ring;
	bool wake;

	if (vm->ring)
		return -EEXIST;
	ring = fq_ring_create(queue->entries, queue->flags & FAULTQ_QUEUE_READ);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	if (fq_pending_create(&vm->pending, queue->slots)) {
		fq_ring_destroy(ring);
		return -ENOMEM;
	}

	fq_replace_eventfd(vm, eventfd);
	spin_lock_irq(&vm->lock);
	/* Pairs with fq_vm_ring(). */
	smp_store_release(&vm->ring, ring);
	wake = fq_tell_events(vm);
	spin_unlock_irq(&vm->lock);
	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
	return 0;
}

/* Another consumer goes on: tell it about the queue, and signal its eventfd from now on. */
static int fq_take_over(struct fq_vm *vm, struct faultq_queue *queue,
			struct eventfd_ctx *eventfd)
{
	struct eventfd_ctx *before;

	if (!vm->ring)
		return -ENXIO;
	if (eventfd) {
		before = fq_replace_eventfd(vm, eventfd);
		synchronize_rcu();
		fq_put_eventfd(before);
	}
	queue->flags = vm->ring->by_read ? FAULTQ_QUEUE_READ : 0;
	queue->slots = vm->pending.count;
	queue->entries = vm->ring->entries;
	return 0;
}

/**
 * fq_vm_queue() - create the queue, or take it over
 * @vm: the VM
 * @queue: QUEUE's argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_vm_queue(struct fq_vm *vm, struct faultq_queue *queue)
{
	bool takeover = queue->flags & FAULTQ_QUEUE_TAKEOVER;
	struct eventfd_ctx *eventfd;
	int ret;

	if (queue->flags & ~(FAULTQ_QUEUE_READ | FAULTQ_QUEUE_TAKEOVER) || queue->reserved ||
	    !(takeover ? fq_takeover_valid(queue) : fq_queue_valid(queue)))
		return -EINVAL;
	eventfd = fq_get_eventfd(queue->eventfd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);

	mutex_lock(&vm->mutex);
	ret = takeover ? fq_take_over(vm, queue, eventfd) : fq_create_queue(vm, queue, eventfd);
	mutex_unlock(&vm->mutex);
	if (ret)
		fq_put_eventfd(eventfd);
	else
		fq_ring_describe(vm->ring, queue);
	return ret;
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

/**
 * fq_vm_init_all() - make what all VMs need
 *
 * Return: 0 or -ENOMEM.
 */
int fq_vm_init_all(void)
{
	fq_workqueue = alloc_workqueue("faultq", WQ_UNBOUND, 0);
	return fq_workqueue ? 0 : -ENOMEM;
}

/**
 * fq_vm_exit_all() - undo it; no VM is left
 */
void fq_vm_exit_all(void)
{
	destroy_workqueue(fq_workqueue);
	xa_destroy(&fq_vms);
}
