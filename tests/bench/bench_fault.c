// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a page request costs: delivering it, consuming it, answering it; one at a time, many at a
 * time, with others outstanding; waking a consumer; detaching one device while another's wait.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure.h"
#include "support/fault.h"
#include "support/kinds.h"
#include "support/quota.h"

#define INSTANCE	"bench"
#define IOVA		0x1000000ull
#define SLOTS		8192u
#define ENTRIES		32768u
#define ROUNDS		1000u
#define BATCH_MAX	1024u
#define OUTSTANDING_MAX	4096u

static struct device first, second;
static struct faultq *vm;

static int make_devices(void **state)
{
	(void)state;
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

/* Takes what is there off the queue; returns how many groups, of one record each. */
static unsigned int consume(struct faultq_answer *answers, unsigned int room)
{
	const struct faultq_record *records;
	unsigned int count = 0;
	int got;

	while (count < room && (got = faultq_peek(vm, &records)) > 0) {
		for (int i = 0; i < got && count < room; i++)
			answers[count++] = (struct faultq_answer){
				.cookie = records[i].cookie, .code = FAULTQ_SUCCESS,
			};
		faultq_consume(vm);
	}
	return count;
}

static void respond(struct faultq_answer *answers, unsigned int count)
{
	uint32_t done;

	must(!faultq_respond(vm, answers, count, &done) && done == count);
}

static void report_floor(void)
{
	static struct series series;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t begin = instructions();

		syscall(SYS_getppid);
		series_add(&series, instructions() - begin);
	}
	series_report(&series, 1, "floor.getppid");
}

/* In batches of @count: each step, per fault. */
static void report_batch(unsigned int count, unsigned int rounds)
{
	static struct series delivered, consumed, answered, all;
	static struct faultq_answer answers[BATCH_MAX];

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t t0 = instructions(), t1, t2, t3;

		deliver(&first, 0, count);
		t1 = instructions();
		must(consume(answers, count) == count);
		t2 = instructions();
		respond(answers, count);
		t3 = instructions();
		series_add(&delivered, t1 - t0);
		series_add(&consumed, t2 - t1);
		series_add(&answered, t3 - t2);
		series_add(&all, t3 - t0);
	}
	series_report(&delivered, count, "fault.deliver.%u", count);
	series_report(&consumed, count, "fault.consume.%u", count);
	series_report(&answered, count, "fault.answer.%u", count);
	series_report(&all, count, "fault.round-trip.%u", count);
}

static void a_fault_in_batches(void **state)
{
	(void)state;
	report_floor();
	report_batch(1, ROUNDS);
	report_batch(64, 200);
	report_batch(1024, 20);
}

static void shuffle(struct faultq_answer *answers, unsigned int count)
{
	for (unsigned int i = count - 1; i > 0; i--) {
		unsigned int other = rand() % (i + 1);
		struct faultq_answer swapped = answers[i];

		answers[i] = answers[other];
		answers[other] = swapped;
	}
}

/* Answers some of @count that wait, one by one, in random order; each is replaced by another. */
static void report_outstanding(unsigned int count)
{
	static struct faultq_answer answers[OUTSTANDING_MAX];
	static struct series series;

	deliver(&first, 0, count);
	must(consume(answers, count) == count);
	shuffle(answers, count);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct faultq_answer *answer = &answers[i % count];
		uint64_t begin = instructions();

		respond(answer, 1);
		series_add(&series, instructions() - begin);
		deliver(&first, count + i, 1);
		must(consume(answer, 1) == 1);
	}
	series_report(&series, 1, "fault.answer.outstanding.%u", count);
	respond(answers, count);
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
		must(consume(&answer, 1) == 1);
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
	series_report(&delivered, 1, "fault.deliver.asleep.%s", how);
	series_report(&woken, 1, "fault.deliver.awake.%s", how);
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
	series_report(&series, 1, "fault.detach.others.%u", count);
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

#define BENCH(name) cmocka_unit_test_setup_teardown(name, open_vm, close_vm)

int main(void)
{
	const struct CMUnitTest benches[] = {
		BENCH(a_fault_in_batches),
		BENCH(an_answer_with_others_outstanding),
		BENCH(a_sleeping_consumer),
		BENCH(detaching_while_others_wait),
	};

	return tap_run_request_group(benches, make_devices, remove_devices);
}
