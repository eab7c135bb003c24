// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines of page request groups, and what follows when they are missed.
 *
 * A VM has one timer. It tells of each group that has passed its deadline, terminates
 * those whose grace is over too, and ends what a device has outstanding that was switched
 * off. A VM's groups have all the same deadline, so the oldest is always the next. What
 * becomes of a group goes by its age alone, and not by what the ring has room for.
 *
 * The timer also retries events that found no room, with growing pauses, as nothing else
 * happens when a consumer makes room and sleeps.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "answer.h"
#include "device.h"
#include "report.h"
#include "vm.h"

/* Pauses between looks for room in the ring. */
#define FQ_RETRY_FIRST	(10ULL * NSEC_PER_MSEC)
#define FQ_RETRY_MAX	(1ULL * NSEC_PER_SEC)

static struct fq_slot *fq_oldest(struct list_head *list)
{
	return list_first_entry_or_null(list, struct fq_slot, age);
}

/* When a group is due next; U64_MAX: never. */
static u64 fq_next_group(struct fq_vm *vm)
{
	const struct fq_deadlines *deadlines = &vm->deadlines;
	const struct fq_slot *waiting = fq_oldest(&vm->pending.waiting);
	const struct fq_slot *overdue = fq_oldest(&vm->pending.overdue);
	u64 due = U64_MAX;

	if (!deadlines->deadline)
		return U64_MAX;
	if (waiting)
		due = waiting->time + deadlines->deadline;
	if (overdue && deadlines->invalid)
		due = min(due, overdue->time + deadlines->deadline + deadlines->grace);
	return due;
}

/* When the timer has something to do next; U64_MAX: never. */
static u64 fq_next_due(struct fq_vm *vm)
{
	u64 due = fq_next_group(vm);

	return vm->retry ? min(due, vm->retry) : due;
}

/* Rounds up, so that the timer never finds that it came too early. */
static void fq_timer_set(struct fq_vm *vm, u64 due)
{
	u64 now = ktime_get_ns();

	vm->timer_due = due;
	mod_delayed_work(fq_workqueue, &vm->timer,
			 due > now ? nsecs_to_jiffies(due - now) + 1 : 0);
}

/**
 * fq_timer_arm() - set the VM's timer for what is due next, if it is set for later
 * @vm: the VM; its fault lock is held
 */
void fq_timer_arm(struct fq_vm *vm)
{
	u64 due = fq_next_due(vm);

	if (due < vm->timer_due)
		fq_timer_set(vm, due);
}

/**
 * fq_timer_retry() - have the VM's timer look for room if events wait for it
 * @vm: has a queue; its fault lock is held
 * @progress: some have found room just now
 */
void fq_timer_retry(struct fq_vm *vm, bool progress)
{
	bool waiting = vm->untold && !vm->ring->stopped;

	if (progress || !waiting) {
		vm->retry = 0;
		vm->retry_pause = 0;
	}
	if (waiting && !vm->retry) {
		vm->retry_pause = clamp(2 * vm->retry_pause, FQ_RETRY_FIRST, FQ_RETRY_MAX);
		vm->retry = ktime_get_ns() + vm->retry_pause;
		fq_timer_arm(vm);
	}
}

static void fq_retry_events(struct fq_vm *vm, u64 now)
{
	bool wake = false;

	spin_lock_irq(&vm->lock);
	if (vm->retry && vm->retry <= now) {
		vm->retry = 0;
		wake = fq_tell_events(vm);
	}
	spin_unlock_irq(&vm->lock);
	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
}

static void fq_strike(struct fq_device *device)
{
	u32 strikes = device->vm->deadlines.strikes;

	if (device->strikes < U32_MAX)
		device->strikes++;
	if (strikes && device->strikes >= strikes)
		fq_switch_off(device, FAULTQ_CAUSE_STRIKES);
}

/* Count the oldest group as overdue if it has passed its deadline; the fault lock is held. */
static bool fq_miss_oldest(struct fq_vm *vm, u64 now, bool *wake)
{
	struct fq_slot *slot = fq_oldest(&vm->pending.waiting);

	if (!slot || !vm->deadlines.deadline || slot->time + vm->deadlines.deadline > now)
		return false;
	list_move_tail(&slot->age, &vm->pending.overdue);
	fq_count(vm, slot->device, FQ_COUNT_DEADLINES, 1);
	*wake |= fq_tell_deadline(vm, slot);
	fq_strike(slot->device);
	*wake |= fq_tell_events(vm);
	return true;
}

static void fq_miss_deadlines(struct fq_vm *vm, u64 now)
{
	bool again, wake = false;

	do {
		spin_lock_irq(&vm->lock);
		again = fq_miss_oldest(vm, now, &wake);
		spin_unlock_irq(&vm->lock);
		cond_resched();
	} while (again);
	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
}

static void fq_end_overdue(struct fq_vm *vm, u64 now)
{
	u64 late;

	spin_lock_irq(&vm->lock);
	late = vm->deadlines.deadline + vm->deadlines.grace;
	if (!vm->deadlines.deadline || !vm->deadlines.invalid)
		late = U64_MAX;
	spin_unlock_irq(&vm->lock);
	if (late > now)
		return;
	while (fq_terminate_overdue(vm, now - late))
		cond_resched();
}

static void fq_end_switched_off(struct fq_vm *vm)
{
	struct fq_device *device;
	unsigned long id;

	xa_for_each(&vm->devices, id, device)
		if (READ_ONCE(device->off))
			fq_terminate_all(device, FQ_OFF);
}

/**
 * fq_timer_work() - what the VM's timer does
 * @work: of the VM
 */
void fq_timer_work(struct work_struct *work)
{
	struct fq_vm *vm = container_of(to_delayed_work(work), struct fq_vm, timer);
	u64 now = ktime_get_ns();

	spin_lock_irq(&vm->lock);
	vm->timer_due = U64_MAX;
	spin_unlock_irq(&vm->lock);

	fq_retry_events(vm, now);
	mutex_lock(&vm->mutex);
	fq_miss_deadlines(vm, now);
	fq_end_overdue(vm, now);
	fq_end_switched_off(vm);
	mutex_unlock(&vm->mutex);

	spin_lock_irq(&vm->lock);
	fq_timer_arm(vm);
	spin_unlock_irq(&vm->lock);
}
