// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory that never arrives: a call that touches it waits for ever, and nobody else does.
 * Not those who answer, map, read, or detach in other threads, not the faults, and not the end
 * of the VM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA		0x1000000UL
#define OTHER_IOVA	0x2000000UL
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

/*
 * A call that gets stuck, with the VM's file and the memory that never arrives. Returns 0 or an
 * errno.
 */
typedef int (*stuck_call)(int vm, void *memory);

static int read_stuck(int vm, void *memory)
{
	return read(vm, memory, PAGE) < 0 ? errno : 0;
}

static int respond_stuck(int vm, void *memory)
{
	struct faultq_respond call = {
		.size = sizeof(call), .answers = (uintptr_t)memory, .count = 4,
		.entry_size = sizeof(struct faultq_answer),
	};

	return ioctl(vm, FAULTQ_RESPOND, &call) ? errno : 0;
}

static int argument_stuck(int vm, void *memory)
{
	return ioctl(vm, FAULTQ_RESPOND, memory) ? errno : 0;
}

static int map_stuck(int vm, void *memory)
{
	struct faultq_map map = {
		.size = sizeof(map), .flags = RW, .iova = OTHER_IOVA, .length = PAGE,
		.user_address = (uintptr_t)memory,
	};

	return ioctl(vm, FAULTQ_MAP, &map) ? errno : 0;
}

struct stuck {
	stuck_call call;
	int vm;
	void *memory;
	int userfaultfd;
	pthread_t thread;
	pid_t child;
	int result;
	int ended[2];
};

static void *call_in_thread(void *argument)
{
	struct stuck *stuck = argument;

	stuck->result = stuck->call(stuck->vm, stuck->memory);
	must(write(stuck->ended[1], "", 1) == 1);
	return NULL;
}

/* Wait until the call waits for its memory, or ended without. */
static bool call_is_stuck(struct stuck *stuck)
{
	struct pollfd either[] = {
		{ .fd = stuck->userfaultfd, .events = POLLIN },
		{ .fd = stuck->ended[0], .events = POLLIN },
	};

	assert_true(poll(either, 2, -1) > 0);
	return either[0].revents & POLLIN;
}

/* Returns false when the kernel does not wait for the memory. */
static bool get_stuck(struct stuck *stuck, struct rig *rig, stuck_call call)
{
	*stuck = (struct stuck){ .call = call, .vm = faultq_fd(rig->fq) };
	stuck->userfaultfd = stuck_memory_new(&stuck->memory, 1);
	assert_int_equal(pipe(stuck->ended), 0);
	assert_int_equal(pthread_create(&stuck->thread, NULL, call_in_thread, stuck), 0);
	return call_is_stuck(stuck);
}

/* Let the call go on, with memory of zeroes. */
static int get_free(struct stuck *stuck)
{
	close(stuck->userfaultfd);
	assert_int_equal(pthread_join(stuck->thread, NULL), 0);
	close(stuck->ended[0]);
	close(stuck->ended[1]);
	munmap(stuck->memory, PAGE);
	return stuck->result;
}

static uint64_t cookie_by_read(struct rig *rig)
{
	struct faultq_record record;

	assert_int_equal(read(faultq_fd(rig->fq), &record, sizeof(record)), sizeof(record));
	return record.cookie;
}

/* All that others may want meanwhile, except to take records. */
static void others_go_on(struct rig *rig, uint64_t cookie)
{
	char *page = pages_new(1), *copy = pages_new(1);
	uint64_t unmapped;
	int tag;

	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(response(&rig->device).code, FAULTQ_SUCCESS);
	pages_fill(page, PAGE, 6);
	assert_int_equal(faultq_map(rig->fq, IOVA, page, PAGE, RW), 0);
	tag = dma_start(&rig->device, MOCK_IOMMU_READ, IOVA, NULL, PAGE);
	assert_int_equal(dma_wait(&rig->device, tag, copy).status, MOCK_IOMMU_DMA_DONE);
	assert_pages_filled(copy, PAGE, 6);
	assert_int_equal(faultq_unmap(rig->fq, 0, ~0ULL, &unmapped), 0);
	assert_int_equal(unmapped, PAGE);

	inject_group(&rig->device, 50, IOVA);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 1);
	vm_detach(rig->fq, rig->id);
	assert_response(&rig->device, 50, FAULTQ_INVALID);
	rig->id = vm_attach(rig->fq, &rig->device);
	pages_free(page, 1);
	pages_free(copy, 1);
}

static void a_stuck_respond_holds_up_nobody(void **state)
{
	struct rig *rig = *state;
	struct stuck stuck;
	uint64_t cookie;

	inject_group(&rig->device, 1, IOVA);
	cookie = take_cookie(rig->fq);
	assert_true(get_stuck(&stuck, rig, respond_stuck));
	others_go_on(rig, cookie);
	assert_int_equal(get_free(&stuck), 0);
}

static void a_stuck_argument_holds_up_nobody(void **state)
{
	struct rig *rig = *state;
	struct stuck stuck;
	uint64_t cookie;

	inject_group(&rig->device, 1, IOVA);
	cookie = take_cookie(rig->fq);
	assert_true(get_stuck(&stuck, rig, argument_stuck));
	others_go_on(rig, cookie);
	assert_int_equal(get_free(&stuck), EINVAL);
}

static void a_stuck_read_holds_up_nobody(void **state)
{
	struct rig *rig = *state;
	struct stuck stuck;
	struct faultq_record record;
	int vm = faultq_fd(rig->fq);
	uint64_t cookie;

	inject_group(&rig->device, 1, IOVA);
	cookie = cookie_by_read(rig);
	inject_group(&rig->device, 2, IOVA);
	assert_true(get_stuck(&stuck, rig, read_stuck));
	assert_int_equal(fcntl(vm, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(vm, &record, sizeof(record)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 2);
	vm_detach(rig->fq, rig->id);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), -ESTALE);
	assert_response(&rig->device, 1, FAULTQ_INVALID);
	assert_response(&rig->device, 2, FAULTQ_INVALID);
	rig->id = vm_attach(rig->fq, &rig->device);
	inject_group(&rig->device, 3, IOVA);
	assert_int_equal(get_free(&stuck), 0);

	/* nothing got lost in between */
	assert_int_equal(read(vm, &record, sizeof(record)), sizeof(record));
	assert_int_equal(record.group, 3);
	assert_int_equal(faultq_answer(rig->fq, record.cookie, FAULTQ_SUCCESS), 0);
}

static void a_stuck_map_holds_up_nobody(void **state)
{
	struct rig *rig = *state;
	struct stuck stuck;
	uint64_t cookie;
	char *page = pages_new(1);

	inject_group(&rig->device, 1, IOVA);
	cookie = take_cookie(rig->fq);
	if (!get_stuck(&stuck, rig, map_stuck)) {
		/* this kernel does not wait where pages are to be pinned for long */
		assert_int_equal(get_free(&stuck), EFAULT);
		assert_int_equal(vm_stats(rig->fq, 0).mapped_bytes, 0);
		assert_int_equal(vm_stats(rig->fq, 0).pinned_pages, 0);
		others_go_on(rig, cookie);
		assert_int_equal(faultq_map(rig->fq, OTHER_IOVA, page, PAGE, RW), 0);
		return;
	}
	assert_int_equal(faultq_map(rig->fq, OTHER_IOVA, page, PAGE, RW), -EEXIST);
	others_go_on(rig, cookie);
	assert_int_equal(get_free(&stuck), 0);
	assert_int_equal(vm_stats(rig->fq, 0).mapped_bytes, PAGE);
}

/*
 * The call is stuck in a process of its own, which shares the file. The VM is left by everybody
 * else, and the process killed.
 */
static void die_stuck(struct rig *rig, stuck_call call)
{
	struct stuck stuck = { .call = call, .vm = faultq_fd(rig->fq) };
	int status;

	inject_group(&rig->device, 7, IOVA);
	stuck.userfaultfd = stuck_memory_new(&stuck.memory, 1);
	assert_int_equal(pipe(stuck.ended), 0);
	stuck.child = fork();
	if (!stuck.child) {
		/* userfaultfd does not follow a fork: register anew, and keep it open to the end */
		munmap(stuck.memory, PAGE);
		stuck.userfaultfd = stuck_memory_new(&stuck.memory, 1);
		assert_int_equal(pthread_create(&stuck.thread, NULL, call_in_thread, &stuck), 0);
		must(write(stuck.ended[1], call_is_stuck(&stuck) ? "s" : "e", 1) == 1);
		pause();
	}
	assert_int_equal(read(stuck.ended[0], &status, 1), 1);
	vm_detach(rig->fq, rig->id);
	assert_response(&rig->device, 7, FAULTQ_INVALID);
	rig->id = vm_attach(rig->fq, &rig->device);
	inject_group(&rig->device, 8, IOVA);
	faultq_close(rig->fq);
	rig->fq = NULL;

	/* the process holds the VM; with it, the VM goes */
	assert_int_equal(device_state(&rig->device).outstanding, 1);
	assert_int_equal(kill(stuck.child, SIGKILL), 0);
	assert_int_equal(waitpid(stuck.child, &status, 0), stuck.child);
	assert_response(&rig->device, 8, FAULTQ_INVALID);
	device_assert_idle(&rig->device);
	close(stuck.userfaultfd);
	close(stuck.ended[0]);
	close(stuck.ended[1]);
	munmap(stuck.memory, PAGE);

	rig->fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
	rig->id = vm_attach(rig->fq, &rig->device);
}

static void a_process_stuck_in_respond_can_be_killed(void **state)
{
	die_stuck(*state, respond_stuck);
}

static void a_process_stuck_in_map_can_be_killed(void **state)
{
	die_stuck(*state, map_stuck);
}

static void a_process_stuck_in_read_can_be_killed(void **state)
{
	die_stuck(*state, read_stuck);
}

static void a_device_can_be_removed_while_a_respond_is_stuck(void **state)
{
	struct rig *rig = *state;
	struct faultq_record record;
	struct stuck stuck;

	assert_true(get_stuck(&stuck, rig, respond_stuck));
	inject_group(&rig->device, 1, IOVA);
	take_cookie(rig->fq);
	device_unplug(&rig->device);
	record = take_record(rig->fq);
	assert_int_equal(record.type, FAULTQ_DEVICE_GONE);
	assert_int_equal(record.device, rig->id);
	assert_int_equal(get_free(&stuck), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_stuck_respond_holds_up_nobody),
		RIG_TEST(a_stuck_argument_holds_up_nobody),
		RIG_TEST_READ(a_stuck_read_holds_up_nobody),
		RIG_TEST(a_stuck_map_holds_up_nobody),
		RIG_TEST(a_process_stuck_in_respond_can_be_killed),
		RIG_TEST(a_process_stuck_in_map_can_be_killed),
		RIG_TEST_READ(a_process_stuck_in_read_can_be_killed),
		RIG_TEST(a_device_can_be_removed_while_a_respond_is_stuck),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
