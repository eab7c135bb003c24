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
 *   zeroes. The layout is the same for 32-bit and 64-bit callers. Entries of
 *   arrays grow in the same way; their size stands in the call's structure.
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
 *           (see "The ring"). Only GET_INFO, STATS, DETACH, SHARE, the lists of
 *           an administrator and close() go on working.
 *   ENOTTY  the call is not known.
 *
 * A call lists below what else it can give. ENOMEM is always possible where memory is
 * needed.
 *
 * Signals
 *
 * A signal does not end an ioctl early and does not make it fail, with or without
 * SA_RESTART, unless it is one that kills the process; its handler runs when the call is
 * over. The work of an io_uring waits as long. read() and poll() are as usual: a signal
 * ends them while they sleep, with EINTR where the call is not restarted.
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
 *   5. loads @flags: if FAULTQ_RING_WAITING is set, calls poll() with no timeout and goes
 *      on with 1,
 *   6. sleeps in poll() or on the eventfd.
 *
 * The kernel wakes a sleeper only when it publishes a record into a ring that
 * was drained, after a full fence of its own, so the fence in 3 and the second
 * look in 4 are not optional. Step 5 is for speed: events that found no room are
 * published by the next poll(), read() or fault, and otherwise when the kernel looks
 * for room again by itself, within a second.
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
 * FAULTQ_RECORD_AFTER_LOSS. An event that finds no room waits for it; the header's
 * FAULTQ_RING_WAITING says so. Half of the ring is for page requests, a quarter for
 * unrecoverable faults and a quarter for events; no kind takes another's room.
 *
 * Quotas
 *
 * What is outstanding occupies the queue of an IOMMU instance, which all VMs behind
 * it share. An instance has a depth and, of it, a pool. A VM's first device there
 * that raises page requests reserves a guarantee from what is left of the depth
 * without the pool. Up to its guarantee a VM is always admitted; beyond, it gets one
 * more place of the pool only while it holds fewer of them than are free. SHARE tells
 * and sets the numbers of an instance. LIMITS sets what the VMM itself allows: a
 * limit for the VM over all its devices, and one for each device. A group that is
 * not admitted is terminated at once with FAULTQ_INVALID, STATS counts it under its
 * cause, and an OVER_QUOTA event tells. A device of which too many are refused in a
 * second is switched off, if LIMITS says so.
 *
 * The ids of VMs that VMS tells are for an administrator; a VM file needs none.
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
	/*
	 * the access fails, and the device stops asking; a device whose state is
	 * FAULTQ_STATE_SHARED gets FAULTQ_INVALID instead
	 */
	FAULTQ_FAILURE	= 2,
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
 * @max_windows: out: most windows that can be added to one VM
 * @max_doorbells: out: most doorbells that can be bound in one VM
 * @max_extents: out: most extents of MMIO that can be mapped in one VM
 * @max_mappings: out: most mappings that this VM can have, those that are being made
 *	included; 0: any number, or a module that does not tell
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
#define FAULTQ_FEATURE_QUOTA		(1ULL << 5)	/* SHARE and LIMITS */
#define FAULTQ_FEATURE_DEADLINE		(1ULL << 6)	/* deadlines in LIMITS */
#define FAULTQ_FEATURE_DRAIN		(1ULL << 7)	/* DRAIN */
#define FAULTQ_FEATURE_ENABLE		(1ULL << 8)	/* ENABLE */
#define FAULTQ_FEATURE_TAKEOVER		(1ULL << 9)	/* PENDING, FAULTQ_QUEUE_TAKEOVER */
#define FAULTQ_FEATURE_LISTS		(1ULL << 10)	/* VMS, DEVICES, INSTANCES */
#define FAULTQ_FEATURE_WINDOWS		(1ULL << 11)	/* WINDOW_*, IOVA_RANGES, MAPPINGS */
#define FAULTQ_FEATURE_DOORBELLS	(1ULL << 12)	/* DOORBELLS, FAULTQ_WINDOW_MSI */
/*
 * a device whose MSI doorbells the kernel maps itself can have FAULTQ_KIND_DOMAIN_FAULT all
 * the same
 */
#define FAULTQ_FEATURE_MSI_FAULTS	(1ULL << 13)
#define FAULTQ_FEATURE_MMIO		(1ULL << 14)	/* FAULTQ_MAP_MMIO, MMIO_RESTORE */
	__u32 kinds;
	__u32 record_size;
	__u32 max_slots;
	__u32 min_entries;
	__u32 max_entries;
	__u32 max_group;
	__u32 max_devices;
	__u32 reserved;
	__u32 max_windows;
	__u32 max_doorbells;
	__u32 max_extents;
	__u32 max_mappings;
};

#define FAULTQ_GET_INFO		_IO(FAULTQ_IOC_TYPE, 0x00)

/**
 * struct faultq_queue - QUEUE: create the queue of this VM
 * @size: sizeof(struct faultq_queue)
 * @flags: FAULTQ_QUEUE_READ: records are taken by read(), there is no mmap();
 *	FAULTQ_QUEUE_TAKEOVER: the queue is there, tell about it
 * @slots: how many page request groups may be outstanding, 1 to max_slots; a group
 *	of more than FAULTQ_SLOT_REQUESTS page requests takes a slot for each as many
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
 * FAULTQ_QUEUE_TAKEOVER is for a consumer that follows on another, which has died or
 * was replaced, on the same VM file: it creates nothing, and fills in @flags (with
 * FAULTQ_QUEUE_READ or without), @slots, @entries, offsets and sizes. @slots and
 * @entries must be 0, and FAULTQ_QUEUE_READ not be set. An @eventfd takes the place of
 * the one before, -1 leaves that. The consumer goes on at the index in the consumer
 * page, and asks PENDING for what was consumed and never answered.
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
 * @eventfd is not a file. ENXIO FAULTQ_QUEUE_TAKEOVER, and there is no queue.
 */
struct faultq_queue {
	__u32 size;
	__u32 flags;
#define FAULTQ_QUEUE_READ		(1U << 0)
#define FAULTQ_QUEUE_TAKEOVER		(1U << 1)
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

/* Page requests of a group that fit in one slot. */
#define FAULTQ_SLOT_REQUESTS	4

#define FAULTQ_QUEUE		_IO(FAULTQ_IOC_TYPE, 0x01)

/**
 * struct faultq_ring_header - the header page, written by the kernel only
 * @producer: index of the next record to be published
 * @flags: FAULTQ_RING_STOPPED: the consumer index was nonsense;
 *	FAULTQ_RING_WAITING: events wait for room
 * @entries: as given to QUEUE
 * @record_size: bytes of a record
 * @lost: unrecoverable faults that found no room, since QUEUE
 * @terminated: page request groups that the kernel answered itself, since QUEUE
 */
struct faultq_ring_header {
	__u32 producer;
	__u32 flags;
#define FAULTQ_RING_STOPPED		(1U << 0)
#define FAULTQ_RING_WAITING		(1U << 1)
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
	FAULTQ_OVER_QUOTA	= 4,	/* page request groups were not admitted */
	FAULTQ_DEADLINE		= 5,	/* a group waits for longer than it should */
	FAULTQ_FAULTING_OFF	= 6,	/* the kernel switched off a device's page requests */
	FAULTQ_MMIO_REVOKED	= 7,	/* MMIO is not mapped any more */
	FAULTQ_MMIO_RESTORED	= 8,	/* MMIO is mapped again, by FAULTQ_MAP_RETRY */
};

/* Why a group was not admitted, or a device was switched off: @reason of events. */
enum faultq_cause {
	FAULTQ_CAUSE_DEVICE	= 1,	/* the limit of the device */
	FAULTQ_CAUSE_VM		= 2,	/* the limit of the VM */
	FAULTQ_CAUSE_INSTANCE	= 3,	/* the VM's part of the IOMMU instance */
	FAULTQ_CAUSE_RATE	= 4,	/* too many groups were refused in a second */
	FAULTQ_CAUSE_STRIKES	= 5,	/* too many deadlines were missed */
};

/* Why MMIO was revoked: @reason of MMIO_REVOKED. */
enum faultq_revocation {
	FAULTQ_REVOKED_CLEARED	= 1,	/* decoding off, reset, or taken away by the kernel */
	FAULTQ_REVOKED_UNMAPPED	= 2,	/* munmap(), mremap(), or another mmap() there */
	FAULTQ_REVOKED_PROTECTED = 3,	/* mprotect() */
	FAULTQ_REVOKED_EXITED	= 4,	/* the process that mapped it is gone, or has exec'ed */
	FAULTQ_REVOKED_REMOVED	= 5,	/* its device is being removed from the system */
	FAULTQ_REVOKED_UNBOUND	= 6,	/* a driver is being unbound from its device */
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
 * @cookie: names the group, the same in all its records, never 0; MMIO_REVOKED and
 *	MMIO_RESTORED: @id of MAP
 * @timestamp: CLOCK_MONOTONIC, nanoseconds
 * @fetch_address: when FAULTQ_RECORD_FETCH is set: where the IOMMU's own table
 *	walk failed
 * @length: MMIO_REVOKED, MMIO_RESTORED: bytes from @address
 * @reason: when FAULTQ_RECORD_REASON is set: enum faultq_reason, or of an event
 *	enum faultq_cause or enum faultq_revocation
 * @count: OVER_QUOTA: groups that were not admitted since the last such event;
 *	DEADLINE: see below; MMIO_RESTORED: 1 if a device wrote to the scratch page, else 0
 * @reserved: 0
 *
 * DEVICE_GONE: @device was attached and is no more; its id will not be given
 * out again, and its page requests were terminated.
 *
 * OVER_QUOTA: groups of the VM were over a limit or over its part of an IOMMU
 * instance, the first of them of @device and for @reason. The next such event comes
 * only after this one was consumed and a group was admitted. It does not tell of
 * groups that found no slot or no room in the ring.
 *
 * DEADLINE: the group of @cookie, with @device, @group and @pasid as in its
 * records, passed the deadline of LIMITS; once for each group. It is still
 * outstanding, if it was not answered meanwhile. With @cookie 0 and no device, the
 * event stands for @count groups whose own events found no room; PENDING lists those
 * that are outstanding.
 *
 * FAULTING_OFF: page requests of @device are answered FAULTQ_FAILURE from now on,
 * until ENABLE, for @reason; those that were outstanding are being terminated with
 * FAULTQ_FAILURE. If its state is FAULTQ_STATE_SHARED it is FAULTQ_INVALID, and the device
 * goes on asking.
 *
 * MMIO_REVOKED: an extent of the mapping of @cookie, of @length bytes at @address, is not
 * mapped any more, for @reason. One event for each extent, published when its translation
 * is gone; if the extent is revoked again before the event found room in the ring, it is
 * one event. MAPPINGS tells what is revoked now.
 *
 * MMIO_RESTORED: the same extent is mapped again. If it is revoked again before the event
 * found room, there is no such event.
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
	union {
		__aligned_u64 fetch_address;
		__aligned_u64 length;
	};
	__u32 reason;
	__u32 count;
	__u32 reserved[2];
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
 * on nobody else can own the group, and DMA reaches only what MAP maps. A PCI device
 * that has virtual functions, and these, can be attached like any other, but see
 * FAULTQ_STATE_SHARED.
 *
 * Errors: EPERM no CAP_SYS_RAWIO. ENOENT no such device, or no such bus. ENODEV
 * the device is behind no IOMMU, as one that firmware describes without a link to it; or it
 * is being added to the system at this moment: not after its uevent; or it is being removed,
 * or another device of its group is. EBUSY it has a driver or another owner, its page requests
 * go to somebody else, or it is held (see HELD). ENOSPC too many devices, or the IOMMU instance
 * has no guarantee left for one more VM (see SHARE). EINVAL the name is not terminated, the
 * IOMMU driver refuses the device, a mapping lies outside what IOVA_RANGES would offer, or a
 * window of type FAULTQ_WINDOW_SW_MSI was added that is smaller than the one that the device
 * comes with.
 * EEXIST a window that comes with the device (see WINDOW_LIST) meets a mapping or a window.
 * EOPNOTSUPP the DMA of a device of the group is not coherent: it does not see what is in the
 * CPU's caches, but may see what earlier owners of the memory wrote.
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
	FAULTQ_WHY_SIBLING	= 5,	/* this kernel cannot, with others in the IOMMU group */
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
 * @code: enum faultq_code; FAULTQ_FAILURE is FAULTQ_INVALID to a device whose state is
 *	FAULTQ_STATE_SHARED
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
 * before it. The call ends early, with 0 and @done less than @count, when an entry's
 * memory cannot be read or written. Each entry is read once, and its @result is probed
 * for writing before the group is answered; that of an entry that was not processed
 * stays as it was.
 *
 * Errors: EFAULT the first entry cannot be read or written. EINVAL @entry_size is less
 * than the entries' first published size or more than a page. ENXIO there is no queue.
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
 * @flags: FAULTQ_MAP_READ, _WRITE or both, with or without _EXEC: what devices may do;
 *	FAULTQ_MAP_ANSWER: then answer @cookie with FAULTQ_SUCCESS;
 *	FAULTQ_MAP_MMIO and what goes with it: see below
 * @iova: first I/O virtual address, page-aligned
 * @length: bytes, not 0, page-aligned
 * @user_address: first address of the memory, page-aligned
 * @cookie: with FAULTQ_MAP_ANSWER: a group; else 0
 * @answer_result: out: with FAULTQ_MAP_ANSWER: as @result of RESPOND
 * @reserved: must be 0
 * @id: out: with FAULTQ_MAP_MMIO: names the mapping, never reused in a VM; else 0
 *
 * The pages are pinned for as long as they are mapped, and charged to
 * RLIMIT_MEMLOCK of the calling process together with what it has locked and
 * pinned otherwise; CAP_IPC_LOCK lifts the limit. On an error nothing is mapped,
 * pinned or charged, and nothing is answered. Memory can be mapped before the
 * first device is attached.
 *
 * While user space delivers a page (userfaultfd), the call waits as for a disk, on every
 * kernel: only the page or a signal that kills ends that. Until then the caller cannot be
 * stopped or frozen, and the system not be suspended.
 *
 * FAULTQ_MAP_MMIO: the range is MMIO of a PCI device instead of memory: a BAR that VFIO
 * lets the process map. It can be mapped because its disappearance is watched: when VFIO
 * takes it away (decoding off, reset), when the process unmaps or protects it or exits,
 * when the device is being removed or a driver unbound from it, its translation is gone
 * before that goes on, and MMIO_REVOKED tells. The range may lie in several mappings of the
 * process; each part that is in one is an extent, which is revoked as a whole, also when
 * only some of it goes. The mapping, revoked or not, stays until UNMAP.
 *
 * FAULTQ_MAP_PARTLY_WATCHED takes resourceN files of sysfs, too. Of them the kernel does
 * not tell when decoding is switched off through the configuration space, and when the
 * device is reset.
 *
 * What a device meets where MMIO was revoked is as where nothing is mapped, page requests
 * included. With FAULTQ_MAP_SCRATCH, it is one page of memory, repeated, full of random
 * bytes, until the extent is restored; it comes a moment after the revocation, in which
 * nothing is mapped there, and goes a moment before the MMIO is back. With FAULTQ_MAP_RETRY
 * the kernel tries by itself to restore, now and then for as long as the process lives.
 *
 * Errors: EINVAL not aligned, zero, wrapping, neither FAULTQ_MAP_READ nor _WRITE, @cookie
 * without FAULTQ_MAP_ANSWER, FAULTQ_MAP_PARTLY_WATCHED, _SCRATCH or _RETRY without _MMIO,
 * outside what the IOMMU can address, or permissions that it does not have. EEXIST the range
 * overlaps a mapping, or one that another thread is making, or a window. EFAULT no memory
 * there, not writable (FAULTQ_MAP_WRITE), or memory that cannot be pinned; with
 * FAULTQ_MAP_MMIO: no MMIO that can be watched, not writable, or MMIO that is away at present.
 * ENOMEM over RLIMIT_MEMLOCK, or out of memory. ENXIO FAULTQ_MAP_ANSWER, and there is no
 * queue. ENOSPC more than max_mappings or max_extents, or more than 1 GiB with
 * FAULTQ_MAP_SCRATCH.
 */
struct faultq_map {
	__u32 size;
	__u32 flags;
#define FAULTQ_MAP_READ			(1U << 0)
#define FAULTQ_MAP_WRITE		(1U << 1)
#define FAULTQ_MAP_EXEC			(1U << 2)
#define FAULTQ_MAP_ANSWER		(1U << 3)
#define FAULTQ_MAP_MMIO			(1U << 4)
#define FAULTQ_MAP_PARTLY_WATCHED	(1U << 5)
#define FAULTQ_MAP_SCRATCH		(1U << 6)
#define FAULTQ_MAP_RETRY		(1U << 7)
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 user_address;
	__aligned_u64 cookie;
	__s32 answer_result;
	__u32 reserved;
	__aligned_u64 id;
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
 * address space. Windows, and what is bound in them, stay. When the call returns, no
 * device reaches the memory. A MAP that is still at work in another thread is not a
 * mapping yet. Other calls go on while many mappings are removed; what they map in the
 * range meanwhile may be removed, too, or stay.
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

#define FAULTQ_LATENCIES	24

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
 * @answered_invalid: out: groups answered FAULTQ_INVALID by user space, and
 *	FAULTQ_FAILURE of a device whose state is FAULTQ_STATE_SHARED
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
 * @terminated_over_device: out: groups terminated: over the limit of the device
 * @terminated_over_vm: out: ... over the limit of the VM
 * @terminated_over_instance: out: ... over the VM's part of the IOMMU instance
 * @terminated_off: out: ... the device was switched off
 * @terminated_drained: out: ... DRAIN or ENABLE
 * @terminated_deadline: out: ... the deadline and the grace were over
 * @deadlines: out: groups that passed their deadline
 * @switched_off: out: how often a device was switched off
 * @latency: out: answers of user space by the time since the report: @latency[i]
 *	counts those below 2^(10 + i) nanoseconds that are in no lower one, the last
 *	one all the rest
 * @vm: in: id of another VM, from VMS, or 0 for the caller's
 * @state: out: FAULTQ_STATE_* bits of a device
 * @revocations: out: how often an extent of MMIO was revoked (VM only)
 *
 * Errors: ENOENT no such id, or no such VM. EPERM @vm without CAP_SYS_ADMIN.
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
	__aligned_u64 terminated_over_device;
	__aligned_u64 terminated_over_vm;
	__aligned_u64 terminated_over_instance;
	__aligned_u64 terminated_off;
	__aligned_u64 terminated_drained;
	__aligned_u64 terminated_deadline;
	__aligned_u64 deadlines;
	__aligned_u64 switched_off;
	__aligned_u64 latency[FAULTQ_LATENCIES];
	__u32 vm;
	__u32 state;
	__aligned_u64 revocations;
};

/* State of a device, as bits. */
enum faultq_state {
	/* a group was answered FAULTQ_FAILURE: a PCIe device asks no more */
	FAULTQ_STATE_FAILED	= 1 << 0,
	/* the kernel switched it off, see FAULTQ_FAULTING_OFF */
	FAULTQ_STATE_OFF	= 1 << 1,
	/*
	 * it shares its page requests with other devices, as a PCI device and its virtual
	 * functions do: FAULTQ_FAILURE would stop theirs, and FAULTQ_INVALID takes its place
	 */
	FAULTQ_STATE_SHARED	= 1 << 2,
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
 * Errors: EPERM no CAP_SYS_ADMIN. EINVAL @entry_size is less than the entries' first
 * published size or more than a page.
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

/**
 * struct faultq_limits - LIMITS: what the VMM allows its VM and its devices
 * @size: sizeof(struct faultq_limits)
 * @flags: FAULTQ_LIMITS_SET to set what is marked "in/out", 0 to read it
 * @device: id from ATTACH, or 0 for the VM
 * @max_outstanding: in/out: groups that the VM, or the device, may have outstanding;
 *	0: no limit but the slots
 * @cap: out: what @max_outstanding can be raised to without CAP_SYS_RESOURCE; 0: anything
 * @refused_rate: in/out, device only: groups within a second that may be over a limit or
 *	find no slot or no room; one more switches the device off; 0: any number
 * @rate_cap: out, device only: what @refused_rate can be raised to without
 *	CAP_SYS_RESOURCE; 0: anything
 * @deadline_ms: in/out, VM only: milliseconds after which a waiting group gets a
 *	DEADLINE event; 0: never; at most FAULTQ_MAX_DEADLINE_MS
 * @invalid: in/out, VM only: 1: groups are terminated with FAULTQ_INVALID @grace_ms
 *	after their deadline; 0: they are not
 * @grace_ms: in/out, VM only: see @invalid; at most FAULTQ_MAX_DEADLINE_MS
 * @strikes: in/out, VM only: groups of a device that may pass their deadline until it
 *	is switched off, since ATTACH or ENABLE; 0: any number
 * @reserved: must be 0
 *
 * The caps are the administrator's, see SHARE; a VM's is that of its open(), a device's
 * that of its ATTACH, and limits begin as high as the caps. A limit below what is
 * outstanding ends nothing. Deadlines begin switched off; a new one counts for groups
 * that wait already, too.
 *
 * Errors: ENOENT no such id. EINVAL a value is out of range, or a member that is for the
 * other of VM and device is not 0. EPERM above the cap without CAP_SYS_RESOURCE.
 */
struct faultq_limits {
	__u32 size;
	__u32 flags;
#define FAULTQ_LIMITS_SET		(1U << 0)
	__u32 device;
	__u32 max_outstanding;
	__u32 cap;
	__u32 refused_rate;
	__u32 rate_cap;
	__u32 deadline_ms;
	__u32 invalid;
	__u32 grace_ms;
	__u32 strikes;
	__u32 reserved;
};

#define FAULTQ_MAX_DEADLINE_MS	86400000

#define FAULTQ_LIMITS		_IO(FAULTQ_IOC_TYPE, 0x0A)

/**
 * struct faultq_pending - PENDING: list the groups that wait for an answer
 * @size: sizeof(struct faultq_pending)
 * @flags: must be 0
 * @records: address of an array of struct faultq_record
 * @count: in: room in the array, at least max_group; out: records written
 * @entry_size: sizeof(struct faultq_record); larger entries get a zero tail
 * @position: in: 0, or what the last call gave; out: where to go on, 0 at the end
 * @reserved: must be 0
 *
 * Writes the records that the ring had, group by group, each whole: type, permissions,
 * flags, device, PASID, group, address, cookie, timestamp. For a consumer that takes over.
 * A group that is outstanding from the first call to the last is listed once; one that
 * comes meanwhile is in the ring anyway. A call that gives a @position other than 0 may
 * have written nothing.
 *
 * Errors: ENXIO there is no queue. EINVAL @count is less than max_group, @entry_size is
 * less than the first published size of a record or more than a page, or @position is out of
 * range.
 */
struct faultq_pending {
	__u32 size;
	__u32 flags;
	__aligned_u64 records;
	__u32 count;
	__u32 entry_size;
	__u32 position;
	__u32 reserved;
};

#define FAULTQ_PENDING		_IO(FAULTQ_IOC_TYPE, 0x0B)

/**
 * struct faultq_drain - DRAIN: terminate what is outstanding
 * @size: sizeof(struct faultq_drain)
 * @flags: FAULTQ_DRAIN_PASID: only the groups with @pasid
 * @device: id from ATTACH
 * @pasid: see @flags, else 0; nothing needs to be attached to it
 * @drained: out: groups that were terminated
 * @reserved: must be 0
 *
 * They are answered FAULTQ_INVALID before the call returns; answers that other threads
 * give at the same time may still be under way. The device goes on asking.
 *
 * Errors: ENOENT no such id. EINVAL @pasid without FAULTQ_DRAIN_PASID.
 */
struct faultq_drain {
	__u32 size;
	__u32 flags;
#define FAULTQ_DRAIN_PASID		(1U << 0)
	__u32 device;
	__u32 pasid;
	__u32 drained;
	__u32 reserved;
};

#define FAULTQ_DRAIN		_IO(FAULTQ_IOC_TYPE, 0x0C)

/**
 * struct faultq_enable - ENABLE: let a device ask again
 * @size: sizeof(struct faultq_enable)
 * @flags: must be 0
 * @device: id from ATTACH
 * @interrupted: out: 1 if the DMA of the device's IOMMU group was interrupted, else 0
 *
 * For a device whose state is FAULTQ_STATE_FAILED or _OFF; another is left alone. The
 * whole IOMMU group is blocked for a moment and attached again, as this makes the IOMMU
 * driver switch page requests on: DMA of that moment fails, and what the group had
 * outstanding is terminated. The state is cleared, strikes and rate begin anew.
 *
 * Errors: ENOENT no such id. EOPNOTSUPP the device delivers no page requests. EIO the
 * group could not be attached again: it stays blocked until DETACH.
 */
struct faultq_enable {
	__u32 size;
	__u32 flags;
	__u32 device;
	__u32 interrupted;
};

#define FAULTQ_ENABLE		_IO(FAULTQ_IOC_TYPE, 0x0D)

/**
 * struct faultq_share - SHARE: what VMs share of an IOMMU instance
 * @size: sizeof(struct faultq_share)
 * @flags: FAULTQ_SHARE_SET to set what is marked "in/out", 0 to read it
 * @name: name of the instance, as under /sys/class/iommu; empty: the defaults, for
 *	all instances that were not set themselves
 * @depth: in/out: groups that may be outstanding there, 1 to FAULTQ_MAX_DEPTH
 * @pool: in/out: how many of them are shared, 0 to @depth - @guarantee
 * @guarantee: in/out: how many are a VM's own, 1 to @depth - @pool
 * @max_device: in/out: cap of the limit of each device there; 0: none
 * @refused_rate: in/out: cap of @refused_rate of each device there; 0: none
 * @max_vm: in/out: cap of the limit of each VM; 0: none. Only of the defaults, 0 for an
 *	instance.
 * @vms: out: VMs that have a guarantee there; 0 without CAP_SYS_ADMIN
 * @pool_used: out: places of the pool in use; 0 without CAP_SYS_ADMIN
 * @own: out: 1 if the instance was set itself
 * @reserved: must be 0
 *
 * Everybody may read the settings. An instance need not be there, and what was set for it
 * stays until the module goes.
 *
 * Errors: EPERM FAULTQ_SHARE_SET without CAP_SYS_ADMIN. EINVAL a value is out of range,
 * or the name is not terminated. EBUSY a VM has a guarantee there; for the defaults: at
 * any instance that was not set itself. ENOSPC too many instances were set.
 */
struct faultq_share {
	__u32 size;
	__u32 flags;
#define FAULTQ_SHARE_SET		(1U << 0)
	char  name[FAULTQ_NAME_SIZE];
	__u32 depth;
	__u32 pool;
	__u32 guarantee;
	__u32 max_device;
	__u32 refused_rate;
	__u32 max_vm;
	__u32 vms;
	__u32 pool_used;
	__u32 own;
	__u32 reserved;
};

#define FAULTQ_MAX_DEPTH	65536

#define FAULTQ_SHARE		_IO(FAULTQ_IOC_TYPE, 0x0E)

/**
 * struct faultq_list - INSTANCES, VMS, DEVICES and others: what there is
 * @size: sizeof(struct faultq_list)
 * @flags: must be 0
 * @entries: address of an array of the call's entries
 * @count: in: room in the array; out: how many there are, which may be more
 * @entry_size: sizeof() the entries; longer ones than this kernel knows get a zero tail
 * @vm: id of another VM, from VMS, or 0 for the caller's; 0 for INSTANCES and VMS
 * @reserved: must be 0
 *
 * INSTANCES: struct faultq_share of each IOMMU instance that was set or at which a VM has
 * a guarantee, with @size and @flags 0; for everybody. VMS: struct faultq_vm_entry of each
 * VM; needs CAP_SYS_ADMIN. The others are about one VM, and need CAP_SYS_ADMIN for another
 * than the caller's: DEVICES: struct faultq_device_entry of each attached device;
 * WINDOW_LIST: struct faultq_window_entry of each window; IOVA_RANGES: struct
 * faultq_range_entry of each range that all attached devices can address, and ask for where
 * they raise page requests, and no window reserves; MAPPINGS: struct faultq_mapping_entry of
 * each mapping, of MMIO of each extent;
 * DOORBELLS: struct
 * faultq_doorbell_entry of each doorbell that is bound. Windows, ranges and mappings come in
 * the order of their IOVAs. Mappings can be made and removed while they are listed: what is
 * there all the time is listed once.
 *
 * Errors: EPERM without the capability. ENOENT no such VM. EINVAL @entry_size is less than
 * the first published size of the entries, or more than a page, or @vm is not 0 where it must
 * be.
 */
struct faultq_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 entries;
	__u32 count;
	__u32 entry_size;
	__u32 vm;
	__u32 reserved;
};

#define FAULTQ_INSTANCES	_IO(FAULTQ_IOC_TYPE, 0x0F)
#define FAULTQ_VMS		_IO(FAULTQ_IOC_TYPE, 0x10)
#define FAULTQ_DEVICES		_IO(FAULTQ_IOC_TYPE, 0x11)

/**
 * struct faultq_vm_entry - a VM, in VMS
 * @vm: its id, never reused before 2^31 others were
 * @pid: of the process that opened it, as the caller sees it, or 0
 * @comm: name that the process had then
 * @devices: attached devices
 * @outstanding: groups waiting for an answer
 * @slots: how many may be, 0 before QUEUE
 * @max_outstanding: its limit, 0: none
 * @groups: groups that were queued
 * @terminated: groups that the kernel terminated
 * @unrecoverable: unrecoverable faults that were queued
 */
struct faultq_vm_entry {
	__u32 vm;
	__s32 pid;
	char  comm[16];
	__u32 devices;
	__u32 outstanding;
	__u32 slots;
	__u32 max_outstanding;
	__aligned_u64 groups;
	__aligned_u64 terminated;
	__aligned_u64 unrecoverable;
};

/**
 * struct faultq_device_entry - an attached device, in DEVICES
 * @name: as in ATTACH
 * @instance: its IOMMU instance, as under /sys/class/iommu
 * @device: its id
 * @group: number of the IOMMU group
 * @kinds: FAULTQ_KIND_* that it delivers
 * @state: FAULTQ_STATE_* bits
 * @outstanding: groups waiting for an answer
 * @max_outstanding: its limit, 0: none
 */
struct faultq_device_entry {
	char  name[FAULTQ_NAME_SIZE];
	char  instance[FAULTQ_NAME_SIZE];
	__u32 device;
	__u32 group;
	__u32 kinds;
	__u32 state;
	__u32 outstanding;
	__u32 max_outstanding;
};

/* What a window is for. */
enum faultq_window_type {
	/* nothing may be mapped there */
	FAULTQ_WINDOW_RESERVED		= 1,
	/* doorbells that kernel modules bind there for this VM's devices */
	FAULTQ_WINDOW_MSI		= 2,
	/* doorbells that the kernel binds there itself for devices' interrupts */
	FAULTQ_WINDOW_SW_MSI		= 3,
	/* the IOMMU takes writes for interrupts; only from devices */
	FAULTQ_WINDOW_HW_MSI		= 4,
	/* firmware has the device use it as it is; only from devices */
	FAULTQ_WINDOW_DIRECT		= 5,
	/* the same, but the device can do without: it keeps nothing off; only from devices */
	FAULTQ_WINDOW_DIRECT_RELAXABLE	= 6,
};

/**
 * struct faultq_window - WINDOW_ADD: reserve a range of IOVAs
 * @size: sizeof(struct faultq_window)
 * @flags: must be 0
 * @iova: first I/O virtual address, page-aligned
 * @length: bytes, not 0, page-aligned
 * @type: FAULTQ_WINDOW_RESERVED, _MSI or _SW_MSI
 * @prot: FAULTQ_WINDOW_MSI: FAULTQ_MAP_READ, _WRITE or both, with or without _EXEC: what
 *	devices may do with the doorbells in it; else 0
 * @id: out: names it for WINDOW_DEL; ids are never reused in a VM
 * @reserved: must be 0
 *
 * At any time, with devices at work. Nothing can be mapped in a window. The window need not
 * lie in what devices can address. There can be any number of windows for doorbells; those
 * of the kernel itself have one, and one that is added takes the place of the one that
 * devices come with; it must be added before the first such device is attached. The kernel
 * takes one page after the other from its start for the doorbells of each domain, and none is
 * ever given back. How many they will be nobody can tell, so the window must be no smaller than
 * what devices come with, FAULTQ_SW_MSI_MIN_SIZE at least. Without such a window each group has
 * its doorbells in the one that it came with.
 *
 * Errors: EINVAL not aligned, zero or wrapping, a @type that cannot be added, a @prot that
 * does not go with it, or a FAULTQ_WINDOW_SW_MSI that is too small. EEXIST it overlaps a mapping,
 * one that another thread is making, or a window; or it would be the second FAULTQ_WINDOW_SW_MSI.
 * EBUSY FAULTQ_WINDOW_SW_MSI, and attached devices use another one. ENOSPC max_windows are there.
 */
struct faultq_window {
	__u32 size;
	__u32 flags;
	__aligned_u64 iova;
	__aligned_u64 length;
	__u32 type;
	__u32 prot;
	__u32 id;
	__u32 reserved;
};

/* Bytes of a FAULTQ_WINDOW_SW_MSI: what IOMMU drivers have devices come with. */
#define FAULTQ_SW_MSI_MIN_SIZE	0x100000

#define FAULTQ_WINDOW_ADD	_IO(FAULTQ_IOC_TYPE, 0x12)

/**
 * struct faultq_window_del - WINDOW_DEL: remove a window
 * @size: sizeof(struct faultq_window_del)
 * @flags: must be 0
 * @id: from WINDOW_ADD
 * @reserved: must be 0
 *
 * Other windows, and what is bound in them, go on.
 *
 * Errors: ENOENT no such id; windows of devices have none. EBUSY doorbells are bound in it.
 */
struct faultq_window_del {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
};

#define FAULTQ_WINDOW_DEL	_IO(FAULTQ_IOC_TYPE, 0x13)

/**
 * struct faultq_window_entry - a window, in WINDOW_LIST
 * @iova: first I/O virtual address
 * @length: bytes
 * @id: from WINDOW_ADD, or 0: it comes with devices and goes with them
 * @type: enum faultq_window_type
 * @prot: FAULTQ_MAP_* bits
 * @groups: attached IOMMU groups that it comes with
 * @used: doorbells that are bound in it
 * @reserved: 0
 *
 * Ranges of windows that come with devices may overlap each other.
 */
struct faultq_window_entry {
	__aligned_u64 iova;
	__aligned_u64 length;
	__u32 id;
	__u32 type;
	__u32 prot;
	__u32 groups;
	__u32 used;
	__u32 reserved;
};

/**
 * struct faultq_range_entry - a range that can be mapped, in IOVA_RANGES
 * @first: first I/O virtual address
 * @last: last I/O virtual address
 */
struct faultq_range_entry {
	__aligned_u64 first;
	__aligned_u64 last;
};

/**
 * struct faultq_mapping_entry - a mapping, or an extent of MMIO, in MAPPINGS
 * @iova: first I/O virtual address
 * @length: bytes
 * @user_address: as given to MAP, in the process that called it
 * @flags: FAULTQ_MAP_* as given to MAP, without FAULTQ_MAP_ANSWER
 * @state: FAULTQ_MAPPING_* bits
 * @id: of MMIO: @id of MAP, the same for all extents of the mapping; else 0
 * @revocation: FAULTQ_MAPPING_REVOKED: enum faultq_revocation; else 0
 * @reserved: 0
 */
struct faultq_mapping_entry {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 user_address;
	__u32 flags;
	__u32 state;
#define FAULTQ_MAPPING_REVOKED		(1U << 0)	/* devices do not reach the MMIO */
#define FAULTQ_MAPPING_SCRATCH		(1U << 1)	/* the scratch page is in its place */
	__aligned_u64 id;
	__u32 revocation;
	__u32 reserved;
};

/**
 * struct faultq_doorbell_entry - a doorbell that is bound, in DOORBELLS
 * @iova: I/O virtual address of its page
 * @window: id of the window it is in
 * @users: uses that devices make of it
 */
struct faultq_doorbell_entry {
	__aligned_u64 iova;
	__u32 window;
	__u32 users;
};

#define FAULTQ_WINDOW_LIST	_IO(FAULTQ_IOC_TYPE, 0x14)
#define FAULTQ_IOVA_RANGES	_IO(FAULTQ_IOC_TYPE, 0x15)
#define FAULTQ_MAPPINGS		_IO(FAULTQ_IOC_TYPE, 0x16)
#define FAULTQ_DOORBELLS	_IO(FAULTQ_IOC_TYPE, 0x17)

/**
 * struct faultq_restore - MMIO_RESTORE: map revoked MMIO again
 * @size: sizeof(struct faultq_restore)
 * @flags: must be 0
 * @id: from MAP, MMIO_REVOKED or MAPPINGS
 * @restored: out: bytes that were revoked and are mapped again
 * @revoked: out: bytes that are still revoked
 * @written: out: 1 if a device wrote to the scratch page of what was restored, else 0
 * @reserved: must be 0
 *
 * Each extent is looked at again where it was in the process that mapped it, which may have
 * made a new mapping there. Nothing tells when MMIO comes back: it is for the VMM, which
 * switches decoding on and ends resets, to know when to call. A write to the scratch page
 * that left it as it was is not seen.
 *
 * Errors, when nothing could be restored and something is revoked: ENXIO the MMIO is still
 * away. EFAULT what the process has there is not what can be mapped, see MAP. ESRCH the process
 * that mapped it is gone. And: ENOENT no such id.
 */
struct faultq_restore {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__aligned_u64 restored;
	__aligned_u64 revoked;
	__u32 written;
	__u32 reserved;
};

#define FAULTQ_MMIO_RESTORE	_IO(FAULTQ_IOC_TYPE, 0x18)

/*
 * VFIO containers (vfio_iommu_faultq.ko)
 *
 * A container that is set to the extension FAULTQ_VFIO_IOMMU by VFIO_SET_IOMMU is a VM: its
 * groups are the VM's devices, VFIO owns them, and memory is mapped by VFIO_IOMMU_MAP_DMA as
 * with type1, or by MAP. FAULTQ_VFIO_VM on the container gives a VM file, on which all calls
 * of this header work. The VM lives as long as its container or one of its files does; its
 * devices leave it when VFIO lets them go.
 */
#define FAULTQ_VFIO_IOMMU	0xFA01

/*
 * FAULTQ_VFIO_IOMMU_AT: the same, with a window of type SW_MSI of 1 MiB at @base from the start,
 * as if WINDOW_ADD had been called before the first group came. Where the kernel maps the
 * doorbells of devices itself (Arm), it does so there instead of at 0x8000000; elsewhere the
 * window keeps the range free of mappings. @base: an IOVA, a multiple of 1 MiB and not 0.
 *
 * Errors of VFIO_SET_IOMMU: those of a refused group, of which EEXIST says that a reserved window
 * of it lies there. With another @base it is no backend that VFIO knows.
 */
#define FAULTQ_VFIO_MSI_SIZE	0x100000
#define FAULTQ_VFIO_IOMMU_AT(base)	(FAULTQ_VFIO_IOMMU | (unsigned long)(base))

/*
 * FAULTQ_VFIO_VM: on a container: returns a descriptor of its VM, close-on-exec. The argument
 * must be 0.
 *
 * Errors: EINVAL the argument is not 0. EMFILE, ENFILE, ENOMEM as of open(2).
 */
#define FAULTQ_VFIO_VM		_IO(FAULTQ_IOC_TYPE, 0x40)

#endif /* _UAPI_LINUX_FAULTQ_H */
