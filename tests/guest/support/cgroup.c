// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory cgroups; see cgroup.h. The functions may be called by any thread and process.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "fault.h"

#define ROOT "/sys/fs/cgroup"

static bool write_to(const char *name, const char *attribute, const char *text)
{
	char path[128];
	bool written;
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s/%s", name, attribute);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

static void path_of(const char *name, char path[128])
{
	snprintf(path, 128, ROOT "/%s", name);
}

/**
 * cgroup_make() - make a memory cgroup
 * @name: of it
 *
 * Return: false when the kernel has no memory cgroups.
 */
bool cgroup_make(const char *name)
{
	char path[128];

	path_of(name, path);
	return write_to(".", "cgroup.subtree_control", "+memory") && !mkdir(path, 0755);
}

/**
 * cgroup_limit() - limit the memory of a cgroup
 * @name: of it
 * @bytes: at most
 *
 * Return: whether it worked.
 */
bool cgroup_limit(const char *name, unsigned long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", bytes);
	return write_to(name, "memory.max", text);
}

/**
 * cgroup_enter() - move the calling process there
 * @name: of the cgroup, "." for that of all
 *
 * Return: whether it worked.
 */
bool cgroup_enter(const char *name)
{
	return write_to(name, "cgroup.procs", "0");
}

/**
 * cgroup_charged() - what a cgroup is charged
 * @name: of it
 *
 * Return: bytes.
 */
unsigned long cgroup_charged(const char *name)
{
	unsigned long bytes = 0;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), ROOT "/%s/memory.current", name);
	file = fopen(path, "re");
	must(file && fscanf(file, "%lu", &bytes) == 1);
	fclose(file);
	return bytes;
}

/**
 * cgroup_remove() - remove a cgroup without processes
 * @name: of it
 *
 * Return: whether it worked.
 */
bool cgroup_remove(const char *name)
{
	char path[128];

	path_of(name, path);
	return !rmdir(path);
}
