// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring goes round and round, with a producer and a consumer on different CPUs, and
 * each record arrives once, in order, as it was sent: its address carries its number. The
 * producer never has more under way than there is room for, so nothing may be terminated
 * or lost.
 *
 * Two threads: the producer injects faults, the test's own consumes and answers them. A
 * counter of what may be sent goes from one to the other under flow.lock.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <faultq.h>

#include "support/abi.h"
#include "support/kinds.h"
#include "support/mock.h"
#include "support/quota.h"
#include "support/tap.h"

#define BATCH 256

struct flow {
	pthread_mutex_t lock;
	pthread_cond_t more;
	uint64_t allowed; /* faults that may have been sent by now */
	uint64_t total;
	uint64_t (*send)(const struct abi_device *device, uint64_t first, uint64_t count);
	struct abi_device device;
	struct faultq *fq;
	uint64_t received;
	unsigned int answers;
	struct faultq_answer answer[BATCH];
};

static void pin_to(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static uint64_t wait_for_allowance(struct flow *flow, uint64_t sent)
{
	uint64_t allowed;

	pthread_mutex_lock(&flow->lock);
	while (flow->allowed == sent)
		pthread_cond_wait(&flow->more, &flow->lock);
	allowed = flow->allowed;
	pthread_mutex_unlock(&flow->lock);
	return allowed;
}

static void allow(struct flow *flow, uint64_t count)
{
	pthread_mutex_lock(&flow->lock);
	flow->allowed += count;
	if (flow->allowed > flow->total)
		flow->allowed = flow->total;
	pthread_cond_signal(&flow->more);
	pthread_mutex_unlock(&flow->lock);
}

/* Groups of one page request: the number is that of the page. */
static uint64_t send_requests(const struct abi_device *device, uint64_t first, uint64_t count)
{
	struct mock_iommu_page_request request = {
		.flags = MOCK_IOMMU_LAST,
		.access = MOCK_IOMMU_WRITE,
		.group = first,
		.group_step = 1,
		.address = first * ABI_PAGE,
		.address_step = ABI_PAGE,
		.count = count,
	};

	return mock_page_requests(device->mock, &request);
}

static uint64_t send_faults(const struct abi_device *device, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		if (mock_unrecoverable(device->mock, fault_way(), MOCK_IOMMU_WRITE, 5,
				       (first + i) * ABI_PAGE) != 1)
			return i;
	return count;
}

/* Returns how many were sent. */
static void *produce(void *data)
{
	struct flow *flow = data;
	uint64_t sent = 0;

	pin_to(1);
	while (sent < flow->total) {
		uint64_t count = wait_for_allowance(flow, sent) - sent;

		if (flow->send(&flow->device, sent, count) != count)
			break;
		sent += count;
	}
	return (void *)sent;
}

static void flush_answers(struct flow *flow)
{
	uint32_t done;

	if (!flow->answers)
		return;
	assert_int_equal(faultq_respond(flow->fq, flow->answer, flow->answers, &done), 0);
	for (unsigned int i = 0; i < flow->answers; i++)
		assert_int_equal(flow->answer[i].result, 0);
	flow->answers = 0;
}

static void take(struct flow *flow, const struct faultq_record *record, uint8_t type)
{
	uint16_t flags = FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_ADDRESS;

	if (type == FAULTQ_PAGE_REQUEST)
		flags |= FAULTQ_RECORD_LAST;
	else if (!(fault_way() & MOCK_IOMMU_VIA_DOMAIN))
		flags |= FAULTQ_RECORD_REASON;
	if (record->type != type || record->address != flow->received * ABI_PAGE ||
	    record->flags != flags || record->device != flow->device.id ||
	    record->perm != FAULTQ_PERM_WRITE)
		fail_msg("record %llu: type %u address %#llx flags %#x",
			 (unsigned long long)flow->received, record->type,
			 (unsigned long long)record->address, record->flags);
	flow->received++;
	if (type == FAULTQ_PAGE_REQUEST)
		flow->answer[flow->answers++] = (struct faultq_answer){ .cookie = record->cookie };
}

/* Take and answer all that is there, then give the room back. */
static void consume(struct flow *flow, uint8_t type)
{
	const struct faultq_record *record;
	uint64_t before = flow->received;

	assert_int_equal(faultq_wait(flow->fq, -1), 0);
	while (flow->answers < BATCH && faultq_peek(flow->fq, &record) == 1) {
		take(flow, record, type);
		faultq_consume(flow->fq);
	}
	flush_answers(flow);
	allow(flow, flow->received - before);
}

static void start(struct flow *flow, uint32_t slots, uint32_t entries, uint32_t flags)
{
	assert_int_equal(faultq_open(&flow->fq), 0);
	assert_int_equal(faultq_queue(flow->fq, slots, entries, -1, flags), 0);
	abi_device_make(&flow->device, "wrap", "d0");
	assert_int_equal(abi_device_attach(&flow->device, faultq_fd(flow->fq)), 0);
	pthread_mutex_init(&flow->lock, NULL);
	pthread_cond_init(&flow->more, NULL);
}

static void finish(struct flow *flow, uint8_t type)
{
	const struct faultq_ring_header *header = faultq_header(flow->fq);
	struct faultq_stats stats;

	assert_int_equal(faultq_stats(flow->fq, 0, &stats), 0);
	assert_int_equal(type == FAULTQ_PAGE_REQUEST ? stats.answered_success : stats.unrecoverable,
			 flow->total);
	assert_int_equal(stats.page_requests, stats.answered_success);
	assert_int_equal(stats.groups, stats.answered_success);
	assert_int_equal(stats.outstanding | stats.lost | stats.terminated_no_room |
				 stats.terminated_no_slot,
			 0);
	if (header) {
		assert_int_equal(header->producer, (uint32_t)flow->total);
		assert_int_equal(header->lost | header->terminated, 0);
	}
	faultq_close(flow->fq);
	abi_device_destroy(&flow->device);
}

static void run(uint32_t slots, uint32_t entries, uint32_t flags, uint8_t type, uint64_t total)
{
	struct flow flow = {
		.total = total,
		.send = type == FAULTQ_PAGE_REQUEST ? send_requests : send_faults,
	};
	uint64_t room = type == FAULTQ_PAGE_REQUEST ? entries / 2 : entries / 4;
	pthread_t producer;
	void *sent;

	if (type == FAULTQ_PAGE_REQUEST)
		needs_page_requests();
	start(&flow, slots, entries, flags);
	assert_int_equal(pthread_create(&producer, NULL, produce, &flow), 0);
	pin_to(0);
	allow(&flow, type == FAULTQ_PAGE_REQUEST && slots < room ? slots : room);
	while (flow.received < total)
		consume(&flow, type);
	pthread_join(producer, &sent);
	assert_int_equal((uint64_t)sent, total);
	finish(&flow, type);
}

/* In all 10 million records in a soak. */
static void page_requests_round_the_smallest_ring(void **state)
{
	(void)state;
	run(32, 64, 0, FAULTQ_PAGE_REQUEST, scaled(20000, 3000000));
}

static void page_requests_round_a_medium_ring(void **state)
{
	(void)state;
	run(100, 1024, 0, FAULTQ_PAGE_REQUEST, scaled(20000, 3000000));
}

static void page_requests_round_the_largest_ring(void **state)
{
	(void)state;
	run(16384, 65536, 0, FAULTQ_PAGE_REQUEST, scaled(70000, 2000000));
}

static void page_requests_with_one_slot(void **state)
{
	(void)state;
	run(1, 64, 0, FAULTQ_PAGE_REQUEST, scaled(5000, 200000));
}

static void unrecoverable_faults_round_the_smallest_ring(void **state)
{
	(void)state;
	run(1, 64, 0, FAULTQ_UNRECOVERABLE, scaled(20000, 1000000));
}

static void unrecoverable_faults_round_the_largest_ring(void **state)
{
	(void)state;
	run(1, 65536, 0, FAULTQ_UNRECOVERABLE, scaled(70000, 1000000));
}

static void page_requests_through_read(void **state)
{
	(void)state;
	run(32, 64, FAULTQ_QUEUE_READ, FAULTQ_PAGE_REQUEST, scaled(10000, 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_requests_round_the_smallest_ring),
		cmocka_unit_test(page_requests_round_a_medium_ring),
		cmocka_unit_test(page_requests_round_the_largest_ring),
		cmocka_unit_test(page_requests_with_one_slot),
		cmocka_unit_test(unrecoverable_faults_round_the_smallest_ring),
		cmocka_unit_test(unrecoverable_faults_round_the_largest_ring),
		cmocka_unit_test(page_requests_through_read),
	};

	shares_lift(16384);
	return tap_run_group(tests, NULL, NULL);
}
