/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory cgroups of a test, where the kernel has them.
 */
#ifndef TESTS_SUPPORT_CGROUP_H
#define TESTS_SUPPORT_CGROUP_H

#include <stdbool.h>

bool cgroup_make(const char *name);
bool cgroup_limit(const char *name, unsigned long bytes);
bool cgroup_enter(const char *name);
unsigned long cgroup_charged(const char *name);
bool cgroup_remove(const char *name);

#endif
