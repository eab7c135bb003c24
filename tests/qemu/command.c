// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device does when it is told: DMA, page requests, the storm. It owns the status register,
 * @storm_next and @storm_timer of struct device.
 */
#include "device.h"

#define PAGE	4096ULL

static void set_status(struct device *device, enum pri_status status)
{
	*reg(device, PRI_STATUS) = status;
}

static uint16_t index_of(struct device *device)
{
	return (*reg(device, PRI_REQUEST) >> PRI_INDEX_SHIFT) % PRI_INDICES;
}

static struct request request_of(struct device *device)
{
	uint64_t flags = *reg(device, PRI_REQUEST);

	return (struct request){
		.address = *reg(device, PRI_ADDRESS),
		.pasid = *reg(device, PRI_PASID),
		.index = index_of(device),
		.read = flags & PRI_READ,
		.write = flags & PRI_WRITE,
		.last = flags & PRI_LAST,
	};
}

/* DMA */

static void transfer(struct device *device, struct AddressSpace *space, uint64_t address)
{
	bool failed = address_space_rw(space, address, 0, reg(device, PRI_DATA), sizeof(uint64_t),
				       *reg(device, PRI_REQUEST) & PRI_WRITE);

	set_status(device, failed ? PRI_STATUS_FAULTED : PRI_STATUS_DONE);
}

static bool translate(struct device *device, uint64_t *address)
{
	bool write = *reg(device, PRI_REQUEST) & PRI_WRITE;
	struct translation result[2] = {};
	uint64_t iova = *reg(device, PRI_ADDRESS);
	uint32_t errors = 0;

	if (pci_ats_request_translation(device->pci, *reg(device, PRI_PASID), false, false,
					iova & -PAGE, PAGE, !write, result, 1, &errors) < 1)
		return false;
	*address = (result[0].address & ~result[0].mask) | (iova & result[0].mask);
	return result[0].perm & (write ? 2 : 1);
}

static void ask(struct device *device, const struct request *request)
{
	set_status(device, request->last ? PRI_STATUS_WAITING : PRI_STATUS_DONE);
	if (!pri_ask(device, request))
		set_status(device, PRI_STATUS_LOST);
}

static void dma(struct device *device, bool again)
{
	struct request request = request_of(device);
	uint64_t address;

	request.last = true;
	if (translate(device, &address))
		transfer(device, &address_space_memory, address);
	else if (again)
		set_status(device, PRI_STATUS_MISSED);
	else
		ask(device, &request);
}

/**
 * command_go_on() - an answer has arrived
 * @device: for which device
 * @code: 0 is SUCCESS
 * @index: of the group
 */
void command_go_on(struct device *device, int code, uint16_t index)
{
	if (*reg(device, PRI_STATUS) != PRI_STATUS_WAITING || index != index_of(device))
		return;
	if (code)
		set_status(device, PRI_STATUS_NO_SUCCESS);
	else if (*reg(device, PRI_COMMAND) == PRI_DO_DMA)
		dma(device, true);
	else
		set_status(device, PRI_STATUS_DONE);
}

/* Page requests */

static void ask_group(struct device *device)
{
	struct request request = request_of(device);
	uint64_t left;

	for (left = *reg(device, PRI_COUNT); left; left--) {
		request.last = left == 1;
		ask(device, &request);
		request.address += PAGE;
	}
}

static void ask_burst(struct device *device)
{
	struct request request = request_of(device);
	uint64_t left;
	bool sent = true;

	request.last = true;
	for (left = *reg(device, PRI_COUNT); left; left--) {
		sent &= pri_ask(device, &request);
		request.address += PAGE;
		request.index = (request.index + 1) % PRI_INDICES;
	}
	set_status(device, sent ? PRI_STATUS_DONE : PRI_STATUS_LOST);
}

/* The storm is a timer, so that it needs no help of the guest and ends with the device. */

static bool find_index(struct device *device, uint16_t *index)
{
	*index = device->storm_next % PRI_STORM_INDICES;
	if (*reg(device, PRI_LIMIT) > PRI_STORM_INDICES)
		return true;
	for (unsigned int i = 0; i < PRI_STORM_INDICES; i++) {
		*index = (device->storm_next + i) % PRI_STORM_INDICES;
		if (!device->outstanding[*index])
			return true;
	}
	return false;
}

static bool storm_on(struct device *device)
{
	struct request request = request_of(device);

	if (*reg(device, PRI_OUTSTANDING) >= *reg(device, PRI_LIMIT) ||
	    !find_index(device, &request.index))
		return false;
	request.last = true;
	request.address += device->storm_next++ % PRI_STORM_PAGES * PAGE;
	return pri_ask(device, &request);
}

static void set_timer(struct device *device)
{
	timer_mod_ns((struct QEMUTimer *)device->storm_timer,
		     qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + *reg(device, PRI_PERIOD));
}

/**
 * command_end_storm() - ask for nothing more
 * @device: the device
 */
void command_end_storm(struct device *device)
{
	timer_del((struct QEMUTimer *)device->storm_timer);
}

static void tick(void *opaque)
{
	struct device *device = opaque;
	uint64_t left = *reg(device, PRI_COUNT);

	while (left && pri_may_ask(device) && storm_on(device))
		left--;
	set_timer(device);
}

static void start_storm(struct device *device)
{
	command_end_storm(device);
	if (*reg(device, PRI_COUNT))
		set_timer(device);
	set_status(device, PRI_STATUS_DONE);
}

static void clear(struct device *device)
{
	for (unsigned int offset = PRI_SENT; offset <= PRI_UNASKED; offset += 8)
		*reg(device, offset) = 0;
	set_status(device, PRI_STATUS_IDLE);
}

/**
 * command() - do what the command register says
 * @device: the device
 */
void command(struct device *device)
{
	struct request request = request_of(device);

	switch (*reg(device, PRI_COMMAND)) {
	case PRI_DO_DMA:
		dma(device, false);
		break;
	case PRI_DO_DMA_RAW:
		transfer(device, pci_device_iommu_address_space(device->pci), request.address);
		break;
	case PRI_DO_ASK:
		ask(device, &request);
		break;
	case PRI_DO_GROUP:
		ask_group(device);
		break;
	case PRI_DO_BURST:
		ask_burst(device);
		break;
	case PRI_DO_STORM:
		start_storm(device);
		break;
	case PRI_DO_CLEAR:
		clear(device);
		break;
	}
}

/**
 * command_begin() - prepare a new device for commands
 * @device: the device
 */
void command_begin(struct device *device)
{
	timer_init_full((struct QEMUTimer *)device->storm_timer, NULL, QEMU_CLOCK_VIRTUAL, 1, 0,
			tick, device);
}

/**
 * command_reset() - what a function-level reset does to commands
 * @device: the device
 */
void command_reset(struct device *device)
{
	command_end_storm(device);
	set_status(device, PRI_STATUS_IDLE);
}
