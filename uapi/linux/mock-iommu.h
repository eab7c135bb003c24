/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * mock_iommu: the program's interface to mock devices, /dev/mock-iommu
 *
 * Instances and devices are made in configfs (attributes: docs/mock-iommu.md):
 *
 *   mkdir /sys/kernel/config/mock-iommu/i0          an IOMMU instance
 *   echo 1 > .../i0/live
 *   mkdir .../i0/d0                                 a device behind it
 *   echo stall > .../i0/d0/mode                     pri, stall or none
 *   echo 1 > .../i0/d0/live                         platform device mock-i0-d0, or the
 *                                                   PCI device that .../i0/d0/pci names
 *
 * An open file of /dev/mock-iommu is bound to one live device by BIND. Through it
 * a program makes the device do DMA, injects faults that no engine would make
 * by itself, and reads how the IOMMU's answers came back.
 *
 * Structures grow at the end: @size is the size the caller was compiled with.
 * Unknown flags and non-zero reserved members give EINVAL.
 *
 * Errors that every call can give: EFAULT, EINVAL, E2BIG (@size is longer than
 * known with a tail that is not zero), ENOTTY, ENOTCONN (no device is bound),
 * ENODEV (the bound device is no longer live), ENOMEM. DMA_WAIT and RESPONSE, when they
 * sleep, end with EINTR for a signal whose handler has no SA_RESTART; other calls end early
 * only for one that kills.
 */
#ifndef _UAPI_LINUX_MOCK_IOMMU_H
#define _UAPI_LINUX_MOCK_IOMMU_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MOCK_IOMMU_IOC_TYPE	0xFA
#define MOCK_IOMMU_NAME_SIZE	64

/* Most bytes of one DMA. */
#define MOCK_IOMMU_DMA_MAX	(1U << 20)

/**
 * struct mock_iommu_bind - BIND: this file is for that device
 * @size: sizeof(struct mock_iommu_bind)
 * @flags: must be 0
 * @name: mock-INSTANCE-DEVICE, as the attribute dev_name tells; also of a device that has
 *        adopted a PCI device
 *
 * Errors: EBUSY the file is bound already. ENOENT no live mock device has that
 * name.
 */
struct mock_iommu_bind {
	__u32 size;
	__u32 flags;
	char  name[MOCK_IOMMU_NAME_SIZE];
};

#define MOCK_IOMMU_BIND		_IO(MOCK_IOMMU_IOC_TYPE, 0x80)

/* Accesses, of DMA and in page requests. */
#define MOCK_IOMMU_READ		(1U << 0)	/* the device reads memory */
#define MOCK_IOMMU_WRITE	(1U << 1)	/* the device writes memory */
#define MOCK_IOMMU_EXEC		(1U << 2)
#define MOCK_IOMMU_PRIV		(1U << 3)
#define MOCK_IOMMU_PASID	(1U << 4)	/* @pasid is valid */

/**
 * struct mock_iommu_dma_start - DMA_START: let the device's engine do one DMA
 * @size: sizeof(struct mock_iommu_dma_start)
 * @flags: MOCK_IOMMU_READ or MOCK_IOMMU_WRITE, with _EXEC, _PRIV, _PASID
 * @iova: first I/O virtual address; need not be aligned
 * @length: bytes, 1 to MOCK_IOMMU_DMA_MAX
 * @data: MOCK_IOMMU_WRITE: address of the bytes that the device writes; else 0
 * @pasid: PASID of the access; needs the device's pasid_bits
 * @tag: out: names the DMA for DMA_WAIT
 *
 * The engine goes through the pages in order. Where the domain has no
 * translation, mode "pri" raises one page request group for all pages of the
 * DMA that miss (at most 32 at a time), mode "stall" one request for one page,
 * mode "none" an unrecoverable fault. SUCCESS makes the engine try the page
 * again, any other answer ends the DMA. A PASID that never had an address space
 * of its own uses that of the device; one that lost it is blocked.
 *
 * Errors: EINVAL length or access, or a PASID out of range. EBUSY 1024 DMAs of
 * this file are under way or not collected.
 */
struct mock_iommu_dma_start {
	__u32 size;
	__u32 flags;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 data;
	__u32 pasid;
	__u32 tag;
};

#define MOCK_IOMMU_DMA_START	_IO(MOCK_IOMMU_IOC_TYPE, 0x81)

/* How a DMA ended. */
enum mock_iommu_dma_status {
	MOCK_IOMMU_DMA_DONE	= 0,	/* all bytes moved */
	MOCK_IOMMU_DMA_INVALID	= 1,	/* a page request was answered INVALID */
	MOCK_IOMMU_DMA_FAILURE	= 2,	/* ... FAILURE, or page requests are off */
	MOCK_IOMMU_DMA_FAULT	= 3,	/* unrecoverable fault */
	MOCK_IOMMU_DMA_OVERFLOW	= 4,	/* the page request queue was full */
	MOCK_IOMMU_DMA_RETRIES	= 5,	/* answered SUCCESS too often, still no page */
	MOCK_IOMMU_DMA_BLOCKED	= 6,	/* the device has a blocking domain */
	MOCK_IOMMU_DMA_IDENTITY	= 7,	/* identity domain: the mock moves nothing */
	MOCK_IOMMU_DMA_GONE	= 8,	/* the device went away */
};

/**
 * struct mock_iommu_dma_wait - DMA_WAIT: wait for a DMA and collect it
 * @size: sizeof(struct mock_iommu_dma_wait)
 * @flags: MOCK_IOMMU_NOWAIT: do not wait
 * @tag: from DMA_START
 * @status: out: enum mock_iommu_dma_status
 * @data: for a READ: where the bytes go that the device read, @done of them;
 *	room for the DMA's length; else 0
 * @done: out: bytes that moved before it ended
 * @requests: out: page requests raised for it
 * @reserved: must be 0
 *
 * A DMA is collected once. One that still waits for an answer when the device
 * goes, or the file is closed, is aborted. DMAs can be collected when the device
 * is gone; ENODEV then stands for ENOENT.
 *
 * Errors: ENOENT no such tag. EAGAIN under way, with MOCK_IOMMU_NOWAIT. EINVAL
 * @data is not 0 for a WRITE.
 */
struct mock_iommu_dma_wait {
	__u32 size;
	__u32 flags;
#define MOCK_IOMMU_NOWAIT	(1U << 0)
	__u32 tag;
	__u32 status;
	__aligned_u64 data;
	__aligned_u64 done;
	__u32 requests;
	__u32 reserved;
};

#define MOCK_IOMMU_DMA_WAIT	_IO(MOCK_IOMMU_IOC_TYPE, 0x82)

/**
 * struct mock_iommu_page_request - PAGE_REQUEST: inject raw page requests
 * @size: sizeof(struct mock_iommu_page_request)
 * @flags: MOCK_IOMMU_LAST, MOCK_IOMMU_NEEDS_PASID
 * @access: MOCK_IOMMU_READ, _WRITE, _EXEC, _PRIV, _PASID; 0 with LAST is a stop
 *	marker
 * @group: page request group index of the first
 * @pasid: with MOCK_IOMMU_PASID, 20 bits; else 0
 * @group_step: added to @group for each further one
 * @address: IOVA of the first
 * @address_step: added to @address for each further one
 * @count: how many
 * @done: out: how many the IOMMU core took (reported without an error)
 *
 * They are reported from this call, one by one, whatever the device's mode,
 * its credits, or sense say. @count may be large: a storm, which only a signal that
 * kills ends early. One with LAST is counted as outstanding until it is answered; when
 * the queue has no place for it, it is not reported (see @overflows of STATE).
 */
struct mock_iommu_page_request {
	__u32 size;
	__u32 flags;
#define MOCK_IOMMU_LAST		(1U << 0)	/* last request of its group */
#define MOCK_IOMMU_NEEDS_PASID	(1U << 1)	/* the answer must carry the PASID */
	__u32 access;
	__u32 group;
	__u32 pasid;
	__u32 group_step;
	__aligned_u64 address;
	__aligned_u64 address_step;
	__u32 count;
	__u32 done;
};

#define MOCK_IOMMU_PAGE_REQUEST	_IO(MOCK_IOMMU_IOC_TYPE, 0x83)

/**
 * struct mock_iommu_unrecoverable - UNRECOVERABLE: inject raw unrecoverable faults
 * @size: sizeof(struct mock_iommu_unrecoverable)
 * @flags: MOCK_IOMMU_VIA_DOMAIN: by report_iommu_fault() on the device's domain,
 *	else by iommu_report_device_fault() where the kernel has that;
 *	MOCK_IOMMU_HARD_IRQ: report from hard interrupt context (needs
 *	VIA_DOMAIN); MOCK_IOMMU_NO_DEVICE: do not say which device (needs
 *	VIA_DOMAIN); MOCK_IOMMU_FETCH: @fetch_address is valid (not with
 *	VIA_DOMAIN); MOCK_IOMMU_NO_ADDRESS: @address is not valid (not with
 *	VIA_DOMAIN)
 * @access: MOCK_IOMMU_READ, _WRITE, _EXEC, _PRIV, _PASID
 * @reason: as in the kernel's enum iommu_fault_reason, 0 to 8
 * @pasid: with MOCK_IOMMU_PASID, 20 bits; else 0
 * @count: how many
 * @address: IOVA; 0 with MOCK_IOMMU_NO_ADDRESS
 * @fetch_address: with MOCK_IOMMU_FETCH; else 0
 * @done: out: how many the IOMMU core took
 * @reserved: must be 0
 *
 * By domain the address and the direction arrive, nothing else. Only a signal that kills
 * ends the call early.
 *
 * Errors: EOPNOTSUPP this kernel has no way to report it like that. ENXIO
 * VIA_DOMAIN and the device has no paging domain.
 */
struct mock_iommu_unrecoverable {
	__u32 size;
	__u32 flags;
#define MOCK_IOMMU_VIA_DOMAIN	(1U << 0)
#define MOCK_IOMMU_HARD_IRQ	(1U << 1)
#define MOCK_IOMMU_NO_DEVICE	(1U << 2)
#define MOCK_IOMMU_FETCH	(1U << 3)
#define MOCK_IOMMU_NO_ADDRESS	(1U << 4)
	__u32 access;
	__u32 reason;
	__u32 pasid;
	__u32 count;
	__aligned_u64 address;
	__aligned_u64 fetch_address;
	__u32 done;
	__u32 reserved;
};

#define MOCK_IOMMU_UNRECOVERABLE _IO(MOCK_IOMMU_IOC_TYPE, 0x84)

/**
 * struct mock_iommu_response - RESPONSE: take the oldest answer the device got
 * @size: sizeof(struct mock_iommu_response)
 * @flags: in: MOCK_IOMMU_NOWAIT: do not wait for one;
 *	out: MOCK_IOMMU_RESPONSE_PASID: @pasid was in the answer
 * @group: out: page request group index
 * @pasid: out: the PASID in the answer
 * @code: out: 0 success, 1 invalid, 2 failure, as the IOMMU core gave it
 * @dropped: out: older answers that were overwritten since the last call
 *
 * The device remembers its last 4096 answers to injected page requests; answers
 * to the engine's own requests go to the engine. A group that the IOMMU core did
 * not take is answered INVALID by the mock itself.
 *
 * Errors: EAGAIN none there, with MOCK_IOMMU_NOWAIT.
 */
struct mock_iommu_response {
	__u32 size;
	__u32 flags;
#define MOCK_IOMMU_RESPONSE_PASID (1U << 1)
	__u32 group;
	__u32 pasid;
	__u32 code;
	__u32 dropped;
};

#define MOCK_IOMMU_RESPONSE	_IO(MOCK_IOMMU_IOC_TYPE, 0x85)

/**
 * struct mock_iommu_state - STATE: counters of the device and of its instance
 * @size: sizeof(struct mock_iommu_state)
 * @flags: must be 0
 * @outstanding: out: page request groups of the device that wait for an answer
 * @queue_used: out: places of the instance's queue in use, by all its devices
 * @queue_depth: out: places it has
 * @requests_on: out: 1 page requests are on, 0 a FAILURE switched them off (pri)
 * @requests: out: page requests the device raised or had injected
 * @answered: out: answers that matched an outstanding group
 * @unmatched: out: answers that matched none: answered twice, or never asked
 * @unanswered: out: groups of the *instance* that were still outstanding when
 *	their device went away
 * @overflows: out: groups of the device that found the queue full
 * @refused: out: page requests that the IOMMU core did not take
 * @faults: out: unrecoverable faults reported
 * @identity: out: DMA accesses that met an identity domain
 * @blocked: out: DMA accesses that met a blocking domain
 * @dmas: out: DMAs that ended
 * @snooped: out: 1 the domain of the device lets no access get around the CPU's caches
 * @reserved: out: 0
 */
struct mock_iommu_state {
	__u32 size;
	__u32 flags;
	__u32 outstanding;
	__u32 queue_used;
	__u32 queue_depth;
	__u32 requests_on;
	__aligned_u64 requests;
	__aligned_u64 answered;
	__aligned_u64 unmatched;
	__aligned_u64 unanswered;
	__aligned_u64 overflows;
	__aligned_u64 refused;
	__aligned_u64 faults;
	__aligned_u64 identity;
	__aligned_u64 blocked;
	__aligned_u64 dmas;
	__u32 snooped;
	__u32 reserved;
};

#define MOCK_IOMMU_STATE	_IO(MOCK_IOMMU_IOC_TYPE, 0x86)

/* How an access of SCAN or MSI_SEND went. */
enum mock_iommu_access_status {
	MOCK_IOMMU_ACCESS_DONE		= 0,
	MOCK_IOMMU_ACCESS_MISS		= 1,	/* no translation */
	MOCK_IOMMU_ACCESS_DENIED	= 2,	/* one without the permission */
	MOCK_IOMMU_ACCESS_NO_MEMORY	= 3,	/* it leads to something that is not RAM */
	MOCK_IOMMU_ACCESS_BLOCKED	= 4,	/* blocking domain */
	MOCK_IOMMU_ACCESS_IDENTITY	= 5,	/* identity domain */
};

/**
 * struct mock_iommu_scan_page - one page of SCAN
 * @value: MOCK_IOMMU_READ: out: the first 8 bytes; MOCK_IOMMU_WRITE: what to write there
 * @status: out: enum mock_iommu_access_status
 * @reserved: 0
 */
struct mock_iommu_scan_page {
	__aligned_u64 value;
	__u32 status;
	__u32 reserved;
};

/**
 * struct mock_iommu_scan - SCAN: access the beginning of each page of a range
 * @size: sizeof(struct mock_iommu_scan)
 * @flags: MOCK_IOMMU_READ or MOCK_IOMMU_WRITE
 * @iova: first page, page-aligned
 * @pages: address of an array of struct mock_iommu_scan_page
 * @count: how many, 1 to MOCK_IOMMU_SCAN_MAX
 * @reserved: must be 0
 *
 * Through the device's page table and IOTLB, as the engine does it, but nothing faults:
 * what cannot be reached is told.
 */
struct mock_iommu_scan {
	__u32 size;
	__u32 flags;
	__aligned_u64 iova;
	__aligned_u64 pages;
	__u32 count;
	__u32 reserved;
};

#define MOCK_IOMMU_SCAN_MAX	256

#define MOCK_IOMMU_SCAN		_IO(MOCK_IOMMU_IOC_TYPE, 0x87)

/* Interrupt controllers of the mock, each with a doorbell in a page of its own. */
#define MOCK_IOMMU_CONTROLLERS	8

/**
 * struct mock_iommu_msi - MSI_BIND, MSI_UNBIND, MSI_SEND, MSI_READ: interrupts by message
 * @size: sizeof(struct mock_iommu_msi)
 * @flags: must be 0
 * @controller: which, less than MOCK_IOMMU_CONTROLLERS
 * @data: MSI_SEND: the message, not 0; MSI_READ: out: the last one that arrived, by
 *	whatever device, or 0; reading takes it
 * @iova: MSI_BIND: out: where the device reaches the doorbell
 * @status: MSI_SEND: out: enum mock_iommu_access_status
 * @reserved: must be 0
 *
 * MSI_BIND lets iommu_faultq bind the doorbell for the device, which must be attached to a
 * VM; several times are counted, and MSI_UNBIND undoes one. MSI_SEND writes the message as
 * the device does it, through its page table, to where the doorbell was bound last.
 *
 * Errors: EINVAL @controller or @data. EOPNOTSUPP iommu_faultq is not loaded. ENXIO MSI_SEND,
 * and nothing was ever bound. MSI_BIND: those of faultq_doorbell_get().
 */
struct mock_iommu_msi {
	__u32 size;
	__u32 flags;
	__u32 controller;
	__u32 data;
	__aligned_u64 iova;
	__u32 status;
	__u32 reserved;
};

#define MOCK_IOMMU_MSI_BIND	_IO(MOCK_IOMMU_IOC_TYPE, 0x88)
#define MOCK_IOMMU_MSI_UNBIND	_IO(MOCK_IOMMU_IOC_TYPE, 0x89)
#define MOCK_IOMMU_MSI_SEND	_IO(MOCK_IOMMU_IOC_TYPE, 0x8a)
#define MOCK_IOMMU_MSI_READ	_IO(MOCK_IOMMU_IOC_TYPE, 0x8b)

#endif /* _UAPI_LINUX_MOCK_IOMMU_H */
