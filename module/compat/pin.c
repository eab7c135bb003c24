// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning user memory for long, before 6.2.
 *
 * - Pinning for long cannot wait for a page without the mmap lock, so memory that user
 *   space delivers (userfaultfd) fails. So the pages are faulted in first.
 * - A page that was pinned for reading can be one that the process leaves at its next
 *   write: the zero page, or one of a file that is mapped privately. So it is pinned as for
 *   writing; where the process may not write, the page is fine as it is, but then only this
 *   one, as the next may belong to other memory.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "compat.h"

#undef pin_user_pages_fast

/* Waits without the mmap lock. Returns how many pages came, or why the first did not. */
static int fq_fault_in(unsigned long start, int pages, unsigned int fault_flags)
{
	struct mm_struct *mm = current->mm;
	bool unlocked = false;
	int i, ret;

	for (i = 0; i < pages; i++) {
		mmap_read_lock(mm);
		ret = fixup_user_fault(mm, start + i * PAGE_SIZE, fault_flags, &unlocked);
		mmap_read_unlock(mm);
		if (ret)
			return i ?: ret;
		cond_resched();
	}
	return pages;
}

/* The slow way of pinning only for what is there, and cannot be pinned where it is. */
static int fq_pin_present(unsigned long start, int pages, unsigned int flags,
			  struct page **batch)
{
	int got = pin_user_pages_fast_only(start, pages, flags, batch);

	if (got > 0)
		return got;
	pages = fq_fault_in(start, pages, flags & FOLL_WRITE ? FAULT_FLAG_WRITE : 0);
	if (pages <= 0)
		return pages;
	got = pin_user_pages_fast_only(start, pages, flags, batch);
	return got > 0 ? got : pin_user_pages_fast(start, pages, flags, batch);
}

int fq_compat_pin_user_pages(unsigned long start, int pages, unsigned int flags,
			     struct page **batch)
{
	int got = fq_pin_present(start, pages, flags | FOLL_WRITE, batch);

	if (got == -EFAULT && !(flags & FOLL_WRITE))
		got = fq_pin_present(start, 1, flags, batch);
	return got;
}
