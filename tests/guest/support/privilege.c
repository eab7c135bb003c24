// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doing something without a capability; see privilege.h.
 */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "privilege.h"

static void drop_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	must(!syscall(SYS_capget, &header, data));
	data[capability / 32].effective &= ~(1U << capability % 32);
	must(!syscall(SYS_capset, &header, data));
}

/**
 * without_capability() - do something without a capability
 * @capability: CAP_*
 * @what: what to do, in a child process; returns 0 or a negative errno
 * @argument: for @what
 *
 * Return: what @what returned.
 */
int without_capability(unsigned int capability, int (*what)(void *argument), void *argument)
{
	pid_t child = fork();
	int status;

	if (!child) {
		drop_capability(capability);
		_exit(-what(argument));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}
