// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wake-ups are never lost. The consumer sleeps without a timeout whenever the ring is
 * drained, and every producer waits until its fault was taken before it makes the next
 * one: a wake-up that is lost is never made good by a later fault, all wait for ever, and
 * the test's time runs out.
 *
 * Threads: each producer injects through a mock device of its own. Those of page requests
 * wait for the device's answer, those of unrecoverable faults for a semaphore that the
 * consumer posts.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <faultq.h>

#include "support/abi.h"
#include "support/kinds.h"
#include "support/mock.h"
#include "support/tap.h"

#define PRODUCERS 4

struct producer {
	struct abi_device device;
	pthread_t thread;
	sem_t taken;
	uint64_t count; /* faults to make */
	uint64_t received; /* of them, by the consumer */
	uint32_t flags; /* of an unrecoverable fault */
	bool failed;
	void (*fault)(struct producer *producer, uint64_t number);
};

struct consumer {
	struct faultq *fq;
	struct producer producers[PRODUCERS];
	int fd; /* epoll or eventfd */
	unsigned int count; /* of producers */
	uint64_t received;
	void (*sleep)(struct consumer *consumer);
};

static void sleep_in_poll(struct consumer *consumer)
{
	struct pollfd pfd = { .fd = faultq_fd(consumer->fq), .events = POLLIN };

	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_int_equal(pfd.revents, POLLIN);
}

static void sleep_in_epoll(struct consumer *consumer)
{
	struct epoll_event event;

	assert_int_equal(epoll_wait(consumer->fd, &event, 1, -1), 1);
	assert_int_equal(event.events, EPOLLIN);
}

static void sleep_in_eventfd(struct consumer *consumer)
{
	uint64_t signals;

	assert_int_equal(read(consumer->fd, &signals, sizeof(signals)), sizeof(signals));
}

/* A page request, and its answer. */
static void request_page(struct producer *producer, uint64_t number)
{
	struct mock_iommu_response response;

	if (mock_page_request(producer->device.mock, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, number, 0,
			      number * ABI_PAGE) != 1 ||
	    mock_response(producer->device.mock, 0, &response) ||
	    response.group != (uint32_t)number || response.code != FAULTQ_SUCCESS)
		producer->failed = true;
}

static void fail_access(struct producer *producer, uint64_t number)
{
	if (mock_unrecoverable(producer->device.mock, producer->flags, MOCK_IOMMU_READ, 0,
			       number * ABI_PAGE) != 1)
		producer->failed = true;
	else
		sem_wait(&producer->taken);
}

/*
 * A producer that fails goes on waiting for nothing: the consumer would hang. So it ends
 * the program.
 */
static void *produce(void *data)
{
	struct producer *producer = data;

	for (uint64_t i = 0; i < producer->count; i++) {
		producer->fault(producer, i);
		if (producer->failed) {
			fprintf(stderr, "producer %u failed at its fault %llu\n",
				producer->device.id, (unsigned long long)i);
			_exit(1);
		}
	}
	return NULL;
}

static void take(struct consumer *consumer, const struct faultq_record *record)
{
	struct producer *producer = consumer->producers;

	while (producer->device.id != record->device)
		assert_true(++producer < consumer->producers + consumer->count);
	assert_int_equal(record->address, producer->received * ABI_PAGE);
	producer->received++;
	consumer->received++;
	if (record->type == FAULTQ_PAGE_REQUEST)
		assert_int_equal(faultq_answer(consumer->fq, record->cookie, FAULTQ_SUCCESS), 0);
	else
		sem_post(&producer->taken);
}

/* Drains wholly, and sleeps only when libfaultq has said that the ring is empty. */
static void consume(struct consumer *consumer, uint64_t total)
{
	const struct faultq_record *record;
	int count;

	while (consumer->received < total) {
		count = faultq_peek(consumer->fq, &record);
		assert_in_range(count, 0, 1);
		if (count) {
			take(consumer, record);
			faultq_consume(consumer->fq);
		} else {
			consumer->sleep(consumer);
		}
	}
}

/* How often this thread gave up its CPU to wait. */
static long sleeps(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_nvcsw;
}

static void make_producers(struct consumer *consumer, uint64_t total)
{
	for (unsigned int i = 0; i < consumer->count; i++) {
		struct producer *producer = &consumer->producers[i];
		char name[] = { 'd', '0' + i, '\0' };

		abi_device_make(&producer->device, "wake", name);
		assert_int_equal(abi_device_attach(&producer->device, faultq_fd(consumer->fq)), 0);
		producer->count = total / consumer->count;
		producer->fault = i % 2 ? fail_access : request_page;
		producer->flags = fault_way();
		sem_init(&producer->taken, 0, 0);
	}
	consumer->producers[PRODUCERS - 1].flags = MOCK_IOMMU_VIA_DOMAIN | MOCK_IOMMU_HARD_IRQ;
}

static void finish(struct consumer *consumer, uint64_t total)
{
	struct faultq_stats stats;

	for (unsigned int i = 0; i < consumer->count; i++) {
		pthread_join(consumer->producers[i].thread, NULL);
		assert_int_equal(consumer->producers[i].received, consumer->producers[i].count);
	}
	assert_int_equal(faultq_stats(consumer->fq, 0, &stats), 0);
	assert_int_equal(stats.groups + stats.unrecoverable, total);
	assert_int_equal(stats.lost | stats.terminated_no_room | stats.terminated_no_slot, 0);
	faultq_close(consumer->fq);
	for (unsigned int i = 0; i < consumer->count; i++)
		abi_device_destroy(&consumer->producers[i].device);
}

static void run(struct consumer *consumer, unsigned int producers, uint64_t total)
{
	long before = sleeps();

	consumer->count = producers;
	make_producers(consumer, total);
	for (unsigned int i = 0; i < consumer->count; i++)
		assert_int_equal(pthread_create(&consumer->producers[i].thread, NULL, produce,
						&consumer->producers[i]),
				 0);
	consume(consumer, total);
	assert_true(sleeps() > before);
	print_message("# consumer slept %ld times in %llu faults\n", sleeps() - before,
		      (unsigned long long)total);
	finish(consumer, total);
}

static void open_queue(struct consumer *consumer, uint32_t slots, uint32_t entries, int eventfd,
		       uint32_t flags)
{
	assert_int_equal(faultq_open(&consumer->fq), 0);
	assert_int_equal(faultq_queue(consumer->fq, slots, entries, eventfd, flags), 0);
}

static void add_to_epoll(struct consumer *consumer, uint32_t events)
{
	struct epoll_event event = { .events = events };

	consumer->fd = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(epoll_ctl(consumer->fd, EPOLL_CTL_ADD, faultq_fd(consumer->fq), &event),
			 0);
}

/* The threads that are made from here on run there, too. */
static void use_cpus(unsigned int count)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	while (count)
		CPU_SET(--count, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/*
 * With one device the consumer sleeps before nearly every fault. One CPU is enough for
 * that; waking another one would take an emulated machine milliseconds.
 */
static void run_alone(struct consumer *consumer, uint64_t total)
{
	use_cpus(1);
	run(consumer, 1, total);
	use_cpus(sysconf(_SC_NPROCESSORS_ONLN));
}

static void poll_misses_no_fault_of_one_device(void **state)
{
	struct consumer consumer = { .sleep = sleep_in_poll };

	(void)state;
	open_queue(&consumer, 64, 256, -1, 0);
	run_alone(&consumer, scaled(10000, 1000000));
}

static void poll_misses_no_fault(void **state)
{
	struct consumer consumer = { .sleep = sleep_in_poll };

	(void)state;
	open_queue(&consumer, 64, 256, -1, 0);
	run(&consumer, PRODUCERS, scaled(4000, 1000000));
}

static void poll_misses_no_fault_of_a_queue_for_read(void **state)
{
	struct consumer consumer = { .sleep = sleep_in_poll };

	(void)state;
	open_queue(&consumer, 64, 256, -1, FAULTQ_QUEUE_READ);
	run(&consumer, PRODUCERS, scaled(2000, 200000));
}

static void epoll_misses_no_fault(void **state)
{
	struct consumer consumer = { .sleep = sleep_in_epoll };

	(void)state;
	open_queue(&consumer, 64, 256, -1, 0);
	add_to_epoll(&consumer, EPOLLIN);
	run(&consumer, PRODUCERS, scaled(4000, 1000000));
	close(consumer.fd);
}

static void edge_triggered_epoll_misses_no_fault(void **state)
{
	struct consumer consumer = { .sleep = sleep_in_epoll };

	(void)state;
	open_queue(&consumer, 64, 256, -1, 0);
	add_to_epoll(&consumer, EPOLLIN | EPOLLET);
	run(&consumer, PRODUCERS, scaled(2000, 200000));
	close(consumer.fd);
}

static void an_eventfd_misses_no_fault_of_one_device(void **state)
{
	struct consumer consumer = { .sleep = sleep_in_eventfd };

	(void)state;
	consumer.fd = eventfd(0, EFD_CLOEXEC);
	open_queue(&consumer, 64, 256, consumer.fd, 0);
	run_alone(&consumer, scaled(10000, 1000000));
	close(consumer.fd);
}

static void an_eventfd_misses_no_fault(void **state)
{
	struct consumer consumer = { .sleep = sleep_in_eventfd };

	(void)state;
	consumer.fd = eventfd(0, EFD_CLOEXEC);
	open_queue(&consumer, 64, 256, consumer.fd, 0);
	run(&consumer, PRODUCERS, scaled(4000, 1000000));
	close(consumer.fd);
}

static void an_eventfd_misses_no_fault_of_a_queue_for_read(void **state)
{
	struct consumer consumer = { .sleep = sleep_in_eventfd };

	(void)state;
	consumer.fd = eventfd(0, EFD_CLOEXEC);
	open_queue(&consumer, 64, 256, consumer.fd, FAULTQ_QUEUE_READ);
	run(&consumer, PRODUCERS, scaled(2000, 200000));
	close(consumer.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poll_misses_no_fault_of_one_device),
		cmocka_unit_test(poll_misses_no_fault),
		cmocka_unit_test(poll_misses_no_fault_of_a_queue_for_read),
		cmocka_unit_test(epoll_misses_no_fault),
		cmocka_unit_test(edge_triggered_epoll_misses_no_fault),
		cmocka_unit_test(an_eventfd_misses_no_fault_of_one_device),
		cmocka_unit_test(an_eventfd_misses_no_fault),
		cmocka_unit_test(an_eventfd_misses_no_fault_of_a_queue_for_read),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
