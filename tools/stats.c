// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultq stats: counters of VMs. The kernel tells them to whoever has the VM's
 * file, so the files are taken from the processes that have them.
 */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "held.h"
#include "number.h"
#include "print.h"
#include "processes.h"
#include "vm.h"

enum {
	OPTION_FD = 256,
	OPTION_PID = 'p',
	OPTION_DEVICE = 'd',
	OPTION_JSON = 'j',
};

static const struct argp_option options[] = {
	{ "fd", OPTION_FD, "N", 0, "The VM of the inherited descriptor N", 0 },
	{ "pid", OPTION_PID, "PID", 0, "The VMs of process PID", 0 },
	{ "device", OPTION_DEVICE, "ID", 0,
	  "Counters of the device with this id instead of the VM's; with --fd or --pid", 0 },
	{ "json", OPTION_JSON, NULL, 0, "Print one JSON object", 0 },
	{ }
};

struct request {
	int fd;
	pid_t pid;
	uint32_t device;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case OPTION_FD:
		request->fd = parse_number(arg, INT32_MAX, state);
		return 0;
	case OPTION_PID:
		request->pid = parse_number(arg, INT32_MAX, state);
		return 0;
	case OPTION_DEVICE:
		request->device = parse_number(arg, UINT32_MAX, state);
		return 0;
	case OPTION_JSON:
		request->json = true;
		return 0;
	case ARGP_KEY_END:
		if (request->fd >= 0 && request->pid)
			argp_error(state, "--fd and --pid exclude each other");
		if (request->device && request->fd < 0 && !request->pid)
			argp_error(state, "--device needs --fd or --pid");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

struct counter {
	const char *key;	/* in JSON: the name in struct faultq_stats */
	const char *text;
	size_t offset;
};

#define COUNTER(member, text)	{ #member, text, offsetof(struct faultq_stats, member) }

static const struct counter counters[] = {
	COUNTER(page_requests, "page requests"),
	COUNTER(groups, "groups queued"),
	COUNTER(answered_success, "answered success"),
	COUNTER(answered_invalid, "answered invalid"),
	COUNTER(answered_failure, "answered failure"),
	COUNTER(stale_answers, "stale answers"),
	COUNTER(terminated_no_queue, "terminated: no queue"),
	COUNTER(terminated_no_slot, "terminated: no slot free"),
	COUNTER(terminated_no_room, "terminated: ring full"),
	COUNTER(terminated_too_long, "terminated: group too long"),
	COUNTER(terminated_detached, "terminated: device detached"),
	COUNTER(terminated_stopped, "terminated: queue stopped"),
	COUNTER(partial_dropped, "requests of unfinished groups"),
	COUNTER(unrecoverable, "unrecoverable faults queued"),
	COUNTER(lost, "unrecoverable faults lost"),
	COUNTER(mapped_bytes, "bytes mapped"),
	COUNTER(pinned_pages, "pages pinned"),
	{ }
};

static __u64 value_of(const struct counter *counter, const struct faultq_stats *stats)
{
	return *(const __u64 *)((const char *)stats + counter->offset);
}

static void print_line(const char *text, __u64 value)
{
	printf("  %-30s %llu\n", text, value);
}

static void print_counters(const struct faultq_stats *stats)
{
	const struct counter *counter;

	print_line("devices attached", stats->devices);
	print_line("slots", stats->slots);
	print_line("groups waiting for an answer", stats->outstanding);
	for (counter = counters; counter->key; counter++)
		print_line(counter->text, value_of(counter, stats));
}

static void add_number(struct json_object *object, const char *key, __u64 value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_counters(struct json_object *object, const struct faultq_stats *stats)
{
	const struct counter *counter;

	add_number(object, "devices", stats->devices);
	add_number(object, "slots", stats->slots);
	add_number(object, "outstanding", stats->outstanding);
	for (counter = counters; counter->key; counter++)
		add_number(object, counter->key, value_of(counter, stats));
}

/* Closes @fd. */
static void get_stats(int fd, uint32_t device, struct faultq_stats *stats)
{
	struct faultq *fq = vm_open(fd);
	int ret = faultq_stats(fq, device, stats);

	if (ret == -ENOENT)
		error(EXIT_FAILURE, 0, "the VM has no device %u", device);
	if (ret)
		error(EXIT_FAILURE, -ret, "cannot get the counters");
	faultq_close(fq);
}

static void report_fd(const struct request *request)
{
	struct faultq_stats stats;
	struct json_object *object;

	get_stats(request->fd, request->device, &stats);
	if (!request->json) {
		printf("VM of descriptor %d\n", request->fd);
		print_counters(&stats);
		return;
	}
	object = json_object_new_object();
	add_counters(object, &stats);
	print_json(object);
}

static void print_file(const struct vm_file *file, const struct faultq_stats *stats)
{
	printf("VM of process %d (%s), descriptor %d\n", file->pid, file->command, file->number);
	print_counters(stats);
}

static struct json_object *file_json(const struct vm_file *file, const struct faultq_stats *stats)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "pid", json_object_new_int(file->pid));
	json_object_object_add(object, "command", json_object_new_string(file->command));
	json_object_object_add(object, "descriptor", json_object_new_int(file->number));
	add_counters(object, stats);
	return object;
}

/* The VMs of @found as text, or, with @array, into that. */
static void report_files(const struct vm_files *found, uint32_t device,
			 struct json_object *array)
{
	struct faultq_stats stats;
	size_t i;

	for (i = 0; i < found->count; i++) {
		get_stats(dup(found->files[i].fd), device, &stats);
		if (array)
			json_object_array_add(array, file_json(&found->files[i], &stats));
		else
			print_file(&found->files[i], &stats);
	}
	if (!array && !found->count)
		puts("no VMs");
	if (found->incomplete)
		error(0, 0, "there may be more VMs: not all processes could be looked at");
}

static int get_held(struct faultq_held_entry **entries, uint32_t *count)
{
	struct faultq *fq;
	int ret = faultq_open(&fq);

	*entries = NULL;
	if (ret)
		return ret;
	ret = held_list(fq, entries, count);
	faultq_close(fq);
	return ret;
}

/* Held devices belong to no VM any more. Only an administrator sees them. */
static void report_held(struct json_object *object)
{
	struct faultq_held_entry *entries;
	uint32_t count;
	int ret = get_held(&entries, &count);

	if (ret)
		error(0, -ret, "cannot list held devices");
	else if (object)
		json_object_object_add(object, "held", held_json(entries, count));
	else
		held_print(entries, count);
	free(entries);
}

static void report_processes(const struct request *request)
{
	struct json_object *object = NULL;
	struct json_object *vms = NULL;
	struct vm_files found;

	vm_files_find(&found, request->pid);
	if (request->json) {
		object = json_object_new_object();
		vms = json_object_new_array();
		json_object_object_add(object, "vms", vms);
	}
	report_files(&found, request->device, vms);
	vm_files_close(&found);
	if (!request->pid)
		report_held(object);
	if (object)
		print_json(object);
}

int cmd_stats(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Print the counters of every VM that is open in some process, and the "
		       "devices that are held. Other users' processes need the rights of an "
		       "administrator.",
	};
	struct request request = { .fd = -1 };

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	if (request.fd >= 0)
		report_fd(&request);
	else
		report_processes(&request);
	return 0;
}
