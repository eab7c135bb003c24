// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking over: PENDING lists what waits for an answer, as the ring had it, and another process
 * goes on with the queue of a pager that died in the middle of DMA; nothing is lost.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA		0x1000000UL
#define MAX_GROUP	32
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static void inject_long(const struct device *device, uint32_t group, unsigned int length)
{
	struct mock_iommu_page_request request = page_request(group, IOVA + group * 64 * PAGE);

	request.access = MOCK_IOMMU_READ | (group % 2 ? MOCK_IOMMU_WRITE : 0);
	request.address_step = PAGE;
	if (length > 1) {
		request.flags = 0;
		request.count = length - 1;
		assert_int_equal(inject(device, &request), length - 1);
	}
	request.flags = MOCK_IOMMU_LAST;
	request.address += (length - 1) * PAGE;
	request.count = 1;
	assert_int_equal(inject(device, &request), 1);
}

/* All that is outstanding, in calls with this much room. */
static uint32_t list_all(struct faultq *fq, struct faultq_record *records, uint32_t room)
{
	uint32_t position = 0, total = 0;

	do {
		uint32_t count = room;

		assert_int_equal(faultq_pending(fq, records + total, &count, &position), 0);
		assert_true(count <= room);
		total += count;
	} while (position);
	return total;
}

static void the_list_is_what_the_ring_had(void **state)
{
	struct rig *rig = *state;
	struct faultq_record seen[MAX_GROUP * 16], listed[MAX_GROUP * 16];
	unsigned int count = 0, length = 1;

	for (uint32_t group = 0; group < 8; group++, length = length * 2 % 33) {
		inject_long(&rig->device, group, length);
		count += take_group(rig->fq, seen + count);
	}
	for (uint32_t room = MAX_GROUP; room <= ARRAY_SIZE(listed); room *= 2) {
		memset(listed, 0xff, sizeof(listed));
		assert_int_equal(list_all(rig->fq, listed, room), count);
		assert_memory_equal(listed, seen, count * sizeof(*seen));
	}
}

static void what_is_answered_is_listed_no_more(void **state)
{
	struct rig *rig = *state;
	struct faultq_record listed[MAX_GROUP * 4];
	uint64_t cookies[8];

	assert_int_equal(list_all(rig->fq, listed, ARRAY_SIZE(listed)), 0);
	for (unsigned int i = 0; i < 8; i++) {
		inject_group(&rig->device, i, IOVA);
		cookies[i] = take_cookie(rig->fq);
	}
	for (unsigned int i = 0; i < 8; i += 2)
		assert_int_equal(faultq_answer(rig->fq, cookies[i], FAULTQ_SUCCESS), 0);
	assert_int_equal(list_all(rig->fq, listed, ARRAY_SIZE(listed)), 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(listed[i].cookie, cookies[2 * i + 1]);
	assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	assert_int_equal(list_all(rig->fq, listed, ARRAY_SIZE(listed)), 0);
}

static void pasids_are_listed(void **state)
{
	struct mock_iommu_page_request request = page_request(3, IOVA);
	struct rig *rig = *state;
	struct faultq_record seen, listed[MAX_GROUP];

	needs_pasid_requests();
	request.access |= MOCK_IOMMU_PASID;
	request.flags |= MOCK_IOMMU_NEEDS_PASID;
	request.pasid = 9;
	assert_int_equal(inject(&rig->device, &request), 1);
	seen = take_record(rig->fq);
	assert_int_equal(list_all(rig->fq, listed, MAX_GROUP), 1);
	assert_memory_equal(listed, &seen, sizeof(seen));
	assert_int_equal(listed->pasid, 9);
}

static int pending(struct faultq *fq, uint32_t count, uint32_t entry_size, uint32_t position,
		   void *records)
{
	struct faultq_pending call = {
		.size = sizeof(call), .records = (uintptr_t)records, .count = count,
		.entry_size = entry_size, .position = position,
	};

	return ioctl(faultq_fd(fq), FAULTQ_PENDING, &call) ? -errno : (int)call.count;
}

static void bad_lists_are_refused(void **state)
{
	struct rig *rig = *state;
	static char buffer[MAX_GROUP * 128];
	const struct faultq_record *record;

	inject_group(&rig->device, 1, IOVA);
	assert_int_equal(pending(rig->fq, MAX_GROUP - 1, 64, 0, buffer), -EINVAL);
	assert_int_equal(pending(rig->fq, MAX_GROUP, 63, 0, buffer), -EINVAL);
	assert_int_equal(pending(rig->fq, MAX_GROUP, PAGE + 1, 0, buffer), -EINVAL);
	assert_int_equal(pending(rig->fq, MAX_GROUP, 64, RIG_SLOTS, buffer), -EINVAL);
	assert_int_equal(pending(rig->fq, MAX_GROUP, 64, ~0U, buffer), -EINVAL);
	assert_int_equal(pending(rig->fq, MAX_GROUP, 64, 0, NULL), -EFAULT);
	assert_int_equal(pending(rig->fq, ~0U, 64, 0, buffer), 1);

	/* longer entries get a zero tail */
	memset(buffer, 0xff, sizeof(buffer));
	assert_int_equal(pending(rig->fq, MAX_GROUP, 128, 0, buffer), 1);
	assert_int_equal(faultq_peek(rig->fq, &record), 1);
	assert_memory_equal(buffer, record, sizeof(*record));
	for (unsigned int i = 64; i < 128; i++)
		assert_int_equal(buffer[i], 0);
	assert_int_equal((unsigned char)buffer[128], 0xff);
}

static void without_a_queue_there_is_nothing_to_take_over(void **state)
{
	struct rig *rig = *state;
	char buffer[64];
	struct faultq *fq;

	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(pending(fq, MAX_GROUP, 64, 0, buffer), -ENXIO);
	assert_int_equal(faultq_takeover(fq, -1), -ENXIO);
	faultq_close(fq);
	assert_int_equal(faultq_takeover(rig->fq, -1), -EALREADY);
}

static void bad_takeovers_are_refused(void **state)
{
	const struct faultq_queue bad[] = {
		{ .flags = FAULTQ_QUEUE_TAKEOVER | FAULTQ_QUEUE_READ, .eventfd = -1 },
		{ .flags = FAULTQ_QUEUE_TAKEOVER, .slots = 1, .eventfd = -1 },
		{ .flags = FAULTQ_QUEUE_TAKEOVER, .entries = 64, .eventfd = -1 },
		{ .flags = FAULTQ_QUEUE_TAKEOVER, .eventfd = -2 },
		{ .flags = FAULTQ_QUEUE_TAKEOVER, .eventfd = -1, .reserved = 1 },
	};
	struct rig *rig = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct faultq_queue queue = bad[i];

		queue.size = sizeof(queue);
		assert_int_equal(ioctl(faultq_fd(rig->fq), FAULTQ_QUEUE, &queue), -1);
		assert_int_equal(errno, EINVAL);
	}
}

/* A second handle of the same VM, as another process would have it. */
static struct faultq *same_vm(struct faultq *fq)
{
	int fd = dup(faultq_fd(fq));
	struct faultq *other;

	assert_true(fd >= 0);
	assert_int_equal(faultq_from_fd(&other, fd), 0);
	return other;
}

static void the_ring_goes_on_where_it_was_left(void **state)
{
	struct rig *rig = *state;
	struct faultq *other;

	for (uint32_t i = 0; i < 6; i++)
		inject_group(&rig->device, i, IOVA);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(take_record(rig->fq).group, i);
	other = same_vm(rig->fq);
	assert_int_equal(faultq_takeover(other, -1), 0);
	for (uint32_t i = 3; i < 6; i++)
		assert_int_equal(take_record(other).group, i);
	assert_queue_empty(other);
	inject_group(&rig->device, 6, IOVA);
	assert_int_equal(take_record(other).group, 6);
	faultq_close(other);
}

static void read_goes_on_where_it_was_left(void **state)
{
	struct rig *rig = *state;
	struct faultq *other = same_vm(rig->fq);

	assert_int_equal(faultq_takeover(other, -1), 0);
	assert_null(faultq_header(other));
	inject_group(&rig->device, 4, IOVA);
	assert_int_equal(take_record(other).group, 4);
	assert_queue_empty(other);
	faultq_close(other);
}

static bool signalled(int eventfd)
{
	struct pollfd event = { .fd = eventfd, .events = POLLIN };

	return poll(&event, 1, 0) == 1;
}

static void the_eventfd_is_the_new_consumers(void **state)
{
	int before = eventfd(0, EFD_CLOEXEC), after = eventfd(0, EFD_CLOEXEC);
	struct rig *rig = *state;
	struct faultq *fq, *other;
	uint32_t id;

	vm_detach(rig->fq, rig->id);
	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_queue(fq, 8, 64, before, 0), 0);
	id = vm_attach(fq, &rig->device);
	other = same_vm(fq);
	assert_int_equal(faultq_takeover(other, after), 0);
	inject_group(&rig->device, 1, IOVA);
	assert_false(signalled(before));
	assert_true(signalled(after));
	take_cookie(other);
	vm_detach(fq, id);
	faultq_close(fq);
	faultq_close(other);
	close(before);
	close(after);
	rig->id = vm_attach(rig->fq, &rig->device);
}

/* A pager that is killed at any moment, and one that takes over, while DMA goes on. */

#define PAGES 8

static char *memory;

/* Memory that another pager has mapped already is as good. */
static void serve(struct faultq *fq, const struct faultq_record *record)
{
	int result, ret;

	if (record->type != FAULTQ_PAGE_REQUEST)
		return;
	ret = faultq_map(fq, record->address, memory + (record->address - IOVA), PAGE, RW);
	must(!ret || ret == -EEXIST);
	if (!(record->flags & FAULTQ_RECORD_LAST))
		return;
	result = faultq_answer(fq, record->cookie, FAULTQ_SUCCESS);
	must(!result || result == -ESTALE);
}

static void serve_what_waits(struct faultq *fq)
{
	struct faultq_record records[MAX_GROUP];
	uint32_t position = 0, count;

	do {
		count = MAX_GROUP;
		must(!faultq_pending(fq, records, &count, &position));
		for (uint32_t i = 0; i < count; i++)
			serve(fq, &records[i]);
	} while (position);
}

static void __attribute__((noreturn)) be_pager(int fd)
{
	const struct faultq_record *records;
	struct faultq *fq;

	must(!faultq_from_fd(&fq, fd));
	must(!faultq_takeover(fq, -1));
	serve_what_waits(fq);
	for (;;) {
		int count = faultq_peek(fq, &records);

		must(count >= 0);
		for (int i = 0; i < count; i++)
			serve(fq, &records[i]);
		faultq_consume(fq);
		must(count || !faultq_wait(fq, -1));
	}
}

static pid_t start_pager(struct faultq *fq)
{
	pid_t child = fork();

	if (!child)
		be_pager(dup(faultq_fd(fq)));
	assert_true(child > 0);
	return child;
}

static void kill_pager(pid_t child)
{
	int status;

	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_killed_pager_loses_nothing(void **state)
{
	unsigned long rounds = scaled(40, 2000), seed = 1;
	struct rig *rig = *state;
	char data[PAGES * PAGE];
	pid_t child;

	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	child = start_pager(rig->fq);
	for (unsigned long i = 0; i < rounds; i++) {
		int tag;

		pages_fill(data, sizeof(data), i);
		tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, data, sizeof(data));
		seed = seed * 1103515245 + 12345;
		for (unsigned long wait = seed >> 16 & 0x1ff; wait; wait--)
			sched_yield();
		kill_pager(child);
		child = start_pager(rig->fq);
		assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
		assert_pages_filled(memory, sizeof(data), i);
		assert_int_equal(faultq_unmap(rig->fq, 0, ~0ULL, NULL), 0);
	}
	kill_pager(child);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 0);
	munmap(memory, PAGES * PAGE);
}

/* What is outstanding all the time is in each list, once, whatever comes and goes beside it. */

static bool stop;

static void *come_and_go(void *argument)
{
	struct rig *rig = argument;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		const struct faultq_record *records;

		must(mock_page_request(rig->device.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 1, 0,
				       IOVA + PAGE) == 1);
		must(faultq_peek(rig->fq, &records) == 1);
		must(!faultq_answer(rig->fq, records->cookie, FAULTQ_SUCCESS));
		faultq_consume(rig->fq);
	}
	return NULL;
}

static void what_stays_is_listed_once(void **state)
{
	unsigned long rounds = scaled(200, 10000);
	struct rig *rig = *state;
	struct faultq_record listed[MAX_GROUP * 4];
	pthread_t thread;
	uint64_t stays[8];

	for (unsigned int i = 0; i < ARRAY_SIZE(stays); i++) {
		inject_group(&rig->device, 100 + i, IOVA);
		stays[i] = take_cookie(rig->fq);
	}
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, rig), 0);
	for (unsigned long round = 0; round < rounds; round++) {
		uint32_t count = list_all(rig->fq, listed, MAX_GROUP), found = 0;

		for (uint32_t i = 0; i < count; i++)
			found += listed[i].group >= 100;
		assert_int_equal(found, ARRAY_SIZE(stays));
		for (unsigned int i = 0; i < ARRAY_SIZE(stays); i++) {
			uint32_t at = 0;

			while (at < count && listed[at].cookie != stays[i])
				at++;
			assert_true(at < count);
		}
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_list_is_what_the_ring_had),
		RIG_TEST(what_is_answered_is_listed_no_more),
		RIG_TEST(pasids_are_listed),
		RIG_TEST(bad_lists_are_refused),
		RIG_TEST(without_a_queue_there_is_nothing_to_take_over),
		RIG_TEST(bad_takeovers_are_refused),
		RIG_TEST(the_ring_goes_on_where_it_was_left),
		RIG_TEST_READ(read_goes_on_where_it_was_left),
		RIG_TEST(the_eventfd_is_the_new_consumers),
		RIG_TEST(a_killed_pager_loses_nothing),
		RIG_TEST(what_stays_is_listed_once),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
