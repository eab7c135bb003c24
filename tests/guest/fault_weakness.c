// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is known to go wrong in queues of page requests, and must not here: stale and zero
 * cookies, floods that nobody answers, a bad answer among good ones, an empty queue, a fault
 * after the close. What waits for user memory is in fault_stuck.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cgroup.h"
#include "support/fault.h"
#include "support/kinds.h"
#include "support/quota.h"

#define IOVA		0x1000000UL
#define CGROUP		"faultq"
#define MAX_SLOTS	16384
#define MAX_ENTRIES	65536
/* The kernel charges in batches that each CPU keeps for later. */
#define CHARGE_SLACK	(1024 * 1024L)

static void a_cookie_is_good_for_one_answer(void **state)
{
	struct rig *rig = *state;
	uint64_t cookie;

	inject_group(&rig->device, 1, IOVA);
	cookie = take_cookie(rig->fq);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), -ESTALE);
	assert_response(&rig->device, 1, FAULTQ_SUCCESS);
	assert_no_response(&rig->device);
	assert_int_equal(vm_stats(rig->fq, 0).stale_answers, 1);
}

static void a_stale_cookie_never_answers_a_newer_group(void **state)
{
	struct rig *rig = *state;
	struct faultq *fq = vm_open(1, 64, 0);
	uint64_t cookies[20];

	vm_detach(rig->fq, rig->id);
	vm_attach(fq, &rig->device);
	/* one slot: every group takes the same one */
	for (unsigned int i = 0; i < ARRAY_SIZE(cookies); i++) {
		inject_group(&rig->device, 9, IOVA);
		cookies[i] = take_cookie(fq);
		for (unsigned int old = 0; old < i; old++) {
			assert_true(cookies[old] != cookies[i]);
			assert_int_equal(faultq_answer(fq, cookies[old], FAULTQ_SUCCESS), -ESTALE);
		}
		assert_no_response(&rig->device);
		assert_int_equal(vm_stats(fq, 0).outstanding, 1);
		assert_int_equal(faultq_answer(fq, cookies[i], FAULTQ_INVALID), 0);
		assert_response(&rig->device, 9, FAULTQ_INVALID);
	}
	faultq_close(fq);
}

static void cookie_zero_is_refused_and_never_given_out(void **state)
{
	struct rig *rig = *state;

	for (unsigned int i = 0; i < 3 * RIG_SLOTS; i++) {
		uint64_t cookie;

		assert_int_equal(faultq_answer(rig->fq, 0, FAULTQ_SUCCESS), -EINVAL);
		inject_group(&rig->device, i, IOVA);
		cookie = take_cookie(rig->fq);
		assert_true(cookie != 0);
		assert_int_equal(faultq_answer(rig->fq, 0, FAULTQ_SUCCESS), -EINVAL);
		assert_int_equal(vm_stats(rig->fq, 0).outstanding, 1);
		assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), 0);
		assert_response(&rig->device, i, FAULTQ_SUCCESS);
	}
	assert_int_equal(vm_stats(rig->fq, 0).stale_answers, 0);
}

static void assert_responses(const struct device *device, unsigned int count, uint32_t code)
{
	while (count--)
		assert_int_equal(response(device).code, code);
	assert_no_response(device);
}

static void a_flood_without_answers_is_bounded_by_the_slots(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(0, IOVA);
	unsigned int rounds = scaled(20, 400), flood = rounds * 256;
	struct faultq_stats stats;

	request.count = 256;
	for (unsigned int i = 0; i < rounds; i++) {
		request.group = i * 256;
		request.group_step = 1;
		assert_int_equal(inject(&rig->device, &request), 256);
		/* the rest is answered at once */
		assert_responses(&rig->device, i ? 256 : 256 - RIG_SLOTS, FAULTQ_INVALID);
	}
	stats = vm_stats(rig->fq, 0);
	assert_int_equal(stats.outstanding, RIG_SLOTS);
	assert_int_equal(stats.groups, RIG_SLOTS);
	assert_int_equal(stats.page_requests, flood);
	assert_int_equal(stats.terminated_no_slot, flood - RIG_SLOTS);
	assert_int_equal(device_state(&rig->device).outstanding, RIG_SLOTS);

	for (unsigned int i = 0; i < RIG_SLOTS; i++)
		assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_SUCCESS), 0);
	assert_responses(&rig->device, RIG_SLOTS, FAULTQ_SUCCESS);
	assert_queue_empty(rig->fq);
}

/* Two processes take turns. */
struct turns {
	int child[2];
	int parent[2];
};

static void pass_turn(int to)
{
	must(write(to, "", 1) == 1);
}

static void await_turn(int from)
{
	char byte;

	must(read(from, &byte, 1) == 1);
}

/*
 * The child process, alone in its memory cgroup: makes the queue, and takes it with it when it
 * ends.
 */
static void queue_in_cgroup(const struct turns *turns, const struct device *device)
{
	struct faultq_queue queue = {
		.size = sizeof(queue), .slots = MAX_SLOTS, .entries = MAX_ENTRIES, .eventfd = -1,
	};
	struct faultq_attach attach = { .size = sizeof(attach) };
	int vm = open("/dev/faultq", O_RDWR | O_CLOEXEC);

	must(vm >= 0);
	must(cgroup_enter(CGROUP));
	pass_turn(turns->parent[1]);
	await_turn(turns->child[0]);
	must(!ioctl(vm, FAULTQ_QUEUE, &queue));
	snprintf(attach.name, sizeof(attach.name), "%s", device->platform);
	must(!ioctl(vm, FAULTQ_ATTACH, &attach));
	pass_turn(turns->parent[1]);
	await_turn(turns->child[0]);
	_exit(0);
}

/* The parent process: looks at the child's charge. What the mock needs for the flood is its own. */
static void flood_from_outside(const struct turns *turns, const struct device *device)
{
	struct mock_iommu_page_request flood = page_request(0, IOVA);
	long before, with_queue, flooded;

	await_turn(turns->parent[0]);
	before = (long)cgroup_charged(CGROUP);
	pass_turn(turns->child[1]);
	await_turn(turns->parent[0]);
	with_queue = (long)cgroup_charged(CGROUP);
	printf("# charged for the queue: %ld bytes\n", with_queue - before);
	assert_true(with_queue - before >=
		    MAX_ENTRIES * (long)sizeof(struct faultq_record) + MAX_SLOTS * 16);

	flood.count = scaled(40000, 1000000);
	flood.group_step = 1;
	assert_int_equal(inject(device, &flood), flood.count);
	assert_int_equal(device_state(device).outstanding, MAX_SLOTS);
	flooded = (long)cgroup_charged(CGROUP);
	printf("# charged for %u groups: %ld bytes\n", flood.count, flooded - with_queue);
	assert_true(labs(flooded - with_queue) < CHARGE_SLACK);
	pass_turn(turns->child[1]);
}

static void a_flood_takes_no_memory_but_the_queues_which_is_charged(void **state)
{
	struct device device;
	struct turns turns;
	int status;
	pid_t child;

	(void)state;
	if (!cgroup_make(CGROUP))
		skip_because("the kernel has no memory cgroups");
	instance_make("flood", MAX_ENTRIES);
	device_make(&device, "flood", "dev", "mode=pri");
	assert_int_equal(pipe(turns.child) | pipe(turns.parent), 0);
	child = fork();
	if (!child)
		queue_in_cgroup(&turns, &device);
	flood_from_outside(&turns, &device);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true((long)cgroup_charged(CGROUP) < CHARGE_SLACK);
	assert_true(cgroup_remove(CGROUP));
	device_assert_idle(&device);
	device_remove(&device);
	instance_remove("flood");
}

static void good_bad_good_are_all_processed(void **state)
{
	static const struct {
		uint64_t cookie;
		uint32_t code;
		int result;
	} bad[] = {
		{ 0, FAULTQ_SUCCESS, -EINVAL },
		{ 1, FAULTQ_SUCCESS, -ESTALE },
		{ ~0ULL, FAULTQ_INVALID, -ESTALE },
		{ 0x10000, 3, -EINVAL },
	};
	struct rig *rig = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct faultq_answer answers[3] = {
			[1] = { .cookie = bad[i].cookie, .code = bad[i].code, .result = 1 },
		};
		uint32_t done = 0;

		inject_group(&rig->device, 1, IOVA);
		inject_group(&rig->device, 2, IOVA);
		answers[0].cookie = take_cookie(rig->fq);
		answers[2].cookie = take_cookie(rig->fq);
		answers[2].code = FAULTQ_INVALID;
		assert_int_equal(faultq_respond(rig->fq, answers, 3, &done), 0);
		assert_int_equal(done, 3);
		assert_int_equal(answers[0].result, 0);
		assert_int_equal(answers[1].result, bad[i].result);
		assert_int_equal(answers[2].result, 0);
		assert_response(&rig->device, 1, FAULTQ_SUCCESS);
		assert_response(&rig->device, 2, FAULTQ_INVALID);
	}
}

static void an_empty_read_gives_eagain(void **state)
{
	struct rig *rig = *state;
	struct faultq_record record;
	int fd = faultq_fd(rig->fq);

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(fd, &record, sizeof(record)), -1);
	assert_int_equal(errno, EAGAIN);
	inject_group(&rig->device, 1, IOVA);
	assert_int_equal(read(fd, &record, sizeof(record)), sizeof(record));
	assert_int_equal(read(fd, &record, sizeof(record)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(faultq_answer(rig->fq, record.cookie, FAULTQ_SUCCESS), 0);
}

struct reader {
	int fd;
	int tid_pipe[2];
	struct faultq_record record;
	ssize_t length;
};

static void *read_one(void *argument)
{
	struct reader *reader = argument;
	int tid = syscall(SYS_gettid);

	must(write(reader->tid_pipe[1], &tid, sizeof(tid)) == sizeof(tid));
	reader->length = read(reader->fd, &reader->record, sizeof(reader->record));
	return NULL;
}

static void an_empty_read_blocks_until_a_fault_comes(void **state)
{
	struct rig *rig = *state;
	struct reader reader = { .fd = faultq_fd(rig->fq) };
	pthread_t thread;
	int tid;

	assert_int_equal(pipe(reader.tid_pipe), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_one, &reader), 0);
	assert_int_equal(read(reader.tid_pipe[0], &tid, sizeof(tid)), sizeof(tid));
	wait_until_blocked(getpid(), tid);
	inject_group(&rig->device, 1, IOVA);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.length, sizeof(reader.record));
	assert_int_equal(reader.record.address, IOVA);
	close(reader.tid_pipe[0]);
	close(reader.tid_pipe[1]);
}

static void a_fault_after_the_close_is_not_queued(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_page_request request = page_request(1, IOVA);
	int tag;

	inject_group(&rig->device, 1, IOVA);
	faultq_close(rig->fq);
	assert_response(&rig->device, 1, FAULTQ_INVALID);

	/* nobody takes it, so nobody owes an answer */
	assert_int_equal(inject(&rig->device, &request), 0);
	device_assert_idle(&rig->device);
	tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, "late", 4);
	assert_int_not_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	device_assert_idle(&rig->device);

	/* and the next owner does not meet it */
	rig->fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
	rig->id = vm_attach(rig->fq, &rig->device);
	assert_queue_empty(rig->fq);
	assert_int_equal(vm_stats(rig->fq, 0).page_requests, 0);
}

struct injector {
	const struct device *device;
	bool stop;
};

static void *inject_until_stopped(void *argument)
{
	struct injector *injector = argument;
	struct mock_iommu_page_request request = page_request(0, IOVA);

	request.count = 16;
	request.group_step = 1;
	while (!__atomic_load_n(&injector->stop, __ATOMIC_RELAXED)) {
		must(mock_page_requests(injector->device->fd, &request) >= 0);
		request.group += 16;
	}
	return NULL;
}

static void faults_around_the_close_leave_nothing_outstanding(void **state)
{
	struct rig *rig = *state;
	struct injector injector = { .device = &rig->device };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, inject_until_stopped, &injector), 0);
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		struct faultq_record records[32];

		take_group(rig->fq, records);
		faultq_close(rig->fq);
		rig->fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
		rig->id = vm_attach(rig->fq, &rig->device);
	}
	__atomic_store_n(&injector.stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_cookie_is_good_for_one_answer),
		RIG_TEST(a_stale_cookie_never_answers_a_newer_group),
		RIG_TEST(cookie_zero_is_refused_and_never_given_out),
		RIG_TEST(a_flood_without_answers_is_bounded_by_the_slots),
		cmocka_unit_test(a_flood_takes_no_memory_but_the_queues_which_is_charged),
		RIG_TEST(good_bad_good_are_all_processed),
		RIG_TEST_READ(an_empty_read_gives_eagain),
		RIG_TEST_READ(an_empty_read_blocks_until_a_fault_comes),
		RIG_TEST(a_fault_after_the_close_is_not_queued),
		RIG_TEST(faults_around_the_close_leave_nothing_outstanding),
	};

	shares_lift(16384);
	return tap_run_request_group(tests, NULL, NULL);
}
