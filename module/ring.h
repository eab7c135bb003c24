/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring of fault records that a VM shares with its consumer; see ring.c.
 */
#ifndef FQ_RING_H
#define FQ_RING_H

#include <linux/mm_types.h>
#include <linux/types.h>
#include <asm/barrier.h>

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
 * @consumer: consumer page, not trusted: read by fq_ring_sync() and fq_ring_publish() only;
 *	with @by_read nobody else maps it, and fq_ring_advance() writes it
 * @records: the records, written by the kernel only
 * @totals: per entry: how many records of each kind were staged before it
 * @staged_total: records of each kind staged so far
 * @entries: number of records, a power of two
 * @staged: index behind the last record that was written
 * @producer: index behind the last record that was published
 * @tail: consumer index, as last read and found good
 * @by_read: records are taken by read(), and no page is shared
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

bool fq_ring_stop(struct fq_ring *ring);
bool fq_ring_wait(struct fq_ring *ring, bool waiting);

const struct faultq_record *fq_ring_peek(const struct fq_ring *ring, u32 ahead);

/**
 * fq_ring_sync() - take over the consumer's index, if it is good
 * @ring: the ring
 *
 * An index may only move forward, and not past what was published.
 *
 * Return: false when the index is nonsense, or the ring is stopped.
 */
static inline bool fq_ring_sync(struct fq_ring *ring)
{
	u32 consumer;

	if (unlikely(ring->stopped))
		return false;
	/* Pairs with the consumer's release: its reads of the records are done. */
	consumer = smp_load_acquire(&ring->consumer->consumer);
	if (unlikely(consumer - ring->tail > ring->producer - ring->tail))
		return false;
	ring->tail = consumer;
	return true;
}

/* How many records of a kind were staged before the one at @index. */
static inline struct fq_ring_totals *fq_totals_at(const struct fq_ring *ring, u32 index)
{
	return &ring->totals[index & (ring->entries - 1)];
}

static inline u32 fq_ring_waiting(const struct fq_ring *ring, enum fq_ring_kind kind)
{
	if (ring->tail == ring->staged)
		return 0;
	return ring->staged_total.nr[kind] - fq_totals_at(ring, ring->tail)->nr[kind];
}

/**
 * fq_ring_has_room() - is there room for records of a kind
 * @ring: after fq_ring_sync()
 * @kind: of which kind
 * @count: how many
 *
 * Return: whether they can be staged.
 */
static inline bool fq_ring_has_room(const struct fq_ring *ring, enum fq_ring_kind kind, u32 count)
{
	u32 room = kind == FQ_RING_REQUEST ? ring->entries / 2 : ring->entries / 4;

	return fq_ring_waiting(ring, kind) + count <= room;
}

/**
 * fq_ring_stage() - take the next record, to be filled and published later
 * @ring: there is room
 * @kind: of which kind
 *
 * Return: the record, to be written as a whole.
 */
static inline struct faultq_record *fq_ring_stage(struct fq_ring *ring, enum fq_ring_kind kind)
{
	u32 at = ring->staged++ & (ring->entries - 1);

	ring->totals[at] = ring->staged_total;
	ring->staged_total.nr[kind]++;
	return &ring->records[at];
}

/**
 * fq_ring_publish() - let the consumer see all staged records
 * @ring: the ring
 *
 * Return: whether the consumer had drained the ring before, and may sleep.
 */
static inline bool fq_ring_publish(struct fq_ring *ring)
{
	u32 before = ring->producer, producer = ring->staged;

	ring->producer = producer;
	/* The records first: pairs with the consumer's acquire. */
	smp_store_release(&ring->header->producer, producer);
	/* Pairs with the consumer's fence between storing its index and looking again. */
	smp_mb();
	return READ_ONCE(ring->consumer->consumer) == before;
}

/**
 * fq_ring_advance() - consume records, on behalf of a reader
 * @ring: with @ring->by_read
 * @count: how many, not more than fq_ring_fill()
 */
static inline void fq_ring_advance(struct fq_ring *ring, u32 count)
{
	ring->tail += count;
	WRITE_ONCE(ring->consumer->consumer, ring->tail);
}

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
