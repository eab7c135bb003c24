/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shares of mock IOMMU instances. They stay set until the module goes, and tests follow on each
 * other: a test sets the share of an instance of its own; who changes the defaults gets them set
 * back when the program ends.
 */
#ifndef TESTS_SUPPORT_QUOTA_H
#define TESTS_SUPPORT_QUOTA_H

#include <faultq.h>
#include <stdint.h>

/* The defaults of the module. */
#define SHARE_DEPTH	256u
#define SHARE_POOL	128u
#define SHARE_GUARANTEE	8u

struct faultq_share share_of(const char *instance);
int share_try(const char *instance, uint32_t depth, uint32_t pool, uint32_t guarantee);
void share_set(const char *instance, uint32_t depth, uint32_t pool, uint32_t guarantee);
void shares_lift(uint32_t each);

#endif
