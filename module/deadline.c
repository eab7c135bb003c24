// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlines of page request groups, and what follows when they are missed.
 *
 * A VM has one timer. It tells of each group that has passed its deadline, terminates
 * those whose grace is over too, and ends what a device has outstanding that was switched
 * off. A VM's groups have all the same deadline, so the oldest is always the next. An
 * event that finds no room in the ring is tried again; its group waits no longer than
 * that, however.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "answer.h"
#include "device.h"
#include "report.h"
#include "vm.h"

/* How long to wait for room in the ring. */
#define FQ_RETRY_NS (20 * NSEC_PER_MSEC)

static struct fq_slot *fq_oldest(struct list_head *list)
{
	return list_first_entry_or_null(list, struct fq_slot, age);
}

/* When the timer has something to do next; U64_MAX: never. */
static u64 fq_next_due(struct fq_vm *vm)
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

static void fq_strike(struct fq_device *device)
{
	u32 strikes = device->vm->deadlines.strikes;

	if (device->strikes < U32_MAX)
		device->strikes++;
	if (strikes && device->strikes >= strikes)
		fq_switch_off(device, FAULTQ_CAUSE_STRIKES);
}

/* Tell of the oldest group if it has passed its deadline; the fault lock is held. */
static bool fq_tell_oldest(struct fq_vm *vm, u64 now, bool *wake)
{
	struct fq_slot *slot = fq_oldest(&vm->pending.waiting);

	if (!slot || !vm->deadlines.deadline || slot->time + vm->deadlines.deadline > now)
		return false;
	if (!fq_tell_deadline(vm, slot, wake))
		return false;
	list_move_tail(&slot->age, &vm->pending.overdue);
	fq_count(vm, slot->device, FQ_COUNT_DEADLINES, 1);
	fq_strike(slot->device);
	*wake |= fq_tell_events(vm);
	return true;
}

static void fq_tell_deadlines(struct fq_vm *vm, u64 now)
{
	bool again, wake = false;

	do {
		spin_lock_irq(&vm->lock);
		again = fq_tell_oldest(vm, now, &wake);
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

/* An event that found no room is not tried again at once. */
static void fq_timer_rearm(struct fq_vm *vm, u64 now)
{
	u64 due;

	spin_lock_irq(&vm->lock);
	due = fq_next_due(vm);
	if (due <= now)
		due = now + FQ_RETRY_NS;
	if (due < vm->timer_due)
		fq_timer_set(vm, due);
	spin_unlock_irq(&vm->lock);
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

	mutex_lock(&vm->mutex);
	fq_tell_deadlines(vm, now);
	fq_end_overdue(vm, now);
	fq_end_switched_off(vm);
	mutex_unlock(&vm->mutex);
	fq_timer_rearm(vm, now);
}
