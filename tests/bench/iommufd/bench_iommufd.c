// SPDX-License-Identifier: GPL-2.0-only
/*
 * What iommufd's fault queue costs, for comparison: the faults come from its own mock device, which
 * does nothing but ask. Built for one kernel, whose mock it is. The figures have the names of those
 * of bench_fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <iommufd_test.h>

#include "measure.h"
#include "memory.h"
#include "steps.h"
#include "support/fault.h"

#define IOVA		0x1000000ull
#define ROUNDS		1000u
#define OUTSTANDING_MAX	4096u

/* A mock device, on a page table that has no faults or on one whose faults are queued. */
struct mock {
	uint32_t device;
	uint32_t attachment;
	uint32_t tables[2];
	unsigned int attached;
};

static int iommufd;
static uint32_t ioas;
static uint32_t faults;
static int queue;
static struct mock first, second;

#define CALL(request, argument) must(!ioctl(iommufd, request, argument))

static uint32_t new_ioas(void)
{
	struct iommu_ioas_alloc call = { .size = sizeof(call) };

	CALL(IOMMU_IOAS_ALLOC, &call);
	return call.out_ioas_id;
}

static uint32_t new_table(uint32_t device, uint32_t parent, bool queued)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc call = {
		.size = sizeof(call), .dev_id = device, .pt_id = parent,
		.flags = queued ? IOMMU_HWPT_FAULT_ID_VALID : IOMMU_HWPT_ALLOC_NEST_PARENT,
	};

	if (queued) {
		call.fault_id = faults;
		call.data_type = IOMMU_HWPT_DATA_SELFTEST;
		call.data_len = sizeof(data);
		call.data_uptr = (uintptr_t)&data;
	}
	CALL(IOMMU_HWPT_ALLOC, &call);
	return call.out_hwpt_id;
}

static void attach(const struct mock *mock, uint32_t table)
{
	struct iommu_test_cmd call = {
		.size = sizeof(call), .op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = mock->attachment, .mock_domain_replace.pt_id = table,
	};

	CALL(IOMMU_TEST_CMD, &call);
}

/* Off what it is on, to the other table: what is outstanding ends. */
static void replace(struct mock *mock)
{
	mock->attached = !mock->attached;
	attach(mock, mock->tables[mock->attached]);
}

static void new_mock(struct mock *mock, uint32_t *parent)
{
	struct iommu_test_cmd call = {
		.size = sizeof(call), .op = IOMMU_TEST_OP_MOCK_DOMAIN, .id = ioas,
	};

	CALL(IOMMU_TEST_CMD, &call);
	mock->attachment = call.mock_domain.out_stdev_id;
	mock->device = call.mock_domain.out_idev_id;
	if (!*parent)
		*parent = new_table(mock->device, ioas, false);
	mock->tables[0] = new_table(mock->device, *parent, true);
	mock->tables[1] = new_table(mock->device, *parent, true);
	attach(mock, mock->tables[0]);
}

static int open_iommufd(void **state)
{
	struct iommu_fault_alloc call = { .size = sizeof(call) };
	uint32_t parent = 0;

	(void)state;
	must(!system("modprobe iommufd"));
	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	must(iommufd >= 0);
	ioas = new_ioas();
	CALL(IOMMU_FAULT_QUEUE_ALLOC, &call);
	faults = call.out_fault_id;
	queue = call.out_fault_fd;
	new_mock(&first, &parent);
	new_mock(&second, &parent);
	return 0;
}

static int close_iommufd(void **state)
{
	(void)state;
	close(queue);
	close(iommufd);
	return 0;
}

static void deliver(const struct mock *mock, uint32_t group, uint32_t count)
{
	struct iommu_test_cmd call = {
		.size = sizeof(call), .op = IOMMU_TEST_OP_TRIGGER_IOPF,
		.trigger_iopf = {
			.dev_id = mock->device, .pasid = 0, .perm = IOMMU_PGFAULT_PERM_READ,
		},
	};

	for (uint32_t i = 0; i < count; i++) {
		call.trigger_iopf.grpid = group + i;
		call.trigger_iopf.addr = IOVA + i * PAGE;
		CALL(IOMMU_TEST_CMD, &call);
	}
}

static void consume(void *answers, unsigned int count)
{
	static struct iommu_hwpt_pgfault records[OUTSTANDING_MAX];
	struct iommu_hwpt_page_response *answer = answers;
	size_t size = count * sizeof(*records);

	must(read(queue, records, size) == (ssize_t)size);
	for (unsigned int i = 0; i < count; i++)
		answer[i] = (struct iommu_hwpt_page_response){
			.cookie = records[i].cookie, .code = IOMMUFD_PAGE_RESP_SUCCESS,
		};
}

static void respond(void *answers, unsigned int count)
{
	size_t size = count * sizeof(struct iommu_hwpt_page_response);

	must(write(queue, answers, size) == (ssize_t)size);
}

static void deliver_first(unsigned int count)
{
	deliver(&first, 0, count);
}

static const struct consumer iommufd_consumer = {
	.name = "iommufd", .deliver = deliver_first, .consume = consume, .respond = respond,
};

static void a_fault_in_batches(void **state)
{
	(void)state;
	steps_report_batches(&iommufd_consumer, 1);
}

static void report_outstanding(unsigned int count)
{
	static struct iommu_hwpt_page_response answers[OUTSTANDING_MAX];
	static struct series series;

	deliver(&first, 0, count);
	consume(answers, count);
	shuffle(answers, count, sizeof(*answers));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct iommu_hwpt_page_response *answer = &answers[i % count];
		uint64_t begin = instructions();

		respond(answer, 1);
		series_add(&series, instructions() - begin);
		deliver(&first, count + i, 1);
		consume(answer, 1);
	}
	series_report(&series, 1, "fault.answer.outstanding.%u.iommufd", count);
	respond(answers, count);
}

static void an_answer_with_others_outstanding(void **state)
{
	(void)state;
	for (unsigned int count = 16; count <= OUTSTANDING_MAX; count *= 4)
		report_outstanding(count);
}

/* A consumer that sleeps until it is woken, and says when. */
struct sleeper {
	pthread_barrier_t ready;
	uint64_t woken;
};

static void *sleep_and_wake(void *data)
{
	struct pollfd poll_queue = { .fd = queue, .events = POLLIN };
	struct iommu_hwpt_page_response answer;
	struct sleeper *sleeper = data;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&sleeper->ready);
		must(poll(&poll_queue, 1, -1) == 1);
		sleeper->woken = instructions();
		consume(&answer, 1);
		respond(&answer, 1);
		pthread_barrier_wait(&sleeper->ready);
	}
	return NULL;
}

static void a_sleeping_consumer(void **state)
{
	static struct series delivered, woken;
	struct sleeper sleeper;
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&sleeper.ready, NULL, 2);
	must(!pthread_create(&thread, NULL, sleep_and_wake, &sleeper));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t begin, end;

		pthread_barrier_wait(&sleeper.ready);
		/* one virtual CPU: it sleeps when this thread runs again */
		usleep(100);
		begin = instructions();
		deliver(&first, i, 1);
		end = instructions();
		pthread_barrier_wait(&sleeper.ready);
		series_add(&delivered, end - begin);
		series_add(&woken, sleeper.woken - begin);
	}
	pthread_join(thread, NULL);
	series_report(&delivered, 1, "fault.deliver.asleep.poll.iommufd");
	series_report(&woken, 1, "fault.deliver.awake.poll.iommufd");
}

/* Replacing is what ends the faults of a device here; it has 8, as where a device is detached. */
static void report_replace(unsigned int count)
{
	static struct iommu_hwpt_page_response answers[OUTSTANDING_MAX];
	static struct series series;

	if (count) {
		deliver(&first, 0, count);
		consume(answers, count);
	}
	for (unsigned int i = 0; i < 50; i++) {
		uint64_t begin;

		deliver(&second, 0, 8);
		begin = instructions();
		replace(&second);
		series_add(&series, instructions() - begin);
	}
	series_report(&series, 1, "fault.detach.others.%u.iommufd", count);
	if (count)
		respond(answers, count);
}

static void detaching_while_others_wait(void **state)
{
	(void)state;
	report_replace(0);
	report_replace(256);
	report_replace(4096);
}

static unsigned long slab_bytes(void)
{
	unsigned long kib = 0;
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];

	must(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Slab: %lu kB", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024;
}

/* With the kernel's own group, which every consumer has; nobody is charged for either. */
static void memory_of_what_is_outstanding(void **state)
{
	enum { COUNT = 16384 };
	unsigned long before = slab_bytes();

	(void)state;
	deliver(&first, 0, COUNT);
	figure_report((double)(slab_bytes() - before) / COUNT, "memory.group-with-kernel.iommufd");
	replace(&first);
}

static void map_to(uint32_t id, uint64_t iova, void *memory, uint64_t size)
{
	struct iommu_ioas_map call = {
		.size = sizeof(call), .ioas_id = id, .iova = iova, .length = size,
		.user_va = (uintptr_t)memory,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
	};

	CALL(IOMMU_IOAS_MAP, &call);
}

static void unmap_from(uint32_t id, uint64_t iova, uint64_t size)
{
	struct iommu_ioas_unmap call = {
		.size = sizeof(call), .ioas_id = id, .iova = iova, .length = size,
	};

	CALL(IOMMU_IOAS_UNMAP, &call);
	must(call.length == size);
}

/* Two calls, where there is one for it at the other. */
static void report_map_answer(const char *what, char *memory, size_t size, unsigned int rounds)
{
	static struct series series;

	for (unsigned int i = 0; i < rounds; i++) {
		struct iommu_hwpt_page_response answer;
		uint64_t begin;

		deliver(&first, 0, 1);
		consume(&answer, 1);
		begin = instructions();
		map_to(ioas, MOCK_APERTURE_START, memory, size);
		respond(&answer, 1);
		series_add(&series, instructions() - begin);
		unmap_from(ioas, MOCK_APERTURE_START, size);
	}
	series_report(&series, 1, "map-answer.%s.iommufd", what);
}

static void mapping_with_the_answer(void **state)
{
	char *small = bench_memory(64 * MIB, false), *huge = bench_memory(64 * MIB, true);

	(void)state;
	report_map_answer("4k", small, PAGE, ROUNDS);
	report_map_answer("2m-small", small, 2 * MIB, 20);
	report_map_answer("2m-huge", huge, 2 * MIB, 200);
	report_map_answer("64m-small", small, 64 * MIB, 3);
	report_map_answer("64m-huge", huge, 64 * MIB, 5);
}

int main(void)
{
	const struct CMUnitTest benches[] = {
		cmocka_unit_test(a_fault_in_batches),
		cmocka_unit_test(an_answer_with_others_outstanding),
		cmocka_unit_test(a_sleeping_consumer),
		cmocka_unit_test(mapping_with_the_answer),
		cmocka_unit_test(detaching_while_others_wait),
		cmocka_unit_test(memory_of_what_is_outstanding),
	};

	return tap_run_group(benches, open_iommufd, close_iommufd);
}
