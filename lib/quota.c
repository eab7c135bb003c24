// SPDX-License-Identifier: MIT
/*
 * Quotas: what the VMM allows its VM and devices, and what VMs share of an IOMMU
 * instance. Also ending what a device has outstanding, and letting it ask again.
 */
#include "private.h"

int faultq_limits(struct faultq *fq, uint32_t device, struct faultq_limits *limits)
{
	*limits = (struct faultq_limits){ .size = sizeof(*limits), .device = device };
	return fq_ioctl(fq, FAULTQ_LIMITS, limits);
}

int faultq_set_limits(struct faultq *fq, const struct faultq_limits *limits)
{
	struct faultq_limits call = *limits;

	call.size = sizeof(call);
	call.flags = FAULTQ_LIMITS_SET;
	return fq_ioctl(fq, FAULTQ_LIMITS, &call);
}

int faultq_share(struct faultq *fq, const char *instance, struct faultq_share *share)
{
	int ret;

	*share = (struct faultq_share){ .size = sizeof(*share) };
	ret = fq_copy_name(share->name, instance);
	return ret ? ret : fq_ioctl(fq, FAULTQ_SHARE, share);
}

int faultq_set_share(struct faultq *fq, const struct faultq_share *share)
{
	struct faultq_share call = *share;

	call.size = sizeof(call);
	call.flags = FAULTQ_SHARE_SET;
	return fq_ioctl(fq, FAULTQ_SHARE, &call);
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
