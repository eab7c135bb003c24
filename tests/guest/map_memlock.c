// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP charges what it pins to RLIMIT_MEMLOCK of the process that calls, which need not be who
 * opened the VM, nor who unmaps or closes it. Each test lets a child process, without privileges
 * unless it says otherwise, call MAP on a VM that it inherited. In a child CHECK() takes the place
 * of cmocka's assertions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/map.h"
#include "support/tap.h"

#define IOVA	0x600000ull
#define LIMIT	8ul	/* pages */
#define NOBODY	65534

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1); \
		} \
	} while (0)

/* What a child works with. */
struct work {
	struct faultq *fq;
	uint8_t *memory;	/* twice LIMIT pages */
	int to_parent[2], to_child[2];
};

static void limit_memlock(rlim_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
}

static void drop_privileges(void)
{
	CHECK(!setgroups(0, NULL));
	CHECK(!setresgid(NOBODY, NOBODY, NOBODY));
	CHECK(!setresuid(NOBODY, NOBODY, NOBODY));
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
}

/* Take one capability away from a process that has all. */
static void drop_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	CHECK(!syscall(SYS_capget, &header, data));
	data[capability / 32].effective &= ~(1u << capability % 32);
	data[capability / 32].permitted &= ~(1u << capability % 32);
	CHECK(!syscall(SYS_capset, &header, data));
}

static int map_page(const struct work *work, unsigned int page)
{
	return faultq_map(work->fq, IOVA + page * PAGE, work->memory + page * PAGE, PAGE, RW);
}

static int map_pages(const struct work *work, unsigned int pages)
{
	return faultq_map(work->fq, IOVA, work->memory, pages * PAGE, RW);
}

static void unmap_pages(const struct work *work, unsigned int pages)
{
	uint64_t unmapped = 0;

	CHECK(!faultq_unmap(work->fq, IOVA, pages * PAGE, &unmapped));
	CHECK(unmapped == pages * PAGE);
}

static struct work *new_work(const struct map_test *test)
{
	struct work *work = calloc(1, sizeof(*work));

	assert_non_null(work);
	work->fq = test->fq;
	work->memory = memory_new(2 * LIMIT * PAGE);
	assert_int_equal(pipe(work->to_parent), 0);
	assert_int_equal(pipe(work->to_child), 0);
	return work;
}

static void free_work(struct work *work)
{
	close(work->to_parent[0]);
	close(work->to_parent[1]);
	close(work->to_child[0]);
	close(work->to_child[1]);
	memory_free(work->memory, 2 * LIMIT * PAGE);
	free(work);
}

static pid_t start_child(const struct work *work, void (*function)(const struct work *work))
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		function(work);
		_exit(0);
	}
	return child;
}

static void end_child(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* A child does all of the test; then its mappings go. */
static void test_in_child(void **state, void (*function)(const struct work *work))
{
	struct map_test *test = *state;
	struct work *work = new_work(test);

	end_child(start_child(work, function));
	assert_int_equal(pinned_pages(), 0);
	unmap(test->fq, 0, ~0ull);
	assert_nothing_mapped(test->fq);
	free_work(work);
}

static void signal_to(const int pipe[2])
{
	CHECK(write(pipe[1], "", 1) == 1);
}

static void wait_for(const int pipe[2])
{
	char byte;

	CHECK(read(pipe[0], &byte, 1) == 1);
}

static void unprivileged(void)
{
	limit_memlock(LIMIT * PAGE);
	drop_privileges();
}

static void child_at_the_limit(const struct work *work)
{
	unprivileged();
	CHECK(map_pages(work, LIMIT + 1) == -ENOMEM);
	CHECK(pinned_pages() == 0);
	CHECK(map_pages(work, LIMIT) == 0);
	CHECK(pinned_pages() == LIMIT);
	CHECK(map_page(work, LIMIT) == -ENOMEM);
	CHECK(pinned_pages() == LIMIT);
	unmap_pages(work, LIMIT);
	CHECK(pinned_pages() == 0);
	for (unsigned int i = 0; i < LIMIT; i++)
		CHECK(map_page(work, i) == 0);
	CHECK(map_page(work, LIMIT) == -ENOMEM);
	unmap_pages(work, 1);
	CHECK(map_page(work, LIMIT) == 0);
	CHECK(map_page(work, LIMIT + 1) == -ENOMEM);
	CHECK(pinned_pages() == LIMIT);
}

static void limit_is_exact(void **state)
{
	test_in_child(state, child_at_the_limit);
}

static void child_with_less_than_a_page(const struct work *work)
{
	limit_memlock(PAGE - 1);
	drop_privileges();
	CHECK(map_page(work, 0) == -ENOMEM);
	limit_memlock(0);
	CHECK(map_page(work, 0) == -ENOMEM);
	CHECK(pinned_pages() == 0);
}

static void limit_below_a_page_allows_nothing(void **state)
{
	test_in_child(state, child_with_less_than_a_page);
}

static void child_without_limit(const struct work *work)
{
	limit_memlock(RLIM_INFINITY);
	drop_privileges();
	CHECK(map_pages(work, 2 * LIMIT) == 0);
	CHECK(pinned_pages() == 2 * LIMIT);
}

static void infinite_limit_needs_no_privilege(void **state)
{
	test_in_child(state, child_without_limit);
}

static void child_that_locks(const struct work *work)
{
	uint8_t *locked = work->memory + LIMIT * PAGE;

	unprivileged();
	CHECK(!mlock(locked, 3 * PAGE));
	CHECK(map_pages(work, LIMIT - 2) == -ENOMEM);
	CHECK(map_pages(work, LIMIT - 3) == 0);
	CHECK(map_page(work, LIMIT) == -ENOMEM);
	CHECK(!munlock(locked, PAGE));
	CHECK(map_page(work, LIMIT) == 0);
	CHECK(map_page(work, LIMIT + 1) == -ENOMEM);
	CHECK(!munlock(locked, 3 * PAGE));
	CHECK(map_page(work, LIMIT + 1) == 0);
	CHECK(map_page(work, LIMIT + 2) == 0);
	CHECK(map_page(work, LIMIT + 3) == -ENOMEM);
}

static void locked_memory_counts_too(void **state)
{
	test_in_child(state, child_that_locks);
}

static void child_that_maps_one_page_often(const struct work *work)
{
	unprivileged();
	for (unsigned int i = 0; i < LIMIT; i++)
		CHECK(!faultq_map(work->fq, IOVA + i * PAGE, work->memory, PAGE, RW));
	CHECK(faultq_map(work->fq, IOVA + LIMIT * PAGE, work->memory, PAGE, RW) == -ENOMEM);
}

static void page_is_charged_as_often_as_it_is_mapped(void **state)
{
	test_in_child(state, child_that_maps_one_page_often);
}

static void child_that_fails(const struct work *work)
{
	uint8_t *hole = work->memory + (LIMIT + 2) * PAGE;

	unprivileged();
	CHECK(!munmap(hole, PAGE));
	CHECK(!map_page(work, 0));
	for (int i = 0; i < 100; i++) {
		CHECK(map_page(work, 0) == -EEXIST);
		CHECK(faultq_map(work->fq, IOVA + LIMIT * PAGE, hole - PAGE, 2 * PAGE, RW) ==
		      -EFAULT);
		CHECK(faultq_map(work->fq, APERTURE, work->memory, PAGE, RW) == -EINVAL);
		CHECK(faultq_map(work->fq, IOVA + LIMIT * PAGE, work->memory, LIMIT * PAGE, RW) ==
		      -ENOMEM);
	}
	CHECK(pinned_pages() == 1);
	for (unsigned int i = 1; i < LIMIT; i++)
		CHECK(!map_page(work, i));
}

static void failure_leaves_no_charge(void **state)
{
	test_in_child(state, child_that_fails);
}

/* What is there is known before it is charged. */
static void child_with_no_memory(const struct work *work)
{
	uint8_t *hole = work->memory + LIMIT * PAGE;

	unprivileged();
	CHECK(!munmap(hole, LIMIT * PAGE));
	CHECK(faultq_map(work->fq, IOVA, hole, (LIMIT + 1) * PAGE, RW) == -EFAULT);
	CHECK(map_pages(work, LIMIT + 1) == -EFAULT);
	CHECK(faultq_map(work->fq, IOVA, hole, 1ull << 44, RW) == -EFAULT);
	CHECK(!mprotect(work->memory, LIMIT * PAGE, PROT_READ));
	limit_memlock(PAGE);
	CHECK(map_pages(work, LIMIT) == -EFAULT);
	CHECK(pinned_pages() == 0);
}

static void what_cannot_be_pinned_is_not_charged(void **state)
{
	test_in_child(state, child_with_no_memory);
}

static void child_with_ipc_lock(const struct work *work)
{
	limit_memlock(0);
	CHECK(map_pages(work, LIMIT) == 0);
	CHECK(pinned_pages() == LIMIT);
	drop_capability(CAP_IPC_LOCK);
	CHECK(map_page(work, LIMIT) == -ENOMEM);
	CHECK(pinned_pages() == LIMIT);
	unmap_pages(work, LIMIT);
	CHECK(pinned_pages() == 0);
	CHECK(map_page(work, 0) == -ENOMEM);
}

static void ipc_lock_lifts_the_limit(void **state)
{
	test_in_child(state, child_with_ipc_lock);
}

static void child_with_an_inherited_vm(const struct work *work)
{
	struct faultq_stats stats;
	struct faultq *own;

	unprivileged();
	CHECK(faultq_open(&own) == -EACCES);
	CHECK(map_try_attach(work->fq, MAP_SIBLING) == -EPERM);
	CHECK(!map_pages(work, 2));
	CHECK(!faultq_stats(work->fq, 0, &stats));
	CHECK(stats.mapped_bytes == 2 * PAGE && stats.pinned_pages == 2);
	pattern_fill(work->memory, 2 * PAGE, 1);
	signal_to(work->to_parent);
	wait_for(work->to_child);
	unmap_pages(work, 2);
	CHECK(pinned_pages() == 0);
}

static void process_without_privileges_maps_and_unmaps(void **state)
{
	struct map_test *test = *state;
	struct work *work = new_work(test);
	pid_t child = start_child(work, child_with_an_inherited_vm);

	wait_for(work->to_parent);
	assert_int_equal(mapped_bytes(test->fq), 2 * PAGE);
	assert_int_equal(pinned_pages(), 0);
	assert_device_reads(MAP_FIRST, IOVA, 2 * PAGE, 1);
	signal_to(work->to_child);
	end_child(child);
	assert_nothing_mapped(test->fq);
	assert_device_misses(MAP_FIRST, IOVA);
	free_work(work);
}

static void child_that_others_unmap(const struct work *work)
{
	unprivileged();
	CHECK(!map_pages(work, LIMIT));
	CHECK(map_page(work, LIMIT) == -ENOMEM);
	signal_to(work->to_parent);
	wait_for(work->to_child);
	CHECK(pinned_pages() == 0);
	CHECK(!map_pages(work, LIMIT));
}

static void mapper_is_uncharged_by_whoever_unmaps(void **state)
{
	struct map_test *test = *state;
	struct work *work = new_work(test);
	pid_t child = start_child(work, child_that_others_unmap);

	wait_for(work->to_parent);
	assert_int_equal(unmap(test->fq, IOVA, LIMIT * PAGE), LIMIT * PAGE);
	signal_to(work->to_child);
	end_child(child);
	assert_int_equal(unmap(test->fq, IOVA, LIMIT * PAGE), LIMIT * PAGE);
	assert_nothing_mapped(test->fq);
	free_work(work);
}

static void child_that_maps_and_exits(const struct work *work)
{
	unprivileged();
	pattern_fill(work->memory, LIMIT * PAGE, 2);
	CHECK(!map_pages(work, LIMIT));
}

static void mapping_outlives_the_mapper(void **state)
{
	struct map_test *test = *state;
	struct work *work = new_work(test);

	end_child(start_child(work, child_that_maps_and_exits));
	assert_int_equal(mapped_bytes(test->fq), LIMIT * PAGE);
	assert_device_reads(MAP_FIRST, IOVA, LIMIT * PAGE, 2);
	assert_device_writes(MAP_FIRST, IOVA, LIMIT * PAGE, 3);
	assert_device_reads(MAP_FIRST, IOVA, LIMIT * PAGE, 3);
	assert_int_equal(unmap(test->fq, 0, ~0ull), LIMIT * PAGE);
	assert_nothing_mapped(test->fq);
	assert_device_misses(MAP_FIRST, IOVA);
	free_work(work);
}

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = "", byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	CHECK(sendmsg(socket, &message, 0) == 1);
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	assert_int_equal(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
	assert_non_null(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

#define PASSED (4 * MIB)

/* The process opens a VM of its own, maps memory, passes the file on and is gone. */
static void pass_a_vm(int socket)
{
	void *memory = memory_new(PASSED);
	struct faultq *fq;

	memset(memory, 1, PASSED);
	CHECK(!faultq_open(&fq));
	CHECK(!faultq_map(fq, IOVA, memory, PASSED, RW));
	send_fd(socket, faultq_fd(fq));
	_exit(0);
}

static struct faultq *vm_of_a_process_that_is_gone(void)
{
	struct faultq *fq;
	int sockets[2];
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		pass_a_vm(sockets[1]);
	end_child(child);
	assert_int_equal(faultq_from_fd(&fq, receive_fd(sockets[0])), 0);
	close(sockets[0]);
	close(sockets[1]);
	return fq;
}

static unsigned long free_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[128];

	assert_non_null(file);
	while (!kib && fgets(line, sizeof(line), file))
		sscanf(line, "MemFree: %lu kB", &kib);
	fclose(file);
	return kib;
}

/* What leaks, leaks many times what else may change in the memory that is free. */
static void closed_by_another_process_when_the_mapper_is_gone(void **state)
{
	unsigned long rounds = scaled(20, 1000), before = free_kib(), after;

	(void)state;
	for (unsigned long i = 0; i < rounds; i++) {
		struct faultq *fq = vm_of_a_process_that_is_gone();

		assert_int_equal(mapped_bytes(fq), PASSED);
		assert_int_equal(pinned_pages(), 0);
		faultq_close(fq);
	}
	after = free_kib();
	assert_true(after + rounds * PASSED / 1024 / 2 > before);
}

struct race {
	const struct work *work;
	unsigned int page;
	unsigned long mapped;
};

static void *race_for_the_limit(void *data)
{
	struct race *race = data;

	for (unsigned long i = scaled(300, 10000); i; i--) {
		int ret = map_page(race->work, race->page);
		struct faultq_stats stats;
		uint64_t unmapped;

		CHECK(ret == 0 || ret == -ENOMEM);
		CHECK(!faultq_stats(race->work->fq, 0, &stats));
		CHECK(stats.pinned_pages <= 2);
		race->mapped += !ret;
		if (!ret)
			CHECK(!faultq_unmap(race->work->fq, IOVA + race->page * PAGE, PAGE,
					    &unmapped) &&
			      unmapped == PAGE);
	}
	return NULL;
}

static void child_with_threads(const struct work *work)
{
	pthread_t threads[4];
	struct race races[4];
	unsigned long mapped = 0;

	limit_memlock(2 * PAGE);
	drop_privileges();
	for (int i = 0; i < 4; i++) {
		races[i] = (struct race){ .work = work, .page = i };
		CHECK(!pthread_create(&threads[i], NULL, race_for_the_limit, &races[i]));
	}
	for (int i = 0; i < 4; i++) {
		CHECK(!pthread_join(threads[i], NULL));
		mapped += races[i].mapped;
	}
	CHECK(mapped > 0);
	CHECK(pinned_pages() == 0);
	CHECK(!map_pages(work, 2));
}

static void threads_race_for_the_limit(void **state)
{
	test_in_child(state, child_with_threads);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, map_setup_attached, map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(limit_is_exact),
		TEST(limit_below_a_page_allows_nothing),
		TEST(infinite_limit_needs_no_privilege),
		TEST(locked_memory_counts_too),
		TEST(page_is_charged_as_often_as_it_is_mapped),
		TEST(failure_leaves_no_charge),
		TEST(what_cannot_be_pinned_is_not_charged),
		TEST(ipc_lock_lifts_the_limit),
		TEST(process_without_privileges_maps_and_unmaps),
		TEST(mapper_is_uncharged_by_whoever_unmaps),
		TEST(mapping_outlives_the_mapper),
		TEST(closed_by_another_process_when_the_mapper_is_gone),
		TEST(threads_race_for_the_limit),
	};

	return tap_run_group(tests, map_group_setup, map_group_teardown);
}
