/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One VM: its queue, its devices, its address space; see vm.c.
 */
#ifndef FQ_VM_H
#define FQ_VM_H

#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "ioas.h"
#include "pending.h"
#include "ring.h"

struct eventfd_ctx;
struct fq_device;

/* What is counted, per VM and per device. */
enum fq_counter {
	FQ_COUNT_PAGE_REQUESTS,
	FQ_COUNT_GROUPS,
	FQ_COUNT_ANSWERED,				/* + enum faultq_code */
	FQ_COUNT_STALE = FQ_COUNT_ANSWERED + FAULTQ_FAILURE + 1,
	FQ_COUNT_DROPPED,
	FQ_COUNT_UNRECOVERABLE,
	FQ_COUNT_LOST,
	FQ_COUNT_TERMINATED,				/* + enum fq_outcome */
	FQ_COUNTERS = FQ_COUNT_TERMINATED + FQ_STOPPED + 1,
};

struct fq_counters {
	u64 nr[FQ_COUNTERS];
};

/**
 * struct fq_vm - a VM
 * @kref: of the file, and of whoever detaches one of its devices
 * @mutex: attach, detach, creation of the queue; no user memory is touched and no
 *	pinning is done under it. Guards @devices (writing), @attachments, @last_id
 * @lock: the fault lock: a leaf, taken with interrupts off. Guards @ring's
 *	contents, @pending, @counters, @gone, @lost_before, and in each device what
 *	struct fq_device says
 * @ring: the ring; NULL until QUEUE, then stays (acquire / release)
 * @pending: outstanding page request groups
 * @counters: over all devices, past ones too
 * @lost_before: unrecoverable faults were lost and no record told so yet
 * @gone: devices that were removed and whose event has found no room yet
 * @wait: pollers and readers
 * @eventfd: to signal with them, or NULL; set before @ring
 * @stop_work: terminates everything when the queue was stopped
 * @read_mutex: makes readers take turns; only read() takes it
 * @devices: attached devices by id
 * @by_dev: the same by struct device, for faults; RCU
 * @attachments: attached IOMMU groups
 * @nr_devices: number of @devices
 * @last_id: id given out last
 * @ioas: the address space
 */
struct fq_vm {
	struct kref kref;
	struct mutex mutex; /* attach, detach, QUEUE */
	spinlock_t lock; /* the fault lock */
	struct fq_ring *ring;
	struct fq_pending pending;
	struct fq_counters counters;
	bool lost_before;
	struct list_head gone;
	wait_queue_head_t wait;
	struct eventfd_ctx *eventfd;
	struct work_struct stop_work;
	struct mutex read_mutex; /* readers take turns */
	struct xarray devices;
	DECLARE_HASHTABLE(by_dev, 6);
	struct list_head attachments;
	u32 nr_devices;
	u32 last_id;
	struct fq_ioas ioas;
};

struct fq_vm *fq_vm_create(void);
void fq_vm_shutdown(struct fq_vm *vm);
void fq_vm_get(struct fq_vm *vm);
void fq_vm_put(struct fq_vm *vm);

int fq_vm_queue(struct fq_vm *vm, struct faultq_queue *queue);
struct fq_ring *fq_vm_ring(struct fq_vm *vm);
bool fq_vm_stopped(struct fq_vm *vm);
__poll_t fq_vm_poll(struct fq_vm *vm, struct file *file, struct poll_table_struct *table);
ssize_t fq_vm_read(struct fq_vm *vm, char __user *buffer, size_t length, bool nonblock);
int fq_vm_answer(struct fq_vm *vm, u64 cookie, u32 code);
int fq_vm_stats(struct fq_vm *vm, struct faultq_stats *stats);

void fq_vm_terminate(struct fq_device *device, enum fq_outcome why);
void fq_vm_device_gone(struct fq_device *device);

#endif
