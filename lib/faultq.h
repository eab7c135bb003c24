/* SPDX-License-Identifier: MIT */
/*
 * libfaultq: the queue of a VM's IOMMU faults, for programs
 *
 * A thin layer over the calls of /dev/faultq, which <linux/faultq.h> documents:
 * it fills in sizes, turns errno into a return value, and consumes the queue as
 * the kernel demands, with all the fences, whether the records come through the
 * shared ring or through read().
 *
 *	faultq_open() -> faultq_queue() -> faultq_attach()
 *	     -> faultq_wait(), faultq_peek(), faultq_answer(), faultq_consume()
 *	     -> faultq_close()
 *
 * Every function that can fail returns a negative errno. Where the text says
 * "the kernel's errors of CALL", they are listed at CALL in <linux/faultq.h>.
 *
 * Threads: faultq_queue(), faultq_peek(), faultq_consume() and faultq_wait() of
 * one handle belong to one thread at a time, the consumer. Everything else can be
 * called from any thread at any time until faultq_close(), which must be the last
 * call. Nothing in the library takes a lock.
 */
#ifndef LIBFAULTQ_H
#define LIBFAULTQ_H

#include <stddef.h>
#include <stdint.h>
#include <linux/faultq.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A VM: a file of /dev/faultq and what the library needs to consume its queue. */
struct faultq;

/*
 * Structures of <linux/faultq.h> grow at the end. The functions below that fill in, read or
 * list them are inline, and pass on the size that the program was compiled with to one of
 * these, which touch no byte beyond it. A program need not call these itself. What the
 * kernel does not know of a structure or an entry is zero; one that is shorter than it was
 * when it was published first gives -EINVAL, one of more than a page -E2BIG (structures) or
 * -EINVAL (entries).
 */
int faultq_info_sized(struct faultq *fq, struct faultq_info *info, size_t size);
int faultq_attach_sized(struct faultq *fq, const char *name, struct faultq_attach *attach,
			size_t size);
int faultq_respond_sized(struct faultq *fq, struct faultq_answer *answers, uint32_t count,
			 uint32_t *done, size_t entry_size);
int faultq_mmio_restore_sized(struct faultq *fq, uint64_t id, struct faultq_restore *restore,
			      size_t size);
int faultq_windows_sized(struct faultq *fq, uint32_t vm, struct faultq_window_entry *entries,
			 uint32_t *count, size_t entry_size);
int faultq_iova_ranges_sized(struct faultq *fq, uint32_t vm, struct faultq_range_entry *entries,
			     uint32_t *count, size_t entry_size);
int faultq_mappings_sized(struct faultq *fq, uint32_t vm, struct faultq_mapping_entry *entries,
			  uint32_t *count, size_t entry_size);
int faultq_doorbells_sized(struct faultq *fq, uint32_t vm, struct faultq_doorbell_entry *entries,
			   uint32_t *count, size_t entry_size);
int faultq_vm_stats_sized(struct faultq *fq, uint32_t vm, uint32_t device,
			  struct faultq_stats *stats, size_t size);
int faultq_limits_sized(struct faultq *fq, uint32_t device, struct faultq_limits *limits,
			size_t size);
int faultq_set_limits_sized(struct faultq *fq, const struct faultq_limits *limits, size_t size);
int faultq_share_sized(struct faultq *fq, const char *instance, struct faultq_share *share,
		       size_t size);
int faultq_set_share_sized(struct faultq *fq, const struct faultq_share *share, size_t size);
int faultq_pending_sized(struct faultq *fq, struct faultq_record *records, uint32_t *count,
			 uint32_t *position, size_t entry_size);
int faultq_instances_sized(struct faultq *fq, struct faultq_share *entries, uint32_t *count,
			   size_t entry_size);
int faultq_vms_sized(struct faultq *fq, struct faultq_vm_entry *entries, uint32_t *count,
		     size_t entry_size);
int faultq_devices_sized(struct faultq *fq, uint32_t vm, struct faultq_device_entry *entries,
			 uint32_t *count, size_t entry_size);
int faultq_held_sized(struct faultq *fq, struct faultq_held_entry *entries, uint32_t *count,
		      size_t entry_size);

/**
 * faultq_open() - make a new VM
 * @fqp: where the handle goes
 *
 * Opens /dev/faultq (close-on-exec).
 *
 * Return: 0; the errors of open(2), with -ENOENT when the module is not loaded;
 * those of faultq_from_fd().
 */
int faultq_open(struct faultq **fqp);

/**
 * faultq_from_fd() - use a VM that somebody else opened
 * @fqp: where the handle goes
 * @fd: file descriptor of /dev/faultq; on success it belongs to the handle
 *
 * The way of a program without privileges: one that has them opens the file,
 * attaches the devices, and passes the descriptor on.
 *
 * Return: 0; -ENOTTY @fd is not a file of /dev/faultq; -EPROTO the kernel's
 * records are not those this library was built for; -ENOMEM; the kernel's errors
 * of GET_INFO.
 */
int faultq_from_fd(struct faultq **fqp, int fd);

/**
 * struct faultq_vfio - the files of a device that VFIO hands out; -1: there is none
 * @container: the container
 * @group: its IOMMU group
 * @device: the device
 *
 * It never grows.
 */
struct faultq_vfio {
	int container;
	int group;
	int device;
};

/**
 * faultq_vfio_open() - make a new VM of a device that VFIO hands out
 * @fqp: where the handle goes
 * @vfio: where the files go, all close-on-exec; they are the caller's, who closes them by
 *	faultq_vfio_close() or one by one
 * @address: of a PCI device that is bound to vfio-pci, like "0000:00:04.0"
 *
 * Opens a container, brings the device's group into it, sets it to FAULTQ_VFIO_IOMMU, and
 * opens the device and the VM. Registers, interrupts and reset are VFIO's calls on
 * @vfio->device, mappings those on @vfio->container or faultq_map(). The device is in the VM
 * until its files are closed; the VM lives as long as its handle or its container.
 *
 * Return: 0; -ENODEV there is no such device, or it is behind no IOMMU; -EINVAL @address
 * contains a slash; -ENAMETOOLONG; -ENOENT VFIO is not loaded, or the device is not bound to a
 * driver of it; -EOPNOTSUPP the module vfio_iommu_faultq is not loaded; -EBUSY the group is
 * open already; -EPERM not every device of the group is VFIO's, or its interrupts are not
 * isolated and allow_unsafe_interrupts is off; the errors of open(2), of faultq_from_fd() and,
 * about what the IOMMU refuses, the kernel's errors of ATTACH.
 */
int faultq_vfio_open(struct faultq **fqp, struct faultq_vfio *vfio, const char *address);

/**
 * faultq_vfio_add() - bring another device into the VM of one that VFIO hands out
 * @vfio: where its files go; the container is -1, and so is the group when it is @to's
 * @to: the device that made the VM
 * @address: of a device in @to's group, or in one that is in no container
 *
 * Return: 0; the errors of faultq_vfio_open().
 */
int faultq_vfio_add(struct faultq_vfio *vfio, const struct faultq_vfio *to, const char *address);

/**
 * faultq_vfio_close() - close the files of a device, the device first
 * @vfio: the files; what is -1 is left out, and all are -1 then
 */
void faultq_vfio_close(struct faultq_vfio *vfio);

/**
 * faultq_close() - end the use of a VM
 * @fq: the handle; NULL does nothing
 *
 * Unmaps the queue and closes the descriptor. When it was the last one, the
 * kernel detaches all devices, answers what is outstanding, and removes all
 * mappings.
 */
void faultq_close(struct faultq *fq);

/**
 * faultq_fd() - the file descriptor, for poll(), epoll and for passing it on
 * @fq: the handle
 *
 * Return: the descriptor; it still belongs to the handle.
 */
int faultq_fd(const struct faultq *fq);

/**
 * faultq_info() - what the kernel and its module can do
 * @fq: the handle
 * @info: where the answer goes
 *
 * Return: 0; the kernel's errors of GET_INFO.
 */
static inline int faultq_info(struct faultq *fq, struct faultq_info *info)
{
	return faultq_info_sized(fq, info, sizeof(*info));
}

/**
 * faultq_queue() - create the queue of the VM and get ready to consume it
 * @fq: the handle
 * @slots: how many page request groups may be outstanding
 * @entries: how many records the ring holds, a power of two
 * @eventfd: an eventfd to be signalled when there is something to consume, or -1;
 *	it stays the caller's
 * @flags: 0 for the shared ring, FAULTQ_QUEUE_READ for read()
 *
 * faultq_info() tells the limits of @slots and @entries. Once per VM.
 *
 * Return: 0; the kernel's errors of QUEUE, with -EEXIST when the VM has its queue
 * already; -ENOMEM or an error of mmap(2), after which the VM has a queue that
 * this handle cannot consume.
 */
int faultq_queue(struct faultq *fq, uint32_t slots, uint32_t entries, int eventfd,
		 uint32_t flags);

/**
 * faultq_takeover() - consume the queue that the VM has already
 * @fq: the handle, which has no queue yet
 * @eventfd: an eventfd to be signalled from now on instead of the one before, or -1 to
 *	leave that; it stays the caller's
 *
 * For a program that follows on another, which has died or was replaced, on a descriptor
 * that was kept or passed on. It goes on where the other has left off; what the other took
 * off the queue and never answered faultq_pending() lists. Records that were left may be
 * of groups that it lists too.
 *
 * Return: 0; -EALREADY the handle consumes the queue; -ENOMEM or an error of mmap(2); the
 * kernel's errors of QUEUE, with -ENXIO when the VM has no queue.
 */
int faultq_takeover(struct faultq *fq, int eventfd);

/**
 * faultq_peek() - look at what is next in the queue
 * @fq: the handle
 * @records: where the address of the records goes
 *
 * What is next is a whole page request group, all its records in order, or one
 * record of another type. It stays valid, and next, until faultq_consume(). Never
 * blocks. The size of a record never changes.
 *
 * 0 means that the queue is empty and that it is safe to sleep: after it, a
 * program with an event loop of its own waits for POLLIN on faultq_fd() or for
 * its eventfd, and is woken by the next record. It must see 0 before it sleeps.
 *
 * Return: how many records there are at @records; 0 the queue is empty; -ENXIO
 * faultq_queue() was not called; -EIO the queue was stopped and is empty; with
 * FAULTQ_QUEUE_READ, the errors of poll(2) and read(2).
 */
int faultq_peek(struct faultq *fq, const struct faultq_record **records);

/**
 * faultq_consume() - take what faultq_peek() returned last off the queue
 * @fq: the handle
 *
 * Its room goes back to the kernel, and the records are valid no more. Answering
 * a group and consuming its records are independent of each other, in any order.
 */
void faultq_consume(struct faultq *fq);

/**
 * faultq_wait() - sleep until there is something to consume
 * @fq: the handle
 * @timeout_ms: milliseconds, or -1 for ever
 *
 * Return: 0, faultq_peek() will tell what; -ETIMEDOUT; -EINTR a signal came;
 * otherwise as faultq_peek().
 */
int faultq_wait(struct faultq *fq, int timeout_ms);

/**
 * faultq_header() - the kernel's header of the ring
 * @fq: the handle
 *
 * For its counters; they change at any time.
 *
 * Return: the header; NULL without a queue, or when it is for read().
 */
const struct faultq_ring_header *faultq_header(const struct faultq *fq);

/**
 * faultq_attach() - own a device and give it the VM's address space
 * @fq: the handle
 * @name: "pci/0000:00:04.0" or "platform/NAME"
 * @attach: where the device's id goes, what it can report, and why not more; or
 *	NULL
 *
 * Needs CAP_SYS_RAWIO. The device's whole IOMMU group is attached.
 *
 * Return: 0; -ENAMETOOLONG; the kernel's errors of ATTACH.
 */
static inline int faultq_attach(struct faultq *fq, const char *name, struct faultq_attach *attach)
{
	return faultq_attach_sized(fq, name, attach, sizeof(*attach));
}

/**
 * faultq_detach() - give a device and its IOMMU group back
 * @fq: the handle
 * @device: id from faultq_attach()
 * @held: where 1 goes if the group had to be held, else 0; or NULL
 *
 * Return: 0; the kernel's errors of DETACH.
 */
int faultq_detach(struct faultq *fq, uint32_t device, int *held);

/**
 * faultq_respond() - answer page request groups
 * @fq: the handle
 * @answers: the answers; the kernel writes @result of each
 * @count: how many
 * @done: where it goes how many were processed, or NULL
 *
 * An entry's @result, 0 or a negative errno, tells what became of it, whatever
 * became of the others.
 *
 * Return: 0 when all were processed; otherwise why the entry at *@done was not,
 * one of the kernel's errors of RESPOND.
 */
static inline int faultq_respond(struct faultq *fq, struct faultq_answer *answers, uint32_t count,
				 uint32_t *done)
{
	return faultq_respond_sized(fq, answers, count, done, sizeof(*answers));
}

/**
 * faultq_answer() - answer one page request group
 * @fq: the handle
 * @cookie: from the records of the group
 * @code: FAULTQ_SUCCESS, FAULTQ_INVALID or FAULTQ_FAILURE
 *
 * Return: 0; -ESTALE the group is not outstanding: answered, terminated, or never
 * was; -EINVAL @code is unknown or @cookie is 0; the kernel's errors of RESPOND.
 */
int faultq_answer(struct faultq *fq, uint64_t cookie, uint32_t code);

/**
 * faultq_map() - make memory of this process visible to the VM's devices
 * @fq: the handle
 * @iova: first I/O virtual address, page-aligned
 * @memory: first address of the memory, page-aligned
 * @length: bytes, page-aligned
 * @perm: FAULTQ_MAP_READ, FAULTQ_MAP_WRITE or both, with or without FAULTQ_MAP_EXEC: what
 *	devices may do
 *
 * The memory is pinned and charged to RLIMIT_MEMLOCK.
 *
 * Return: 0; the kernel's errors of MAP.
 */
int faultq_map(struct faultq *fq, uint64_t iova, void *memory, uint64_t length,
	       uint32_t perm);

/**
 * faultq_map_answer() - map memory and answer a group with FAULTQ_SUCCESS
 * @fq: the handle
 * @iova: as for faultq_map()
 * @memory: as for faultq_map()
 * @length: as for faultq_map()
 * @perm: as for faultq_map()
 * @cookie: from the records of the group
 * @result: where it goes what became of the answer: 0, -ESTALE or -EINVAL as
 *	from faultq_answer()
 *
 * One call instead of two. The memory stays mapped when the answer came too late.
 *
 * Return: 0 mapped, see @result; the kernel's errors of MAP, and the group is not
 * answered.
 */
int faultq_map_answer(struct faultq *fq, uint64_t iova, void *memory, uint64_t length,
		      uint32_t perm, uint64_t cookie, int *result);

/**
 * faultq_map_mmio() - make MMIO of this process visible to the VM's devices
 * @fq: the handle
 * @iova: first I/O virtual address, page-aligned
 * @mmio: where the process has it, page-aligned: (part of) a BAR that VFIO lets it map
 * @length: bytes, page-aligned
 * @flags: FAULTQ_MAP_READ, _WRITE or both, with or without _EXEC: what devices may do;
 *	FAULTQ_MAP_PARTLY_WATCHED, FAULTQ_MAP_SCRATCH, FAULTQ_MAP_RETRY as in <linux/faultq.h>
 * @id: where it goes what names the mapping in records and for faultq_mmio_restore(), or NULL
 *
 * When the MMIO goes, devices do not reach it any more, and a FAULTQ_MMIO_REVOKED record
 * tells.
 *
 * Return: 0; the kernel's errors of MAP.
 */
int faultq_map_mmio(struct faultq *fq, uint64_t iova, void *mmio, uint64_t length,
		    uint32_t flags, uint64_t *id);

/**
 * faultq_mmio_restore() - map revoked MMIO again
 * @fq: the handle
 * @id: from faultq_map_mmio(), or the cookie of a record
 * @restore: where it goes what was restored, in bytes, what is still revoked, and whether a
 *	device wrote to a scratch page; or NULL
 *
 * Return: 0; -ENXIO the MMIO is still away; the kernel's other errors of MMIO_RESTORE.
 */
static inline int faultq_mmio_restore(struct faultq *fq, uint64_t id,
				      struct faultq_restore *restore)
{
	return faultq_mmio_restore_sized(fq, id, restore, sizeof(*restore));
}

/**
 * faultq_unmap() - remove mappings
 * @fq: the handle
 * @iova: first I/O virtual address, page-aligned
 * @length: bytes, page-aligned; 0 and ~0 are the whole address space
 * @unmapped: where it goes how many bytes were mapped there, or NULL
 *
 * Takes ranges that cover whole mappings. When it returns, no device reaches the
 * memory.
 *
 * Return: 0; the kernel's errors of UNMAP.
 */
int faultq_unmap(struct faultq *fq, uint64_t iova, uint64_t length, uint64_t *unmapped);

/**
 * faultq_window_add() - reserve a range of I/O virtual addresses
 * @fq: the handle
 * @iova: first I/O virtual address, page-aligned
 * @length: bytes, page-aligned
 * @type: FAULTQ_WINDOW_RESERVED, FAULTQ_WINDOW_MSI or FAULTQ_WINDOW_SW_MSI
 * @prot: of FAULTQ_WINDOW_MSI: FAULTQ_MAP_READ, FAULTQ_MAP_WRITE or both, with or without
 *	FAULTQ_MAP_EXEC; else 0
 * @id: where its id goes, or NULL
 *
 * Return: 0; the kernel's errors of WINDOW_ADD.
 */
int faultq_window_add(struct faultq *fq, uint64_t iova, uint64_t length, uint32_t type,
		      uint32_t prot, uint32_t *id);

/**
 * faultq_window_del() - remove a window
 * @fq: the handle
 * @id: from faultq_window_add()
 *
 * Return: 0; the kernel's errors of WINDOW_DEL.
 */
int faultq_window_del(struct faultq *fq, uint32_t id);

/**
 * faultq_windows() - list the windows of a VM, by I/O virtual address
 * @fq: the handle
 * @vm: id of a VM, from faultq_vms(), or 0 for that of the handle
 * @entries: where they go
 * @count: in: room at @entries; out: how many there are, which may be more
 *
 * Needs CAP_SYS_ADMIN for another VM.
 *
 * Return: 0; the kernel's errors of WINDOW_LIST.
 */
static inline int faultq_windows(struct faultq *fq, uint32_t vm,
				 struct faultq_window_entry *entries, uint32_t *count)
{
	return faultq_windows_sized(fq, vm, entries, count, sizeof(*entries));
}

/**
 * faultq_iova_ranges() - list where a VM can map, by I/O virtual address
 * @fq: the handle
 * @vm: as for faultq_windows()
 * @entries: where they go
 * @count: as for faultq_windows()
 *
 * What all attached devices can address and no window reserves, mapped or not.
 *
 * Return: 0; the kernel's errors of IOVA_RANGES.
 */
static inline int faultq_iova_ranges(struct faultq *fq, uint32_t vm,
				     struct faultq_range_entry *entries, uint32_t *count)
{
	return faultq_iova_ranges_sized(fq, vm, entries, count, sizeof(*entries));
}

/**
 * faultq_mappings() - list what a VM has mapped, by I/O virtual address
 * @fq: the handle
 * @vm: as for faultq_windows()
 * @entries: where they go
 * @count: as for faultq_windows()
 *
 * Return: 0; the kernel's errors of MAPPINGS.
 */
static inline int faultq_mappings(struct faultq *fq, uint32_t vm,
				  struct faultq_mapping_entry *entries, uint32_t *count)
{
	return faultq_mappings_sized(fq, vm, entries, count, sizeof(*entries));
}

/**
 * faultq_doorbells() - list the doorbells that are bound for a VM's devices
 * @fq: the handle
 * @vm: as for faultq_windows()
 * @entries: where they go
 * @count: as for faultq_windows()
 *
 * Return: 0; the kernel's errors of DOORBELLS.
 */
static inline int faultq_doorbells(struct faultq *fq, uint32_t vm,
				   struct faultq_doorbell_entry *entries, uint32_t *count)
{
	return faultq_doorbells_sized(fq, vm, entries, count, sizeof(*entries));
}

/**
 * faultq_stats() - counters of the VM, or of one of its devices
 * @fq: the handle
 * @device: id from faultq_attach(), or 0 for the VM
 * @stats: where they go
 *
 * Return: 0; the kernel's errors of STATS.
 */
static inline int faultq_stats(struct faultq *fq, uint32_t device, struct faultq_stats *stats)
{
	return faultq_vm_stats_sized(fq, 0, device, stats, sizeof(*stats));
}

/**
 * faultq_vm_stats() - counters of another VM, or of one of its devices
 * @fq: the handle
 * @vm: id of the VM, from faultq_vms(), or 0 for that of the handle
 * @device: id of a device of that VM, or 0
 * @stats: where they go
 *
 * Needs CAP_SYS_ADMIN for another VM.
 *
 * Return: 0; the kernel's errors of STATS.
 */
static inline int faultq_vm_stats(struct faultq *fq, uint32_t vm, uint32_t device,
				  struct faultq_stats *stats)
{
	return faultq_vm_stats_sized(fq, vm, device, stats, sizeof(*stats));
}

/**
 * faultq_limits() - read the limits of the VM, or of one device
 * @fq: the handle
 * @device: id from faultq_attach(), or 0 for the VM
 * @limits: where they go
 *
 * Return: 0; the kernel's errors of LIMITS.
 */
static inline int faultq_limits(struct faultq *fq, uint32_t device, struct faultq_limits *limits)
{
	return faultq_limits_sized(fq, device, limits, sizeof(*limits));
}

/**
 * faultq_set_limits() - set the limits of the VM, or of one device
 * @fq: the handle
 * @limits: @device and all limits; read them first to change one
 *
 * Return: 0; the kernel's errors of LIMITS.
 */
static inline int faultq_set_limits(struct faultq *fq, const struct faultq_limits *limits)
{
	return faultq_set_limits_sized(fq, limits, sizeof(*limits));
}

/**
 * faultq_share() - read what VMs share of an IOMMU instance
 * @fq: the handle
 * @instance: its name, as under /sys/class/iommu, or "" for the defaults
 * @share: where it goes
 *
 * Return: 0; -ENAMETOOLONG; the kernel's errors of SHARE.
 */
static inline int faultq_share(struct faultq *fq, const char *instance, struct faultq_share *share)
{
	return faultq_share_sized(fq, instance, share, sizeof(*share));
}

/**
 * faultq_set_share() - set what VMs share of an IOMMU instance
 * @fq: the handle
 * @share: @name and all settings; read them first to change one
 *
 * Needs CAP_SYS_ADMIN.
 *
 * Return: 0; the kernel's errors of SHARE.
 */
static inline int faultq_set_share(struct faultq *fq, const struct faultq_share *share)
{
	return faultq_set_share_sized(fq, share, sizeof(*share));
}

/**
 * faultq_drain() - terminate what a device has outstanding
 * @fq: the handle
 * @device: id from faultq_attach()
 * @drained: where it goes how many groups there were, or NULL
 *
 * Return: 0; the kernel's errors of DRAIN.
 */
int faultq_drain(struct faultq *fq, uint32_t device, uint32_t *drained);

/**
 * faultq_drain_pasid() - terminate what one PASID of a device has outstanding
 * @fq: the handle
 * @device: id from faultq_attach()
 * @pasid: the PASID
 * @drained: where it goes how many groups there were, or NULL
 *
 * Return: 0; the kernel's errors of DRAIN.
 */
int faultq_drain_pasid(struct faultq *fq, uint32_t device, uint32_t pasid, uint32_t *drained);

/**
 * faultq_enable() - let a device ask again that failed or was switched off
 * @fq: the handle
 * @device: id from faultq_attach()
 * @interrupted: where 1 goes if the DMA of its IOMMU group was interrupted, else 0; or
 *	NULL
 *
 * Return: 0; the kernel's errors of ENABLE.
 */
int faultq_enable(struct faultq *fq, uint32_t device, int *interrupted);

/**
 * faultq_pending() - list the groups that wait for an answer
 * @fq: the handle
 * @records: where their records go, group by group
 * @count: in: room at @records, at least max_group of faultq_info(); out: how many there are
 * @position: in: 0 at first; out: for the next call, 0 when nothing is left
 *
 * Return: 0; the kernel's errors of PENDING.
 */
static inline int faultq_pending(struct faultq *fq, struct faultq_record *records, uint32_t *count,
				 uint32_t *position)
{
	return faultq_pending_sized(fq, records, count, position, sizeof(*records));
}

/**
 * faultq_instances() - list IOMMU instances and what VMs share of them
 * @fq: the handle
 * @entries: where they go
 * @count: in: room at @entries; out: how many there are, which may be more
 *
 * Return: 0; the kernel's errors of INSTANCES.
 */
static inline int faultq_instances(struct faultq *fq, struct faultq_share *entries, uint32_t *count)
{
	return faultq_instances_sized(fq, entries, count, sizeof(*entries));
}

/**
 * faultq_vms() - list all VMs
 * @fq: the handle
 * @entries: where they go
 * @count: in: room at @entries; out: how many there are, which may be more
 *
 * Needs CAP_SYS_ADMIN.
 *
 * Return: 0; the kernel's errors of VMS.
 */
static inline int faultq_vms(struct faultq *fq, struct faultq_vm_entry *entries, uint32_t *count)
{
	return faultq_vms_sized(fq, entries, count, sizeof(*entries));
}

/**
 * faultq_devices() - list the devices of a VM
 * @fq: the handle
 * @vm: id of a VM, from faultq_vms(), or 0 for that of the handle
 * @entries: where they go
 * @count: in: room at @entries; out: how many there are, which may be more
 *
 * Needs CAP_SYS_ADMIN for another VM.
 *
 * Return: 0; the kernel's errors of DEVICES.
 */
static inline int faultq_devices(struct faultq *fq, uint32_t vm,
				 struct faultq_device_entry *entries, uint32_t *count)
{
	return faultq_devices_sized(fq, vm, entries, count, sizeof(*entries));
}

/**
 * faultq_held() - list the devices that could not be given back safely
 * @fq: the handle
 * @entries: where they go
 * @count: in: room at @entries; out: how many devices are held, which may be more
 *
 * Needs CAP_SYS_ADMIN. Devices of all VMs, past ones too.
 *
 * Return: 0; the kernel's errors of HELD.
 */
static inline int faultq_held(struct faultq *fq, struct faultq_held_entry *entries, uint32_t *count)
{
	return faultq_held_sized(fq, entries, count, sizeof(*entries));
}

/**
 * faultq_release() - let a held IOMMU group go without a reset
 * @fq: the handle
 * @name: a device of the group
 *
 * Needs CAP_SYS_ADMIN.
 *
 * Return: 0; -ENAMETOOLONG; the kernel's errors of RELEASE.
 */
int faultq_release(struct faultq *fq, const char *name);

/*
 * Names. All strings are static; values that the library does not know give
 * "unknown". The names are stable: programs may rely on them.
 */

/**
 * faultq_type_name() - name of a record's type
 * @type: enum faultq_type
 *
 * Return: "page-request", "unrecoverable", "device-gone", "over-quota", "deadline",
 * "faulting-off", "mmio-revoked", "mmio-restored".
 */
const char *faultq_type_name(uint32_t type);

/**
 * faultq_code_name() - name of an answer
 * @code: enum faultq_code
 *
 * Return: "success", "invalid", "failure".
 */
const char *faultq_code_name(uint32_t code);

/**
 * faultq_reason_name() - name of the reason of an unrecoverable fault
 * @reason: enum faultq_reason
 *
 * Return: such as "not-mapped" or "permission".
 */
const char *faultq_reason_name(uint32_t reason);

/**
 * faultq_cause_name() - name of the cause of an over-quota or faulting-off event
 * @cause: enum faultq_cause
 *
 * Return: such as "vm-limit" or "instance-share".
 */
const char *faultq_cause_name(uint32_t cause);

/**
 * faultq_revocation_name() - name of the reason why MMIO was revoked
 * @revocation: enum faultq_revocation
 *
 * Return: "cleared", "unmapped", "protected", "exited", "removed", "unbound".
 */
const char *faultq_revocation_name(uint32_t revocation);

/**
 * faultq_state_name() - name of the state of a device's page requests
 * @state: FAULTQ_STATE_* bits
 *
 * Return: "on", "failed", "off" or "failed+off".
 */
const char *faultq_state_name(uint32_t state);

/**
 * faultq_window_type_name() - name of what a window is for
 * @type: enum faultq_window_type
 *
 * Return: such as "msi" or "direct-relaxable".
 */
const char *faultq_window_type_name(uint32_t type);

/**
 * faultq_kind_name() - name of a kind of fault
 * @kind: one bit of enum faultq_kind
 *
 * Return: "page-request", "unrecoverable", "domain-fault".
 */
const char *faultq_kind_name(uint32_t kind);

/**
 * faultq_feature_name() - name of a feature of the module
 * @feature: one FAULTQ_FEATURE_* bit
 *
 * Return: such as "ring" or "map-answer".
 */
const char *faultq_feature_name(uint64_t feature);

/**
 * faultq_perm_name() - the permissions that an access asked for
 * @perm: FAULTQ_PERM_* bits of a record
 *
 * Return: the letters r, w and x of those set, or "none"; with "+priv" at the end
 * when the access was privileged.
 */
const char *faultq_perm_name(uint32_t perm);

/**
 * faultq_why_text() - why a kind of fault is not delivered
 * @why: enum faultq_why
 *
 * Return: a phrase in English, for people.
 */
const char *faultq_why_text(uint32_t why);

#ifdef __cplusplus
}
#endif

#endif /* LIBFAULTQ_H */
