/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Doing something without a capability, in a child process.
 */
#ifndef TESTS_SUPPORT_PRIVILEGE_H
#define TESTS_SUPPORT_PRIVILEGE_H

int without_capability(unsigned int capability, int (*what)(void *argument), void *argument);

#endif
