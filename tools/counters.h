/* SPDX-License-Identifier: GPL-2.0-only */
/* The counters of a VM or a device, by name. */
#ifndef FAULTQ_COUNTERS_H
#define FAULTQ_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "faultq.h"

struct counter {
	const char *key;	/* the name in struct faultq_stats */
	const char *text;	/* for people */
	size_t offset;
};

/* All that only grow; one without a key at the end. */
extern const struct counter counters[];

static inline __u64 counter_value(const struct counter *counter, const struct faultq_stats *stats)
{
	return *(const __u64 *)((const char *)stats + counter->offset);
}

/* Upper end of a place of the latency histogram in nanoseconds; the last has none. */
static inline __u64 latency_bound(unsigned int place)
{
	return 1ULL << (10 + place);
}

/* A number of nanoseconds with its unit: "1.0 us", "34 ms". */
void duration_text(__u64 nanoseconds, char *text, size_t size);

#endif /* FAULTQ_COUNTERS_H */
