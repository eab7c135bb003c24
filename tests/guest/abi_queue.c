// SPDX-License-Identifier: GPL-2.0-only
/*
 * QUEUE and mmap() of the ring: what they refuse, and that a mapping is what uapi says:
 * shared, of exactly one part, read-only but for the consumer page, and a hold on the VM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/kinds.h"
#include "support/tap.h"

#define ENTRIES 256

static void refuse_queue(uint32_t slots, uint32_t entries, int eventfd, int error)
{
	const struct faultq_stats zero = { .size = sizeof(zero) };
	int vm = abi_open();

	assert_int_equal(abi_queue(vm, slots, entries, eventfd, 0, NULL), error);
	assert_int_equal(abi_queue(vm, slots, entries, eventfd, FAULTQ_QUEUE_READ, NULL), error);
	abi_assert_same_stats(vm, &zero);
	assert_int_equal(abi_queue(vm, 1, 64, -1, 0, NULL), 0);
	close(vm);
}

static struct faultq_info get_info(void)
{
	struct faultq_info info = { .size = sizeof(info) };
	int vm = abi_open();

	assert_int_equal(abi_ioctl(vm, FAULTQ_GET_INFO, &info), 0);
	close(vm);
	return info;
}

static void entries_that_are_no_power_of_two_are_refused(void **state)
{
	static const uint32_t bad[] = { 65, 66, 96, 100, 127, 129, 192, 255, 1000, 65535, 0x8001 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		refuse_queue(4, bad[i], -1, -EINVAL);
}

static void entries_and_slots_out_of_range_are_refused(void **state)
{
	struct faultq_info info = get_info();

	(void)state;
	refuse_queue(4, 0, -1, -EINVAL);
	refuse_queue(4, 1, -1, -EINVAL);
	refuse_queue(4, info.min_entries / 2, -1, -EINVAL);
	refuse_queue(4, info.max_entries * 2, -1, -EINVAL);
	refuse_queue(4, 1U << 31, -1, -EINVAL);
	refuse_queue(4, UINT32_MAX, -1, -EINVAL);
	refuse_queue(0, 64, -1, -EINVAL);
	refuse_queue(info.max_slots + 1, 64, -1, -EINVAL);
	refuse_queue(UINT32_MAX, 64, -1, -EINVAL);
}

static void accept_queue(uint32_t slots, uint32_t entries)
{
	struct abi_ring ring;
	int vm = abi_open();

	abi_ring_open(&ring, vm, slots, entries);
	assert_int_equal(ring.header->entries, entries);
	assert_int_equal(ring.header->record_size, sizeof(struct faultq_record));
	assert_int_equal(ring.header->producer, 0);
	assert_int_equal(ring.header->flags, 0);
	assert_int_equal(ring.consumer->consumer, 0);
	assert_true(ring.layout.records_size >= entries * sizeof(struct faultq_record));
	assert_int_equal(ring.records[entries - 1].type, 0);
	assert_int_equal(abi_stats(vm, 0).slots, slots);
	abi_ring_close(&ring);
	close(vm);
}

static void limits_themselves_are_accepted(void **state)
{
	struct faultq_info info = get_info();

	(void)state;
	accept_queue(1, info.min_entries);
	accept_queue(info.max_slots, info.max_entries);
	for (uint32_t entries = info.min_entries; entries <= info.max_entries; entries *= 2)
		accept_queue(3, entries);
}

static void a_closed_eventfd_gives_ebadf(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC), closed = fcntl(event, F_DUPFD_CLOEXEC, 500);

	(void)state;
	close(closed);
	close(event);
	refuse_queue(4, 64, closed, -EBADF);
	refuse_queue(4, 64, INT_MAX, -EBADF);
}

static void an_fd_that_is_no_eventfd_gives_einval(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), pipes[2], vm = abi_open();

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	refuse_queue(4, 64, null, -EINVAL);
	refuse_queue(4, 64, pipes[0], -EINVAL);
	refuse_queue(4, 64, pipes[1], -EINVAL);
	refuse_queue(4, 64, vm, -EINVAL);
	refuse_queue(4, 64, -2, -EINVAL);
	refuse_queue(4, 64, INT_MIN, -EINVAL);
	close(null);
	close(pipes[0]);
	close(pipes[1]);
	close(vm);
}

static void a_second_queue_gives_eexist(void **state)
{
	struct abi_ring ring;
	int vm = abi_open(), event = eventfd(0, EFD_CLOEXEC);
	struct faultq_stats before;

	(void)state;
	abi_ring_open(&ring, vm, 5, ENTRIES);
	before = abi_stats(vm, 0);
	assert_int_equal(abi_queue(vm, 5, ENTRIES, -1, 0, NULL), -EEXIST);
	assert_int_equal(abi_queue(vm, 6, 64, event, FAULTQ_QUEUE_READ, NULL), -EEXIST);
	abi_assert_same_stats(vm, &before);
	assert_int_equal(before.slots, 5);
	assert_int_equal(ring.header->entries, ENTRIES);
	abi_ring_close(&ring);
	close(event);
	close(vm);
}

struct contest {
	pthread_barrier_t start;
	int vm;
	int won, exist;
};

static void *contend(void *data)
{
	struct contest *contest = data;
	int ret;

	pthread_barrier_wait(&contest->start);
	ret = abi_queue(contest->vm, 4, 64, -1, 0, NULL);
	__atomic_add_fetch(ret ? &contest->exist : &contest->won, !ret || ret == -EEXIST,
			   __ATOMIC_RELAXED);
	return NULL;
}

static void of_many_threads_one_makes_the_queue(void **state)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned long round = scaled(50, 2000); round; round--) {
		struct contest contest = { .vm = abi_open() };

		pthread_barrier_init(&contest.start, NULL, THREADS);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, contend, &contest), 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(contest.won, 1);
		assert_int_equal(contest.exist, THREADS - 1);
		pthread_barrier_destroy(&contest.start);
		close(contest.vm);
	}
}

static int try_mmap(int vm, uint64_t offset, size_t size, int prot, int flags)
{
	void *at = mmap(NULL, size, prot, flags, vm, offset);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, size);
	return 0;
}

static void mmap_before_queue_gives_enxio(void **state)
{
	int vm = abi_open();

	(void)state;
	for (int page = 0; page < 4; page++)
		assert_int_equal(try_mmap(vm, page * ABI_PAGE, ABI_PAGE, PROT_READ, MAP_SHARED),
				 -ENXIO);
	close(vm);
}

static void mmap_of_a_queue_for_read_gives_ebusy(void **state)
{
	struct faultq_queue queue;
	int vm = abi_open();

	(void)state;
	assert_int_equal(abi_queue(vm, 4, 64, -1, FAULTQ_QUEUE_READ, &queue), 0);
	assert_int_equal(queue.header_offset | queue.consumer_offset | queue.records_offset, 0);
	assert_int_equal(queue.header_size | queue.consumer_size | queue.records_size, 0);
	for (int page = 0; page < 4; page++)
		assert_int_equal(try_mmap(vm, page * ABI_PAGE, ABI_PAGE, PROT_READ, MAP_SHARED),
				 -EBUSY);
	close(vm);
}

/* A ring and its VM, for the tests of mmap(). */
struct fixture {
	struct abi_ring ring;
	int vm;
};

static int open_ring(void **state)
{
	static struct fixture fixture;

	fixture.vm = abi_open();
	abi_ring_open(&fixture.ring, fixture.vm, 4, ENTRIES);
	*state = &fixture;
	return 0;
}

static int close_ring(void **state)
{
	struct fixture *fixture = *state;

	abi_ring_close(&fixture->ring);
	close(fixture->vm);
	return 0;
}

static bool is_part(const struct faultq_queue *layout, uint64_t offset, uint32_t size)
{
	return (offset == layout->header_offset && size == layout->header_size) ||
	       (offset == layout->consumer_offset && size == layout->consumer_size) ||
	       (offset == layout->records_offset && size == layout->records_size);
}

static void mmap_takes_exactly_the_parts(void **state)
{
	struct fixture *fixture = *state;
	const struct faultq_queue *layout = &fixture->ring.layout;
	unsigned int pages = layout->records_size / ABI_PAGE + 2;

	for (uint64_t first = 0; first < pages + 3; first++) {
		for (unsigned int count = 1; count < pages + 3; count++) {
			uint64_t offset = first * ABI_PAGE, size = count * ABI_PAGE;

			assert_int_equal(try_mmap(fixture->vm, offset, size, PROT_READ, MAP_SHARED),
					 is_part(layout, offset, size) ? 0 : -EINVAL);
		}
	}
}

static void mmap_far_behind_the_parts_gives_einval(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int bit = 20; bit < 63; bit++)
		assert_int_equal(try_mmap(fixture->vm, 1UL << bit, ABI_PAGE, PROT_READ, MAP_SHARED),
				 -EINVAL);
	assert_int_equal(try_mmap(fixture->vm, 1UL << 44, fixture->ring.layout.records_size,
				  PROT_READ, MAP_SHARED),
			 -EINVAL);
}

static void private_mappings_give_einval(void **state)
{
	struct fixture *fixture = *state;
	const struct faultq_queue *layout = &fixture->ring.layout;

	assert_int_equal(try_mmap(fixture->vm, layout->header_offset, layout->header_size,
				  PROT_READ, MAP_PRIVATE),
			 -EINVAL);
	assert_int_equal(try_mmap(fixture->vm, layout->consumer_offset, layout->consumer_size,
				  PROT_READ | PROT_WRITE, MAP_PRIVATE),
			 -EINVAL);
	assert_int_equal(try_mmap(fixture->vm, layout->records_offset, layout->records_size,
				  PROT_READ | PROT_WRITE, MAP_PRIVATE),
			 -EINVAL);
}

static void mmap_with_the_wrong_protection_gives_eacces(void **state)
{
	struct fixture *fixture = *state;
	const struct faultq_queue *layout = &fixture->ring.layout;
	const int vm = fixture->vm;

	assert_int_equal(try_mmap(vm, layout->header_offset, layout->header_size,
				  PROT_READ | PROT_WRITE, MAP_SHARED),
			 -EACCES);
	assert_int_equal(try_mmap(vm, layout->header_offset, layout->header_size, PROT_WRITE,
				  MAP_SHARED),
			 -EACCES);
	assert_int_equal(try_mmap(vm, layout->records_offset, layout->records_size,
				  PROT_READ | PROT_WRITE, MAP_SHARED),
			 -EACCES);
	assert_int_equal(try_mmap(vm, layout->header_offset, layout->header_size,
				  PROT_READ | PROT_EXEC, MAP_SHARED),
			 -EACCES);
	assert_int_equal(try_mmap(vm, layout->records_offset, layout->records_size, PROT_EXEC,
				  MAP_SHARED),
			 -EACCES);
	assert_int_equal(try_mmap(vm, layout->consumer_offset, layout->consumer_size,
				  PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED),
			 -EACCES);
}

static void a_descriptor_for_reading_maps_no_consumer_page_for_writing(void **state)
{
	struct fixture *fixture = *state;
	const struct faultq_queue *layout = &fixture->ring.layout;
	struct faultq_queue queue;
	int vm = open("/dev/faultq", O_RDONLY | O_CLOEXEC);

	assert_int_equal(abi_queue(vm, 4, ENTRIES, -1, 0, &queue), 0);
	assert_int_equal(try_mmap(vm, layout->consumer_offset, layout->consumer_size,
				  PROT_READ | PROT_WRITE, MAP_SHARED),
			 -EACCES);
	assert_int_equal(try_mmap(vm, layout->header_offset, layout->header_size, PROT_READ,
				  MAP_SHARED),
			 0);
	close(vm);
}

static void mprotect_opens_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct abi_ring *ring = &fixture->ring;
	void *header = (void *)ring->header, *records = (void *)ring->records;

	assert_int_equal(abi_result(mprotect(header, ABI_PAGE, PROT_READ | PROT_WRITE)), -EACCES);
	assert_int_equal(abi_result(mprotect(header, ABI_PAGE, PROT_READ | PROT_EXEC)), -EACCES);
	assert_int_equal(abi_result(mprotect(records, ABI_PAGE, PROT_READ | PROT_WRITE)), -EACCES);
	assert_int_equal(abi_result(mprotect(records, ring->layout.records_size, PROT_WRITE)),
			 -EACCES);
	assert_int_equal(abi_result(mprotect(records, ABI_PAGE, PROT_READ | PROT_EXEC)), -EACCES);
	assert_int_equal(abi_result(mprotect(ring->consumer, ABI_PAGE, PROT_READ | PROT_EXEC)),
			 -EACCES);
	assert_int_equal(mprotect(ring->consumer, ABI_PAGE, PROT_READ), 0);
	assert_int_equal(mprotect(ring->consumer, ABI_PAGE, PROT_READ | PROT_WRITE), 0);
}

static int signal_of_a_write_to(uint32_t *address)
{
	pid_t child = fork();
	int status;

	if (!child) {
		signal(SIGSEGV, SIG_DFL); /* cmocka has a handler */
		__atomic_store_n(address, 1, __ATOMIC_SEQ_CST);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void writes_to_the_read_only_pages_kill(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *header = (uint8_t *)fixture->ring.header;
	uint8_t *records = (uint8_t *)fixture->ring.records;

	assert_int_equal(signal_of_a_write_to((uint32_t *)header), SIGSEGV);
	assert_int_equal(signal_of_a_write_to((uint32_t *)(header + ABI_PAGE - 4)), SIGSEGV);
	assert_int_equal(signal_of_a_write_to((uint32_t *)records), SIGSEGV);
	records += fixture->ring.layout.records_size;
	assert_int_equal(signal_of_a_write_to((uint32_t *)(records - 4)), SIGSEGV);
	assert_int_equal(signal_of_a_write_to((uint32_t *)fixture->ring.consumer), 0);
	abi_set_consumer(&fixture->ring, 0);
	assert_int_equal(fixture->ring.header->producer, 0);
}

/* System calls, ptrace's way, and the VM's own devices. */
static void nobody_else_writes_to_the_read_only_pages_either(void **state)
{
	struct fixture *fixture = *state;
	void *header = (void *)fixture->ring.header;
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC),
	    zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct iovec from = { .iov_base = "1234", .iov_len = 4 },
		     to = { .iov_base = header, .iov_len = 4 };
	struct faultq_map map = {
		.size = sizeof(map),
		.flags = FAULTQ_MAP_READ | FAULTQ_MAP_WRITE,
		.length = ABI_PAGE,
		.user_address = (uintptr_t)header,
	};

	assert_int_equal(abi_result(read(zero, header, 4)), -EFAULT);
	assert_int_equal(abi_result(process_vm_writev(getpid(), &from, 1, &to, 1, 0)), -EFAULT);
	assert_int_equal(abi_result(pwrite(memory, "1234", 4, (uintptr_t)header)), -EIO);
	assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_MAP, &map), -EFAULT);
	assert_int_equal(fixture->ring.header->entries, ENTRIES);
	close(memory);
	close(zero);
}

static void mappings_do_not_grow(void **state)
{
	struct fixture *fixture = *state;
	void *header = (void *)fixture->ring.header, *records = (void *)fixture->ring.records;
	size_t size = fixture->ring.layout.records_size;

	assert_true(mremap(header, ABI_PAGE, 2 * ABI_PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	assert_true(mremap(fixture->ring.consumer, ABI_PAGE, 2 * ABI_PAGE, MREMAP_MAYMOVE) ==
		    MAP_FAILED);
	assert_true(mremap(records, size, size + ABI_PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	assert_true(mremap(records, 0, size, MREMAP_MAYMOVE) == MAP_FAILED);
}

static void mappings_can_be_moved_and_cut(void **state)
{
	struct fixture *fixture = *state;
	const struct faultq_queue *layout = &fixture->ring.layout;
	uint8_t *records = mmap(NULL, layout->records_size, PROT_READ, MAP_SHARED, fixture->vm,
				layout->records_offset);
	struct faultq_ring_header *header =
		mmap(NULL, ABI_PAGE, PROT_READ, MAP_SHARED, fixture->vm, layout->header_offset);
	void *place = abi_memory(1, PROT_NONE);

	header = mremap(header, ABI_PAGE, ABI_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	assert_ptr_equal(header, place);
	assert_int_equal(header->entries, ENTRIES);
	assert_int_equal(munmap(records + ABI_PAGE, ABI_PAGE), 0);
	assert_int_equal(records[0] | records[2 * ABI_PAGE], 0);
	munmap(header, ABI_PAGE);
	munmap(records, layout->records_size);
}

static void several_mappings_are_the_same_memory(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_ring_consumer *again = mmap(NULL, ABI_PAGE, PROT_READ, MAP_SHARED,
						  fixture->vm,
						  fixture->ring.layout.consumer_offset);

	fixture->ring.consumer->consumer = 0;
	assert_int_equal(again->consumer, 0);
	fixture->ring.consumer->consumer = 0x12345678;
	assert_int_equal(again->consumer, 0x12345678);
	fixture->ring.consumer->consumer = 0;
	munmap(again, ABI_PAGE);
}

static void a_child_shares_the_mapping(void **state)
{
	struct fixture *fixture = *state;
	pid_t child = fork();
	int status;

	if (!child) {
		if (fixture->ring.header->entries != ENTRIES || fixture->ring.records[0].type)
			_exit(1);
		fixture->ring.consumer->consumer = 77;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(fixture->ring.consumer->consumer, 77);
	fixture->ring.consumer->consumer = 0;
	assert_int_equal(abi_stats(fixture->vm, 0).slots, 4);
}

static void a_mapping_outlives_the_descriptor(void **state)
{
	struct abi_ring ring;
	int vm = abi_open();

	(void)state;
	abi_ring_open(&ring, vm, 4, ENTRIES);
	close(vm);
	assert_int_equal(ring.header->entries, ENTRIES);
	ring.consumer->consumer = 5;
	assert_int_equal(ring.consumer->consumer, 5);
	assert_int_equal(ring.records[ENTRIES - 1].type, 0);
	abi_ring_close(&ring);
}

static void a_mapping_holds_the_devices_of_the_vm(void **state)
{
	struct abi_device device;
	struct abi_ring ring;
	int vm, other;

	(void)state;
	needs_page_requests();
	vm = abi_open();
	other = abi_open();
	abi_ring_open(&ring, vm, 4, ENTRIES);
	abi_device_make(&device, "queue", "d0");
	assert_int_equal(abi_device_attach(&device, vm), 0);
	close(vm);
	abi_request(&device, 1, 0x1000, 1);
	assert_int_equal(abi_producer(&ring), 1);
	assert_int_equal(abi_device_attach(&device, other), -EBUSY);
	abi_ring_close(&ring);
	abi_expect_answer(&device, 1, FAULTQ_INVALID);
	assert_int_equal(abi_device_attach(&device, other), 0);
	close(other);
	abi_device_destroy(&device);
}

int main(void)
{
#define with_ring(test) cmocka_unit_test_setup_teardown(test, open_ring, close_ring)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_that_are_no_power_of_two_are_refused),
		cmocka_unit_test(entries_and_slots_out_of_range_are_refused),
		cmocka_unit_test(limits_themselves_are_accepted),
		cmocka_unit_test(a_closed_eventfd_gives_ebadf),
		cmocka_unit_test(an_fd_that_is_no_eventfd_gives_einval),
		cmocka_unit_test(a_second_queue_gives_eexist),
		cmocka_unit_test(of_many_threads_one_makes_the_queue),
		cmocka_unit_test(mmap_before_queue_gives_enxio),
		cmocka_unit_test(mmap_of_a_queue_for_read_gives_ebusy),
		with_ring(mmap_takes_exactly_the_parts),
		with_ring(mmap_far_behind_the_parts_gives_einval),
		with_ring(private_mappings_give_einval),
		with_ring(mmap_with_the_wrong_protection_gives_eacces),
		with_ring(a_descriptor_for_reading_maps_no_consumer_page_for_writing),
		with_ring(mprotect_opens_nothing),
		with_ring(writes_to_the_read_only_pages_kill),
		with_ring(nobody_else_writes_to_the_read_only_pages_either),
		with_ring(mappings_do_not_grow),
		with_ring(mappings_can_be_moved_and_cut),
		with_ring(several_mappings_are_the_same_memory),
		with_ring(a_child_shares_the_mapping),
		cmocka_unit_test(a_mapping_outlives_the_descriptor),
		cmocka_unit_test(a_mapping_holds_the_devices_of_the_vm),
	};

	return tap_run_group(tests, NULL, NULL);
}
