// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scratch pages: memory that takes the place of MMIO while that is away.
 *
 * A page is filled with random bytes before devices reach it, and compared with them when they
 * do not any more: so whatever a device wrote is found, but for what was there already, and
 * nothing that was in the page before is shown to anybody. Each extent has its own.
 *
 * The lock of the address space guards them.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/string.h>

#include "scratch.h"

/**
 * fq_scratch_create() - make a scratch page
 * @scratch: is filled in; zeroed on error
 *
 * Return: 0 or -ENOMEM.
 */
int fq_scratch_create(struct fq_scratch *scratch)
{
	scratch->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	scratch->pattern = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (scratch->page && scratch->pattern)
		return 0;
	fq_scratch_destroy(scratch);
	return -ENOMEM;
}

/**
 * fq_scratch_destroy() - free it
 * @scratch: no device reaches it; zeroed is fine
 */
void fq_scratch_destroy(struct fq_scratch *scratch)
{
	free_page((unsigned long)scratch->page);
	free_page((unsigned long)scratch->pattern);
	*scratch = (struct fq_scratch){};
}

/**
 * fq_scratch_fill() - make it ready for devices
 * @scratch: no device reaches it
 */
void fq_scratch_fill(struct fq_scratch *scratch)
{
	get_random_bytes(scratch->pattern, PAGE_SIZE);
	memcpy(scratch->page, scratch->pattern, PAGE_SIZE);
}

/**
 * fq_scratch_changed() - has a device written to it since it was made ready
 * @scratch: no device reaches it any more
 *
 * Return: whether anything in it is different.
 */
bool fq_scratch_changed(const struct fq_scratch *scratch)
{
	return memcmp(scratch->page, scratch->pattern, PAGE_SIZE);
}

/**
 * fq_scratch_phys() - where it is
 * @scratch: the page
 *
 * Return: its physical address.
 */
phys_addr_t fq_scratch_phys(const struct fq_scratch *scratch)
{
	return virt_to_phys(scratch->page);
}
