// SPDX-License-Identifier: GPL-2.0-only
/* faultq held: list the devices that could not be given back safely. */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "held.h"
#include "print.h"
#include "vm.h"

int held_list(struct faultq *fq, struct faultq_held_entry **entries, uint32_t *count)
{
	uint32_t room = 0;
	int ret;

	*entries = NULL;
	*count = 0;
	ret = faultq_held(fq, NULL, count);
	while (!ret && *count > room) {
		room = *count;
		free(*entries);
		*entries = calloc(room, sizeof(**entries));
		if (!*entries)
			return -ENOMEM;
		ret = faultq_held(fq, *entries, count);
	}
	return ret;
}

void held_print(const struct faultq_held_entry *entries, uint32_t count)
{
	uint32_t i;

	if (!count)
		puts("no held devices");
	for (i = 0; i < count; i++)
		printf("%s: held, IOMMU group %u\n", entries[i].name, entries[i].group);
}

struct json_object *held_json(const struct faultq_held_entry *entries, uint32_t count)
{
	struct json_object *array = json_object_new_array();
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct json_object *entry = json_object_new_object();

		json_object_object_add(entry, "name", json_object_new_string(entries[i].name));
		json_object_object_add(entry, "group", json_object_new_int64(entries[i].group));
		json_object_array_add(array, entry);
	}
	return array;
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

int cmd_held(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print one JSON array", 0 },
		{ }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "List the devices that a VM had, that cannot be reset, and that therefore "
		       "stay claimed and blocked until they are removed or released by 'faultq "
		       "release'. Needs CAP_SYS_ADMIN.",
	};
	struct faultq_held_entry *entries;
	bool json = false;
	struct faultq *fq;
	uint32_t count;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	fq = vm_open(-1);
	ret = held_list(fq, &entries, &count);
	if (ret)
		error(EXIT_FAILURE, -ret, "cannot list held devices");
	if (json)
		print_json(held_json(entries, count));
	else
		held_print(entries, count);
	free(entries);
	faultq_close(fq);
	return 0;
}
