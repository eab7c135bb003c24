// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO containers set to this backend: stock vfio-pci hands out QEMU's edu, whose DMA goes through
 * the VM of the container; the VM's own file has its queue, its lists and its calls; and container,
 * group, device and VM file are closed in any order.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/module.h"
#include "support/pci.h"
#include "support/space.h"

#define IOVA	0x400000ull	/* within edu's 28 bits */
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static struct pci edu;

/**
 * struct stack - an open device, and what is under it
 * @container: file of the container, or -1 like the others
 * @group: file of the group
 * @device: file of the device
 */
static struct stack {
	int container;
	int group;
	int device;
} stack;

static int load_all(void **state)
{
	(void)state;
	assert_true(pci_find(&edu, PCI_EDU, NULL));
	assert_int_equal(system("modprobe vfio_iommu_type1 && modprobe vfio-pci"), 0);
	assert_int_equal(module_load(MODULE_VFIO), 0);
	assert_int_equal(pci_write_attribute(&edu, "driver_override", "vfio-pci"), 0);
	assert_int_equal(pci_bind(&edu, "vfio-pci"), 0);
	return 0;
}

static int unload_all(void **state)
{
	(void)state;
	assert_int_equal(pci_unbind(&edu, "vfio-pci"), 0);
	assert_int_equal(pci_write_attribute(&edu, "driver_override", "\n"), 0);
	assert_int_equal(module_unload(MODULE_VFIO), 0);
	return 0;
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		assert_int_equal(close(*fd), 0);
	*fd = -1;
}

static void open_group(void)
{
	char path[32];

	stack = (struct stack){ .device = -1 };
	stack.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "/dev/vfio/%ld", pci_group(&edu));
	stack.group = open(path, O_RDWR | O_CLOEXEC);
	assert_true(stack.container >= 0 && stack.group >= 0);
	assert_int_equal(ioctl(stack.group, VFIO_GROUP_SET_CONTAINER, &stack.container), 0);
}

static void map_bar(void)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region), .index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	assert_int_equal(ioctl(stack.device, VFIO_DEVICE_GET_REGION_INFO, &region), 0);
	assert_int_equal(ioctl(stack.device, VFIO_DEVICE_GET_REGION_INFO, &config), 0);
	assert_int_equal(pwrite(stack.device, &command, 2, config.offset + PCI_COMMAND), 2);
	edu.size = region.size;
	edu.registers = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, stack.device,
			     region.offset);
	assert_ptr_not_equal(edu.registers, MAP_FAILED);
}

static void unmap_bar(void)
{
	if (edu.registers)
		munmap(edu.registers, edu.size);
	edu.registers = NULL;
}

static int open_stack(void **state)
{
	(void)state;
	open_group();
	assert_int_equal(ioctl(stack.container, VFIO_SET_IOMMU, FAULTQ_VFIO_IOMMU), 0);
	stack.device = ioctl(stack.group, VFIO_GROUP_GET_DEVICE_FD, edu.address);
	assert_true(stack.device >= 0);
	map_bar();
	return 0;
}

static int close_stack(void **state)
{
	(void)state;
	unmap_bar();
	close_file(&stack.device);
	close_file(&stack.group);
	close_file(&stack.container);
	return 0;
}

static struct faultq *vm_of_container(void)
{
	int fd = ioctl(stack.container, FAULTQ_VFIO_VM, 0);
	struct faultq *fq;

	assert_true(fd >= 0);
	assert_int_equal(faultq_from_fd(&fq, fd), 0);
	return fq;
}

static int map_dma(uint64_t iova, void *memory, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = flags, .vaddr = (uintptr_t)memory, .iova = iova,
		.size = size,
	};

	return ioctl(stack.container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

static int unmap_dma(uint64_t iova, uint64_t size, uint32_t flags, uint64_t *unmapped)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .flags = flags, .iova = iova, .size = size,
	};
	int ret = ioctl(stack.container, VFIO_IOMMU_UNMAP_DMA, &unmap) ? -errno : 0;

	*unmapped = unmap.size;
	return ret;
}

static void assert_copies(char *memory)
{
	pages_fill(memory, EDU_DMA_MAX, 5);
	memset(memory + PAGE, 0, PAGE);
	edu_dma(&edu, EDU_READ, IOVA, EDU_DMA_MAX);
	edu_dma(&edu, EDU_WRITE, IOVA + PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory, memory + PAGE, EDU_DMA_MAX);
}

static void assert_blocked(char *memory)
{
	memset(memory + PAGE, 0x77, PAGE);
	edu_dma(&edu, EDU_WRITE, IOVA + PAGE, EDU_DMA_MAX);
	for (unsigned int i = 0; i < PAGE; i++)
		assert_int_equal(memory[PAGE + i], 0x77);
}

static void the_backend_answers_to_its_own_number(void **state)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_true(container >= 0);
	assert_int_equal(ioctl(container, VFIO_CHECK_EXTENSION, FAULTQ_VFIO_IOMMU), 1);
	assert_int_equal(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU), 1);
	assert_int_equal(ioctl(container, VFIO_CHECK_EXTENSION, 0x7ffe), 0);
	close(container);
}

static void dma_goes_through_the_containers_mappings(void **state)
{
	char *memory = pages_new(2);
	uint64_t unmapped;

	(void)state;
	assert_int_equal(map_dma(IOVA, memory, 2 * PAGE, RW), 0);
	assert_copies(memory);
	assert_int_equal(unmap_dma(IOVA, 2 * PAGE, 0, &unmapped), 0);
	assert_int_equal(unmapped, 2 * PAGE);
	assert_blocked(memory);
	pages_free(memory, 2);
}

static void bad_mappings_are_refused(void **state)
{
	char *memory = pages_new(2);
	uint64_t unmapped;

	(void)state;
	assert_int_equal(map_dma(IOVA + 1, memory, PAGE, RW), -EINVAL);
	assert_int_equal(map_dma(IOVA, memory, 0, RW), -EINVAL);
	assert_int_equal(map_dma(IOVA, memory, PAGE, 0), -EINVAL);
	assert_int_equal(map_dma(IOVA, memory, PAGE, RW | 1u << 31), -EINVAL);
	assert_int_equal(map_dma(IOVA, memory, 2 * PAGE, RW), 0);
	assert_int_equal(map_dma(IOVA + PAGE, memory, PAGE, RW), -EEXIST);
	assert_int_equal(unmap_dma(IOVA, PAGE, 0, &unmapped), -EINVAL);
	assert_int_equal(unmap_dma(IOVA, PAGE, VFIO_DMA_UNMAP_FLAG_ALL, &unmapped), -EINVAL);
	assert_int_equal(unmap_dma(0, 0, VFIO_DMA_UNMAP_FLAG_ALL, &unmapped), 0);
	assert_int_equal(unmapped, 2 * PAGE);
	assert_int_equal(ioctl(stack.container, VFIO_IOMMU_MAP_DMA, PAGE), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(ioctl(stack.container, FAULTQ_VFIO_VM, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ioctl(stack.container, _IO(';', 250), 0), -1);
	assert_int_equal(errno, ENOTTY);
	pages_free(memory, 2);
}

static void the_vms_file_is_a_vm_file(void **state)
{
	struct faultq_device_entry devices[4];
	struct faultq_window_entry windows[LIST_ROOM];
	struct faultq *fq = vm_of_container(), *second = vm_of_container();
	char *memory = pages_new(2);
	uint32_t count = 4;

	(void)state;
	assert_int_equal(faultq_devices(fq, 0, devices, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(devices[0].name, edu.name);
	assert_true(list_windows(fq, windows) >= 1);
	assert_int_equal(faultq_queue(fq, 8, 64, -1, 0), 0);
	assert_int_equal(faultq_takeover(second, -1), 0);
	assert_int_equal(faultq_map(second, IOVA, memory, 2 * PAGE, RW), 0);
	assert_int_equal(map_dma(IOVA, memory, PAGE, RW), -EEXIST);
	assert_copies(memory);
	faultq_close(second);
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	assert_blocked(memory);
	faultq_close(fq);
	pages_free(memory, 2);
}

static void the_vm_outlives_its_container(void **state)
{
	struct faultq *fq = vm_of_container();
	char *memory = pages_new(2);

	(void)state;
	assert_int_equal(map_dma(IOVA, memory, 2 * PAGE, RW), 0);
	/* while the device is open nothing of it goes */
	close_file(&stack.container);
	close_file(&stack.group);
	assert_copies(memory);
	assert_int_equal(vm_stats(fq, 0).devices, 1);
	unmap_bar();
	close_file(&stack.device);
	assert_int_equal(vm_stats(fq, 0).devices, 0);
	assert_int_equal(vm_stats(fq, 0).mapped_bytes, 2 * PAGE);
	faultq_close(fq);
	pages_free(memory, 2);
}

static void a_module_in_use_stays(void **state)
{
	struct faultq *fq = vm_of_container();

	assert_int_equal(module_unload(MODULE_VFIO), -EAGAIN);
	close_stack(state);
	assert_int_equal(module_unload(MODULE_FAULTQ), -EAGAIN);
	assert_int_equal(module_unload(MODULE_VFIO), 0);
	assert_int_equal(vm_stats(fq, 0).devices, 0);
	faultq_close(fq);
	assert_int_equal(module_load(MODULE_VFIO), 0);
	open_stack(state);
}

static void a_container_can_be_set_to_another_backend_then(void **state)
{
	struct faultq *fq = vm_of_container();
	char *memory = pages_new(2);

	(void)state;
	unmap_bar();
	close_file(&stack.device);
	assert_int_equal(ioctl(stack.group, VFIO_GROUP_UNSET_CONTAINER), 0);
	assert_int_equal(vm_stats(fq, 0).devices, 0);
	assert_int_equal(ioctl(stack.group, VFIO_GROUP_SET_CONTAINER, &stack.container), 0);
	assert_int_equal(ioctl(stack.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	stack.device = ioctl(stack.group, VFIO_GROUP_GET_DEVICE_FD, edu.address);
	assert_true(stack.device >= 0);
	map_bar();
	assert_int_equal(map_dma(IOVA, memory, 2 * PAGE, RW), 0);
	assert_copies(memory);
	assert_int_equal(ioctl(stack.container, FAULTQ_VFIO_VM, 0), -1);
	faultq_close(fq);
	pages_free(memory, 2);
}

static void afterwards_the_device_can_be_owned(void **state)
{
	struct faultq *fq = NULL;

	close_stack(state);
	assert_int_equal(pci_unbind(&edu, "vfio-pci"), 0);
	assert_int_equal(faultq_open(&fq), 0);
	vm_attach_name(fq, edu.name);
	faultq_close(fq);
	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_release(fq, edu.name), 0);
	faultq_close(fq);
	assert_int_equal(pci_bind(&edu, "vfio-pci"), 0);
	open_stack(state);
}

int main(void)
{
#define STACK(test) cmocka_unit_test_setup_teardown(test, open_stack, close_stack)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_backend_answers_to_its_own_number),
		STACK(dma_goes_through_the_containers_mappings),
		STACK(bad_mappings_are_refused),
		STACK(the_vms_file_is_a_vm_file),
		STACK(the_vm_outlives_its_container),
		STACK(a_module_in_use_stays),
		STACK(a_container_can_be_set_to_another_backend_then),
		STACK(afterwards_the_device_can_be_owned),
	};

	return tap_run_group(tests, load_all, unload_all);
}
