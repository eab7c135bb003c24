// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault source: page request groups of a domain (since 6.11).
 *
 * The kernel collects the page requests of a group and calls the handler of the domain
 * with the whole group. Who attached the domain left a handle, which the group names; it
 * is part of struct fq_attachment. The handler runs in process context, on as many CPUs
 * as the IOMMU driver likes, and may come while its device is being detached, until the
 * IOMMU driver has stopped to deliver: that is, at the latest, when the page requests of
 * the device were switched off.
 *
 * A group that was taken is ours until it was answered and freed; one that is not queued
 * is answered from within the handler.
 *
 * Page requests with a PASID come only to who attached a domain to that PASID; the kernel
 * answers others itself.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "compat/compat.h"
#include "device.h"
#include "source.h"

/* Permissions and codes go through as they are. */
static_assert((IOMMU_FAULT_PERM_READ ^ FAULTQ_PERM_READ) == 0);
static_assert((IOMMU_FAULT_PERM_WRITE ^ FAULTQ_PERM_WRITE) == 0);
static_assert((IOMMU_FAULT_PERM_EXEC ^ FAULTQ_PERM_EXEC) == 0);
static_assert((IOMMU_FAULT_PERM_PRIV ^ FAULTQ_PERM_PRIV) == 0);
static_assert(((int)IOMMU_PAGE_RESP_SUCCESS ^ FAULTQ_SUCCESS) == 0);
static_assert(((int)IOMMU_PAGE_RESP_INVALID ^ FAULTQ_INVALID) == 0);
static_assert(((int)IOMMU_PAGE_RESP_FAILURE ^ FAULTQ_FAILURE) == 0);

/* A kernel for machines that it takes to have no page requests is built without them. */
u32 fq_source_kinds(void)
{
	return FAULTQ_KIND_DOMAIN_FAULT |
	       (IS_ENABLED(CONFIG_IOMMU_IOPF) ? FAULTQ_KIND_PAGE_REQUEST : 0);
}

static void fq_iopf_answer(struct iopf_group *group, enum faultq_code code)
{
	iopf_group_response(group, (enum iommu_page_response_code)code);
	iopf_free_group(group);
}

void fq_source_answer(struct fq_device *device, const struct fq_group_key *key,
		      enum faultq_code code)
{
	fq_iopf_answer(key->iopf, code);
}

static struct fq_group_key fq_iopf_key(struct iopf_group *group)
{
	const struct iommu_fault_page_request *prm = &group->last_fault.fault.prm;
	struct fq_group_key key = {
		.group = prm->grpid,
		.count = group->fault_count,
		.iopf = group,
	};

	if (prm->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID) {
		key.has_pasid = true;
		key.pasid = prm->pasid;
	}
	return key;
}

static struct fq_page_request fq_iopf_request(const struct iopf_fault *fault)
{
	return (struct fq_page_request){
		.address = fault->fault.prm.addr & PAGE_MASK,
		.perm = fault->fault.prm.perm & FQ_PERM_MASK,
	};
}

/* Kernels that zero what is on the stack do so for each group, and most have one request. */
static noinline enum fq_outcome fq_iopf_report_requests(struct fq_device *device,
							struct iopf_group *group)
{
	struct fq_page_request requests[FQ_MAX_GROUP];
	const struct fq_group_key key = fq_iopf_key(group);
	struct iopf_fault *fault;
	unsigned int i = 0;

	list_for_each_entry(fault, &group->faults, list)
		requests[i++] = fq_iopf_request(fault);
	return fq_report_group(device, &key, requests);
}

static enum fq_outcome fq_iopf_report_long(struct fq_device *device, struct iopf_group *group)
{
	if (group->fault_count <= FQ_MAX_GROUP)
		return fq_iopf_report_requests(device, group);
	fq_report_refused(device, FQ_TOO_LONG, group->fault_count);
	return FQ_TOO_LONG;
}

static enum fq_outcome fq_iopf_report_single(struct fq_device *device, struct iopf_group *group)
{
	const struct fq_page_request request = fq_iopf_request(&group->last_fault);
	const struct fq_group_key key = fq_iopf_key(group);

	return fq_report_group(device, &key, &request);
}

/* When the group was queued, it may be answered and freed already. */
static enum fq_outcome fq_iopf_report(struct fq_device *device, struct iopf_group *group)
{
	if (unlikely(group->fault_count > 1))
		return fq_iopf_report_long(device, group);
	return fq_iopf_report_single(device, group);
}

static int fq_iopf_handler(struct iopf_group *group)
{
	struct fq_attachment *attachment =
		container_of(group->attach_handle, struct fq_attachment, handle);
	enum faultq_code code = FAULTQ_INVALID;
	enum fq_outcome outcome = FQ_DETACHED;
	struct fq_device *device;

	iopf_group_dequeue(group);
	rcu_read_lock();
	device = fq_device_by_dev(attachment->vm, group->fault_param->dev);
	if (device) {
		outcome = fq_iopf_report(device, group);
		if (unlikely(outcome != FQ_QUEUED))
			code = fq_outcome_code(device, outcome);
	}
	rcu_read_unlock();
	if (outcome != FQ_QUEUED)
		fq_iopf_answer(group, code);
	return 0;
}

void fq_source_watch_requests(struct iommu_domain *domain)
{
	domain->iopf_handler = fq_iopf_handler;
}

static void fq_deliver_none(struct fq_delivery *delivery)
{
	delivery->kinds &= ~FAULTQ_KIND_PAGE_REQUEST;
	delivery->no_page_request = FAULTQ_WHY_DEVICE;
}

void fq_source_probe(struct fq_device *device)
{
	struct fq_delivery *delivery = &device->delivery;

	fq_compat_delivery(device->dev, delivery);
	if (delivery->kinds & FAULTQ_KIND_PAGE_REQUEST && !device->attachment->domain->requests)
		fq_deliver_none(delivery);
}

int fq_source_attach(struct fq_device *device)
{
	struct fq_delivery *delivery = &device->delivery;
	int ret;

	if (!(delivery->kinds & FAULTQ_KIND_PAGE_REQUEST))
		return 0;
	ret = fq_compat_requests_on(device->dev);
	if (ret == -EBUSY || ret == -ENOMEM)
		return ret;
	if (ret)
		fq_deliver_none(delivery);
	return 0;
}

void fq_source_detach(struct fq_device *device)
{
	if (device->delivery.kinds & FAULTQ_KIND_PAGE_REQUEST)
		fq_compat_requests_off(device->dev);
}
