/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The subcommands of faultq, each in the file of its name, and what they all
 * promise: the exit status, and a message on standard error for every failure.
 */
#ifndef FAULTQ_COMMAND_H
#define FAULTQ_COMMAND_H

#include <argp.h>

/* 0 is success and 1 any failure that has no status of its own. */
enum {
	EXIT_USAGE	= 2,	/* the command line is wrong */
	EXIT_NO_MODULE	= 3,	/* there is no /dev/faultq */
};

int cmd_held(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_limits(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_pager(int argc, char **argv);
int cmd_release(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_top(int argc, char **argv);

#endif /* FAULTQ_COMMAND_H */
