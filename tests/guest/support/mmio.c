// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO that VFIO hands out; see mmio.h. Nothing is kept here but what struct bar holds.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "mmio.h"
#include "tap.h"

#define LISTED 64

static int unbind(const struct pci *pci)
{
	return pci_unbind(pci, "vfio-pci");
}

static void bind_again(const struct pci *pci)
{
	assert_int_equal(pci_bind(pci, "vfio-pci"), 0);
}

const struct departure departure_unbind = { .begin = unbind, .undo = bind_again };

static int remove_device(const struct pci *pci)
{
	return pci_write_attribute(pci, "remove", "1");
}

static void find_again(const struct pci *pci)
{
	pci_scan();
	vfio_bind(pci);
}

const struct departure departure_remove = { .begin = remove_device, .undo = find_again };

static void *leave(void *data)
{
	struct leaving *leaving = data;

	leaving->result = leaving->departure->begin(leaving->pci);
	return NULL;
}

/**
 * leaving_begin() - let a device begin to go
 * @leaving: is initialised
 * @departure: how
 * @pci: the device, which is open
 */
void leaving_begin(struct leaving *leaving, const struct departure *departure,
		   const struct pci *pci)
{
	*leaving = (struct leaving){ .departure = departure, .pci = pci, .result = 1 };
	assert_int_equal(pthread_create(&leaving->thread, NULL, leave, leaving), 0);
}

/**
 * leaving_end() - give the device back, and wait until it is gone
 * @leaving: begun
 * @bar: of the device
 */
void leaving_end(struct leaving *leaving, struct bar *bar)
{
	bar_close(bar);
	pthread_join(leaving->thread, NULL);
	assert_int_equal(leaving->result, 0);
}

/**
 * bar_moves_quietly() - can a mapping of VFIO's be moved without a warning of the kernel itself
 */
bool bar_moves_quietly(void)
{
	struct utsname kernel;

	uname(&kernel);
	return strncmp(kernel.release, "6.1.", 4);
}

/**
 * bar_find() - find ivshmem and give it to vfio-pci, with both backends loaded
 * @pci: is set
 *
 * It is reset through the port that it is behind.
 */
void bar_find(struct pci *pci)
{
	assert_true(pci_find(pci, PCI_IVSHMEM, "bus"));
	vfio_load();
	vfio_bind(pci);
}

static struct vfio_region_info region(const struct bar *bar, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	assert_int_equal(ioctl(bar->vfio.device, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	return info;
}

/**
 * bar_open_in() - open the device; the BAR answers, and is mapped
 * @bar: is initialised
 * @pci: the device, from bar_find()
 * @backend: of its container
 */
void bar_open_in(struct bar *bar, struct pci *pci, unsigned long backend)
{
	struct vfio_region_info info;

	*bar = (struct bar){};
	vfio_begin(&bar->vfio, pci, -1);
	assert_int_equal(vfio_set_iommu(bar->vfio.container, backend), 0);
	vfio_get_device(&bar->vfio);
	info = region(bar, VFIO_PCI_BAR2_REGION_INDEX);
	assert_int_equal(info.size, BAR_WHOLE);
	assert_true(info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	bar->offset = info.offset;
	bar->memory = bar_map(bar, NULL);
	assert_non_null(bar->memory);
}

/**
 * bar_open() - the same, in a container of type1
 * @bar: as there
 * @pci: as there
 */
void bar_open(struct bar *bar, struct pci *pci)
{
	bar_open_in(bar, pci, VFIO_TYPE1v2_IOMMU);
}

/**
 * bar_close() - close what is still open
 * @bar: from bar_open()
 */
void bar_close(struct bar *bar)
{
	bar_unmap(bar);
	vfio_close(&bar->vfio);
}

/**
 * bar_map() - map the beginning of the BAR
 * @bar: open
 * @address: where, instead of what is there; NULL: anywhere
 *
 * Return: where it is; NULL when the kernel refused.
 */
uint8_t *bar_map(const struct bar *bar, void *address)
{
	int flags = MAP_SHARED | (address ? MAP_FIXED : 0);
	void *memory = mmap(address, BAR_SIZE, PROT_READ | PROT_WRITE, flags, bar->vfio.device,
			    bar->offset);

	return memory == MAP_FAILED ? NULL : memory;
}

/**
 * bar_map_whole() - map all of the BAR, where the kernel can use large pages
 * @bar: open
 *
 * Return: where it is, for munmap().
 */
uint8_t *bar_map_whole(const struct bar *bar)
{
	void *room = mmap(NULL, 2 * BAR_WHOLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t aligned = ((uintptr_t)room + BAR_WHOLE - 1) & -BAR_WHOLE;
	void *memory;

	assert_ptr_not_equal(room, MAP_FAILED);
	munmap(room, 2 * BAR_WHOLE);
	memory = mmap((void *)aligned, BAR_WHOLE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		      bar->vfio.device, bar->offset);
	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/**
 * bar_replace() - unmap what bar_map() mapped, in a way that lets nobody else have its place
 * @address: where it is
 */
void bar_replace(void *address)
{
	must(mmap(address, BAR_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	     address);
}

/**
 * bar_unmap() - undo bar_map()
 * @bar: mapped or not
 */
void bar_unmap(struct bar *bar)
{
	if (bar->memory)
		munmap(bar->memory, BAR_SIZE);
	bar->memory = NULL;
}

/**
 * bar_decode() - let the device answer to its addresses, or not, through VFIO
 * @bar: open
 * @on: it answers
 */
void bar_decode(const struct bar *bar, bool on)
{
	struct vfio_region_info config = region(bar, VFIO_PCI_CONFIG_REGION_INDEX);
	uint16_t command = on ? PCI_COMMAND_MEMORY : 0;

	assert_int_equal(pwrite(bar->vfio.device, &command, 2, config.offset + PCI_COMMAND), 2);
}

/**
 * bar_reset() - reset the device through VFIO; afterwards it answers as before
 * @bar: open
 */
void bar_reset(const struct bar *bar)
{
	assert_int_equal(ioctl(bar->vfio.device, VFIO_DEVICE_RESET), 0);
}

/**
 * bar_write() - write to the BAR through VFIO; it answers
 * @bar: open
 * @offset: where, a multiple of 8
 * @value: what
 */
void bar_write(const struct bar *bar, size_t offset, uint64_t value)
{
	assert_int_equal(pwrite(bar->vfio.device, &value, 8, bar->offset + offset), 8);
}

/**
 * bar_read() - read from the BAR through VFIO; it answers
 * @bar: open
 * @offset: where, a multiple of 8
 *
 * Return: what is there.
 */
uint64_t bar_read(const struct bar *bar, size_t offset)
{
	uint64_t value;

	assert_int_equal(pread(bar->vfio.device, &value, 8, bar->offset + offset), 8);
	return value;
}

/**
 * mmio_event() - wait for the next event of MMIO
 * @fq: the VM; records of unrecoverable faults are skipped
 *
 * Return: its record.
 */
struct faultq_record mmio_event(struct faultq *fq)
{
	const struct faultq_record *records;
	struct faultq_record record = {};

	do {
		assert_int_equal(faultq_wait(fq, -1), 0);
		if (faultq_peek(fq, &records) < 1)
			continue;
		record = records[0];
		faultq_consume(fq);
	} while (record.type != FAULTQ_MMIO_REVOKED && record.type != FAULTQ_MMIO_RESTORED);
	return record;
}

/**
 * mmio_assert_revoked() - wait for the next event; it is the revocation of a whole BAR
 * @fq: the VM
 * @id: of the mapping
 * @why: enum faultq_revocation
 */
void mmio_assert_revoked(struct faultq *fq, uint64_t id, uint32_t why)
{
	struct faultq_record record = mmio_event(fq);

	assert_int_equal(record.type, FAULTQ_MMIO_REVOKED);
	assert_int_equal(record.flags & ~FAULTQ_RECORD_AFTER_LOSS,
			 FAULTQ_RECORD_ADDRESS | FAULTQ_RECORD_REASON);
	assert_int_equal(record.cookie, id);
	assert_int_equal(record.length, BAR_SIZE);
	assert_int_equal(record.reason, why);
}

/**
 * mmio_assert_silence() - there is no event of MMIO
 * @fq: the VM; other records are skipped
 */
void mmio_assert_silence(struct faultq *fq)
{
	const struct faultq_record *records;

	while (faultq_peek(fq, &records) > 0) {
		assert_int_not_equal(records[0].type, FAULTQ_MMIO_REVOKED);
		assert_int_not_equal(records[0].type, FAULTQ_MMIO_RESTORED);
		faultq_consume(fq);
	}
}

/**
 * mmio_await_restored() - wait until the kernel has restored an extent by itself
 * @fq: the VM; no other extent has events
 * @iova: of the extent, whose MMIO is there again
 *
 * VFIO of 6.1 may take a BAR away twice, and let go of it in between, when a switch is thrown once.
 *
 * Return: the last event, with all that was told of writes to the scratch page in @count.
 */
struct faultq_record mmio_await_restored(struct faultq *fq, uint64_t iova)
{
	struct faultq_record record = {};
	unsigned int written = 0;

	while (mmio_entry(fq, iova).state)
		usleep(200);
	while (!faultq_wait(fq, 0)) {
		record = mmio_event(fq);
		written += record.count;
	}
	assert_int_equal(record.type, FAULTQ_MMIO_RESTORED);
	record.count = written;
	return record;
}

/**
 * mmio_max_extents() - how many extents of MMIO a VM can have
 * @fq: the VM
 */
uint32_t mmio_max_extents(struct faultq *fq)
{
	struct faultq_info info;

	assert_int_equal(faultq_info(fq, &info), 0);
	return info.max_extents;
}

/**
 * mmio_entry() - what MAPPINGS tells
 * @fq: the VM, with up to LISTED entries
 * @iova: where the entry begins
 *
 * Return: the entry.
 */
struct faultq_mapping_entry mmio_entry(struct faultq *fq, uint64_t iova)
{
	struct faultq_mapping_entry entries[LISTED];
	uint32_t count = LISTED;

	assert_int_equal(faultq_mappings(fq, 0, entries, &count), 0);
	assert_in_range(count, 1, LISTED);
	for (uint32_t i = 0; i < count; i++)
		if (entries[i].iova == iova)
			return entries[i];
	fail_msg("no mapping at 0x%lx", (long)iova);
	return entries[0];
}
