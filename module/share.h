/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What VMs share of an IOMMU instance; see share.c.
 */
#ifndef FQ_SHARE_H
#define FQ_SHARE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

#include <linux/faultq.h>

struct fq_share;

/**
 * struct fq_member - a VM's part of a share
 * @node: in the VM's members
 * @share: the share
 * @users: devices that raise page requests
 * @guarantee: as it was when the VM joined
 * @pool: the same
 * @held: places taken
 */
struct fq_member {
	struct list_head node;
	struct fq_share *share;
	unsigned int users;
	int guarantee;
	int pool;
	atomic_t held;
};

/**
 * struct fq_caps - an administrator's caps of limits; 0: none
 * @max_vm: groups that a VM may have outstanding
 * @max_device: groups that a device may have outstanding
 * @refused_rate: groups of a device that may be refused in a second
 */
struct fq_caps {
	u32 max_vm;
	u32 max_device;
	u32 refused_rate;
};

struct fq_member *fq_share_join(struct list_head *members, const char *instance);
void fq_share_leave(struct fq_member *member);
bool fq_share_take_any(struct fq_member *member);
void fq_share_put_pooled(struct fq_member *member);

void fq_share_caps(const char *instance, struct fq_caps *caps);
int fq_share_get(struct faultq_share *share);
int fq_share_set(const struct faultq_share *share);
unsigned int fq_share_list(struct faultq_share *entries, unsigned int room);
void fq_share_exit(void);

/**
 * fq_share_take() - take a place for a page request group
 * @member: of the VM; its fault lock is held
 *
 * Return: whether there was one.
 */
static inline bool fq_share_take(struct fq_member *member)
{
	int held = atomic_read(&member->held);

	if (likely(held < member->guarantee && atomic_try_cmpxchg(&member->held, &held, held + 1)))
		return true;
	return fq_share_take_any(member);
}

/**
 * fq_share_put() - give a place back: its group was answered
 * @member: of the VM
 */
static inline void fq_share_put(struct fq_member *member)
{
	if (unlikely(atomic_fetch_dec(&member->held) > member->guarantee))
		fq_share_put_pooled(member);
}

#endif
