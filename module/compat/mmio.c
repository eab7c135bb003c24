// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking up which page of MMIO a process has at an address.
 */
#include <linux/mm.h>

#include "compat.h"

#ifdef FQ_HAVE_FOLLOW_PFNMAP

#ifdef FQ_HAVE_FOLLOW_ADDR_MASK
static unsigned long fq_entry_size(const struct follow_pfnmap_args *args)
{
	return ~args->addr_mask + 1 - (args->address & ~args->addr_mask);
}
#else
/* Not told: as if it were a small one. */
static unsigned long fq_entry_size(const struct follow_pfnmap_args *args)
{
	return PAGE_SIZE;
}
#endif

int fq_compat_follow(struct vm_area_struct *vma, unsigned long address,
		     struct fq_followed *followed)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = address };

	if (follow_pfnmap_start(&args))
		return -EINVAL;
	followed->pfn = args.pfn;
	followed->size = fq_entry_size(&args);
	followed->writable = args.writable;
	follow_pfnmap_end(&args);
	return 0;
}

#else

#ifndef FQ_HAVE_FOLLOW_PTE_VMA
#define follow_pte(vma, address, pte, lock) follow_pte((vma)->vm_mm, address, pte, lock)
#endif

int fq_compat_follow(struct vm_area_struct *vma, unsigned long address,
		     struct fq_followed *followed)
{
	spinlock_t *lock; /* of the page table */
	pte_t *pte;

	if (follow_pte(vma, address, &pte, &lock))
		return -EINVAL;
	__acquire(lock);	/* its declaration does not say so */
	followed->pfn = pte_pfn(*pte);
	followed->size = PAGE_SIZE;
	followed->writable = pte_write(*pte);
	pte_unmap_unlock(pte, lock);
	return 0;
}

#endif
