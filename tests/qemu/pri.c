// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Page Request Interface of a device: whether it may ask, what waits for an answer, what the
 * answers were; control and status in its capability. It owns @stopped, @failed, @outstanding,
 * @listeners and the counters of struct device.
 *
 * Not Bus Master Enable, but Enable in the capability says whether a device may ask: that is what
 * the specification says of messages. (QEMU itself wants both for requests with a PASID.)
 */
#include <string.h>

#include "device.h"

/* In the capability: control and status are one dword */
#define PRI_CONTROL		(CAP_PRI + 4)
#define CONTROL_ENABLE		0x1
#define CONTROL_RESET		0x2
#define STATUS_RESPONSE_FAILURE	(1u << 16)
#define STATUS_STOPPED		(1u << 24)

#define CODE_SUCCESS		0
#define CODE_INVALID		1
#define CODE_FAILURE		15

/**
 * pri_may_ask() - is the device allowed to send page requests?
 * @device: the device
 */
bool pri_may_ask(struct device *device)
{
	return device->has_pri && pcie_pri_enabled(device->pci) && !device->failed;
}

/**
 * pri_forget() - wait for no answer any more
 * @device: the device
 */
void pri_forget(struct device *device)
{
	memset(device->outstanding, 0, sizeof(device->outstanding));
	*reg(device, PRI_OUTSTANDING) = 0;
}

static void set_control(struct device *device, uint16_t control)
{
	pci_default_write_config(device->pci, PRI_CONTROL, control, 2);
}

/* The response disables the interface until software resets and enables it. */
static void stop(struct device *device)
{
	device->failed = true;
	device->stopped = true;
	set_control(device, 0);
	pri_forget(device);
}

static void count(struct device *device, int code)
{
	switch (code) {
	case CODE_SUCCESS:
		++*reg(device, PRI_SUCCESS);
		break;
	case CODE_INVALID:
		++*reg(device, PRI_INVALID);
		break;
	default:
		++*reg(device, PRI_FAILURE);
	}
}

/**
 * pri_answered() - an answer has arrived
 * @device: for which device
 * @code: as on the wire; what the specification reserves counts as FAILURE
 * @index: of the group
 */
void pri_answered(struct device *device, int code, uint16_t index)
{
	index %= PRI_INDICES;
	if (code != CODE_SUCCESS && code != CODE_INVALID)
		code = CODE_FAILURE;
	*reg(device, PRI_LAST_CODE) = code;
	*reg(device, PRI_LAST_INDEX) = index;
	count(device, code);
	if (device->outstanding[index]) {
		device->outstanding[index]--;
		--*reg(device, PRI_OUTSTANDING);
	} else {
		++*reg(device, PRI_UNASKED);
	}
	if (code == CODE_FAILURE)
		stop(device);
	command_go_on(device, code, index);
}

static void notify(struct pri_notifier *notifier, struct pri_answer *answer)
{
	struct listener *listener = (struct listener *)notifier;
	int code = answer->code > CODE_INVALID ? CODE_FAILURE : answer->code;

	pri_answered(listener->device, code, answer->index);
}

/* QEMU gives an answer with a PASID to who has registered for the PASID. */
static bool listen(struct device *device, uint64_t pasid)
{
	struct listener *listener = device->listeners;
	unsigned int i;

	for (i = 0; i < device->nr_listeners; i++, listener++)
		if (listener->pasid == pasid)
			return true;
	if (i == LISTENERS)
		return false;
	*listener = (struct listener){
		.notifier.notify = notify, .device = device, .pasid = pasid,
	};
	if (pci_pri_register_notifier(device->pci, pasid, &listener->notifier))
		return false;
	device->nr_listeners++;
	return true;
}

static bool send(struct device *device, const struct request *request)
{
	if (!pri_may_ask(device))
		return false;
	if (request->pasid == PRI_NO_PASID)
		return vtd_request(device, request);
	return listen(device, request->pasid) &&
	       !pci_pri_request_page(device->pci, request->pasid, false, false, request->address,
				     request->last, request->index, request->read, request->write);
}

static void expect(struct device *device, const struct request *request, int change)
{
	if (!request->last)
		return;
	device->outstanding[request->index] += change;
	*reg(device, PRI_OUTSTANDING) += change;
}

/**
 * pri_ask() - send a page request
 * @device: the device
 * @request: the request
 *
 * Return: false if it was lost.
 */
bool pri_ask(struct device *device, const struct request *request)
{
	/* before: the answer may come from within the request */
	expect(device, request, 1);
	if (send(device, request)) {
		++*reg(device, PRI_SENT);
		return true;
	}
	expect(device, request, -1);
	++*reg(device, PRI_LOST);
	return false;
}

/**
 * pri_reset() - what a function-level reset does to the interface
 * @device: the device
 */
void pri_reset(struct device *device)
{
	device->failed = false;
	device->stopped = true;
	if (device->has_pri)
		set_control(device, 0);
	pri_forget(device);
}

/**
 * pri_leave() - the device is unplugged
 * @device: the device
 */
void pri_leave(struct device *device)
{
	while (device->nr_listeners)
		pci_pri_unregister_notifier(device->pci,
					    device->listeners[--device->nr_listeners].pasid);
}

/**
 * pri_read_config() - complete what is read of the configuration space
 * @device: the device
 * @address: where
 * @length: bytes
 * @value: as QEMU read it, which knows no status
 *
 * Return: what the guest sees.
 */
uint32_t pri_read_config(struct device *device, uint32_t address, int length, uint32_t value)
{
	uint32_t now;

	if (!device->has_pri || (address & ~3u) != PRI_CONTROL)
		return value;
	now = pci_default_read_config(device->pci, PRI_CONTROL, 4);
	now &= ~(CONTROL_RESET | STATUS_RESPONSE_FAILURE | STATUS_STOPPED);
	now |= device->failed ? STATUS_RESPONSE_FAILURE : 0;
	now |= device->stopped ? STATUS_STOPPED : 0;
	now >>= 8 * (address & 3);
	return length == 4 ? now : now & ((1u << (8 * length)) - 1);
}

static void control(struct device *device, uint16_t value)
{
	if (value & CONTROL_RESET) {
		device->failed = false;
		pri_forget(device);
		set_control(device, value & ~CONTROL_RESET);
	}
	device->stopped = !pri_may_ask(device);
}

/**
 * pri_write_config() - do what a write to the configuration space asks for
 * @device: the device
 * @address: where
 * @value: what; QEMU has stored it already
 * @length: bytes
 */
void pri_write_config(struct device *device, uint32_t address, uint32_t value, int length)
{
	uint32_t dword = value << (8 * (address & 3));

	if (!device->has_pri || (address & ~3u) != PRI_CONTROL)
		return;
	if (dword & STATUS_RESPONSE_FAILURE)
		device->failed = false;
	if (address == PRI_CONTROL && length > 0)
		control(device, dword & 0xffff);
}
