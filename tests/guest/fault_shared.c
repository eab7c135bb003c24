// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that share their page requests, as the virtual functions of a PCI device do: a
 * FAILURE for one of them would stop the requests of all. Whatever is done to one of them, the
 * other's, in another VM, go on. And a device whose requests the IOMMU does not take.
 */
#include <errno.h>
#include <string.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA		0x100000ull
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define SETTINGS	"mode=pri shared_requests=1"
#define DEADLINE_MS	20

static struct rig rigs[2];

static int setup(void **state)
{
	(void)state;
	instance_make("i0", 0);
	for (unsigned int i = 0; i < 2; i++) {
		device_make(&rigs[i].device, "i0", i ? "d1" : "d0", SETTINGS);
		rigs[i].fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
		rigs[i].id = vm_attach(rigs[i].fq, &rigs[i].device);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		faultq_close(rigs[i].fq);
		device_remove(&rigs[i].device);
	}
	instance_remove("i0");
	return 0;
}

static struct faultq_record take_request(struct rig *rig)
{
	struct faultq_record record = take_record(rig->fq);

	assert_int_equal(record.type, FAULTQ_PAGE_REQUEST);
	return record;
}

static void expect_event(struct rig *rig, uint32_t type, uint32_t reason)
{
	struct faultq_record record;

	do
		record = take_record(rig->fq);
	while (record.type == FAULTQ_PAGE_REQUEST || record.type == FAULTQ_OVER_QUOTA);
	assert_int_equal(record.type, type);
	assert_int_equal(record.reason, reason);
}

/* A DMA whose page is missing: asked for, mapped, done. */
static void assert_asks_and_gets(struct rig *rig)
{
	char *memory = pages_new(1);
	int tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, "x", 1);
	struct faultq_record request;

	if (!device_state(&rig->device).requests_on)
		fail_msg("its page requests are off");
	request = take_request(rig);
	assert_int_equal(faultq_map(rig->fq, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_answer(rig->fq, request.cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(*memory, 'x');
	assert_int_equal(faultq_unmap(rig->fq, IOVA, PAGE, NULL), 0);
	pages_free(memory, 1);
}

static void assert_state(struct rig *rig, uint32_t state)
{
	struct faultq_device_entry entry;
	uint32_t count = 1;

	assert_int_equal(vm_stats(rig->fq, rig->id).state, state);
	assert_int_equal(faultq_devices(rig->fq, 0, &entry, &count), 0);
	assert_int_equal(entry.state, state);
}

static void failure_for_one_leaves_the_other_alone(void **state)
{
	struct faultq_stats stats;
	int tag;

	(void)state;
	needs_page_requests();
	assert_asks_and_gets(&rigs[1]);
	tag = dma_start(&rigs[0].device, MOCK_IOMMU_WRITE, IOVA, "x", 1);
	assert_int_equal(faultq_answer(rigs[0].fq, take_request(&rigs[0]).cookie, FAULTQ_FAILURE),
			 0);
	assert_int_equal(dma_wait(&rigs[0].device, tag, NULL).status, MOCK_IOMMU_DMA_INVALID);
	assert_asks_and_gets(&rigs[1]);
	assert_asks_and_gets(&rigs[0]);
	assert_state(&rigs[0], FAULTQ_STATE_SHARED);
	stats = vm_stats(rigs[0].fq, rigs[0].id);
	assert_int_equal(stats.answered_invalid, 1);
	assert_int_equal(stats.answered_failure, 0);
}

static void failure_in_an_array_of_answers_leaves_the_other_alone(void **state)
{
	struct faultq_answer answers[4];
	unsigned int done = 0;

	(void)state;
	needs_page_requests();
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++) {
		inject_group(&rigs[0].device, i, IOVA);
		answers[i] = (struct faultq_answer){
			.cookie = take_request(&rigs[0]).cookie, .code = FAULTQ_FAILURE,
		};
	}
	assert_int_equal(faultq_respond(rigs[0].fq, answers, ARRAY_SIZE(answers), &done), 0);
	assert_int_equal(done, ARRAY_SIZE(answers));
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++) {
		assert_int_equal(answers[i].result, 0);
		assert_response(&rigs[0].device, i, FAULTQ_INVALID);
	}
	assert_asks_and_gets(&rigs[1]);
}

/* What waits, and what comes, is answered INVALID: before, in, and after switching off. */
static void missed_deadlines_of_one_leave_the_other_alone(void **state)
{
	const struct faultq_limits strikes = { .deadline_ms = DEADLINE_MS, .strikes = 1 };
	const struct faultq_limits none = { 0 };
	struct mock_iommu_response answer;
	int interrupted;

	(void)state;
	needs_page_requests();
	assert_int_equal(faultq_set_limits(rigs[0].fq, &strikes), 0);
	inject_group(&rigs[0].device, 1, IOVA);
	expect_event(&rigs[0], FAULTQ_DEADLINE, 0);
	expect_event(&rigs[0], FAULTQ_FAULTING_OFF, FAULTQ_CAUSE_STRIKES);
	assert_int_equal(mock_response(rigs[0].device.fd, 0, &answer), 0);
	assert_int_equal(answer.code, FAULTQ_INVALID);
	assert_state(&rigs[0], FAULTQ_STATE_SHARED | FAULTQ_STATE_OFF);
	inject_group(&rigs[0].device, 2, IOVA);
	assert_response(&rigs[0].device, 2, FAULTQ_INVALID);
	assert_int_equal(vm_stats(rigs[0].fq, rigs[0].id).terminated_off, 2);
	assert_asks_and_gets(&rigs[1]);

	assert_int_equal(faultq_set_limits(rigs[0].fq, &none), 0);
	assert_int_equal(faultq_enable(rigs[0].fq, rigs[0].id, &interrupted), 0);
	assert_int_equal(interrupted, 1);
	assert_state(&rigs[0], FAULTQ_STATE_SHARED);
	assert_int_equal(faultq_enable(rigs[0].fq, rigs[0].id, &interrupted), 0);
	assert_int_equal(interrupted, 0);
	assert_asks_and_gets(&rigs[0]);
}

/* The first waited until the device was switched off, and is answered at some moment. */
static void a_rate_of_refusals_of_one_leaves_the_other_alone(void **state)
{
	const struct faultq_limits rate = { .device = rigs[0].id, .max_outstanding = 1,
					    .refused_rate = 1 };
	struct mock_iommu_response answer;

	(void)state;
	needs_page_requests();
	assert_int_equal(faultq_set_limits(rigs[0].fq, &rate), 0);
	for (unsigned int i = 0; i < 16; i++)
		inject_group(&rigs[0].device, i, IOVA);
	expect_event(&rigs[0], FAULTQ_FAULTING_OFF, FAULTQ_CAUSE_RATE);
	for (unsigned int i = 0; i < 16; i++) {
		assert_int_equal(mock_response(rigs[0].device.fd, 0, &answer), 0);
		assert_int_equal(answer.code, FAULTQ_INVALID);
	}
	assert_asks_and_gets(&rigs[1]);
}

/* A device that shares nothing is stopped, and says nothing of sharing. */
static void failure_stops_a_device_that_shares_nothing(void **state)
{
	struct rig *rig = &rigs[0];

	(void)state;
	needs_page_requests();
	vm_detach(rig->fq, rig->id);
	device_unplug(&rig->device);
	assert_int_equal(mock_set("i0", "d0", "shared_requests", "0"), 0);
	device_plug(&rig->device);
	rig->id = vm_attach(rig->fq, &rig->device);
	assert_state(rig, 0);
	inject_group(&rig->device, 1, IOVA);
	assert_int_equal(faultq_answer(rig->fq, take_request(rig).cookie, FAULTQ_FAILURE), 0);
	assert_response(&rig->device, 1, FAULTQ_FAILURE);
	assert_int_equal(device_state(&rig->device).requests_on, 0);
	assert_state(rig, FAULTQ_STATE_FAILED);
	assert_asks_and_gets(&rigs[1]);
}

/* What is told is what the IOMMU driver does, whatever else there is to know of the device. */
static void requests_that_the_iommu_does_not_take_are_not_promised(void **state)
{
	const uint32_t requests = FAULTQ_KIND_PAGE_REQUEST | FAULTQ_KIND_PASID_REQUEST;
	struct rig *rig = &rigs[0];
	struct faultq_attach told;

	(void)state;
	needs_page_requests();
	vm_detach(rig->fq, rig->id);
	device_unplug(&rig->device);
	assert_int_equal(mock_set("i0", "d0", "page_requests", "0"), 0);
	device_plug(&rig->device);
	assert_int_equal(faultq_attach(rig->fq, rig->device.platform, &told), 0);
	rig->id = told.device;
	assert_int_equal(told.no_page_request, FAULTQ_WHY_DEVICE);
	assert_int_equal(told.kinds & requests, 0);
	assert_int_equal(mock_page_request(rig->device.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 1, 0,
					   IOVA), 0);
	assert_queue_empty(rig->fq);

	assert_int_equal(faultq_attach(rigs[1].fq, rigs[1].device.platform, &told), 0);
	assert_int_equal(told.no_page_request, FAULTQ_WHY_DELIVERED);
	assert_true(told.kinds & FAULTQ_KIND_PAGE_REQUEST);
}

int main(void)
{
#define SHARED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		SHARED(failure_for_one_leaves_the_other_alone),
		SHARED(failure_in_an_array_of_answers_leaves_the_other_alone),
		SHARED(missed_deadlines_of_one_leave_the_other_alone),
		SHARED(a_rate_of_refusals_of_one_leaves_the_other_alone),
		SHARED(failure_stops_a_device_that_shares_nothing),
		SHARED(requests_that_the_iommu_does_not_take_are_not_promised),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
