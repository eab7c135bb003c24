// SPDX-License-Identifier: MIT
/*
 * Consuming the shared ring, by the rules of <linux/faultq.h>, "The ring".
 *
 * The producer index is loaded with acquire semantics before records are read,
 * the consumer index is stored with release semantics after they were. The kernel
 * wakes nobody unless it saw the ring drained, so "empty" is only said after a
 * full fence behind the last store of the consumer index, and a second look. Where the
 * header says that events wait for room, poll() makes the kernel publish them.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "private.h"

static const void *map_part(const struct faultq *fq, uint64_t offset, uint32_t size, int prot)
{
	void *part = mmap(NULL, size, prot, MAP_SHARED, fq->fd, offset);

	return part == MAP_FAILED ? NULL : part;
}

static void unmap_part(const void *part, uint32_t size)
{
	if (part)
		munmap((void *)part, size);
}

void ring_fini(struct faultq *fq)
{
	struct ring *ring = &fq->ring;

	unmap_part(ring->header, ring->layout.header_size);
	unmap_part(ring->consumer, ring->layout.consumer_size);
	unmap_part(ring->records, ring->layout.records_size);
	free(ring->joined);
	memset(ring, 0, sizeof(*ring));
}

int ring_init(struct faultq *fq, const struct faultq_queue *layout)
{
	struct ring *ring = &fq->ring;
	int error;

	ring->layout = *layout;
	ring->joined = calloc(fq->info.max_group, sizeof(*ring->joined));
	if (!ring->joined)
		return -ENOMEM;
	ring->header = map_part(fq, layout->header_offset, layout->header_size, PROT_READ);
	if (!ring->header)
		goto fail;
	ring->consumer = (void *)map_part(fq, layout->consumer_offset, layout->consumer_size,
					  PROT_READ | PROT_WRITE);
	if (!ring->consumer)
		goto fail;
	ring->records = map_part(fq, layout->records_offset, layout->records_size, PROT_READ);
	if (!ring->records)
		goto fail;
	/* 0, or where another consumer has left off */
	ring->next = __atomic_load_n(&ring->consumer->consumer, __ATOMIC_RELAXED);
	ring->producer = ring->next;
	return 0;
fail:
	error = errno;
	ring_fini(fq);
	return -error;
}

static uint32_t flags(const struct ring *ring)
{
	return __atomic_load_n(&ring->header->flags, __ATOMIC_RELAXED);
}

static void publish_events(const struct faultq *fq)
{
	struct pollfd pfd = { .fd = fq->fd, .events = POLLIN };

	poll(&pfd, 1, 0);
}

static uint32_t available(struct faultq *fq)
{
	struct ring *ring = &fq->ring;

	if (ring->producer == ring->next)
		ring_look(ring);
	if (ring->producer == ring->next) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		ring_look(ring);
	}
	if (ring->producer == ring->next && flags(ring) & FAULTQ_RING_WAITING) {
		publish_events(fq);
		ring_look(ring);
	}
	return ring->producer - ring->next;
}

/* Groups are published whole: the last one of a group that has begun is there. */
static uint32_t length_of_next(const struct ring *ring, uint32_t count)
{
	uint32_t n;

	for (n = 1; n < count; n++) {
		const struct faultq_record *record = ring_record(ring, ring->next + n - 1);

		if (record->type != FAULTQ_PAGE_REQUEST || record->flags & FAULTQ_RECORD_LAST)
			break;
	}
	return n;
}

static const struct faultq_record *join(struct ring *ring, uint32_t count)
{
	uint32_t first = ring->next & (ring->layout.entries - 1);
	uint32_t upper = ring->layout.entries - first;

	if (count <= upper)
		return &ring->records[first];
	memcpy(ring->joined, &ring->records[first], upper * sizeof(*ring->joined));
	memcpy(ring->joined + upper, ring->records, (count - upper) * sizeof(*ring->joined));
	return ring->joined;
}

int ring_peek(struct faultq *fq, const struct faultq_record **records)
{
	struct ring *ring = &fq->ring;
	uint32_t count = available(fq);

	if (!count)
		return flags(ring) & FAULTQ_RING_STOPPED ? -EIO : 0;
	count = length_of_next(ring, count);
	if (count > fq->info.max_group)
		return -EPROTO;
	*records = join(ring, count);
	return count;
}
