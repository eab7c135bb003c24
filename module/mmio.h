/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings of MMIO, which are revoked when the MMIO goes; see mmio.c.
 */
#ifndef FQ_MMIO_H
#define FQ_MMIO_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <linux/faultq.h>

#include "bar.h"
#include "scratch.h"

#define FQ_MAX_EXTENTS 1024
#define FQ_MAX_SCRATCH SZ_1G

struct fq_domain;
struct fq_ioas;
struct fq_mmio;

/**
 * struct fq_mmios - the MMIO of an address space
 * @lock: guards the states of the extents, and the address space's list of domains, together
 *	with that one's lock; MMU notifiers take it, so nothing that waits for user memory or for
 *	free memory is done under it
 * @extents: all extents; this, and what follows, is guarded by the lock of the address space
 * @nr_extents: how many
 * @scratch_bytes: size of those that have a scratch page
 * @last_id: given out last
 */
struct fq_mmios {
	struct mutex lock; /* states of extents, the list of domains */
	struct list_head extents;
	unsigned int nr_extents;
	u64 scratch_bytes;
	u64 last_id;
};

/* What is at an extent's IOVAs. */
enum fq_extent_state {
	FQ_EXTENT_AWAY,		/* nothing */
	FQ_EXTENT_COMING,	/* the MMIO, in part */
	FQ_EXTENT_MAPPED,	/* the MMIO */
	FQ_EXTENT_SCRATCH,	/* the scratch page */
};

/* What is to be told of an extent, in this order. */
enum fq_extent_tell {
	FQ_TELL_REVOKED		= 1 << 0,
	FQ_TELL_RESTORED	= 1 << 1,
};

/**
 * struct fq_extent - a part of a mapping that is within one mapping of the process
 * @node: in its mapping
 * @in_ioas: in the address space
 * @mmio: its mapping
 * @notifier: tells when something happens to @range; inserted when its mm is set
 * @iova: first IOVA
 * @range: where it is in the process
 * @phys: where that leads to, when it is mapped
 * @state: what is at its IOVAs
 * @lacking: NULL, or the domain which has only @done bytes of it; those behind it in the list
 *	have nothing
 * @done: see @lacking
 * @scratch: its scratch page, if it has one
 * @revocation: enum faultq_revocation of the last one; set with both locks, fq_mmios.lock and
 *	the fault lock
 * @telling: in the VM's list of those with something to tell; guarded by the fault lock, like
 *	what follows
 * @tell: enum fq_extent_tell bits of what no event has told yet
 * @written: a device wrote to the scratch page, and nobody was told
 */
struct fq_extent {
	struct list_head node;
	struct list_head in_ioas;
	struct fq_mmio *mmio;
	struct mmu_interval_notifier notifier;
	unsigned long iova;
	struct fq_bar_range range;
	phys_addr_t phys;
	enum fq_extent_state state;
	struct fq_domain *lacking;
	size_t done;
	struct fq_scratch scratch;
	u32 revocation;
	struct list_head telling;
	unsigned int tell;
	bool written;
};

/**
 * struct fq_mmio - a mapping of MMIO
 * @kref: of the mapping, and of each call that is restoring it
 * @all: in the list of all there are, for removals of devices
 * @serial: grows in that list
 * @visitors: removals that are looking at it; it stays in that list meanwhile
 * @ioas: the address space
 * @id: names it
 * @flags: FAULTQ_MAP_* bits
 * @prot: IOMMU_* bits
 * @dead: it is unmapped; guarded by the address space's lock
 * @extents: its parts, in the order of IOVAs
 * @nr_extents: how many
 * @size: bytes of all of them
 * @work: puts scratch pages in place, and tries to restore
 * @pause: milliseconds until the next try
 */
struct fq_mmio {
	struct kref kref;
	struct list_head all;
	u64 serial;
	atomic_t visitors;
	struct fq_ioas *ioas;
	u64 id;
	u32 flags;
	int prot;
	bool dead;
	struct list_head extents;
	unsigned int nr_extents;
	unsigned long size;
	struct delayed_work work;
	unsigned int pause;
};

void fq_mmios_init(struct fq_mmios *mmios);

struct fq_mmio *fq_mmio_create(struct fq_ioas *ioas, const struct faultq_map *map, int prot);
int fq_mmio_map(struct fq_mmio *mmio);
void fq_mmio_remove(struct fq_mmio *mmio);
void fq_mmio_free(struct fq_mmio *mmio);
int fq_mmio_restore(struct fq_ioas *ioas, struct faultq_restore *restore);

int fq_mmio_fill_scratch(struct fq_ioas *ioas, struct fq_domain *domain);
void fq_mmio_empty_scratch(struct fq_ioas *ioas, struct fq_domain *domain);
int fq_mmio_domain_joins(struct fq_ioas *ioas, struct fq_domain *domain);
void fq_mmio_domain_leaves(struct fq_ioas *ioas, struct fq_domain *domain);
void fq_extent_describe(const struct fq_extent *extent, struct faultq_mapping_entry *entry);

int fq_mmio_init(void);
void fq_mmio_exit(void);

#endif
