// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be mapped as MMIO, and what such a mapping is among others: the rules of MAP, UNMAP and
 * MAPPINGS, devices that come and go, limits, the same by the container's MAP_DMA. Mock devices
 * tell what is translated: what leads to a BAR leads to something that is not memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/mmio.h"
#include "support/module.h"
#include "support/space.h"
#include "support/tap.h"

#define IOVA		0x200000ull
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define INSTANCE	"mmio"
#define OTHER_INSTANCE	"mmio2"

static struct pci ivshmem;
static struct device first, second;
static struct bar bar;
static struct faultq *vm;

static int make_devices(void **state)
{
	(void)state;
	bar_find(&ivshmem);
	instance_make(INSTANCE, 0);
	device_make(&first, INSTANCE, "d", "mode=none");
	instance_make(OTHER_INSTANCE, 0);
	device_make(&second, OTHER_INSTANCE, "d", "mode=none");
	return 0;
}

static int remove_devices(void **state)
{
	(void)state;
	device_remove(&second);
	instance_remove(OTHER_INSTANCE);
	device_remove(&first);
	instance_remove(INSTANCE);
	vfio_unbind(&ivshmem);
	vfio_unload();
	return 0;
}

static int open_all(void **state)
{
	(void)state;
	vm = vm_open(8, 64, 0);
	vm_attach(vm, &first);
	bar_open(&bar, &ivshmem);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	bar_close(&bar);
	faultq_close(vm);
	return 0;
}

static uint64_t map_bar(uint64_t iova, uint32_t flags)
{
	uint64_t id = 0;

	assert_int_equal(faultq_map_mmio(vm, iova, bar.memory, BAR_SIZE, flags, &id), 0);
	assert_int_not_equal(id, 0);
	return id;
}

static uint32_t access_of(const struct device *device, uint32_t access, uint64_t iova)
{
	uint64_t value = 0;

	return device_reaches(device, access, iova, &value);
}

static void assert_leads_to_mmio(const struct device *device, uint64_t iova)
{
	for (uint64_t offset = 0; offset < BAR_SIZE; offset += PAGE)
		assert_int_equal(access_of(device, MOCK_IOMMU_WRITE, iova + offset),
				 MOCK_IOMMU_ACCESS_NO_MEMORY);
}

static void assert_leads_nowhere(const struct device *device, uint64_t iova)
{
	for (uint64_t offset = 0; offset < BAR_SIZE; offset += PAGE)
		assert_int_equal(access_of(device, MOCK_IOMMU_READ, iova + offset),
				 MOCK_IOMMU_ACCESS_MISS);
}

static void a_bar_is_mapped_and_unmapped(void **state)
{
	uint64_t id = map_bar(IOVA, RW), unmapped;
	struct faultq_mapping_entry entry = mmio_entry(vm, IOVA);
	struct faultq_stats stats = vm_stats(vm, 0);

	(void)state;
	assert_int_equal(entry.length, BAR_SIZE);
	assert_int_equal(entry.user_address, (uintptr_t)bar.memory);
	assert_int_equal(entry.flags, RW | FAULTQ_MAP_MMIO);
	assert_int_equal(entry.id, id);
	assert_int_equal(entry.state, 0);
	assert_int_equal(entry.revocation, 0);
	assert_int_equal(stats.mapped_bytes, BAR_SIZE);
	assert_int_equal(stats.pinned_pages, 0);
	assert_leads_to_mmio(&first, IOVA);
	assert_int_equal(faultq_unmap(vm, IOVA, PAGE, NULL), -EINVAL);
	assert_int_equal(faultq_unmap(vm, 0, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, BAR_SIZE);
	assert_int_equal(vm_stats(vm, 0).mapped_bytes, 0);
	assert_leads_nowhere(&first, IOVA);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -ENOENT);
	assert_int_equal(map_bar(IOVA, RW), id + 1);
}

static void permissions_are_kept(void **state)
{
	(void)state;
	map_bar(IOVA, FAULTQ_MAP_READ);
	assert_int_equal(access_of(&first, MOCK_IOMMU_WRITE, IOVA), MOCK_IOMMU_ACCESS_DENIED);
	assert_int_equal(access_of(&first, MOCK_IOMMU_READ, IOVA), MOCK_IOMMU_ACCESS_NO_MEMORY);
	assert_int_equal(mprotect(bar.memory, BAR_SIZE, PROT_READ), 0);
	assert_int_equal(faultq_map_mmio(vm, IOVA + BAR_SIZE, bar.memory, BAR_SIZE, RW, NULL),
			 -EFAULT);
	map_bar(IOVA + BAR_SIZE, FAULTQ_MAP_READ);
}

static void a_part_of_a_bar_can_be_mapped(void **state)
{
	(void)state;
	assert_int_equal(faultq_map_mmio(vm, IOVA, bar.memory + 3 * PAGE, 2 * PAGE, RW, NULL), 0);
	assert_int_equal(access_of(&first, MOCK_IOMMU_READ, IOVA + PAGE),
			 MOCK_IOMMU_ACCESS_NO_MEMORY);
	assert_int_equal(access_of(&first, MOCK_IOMMU_READ, IOVA + 2 * PAGE),
			 MOCK_IOMMU_ACCESS_MISS);
}

static void a_whole_bar_can_be_mapped(void **state)
{
	uint8_t *whole = bar_map_whole(&bar);
	uint64_t id;

	(void)state;
	assert_int_equal(faultq_map_mmio(vm, IOVA, whole, BAR_WHOLE, RW, &id), 0);
	for (uint64_t offset = 0; offset < BAR_WHOLE; offset += BAR_SIZE)
		assert_leads_to_mmio(&first, IOVA + offset);
	bar_decode(&bar, false);
	for (uint64_t offset = 0; offset < BAR_WHOLE; offset += BAR_SIZE)
		assert_leads_nowhere(&first, IOVA + offset);
	bar_decode(&bar, true);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), 0);
	assert_leads_to_mmio(&first, IOVA + BAR_WHOLE - BAR_SIZE);
	munmap(whole, BAR_WHOLE);
	assert_leads_nowhere(&first, IOVA + BAR_WHOLE - BAR_SIZE);
}

static void refuse(void *memory, uint64_t length, uint32_t flags)
{
	assert_int_equal(faultq_map_mmio(vm, IOVA, memory, length, RW | flags, NULL), -EFAULT);
	assert_leads_nowhere(&first, IOVA);
	assert_int_equal(vm_stats(vm, 0).mapped_bytes, 0);
}

/* Everything but watched MMIO is refused, whatever flag says that it may be watched in part. */
static void other_mappings_are_refused(void **state)
{
	void *memory = pages_new(16), *ring = mmap(NULL, PAGE, PROT_READ, MAP_SHARED,
						   faultq_fd(vm), 0);
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	void *physical = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0xfed00000);

	(void)state;
	refuse(memory, PAGE, 0);
	refuse(memory, PAGE, FAULTQ_MAP_PARTLY_WATCHED);
	refuse(ring, PAGE, FAULTQ_MAP_PARTLY_WATCHED);
	refuse(NULL, PAGE, FAULTQ_MAP_PARTLY_WATCHED);
	if (physical != MAP_FAILED) {
		refuse(physical, PAGE, 0);
		refuse(physical, PAGE, FAULTQ_MAP_PARTLY_WATCHED);
		munmap(physical, PAGE);
	}
	close(fd);
	munmap(ring, PAGE);
	pages_free(memory, 16);
}

static void what_is_behind_the_bar_is_refused(void **state)
{
	uint8_t *place = mmap(NULL, 2 * BAR_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_equal(bar_map(&bar, place), place);
	refuse(place, BAR_SIZE + PAGE, 0);
	refuse(place + BAR_SIZE, PAGE, 0);
	munmap(place, 2 * BAR_SIZE);
	refuse(place, BAR_SIZE, 0);
}

static void a_bar_that_is_away_is_refused(void **state)
{
	(void)state;
	bar_decode(&bar, false);
	refuse(bar.memory, BAR_SIZE, 0);
	bar_decode(&bar, true);
	map_bar(IOVA, RW);
}

static void other_mappings_and_windows_are_in_the_way(void **state)
{
	void *memory = pages_new(1);

	(void)state;
	map_bar(IOVA, RW);
	assert_int_equal(faultq_map_mmio(vm, IOVA, bar.memory, PAGE, RW, NULL), -EEXIST);
	assert_int_equal(faultq_map(vm, IOVA + PAGE, memory, PAGE, RW), -EEXIST);
	window_add(vm, IOVA + BAR_SIZE, PAGE, FAULTQ_WINDOW_RESERVED, 0);
	assert_int_equal(faultq_map_mmio(vm, IOVA + BAR_SIZE, bar.memory, PAGE, RW, NULL), -EEXIST);
	assert_int_equal(faultq_map_mmio(vm, 1ull << 52, bar.memory, PAGE, RW, NULL), -EINVAL);
	assert_int_equal(vm_stats(vm, 0).mapped_bytes, BAR_SIZE);
	pages_free(memory, 1);
}

/* Two mappings of the process side by side are two extents of one mapping. */
static void extents_are_revoked_one_by_one(void **state)
{
	uint8_t *place = mmap(NULL, 2 * BAR_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct faultq_restore restore;
	struct faultq_record record;
	uint64_t id;

	(void)state;
	assert_non_null(bar_map(&bar, place));
	assert_non_null(bar_map(&bar, place + BAR_SIZE));
	assert_int_equal(faultq_map_mmio(vm, IOVA, place, 2 * BAR_SIZE, RW, &id), 0);
	assert_int_equal(mmio_entry(vm, IOVA).length, BAR_SIZE);
	assert_int_equal(mmio_entry(vm, IOVA + BAR_SIZE).id, id);
	munmap(place, BAR_SIZE);
	record = mmio_event(vm);
	assert_int_equal(record.address, IOVA);
	assert_int_equal(record.cookie, id);
	assert_leads_nowhere(&first, IOVA);
	assert_leads_to_mmio(&first, IOVA + BAR_SIZE);
	assert_int_equal(mmio_entry(vm, IOVA).state, FAULTQ_MAPPING_REVOKED);
	assert_int_equal(mmio_entry(vm, IOVA).revocation, FAULTQ_REVOKED_UNMAPPED);
	assert_int_equal(mmio_entry(vm, IOVA + BAR_SIZE).state, 0);
	munmap(place + BAR_SIZE, BAR_SIZE);
	assert_int_equal(mmio_event(vm).address, IOVA + BAR_SIZE);
	assert_non_null(bar_map(&bar, place + BAR_SIZE));
	assert_int_equal(faultq_mmio_restore(vm, id, &restore), 0);
	assert_int_equal(restore.restored, BAR_SIZE);
	assert_int_equal(restore.revoked, BAR_SIZE);
	assert_int_equal(faultq_mmio_restore(vm, id, &restore), -EFAULT);
	assert_int_equal(faultq_unmap(vm, IOVA, 2 * BAR_SIZE, NULL), 0);
	assert_leads_nowhere(&first, IOVA + BAR_SIZE);
	munmap(place + BAR_SIZE, BAR_SIZE);
}

static void devices_that_come_get_what_is_mapped(void **state)
{
	uint32_t device;

	(void)state;
	map_bar(IOVA, RW);
	map_bar(IOVA + BAR_SIZE, RW | FAULTQ_MAP_SCRATCH);
	device = vm_attach(vm, &second);
	assert_leads_to_mmio(&second, IOVA);
	bar_decode(&bar, false);
	assert_leads_nowhere(&first, IOVA);
	assert_leads_nowhere(&second, IOVA);
	while (!(mmio_entry(vm, IOVA + BAR_SIZE).state & FAULTQ_MAPPING_SCRATCH))
		usleep(1000);
	vm_detach(vm, device);
	device = vm_attach(vm, &second);
	assert_leads_nowhere(&second, IOVA);
	assert_int_equal(access_of(&second, MOCK_IOMMU_WRITE, IOVA + BAR_SIZE),
			 MOCK_IOMMU_ACCESS_DONE);
	vm_detach(vm, device);
	bar_decode(&bar, true);
	assert_int_equal(faultq_mmio_restore(vm, mmio_entry(vm, IOVA).id, NULL), 0);
	vm_attach(vm, &second);
	assert_leads_to_mmio(&second, IOVA);
	assert_leads_to_mmio(&first, IOVA);
}

static void it_can_be_mapped_before_the_first_device(void **state)
{
	struct faultq *early;

	(void)state;
	faultq_close(vm);
	assert_int_equal(faultq_open(&early), 0);
	assert_int_equal(faultq_queue(early, 8, 64, -1, 0), 0);
	assert_int_equal(faultq_map_mmio(early, IOVA, bar.memory, BAR_SIZE, RW, NULL), 0);
	vm_attach(early, &first);
	assert_leads_to_mmio(&first, IOVA);
	vm = early;
}

/* Revoked before there is a queue: MAPPINGS tells, and so does the queue when it comes. */
static void a_vm_without_a_queue_is_told_later(void **state)
{
	struct faultq *early;
	uint64_t id;

	(void)state;
	assert_int_equal(faultq_open(&early), 0);
	assert_int_equal(faultq_map_mmio(early, IOVA, bar.memory, BAR_SIZE, RW, &id), 0);
	bar_decode(&bar, false);
	bar_decode(&bar, true);
	assert_int_equal(mmio_entry(early, IOVA).state, FAULTQ_MAPPING_REVOKED);
	assert_int_equal(faultq_queue(early, 8, 64, -1, 0), 0);
	mmio_assert_revoked(early, id, FAULTQ_REVOKED_CLEARED);
	faultq_close(early);
}

static int map_page(uint32_t number)
{
	return faultq_map_mmio(vm, IOVA + number * PAGE, bar.memory, PAGE, RW, NULL);
}

static void extents_are_bounded(void **state)
{
	uint32_t max = mmio_max_extents(vm), i;
	uint64_t unmapped;

	(void)state;
	for (i = 0; i < max; i++)
		assert_int_equal(map_page(i), 0);
	assert_int_equal(map_page(i), -ENOSPC);
	bar_decode(&bar, false);
	for (i = 0; i < max; i++)
		assert_int_equal(access_of(&first, MOCK_IOMMU_READ, IOVA + i * PAGE),
				 MOCK_IOMMU_ACCESS_MISS);
	bar_decode(&bar, true);
	assert_int_equal(faultq_unmap(vm, 0, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, max * PAGE);
	map_bar(IOVA, RW);
}

/* Events of what was unmapped are not told any more. */
static void unmapped_is_forgotten(void **state)
{
	uint64_t ids[3];

	(void)state;
	for (unsigned int round = 0; round < 40; round++) {
		for (unsigned int i = 0; i < 3; i++)
			ids[i] = map_bar(IOVA + i * BAR_SIZE, RW);
		bar_decode(&bar, false);
		bar_decode(&bar, true);
		assert_int_equal(faultq_unmap(vm, 0, UINT64_MAX, NULL), 0);
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(faultq_mmio_restore(vm, ids[i], NULL), -ENOENT);
	}
	/* a ring of 64 has room for 16 */
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(mmio_event(vm).type, FAULTQ_MMIO_REVOKED);
	mmio_assert_silence(vm);
	assert_int_equal(vm_stats(vm, 0).revocations, 120);
}

static void a_container_takes_bars(void **state)
{
	void *memory = pages_new(1);
	uint64_t unmapped;
	struct faultq *own;
	int container;

	(void)state;
	bar_close(&bar);
	bar_open_in(&bar, &ivshmem, FAULTQ_VFIO_IOMMU);
	container = bar.vfio.container;
	own = vfio_vm(container);
	assert_int_equal(faultq_queue(own, 8, 64, -1, 0), 0);
	assert_int_equal(vfio_map(container, IOVA, bar.memory, BAR_SIZE, VFIO_DMA_MAP_FLAG_READ |
				  VFIO_DMA_MAP_FLAG_WRITE), 0);
	assert_int_equal(mmio_entry(own, IOVA).flags, RW | FAULTQ_MAP_MMIO);
	bar_reset(&bar);
	mmio_assert_revoked(own, mmio_entry(own, IOVA).id, FAULTQ_REVOKED_CLEARED);
	assert_int_equal(faultq_mmio_restore(own, mmio_entry(own, IOVA).id, NULL), 0);
	assert_int_equal(vfio_unmap(container, IOVA, BAR_SIZE, 0, &unmapped), 0);
	assert_int_equal(unmapped, BAR_SIZE);
	bar_decode(&bar, false);
	assert_int_equal(vfio_map(container, IOVA, bar.memory, BAR_SIZE, VFIO_DMA_MAP_FLAG_READ),
			 -EFAULT);
	bar_decode(&bar, true);
	assert_int_equal(vfio_map(container, IOVA, memory, PAGE, VFIO_DMA_MAP_FLAG_READ), 0);
	faultq_close(own);
	pages_free(memory, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_bar_is_mapped_and_unmapped),
		TEST(permissions_are_kept),
		TEST(a_part_of_a_bar_can_be_mapped),
		TEST(a_whole_bar_can_be_mapped),
		TEST(other_mappings_are_refused),
		TEST(what_is_behind_the_bar_is_refused),
		TEST(a_bar_that_is_away_is_refused),
		TEST(other_mappings_and_windows_are_in_the_way),
		TEST(extents_are_revoked_one_by_one),
		TEST(devices_that_come_get_what_is_mapped),
		TEST(it_can_be_mapped_before_the_first_device),
		TEST(a_vm_without_a_queue_is_told_later),
		TEST(extents_are_bounded),
		TEST(unmapped_is_forgotten),
		TEST(a_container_takes_bars),
	};

	return tap_run_group(tests, make_devices, remove_devices);
}
