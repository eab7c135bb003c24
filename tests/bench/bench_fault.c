// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a page request costs: delivering it, consuming it, answering it; one at a time, many at a
 * time, with others outstanding; waking a consumer; mapping with the answer; detaching one device
 * while another's wait. And how much of that is the floor: what the same takes with a handler and
 * a call that do nothing.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "floor.h"
#include "measure.h"
#include "memory.h"
#include "steps.h"
#include "support/cgroup.h"
#include "support/fault.h"
#include "support/kinds.h"
#include "support/quota.h"

#define INSTANCE	"bench"
#define CGROUP		"bench"
#define IOVA		0x1000000ull
#define IOVA_MAPPED	0x40000000ull
#define SLOTS		8192u
#define ENTRIES		32768u
#define ROUNDS		1000u
#define OUTSTANDING_MAX	4096u

static struct device first, second;
static struct faultq *vm;

static int make_devices(void **state)
{
	(void)state;
	floor_load();
	shares_lift(3 * SLOTS);
	instance_make(INSTANCE, 4 * SLOTS);
	device_make(&first, INSTANCE, "a", "mode=stall");
	device_make(&second, INSTANCE, "b", "mode=stall");
	return 0;
}

static int remove_devices(void **state)
{
	(void)state;
	device_remove(&second);
	device_remove(&first);
	instance_remove(INSTANCE);
	floor_unload();
	return 0;
}

static int open_vm(void **state)
{
	(void)state;
	vm = vm_open(SLOTS, ENTRIES, 0);
	vm_attach(vm, &first);
	return 0;
}

static int close_vm(void **state)
{
	(void)state;
	faultq_close(vm);
	return 0;
}

static void deliver(const struct device *device, uint32_t group, uint32_t count)
{
	struct mock_iommu_page_request request = page_request(group, IOVA);

	request.count = count;
	request.group_step = 1;
	request.address_step = PAGE;
	must(inject(device, &request) == count);
}

/* Takes groups of one record each off the queue, all of which are there. */
static void consume(void *answers, unsigned int count)
{
	const struct faultq_record *record;
	struct faultq_answer *answer = answers;

	for (; count; count--, answer++) {
		must(faultq_peek(vm, &record) == 1);
		*answer = (struct faultq_answer){
			.cookie = record->cookie, .code = FAULTQ_SUCCESS,
		};
		faultq_consume(vm);
	}
}

static void respond(void *answers, unsigned int count)
{
	must(!faultq_respond(vm, answers, count, NULL));
}

static void report_null(void)
{
	static struct series series;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t begin = instructions();

		syscall(SYS_getppid);
		series_add(&series, instructions() - begin);
	}
	series_report(&series, 1, "floor.getppid");
}

static void deliver_first(unsigned int count)
{
	deliver(&first, 0, count);
}

static const struct consumer faultq_consumer = {
	.name = "faultq", .deliver = deliver_first, .consume = consume, .respond = respond,
};

static void a_fault_in_batches(void **state)
{
	(void)state;
	steps_report_batches(&faultq_consumer, 4);
}

/* What a handler that only remembers the group leaves: the mock's call, and the kernel. */
static double report_floor(void)
{
	static struct series delivered, answered;
	int fd = floor_hook(&first, true);

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t t0, t1, t2;

		floor_reset(fd);
		t0 = instructions();
		deliver(&first, 0, 1);
		t1 = instructions();
		floor_answer(fd, 0);
		t2 = instructions();
		series_add(&delivered, t1 - t0);
		series_add(&answered, t2 - t1);
	}
	floor_unhook(fd);
	series_report(&delivered, 1, "floor.deliver");
	return series_report(&answered, 1, "floor.answer");
}

/* What the handler takes, and the mock for the answer; the IOMMU core is neither. */
static void report_handler(void)
{
	static struct series handled, driver;
	static struct faultq_answer answer;
	int fd = floor_hook(&first, false);

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t in_handler, in_driver;

		deliver(&first, 0, 1);
		consume(&answer, 1);
		respond(&answer, 1);
		floor_last(fd, &in_handler, &in_driver);
		series_add(&handled, in_handler);
		series_add(&driver, in_driver);
	}
	floor_unhook(fd);
	series_report(&handled, 1, "own.deliver");
	series_report(&driver, 1, "floor.mock.answer");
}

static void the_own_share_of_a_fault(void **state)
{
	double floor;

	(void)state;
	report_null();
	floor = report_floor();
	steps_report(&faultq_consumer, 1);
	figure_report(steps_report_round_trip(&faultq_consumer, 1) - floor, "own.consume-answer");
	report_handler();
}

/* Answers some of @count that wait, one by one, in random order; each is replaced by another. */
static void answer_outstanding(struct series *series, unsigned int count)
{
	static struct faultq_answer answers[OUTSTANDING_MAX];

	deliver(&first, 0, count);
	consume(answers, count);
	shuffle(answers, count, sizeof(*answers));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct faultq_answer *answer = &answers[i % count];
		uint64_t begin = instructions();

		respond(answer, 1);
		series_add(series, instructions() - begin);
		deliver(&first, count + i, 1);
		consume(answer, 1);
	}
	respond(answers, count);
}

/* The same with a call that does nothing else: the share of the kernel and of the mock. */
static void answer_floor_outstanding(struct series *series, unsigned int count)
{
	static struct faultq_answer answers[OUTSTANDING_MAX];
	int fd = floor_hook(&first, true);

	deliver(&first, 0, count);
	for (unsigned int i = 0; i < count; i++)
		answers[i].cookie = i;
	shuffle(answers, count, sizeof(*answers));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct faultq_answer *answer = &answers[i % count];
		uint64_t begin = instructions();

		floor_answer(fd, answer->cookie);
		series_add(series, instructions() - begin);
		deliver(&first, count + i, 1);
		answer->cookie = count + i;
	}
	for (unsigned int i = 0; i < count; i++)
		floor_answer(fd, answers[i].cookie);
	floor_unhook(fd);
}

/* The kernel looks for each group as long in both, so the difference is taken one by one. */
static void report_outstanding(unsigned int count)
{
	static struct series answered, floor, own;

	answer_outstanding(&answered, count);
	answer_floor_outstanding(&floor, count);
	series_subtract(&own, &answered, &floor);
	series_report(&answered, 1, "fault.answer.outstanding.%u.faultq", count);
	series_report(&floor, 1, "floor.answer.outstanding.%u", count);
	series_report(&own, 1, "own.answer.outstanding.%u", count);
}

static void an_answer_with_others_outstanding(void **state)
{
	(void)state;
	for (unsigned int count = 16; count <= OUTSTANDING_MAX; count *= 4)
		report_outstanding(count);
}

/* A consumer that sleeps until it is woken, and says when. */
struct sleeper {
	struct pollfd poll;
	pthread_barrier_t ready;
	uint64_t woken;
};

static void *sleep_and_wake(void *data)
{
	struct sleeper *sleeper = data;
	struct faultq_answer answer;
	uint64_t count;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&sleeper->ready);
		must(poll(&sleeper->poll, 1, -1) == 1);
		sleeper->woken = instructions();
		if (sleeper->poll.fd != faultq_fd(vm))
			must(read(sleeper->poll.fd, &count, sizeof(count)) == sizeof(count));
		consume(&answer, 1);
		respond(&answer, 1);
		pthread_barrier_wait(&sleeper->ready);
	}
	return NULL;
}

static void report_wakeup(const char *how, int fd)
{
	struct sleeper sleeper = { .poll = { .fd = fd, .events = POLLIN } };
	static struct series delivered, woken;
	pthread_t thread;

	pthread_barrier_init(&sleeper.ready, NULL, 2);
	must(!pthread_create(&thread, NULL, sleep_and_wake, &sleeper));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t begin, end;

		pthread_barrier_wait(&sleeper.ready);
		/* one virtual CPU: it sleeps when this thread runs again */
		usleep(100);
		begin = instructions();
		deliver(&first, i, 1);
		end = instructions();
		pthread_barrier_wait(&sleeper.ready);
		series_add(&delivered, end - begin);
		series_add(&woken, sleeper.woken - begin);
	}
	pthread_join(thread, NULL);
	series_report(&delivered, 1, "fault.deliver.asleep.%s.faultq", how);
	series_report(&woken, 1, "fault.deliver.awake.%s.faultq", how);
}

static void a_sleeping_consumer(void **state)
{
	int eventfd_fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	report_wakeup("poll", faultq_fd(vm));
	faultq_close(vm);
	assert_int_equal(faultq_open(&vm), 0);
	assert_int_equal(faultq_queue(vm, SLOTS, ENTRIES, eventfd_fd, 0), 0);
	vm_attach(vm, &first);
	report_wakeup("eventfd", eventfd_fd);
	close(eventfd_fd);
}

static void report_detach(unsigned int count)
{
	static struct series series;

	if (count)
		deliver(&first, 0, count);
	for (unsigned int i = 0; i < 50; i++) {
		uint32_t id = vm_attach(vm, &second);
		uint64_t begin;

		deliver(&second, 0, 8);
		begin = instructions();
		vm_detach(vm, id);
		series_add(&series, instructions() - begin);
	}
	series_report(&series, 1, "fault.detach.others.%u.faultq", count);
	faultq_close(vm);
	open_vm(NULL);
}

static void detaching_while_others_wait(void **state)
{
	(void)state;
	report_detach(0);
	report_detach(256);
	report_detach(4096);
}

/* The mapping that a fault wants, and its answer: one call. The mock's page table is a tree. */
static void report_map_answer(const char *what, char *memory, size_t size, unsigned int rounds)
{
	static struct series series;

	for (unsigned int i = 0; i < rounds; i++) {
		struct faultq_answer answer;
		uint64_t begin;

		deliver(&first, 0, 1);
		consume(&answer, 1);
		begin = instructions();
		must(!faultq_map_answer(vm, IOVA_MAPPED, memory, size,
					FAULTQ_MAP_READ | FAULTQ_MAP_WRITE, answer.cookie,
					&answer.result) && !answer.result);
		series_add(&series, instructions() - begin);
		must(!faultq_unmap(vm, IOVA_MAPPED, size, NULL));
	}
	series_report(&series, 1, "map-answer.%s.faultq", what);
}

static void mapping_with_the_answer(void **state)
{
	char *small = bench_memory(64 * MIB, false), *huge = bench_memory(64 * MIB, true);

	(void)state;
	report_map_answer("4k", small, PAGE, ROUNDS);
	report_map_answer("2m-small", small, 2 * MIB, 20);
	report_map_answer("2m-huge", huge, 2 * MIB, 200);
	report_map_answer("64m-small", small, 64 * MIB, 3);
	report_map_answer("64m-huge", huge, 64 * MIB, 5);
}

static unsigned long charge_of_queue(uint32_t slots)
{
	unsigned long before = cgroup_charged(CGROUP), after;
	struct faultq *fq;

	must(!faultq_open(&fq));
	must(!faultq_queue(fq, slots, ENTRIES, -1, 0));
	after = cgroup_charged(CGROUP);
	faultq_close(fq);
	return after - before;
}

/* In a child: what it is charged goes with it. */
static void report_charge(void)
{
	unsigned long one;

	must(cgroup_enter(CGROUP));
	charge_of_queue(SLOTS); /* what is charged once */
	one = charge_of_queue(1);
	figure_report((double)(charge_of_queue(SLOTS) - one) / (SLOTS - 1), "memory.group");
	fflush(stdout);
	_exit(0);
}

/* Bytes of each group that can be outstanding, beside the ring; all is made with the queue. */
static void memory_of_what_is_outstanding(void **state)
{
	int status;
	pid_t child;

	(void)state;
	must(cgroup_make(CGROUP));
	fflush(stdout);
	child = fork();
	if (!child)
		report_charge();
	must(waitpid(child, &status, 0) == child && !status);
	must(cgroup_remove(CGROUP));
}

#define BENCH(name) cmocka_unit_test_setup_teardown(name, open_vm, close_vm)

int main(void)
{
	const struct CMUnitTest benches[] = {
		BENCH(the_own_share_of_a_fault),
		BENCH(a_fault_in_batches),
		BENCH(an_answer_with_others_outstanding),
		BENCH(a_sleeping_consumer),
		BENCH(mapping_with_the_answer),
		BENCH(memory_of_what_is_outstanding),
		BENCH(detaching_while_others_wait),
	};

	return tap_run_request_group(benches, make_devices, remove_devices);
}
