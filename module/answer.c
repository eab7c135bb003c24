// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of an answer down: of user space, or of this module when a group is terminated.
 *
 * An answer takes the slots of its group away under the fault lock and then goes down
 * to the source without it; whoever takes the slots answers, so a group is answered once.
 * Until the source is done the answer keeps its device, and its place of the IOMMU
 * instance, whose queue it may still occupy.
 *
 * Terminating costs what the groups of the device cost, no matter what others have
 * outstanding.
 */
#include <linux/ktime.h>
#include <linux/sched.h>

#include "answer.h"
#include "device.h"
#include "report.h"
#include "trace.h"

/**
 * struct fq_answering - an answer that is under way
 * @device: whose group it is; stays until fq_end_answer()
 * @key: how the source finds the group
 */
struct fq_answering {
	struct fq_device *device;
	struct fq_group_key key;
};

/* Take a group away to answer it; the fault lock is held. */
static inline struct fq_answering fq_begin_answer(struct fq_vm *vm, struct fq_slot *slot)
{
	const struct fq_answering answering = {
		.device = slot->device,
		.key = slot->key,
	};

	fq_pending_put(&vm->pending, slot);
	answering.device->nr_outstanding--;
	atomic_inc(&answering.device->answers);
	return answering;
}

static __always_inline void fq_end_answer(const struct fq_answering *answering,
					  enum faultq_code code)
{
	struct fq_device *device = answering->device;

	fq_source_answer(device, &answering->key, code);
	fq_share_put(device->member);
	if (atomic_dec_and_test(&device->answers))
		complete(&device->answered);
}

/* The bucket of the histogram for a group that waited for so long, in nanoseconds. */
static unsigned int fq_latency(u64 waited)
{
	return min_t(unsigned int, fls64(waited >> 10), FAULTQ_LATENCIES - 1);
}

static inline void fq_count_answer(struct fq_vm *vm, const struct fq_slot *slot, u32 code, u64 now)
{
	struct fq_device *device = slot->device;

	fq_count(vm, device, FQ_COUNT_ANSWERED + code, 1);
	fq_count(vm, device, FQ_COUNT_LATENCY + fq_latency(now - slot->time), 1);
}

/* What the device is answered, when user space says @code; the fault lock is held. */
static inline u32 fq_settle_code(struct fq_device *device, u32 code)
{
	if (likely(code != FAULTQ_FAILURE))
		return code;
	code = fq_device_code(device, code);
	device->failed |= code == FAULTQ_FAILURE;
	return code;
}

/* Find the group that user space answers; the fault lock is held. */
static __always_inline int fq_find_answered(struct fq_vm *vm, u64 cookie, u32 code,
					    struct fq_slot **slot)
{
	if (code > FAULTQ_FAILURE || !cookie)
		return -EINVAL;
	*slot = fq_pending_find(&vm->pending, cookie);
	if (*slot)
		return 0;
	fq_count_vm(vm, FQ_COUNT_STALE, 1);
	trace_faultq_stale(vm, cookie, code);
	return -ESTALE;
}

/* Take that group away; the fault lock is held. */
static inline struct fq_answering fq_begin_answer_of(struct fq_vm *vm, struct fq_slot *slot,
						     u32 code, u64 now)
{
	fq_count_answer(vm, slot, code, now);
	trace_faultq_answer(slot->device, slot, code);
	return fq_begin_answer(vm, slot);
}

/* The fault lock is held, and given up before the answer goes down. */
static inline void fq_answer_slot(struct fq_vm *vm, struct fq_slot *slot, u32 code, u64 now)
	__releases(&vm->lock)
{
	const u32 settled = fq_settle_code(slot->device, code);
	const struct fq_answering answering = fq_begin_answer_of(vm, slot, settled, now);

	spin_unlock_irq(&vm->lock);
	fq_end_answer(&answering, settled);
}

/**
 * fq_vm_answer() - answer a page request group for user space
 * @vm: the VM; has a queue
 * @cookie: from user space, anything
 * @code: from user space, anything
 *
 * Return: 0, -EINVAL (@code is unknown or @cookie is 0), -ESTALE, or -EIO when the queue
 * was stopped.
 */
int fq_vm_answer(struct fq_vm *vm, u64 cookie, u32 code)
{
	u64 now = ktime_get_ns();
	struct fq_slot *slot;
	int ret;

	spin_lock_irq(&vm->lock);
	ret = fq_vm_sync(vm) ? fq_find_answered(vm, cookie, code, &slot) : -EIO;
	if (likely(!ret))
		fq_answer_slot(vm, slot, code, now);
	else
		spin_unlock_irq(&vm->lock);
	return ret;
}

static inline void fq_begin_next(struct fq_vm *vm, struct faultq_answer *answer, u64 now,
				 struct fq_answering *answering)
{
	struct fq_slot *slot;

	if (answer->result)
		return;
	answer->result = fq_find_answered(vm, answer->cookie, answer->code, &slot);
	if (answer->result)
		return;
	answer->code = fq_settle_code(slot->device, answer->code);
	*answering = fq_begin_answer_of(vm, slot, answer->code, now);
}

/**
 * fq_vm_answer_some() - the same for several groups
 * @vm: the VM; has a queue
 * @answers: from user space, anything; those without a result get one, as of fq_vm_answer(),
 *	and the code that the device is answered
 * @count: how many, at most %FQ_ANSWERS
 *
 * Return: 0, or -EIO when the queue was stopped.
 */
int fq_vm_answer_some(struct fq_vm *vm, struct faultq_answer *answers, unsigned int count)
{
	struct fq_answering answering[FQ_ANSWERS];
	u64 now = ktime_get_ns();
	unsigned int i;
	bool works;

	spin_lock_irq(&vm->lock);
	works = fq_vm_sync(vm);
	for (i = 0; works && i < count; i++)
		fq_begin_next(vm, &answers[i], now, &answering[i]);
	spin_unlock_irq(&vm->lock);
	for (i = 0; works && i < count; i++)
		if (!answers[i].result)
			fq_end_answer(&answering[i], answers[i].code);
	return works ? 0 : -EIO;
}

/* Take a group away to terminate it; the fault lock is held. */
static struct fq_answering fq_begin_termination(struct fq_slot *slot, enum fq_outcome why)
{
	struct fq_device *device = slot->device;

	fq_count_terminated(device, why);
	trace_faultq_terminate(device, &slot->key, why);
	return fq_begin_answer(device->vm, slot);
}

static struct fq_slot *fq_first_group(struct fq_device *device)
{
	return list_first_entry_or_null(&device->outstanding, struct fq_slot, node);
}

static bool fq_terminate_one(struct fq_device *device, enum fq_outcome why)
{
	struct fq_answering answering;
	struct fq_slot *slot;

	spin_lock_irq(&device->vm->lock);
	slot = fq_first_group(device);
	if (slot)
		answering = fq_begin_termination(slot, why);
	spin_unlock_irq(&device->vm->lock);
	if (slot)
		fq_end_answer(&answering, fq_outcome_code(device, why));
	return slot;
}

/**
 * fq_terminate_all() - answer all outstanding groups of a device
 * @device: the device
 * @why: what to count them under; also says how to answer
 *
 * Groups that the device raises meanwhile are not waited for.
 *
 * Return: how many there were.
 */
unsigned int fq_terminate_all(struct fq_device *device, enum fq_outcome why)
{
	unsigned int left = READ_ONCE(device->nr_outstanding);
	unsigned int count = 0;

	while ((left-- || device->detached) && fq_terminate_one(device, why)) {
		count++;
		cond_resched();
	}
	return count;
}

/* Look at the device's first group: terminate it, or let it be the last. */
static bool fq_terminate_if_pasid(struct fq_device *device, u32 pasid)
{
	struct fq_answering answering;
	struct fq_slot *slot;
	bool matches;

	spin_lock_irq(&device->vm->lock);
	slot = fq_first_group(device);
	matches = slot && slot->key.has_pasid && slot->key.pasid == pasid;
	if (matches)
		answering = fq_begin_termination(slot, FQ_DRAINED);
	else if (slot)
		fq_pending_rotate(slot, &device->outstanding);
	spin_unlock_irq(&device->vm->lock);
	if (matches)
		fq_end_answer(&answering, FAULTQ_INVALID);
	return matches;
}

/**
 * fq_terminate_pasid() - answer the outstanding groups of one PASID of a device
 * @device: the device; fq_vm.mutex is held, so that nobody else turns its list
 * @pasid: the PASID
 *
 * Return: how many there were.
 */
unsigned int fq_terminate_pasid(struct fq_device *device, u32 pasid)
{
	unsigned int left = READ_ONCE(device->nr_outstanding);
	unsigned int count = 0;

	lockdep_assert_held(&device->vm->mutex);
	while (left--) {
		count += fq_terminate_if_pasid(device, pasid);
		cond_resched();
	}
	return count;
}

/**
 * fq_terminate_overdue() - answer the group that is overdue for longest
 * @vm: the VM
 * @before: only if it was reported before this time
 *
 * Return: whether there was one.
 */
bool fq_terminate_overdue(struct fq_vm *vm, u64 before)
{
	struct fq_answering answering;
	struct fq_slot *slot;

	spin_lock_irq(&vm->lock);
	slot = list_first_entry_or_null(&vm->pending.overdue, struct fq_slot, age);
	if (slot && slot->time > before)
		slot = NULL;
	if (slot)
		answering = fq_begin_termination(slot, FQ_EXPIRED);
	spin_unlock_irq(&vm->lock);
	if (slot)
		fq_end_answer(&answering, FAULTQ_INVALID);
	return slot;
}

/**
 * fq_wait_for_answers() - wait until no answer is under way
 * @device: nothing of it is outstanding, and nothing can become so
 */
void fq_wait_for_answers(struct fq_device *device)
{
	if (!atomic_dec_and_test(&device->answers))
		wait_for_completion(&device->answered);
	atomic_set(&device->answers, 1);
	reinit_completion(&device->answered);
}
