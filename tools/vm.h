/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM as the subcommands use it: opened or inherited, its devices by name, and
 * a loop that serves its queue until a signal comes. Functions that fail print
 * why and exit.
 */
#ifndef FAULTQ_VM_H
#define FAULTQ_VM_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "faultq.h"

/* Options that make a VM, common to the commands that serve one. */
struct vm_options {
	int fd;			/* inherited, or -1 */
	int ready_fd;		/* told when all is attached, or -1 */
	uint32_t slots;
	uint32_t entries;
	char **devices;		/* names */
	unsigned int count;
	char **addresses;	/* of devices that VFIO hands out */
	unsigned int addressed;
	bool quiet;		/* do not say what was attached */
};

/* argp parser of these options, to be used as a child; input: vm_options. */
extern const struct argp vm_argp;

struct vm {
	struct faultq *fq;
	struct faultq_vfio *vfio;	/* of each address */
	unsigned int addressed;
	bool taken_over;	/* the queue was there */
	int stop_fd;		/* readable when SIGINT or SIGTERM came */
	struct faultq_attach *attached;
	unsigned int count;
};

/* What serve() calls for each group or single record; true ends it. */
typedef bool (*vm_handler)(void *context, const struct faultq_record *records, int count);

/* Open /dev/faultq, or use @fd when it is not -1. */
struct faultq *vm_open(int fd);

/*
 * Open, create the queue, or take over the one that an inherited VM has, and attach the
 * devices, saying so, then tell ready_fd.
 */
void vm_start(struct vm *vm, const struct vm_options *options);

/* Name of an attached device, or NULL. */
const char *vm_device_name(const struct vm *vm, uint32_t id);

/*
 * Give everything that arrives to @handler, until it says so or a signal comes; first
 * the groups that wait for an answer, when the queue was taken over.
 */
void vm_serve(struct vm *vm, vm_handler handler, void *context);

void vm_stop(struct vm *vm);

/* What the parser of the options allocated. */
void vm_options_free(struct vm_options *options);

#endif /* FAULTQ_VM_H */
