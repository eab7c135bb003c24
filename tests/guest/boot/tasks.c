// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where programs hang: a line to the host for each of their threads, with its name, its state and
 * the kernel function in which it waits. Nothing is kept.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "tasks.h"

/* Returns "" for what cannot be read. */
static const char *read_word(const char *directory, const char *name, char *text, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (!file || !fgets(text, size, file))
		text[0] = '\0';
	if (file)
		fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* A kernel thread has no memory of its own, and so nothing here. */
static int is_kernel_thread(const char *task)
{
	char statm[64];

	return !strncmp(read_word(task, "statm", statm, sizeof(statm)), "0 ", 2);
}

static void report_task(const char *task)
{
	char comm[32], wchan[64], syscall[128], stat[256], *state;

	read_word(task, "stat", stat, sizeof(stat));
	state = strrchr(stat, ')');
	read_word(task, "comm", comm, sizeof(comm));
	read_word(task, "wchan", wchan, sizeof(wchan));
	read_word(task, "syscall", syscall, sizeof(syscall));
	report("error %s (%s): state %c, waits in %s, system call %s", comm, task,
	       state && state[1] ? state[2] : '?', wchan, syscall);
}

/**
 * report_tasks() - report all threads of all programs but this one
 */
void report_tasks(void)
{
	glob_t tasks;

	if (glob("/proc/[0-9]*/task/[0-9]*", 0, NULL, &tasks))
		return;
	for (size_t i = 0; i < tasks.gl_pathc; i++) {
		const char *task = tasks.gl_pathv[i];

		if (strncmp(task, "/proc/1/", 8) && !is_kernel_thread(task))
			report_task(task);
	}
	globfree(&tasks);
}
