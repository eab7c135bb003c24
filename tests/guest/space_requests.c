// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOMMU whose page requests reach less far than its translation, as Intel's on a CPU with
 * four-level paging: what is offered to a VM with a device that raises them can be asked for.
 */
#include <errno.h>
#include <string.h>

#include "support/kinds.h"
#include "support/space.h"

#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define BITS	47
#define LIMIT	(1ull << BITS)
#define ALL	(1ull << 48)

static struct device narrow, wide;
static struct faultq *fq;

static int setup(void **state)
{
	(void)state;
	instance_make("i0", 0);
	device_make(&narrow, "i0", "d0", "mode=pri request_bits=47");
	device_make(&wide, "i0", "d1", "mode=pri");
	fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	faultq_close(fq);
	device_remove(&narrow);
	device_remove(&wide);
	instance_remove("i0");
	return 0;
}

static void assert_offered(uint64_t end)
{
	struct faultq_range_entry ranges[LIST_ROOM];
	void *memory = pages_new(2);

	assert_int_equal(list_ranges(fq, ranges), 1);
	assert_int_equal(ranges[0].first, 0);
	assert_int_equal(ranges[0].last, end - 1);
	assert_int_equal(faultq_map(fq, end, memory, PAGE, RW), -EINVAL);
	assert_int_equal(faultq_map(fq, end - PAGE, memory, 2 * PAGE, RW), -EINVAL);
	pages_free(memory, 2);
}

/* The device asks for the page there, gets it and uses it. */
static void assert_can_be_asked_for(const struct device *device, uint64_t iova)
{
	char *memory = pages_new(1);
	int tag = dma_start(device, MOCK_IOMMU_WRITE, iova, "x", 1);
	uint64_t cookie = take_cookie(fq);

	assert_int_equal(faultq_map(fq, iova, memory, PAGE, RW), 0);
	assert_int_equal(faultq_answer(fq, cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(dma_wait(device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_int_equal(*memory, 'x');
	assert_int_equal(faultq_unmap(fq, iova, PAGE, NULL), 0);
	pages_free(memory, 1);
}

static void what_is_offered_can_be_asked_for(void **state)
{
	(void)state;
	vm_attach(fq, &narrow);
	assert_offered(LIMIT);
	assert_can_be_asked_for(&narrow, 0);
	assert_can_be_asked_for(&narrow, LIMIT - PAGE);
}

static void a_device_without_that_limit_is_offered_all(void **state)
{
	(void)state;
	vm_attach(fq, &wide);
	assert_offered(ALL);
	assert_can_be_asked_for(&wide, ALL - PAGE);
}

/* Whichever comes first, and until the one that has the limit leaves. */
static void devices_of_one_iommu_are_offered_what_both_can_ask_for(void **state)
{
	uint32_t id;

	(void)state;
	vm_attach(fq, &wide);
	assert_offered(ALL);
	id = vm_attach(fq, &narrow);
	assert_offered(LIMIT);
	assert_can_be_asked_for(&narrow, LIMIT - PAGE);
	assert_can_be_asked_for(&wide, LIMIT - PAGE);
	vm_detach(fq, id);
	assert_offered(ALL);
}

static void a_mapping_beyond_keeps_the_device_away(void **state)
{
	void *memory = pages_new(1);

	(void)state;
	assert_int_equal(faultq_map(fq, LIMIT, memory, PAGE, RW), 0);
	assert_int_equal(faultq_attach(fq, narrow.platform, NULL), -EINVAL);
	vm_attach(fq, &wide);
	assert_int_equal(faultq_unmap(fq, LIMIT, PAGE, NULL), 0);
	vm_attach(fq, &narrow);
	pages_free(memory, 1);
}

int main(void)
{
#define SPACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		SPACE(what_is_offered_can_be_asked_for),
		SPACE(a_device_without_that_limit_is_offered_all),
		SPACE(devices_of_one_iommu_are_offered_what_both_can_ask_for),
		SPACE(a_mapping_beyond_keeps_the_device_away),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
