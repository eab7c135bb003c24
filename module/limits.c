// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters and limits of a VM and of its devices, as user space sees and sets them.
 *
 * Limits are set under the fault lock, and take effect with the next group. They are read
 * under fq_vm.mutex, under which alone they change.
 */
#include <linux/capability.h>
#include <linux/math64.h>

#include "device.h"
#include "vm.h"

static void fq_fill_stats(const struct fq_counters *counters, struct faultq_stats *stats)
{
	const u64 *nr = counters->nr;
	unsigned int i;

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
	stats->terminated_over_device = nr[FQ_COUNT_TERMINATED + FQ_OVER_DEVICE];
	stats->terminated_over_vm = nr[FQ_COUNT_TERMINATED + FQ_OVER_VM];
	stats->terminated_over_instance = nr[FQ_COUNT_TERMINATED + FQ_OVER_SHARE];
	stats->terminated_off = nr[FQ_COUNT_TERMINATED + FQ_OFF];
	stats->terminated_drained = nr[FQ_COUNT_TERMINATED + FQ_DRAINED];
	stats->terminated_deadline = nr[FQ_COUNT_TERMINATED + FQ_EXPIRED];
	stats->deadlines = nr[FQ_COUNT_DEADLINES];
	stats->switched_off = nr[FQ_COUNT_SWITCHED_OFF];
	stats->revocations = nr[FQ_COUNT_REVOCATIONS];
	for (i = 0; i < FAULTQ_LATENCIES; i++)
		stats->latency[i] = nr[FQ_COUNT_LATENCY + i];
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
	stats->state = fq_device_state(device);
	fq_fill_stats(&device->counters, stats);
	spin_unlock_irq(&vm->lock);
	return 0;
}

static void fq_all_stats(struct fq_vm *vm, struct faultq_stats *stats)
{
	spin_lock_irq(&vm->lock);
	stats->devices = vm->nr_devices;
	stats->outstanding = vm->pending.outstanding;
	stats->slots = vm->pending.count;
	fq_fill_stats(&vm->counters, stats);
	spin_unlock_irq(&vm->lock);
	fq_ioas_stats(&vm->ioas, &stats->mapped_bytes, &stats->pinned_pages);
}

/**
 * fq_vm_stats() - read the counters of a VM or of one device
 * @vm: the VM
 * @stats: STATS' argument, is filled in
 *
 * Return: 0 or -ENOENT.
 */
int fq_vm_stats(struct fq_vm *vm, struct faultq_stats *stats)
{
	u32 id = stats->device;
	int ret = 0;

	*stats = (struct faultq_stats){ .size = stats->size, .device = id, .vm = stats->vm };

	mutex_lock(&vm->mutex);
	if (id)
		ret = fq_device_stats(vm, stats);
	else
		fq_all_stats(vm, stats);
	mutex_unlock(&vm->mutex);
	return ret;
}

static void fq_tell_vm_limits(const struct fq_vm *vm, struct faultq_limits *limits)
{
	const struct fq_deadlines *deadlines = &vm->deadlines;

	limits->max_outstanding = vm->max_outstanding;
	limits->cap = vm->cap;
	limits->deadline_ms = div_u64(deadlines->deadline, NSEC_PER_MSEC);
	limits->grace_ms = div_u64(deadlines->grace, NSEC_PER_MSEC);
	limits->invalid = deadlines->invalid;
	limits->strikes = deadlines->strikes;
}

static void fq_tell_device_limits(const struct fq_device *device, struct faultq_limits *limits)
{
	limits->max_outstanding = device->max_outstanding;
	limits->cap = device->cap;
	limits->refused_rate = device->refused_rate;
	limits->rate_cap = device->rate_cap;
}

/* 0 is no limit, and no cap. */
static bool fq_over_cap(u32 limit, u32 cap)
{
	return cap && (!limit || limit > cap) && !capable(CAP_SYS_RESOURCE);
}

static int fq_set_vm_limits(struct fq_vm *vm, const struct faultq_limits *limits)
{
	if (limits->refused_rate || limits->invalid > 1 ||
	    limits->deadline_ms > FAULTQ_MAX_DEADLINE_MS ||
	    limits->grace_ms > FAULTQ_MAX_DEADLINE_MS)
		return -EINVAL;
	if (fq_over_cap(limits->max_outstanding, vm->cap))
		return -EPERM;

	spin_lock_irq(&vm->lock);
	vm->max_outstanding = limits->max_outstanding;
	vm->deadlines = (struct fq_deadlines){
		.deadline = (u64)limits->deadline_ms * NSEC_PER_MSEC,
		.grace = (u64)limits->grace_ms * NSEC_PER_MSEC,
		.invalid = limits->invalid,
		.strikes = limits->strikes,
	};
	fq_timer_arm(vm);
	spin_unlock_irq(&vm->lock);
	return 0;
}

static int fq_set_device_limits(struct fq_device *device, const struct faultq_limits *limits)
{
	if (limits->deadline_ms || limits->grace_ms || limits->invalid || limits->strikes)
		return -EINVAL;
	if (fq_over_cap(limits->max_outstanding, device->cap) ||
	    fq_over_cap(limits->refused_rate, device->rate_cap))
		return -EPERM;

	spin_lock_irq(&device->vm->lock);
	device->max_outstanding = limits->max_outstanding;
	device->refused_rate = limits->refused_rate;
	spin_unlock_irq(&device->vm->lock);
	return 0;
}

static int fq_limits_of_vm(struct fq_vm *vm, struct faultq_limits *limits, bool set)
{
	int ret = set ? fq_set_vm_limits(vm, limits) : 0;

	if (!ret)
		fq_tell_vm_limits(vm, limits);
	return ret;
}

static int fq_limits_of_device(struct fq_device *device, struct faultq_limits *limits, bool set)
{
	int ret = -ENOENT;

	if (!device)
		return ret;
	ret = set ? fq_set_device_limits(device, limits) : 0;
	if (!ret)
		fq_tell_device_limits(device, limits);
	return ret;
}

/**
 * fq_vm_limits() - read or set the limits of a VM or of one device
 * @vm: the VM
 * @limits: LIMITS' argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_vm_limits(struct fq_vm *vm, struct faultq_limits *limits)
{
	bool set = limits->flags & FAULTQ_LIMITS_SET;
	int ret;

	if (limits->flags & ~FAULTQ_LIMITS_SET || limits->reserved)
		return -EINVAL;
	if (!set)
		*limits = (struct faultq_limits){
			.size = limits->size, .device = limits->device,
		};

	mutex_lock(&vm->mutex);
	if (limits->device)
		ret = fq_limits_of_device(xa_load(&vm->devices, limits->device), limits, set);
	else
		ret = fq_limits_of_vm(vm, limits, set);
	mutex_unlock(&vm->mutex);
	return ret;
}
