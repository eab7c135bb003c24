/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page request groups that wait for an answer; see pending.c.
 */
#ifndef FQ_PENDING_H
#define FQ_PENDING_H

#include <linux/list.h>
#include <linux/math.h>
#include <linux/nospec.h>
#include <linux/types.h>

#include "source.h"

#define FQ_MAX_SLOTS 16384

/* Of a cookie; the rest is the generation of the slot. */
#define FQ_INDEX_BITS 16

/**
 * struct fq_slot - one page request group that waits for an answer
 * @node: in the free list, or in the outstanding list of @device; the further slots of
 *	a group that is longer than a slot come next there
 * @age: in @waiting or @overdue of the VM's slots
 * @device: whose group it is; NULL when the slot is free or a further one
 * @cookie: of the group; an old one never fits
 * @time: when the group was reported, CLOCK_MONOTONIC in nanoseconds
 * @key: how the source finds the group again
 * @requests: page requests, each its address with its permissions in the low bits
 */
struct fq_slot {
	struct list_head node;
	struct list_head age;
	struct fq_device *device;
	u64 cookie;
	u64 time;
	struct fq_group_key key;
	u64 requests[FAULTQ_SLOT_REQUESTS];
};

/**
 * struct fq_pending - the slots of a VM
 * @slots: the slots, NULL before QUEUE
 * @count: how many
 * @used: how many are in use
 * @outstanding: how many groups are in them
 * @free: those that are not in use, least recently used first
 * @waiting: groups that have not passed their deadline, oldest first
 * @overdue: those that have, oldest first
 */
struct fq_pending {
	struct fq_slot *slots;
	u32 count;
	u32 used;
	u32 outstanding;
	struct list_head free;
	struct list_head waiting;
	struct list_head overdue;
};

void fq_pending_init(struct fq_pending *pending);
int fq_pending_create(struct fq_pending *pending, u32 count);
void fq_pending_destroy(struct fq_pending *pending);

void fq_pending_take_more(struct fq_pending *pending, struct list_head *outstanding,
			  struct fq_slot *slot, const struct fq_page_request *requests,
			  unsigned int count);
struct fq_page_request fq_pending_request(const struct fq_slot *slot, unsigned int index);
void fq_pending_put_more(struct fq_pending *pending, struct fq_slot *slot);
void fq_pending_rotate(struct fq_slot *slot, struct list_head *outstanding);

/**
 * fq_slots_for() - how many slots a group takes
 * @requests: page requests of the group
 *
 * Return: slots.
 */
static inline unsigned int fq_slots_for(unsigned int requests)
{
	return DIV_ROUND_UP(requests, FAULTQ_SLOT_REQUESTS);
}

/**
 * fq_pending_has_room() - is there room for a group
 * @pending: the slots
 * @requests: page requests of the group
 *
 * Return: whether there are enough free slots.
 */
static inline bool fq_pending_has_room(const struct fq_pending *pending, unsigned int requests)
{
	return pending->count - pending->used >= fq_slots_for(requests);
}

static inline struct fq_slot *fq_slot_take(struct fq_pending *pending,
					   struct list_head *outstanding)
{
	struct fq_slot *slot = list_first_entry(&pending->free, struct fq_slot, node);

	list_move_tail(&slot->node, outstanding);
	pending->used++;
	return slot;
}

static inline void fq_slot_remember(struct fq_slot *slot, unsigned int index,
				    const struct fq_page_request *request)
{
	slot->requests[index] = request->address | request->perm;
}

/**
 * fq_pending_take() - take slots for a group
 * @pending: the slots; there is room
 * @device: whose group it is
 * @outstanding: the device's list of outstanding groups
 * @key: of the group
 * @requests: its page requests, page-aligned
 *
 * Return: the slot that stands for the group.
 */
static inline struct fq_slot *
fq_pending_take(struct fq_pending *pending, struct fq_device *device,
		struct list_head *outstanding, const struct fq_group_key *key,
		const struct fq_page_request *requests)
{
	struct fq_slot *slot = fq_slot_take(pending, outstanding);

	fq_slot_remember(slot, 0, requests);
	slot->device = device;
	slot->key = *key;
	slot->cookie += 1ULL << FQ_INDEX_BITS;
	list_add_tail(&slot->age, &pending->waiting);
	pending->outstanding++;
	if (unlikely(key->count > 1))
		fq_pending_take_more(pending, outstanding, slot, requests, key->count);
	return slot;
}

/**
 * fq_pending_put() - free the slots of a group: it is not outstanding any more
 * @pending: the slots
 * @slot: stands for the group
 */
static inline void fq_pending_put(struct fq_pending *pending, struct fq_slot *slot)
{
	slot->device = NULL;
	__list_del_entry(&slot->age);
	pending->outstanding--;
	if (unlikely(slot->key.count > FAULTQ_SLOT_REQUESTS)) {
		fq_pending_put_more(pending, slot);
		return;
	}
	pending->used--;
	list_move_tail(&slot->node, &pending->free);
}

/**
 * fq_pending_find() - find the outstanding group that a cookie names
 * @pending: the slots
 * @cookie: from user space, anything
 *
 * Return: the slot, or NULL when the cookie names no outstanding group.
 */
static inline struct fq_slot *fq_pending_find(const struct fq_pending *pending, u64 cookie)
{
	u32 index = cookie & ((1U << FQ_INDEX_BITS) - 1);
	struct fq_slot *slot;

	if (index >= pending->count)
		return NULL;
	slot = &pending->slots[array_index_nospec(index, pending->count)];
	return slot->cookie == cookie && slot->device ? slot : NULL;
}

#endif
