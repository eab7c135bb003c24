// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and removing kernel modules; see module.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "module.h"

/**
 * module_path() - where a module of the running kernel is
 * @path: is set
 * @size: room at @path
 * @folder: below the kernel's modules, with a slash at the end
 * @name: of the module
 */
void module_path(char *path, size_t size, const char *folder, const char *name)
{
	struct utsname system;

	uname(&system);
	snprintf(path, size, "/lib/modules/%s/%s%s.ko", system.release, folder, name);
}

/**
 * module_load_from() - load a module from a file
 * @path: the file
 * @flags: MODULE_INIT_* of finit_module(2)
 *
 * Return: 0 or a negative errno.
 */
int module_load_from(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", flags) ? -errno : 0;
	close(fd);
	return ret;
}

/**
 * module_load() - load one of this package's modules
 * @name: MODULE_*
 *
 * Return: 0 or a negative errno.
 */
int module_load(const char *name)
{
	char path[128];

	module_path(path, sizeof(path), "extra/", name);
	return module_load_from(path, 0);
}

/**
 * module_unload() - remove a module that is not in use
 * @name: of the module
 *
 * Return: 0 or a negative errno, -EWOULDBLOCK when it is in use.
 */
int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}
