/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that a pager gives to its devices: one range of IOVAs, backed by
 * anonymous memory or by a file, and what of it is mapped. Mapped is only what
 * was asked for. Not thread-safe.
 */
#ifndef FAULTQ_MEMORY_H
#define FAULTQ_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "faultq.h"

struct memory {
	__u64 iova;
	__u64 size;
	__u64 page_size;
	unsigned char *data;
	uint8_t *mapped;	/* FAULTQ_MAP_* of each page, 0 if it is not mapped */
	__u64 mapped_pages;
};

/*
 * @file NULL is anonymous memory. A file is made if it is not there, and made
 * longer if it is shorter than @size; @size 0 takes its own. Exits on failure.
 */
void memory_open(struct memory *memory, const char *file, __u64 iova, __u64 size);
void memory_close(struct memory *memory);

bool memory_contains(const struct memory *memory, __u64 iova);

/* Whether devices may do @perm in the page at @iova already. */
bool memory_is_mapped(const struct memory *memory, __u64 iova, uint32_t perm);

/*
 * Map the page at @iova with @perm besides what it is mapped with already, and,
 * when @cookie is not 0, answer that group; *@result is what became of the answer.
 * Returns 0 or a negative errno; then the group is not answered.
 */
int memory_map(struct memory *memory, struct faultq *fq, __u64 iova, uint32_t perm,
	       __u64 cookie, int *result);

#endif /* FAULTQ_MEMORY_H */
