// SPDX-License-Identifier: GPL-2.0-only
/*
 * RESPOND: answers from user space.
 *
 * Devices wait for this call, so it reads and writes user memory field by field, and its
 * entries some at a time. Every entry is read once; that its result can be written is
 * found out before its group is answered. No lock is held while user memory is touched.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <linux/faultq.h>

#include "answer.h"
#include "copy.h"
#include "respond.h"

/* The structure has not grown since it was published. */
static_assert(sizeof(struct faultq_respond) == offsetofend(struct faultq_respond, reserved));

/* What a structure has beyond what is known here must be zero. */
static int fq_check_tail(const void __user *user, size_t size, size_t known)
{
	int ret;

	if (likely(size == known))
		return 0;
	ret = check_zeroed_user(user + known, size - known);
	return ret > 0 ? 0 : ret ?: -E2BIG;
}

static int fq_get_respond(struct faultq_respond *respond, struct faultq_respond __user *user)
{
	if (!user_access_begin(user, sizeof(*user)))
		return -EFAULT;
	unsafe_get_user(respond->size, &user->size, fault);
	if (respond->size < sizeof(*respond)) {
		user_access_end();
		return -EINVAL;
	}
	unsafe_get_user(respond->flags, &user->flags, fault);
	unsafe_get_user(respond->answers, &user->answers, fault);
	unsafe_get_user(respond->count, &user->count, fault);
	unsafe_get_user(respond->entry_size, &user->entry_size, fault);
	unsafe_get_user(respond->reserved, &user->reserved, fault);
	/* written back as it is: what fails leaves no trace */
	unsafe_get_user(respond->done, &user->done, fault);
	unsafe_put_user(respond->done, &user->done, fault);
	user_access_end();
	return 0;

fault:
	user_access_end();
	return -EFAULT;
}

static int fq_respond_in(struct faultq_respond *respond, struct faultq_respond __user *user)
{
	int ret = fq_get_respond(respond, user);

	if (ret)
		return ret;
	if (respond->size > PAGE_SIZE)
		return -E2BIG;
	return fq_check_tail(user, respond->size, sizeof(*respond));
}

static int fq_respond_check(struct fq_vm *vm, const struct faultq_respond *respond)
{
	if (respond->flags || respond->reserved || respond->entry_size > PAGE_SIZE ||
	    respond->entry_size < sizeof(struct faultq_answer))
		return -EINVAL;
	return fq_vm_ring(vm) ? 0 : -ENXIO;
}

/* Which entries are longer than known; returns how many can be read that far. */
static inline unsigned int fq_check_tails(struct faultq_answer *answers, unsigned int count,
					  const void __user *entries, u32 entry_size)
{
	unsigned int i;

	for (i = 0; i < count; i++, entries += entry_size) {
		answers[i].result = fq_check_tail(entries, entry_size, sizeof(*answers));
		if (answers[i].result == -EFAULT)
			break;
	}
	return i;
}

/* The bytes of entries, without what the last has beyond what is known here. */
static inline size_t fq_answers_size(unsigned int count, u32 entry_size)
{
	return (size_t)(count - 1) * entry_size + sizeof(struct faultq_answer);
}

/* Read entries, up to the first that cannot be read or written; returns how many. */
static __always_inline unsigned int
fq_get_answers(struct faultq_answer *answers, unsigned int count, void __user *entries,
	       u32 entry_size)
{
	struct faultq_answer __user *entry = entries;
	unsigned int i = 0;
	__s32 result;

	count = fq_check_tails(answers, count, entries, entry_size);
	if (!count || !user_access_begin(entries, fq_answers_size(count, entry_size)))
		return 0;
	for (; i < count; i++) {
		unsafe_get_user(answers[i].cookie, &entry->cookie, fault);
		unsafe_get_user(answers[i].code, &entry->code, fault);
		/* written back as it is: an entry that is not processed shows no trace */
		unsafe_get_user(result, &entry->result, fault);
		unsafe_put_user(result, &entry->result, fault);
		entry = (void __user *)entry + entry_size;
	}
fault:
	user_access_end();
	return i;
}

/*
 * A result that cannot be written although it was probed is lost; the group was answered
 * all the same.
 */
static __always_inline void
fq_put_results(const struct faultq_answer *answers, unsigned int count, void __user *entries,
	       u32 entry_size)
{
	struct faultq_answer __user *entry = entries;
	unsigned int i;

	if (!user_access_begin(entries, fq_answers_size(count, entry_size)))
		return;
	for (i = 0; i < count; i++) {
		unsafe_put_user(answers[i].result, &entry->result, fault);
		entry = (void __user *)entry + entry_size;
	}
fault:
	user_access_end();
}

static int fq_respond_one(struct fq_vm *vm, void __user *entry, u32 entry_size)
{
	struct faultq_answer answer;

	if (!fq_get_answers(&answer, 1, entry, entry_size))
		return -EFAULT;
	if (!answer.result)
		answer.result = fq_vm_answer(vm, answer.cookie, answer.code);
	if (answer.result == -EIO)
		return -EIO;
	fq_put_results(&answer, 1, entry, entry_size);
	return 1;
}

/*
 * Up to %FQ_ANSWERS entries; 0: not even the first can be read with the others. Kernels that
 * zero what is on the stack do so once for them all.
 */
static noinline int fq_respond_some(struct fq_vm *vm, unsigned int count, void __user *entries,
				    u32 entry_size)
{
	struct faultq_answer answers[FQ_ANSWERS];
	int ret;

	count = min_t(unsigned int, count, FQ_ANSWERS);
	count = fq_get_answers(answers, count, entries, entry_size);
	if (!count)
		return 0;
	ret = fq_vm_answer_some(vm, answers, count);
	if (ret)
		return ret;
	fq_put_results(answers, count, entries, entry_size);
	return count;
}

/* Process the next entries; returns how many, or an error. */
static int fq_respond_next(struct fq_vm *vm, unsigned int left, void __user *entries,
			   u32 entry_size)
{
	int ret = 0;

	if (fatal_signal_pending(current))
		return -EINTR;
	if (left > 1)
		ret = fq_respond_some(vm, left, entries, entry_size);
	/* where user memory ends, the first may be there all the same */
	return ret ?: fq_respond_one(vm, entries, entry_size);
}

/* All entries, or those before an error; returns an error only when it is the first's. */
static int fq_respond_all(struct fq_vm *vm, struct faultq_respond *respond)
{
	void __user *entries = u64_to_user_ptr(respond->answers);
	int ret = 0;

	while (respond->done < respond->count) {
		if (respond->done)
			cond_resched();
		ret = fq_respond_next(vm, respond->count - respond->done, entries,
				      respond->entry_size);
		if (ret < 0)
			break;
		entries += (size_t)ret * respond->entry_size;
		respond->done += ret;
	}
	return ret < 0 && !respond->done ? ret : 0;
}

static int fq_put_done(u32 done, struct faultq_respond __user *user)
{
	if (!user_access_begin(user, sizeof(*user)))
		return -EFAULT;
	unsafe_put_user(done, &user->done, fault);
	user_access_end();
	return 0;

fault:
	user_access_end();
	return -EFAULT;
}

/**
 * fq_respond() - RESPOND
 * @vm: the VM
 * @user: struct faultq_respond
 *
 * Return: 0 or an error as documented in uapi.
 */
int fq_respond(struct fq_vm *vm, void __user *user)
{
	struct faultq_respond __user *out = user;
	struct faultq_respond respond;
	int ret;

	ret = fq_respond_in(&respond, out) ?: fq_respond_check(vm, &respond);
	if (ret)
		return ret;
	respond.done = 0;
	if (respond.count)
		ret = fq_respond_all(vm, &respond);
	else if (fq_vm_stopped(vm))
		ret = -EIO;
	return ret ?: fq_put_done(respond.done, out);
}
