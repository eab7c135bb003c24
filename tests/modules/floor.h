/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/floor: the least that anything can cost that takes page requests from the kernel and gives
 * answers, for benchmarks. See floor.c.
 */
#ifndef TESTS_FLOOR_H
#define TESTS_FLOOR_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define FLOOR_NAME_SIZE	64
#define FLOOR_HELD	8192

/**
 * struct floor_hook - whose page requests to take, see FLOOR_HOOK
 * @name: a platform device
 * @hold: 1: keep its groups until FLOOR_ANSWER; 0: let them go on to who took them before, and see
 *	what that takes, by the time stamp counter
 */
struct floor_hook {
	char name[FLOOR_NAME_SIZE];
	__u32 hold;
};

/**
 * struct floor_entry - an answer, as large as struct faultq_answer
 * @index: which of the groups that are held, in the order they came, from 0
 * @code: as the kernel has it
 * @result: is set: 0, or -1 when it names none
 */
struct floor_entry {
	__u64 index;
	__u32 code;
	__s32 result;
};

/**
 * struct floor_answer - answer groups, as large as struct faultq_respond
 * @size: of this structure
 * @count: of @entries
 * @entries: pointer to struct floor_entry
 * @done: is set: how many were looked at
 */
struct floor_answer {
	__u32 size;
	__u32 count;
	__u64 entries;
	__u32 done;
	__u32 reserved[3];
};

/**
 * struct floor_last - what the last group took, by the time stamp counter
 * @handler: from the call of the handler to its return
 * @driver: the same of the IOMMU driver's function for answers
 */
struct floor_last {
	__u64 handler;
	__u64 driver;
};

#define FLOOR_HOOK	_IO('F', 1)	/* struct floor_hook; undone when the file is closed */
#define FLOOR_ANSWER	_IO('F', 2)	/* struct floor_answer */
#define FLOOR_RESET	_IO('F', 3)	/* the next group that is held is number 0 */
#define FLOOR_LAST	_IO('F', 4)	/* struct floor_last; unless groups are held */

#endif
