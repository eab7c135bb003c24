// SPDX-License-Identifier: GPL-2.0-only
/*
 * A consumer index that is nonsense stops the queue for good: the flag is set, pollers
 * and the eventfd are woken, what is outstanding is terminated, what comes later too, and
 * only GET_INFO, STATS, DETACH and close() go on working. Other VMs notice nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/kinds.h"
#include "support/mock.h"
#include "support/tap.h"

#define ENTRIES 64
#define SLOTS 16
#define CONSUMED 3
#define PENDING 5

/*
 * Two VMs with a device each; the first has PENDING groups outstanding and CONSUMED of
 * its records read.
 */
struct fixture {
	struct abi_device device, neighbour_device;
	struct abi_ring ring, neighbour_ring;
	int vm, neighbour;
};

static int poll_of(int vm)
{
	struct pollfd pfd = { .fd = vm, .events = POLLIN };

	assert_in_range(poll(&pfd, 1, 0), 0, 1);
	return pfd.revents;
}

static void open_one(int *vm, struct abi_ring *ring, struct abi_device *device, const char *name)
{
	*vm = abi_open();
	abi_ring_open(ring, *vm, SLOTS, ENTRIES);
	abi_device_make(device, "stop", name);
	assert_int_equal(abi_device_attach(device, *vm), 0);
}

static int open_vms(void **state)
{
	static struct fixture fixture;

	open_one(&fixture.vm, &fixture.ring, &fixture.device, "d0");
	open_one(&fixture.neighbour, &fixture.neighbour_ring, &fixture.neighbour_device, "d1");
	abi_request(&fixture.device, 0, 0x10000, PENDING);
	abi_set_consumer(&fixture.ring, CONSUMED);
	assert_int_equal(poll_of(fixture.vm), POLLIN); /* which makes the kernel look at it */
	*state = &fixture;
	return 0;
}

static int close_vms(void **state)
{
	struct fixture *fixture = *state;

	abi_ring_close(&fixture->ring);
	abi_ring_close(&fixture->neighbour_ring);
	close(fixture->vm);
	close(fixture->neighbour);
	abi_device_destroy(&fixture->device);
	abi_device_destroy(&fixture->neighbour_device);
	return 0;
}

static bool has_stopped(const struct abi_ring *ring)
{
	return __atomic_load_n(&ring->header->flags, __ATOMIC_ACQUIRE) & FAULTQ_RING_STOPPED;
}

static int call_sample(int vm, const struct abi_call *call)
{
	union abi_argument argument = {};

	call->sample(&argument);
	return abi_ioctl(vm, call->command, &argument);
}

static int call_unmap(int vm)
{
	struct faultq_unmap argument = { .size = sizeof(argument), .length = UINT64_MAX };

	return abi_ioctl(vm, FAULTQ_UNMAP, &argument);
}

/* All that was outstanding was answered INVALID, once. */
static void expect_terminated(struct fixture *fixture)
{
	struct mock_iommu_state state;
	struct faultq_stats stats;

	for (unsigned int i = 0; i < PENDING; i++)
		abi_expect_answer(&fixture->device, i, FAULTQ_INVALID);
	assert_int_equal(mock_state(fixture->device.mock, &state), 0);
	assert_int_equal(state.outstanding, 0);
	assert_int_equal(state.unmatched, 0);
	stats = abi_stats(fixture->vm, 0);
	assert_int_equal(stats.outstanding, 0);
	assert_int_equal(stats.terminated_stopped, PENDING);
	assert_int_equal(stats.groups, PENDING);
	assert_int_equal(fixture->ring.header->terminated, PENDING);
	assert_true(has_stopped(&fixture->ring));
}

static void expect_neighbour_works(struct fixture *fixture)
{
	struct faultq_answer answer = {};
	struct faultq_respond respond = {
		.size = sizeof(respond),
		.answers = (uintptr_t)&answer,
		.count = 1,
		.entry_size = sizeof(answer),
	};
	uint32_t index = abi_producer(&fixture->neighbour_ring);

	abi_request(&fixture->neighbour_device, 1, 0x1000, 1);
	assert_int_equal(abi_producer(&fixture->neighbour_ring), index + 1);
	answer.cookie = fixture->neighbour_ring.records[index % ENTRIES].cookie;
	abi_set_consumer(&fixture->neighbour_ring, index + 1);
	assert_int_equal(abi_ioctl(fixture->neighbour, FAULTQ_RESPOND, &respond), 0);
	assert_int_equal(answer.result, 0);
	abi_expect_answer(&fixture->neighbour_device, 1, FAULTQ_SUCCESS);
	assert_int_equal(poll_of(fixture->neighbour), 0);
	assert_false(has_stopped(&fixture->neighbour_ring));
	assert_int_equal(abi_stats(fixture->neighbour, 0).terminated_stopped, 0);
}

static void stop(struct fixture *fixture)
{
	abi_set_consumer(&fixture->ring, CONSUMED - 1);
	assert_int_equal(poll_of(fixture->vm), POLLERR);
	expect_terminated(fixture);
}

/* The last good index was seen by the kernel; each of these is looked at in a VM of its own. */
static void any_index_outside_the_waiting_records_stops(void **state)
{
	static const uint32_t bad[] = {
		CONSUMED - 1, 0, -1U, PENDING + 1, PENDING + ENTRIES, ENTRIES, 1U << 31,
		CONSUMED + (1U << 31), 0x7fffffff, 0xdeadbeef,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct fixture *fixture;

		open_vms(state);
		fixture = *state;
		abi_set_consumer(&fixture->ring, bad[i]);
		assert_int_equal(poll_of(fixture->vm), POLLERR);
		expect_terminated(fixture);
		expect_neighbour_works(fixture);
		close_vms(state);
	}
}

static void every_index_among_the_waiting_records_is_good(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t index = CONSUMED; index <= PENDING; index++) {
		abi_set_consumer(&fixture->ring, index);
		assert_int_equal(poll_of(fixture->vm), index < PENDING ? POLLIN : 0);
	}
	assert_false(has_stopped(&fixture->ring));
	assert_int_equal(abi_stats(fixture->vm, 0).outstanding, PENDING);
}

static void a_page_request_finds_it_out(void **state)
{
	struct mock_iommu_response response;
	struct fixture *fixture = *state;

	abi_set_consumer(&fixture->ring, PENDING + 1);
	abi_request(&fixture->device, 77, 0x50000, 1);
	assert_true(has_stopped(&fixture->ring));
	for (unsigned int i = 0; i < PENDING + 1; i++) {
		assert_int_equal(mock_response(fixture->device.mock, 0, &response), 0);
		assert_int_equal(response.code, FAULTQ_INVALID);
	}
	assert_int_equal(abi_stats(fixture->vm, 0).terminated_stopped, PENDING + 1);
	assert_int_equal(abi_producer(&fixture->ring), PENDING);
	expect_neighbour_works(fixture);
}

static void an_unrecoverable_fault_finds_it_out_and_is_lost(void **state)
{
	struct fixture *fixture = *state;

	abi_set_consumer(&fixture->ring, PENDING + 1);
	assert_int_equal(mock_unrecoverable(fixture->device.mock, fault_way(), MOCK_IOMMU_READ,
					    5, 0x1000),
			 1);
	expect_terminated(fixture);
	assert_int_equal(abi_stats(fixture->vm, 0).lost, 1);
	assert_int_equal(abi_stats(fixture->vm, 0).unrecoverable, 0);
	assert_int_equal(fixture->ring.header->lost, 1);
	assert_int_equal(abi_producer(&fixture->ring), PENDING);
}

static void an_ioctl_finds_it_out(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_respond respond = { .size = sizeof(respond),
					  .entry_size = sizeof(struct faultq_answer) };

	abi_set_consumer(&fixture->ring, CONSUMED - 1);
	assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_RESPOND, &respond), -EIO);
	expect_terminated(fixture);
}

/* What fails leaves no trace, neither in the structure nor in its entries. */
static void a_respond_that_finds_it_out_writes_nothing(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int count = 1; count <= PENDING; count++) {
		struct faultq_answer answers[PENDING];
		struct faultq_respond respond = {
			.size = sizeof(respond), .answers = (uintptr_t)answers, .count = count,
			.entry_size = sizeof(*answers), .done = 77,
		};

		for (unsigned int i = 0; i < count; i++)
			answers[i] = (struct faultq_answer){
				.cookie = fixture->ring.records[i].cookie, .result = 78,
			};
		abi_set_consumer(&fixture->ring, CONSUMED - 1);
		assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_RESPOND, &respond), -EIO);
		assert_int_equal(respond.done, 77);
		for (unsigned int i = 0; i < count; i++)
			assert_int_equal(answers[i].result, 78);
	}
	expect_terminated(fixture);
}

static void a_good_index_afterwards_does_not_help(void **state)
{
	struct fixture *fixture = *state;

	stop(fixture);
	for (uint32_t index = 0; index <= PENDING; index++) {
		abi_set_consumer(&fixture->ring, index);
		assert_int_equal(poll_of(fixture->vm), POLLERR);
		assert_int_equal(call_unmap(fixture->vm), -EIO);
	}
	assert_true(has_stopped(&fixture->ring));
}

static void only_some_calls_go_on_working(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_detach detach = { .size = sizeof(detach), .device = fixture->device.id };

	stop(fixture);
	for (const struct abi_call *call = abi_calls; call->name; call++)
		assert_int_equal(call_sample(fixture->vm, call),
				 call->when_stopped ? call->result : -EIO);
	assert_int_equal(abi_stats(fixture->vm, fixture->device.id).terminated_stopped, PENDING);
	assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_DETACH, &detach), 0);
	assert_int_equal(abi_device_attach(&fixture->device, fixture->vm), -EIO);
	assert_int_equal(abi_device_attach(&fixture->device, fixture->neighbour), 0);
}

/* Wrong input is told as such, also then. */
static void bad_input_is_still_found_first(void **state)
{
	struct fixture *fixture = *state;

	stop(fixture);
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		union abi_argument argument = {};

		call->sample(&argument);
		argument.head[0] = 4;
		assert_int_equal(abi_ioctl(fixture->vm, call->command, &argument), -EINVAL);
		assert_int_equal(abi_ioctl(fixture->vm, call->command, NULL), -EFAULT);
	}
}

static void later_page_requests_are_terminated_at_once(void **state)
{
	struct fixture *fixture = *state;

	stop(fixture);
	abi_request(&fixture->device, 100, 0x90000, 20);
	for (unsigned int i = 0; i < 20; i++)
		abi_expect_answer(&fixture->device, 100 + i, FAULTQ_INVALID);
	assert_int_equal(abi_stats(fixture->vm, 0).terminated_stopped, PENDING + 20);
	assert_int_equal(abi_producer(&fixture->ring), PENDING);
	expect_neighbour_works(fixture);
}

static void mappings_of_memory_go_with_the_vm(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *memory = abi_memory(1, PROT_READ | PROT_WRITE);
	struct faultq_map map = {
		.size = sizeof(map),
		.flags = FAULTQ_MAP_READ | FAULTQ_MAP_WRITE,
		.iova = 0x100000,
		.length = ABI_PAGE,
		.user_address = (uintptr_t)memory,
	};

	assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_MAP, &map), 0);
	stop(fixture);
	assert_int_equal(mock_dma_write(fixture->device.mock, 0x100000, "data", 4, NULL),
			 MOCK_IOMMU_DMA_DONE);
	assert_memory_equal(memory, "data", 4);
	assert_int_equal(call_unmap(fixture->vm), -EIO);
	assert_int_equal(abi_stats(fixture->vm, 0).mapped_bytes, ABI_PAGE);
	munmap(memory, ABI_PAGE);
}

static void *wait_for_error(void *data)
{
	struct pollfd pfd = { .fd = *(int *)data, .events = 0 };

	return (void *)(long)(poll(&pfd, 1, -1) == 1 ? pfd.revents : -1);
}

static void sleeping_pollers_are_woken(void **state)
{
	struct fixture *fixture = *state;
	struct epoll_event event = { .events = EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	pthread_t thread;
	void *events;

	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fixture->vm, &event), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_error, &fixture->vm), 0);
	abi_set_consumer(&fixture->ring, -1U);
	abi_request(&fixture->device, 77, 0x50000, 1);
	pthread_join(thread, &events);
	assert_int_equal((long)events, POLLERR);
	assert_int_equal(epoll_wait(epoll, &event, 1, -1), 1);
	assert_int_equal(event.events, EPOLLERR);
	close(epoll);
}

static void the_eventfd_is_signalled(void **state)
{
	struct abi_ring ring = {};
	int event = eventfd(0, EFD_CLOEXEC), vm = abi_open();
	struct faultq_unmap unmap = { .size = sizeof(unmap), .length = UINT64_MAX };
	uint64_t count;

	(void)state;
	assert_int_equal(abi_queue(vm, SLOTS, ENTRIES, event, 0, &ring.layout), 0);
	ring.consumer = mmap(NULL, ring.layout.consumer_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     vm, ring.layout.consumer_offset);
	assert_true(ring.consumer != MAP_FAILED);
	abi_set_consumer(&ring, 1);
	assert_int_equal(abi_ioctl(vm, FAULTQ_UNMAP, &unmap), -EIO);
	assert_int_equal(read(event, &count, sizeof(count)), sizeof(count));
	munmap(ring.consumer, ring.layout.consumer_size);
	close(event);
	close(vm);
}

/*
 * A hostile consumer that writes all the time while devices fault: it only ever hurts
 * itself.
 */
static void *scribble(void *data)
{
	struct fixture *fixture = data;
	uint32_t index = 1;

	while (!has_stopped(&fixture->ring))
		abi_set_consumer(&fixture->ring, index = index * 1664525 + 1013904223);
	return NULL;
}

static void a_consumer_that_scribbles_hurts_only_itself(void **state)
{
	for (unsigned long round = scaled(10, 1000); round; round--) {
		struct fixture *fixture;
		pthread_t thread;

		open_vms(state);
		fixture = *state;
		assert_int_equal(pthread_create(&thread, NULL, scribble, fixture), 0);
		for (unsigned int group = PENDING; !has_stopped(&fixture->ring); group++) {
			abi_request(&fixture->device, group, 0x10000, 1);
			expect_neighbour_works(fixture);
		}
		pthread_join(thread, NULL);
		close_vms(state);
	}
}

static void closing_right_after_leaves_nothing(void **state)
{
	for (unsigned long round = scaled(20, 1000); round; round--) {
		struct mock_iommu_state mock;
		struct fixture *fixture;

		open_vms(state);
		fixture = *state;
		abi_set_consumer(&fixture->ring, -1U);
		assert_int_equal(poll_of(fixture->vm), POLLERR);
		abi_ring_close(&fixture->ring);
		close(fixture->vm);
		assert_int_equal(mock_state(fixture->device.mock, &mock), 0);
		assert_int_equal(mock.outstanding, 0);
		assert_int_equal(mock.answered, PENDING);
		assert_int_equal(mock.unmatched, 0);
		abi_ring_close(&fixture->neighbour_ring);
		close(fixture->neighbour);
		abi_device_destroy(&fixture->device);
		abi_device_destroy(&fixture->neighbour_device);
	}
}

int main(void)
{
#define with_vms(test) cmocka_unit_test_setup_teardown(test, open_vms, close_vms)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_index_outside_the_waiting_records_stops),
		with_vms(every_index_among_the_waiting_records_is_good),
		with_vms(a_page_request_finds_it_out),
		with_vms(an_unrecoverable_fault_finds_it_out_and_is_lost),
		with_vms(an_ioctl_finds_it_out),
		with_vms(a_respond_that_finds_it_out_writes_nothing),
		with_vms(a_good_index_afterwards_does_not_help),
		with_vms(only_some_calls_go_on_working),
		with_vms(bad_input_is_still_found_first),
		with_vms(later_page_requests_are_terminated_at_once),
		with_vms(mappings_of_memory_go_with_the_vm),
		with_vms(sleeping_pollers_are_woken),
		cmocka_unit_test(the_eventfd_is_signalled),
		cmocka_unit_test(a_consumer_that_scribbles_hurts_only_itself),
		cmocka_unit_test(closing_right_after_leaves_nothing),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
