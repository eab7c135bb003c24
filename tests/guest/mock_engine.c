// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock's DMA engine with a consumer of its faults, iommu-faultq: what each fault
 * mode raises, what each answer does, and what the IOTLB and the queue of the instance
 * make of it.
 *
 * Each test has the instance "i0" with the device "d0", attached to a VM whose queue is
 * read by read(). One thread plays device and pager: it starts a DMA, answers what
 * comes, and collects the DMA.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <faultq.h>

#include "support/kinds.h"
#include "support/mock.h"
#include "support/tap.h"

#define PAGE	4096UL
#define IOVA	0x100000UL
#define MEMORY	(512 * PAGE)
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
/* What to wait for something that must come. */
#define SOON	60000

static int device;		/* file of d0 */
static struct faultq *vm;
static unsigned char *memory;	/* MEMORY bytes, mapped at IOVA and up as tests want */
static atomic_bool stop;	/* threads end */
static unsigned char data[MOCK_IOMMU_DMA_MAX], back[MOCK_IOMMU_DMA_MAX];

static int attach(const char *name)
{
	return faultq_attach(vm, name, NULL);
}

static int make(unsigned int depth, const char *settings)
{
	if (mock_instance_create("i0", depth) || mock_device_create("i0", "d0", settings))
		return -1;
	device = mock_open("i0", "d0");
	if (device < 0 || faultq_open(&vm) || faultq_queue(vm, 256, 4096, -1, FAULTQ_QUEUE_READ))
		return -1;
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -1;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / PAGE;
	return attach("platform/mock-i0-d0");
}

static int make_pri(void **state)
{
	(void)state;
	return make(0, "mode=pri pasid_bits=8");
}

static int make_pri_few_credits(void **state)
{
	(void)state;
	return make(0, "mode=pri credits=4");
}

static int make_pri_shallow(void **state)
{
	(void)state;
	return make(1, "mode=pri");
}

static int make_pri_any_pasid(void **state)
{
	(void)state;
	return make(0, "mode=pri pasid_bits=20 response_pasid=0");
}

static int make_stall(void **state)
{
	(void)state;
	return make(0, "mode=stall pasid_bits=8");
}

static int make_stall_shallow(void **state)
{
	(void)state;
	return make(1, "mode=stall");
}

static int make_none(void **state)
{
	(void)state;
	return make(0, "mode=none pasid_bits=8");
}

static int make_none_by_domain(void **state)
{
	(void)state;
	return make(0, "mode=none unrecoverable=domain");
}

static int undo(void **state)
{
	(void)state;
	atomic_store(&stop, true);
	faultq_close(vm);
	close(device);
	munmap(memory, MEMORY);
	mock_device_destroy("i0", "d1");
	mock_device_destroy("i0", "d0");
	return mock_instance_destroy("i0");
}

static struct mock_iommu_state counters(void)
{
	struct mock_iommu_state now;

	assert_int_equal(mock_state(device, &now), 0);
	return now;
}

static void map(uint64_t iova, size_t length, uint32_t perm)
{
	assert_int_equal(faultq_map(vm, iova, memory + (iova - IOVA), length, perm), 0);
}

/* Take the next group, or record, off the queue; @records gets a copy. */
static int next(struct faultq_record *records)
{
	const struct faultq_record *here;
	int count;

	assert_int_equal(faultq_wait(vm, SOON), 0);
	count = faultq_peek(vm, &here);
	assert_true(count > 0 && count <= 32);
	memcpy(records, here, count * sizeof(*records));
	faultq_consume(vm);
	return count;
}

static void assert_queue_empty(void)
{
	const struct faultq_record *here;

	assert_int_equal(faultq_peek(vm, &here), 0);
}

static uint64_t next_request(uint64_t address, uint32_t perm)
{
	struct faultq_record record;

	assert_int_equal(next(&record), 1);
	assert_int_equal(record.type, FAULTQ_PAGE_REQUEST);
	assert_int_equal(record.address, address);
	assert_int_equal(record.perm, perm);
	return record.cookie;
}

static void answer(uint64_t cookie, uint32_t code)
{
	assert_int_equal(faultq_answer(vm, cookie, code), 0);
}

/* Map the pages of the next group and answer it: returns how many they were. */
static int serve(void)
{
	struct faultq_record records[32];
	int count = next(records);

	for (int i = 0; i < count; i++) {
		assert_int_equal(records[i].type, FAULTQ_PAGE_REQUEST);
		assert_int_equal(!!(records[i].flags & FAULTQ_RECORD_LAST), i == count - 1);
		map(records[i].address, PAGE, RW);
	}
	answer(records[0].cookie, FAULTQ_SUCCESS);
	return count;
}

static int start(uint32_t flags, uint64_t iova, size_t length)
{
	int tag = mock_dma_start(device, flags, 0, iova, data, length);

	assert_true(tag > 0);
	return tag;
}

static struct mock_iommu_dma_wait finish(int tag, void *into)
{
	struct mock_iommu_dma_wait end;

	assert_true(mock_dma_wait(device, tag, 0, into, &end) >= 0);
	return end;
}

/* It may have looked for its page before that was mapped, and ask for it all the same. */
static struct mock_iommu_dma_wait finish_or_answer(int tag, void *into)
{
	struct faultq_record records[32];
	struct mock_iommu_dma_wait end;
	int ret;

	while ((ret = mock_dma_wait(device, tag, MOCK_IOMMU_NOWAIT, into, &end)) == -EAGAIN)
		if (!faultq_wait(vm, 1) && next(records))
			answer(records[0].cookie, FAULTQ_SUCCESS);
	assert_true(ret >= 0);
	return end;
}

static void assert_ends(int tag, uint32_t status, uint64_t done, uint32_t requests)
{
	struct mock_iommu_dma_wait end = finish(tag, NULL);

	assert_int_equal(end.status, status);
	assert_int_equal(end.done, done);
	assert_int_equal(end.requests, requests);
}

/*
 * pri
 */

static void a_group_for_all_missing_pages(void **state)
{
	int tag = start(MOCK_IOMMU_WRITE, IOVA + 100, 3 * PAGE - 200);

	(void)state;
	needs_page_requests();
	assert_int_equal(serve(), 3);
	assert_ends(tag, MOCK_IOMMU_DMA_DONE, 3 * PAGE - 200, 3);
	assert_memory_equal(memory + 100, data, 3 * PAGE - 200);
	tag = start(MOCK_IOMMU_READ, IOVA + 100, 3 * PAGE - 200);
	assert_int_equal(finish(tag, back).status, MOCK_IOMMU_DMA_DONE);
	assert_memory_equal(back, data, 3 * PAGE - 200);
	assert_int_equal(counters().answered, 1);
	assert_int_equal(counters().outstanding + counters().queue_used, 0);
}

static void only_missing_pages_are_asked_for(void **state)
{
	struct faultq_record records[32];
	int tag;

	(void)state;
	needs_page_requests();
	map(IOVA + PAGE, PAGE, RW);
	map(IOVA + 3 * PAGE, PAGE, FAULTQ_MAP_READ);
	tag = start(MOCK_IOMMU_WRITE, IOVA, 4 * PAGE);
	assert_int_equal(next(records), 3);
	assert_int_equal(records[0].address, IOVA);
	assert_int_equal(records[1].address, IOVA + 2 * PAGE);
	assert_int_equal(records[2].address, IOVA + 3 * PAGE);
	assert_int_equal(records[2].perm, FAULTQ_PERM_WRITE);
	answer(records[0].cookie, FAULTQ_INVALID);
	assert_ends(tag, MOCK_IOMMU_DMA_INVALID, 0, 3);
}

static void the_largest_dma(void **state)
{
	int tag = start(MOCK_IOMMU_WRITE, IOVA, sizeof(data)), pages = 0;

	(void)state;
	needs_page_requests();
	while (pages < 256) {
		int count = serve();

		assert_int_equal(count, 32);
		pages += count;
	}
	assert_ends(tag, MOCK_IOMMU_DMA_DONE, sizeof(data), 256);
	assert_memory_equal(memory, data, sizeof(data));
	tag = start(MOCK_IOMMU_READ, IOVA, sizeof(data));
	assert_int_equal(finish(tag, back).status, MOCK_IOMMU_DMA_DONE);
	assert_memory_equal(back, data, sizeof(data));
}

static void a_request_carries_its_pasid(void **state)
{
	struct faultq_record record;
	int tag;

	(void)state;
	needs_page_requests();
	needs_pasid_requests();
	tag = mock_dma_start(device, MOCK_IOMMU_READ | MOCK_IOMMU_PASID, 9, IOVA, NULL, 1);
	assert_int_equal(next(&record), 1);
	assert_int_equal(record.flags & FAULTQ_RECORD_PASID, FAULTQ_RECORD_PASID);
	assert_int_equal(record.pasid, 9);
	map(IOVA, PAGE, RW);
	answer(record.cookie, FAULTQ_SUCCESS);
	assert_int_equal(finish(tag, back).status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(counters().unmatched, 0);
}

/* Where it would have to be attached to a PASID, the IOMMU core does not take it. */
static void a_request_for_an_unattached_pasid_is_refused(void **state)
{
	int tag;

	(void)state;
	needs_page_requests();
	if (kernel_delivers(FAULTQ_KIND_PASID_REQUEST))
		skip_because("this kernel delivers page requests of any PASID");
	tag = mock_dma_start(device, MOCK_IOMMU_READ | MOCK_IOMMU_PASID, 9, IOVA, NULL, 1);
	assert_int_equal(finish(tag, back).status, MOCK_IOMMU_DMA_INVALID);
	assert_queue_empty();
	assert_int_equal(counters().refused, 1);
	assert_int_equal(counters().answered, 0);
	assert_int_equal(counters().outstanding, 0);

	map(IOVA, PAGE, RW);
	tag = mock_dma_start(device, MOCK_IOMMU_READ | MOCK_IOMMU_PASID, 9, IOVA, NULL, 1);
	assert_int_equal(finish(tag, back).status, MOCK_IOMMU_DMA_DONE);
}

static void credits_bound_what_is_outstanding(void **state)
{
	struct faultq_record first[32], second[32];
	int tag = start(MOCK_IOMMU_WRITE, IOVA, 6 * PAGE), other;

	(void)state;
	needs_page_requests();
	assert_int_equal(next(first), 4);
	other = start(MOCK_IOMMU_READ, IOVA + 8 * PAGE, 1);
	assert_queue_empty();
	map(IOVA, 16 * PAGE, RW);
	answer(first[0].cookie, FAULTQ_INVALID);
	assert_ends(tag, MOCK_IOMMU_DMA_INVALID, 0, 4);
	/* The other one was not let to ask before, and now finds its page. */
	assert_int_equal(finish_or_answer(other, back).status, MOCK_IOMMU_DMA_DONE);
	tag = start(MOCK_IOMMU_READ, IOVA + 16 * PAGE, 1);
	assert_int_equal(next(second), 1);
	answer(second[0].cookie, FAULTQ_INVALID);
	assert_int_equal(finish(tag, back).status, MOCK_IOMMU_DMA_INVALID);
}

static void invalid_ends_a_dma_half_way(void **state)
{
	struct faultq_record records[32];
	int tag;

	(void)state;
	needs_page_requests();
	map(IOVA, PAGE, RW);
	tag = start(MOCK_IOMMU_WRITE, IOVA + 8, 2 * PAGE);
	assert_int_equal(next(records), 2);
	assert_int_equal(records[0].address, IOVA + PAGE);
	answer(records[0].cookie, FAULTQ_INVALID);
	assert_ends(tag, MOCK_IOMMU_DMA_INVALID, PAGE - 8, 2);
}

static void failure_switches_requests_off(void **state)
{
	int tag = start(MOCK_IOMMU_WRITE, IOVA, 1);

	(void)state;
	needs_page_requests();
	answer(next_request(IOVA, FAULTQ_PERM_WRITE), FAULTQ_FAILURE);
	assert_ends(tag, MOCK_IOMMU_DMA_FAILURE, 0, 1);
	assert_int_equal(counters().requests_on, 0);
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA, 1), MOCK_IOMMU_DMA_FAILURE, 0, 0);
	assert_queue_empty();
	map(IOVA, PAGE, RW);
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA, 1), MOCK_IOMMU_DMA_DONE, 1, 0);

	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(mock_set("i0", "d0", "live", "1"), 0);
	close(device);
	device = mock_open("i0", "d0");
	assert_int_equal(counters().requests_on, 1);
}

static void an_attach_switches_requests_on(void **state)
{
	struct faultq_attach attached;
	int tag = start(MOCK_IOMMU_WRITE, IOVA, 1);

	(void)state;
	needs_page_requests();
	answer(next_request(IOVA, FAULTQ_PERM_WRITE), FAULTQ_FAILURE);
	assert_ends(tag, MOCK_IOMMU_DMA_FAILURE, 0, 1);
	assert_int_equal(faultq_attach(vm, "platform/mock-i0-d0", &attached), 0);
	assert_int_equal(faultq_detach(vm, attached.device, NULL), 0);
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA, 1), MOCK_IOMMU_DMA_IDENTITY, 0, 0);
	assert_int_equal(attach("platform/mock-i0-d0"), 0);
	assert_int_equal(counters().requests_on, 1);
	tag = start(MOCK_IOMMU_WRITE, IOVA, 1);
	assert_int_equal(serve(), 1);
	assert_ends(tag, MOCK_IOMMU_DMA_DONE, 1, 1);
}

static void success_without_a_page_is_tried_eight_times(void **state)
{
	int tag = start(MOCK_IOMMU_WRITE, IOVA, 1);

	(void)state;
	needs_page_requests();
	for (int i = 0; i < 8; i++)
		answer(next_request(IOVA, FAULTQ_PERM_WRITE), FAULTQ_SUCCESS);
	assert_ends(tag, MOCK_IOMMU_DMA_RETRIES, 0, 8);
	assert_queue_empty();
}

static void a_full_queue_loses_groups(void **state)
{
	uint64_t cookie;
	int tag;

	(void)state;
	needs_page_requests();
	tag = start(MOCK_IOMMU_WRITE, IOVA, 1);
	cookie = next_request(IOVA, FAULTQ_PERM_WRITE);
	assert_int_equal(counters().queue_used, 1);
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA + PAGE, 1), MOCK_IOMMU_DMA_OVERFLOW, 0, 1);
	assert_int_equal(mock_page_request(device, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 600, 0, 0), 0);
	assert_int_equal(counters().overflows, 2);
	assert_queue_empty();
	map(IOVA, PAGE, RW);
	answer(cookie, FAULTQ_SUCCESS);
	assert_ends(tag, MOCK_IOMMU_DMA_DONE, 1, 1);
	assert_int_equal(counters().queue_used, 0);
}

static void a_reported_group_needs_no_place_if_so_configured(void **state)
{
	struct mock_iommu_response response;
	uint64_t cookies[4];

	(void)state;
	needs_page_requests();
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(mock_set("i0", NULL, "live", "0"), 0);
	assert_int_equal(mock_set("i0", NULL, "free_on_report", "1"), 0);
	assert_int_equal(mock_set("i0", NULL, "live", "1"), 0);
	assert_int_equal(mock_set("i0", "d0", "live", "1"), 0);
	close(device);
	device = mock_open("i0", "d0");
	assert_int_equal(next(&(struct faultq_record){}), 1);	/* DEVICE_GONE */
	assert_int_equal(attach("platform/mock-i0-d0"), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(mock_page_request(device, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, i, 0,
						   IOVA), 1);
		cookies[i] = next_request(IOVA, FAULTQ_PERM_READ);
	}
	assert_int_equal(counters().queue_used, 0);
	assert_int_equal(counters().outstanding, 4);
	for (int i = 0; i < 4; i++) {
		answer(cookies[i], FAULTQ_SUCCESS);
		assert_int_equal(mock_response(device, 0, &response), 0);
		assert_int_equal(response.group, i);
	}
}

/*
 * stall
 */

static void a_stall_is_one_page(void **state)
{
	int tag = start(MOCK_IOMMU_WRITE, IOVA, 3 * PAGE);

	(void)state;
	needs_page_requests();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(counters().outstanding <= 1, 1);
		assert_int_equal(serve(), 1);
	}
	assert_ends(tag, MOCK_IOMMU_DMA_DONE, 3 * PAGE, 3);
	assert_memory_equal(memory, data, 3 * PAGE);
}

static void stalls_wait_for_a_place(void **state)
{
	struct faultq_record record;
	int tags[4];

	(void)state;
	needs_page_requests();
	for (int i = 0; i < 4; i++)
		tags[i] = start(MOCK_IOMMU_WRITE, IOVA + i * PAGE, 1);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(next(&record), 1);
		assert_int_equal(counters().outstanding, 1);
		assert_int_equal(counters().queue_used, 1);
		assert_queue_empty();
		map(record.address, PAGE, RW);
		answer(record.cookie, FAULTQ_SUCCESS);
	}
	for (int i = 0; i < 4; i++)
		assert_ends(tags[i], MOCK_IOMMU_DMA_DONE, 1, 1);
	assert_int_equal(counters().queue_used, 0);
	assert_int_equal(counters().overflows, 0);
}

static void devices_share_the_queue(void **state)
{
	int other, tag, waiting;

	(void)state;
	needs_page_requests();
	assert_int_equal(mock_device_create("i0", "d1", "mode=stall"), 0);
	assert_int_equal(attach("platform/mock-i0-d1"), 0);
	other = mock_open("i0", "d1");
	assert_true(other >= 0);
	tag = start(MOCK_IOMMU_WRITE, IOVA, 1);
	assert_true(next_request(IOVA, FAULTQ_PERM_WRITE) != 0);
	waiting = mock_dma_start(other, MOCK_IOMMU_WRITE, 0, IOVA + PAGE, data, 1);
	assert_true(waiting > 0);
	/* It waits for d0's place, and gets it when d0 goes. */
	assert_int_equal(mock_dma_wait(other, waiting, MOCK_IOMMU_NOWAIT, NULL, NULL), -EAGAIN);
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(finish(tag, NULL).status, MOCK_IOMMU_DMA_GONE);
	close(device);
	device = other;
	while (counters().outstanding == 0)
		sched_yield();
	while (!counters().answered) {
		struct faultq_record record;

		assert_int_equal(next(&record), 1);
		if (record.type != FAULTQ_PAGE_REQUEST)
			continue;
		map(record.address, PAGE, RW);
		answer(record.cookie, FAULTQ_SUCCESS);
	}
	assert_int_equal(finish(waiting, NULL).status, MOCK_IOMMU_DMA_DONE);
}

/*
 * none
 */

/* A fault of the device tells why, and the PASID; where it comes by the domain, it does not. */
static void assert_unrecoverable(const struct faultq_record *record, uint32_t reason,
				 uint32_t pasid)
{
	bool known = kernel_delivers(FAULTQ_KIND_UNRECOVERABLE);

	assert_int_equal(record->type, FAULTQ_UNRECOVERABLE);
	assert_int_equal(!!(record->flags & FAULTQ_RECORD_REASON), known);
	assert_int_equal(record->reason, known ? reason : 0);
	assert_int_equal(record->pasid, known ? pasid : 0);
	assert_int_equal(record->perm, FAULTQ_PERM_WRITE);
}

static void a_miss_is_unrecoverable(void **state)
{
	struct faultq_record record;
	int tag = mock_dma_start(device, MOCK_IOMMU_WRITE | MOCK_IOMMU_PASID, 3, IOVA + 5, data, 1);

	(void)state;
	assert_ends(tag, MOCK_IOMMU_DMA_FAULT, 0, 0);
	assert_int_equal(next(&record), 1);
	assert_unrecoverable(&record, FAULTQ_REASON_NOT_MAPPED, 3);
	assert_int_equal(record.address, IOVA + 5);

	map(IOVA, PAGE, FAULTQ_MAP_READ);
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA + 7, 1), MOCK_IOMMU_DMA_FAULT, 0, 0);
	assert_int_equal(next(&record), 1);
	assert_unrecoverable(&record, FAULTQ_REASON_PERMISSION, 0);
	assert_int_equal(record.address, IOVA + 7);
	assert_int_equal(counters().faults, 2);
}

static void a_miss_reported_by_the_domain(void **state)
{
	struct faultq_record record;

	(void)state;
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA + 5, 1), MOCK_IOMMU_DMA_FAULT, 0, 0);
	assert_int_equal(next(&record), 1);
	assert_int_equal(record.type, FAULTQ_UNRECOVERABLE);
	assert_int_equal(record.address, IOVA + 5);
	assert_int_equal(record.perm, FAULTQ_PERM_WRITE);
	assert_int_equal(record.flags & FAULTQ_RECORD_REASON, 0);
}

/*
 * Translation
 */

static void an_unmapped_page_is_missing_again(void **state)
{
	(void)state;
	map(IOVA, PAGE, RW);
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA, 8), MOCK_IOMMU_DMA_DONE, 8, 0);
	assert_int_equal(faultq_unmap(vm, IOVA, PAGE, NULL), 0);
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA, 8), MOCK_IOMMU_DMA_FAULT, 0, 0);
	map(IOVA, PAGE, FAULTQ_MAP_READ);
	assert_ends(start(MOCK_IOMMU_WRITE, IOVA, 8), MOCK_IOMMU_DMA_FAULT, 0, 0);
	assert_int_equal(finish(start(MOCK_IOMMU_READ, IOVA, 8), back).status,
			 MOCK_IOMMU_DMA_DONE);
}

static void execution_is_a_permission(void **state)
{
	const uint32_t execute = MOCK_IOMMU_READ | MOCK_IOMMU_EXEC;

	(void)state;
	map(IOVA, PAGE, FAULTQ_MAP_READ);
	map(IOVA + PAGE, PAGE, FAULTQ_MAP_READ | FAULTQ_MAP_EXEC);
	assert_int_equal(finish(start(execute, IOVA, 8), back).status, MOCK_IOMMU_DMA_FAULT);
	assert_int_equal(finish(start(execute, IOVA + PAGE, 8), back).status,
			 MOCK_IOMMU_DMA_DONE);
}

static void *write_for_ever(void *unused)
{
	unsigned char ones[64];

	(void)unused;
	memset(ones, 1, sizeof(ones));
	while (!atomic_load(&stop))
		mock_dma_write(device, IOVA, ones, sizeof(ones), NULL);
	return NULL;
}

/* The device writes it behind the compiler's back. */
static unsigned char first_byte(void)
{
	return __atomic_load_n(memory, __ATOMIC_RELAXED);
}

/* Once UNMAP has returned, a device that never stops writing reaches the page no more. */
static void no_access_after_an_unmap(void **state)
{
	unsigned long turns = scaled(300, 100000);
	pthread_t thread;

	(void)state;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, write_for_ever, NULL), 0);
	for (unsigned long i = 0; i < turns; i++) {
		map(IOVA, PAGE, RW);
		while (!first_byte())
			sched_yield();
		assert_int_equal(faultq_unmap(vm, IOVA, PAGE, NULL), 0);
		memset(memory, 0, PAGE);
		for (int look = 0; look < 10; look++) {
			sched_yield();
			assert_int_equal(first_byte(), 0);
		}
		while (faultq_peek(vm, &(const struct faultq_record *){ NULL }) > 0)
			faultq_consume(vm);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

/*
 * Endings
 */

static void the_device_goes_while_a_dma_waits(void **state)
{
	int tag = start(MOCK_IOMMU_WRITE, IOVA, 1);
	char text[256];

	(void)state;
	needs_page_requests();
	assert_true(next_request(IOVA, FAULTQ_PERM_WRITE) != 0);
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_ends(tag, MOCK_IOMMU_DMA_GONE, 0, 1);
	assert_int_equal(mock_get("i0", NULL, "state", text, sizeof(text)), 0);
	assert_string_equal(text, "queue_used 0\nqueue_depth 256\nunanswered 0");
}

static void a_closed_file_leaves_its_request(void **state)
{
	struct mock_iommu_state now;
	uint64_t cookie;

	(void)state;
	needs_page_requests();
	start(MOCK_IOMMU_WRITE, IOVA, 1);
	cookie = next_request(IOVA, FAULTQ_PERM_WRITE);
	close(device);
	device = mock_open("i0", "d0");
	while (!counters().dmas)
		sched_yield();
	assert_int_equal(counters().outstanding, 1);
	answer(cookie, FAULTQ_SUCCESS);
	now = counters();
	assert_int_equal(now.outstanding + now.queue_used, 0);
	assert_int_equal(now.answered, 1);
	assert_int_equal(now.unmatched, 0);
}

/* Errors that a device that comes and goes may cause. */
static bool expected(int ret)
{
	return ret >= 0 || ret == -ENODEV || ret == -ENOENT;
}

static void *dma_for_ever(void *unused)
{
	unsigned char local[3 * PAGE] = "";
	bool good = true;

	(void)unused;
	while (good && !atomic_load(&stop)) {
		int fd = mock_open("i0", "d0");

		if (fd < 0)
			continue;
		for (int i = 0; good && i < 8; i++)
			good = expected(mock_dma_write(fd, IOVA, local, sizeof(local), NULL));
		mock_dma_start(fd, MOCK_IOMMU_WRITE, 0, IOVA, local, sizeof(local));
		close(fd);
	}
	return (void *)(long)good;
}

/* Answers this and that, and leaves every fourth group for the end. */
static void *answer_for_ever(void *unused)
{
	const struct faultq_record *records;
	unsigned int turn = 0;

	(void)unused;
	while (!atomic_load(&stop)) {
		if (faultq_wait(vm, 10) || faultq_peek(vm, &records) <= 0)
			continue;
		if (records->type == FAULTQ_PAGE_REQUEST && ++turn % 4)
			faultq_answer(vm, records->cookie, turn % 4 == 1 ? FAULTQ_SUCCESS :
									   FAULTQ_INVALID);
		faultq_consume(vm);
	}
	return NULL;
}

static void devices_come_and_go_while_they_fault(void **state)
{
	unsigned long cycles = scaled(100, 10000);
	struct faultq_attach attached;
	pthread_t threads[3];
	void *result;

	(void)state;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&threads[0], NULL, answer_for_ever, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, dma_for_ever, NULL), 0);
	assert_int_equal(pthread_create(&threads[2], NULL, dma_for_ever, NULL), 0);
	for (unsigned long i = 0; i < cycles; i++) {
		assert_int_equal(faultq_attach(vm, "platform/mock-i0-d0", &attached), 0);
		/* Let it fault, some times less and some times more. */
		for (unsigned long j = 0; j < i % 16 * 8; j++)
			sched_yield();
		if (i % 3 == 0)
			assert_int_equal(faultq_detach(vm, attached.device, NULL), 0);
		assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
		assert_int_equal(mock_set("i0", "d0", "live", "1"), 0);
	}
	atomic_store(&stop, true);
	pthread_join(threads[0], NULL);
	for (int i = 1; i < 3; i++) {
		pthread_join(threads[i], &result);
		assert_true(result);
	}
}

/*
 * Injection
 */

static void injected_requests_are_answered(void **state)
{
	struct mock_iommu_response response;
	struct faultq_record records[32];

	(void)state;
	needs_page_requests();
	assert_int_equal(mock_page_request(device, 0, MOCK_IOMMU_READ, 700, 0, IOVA), 1);
	assert_queue_empty();
	assert_int_equal(mock_page_request(device, MOCK_IOMMU_LAST, MOCK_IOMMU_WRITE, 700, 0,
					   IOVA + PAGE), 1);
	assert_int_equal(next(records), 2);
	assert_int_equal(records[0].group, 700);
	answer(records[0].cookie, FAULTQ_INVALID);
	assert_int_equal(mock_response(device, 0, &response), 0);
	assert_int_equal(response.group, 700);
	assert_int_equal(response.code, 1);
	assert_int_equal(response.flags, 0);
}

static void injected_requests_with_pasid_are_answered(void **state)
{
	struct mock_iommu_response response;
	struct faultq_record records[32];

	(void)state;
	needs_page_requests();
	needs_pasid_requests();
	assert_int_equal(mock_page_request(device, 0, MOCK_IOMMU_READ | MOCK_IOMMU_PASID, 700, 5,
					   IOVA), 1);
	assert_queue_empty();
	assert_int_equal(mock_page_request(device, MOCK_IOMMU_LAST | MOCK_IOMMU_NEEDS_PASID,
					   MOCK_IOMMU_WRITE | MOCK_IOMMU_PASID, 700, 5,
					   IOVA + PAGE), 1);
	assert_int_equal(next(records), 2);
	assert_int_equal(records[0].group, 700);
	assert_int_equal(records[1].pasid, 5);
	answer(records[0].cookie, FAULTQ_INVALID);
	assert_int_equal(mock_response(device, 0, &response), 0);
	assert_int_equal(response.group, 700);
	assert_int_equal(response.code, 1);
	assert_int_equal(response.flags, MOCK_IOMMU_RESPONSE_PASID);
	assert_int_equal(response.pasid, 5);
}

static void injected_faults_arrive(void **state)
{
	struct faultq_record record;

	(void)state;
	needs_device_faults();
	assert_int_equal(mock_unrecoverable(device, 0, MOCK_IOMMU_WRITE, 8, 0x1234), 1);
	assert_int_equal(next(&record), 1);
	assert_int_equal(record.reason, FAULTQ_REASON_ADDRESS_SIZE);
	assert_int_equal(record.address, 0x1234);
	assert_int_equal(mock_unrecoverable(device, MOCK_IOMMU_NO_ADDRESS, 0, 0, 0), 1);
	assert_int_equal(next(&record), 1);
	assert_int_equal(record.flags & FAULTQ_RECORD_ADDRESS, 0);
}

static void injected_faults_arrive_by_the_domain(void **state)
{
	const uint32_t by_domain = MOCK_IOMMU_VIA_DOMAIN;
	struct faultq_record record;

	(void)state;
	assert_int_equal(mock_unrecoverable(device, by_domain, MOCK_IOMMU_READ, 0, 0x1000), 1);
	assert_int_equal(next(&record), 1);
	assert_int_equal(record.perm, FAULTQ_PERM_READ);
	assert_int_equal(mock_unrecoverable(device, by_domain | MOCK_IOMMU_NO_DEVICE, 0, 0, 1), 1);
	assert_int_equal(next(&record), 1);
	assert_int_equal(record.flags & FAULTQ_RECORD_DEVICE, 0);
}

static void faults_from_an_interrupt(void **state)
{
	struct mock_iommu_unrecoverable fault = {
		.size = sizeof(fault),
		.flags = MOCK_IOMMU_VIA_DOMAIN | MOCK_IOMMU_HARD_IRQ,
		.access = MOCK_IOMMU_WRITE,
		.count = 1000,
		.address = IOVA,
	};
	struct faultq_record record;

	(void)state;
	assert_int_equal(ioctl(device, MOCK_IOMMU_UNRECOVERABLE, &fault), 0);
	assert_int_equal(fault.done, 1000);
	assert_int_equal(counters().faults, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(next(&record), 1);
	assert_queue_empty();
}

#define with(make, test) cmocka_unit_test_setup_teardown(test, make, undo)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(make_pri, a_group_for_all_missing_pages),
		with(make_pri, only_missing_pages_are_asked_for),
		with(make_pri, the_largest_dma),
		with(make_pri, a_request_carries_its_pasid),
		with(make_pri_any_pasid, a_request_carries_its_pasid),
		with(make_stall, a_request_carries_its_pasid),
		with(make_pri, a_request_for_an_unattached_pasid_is_refused),
		with(make_pri_few_credits, credits_bound_what_is_outstanding),
		with(make_pri, invalid_ends_a_dma_half_way),
		with(make_pri, failure_switches_requests_off),
		with(make_pri, an_attach_switches_requests_on),
		with(make_pri, success_without_a_page_is_tried_eight_times),
		with(make_pri_shallow, a_full_queue_loses_groups),
		with(make_pri_shallow, a_reported_group_needs_no_place_if_so_configured),
		with(make_stall, a_stall_is_one_page),
		with(make_stall_shallow, stalls_wait_for_a_place),
		with(make_stall_shallow, devices_share_the_queue),
		with(make_none, a_miss_is_unrecoverable),
		with(make_none_by_domain, a_miss_reported_by_the_domain),
		with(make_none, an_unmapped_page_is_missing_again),
		with(make_none, execution_is_a_permission),
		with(make_none, no_access_after_an_unmap),
		with(make_pri, the_device_goes_while_a_dma_waits),
		with(make_stall, a_closed_file_leaves_its_request),
		with(make_pri, devices_come_and_go_while_they_fault),
		with(make_stall_shallow, devices_come_and_go_while_they_fault),
		with(make_none, devices_come_and_go_while_they_fault),
		with(make_pri, injected_requests_are_answered),
		with(make_pri, injected_requests_with_pasid_are_answered),
		with(make_pri, injected_faults_arrive),
		with(make_pri, injected_faults_arrive_by_the_domain),
		with(make_pri, faults_from_an_interrupt),
	};

	return tap_run_group(tests, NULL, NULL);
}
