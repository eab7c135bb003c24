/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * faultq-pri inside: device.c is what QEMU and the guest see, command.c does what the guest asks
 * for, pri.c sends page requests and takes answers, vtd.c carries those without a PASID. Everything
 * runs under QEMU's big lock, so there are no locks here.
 */
#ifndef TESTS_QEMU_DEVICE_H
#define TESTS_QEMU_DEVICE_H

#include "pri_registers.h"
#include "qemu.h"

/* Where the capabilities are */
#define CAP_EXPRESS	0x80
#define CAP_ATS		0x100
#define CAP_PRI		0x120
#define CAP_PASID	0x140

#define PRI_CAPACITY	PRI_INDICES	/* outstanding page requests, as the capability says */
#define LISTENERS	16		/* PASIDs that answers can come for */

struct listener {
	struct pri_notifier notifier;	/* first: QEMU gives it back */
	struct device *device;
	uint64_t pasid;
};

/**
 * struct device - one of our devices
 * @pci: what QEMU has of it
 * @next: device, in a list of all
 * @has_pri: option: has that capability
 * @has_pasid: option: has that capability
 * @pasid_required: option: its answers must have the PASID of the request
 * @stopped: PRI status: "Stopped"
 * @failed: PRI status: "Response Failure"
 * @registers: of BAR 0, by their offset / 8
 * @outstanding: groups that wait for an answer, by their index
 * @listeners: the first @nr_listeners are in use
 * @storm_next: number of the storm's next group
 * @storm_timer: runs while there is a storm
 * @bar: BAR 0
 */
struct device {
	struct PCIDevice *pci;
	struct device *next;
	bool has_pri;
	bool has_pasid;
	bool pasid_required;
	bool stopped;
	bool failed;
	uint64_t registers[PRI_REGISTERS_SIZE / 8];
	uint16_t outstanding[PRI_INDICES];
	struct listener listeners[LISTENERS];
	unsigned int nr_listeners;
	uint64_t storm_next;
	uint64_t storm_timer[ROOM_OF_TIMER / 8];
	uint64_t bar[ROOM_OF_REGION / 8] __attribute__((aligned(64)));
};

static inline uint64_t *reg(struct device *device, unsigned int offset)
{
	return &device->registers[offset / 8];
}

/**
 * struct request - a page request
 */
struct request {
	uint64_t address;
	uint64_t pasid;		/* or PRI_NO_PASID */
	uint16_t index;
	bool read;
	bool write;
	bool last;
};

/* device.c */
struct device *device_of_requester(uint16_t requester);

/* command.c */
void command(struct device *device);
void command_begin(struct device *device);
void command_end_storm(struct device *device);
void command_go_on(struct device *device, int code, uint16_t index);
void command_reset(struct device *device);

/* pri.c */
bool pri_ask(struct device *device, const struct request *request);
void pri_answered(struct device *device, int code, uint16_t index);
void pri_forget(struct device *device);
void pri_leave(struct device *device);
bool pri_may_ask(struct device *device);
void pri_reset(struct device *device);
uint32_t pri_read_config(struct device *device, uint32_t address, int length, uint32_t value);
void pri_write_config(struct device *device, uint32_t address, uint32_t value, int length);

/* vtd.c */
void vtd_watch_answers(void);
bool vtd_request(struct device *device, const struct request *request);

#endif
