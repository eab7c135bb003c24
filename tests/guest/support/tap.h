/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every C test program uses of cmocka and TAP. A program has one group of tests and ends with
 *
 *	return tap_run_group(tests, NULL, NULL);
 *
 * so that each test of the group is one line of TAP on standard output.
 */
#ifndef TESTS_SUPPORT_TAP_H
#define TESTS_SUPPORT_TAP_H

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/**
 * tap_run_group() - run a group of tests with TAP output
 * @tests: array of struct CMUnitTest
 * @setup: fixture before the group, or NULL
 * @teardown: fixture after the group, or NULL
 *
 * Return: what main() returns; not 0 if a test failed.
 */
#define tap_run_group(tests, setup, teardown) \
	(tap_begin(), cmocka_run_group_tests(tests, setup, teardown) != 0)

void tap_begin(void);
int tap_skip_group(const struct CMUnitTest *tests, size_t count, const char *reason);
unsigned int test_seed(void);
unsigned long scaled(unsigned long quick, unsigned long soak);
void skip_because(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
