/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring of fault records that a VM shares with its consumer; see ring.c.
 */
#ifndef FQ_RING_H
#define FQ_RING_H

#include <linux/mm_types.h>
#include <linux/types.h>

#include <linux/faultq.h>

#define FQ_MIN_ENTRIES 64
#define FQ_MAX_ENTRIES 65536

/* Each kind of record has room of its own, so that none can crowd out another. */
enum fq_ring_kind {
	FQ_RING_REQUEST,
	FQ_RING_FAULT,
	FQ_RING_EVENT,
	FQ_RING_KINDS,
};

/**
 * struct fq_ring - the shared ring, kernel side
 * @header: header page, written by the kernel only
 * @consumer: consumer page, not trusted: read by fq_ring_sync() only
 * @records: the records, written by the kernel only
 * @totals: per entry: how many records of each kind were staged before it
 * @staged_total: records of each kind staged so far
 * @entries: number of records, a power of two
 * @staged: index behind the last record that was written
 * @producer: index behind the last record that was published
 * @tail: consumer index, as last read and found good
 * @by_read: records are taken by read(), there is no shared consumer page
 * @stopped: the consumer index was nonsense; for good
 * @nr_pages: number of @pages
 * @pages: header, consumer, records
 */
struct fq_ring {
	struct faultq_ring_header *header;
	struct faultq_ring_consumer *consumer;
	struct faultq_record *records;
	struct fq_ring_totals {
		u32 nr[FQ_RING_KINDS];
	} *totals, staged_total;
	u32 entries;
	u32 staged;
	u32 producer;
	u32 tail;
	bool by_read;
	bool stopped;
	unsigned int nr_pages;
	struct page *pages[];
};

struct fq_ring *fq_ring_create(u32 entries, bool by_read);
void fq_ring_destroy(struct fq_ring *ring);
void fq_ring_describe(const struct fq_ring *ring, struct faultq_queue *queue);
int fq_ring_mmap(const struct fq_ring *ring, struct vm_area_struct *vma);

bool fq_ring_sync(struct fq_ring *ring);
bool fq_ring_has_room(const struct fq_ring *ring, enum fq_ring_kind kind, u32 count);
struct faultq_record *fq_ring_stage(struct fq_ring *ring, enum fq_ring_kind kind);
bool fq_ring_publish(struct fq_ring *ring);

const struct faultq_record *fq_ring_peek(const struct fq_ring *ring, u32 ahead);

/**
 * fq_ring_fill() - how many records wait for the consumer
 * @ring: after fq_ring_sync()
 *
 * Return: published records that are not consumed.
 */
static inline u32 fq_ring_fill(const struct fq_ring *ring)
{
	return ring->producer - ring->tail;
}

#endif
