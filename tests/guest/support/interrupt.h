/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call during which something arrives for its thread: a signal that is handled, with or without
 * SA_RESTART, or work of an io_uring, of which the kernel makes a signal that nobody sees. The
 * thread is interrupted when the test says so, once, while it is in the call: it waits for memory
 * there, or is busy with it. Or, with ticks, every millisecond, wherever the thread is.
 *
 * One at a time. For the thread that runs the test, but for the call itself.
 */
#ifndef TESTS_SUPPORT_INTERRUPT_H
#define TESTS_SUPPORT_INTERRUPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum interruption {
	INTERRUPTION_SIGNAL,
	INTERRUPTION_RESTART,	/* a signal with SA_RESTART */
	INTERRUPTION_IO_URING,
	INTERRUPTIONS,
};

struct io_uring_sqe;

/**
 * struct uring - an io_uring with one request, which waits for an eventfd
 * @fd: of the ring
 * @event: the eventfd
 * @rings: both, mapped
 * @size: of them
 * @entries: the submission entries, mapped
 * @completed: index in the completion ring, written by the kernel
 */
struct uring {
	int fd;
	int event;
	uint8_t *rings;
	size_t size;
	struct io_uring_sqe *entries;
	uint32_t *completed;
};

/**
 * struct interrupted - a call that is to be interrupted
 * @kind: how
 * @call: made by a thread of its own
 * @argument: of it
 * @result: of it, for interrupted_end()
 * @thread: the thread
 * @tid: the same; 0: not there yet
 * @ended: the call has returned
 * @uring: INTERRUPTION_IO_URING
 */
struct interrupted {
	enum interruption kind;
	int (*call)(void *argument);
	void *argument;
	int result;
	pthread_t thread;
	pid_t tid;
	bool ended;
	struct uring uring;
};

extern const char * const interruption_names[INTERRUPTIONS];

void interrupted_begin(struct interrupted *interrupted, enum interruption kind,
		       int (*call)(void *argument), void *argument);
void interrupt(struct interrupted *interrupted);
void interrupt_asleep(struct interrupted *interrupted);
bool interrupt_amid(struct interrupted *interrupted, void *memory, size_t length);
int interrupted_end(struct interrupted *interrupted);

bool memory_is_there(void *page);

void ticks_begin(bool restart);
unsigned int ticks(void);
void ticks_end(void);
int ticks_teardown(void **state);

#endif
