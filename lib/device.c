// SPDX-License-Identifier: MIT
/*
 * Devices: attached to the VM, detached, and what became of those that could not
 * be given back. Also the counters of the VM and of a device.
 */
#include <stdbool.h>
#include <string.h>

#include "private.h"

int faultq_attach_sized(struct faultq *fq, const char *name, struct faultq_attach *attach,
			size_t size)
{
	union call call;
	int ret = fq_begin(&call, size, FIRST_ATTACH);

	if (!ret)
		ret = fq_copy_name(call.attach.name, name);
	if (!ret)
		ret = fq_ioctl(fq, FAULTQ_ATTACH, &call);
	if (!ret && attach)
		memcpy(attach, &call, size);
	return ret;
}

int faultq_detach(struct faultq *fq, uint32_t device, int *held)
{
	struct faultq_detach call = { .size = sizeof(call), .device = device };
	int ret = fq_ioctl(fq, FAULTQ_DETACH, &call);

	if (!ret && held)
		*held = call.held;
	return ret;
}

/* At first there was no member @vm: what is as short can only be of the handle's own VM. */
int faultq_vm_stats_sized(struct faultq *fq, uint32_t vm, uint32_t device,
			  struct faultq_stats *stats, size_t size)
{
	bool has_vm = size >= offsetof(struct faultq_stats, state);
	int ret;

	if (vm && !has_vm)
		return -EINVAL;
	ret = fq_begin(stats, size, FIRST_STATS);
	if (ret)
		return ret;
	stats->device = device;
	if (has_vm)
		stats->vm = vm;
	return fq_ioctl(fq, FAULTQ_STATS, stats);
}

int faultq_held_sized(struct faultq *fq, struct faultq_held_entry *entries, uint32_t *count,
		      size_t entry_size)
{
	struct faultq_held call = {
		.size = sizeof(call),
		.entries = (uintptr_t)entries,
		.count = *count,
		.entry_size = entry_size,
	};
	int ret = fq_ioctl(fq, FAULTQ_HELD, &call);

	if (!ret)
		*count = call.count;
	return ret;
}

int faultq_release(struct faultq *fq, const char *name)
{
	struct faultq_release call = { .size = sizeof(call) };
	int ret = fq_copy_name(call.name, name);

	return ret ? ret : fq_ioctl(fq, FAULTQ_RELEASE, &call);
}
