// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultq top: VMs, their devices and IOMMU instances as they are, again and again. A screen
 * is made as text, which goes to the terminal by ncurses or, with --batch, to the output.
 */
#include <errno.h>
#include <error.h>
#include <ncurses.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "counters.h"
#include "number.h"
#include "samples.h"
#include "vm.h"

#define BAR_WIDTH	20
#define FOREVER		UINT64_MAX

enum {
	OPTION_BATCH = 'b',
	OPTION_DELAY = 'd',
	OPTION_COUNT = 'n',
};

static const struct argp_option options[] = {
	{ "batch", OPTION_BATCH, NULL, 0, "Print screens one below the other, without a terminal",
	  0 },
	{ "delay", OPTION_DELAY, "MS", 0, "Milliseconds between two screens (default 2000)", 0 },
	{ "count", OPTION_COUNT, "N", 0, "End after N screens", 0 },
	{ }
};

enum order { ORDER_WAITING, ORDER_RATE, ORDER_ID, ORDERS };

static const char *const order_names[] = { "groups waiting", "groups a second", "VM" };

struct top {
	struct faultq *fq;
	bool batch;
	uint64_t delay_ms;
	uint64_t left;		/* screens until the end */
	enum order order;
	struct samples now;
	struct samples before;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top *top = state->input;

	switch (key) {
	case OPTION_BATCH:
		top->batch = true;
		return 0;
	case OPTION_DELAY:
		top->delay_ms = parse_number(arg, INT32_MAX, state);
		return 0;
	case OPTION_COUNT:
		top->left = parse_number(arg, FOREVER, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* The same VM as it was at the screen before, or NULL. */
static const struct vm_sample *earlier(const struct top *top, const struct vm_sample *sample)
{
	uint32_t i;

	for (i = 0; i < top->before.count; i++)
		if (top->before.vms[i].vm.vm == sample->vm.vm)
			return &top->before.vms[i];
	return NULL;
}

/* How much a number has grown in a second, since the screen before. */
static double rate(const struct top *top, __u64 before, __u64 now)
{
	__u64 time = top->now.time - top->before.time;

	return time ? (now - before) * 1e9 / time : 0;
}

static double group_rate(const struct top *top, const struct vm_sample *sample)
{
	const struct vm_sample *before = earlier(top, sample);

	return before ? rate(top, before->vm.groups, sample->vm.groups) : 0;
}

static int compare(const void *a, const void *b, void *context)
{
	const struct vm_sample *first = a, *second = b;
	const struct top *top = context;
	double difference = 0;

	if (top->order == ORDER_WAITING)
		difference = (double)second->vm.outstanding - first->vm.outstanding;
	else if (top->order == ORDER_RATE)
		difference = group_rate(top, second) - group_rate(top, first);
	if (!difference)
		difference = (double)first->vm.vm - second->vm.vm;
	return difference < 0 ? -1 : difference > 0;
}

static __u64 answered(const struct faultq_stats *stats)
{
	return stats->answered_success + stats->answered_invalid + stats->answered_failure;
}

/* Below which time this part of all answers came; 0 when there are none. */
static __u64 latency_of_part(const struct faultq_stats *stats, double part)
{
	__u64 all = answered(stats), sum = 0;
	unsigned int i;

	for (i = 0; i < FAULTQ_LATENCIES && all; i++) {
		sum += stats->latency[i];
		if (sum >= all * part)
			return latency_bound(i);
	}
	return 0;
}

static void print_latency(FILE *out, const struct faultq_stats *stats, double part)
{
	__u64 latency = latency_of_part(stats, part);
	char text[32] = "-";

	if (latency)
		duration_text(latency, text, sizeof(text));
	fprintf(out, " %8s", text);
}

static void print_limit(FILE *out, uint32_t limit)
{
	if (limit)
		fprintf(out, "/%-6u", limit);
	else
		fprintf(out, "/%-6s", "-");
}

static void print_bar(FILE *out, __u64 part, __u64 whole)
{
	unsigned int length = whole ? (part * BAR_WIDTH + whole - 1) / whole : 0, i;

	for (i = 0; i < BAR_WIDTH; i++)
		fputc(i < length ? '#' : '.', out);
}

static void print_summary(FILE *out, const struct top *top)
{
	uint32_t waiting = 0, devices = 0, i;
	double groups = 0;

	for (i = 0; i < top->now.count; i++) {
		waiting += top->now.vms[i].vm.outstanding;
		devices += top->now.vms[i].vm.devices;
		groups += group_rate(top, &top->now.vms[i]);
	}
	fprintf(out, "%u VMs, %u devices, %u groups waiting, %.0f groups a second; by %s\n",
		top->now.count, devices, waiting, groups, order_names[top->order]);
}

static void print_instances(FILE *out, const struct samples *samples)
{
	uint32_t i;

	for (i = 0; i < samples->instance_count; i++) {
		const struct faultq_share *share = &samples->instances[i];

		fprintf(out, "%-20s pool [", share->name);
		print_bar(out, share->pool_used, share->pool);
		fprintf(out, "] %u of %u, depth %u, %u VMs with %u each\n", share->pool_used,
			share->pool, share->depth, share->vms, share->guarantee);
	}
}

static void print_devices(FILE *out, const struct vm_sample *sample)
{
	uint32_t i;

	for (i = 0; i < sample->count; i++) {
		const struct faultq_device_entry *device = &sample->devices[i];

		fprintf(out, "    %-38s %5u", device->name, device->outstanding);
		print_limit(out, device->max_outstanding);
		fprintf(out, " %s, %s\n", device->instance, faultq_state_name(device->state));
	}
}

static void print_vm(FILE *out, const struct top *top, const struct vm_sample *sample)
{
	const struct vm_sample *before = earlier(top, sample) ?: sample;
	uint32_t limit = sample->vm.max_outstanding ?: sample->vm.slots;

	fprintf(out, "%-6u %-8d %-15.15s %4u %7u", sample->vm.vm, sample->vm.pid, sample->vm.comm,
		sample->vm.devices, sample->vm.outstanding);
	print_limit(out, limit);
	fprintf(out, " %8.0f %8.0f %8.0f %8.0f", group_rate(top, sample),
		rate(top, answered(&before->stats), answered(&sample->stats)),
		rate(top, before->vm.terminated, sample->vm.terminated),
		rate(top, before->vm.unrecoverable, sample->vm.unrecoverable));
	print_latency(out, &sample->stats, 0.5);
	print_latency(out, &sample->stats, 0.99);
	fputc('\n', out);
	print_devices(out, sample);
}

static void print_vms(FILE *out, const struct top *top)
{
	uint32_t i;

	fprintf(out, "%-6s %-8s %-15s %4s %7s/%-6s %8s %8s %8s %8s %8s %8s\n", "VM", "PID",
		"COMMAND", "DEV", "WAIT", "LIMIT", "GROUP/s", "ANSW/s", "TERM/s", "FAULT/s",
		"50% <", "99% <");
	for (i = 0; i < top->now.count; i++)
		print_vm(out, top, &top->now.vms[i]);
}

/* Of all VMs, since they began. */
static void print_histogram(FILE *out, const struct samples *samples)
{
	__u64 sums[FAULTQ_LATENCIES] = { 0 }, most = 0;
	char bound[32];
	uint32_t i, j;

	for (j = 0; j < FAULTQ_LATENCIES; j++) {
		for (i = 0; i < samples->count; i++)
			sums[j] += samples->vms[i].stats.latency[j];
		most = sums[j] > most ? sums[j] : most;
	}
	if (!most)
		return;
	fprintf(out, "answers by the time they took\n");
	for (j = 0; j < FAULTQ_LATENCIES; j++) {
		if (!sums[j])
			continue;
		duration_text(latency_bound(j), bound, sizeof(bound));
		fprintf(out, "  < %-8s [", bound);
		print_bar(out, sums[j], most);
		fprintf(out, "] %llu\n", sums[j]);
	}
}

static void print_screen(FILE *out, struct top *top)
{
	qsort_r(top->now.vms, top->now.count, sizeof(*top->now.vms), compare, top);
	print_summary(out, top);
	print_instances(out, &top->now);
	fputc('\n', out);
	print_vms(out, top);
	fputc('\n', out);
	print_histogram(out, &top->now);
}

static void take_next(struct top *top)
{
	samples_drop(&top->before);
	top->before = top->now;
	samples_take(top->fq, &top->now);
}

static void sleep_ms(uint64_t ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static void run_batch(struct top *top)
{
	for (; top->left; top->left--) {
		take_next(top);
		print_screen(stdout, top);
		putchar('\n');
		fflush(stdout);
		if (top->left > 1)
			sleep_ms(top->delay_ms);
	}
}

/* As many lines as there is room for. */
static void draw(struct top *top)
{
	char *text = NULL, *line, *rest;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int row = 0;

	if (!out)
		error(EXIT_FAILURE, errno, "a screen");
	print_screen(out, top);
	fclose(out);
	erase();
	for (rest = text; row < LINES && (line = strsep(&rest, "\n")); row++)
		mvaddnstr(row, 0, line, COLS);
	refresh();
	free(text);
}

/* False: the end. What a key changes is seen at once. */
static bool handle_key(struct top *top, int key)
{
	if (key == 'q')
		return false;
	if (key == 's')
		top->order = (top->order + 1) % ORDERS;
	return true;
}

/* Also when something fails in between. */
static void leave_terminal(void)
{
	endwin();
}

static void run_terminal(struct top *top)
{
	bool go_on = true;

	initscr();
	atexit(leave_terminal);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	timeout(top->delay_ms);
	for (; go_on && top->left; top->left--) {
		take_next(top);
		draw(top);
		go_on = handle_key(top, getch());
	}
}

int cmd_top(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Show VMs, their devices and the IOMMU instances that they share, again and "
		       "again. Keys: s changes the order, q ends. Needs CAP_SYS_ADMIN.",
	};
	struct top top = { .delay_ms = 2000, .left = FOREVER };

	argp_parse(&argp, argc, argv, 0, NULL, &top);
	top.fq = vm_open(-1);
	if (top.batch)
		run_batch(&top);
	else
		run_terminal(&top);
	samples_drop(&top.before);
	samples_drop(&top.now);
	faultq_close(top.fq);
	return 0;
}
