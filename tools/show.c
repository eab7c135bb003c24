// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultq show: the address space of a VM: what is mapped, reserved, bound and free.
 */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "lists.h"
#include "number.h"
#include "print.h"
#include "vm.h"

enum {
	OPTION_FD = 256,
	OPTION_VM,
	OPTION_JSON = 'j',
};

static const struct argp_option options[] = {
	{ "fd", OPTION_FD, "N", 0, "The VM of the inherited descriptor N", 0 },
	{ "vm", OPTION_VM, "ID", 0, "The VM with this id only", 0 },
	{ "json", OPTION_JSON, NULL, 0, "Print one JSON object for each VM, a line each", 0 },
	{ }
};

struct request {
	int fd;
	uint32_t vm;
	bool json;
};

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
	case OPTION_JSON:
		request->json = true;
		return 0;
	case ARGP_KEY_END:
		if (request->fd >= 0 && request->vm)
			argp_error(state, "--fd and --vm exclude each other");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* What there is, each by I/O virtual address; holes are what is left of the ranges. */
struct space {
	struct faultq_mapping_entry *mappings;
	struct faultq_window_entry *windows;
	struct faultq_doorbell_entry *doorbells;
	struct faultq_range_entry *ranges;
	struct faultq_range_entry *holes;
	uint32_t mapping_count;
	uint32_t window_count;
	uint32_t doorbell_count;
	uint32_t range_count;
	uint32_t hole_count;
};

static void add_hole(struct space *space, __u64 first, __u64 last)
{
	space->holes[space->hole_count++] = (struct faultq_range_entry){
		.first = first, .last = last,
	};
}

/* A mapping that is in no range, as ranges changed between two lists, makes no hole. */
static void find_holes_in(struct space *space, const struct faultq_range_entry *range,
			  uint32_t *next)
{
	__u64 first = range->first;

	for (; *next < space->mapping_count; ++*next) {
		const struct faultq_mapping_entry *mapping = &space->mappings[*next];
		__u64 last = mapping->iova + (mapping->length - 1);

		if (mapping->iova > range->last)
			break;
		if (last < first)
			continue;
		if (mapping->iova > first)
			add_hole(space, first, mapping->iova - 1);
		if (last >= range->last)
			return;
		first = last + 1;
	}
	add_hole(space, first, range->last);
}

static void find_holes(struct space *space)
{
	uint32_t next = 0, i;

	space->holes = calloc(space->range_count + space->mapping_count + 1,
			      sizeof(*space->holes));
	if (!space->holes)
		error(EXIT_FAILURE, ENOMEM, "holes");
	for (i = 0; i < space->range_count; i++)
		find_holes_in(space, &space->ranges[i], &next);
}

static void space_take(struct faultq *fq, uint32_t vm, struct space *space)
{
	*space = (struct space){ 0 };
	space->mappings = list_mappings(fq, vm, &space->mapping_count);
	space->windows = list_windows(fq, vm, &space->window_count);
	space->doorbells = list_doorbells(fq, vm, &space->doorbell_count);
	space->ranges = list_ranges(fq, vm, &space->range_count);
	find_holes(space);
}

static void space_drop(struct space *space)
{
	free(space->mappings);
	free(space->windows);
	free(space->doorbells);
	free(space->ranges);
	free(space->holes);
}

static void print_size(__u64 bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int unit = 0;

	for (; bytes && !(bytes & 1023) && unit < 6; unit++)
		bytes >>= 10;
	printf(" %llu %s", bytes, units[unit]);
}

static void print_range(__u64 first, __u64 last, const char *what)
{
	printf("  0x%016llx-0x%016llx  %-8s", first, last, what);
	if (last - first + 1)
		print_size(last - first + 1);
}

/* The permissions of a mapping have the bits of a page request's. */
static const char *mapping_perm(const struct faultq_mapping_entry *mapping)
{
	return faultq_perm_name(mapping->flags &
				(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE | FAULTQ_MAP_EXEC));
}

static void print_mmio(const struct faultq_mapping_entry *mapping)
{
	printf(", MMIO %llu", mapping->id);
	if (mapping->state & FAULTQ_MAPPING_REVOKED)
		printf(", revoked: %s", faultq_revocation_name(mapping->revocation));
	if (mapping->state & FAULTQ_MAPPING_SCRATCH)
		printf(", scratch page in place");
}

static void print_mapping(const struct faultq_mapping_entry *mapping)
{
	print_range(mapping->iova, mapping->iova + (mapping->length - 1), "mapped");
	printf(", %s, of 0x%llx", mapping_perm(mapping), mapping->user_address);
	if (mapping->flags & FAULTQ_MAP_MMIO)
		print_mmio(mapping);
	putchar('\n');
}

static void print_window(const struct faultq_window_entry *window)
{
	print_range(window->iova, window->iova + (window->length - 1), "window");
	printf(", %s", faultq_window_type_name(window->type));
	if (window->id)
		printf(", id %u", window->id);
	else
		printf(", of %u IOMMU groups", window->groups);
	if (window->prot)
		printf(", %s", faultq_perm_name(window->prot));
	putchar('\n');
}

static void print_hole(const struct faultq_range_entry *hole)
{
	print_range(hole->first, hole->last, "free");
	putchar('\n');
}

/* Whether something at @iova comes before the first of the others. */
static bool is_next(__u64 iova, __u64 other, __u64 another)
{
	return iova <= other && iova <= another;
}

/* All three kinds in one order. */
static void print_space(const struct space *space)
{
	uint32_t m = 0, w = 0, h = 0, i;

	while (m < space->mapping_count || w < space->window_count || h < space->hole_count) {
		__u64 mapping = m < space->mapping_count ? space->mappings[m].iova : UINT64_MAX;
		__u64 window = w < space->window_count ? space->windows[w].iova : UINT64_MAX;
		__u64 hole = h < space->hole_count ? space->holes[h].first : UINT64_MAX;

		if (w < space->window_count && is_next(window, mapping, hole))
			print_window(&space->windows[w++]);
		else if (m < space->mapping_count && is_next(mapping, window, hole))
			print_mapping(&space->mappings[m++]);
		else
			print_hole(&space->holes[h++]);
	}
	for (i = 0; i < space->doorbell_count; i++)
		printf("  doorbell at 0x%llx, in window %u, %u users\n", space->doorbells[i].iova,
		       space->doorbells[i].window, space->doorbells[i].users);
}

static void add_mmio(struct json_object *object, const struct faultq_mapping_entry *mapping)
{
	bool scratch = mapping->state & FAULTQ_MAPPING_SCRATCH;

	add_number(object, "mmio", mapping->id);
	if (mapping->state & FAULTQ_MAPPING_REVOKED)
		add_string(object, "revoked", faultq_revocation_name(mapping->revocation));
	json_object_object_add(object, "scratch", json_object_new_boolean(scratch));
}

static struct json_object *mapping_json(const struct faultq_mapping_entry *mapping)
{
	struct json_object *object = json_object_new_object();

	add_hex(object, "iova", mapping->iova);
	add_hex(object, "length", mapping->length);
	add_hex(object, "user_address", mapping->user_address);
	add_string(object, "access", mapping_perm(mapping));
	if (mapping->flags & FAULTQ_MAP_MMIO)
		add_mmio(object, mapping);
	return object;
}

static struct json_object *window_json(const struct faultq_window_entry *window)
{
	struct json_object *object = json_object_new_object();

	add_hex(object, "iova", window->iova);
	add_hex(object, "length", window->length);
	add_string(object, "type", faultq_window_type_name(window->type));
	add_string(object, "access", faultq_perm_name(window->prot));
	add_number(object, "id", window->id);
	add_number(object, "groups", window->groups);
	add_number(object, "used", window->used);
	return object;
}

static struct json_object *doorbell_json(const struct faultq_doorbell_entry *doorbell)
{
	struct json_object *object = json_object_new_object();

	add_hex(object, "iova", doorbell->iova);
	add_number(object, "window", doorbell->window);
	add_number(object, "users", doorbell->users);
	return object;
}

static struct json_object *range_json(const struct faultq_range_entry *range)
{
	struct json_object *object = json_object_new_object();

	add_hex(object, "first", range->first);
	add_hex(object, "last", range->last);
	return object;
}

static struct json_object *add_array(struct json_object *object, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(object, key, array);
	return array;
}

static void add_space(struct json_object *object, const struct space *space)
{
	struct json_object *array;
	uint32_t i;

	array = add_array(object, "mappings");
	for (i = 0; i < space->mapping_count; i++)
		json_object_array_add(array, mapping_json(&space->mappings[i]));
	array = add_array(object, "windows");
	for (i = 0; i < space->window_count; i++)
		json_object_array_add(array, window_json(&space->windows[i]));
	array = add_array(object, "doorbells");
	for (i = 0; i < space->doorbell_count; i++)
		json_object_array_add(array, doorbell_json(&space->doorbells[i]));
	array = add_array(object, "ranges");
	for (i = 0; i < space->range_count; i++)
		json_object_array_add(array, range_json(&space->ranges[i]));
	array = add_array(object, "holes");
	for (i = 0; i < space->hole_count; i++)
		json_object_array_add(array, range_json(&space->holes[i]));
}

static void show(struct faultq *fq, uint32_t vm, bool json)
{
	struct json_object *object;
	struct space space;

	space_take(fq, vm, &space);
	if (json) {
		object = json_object_new_object();
		if (vm)
			add_number(object, "vm", vm);
		add_space(object, &space);
		print_json(object);
	} else {
		if (vm)
			printf("VM %u\n", vm);
		print_space(&space);
	}
	space_drop(&space);
}

/* Our own VM, which only asks, is none of them. */
static void show_all(struct faultq *fq, const struct request *request)
{
	uint32_t count, i, found = 0;
	struct faultq_vm_entry *vms = list_vms(fq, &count);

	for (i = 0; i < count; i++) {
		if (vms[i].pid == getpid() || (request->vm && vms[i].vm != request->vm))
			continue;
		show(fq, vms[i].vm, request->json);
		found++;
	}
	free(vms);
	if (!found && request->vm)
		error(EXIT_FAILURE, 0, "there is no such VM");
	if (!found && !request->json)
		puts("no VMs");
}

int cmd_show(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Print the address space of each VM: what is mapped, reserved, bound and "
		       "free. Needs CAP_SYS_ADMIN, but for --fd.",
	};
	struct request request = { .fd = -1 };
	struct faultq *fq;

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	fq = vm_open(request.fd);
	if (request.fd >= 0)
		show(fq, 0, request.json);
	else
		show_all(fq, &request);
	faultq_close(fq);
	return 0;
}
