/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What VMs share of an IOMMU instance; see share.c.
 */
#ifndef FQ_SHARE_H
#define FQ_SHARE_H

#include <linux/list.h>
#include <linux/types.h>

#include <linux/faultq.h>

struct fq_member;

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
bool fq_share_take(struct fq_member *member);
void fq_share_put(struct fq_member *member);

void fq_share_caps(const char *instance, struct fq_caps *caps);
int fq_share_get(struct faultq_share *share);
int fq_share_set(const struct faultq_share *share);
unsigned int fq_share_list(struct faultq_share *entries, unsigned int room);
void fq_share_exit(void);

#endif
