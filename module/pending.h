/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page request groups that wait for an answer; see pending.c.
 */
#ifndef FQ_PENDING_H
#define FQ_PENDING_H

#include <linux/list.h>
#include <linux/types.h>

#include "source.h"

#define FQ_MAX_SLOTS 16384

/**
 * struct fq_slot - one page request group that waits for an answer
 * @node: in the free list, or in the outstanding list of @device
 * @device: whose group it is, NULL when the slot is free
 * @generation: grows with every use, so that an old cookie never fits
 * @key: how the source finds the group again
 */
struct fq_slot {
	struct list_head node;
	struct fq_device *device;
	u64 generation;
	struct fq_group_key key;
};

/**
 * struct fq_pending - the slots of a VM
 * @slots: the slots, NULL before QUEUE
 * @count: how many
 * @outstanding: how many are in use
 * @free: those that are not, least recently used first
 */
struct fq_pending {
	struct fq_slot *slots;
	u32 count;
	u32 outstanding;
	struct list_head free;
};

int fq_pending_create(struct fq_pending *pending, u32 count);
void fq_pending_destroy(struct fq_pending *pending);

struct fq_slot *fq_pending_take(struct fq_pending *pending, struct fq_device *device,
				struct list_head *outstanding);
struct fq_slot *fq_pending_find(const struct fq_pending *pending, u64 cookie);
u64 fq_pending_cookie(const struct fq_pending *pending, const struct fq_slot *slot);
void fq_pending_put(struct fq_pending *pending, struct fq_slot *slot);

#endif
