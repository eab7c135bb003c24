// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO containers set to this backend: stock vfio-pci hands out edu, whose DMA goes through
 * the VM of the container; the VM's own file has its queue, its lists and its calls; and container,
 * group, device and VM file are closed in any order.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "support/module.h"
#include "support/space.h"
#include "support/vfio.h"

#define IOVA	0x400000ull	/* within edu's 28 bits */
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static struct pci edu;
static struct vfio stack;

static int load_all(void **state)
{
	(void)state;
	vfio_take_edu(&edu);
	return 0;
}

static int unload_all(void **state)
{
	(void)state;
	vfio_give_edu_back(&edu);
	return 0;
}

static int open_stack(void **state)
{
	(void)state;
	vfio_open(&stack, &edu, FAULTQ_VFIO_IOMMU);
	return 0;
}

static int close_stack(void **state)
{
	(void)state;
	vfio_close(&stack);
	return 0;
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
	int container = vfio_container();

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
	assert_int_equal(vfio_map(stack.container, IOVA, memory, 2 * PAGE, RW), 0);
	vfio_assert_edu_copies(&stack, memory, IOVA);
	assert_int_equal(vfio_unmap(stack.container, IOVA, 2 * PAGE, 0, &unmapped), 0);
	assert_int_equal(unmapped, 2 * PAGE);
	assert_blocked(memory);
	pages_free(memory, 2);
}

static void bad_mappings_are_refused(void **state)
{
	char *memory = pages_new(2);
	uint64_t unmapped;

	(void)state;
	assert_int_equal(vfio_map(stack.container, IOVA + 1, memory, PAGE, RW), -EINVAL);
	assert_int_equal(vfio_map(stack.container, IOVA, memory, 0, RW), -EINVAL);
	assert_int_equal(vfio_map(stack.container, IOVA, memory, PAGE, 0), -EINVAL);
	assert_int_equal(vfio_map(stack.container, IOVA, memory, PAGE, RW | 1u << 31), -EINVAL);
	assert_int_equal(vfio_map(stack.container, IOVA, memory, 2 * PAGE, RW), 0);
	assert_int_equal(vfio_map(stack.container, IOVA + PAGE, memory, PAGE, RW), -EEXIST);
	assert_int_equal(vfio_unmap(stack.container, IOVA, PAGE, 0, &unmapped), -EINVAL);
	assert_int_equal(vfio_unmap(stack.container, IOVA, PAGE, VFIO_DMA_UNMAP_FLAG_ALL,
				    &unmapped), -EINVAL);
	assert_int_equal(vfio_unmap(stack.container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, &unmapped), 0);
	assert_int_equal(unmapped, 2 * PAGE);
	assert_int_equal(ioctl(stack.container, VFIO_IOMMU_MAP_DMA, PAGE), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(ioctl(stack.container, FAULTQ_VFIO_VM, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ioctl(stack.container, _IO(';', 250), 0), -1);
	assert_int_equal(errno, ENOTTY);
	pages_free(memory, 2);
}

/* Not that of VMs that are opened; whichever file it is, the mappings are the same. */
static void the_limit_of_mappings_is_the_containers(void **state)
{
	char *memory = pages_new(3);
	struct faultq_info info;
	struct faultq *fq;

	assert_int_equal(vfio_parameter(MODULE_FAULTQ, "max_mappings", "1"), 0);
	assert_int_equal(vfio_parameter(MODULE_VFIO, "dma_entry_limit", "2"), 0);
	vfio_close(&stack);
	open_stack(state);
	assert_int_equal(vfio_parameter(MODULE_VFIO, "dma_entry_limit", "65535"), 0);
	assert_int_equal(vfio_parameter(MODULE_FAULTQ, "max_mappings", "65535"), 0);
	fq = vfio_vm(stack.container);
	assert_int_equal(faultq_info(fq, &info), 0);
	assert_int_equal(info.max_mappings, 2);
	assert_int_equal(vfio_map(stack.container, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_map(fq, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	assert_int_equal(vfio_map(stack.container, IOVA + 2 * PAGE, memory, PAGE, RW), -ENOSPC);
	assert_int_equal(faultq_map(fq, IOVA + 2 * PAGE, memory, PAGE, RW), -ENOSPC);
	assert_int_equal(faultq_unmap(fq, IOVA, PAGE, NULL), 0);
	assert_int_equal(vfio_map(stack.container, IOVA + 2 * PAGE, memory, PAGE, RW), 0);
	faultq_close(fq);
	pages_free(memory, 3);
}

static void the_vms_file_is_a_vm_file(void **state)
{
	struct faultq_device_entry devices[4];
	struct faultq_window_entry windows[LIST_ROOM];
	struct faultq *fq = vfio_vm(stack.container), *second = vfio_vm(stack.container);
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
	assert_int_equal(vfio_map(stack.container, IOVA, memory, PAGE, RW), -EEXIST);
	vfio_assert_edu_copies(&stack, memory, IOVA);
	faultq_close(second);
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	assert_blocked(memory);
	faultq_close(fq);
	pages_free(memory, 2);
}

static void the_vm_outlives_its_container(void **state)
{
	struct faultq *fq = vfio_vm(stack.container);
	char *memory = pages_new(2);

	(void)state;
	assert_int_equal(vfio_map(stack.container, IOVA, memory, 2 * PAGE, RW), 0);
	/* while the device is open nothing of it goes */
	vfio_close_file(&stack.container);
	vfio_close_file(&stack.group);
	vfio_assert_edu_copies(&stack, memory, IOVA);
	assert_int_equal(vm_stats(fq, 0).devices, 1);
	vfio_close_device(&stack);
	assert_int_equal(vm_stats(fq, 0).devices, 0);
	assert_int_equal(vm_stats(fq, 0).mapped_bytes, 2 * PAGE);
	faultq_close(fq);
	pages_free(memory, 2);
}

static void a_module_in_use_stays(void **state)
{
	struct faultq *fq = vfio_vm(stack.container);

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
	struct faultq *fq = vfio_vm(stack.container);
	char *memory = pages_new(2);

	(void)state;
	vfio_close_device(&stack);
	assert_int_equal(ioctl(stack.group, VFIO_GROUP_UNSET_CONTAINER), 0);
	assert_int_equal(vm_stats(fq, 0).devices, 0);
	assert_int_equal(ioctl(stack.group, VFIO_GROUP_SET_CONTAINER, &stack.container), 0);
	assert_int_equal(vfio_set_iommu(stack.container, VFIO_TYPE1v2_IOMMU), 0);
	vfio_open_device(&stack);
	assert_int_equal(vfio_map(stack.container, IOVA, memory, 2 * PAGE, RW), 0);
	vfio_assert_edu_copies(&stack, memory, IOVA);
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
		STACK(the_limit_of_mappings_is_the_containers),
		STACK(the_vms_file_is_a_vm_file),
		STACK(the_vm_outlives_its_container),
		STACK(a_module_in_use_stays),
		STACK(a_container_can_be_set_to_another_backend_then),
		STACK(afterwards_the_device_can_be_owned),
	};

	return tap_run_group(tests, load_all, unload_all);
}
