// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that are interrupted; see interrupt.h. What arrived is counted by the handler of SIGUSR1,
 * which belongs to this file while a call or ticks are under way, and by the completion ring.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "interrupt.h"

const char * const interruption_names[INTERRUPTIONS] = {
	[INTERRUPTION_SIGNAL] = "a signal comes",
	[INTERRUPTION_RESTART] = "a signal with SA_RESTART comes",
	[INTERRUPTION_IO_URING] = "an io_uring completes",
};

static unsigned int arrived;
static timer_t timer;
static bool ticking;

static void on_signal(int signal)
{
	(void)signal;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
}

static void handle_signals(bool restart)
{
	struct sigaction action = {
		.sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0,
	};

	arrived = 0;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static uint32_t *ring_index(const struct uring *uring, uint32_t offset)
{
	return (uint32_t *)(uring->rings + offset);
}

static void *map_ring(const struct uring *uring, size_t size, uint64_t offset)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, uring->fd, offset);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* The first entry of the submission ring asks for the eventfd; the thread submits it. */
static void uring_open(struct uring *uring)
{
	struct io_uring_params params = {};

	uring->fd = syscall(SYS_io_uring_setup, 1, &params);
	if (uring->fd < 0)
		skip_because("this kernel has no io_uring: %s", strerror(errno));
	assert_true(params.features & IORING_FEAT_SINGLE_MMAP);
	uring->event = eventfd(0, EFD_CLOEXEC);
	assert_true(uring->event >= 0);
	uring->size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	uring->rings = map_ring(uring, uring->size, IORING_OFF_SQ_RING);
	uring->entries = map_ring(uring, sizeof(*uring->entries), IORING_OFF_SQES);
	uring->completed = ring_index(uring, params.cq_off.tail);
	*uring->entries = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .fd = uring->event, .poll32_events = POLLIN,
	};
	*ring_index(uring, params.sq_off.array) = 0;
	__atomic_store_n(ring_index(uring, params.sq_off.tail), 1, __ATOMIC_RELEASE);
}

static void uring_close(struct uring *uring)
{
	munmap(uring->entries, sizeof(*uring->entries));
	munmap(uring->rings, uring->size);
	close(uring->event);
	close(uring->fd);
}

static void *run_call(void *data)
{
	struct interrupted *interrupted = data;

	/* the work is done in the task that has submitted */
	if (interrupted->kind == INTERRUPTION_IO_URING)
		must(syscall(SYS_io_uring_enter, interrupted->uring.fd, 1, 0, 0, NULL, 0) == 1);
	__atomic_store_n(&interrupted->tid, gettid(), __ATOMIC_RELEASE);
	interrupted->result = interrupted->call(interrupted->argument);
	__atomic_store_n(&interrupted->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

/**
 * interrupted_begin() - begin a call that is to be interrupted
 * @interrupted: is initialised
 * @kind: how
 * @call: the call, for a thread that must not assert; returns 0 or a negative errno
 * @argument: of it
 *
 * The test is skipped when the kernel has no such thing.
 */
void interrupted_begin(struct interrupted *interrupted, enum interruption kind,
		       int (*call)(void *argument), void *argument)
{
	*interrupted = (struct interrupted){
		.kind = kind, .call = call, .argument = argument,
	};
	if (kind == INTERRUPTION_IO_URING)
		uring_open(&interrupted->uring);
	else
		handle_signals(kind == INTERRUPTION_RESTART);
	assert_int_equal(pthread_create(&interrupted->thread, NULL, run_call, interrupted), 0);
}

/**
 * interrupt() - interrupt the call
 * @interrupted: begun, and in its call
 */
void interrupt(struct interrupted *interrupted)
{
	if (interrupted->kind == INTERRUPTION_IO_URING)
		assert_int_equal(eventfd_write(interrupted->uring.event, 1), 0);
	else
		assert_int_equal(pthread_kill(interrupted->thread, SIGUSR1), 0);
}

/**
 * interrupt_asleep() - interrupt a call when it sleeps
 * @interrupted: begun
 */
void interrupt_asleep(struct interrupted *interrupted)
{
	pid_t tid;

	while (!(tid = __atomic_load_n(&interrupted->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	wait_until_blocked(getpid(), tid);
	interrupt(interrupted);
}

/**
 * memory_is_there() - has a page been touched
 * @page: of private memory, or of shared memory, whoever touched that
 *
 * Return: whether it has.
 */
bool memory_is_there(void *page)
{
	unsigned char resident;

	assert_int_equal(mincore(page, PAGE, &resident), 0);
	return resident & 1;
}

/**
 * interrupt_amid() - interrupt a call that touches the pages of new memory, one after the other
 * @interrupted: begun
 * @memory: which nobody has touched before
 * @length: bytes
 *
 * Return: whether the first page had been touched, and the last one not; else the call was faster.
 */
bool interrupt_amid(struct interrupted *interrupted, void *memory, size_t length)
{
	while (!memory_is_there(memory) &&
	       !__atomic_load_n(&interrupted->ended, __ATOMIC_ACQUIRE))
		sched_yield();
	interrupt(interrupted);
	return memory_is_there(memory) && !memory_is_there((char *)memory + length - PAGE);
}

/**
 * interrupted_end() - wait for the end of the call, which was interrupted once
 * @interrupted: from interrupted_begin()
 *
 * Return: the call's result.
 */
int interrupted_end(struct interrupted *interrupted)
{
	assert_int_equal(pthread_join(interrupted->thread, NULL), 0);
	if (interrupted->kind == INTERRUPTION_IO_URING) {
		assert_int_equal(__atomic_load_n(interrupted->uring.completed, __ATOMIC_ACQUIRE),
				 1);
		uring_close(&interrupted->uring);
	} else {
		assert_int_equal(ticks(), 1);
	}
	return interrupted->result;
}

/**
 * ticks_begin() - from now on a signal comes to this thread each millisecond
 * @restart: with SA_RESTART
 */
void ticks_begin(bool restart)
{
	const struct itimerspec millisecond = {
		.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000,
	};
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1,
		._sigev_un._tid = gettid(),
	};

	handle_signals(restart);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	ticking = true;
	assert_int_equal(timer_settime(timer, 0, &millisecond, NULL), 0);
}

/**
 * ticks() - how many signals have come
 *
 * Return: the number.
 */
unsigned int ticks(void)
{
	return __atomic_load_n(&arrived, __ATOMIC_RELAXED);
}

/**
 * ticks_end() - no more of them, if there are any
 */
void ticks_end(void)
{
	if (ticking)
		timer_delete(timer);
	ticking = false;
}

/**
 * ticks_teardown() - fixture: a test that fails leaves no ticks to those after it
 * @state: not used
 *
 * Return: 0.
 */
int ticks_teardown(void **state)
{
	(void)state;
	ticks_end();
	return 0;
}
