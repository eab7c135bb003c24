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
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "ioas.h"
#include "pending.h"
#include "ring.h"
#include "share.h"

struct eventfd_ctx;
struct fq_device;
struct pid;

/* What is counted, per VM and per device. */
enum fq_counter {
	FQ_COUNT_PAGE_REQUESTS,
	FQ_COUNT_GROUPS,
	FQ_COUNT_ANSWERED,				/* + enum faultq_code */
	FQ_COUNT_STALE = FQ_COUNT_ANSWERED + FAULTQ_FAILURE + 1,
	FQ_COUNT_DROPPED,
	FQ_COUNT_UNRECOVERABLE,
	FQ_COUNT_LOST,
	FQ_COUNT_DEADLINES,
	FQ_COUNT_SWITCHED_OFF,
	FQ_COUNT_REVOCATIONS,
	FQ_COUNT_TERMINATED,				/* + enum fq_outcome */
	FQ_COUNT_LATENCY = FQ_COUNT_TERMINATED + FQ_OUTCOMES,
	FQ_COUNTERS = FQ_COUNT_LATENCY + FAULTQ_LATENCIES,
};

struct fq_counters {
	u64 nr[FQ_COUNTERS];
};

/**
 * struct fq_deadlines - what a VM asked for about deadlines
 * @deadline: nanoseconds until a group gets an event; 0: never
 * @grace: nanoseconds from there until it is terminated, when @invalid
 * @invalid: groups are terminated
 * @strikes: deadlines that a device may miss until it is switched off; 0: any number
 */
struct fq_deadlines {
	u64 deadline;
	u64 grace;
	bool invalid;
	u32 strikes;
};

/**
 * struct fq_over - groups that were not admitted, and the event that tells
 * @count: groups since the last event
 * @device: id of the device of the first of them
 * @cause: enum faultq_cause of it
 * @told: an event was published, and no other is due yet
 * @index: of the event's record in the ring
 */
struct fq_over {
	u32 count;
	u32 device;
	u32 cause;
	bool told;
	u32 index;
};

/**
 * struct fq_vm - a VM
 * @kref: of its users, and of whoever detaches one of its devices or looks at it
 * @users: files and containers that stand for it; when none is left it is shut down
 * @id: names it for an administrator
 * @owner: the process that opened it
 * @comm: its name then
 * @mutex: attach, detach, creation of the queue, drains; no user memory is touched and
 *	no pinning is done under it. Guards @devices (writing), @attachments, @last_id
 * @lock: the fault lock: a leaf, taken with interrupts off. Guards @ring's
 *	contents, @pending, @counters, @deadlines, @timer_due, @max_outstanding, @over, @late,
 *	@telling, @revoked, @untold, @retry, @retry_pause, @lost_before, and in each device what
 *	struct fq_device says
 * @ring: the ring; NULL until QUEUE, then stays (acquire / release)
 * @pending: outstanding page request groups
 * @counters: over all devices, past ones too
 * @max_outstanding: groups that may be outstanding; 0: any number
 * @cap: what that can be raised to without privilege; 0: anything
 * @deadlines: as set by LIMITS
 * @timer: tells of deadlines, ends what has to end, and retries events that found no room
 * @timer_due: when @timer is set for, CLOCK_MONOTONIC in nanoseconds; U64_MAX: it is not
 * @over: groups that were not admitted
 * @late: groups whose DEADLINE event found no room
 * @untold: an event waits for room, or is due for another reason
 * @retry: when to look for room again, CLOCK_MONOTONIC in nanoseconds; 0: never
 * @retry_pause: nanoseconds that it was set for
 * @lost_before: unrecoverable faults were lost and no record told so yet
 * @telling: devices of which an event has found no room yet
 * @revoked: the same of extents of MMIO
 * @wait: pollers and readers
 * @eventfd: to signal with them, or NULL; RCU
 * @stop_work: terminates everything when the queue was stopped
 * @read_mutex: makes readers take turns; only read() takes it
 * @devices: attached devices by id
 * @by_dev: the same by struct device, for faults; RCU
 * @attachments: attached IOMMU groups
 * @members: parts of IOMMU instances' shares; share.c guards them
 * @nr_devices: number of @devices
 * @last_id: id given out last
 * @ioas: the address space
 */
struct fq_vm {
	struct kref kref;
	refcount_t users;
	u32 id;
	struct pid *owner;
	char comm[TASK_COMM_LEN];
	struct mutex mutex; /* attach, detach, QUEUE, drains */
	spinlock_t lock; /* the fault lock */
	struct fq_ring *ring;
	struct fq_pending pending;
	struct fq_counters counters;
	u32 max_outstanding;
	u32 cap;
	struct fq_deadlines deadlines;
	struct delayed_work timer;
	u64 timer_due;
	struct fq_over over;
	u32 late;
	bool untold;
	u64 retry;
	u64 retry_pause;
	bool lost_before;
	struct list_head telling;
	struct list_head revoked;
	wait_queue_head_t wait;
	struct eventfd_ctx __rcu *eventfd;
	struct work_struct stop_work;
	struct mutex read_mutex; /* readers take turns */
	struct xarray devices;
	DECLARE_HASHTABLE(by_dev, 6);
	struct list_head attachments;
	struct list_head members;
	u32 nr_devices;
	u32 last_id;
	struct fq_ioas ioas;
};

/* For what the fault path leaves to process context. */
extern struct workqueue_struct *fq_workqueue;

int fq_vm_init_all(void);
void fq_vm_exit_all(void);

struct fq_vm *fq_vm_create(void);
void fq_vm_use(struct fq_vm *vm);
void fq_vm_unuse(struct fq_vm *vm);
void fq_vm_get(struct fq_vm *vm);
void fq_vm_put(struct fq_vm *vm);
struct fq_vm *fq_vm_find(u32 id);
struct fq_vm *fq_vm_next(u32 *id);

int fq_vm_queue(struct fq_vm *vm, struct faultq_queue *queue);
bool fq_vm_stopped(struct fq_vm *vm);

int fq_vm_file(struct fq_vm *vm);
__poll_t fq_vm_poll(struct fq_vm *vm, struct file *file, struct poll_table_struct *table);
ssize_t fq_vm_read(struct fq_vm *vm, char __user *buffer, size_t length, bool nonblock);

int fq_vm_limits(struct fq_vm *vm, struct faultq_limits *limits);
int fq_vm_stats(struct fq_vm *vm, struct faultq_stats *stats);

void fq_timer_arm(struct fq_vm *vm);
void fq_timer_retry(struct fq_vm *vm, bool progress);
void fq_timer_work(struct work_struct *work);

/**
 * fq_vm_ring() - the ring, where no lock is held
 * @vm: the VM
 *
 * Return: the ring, or NULL before QUEUE.
 */
static inline struct fq_ring *fq_vm_ring(struct fq_vm *vm)
{
	/* Pairs with fq_create_queue(): what it points to is complete. */
	return smp_load_acquire(&vm->ring);
}

#endif
