/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where programs hang; see tasks.c.
 */
#ifndef TESTS_BOOT_TASKS_H
#define TESTS_BOOT_TASKS_H

void report_tasks(void);

#endif
