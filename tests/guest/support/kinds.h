/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the running kernel can deliver, by GET_INFO. A test says at its beginning what it
 * needs, and is skipped where the kernel has no such thing.
 */
#ifndef TESTS_SUPPORT_KINDS_H
#define TESTS_SUPPORT_KINDS_H

#include <stdbool.h>
#include <stdint.h>

bool kernel_delivers(uint32_t kind);
void needs_pasid_requests(void);
void needs_device_faults(void);
void needs_open_groups(void);
uint32_t fault_way(void);

#endif
