// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP of memory that does not come: its pages are delivered by a userfaultfd that this program
 * serves, or does not. The MAP waits and nobody else does; the end of the process leaves nothing of
 * it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/map.h"
#include "support/tap.h"

#define IOVA	0x700000ull

/* MAP pins in batches. This is more than two. */
#define PAGES	2048ul
#define MISSING	700ul	/* the page that does not come */

/* Memory of PAGES pages, one of which waits for the userfaultfd. */
struct blocked {
	struct faultq *fq;
	uint8_t *memory;
	int uffd;
	int ended[2];		/* pipe, readable when the MAP has ended */
	pthread_t thread;
	pid_t tid;		/* of the thread */
	int result;		/* of the MAP */
};

static void register_missing(struct blocked *blocked)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)blocked->memory + MISSING * PAGE, PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	blocked->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (blocked->uffd < 0)
		skip_because("this kernel has no userfaultfd");
	assert_int_equal(ioctl(blocked->uffd, UFFDIO_API, &api), 0);
	assert_int_equal(ioctl(blocked->uffd, UFFDIO_REGISTER, &range), 0);
}

static struct blocked *blocked_new(const struct map_test *test)
{
	struct blocked *blocked = calloc(1, sizeof(*blocked));

	assert_non_null(blocked);
	blocked->fq = test->fq;
	blocked->memory = memory_new(PAGES * PAGE);
	assert_int_equal(madvise(blocked->memory, PAGES * PAGE, MADV_NOHUGEPAGE), 0);
	register_missing(blocked);
	assert_int_equal(pipe2(blocked->ended, O_CLOEXEC), 0);
	return blocked;
}

static void blocked_free(struct blocked *blocked)
{
	close(blocked->uffd);
	close(blocked->ended[0]);
	close(blocked->ended[1]);
	memory_free(blocked->memory, PAGES * PAGE);
	free(blocked);
}

/* Until a MAP waits for the page. */
static void wait_for_fault(const struct blocked *blocked)
{
	struct pollfd files[] = { { blocked->uffd, POLLIN, 0 }, { blocked->ended[0], POLLIN, 0 } };
	struct uffd_msg message;

	assert_true(poll(files, 2, -1) > 0);
	if (!files[0].revents)
		fail_msg("MAP did not wait: %d", blocked->result);
	assert_int_equal(read(blocked->uffd, &message, sizeof(message)), sizeof(message));
	assert_int_equal(message.event, UFFD_EVENT_PAGEFAULT);
	assert_int_equal(message.arg.pagefault.address & -PAGE,
			 (uintptr_t)blocked->memory + MISSING * PAGE);
}

static void deliver_page(const struct blocked *blocked, uint64_t seed)
{
	uint8_t *source = memory_new(PAGE);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)blocked->memory + MISSING * PAGE,
		.src = (uintptr_t)source,
		.len = PAGE,
	};

	pattern_fill(source, PAGE, seed);
	assert_int_equal(ioctl(blocked->uffd, UFFDIO_COPY, &copy), 0);
	memory_free(source, PAGE);
}

static void map_all(struct blocked *blocked)
{
	blocked->result = faultq_map(blocked->fq, IOVA, blocked->memory, PAGES * PAGE, RW);
	if (write(blocked->ended[1], "", 1) != 1)
		abort();
}

static void *map_thread(void *data)
{
	struct blocked *blocked = data;

	blocked->tid = gettid();
	map_all(blocked);
	return NULL;
}

static void start_map(struct blocked *blocked)
{
	assert_int_equal(pthread_create(&blocked->thread, NULL, map_thread, blocked), 0);
	wait_for_fault(blocked);
}

static int end_map(struct blocked *blocked)
{
	assert_int_equal(pthread_join(blocked->thread, NULL), 0);
	return blocked->result;
}

static void map_goes_on_when_the_page_comes(void **state)
{
	struct map_test *test = *state;
	struct blocked *blocked = blocked_new(test);

	start_map(blocked);
	assert_int_equal(mapped_bytes(test->fq), 0);
	assert_device_misses(MAP_FIRST, IOVA);
	deliver_page(blocked, 1);
	assert_int_equal(end_map(blocked), 0);
	assert_mapped(test->fq, PAGES * PAGE);
	assert_device_reads(MAP_FIRST, IOVA + MISSING * PAGE, PAGE, 1);
	assert_int_equal(unmap(test->fq, IOVA, PAGES * PAGE), PAGES * PAGE);
	blocked_free(blocked);
}

static void others_work_while_a_map_waits(void **state)
{
	struct map_test *test = *state;
	struct blocked *blocked = blocked_new(test);
	uint8_t *memory = memory_new(2 * PAGE);
	uint64_t far = IOVA + PAGES * PAGE;
	uint32_t id;

	start_map(blocked);
	map(test->fq, far, memory, PAGE, RW);
	assert_device_writes(MAP_FIRST, far, PAGE, 2);
	id = map_attach(test->fq, MAP_OTHER);
	assert_device_writes(MAP_OTHER, far, PAGE, 3);
	assert_int_equal(faultq_detach(test->fq, id, NULL), 0);
	assert_int_equal(faultq_detach(test->fq, test->id, NULL), 0);
	map_attach(test->fq, MAP_FIRST);
	assert_int_equal(unmap(test->fq, far, PAGE), PAGE);
	assert_int_equal(mapped_bytes(test->fq), 0);
	deliver_page(blocked, 4);
	assert_int_equal(end_map(blocked), 0);
	assert_device_reads(MAP_FIRST, IOVA + MISSING * PAGE, PAGE, 4);
	assert_mapped(test->fq, PAGES * PAGE);
	memory_free(memory, 2 * PAGE);
	blocked_free(blocked);
}

static void range_of_a_map_that_waits_is_taken(void **state)
{
	struct map_test *test = *state;
	struct blocked *blocked = blocked_new(test);
	uint8_t *memory = memory_new(2 * PAGE);
	uint64_t end = IOVA + PAGES * PAGE;

	start_map(blocked);
	assert_int_equal(faultq_map(test->fq, IOVA, memory, PAGE, RW), -EEXIST);
	assert_int_equal(faultq_map(test->fq, IOVA - PAGE, memory, 2 * PAGE, RW), -EEXIST);
	assert_int_equal(faultq_map(test->fq, end - PAGE, memory, 2 * PAGE, RW), -EEXIST);
	map(test->fq, end, memory, PAGE, RW);
	deliver_page(blocked, 5);
	assert_int_equal(end_map(blocked), 0);
	memory_free(memory, 2 * PAGE);
	blocked_free(blocked);
}

static void map_that_waits_is_no_mapping_for_unmap(void **state)
{
	struct map_test *test = *state;
	struct blocked *blocked = blocked_new(test);

	start_map(blocked);
	assert_int_equal(unmap(test->fq, IOVA, PAGES * PAGE), 0);
	assert_int_equal(unmap(test->fq, IOVA + PAGE, PAGE), 0);
	assert_int_equal(unmap(test->fq, 0, ~0ull), 0);
	deliver_page(blocked, 6);
	assert_int_equal(end_map(blocked), 0);
	assert_int_equal(unmap(test->fq, 0, ~0ull), PAGES * PAGE);
	assert_nothing_mapped(test->fq);
	blocked_free(blocked);
}

static atomic_uint handled;

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

/* A line of /proc/self/task/TID/status; the thread is in a call. */
static void thread_status(const struct blocked *blocked, const char *format, void *value)
{
	char path[64], line[128];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", blocked->tid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, format, value) == 1;
	fclose(file);
	assert_true(found);
}

/*
 * It sleeps although a signal is pending for it: nothing but the page, or a signal that kills, can
 * end that. A thread that a signal does wake would be seen to run, and to end.
 */
static void assert_waits_on(const struct blocked *blocked, int signal)
{
	struct pollfd ended = { blocked->ended[0], POLLIN, 0 };
	unsigned long pending = 0;
	char state = 'R';

	while (state == 'R') {
		assert_int_equal(poll(&ended, 1, 0), 0);
		thread_status(blocked, "State: %c", &state);
	}
	thread_status(blocked, "SigPnd: %lx", &pending);
	assert_true(pending & 1ul << (signal - 1));
	assert_int_equal(state, 'D');
	assert_int_equal(handled, 0);
}

static void signal_that_is_handled_does_not_end_a_map(void **state)
{
	struct map_test *test = *state;
	struct blocked *blocked = blocked_new(test);
	struct sigaction action = { .sa_handler = on_signal };

	handled = 0;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	start_map(blocked);
	assert_int_equal(pthread_kill(blocked->thread, SIGUSR1), 0);
	assert_waits_on(blocked, SIGUSR1);
	assert_int_equal(mapped_bytes(test->fq), 0);
	deliver_page(blocked, 7);
	assert_int_equal(end_map(blocked), 0);
	assert_int_equal(handled, 1);
	assert_mapped(test->fq, PAGES * PAGE);
	assert_device_reads(MAP_FIRST, IOVA + MISSING * PAGE, PAGE, 7);
	blocked_free(blocked);
}

static void memory_goes_while_a_map_waits(void **state)
{
	struct map_test *test = *state;
	struct blocked *blocked = blocked_new(test);
	struct uffdio_range range = { (uintptr_t)blocked->memory + MISSING * PAGE, PAGE };

	start_map(blocked);
	assert_int_equal(munmap(blocked->memory + (PAGES - 1) * PAGE, PAGE), 0);
	assert_int_equal(ioctl(blocked->uffd, UFFDIO_UNREGISTER, &range), 0);
	assert_int_equal(end_map(blocked), -EFAULT);
	assert_nothing_mapped(test->fq);
	blocked_free(blocked);
}

#define STACK	(16 * PAGE)

static int killed_process(void *data)
{
	map_all(data);
	return 0;
}

/* A process of its own, with this memory, as the userfaultfd is for no other. */
static void kill_map_that_waits(const struct map_test *test, int signal)
{
	struct blocked *blocked = blocked_new(test);
	uint8_t *memory = memory_new(PAGE), *stack = memory_new(STACK);
	pid_t child = clone(killed_process, stack + STACK, CLONE_VM | SIGCHLD, blocked);
	int status;

	assert_true(child > 0);
	wait_for_fault(blocked);
	assert_int_equal(kill(child, signal), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal);

	assert_nothing_mapped(test->fq);
	map(test->fq, IOVA, memory, PAGE, RW);
	assert_int_equal(unmap(test->fq, IOVA, PAGE), PAGE);
	memory_free(memory, PAGE);
	memory_free(stack, STACK);
	blocked_free(blocked);
}

/* The page does not come. */
static void signals_that_kill_end_a_map(void **state)
{
	kill_map_that_waits(*state, SIGKILL);
	kill_map_that_waits(*state, SIGTERM);
	kill_map_that_waits(*state, SIGINT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, map_setup_attached, map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(map_goes_on_when_the_page_comes),
		TEST(others_work_while_a_map_waits),
		TEST(range_of_a_map_that_waits_is_taken),
		TEST(map_that_waits_is_no_mapping_for_unmap),
		TEST(signal_that_is_handled_does_not_end_a_map),
		TEST(memory_goes_while_a_map_waits),
		TEST(signals_that_kill_end_a_map),
	};

	return tap_run_group(tests, map_group_setup, map_group_teardown);
}
