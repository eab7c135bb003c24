// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page request groups that wait for an answer.
 *
 * A fixed number of slots, made with the queue, so that a fault allocates
 * nothing and searches nothing. A cookie is the index of a slot and its
 * generation: 16 bits and 48 bits. The generation starts at 1 and grows with each
 * use, so cookie 0 is never given out, and a stale answer never meets a newer
 * group, as a slot would have to be used 2^48 times in between.
 *
 * Everything but creating and destroying is guarded by the VM's fault lock.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "pending.h"

#define FQ_INDEX_BITS 16

/**
 * fq_pending_create() - make the slots
 * @pending: is filled in, but for @slots nothing is set on error
 * @count: how many, 1 to FQ_MAX_SLOTS
 *
 * The memory is charged to the caller's memory cgroup.
 *
 * Return: 0 or -ENOMEM.
 */
int fq_pending_create(struct fq_pending *pending, u32 count)
{
	u32 i;

	BUILD_BUG_ON(FQ_MAX_SLOTS > 1 << FQ_INDEX_BITS);

	pending->slots = kvcalloc(count, sizeof(*pending->slots), GFP_KERNEL_ACCOUNT);
	if (!pending->slots)
		return -ENOMEM;

	pending->count = count;
	INIT_LIST_HEAD(&pending->free);
	for (i = 0; i < count; i++)
		list_add_tail(&pending->slots[i].node, &pending->free);
	return 0;
}

/**
 * fq_pending_destroy() - free the slots
 * @pending: nothing is outstanding
 */
void fq_pending_destroy(struct fq_pending *pending)
{
	WARN_ON(pending->outstanding);
	kvfree(pending->slots);
	pending->slots = NULL;
}

/**
 * fq_pending_take() - take a free slot
 * @pending: the slots
 * @device: for a group of this device
 * @outstanding: the device's list of outstanding groups
 *
 * Return: the slot, or NULL when none is free.
 */
struct fq_slot *fq_pending_take(struct fq_pending *pending, struct fq_device *device,
				struct list_head *outstanding)
{
	struct fq_slot *slot = list_first_entry_or_null(&pending->free, struct fq_slot, node);

	if (!slot)
		return NULL;
	list_move_tail(&slot->node, outstanding);
	slot->device = device;
	slot->generation++;
	pending->outstanding++;
	return slot;
}

/**
 * fq_pending_find() - find the outstanding group that a cookie names
 * @pending: the slots
 * @cookie: from user space, anything
 *
 * Return: the slot, or NULL when the cookie names no outstanding group.
 */
struct fq_slot *fq_pending_find(const struct fq_pending *pending, u64 cookie)
{
	u32 index = cookie & ((1U << FQ_INDEX_BITS) - 1);
	struct fq_slot *slot;

	if (index >= pending->count)
		return NULL;
	slot = &pending->slots[array_index_nospec(index, pending->count)];
	if (!slot->device || slot->generation != cookie >> FQ_INDEX_BITS)
		return NULL;
	return slot;
}

/**
 * fq_pending_cookie() - the cookie of a slot that is taken
 * @pending: the slots
 * @slot: one of them
 *
 * Return: the cookie, never 0.
 */
u64 fq_pending_cookie(const struct fq_pending *pending, const struct fq_slot *slot)
{
	return slot->generation << FQ_INDEX_BITS | (slot - pending->slots);
}

/**
 * fq_pending_put() - free a slot: its group is not outstanding any more
 * @pending: the slots
 * @slot: one that is taken
 */
void fq_pending_put(struct fq_pending *pending, struct fq_slot *slot)
{
	slot->device = NULL;
	list_move_tail(&slot->node, &pending->free);
	pending->outstanding--;
}
