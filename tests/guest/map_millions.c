// SPDX-License-Identifier: GPL-2.0-only
/*
 * Millions of mappings come and go, on two IOMMUs, while the kernel looks out for work that keeps
 * others off a CPU: a soak has it complain after two seconds. What it says is found in its log.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/fault.h"
#include "support/module.h"
#include "support/vfio.h"

#define IOVA		0x100000000ull
#define PAGES		32u	/* each can be pinned by no more than two million mappings */
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define WATCHDOG	"/proc/sys/kernel/watchdog_thresh"

static struct device first, second;
static char watchdog[16];
static char *memory;
static unsigned long count;

static bool set_watchdog(const char *seconds)
{
	FILE *file = fopen(WATCHDOG, "we");
	bool set = file && fputs(seconds, file) >= 0;

	return file && !fclose(file) && set;
}

static int make_all(void **state)
{
	FILE *file = fopen(WATCHDOG, "re");

	(void)state;
	count = scaled(20000, 3000000);
	if (file && fgets(watchdog, sizeof(watchdog), file) && scaled(0, 1))
		assert_true(set_watchdog("1"));
	if (file)
		fclose(file);
	assert_int_equal(vfio_parameter(MODULE_FAULTQ, "max_mappings", "0"), 0);
	instance_make("millions0", 0);
	instance_make("millions1", 0);
	device_make(&first, "millions0", "first", "mode=none");
	device_make(&second, "millions1", "second", "mode=none");
	memory = pages_new(PAGES);
	return 0;
}

static int remove_all(void **state)
{
	(void)state;
	pages_free(memory, PAGES);
	device_remove(&first);
	device_remove(&second);
	instance_remove("millions0");
	instance_remove("millions1");
	assert_int_equal(vfio_parameter(MODULE_FAULTQ, "max_mappings", "65535"), 0);
	if (scaled(0, 1))
		set_watchdog(watchdog);
	return 0;
}

static struct faultq *vm_with_all(void)
{
	struct faultq *fq;

	assert_int_equal(faultq_open(&fq), 0);
	for (unsigned long i = 0; i < count; i++)
		must(!faultq_map(fq, IOVA + i * PAGE, memory + i % PAGES * PAGE, PAGE, RW));
	assert_int_equal(vm_stats(fq, 0).mapped_bytes, count * PAGE);
	return fq;
}

static void assert_reached(const struct device *device)
{
	struct mock_iommu_dma_wait done;
	uint64_t value = 0x1234;

	for (unsigned long i = 0; i < count; i += count / 16) {
		done = dma_wait(device, dma_start(device, MOCK_IOMMU_WRITE, IOVA + i * PAGE, &value,
						  sizeof(value)), NULL);
		assert_int_equal(done.status, MOCK_IOMMU_DMA_DONE);
	}
}

static void assert_listed(struct faultq *fq)
{
	struct faultq_mapping_entry *entries = calloc(count, sizeof(*entries));
	uint32_t listed = count;

	assert_non_null(entries);
	assert_int_equal(faultq_mappings(fq, 0, entries, &listed), 0);
	assert_int_equal(listed, count);
	for (unsigned long i = 0; i < count; i++)
		assert_int_equal(entries[i].iova, IOVA + i * PAGE);
	free(entries);
}

static void they_come_to_devices_and_go(void **state)
{
	struct faultq *fq = vm_with_all();
	uint64_t unmapped;
	uint32_t id;

	(void)state;
	id = vm_attach(fq, &first);
	assert_reached(&first);
	vm_attach(fq, &second);
	assert_reached(&second);
	assert_listed(fq);
	vm_detach(fq, id);
	/* a range that cuts one */
	assert_int_equal(faultq_map(fq, IOVA + count * PAGE, memory, 2 * PAGE, RW), 0);
	assert_int_equal(faultq_unmap(fq, IOVA, (count + 1) * PAGE, NULL), -EINVAL);
	assert_int_equal(faultq_unmap(fq, IOVA, count * PAGE, &unmapped), 0);
	assert_int_equal(unmapped, count * PAGE);
	faultq_close(fq);
}

static void they_go_with_their_vm(void **state)
{
	struct faultq *fq = vm_with_all();

	(void)state;
	vm_attach(fq, &first);
	vm_attach(fq, &second);
	faultq_close(fq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_come_to_devices_and_go),
		cmocka_unit_test(they_go_with_their_vm),
	};

	return tap_run_group(tests, make_all, remove_all);
}
