// SPDX-License-Identifier: GPL-2.0-only
/*
 * Injection: page requests and unrecoverable faults as a program wants them,
 * malformed, late, lost or by the million. They are reported from the caller's
 * context, and what the engine would have to obey does not bind them.
 *
 * Only a request that is the last of its group is remembered, until it is answered.
 */
#include <linux/sched/signal.h>

#include "compat/era.h"
#include "mock.h"

#define INJECT_FLAGS	(MOCK_IOMMU_LAST | MOCK_IOMMU_NEEDS_PASID)
#define FAULT_FLAGS	(MOCK_IOMMU_VIA_DOMAIN | MOCK_IOMMU_HARD_IRQ | MOCK_IOMMU_NO_DEVICE | \
			 MOCK_IOMMU_FETCH | MOCK_IOMMU_NO_ADDRESS)
#define FAULT_REASON_MAX 8

/* The other requests of a group leave no trace in the device. */
static int inject_partial(struct mock_device *device, const struct mock_request *request)
{
	int ret = -ENODEV;

	down_read(&device->life);
	if (device->live)
		ret = mock_request_report(device, request);
	up_read(&device->life);
	if (ret == -ENODEV)
		return ret;

	spin_lock(&device->instance->lock);
	device->counters.requests++;
	if (ret)
		device->counters.refused++;
	spin_unlock(&device->instance->lock);
	return ret;
}

/* Make a group of the request outstanding; -EAGAIN when there is no spare one. */
static int inject_raise(struct mock_device *device, const struct mock_request *request,
			struct mock_group **groupp)
{
	struct mock_group *group;

	if (!device->live)
		return -ENODEV;
	group = mock_group_reuse(device);
	if (!group)
		return -EAGAIN;
	*groupp = group;
	if (!mock_place_take(device->instance)) {
		device->counters.requests++;
		device->counters.overflows++;
		return -ENOBUFS;
	}
	group->request = *request;
	group->address[0] = request->address;
	group->place = true;
	mock_group_raise(group);
	return 0;
}

static int inject_last(struct mock_device *device, const struct mock_request *request)
{
	struct mock_group *group = NULL;
	int ret;

	do {
		spin_lock(&device->instance->lock);
		ret = inject_raise(device, request, &group);
		spin_unlock(&device->instance->lock);
	} while (ret == -EAGAIN && !(ret = mock_group_stock(device)));
	if (!ret)
		ret = mock_group_report(group);
	mock_group_put(group);
	return ret;
}

static int inject_request(struct mock_device *device, const struct mock_request *request)
{
	if (request->last)
		return inject_last(device, request);
	return inject_partial(device, request);
}

/* A PASID comes with the flag that says so, and is no wider than any can be. */
static bool inject_pasid_valid(u32 access, u32 pasid)
{
	return access & MOCK_IOMMU_PASID ? !(pasid >> MOCK_PASID_BITS_MAX) : !pasid;
}

static bool request_valid(const struct mock_iommu_page_request *inject)
{
	return !(inject->flags & ~INJECT_FLAGS) && !(inject->access & ~MOCK_ACCESS_MASK) &&
	       inject_pasid_valid(inject->access, inject->pasid);
}

/**
 * mock_inject_requests() - inject page requests
 * @device: the device
 * @inject: what; @done is set
 *
 * Return: 0, -EINVAL, -ENODEV or -ENOMEM.
 */
int mock_inject_requests(struct mock_device *device, struct mock_iommu_page_request *inject)
{
	struct mock_request request = {
		.address = inject->address,
		.group = inject->group,
		.pasid = inject->pasid,
		.access = inject->access,
		.last = inject->flags & MOCK_IOMMU_LAST,
		.needs_pasid = inject->flags & MOCK_IOMMU_NEEDS_PASID,
	};
	u32 i;
	int ret;

	if (!request_valid(inject))
		return -EINVAL;
	inject->done = 0;
	for (i = 0; i < inject->count && !fatal_signal_pending(current); i++) {
		ret = inject_request(device, &request);
		if (ret == -ENODEV || (ret == -ENOMEM && !inject->done))
			return ret;
		inject->done += !ret;
		request.address += inject->address_step;
		request.group += inject->group_step;
		cond_resched();
	}
	return 0;
}

static bool fault_valid(const struct mock_iommu_unrecoverable *inject)
{
	if (inject->flags & ~FAULT_FLAGS || inject->access & ~MOCK_ACCESS_MASK ||
	    inject->reason > FAULT_REASON_MAX || inject->reserved ||
	    !inject_pasid_valid(inject->access, inject->pasid))
		return false;
	if ((inject->fetch_address && !(inject->flags & MOCK_IOMMU_FETCH)) ||
	    (inject->address && inject->flags & MOCK_IOMMU_NO_ADDRESS))
		return false;
	if (inject->flags & MOCK_IOMMU_VIA_DOMAIN)
		return !(inject->flags & (MOCK_IOMMU_NO_ADDRESS | MOCK_IOMMU_FETCH));
	return !(inject->flags & (MOCK_IOMMU_HARD_IRQ | MOCK_IOMMU_NO_DEVICE));
}

/* Report one or more of @left: returns how many, or an error; @taken of them. */
static int inject_faults(struct mock_device *device,
			 const struct mock_iommu_unrecoverable *inject, unsigned int left,
			 unsigned int *taken)
{
	int ret;

	if (inject->flags & MOCK_IOMMU_HARD_IRQ) {
		*taken = left;
		return mock_fault_report_hard_irq(device, inject, taken);
	}
	ret = mock_fault_report(device, inject);
	if (ret && ret != -EIO)
		return ret;
	*taken = !ret;
	return 1;
}

/**
 * mock_inject_faults() - inject unrecoverable faults
 * @device: the device
 * @inject: what; @done is set
 *
 * Return: 0, -EINVAL, -ENODEV, -ENXIO or -EOPNOTSUPP.
 */
int mock_inject_faults(struct mock_device *device, struct mock_iommu_unrecoverable *inject)
{
	unsigned int taken, i = 0;
	int ret;

	if (!fault_valid(inject))
		return -EINVAL;
	inject->done = 0;
	while (i < inject->count && !fatal_signal_pending(current)) {
		ret = inject_faults(device, inject, inject->count - i, &taken);
		if (ret < 0)
			return ret;
		inject->done += taken;
		i += ret;
		cond_resched();
	}
	return 0;
}
