// SPDX-License-Identifier: MIT
/*
 * The queue as its consumer sees it: created once, then peeked at, consumed and
 * waited for. ring.c and reader.c do the work, each for its way of delivery.
 */
#include <errno.h>
#include <poll.h>

#include "private.h"

static int consume_from(struct faultq *fq, const struct faultq_queue *queue, uint32_t by_read)
{
	int ret = by_read ? reader_init(fq) : ring_init(fq, queue);

	if (!ret)
		fq->mode = by_read ? MODE_READ : MODE_RING;
	return ret;
}

int faultq_queue(struct faultq *fq, uint32_t slots, uint32_t entries, int eventfd,
		 uint32_t flags)
{
	struct faultq_queue queue = {
		.size = sizeof(queue),
		.flags = flags,
		.slots = slots,
		.entries = entries,
		.eventfd = eventfd,
	};
	int ret = fq_ioctl(fq, FAULTQ_QUEUE, &queue);

	return ret ? ret : consume_from(fq, &queue, flags & FAULTQ_QUEUE_READ);
}

int faultq_takeover(struct faultq *fq, int eventfd)
{
	struct faultq_queue queue = {
		.size = sizeof(queue),
		.flags = FAULTQ_QUEUE_TAKEOVER,
		.eventfd = eventfd,
	};
	int ret;

	if (fq->mode != MODE_NO_QUEUE)
		return -EALREADY;
	ret = fq_ioctl(fq, FAULTQ_QUEUE, &queue);
	return ret ? ret : consume_from(fq, &queue, queue.flags & FAULTQ_QUEUE_READ);
}

int faultq_peek(struct faultq *fq, const struct faultq_record **records)
{
	const struct faultq_record *single;
	int ret = -ENXIO;

	if (fq->mode == MODE_RING) {
		single = ring_single(&fq->ring);
		if (single) {
			*records = single;
			fq->peeked = 1;
			return 1;
		}
		ret = ring_peek(fq, records);
	} else if (fq->mode == MODE_READ) {
		ret = reader_peek(fq, records);
	}
	fq->peeked = ret > 0 ? ret : 0;
	return ret;
}

void faultq_consume(struct faultq *fq)
{
	if (!fq->peeked)
		return;
	if (fq->mode == MODE_RING)
		ring_consume(fq);
	else
		reader_consume(fq);
	fq->peeked = 0;
}

int faultq_wait(struct faultq *fq, int timeout_ms)
{
	struct pollfd pfd = { .fd = fq->fd, .events = POLLIN };
	const struct faultq_record *records;
	int ret = faultq_peek(fq, &records);

	if (ret)
		return ret < 0 ? ret : 0;
	ret = poll(&pfd, 1, timeout_ms);
	if (ret < 0)
		return -errno;
	return ret ? 0 : -ETIMEDOUT;
}

const struct faultq_ring_header *faultq_header(const struct faultq *fq)
{
	return fq->ring.header;
}
