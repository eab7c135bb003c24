/* SPDX-License-Identifier: MIT */
/*
 * What the library's files share: the handle, and the two ways of consuming a
 * queue. Nothing here is visible outside. The consumer thread owns everything
 * in the handle but @fd and @info, which never change.
 */
#ifndef LIBFAULTQ_PRIVATE_H
#define LIBFAULTQ_PRIVATE_H

#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "faultq.h"

/* The shared ring. @next and @producer are ours; the pages are the kernel's. */
struct ring {
	const struct faultq_ring_header *header;
	struct faultq_ring_consumer *consumer;
	const struct faultq_record *records;
	struct faultq_queue layout;
	uint32_t next;		/* index of the next record to consume */
	uint32_t producer;	/* the header's, as last seen */
	struct faultq_record *joined;	/* copy of a group that wraps around */
};

/* Records that read() returned and that were not consumed yet. */
struct reader {
	struct faultq_record *buffer;
	uint32_t room;		/* records that fit */
	uint32_t first;		/* the next to consume */
	uint32_t end;		/* behind the last */
};

enum mode {
	MODE_NO_QUEUE,
	MODE_RING,
	MODE_READ,
};

struct faultq {
	int fd;
	struct faultq_info info;
	enum mode mode;
	uint32_t peeked;	/* records that the last peek returned */
	struct ring ring;
	struct reader reader;
};

/* A handle of what a system call returned; on error the descriptor is closed. */
int fq_from_new_fd(struct faultq **fqp, int fd);

/* ioctl() that returns a negative errno. */
static inline int fq_ioctl(const struct faultq *fq, unsigned long request, void *argument)
{
	return ioctl(fq->fd, request, argument) < 0 ? -errno : 0;
}

/* Sizes of structures as they were published first; faultq_vm_stats() has known no shorter ones. */
enum first_size {
	FIRST_INFO = 48,
	FIRST_RECORD = 64,
	FIRST_ATTACH = 96,
	FIRST_ANSWER = 16,
	FIRST_STATS = 160,
	FIRST_VM_STATS = 424,
	FIRST_HELD_ENTRY = 72,
	FIRST_LIMITS = 48,
	FIRST_SHARE = 112,
	FIRST_VM_ENTRY = 64,
	FIRST_DEVICE_ENTRY = 152,
	FIRST_WINDOW_ENTRY = 40,
	FIRST_RANGE_ENTRY = 16,
	FIRST_MAPPING_ENTRY = 32,
	FIRST_DOORBELL_ENTRY = 16,
	FIRST_RESTORE = 40,
};

/* A structure of the caller's size that the library makes itself. */
union call {
	uint32_t head[2];	/* size, flags */
	struct faultq_attach attach;
	struct faultq_restore restore;
	unsigned char bytes[4096];
};

/*
 * Get a structure of the caller's @size ready for a call: all zero but its size. -EINVAL, shorter
 * than @least, or -E2BIG, and it is untouched.
 */
int fq_begin(void *structure, size_t size, size_t least);

/* Make a call on a copy of the caller's structure of @size bytes, with these @flags. */
int fq_set(const struct faultq *fq, unsigned long request, uint32_t flags, const void *structure,
	   size_t size, size_t least);

/* Copy a device name into a structure of the ABI; -ENAMETOOLONG. */
int fq_copy_name(char to[FAULTQ_NAME_SIZE], const char *name);

/* A call that fills an array; @vm 0 is that of the handle. */
int fq_list(const struct faultq *fq, unsigned long request, uint32_t vm, void *entries,
	    size_t entry_size, uint32_t *count);

int ring_init(struct faultq *fq, const struct faultq_queue *layout);
void ring_fini(struct faultq *fq);
int ring_peek(struct faultq *fq, const struct faultq_record **records);

/* What is done for every group is here; see ring.c for the rules. */
static inline const struct faultq_record *ring_record(const struct ring *ring, uint32_t index)
{
	return &ring->records[index & (ring->layout.entries - 1)];
}

static inline void ring_look(struct ring *ring)
{
	ring->producer = __atomic_load_n(&ring->header->producer, __ATOMIC_ACQUIRE);
}

/* The next group, if it has one record only and is there; or NULL: ring_peek() knows. */
static inline const struct faultq_record *ring_single(struct ring *ring)
{
	const struct faultq_record *record = ring_record(ring, ring->next);

	if (ring->producer == ring->next)
		ring_look(ring);
	if (ring->producer == ring->next || !(record->flags & FAULTQ_RECORD_LAST))
		return NULL;
	return record;
}

static inline void ring_consume(struct faultq *fq)
{
	struct ring *ring = &fq->ring;

	ring->next += fq->peeked;
	__atomic_store_n(&ring->consumer->consumer, ring->next, __ATOMIC_RELEASE);
}

int reader_init(struct faultq *fq);
void reader_fini(struct faultq *fq);
int reader_peek(struct faultq *fq, const struct faultq_record **records);
void reader_consume(struct faultq *fq);

#endif /* LIBFAULTQ_PRIVATE_H */
