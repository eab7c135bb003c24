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

int fq_list(const struct faultq *fq, unsigned long request, uint32_t vm, void *entries,
	    uint32_t entry_size, uint32_t *count)
{
	struct faultq_list call = {
		.size = sizeof(call),
		.entries = (uintptr_t)entries,
		.count = *count,
		.entry_size = entry_size,
		.vm = vm,
	};
	int ret = fq_ioctl(fq, request, &call);

	if (!ret)
		*count = call.count;
	return ret;
}

int faultq_instances(struct faultq *fq, struct faultq_share *entries, uint32_t *count)
{
	return fq_list(fq, FAULTQ_INSTANCES, 0, entries, sizeof(*entries), count);
}

int faultq_vms(struct faultq *fq, struct faultq_vm_entry *entries, uint32_t *count)
{
	return fq_list(fq, FAULTQ_VMS, 0, entries, sizeof(*entries), count);
}

int faultq_devices(struct faultq *fq, uint32_t vm, struct faultq_device_entry *entries,
		   uint32_t *count)
{
	return fq_list(fq, FAULTQ_DEVICES, vm, entries, sizeof(*entries), count);
}
