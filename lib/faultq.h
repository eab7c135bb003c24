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

#include <stdint.h>
#include <linux/faultq.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A VM: a file of /dev/faultq and what the library needs to consume its queue. */
struct faultq;

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
int faultq_info(struct faultq *fq, struct faultq_info *info);

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
 * faultq_peek() - look at what is next in the queue
 * @fq: the handle
 * @records: where the address of the records goes
 *
 * What is next is a whole page request group, all its records in order, or one
 * record of another type. It stays valid, and next, until faultq_consume(). Never
 * blocks.
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
int faultq_attach(struct faultq *fq, const char *name, struct faultq_attach *attach);

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
 * became of the others. A signal does not end the call as long as the kernel
 * makes progress.
 *
 * Return: 0 when all were processed; otherwise why the entry at *@done was not,
 * one of the kernel's errors of RESPOND.
 */
int faultq_respond(struct faultq *fq, struct faultq_answer *answers, uint32_t count,
		   uint32_t *done);

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
 * @perm: FAULTQ_MAP_READ, FAULTQ_MAP_WRITE, FAULTQ_MAP_EXEC: what devices may do
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
 * faultq_stats() - counters of the VM, or of one of its devices
 * @fq: the handle
 * @device: id from faultq_attach(), or 0 for the VM
 * @stats: where they go
 *
 * Return: 0; the kernel's errors of STATS.
 */
int faultq_stats(struct faultq *fq, uint32_t device, struct faultq_stats *stats);

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
int faultq_held(struct faultq *fq, struct faultq_held_entry *entries, uint32_t *count);

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
 * Return: "page-request", "unrecoverable", "device-gone".
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
