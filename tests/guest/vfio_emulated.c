// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of VFIO that software emulates: their DMA passes through no IOMMU, so nothing of this
 * backend would hold for them. It refuses their groups, and whoever asked can go to type1. Their
 * files may have a part of another device's BAR, which cannot be mapped for other devices' DMA: it
 * stays with the kernel's driver of that device, and nobody takes it back in time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/module.h"
#include "support/vfio.h"

#define IOVA	0x400000ull	/* within edu's 28 bits */
#define RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define GROUP	"/sys/bus/platform/devices/emulated/iommu_group"

static struct pci edu;
static int emulated = -1;

static int load_all(void **state)
{
	(void)state;
	vfio_take_edu(&edu);
	assert_int_equal(module_load("emulated_vfio"), 0);
	return 0;
}

static int unload_all(void **state)
{
	(void)state;
	assert_int_equal(module_unload("emulated_vfio"), 0);
	vfio_give_edu_back(&edu);
	return 0;
}

/* VFIO gives the group a number, and a file of that name. */
static int open_group(void **state)
{
	char target[128] = "", path[160];

	(void)state;
	assert_true(readlink(GROUP, target, sizeof(target) - 1) > 0);
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(target, '/'));
	emulated = open(path, O_RDWR | O_CLOEXEC);
	return emulated < 0 ? -1 : 0;
}

static int close_group(void **state)
{
	(void)state;
	vfio_close_file(&emulated);
	return 0;
}

static int container_of_it(void)
{
	int container = vfio_container();

	assert_true(container >= 0);
	assert_int_equal(ioctl(emulated, VFIO_GROUP_SET_CONTAINER, &container), 0);
	return container;
}

static void a_container_of_one_is_refused(void **state)
{
	int container = container_of_it();

	(void)state;
	assert_int_equal(vfio_set_iommu(container, FAULTQ_VFIO_IOMMU), -EOPNOTSUPP);
	assert_int_equal(vfio_set_iommu(container, VFIO_TYPE1v2_IOMMU), 0);
	close(container);
}

static void type1_has_it_where_this_backend_comes_first(void **state)
{
	int container = container_of_it();

	(void)state;
	assert_int_equal(vfio_parameter(MODULE_VFIO, "type1", "1"), 0);
	assert_int_equal(vfio_set_iommu(container, VFIO_TYPE1v2_IOMMU), 0);
	assert_int_equal(ioctl(container, FAULTQ_VFIO_VM, 0) < 0 ? -errno : 0, -ENOTTY);
	assert_int_equal(vfio_parameter(MODULE_VFIO, "type1", "0"), 0);
	close(container);
}

static void one_that_joins_is_refused_and_changes_nothing(void **state)
{
	char *memory = pages_new(2);
	struct vfio stack;

	(void)state;
	vfio_open(&stack, &edu, FAULTQ_VFIO_IOMMU);
	assert_int_equal(ioctl(emulated, VFIO_GROUP_SET_CONTAINER, &stack.container) ? -errno : 0,
			 -EOPNOTSUPP);
	assert_int_equal(vfio_map(stack.container, IOVA, memory, 2 * PAGE, RW), 0);
	vfio_assert_edu_copies(&stack, memory, IOVA);
	vfio_close(&stack);
	pages_free(memory, 2);
}

/* A part of the BAR of a device that has a driver of the kernel, as a mediated device has it. */
static void *map_slice(const struct pci *nic, int *device)
{
	void *slice;

	assert_int_equal(system("modprobe e1000e"), 0);
	assert_int_equal(vfio_parameter("emulated_vfio", "parent", nic->address), 0);
	*device = ioctl(emulated, VFIO_GROUP_GET_DEVICE_FD, "emulated");
	assert_true(*device >= 0);
	slice = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, *device, 0);
	assert_ptr_not_equal(slice, MAP_FAILED);
	return slice;
}

static void a_part_of_a_drivers_device_cannot_be_mapped(void **state)
{
	const uint32_t any = FAULTQ_MAP_READ | FAULTQ_MAP_WRITE;
	int container = container_of_it(), device = -1;
	struct vfio stack;
	struct faultq *fq;
	struct pci nic;
	void *slice;

	(void)state;
	assert_true(pci_find(&nic, PCI_E1000E, NULL));
	assert_int_equal(vfio_set_iommu(container, VFIO_TYPE1v2_IOMMU), 0);
	slice = map_slice(&nic, &device);
	vfio_open(&stack, &edu, FAULTQ_VFIO_IOMMU);
	fq = vfio_vm(stack.container);
	assert_int_equal(faultq_map_mmio(fq, IOVA, slice, 2 * PAGE, any, NULL), -EFAULT);
	assert_int_equal(faultq_map_mmio(fq, IOVA, slice, 2 * PAGE,
					 any | FAULTQ_MAP_PARTLY_WATCHED, NULL), -EFAULT);
	assert_int_equal(vfio_map(stack.container, IOVA, slice, 2 * PAGE, RW), -EFAULT);
	assert_int_equal(vm_stats(fq, 0).mapped_bytes, 0);
	faultq_close(fq);
	vfio_close(&stack);
	munmap(slice, 2 * PAGE);
	close(device);
	close(container);
	assert_int_equal(system("modprobe -r e1000e"), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_group, close_group)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_container_of_one_is_refused),
		TEST(type1_has_it_where_this_backend_comes_first),
		TEST(one_that_joins_is_refused_and_changes_nothing),
		TEST(a_part_of_a_drivers_device_cannot_be_mapped),
	};

	return tap_run_group(tests, load_all, unload_all);
}
