// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO as a VMM uses it; see vfio.h. For the thread that runs the test, but for the calls that
 * return an error: any thread and process may make those.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "module.h"
#include "tap.h"
#include "vfio.h"

/**
 * vfio_load() - load VFIO with both backends
 */
void vfio_load(void)
{
	assert_int_equal(system("modprobe vfio_iommu_type1 && modprobe vfio-pci"), 0);
	assert_int_equal(module_load(MODULE_VFIO), 0);
}

/**
 * vfio_unload() - remove this project's backend
 */
void vfio_unload(void)
{
	assert_int_equal(module_unload(MODULE_VFIO), 0);
}

/**
 * vfio_parameter() - set a parameter of a backend
 * @module: "vfio_iommu_type1" or MODULE_VFIO
 * @name: of the parameter
 * @value: its text
 *
 * Return: 0 or a negative errno.
 */
int vfio_parameter(const char *module, const char *name, const char *value)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/**
 * vfio_bind() - give a device to vfio-pci
 * @pci: has no driver
 */
void vfio_bind(const struct pci *pci)
{
	assert_int_equal(pci_write_attribute(pci, "driver_override", "vfio-pci"), 0);
	assert_int_equal(pci_bind(pci, "vfio-pci"), 0);
}

/**
 * vfio_unbind() - take it away from vfio-pci
 * @pci: the device
 */
void vfio_unbind(const struct pci *pci)
{
	assert_int_equal(pci_unbind(pci, "vfio-pci"), 0);
	assert_int_equal(pci_write_attribute(pci, "driver_override", "\n"), 0);
}

/**
 * vfio_take_edu() - find edu and give it to vfio-pci, with both backends loaded
 * @edu: is set
 */
void vfio_take_edu(struct pci *edu)
{
	assert_true(pci_find(edu, PCI_EDU, NULL));
	vfio_load();
	vfio_bind(edu);
}

/**
 * vfio_give_edu_back() - undo vfio_take_edu()
 * @edu: the device
 */
void vfio_give_edu_back(const struct pci *edu)
{
	vfio_unbind(edu);
	vfio_unload();
}

/**
 * vfio_take_adopted_edu() - the same with an edu that the mock has adopted
 * @edu: is set
 * @adopted: is set: a device of mode pri, behind a new instance "vfio"
 *
 * Nobody says of the mock's devices that their interrupts are isolated, so the backend does
 * without.
 */
void vfio_take_adopted_edu(struct pci *edu, struct device *adopted)
{
	assert_true(pci_find(edu, PCI_EDU, NULL));
	vfio_load();
	assert_int_equal(vfio_parameter(MODULE_VFIO, "allow_unsafe_interrupts", "1"), 0);
	instance_make("vfio", 0);
	device_adopt(adopted, "vfio", "edu", edu->address, "mode=pri");
	vfio_bind(edu);
}

/**
 * vfio_give_adopted_edu_back() - undo vfio_take_adopted_edu()
 * @edu: the device
 * @adopted: of the mock
 */
void vfio_give_adopted_edu_back(const struct pci *edu, struct device *adopted)
{
	vfio_unbind(edu);
	device_remove(adopted);
	instance_remove("vfio");
	vfio_unload();
	pci_rescan();
}

/**
 * vfio_container() - open a new container
 *
 * Return: its descriptor, or a negative errno.
 */
int vfio_container(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/**
 * vfio_open_group() - open the group of a device
 * @pci: the device, bound to vfio-pci
 *
 * Return: its descriptor, or a negative errno.
 */
int vfio_open_group(const struct pci *pci)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%ld", pci_group(pci));
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/**
 * vfio_set_iommu() - set a container to a backend
 * @container: its descriptor
 * @type: FAULTQ_VFIO_IOMMU or VFIO's own
 *
 * Return: 0 or a negative errno.
 */
int vfio_set_iommu(int container, unsigned long type)
{
	return ioctl(container, VFIO_SET_IOMMU, type) ? -errno : 0;
}

/**
 * vfio_begin() - bring the group of a device into a container
 * @vfio: is initialised
 * @pci: the device, bound to vfio-pci
 * @container: its descriptor, of which @vfio gets a copy; -1: a new one
 */
void vfio_begin(struct vfio *vfio, struct pci *pci, int container)
{
	*vfio = (struct vfio){ .pci = pci, .device = -1 };
	vfio->container = container < 0 ? vfio_container() :
					  fcntl(container, F_DUPFD_CLOEXEC, 0);
	vfio->group = vfio_open_group(pci);
	assert_return_code(vfio->container, -vfio->container);
	assert_return_code(vfio->group, -vfio->group);
	assert_int_equal(ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container), 0);
}

static struct vfio_region_info region(const struct vfio *vfio, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	assert_int_equal(ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	return info;
}

/**
 * vfio_enable() - let the device do DMA, and have its registers accessed
 * @vfio: with an open device
 */
void vfio_enable(const struct vfio *vfio)
{
	struct vfio_region_info config = region(vfio, VFIO_PCI_CONFIG_REGION_INDEX);
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	assert_int_equal(pwrite(vfio->device, &command, 2, config.offset + PCI_COMMAND), 2);
}

/**
 * vfio_get_device() - open the device, let it do DMA
 * @vfio: its container is set to a backend
 */
void vfio_get_device(struct vfio *vfio)
{
	vfio->device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, vfio->pci->address);
	assert_true(vfio->device >= 0);
	vfio_enable(vfio);
}

/**
 * vfio_map_registers() - map the beginning of BAR 0 somewhere
 * @vfio: with an open device
 * @address: where, instead of what is there
 * @size: bytes
 */
void vfio_map_registers(const struct vfio *vfio, void *address, size_t size)
{
	struct vfio_region_info bar = region(vfio, VFIO_PCI_BAR0_REGION_INDEX);

	assert_ptr_equal(mmap(address, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			      vfio->device, bar.offset), address);
}

/**
 * vfio_open_device() - the same, and map its BAR 0
 * @vfio: its container is set to a backend
 */
void vfio_open_device(struct vfio *vfio)
{
	struct vfio_region_info bar;

	vfio_get_device(vfio);
	bar = region(vfio, VFIO_PCI_BAR0_REGION_INDEX);
	vfio->pci->size = bar.size;
	vfio->pci->registers = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED,
				    vfio->device, bar.offset);
	assert_ptr_not_equal(vfio->pci->registers, MAP_FAILED);
}

/**
 * vfio_open() - all of it: a container of its own, the group, the device
 * @vfio: is initialised
 * @pci: the device, bound to vfio-pci
 * @type: the backend
 */
void vfio_open(struct vfio *vfio, struct pci *pci, unsigned long type)
{
	vfio_begin(vfio, pci, -1);
	assert_int_equal(vfio_set_iommu(vfio->container, type), 0);
	vfio_open_device(vfio);
}

/**
 * vfio_set_msi() - let the device signal by one message
 * @vfio: with an open device
 * @eventfd: what is signalled
 */
void vfio_set_msi(const struct vfio *vfio, int eventfd)
{
	union {
		struct vfio_irq_set set;
		char room[sizeof(struct vfio_irq_set) + sizeof(int)];
	} irq = {
		.set = {
			.argsz = sizeof(irq), .index = VFIO_PCI_MSI_IRQ_INDEX, .count = 1,
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		},
	};

	memcpy(irq.set.data, &eventfd, sizeof(eventfd));
	assert_int_equal(ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &irq), 0);
}

/**
 * vfio_close_file() - close a file, if it is open
 * @fd: its descriptor, which becomes -1
 */
void vfio_close_file(int *fd)
{
	if (*fd >= 0)
		assert_int_equal(close(*fd), 0);
	*fd = -1;
}

/**
 * vfio_close_device() - unmap the BAR and close the device
 * @vfio: with a device that is open, or not
 */
void vfio_close_device(struct vfio *vfio)
{
	if (vfio->pci->registers)
		munmap(vfio->pci->registers, vfio->pci->size);
	vfio->pci->registers = NULL;
	vfio_close_file(&vfio->device);
}

/**
 * vfio_close() - close what is still open
 * @vfio: the stack
 */
void vfio_close(struct vfio *vfio)
{
	vfio_close_device(vfio);
	vfio_close_file(&vfio->group);
	vfio_close_file(&vfio->container);
}

/**
 * vfio_assert_edu_copies() - edu copies memory, through its buffer
 * @vfio: edu, open
 * @memory: two pages: from the first to the second
 * @iova: where they are mapped
 */
void vfio_assert_edu_copies(const struct vfio *vfio, char *memory, uint64_t iova)
{
	pages_fill(memory, EDU_DMA_MAX, 5);
	memset(memory + PAGE, 0, PAGE);
	edu_dma(vfio->pci, EDU_READ, iova, EDU_DMA_MAX);
	edu_dma(vfio->pci, EDU_WRITE, iova + PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory, memory + PAGE, EDU_DMA_MAX);
}

/**
 * vfio_vm() - open the VM of a container
 * @container: its descriptor
 *
 * Return: the VM.
 */
struct faultq *vfio_vm(int container)
{
	int fd = ioctl(container, FAULTQ_VFIO_VM, 0);
	struct faultq *fq;

	assert_true(fd >= 0);
	assert_int_equal(faultq_from_fd(&fq, fd), 0);
	return fq;
}

/**
 * vfio_map() - map memory
 * @container: for the devices in it
 * @iova: where
 * @memory: what
 * @size: bytes
 * @flags: VFIO_DMA_MAP_FLAG_*
 *
 * Return: 0 or a negative errno.
 */
int vfio_map(int container, uint64_t iova, void *memory, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = flags, .vaddr = (uintptr_t)memory, .iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

/**
 * vfio_unmap() - remove mappings
 * @container: where
 * @iova: first address
 * @size: bytes
 * @flags: VFIO_DMA_UNMAP_FLAG_*
 * @unmapped: is set to the bytes that were
 *
 * Return: 0 or a negative errno.
 */
int vfio_unmap(int container, uint64_t iova, uint64_t size, uint32_t flags, uint64_t *unmapped)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .flags = flags, .iova = iova, .size = size,
	};
	int ret = ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) ? -errno : 0;

	*unmapped = unmap.size;
	return ret;
}
