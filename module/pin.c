// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinned user memory.
 *
 * Pins the pages of a range for long and charges them to RLIMIT_MEMLOCK of the
 * process, which is remembered for the uncharge. What is pinned is kept as runs of
 * contiguous pages, so that it can be mapped into any number of domains, now and
 * later.
 *
 * Pinning can wait for user space for ever (userfaultfd, FUSE), so it is done
 * without any lock. The charge is mm->pinned_vm, which is atomic: neither charging
 * nor uncharging takes the mmap lock of a process that may be stuck.
 *
 * What is there is known when it is pinned, and is charged then, batch by batch: of what
 * is no memory, a BAR say, nothing is.
 *
 * Only a signal that kills ends pinning. A call that begins anew after every other one might
 * never end, and the work of an io_uring looks like a signal, too.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "pin.h"

#define FQ_BATCH (PAGE_SIZE / sizeof(struct page *))
#define FQ_SMALL_BATCH 8

/* Runs from this many pages on are let go in batches, between which others can run. */
#define FQ_LONG_RUN 512
#define FQ_UNPIN_BATCH 16384ul

#define FQ_RUNS_PER_CHUNK \
	((PAGE_SIZE - sizeof(struct fq_run_chunk)) / sizeof(struct fq_run))

static bool fq_is_unlimited(struct fq_pin *pin)
{
	if (!pin->unlimited)
		pin->unlimited = capable(CAP_IPC_LOCK);
	return pin->unlimited;
}

/*
 * What is locked and what is pinned counts together, as for mlock() itself. Of @left pages that
 * are wanted some more are pinned.
 */
static int fq_charge(struct fq_pin *pin, unsigned long pages, unsigned long left)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct mm_struct *mm = pin->mm;
	unsigned long pinned;

	if (left > totalram_pages())
		return -ENOMEM;
	pinned = atomic64_add_return(pages, &mm->pinned_vm);
	if (pinned + READ_ONCE(mm->locked_vm) > limit && !fq_is_unlimited(pin)) {
		atomic64_sub(pages, &mm->pinned_vm);
		return -ENOMEM;
	}
	pin->charged += pages;
	return 0;
}

static void fq_uncharge(struct fq_pin *pin)
{
	atomic64_sub(pin->charged, &pin->mm->pinned_vm);
	mmdrop(pin->mm);
}

static struct fq_run_chunk *fq_new_chunk(struct fq_pin *pin)
{
	struct fq_run_chunk *chunk = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);

	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->count = 0;
	if (pin->last)
		pin->last->next = chunk;
	else
		pin->chunks = chunk;
	pin->last = chunk;
	return chunk;
}

static struct fq_run *fq_last_run(struct fq_pin *pin)
{
	if (pin->last)
		return &pin->last->runs[pin->last->count - 1];
	return &pin->first;
}

static bool fq_extend_run(struct fq_run *run, const struct fq_run *more)
{
	if (!run->pages || run->pfn + run->pages != more->pfn)
		return false;
	run->pages += more->pages;
	return true;
}

static int fq_add_run(struct fq_pin *pin, const struct fq_run *new)
{
	struct fq_run_chunk *chunk = pin->last;

	if (fq_extend_run(fq_last_run(pin), new))
		return 0;
	if (!pin->first.pages) {
		pin->first = *new;
		return 0;
	}
	if (!chunk || chunk->count == FQ_RUNS_PER_CHUNK)
		chunk = fq_new_chunk(pin);
	if (!chunk)
		return -ENOMEM;
	chunk->runs[chunk->count++] = *new;
	return 0;
}

/* The contiguous pages that an array begins with; those of a large page are. */
static struct fq_run fq_run_at(struct page **pages, int count)
{
	struct fq_run run = { .pfn = page_to_pfn(pages[0]), .pages = 1 };

	while (run.pages < count && page_to_pfn(pages[run.pages]) == run.pfn + run.pages)
		run.pages++;
	return run;
}

/* Pages that could not be remembered are let go here. */
static int fq_add_pages(struct fq_pin *pin, struct page **pages, int count)
{
	struct fq_run run;
	int done, ret;

	for (done = 0; done < count; done += run.pages) {
		run = fq_run_at(pages + done, count - done);
		ret = fq_add_run(pin, &run);
		if (ret) {
			unpin_user_pages(pages + done, count - done);
			return ret;
		}
	}
	return 0;
}

/* The kernel's many ways of saying that there is no memory to pin are one here. */
static int fq_pin_error(int error)
{
	return error == -ENOMEM || error == -EINTR ? error : -EFAULT;
}

/* Some of @pages, as many as fit into @batch; returns how many. */
static int fq_pin_batch(struct fq_pin *pin, unsigned long address, unsigned long pages,
			struct page **batch, unsigned long size)
{
	unsigned int flags = FOLL_LONGTERM | (pin->writable ? FOLL_WRITE : 0);
	int got, ret;

	if (fatal_signal_pending(current))
		return -EINTR;
	got = pin_user_pages_fast(address, min(pages, size), flags, batch);
	if (got <= 0)
		return fq_pin_error(got);
	ret = fq_charge(pin, got, pages);
	if (ret)
		unpin_user_pages(batch, got);
	else
		ret = fq_add_pages(pin, batch, got);
	return ret ?: got;
}

static int fq_pin_pages(struct fq_pin *pin, unsigned long address, unsigned long pages,
			struct page **batch, unsigned long size)
{
	while (pages) {
		int got = fq_pin_batch(pin, address, pages, batch, size);

		if (got < 0)
			return got;
		address += got * PAGE_SIZE;
		pages -= got;
		cond_resched();
	}
	return 0;
}

static int fq_pin_range(struct fq_pin *pin, unsigned long address, unsigned long pages)
{
	struct page *small[FQ_SMALL_BATCH];
	struct page **batch;
	int ret;

	if (pages <= FQ_SMALL_BATCH)
		return fq_pin_pages(pin, address, pages, small, FQ_SMALL_BATCH);

	batch = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	ret = fq_pin_pages(pin, address, pages, batch, FQ_BATCH);
	kfree(batch);
	return ret;
}

/**
 * fq_pin() - pin and charge a range of the caller's memory
 * @pin: zeroed, is filled in; left as it was on error
 * @address: page-aligned user address
 * @pages: how many, not 0; the range does not wrap
 * @writable: for writing
 *
 * Return: 0, -EFAULT, -ENOMEM, or -EINTR when the caller is being killed.
 */
int fq_pin(struct fq_pin *pin, unsigned long address, unsigned long pages, bool writable)
{
	int ret;

	mmgrab(current->mm);
	pin->mm = current->mm;
	pin->writable = writable;
	ret = fq_pin_range(pin, address, pages);
	if (ret)
		fq_unpin(pin);
	return ret;
}

static void fq_unpin_long_run(struct fq_run run, bool dirty)
{
	unsigned long pages;

	for (; run.pages; run.pfn += pages, run.pages -= pages) {
		pages = min(run.pages, FQ_UNPIN_BATCH);
		unpin_user_page_range_dirty_lock(pfn_to_page(run.pfn), pages, dirty);
		cond_resched();
	}
}

/* A run can be as long as memory is; most are short. */
static inline void fq_unpin_run(const struct fq_run *run, bool dirty)
{
	if (unlikely(run->pages > FQ_LONG_RUN))
		fq_unpin_long_run(*run, dirty);
	else
		unpin_user_page_range_dirty_lock(pfn_to_page(run->pfn), run->pages, dirty);
}

static void fq_unpin_chunk(const struct fq_run_chunk *chunk, bool dirty)
{
	unsigned int i;

	for (i = 0; i < chunk->count; i++)
		fq_unpin_run(&chunk->runs[i], dirty);
	cond_resched();
}

/**
 * fq_unpin() - let pinned memory go
 * @pin: from fq_pin(); zeroed again
 */
void fq_unpin(struct fq_pin *pin)
{
	struct fq_run_chunk *chunk, *next;

	if (pin->first.pages)
		fq_unpin_run(&pin->first, pin->writable);
	for (chunk = pin->chunks; chunk; chunk = next) {
		next = chunk->next;
		fq_unpin_chunk(chunk, pin->writable);
		kfree(chunk);
	}
	fq_uncharge(pin);
	*pin = (struct fq_pin){};
}

/**
 * fq_first_run() - start to go through the runs, in the order of addresses
 * @pin: pinned memory
 * @iter: is initialised
 *
 * Return: the first run, or NULL.
 */
const struct fq_run *fq_first_run(const struct fq_pin *pin, struct fq_run_iter *iter)
{
	iter->chunk = pin->chunks;
	iter->index = 0;
	return pin->first.pages ? &pin->first : NULL;
}

/**
 * fq_next_run() - go on
 * @iter: from fq_first_run()
 *
 * Return: the next run, or NULL.
 */
const struct fq_run *fq_next_run(struct fq_run_iter *iter)
{
	if (iter->chunk && iter->index == iter->chunk->count) {
		iter->chunk = iter->chunk->next;
		iter->index = 0;
	}
	return iter->chunk ? &iter->chunk->runs[iter->index++] : NULL;
}
