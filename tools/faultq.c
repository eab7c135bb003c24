// SPDX-License-Identifier: GPL-2.0-only
/*
 * The faultq command: finds the subcommand and leaves the rest of the command
 * line to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

const char *argp_program_version = "faultq " FAULTQ_VERSION;

struct command {
	const char *name;
	const char *title;	/* how its help calls it */
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{ "info", "faultq info", cmd_info },
	{ "stats", "faultq stats", cmd_stats },
	{ "top", "faultq top", cmd_top },
	{ "limits", "faultq limits", cmd_limits },
	{ "show", "faultq show", cmd_show },
	{ "monitor", "faultq monitor", cmd_monitor },
	{ "pager", "faultq pager", cmd_pager },
	{ "held", "faultq held", cmd_held },
	{ "release", "faultq release", cmd_release },
	{ }
};

static const char doc[] =
	"See and serve the IOMMU faults of devices through /dev/faultq.\n"
	"\n"
	"Commands:\n"
	"  info      what this kernel and the module can do\n"
	"  monitor   attach devices and print every fault\n"
	"  pager     attach devices and give them memory when they ask for it\n"
	"  stats     counters of the VMs that are running, and held devices\n"
	"  top       VMs, devices and IOMMU instances, live\n"
	"  limits    what VMs share of IOMMU instances\n"
	"  show      the address space of VMs\n"
	"  held      list devices that could not be given back safely\n"
	"  release   let a held device go\n"
	"\v"
	"'faultq COMMAND --help' explains a command, faultq-COMMAND(1) all of it.\n"
	"\n"
	"Exit status: 0 success, 1 failure, 2 wrong command line, 3 there is no "
	"/dev/faultq (the module iommu_faultq is not loaded).";

/* The first argument is the command; the options behind it are its own. */
static error_t parse(int key, char *arg, struct argp_state *state)
{
	char ***rest = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_ARG:
		*rest = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct command *find(const char *name)
{
	const struct command *command;

	for (command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = doc,
	};
	const struct command *command;
	char **rest = NULL;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &rest);
	command = find(rest[0]);
	if (!command) {
		fprintf(stderr, "faultq: no command '%s', see 'faultq --help'\n", rest[0]);
		return EXIT_USAGE;
	}
	rest[0] = (char *)command->title;
	program_invocation_name = rest[0];
	return command->run(argv + argc - rest, rest);
}
