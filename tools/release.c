// SPDX-License-Identifier: GPL-2.0-only
/* faultq release: let a held device and its IOMMU group go. */
#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "vm.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **name = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (*name)
			argp_usage(state);
		*name = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_release(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "DEVICE",
		.doc = "Let the held DEVICE and its whole IOMMU group go, without a reset: the "
		       "kernel's default domain comes back, which may let it reach all memory, "
		       "and what a VM programmed it to do is still in it. 'faultq held' lists "
		       "the names. Needs CAP_SYS_ADMIN.",
	};
	const char *name = NULL;
	struct faultq *fq;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &name);
	fq = vm_open(-1);
	ret = faultq_release(fq, name);
	if (ret == -ENOENT)
		error(EXIT_FAILURE, 0, "no held device is called %s, see 'faultq held'", name);
	if (ret)
		error(EXIT_FAILURE, -ret, "cannot release %s", name);
	printf("%s: released\n", name);
	faultq_close(fq);
	return 0;
}
