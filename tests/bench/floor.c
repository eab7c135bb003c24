// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floor under what a page request costs; see floor.h.
 */
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../modules/floor.h"
#include "floor.h"
#include "support/module.h"

/* A call of the same kind has the same copies. */
static_assert(sizeof(struct floor_answer) == sizeof(struct faultq_respond), "");
static_assert(sizeof(struct floor_entry) == sizeof(struct faultq_answer), "");

/**
 * floor_load() - load the module
 */
void floor_load(void)
{
	must(!module_load("floor"));
}

/**
 * floor_unload() - remove the module
 */
void floor_unload(void)
{
	must(!module_unload("floor"));
}

/**
 * floor_hook() - take the page requests of a device, which is attached
 * @device: the device; nothing of it is outstanding
 * @hold: keep its groups for floor_answer(); or only see what they take
 *
 * Return: a file that stands for it.
 */
int floor_hook(const struct device *device, bool hold)
{
	struct floor_hook hook = { .hold = hold };
	int fd = open("/dev/floor", O_RDWR | O_CLOEXEC);

	must(fd >= 0);
	strncpy(hook.name, strchr(device->platform, '/') + 1, sizeof(hook.name) - 1);
	must(!ioctl(fd, FLOOR_HOOK, &hook));
	return fd;
}

/**
 * floor_unhook() - give them back; nothing of the device is outstanding
 * @fd: from floor_hook()
 */
void floor_unhook(int fd)
{
	close(fd);
}

/**
 * floor_reset() - count from 0 again
 * @fd: from floor_hook()
 */
void floor_reset(int fd)
{
	must(!ioctl(fd, FLOOR_RESET));
}

/**
 * floor_answer() - answer a group
 * @fd: from floor_hook()
 * @index: the how manieth it was, from 0
 */
void floor_answer(int fd, uint64_t index)
{
	struct floor_entry entry = { .index = index, .code = FAULTQ_SUCCESS };
	struct floor_answer answer = {
		.size = sizeof(answer), .count = 1, .entries = (uintptr_t)&entry,
	};

	must(!ioctl(fd, FLOOR_ANSWER, &answer) && !entry.result);
}

/**
 * floor_last() - what the last group took
 * @fd: from floor_hook(), without @hold
 * @handler: is set: instructions of the handler
 * @driver: the same of the mock's function for answers
 */
void floor_last(int fd, uint64_t *handler, uint64_t *driver)
{
	struct floor_last last;

	must(!ioctl(fd, FLOOR_LAST, &last));
	*handler = last.handler;
	*driver = last.driver;
}
