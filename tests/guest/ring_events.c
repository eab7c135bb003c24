// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events that find no room in the ring reach a consumer that sleeps, however it sleeps and whoever
 * else looks at the queue. The consumer does what <linux/faultq.h> asks of it, and nothing else:
 * it makes room, and sleeps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/fault.h"
#include "support/kinds.h"

#define INSTANCE	"events"
#define ENTRIES		64
#define ROOM		(ENTRIES / 4)	/* of it, for events */
#define DEVICES		(ROOM + 4)
#define IOVA		0x1000000UL
#define PATIENCE_MS	60000		/* after which a consumer is taken to sleep for ever */

/**
 * struct consumer - one that takes records by hand
 * @vm: the VM file
 * @ring: its ring; not of a queue for read()
 * @next: index of the next record
 * @seen: records of each type
 * @count: sum of their counts
 * @cookie: of the last page request
 * @wakeup: what it sleeps on
 */
struct consumer {
	int vm;
	struct abi_ring ring;
	uint32_t next;
	unsigned int seen[16];
	unsigned int count;
	uint64_t cookie;
	int wakeup;
};

static struct device devices[DEVICES];

static int make_devices(void **state)
{
	char name[16];

	(void)state;
	instance_make(INSTANCE, 0);
	for (unsigned int i = 0; i < DEVICES; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		device_make(&devices[i], INSTANCE, name, "mode=pri");
	}
	return 0;
}

static int remove_devices(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < DEVICES; i++)
		device_remove(&devices[i]);
	instance_remove(INSTANCE);
	return 0;
}

static uint32_t attach(int vm, const struct device *device)
{
	struct faultq_attach attach = { .size = sizeof(attach) };

	strcpy(attach.name, device->platform);
	assert_int_equal(abi_ioctl(vm, FAULTQ_ATTACH, &attach), 0);
	return attach.device;
}

/* More events than the ring has room for, while nobody consumes. */
static void attach_and_unplug_all(int vm)
{
	for (unsigned int i = 0; i < DEVICES; i++)
		attach(vm, &devices[i]);
	for (unsigned int i = 0; i < DEVICES; i++)
		device_unplug(&devices[i]);
}

static void plug_all(void)
{
	for (unsigned int i = 0; i < DEVICES; i++)
		if (devices[i].fd < 0)
			device_plug(&devices[i]);
}

static void open_ring(struct consumer *c, int eventfd)
{
	*c = (struct consumer){ .vm = abi_open(), .wakeup = eventfd };
	abi_ring_open_eventfd(&c->ring, c->vm, 8, ENTRIES, eventfd);
}

static void open_reader(struct consumer *c, int eventfd)
{
	struct faultq_queue q;

	*c = (struct consumer){ .vm = abi_open(), .wakeup = eventfd };
	assert_int_equal(abi_queue(c->vm, 8, ENTRIES, eventfd, FAULTQ_QUEUE_READ, &q), 0);
}

static void close_consumer(struct consumer *c)
{
	if (c->ring.header)
		abi_ring_close(&c->ring);
	if (c->wakeup >= 0)
		close(c->wakeup);
	close(c->vm);
	plug_all();
}

static void see(struct consumer *c, const struct faultq_record *record)
{
	c->seen[record->type]++;
	c->count += record->count;
	if (record->type == FAULTQ_PAGE_REQUEST)
		c->cookie = record->cookie;
}

/* Steps 1 to 4 of "The ring". */
static void drain_ring(struct consumer *c)
{
	uint32_t producer;

	while ((producer = abi_producer(&c->ring)) != c->next) {
		while (c->next != producer)
			see(c, &c->ring.records[c->next++ & (ENTRIES - 1)]);
		abi_set_consumer(&c->ring, c->next);
	}
}

/* All that one read() gives, which blocks for the first record. */
static void read_some(struct consumer *c)
{
	struct faultq_record records[ENTRIES];
	ssize_t bytes = read(c->vm, records, sizeof(records));

	assert_true(bytes > 0);
	for (size_t i = 0; i < bytes / sizeof(*records); i++)
		see(c, &records[i]);
}

static void wait_for(int fd)
{
	struct pollfd wakeup = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&wakeup, 1, PATIENCE_MS), 1);
	assert_int_equal(wakeup.revents, POLLIN);
}

static void sleep_in_poll(struct consumer *c)
{
	wait_for(c->vm);
}

static void sleep_in_eventfd(struct consumer *c)
{
	uint64_t signals;

	wait_for(c->wakeup);
	assert_int_equal(read(c->wakeup, &signals, sizeof(signals)), sizeof(signals));
}

static void sleep_in_epoll(struct consumer *c)
{
	struct epoll_event event;

	assert_int_equal(epoll_wait(c->wakeup, &event, 1, PATIENCE_MS), 1);
}

static int epoll_of(int vm, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	assert_int_equal(epoll_ctl(fd, EPOLL_CTL_ADD, vm, &event), 0);
	return fd;
}

static void consume_all_gone(struct consumer *c, void (*sleep)(struct consumer *c))
{
	for (drain_ring(c); c->seen[FAULTQ_DEVICE_GONE] < DEVICES; drain_ring(c))
		sleep(c);
	assert_int_equal(c->seen[FAULTQ_DEVICE_GONE], DEVICES);
}

static void they_reach_who_sleeps_on_an_eventfd(void **state)
{
	struct consumer c;

	(void)state;
	open_ring(&c, eventfd(0, EFD_CLOEXEC));
	attach_and_unplug_all(c.vm);
	consume_all_gone(&c, sleep_in_eventfd);
	close_consumer(&c);
}

static void they_reach_who_sleeps_in_poll(void **state)
{
	struct consumer c;

	(void)state;
	open_ring(&c, -1);
	attach_and_unplug_all(c.vm);
	consume_all_gone(&c, sleep_in_poll);
	close_consumer(&c);
}

static void they_reach_who_sleeps_in_epoll(void **state)
{
	struct consumer c;

	(void)state;
	open_ring(&c, -1);
	c.wakeup = epoll_of(c.vm, EPOLLIN);
	attach_and_unplug_all(c.vm);
	consume_all_gone(&c, sleep_in_epoll);
	close_consumer(&c);
}

static void they_reach_who_sleeps_in_edge_triggered_epoll(void **state)
{
	struct consumer c;

	(void)state;
	open_ring(&c, -1);
	c.wakeup = epoll_of(c.vm, EPOLLIN | EPOLLET);
	attach_and_unplug_all(c.vm);
	consume_all_gone(&c, sleep_in_epoll);
	close_consumer(&c);
}

static void they_reach_who_blocks_in_read(void **state)
{
	struct consumer c;

	(void)state;
	open_reader(&c, -1);
	attach_and_unplug_all(c.vm);
	while (c.seen[FAULTQ_DEVICE_GONE] < DEVICES)
		read_some(&c);
	close_consumer(&c);
}

static void they_reach_who_reads_and_sleeps_on_an_eventfd(void **state)
{
	struct consumer c;

	(void)state;
	open_reader(&c, eventfd(0, EFD_CLOEXEC));
	attach_and_unplug_all(c.vm);
	while (c.seen[FAULTQ_DEVICE_GONE] < DEVICES) {
		sleep_in_eventfd(&c);
		read_some(&c);
	}
	close_consumer(&c);
}

/* A consumer that heeds the flag need not wait for the kernel to look again. */
static void the_header_says_that_they_wait(void **state)
{
	struct consumer c;

	(void)state;
	open_ring(&c, -1);
	assert_int_equal(c.ring.header->flags, 0);
	attach_and_unplug_all(c.vm);
	assert_int_equal(c.ring.header->flags, FAULTQ_RING_WAITING);
	assert_int_equal(abi_producer(&c.ring), ROOM);
	for (drain_ring(&c); c.ring.header->flags & FAULTQ_RING_WAITING; drain_ring(&c))
		poll(&(struct pollfd){ .fd = c.vm, .events = POLLIN }, 1, 0);
	assert_int_equal(c.seen[FAULTQ_DEVICE_GONE], DEVICES);
	close_consumer(&c);
}

static void libfaultq_takes_them_without_sleeping(void **state)
{
	struct faultq *fq = vm_open(8, ENTRIES, 0);

	(void)state;
	attach_and_unplug_all(faultq_fd(fq));
	for (unsigned int i = 0; i < DEVICES; i++) {
		const struct faultq_record *record;

		assert_int_equal(faultq_peek(fq, &record), 1);
		assert_int_equal(record->type, FAULTQ_DEVICE_GONE);
		faultq_consume(fq);
	}
	assert_queue_empty(fq);
	faultq_close(fq);
	plug_all();
}

/* A supervisor looks whether the queue of its VM was stopped, and publishes what waited. */
static void a_poll_by_somebody_else_swallows_no_wakeup(void **state)
{
	struct consumer c;
	struct device *last = &devices[DEVICES - 1];

	(void)state;
	open_ring(&c, eventfd(0, EFD_CLOEXEC));
	for (unsigned int i = 0; i < DEVICES - 1; i++)
		attach(c.vm, &devices[i]);
	attach(c.vm, last);
	for (unsigned int i = 0; i < DEVICES - 1; i++)
		device_unplug(&devices[i]);
	sleep_in_eventfd(&c);
	drain_ring(&c);
	poll(&(struct pollfd){ .fd = c.vm, .events = 0 }, 1, 0);
	inject_group(last, 1, IOVA);
	while (!c.seen[FAULTQ_PAGE_REQUEST]) {
		sleep_in_eventfd(&c);
		drain_ring(&c);
	}
	assert_int_equal(c.seen[FAULTQ_DEVICE_GONE], DEVICES - 1);
	close_consumer(&c);
	assert_response(last, 1, FAULTQ_INVALID);
}

static void those_from_before_the_queue_reach_who_sleeps(void **state)
{
	struct consumer c = { .vm = abi_open(), .wakeup = eventfd(0, EFD_CLOEXEC) };

	(void)state;
	attach(c.vm, &devices[0]);
	device_unplug(&devices[0]);
	abi_ring_open_eventfd(&c.ring, c.vm, 8, ENTRIES, c.wakeup);
	sleep_in_eventfd(&c);
	drain_ring(&c);
	assert_int_equal(c.seen[FAULTQ_DEVICE_GONE], 1);
	close_consumer(&c);
}

static void answer(int vm, uint64_t cookie)
{
	struct faultq_answer answer = { .cookie = cookie, .code = FAULTQ_SUCCESS };
	struct faultq_respond respond = {
		.size = sizeof(respond), .answers = (uintptr_t)&answer, .count = 1,
		.entry_size = sizeof(answer),
	};

	assert_int_equal(abi_ioctl(vm, FAULTQ_RESPOND, &respond), 0);
	assert_int_equal(answer.result, 0);
}

/* The second event is due when a group is admitted after the first was consumed. */
static void those_of_quotas_reach_who_sleeps(void **state)
{
	struct faultq_limits limits = {
		.size = sizeof(limits), .flags = FAULTQ_LIMITS_SET, .max_outstanding = 1,
	};
	struct consumer c;

	(void)state;
	open_ring(&c, eventfd(0, EFD_CLOEXEC));
	attach(c.vm, &devices[0]);
	assert_int_equal(abi_ioctl(c.vm, FAULTQ_LIMITS, &limits), 0);
	inject_group(&devices[0], 1, IOVA);
	inject_group(&devices[0], 2, IOVA);
	drain_ring(&c);
	assert_int_equal(c.count, 1);
	inject_group(&devices[0], 3, IOVA);
	inject_group(&devices[0], 4, IOVA);
	sleep_in_eventfd(&c);
	answer(c.vm, c.cookie);
	inject_group(&devices[0], 5, IOVA);
	while (c.count < 3) {
		sleep_in_eventfd(&c);
		drain_ring(&c);
	}
	assert_int_equal(c.count, 3);
	close_consumer(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_reach_who_sleeps_on_an_eventfd),
		cmocka_unit_test(they_reach_who_sleeps_in_poll),
		cmocka_unit_test(they_reach_who_sleeps_in_epoll),
		cmocka_unit_test(they_reach_who_sleeps_in_edge_triggered_epoll),
		cmocka_unit_test(they_reach_who_blocks_in_read),
		cmocka_unit_test(they_reach_who_reads_and_sleeps_on_an_eventfd),
		cmocka_unit_test(the_header_says_that_they_wait),
		cmocka_unit_test(libfaultq_takes_them_without_sleeping),
		cmocka_unit_test(a_poll_by_somebody_else_swallows_no_wakeup),
		cmocka_unit_test(those_from_before_the_queue_reach_who_sleeps),
		cmocka_unit_test(those_of_quotas_reach_who_sleeps),
	};

	return tap_run_request_group(tests, make_devices, remove_devices);
}
