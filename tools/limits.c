// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultq limits: what VMs share of IOMMU instances, shown, and set from a file. The file is
 * JSON, as --json prints it: an object with a member for each instance, named as under
 * /sys/class/iommu, or "default", with the settings that are to change.
 */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "lists.h"
#include "print.h"
#include "vm.h"

enum {
	OPTION_APPLY = 'a',
	OPTION_CHECK = 'c',
	OPTION_JSON = 'j',
};

static const struct argp_option options[] = {
	{ "apply", OPTION_APPLY, "FILE", 0, "Set what FILE says", 0 },
	{ "check", OPTION_CHECK, "FILE", 0, "Only tell whether FILE can be applied", 0 },
	{ "json", OPTION_JSON, NULL, 0, "Print what can be given to --apply", 0 },
	{ }
};

struct request {
	const char *file;
	bool check;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case OPTION_CHECK:
	case OPTION_APPLY:
		if (request->file)
			argp_error(state, "only one file at a time");
		request->file = arg;
		request->check = key == OPTION_CHECK;
		return 0;
	case OPTION_JSON:
		request->json = true;
		return 0;
	case ARGP_KEY_END:
		if (request->file && request->json)
			argp_error(state, "--json goes without a file");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

struct setting {
	const char *key;
	size_t offset;
};

#define SETTING(member)	{ #member, offsetof(struct faultq_share, member) }

static const struct setting settings[] = {
	SETTING(depth), SETTING(pool), SETTING(guarantee), SETTING(max_device),
	SETTING(refused_rate), SETTING(max_vm),
	{ }
};

static __u32 *setting_of(struct faultq_share *share, const struct setting *setting)
{
	return (__u32 *)((char *)share + setting->offset);
}

static const struct setting *find_setting(const char *key)
{
	const struct setting *setting;

	for (setting = settings; setting->key; setting++)
		if (!strcmp(setting->key, key))
			return setting;
	return NULL;
}

static void change_setting(struct faultq_share *share, const char *name, const char *key,
			   struct json_object *value, const char *file)
{
	const struct setting *setting = find_setting(key);
	int64_t number = json_object_get_int64(value);

	if (!setting)
		error(EXIT_FAILURE, 0, "%s: %s: there is no setting '%s'", file, name, key);
	if (!json_object_is_type(value, json_type_int) || number < 0 || number > UINT32_MAX)
		error(EXIT_FAILURE, 0, "%s: %s: %s is no number from 0 to %u", file, name, key,
		      UINT32_MAX);
	*setting_of(share, setting) = number;
}

/* The rules of SHARE, to say which is broken. */
static const char *why_wrong(const struct faultq_share *share)
{
	if (!share->depth || share->depth > FAULTQ_MAX_DEPTH)
		return "depth is out of range";
	if (share->pool >= share->depth)
		return "the pool leaves nothing of the depth";
	if (!share->guarantee || share->guarantee > share->depth - share->pool)
		return "the guarantee does not fit into the depth without the pool";
	if (*share->name && share->max_vm)
		return "max_vm can be set in \"default\" only";
	return NULL;
}

static void read_share(struct faultq *fq, const char *instance, struct faultq_share *share)
{
	int ret = faultq_share(fq, instance, share);

	if (ret)
		error(EXIT_FAILURE, -ret, "%s", instance);
}

/* What the file does not say stays as it is; of a new instance, as the defaults are then. */
static void change_share(struct faultq *fq, const char *name, struct json_object *object,
			 const char *file, struct faultq_share *share)
{
	if (!json_object_is_type(object, json_type_object))
		error(EXIT_FAILURE, 0, "%s: %s is no object", file, name);
	read_share(fq, strcmp(name, "default") ? name : "", share);
	if (*share->name && !share->own)
		share->max_vm = 0;
	json_object_object_foreach(object, key, value)
		change_setting(share, name, key, value, file);
	if (why_wrong(share))
		error(EXIT_FAILURE, 0, "%s: %s: %s", file, name, why_wrong(share));
}

static void apply_share(struct faultq *fq, const char *name, const struct faultq_share *share)
{
	int ret = faultq_set_share(fq, share);
	const char *hint = "";

	if (ret == -EBUSY)
		hint = " (VMs have their guarantees there)";
	else if (ret == -EPERM)
		hint = " (needs CAP_SYS_ADMIN)";
	if (ret)
		error(EXIT_FAILURE, -ret, "cannot set %s%s", name, hint);
}

static void one_share(struct faultq *fq, const struct request *request, const char *name,
		      struct json_object *object)
{
	struct faultq_share share;

	change_share(fq, name, object, request->file, &share);
	if (!request->check)
		apply_share(fq, name, &share);
}

/* The defaults first, as other settings may build on them. */
static void use_file(struct faultq *fq, const struct request *request)
{
	struct json_object *root = json_object_from_file(request->file), *defaults;

	if (!root)
		error(EXIT_FAILURE, 0, "%s: %s", request->file, json_util_get_last_err());
	if (!json_object_is_type(root, json_type_object))
		error(EXIT_FAILURE, 0, "%s: is no object", request->file);
	if (json_object_object_get_ex(root, "default", &defaults))
		one_share(fq, request, "default", defaults);
	json_object_object_foreach(root, name, object)
		if (strcmp(name, "default"))
			one_share(fq, request, name, object);
	json_object_put(root);
}

static struct json_object *share_json(struct faultq_share *share)
{
	struct json_object *object = json_object_new_object();
	const struct setting *setting;

	for (setting = settings; setting->key; setting++)
		if (!*share->name || setting->offset != offsetof(struct faultq_share, max_vm))
			json_object_object_add(object, setting->key,
					       json_object_new_int64(*setting_of(share, setting)));
	return object;
}

static void show_json(struct faultq_share *defaults, struct faultq_share *shares, uint32_t count)
{
	struct json_object *root = json_object_new_object();
	uint32_t i;

	json_object_object_add(root, "default", share_json(defaults));
	for (i = 0; i < count; i++)
		if (shares[i].own)
			json_object_object_add(root, shares[i].name, share_json(&shares[i]));
	print_json(root);
}

static void print_limit(__u32 limit)
{
	if (limit)
		printf(" %11u", limit);
	else
		printf(" %11s", "none");
}

static void show_share(const struct faultq_share *share, const char *name, bool use)
{
	printf("%-20s %6u %6u %10u", name, share->depth, share->pool, share->guarantee);
	print_limit(share->max_vm);
	print_limit(share->max_device);
	print_limit(share->refused_rate);
	if (use)
		printf(" %5u %6u", share->vms, share->pool_used);
	else
		printf(" %5s %6s", "-", "-");
	puts(share->own ? "" : "  (default)");
}

/* @use: whether the kernel tells how much of them is in use */
static void show(const struct faultq_share *defaults, const struct faultq_share *shares,
		 uint32_t count, bool use)
{
	uint32_t i;

	printf("%-20s %6s %6s %10s %11s %11s %11s %5s %6s\n", "instance", "depth", "pool",
	       "guarantee", "max_vm", "max_device", "refused/s", "VMs", "in use");
	show_share(defaults, "default", use);
	for (i = 0; i < count; i++)
		show_share(&shares[i], shares[i].name, use);
}

/* Whoever may list all VMs is told what they use. */
static bool is_administrator(struct faultq *fq)
{
	uint32_t count = 0;

	return faultq_vms(fq, NULL, &count) != -EPERM;
}

static void show_all(struct faultq *fq, bool json)
{
	struct faultq_share defaults, *shares;
	uint32_t count;

	read_share(fq, "", &defaults);
	defaults.own = 1;
	shares = list_instances(fq, &count);
	if (json)
		show_json(&defaults, shares, count);
	else
		show(&defaults, shares, count, is_administrator(fq));
	free(shares);
}

int cmd_limits(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Show what VMs share of IOMMU instances, or set it. Setting it needs "
		       "CAP_SYS_ADMIN.",
	};
	struct request request = { .file = NULL };
	struct faultq *fq;

	argp_parse(&argp, argc, argv, 0, NULL, &request);
	fq = vm_open(-1);
	if (request.file)
		use_file(fq, &request);
	else
		show_all(fq, request.json);
	faultq_close(fq);
	return 0;
}
