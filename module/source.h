/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault sources: the ways in which a kernel delivers IOMMU faults.
 *
 * A source takes faults from the kernel's IOMMU core, turns them into the types
 * below, and reports them up; it carries answers down. It never returns an
 * error to the core: what is not queued, it answers itself.
 *
 *   source_handler.c  page requests and unrecoverable faults of a device, by the
 *                     per-device fault handler
 *   source_iopf.c     page request groups of a domain, by its iopf_handler; a kernel
 *                     has the one or the other
 *   source_domain.c   unrecoverable faults of a domain, by report_iommu_fault()
 */
#ifndef FQ_SOURCE_H
#define FQ_SOURCE_H

#include <linux/types.h>

#include <linux/faultq.h>

struct fq_device;
struct fq_vm;
struct iommu_domain;
struct iopf_group;

/* Permissions, the same bits in the kernel's fault reports and in records. */
#define FQ_PERM_MASK \
	(FAULTQ_PERM_READ | FAULTQ_PERM_WRITE | FAULTQ_PERM_EXEC | FAULTQ_PERM_PRIV)

/* Most page requests in a group; a longer group is terminated. */
#define FQ_MAX_GROUP 32

/**
 * struct fq_delivery - which kinds of fault a device can deliver
 * @kinds: FAULTQ_KIND_* bits
 * @no_page_request: enum faultq_why, of FAULTQ_KIND_PAGE_REQUEST
 * @no_unrecoverable: enum faultq_why, of the other kinds
 */
struct fq_delivery {
	u32 kinds;
	u32 no_page_request;
	u32 no_unrecoverable;
};

/**
 * struct fq_group_key - how a source finds a page request group again
 * @group: page request group index
 * @pasid: PASID of the last request
 * @has_pasid: @pasid is valid
 * @answer_pasid: the answer must carry @pasid
 * @count: page requests of the group, 1 to FQ_MAX_GROUP
 * @iopf: the kernel's group, where it has such a thing
 */
struct fq_group_key {
	u32 group;
	u32 pasid;
	bool has_pasid;
	bool answer_pasid;
	u8 count;
	struct iopf_group *iopf;
};

/**
 * struct fq_page_request - one page request of a group
 * @address: IOVA of the page
 * @perm: FAULTQ_PERM_* bits
 */
struct fq_page_request {
	u64 address;
	u32 perm;
};

/**
 * struct fq_unrecoverable - an unrecoverable fault
 * @address: IOVA
 * @fetch_address: where the table walk failed
 * @perm: FAULTQ_PERM_* bits
 * @pasid: PASID
 * @reason: enum faultq_reason
 * @flags: FAULTQ_RECORD_PASID, _ADDRESS, _REASON, _FETCH: which are valid
 */
struct fq_unrecoverable {
	u64 address;
	u64 fetch_address;
	u32 perm;
	u32 pasid;
	u32 reason;
	u16 flags;
};

/* What became of a page request group that was reported. */
enum fq_outcome {
	FQ_QUEUED,
	FQ_NO_QUEUE,
	FQ_NO_SLOT,
	FQ_NO_ROOM,
	FQ_TOO_LONG,
	FQ_DETACHED,
	FQ_STOPPED,
	FQ_OVER_DEVICE,
	FQ_OVER_VM,
	FQ_OVER_SHARE,
	FQ_OFF,
	FQ_DRAINED,
	FQ_EXPIRED,
	FQ_OUTCOMES,
};

/* What a source provides. */

/**
 * fq_source_kinds() - kinds of fault that this kernel can deliver at all
 *
 * Return: FAULTQ_KIND_* bits.
 */
u32 fq_source_kinds(void);

/**
 * fq_source_probe() - find out which faults a device may deliver
 * @device: has its domain; @device->delivery is filled in
 */
void fq_source_probe(struct fq_device *device);

/**
 * fq_source_attach() - let page requests and faults of a device arrive
 * @device: has its id already; @device->delivery is corrected if its page requests
 *	cannot be switched on
 *
 * Return: 0, -EBUSY when the device's page requests go to somebody else, or
 * another negative errno.
 */
int fq_source_attach(struct fq_device *device);

/**
 * fq_source_detach() - let no more arrive; cannot fail
 * @device: nothing of it is outstanding, and none of its answers is under way
 */
void fq_source_detach(struct fq_device *device);

/**
 * fq_source_answer() - answer a page request group
 * @device: whose group it is
 * @key: as given to fq_report_group()
 * @code: enum faultq_code; not FAULTQ_FAILURE for a device that shares its page requests
 */
void fq_source_answer(struct fq_device *device, const struct fq_group_key *key,
		      enum faultq_code code);

/**
 * fq_source_watch_domain() - let the faults of a domain arrive
 * @domain: a new paging domain, attached to nothing yet
 * @vm: whose domain it is; lives longer than @domain
 */
void fq_source_watch_domain(struct iommu_domain *domain, struct fq_vm *vm);

/**
 * fq_source_watch_requests() - let the page requests of a domain's devices arrive
 * @domain: a new paging domain, attached to nothing yet
 *
 * On some kernels the domain then takes no device that cannot raise any.
 */
void fq_source_watch_requests(struct iommu_domain *domain);

/* What a source calls: the one way up, implemented in report.c. */

/**
 * fq_report_group() - report a whole page request group; with interrupts on
 * @device: who asks
 * @key: kept until the group is answered
 * @requests: its page requests, the last one last
 *
 * Return: %FQ_QUEUED when the group is now outstanding; anything else says why
 * it is not, and the source answers it with fq_outcome_code().
 */
enum fq_outcome fq_report_group(struct fq_device *device, const struct fq_group_key *key,
				const struct fq_page_request *requests);

/**
 * fq_report_refused() - count a group that the source itself does not accept
 * @device: who asks
 * @why: not %FQ_QUEUED
 * @count: page requests in the group
 */
void fq_report_refused(struct fq_device *device, enum fq_outcome why, unsigned int count);

/**
 * fq_report_dropped() - count page requests whose group never became whole
 * @device: who asked
 * @count: page requests
 */
void fq_report_dropped(struct fq_device *device, unsigned int count);

/**
 * fq_report_unrecoverable() - report an unrecoverable fault
 * @vm: whose queue it goes to
 * @device: who faulted, or NULL when that is not known
 * @fault: the fault
 *
 * May be called in hard interrupt context.
 */
void fq_report_unrecoverable(struct fq_vm *vm, struct fq_device *device,
			     const struct fq_unrecoverable *fault);

#endif
