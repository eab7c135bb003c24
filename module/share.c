// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VMs share of an IOMMU instance: places for outstanding page request groups.
 *
 * A share has a depth and, of it, a pool. A VM that joins becomes a member and reserves
 * its guarantee from depth less pool; so all guarantees together with the whole pool
 * never exceed the depth. Beyond its guarantee a member gets one more place of the pool
 * only while it holds fewer of them than are free. So a VM alone gets half of the pool,
 * each that comes later half of what is left, and none can take another's guarantee.
 *
 * fq_shares_lock guards the list of shares, their settings and who is a member; it is not
 * taken by the fault path. Settings do not change while a share has members. A member takes
 * places under the fault lock of its VM and gives them back without a lock; the pool is
 * shared by several VMs. So both are atomics: a place of the pool is taken before it is
 * counted as held, and given back after, and neither ever passes what the rule allows.
 */
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "share.h"

#define FQ_MAX_SHARES 4096

/**
 * struct fq_share - the share of one IOMMU instance
 * @node: in the list of shares
 * @name: of the instance
 * @set: depth, pool, guarantee and caps, if @own, else those of the defaults
 * @own: it was set itself, and stays when it has no members
 * @members: number of VMs
 * @pool_used: places of the pool in use
 */
struct fq_share {
	struct list_head node;
	char name[FAULTQ_NAME_SIZE];
	struct faultq_share set;
	bool own;
	u32 members;
	atomic_t pool_used;
};

static DEFINE_MUTEX(fq_shares_lock);
static LIST_HEAD(fq_shares);
static unsigned int fq_nr_shares;

static struct faultq_share fq_defaults = {
	.depth = 256,
	.pool = 128,
	.guarantee = 8,
};

static struct fq_share *fq_share_find(const char *instance)
{
	struct fq_share *share;

	list_for_each_entry(share, &fq_shares, node)
		if (!strcmp(share->name, instance))
			return share;
	return NULL;
}

static const struct faultq_share *fq_settings(const struct fq_share *share)
{
	return share && share->own ? &share->set : &fq_defaults;
}

static struct fq_share *fq_share_create(const char *instance)
{
	struct fq_share *share;

	if (fq_nr_shares == FQ_MAX_SHARES)
		return ERR_PTR(-ENOSPC);
	share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);
	if (!share)
		return ERR_PTR(-ENOMEM);
	strscpy(share->name, instance, sizeof(share->name));
	list_add_tail(&share->node, &fq_shares);
	fq_nr_shares++;
	return share;
}

static struct fq_share *fq_share_of(const char *instance)
{
	return fq_share_find(instance) ?: fq_share_create(instance);
}

/* One that nobody needs goes. */
static void fq_share_forget(struct fq_share *share)
{
	if (share->members || share->own)
		return;
	list_del(&share->node);
	fq_nr_shares--;
	kfree(share);
}

static bool fq_share_full(const struct fq_share *share)
{
	const struct faultq_share *set = fq_settings(share);

	return (u64)(share->members + 1) * set->guarantee > set->depth - set->pool;
}

static struct fq_member *fq_member_find(struct list_head *members, const struct fq_share *share)
{
	struct fq_member *member;

	list_for_each_entry(member, members, node)
		if (member->share == share)
			return member;
	return NULL;
}

static struct fq_member *fq_member_create(struct list_head *members, struct fq_share *share)
{
	const struct faultq_share *set = fq_settings(share);
	struct fq_member *member;

	if (fq_share_full(share))
		return ERR_PTR(-ENOSPC);
	member = kzalloc(sizeof(*member), GFP_KERNEL_ACCOUNT);
	if (!member)
		return ERR_PTR(-ENOMEM);
	member->share = share;
	member->guarantee = set->guarantee;
	member->pool = set->pool;
	share->members++;
	list_add_tail(&member->node, members);
	return member;
}

static struct fq_member *fq_join(struct list_head *members, struct fq_share *share)
{
	struct fq_member *member = fq_member_find(members, share);

	if (!member)
		member = fq_member_create(members, share);
	if (IS_ERR(member))
		fq_share_forget(share);
	else
		member->users++;
	return member;
}

/**
 * fq_share_join() - a device that raises page requests comes
 * @members: of its VM; this file guards them
 * @instance: name of its IOMMU instance
 *
 * The first device of the VM there reserves the VM's guarantee.
 *
 * Return: the VM's membership, or an ERR_PTR(): -ENOSPC no guarantee is left, or -ENOMEM.
 */
struct fq_member *fq_share_join(struct list_head *members, const char *instance)
{
	struct fq_member *member;
	struct fq_share *share;

	mutex_lock(&fq_shares_lock);
	share = fq_share_of(instance);
	member = IS_ERR(share) ? ERR_CAST(share) : fq_join(members, share);
	mutex_unlock(&fq_shares_lock);
	return member;
}

/**
 * fq_share_leave() - a device that raised page requests goes
 * @member: from fq_share_join(); the device holds no place
 */
void fq_share_leave(struct fq_member *member)
{
	struct fq_share *share = member->share;

	mutex_lock(&fq_shares_lock);
	if (!--member->users) {
		WARN_ON(atomic_read(&member->held));
		list_del(&member->node);
		kfree(member);
		share->members--;
		fq_share_forget(share);
	}
	mutex_unlock(&fq_shares_lock);
}

/* One more place of the pool for a member that holds @held of it. */
static bool fq_pool_take(struct fq_member *member, int held)
{
	atomic_t *pool_used = &member->share->pool_used;
	int used = atomic_read(pool_used);

	do {
		if (held >= member->pool - used)
			return false;
	} while (!atomic_try_cmpxchg(pool_used, &used, used + 1));
	return true;
}

/**
 * fq_share_take_any() - take a place of the guarantee or of the pool
 * @member: of the VM; its fault lock is held
 *
 * Return: whether there was one.
 */
bool fq_share_take_any(struct fq_member *member)
{
	int held = atomic_read(&member->held);
	bool pooled;

	for (;;) {
		pooled = held >= member->guarantee;
		if (pooled && !fq_pool_take(member, held - member->guarantee))
			return false;
		if (atomic_try_cmpxchg(&member->held, &held, held + 1))
			return true;
		/* One was given back meanwhile. */
		if (pooled)
			atomic_dec(&member->share->pool_used);
	}
}

/**
 * fq_share_put_pooled() - give a place back to the pool
 * @member: of the VM
 */
void fq_share_put_pooled(struct fq_member *member)
{
	atomic_dec(&member->share->pool_used);
}

/**
 * fq_share_caps() - an administrator's caps
 * @instance: of devices at this IOMMU instance, or ""
 * @caps: is filled in
 */
void fq_share_caps(const char *instance, struct fq_caps *caps)
{
	const struct faultq_share *set;

	mutex_lock(&fq_shares_lock);
	set = fq_settings(fq_share_find(instance));
	caps->max_vm = fq_defaults.max_vm;
	caps->max_device = set->max_device;
	caps->refused_rate = set->refused_rate;
	mutex_unlock(&fq_shares_lock);
}

/* How much others use at this moment is an administrator's business. */
static void fq_share_fill_use(const struct fq_share *share, struct faultq_share *entry)
{
	bool tell = share && capable(CAP_SYS_ADMIN);

	entry->vms = tell ? share->members : 0;
	entry->pool_used = tell ? atomic_read(&share->pool_used) : 0;
}

/* Everything of an entry but its size and flags; @share may be NULL. */
static void fq_share_fill(const struct fq_share *share, struct faultq_share *entry)
{
	const struct faultq_share *set = fq_settings(share);

	entry->depth = set->depth;
	entry->pool = set->pool;
	entry->guarantee = set->guarantee;
	entry->max_device = set->max_device;
	entry->refused_rate = set->refused_rate;
	entry->max_vm = set->max_vm;
	entry->own = share && share->own;
	fq_share_fill_use(share, entry);
}

static bool fq_name_terminated(const struct faultq_share *share)
{
	return strnlen(share->name, FAULTQ_NAME_SIZE) < FAULTQ_NAME_SIZE;
}

/**
 * fq_share_get() - read the settings of an IOMMU instance, or the defaults
 * @share: SHARE's argument, is filled in
 *
 * Return: 0 or -EINVAL.
 */
int fq_share_get(struct faultq_share *share)
{
	if (!fq_name_terminated(share))
		return -EINVAL;
	mutex_lock(&fq_shares_lock);
	fq_share_fill(fq_share_find(share->name), share);
	mutex_unlock(&fq_shares_lock);
	return 0;
}

static bool fq_share_valid(const struct faultq_share *share)
{
	if (!share->depth || share->depth > FAULTQ_MAX_DEPTH || share->pool >= share->depth)
		return false;
	if (!share->guarantee || share->guarantee > share->depth - share->pool)
		return false;
	return !*share->name || !share->max_vm;
}

/* What is in use must not change. */
static int fq_set_defaults(const struct faultq_share *set)
{
	const struct fq_share *share;

	list_for_each_entry(share, &fq_shares, node)
		if (share->members && !share->own)
			return -EBUSY;
	fq_defaults = *set;
	return 0;
}

static int fq_set_own(const struct faultq_share *set)
{
	struct fq_share *share = fq_share_of(set->name);

	if (IS_ERR(share))
		return PTR_ERR(share);
	if (share->members)
		return -EBUSY;
	share->set = *set;
	share->own = true;
	return 0;
}

/**
 * fq_share_set() - set an IOMMU instance, or the defaults
 * @share: SHARE's argument
 *
 * Return: 0, -EINVAL, -EBUSY, -ENOSPC or -ENOMEM.
 */
int fq_share_set(const struct faultq_share *share)
{
	int ret;

	if (!fq_name_terminated(share) || !fq_share_valid(share))
		return -EINVAL;
	mutex_lock(&fq_shares_lock);
	ret = *share->name ? fq_set_own(share) : fq_set_defaults(share);
	mutex_unlock(&fq_shares_lock);
	return ret;
}

/**
 * fq_share_list() - list the shares
 * @entries: where they go, zeroed
 * @room: how many fit
 *
 * Return: how many there are, which may be more.
 */
unsigned int fq_share_list(struct faultq_share *entries, unsigned int room)
{
	struct fq_share *share;
	unsigned int count = 0;

	mutex_lock(&fq_shares_lock);
	list_for_each_entry(share, &fq_shares, node) {
		if (count < room) {
			strscpy(entries[count].name, share->name, FAULTQ_NAME_SIZE);
			fq_share_fill(share, &entries[count]);
		}
		count++;
	}
	mutex_unlock(&fq_shares_lock);
	return count;
}

/**
 * fq_share_exit() - forget what was set; no VM is left
 */
void fq_share_exit(void)
{
	struct fq_share *share, *next;

	list_for_each_entry_safe(share, next, &fq_shares, node)
		kfree(share);
}
