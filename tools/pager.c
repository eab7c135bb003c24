// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultq pager: gives devices memory when they ask for it. Every page request
 * inside a range of IOVAs is answered SUCCESS after its page was mapped, every
 * other one INVALID.
 */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "memory.h"
#include "number.h"
#include "print.h"
#include "vm.h"

#define DEFAULT_SIZE	(4ULL << 30)

enum {
	OPTION_MEMORY = 'm',
	OPTION_BASE = 'b',
	OPTION_SIZE = 's',
	OPTION_AS_ASKED = 'a',
	OPTION_COUNT = 'n',
	OPTION_VERBOSE = 'v',
};

static const struct argp_option options[] = {
	{ "memory", OPTION_MEMORY, "FILE", 0,
	  "Give pages of FILE, shared with whoever else maps it, instead of anonymous memory; "
	  "it should be on tmpfs", 0 },
	{ "base", OPTION_BASE, "IOVA", 0, "First I/O virtual address (default 0)", 0 },
	{ "size", OPTION_SIZE, "BYTES", 0,
	  "How many bytes, with K, M, G or T (default: the size of FILE, or 4G)", 0 },
	{ "as-asked", OPTION_AS_ASKED, NULL, 0,
	  "Allow only the access that was asked for, instead of reading and writing", 0 },
	{ "count", OPTION_COUNT, "N", 0, "End after N page request groups", 0 },
	{ "verbose", OPTION_VERBOSE, NULL, 0, "Print page requests, too", 0 },
	{ }
};

struct pager {
	struct vm_options vm_options;
	struct vm vm;
	struct memory memory;
	const char *file;
	__u64 base;
	__u64 size;
	__u64 left;		/* groups until the end */
	bool as_asked;
	bool verbose;
	__u64 answered[FAULTQ_FAILURE + 1];
	__u64 in_vain;	/* answers that came too late */
	__u64 unrecoverable;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct pager *pager = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &pager->vm_options;
		return 0;
	case OPTION_MEMORY:
		pager->file = arg;
		return 0;
	case OPTION_BASE:
		pager->base = parse_bytes(arg, state);
		return 0;
	case OPTION_SIZE:
		pager->size = parse_bytes(arg, state);
		return 0;
	case OPTION_AS_ASKED:
		pager->as_asked = true;
		return 0;
	case OPTION_COUNT:
		pager->left = parse_number(arg, UINT64_MAX, state);
		return 0;
	case OPTION_VERBOSE:
		pager->verbose = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* A request and a mapping have the same bits; what is executed has to be read. */
static uint32_t permissions(const struct pager *pager, const struct faultq_record *record)
{
	uint32_t asked = record->perm & (FAULTQ_PERM_READ | FAULTQ_PERM_WRITE | FAULTQ_PERM_EXEC);

	if (!pager->as_asked)
		return asked | FAULTQ_MAP_READ | FAULTQ_MAP_WRITE;
	return asked && !(asked & FAULTQ_MAP_EXEC) ? asked : asked | FAULTQ_MAP_READ;
}

static bool all_inside(const struct pager *pager, const struct faultq_record *records, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (!memory_contains(&pager->memory, records[i].address))
			return false;
	return true;
}

static void explain_map_error(__u64 iova, int ret)
{
	const char *hint = "";

	if (ret == -ENOMEM)
		hint = " (the limit of locked memory, ulimit -l, counts mapped pages)";
	else if (ret == -EEXIST)
		hint = " (somebody else mapped it)";
	else if (ret == -ENOSPC)
		hint = " (max_mappings of iommu_faultq limits the mappings of a VM)";
	error(0, -ret, "cannot map 0x%llx%s", iova, hint);
}

/*
 * A page that the pager before has mapped. What it had of a file is mapped again, with the
 * permissions that are asked for now; its anonymous memory is nobody else's, and stays.
 */
static int replace_page(struct pager *pager, __u64 iova, uint32_t perm)
{
	int ret;

	if (!pager->file)
		return 0;
	ret = faultq_unmap(pager->vm.fq, iova, pager->memory.page_size, NULL);
	return ret ? ret : memory_map(&pager->memory, pager->vm.fq, iova, perm, 0, NULL);
}

/* Map what is missing. A group of one page is answered by the same call. */
static int map_group(struct pager *pager, const struct faultq_record *records, int count,
		     struct verdict *verdict)
{
	__u64 cookie = count == 1 ? records->cookie : 0;
	bool replaced;
	int ret, i;

	for (i = 0; i < count; i++) {
		__u64 iova = records[i].address;
		uint32_t perm = permissions(pager, &records[i]);

		if (memory_is_mapped(&pager->memory, iova, perm))
			continue;
		ret = memory_map(&pager->memory, pager->vm.fq, iova, perm, cookie,
				 &verdict->result);
		replaced = ret == -EEXIST && pager->vm.taken_over;
		if (replaced)
			ret = replace_page(pager, iova, perm);
		if (ret) {
			explain_map_error(iova, ret);
			return ret;
		}
		verdict->answered = cookie && !replaced;
	}
	return 0;
}

static struct verdict answer_group(struct pager *pager, const struct faultq_record *records,
				   int count)
{
	struct verdict verdict = { .code = FAULTQ_SUCCESS };

	if (!all_inside(pager, records, count) || map_group(pager, records, count, &verdict))
		verdict.code = FAULTQ_INVALID;
	if (!verdict.answered)
		verdict.result = faultq_answer(pager->vm.fq, records->cookie, verdict.code);
	verdict.answered = true;
	if (verdict.result)
		pager->in_vain++;
	else
		pager->answered[verdict.code]++;
	return verdict;
}

static bool handle(void *context, const struct faultq_record *records, int count)
{
	bool request = records->type == FAULTQ_PAGE_REQUEST;
	struct pager *pager = context;
	struct verdict verdict = {};
	int i;

	if (request)
		verdict = answer_group(pager, records, count);
	for (i = 0; i < count && (!request || pager->verbose); i++)
		print_record(&records[i], vm_device_name(&pager->vm, records[i].device), &verdict);
	pager->unrecoverable += records->type == FAULTQ_UNRECOVERABLE;
	pager->left -= request;
	return !pager->left;
}

static void print_summary(const struct pager *pager)
{
	printf("page request groups: %llu answered success, %llu"
	       " answered invalid, %llu answered too late\n",
	       pager->answered[FAULTQ_SUCCESS], pager->answered[FAULTQ_INVALID],
	       pager->in_vain);
	printf("unrecoverable faults: %llu\n", pager->unrecoverable);
	printf("memory given: %llu pages of %llu bytes\n",
	       pager->memory.mapped_pages, pager->memory.page_size);
}

int cmd_pager(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &vm_argp, 0, "VM:", 10 },
		{ }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[DEVICE...]",
		.doc = "Attach each DEVICE (pci/0000:00:04.0 or platform/NAME) to a new VM and "
		       "give it memory on demand: a page request inside the range of base and "
		       "size gets its page mapped and the answer success, any other gets "
		       "invalid. Ends with a summary on SIGINT or SIGTERM.",
		.children = children,
	};
	struct pager pager = { .left = UINT64_MAX };

	argp_parse(&argp, argc, argv, 0, NULL, &pager);
	if (!pager.size && !pager.file)
		pager.size = DEFAULT_SIZE;
	memory_open(&pager.memory, pager.file, pager.base, pager.size);
	vm_start(&pager.vm, &pager.vm_options);
	if (pager.left)
		vm_serve(&pager.vm, handle, &pager);
	vm_stop(&pager.vm);
	print_summary(&pager);
	memory_close(&pager.memory);
	vm_options_free(&pager.vm_options);
	return 0;
}
