// SPDX-License-Identifier: GPL-2.0-only
/*
 * However a VM or a device ends while page requests are pending: by DETACH, by close(), by a
 * signal that kills the pager wherever it waits, or by removal of the device. Afterwards the
 * device waits for nothing, got each answer once, and works for the next owner.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA	0x1000000UL
#define GROUPS	20
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static bool has_pasid(uint32_t group)
{
	return group % 2 && kernel_delivers(FAULTQ_KIND_PASID_REQUEST);
}

/*
 * Make pending what there can be: groups with and without PASID, one that is not whole, and a
 * DMA of the engine. Returns the tag of the DMA.
 */
static int make_pending(const struct device *device)
{
	struct mock_iommu_page_request request = page_request(0, IOVA);
	unsigned int outstanding = device_state(device).outstanding;
	struct pollfd idle = { .fd = -1 };
	int tag;

	for (request.group = 0; request.group < GROUPS; request.group++) {
		bool pasid = has_pasid(request.group);

		request.access = MOCK_IOMMU_WRITE | (pasid ? MOCK_IOMMU_PASID : 0);
		request.flags = MOCK_IOMMU_LAST | (pasid ? MOCK_IOMMU_NEEDS_PASID : 0);
		request.pasid = pasid;
		assert_int_equal(inject(device, &request), 1);
	}
	request.flags = 0;
	assert_int_equal(inject(device, &request), 1);
	tag = dma_start(device, MOCK_IOMMU_READ, IOVA + PAGE, NULL, PAGE);
	while (device_state(device).outstanding < outstanding + GROUPS + 1)
		poll(&idle, 1, 1);
	return tag;
}

static void assert_pending_ended(const struct device *device, int tag)
{
	char read[PAGE];

	for (unsigned int i = 0; i < GROUPS; i++) {
		struct mock_iommu_response answer = response(device);

		assert_int_equal(answer.code, FAULTQ_INVALID);
		assert_int_equal(!!(answer.flags & MOCK_IOMMU_RESPONSE_PASID),
				 has_pasid(answer.group));
	}
	assert_no_response(device);
	assert_int_equal(dma_wait(device, tag, read).status, MOCK_IOMMU_DMA_INVALID);
	device_assert_idle(device);
}

/* A DMA that is answered, through this VM. */
static void assert_works(const struct device *device, struct faultq *fq)
{
	char *page = pages_new(1);
	int tag = dma_start(device, MOCK_IOMMU_WRITE, IOVA, "again", 6), result;
	struct faultq_record record;

	do {
		record = take_record(fq);
	} while (record.type != FAULTQ_PAGE_REQUEST);
	assert_int_equal(faultq_map_answer(fq, record.address, page, PAGE, RW, record.cookie,
					   &result),
			 0);
	assert_int_equal(result, 0);
	assert_int_equal(dma_wait(device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_string_equal(page, "again");
	assert_int_equal(faultq_unmap(fq, 0, ~0ULL, NULL), 0);
	pages_free(page, 1);
}

static void assert_works_for_another(const struct device *device)
{
	struct faultq *fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);

	vm_attach(fq, device);
	assert_works(device, fq);
	faultq_close(fq);
}

static void drain(struct faultq *fq)
{
	const struct faultq_record *records;

	while (faultq_peek(fq, &records) > 0)
		faultq_consume(fq);
}

static void detach_ends_what_is_pending(void **state)
{
	struct rig *rig = *state;
	int tag = make_pending(&rig->device);
	uint64_t cookie = take_cookie(rig->fq);
	struct pollfd idle = { .fd = -1 };

	/* What the device has outstanding may be on its way to the queue still. */
	while (vm_stats(rig->fq, 0).outstanding < GROUPS + 1)
		poll(&idle, 1, 1);
	vm_detach(rig->fq, rig->id);
	assert_pending_ended(&rig->device, tag);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), -ESTALE);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 0);
	assert_int_equal(vm_stats(rig->fq, 0).terminated_detached, GROUPS + 1);
	assert_int_equal(faultq_detach(rig->fq, rig->id, NULL), -ENOENT);
	drain(rig->fq);

	rig->id = vm_attach(rig->fq, &rig->device);
	assert_works(&rig->device, rig->fq);
}

static void detach_ends_stalled_accesses(void **state)
{
	detach_ends_what_is_pending(state);
}

static void close_ends_what_is_pending(void **state)
{
	struct rig *rig = *state;
	int tag = make_pending(&rig->device);

	faultq_close(rig->fq);
	rig->fq = NULL;
	assert_pending_ended(&rig->device, tag);
	assert_works_for_another(&rig->device);
}

static void close_without_a_queue_ends_what_came(void **state)
{
	struct rig *rig = *state;
	struct faultq *fq;

	needs_page_requests();
	vm_detach(rig->fq, rig->id);
	assert_int_equal(faultq_open(&fq), 0);
	vm_attach(fq, &rig->device);
	inject_group(&rig->device, 1, IOVA);
	faultq_close(fq);
	assert_response(&rig->device, 1, FAULTQ_INVALID);
	assert_works_for_another(&rig->device);
}

/* Where a pager waits when it is killed. */
typedef void (*wait_function)(int vm);

static void wait_in_poll(int vm)
{
	struct pollfd pfd = { .fd = vm, .events = 0 };

	poll(&pfd, 1, -1);
}

static void wait_in_read(int vm)
{
	struct faultq_record records[64];

	for (;;)
		must(read(vm, records, sizeof(records)) > 0);
}

static void wait_in_respond(int vm)
{
	struct faultq_respond call = {
		.size = sizeof(call), .count = 4, .entry_size = sizeof(struct faultq_answer),
	};
	void *stuck;

	stuck_memory_new(&stuck, 1);
	call.answers = (uintptr_t)stuck;
	ioctl(vm, FAULTQ_RESPOND, &call);
}

static void wait_in_pause(int vm)
{
	(void)vm;
	pause();
}

/* A pager process that owns the device and then waits; returns when it does. */
static pid_t pager_start(const struct device *device, uint32_t flags, wait_function wait)
{
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		struct faultq *fq;

		close(device->fd);
		must(!faultq_open(&fq));
		must(!faultq_queue(fq, RIG_SLOTS, RIG_ENTRIES, -1, flags));
		must(!faultq_attach(fq, device->platform, NULL));
		must(write(ready[1], "", 1) == 1);
		wait(faultq_fd(fq));
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void kill_pager(struct rig *rig, uint32_t flags, wait_function wait)
{
	pid_t pager;
	int tag, status;

	vm_detach(rig->fq, rig->id);
	for (unsigned long i = 0; i < scaled(3, 100); i++) {
		pager = pager_start(&rig->device, flags, wait);
		tag = make_pending(&rig->device);
		wait_until_blocked(pager, pager);
		assert_int_equal(kill(pager, SIGKILL), 0);
		assert_int_equal(waitpid(pager, &status, 0), pager);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		assert_pending_ended(&rig->device, tag);
	}
	assert_works_for_another(&rig->device);
}

static void kill_in_poll_ends_what_is_pending(void **state)
{
	kill_pager(*state, 0, wait_in_poll);
}

static void kill_in_read_ends_what_is_pending(void **state)
{
	kill_pager(*state, FAULTQ_QUEUE_READ, wait_in_read);
}

static void kill_in_respond_ends_what_is_pending(void **state)
{
	kill_pager(*state, 0, wait_in_respond);
}

static void kill_of_an_idle_pager_ends_what_is_pending(void **state)
{
	kill_pager(*state, 0, wait_in_pause);
}

static void assert_gone(struct faultq *fq, uint32_t id)
{
	struct faultq_record records[32];

	do {
		take_group(fq, records);
	} while (records->type == FAULTQ_PAGE_REQUEST);
	assert_int_equal(records->type, FAULTQ_DEVICE_GONE);
	assert_int_equal(records->flags, FAULTQ_RECORD_DEVICE);
	assert_int_equal(records->device, id);
	assert_int_equal(records->cookie, 0);
	assert_queue_empty(fq);
}

static void removal_ends_what_is_pending_and_is_told(void **state)
{
	struct rig *rig = *state;
	struct faultq_stats stats;
	uint32_t past = rig->id;
	uint64_t cookie;

	needs_page_requests();
	make_pending(&rig->device);
	cookie = take_cookie(rig->fq);
	device_unplug(&rig->device);
	assert_int_equal(instance_counter(rig->device.instance, "unanswered"), 0);
	assert_int_equal(instance_counter(rig->device.instance, "queue_used"), 0);
	assert_gone(rig->fq, past);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), -ESTALE);
	assert_int_equal(faultq_detach(rig->fq, past, NULL), -ENOENT);
	assert_int_equal(faultq_stats(rig->fq, past, &stats), -ENOENT);
	assert_int_equal(faultq_attach(rig->fq, rig->device.platform, NULL), -ENOENT);
	assert_int_equal(vm_stats(rig->fq, 0).devices, 0);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 0);

	/* it comes back under another id */
	device_plug(&rig->device);
	rig->id = vm_attach(rig->fq, &rig->device);
	assert_true(rig->id > past);
	assert_works(&rig->device, rig->fq);
}

static void removal_by_rmdir_is_told(void **state)
{
	struct rig *rig = *state;
	struct device device;
	uint32_t id;

	needs_page_requests();
	device_make(&device, rig->device.instance, "second", "mode=pri");
	id = vm_attach(rig->fq, &device);
	make_pending(&device);
	device_remove(&device);
	assert_gone(rig->fq, id);
	/* the other device did not notice */
	assert_works(&rig->device, rig->fq);
}

static void removal_before_the_queue_is_told_later(void **state)
{
	struct rig *rig = *state;
	struct faultq *fq;
	uint32_t id;

	needs_page_requests();
	vm_detach(rig->fq, rig->id);
	assert_int_equal(faultq_open(&fq), 0);
	id = vm_attach(fq, &rig->device);
	device_unplug(&rig->device);
	assert_int_equal(faultq_queue(fq, RIG_SLOTS, RIG_ENTRIES, -1, 0), 0);
	assert_gone(fq, id);
	faultq_close(fq);
	device_plug(&rig->device);
	assert_works_for_another(&rig->device);
}

struct waiter {
	struct faultq *fq;
	int tid[2];
};

static void *wait_for_record(void *argument)
{
	struct waiter *waiter = argument;
	int tid = syscall(SYS_gettid);

	must(write(waiter->tid[1], &tid, sizeof(tid)) == sizeof(tid));
	must(!faultq_wait(waiter->fq, -1));
	return NULL;
}

static void removal_wakes_who_waits(void **state)
{
	struct rig *rig = *state;
	struct waiter waiter = { .fq = rig->fq };
	pthread_t thread;
	int tid;

	assert_int_equal(pipe(waiter.tid), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_record, &waiter), 0);
	assert_int_equal(read(waiter.tid[0], &tid, sizeof(tid)), sizeof(tid));
	wait_until_blocked(getpid(), tid);
	device_unplug(&rig->device);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_gone(rig->fq, rig->id);
	close(waiter.tid[0]);
	close(waiter.tid[1]);
}

static void removal_after_detach_is_not_told(void **state)
{
	struct rig *rig = *state;

	vm_detach(rig->fq, rig->id);
	device_unplug(&rig->device);
	assert_queue_empty(rig->fq);
}

static void many_lives_never_reuse_an_id(void **state)
{
	struct rig *rig = *state;
	uint32_t last = rig->id;

	needs_page_requests();
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		inject_group(&rig->device, 1, IOVA);
		if (i % 2) {
			vm_detach(rig->fq, last);
			assert_response(&rig->device, 1, FAULTQ_INVALID);
			drain(rig->fq);
		} else {
			device_unplug(&rig->device);
			assert_gone(rig->fq, last);
			device_plug(&rig->device);
		}
		rig->id = vm_attach(rig->fq, &rig->device);
		assert_true(rig->id > last);
		last = rig->id;
	}
	assert_works(&rig->device, rig->fq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(detach_ends_what_is_pending),
		RIG_TEST_STALL(detach_ends_stalled_accesses),
		RIG_TEST(close_ends_what_is_pending),
		RIG_TEST(close_without_a_queue_ends_what_came),
		RIG_TEST(kill_in_poll_ends_what_is_pending),
		RIG_TEST(kill_in_read_ends_what_is_pending),
		RIG_TEST(kill_in_respond_ends_what_is_pending),
		RIG_TEST(kill_of_an_idle_pager_ends_what_is_pending),
		RIG_TEST(removal_ends_what_is_pending_and_is_told),
		RIG_TEST(removal_by_rmdir_is_told),
		RIG_TEST(removal_before_the_queue_is_told_later),
		RIG_TEST(removal_wakes_who_waits),
		RIG_TEST(removal_after_detach_is_not_told),
		RIG_TEST(many_lives_never_reuse_an_id),
	};

	return tap_run_group(tests, NULL, NULL);
}
