// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that VFIO hands out while this backend owns their DMA: registers, DMA, interrupts,
 * reset; and several groups in one container, which come and go.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/module.h"
#include "support/space.h"
#include "support/vfio.h"

#define IOVA	0x400000ull	/* within edu's 28 bits */
#define RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static struct pci edu, nic;
static struct vfio first, second;

static int load_all(void **state)
{
	(void)state;
	vfio_take_edu(&edu);
	assert_true(pci_find(&nic, PCI_E1000E, "bus"));
	/* QEMU's e1000e keeps its registers in the reset by power management that it offers, too */
	assert_int_equal(pci_write_attribute(&nic, "reset_method", "bus"), 0);
	vfio_bind(&nic);
	return 0;
}

static int unload_all(void **state)
{
	(void)state;
	vfio_unbind(&nic);
	vfio_give_edu_back(&edu);
	return 0;
}

static int nothing_open(void **state)
{
	(void)state;
	first = (struct vfio){ .pci = &edu, .container = -1, .group = -1, .device = -1 };
	second = (struct vfio){ .pci = &nic, .container = -1, .group = -1, .device = -1 };
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	vfio_close(&first);
	vfio_close(&second);
	return 0;
}

static bool nic_copies(void *page, unsigned int seed)
{
	e1000e_fill(page, IOVA, seed);
	e1000e_program(&nic, IOVA);
	e1000e_send(&nic);
	return e1000e_has_copied(page);
}

/* edu's registers */
#define EDU_ID		0x00
#define EDU_RAISE	0x60
#define EDU_ACKNOWLEDGE	0x64

static uint32_t edu_read(size_t offset)
{
	return *(volatile uint32_t *)(edu.registers + offset);
}

static void edu_write(size_t offset, uint32_t value)
{
	*(volatile uint32_t *)(edu.registers + offset) = value;
}

static void registers_and_dma(void **state)
{
	char *memory = pages_new(2);

	(void)state;
	vfio_open(&first, &edu, FAULTQ_VFIO_IOMMU);
	assert_int_equal(edu_read(EDU_ID) & 0xff, 0xed);
	assert_int_equal(vfio_map(first.container, IOVA, memory, 2 * PAGE, RW), 0);
	vfio_assert_edu_copies(&first, memory, IOVA);
	close_all(state);
	pages_free(memory, 2);
}

static void interrupt_arrives(int event)
{
	struct pollfd poll_fd = { .fd = event, .events = POLLIN };
	eventfd_t count;

	edu_write(EDU_RAISE, 1);
	assert_int_equal(poll(&poll_fd, 1, 60000), 1);
	assert_int_equal(eventfd_read(event, &count), 0);
	edu_write(EDU_ACKNOWLEDGE, 1);
}

static void interrupts_arrive(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC);
	char *memory = pages_new(2);

	(void)state;
	vfio_open(&first, &edu, FAULTQ_VFIO_IOMMU);
	vfio_set_msi(&first, event);
	for (unsigned int i = 0; i < scaled(10, 1000); i++)
		interrupt_arrives(event);
	assert_int_equal(vfio_map(first.container, IOVA, memory, 2 * PAGE, RW), 0);
	vfio_assert_edu_copies(&first, memory, IOVA);
	interrupt_arrives(event);
	close_all(state);
	close(event);
	pages_free(memory, 2);
}

/* Where the kernel's own window is: its base, and how it is named. */
static struct faultq_window_entry own_msi_window(const struct vfio *vfio)
{
	struct faultq_window_entry windows[LIST_ROOM], found = {};
	struct faultq *fq = vfio_vm(vfio->container);
	uint32_t count = list_windows(fq, windows);

	for (uint32_t i = 0; i < count; i++)
		if (windows[i].type == FAULTQ_WINDOW_SW_MSI)
			found = windows[i];
	faultq_close(fq);
	return found;
}

static void the_kernels_own_msi_window_is_where_type1_has_it(void **state)
{
	struct faultq_window_entry window;

	(void)state;
	vfio_open(&first, &edu, FAULTQ_VFIO_IOMMU);
	window = own_msi_window(&first);
	if (!window.length)
		skip_because("this IOMMU takes interrupts where it always does");
	assert_int_equal(window.iova, 0x8000000);
	assert_int_equal(window.length, FAULTQ_VFIO_MSI_SIZE);
	close_all(state);
}

static void the_kernels_own_msi_window_can_be_moved(void **state)
{
	const uint64_t base = 0x30000000;
	char *memory = pages_new(1), iommu[32] = "";
	int event = eventfd(0, EFD_CLOEXEC);

	(void)state;
	vfio_open(&first, &edu, FAULTQ_VFIO_IOMMU_AT(base));
	assert_int_equal(own_msi_window(&first).iova, base);
	assert_int_equal(own_msi_window(&first).length, FAULTQ_VFIO_MSI_SIZE);
	assert_int_equal(vfio_map(first.container, base, memory, PAGE, RW), -EINVAL);
	assert_int_equal(vfio_map(first.container, 0x8000000, memory, PAGE, RW), 0);
	vfio_set_msi(&first, event);
	interrupt_arrives(event);
	close_all(state);

	/* not to a base that is none */
	vfio_begin(&first, &edu, -1);
	assert_true(vfio_set_iommu(first.container, FAULTQ_VFIO_IOMMU_AT(base + 16 * PAGE)) < 0);
	/* x86's doorbells cannot be anywhere else, nor can other windows be there */
	if (pci_iommu(&edu, iommu, sizeof(iommu)) && !strncmp(iommu, "dmar", 4))
		assert_int_equal(vfio_set_iommu(first.container, FAULTQ_VFIO_IOMMU_AT(0xfee00000)),
				 -EEXIST);
	close_all(state);
	close(event);
	pages_free(memory, 1);
}

static void a_reset_is_vfios(void **state)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct e1000e_state was, is;
	char *page = pages_new(1);

	(void)state;
	vfio_open(&second, &nic, FAULTQ_VFIO_IOMMU);
	assert_int_equal(ioctl(second.device, VFIO_DEVICE_GET_INFO, &info), 0);
	assert_true(info.flags & VFIO_DEVICE_FLAGS_RESET);
	e1000e_read_state(&nic, &was);
	assert_int_equal(vfio_map(second.container, IOVA, page, PAGE, RW), 0);
	assert_true(nic_copies(page, 1));
	assert_int_equal(ioctl(second.device, VFIO_DEVICE_RESET), 0);
	e1000e_read_state(&nic, &is);
	assert_memory_equal(&is, &was, sizeof(is));
	assert_true(nic_copies(page, 2));
	close_all(state);
	pages_free(page, 1);
}

static void the_driver_binds_afterwards(void **state)
{
	(void)state;
	vfio_open(&second, &nic, FAULTQ_VFIO_IOMMU);
	close_all(state);
	vfio_unbind(&nic);
	assert_int_equal(system("modprobe e1000e"), 0);
	/* loading it bound it */
	assert_int_equal(pci_unbind(&nic, "e1000e"), 0);
	assert_int_equal(system("modprobe -r e1000e"), 0);
	vfio_bind(&nic);
}

static void groups_of_one_container_share_its_mappings(void **state)
{
	char *memory = pages_new(2);
	struct faultq *fq;

	(void)state;
	vfio_begin(&first, &edu, -1);
	vfio_begin(&second, &nic, first.container);
	assert_int_equal(vfio_set_iommu(first.container, FAULTQ_VFIO_IOMMU), 0);
	vfio_open_device(&first);
	vfio_open_device(&second);
	fq = vfio_vm(first.container);
	assert_int_equal(vfio_map(second.container, IOVA, memory, 2 * PAGE, RW), 0);
	vfio_assert_edu_copies(&first, memory, IOVA);
	assert_true(nic_copies(memory, 3));
	assert_true(vm_stats(fq, 0).devices >= 2);
	faultq_close(fq);
	close_all(state);
	pages_free(memory, 2);
}

/* Brings the second group into the container of the first, which has its mappings. */
static void hot_add(void)
{
	vfio_begin(&second, &nic, first.container);
	vfio_open_device(&second);
}

static void hot_remove(struct vfio *vfio)
{
	vfio_close_device(vfio);
	assert_int_equal(ioctl(vfio->group, VFIO_GROUP_UNSET_CONTAINER), 0);
	vfio_close(vfio);
}

static void groups_come_and_go(void **state)
{
	char *memory = pages_new(2);
	struct faultq *fq;

	(void)state;
	vfio_open(&first, &edu, FAULTQ_VFIO_IOMMU);
	fq = vfio_vm(first.container);
	assert_int_equal(vfio_map(first.container, IOVA, memory, 2 * PAGE, RW), 0);
	for (unsigned int i = 0; i < scaled(3, 100); i++) {
		hot_add();
		assert_true(nic_copies(memory, i));
		vfio_assert_edu_copies(&first, memory, IOVA);
		hot_remove(&second);
		assert_int_equal(vm_stats(fq, 0).devices, 1);
	}
	hot_add();
	hot_remove(&first);
	assert_true(nic_copies(memory, 100));
	faultq_close(fq);
	close_all(state);
	pages_free(memory, 2);
}

/* A window that was added lies where the other group has one of its own. */
static void a_group_that_collides_is_refused(void **state)
{
	char *memory = pages_new(2);
	struct faultq_window_entry windows[LIST_ROOM];
	struct faultq *fq;
	uint32_t count;

	(void)state;
	vfio_open(&first, &edu, FAULTQ_VFIO_IOMMU);
	fq = vfio_vm(first.container);
	count = list_windows(fq, windows);
	assert_true(count);
	assert_int_equal(vfio_map(first.container, windows[0].iova, memory, PAGE, RW), -EINVAL);
	window_add(fq, IOVA, 2 * PAGE, FAULTQ_WINDOW_RESERVED, 0);
	assert_int_equal(vfio_map(first.container, IOVA, memory, PAGE, RW), -EINVAL);
	assert_int_equal(vfio_map(first.container, IOVA - PAGE, memory, 2 * PAGE, RW), -EINVAL);
	assert_int_equal(vfio_map(first.container, IOVA + 2 * PAGE, memory, PAGE, RW), 0);
	faultq_close(fq);
	close_all(state);
	pages_free(memory, 2);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, nothing_open, close_all)
	const struct CMUnitTest tests[] = {
		CASE(registers_and_dma),
		CASE(interrupts_arrive),
		CASE(the_kernels_own_msi_window_is_where_type1_has_it),
		CASE(the_kernels_own_msi_window_can_be_moved),
		CASE(a_reset_is_vfios),
		CASE(the_driver_binds_afterwards),
		CASE(groups_of_one_container_share_its_mappings),
		CASE(groups_come_and_go),
		CASE(a_group_that_collides_is_refused),
	};

	return tap_run_group(tests, load_all, unload_all);
}
