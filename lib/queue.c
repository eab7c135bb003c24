// SPDX-License-Identifier: MIT
/*
 * The queue as its consumer sees it: created once, then peeked at, consumed and
 * waited for. ring.c and reader.c do the work, each for its way of delivery.
 */
#include <errno.h>
#include <poll.h>

#include "private.h"

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

	if (ret)
		return ret;
	ret = flags & FAULTQ_QUEUE_READ ? reader_init(fq) : ring_init(fq, &queue);
	if (!ret)
		fq->mode = flags & FAULTQ_QUEUE_READ ? MODE_READ : MODE_RING;
	return ret;
}

int faultq_peek(struct faultq *fq, const struct faultq_record **records)
{
	int ret = -ENXIO;

	if (fq->mode == MODE_RING)
		ret = ring_peek(fq, records);
	else if (fq->mode == MODE_READ)
		ret = reader_peek(fq, records);
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
