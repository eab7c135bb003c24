// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM from its options to its end. One thread, which is the queue's consumer.
 * Signals arrive through a signalfd, so that none is missed between a look at the
 * queue and the sleep.
 */
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "command.h"
#include "lists.h"
#include "number.h"
#include "vm.h"

/* Groups and records between two looks for a signal. */
#define STOP_CHECK	64
/* Listed at a time; no less than the longest group has. */
#define PENDING_RECORDS	256

enum {
	OPTION_FD = 256,
	OPTION_READY_FD,
	OPTION_VFIO,
	OPTION_SLOTS,
	OPTION_ENTRIES,
};

static const struct argp_option option_table[] = {
	{ "fd", OPTION_FD, "N", 0,
	  "Serve the VM of the inherited descriptor N instead of a new one; when it has a queue, "
	  "go on with that", 10 },
	{ "ready-fd", OPTION_READY_FD, "N", 0,
	  "Write the line 'ready' to descriptor N, and close it, when everything is attached",
	  10 },
	{ "vfio", OPTION_VFIO, "ADDRESS", 0,
	  "Open the PCI device at ADDRESS, which is bound to vfio-pci, through a VFIO container, and "
	  "serve the VM of that; more of them go into the same container", 10 },
	{ "slots", OPTION_SLOTS, "N", 0,
	  "How many page request groups may wait for an answer (default 256)", 10 },
	{ "entries", OPTION_ENTRIES, "N", 0,
	  "Records that the ring holds, a power of two (default 1024)", 10 },
	{ }
};

static void add_name(char ***names, unsigned int *count, char *name,
		     const struct argp_state *state)
{
	if (strlen(name) >= FAULTQ_NAME_SIZE)
		argp_error(state, "the name '%s' is too long", name);
	*names = reallocarray(*names, *count + 1, sizeof(**names));
	if (!*names)
		error(EXIT_FAILURE, ENOMEM, "devices");
	(*names)[(*count)++] = name;
}

static void check_options(const struct vm_options *vm, const struct argp_state *state)
{
	if (!vm->count && !vm->addressed && vm->fd < 0)
		argp_error(state, "name a device, or give a VM with --fd");
	if (vm->addressed && vm->fd >= 0)
		argp_error(state, "--fd and --vfio are two VMs");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct vm_options *vm = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		*vm = (struct vm_options){
			.fd = -1, .ready_fd = -1, .slots = 256, .entries = 1024,
		};
		return 0;
	case OPTION_FD:
		vm->fd = parse_number(arg, INT32_MAX, state);
		return 0;
	case OPTION_READY_FD:
		vm->ready_fd = parse_number(arg, INT32_MAX, state);
		return 0;
	case OPTION_VFIO:
		add_name(&vm->addresses, &vm->addressed, arg, state);
		return 0;
	case OPTION_SLOTS:
		vm->slots = parse_number(arg, UINT32_MAX, state);
		return 0;
	case OPTION_ENTRIES:
		vm->entries = parse_number(arg, UINT32_MAX, state);
		return 0;
	case ARGP_KEY_ARG:
		add_name(&vm->devices, &vm->count, arg, state);
		return 0;
	case ARGP_KEY_END:
		check_options(vm, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp vm_argp = { .options = option_table, .parser = parse };

struct faultq *vm_open(int fd)
{
	struct faultq *fq;
	int ret;

	if (fd >= 0) {
		ret = faultq_from_fd(&fq, fd);
		if (ret)
			error(EXIT_FAILURE, -ret, "descriptor %d is not a VM", fd);
		return fq;
	}
	ret = faultq_open(&fq);
	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		error(EXIT_NO_MODULE, 0,
		      "there is no /dev/faultq: is the module iommu_faultq loaded?");
	if (ret)
		error(EXIT_FAILURE, -ret, "/dev/faultq");
	return fq;
}

static void explain_vfio_error(const char *address, int ret)
{
	const char *hint = "";

	if (ret == -EOPNOTSUPP)
		hint = " (is the module vfio_iommu_faultq loaded?)";
	else if (ret == -ENOENT)
		hint = " (is the device bound to vfio-pci?)";
	else if (ret == -ENODEV)
		hint = " (addresses are like 0000:00:04.0, and it must be behind an IOMMU)";
	else if (ret == -EBUSY)
		hint = " (somebody else has its IOMMU group open)";
	else if (ret == -EPERM)
		hint = " (its interrupts are not isolated, or its group has another driver, too)";
	error(EXIT_FAILURE, -ret, "cannot open %s%s", address, hint);
}

/* The first makes the VM. */
static void open_vfio(struct vm *vm, const struct vm_options *options)
{
	unsigned int i;
	int ret;

	vm->vfio = calloc(options->addressed, sizeof(*vm->vfio));
	if (!vm->vfio)
		error(EXIT_FAILURE, ENOMEM, "devices");
	for (i = 0; i < options->addressed; i++) {
		const char *address = options->addresses[i];

		ret = i ? faultq_vfio_add(&vm->vfio[i], &vm->vfio[0], address) :
			  faultq_vfio_open(&vm->fq, &vm->vfio[0], address);
		if (ret)
			explain_vfio_error(address, ret);
		vm->addressed++;
	}
}

static int block_signals(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (fd < 0)
		error(EXIT_FAILURE, errno, "signalfd");
	return fd;
}

static void explain_attach_error(const char *name, int ret)
{
	const char *hint = "";

	if (ret == -EPERM)
		hint = " (attaching a device needs CAP_SYS_RAWIO)";
	else if (ret == -EBUSY)
		hint = " (it has a driver or another owner, or it is held: see faultq-held(1))";
	else if (ret == -ENODEV)
		hint = " (it is behind no IOMMU)";
	else if (ret == -EOPNOTSUPP)
		hint = " (its DMA is not coherent with the CPU's caches)";
	else if (ret == -ENOENT)
		hint = " (names are like pci/0000:00:04.0 or platform/NAME)";
	error(EXIT_FAILURE, -ret, "cannot attach %s%s", name, hint);
}

static void say_attached(const struct faultq_attach *attach)
{
	printf("%s: attached as device %u, IOMMU group %u\n", attach->name, attach->device,
	       attach->group);
	if (attach->no_page_request)
		printf("%s: no page requests: %s\n", attach->name,
		       faultq_why_text(attach->no_page_request));
	if (attach->no_unrecoverable)
		printf("%s: no unrecoverable faults: %s\n", attach->name,
		       faultq_why_text(attach->no_unrecoverable));
}

static void add_attached(struct vm *vm, const struct faultq_attach *attach)
{
	vm->attached = reallocarray(vm->attached, vm->count + 1, sizeof(*vm->attached));
	if (!vm->attached)
		error(EXIT_FAILURE, ENOMEM, "devices");
	vm->attached[vm->count++] = *attach;
}

static void attach_all(struct vm *vm, const struct vm_options *options)
{
	struct faultq_attach attach;
	unsigned int i;
	int ret;

	for (i = 0; i < options->count; i++) {
		ret = faultq_attach(vm->fq, options->devices[i], &attach);
		if (ret)
			explain_attach_error(options->devices[i], ret);
		if (!options->quiet)
			say_attached(&attach);
		add_attached(vm, &attach);
	}
}

static void know_device(struct vm *vm, const struct faultq_device_entry *entry, bool quiet)
{
	struct faultq_attach attach = { .device = entry->device, .group = entry->group };

	memcpy(attach.name, entry->name, sizeof(attach.name));
	if (!quiet)
		say_attached(&attach);
	add_attached(vm, &attach);
}

/* The devices that the VM has already. */
static void know_devices(struct vm *vm, bool quiet)
{
	struct faultq_device_entry *devices;
	uint32_t count, i;

	devices = list_devices(vm->fq, 0, &count);
	for (i = 0; i < count; i++)
		know_device(vm, &devices[i], quiet);
	free(devices);
}

static void tell_ready(int fd)
{
	if (fd < 0)
		return;
	if (dprintf(fd, "ready\n") < 0)
		error(EXIT_FAILURE, errno, "--ready-fd %d", fd);
	close(fd);
}

static void create_queue(struct vm *vm, const struct vm_options *options)
{
	int ret = faultq_queue(vm->fq, options->slots, options->entries, -1, 0);

	if (ret)
		error(EXIT_FAILURE, -ret, "cannot create a queue of %u slots and %u entries",
		      options->slots, options->entries);
}

/* False when there is none. */
static bool take_over_queue(struct vm *vm)
{
	int ret = faultq_takeover(vm->fq, -1);

	if (ret && ret != -ENXIO)
		error(EXIT_FAILURE, -ret, "cannot take over the queue");
	return !ret;
}

void vm_start(struct vm *vm, const struct vm_options *options)
{
	*vm = (struct vm){};
	setvbuf(stdout, NULL, _IOLBF, 0);
	vm->stop_fd = block_signals();
	if (options->addressed)
		open_vfio(vm, options);
	else
		vm->fq = vm_open(options->fd);
	vm->taken_over = options->fd >= 0 && take_over_queue(vm);
	if (vm->taken_over || vm->addressed)
		know_devices(vm, options->quiet || vm->taken_over);
	if (!vm->taken_over)
		create_queue(vm, options);
	attach_all(vm, options);
	tell_ready(options->ready_fd);
}

const char *vm_device_name(const struct vm *vm, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < vm->count; i++)
		if (vm->attached[i].device == id)
			return vm->attached[i].name;
	return NULL;
}

/* Sleep until something arrives; true when it is a signal. */
static bool sleep_or_stop(const struct vm *vm, int timeout)
{
	struct pollfd fds[] = {
		{ .fd = vm->stop_fd, .events = POLLIN },
		{ .fd = faultq_fd(vm->fq), .events = POLLIN },
	};

	if (poll(fds, 2, timeout) < 0 && errno != EINTR)
		error(EXIT_FAILURE, errno, "poll");
	return fds[0].revents;
}

/* Records of the group that is first; groups are listed whole. */
static uint32_t group_length(const struct faultq_record *records)
{
	uint32_t length = 1;

	while (!(records[length - 1].flags & FAULTQ_RECORD_LAST))
		length++;
	return length;
}

/* Groups that were taken off the queue by somebody who is no more, or are still in it. */
static bool serve_pending(struct vm *vm, vm_handler handler, void *context)
{
	struct faultq_record records[PENDING_RECORDS];
	uint32_t position = 0, count, at;
	bool done = false;
	int ret;

	do {
		count = PENDING_RECORDS;
		ret = faultq_pending(vm->fq, records, &count, &position);
		if (ret)
			error(EXIT_FAILURE, -ret, "cannot list what waits for an answer");
		for (at = 0; at < count && !done; at += group_length(records + at))
			done = handler(context, records + at, group_length(records + at));
	} while (position && !done);
	return done;
}

void vm_serve(struct vm *vm, vm_handler handler, void *context)
{
	bool done = vm->taken_over && serve_pending(vm, handler, context);
	const struct faultq_record *records;
	unsigned int handled = 0;
	int count;

	while (!done) {
		count = faultq_peek(vm->fq, &records);
		if (count < 0)
			error(EXIT_FAILURE, -count, "the queue");
		if (!count) {
			done = sleep_or_stop(vm, -1);
			continue;
		}
		done = handler(context, records, count);
		faultq_consume(vm->fq);
		/* A queue that never runs empty must not keep the signal out. */
		if (++handled % STOP_CHECK == 0)
			done |= sleep_or_stop(vm, 0);
	}
}

void vm_stop(struct vm *vm)
{
	unsigned int i;

	for (i = vm->addressed; i--; )
		faultq_vfio_close(&vm->vfio[i]);
	faultq_close(vm->fq);
	close(vm->stop_fd);
	free(vm->attached);
	free(vm->vfio);
}

void vm_options_free(struct vm_options *options)
{
	free(options->devices);
	free(options->addresses);
}
