// SPDX-License-Identifier: MIT
/*
 * What a VMM does with a device that VFIO hands out, and nothing else: its guest has 64 MiB of
 * memory, of which the first MiB is there from the start and the rest when the device asks for
 * it. Tells of each group of page requests and of each interrupt, and ends after COUNT groups.
 *
 *	cc vmm.c -o vmm -lfaultq && ./vmm 0000:00:04.0 COUNT
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <faultq.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#define RAM_SIZE	(64ul << 20)
#define BOOT_SIZE	(1ul << 20)
#define PAGE_SIZE	4096ul

/* The guest's memory, and the part of it that is mapped from the start. */
static char *make_ram(int container)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = 0, .size = BOOT_SIZE,
	};
	char *ram;

	if (fd < 0 || ftruncate(fd, RAM_SIZE))
		err(1, "memory");
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	map.vaddr = (uintptr_t)ram;
	if (ram == MAP_FAILED || ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		err(1, "cannot map memory");
	return ram;
}

/* What the guest's driver would do through emulated configuration space. */
static void enable(int device)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config) ||
	    pwrite(device, &command, sizeof(command), config.offset + PCI_COMMAND) < 0)
		err(1, "configuration space");
}

/* An eventfd that tells of the device's first interrupt by message. */
static int take_interrupts(int device)
{
	union {
		struct vfio_irq_set set;
		char room[sizeof(struct vfio_irq_set) + sizeof(int)];
	} irq = { .set = {
		.argsz = sizeof(irq), .index = VFIO_PCI_MSI_IRQ_INDEX, .count = 1,
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
	} };
	int event = eventfd(0, EFD_CLOEXEC);

	memcpy(irq.set.data, &event, sizeof(event));
	if (event < 0 || ioctl(device, VFIO_DEVICE_SET_IRQS, &irq))
		warn("no interrupts by message");
	return event;
}

/* Memory for each page of the group that is within the guest's, then one answer. */
static void serve(struct faultq *vm, char *ram, const struct faultq_record *r, int count)
{
	__u32 code = FAULTQ_SUCCESS;
	int i, ret;

	for (i = 0; i < count; i++) {
		ret = r[i].address >= RAM_SIZE ? -EFAULT :
		      faultq_map(vm, r[i].address, ram + r[i].address, PAGE_SIZE,
				 FAULTQ_MAP_READ | FAULTQ_MAP_WRITE);
		if (ret && ret != -EEXIST)
			code = FAULTQ_INVALID;
	}
	faultq_answer(vm, r[0].cookie, code);
	printf("%d pages from 0x%llx: %s\n", count, r[0].address, faultq_code_name(code));
}

/* One look at what arrived; returns how many groups of page requests were served. */
static int serve_next(struct faultq *vm, char *ram, int event)
{
	struct pollfd fds[] = {
		{ .fd = faultq_fd(vm), .events = POLLIN }, { .fd = event, .events = POLLIN },
	};
	const struct faultq_record *records;
	int count = faultq_peek(vm, &records), groups = 0;
	eventfd_t interrupts;

	if (count < 0)
		errx(1, "the queue: %s", strerror(-count));
	if (!count)
		poll(fds, 2, -1);	/* the queue was seen empty: the next record wakes it */
	if (fds[1].revents && !eventfd_read(event, &interrupts))
		printf("%llu interrupts\n", (unsigned long long)interrupts);
	if (count && records[0].type == FAULTQ_PAGE_REQUEST) {
		serve(vm, ram, records, count);
		groups = 1;
	}
	if (count)
		faultq_consume(vm);
	return groups;
}

int main(int argc, char **argv)
{
	long left = argc == 3 ? atol(argv[2]) : 0;
	struct faultq_vfio vfio;
	struct faultq *vm;
	char *ram;
	int event, ret;

	if (left <= 0)
		errx(2, "usage: vmm ADDRESS COUNT");
	ret = faultq_vfio_open(&vm, &vfio, argv[1]);
	if (ret)
		errx(1, "cannot open %s: %s", argv[1], strerror(-ret));
	ret = faultq_queue(vm, 64, 256, -1, 0);
	if (ret)
		errx(1, "no queue: %s", strerror(-ret));
	ram = make_ram(vfio.container);
	event = take_interrupts(vfio.device);
	enable(vfio.device);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s is ready\n", argv[1]);
	while (left > 0)
		left -= serve_next(vm, ram, event);
	faultq_vfio_close(&vfio);
	faultq_close(vm);
	return 0;
}
