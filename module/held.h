/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Giving IOMMU groups back, safely; see held.c.
 */
#ifndef FQ_HELD_H
#define FQ_HELD_H

#include <linux/list.h>
#include <linux/types.h>

#include <linux/faultq.h>

struct iommu_group;

/**
 * struct fq_held - an IOMMU group that is to be given back, or that is held
 * @node: in the list of held groups
 * @group: the group, claimed
 * @count: number of @devs
 * @devs: its devices, referenced; NULL for one that has left
 */
struct fq_held {
	struct list_head node;
	struct iommu_group *group;
	unsigned int count;
	struct device *devs[];
};

struct fq_held *fq_held_create(struct iommu_group *group, unsigned int room);
void fq_held_add(struct fq_held *held, struct device *dev);
void fq_held_forget(struct fq_held *held, struct device *dev);
void fq_held_free(struct fq_held *held);
bool fq_give_back(struct fq_held *held);
void fq_stop_masters(const struct fq_held *held);

unsigned int fq_held_list(struct faultq_held_entry *entries, unsigned int room);
int fq_held_release(const char *name);
int fq_held_init(void);
void fq_held_exit(void);

#endif
