// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI devices attached by name, behind the machine's own IOMMU: their DMA goes through the VM's
 * address space and nowhere else, and nobody else can have them meanwhile.
 *
 * edu cannot be reset and is held after each test; the fixture lets it go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <faultq.h>

#include "support/kinds.h"
#include "support/pci.h"
#include "support/tap.h"

#define PAGE		4096
#define IOVA		0x100000	/* within edu's 28 bits */
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static struct pci edu, nic;
static struct faultq *vm;

static uint8_t *new_pages(size_t count)
{
	uint8_t *memory = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void fill(uint8_t *memory, size_t length, unsigned int seed)
{
	for (size_t i = 0; i < length; i++)
		memory[i] = seed + i * 5 + i / 256;
}

static bool is_zero(const uint8_t *memory, size_t length)
{
	return !memory[0] && !memcmp(memory, memory + 1, length - 1);
}

static struct faultq_attach attach(struct faultq *fq, const struct pci *pci)
{
	struct faultq_attach attach;

	assert_int_equal(faultq_attach(fq, pci->name, &attach), 0);
	return attach;
}

/* Copies through the device's buffer, from one IOVA to another. */
static void copy_by_edu(uint64_t from, uint64_t to, unsigned int length)
{
	edu_dma(&edu, EDU_READ, from, length);
	edu_dma(&edu, EDU_WRITE, to, length);
}

static int find_devices(void **state)
{
	(void)state;
	if (!pci_find(&edu, PCI_EDU, NULL) || !pci_find(&nic, PCI_E1000E, "bus"))
		return -1;
	return 0;
}

static int open_vm(void **state)
{
	(void)state;
	assert_int_equal(faultq_open(&vm), 0);
	return 0;
}

static int close_vm(void **state)
{
	(void)state;
	faultq_close(vm);
	return 0;
}

static int open_edu(void **state)
{
	open_vm(state);
	pci_open(&edu);
	attach(vm, &edu);
	pci_set_master(&edu, true);
	return 0;
}

static int close_edu(void **state)
{
	struct faultq *fq;

	pci_close(&edu);
	close_vm(state);
	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_release(fq, edu.name), 0);
	faultq_close(fq);
	return 0;
}

/* What ATTACH tells */

static void attach_tells_the_group(void **state)
{
	struct faultq_attach told = attach(vm, &edu);

	(void)state;
	assert_int_not_equal(told.device, 0);
	assert_int_equal(told.group, pci_group(&edu));
}

/* No driver of the lanes' IOMMUs has page requests of edu; that of SMMUv3 may have faults. */
static void attach_tells_what_the_driver_reports(void **state)
{
	struct faultq_attach told = attach(vm, &edu);
	char iommu[32];

	(void)state;
	assert_true(pci_iommu(&edu, iommu, sizeof(iommu)));
	assert_int_not_equal(told.no_page_request, FAULTQ_WHY_DELIVERED);
	assert_int_not_equal(told.no_page_request, FAULTQ_WHY_UNKNOWN);
	if (strncmp(iommu, "smmu3.", 6)) {
		assert_int_equal(told.kinds, 0);
		assert_int_equal(told.no_unrecoverable, FAULTQ_WHY_DRIVER);
	} else if (kernel_delivers(FAULTQ_KIND_UNRECOVERABLE)) {
		assert_int_equal(told.kinds, FAULTQ_KIND_UNRECOVERABLE);
		assert_int_equal(told.no_unrecoverable, FAULTQ_WHY_DELIVERED);
	} else {
		assert_int_equal(told.kinds, 0);
		assert_int_equal(told.no_unrecoverable, FAULTQ_WHY_KERNEL);
	}
}

static void attach_again_tells_the_same_id(void **state)
{
	struct faultq_attach first = attach(vm, &edu), second = attach(vm, &edu);
	struct faultq_stats stats;

	(void)state;
	assert_int_equal(second.device, first.device);
	assert_int_equal(second.group, first.group);
	assert_int_equal(faultq_stats(vm, 0, &stats), 0);
	assert_int_equal(stats.devices, 1);
}

static void two_devices_of_one_vm_get_different_ids(void **state)
{
	struct faultq_attach first = attach(vm, &edu), second = attach(vm, &nic);

	(void)state;
	assert_int_not_equal(second.device, first.device);
	assert_int_not_equal(second.group, first.group);
	assert_int_equal(faultq_detach(vm, second.device, NULL), 0);
}

static void another_vm_cannot_attach_it(void **state)
{
	struct faultq *other;

	(void)state;
	assert_int_equal(faultq_open(&other), 0);
	assert_int_equal(faultq_attach(other, edu.name, NULL), -EBUSY);
	faultq_close(other);
}

/* DMA */

static void dma_copies_anonymous_memory_both_ways(void **state)
{
	uint8_t *memory = new_pages(2);

	(void)state;
	fill(memory, EDU_DMA_MAX, 1);
	assert_int_equal(faultq_map(vm, IOVA, memory, 2 * PAGE, RW), 0);
	copy_by_edu(IOVA, IOVA + PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory + PAGE, memory, EDU_DMA_MAX);
	assert_true(is_zero(memory + PAGE + EDU_DMA_MAX, PAGE - EDU_DMA_MAX));
	munmap(memory, 2 * PAGE);
}

static void dma_copies_a_memfd_both_ways(void **state)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	uint8_t wanted[EDU_DMA_MAX], found[EDU_DMA_MAX];
	void *memory;

	(void)state;
	fill(wanted, sizeof(wanted), 2);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	assert_int_equal(pwrite(fd, wanted, sizeof(wanted), 0), sizeof(wanted));
	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);

	assert_int_equal(faultq_map(vm, IOVA, memory, 2 * PAGE, RW), 0);
	munmap(memory, 2 * PAGE);
	copy_by_edu(IOVA, IOVA + PAGE, EDU_DMA_MAX);
	assert_int_equal(pread(fd, found, sizeof(found), PAGE), sizeof(found));
	assert_memory_equal(found, wanted, sizeof(wanted));
	close(fd);
}

/* Two pages that are not neighbours in memory, but in the address space. */
static void dma_crosses_from_one_mapping_into_the_next(void **state)
{
	uint8_t *source = new_pages(1), *first = new_pages(2), *second = new_pages(2);

	(void)state;
	fill(source, EDU_DMA_MAX, 3);
	assert_int_equal(faultq_map(vm, IOVA, source, PAGE, RW), 0);
	assert_int_equal(faultq_map(vm, IOVA + PAGE, first, PAGE, RW), 0);
	assert_int_equal(faultq_map(vm, IOVA + 2 * PAGE, second + PAGE, PAGE, RW), 0);
	copy_by_edu(IOVA, IOVA + 2 * PAGE - EDU_DMA_MAX / 2, EDU_DMA_MAX);
	assert_memory_equal(first + PAGE - EDU_DMA_MAX / 2, source, EDU_DMA_MAX / 2);
	assert_memory_equal(second + PAGE, source + EDU_DMA_MAX / 2, EDU_DMA_MAX / 2);
	munmap(source, PAGE);
	munmap(first, 2 * PAGE);
	munmap(second, 2 * PAGE);
}

static void memory_mapped_before_attach_is_reached(void **state)
{
	uint8_t *memory = new_pages(2);

	(void)state;
	assert_int_equal(faultq_open(&vm), 0);
	fill(memory, EDU_DMA_MAX, 4);
	assert_int_equal(faultq_map(vm, IOVA, memory, 2 * PAGE, RW), 0);
	pci_open(&edu);
	attach(vm, &edu);
	pci_set_master(&edu, true);
	copy_by_edu(IOVA, IOVA + PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory + PAGE, memory, EDU_DMA_MAX);
	munmap(memory, 2 * PAGE);
}

static void dma_to_an_unmapped_iova_is_blocked(void **state)
{
	uint8_t *memory = new_pages(3), *copy = new_pages(3);

	(void)state;
	fill(memory, 3 * PAGE, 5);
	memcpy(copy, memory, 3 * PAGE);
	/* the neighbours of the page that is mapped are not */
	assert_int_equal(faultq_map(vm, IOVA, memory + PAGE, PAGE, RW), 0);
	edu_dma(&edu, EDU_READ, IOVA, EDU_DMA_MAX);
	edu_dma(&edu, EDU_WRITE, IOVA + PAGE, EDU_DMA_MAX);
	edu_dma(&edu, EDU_WRITE, IOVA - PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory, copy, 3 * PAGE);
	munmap(memory, 3 * PAGE);
	munmap(copy, 3 * PAGE);
}

static void dma_from_an_unmapped_iova_brings_nothing(void **state)
{
	uint8_t *memory = new_pages(2), secret[EDU_DMA_MAX];

	(void)state;
	fill(memory, PAGE, 6);
	memcpy(secret, memory, sizeof(secret));
	assert_int_equal(faultq_map(vm, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_map(vm, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	assert_int_equal(faultq_unmap(vm, IOVA, PAGE, NULL), 0);
	copy_by_edu(IOVA, IOVA + PAGE, EDU_DMA_MAX);
	assert_memory_not_equal(memory + PAGE, secret, sizeof(secret));
	munmap(memory, 2 * PAGE);
}

static void dma_is_blocked_after_unmap(void **state)
{
	uint8_t *memory = new_pages(2);
	uint64_t unmapped;

	(void)state;
	fill(memory, EDU_DMA_MAX, 7);
	assert_int_equal(faultq_map(vm, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_map(vm, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	copy_by_edu(IOVA, IOVA + PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory + PAGE, memory, EDU_DMA_MAX);

	assert_int_equal(faultq_unmap(vm, IOVA + PAGE, PAGE, &unmapped), 0);
	assert_int_equal(unmapped, PAGE);
	memset(memory + PAGE, 0, PAGE);
	edu_dma(&edu, EDU_WRITE, IOVA + PAGE, EDU_DMA_MAX);
	assert_true(is_zero(memory + PAGE, PAGE));
	munmap(memory, 2 * PAGE);
}

static void memory_mapped_anew_takes_the_place_of_the_old(void **state)
{
	uint8_t *memory = new_pages(3);

	(void)state;
	fill(memory, EDU_DMA_MAX, 8);
	assert_int_equal(faultq_map(vm, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_map(vm, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	edu_dma(&edu, EDU_READ, IOVA, EDU_DMA_MAX);
	edu_dma(&edu, EDU_WRITE, IOVA + PAGE, 8);
	memset(memory + PAGE, 0, PAGE);

	assert_int_equal(faultq_unmap(vm, IOVA + PAGE, PAGE, NULL), 0);
	assert_int_equal(faultq_map(vm, IOVA + PAGE, memory + 2 * PAGE, PAGE, RW), 0);
	edu_dma(&edu, EDU_WRITE, IOVA + PAGE, EDU_DMA_MAX);
	assert_true(is_zero(memory + PAGE, PAGE));
	assert_memory_equal(memory + 2 * PAGE, memory, EDU_DMA_MAX);
	munmap(memory, 3 * PAGE);
}

static void memory_mapped_for_reading_is_not_written(void **state)
{
	uint8_t *memory = new_pages(2);

	(void)state;
	fill(memory, EDU_DMA_MAX, 9);
	assert_int_equal(faultq_map(vm, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_map(vm, IOVA + PAGE, memory + PAGE, PAGE, FAULTQ_MAP_READ), 0);
	copy_by_edu(IOVA, IOVA + PAGE, EDU_DMA_MAX);
	assert_true(is_zero(memory + PAGE, PAGE));
	munmap(memory, 2 * PAGE);
}

static void copy_by_nic(void)
{
	uint8_t *memory = new_pages(1);
	int held;

	assert_int_equal(faultq_map(vm, IOVA, memory, PAGE, RW), 0);
	pci_open(&nic);
	struct faultq_attach told = attach(vm, &nic);

	pci_set_master(&nic, true);
	e1000e_fill(memory, IOVA, 10);
	e1000e_program(&nic, IOVA);
	e1000e_send(&nic);
	assert_true(e1000e_has_copied(memory));
	assert_int_equal(faultq_detach(vm, told.device, &held), 0);
	assert_int_equal(held, 0);
	pci_close(&nic);
	munmap(memory, PAGE);
}

static void a_network_device_copies_through_the_same_address_space(void **state)
{
	(void)state;
	copy_by_nic();
}

/* Drivers */

static int load_driver(void **state)
{
	assert_int_equal(system("modprobe e1000e"), 0);
	return open_vm(state);
}

static int unload_driver(void **state)
{
	close_vm(state);
	assert_int_equal(system("modprobe -r e1000e"), 0);
	return 0;
}

static void a_device_with_a_driver_cannot_be_attached(void **state)
{
	(void)state;
	assert_int_equal(faultq_attach(vm, nic.name, NULL), -EBUSY);
	assert_int_equal(pci_unbind(&nic, "e1000e"), 0);
	assert_int_equal(faultq_attach(vm, nic.name, NULL), 0);
}

static void a_device_copies_that_its_driver_has_just_left(void **state)
{
	(void)state;
	assert_int_equal(pci_unbind(&nic, "e1000e"), 0);
	copy_by_nic();
}

static void a_driver_binds_only_after_the_detach(void **state)
{
	struct faultq_attach told;
	int held;

	(void)state;
	assert_int_equal(pci_unbind(&nic, "e1000e"), 0);
	told = attach(vm, &nic);
	assert_int_equal(pci_bind(&nic, "e1000e"), -EBUSY);
	assert_int_equal(faultq_detach(vm, told.device, &held), 0);
	assert_int_equal(held, 0);
	assert_int_equal(pci_bind(&nic, "e1000e"), 0);
}

static void a_driver_binds_only_after_the_close(void **state)
{
	(void)state;
	assert_int_equal(pci_unbind(&nic, "e1000e"), 0);
	attach(vm, &nic);
	assert_int_equal(pci_bind(&nic, "e1000e"), -EBUSY);
	faultq_close(vm);
	assert_int_equal(pci_bind(&nic, "e1000e"), 0);
	assert_int_equal(faultq_open(&vm), 0);
}

#define EDU_TEST(test) cmocka_unit_test_setup_teardown(test, open_edu, close_edu)
#define DRIVER_TEST(test) cmocka_unit_test_setup_teardown(test, load_driver, unload_driver)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EDU_TEST(attach_tells_the_group),
		EDU_TEST(attach_tells_what_the_driver_reports),
		EDU_TEST(attach_again_tells_the_same_id),
		EDU_TEST(two_devices_of_one_vm_get_different_ids),
		EDU_TEST(another_vm_cannot_attach_it),
		EDU_TEST(dma_copies_anonymous_memory_both_ways),
		EDU_TEST(dma_copies_a_memfd_both_ways),
		EDU_TEST(dma_crosses_from_one_mapping_into_the_next),
		cmocka_unit_test_teardown(memory_mapped_before_attach_is_reached, close_edu),
		EDU_TEST(dma_to_an_unmapped_iova_is_blocked),
		EDU_TEST(dma_from_an_unmapped_iova_brings_nothing),
		EDU_TEST(dma_is_blocked_after_unmap),
		EDU_TEST(memory_mapped_anew_takes_the_place_of_the_old),
		EDU_TEST(memory_mapped_for_reading_is_not_written),
		EDU_TEST(a_network_device_copies_through_the_same_address_space),
		DRIVER_TEST(a_device_with_a_driver_cannot_be_attached),
		DRIVER_TEST(a_device_copies_that_its_driver_has_just_left),
		DRIVER_TEST(a_driver_binds_only_after_the_detach),
		DRIVER_TEST(a_driver_binds_only_after_the_close),
	};

	return tap_run_group(tests, find_devices, NULL);
}
