// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultq stats: what VMs, devices and IOMMU instances have counted, for people, for programs
 * (JSON) and for Prometheus. An administrator sees all VMs, others that of a descriptor.
 */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "counters.h"
#include "held.h"
#include "lists.h"
#include "number.h"
#include "print.h"
#include "prometheus.h"
#include "vm.h"

enum {
	OPTION_FD = 256,
	OPTION_VM,
	OPTION_PROMETHEUS,
	OPTION_PID = 'p',
	OPTION_DEVICE = 'd',
	OPTION_JSON = 'j',
};

static const struct argp_option options[] = {
	{ "fd", OPTION_FD, "N", 0, "The VM of the inherited descriptor N", 0 },
	{ "vm", OPTION_VM, "ID", 0, "The VM with this id only", 0 },
	{ "pid", OPTION_PID, "PID", 0, "The VMs that process PID opened only", 0 },
	{ "device", OPTION_DEVICE, "ID", 0,
	  "Counters of the device with this id instead of the VM's; with --fd or --vm", 0 },
	{ "json", OPTION_JSON, NULL, 0, "Print one JSON object", 0 },
	{ "prometheus", OPTION_PROMETHEUS, NULL, 0,
	  "Print everything in Prometheus' text format", 0 },
	{ }
};

struct request {
	int fd;
	uint32_t vm;
	pid_t pid;
	uint32_t device;
	bool json;
	bool prometheus;
};

static void check(const struct request *request, struct argp_state *state)
{
	bool fd = request->fd >= 0;

	if (fd + !!request->vm + !!request->pid > 1)
		argp_error(state, "--fd, --vm and --pid exclude each other");
	if (request->device && !fd && !request->vm)
		argp_error(state, "--device needs --fd or --vm");
	if (request->prometheus && (request->json || fd || request->vm || request->pid))
		argp_error(state, "--prometheus goes with no other option");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case OPTION_FD:
		request->fd = parse_number(arg, INT32_MAX, state);
		return 0;
	case OPTION_VM:
		request->vm = parse_number(arg, INT32_MAX, state);
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
	case OPTION_PROMETHEUS:
		request->prometheus = true;
		return 0;
	case ARGP_KEY_END:
		check(request, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void print_line(const char *text, __u64 value)
{
	printf("  %-32s %llu\n", text, value);
}

static void print_latencies(const struct faultq_stats *stats)
{
	char name[64], bound[32];
	unsigned int i;

	for (i = 0; i < FAULTQ_LATENCIES; i++) {
		if (!stats->latency[i])
			continue;
		duration_text(latency_bound(i - (i == FAULTQ_LATENCIES - 1)), bound,
			      sizeof(bound));
		snprintf(name, sizeof(name), "answered %s %s",
			 i == FAULTQ_LATENCIES - 1 ? "after" : "within", bound);
		print_line(name, stats->latency[i]);
	}
}

static void print_counters(const struct faultq_stats *stats)
{
	const struct counter *counter;

	if (stats->device)
		printf("  %-32s %s\n", "page requests are", faultq_state_name(stats->state));
	else
		print_line("devices attached", stats->devices);
	print_line("slots", stats->slots);
	print_line("groups waiting for an answer", stats->outstanding);
	for (counter = counters; counter->key; counter++)
		print_line(counter->text, counter_value(counter, stats));
	print_line("bytes mapped", stats->mapped_bytes);
	print_line("pages pinned", stats->pinned_pages);
	print_latencies(stats);
}

static struct json_object *latencies_json(const struct faultq_stats *stats)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < FAULTQ_LATENCIES; i++)
		json_object_array_add(array, json_object_new_uint64(stats->latency[i]));
	return array;
}

static void add_counters(struct json_object *object, const struct faultq_stats *stats)
{
	const struct counter *counter;

	if (stats->device)
		add_string(object, "state", faultq_state_name(stats->state));
	else
		add_number(object, "devices", stats->devices);
	add_number(object, "slots", stats->slots);
	add_number(object, "outstanding", stats->outstanding);
	for (counter = counters; counter->key; counter++)
		add_number(object, counter->key, counter_value(counter, stats));
	add_number(object, "mapped_bytes", stats->mapped_bytes);
	add_number(object, "pinned_pages", stats->pinned_pages);
	json_object_object_add(object, "latency", latencies_json(stats));
}

/* One VM, of a descriptor or by its id, or one of its devices. */
static void report_one(struct faultq *fq, const struct request *request)
{
	struct faultq_stats stats;
	struct json_object *object;
	int ret = faultq_vm_stats(fq, request->vm, request->device, &stats);

	if (ret == -ENOENT)
		error(EXIT_FAILURE, 0, request->device ? "there is no such device" :
		      "there is no such VM");
	if (ret)
		error(EXIT_FAILURE, -ret, "cannot get the counters");
	if (!request->json) {
		print_counters(&stats);
		return;
	}
	object = json_object_new_object();
	add_counters(object, &stats);
	print_json(object);
}

static void print_devices(struct faultq *fq, uint32_t vm)
{
	uint32_t count, i;
	struct faultq_device_entry *devices = list_devices(fq, vm, &count);

	for (i = 0; i < count; i++)
		printf("  device %u: %s at %s, %u groups waiting, page requests are %s\n",
		       devices[i].device, devices[i].name, devices[i].instance,
		       devices[i].outstanding, faultq_state_name(devices[i].state));
	free(devices);
}

static struct json_object *devices_json(struct faultq *fq, uint32_t vm)
{
	struct json_object *array = json_object_new_array(), *object;
	uint32_t count, i;
	struct faultq_device_entry *devices = list_devices(fq, vm, &count);

	for (i = 0; i < count; i++) {
		object = json_object_new_object();
		add_number(object, "device", devices[i].device);
		add_string(object, "name", devices[i].name);
		add_string(object, "instance", devices[i].instance);
		add_number(object, "group", devices[i].group);
		add_string(object, "state", faultq_state_name(devices[i].state));
		add_number(object, "outstanding", devices[i].outstanding);
		add_number(object, "max_outstanding", devices[i].max_outstanding);
		json_object_array_add(array, object);
	}
	free(devices);
	return array;
}

static void print_vm(struct faultq *fq, const struct faultq_vm_entry *vm,
		     const struct faultq_stats *stats)
{
	printf("VM %u, opened by process %d (%s)\n", vm->vm, vm->pid, vm->comm);
	print_counters(stats);
	print_devices(fq, vm->vm);
}

static struct json_object *vm_json(struct faultq *fq, const struct faultq_vm_entry *vm,
				   const struct faultq_stats *stats)
{
	struct json_object *object = json_object_new_object();

	add_number(object, "vm", vm->vm);
	json_object_object_add(object, "pid", json_object_new_int(vm->pid));
	add_string(object, "command", vm->comm);
	add_number(object, "max_outstanding", vm->max_outstanding);
	add_counters(object, stats);
	json_object_object_add(object, "attached", devices_json(fq, vm->vm));
	return object;
}

/* Our own VM, which only asks, is none of them, nor is one that has ended meanwhile. */
static bool is_wanted(const struct request *request, const struct faultq_vm_entry *vm,
		      struct faultq *fq, struct faultq_stats *stats)
{
	if (vm->pid == getpid() || (request->pid && vm->pid != request->pid))
		return false;
	return !faultq_vm_stats(fq, vm->vm, 0, stats);
}

static void report_vms(struct faultq *fq, const struct request *request,
		       struct json_object *array)
{
	uint32_t count, i, found = 0;
	struct faultq_vm_entry *vms = list_vms(fq, &count);
	struct faultq_stats stats;

	for (i = 0; i < count; i++) {
		if (!is_wanted(request, &vms[i], fq, &stats))
			continue;
		found++;
		if (array)
			json_object_array_add(array, vm_json(fq, &vms[i], &stats));
		else
			print_vm(fq, &vms[i], &stats);
	}
	if (!found && !array)
		puts("no VMs");
	free(vms);
}

static void print_instance(const struct faultq_share *share)
{
	printf("IOMMU instance %s: depth %u, pool %u (%u in use), guarantee %u for each of %u "
	       "VMs\n", share->name, share->depth, share->pool, share->pool_used,
	       share->guarantee, share->vms);
}

static struct json_object *instance_json(const struct faultq_share *share)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "name", share->name);
	add_number(object, "depth", share->depth);
	add_number(object, "pool", share->pool);
	add_number(object, "pool_used", share->pool_used);
	add_number(object, "guarantee", share->guarantee);
	add_number(object, "vms", share->vms);
	return object;
}

static void report_instances(struct faultq *fq, struct json_object *array)
{
	uint32_t count, i;
	struct faultq_share *shares = list_instances(fq, &count);

	for (i = 0; i < count; i++) {
		if (array)
			json_object_array_add(array, instance_json(&shares[i]));
		else
			print_instance(&shares[i]);
	}
	free(shares);
}

/* Held devices belong to no VM any more. */
static void report_held(struct faultq *fq, struct json_object *object)
{
	struct faultq_held_entry *entries;
	uint32_t count;
	int ret = held_list(fq, &entries, &count);

	if (ret)
		error(EXIT_FAILURE, -ret, "cannot list held devices");
	if (object)
		json_object_object_add(object, "held", held_json(entries, count));
	else
		held_print(entries, count);
	free(entries);
}

static void report_all_json(struct faultq *fq, const struct request *request)
{
	struct json_object *object = json_object_new_object();
	struct json_object *vms = json_object_new_array(), *instances = json_object_new_array();

	json_object_object_add(object, "vms", vms);
	json_object_object_add(object, "instances", instances);
	report_vms(fq, request, vms);
	report_instances(fq, instances);
	report_held(fq, object);
	print_json(object);
}

static void report_all(struct faultq *fq, const struct request *request)
{
	if (request->prometheus) {
		prometheus_print(fq);
	} else if (request->json) {
		report_all_json(fq, request);
	} else {
		report_vms(fq, request, NULL);
		report_instances(fq, NULL);
		report_held(fq, NULL);
	}
}

int cmd_stats(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Print the counters of all VMs, what they share of IOMMU instances, and the "
		       "devices that are held. Needs CAP_SYS_ADMIN, but for --fd.",
	};
	struct request request = { .fd = -1 };
	struct faultq *fq;

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	fq = vm_open(request.fd);
	if (request.fd >= 0 || request.vm)
		report_one(fq, &request);
	else
		report_all(fq, &request);
	faultq_close(fq);
	return 0;
}
