/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reserved windows of an address space; see window.c.
 */
#ifndef FQ_WINDOW_H
#define FQ_WINDOW_H

#include <linux/interval_tree.h>
#include <linux/iova.h>
#include <linux/list.h>
#include <linux/types.h>

#include <linux/faultq.h>

#define FQ_MAX_WINDOWS 256

struct fq_ioas;
struct fq_msi;
struct iommu_group;

/**
 * struct fq_window - a reserved range of IOVAs
 * @node: first and last IOVA
 * @id: names it; 0: it comes from devices
 * @type: enum faultq_window_type
 * @prot: FAULTQ_MAP_* bits, of what is mapped in it
 * @groups: of one that comes from devices: attached groups that have it
 * @used: doorbells that are bound in it
 * @iovas: of one for doorbells: what is allocated in it
 */
struct fq_window {
	struct interval_tree_node node;
	u32 id;
	u32 type;
	u32 prot;
	unsigned int groups;
	unsigned int used;
	struct iova_domain iovas;
};

/**
 * struct fq_windows - the windows of an address space
 * @tree: by IOVA; ranges of those that come from devices may overlap each other
 * @count: of those that were added
 * @last_id: given out last
 */
struct fq_windows {
	struct rb_root_cached tree;
	u32 count;
	u32 last_id;
};

int fq_window_add(struct fq_ioas *ioas, struct faultq_window *window);
int fq_window_del(struct fq_ioas *ioas, u32 id);
void fq_windows_clear(struct fq_ioas *ioas);

int fq_windows_join(struct fq_ioas *ioas, struct iommu_group *group, struct list_head *regions,
		    struct fq_msi *msi);
void fq_windows_leave(struct fq_ioas *ioas, struct list_head *regions);

struct fq_window *fq_window_first(struct fq_ioas *ioas, unsigned long first, unsigned long last);
struct fq_window *fq_window_next(struct fq_window *window, unsigned long first,
				 unsigned long last);
bool fq_windows_block(struct fq_ioas *ioas, unsigned long first, unsigned long last);
bool fq_window_keeps_off(const struct fq_window *window);

#endif
