// SPDX-License-Identifier: MIT
/*
 * Quotas: what the VMM allows its VM and devices, and what VMs share of an IOMMU
 * instance. Also ending what a device has outstanding, and letting it ask again.
 */
#include "private.h"

int faultq_limits_sized(struct faultq *fq, uint32_t device, struct faultq_limits *limits,
			size_t size)
{
	int ret = fq_begin(limits, size, FIRST_LIMITS);

	if (ret)
		return ret;
	limits->device = device;
	return fq_ioctl(fq, FAULTQ_LIMITS, limits);
}

int faultq_set_limits_sized(struct faultq *fq, const struct faultq_limits *limits, size_t size)
{
	return fq_set(fq, FAULTQ_LIMITS, FAULTQ_LIMITS_SET, limits, size, FIRST_LIMITS);
}

int faultq_share_sized(struct faultq *fq, const char *instance, struct faultq_share *share,
		       size_t size)
{
	int ret = fq_begin(share, size, FIRST_SHARE);

	if (!ret)
		ret = fq_copy_name(share->name, instance);
	return ret ? ret : fq_ioctl(fq, FAULTQ_SHARE, share);
}

int faultq_set_share_sized(struct faultq *fq, const struct faultq_share *share, size_t size)
{
	return fq_set(fq, FAULTQ_SHARE, FAULTQ_SHARE_SET, share, size, FIRST_SHARE);
}

static int drain(struct faultq *fq, struct faultq_drain *call, uint32_t *drained)
{
	int ret;

	call->size = sizeof(*call);
	ret = fq_ioctl(fq, FAULTQ_DRAIN, call);
	if (!ret && drained)
		*drained = call->drained;
	return ret;
}

int faultq_drain(struct faultq *fq, uint32_t device, uint32_t *drained)
{
	struct faultq_drain call = { .device = device };

	return drain(fq, &call, drained);
}

int faultq_drain_pasid(struct faultq *fq, uint32_t device, uint32_t pasid, uint32_t *drained)
{
	struct faultq_drain call = {
		.flags = FAULTQ_DRAIN_PASID,
		.device = device,
		.pasid = pasid,
	};

	return drain(fq, &call, drained);
}

int faultq_enable(struct faultq *fq, uint32_t device, int *interrupted)
{
	struct faultq_enable call = { .size = sizeof(call), .device = device };
	int ret = fq_ioctl(fq, FAULTQ_ENABLE, &call);

	if (!ret && interrupted)
		*interrupted = call.interrupted;
	return ret;
}
