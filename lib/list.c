// SPDX-License-Identifier: MIT
/*
 * What there is: groups that wait for an answer, IOMMU instances, VMs, devices.
 */
#include "private.h"

int faultq_pending(struct faultq *fq, struct faultq_record *records, uint32_t *count,
		   uint32_t *position)
{
	struct faultq_pending call = {
		.size = sizeof(call),
		.records = (uintptr_t)records,
		.count = *count,
		.entry_size = sizeof(*records),
		.position = *position,
	};
	int ret = fq_ioctl(fq, FAULTQ_PENDING, &call);

	if (!ret) {
		*count = call.count;
		*position = call.position;
	}
	return ret;
}

static int list(struct faultq *fq, unsigned long request, struct faultq_list *call,
		uint32_t *count)
{
	int ret;

	call->size = sizeof(*call);
	call->count = *count;
	ret = fq_ioctl(fq, request, call);
	if (!ret)
		*count = call->count;
	return ret;
}

int faultq_instances(struct faultq *fq, struct faultq_share *entries, uint32_t *count)
{
	struct faultq_list call = {
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(*entries),
	};

	return list(fq, FAULTQ_INSTANCES, &call, count);
}

int faultq_vms(struct faultq *fq, struct faultq_vm_entry *entries, uint32_t *count)
{
	struct faultq_list call = {
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(*entries),
	};

	return list(fq, FAULTQ_VMS, &call, count);
}

int faultq_devices(struct faultq *fq, uint32_t vm, struct faultq_device_entry *entries,
		   uint32_t *count)
{
	struct faultq_list call = {
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(*entries),
		.vm = vm,
	};

	return list(fq, FAULTQ_DEVICES, &call, count);
}
