// SPDX-License-Identifier: GPL-2.0-only
/*
 * What init writes into the kernel's log: marks, at which scripts/guest-run cuts it, and the
 * leaks that kmemleak finds. It keeps no state.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel_log.h"
#include "machine.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
/* kmemleak does not report what is younger than five seconds. */
#define KMEMLEAK_AGE	6000000

/**
 * log_mark() - mark a place in the kernel's log
 * @program: name of the program that runs
 * @what: it does there
 *
 * As a warning (4), which is seen whatever the console's log level.
 */
void log_mark(const char *program, const char *what)
{
	char line[128];

	snprintf(line, sizeof(line), "<4>faultq-test: %s %s\n", program, what);
	if (write_text("/dev/kmsg", line))
		perror("init: /dev/kmsg");
}

static void copy_to_kernel_log(const char *path)
{
	FILE *from = fopen(path, "re"), *to = fopen("/dev/kmsg", "we");
	char line[512];

	while (from && to && fgets(line, sizeof(line), from)) {
		fputs(line, to);
		fflush(to);
	}
	if (from)
		fclose(from);
	if (to)
		fclose(to);
}

static long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/**
 * look_for_leaks() - let kmemleak search, where the kernel has it, and log what it finds
 *
 * A leak is what two scans find unchanged and without a reference, and old enough at the second.
 * That is done after each program and not once for all of a guest: a later program would write
 * over the stale pointers that hide a leak, or be taken for the culprit, and the modules that the
 * report names would have been loaded anew. The pause costs time, but hardly any of the CPU's.
 */
void look_for_leaks(void)
{
	long rest = microseconds() + KMEMLEAK_AGE;

	if (access(KMEMLEAK, W_OK))
		return;
	write_text(KMEMLEAK, "scan");
	rest -= microseconds();
	if (rest > 0)
		usleep(rest);
	write_text(KMEMLEAK, "scan");
	copy_to_kernel_log(KMEMLEAK);
}
