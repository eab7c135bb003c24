// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds a VM: every descriptor and every mapping of its ring, in whatever process. It lives
 * until the last of them is gone, so it can be passed on, and a supervisor outlives its pager.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA	0x1000000UL
#define NOBODY	65534
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

/* Ring and descriptor, by hand: who takes over must go on at the consumer's index. */
struct ring {
	int vm;
	struct faultq_queue layout;
	const struct faultq_ring_header *header;
	struct faultq_ring_consumer *consumer;
	const struct faultq_record *records;
};

static void ring_open(struct ring *ring, const struct device *device)
{
	struct faultq_attach attach = { .size = sizeof(attach) };

	ring->layout = (struct faultq_queue){
		.size = sizeof(ring->layout), .slots = RIG_SLOTS, .entries = 64, .eventfd = -1,
	};
	ring->vm = open("/dev/faultq", O_RDWR | O_CLOEXEC);
	assert_true(ring->vm >= 0);
	assert_int_equal(ioctl(ring->vm, FAULTQ_QUEUE, &ring->layout), 0);
	ring->header = mmap(NULL, ring->layout.header_size, PROT_READ, MAP_SHARED, ring->vm,
			    ring->layout.header_offset);
	ring->consumer = mmap(NULL, ring->layout.consumer_size, PROT_READ | PROT_WRITE,
			      MAP_SHARED, ring->vm, ring->layout.consumer_offset);
	ring->records = mmap(NULL, ring->layout.records_size, PROT_READ, MAP_SHARED, ring->vm,
			     ring->layout.records_offset);
	assert_true(ring->header != MAP_FAILED && ring->consumer != MAP_FAILED &&
		    ring->records != MAP_FAILED);
	snprintf(attach.name, sizeof(attach.name), "%s", device->platform);
	assert_int_equal(ioctl(ring->vm, FAULTQ_ATTACH, &attach), 0);
}

static void ring_unmap(const struct ring *ring)
{
	munmap((void *)ring->header, ring->layout.header_size);
	munmap(ring->consumer, ring->layout.consumer_size);
	munmap((void *)ring->records, ring->layout.records_size);
}

static const struct faultq_record *ring_record(const struct ring *ring, uint32_t index)
{
	return &ring->records[index & (ring->layout.entries - 1)];
}

static int ring_answer(const struct ring *ring, uint64_t cookie)
{
	struct faultq_answer answer = { .cookie = cookie, .code = FAULTQ_SUCCESS };
	struct faultq_respond call = {
		.size = sizeof(call),
		.answers = (uintptr_t)&answer,
		.count = 1,
		.entry_size = sizeof(answer),
	};

	return ioctl(ring->vm, FAULTQ_RESPOND, &call) ? -errno : answer.result;
}

static void ring_consume(const struct ring *ring, uint32_t next)
{
	__atomic_store_n(&ring->consumer->consumer, next, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int setup(void **state)
{
	static struct device device;

	*state = &device;
	instance_make("held", 0);
	device_make(&device, "held", "dev", "mode=pri");
	return 0;
}

static int teardown(void **state)
{
	struct device *device = *state;

	device_assert_idle(device);
	device_remove(device);
	instance_remove("held");
	return 0;
}

static void assert_exits_well(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_mapping_alone_holds_the_vm(void **state)
{
	struct device *device = *state;
	struct ring ring;

	ring_open(&ring, device);
	close(ring.vm);
	inject_group(device, 1, IOVA);
	assert_int_equal(ring.header->producer, 1);
	assert_int_equal(ring_record(&ring, 0)->group, 1);
	assert_int_equal(device_state(device).outstanding, 1);
	munmap((void *)ring.header, ring.layout.header_size);
	munmap(ring.consumer, ring.layout.consumer_size);
	assert_int_equal(device_state(device).outstanding, 1);
	munmap((void *)ring.records, ring.layout.records_size);
	assert_response(device, 1, FAULTQ_INVALID);
}

static void a_copy_of_the_descriptor_holds_the_vm(void **state)
{
	struct device *device = *state;
	struct ring ring;
	int copy;

	ring_open(&ring, device);
	copy = dup(ring.vm);
	close(ring.vm);
	ring_unmap(&ring);
	inject_group(device, 1, IOVA);
	assert_int_equal(device_state(device).outstanding, 1);
	close(copy);
	assert_response(device, 1, FAULTQ_INVALID);
}

static void a_fork_holds_the_vm_until_both_are_gone(void **state)
{
	struct device *device = *state;
	struct ring ring;
	int go[2], done[2];
	pid_t child;
	char byte;

	ring_open(&ring, device);
	assert_int_equal(pipe(go) | pipe(done), 0);
	child = fork();
	if (!child) {
		must(read(go[0], &byte, 1) == 1);
		must(ring.header->producer == 2);
		must(!ring_answer(&ring, ring_record(&ring, 0)->cookie));
		ring_consume(&ring, 2);
		must(write(done[1], "", 1) == 1);
		must(read(go[0], &byte, 1) == 1);
		_exit(0);
	}
	inject_group(device, 1, IOVA);
	close(ring.vm);
	ring_unmap(&ring);
	inject_group(device, 2, IOVA);
	assert_int_equal(device_state(device).outstanding, 2);
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(read(done[0], &byte, 1), 1);
	assert_response(device, 1, FAULTQ_SUCCESS);
	assert_int_equal(device_state(device).outstanding, 1);
	assert_int_equal(write(go[1], "", 1), 1);
	assert_exits_well(child);
	assert_response(device, 2, FAULTQ_INVALID);
}

static void send_descriptor(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(socket, &message, 0), 1);
}

static int receive_descriptor(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd;

	must(recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1);
	header = CMSG_FIRSTHDR(&message);
	must(header && header->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* A process with no privileges and no descriptors but its socket: the VMM. Serves one DMA. */
static void be_vmm(int socket, const char *platform)
{
	const struct faultq_record *record;
	struct faultq_attach attach;
	struct faultq *fq;
	void *page;
	int result;

	must(!setgroups(0, NULL));
	must(!setresgid(NOBODY, NOBODY, NOBODY));
	must(!setresuid(NOBODY, NOBODY, NOBODY));
	must(open("/dev/faultq", O_RDWR) < 0 && errno == EACCES);
	must(!faultq_from_fd(&fq, receive_descriptor(socket)));
	must(!faultq_queue(fq, 4, 64, -1, 0));
	must(faultq_attach(fq, platform, &attach) == -EPERM);
	must(write(socket, "", 1) == 1);

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(page != MAP_FAILED);
	strcpy(page, "from nobody");
	must(!faultq_wait(fq, -1));
	must(faultq_peek(fq, &record) == 1);
	must(!faultq_map_answer(fq, record->address, page, PAGE, RW, record->cookie, &result));
	must(!result);
	must(read(socket, &result, 1) == 1);
	must(!strcmp(page, "to nobody"));
	_exit(0);
}

static void an_unprivileged_process_serves_a_passed_descriptor(void **state)
{
	struct device *device = *state;
	int sockets[2], vm = open("/dev/faultq", O_RDWR | O_CLOEXEC), tag;
	struct faultq_attach attach = { .size = sizeof(attach) };
	char text[16] = "";
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	child = fork();
	if (!child) {
		close(vm);
		close(device->fd);
		close(sockets[0]);
		be_vmm(sockets[1], device->platform);
	}
	close(sockets[1]);
	snprintf(attach.name, sizeof(attach.name), "%s", device->platform);
	assert_int_equal(ioctl(vm, FAULTQ_ATTACH, &attach), 0);
	send_descriptor(sockets[0], vm);
	close(vm);
	assert_int_equal(read(sockets[0], text, 1), 1);

	tag = dma_start(device, MOCK_IOMMU_READ, IOVA, NULL, 12);
	assert_int_equal(dma_wait(device, tag, text).status, MOCK_IOMMU_DMA_DONE);
	assert_string_equal(text, "from nobody");
	tag = dma_start(device, MOCK_IOMMU_WRITE, IOVA, "to nobody", 10);
	assert_int_equal(dma_wait(device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(write(sockets[0], "", 1), 1);
	assert_exits_well(child);
	close(sockets[0]);
}

static void a_descriptor_in_flight_holds_the_vm(void **state)
{
	struct device *device = *state;
	struct ring ring;
	int sockets[2];

	ring_open(&ring, device);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	send_descriptor(sockets[0], ring.vm);
	close(ring.vm);
	ring_unmap(&ring);
	inject_group(device, 1, IOVA);
	assert_int_equal(device_state(device).outstanding, 1);
	ring.vm = receive_descriptor(sockets[1]);
	assert_int_equal(device_state(device).outstanding, 1);
	close(ring.vm);
	assert_response(device, 1, FAULTQ_INVALID);
	close(sockets[0]);
	close(sockets[1]);
}

/*
 * The pager consumes some groups, answers a few of them, and is killed before it answers the
 * rest.
 */
static void be_pager(const struct ring *ring, int ready)
{
	must(ring->header->producer == 10);
	for (uint32_t i = 0; i < 3; i++)
		must(!ring_answer(ring, ring_record(ring, i)->cookie));
	ring_consume(ring, 6);
	must(write(ready, "", 1) == 1);
	pause();
}

static void a_supervisor_goes_on_for_a_killed_pager(void **state)
{
	struct device *device = *state;
	struct ring ring;
	int ready[2], status;
	pid_t pager;
	char byte;

	ring_open(&ring, device);
	for (unsigned int i = 0; i < 10; i++)
		inject_group(device, i, IOVA + i * PAGE);
	assert_int_equal(pipe(ready), 0);
	pager = fork();
	if (!pager)
		be_pager(&ring, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(kill(pager, SIGKILL), 0);
	assert_int_equal(waitpid(pager, &status, 0), pager);
	assert_int_equal(device_state(device).outstanding, 7);
	assert_int_equal(ring.consumer->consumer, 6);

	/* what was consumed has not been rewritten yet: nothing came since */
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(ring_answer(&ring, ring_record(&ring, i)->cookie),
				 i < 3 ? -ESTALE : 0);
	ring_consume(&ring, 10);
	for (unsigned int i = 0; i < 10; i++)
		assert_response(device, i, FAULTQ_SUCCESS);

	/* and the queue goes on */
	for (uint32_t i = 10; i < 200; i++) {
		inject_group(device, i, IOVA);
		assert_int_equal(ring.header->producer, i + 1);
		assert_int_equal(ring_answer(&ring, ring_record(&ring, i)->cookie), 0);
		ring_consume(&ring, i + 1);
		assert_response(device, i, FAULTQ_SUCCESS);
	}
	assert_int_equal(ring.header->flags, 0);
	close(ring.vm);
	ring_unmap(&ring);
}

#define HANDOVER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HANDOVER_TEST(a_mapping_alone_holds_the_vm),
		HANDOVER_TEST(a_copy_of_the_descriptor_holds_the_vm),
		HANDOVER_TEST(a_fork_holds_the_vm_until_both_are_gone),
		HANDOVER_TEST(an_unprivileged_process_serves_a_passed_descriptor),
		HANDOVER_TEST(a_descriptor_in_flight_holds_the_vm),
		HANDOVER_TEST(a_supervisor_goes_on_for_a_killed_pager),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
