/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * iommu-faultq: the user interface of /dev/faultq
 *
 * A file of /dev/faultq stands for one VM. Devices are attached to it, their
 * DMA is translated by the VM's address space, and all their IOMMU faults
 * arrive in the one queue of the file:
 *
 *   GET_INFO  ->  QUEUE + mmap()  ->  ATTACH  ->  poll() / read the ring
 *             ->  MAP, RESPOND  ->  DETACH or close()
 *
 * Rules that hold for every call
 *
 * - The argument points to a structure whose first member, @size, the caller
 *   sets to the size of the structure it was compiled with. A kernel that knows
 *   a longer structure takes what it does not get as zero, and writes back no
 *   more than @size bytes; a kernel that knows a shorter one accepts a tail of
 *   zeroes. The layout is the same for 32-bit and 64-bit callers.
 * - Flags that the call does not know, and reserved members that are not zero,
 *   give EINVAL. Features are found out by GET_INFO, not by a version number.
 * - Members marked "out" are written on success only, and are ignored as
 *   input. The structure is probed for writing before anything is done.
 *
 * Errors that every call can give
 *
 *   EFAULT  the structure, or memory it points to, cannot be read or written;
 *           nothing was done.
 *   EINVAL  @size is less than the structure's first published size, an unknown
 *           flag is set, or a reserved member is not zero.
 *   E2BIG   @size is more than this kernel knows and the tail is not zero, or
 *           @size is more than a page.
 *   EIO     the queue was stopped, because the consumer index was nonsense
 *           (see "The ring"). Only GET_INFO, STATS, DETACH and close() go on
 *           working.
 *   ENOTTY  the call is not known.
 *
 * A call lists below what else it can give. A call that waits can also give
 * EINTR, and ENOMEM is always possible where memory is needed.
 *
 * The ring
 *
 * QUEUE gives three mmap() offsets: a header page and the records, both
 * read-only, and a consumer page that the consumer writes. Indices run freely
 * modulo 2^32; the record of index i is records[i & (entries - 1)].
 *
 * The kernel writes records, then stores the header's @producer with release
 * semantics. The consumer
 *
 *   1. loads @producer (acquire) and reads the records between its own index
 *      and that, all of them,
 *   2. stores its new index to the consumer page (release),
 *   3. executes a full memory fence (smp_mb(), atomic_thread_fence(seq_cst)),
 *   4. loads @producer again: if it moved, goes on with 1,
 *   5. sleeps in poll() or on the eventfd.
 *
 * The kernel wakes a sleeper only when it publishes a record into a ring that
 * was drained, after a full fence of its own, so the fence in 3 and the second
 * look in 4 are not optional.
 *
 * The kernel reads nothing from user-written memory but the consumer index. An
 * index that moves back, or ahead of @producer, is nonsense: the kernel sets
 * FAULTQ_RING_STOPPED, terminates what is outstanding, and the queue never
 * works again.
 *
 * A page request group is published whole: consecutive records with one cookie,
 * of which the last has FAULTQ_RECORD_LAST. It is outstanding until it is
 * answered by RESPOND or MAP, or terminated by the kernel. A group that finds
 * no free slot, or no room in the ring, is terminated at once: the device gets
 * FAULTQ_INVALID and the counters in STATS tell. An unrecoverable fault that
 * finds no room is lost: the header's @lost counts it, and the next record has
 * FAULTQ_RECORD_AFTER_LOSS. Half of the ring is for page requests, a quarter for
 * unrecoverable faults and a quarter for events; no kind takes another's room.
 */
#ifndef _UAPI_LINUX_FAULTQ_H
#define _UAPI_LINUX_FAULTQ_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define FAULTQ_IOC_TYPE		0xFA

/* Names of devices: "pci/0000:00:04.0" or "platform/NAME", NUL included. */
#define FAULTQ_NAME_SIZE	64

/* Answer codes of a page request, as in PCIe PRI. */
enum faultq_code {
	FAULTQ_SUCCESS	= 0,	/* mapped: the device may try again */
	FAULTQ_INVALID	= 1,	/* not mapped: the access fails */
	FAULTQ_FAILURE	= 2,	/* the access fails, and the device stops asking */
};

/* Kinds of fault, as bits: what a kernel, or a device on it, can deliver. */
enum faultq_kind {
	/* page requests, to be answered (PCIe PRI, SMMU stall) */
	FAULTQ_KIND_PAGE_REQUEST	= 1 << 0,
	/* unrecoverable faults with reason and PASID, from the fault report */
	FAULTQ_KIND_UNRECOVERABLE	= 1 << 1,
	/* unrecoverable faults with address and direction only, from the domain */
	FAULTQ_KIND_DOMAIN_FAULT	= 1 << 2,
	/*
	 * page requests with a PASID, of a device that is attached as a whole; where
	 * they are not delivered, the kernel answers them with FAULTQ_INVALID
	 */
	FAULTQ_KIND_PASID_REQUEST	= 1 << 3,
};

/**
 * struct faultq_info - GET_INFO: what this kernel and this module can do
 * @size: sizeof(struct faultq_info)
 * @flags: must be 0
 * @features: out: FAULTQ_FEATURE_* bits
 * @kinds: out: FAULTQ_KIND_* bits of what this kernel can deliver to this
 *	module at all; ATTACH tells what a device can
 * @record_size: out: size of a ring record, bytes
 * @max_slots: out: largest @slots of QUEUE
 * @min_entries: out: smallest @entries of QUEUE
 * @max_entries: out: largest @entries of QUEUE
 * @max_group: out: most page requests in one group; longer ones are terminated
 * @max_devices: out: most devices that can be attached to one VM
 * @reserved: out: 0
 *
 * No errors but the common ones.
 */
struct faultq_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 features;
#define FAULTQ_FEATURE_RING		(1ULL << 0)	/* mmap()ed ring */
#define FAULTQ_FEATURE_READ		(1ULL << 1)	/* read() instead of it */
#define FAULTQ_FEATURE_OWNED		(1ULL << 2)	/* ATTACH by name */
#define FAULTQ_FEATURE_MAP		(1ULL << 3)	/* MAP and UNMAP of memory */
#define FAULTQ_FEATURE_MAP_ANSWER	(1ULL << 4)	/* FAULTQ_MAP_ANSWER */
	__u32 kinds;
	__u32 record_size;
	__u32 max_slots;
	__u32 min_entries;
	__u32 max_entries;
	__u32 max_group;
	__u32 max_devices;
	__u32 reserved;
};

#define FAULTQ_GET_INFO		_IO(FAULTQ_IOC_TYPE, 0x00)

/**
 * struct faultq_queue - QUEUE: create the queue of this VM
 * @size: sizeof(struct faultq_queue)
 * @flags: FAULTQ_QUEUE_READ: records are taken by read(), there is no mmap()
 * @slots: how many page request groups may be outstanding, 1 to max_slots
 * @entries: how many records the ring holds, a power of two from min_entries
 *	to max_entries
 * @eventfd: an eventfd to signal when poll() would wake, or -1
 * @reserved: must be 0
 * @header_offset: out: mmap() offset of the header page, read-only
 * @consumer_offset: out: mmap() offset of the consumer page
 * @records_offset: out: mmap() offset of the records, read-only
 * @header_size: out: bytes to map at @header_offset
 * @consumer_size: out: bytes to map at @consumer_offset
 * @records_size: out: bytes to map at @records_offset
 * @reserved2: out: 0
 *
 * Once per VM, at any time. Until then page requests of attached devices are
 * terminated and counted, and unrecoverable faults are counted as lost. The
 * memory is charged to the caller's memory cgroup. With FAULTQ_QUEUE_READ the
 * offsets and sizes are 0.
 *
 * mmap() takes exactly the given offset and size, MAP_SHARED only. It gives
 * EINVAL for another offset or size or a private mapping, EACCES for
 * PROT_WRITE on a read-only part and for PROT_EXEC, EBUSY when the queue is for
 * read(), ENXIO when there is no queue. The mapping holds the VM: it goes when
 * the last descriptor and the last mapping are gone.
 *
 * read() takes whole records, as many as fit and are there, and blocks for the
 * first one. It gives EAGAIN with O_NONBLOCK, EINVAL for a buffer that is
 * smaller than a record, EBUSY when the queue is a ring, ENXIO when there is no
 * queue.
 *
 * Errors: EEXIST there is a queue already. EINVAL @slots or @entries is out of
 * range, @entries is not a power of two, or @eventfd is not an eventfd. EBADF
 * @eventfd is not a file.
 */
struct faultq_queue {
	__u32 size;
	__u32 flags;
#define FAULTQ_QUEUE_READ		(1U << 0)
	__u32 slots;
	__u32 entries;
	__s32 eventfd;
	__u32 reserved;
	__aligned_u64 header_offset;
	__aligned_u64 consumer_offset;
	__aligned_u64 records_offset;
	__u32 header_size;
	__u32 consumer_size;
	__u32 records_size;
	__u32 reserved2;
};

#define FAULTQ_QUEUE		_IO(FAULTQ_IOC_TYPE, 0x01)

/**
 * struct faultq_ring_header - the header page, written by the kernel only
 * @producer: index of the next record to be published
 * @flags: FAULTQ_RING_STOPPED: the consumer index was nonsense
 * @entries: as given to QUEUE
 * @record_size: bytes of a record
 * @lost: unrecoverable faults that found no room, since QUEUE
 * @terminated: page request groups that the kernel answered itself, since QUEUE
 */
struct faultq_ring_header {
	__u32 producer;
	__u32 flags;
#define FAULTQ_RING_STOPPED		(1U << 0)
	__u32 entries;
	__u32 record_size;
	__aligned_u64 lost;
	__aligned_u64 terminated;
};

/**
 * struct faultq_ring_consumer - the consumer page, written by the consumer only
 * @consumer: index of the next record to be read
 */
struct faultq_ring_consumer {
	__u32 consumer;
};

enum faultq_type {
	FAULTQ_PAGE_REQUEST	= 1,	/* recoverable, to be answered */
	FAULTQ_UNRECOVERABLE	= 2,	/* the access failed, nothing to answer */
	FAULTQ_DEVICE_GONE	= 3,	/* the device was removed from the system */
};

/* Why an unrecoverable fault happened, when FAULTQ_RECORD_REASON is set. */
enum faultq_reason {
	FAULTQ_REASON_UNKNOWN		= 0,
	FAULTQ_REASON_PASID_FETCH	= 1,	/* the PASID table cannot be read */
	FAULTQ_REASON_BAD_PASID_ENTRY	= 2,
	FAULTQ_REASON_PASID_INVALID	= 3,	/* out of range or disabled */
	FAULTQ_REASON_WALK_ABORT	= 4,	/* abort while walking the page table */
	FAULTQ_REASON_NOT_MAPPED	= 5,
	FAULTQ_REASON_PERMISSION	= 6,
	FAULTQ_REASON_ACCESS		= 7,	/* access flag */
	FAULTQ_REASON_ADDRESS_SIZE	= 8,	/* translated to an address too wide */
};

/**
 * struct faultq_record - one record of the ring, or of read()
 * @type: enum faultq_type
 * @perm: FAULTQ_PERM_* that the access asked for
 * @flags: FAULTQ_RECORD_* bits: what is valid, and the last of a group
 * @device: id from ATTACH, when FAULTQ_RECORD_DEVICE is set
 * @pasid: when FAULTQ_RECORD_PASID is set
 * @group: page request group index that the device chose; for people and
 *	traces, answers go by @cookie
 * @address: IOVA, when FAULTQ_RECORD_ADDRESS is set; a page request's is that of
 *	its page
 * @cookie: names the group, the same in all its records, never 0
 * @timestamp: CLOCK_MONOTONIC, nanoseconds
 * @fetch_address: when FAULTQ_RECORD_FETCH is set: where the IOMMU's own table
 *	walk failed
 * @reason: enum faultq_reason, when FAULTQ_RECORD_REASON is set
 * @reserved: 0
 *
 * DEVICE_GONE: @device was attached and is no more; its id will not be given
 * out again, and its page requests were terminated.
 */
struct faultq_record {
	__u8  type;
	__u8  perm;
#define FAULTQ_PERM_READ		(1U << 0)
#define FAULTQ_PERM_WRITE		(1U << 1)
#define FAULTQ_PERM_EXEC		(1U << 2)
#define FAULTQ_PERM_PRIV		(1U << 3)
	__u16 flags;
#define FAULTQ_RECORD_LAST		(1U << 0)	/* last of its group */
#define FAULTQ_RECORD_DEVICE		(1U << 1)
#define FAULTQ_RECORD_PASID		(1U << 2)
#define FAULTQ_RECORD_ADDRESS		(1U << 3)
#define FAULTQ_RECORD_REASON		(1U << 4)
#define FAULTQ_RECORD_FETCH		(1U << 5)
#define FAULTQ_RECORD_AFTER_LOSS	(1U << 6)	/* faults were lost before it */
	__u32 device;
	__u32 pasid;
	__u32 group;
	__aligned_u64 address;
	__aligned_u64 cookie;
	__aligned_u64 timestamp;
	__aligned_u64 fetch_address;
	__u32 reason;
	__u32 reserved[3];
};

/**
 * struct faultq_attach - ATTACH: own a device and give it the VM's address space
 * @size: sizeof(struct faultq_attach)
 * @flags: must be 0
 * @name: "pci/0000:00:04.0" or "platform/NAME", NUL-terminated
 * @device: out: the id that records and DETACH use; ids are never reused in a VM
 * @kinds: out: FAULTQ_KIND_* that this device delivers on this kernel
 * @no_page_request: out: why FAULTQ_KIND_PAGE_REQUEST is not in @kinds, one of
 *	FAULTQ_WHY_*; FAULTQ_KIND_PASID_REQUEST comes with it, if this kernel has it
 * @no_unrecoverable: out: the same for the two kinds of unrecoverable faults
 * @group: out: number of the IOMMU group, as in /sys/kernel/iommu_groups
 * @reserved: must be 0
 *
 * Needs CAP_SYS_RAWIO; the file can then be passed to a process without. The
 * device must have no driver. Its whole IOMMU group is claimed and attached:
 * the others of the group get ids too, and ATTACH by their names tells them, as
 * ATTACH of a device that is attached to this VM tells its id again. From here
 * on nobody else can own the group, and DMA reaches only what MAP maps.
 *
 * Errors: EPERM no CAP_SYS_RAWIO. ENOENT no such device, or no such bus. ENODEV
 * the device is behind no IOMMU, as one that firmware describes without a link to it, or
 * it is being added to the system at this moment: not after its uevent. EBUSY it has a
 * driver or another owner, its page requests go to somebody else, or it is held (see
 * HELD). ENOSPC too many devices. EINVAL the name is not terminated, the IOMMU driver
 * refuses the device, or a mapping lies outside what its IOMMU can address.
 */
struct faultq_attach {
	__u32 size;
	__u32 flags;
	char  name[FAULTQ_NAME_SIZE];
	__u32 device;
	__u32 kinds;
	__u32 no_page_request;
	__u32 no_unrecoverable;
	__u32 group;
	__u32 reserved;
};

enum faultq_why {
	FAULTQ_WHY_DELIVERED	= 0,	/* it is delivered */
	FAULTQ_WHY_KERNEL	= 1,	/* this kernel has no way to deliver it */
	FAULTQ_WHY_DRIVER	= 2,	/* the IOMMU driver does not report it */
	FAULTQ_WHY_DEVICE	= 3,	/* the device cannot raise it */
	FAULTQ_WHY_UNKNOWN	= 4,	/* the IOMMU driver is not known: it may come */
};

#define FAULTQ_ATTACH		_IO(FAULTQ_IOC_TYPE, 0x02)

/**
 * struct faultq_detach - DETACH: give a device and its IOMMU group back
 * @size: sizeof(struct faultq_detach)
 * @flags: must be 0
 * @device: id from ATTACH
 * @held: out: 1 if the group had to be held, else 0
 *
 * Page requests of the group's devices that are outstanding are terminated, and
 * answers that come later give ESTALE. A PCI device leaves with bus mastering
 * off and after a reset; when one of the group cannot be reset, the group stays
 * claimed and blocked, see HELD. close() detaches in the same way.
 *
 * Errors: ENOENT no such id.
 */
struct faultq_detach {
	__u32 size;
	__u32 flags;
	__u32 device;
	__u32 held;
};

#define FAULTQ_DETACH		_IO(FAULTQ_IOC_TYPE, 0x03)

/**
 * struct faultq_answer - one answer of RESPOND
 * @cookie: from the records of the group
 * @code: enum faultq_code
 * @result: out: 0, or a negative errno:
 *	ESTALE	the group is not outstanding: answered, terminated, or never was
 *	EINVAL	@code is unknown, or @cookie is 0; the group stays outstanding
 *	E2BIG	the entry is longer than this kernel knows and its tail is not zero
 */
struct faultq_answer {
	__aligned_u64 cookie;
	__u32 code;
	__s32 result;
};

/**
 * struct faultq_respond - RESPOND: answer page request groups
 * @size: sizeof(struct faultq_respond)
 * @flags: must be 0
 * @answers: address of an array of struct faultq_answer
 * @count: how many
 * @entry_size: sizeof(struct faultq_answer)
 * @done: out: how many were processed
 * @reserved: must be 0
 *
 * Every entry is processed and gets its own result, whatever became of those
 * before it. The call ends early, with 0 and @done less than @count, when a
 * signal is pending or an entry's memory cannot be read or written. Each entry is
 * read once, and its @result is probed for writing before the group is
 * answered.
 *
 * Errors: EFAULT the first entry cannot be read or written. EINTR a signal came
 * before the first entry. EINVAL @entry_size is less than
 * sizeof(struct faultq_answer) or more than a page. ENXIO there is no queue.
 */
struct faultq_respond {
	__u32 size;
	__u32 flags;
	__aligned_u64 answers;
	__u32 count;
	__u32 entry_size;
	__u32 done;
	__u32 reserved;
};

#define FAULTQ_RESPOND		_IO(FAULTQ_IOC_TYPE, 0x04)

/**
 * struct faultq_map - MAP: make memory of the caller visible to the VM's devices
 * @size: sizeof(struct faultq_map)
 * @flags: FAULTQ_MAP_READ, _WRITE, _EXEC: what devices may do, at least one;
 *	FAULTQ_MAP_ANSWER: then answer @cookie with FAULTQ_SUCCESS
 * @iova: first I/O virtual address, page-aligned
 * @length: bytes, not 0, page-aligned
 * @user_address: first address of the memory, page-aligned
 * @cookie: with FAULTQ_MAP_ANSWER: a group; else 0
 * @answer_result: out: with FAULTQ_MAP_ANSWER: as @result of RESPOND
 * @reserved: must be 0
 *
 * The pages are pinned for as long as they are mapped, and charged to
 * RLIMIT_MEMLOCK of the calling process together with what it has locked and
 * pinned otherwise; CAP_IPC_LOCK lifts the limit. On an error nothing is mapped,
 * pinned or charged, and nothing is answered. Memory can be mapped before the
 * first device is attached.
 *
 * While user space delivers a page (userfaultfd), only a signal that kills ends the
 * call on kernels before 6.2.
 *
 * Errors: EINVAL not aligned, zero, wrapping, no permission bit, @cookie without
 * FAULTQ_MAP_ANSWER, or outside what the IOMMU can address. EEXIST the range overlaps a
 * mapping, or one that another thread is making. EFAULT no memory there, not writable
 * (FAULTQ_MAP_WRITE), or memory that cannot be pinned. ENOMEM over RLIMIT_MEMLOCK, or
 * out of memory. EINTR a signal came. ENXIO FAULTQ_MAP_ANSWER, and there is no queue.
 */
struct faultq_map {
	__u32 size;
	__u32 flags;
#define FAULTQ_MAP_READ			(1U << 0)
#define FAULTQ_MAP_WRITE		(1U << 1)
#define FAULTQ_MAP_EXEC			(1U << 2)
#define FAULTQ_MAP_ANSWER		(1U << 3)
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 user_address;
	__aligned_u64 cookie;
	__s32 answer_result;
	__u32 reserved;
};

#define FAULTQ_MAP		_IO(FAULTQ_IOC_TYPE, 0x05)

/**
 * struct faultq_unmap - UNMAP: remove mappings
 * @size: sizeof(struct faultq_unmap)
 * @flags: must be 0
 * @iova: first I/O virtual address, page-aligned
 * @length: bytes, not 0, page-aligned
 * @unmapped: out: bytes that were mapped in the range and are no more
 *
 * Takes ranges that cover whole mappings; holes are fine, and a range without
 * any mapping gives 0 and @unmapped 0. @iova 0 with @length ~0 is the whole
 * address space. When the call returns, no device reaches the memory. A MAP that
 * is still at work in another thread is not a mapping yet.
 *
 * Errors: EINVAL not aligned, zero, wrapping, or the range cuts a mapping: then
 * nothing is removed.
 */
struct faultq_unmap {
	__u32 size;
	__u32 flags;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 unmapped;
};

#define FAULTQ_UNMAP		_IO(FAULTQ_IOC_TYPE, 0x06)

/**
 * struct faultq_stats - STATS: counters of the VM, or of one of its devices
 * @size: sizeof(struct faultq_stats)
 * @flags: must be 0
 * @device: id from ATTACH, or 0 for the VM with all its devices, past ones too
 * @devices: out: devices attached (1 for a device)
 * @outstanding: out: page request groups waiting for an answer
 * @slots: out: how many may be outstanding, 0 before QUEUE
 * @page_requests: out: page requests in groups that were queued, terminated or
 *	dropped; one that still waits for the rest of its group is not counted yet
 * @groups: out: page request groups that were queued
 * @answered_success: out: groups answered FAULTQ_SUCCESS by user space
 * @answered_invalid: out: groups answered FAULTQ_INVALID by user space
 * @answered_failure: out: groups answered FAULTQ_FAILURE by user space
 * @stale_answers: out: answers that named no outstanding group (VM only)
 * @terminated_no_queue: out: groups terminated: there was no queue
 * @terminated_no_slot: out: ... all slots were outstanding
 * @terminated_no_room: out: ... the ring was full
 * @terminated_too_long: out: ... more than max_group requests in the group
 * @terminated_detached: out: ... the device was detached, or the VM closed
 * @terminated_stopped: out: ... the queue was stopped
 * @partial_dropped: out: page requests whose group never got its last one and
 *	that had to make room
 * @unrecoverable: out: unrecoverable faults that were queued
 * @lost: out: unrecoverable faults that found no room
 * @mapped_bytes: out: bytes mapped (VM only)
 * @pinned_pages: out: pages pinned and charged (VM only)
 *
 * Errors: ENOENT no such id.
 */
struct faultq_stats {
	__u32 size;
	__u32 flags;
	__u32 device;
	__u32 devices;
	__u32 outstanding;
	__u32 slots;
	__aligned_u64 page_requests;
	__aligned_u64 groups;
	__aligned_u64 answered_success;
	__aligned_u64 answered_invalid;
	__aligned_u64 answered_failure;
	__aligned_u64 stale_answers;
	__aligned_u64 terminated_no_queue;
	__aligned_u64 terminated_no_slot;
	__aligned_u64 terminated_no_room;
	__aligned_u64 terminated_too_long;
	__aligned_u64 terminated_detached;
	__aligned_u64 terminated_stopped;
	__aligned_u64 partial_dropped;
	__aligned_u64 unrecoverable;
	__aligned_u64 lost;
	__aligned_u64 mapped_bytes;
	__aligned_u64 pinned_pages;
};

#define FAULTQ_STATS		_IO(FAULTQ_IOC_TYPE, 0x07)

/**
 * struct faultq_held_entry - one device of a held group
 * @name: as in ATTACH
 * @group: number of the IOMMU group
 * @reserved: 0
 */
struct faultq_held_entry {
	char  name[FAULTQ_NAME_SIZE];
	__u32 group;
	__u32 reserved;
};

/**
 * struct faultq_held - HELD: list the devices that could not be given back
 * @size: sizeof(struct faultq_held)
 * @flags: must be 0
 * @entries: address of an array of struct faultq_held_entry
 * @count: in: room in the array; out: how many devices are held, which may be
 *	more
 * @entry_size: sizeof(struct faultq_held_entry); larger entries get a zero tail
 *
 * A PCI device that a VM programmed and that cannot be reset must not meet the
 * kernel's default domain, which may let it reach all memory. Its group stays
 * claimed and blocked, and the module loaded, until the device is removed from
 * the system or an administrator lets it go by RELEASE.
 *
 * Errors: EPERM no CAP_SYS_ADMIN. EINVAL @entry_size is less than
 * sizeof(struct faultq_held_entry) or more than a page.
 */
struct faultq_held {
	__u32 size;
	__u32 flags;
	__aligned_u64 entries;
	__u32 count;
	__u32 entry_size;
};

#define FAULTQ_HELD		_IO(FAULTQ_IOC_TYPE, 0x08)

/**
 * struct faultq_release - RELEASE: let a held group go without a reset
 * @size: sizeof(struct faultq_release)
 * @flags: must be 0
 * @name: a device of the group, as in ATTACH
 *
 * The kernel's default domain comes back for the whole group. Its bus mastering
 * is off, but what it was programmed to do is still in it.
 *
 * Errors: EPERM no CAP_SYS_ADMIN. ENOENT no held device has that name. EINVAL the
 * name is not terminated. EAGAIN a held device is being removed from the system at
 * this moment.
 */
struct faultq_release {
	__u32 size;
	__u32 flags;
	char  name[FAULTQ_NAME_SIZE];
};

#define FAULTQ_RELEASE		_IO(FAULTQ_IOC_TYPE, 0x09)

#endif /* _UAPI_LINUX_FAULTQ_H */
