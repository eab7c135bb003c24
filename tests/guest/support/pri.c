// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that ask for pages; see pri.h. Nothing is kept here.
 */
#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pri.h"

#define DEVICES		"/sys/bus/pci/devices"
#define ID		(PRI_VENDOR << 16 | PRI_DEVICE)

/* What DMA asks for has an index that no storm uses. */
#define DMA_INDEX	(PRI_INDICES - 1)

/* In each period of a storm */
#define STORM_COUNT	8
#define STORM_PERIOD	20000	/* nanoseconds */

static bool has_capability(int config, uint16_t id)
{
	uint32_t header;
	off_t at = PCI_CFG_SPACE_SIZE;

	while (at && pread(config, &header, sizeof(header), at) == sizeof(header)) {
		header = le32toh(header);
		if (PCI_EXT_CAP_ID(header) == id)
			return true;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return false;
}

static bool has_pasid(const struct pci *pri)
{
	char path[128];
	bool found;
	int config;

	snprintf(path, sizeof(path), DEVICES "/%s/config", pri->address);
	config = open(path, O_RDONLY | O_CLOEXEC);
	if (config < 0)
		return false;
	found = has_capability(config, PCI_EXT_CAP_ID_PASID);
	close(config);
	return found;
}

/**
 * pri_find() - find a device that asks for pages
 * @pri: is set, closed
 * @kind: which
 *
 * Return: whether there is one.
 */
bool pri_find(struct pci *pri, enum pri_kind kind)
{
	int before = kind == PRI_NEIGHBOUR, count;
	bool pasid = kind != PRI_WITHOUT_PASID;
	struct dirent **entries;
	bool found = false;

	count = scandir(DEVICES, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (!found && pci_is_at(pri, entries[i]->d_name, ID) &&
		    has_pasid(pri) == pasid)
			found = before-- == 0;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return found;
}

/**
 * pri_read() - read a register
 * @pri: the device, open
 * @reg: its offset
 */
uint64_t pri_read(const struct pci *pri, unsigned int reg)
{
	return le64toh(__atomic_load_n((uint64_t *)(pri->registers + reg), __ATOMIC_ACQUIRE));
}

/**
 * pri_write() - write a register
 * @pri: the device, open
 * @reg: its offset
 * @value: what
 */
void pri_write(const struct pci *pri, unsigned int reg, uint64_t value)
{
	__atomic_store_n((uint64_t *)(pri->registers + reg), htole64(value), __ATOMIC_RELEASE);
}

/**
 * pri_wait() - wait until the last command is done
 * @pri: the device, open
 *
 * Return: how it ended.
 */
enum pri_status pri_wait(const struct pci *pri)
{
	while (pri_read(pri, PRI_STATUS) == PRI_STATUS_WAITING)
		sched_yield();
	return pri_read(pri, PRI_STATUS);
}

/* The index of what is asked for is that of a group, or of the first of several. */
static void start(const struct pci *pri, enum pri_command command, uint64_t iova, uint64_t request)
{
	pri_write(pri, PRI_ADDRESS, iova);
	pri_write(pri, PRI_PASID, PRI_NO_PASID);
	pri_write(pri, PRI_REQUEST, request);
	pri_write(pri, PRI_COMMAND, command);
}

/**
 * pri_dma() - let the device write or read 8 bytes
 * @pri: the device, open; no command is running
 * @access: PRI_WRITE or PRI_READ, of memory
 * @iova: where
 * @data: what it writes; what it has read is in PRI_DATA then
 */
void pri_dma(const struct pci *pri, uint64_t access, uint64_t iova, uint64_t data)
{
	pri_write(pri, PRI_DATA, data);
	start(pri, PRI_DO_DMA, iova, access | DMA_INDEX << PRI_INDEX_SHIFT);
}

/**
 * pri_group() - let the device ask for consecutive pages, to be written, in one group
 * @pri: the device, open; no command is running
 * @iova: the first page
 * @count: pages
 * @index: of the group
 */
void pri_group(const struct pci *pri, uint64_t iova, unsigned int count, unsigned int index)
{
	pri_write(pri, PRI_COUNT, count);
	start(pri, PRI_DO_GROUP, iova, PRI_WRITE | index << PRI_INDEX_SHIFT);
}

/**
 * pri_burst() - let the device ask for consecutive pages, to be written, each in its own group
 * @pri: the device, open; no command is running
 * @iova: the first page
 * @count: pages
 * @index: of the first group; they count up
 */
void pri_burst(const struct pci *pri, uint64_t iova, unsigned int count, unsigned int index)
{
	pri_write(pri, PRI_COUNT, count);
	start(pri, PRI_DO_BURST, iova, PRI_WRITE | index << PRI_INDEX_SHIFT);
}

/**
 * pri_clear() - set the counters to 0
 * @pri: the device, open
 */
void pri_clear(const struct pci *pri)
{
	pri_write(pri, PRI_COMMAND, PRI_DO_CLEAR);
}

/**
 * pri_storm() - let the device ask all the time, until it is reset or told to end
 * @pri: the device, open
 * @iova: the first of PRI_STORM_PAGES pages
 * @limit: groups that wait for their answer at a time
 */
void pri_storm(const struct pci *pri, uint64_t iova, unsigned int limit)
{
	pri_write(pri, PRI_COUNT, STORM_COUNT);
	pri_write(pri, PRI_PERIOD, STORM_PERIOD);
	pri_write(pri, PRI_LIMIT, limit);
	start(pri, PRI_DO_STORM, iova, PRI_WRITE);
}

/**
 * pri_end_storm() - let the device ask no more
 * @pri: the device, open
 */
void pri_end_storm(const struct pci *pri)
{
	pri_write(pri, PRI_COUNT, 0);
	pri_write(pri, PRI_COMMAND, PRI_DO_STORM);
}

/**
 * pri_answers() - answers that the device got since its counters were 0
 * @pri: the device, open
 */
uint64_t pri_answers(const struct pci *pri)
{
	return pri_read(pri, PRI_SUCCESS) + pri_read(pri, PRI_INVALID) + pri_read(pri, PRI_FAILURE);
}

/**
 * pri_wait_answers() - wait until the device has got answers
 * @pri: the device, open
 * @count: so many since its counters were 0
 */
void pri_wait_answers(const struct pci *pri, uint64_t count)
{
	while (pri_answers(pri) < count)
		sched_yield();
}

/**
 * pri_needs_requests() - skip the test where page requests without a PASID do not arrive
 * @told: of ATTACH of the device
 */
void pri_needs_requests(const struct faultq_attach *told)
{
	if (!(told->kinds & FAULTQ_KIND_PAGE_REQUEST))
		skip_because("page requests without a PASID are not delivered: %s",
			     faultq_why_text(told->no_page_request));
}
