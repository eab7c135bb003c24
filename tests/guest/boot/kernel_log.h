/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What init writes into the kernel's log; see kernel_log.c.
 */
#ifndef TESTS_BOOT_KERNEL_LOG_H
#define TESTS_BOOT_KERNEL_LOG_H

void log_mark(const char *program, const char *what);
void look_for_leaks(void);

#endif
