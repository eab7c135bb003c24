// SPDX-License-Identifier: GPL-2.0-only
/*
 * read(), poll() and epoll on a VM file: what they refuse, when they block, what wakes
 * them. The faults are unrecoverable ones of a mock device, which nobody needs to answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/fault.h"
#include "support/kinds.h"
#include "support/mock.h"
#include "support/tap.h"

#define ENTRIES 64
#define RECORD sizeof(struct faultq_record)

static struct abi_device device;
static int vm;

static int open_vm(void **state)
{
	(void)state;
	vm = abi_open();
	abi_device_make(&device, "read", "d0");
	assert_int_equal(abi_device_attach(&device, vm), 0);
	return 0;
}

static int open_reader(void **state)
{
	open_vm(state);
	assert_int_equal(abi_queue(vm, 4, ENTRIES, -1, FAULTQ_QUEUE_READ, NULL), 0);
	return 0;
}

static int close_vm(void **state)
{
	(void)state;
	close(vm);
	abi_device_destroy(&device);
	return 0;
}

static void fault(uint64_t address)
{
	assert_int_equal(mock_unrecoverable(device.mock, fault_way(), MOCK_IOMMU_READ, 5, address),
			 1);
}

/* Not read(): the compiler would look at bad buffers. */
static int read_records(void *buffer, size_t size)
{
	return abi_result(syscall(SYS_read, vm, buffer, size));
}

static void set_nonblocking(int on)
{
	assert_int_equal(fcntl(vm, F_SETFL, on ? O_NONBLOCK : 0), 0);
}

static void expect_empty(void)
{
	struct faultq_record record;

	set_nonblocking(1);
	assert_int_equal(read_records(&record, RECORD), -EAGAIN);
	set_nonblocking(0);
}

static void expect_fault(uint64_t address)
{
	struct faultq_record record;

	assert_int_equal(read_records(&record, RECORD), RECORD);
	assert_int_equal(record.type, FAULTQ_UNRECOVERABLE);
	assert_int_equal(record.device, device.id);
	assert_int_equal(record.address, address);
}

static void read_without_a_queue_gives_enxio(void **state)
{
	struct faultq_record record;

	(void)state;
	assert_int_equal(read_records(&record, RECORD), -ENXIO);
	assert_int_equal(read_records(&record, 0), -ENXIO);
	set_nonblocking(1);
	assert_int_equal(read_records(&record, RECORD), -ENXIO);
}

static void read_of_a_ring_gives_ebusy(void **state)
{
	struct faultq_record record;

	(void)state;
	assert_int_equal(abi_queue(vm, 4, ENTRIES, -1, 0, NULL), 0);
	fault(0x1000);
	assert_int_equal(read_records(&record, RECORD), -EBUSY);
	set_nonblocking(1);
	assert_int_equal(read_records(&record, RECORD), -EBUSY);
}

static void buffers_smaller_than_a_record_give_einval(void **state)
{
	uint8_t buffer[RECORD];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t size = 0; size < RECORD; size++)
			assert_int_equal(read_records(buffer, size), -EINVAL);
		fault(0x1000);
	}
	expect_fault(0x1000);
	expect_fault(0x1000);
}

static void an_empty_queue_gives_eagain_if_asked_to(void **state)
{
	(void)state;
	expect_empty();
	fault(0x5000);
	expect_fault(0x5000);
	expect_empty();
}

static void whole_records_are_read_as_many_as_fit(void **state)
{
	struct faultq_record records[4];

	(void)state;
	for (uint64_t i = 0; i < 6; i++)
		fault(i);
	assert_int_equal(read_records(records, 2 * RECORD + RECORD / 2), 2 * RECORD);
	assert_int_equal(records[1].address, 1);
	assert_int_equal(read_records(records, sizeof(records)), 4 * RECORD);
	assert_int_equal(records[3].address, 5);
	expect_empty();
}

static void a_queue_read_in_odd_portions_loses_nothing(void **state)
{
	struct faultq_record records[7];
	uint64_t sent = 0, seen = 0, total = scaled(2000, 100000);

	(void)state;
	while (seen < total) {
		int bytes;

		for (unsigned int i = 0; i < ENTRIES / 4 - (sent - seen); i++)
			fault(sent + i);
		sent = seen + ENTRIES / 4;
		bytes = read_records(records, (1 + seen % 7) * RECORD);
		assert_true(bytes > 0);
		for (unsigned int i = 0; i < bytes / RECORD; i++)
			assert_int_equal(records[i].address, seen++);
	}
	assert_int_equal(abi_stats(vm, 0).lost, 0);
}

static void bad_buffers_give_efault_and_keep_the_record(void **state)
{
	uint8_t *read_only = abi_memory(1, PROT_READ), *hole = abi_hole_after(1);

	(void)state;
	fault(0x7000);
	assert_int_equal(read_records(NULL, RECORD), -EFAULT);
	assert_int_equal(read_records((void *)0xffff888000001000UL, RECORD), -EFAULT);
	assert_int_equal(read_records(read_only, RECORD), -EFAULT);
	assert_int_equal(read_records(hole + ABI_PAGE - RECORD / 2, RECORD), -EFAULT);
	expect_fault(0x7000);
	expect_empty();
	munmap(read_only, ABI_PAGE);
}

static void a_buffer_with_a_hole_takes_what_fits_before_it(void **state)
{
	uint8_t *hole = abi_hole_after(1);

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		fault(i);
	assert_int_equal(read_records(hole + ABI_PAGE - 2 * RECORD - 8, 4 * RECORD), 2 * RECORD);
	expect_fault(2);
	expect_fault(3);
	expect_empty();
}

static void the_file_is_a_stream_and_is_not_written(void **state)
{
	uint8_t buffer[RECORD] = {};
	int write_only = open("/dev/faultq", O_WRONLY | O_CLOEXEC);

	(void)state;
	fault(0x3000);
	assert_int_equal(abi_result(write(vm, buffer, RECORD)), -EINVAL);
	assert_int_equal(abi_result(pread(vm, buffer, RECORD, 0)), -ESPIPE);
	assert_int_equal(abi_result(lseek(vm, 0, SEEK_SET)), -ESPIPE);
	assert_int_equal(abi_result(read(write_only, buffer, RECORD)), -EBADF);
	expect_fault(0x3000);
	close(write_only);
}

/* Waits until a thread or process sleeps in a system call. */
static void wait_until_in(pid_t task, long number)
{
	char path[64], line[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", task);
	do {
		sched_yield();
		file = fopen(path, "re");
		assert_non_null(file);
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
		fclose(file);
	} while (strtol(line, NULL, 10) != number || line[0] < '0' || line[0] > '9');
}

struct reader {
	pthread_t thread;
	pid_t task;
	int result;
	struct faultq_record record;
};

static void *read_one(void *data)
{
	struct reader *reader = data;

	__atomic_store_n(&reader->task, gettid(), __ATOMIC_RELEASE);
	reader->result = read_records(&reader->record, RECORD);
	return NULL;
}

static void start_reader(struct reader *reader)
{
	pid_t task;

	*reader = (struct reader){};
	assert_int_equal(pthread_create(&reader->thread, NULL, read_one, reader), 0);
	while (!(task = __atomic_load_n(&reader->task, __ATOMIC_ACQUIRE)))
		sched_yield();
	wait_until_in(task, SYS_read);
}

static void a_fault_wakes_a_blocked_read(void **state)
{
	(void)state;
	for (uint64_t round = scaled(50, 2000); round; round--) {
		struct reader reader;

		start_reader(&reader);
		fault(round);
		pthread_join(reader.thread, NULL);
		assert_int_equal(reader.result, RECORD);
		assert_int_equal(reader.record.address, round);
	}
	expect_empty();
}

static void of_many_blocked_reads_each_gets_one_fault(void **state)
{
	enum { READERS = 8 };
	struct reader readers[READERS];
	unsigned int seen = 0;

	(void)state;
	for (int i = 0; i < READERS; i++)
		start_reader(&readers[i]);
	for (uint64_t i = 0; i < READERS; i++)
		fault(i);
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_int_equal(readers[i].result, RECORD);
		seen |= 1U << readers[i].record.address;
	}
	assert_int_equal(seen, (1U << READERS) - 1);
	expect_empty();
}

struct busy_reader {
	pthread_t thread;
	bool stop;
	unsigned long rounds;
	unsigned long taken;
};

static void *read_without_blocking(void *data)
{
	struct busy_reader *reader = data;
	struct faultq_record record;

	while (!__atomic_load_n(&reader->stop, __ATOMIC_ACQUIRE)) {
		if (read_records(&record, RECORD) == (int)RECORD)
			__atomic_fetch_add(&reader->taken, 1, __ATOMIC_RELEASE);
		__atomic_fetch_add(&reader->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* One that blocks never comes around again: nothing more is there to read. */
static bool comes_around(struct busy_reader *reader)
{
	unsigned long before = __atomic_load_n(&reader->rounds, __ATOMIC_ACQUIRE);
	time_t patience = time(NULL) + 60;

	while (__atomic_load_n(&reader->rounds, __ATOMIC_ACQUIRE) == before) {
		if (time(NULL) > patience)
			return false;
		sched_yield();
	}
	return true;
}

static void nonblocking_readers_never_block_each_other(void **state)
{
	enum { READERS = 3, FAULTS = 8 };
	static struct busy_reader readers[READERS];
	unsigned long taken = 0, rounds = scaled(300, 50000);
	bool blocked = false;

	(void)state;
	memset(readers, 0, sizeof(readers));
	set_nonblocking(1);
	for (unsigned int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_without_blocking,
						&readers[i]), 0);
	for (unsigned long round = 0; round < rounds && !blocked; round++) {
		for (unsigned int i = 0; i < FAULTS; i++)
			fault(i);
		for (unsigned int i = 0; i < READERS && !blocked; i++)
			blocked = !comes_around(&readers[i]);
	}
	for (unsigned int i = 0; i < READERS; i++)
		__atomic_store_n(&readers[i].stop, true, __ATOMIC_RELEASE);
	assert_false(blocked);
	for (unsigned int i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		taken += readers[i].taken;
	}
	while (read_records(&(struct faultq_record){}, RECORD) == (int)RECORD)
		taken++;
	set_nonblocking(0);
	assert_true(taken > 0);
	assert_int_equal(taken + abi_stats(vm, 0).lost, rounds * FAULTS);
}

static atomic_uint handled;

static void on_signal(int number)
{
	(void)number;
	handled++;
}

static void set_handler(int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static void a_signal_ends_a_blocked_read_with_eintr(void **state)
{
	struct reader reader;

	(void)state;
	set_handler(0);
	start_reader(&reader);
	pthread_kill(reader.thread, SIGUSR1);
	pthread_join(reader.thread, NULL);
	assert_int_equal(reader.result, -EINTR);
	fault(0x9000);
	expect_fault(0x9000);
}

static void a_signal_that_restarts_calls_loses_nothing(void **state)
{
	struct reader reader;

	(void)state;
	set_handler(SA_RESTART);
	start_reader(&reader);
	pthread_kill(reader.thread, SIGUSR1);
	wait_until_in(reader.task, SYS_read);
	fault(0xa000);
	pthread_join(reader.thread, NULL);
	assert_int_equal(reader.result, RECORD);
	assert_int_equal(reader.record.address, 0xa000);
}

static void *read_into_memory(void *data)
{
	read_records(data, RECORD);
	return NULL;
}

/* The first is held up by its memory while it has its turn. */
static void a_signal_restarts_who_waits_for_another_reader(void **state)
{
	static char content[ABI_PAGE];
	struct reader second;
	pthread_t first;
	void *memory;
	int uffd;

	(void)state;
	uffd = stuck_memory_new(&memory, 1);
	set_handler(SA_RESTART);
	fault(0xc000);
	fault(0xd000);
	assert_int_equal(pthread_create(&first, NULL, read_into_memory, memory), 0);
	stuck_memory_wait(uffd);
	start_reader(&second);
	handled = 0;
	pthread_kill(second.thread, SIGUSR1);
	while (!handled)
		sched_yield();
	stuck_memory_give(uffd, memory, content);
	pthread_join(first, NULL);
	pthread_join(second.thread, NULL);
	assert_int_equal(second.result, RECORD);
	assert_int_equal(second.record.address, 0xd000);
	close(uffd);
	munmap(memory, ABI_PAGE);
}

static void a_killed_reader_takes_nothing_with_it(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (!child) {
		struct faultq_record record;

		_exit(read(vm, &record, RECORD) < 0);
	}
	wait_until_in(child, SYS_read);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	fault(0xb000);
	expect_fault(0xb000);
}

#define ALL_EVENTS (POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND)

static int poll_now(void)
{
	struct pollfd pfd = { .fd = vm, .events = ALL_EVENTS };

	assert_in_range(poll(&pfd, 1, 0), 0, 1);
	return pfd.revents;
}

static void poll_tells_when_there_is_something_to_read(void **state)
{
	(void)state;
	assert_int_equal(poll_now(), 0);
	assert_int_equal(abi_queue(vm, 4, ENTRIES, -1, FAULTQ_QUEUE_READ, NULL), 0);
	assert_int_equal(poll_now(), 0);
	fault(1);
	fault(2);
	assert_int_equal(poll_now(), POLLIN | POLLRDNORM);
	expect_fault(1);
	assert_int_equal(poll_now(), POLLIN | POLLRDNORM);
	expect_fault(2);
	assert_int_equal(poll_now(), 0);
}

static void poll_of_a_ring_goes_by_the_consumer_index(void **state)
{
	struct abi_ring ring;

	(void)state;
	abi_ring_open(&ring, vm, 4, ENTRIES);
	assert_int_equal(poll_now(), 0);
	fault(1);
	fault(2);
	assert_int_equal(poll_now(), POLLIN | POLLRDNORM);
	abi_set_consumer(&ring, 1);
	assert_int_equal(poll_now(), POLLIN | POLLRDNORM);
	abi_set_consumer(&ring, 2);
	assert_int_equal(poll_now(), 0);
	abi_ring_close(&ring);
}

static void *poll_for_ever(void *data)
{
	struct pollfd pfd = { .fd = vm, .events = POLLIN };

	__atomic_store_n((pid_t *)data, gettid(), __ATOMIC_RELEASE);
	return (void *)(long)(ppoll(&pfd, 1, NULL, NULL) == 1 ? pfd.revents : -1);
}

static void a_poll_from_before_the_queue_sees_its_first_fault(void **state)
{
	pid_t task = 0;
	pthread_t thread;
	void *events;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, poll_for_ever, &task), 0);
	while (!__atomic_load_n(&task, __ATOMIC_ACQUIRE))
		sched_yield();
	wait_until_in(task, SYS_ppoll);
	assert_int_equal(abi_queue(vm, 4, ENTRIES, -1, FAULTQ_QUEUE_READ, NULL), 0);
	fault(1);
	pthread_join(thread, &events);
	assert_int_equal((long)events, POLLIN);
}

static int epoll_of(uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, vm, &event), 0);
	return epoll;
}

static uint32_t epoll_now(int epoll)
{
	struct epoll_event event = {};

	assert_in_range(epoll_wait(epoll, &event, 1, 0), 0, 1);
	return event.events;
}

static void epoll_tells_the_level(void **state)
{
	int epoll = epoll_of(EPOLLIN | EPOLLOUT);

	(void)state;
	assert_int_equal(epoll_now(epoll), 0);
	fault(1);
	assert_int_equal(epoll_now(epoll), EPOLLIN);
	assert_int_equal(epoll_now(epoll), EPOLLIN);
	expect_fault(1);
	assert_int_equal(epoll_now(epoll), 0);
	close(epoll);
}

static void epoll_tells_the_edge(void **state)
{
	int epoll = epoll_of(EPOLLIN | EPOLLET);

	(void)state;
	for (uint64_t round = 0; round < 10; round++) {
		assert_int_equal(epoll_now(epoll), 0);
		fault(round);
		assert_int_equal(epoll_now(epoll), EPOLLIN);
		assert_int_equal(epoll_now(epoll), 0);
		expect_fault(round);
	}
	close(epoll);
}

int main(void)
{
#define with_vm(test) cmocka_unit_test_setup_teardown(test, open_vm, close_vm)
#define with_reader(test) cmocka_unit_test_setup_teardown(test, open_reader, close_vm)
	const struct CMUnitTest tests[] = {
		with_vm(read_without_a_queue_gives_enxio),
		with_vm(read_of_a_ring_gives_ebusy),
		with_reader(buffers_smaller_than_a_record_give_einval),
		with_reader(an_empty_queue_gives_eagain_if_asked_to),
		with_reader(whole_records_are_read_as_many_as_fit),
		with_reader(a_queue_read_in_odd_portions_loses_nothing),
		with_reader(bad_buffers_give_efault_and_keep_the_record),
		with_reader(a_buffer_with_a_hole_takes_what_fits_before_it),
		with_reader(the_file_is_a_stream_and_is_not_written),
		with_reader(a_fault_wakes_a_blocked_read),
		with_reader(of_many_blocked_reads_each_gets_one_fault),
		with_reader(nonblocking_readers_never_block_each_other),
		with_reader(a_signal_ends_a_blocked_read_with_eintr),
		with_reader(a_signal_that_restarts_calls_loses_nothing),
		with_reader(a_signal_restarts_who_waits_for_another_reader),
		with_reader(a_killed_reader_takes_nothing_with_it),
		with_vm(poll_tells_when_there_is_something_to_read),
		with_vm(poll_of_a_ring_goes_by_the_consumer_index),
		with_vm(a_poll_from_before_the_queue_sees_its_first_fault),
		with_reader(epoll_tells_the_level),
		with_reader(epoll_tells_the_edge),
	};

	return tap_run_group(tests, NULL, NULL);
}
