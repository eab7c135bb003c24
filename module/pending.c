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
 * A slot remembers the page requests of its group, for a consumer that takes over. A
 * group that is longer than a slot takes further ones, which follow it in its device's
 * list, and which no cookie names.
 *
 * Everything but creating and destroying is guarded by the VM's fault lock.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "pending.h"

/**
 * fq_pending_init() - no slots yet
 * @pending: is initialised
 */
void fq_pending_init(struct fq_pending *pending)
{
	INIT_LIST_HEAD(&pending->free);
	INIT_LIST_HEAD(&pending->waiting);
	INIT_LIST_HEAD(&pending->overdue);
}

/**
 * fq_pending_create() - make the slots
 * @pending: from fq_pending_init(); on error nothing is set
 * @count: how many, 1 to FQ_MAX_SLOTS
 *
 * The memory is charged to the caller's memory cgroup. Whoever sees @pending already
 * finds no slot before this returns.
 *
 * Return: 0 or -ENOMEM.
 */
int fq_pending_create(struct fq_pending *pending, u32 count)
{
	struct fq_slot *slots;
	u32 i;

	BUILD_BUG_ON(FQ_MAX_SLOTS > 1 << FQ_INDEX_BITS);

	slots = kvcalloc(count, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;

	for (i = 0; i < count; i++) {
		slots[i].cookie = i;
		list_add_tail(&slots[i].node, &pending->free);
	}
	pending->slots = slots;
	pending->count = count;
	return 0;
}

/**
 * fq_pending_destroy() - free the slots
 * @pending: nothing is outstanding
 */
void fq_pending_destroy(struct fq_pending *pending)
{
	WARN_ON(pending->used);
	kvfree(pending->slots);
	pending->slots = NULL;
}

/**
 * fq_pending_take_more() - remember all but the first page request of a group
 * @pending: the slots; there is room
 * @outstanding: the device's list of outstanding groups, whose last is @slot
 * @slot: stands for the group; where it is full, further slots are taken
 * @requests: all page requests of the group, page-aligned
 * @count: how many
 */
void fq_pending_take_more(struct fq_pending *pending, struct list_head *outstanding,
			  struct fq_slot *slot, const struct fq_page_request *requests,
			  unsigned int count)
{
	unsigned int i;

	for (i = 1; i < count; i++) {
		if (i % FAULTQ_SLOT_REQUESTS == 0)
			slot = fq_slot_take(pending, outstanding);
		fq_slot_remember(slot, i % FAULTQ_SLOT_REQUESTS, &requests[i]);
	}
}

/**
 * fq_pending_request() - a page request of a group
 * @slot: stands for the group
 * @index: which, less than the group's count
 *
 * Return: the request.
 */
struct fq_page_request fq_pending_request(const struct fq_slot *slot, unsigned int index)
{
	u64 request;

	for (; index >= FAULTQ_SLOT_REQUESTS; index -= FAULTQ_SLOT_REQUESTS)
		slot = list_next_entry(slot, node);
	request = slot->requests[index];
	return (struct fq_page_request){
		.address = request & PAGE_MASK,
		.perm = request & ~PAGE_MASK,
	};
}

/* Move the slots of a group behind a list. */
static void fq_move_slots(struct fq_slot *slot, unsigned int slots, struct list_head *list)
{
	struct fq_slot *next;

	for (; slots; slots--, slot = next) {
		next = list_next_entry(slot, node);
		list_move_tail(&slot->node, list);
	}
}

/**
 * fq_pending_put_more() - free the slots of a group that has more than one
 * @pending: the slots
 * @slot: stands for the group
 */
void fq_pending_put_more(struct fq_pending *pending, struct fq_slot *slot)
{
	unsigned int slots = fq_slots_for(slot->key.count);

	pending->used -= slots;
	fq_move_slots(slot, slots, &pending->free);
}

/**
 * fq_pending_rotate() - let a group be its device's last
 * @slot: stands for the group
 * @outstanding: the device's list
 */
void fq_pending_rotate(struct fq_slot *slot, struct list_head *outstanding)
{
	fq_move_slots(slot, fq_slots_for(slot->key.count), outstanding);
}
