// SPDX-License-Identifier: GPL-2.0-only
/*
 * What arrives for a thread during its call does not end the call: signals that the process
 * handles, with or without SA_RESTART, and the work of its io_urings. Only a signal that kills
 * does. The calls that wait for a record, read() and poll(), are not meant: see abi_read.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/fault.h"
#include "support/interrupt.h"
#include "support/tap.h"

#define IOVA	0x10000000ull
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define LONG	(32ul << 20)	/* takes MAP a while */
#define TICKS	scaled(100, 5000)

/* A call on a new VM, whose argument arrives when it has begun. */
struct late_call {
	const struct abi_call *call;
	int vm;
	void *argument;
};

static int make_late_call(void *data)
{
	struct late_call *late = data;

	return ioctl(late->vm, late->call->command, late->argument) ? -errno : 0;
}

static void interrupt_call(const struct abi_call *call, enum interruption kind)
{
	struct late_call late = { .call = call, .vm = abi_open() };
	uint8_t *content = pages_new(1);
	int userfaultfd = stuck_memory_new(&late.argument, 1);
	struct interrupted interrupted;
	int result;

	call->sample(content);
	interrupted_begin(&interrupted, kind, make_late_call, &late);
	stuck_memory_wait(userfaultfd);
	interrupt(&interrupted);
	stuck_memory_give(userfaultfd, late.argument, content);
	result = interrupted_end(&interrupted);
	if (result != call->result)
		fail_msg("%s while %s: %d", call->name, interruption_names[kind], result);
	close(userfaultfd);
	close(late.vm);
	pages_free(late.argument, 1);
	pages_free(content, 1);
}

/* They wait for their argument, and the interruption is pending in all that they do. */
static void all_calls_go_on(enum interruption kind)
{
	for (const struct abi_call *call = abi_calls; call->name; call++)
		interrupt_call(call, kind);
}

static void no_call_is_ended_by_a_signal(void **state)
{
	(void)state;
	all_calls_go_on(INTERRUPTION_SIGNAL);
}

static void no_call_is_ended_by_a_signal_with_sa_restart(void **state)
{
	(void)state;
	all_calls_go_on(INTERRUPTION_RESTART);
}

static void no_call_is_ended_by_the_work_of_an_io_uring(void **state)
{
	(void)state;
	all_calls_go_on(INTERRUPTION_IO_URING);
}

/**
 * struct long_map - a MAP that takes a while
 * @fq: the VM
 * @memory: new memory, LONG bytes of it
 */
struct long_map {
	struct faultq *fq;
	void *memory;
};

static int map_long(void *data)
{
	const struct long_map *map = data;

	return faultq_map(map->fq, IOVA, map->memory, LONG, RW);
}

/* Small pages, which come one by one. */
static void *long_memory(int flags)
{
	void *memory = mmap(NULL, LONG, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	madvise(memory, LONG, MADV_NOHUGEPAGE);
	return memory;
}

/* Returns whether it was interrupted before its end. */
static bool interrupt_map(struct faultq *fq, enum interruption kind)
{
	struct long_map map = { .fq = fq, .memory = long_memory(MAP_PRIVATE) };
	struct interrupted interrupted;
	bool amid;

	interrupted_begin(&interrupted, kind, map_long, &map);
	amid = interrupt_amid(&interrupted, map.memory, LONG);
	assert_int_equal(interrupted_end(&interrupted), 0);
	assert_int_equal(vm_stats(fq, 0).mapped_bytes, LONG);
	assert_int_equal(faultq_unmap(fq, IOVA, LONG, NULL), 0);
	munmap(map.memory, LONG);
	return amid;
}

static void map_goes_on(enum interruption kind)
{
	struct faultq *fq;

	assert_int_equal(faultq_open(&fq), 0);
	for (unsigned int amid = 0; amid < 3;)
		amid += interrupt_map(fq, kind);
	faultq_close(fq);
}

static void a_map_goes_on_after_a_signal(void **state)
{
	(void)state;
	map_goes_on(INTERRUPTION_SIGNAL);
}

static void a_map_goes_on_after_a_signal_with_sa_restart(void **state)
{
	(void)state;
	map_goes_on(INTERRUPTION_RESTART);
}

static void a_map_goes_on_after_the_work_of_an_io_uring(void **state)
{
	(void)state;
	map_goes_on(INTERRUPTION_IO_URING);
}

static void map_in_ticks(bool restart)
{
	struct long_map map = { .memory = long_memory(MAP_PRIVATE) };

	assert_int_equal(faultq_open(&map.fq), 0);
	ticks_begin(restart);
	while (ticks() < TICKS) {
		assert_int_equal(map_long(&map), 0);
		assert_int_equal(faultq_unmap(map.fq, IOVA, LONG, NULL), 0);
	}
	ticks_end();
	faultq_close(map.fq);
	munmap(map.memory, LONG);
}

static void maps_go_on_with_a_signal_each_millisecond(void **state)
{
	(void)state;
	map_in_ticks(false);
	map_in_ticks(true);
}

/* Returns whether the child was in the middle of it. */
static bool kill_map(struct faultq *fq, int signal)
{
	struct long_map map = { .fq = fq, .memory = long_memory(MAP_SHARED) };
	pid_t child = fork();
	int status;
	bool amid;

	if (!child)
		_exit(map_long(&map) ? 1 : 0);
	while (!memory_is_there(map.memory))
		if (waitpid(child, &status, WNOHANG) == child)
			fail_msg("the child ended with status %#x", status);
	assert_int_equal(kill(child, signal), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	amid = !memory_is_there((char *)map.memory + LONG - PAGE);
	if (amid) {
		assert_true(WIFSIGNALED(status));
		assert_int_equal(vm_stats(fq, 0).mapped_bytes, 0);
	}
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	munmap(map.memory, LONG);
	return amid;
}

static void signals_that_kill_end_a_map(void **state)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGINT };
	struct faultq *fq;

	(void)state;
	assert_int_equal(faultq_open(&fq), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(signals);)
		i += kill_map(fq, signals[i]);
	faultq_close(fq);
}

/* VMs that come and go, so that a list becomes longer while it is made. */
static void *open_and_close(void *stop)
{
	enum { MANY = 16 };
	int vms[MANY];

	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
		for (unsigned int i = 0; i < MANY; i++)
			must((vms[i] = open("/dev/faultq", O_RDWR | O_CLOEXEC)) >= 0);
		for (unsigned int i = 0; i < MANY; i++)
			close(vms[i]);
	}
	return NULL;
}

static void lists_go_on_with_a_signal_each_millisecond(void **state)
{
	enum { ROOM = 64 };
	struct faultq_vm_entry entries[ROOM];
	bool stop = false;
	struct faultq *fq;
	pthread_t thread;

	(void)state;
	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(pthread_create(&thread, NULL, open_and_close, &stop), 0);
	ticks_begin(false);
	while (ticks() < TICKS) {
		uint32_t count = ROOM;

		assert_int_equal(faultq_vms(fq, entries, &count), 0);
	}
	ticks_end();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	faultq_close(fq);
}

/* Also of the library's: in a queue for read() it is two calls of the kernel that can sleep. */
static void peeks_go_on_with_a_signal_each_millisecond(void **state)
{
	struct faultq *fq = vm_open(8, 64, FAULTQ_QUEUE_READ);
	const struct faultq_record *records;

	(void)state;
	ticks_begin(false);
	while (ticks() < TICKS)
		assert_int_equal(faultq_peek(fq, &records), 0);
	ticks_end();
	faultq_close(fq);
}

int main(void)
{
#define TICKING(test) cmocka_unit_test_teardown(test, ticks_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_call_is_ended_by_a_signal),
		cmocka_unit_test(no_call_is_ended_by_a_signal_with_sa_restart),
		cmocka_unit_test(no_call_is_ended_by_the_work_of_an_io_uring),
		cmocka_unit_test(a_map_goes_on_after_a_signal),
		cmocka_unit_test(a_map_goes_on_after_a_signal_with_sa_restart),
		cmocka_unit_test(a_map_goes_on_after_the_work_of_an_io_uring),
		TICKING(maps_go_on_with_a_signal_each_millisecond),
		cmocka_unit_test(signals_that_kill_end_a_map),
		TICKING(lists_go_on_with_a_signal_each_millisecond),
		TICKING(peeks_go_on_with_a_signal_each_millisecond),
	};

	return tap_run_group(tests, NULL, NULL);
}
