// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: each step of a group leaves one event that says whose it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"

#define TRACEFS	"/sys/kernel/tracing"
#define IOVA	0x1000000UL

static bool write_to(const char *name, const char *text)
{
	char path[128];
	bool written;
	int fd;

	snprintf(path, sizeof(path), TRACEFS "/%s", name);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

static int trace_setup(void **state)
{
	mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	if (!write_to("events/faultq/enable", "1")) {
		*state = NULL;
		return 0;
	}
	rig_setup_pri(state);
	assert_true(write_to("trace", "\n"));
	return 0;
}

static int trace_teardown(void **state)
{
	if (!*state)
		return 0;
	write_to("events/faultq/enable", "0");
	write_to("trace", "\n");
	return rig_teardown(state);
}

static struct rig *traced_rig(void **state)
{
	if (!*state)
		skip_because("the kernel has no event tracing");
	return *state;
}

/* The lines of the trace that have all these words; counts them. */
static unsigned int count_events(const char *event, const char *word)
{
	FILE *file = fopen(TRACEFS "/trace", "re");
	unsigned int count = 0;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, event) && strstr(line, word);
	fclose(file);
	return count;
}

static void a_group_is_traced_from_report_to_answer(void **state)
{
	struct rig *rig = traced_rig(state);
	char word[64];
	uint64_t cookie;

	inject_group(&rig->device, 77, IOVA);
	cookie = take_cookie(rig->fq);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), 0);
	snprintf(word, sizeof(word), "group=77 pasid=-1 count=1 address=%#lx perm=0x1", IOVA);
	assert_int_equal(count_events("faultq_report:", word), 1);
	snprintf(word, sizeof(word), "device=%u group=77 cookie=%#llx outstanding=1", rig->id,
		 (unsigned long long)cookie);
	assert_int_equal(count_events("faultq_queue:", word), 1);
	snprintf(word, sizeof(word), "group=77 cookie=%#llx code=success waited=",
		 (unsigned long long)cookie);
	assert_int_equal(count_events("faultq_answer:", word), 1);
	assert_int_equal(count_events("faultq_terminate:", ""), 0);
}

static void a_termination_tells_why(void **state)
{
	struct rig *rig = traced_rig(state);
	struct faultq_limits limits = { .max_outstanding = 1 };

	assert_int_equal(faultq_set_limits(rig->fq, &limits), 0);
	inject_group(&rig->device, 1, IOVA);
	inject_group(&rig->device, 2, IOVA);
	assert_int_equal(count_events("faultq_terminate:", "group=2 reason=over-vm"), 1);
	assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	assert_int_equal(count_events("faultq_terminate:", "group=1 reason=drained"), 1);
	assert_int_equal(count_events("faultq_drain:", "pasid=-1 count=1"), 1);
	inject_group(&rig->device, 3, IOVA);
	vm_detach(rig->fq, rig->id);
	assert_int_equal(count_events("faultq_terminate:", "group=3 reason=detached"), 1);
	rig->id = vm_attach(rig->fq, &rig->device);
}

static void a_stale_answer_is_traced(void **state)
{
	struct rig *rig = traced_rig(state);

	assert_int_equal(faultq_answer(rig->fq, 0xabc0000, FAULTQ_FAILURE), -ESTALE);
	assert_int_equal(count_events("faultq_stale:", "cookie=0xabc0000 code=failure"), 1);
}

int main(void)
{
#define TRACED(test) cmocka_unit_test_setup_teardown(test, trace_setup, trace_teardown)
	const struct CMUnitTest tests[] = {
		TRACED(a_group_is_traced_from_report_to_answer),
		TRACED(a_termination_tells_why),
		TRACED(a_stale_answer_is_traced),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
