/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMs that are running: files of /dev/faultq among the descriptors of
 * processes. A VM that lives only in a mapping of its ring, or in a message on a
 * socket, is not found.
 */
#ifndef FAULTQ_PROCESSES_H
#define FAULTQ_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define COMMAND_SIZE	17

struct vm_file {
	pid_t pid;
	int number;		/* of the descriptor, in that process */
	char command[COMMAND_SIZE];
	int fd;			/* our duplicate */
};

struct vm_files {
	struct vm_file *files;
	size_t count;
	bool incomplete;	/* some processes could not be looked at */
};

/* Every VM once, of process @pid, or of all when it is 0. Exits on failure. */
void vm_files_find(struct vm_files *found, pid_t pid);
void vm_files_close(struct vm_files *found);

#endif /* FAULTQ_PROCESSES_H */
