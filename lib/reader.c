// SPDX-License-Identifier: MIT
/*
 * Consuming a queue that is for read(). Records are read in bulk; a group whose
 * tail did not fit waits at the start of the buffer for the next read(), which
 * does not block: the kernel publishes groups whole.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define READ_RECORDS	256u

int reader_init(struct faultq *fq)
{
	struct reader *reader = &fq->reader;

	reader->room = fq->info.max_group > READ_RECORDS ? fq->info.max_group : READ_RECORDS;
	reader->buffer = calloc(reader->room, sizeof(*reader->buffer));
	return reader->buffer ? 0 : -ENOMEM;
}

void reader_fini(struct faultq *fq)
{
	free(fq->reader.buffer);
	fq->reader.buffer = NULL;
}

/* Records of what is next in the buffer, 0 if its end is not there yet. */
static uint32_t length_of_next(const struct reader *reader)
{
	for (uint32_t i = reader->first; i < reader->end; i++) {
		const struct faultq_record *record = &reader->buffer[i];

		if (record->type != FAULTQ_PAGE_REQUEST || record->flags & FAULTQ_RECORD_LAST)
			return i + 1 - reader->first;
	}
	return 0;
}

static void move_to_start(struct reader *reader)
{
	reader->end -= reader->first;
	memmove(reader->buffer, reader->buffer + reader->first,
		reader->end * sizeof(*reader->buffer));
	reader->first = 0;
}

/*
 * read() without blocking, whatever O_NONBLOCK says; no signal is to be told of then. Returns
 * records or -errno.
 */
static int fill(struct faultq *fq)
{
	struct pollfd pfd = { .fd = fq->fd, .events = POLLIN };
	struct reader *reader = &fq->reader;
	ssize_t bytes;
	int ret;

	move_to_start(reader);
	if (reader->end == reader->room)
		return -EPROTO;
	do
		ret = poll(&pfd, 1, 0);
	while (ret < 0 && errno == EINTR);
	if (ret <= 0)
		return ret < 0 ? -errno : 0;
	bytes = read(fq->fd, reader->buffer + reader->end,
		     (reader->room - reader->end) * sizeof(*reader->buffer));
	if (bytes < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	reader->end += bytes / sizeof(*reader->buffer);
	return bytes / sizeof(*reader->buffer);
}

int reader_peek(struct faultq *fq, const struct faultq_record **records)
{
	struct reader *reader = &fq->reader;
	uint32_t count;
	int ret;

	while (!(count = length_of_next(reader))) {
		ret = fill(fq);
		if (ret <= 0)
			return ret;
	}
	*records = reader->buffer + reader->first;
	return count;
}

void reader_consume(struct faultq *fq)
{
	fq->reader.first += fq->peeked;
}
