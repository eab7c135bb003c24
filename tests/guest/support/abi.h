/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The raw interface of /dev/faultq, for tests whose point is what goes in and comes out
 * of it: the ioctls as a table with a good sample of each, the ring without a library,
 * memory that the kernel cannot use. The functions assert; they belong to the thread that
 * runs the test. Programs that only use the interface take libfaultq.
 */
#ifndef TESTS_SUPPORT_ABI_H
#define TESTS_SUPPORT_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/faultq.h>

#define ABI_PAGE 4096UL
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/**
 * struct abi_call - one ioctl
 * @name: for people
 * @command: its number
 * @size: of its structure
 * @first_size: as it was published first, or 0: the same
 * @known_flags: those that a new VM takes or refuses for a reason of their own
 * @reserved: offset of the reserved member that must be 0, or 0: none
 * @out: where the members that are only written begin, and where they end
 * @result: of the sample in a new VM: 0 or a negative errno
 * @when_stopped: goes on working when the queue was stopped
 * @sample: fills in a good argument
 */
struct abi_call {
	const char *name;
	unsigned int command;
	unsigned int size;
	unsigned int first_size;
	uint32_t known_flags;
	unsigned int reserved;
	unsigned int out[2];
	int result;
	bool when_stopped;
	void (*sample)(void *argument);
};

/* All of them, and one without a name at the end. */
extern const struct abi_call abi_calls[];

/* An argument of any call, with room behind it. */
union abi_argument {
	uint32_t head[2]; /* size, flags */
	uint8_t bytes[2 * ABI_PAGE];
};

/* A ring, mapped by hand. */
struct abi_ring {
	struct faultq_queue layout;
	const struct faultq_ring_header *header;
	struct faultq_ring_consumer *consumer;
	const struct faultq_record *records;
};

/* A mock device that a VM owns. */
struct abi_device {
	char instance[16];
	char name[16];
	int mock; /* file of /dev/mock-iommu */
	uint32_t id;
};

int abi_open(void);
int abi_ioctl(int vm, unsigned long command, void *argument);
int abi_result(int ret);
struct faultq_stats abi_stats(int vm, uint32_t device);
void abi_assert_same_stats(int vm, const struct faultq_stats *before);

int abi_queue(int vm, uint32_t slots, uint32_t entries, int eventfd, uint32_t flags,
	      struct faultq_queue *queue);
void abi_ring_open(struct abi_ring *ring, int vm, uint32_t slots, uint32_t entries);
void abi_ring_open_eventfd(struct abi_ring *ring, int vm, uint32_t slots, uint32_t entries,
			   int eventfd);
void abi_ring_close(struct abi_ring *ring);
uint32_t abi_producer(const struct abi_ring *ring);
void abi_set_consumer(struct abi_ring *ring, uint32_t index);

void abi_device_make(struct abi_device *device, const char *instance, const char *name);
int abi_device_attach(struct abi_device *device, int vm);
void abi_device_destroy(struct abi_device *device);
void abi_request(const struct abi_device *device, uint32_t group, uint64_t address, uint32_t count);
void abi_expect_answer(const struct abi_device *device, uint32_t group, uint32_t code);

void *abi_memory(unsigned int pages, int prot);
void *abi_hole_after(unsigned int pages);

#endif
