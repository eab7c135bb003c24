// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page requests whose group is not whole yet.
 *
 * Up to 6.8 the kernel hands over page requests one by one; a group is whole when
 * its last one comes. Per device, a bounded number of groups can be open at a time,
 * each with a bounded number of requests. A device that never sends the last one
 * loses its oldest open group to the next one.
 *
 * The kernel delivers the faults of a device one after the other, under a mutex of
 * its own, so there is no lock here.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "partial.h"

#define FQ_OPEN_GROUPS 16

/**
 * struct fq_partial - one open group
 * @key: which group
 * @age: when it was opened
 * @count: requests so far, those that found no room too; 0: not in use
 * @requests: the first ones
 */
struct fq_partial {
	struct fq_group_key key;
	u64 age;
	unsigned int count;
	struct fq_page_request requests[FQ_MAX_GROUP - 1];
};

struct fq_partials {
	u64 clock;
	struct fq_partial open[FQ_OPEN_GROUPS];
};

/**
 * fq_partials_create() - make room for the open groups of a device
 *
 * Return: the room, charged to the caller's memory cgroup, or NULL.
 */
struct fq_partials *fq_partials_create(void)
{
	return kvzalloc(sizeof(struct fq_partials), GFP_KERNEL_ACCOUNT);
}

/**
 * fq_partials_destroy() - free the room, and what is open
 * @partials: from fq_partials_create(), or NULL
 */
void fq_partials_destroy(struct fq_partials *partials)
{
	kvfree(partials);
}

static bool fq_same_group(const struct fq_group_key *a, const struct fq_group_key *b)
{
	return a->group == b->group && a->has_pasid == b->has_pasid && a->pasid == b->pasid;
}

static struct fq_partial *fq_find_partial(struct fq_partials *partials,
					  const struct fq_group_key *key)
{
	unsigned int i;

	for (i = 0; i < FQ_OPEN_GROUPS; i++) {
		struct fq_partial *partial = &partials->open[i];

		if (partial->count && fq_same_group(&partial->key, key))
			return partial;
	}
	return NULL;
}

/* One that is not in use, or else the oldest. */
static struct fq_partial *fq_oldest_partial(struct fq_partials *partials)
{
	struct fq_partial *oldest = &partials->open[0];
	unsigned int i;

	for (i = 0; i < FQ_OPEN_GROUPS; i++) {
		struct fq_partial *partial = &partials->open[i];

		if (!partial->count)
			return partial;
		if (partial->age < oldest->age)
			oldest = partial;
	}
	return oldest;
}

/**
 * fq_partials_add() - keep a request that is not the last of its group
 * @partials: of the device
 * @key: its group
 * @request: the request
 *
 * Return: number of requests of another group that had to go for it.
 */
unsigned int fq_partials_add(struct fq_partials *partials, const struct fq_group_key *key,
			     const struct fq_page_request *request)
{
	struct fq_partial *partial = fq_find_partial(partials, key);
	unsigned int dropped = 0;

	if (!partial) {
		partial = fq_oldest_partial(partials);
		dropped = partial->count;
		partial->count = 0;
		partial->key = *key;
		partial->age = partials->clock++;
	}
	if (partial->count < ARRAY_SIZE(partial->requests))
		partial->requests[partial->count] = *request;
	if (partial->count < UINT_MAX)
		partial->count++;
	return dropped;
}

/**
 * fq_partials_take() - take the requests of a group whose last one came
 * @partials: of the device
 * @key: the group
 * @requests: is set to them; good until the next call
 *
 * Return: how many came before the last; when that is FQ_MAX_GROUP or more,
 * @requests has not all of them.
 */
unsigned int fq_partials_take(struct fq_partials *partials, const struct fq_group_key *key,
			      const struct fq_page_request **requests)
{
	struct fq_partial *partial = fq_find_partial(partials, key);
	unsigned int count;

	if (!partial)
		return 0;
	count = partial->count;
	partial->count = 0;
	*requests = partial->requests;
	return count;
}
