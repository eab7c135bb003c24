// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring of fault records.
 *
 * The kernel writes records and a header page that the consumer sees read-only;
 * the consumer writes one page, from which the kernel takes its index and nothing
 * else, reads it once and checks it. All decisions are made on the kernel's own
 * copies of the indices. A record is never rewritten before it was consumed.
 *
 * Half of the ring is for page requests, a quarter for unrecoverable faults, a
 * quarter for events. As records are consumed in order, the number of a kind that
 * still waits is the number staged so far less the number staged before the
 * tail, which is kept for every entry: no search.
 *
 * Everything but creating, destroying, and mapping is guarded by the VM's fault
 * lock.
 */
#include <linux/align.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat/compat.h"
#include "ring.h"

/* Page numbers of the parts, in the file and in pages[]. */
enum { FQ_PAGE_HEADER, FQ_PAGE_CONSUMER, FQ_PAGE_RECORDS };

static void fq_free_pages(struct fq_ring *ring)
{
	while (ring->nr_pages)
		__free_page(ring->pages[--ring->nr_pages]);
}

static int fq_alloc_pages(struct fq_ring *ring, unsigned int count)
{
	while (ring->nr_pages < count) {
		struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

		if (!page)
			return -ENOMEM;
		ring->pages[ring->nr_pages++] = page;
	}
	return 0;
}

static int fq_ring_setup(struct fq_ring *ring, unsigned int nr_pages)
{
	if (fq_alloc_pages(ring, nr_pages))
		return -ENOMEM;

	ring->totals = kvcalloc(ring->entries, sizeof(*ring->totals), GFP_KERNEL_ACCOUNT);
	ring->records = vmap(ring->pages + FQ_PAGE_RECORDS, nr_pages - FQ_PAGE_RECORDS,
			     VM_MAP, PAGE_KERNEL);
	if (!ring->totals || !ring->records)
		return -ENOMEM;

	ring->header = page_address(ring->pages[FQ_PAGE_HEADER]);
	ring->consumer = page_address(ring->pages[FQ_PAGE_CONSUMER]);
	ring->header->entries = ring->entries;
	ring->header->record_size = sizeof(struct faultq_record);
	return 0;
}

/**
 * fq_ring_create() - make a ring
 * @entries: number of records, a power of two, checked by the caller
 * @by_read: for read() instead of mmap()
 *
 * The memory is charged to the caller's memory cgroup.
 *
 * Return: the ring, or an ERR_PTR().
 */
struct fq_ring *fq_ring_create(u32 entries, bool by_read)
{
	unsigned int nr_pages = FQ_PAGE_RECORDS +
		PAGE_ALIGN(entries * sizeof(struct faultq_record)) / PAGE_SIZE;
	struct fq_ring *ring;

	BUILD_BUG_ON(sizeof(struct faultq_record) != 64);

	ring = kvzalloc(struct_size(ring, pages, nr_pages), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return ERR_PTR(-ENOMEM);

	ring->entries = entries;
	ring->by_read = by_read;
	if (fq_ring_setup(ring, nr_pages)) {
		fq_ring_destroy(ring);
		return ERR_PTR(-ENOMEM);
	}
	return ring;
}

/**
 * fq_ring_destroy() - free a ring that no one maps any more
 * @ring: the ring
 */
void fq_ring_destroy(struct fq_ring *ring)
{
	vunmap(ring->records);
	kvfree(ring->totals);
	fq_free_pages(ring);
	kvfree(ring);
}

/**
 * fq_ring_describe() - tell where the parts are to be mapped
 * @ring: the ring
 * @queue: offsets and sizes are filled in
 */
void fq_ring_describe(const struct fq_ring *ring, struct faultq_queue *queue)
{
	if (ring->by_read)
		return;
	queue->header_offset = FQ_PAGE_HEADER * PAGE_SIZE;
	queue->header_size = PAGE_SIZE;
	queue->consumer_offset = FQ_PAGE_CONSUMER * PAGE_SIZE;
	queue->consumer_size = PAGE_SIZE;
	queue->records_offset = FQ_PAGE_RECORDS * PAGE_SIZE;
	queue->records_size = (ring->nr_pages - FQ_PAGE_RECORDS) * PAGE_SIZE;
}

/* Number of pages of the part that starts at @first, 0 if none does. */
static unsigned long fq_part_pages(const struct fq_ring *ring, unsigned long first)
{
	switch (first) {
	case FQ_PAGE_HEADER:
	case FQ_PAGE_CONSUMER:
		return 1;
	case FQ_PAGE_RECORDS:
		return ring->nr_pages - FQ_PAGE_RECORDS;
	default:
		return 0;
	}
}

/**
 * fq_ring_mmap() - map one part of the ring
 * @ring: the ring
 * @vma: must be exactly one part, shared, and writable for the consumer page only
 *
 * Return: 0, -EBUSY, -EINVAL or -EACCES as documented in uapi, or another
 * negative errno.
 */
int fq_ring_mmap(const struct fq_ring *ring, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff;
	unsigned long count = vma_pages(vma);
	vm_flags_t clear = VM_MAYEXEC;

	if (ring->by_read)
		return -EBUSY;
	/* Not VM_SHARED: a file that is open for reading only has no such mappings. */
	if (!count || count != fq_part_pages(ring, first) || !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (first != FQ_PAGE_CONSUMER) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		clear |= VM_MAYWRITE;
	}
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, clear);
	return vm_insert_pages(vma, vma->vm_start, (struct page **)ring->pages + first, &count);
}

/**
 * fq_ring_stop() - the consumer's index is nonsense: stop the ring, for good
 * @ring: the ring
 *
 * Return: whether it was not stopped before.
 */
bool fq_ring_stop(struct fq_ring *ring)
{
	if (ring->stopped)
		return false;
	ring->stopped = true;
	WRITE_ONCE(ring->header->flags, FAULTQ_RING_STOPPED);
	return true;
}

/**
 * fq_ring_wait() - say in the header whether records wait for room
 * @ring: the ring
 * @waiting: whether they do
 *
 * Return: whether the consumer may have made room without seeing it: look once more.
 */
bool fq_ring_wait(struct fq_ring *ring, bool waiting)
{
	u32 flags = ring->header->flags & ~FAULTQ_RING_WAITING;

	if (waiting)
		flags |= FAULTQ_RING_WAITING;
	if (flags == ring->header->flags)
		return false;
	WRITE_ONCE(ring->header->flags, flags);
	/* Pairs with the consumer's fence between storing its index and looking at the flags. */
	smp_mb();
	return waiting;
}

/**
 * fq_ring_peek() - look at a published record, for read()
 * @ring: the ring
 * @ahead: how many records behind the tail, less than fq_ring_fill()
 *
 * Return: the record; it stays as it is until the tail moves.
 */
const struct faultq_record *fq_ring_peek(const struct fq_ring *ring, u32 ahead)
{
	return &ring->records[(ring->tail + ahead) & (ring->entries - 1)];
}
