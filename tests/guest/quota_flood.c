// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quiet: whatever faults a guest causes, and however many, the kernel's log gets no line of them.
 * Over quota, unanswered, malformed, unrecoverable, answered wrongly, switched off.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA	0x1000000UL
#define BATCH	1000u

static int kernel_log;

/* What slow machines make the kernel say of its own clocks. */
static bool says_nothing_of_us(const char *line)
{
	return strstr(line, "hrtimer: interrupt took") || strstr(line, "clocksource:");
}

static int open_log(void **state)
{
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(kernel_log >= 0);
	return rig_setup_pri(state);
}

static int close_log(void **state)
{
	close(kernel_log);
	return rig_teardown(state);
}

static void log_mark(void)
{
	assert_true(lseek(kernel_log, 0, SEEK_END) >= 0);
}

static void assert_log_silent(void)
{
	char line[2048];
	ssize_t length;

	while ((length = read(kernel_log, line, sizeof(line) - 1)) > 0) {
		line[length] = '\0';
		if (!says_nothing_of_us(line))
			fail_msg("the kernel says: %s", line);
	}
	assert_int_equal(length, -1);
	assert_int_equal(errno, EAGAIN);
}

static unsigned long batches(void)
{
	return scaled(20, 1000000 / BATCH);
}

static void drop_records(struct faultq *fq)
{
	const struct faultq_record *records;

	while (faultq_peek(fq, &records) > 0)
		faultq_consume(fq);
}

static void groups(struct rig *rig, uint32_t access, uint32_t flags)
{
	struct mock_iommu_page_request request = page_request(0, IOVA);

	request.access = access;
	request.flags = flags;
	request.pasid = access & MOCK_IOMMU_PASID ? 5 : 0;
	request.count = BATCH;
	request.group_step = 1;
	request.address_step = PAGE;
	must(mock_page_requests(rig->device.fd, &request) >= 0);
}

static void unanswered_and_over_quota(void **state)
{
	struct rig *rig = *state;

	log_mark();
	for (unsigned long i = 0; i < batches(); i++)
		groups(rig, MOCK_IOMMU_READ, MOCK_IOMMU_LAST);
	assert_log_silent();
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, RIG_SLOTS);
}

static void without_room_in_the_ring(void **state)
{
	struct rig *rig = *state;

	log_mark();
	for (unsigned long i = 0; i < batches(); i++) {
		groups(rig, MOCK_IOMMU_READ, MOCK_IOMMU_LAST);
		assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	}
	assert_log_silent();
	assert_true(vm_stats(rig->fq, 0).terminated_no_room > 0);
}

/* Stop markers, and requests that ask for nothing that there is. */
static void malformed_groups(void **state)
{
	static const uint32_t accesses[] = {
		0, MOCK_IOMMU_EXEC, MOCK_IOMMU_PRIV, MOCK_IOMMU_EXEC | MOCK_IOMMU_PRIV,
		MOCK_IOMMU_READ | MOCK_IOMMU_WRITE | MOCK_IOMMU_EXEC | MOCK_IOMMU_PRIV,
	};
	struct rig *rig = *state;

	log_mark();
	for (unsigned long i = 0; i < batches(); i++) {
		groups(rig, accesses[i % ARRAY_SIZE(accesses)], MOCK_IOMMU_LAST);
		drop_records(rig->fq);
		assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	}
	assert_log_silent();
}

static void pasids_of_nobody(void **state)
{
	struct rig *rig = *state;

	log_mark();
	for (unsigned long i = 0; i < batches(); i++) {
		groups(rig, MOCK_IOMMU_READ | MOCK_IOMMU_PASID,
		       MOCK_IOMMU_LAST | (i % 2 ? MOCK_IOMMU_NEEDS_PASID : 0));
		drop_records(rig->fq);
		assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	}
	assert_log_silent();
}

/* A thousand requests of one group, and then its last. */
static void groups_that_are_too_long(void **state)
{
	struct rig *rig = *state;

	log_mark();
	for (unsigned long i = 0; i < batches(); i++) {
		struct mock_iommu_page_request request = page_request(1, IOVA);

		request.flags = 0;
		request.count = BATCH - 1;
		request.address_step = PAGE;
		must(mock_page_requests(rig->device.fd, &request) >= 0);
		inject_group(&rig->device, 1, IOVA);
	}
	assert_log_silent();
	assert_int_equal(vm_stats(rig->fq, 0).terminated_too_long, batches());
}

static void groups_that_never_end(void **state)
{
	struct rig *rig = *state;

	needs_open_groups();
	log_mark();
	for (unsigned long i = 0; i < batches(); i++)
		groups(rig, MOCK_IOMMU_READ, 0);
	assert_log_silent();
}

/* The same index over and over, while it is outstanding. */
static void duplicated_groups(void **state)
{
	struct rig *rig = *state;

	log_mark();
	for (unsigned long i = 0; i < batches(); i++) {
		struct mock_iommu_page_request request = page_request(7, IOVA);

		request.count = BATCH;
		must(mock_page_requests(rig->device.fd, &request) >= 0);
		drop_records(rig->fq);
		assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	}
	assert_log_silent();
}

static void unrecoverable(struct rig *rig, uint32_t flags)
{
	struct mock_iommu_unrecoverable fault = {
		.size = sizeof(fault), .flags = flags, .access = MOCK_IOMMU_WRITE,
		.count = BATCH, .address = IOVA,
	};

	for (unsigned long i = 0; i < batches(); i++) {
		fault.reason = flags & MOCK_IOMMU_VIA_DOMAIN ? 0 : i % 9;
		must(!ioctl(rig->device.fd, MOCK_IOMMU_UNRECOVERABLE, &fault));
		if (i % 2)
			drop_records(rig->fq);
	}
}

static void unrecoverable_faults_of_the_device(void **state)
{
	needs_device_faults();
	log_mark();
	unrecoverable(*state, 0);
	assert_log_silent();
}

static void unrecoverable_faults_of_the_domain(void **state)
{
	log_mark();
	unrecoverable(*state, MOCK_IOMMU_VIA_DOMAIN);
	unrecoverable(*state, MOCK_IOMMU_VIA_DOMAIN | MOCK_IOMMU_HARD_IRQ);
	assert_log_silent();
}

/* What a guest can make its VMM do, too. */
static void answers_to_nothing(void **state)
{
	struct rig *rig = *state;
	struct faultq_answer answers[64];

	log_mark();
	for (unsigned long i = 0; i < batches() * BATCH / ARRAY_SIZE(answers); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(answers); j++)
			answers[j] = (struct faultq_answer){ .cookie = i << 16 | j, .code = j % 4 };
		assert_int_equal(faultq_respond(rig->fq, answers, ARRAY_SIZE(answers), NULL), 0);
	}
	assert_log_silent();
}

static void a_device_that_was_switched_off(void **state)
{
	const struct faultq_limits limits = { .max_outstanding = 1 };
	struct rig *rig = *state;
	struct faultq_limits rate = {
		.device = rig->id, .max_outstanding = 1, .refused_rate = 1,
	};

	assert_int_equal(faultq_set_limits(rig->fq, &limits), 0);
	assert_int_equal(faultq_set_limits(rig->fq, &rate), 0);
	log_mark();
	for (unsigned long i = 0; i < batches(); i++)
		groups(rig, MOCK_IOMMU_READ, MOCK_IOMMU_LAST);
	assert_log_silent();
	assert_true(vm_stats(rig->fq, rig->id).terminated_off > BATCH);
}

/* Accesses of the engine that nothing is mapped for. */
static void dma_to_nowhere(void **state)
{
	const struct faultq_limits limits = { .deadline_ms = 1, .invalid = 1 };
	unsigned long rounds = scaled(200, 10000);
	struct rig *rig = *state;
	char byte;

	assert_int_equal(faultq_set_limits(rig->fq, &limits), 0);
	log_mark();
	for (unsigned long i = 0; i < rounds; i++) {
		int tag = dma_start(&rig->device, MOCK_IOMMU_READ, IOVA + i * PAGE, NULL, 1);

		assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
		dma_wait(&rig->device, tag, &byte);
		drop_records(rig->fq);
	}
	assert_log_silent();
}

int main(void)
{
#define QUIET(test) cmocka_unit_test_setup_teardown(test, open_log, close_log)
	const struct CMUnitTest tests[] = {
		QUIET(unanswered_and_over_quota),
		QUIET(without_room_in_the_ring),
		QUIET(malformed_groups),
		QUIET(pasids_of_nobody),
		QUIET(groups_that_are_too_long),
		QUIET(groups_that_never_end),
		QUIET(duplicated_groups),
		QUIET(unrecoverable_faults_of_the_device),
		QUIET(unrecoverable_faults_of_the_domain),
		QUIET(answers_to_nothing),
		QUIET(a_device_that_was_switched_off),
		QUIET(dma_to_nowhere),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
