// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault source: the per-device fault handler (up to 6.8).
 *
 * The kernel calls the handler with each page request and each unrecoverable fault
 * of the device, one after the other, under a mutex of its own that unregistering
 * takes too. So nothing here may wait for an answer while it holds something that
 * the handler needs; the handler takes the fault lock only.
 *
 * The kernel remembers the last request of a group until it is answered, and does
 * not let the handler go before. A group that is not queued is therefore answered
 * from within the handler, which is allowed.
 */
#include <linux/iommu.h>
#include <linux/mm.h>

#include "compat/compat.h"
#include "device.h"
#include "partial.h"
#include "source.h"

/* Permissions and codes go through as they are. */
static_assert((IOMMU_FAULT_PERM_READ ^ FAULTQ_PERM_READ) == 0);
static_assert((IOMMU_FAULT_PERM_WRITE ^ FAULTQ_PERM_WRITE) == 0);
static_assert((IOMMU_FAULT_PERM_EXEC ^ FAULTQ_PERM_EXEC) == 0);
static_assert((IOMMU_FAULT_PERM_PRIV ^ FAULTQ_PERM_PRIV) == 0);
static_assert(((int)IOMMU_PAGE_RESP_SUCCESS ^ FAULTQ_SUCCESS) == 0);
static_assert(((int)IOMMU_PAGE_RESP_INVALID ^ FAULTQ_INVALID) == 0);
static_assert(((int)IOMMU_PAGE_RESP_FAILURE ^ FAULTQ_FAILURE) == 0);

u32 fq_source_kinds(void)
{
	return FAULTQ_KIND_PAGE_REQUEST | FAULTQ_KIND_PASID_REQUEST |
	       FAULTQ_KIND_UNRECOVERABLE | FAULTQ_KIND_DOMAIN_FAULT;
}

static int fq_respond_to(struct fq_device *device, u32 group, enum faultq_code code,
			 bool with_pasid, u32 pasid)
{
	struct iommu_page_response response = {
		.argsz = sizeof(response),
		.version = IOMMU_PAGE_RESP_VERSION_1,
		.grpid = group,
		.code = code,
	};

	if (with_pasid) {
		response.flags = IOMMU_PAGE_RESP_PASID_VALID;
		response.pasid = pasid;
	}
	return iommu_page_response(device->dev, &response);
}

/* The PASID of the oldest request of this index that the kernel remembers. */
static bool fq_remembered_pasid(struct fq_device *device, u32 group, u32 *pasid)
{
	struct iommu_fault_param *param = device->dev->iommu->fault_param;
	struct iommu_fault_event *event;
	bool found = false;

	mutex_lock(&param->lock);
	list_for_each_entry(event, &param->faults, list) {
		if (event->fault.prm.grpid == group) {
			*pasid = event->fault.prm.pasid;
			found = true;
			break;
		}
	}
	mutex_unlock(&param->lock);
	return found;
}

/*
 * The kernel gives an answer to the oldest request of the same index that does not
 * demand another PASID. When a device uses an index again while it is outstanding,
 * now with such a demand and now without, an answer can meet the other request, and
 * the other answer none: it goes to what is left, so that nothing stays outstanding.
 */
void fq_source_answer(struct fq_device *device, const struct fq_group_key *key,
		      enum faultq_code code)
{
	u32 pasid = key->pasid;
	int ret = fq_respond_to(device, key->group, code, key->answer_pasid, pasid);

	/* Another error is the IOMMU driver's own: the kernel has forgotten the group. */
	while (ret == -EINVAL && fq_remembered_pasid(device, key->group, &pasid))
		ret = fq_respond_to(device, key->group, code, true, pasid);
}

static struct fq_group_key fq_handler_key(const struct iommu_fault_page_request *prm)
{
	struct fq_group_key key = { .group = prm->grpid };

	if (prm->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID) {
		key.has_pasid = true;
		key.pasid = prm->pasid;
		key.answer_pasid = prm->flags & IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID;
	}
	return key;
}

/* Report a group whose last request came; @last follows @before others. */
static enum fq_outcome fq_handler_group(struct fq_device *device, struct fq_group_key *key,
					const struct fq_page_request *last)
{
	struct fq_page_request group[FQ_MAX_GROUP];
	const struct fq_page_request *others;
	unsigned int before = fq_partials_take(device->partials, key, &others);

	if (before >= FQ_MAX_GROUP) {
		fq_report_refused(device, FQ_TOO_LONG, before + 1);
		return FQ_TOO_LONG;
	}
	key->count = before + 1;
	if (!before)
		return fq_report_group(device, key, last);
	memcpy(group, others, before * sizeof(*group));
	group[before] = *last;
	return fq_report_group(device, key, group);
}

static void fq_handler_page_request(struct fq_device *device,
				    const struct iommu_fault_page_request *prm)
{
	struct fq_group_key key = fq_handler_key(prm);
	struct fq_page_request request = {
		.address = prm->addr & PAGE_MASK,
		.perm = prm->perm & FQ_PERM_MASK,
	};
	enum fq_outcome outcome;

	if (!(prm->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE)) {
		unsigned int dropped = fq_partials_add(device->partials, &key, &request);

		if (dropped)
			fq_report_dropped(device, dropped);
		return;
	}
	outcome = fq_handler_group(device, &key, &request);
	if (outcome != FQ_QUEUED)
		fq_source_answer(device, &key, fq_outcome_code(device, outcome));
}

static void fq_handler_unrecoverable(struct fq_device *device,
				     const struct iommu_fault_unrecoverable *event)
{
	struct fq_unrecoverable fault = {
		.address = event->addr,
		.fetch_address = event->fetch_addr,
		.perm = event->perm & FQ_PERM_MASK,
		.pasid = event->pasid,
		.reason = event->reason,
		.flags = FAULTQ_RECORD_REASON,
	};

	if (event->flags & IOMMU_FAULT_UNRECOV_PASID_VALID)
		fault.flags |= FAULTQ_RECORD_PASID;
	if (event->flags & IOMMU_FAULT_UNRECOV_ADDR_VALID)
		fault.flags |= FAULTQ_RECORD_ADDRESS;
	if (event->flags & IOMMU_FAULT_UNRECOV_FETCH_ADDR_VALID)
		fault.flags |= FAULTQ_RECORD_FETCH;
	fq_report_unrecoverable(device->vm, device, &fault);
}

static int fq_handler(struct iommu_fault *fault, void *data)
{
	struct fq_device *device = data;

	if (fault->type == IOMMU_FAULT_PAGE_REQ)
		fq_handler_page_request(device, &fault->prm);
	else if (fault->type == IOMMU_FAULT_DMA_UNRECOV)
		fq_handler_unrecoverable(device, &fault->event);
	return 0;
}

/* Here they are the device's business. */
void fq_source_watch_requests(struct iommu_domain *domain)
{
}

void fq_source_probe(struct fq_device *device)
{
	fq_compat_delivery(device->dev, &device->delivery);
}

int fq_source_attach(struct fq_device *device)
{
	int ret;

	device->partials = fq_partials_create();
	if (!device->partials)
		return -ENOMEM;

	ret = iommu_register_device_fault_handler(device->dev, fq_handler, device);
	if (ret) {
		fq_partials_destroy(device->partials);
		device->partials = NULL;
	}
	return ret;
}

void fq_source_detach(struct fq_device *device)
{
	/* Fails only while a group is not answered: then the rule in source.h is broken. */
	WARN_ON(iommu_unregister_device_fault_handler(device->dev));
	fq_partials_destroy(device->partials);
	device->partials = NULL;
}
