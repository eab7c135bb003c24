// SPDX-License-Identifier: GPL-2.0-only
/* faultq info: what this kernel and the module can do. */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "print.h"
#include "vm.h"

static const char *kind_name(uint64_t bit)
{
	return faultq_kind_name(bit);
}

static void add_limit(struct json_object *object, const char *key, uint32_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

static void print_info_json(const struct faultq_info *info)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "kinds", json_bits(info->kinds, kind_name));
	json_object_object_add(object, "features",
			       json_bits(info->features, faultq_feature_name));
	add_limit(object, "record_size", info->record_size);
	add_limit(object, "max_slots", info->max_slots);
	add_limit(object, "min_entries", info->min_entries);
	add_limit(object, "max_entries", info->max_entries);
	add_limit(object, "max_group", info->max_group);
	add_limit(object, "max_devices", info->max_devices);
	add_limit(object, "max_windows", info->max_windows);
	add_limit(object, "max_doorbells", info->max_doorbells);
	add_limit(object, "max_extents", info->max_extents);
	add_limit(object, "max_mappings", info->max_mappings);
	print_json(object);
}

static void print_kind(const struct faultq_info *info, uint32_t kind, const char *text)
{
	printf("  %-3s  %-14s %s\n", info->kinds & kind ? "yes" : "no", faultq_kind_name(kind),
	       text);
}

static void print_info(const struct faultq_info *info)
{
	printf("This kernel can deliver\n");
	print_kind(info, FAULTQ_KIND_PAGE_REQUEST, "page requests, to be answered");
	print_kind(info, FAULTQ_KIND_PASID_REQUEST, "page requests with a PASID");
	print_kind(info, FAULTQ_KIND_UNRECOVERABLE, "unrecoverable faults, reason and PASID");
	print_kind(info, FAULTQ_KIND_DOMAIN_FAULT, "unrecoverable faults, only address and access");
	printf("Features        ");
	print_bits(info->features, faultq_feature_name);
	printf("Devices         up to %u in a VM\n", info->max_devices);
	printf("Slots           up to %u page request groups wait for an answer\n",
	       info->max_slots);
	printf("Ring            %u to %u records of %u bytes\n", info->min_entries,
	       info->max_entries, info->record_size);
	printf("Group           up to %u page requests\n", info->max_group);
	printf("Address space   up to %u windows, %u doorbells, %u extents of MMIO\n",
	       info->max_windows, info->max_doorbells, info->max_extents);
	if (info->max_mappings)
		printf("Mappings        up to %u in this VM\n", info->max_mappings);
	else
		printf("Mappings        any number in this VM\n");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	(void)arg;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*json = true;
	return 0;
}

int cmd_info(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print one JSON object", 0 },
		{ }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Print what this kernel and the module can do: the kinds of fault that "
		       "can be delivered, features, and limits. What a device can report is "
		       "told when it is attached.",
	};
	struct faultq_info info;
	bool json = false;
	struct faultq *fq;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	fq = vm_open(-1);
	ret = faultq_info(fq, &info);
	if (ret)
		error(EXIT_FAILURE, -ret, "GET_INFO");
	if (json)
		print_info_json(&info);
	else
		print_info(&info);
	faultq_close(fq);
	return 0;
}
