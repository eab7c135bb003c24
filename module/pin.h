/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pinned user memory; see pin.c.
 */
#ifndef FQ_PIN_H
#define FQ_PIN_H

#include <linux/types.h>

struct mm_struct;

/**
 * struct fq_run - physically contiguous pages
 * @pfn: the first
 * @pages: how many
 */
struct fq_run {
	unsigned long pfn;
	unsigned long pages;
};

/**
 * struct fq_run_chunk - runs, as many as fit in a page
 * @next: further runs
 * @count: number of @runs in use
 * @runs: the runs
 */
struct fq_run_chunk {
	struct fq_run_chunk *next;
	unsigned long count;
	struct fq_run runs[];
};

/**
 * struct fq_pin - a range of user memory, pinned and charged
 * @mm: whose RLIMIT_MEMLOCK is charged
 * @charged: pages charged
 * @first: the first run, in place, as most ranges have no other
 * @chunks: further runs
 * @last: the last of @chunks
 * @writable: devices may write: the pages are dirty when they are let go
 * @unlimited: who pins may go beyond the limit; asked when that is reached
 */
struct fq_pin {
	struct mm_struct *mm;
	unsigned long charged;
	struct fq_run first;
	struct fq_run_chunk *chunks;
	struct fq_run_chunk *last;
	bool writable;
	bool unlimited;
};

/**
 * struct fq_run_iter - where a walk over the runs is
 * @chunk: in which chunk the next run is
 * @index: where in it
 */
struct fq_run_iter {
	const struct fq_run_chunk *chunk;
	unsigned long index;
};

int fq_pin(struct fq_pin *pin, unsigned long address, unsigned long pages, bool writable);
void fq_unpin(struct fq_pin *pin);
const struct fq_run *fq_first_run(const struct fq_pin *pin, struct fq_run_iter *iter);
const struct fq_run *fq_next_run(struct fq_run_iter *iter);

#endif
