// SPDX-License-Identifier: MIT
/*
 * What there is: groups that wait for an answer, IOMMU instances, VMs, devices.
 */
#include "private.h"

int faultq_pending_sized(struct faultq *fq, struct faultq_record *records, uint32_t *count,
			 uint32_t *position, size_t entry_size)
{
	struct faultq_pending call = {
		.size = sizeof(call),
		.records = (uintptr_t)records,
		.count = *count,
		.entry_size = entry_size,
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
	    size_t entry_size, uint32_t *count)
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

int faultq_instances_sized(struct faultq *fq, struct faultq_share *entries, uint32_t *count,
			   size_t entry_size)
{
	return fq_list(fq, FAULTQ_INSTANCES, 0, entries, entry_size, count);
}

int faultq_vms_sized(struct faultq *fq, struct faultq_vm_entry *entries, uint32_t *count,
		     size_t entry_size)
{
	return fq_list(fq, FAULTQ_VMS, 0, entries, entry_size, count);
}

int faultq_devices_sized(struct faultq *fq, uint32_t vm, struct faultq_device_entry *entries,
			 uint32_t *count, size_t entry_size)
{
	return fq_list(fq, FAULTQ_DEVICES, vm, entries, entry_size, count);
}
