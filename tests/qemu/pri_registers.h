/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of faultq-pri, a PCI device for QEMU that asks for pages as the specification
 * of ATS, PRI and PASID lets a device ask; for the device itself and for the tests that drive it.
 *
 * BAR 0 has 64-bit registers. A write to PRI_COMMAND does what the others say. PRI_ID is
 * PRI_ID_VALUE; where the device lacks a capability, what needs it ends as PRI_STATUS_LOST.
 */
#ifndef TESTS_QEMU_PRI_REGISTERS_H
#define TESTS_QEMU_PRI_REGISTERS_H

#define PRI_VENDOR		0x1234
#define PRI_DEVICE		0xfa17

#define PRI_ID			0x00
#define PRI_ID_VALUE		0x49525046
#define PRI_ADDRESS		0x08	/* IOVA */
#define PRI_PASID		0x10	/* or PRI_NO_PASID */
#define PRI_REQUEST		0x18	/* PRI_WRITE, PRI_READ, PRI_LAST, index of the group */
#define PRI_DATA		0x20	/* what a DMA writes, what it has read */
#define PRI_COUNT		0x28
#define PRI_PERIOD		0x30	/* of a storm, in nanoseconds */
#define PRI_LIMIT		0x38	/* of a storm: groups that wait at a time */
#define PRI_COMMAND		0x40
#define PRI_STATUS		0x48	/* of the last command, as PRI_STATUS_* */
#define PRI_LAST_CODE		0x50	/* of the last answer */
#define PRI_LAST_INDEX		0x58
/* Counters, set to 0 by PRI_DO_CLEAR: of page requests and of answers by their code */
#define PRI_SENT		0x60
#define PRI_LOST		0x68	/* the queue was full, or the device may not ask */
#define PRI_SUCCESS		0x70
#define PRI_INVALID		0x78
#define PRI_FAILURE		0x80
#define PRI_UNASKED		0x88	/* answers to what nobody waits for */
/* State */
#define PRI_OUTSTANDING		0x90	/* groups that wait for their answer */
#define PRI_RESETS		0x98	/* function-level resets since the device is there */
#define PRI_REGISTERS_SIZE	0x100

#define PRI_NO_PASID		0xffffffffULL

#define PRI_WRITE		0x1
#define PRI_READ		0x2
#define PRI_LAST		0x4
#define PRI_INDEX_SHIFT		16
#define PRI_INDICES		512

enum pri_command {
	PRI_DO_DMA = 1,		/* of 8 bytes, translated; on a miss it asks and tries once more */
	PRI_DO_DMA_RAW,		/* not translated by the device, so it cannot ask */
	PRI_DO_ASK,		/* one page request */
	PRI_DO_GROUP,		/* one group of COUNT page requests, for consecutive pages */
	PRI_DO_BURST,		/* COUNT groups of one page request, indices counting up */
	/*
	 * In each PERIOD up to COUNT groups of one page request, for PRI_STORM_PAGES pages from
	 * ADDRESS on, as long as less than LIMIT wait. It ends with COUNT 0, by a function-level
	 * reset, and with the device, and rests while the device may not ask. Where LIMIT is more
	 * than PRI_STORM_INDICES, indices are used again while they wait, as by no honest device.
	 */
	PRI_DO_STORM,
	PRI_DO_CLEAR,
};

#define PRI_STORM_PAGES		4096
#define PRI_STORM_INDICES	256	/* the indices below this are the storm's */

enum pri_status {
	PRI_STATUS_IDLE,
	PRI_STATUS_WAITING,	/* for an answer */
	PRI_STATUS_DONE,
	PRI_STATUS_LOST,	/* a page request was */
	PRI_STATUS_NO_SUCCESS,	/* is what the answer said */
	PRI_STATUS_MISSED,	/* not translated after SUCCESS either */
	PRI_STATUS_FAULTED,	/* the DMA failed */
};

#endif
