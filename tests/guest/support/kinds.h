/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the running kernel can deliver, by GET_INFO. A test says at its beginning what it
 * needs, and is skipped where the kernel has no such thing.
 */
#ifndef TESTS_SUPPORT_KINDS_H
#define TESTS_SUPPORT_KINDS_H

#include <linux/faultq.h>
#include <stdbool.h>
#include <stdint.h>

#include "tap.h"

#define NO_PAGE_REQUESTS	"this kernel was built without page requests"

/**
 * tap_run_request_group() - tap_run_group() for tests that all need page requests
 * @tests: array of struct CMUnitTest
 * @setup: fixture before the group, or NULL
 * @teardown: fixture after the group, or NULL
 *
 * Return: what main() returns; not 0 if a test failed.
 */
#define tap_run_request_group(tests, setup, teardown) \
({ \
	__auto_type group_ = &(tests); \
	\
	kernel_delivers(FAULTQ_KIND_PAGE_REQUEST) ? tap_run_group(*group_, setup, teardown) : \
		tap_skip_group(*group_, sizeof(*group_) / sizeof((*group_)[0]), NO_PAGE_REQUESTS); \
})

bool kernel_delivers(uint32_t kind);
void needs_page_requests(void);
void needs_pasid_requests(void);
void needs_device_faults(void);
void needs_open_groups(void);
uint32_t fault_way(void);

#endif
