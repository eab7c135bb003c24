/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What programs were built with that are older than the sizes in <faultq.h>: of each function
 * that takes a structure or a list of them, the declaration and the structure as they were
 * published first. Nothing here ever changes. The values at the end are those that the test
 * needs.
 */
#ifndef TESTS_OLDEST_FAULTQ_H
#define TESTS_OLDEST_FAULTQ_H

#include <stdint.h>

struct faultq;

struct faultq_info {
	uint32_t size;
	uint32_t flags;
	uint64_t features;
	uint32_t kinds;
	uint32_t record_size;
	uint32_t max_slots;
	uint32_t min_entries;
	uint32_t max_entries;
	uint32_t max_group;
	uint32_t max_devices;
	uint32_t reserved;
};

struct faultq_record {
	uint8_t  type;
	uint8_t  perm;
	uint16_t flags;
	uint32_t device;
	uint32_t pasid;
	uint32_t group;
	uint64_t address;
	uint64_t cookie;
	uint64_t timestamp;
	uint64_t fetch_address;
	uint32_t reason;
	uint32_t reserved[3];
};

struct faultq_attach {
	uint32_t size;
	uint32_t flags;
	char     name[64];
	uint32_t device;
	uint32_t kinds;
	uint32_t no_page_request;
	uint32_t no_unrecoverable;
	uint32_t group;
	uint32_t reserved;
};

struct faultq_answer {
	uint64_t cookie;
	uint32_t code;
	int32_t  result;
};

struct faultq_stats {
	uint32_t size;
	uint32_t flags;
	uint32_t device;
	uint32_t devices;
	uint32_t outstanding;
	uint32_t slots;
	uint64_t page_requests;
	uint64_t groups;
	uint64_t answered_success;
	uint64_t answered_invalid;
	uint64_t answered_failure;
	uint64_t stale_answers;
	uint64_t terminated_no_queue;
	uint64_t terminated_no_slot;
	uint64_t terminated_no_room;
	uint64_t terminated_too_long;
	uint64_t terminated_detached;
	uint64_t terminated_stopped;
	uint64_t partial_dropped;
	uint64_t unrecoverable;
	uint64_t lost;
	uint64_t mapped_bytes;
	uint64_t pinned_pages;
};

struct faultq_held_entry {
	char     name[64];
	uint32_t group;
	uint32_t reserved;
};

int faultq_open(struct faultq **fqp);
void faultq_close(struct faultq *fq);
int faultq_queue(struct faultq *fq, uint32_t slots, uint32_t entries, int eventfd, uint32_t flags);
int faultq_map(struct faultq *fq, uint64_t iova, void *memory, uint64_t length, uint32_t perm);
int faultq_info(struct faultq *fq, struct faultq_info *info);
int faultq_attach(struct faultq *fq, const char *name, struct faultq_attach *attach);
int faultq_respond(struct faultq *fq, struct faultq_answer *answers, uint32_t count,
		   uint32_t *done);
int faultq_stats(struct faultq *fq, uint32_t device, struct faultq_stats *stats);
int faultq_held(struct faultq *fq, struct faultq_held_entry *entries, uint32_t *count);

/* LIBFAULTQ_0.2 */

/* struct faultq_stats, which had grown. */
struct faultq_vm_stats {
	struct faultq_stats stats;
	uint64_t terminated_over_device;
	uint64_t terminated_over_vm;
	uint64_t terminated_over_instance;
	uint64_t terminated_off;
	uint64_t terminated_drained;
	uint64_t terminated_deadline;
	uint64_t deadlines;
	uint64_t switched_off;
	uint64_t latency[24];
	uint32_t vm;
	uint32_t state;
};

struct faultq_limits {
	uint32_t size;
	uint32_t flags;
	uint32_t device;
	uint32_t max_outstanding;
	uint32_t cap;
	uint32_t refused_rate;
	uint32_t rate_cap;
	uint32_t deadline_ms;
	uint32_t invalid;
	uint32_t grace_ms;
	uint32_t strikes;
	uint32_t reserved;
};

struct faultq_share {
	uint32_t size;
	uint32_t flags;
	char     name[64];
	uint32_t depth;
	uint32_t pool;
	uint32_t guarantee;
	uint32_t max_device;
	uint32_t refused_rate;
	uint32_t max_vm;
	uint32_t vms;
	uint32_t pool_used;
	uint32_t own;
	uint32_t reserved;
};

struct faultq_vm_entry {
	uint32_t vm;
	int32_t  pid;
	char     comm[16];
	uint32_t devices;
	uint32_t outstanding;
	uint32_t slots;
	uint32_t max_outstanding;
	uint64_t groups;
	uint64_t terminated;
	uint64_t unrecoverable;
};

struct faultq_device_entry {
	char     name[64];
	char     instance[64];
	uint32_t device;
	uint32_t group;
	uint32_t kinds;
	uint32_t state;
	uint32_t outstanding;
	uint32_t max_outstanding;
};

struct faultq_window_entry {
	uint64_t iova;
	uint64_t length;
	uint32_t id;
	uint32_t type;
	uint32_t prot;
	uint32_t groups;
	uint32_t used;
	uint32_t reserved;
};

struct faultq_range_entry {
	uint64_t first;
	uint64_t last;
};

struct faultq_mapping_entry {
	uint64_t iova;
	uint64_t length;
	uint64_t user_address;
	uint32_t flags;
	uint32_t reserved;
};

struct faultq_doorbell_entry {
	uint64_t iova;
	uint32_t window;
	uint32_t users;
};

struct faultq_restore {
	uint32_t size;
	uint32_t flags;
	uint64_t id;
	uint64_t restored;
	uint64_t revoked;
	uint32_t written;
	uint32_t reserved;
};

int faultq_vm_stats(struct faultq *fq, uint32_t vm, uint32_t device,
		    struct faultq_vm_stats *stats);
int faultq_limits(struct faultq *fq, uint32_t device, struct faultq_limits *limits);
int faultq_set_limits(struct faultq *fq, const struct faultq_limits *limits);
int faultq_share(struct faultq *fq, const char *instance, struct faultq_share *share);
int faultq_set_share(struct faultq *fq, const struct faultq_share *share);
int faultq_pending(struct faultq *fq, struct faultq_record *records, uint32_t *count,
		   uint32_t *position);
int faultq_instances(struct faultq *fq, struct faultq_share *entries, uint32_t *count);
int faultq_vms(struct faultq *fq, struct faultq_vm_entry *entries, uint32_t *count);
int faultq_devices(struct faultq *fq, uint32_t vm, struct faultq_device_entry *entries,
		   uint32_t *count);
int faultq_windows(struct faultq *fq, uint32_t vm, struct faultq_window_entry *entries,
		   uint32_t *count);
int faultq_iova_ranges(struct faultq *fq, uint32_t vm, struct faultq_range_entry *entries,
		       uint32_t *count);
int faultq_mappings(struct faultq *fq, uint32_t vm, struct faultq_mapping_entry *entries,
		    uint32_t *count);
int faultq_doorbells(struct faultq *fq, uint32_t vm, struct faultq_doorbell_entry *entries,
		     uint32_t *count);
int faultq_mmio_restore(struct faultq *fq, uint64_t id, struct faultq_restore *restore);
int faultq_window_add(struct faultq *fq, uint64_t iova, uint64_t length, uint32_t type,
		      uint32_t prot, uint32_t *id);

#define FAULTQ_MAP_READ		(1U << 0)
#define FAULTQ_WINDOW_RESERVED	1

#endif /* TESTS_OLDEST_FAULTQ_H */
