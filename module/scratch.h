/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page that takes the place of MMIO, and tells whether it was written to; see scratch.c.
 */
#ifndef FQ_SCRATCH_H
#define FQ_SCRATCH_H

#include <linux/types.h>

/**
 * struct fq_scratch - a scratch page
 * @page: what devices reach
 * @pattern: what was in it at first
 */
struct fq_scratch {
	void *page;
	void *pattern;
};

int fq_scratch_create(struct fq_scratch *scratch);
void fq_scratch_destroy(struct fq_scratch *scratch);
void fq_scratch_fill(struct fq_scratch *scratch);
bool fq_scratch_changed(const struct fq_scratch *scratch);
phys_addr_t fq_scratch_phys(const struct fq_scratch *scratch);

#endif
