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

/* Take a slot, and remember @count requests in it. */
static inline struct fq_slot *
fq_fill_slot(struct fq_pending *pending, struct list_head *outstanding,
	     const struct fq_page_request *requests, unsigned int count)
{
	struct fq_slot *slot = list_first_entry(&pending->free, struct fq_slot, node);
	unsigned int i;

	list_move_tail(&slot->node, outstanding);
	pending->used++;
	for (i = 0; i < count && i < FAULTQ_SLOT_REQUESTS; i++)
		slot->requests[i] = requests[i].address | requests[i].perm;
	return slot;
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
struct fq_slot *fq_pending_take(struct fq_pending *pending, struct fq_device *device,
				struct list_head *outstanding, const struct fq_group_key *key,
				const struct fq_page_request *requests)
{
	struct fq_slot *slot = fq_fill_slot(pending, outstanding, requests, key->count);
	unsigned int done;

	slot->device = device;
	slot->key = *key;
	slot->cookie += 1ULL << FQ_INDEX_BITS;
	list_add_tail(&slot->age, &pending->waiting);
	pending->outstanding++;
	for (done = FAULTQ_SLOT_REQUESTS; done < key->count; done += FAULTQ_SLOT_REQUESTS)
		fq_fill_slot(pending, outstanding, requests + done, key->count - done);
	return slot;
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

/* Move the slots of a group behind @list. */
static void fq_move_group(struct fq_slot *slot, unsigned int slots, struct list_head *list)
{
	struct fq_slot *next;

	for (; slots; slots--, slot = next) {
		next = list_next_entry(slot, node);
		list_move_tail(&slot->node, list);
	}
}

/**
 * fq_pending_rotate() - let a group be its device's last
 * @slot: stands for the group
 * @outstanding: the device's list
 */
void fq_pending_rotate(struct fq_slot *slot, struct list_head *outstanding)
{
	fq_move_group(slot, fq_slots_for(slot->key.count), outstanding);
}

/**
 * fq_pending_put() - free the slots of a group: it is not outstanding any more
 * @pending: the slots
 * @slot: stands for the group
 */
void fq_pending_put(struct fq_pending *pending, struct fq_slot *slot)
{
	unsigned int slots = fq_slots_for(slot->key.count);

	slot->device = NULL;
	list_del(&slot->age);
	pending->used -= slots;
	pending->outstanding--;
	fq_move_group(slot, slots, &pending->free);
}
