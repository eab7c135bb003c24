// SPDX-License-Identifier: GPL-2.0-only
/*
 * TAP output of the test programs: cmocka prints it, this file sets it up, scales counts and gives
 * skips a reason. It keeps no state of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tap.h"

/**
 * tap_begin() - make cmocka print TAP, each line when it is complete
 *
 * What a crash or a panic interrupts must have been seen up to there.
 */
void tap_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
}

/**
 * test_seed() - the seed of a test that chooses at random
 *
 * Return: that of the kernel command line, faultq.seed=N, to repeat a run; else a new one.
 */
unsigned int test_seed(void)
{
	char line[4096] = "", *given;
	FILE *file = fopen("/proc/cmdline", "re");
	unsigned int chosen;

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	given = strstr(line, "faultq.seed=");
	if (given)
		return strtoul(strchr(given, '=') + 1, NULL, 0);
	return getrandom(&chosen, sizeof(chosen), 0) == sizeof(chosen) ? chosen : 1;
}

/**
 * scaled() - how often to do something in this run
 * @quick: the count of an everyday run
 * @soak: the full count
 *
 * Return: @soak if FAULTQ_SCALE says so, else @quick.
 */
unsigned long scaled(unsigned long quick, unsigned long soak)
{
	const char *scale = getenv("FAULTQ_SCALE");

	return scale && !strcmp(scale, "soak") ? soak : quick;
}

/**
 * skip_because() - end the running test as skipped
 * @format: the reason, shown in the summary of the run
 *
 * cmocka's TAP has no place for a reason: it goes into a comment before, and scripts/tap-collect
 * puts the two together.
 */
void skip_because(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("# SKIP ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	skip();
	abort(); /* not reached: skip() leaves the test */
}

/**
 * tap_skip_group() - report a whole group of tests as skipped
 * @tests: the group
 * @count: of @tests
 * @reason: shown in the summary of the run
 *
 * The lines are as cmocka's and skip_because()'s.
 *
 * Return: what main() returns.
 */
int tap_skip_group(const struct CMUnitTest *tests, size_t count, const char *reason)
{
	tap_begin();
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++)
		printf("# SKIP %s\nnot ok %zu # SKIP %s\n", reason, i + 1, tests[i].name);
	return 0;
}
