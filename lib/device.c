// SPDX-License-Identifier: MIT
/*
 * Devices: attached to the VM, detached, and what became of those that could not
 * be given back. Also the counters of the VM and of a device.
 */
#include "private.h"

int faultq_attach(struct faultq *fq, const char *name, struct faultq_attach *attach)
{
	struct faultq_attach call = { .size = sizeof(call) };
	int ret = fq_copy_name(call.name, name);

	if (!ret)
		ret = fq_ioctl(fq, FAULTQ_ATTACH, &call);
	if (!ret && attach)
		*attach = call;
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

int faultq_stats(struct faultq *fq, uint32_t device, struct faultq_stats *stats)
{
	return faultq_vm_stats(fq, 0, device, stats);
}

int faultq_vm_stats(struct faultq *fq, uint32_t vm, uint32_t device, struct faultq_stats *stats)
{
	*stats = (struct faultq_stats){ .size = sizeof(*stats), .device = device, .vm = vm };
	return fq_ioctl(fq, FAULTQ_STATS, stats);
}

int faultq_held(struct faultq *fq, struct faultq_held_entry *entries, uint32_t *count)
{
	struct faultq_held call = {
		.size = sizeof(call),
		.entries = (uintptr_t)entries,
		.count = *count,
		.entry_size = sizeof(*entries),
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
