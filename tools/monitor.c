// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultq monitor: attach devices, or take over a VM, and print every fault. Page
 * requests must have an answer: all get the same, by default INVALID.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "number.h"
#include "print.h"
#include "vm.h"

enum {
	OPTION_ANSWER = 'a',
	OPTION_COUNT = 'n',
	OPTION_JSON = 'j',
};

static const struct argp_option options[] = {
	{ "answer", OPTION_ANSWER, "CODE", 0,
	  "Answer page requests with success, invalid (default) or failure; none leaves them "
	  "unanswered until the end", 0 },
	{ "count", OPTION_COUNT, "N", 0, "End after N records, with the group they end in", 0 },
	{ "json", OPTION_JSON, NULL, 0, "Print one JSON object a line", 0 },
	{ }
};

struct monitor {
	struct vm_options vm_options;
	struct vm vm;
	bool answer;
	uint32_t code;
	bool json;
	uint64_t left;		/* records until the end */
};

static void parse_answer(struct monitor *monitor, const char *text,
			 const struct argp_state *state)
{
	uint32_t code;

	monitor->answer = strcmp(text, "none");
	if (!monitor->answer)
		return;
	for (code = FAULTQ_SUCCESS; code <= FAULTQ_FAILURE; code++) {
		if (!strcmp(text, faultq_code_name(code))) {
			monitor->code = code;
			return;
		}
	}
	argp_error(state, "'%s' is not an answer", text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct monitor *monitor = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &monitor->vm_options;
		return 0;
	case OPTION_ANSWER:
		parse_answer(monitor, arg, state);
		return 0;
	case OPTION_COUNT:
		monitor->left = parse_number(arg, UINT64_MAX, state);
		return 0;
	case OPTION_JSON:
		monitor->json = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static struct verdict answer(struct monitor *monitor, const struct faultq_record *record)
{
	struct verdict verdict = { .answered = monitor->answer, .code = monitor->code };

	if (record->type == FAULTQ_PAGE_REQUEST && monitor->answer)
		verdict.result = faultq_answer(monitor->vm.fq, record->cookie, monitor->code);
	return verdict;
}

static bool handle(void *context, const struct faultq_record *records, int count)
{
	struct monitor *monitor = context;
	struct verdict verdict = answer(monitor, records);
	int i;

	for (i = 0; i < count; i++) {
		const char *name = vm_device_name(&monitor->vm, records[i].device);

		if (monitor->json)
			print_record_json(&records[i], name, &verdict);
		else
			print_record(&records[i], name, &verdict);
	}
	monitor->left -= (uint64_t)count < monitor->left ? (uint64_t)count : monitor->left;
	return !monitor->left;
}

int cmd_monitor(int argc, char **argv)
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
		       "print every fault, one line each, until SIGINT or SIGTERM.",
		.children = children,
	};
	struct monitor monitor = {
		.answer = true, .code = FAULTQ_INVALID, .left = UINT64_MAX,
	};

	argp_parse(&argp, argc, argv, 0, NULL, &monitor);
	monitor.vm_options.quiet = monitor.json;
	vm_start(&monitor.vm, &monitor.vm_options);
	if (monitor.left)
		vm_serve(&monitor.vm, handle, &monitor);
	vm_stop(&monitor.vm);
	vm_options_free(&monitor.vm_options);
	return 0;
}
