// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VMM does with an attached device: drain it, let it ask again, look at it.
 *
 * All under fq_vm.mutex, so the device stays, and nobody attaches or detaches meanwhile.
 */
#include <linux/string.h>

#include "answer.h"
#include "compat/compat.h"
#include "device.h"
#include "trace.h"

/**
 * fq_device_state() - what state a device's page requests are in
 * @device: the device
 *
 * Return: FAULTQ_STATE_* bits.
 */
u32 fq_device_state(const struct fq_device *device)
{
	return (device->failed ? FAULTQ_STATE_FAILED : 0) |
	       (device->off ? FAULTQ_STATE_OFF : 0) |
	       (fq_compat_shares_requests(device->dev) ? FAULTQ_STATE_SHARED : 0);
}

static void fq_drain(struct fq_device *device, struct faultq_drain *drain)
{
	if (drain->flags & FAULTQ_DRAIN_PASID) {
		drain->drained = fq_terminate_pasid(device, drain->pasid);
		trace_faultq_drain(device, drain->pasid, drain->drained);
	} else {
		drain->drained = fq_terminate_all(device, FQ_DRAINED);
		trace_faultq_drain(device, -1, drain->drained);
	}
}

/**
 * fq_device_drain() - terminate what a device has outstanding
 * @vm: its VM
 * @drain: DRAIN's argument, is filled in
 *
 * Return: 0, -EINVAL or -ENOENT.
 */
int fq_device_drain(struct fq_vm *vm, struct faultq_drain *drain)
{
	struct fq_device *device;

	if (drain->flags & ~FAULTQ_DRAIN_PASID || drain->reserved ||
	    (drain->pasid && !(drain->flags & FAULTQ_DRAIN_PASID)))
		return -EINVAL;

	mutex_lock(&vm->mutex);
	device = xa_load(&vm->devices, drain->device);
	if (device)
		fq_drain(device, drain);
	mutex_unlock(&vm->mutex);
	return device ? 0 : -ENOENT;
}

/* Its DMA is blocked already. */
static void fq_quiesce(struct fq_device *device)
{
	trace_faultq_drain(device, -1, fq_terminate_all(device, FQ_DRAINED));
	fq_wait_for_answers(device);
}

static void fq_forget_state(struct fq_device *device)
{
	spin_lock_irq(&device->vm->lock);
	device->off = false;
	device->failed = false;
	device->strikes = 0;
	device->refused = 0;
	spin_unlock_irq(&device->vm->lock);
}

/* What was switched off forgets why. */
static void fq_quiesce_all(struct fq_attachment *attachment)
{
	struct fq_device *device;

	list_for_each_entry(device, &attachment->devices, node) {
		fq_quiesce(device);
		fq_forget_state(device);
		fq_refuse_requests(device, !device->member);
	}
}

/* Of devices that have an interface for page requests, that is started as well. */
static int fq_attach_again(struct fq_attachment *attachment)
{
	struct fq_ioas *ioas = &attachment->vm->ioas;
	struct fq_device *device;
	int ret;

	if (!fq_stop_requests(attachment)) {
		fq_start_requests(attachment);
		return -EOPNOTSUPP;
	}
	list_for_each_entry(device, &attachment->devices, node)
		fq_refuse_requests(device, true);
	fq_ioas_block(ioas, attachment->domain, attachment->group);
	fq_quiesce_all(attachment);
	ret = fq_ioas_unblock(ioas, attachment->domain, attachment->group, &attachment->handle);
	if (ret)
		return -EIO;
	fq_compat_quiet_attached(&attachment->quiet, attachment->domain->domain,
				 &attachment->handle);
	fq_start_requests(attachment);
	return 0;
}

static int fq_enable(struct fq_device *device, struct faultq_enable *enable)
{
	if (!device)
		return -ENOENT;
	if (!(device->delivery.kinds & FAULTQ_KIND_PAGE_REQUEST))
		return -EOPNOTSUPP;
	enable->interrupted = device->failed || device->off;
	return enable->interrupted ? fq_attach_again(device->attachment) : 0;
}

/**
 * fq_device_enable() - let a device ask again
 * @vm: its VM
 * @enable: ENABLE's argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_device_enable(struct fq_vm *vm, struct faultq_enable *enable)
{
	int ret;

	if (enable->flags)
		return -EINVAL;
	mutex_lock(&vm->mutex);
	ret = fq_enable(xa_load(&vm->devices, enable->device), enable);
	mutex_unlock(&vm->mutex);
	return ret;
}

static void fq_describe_device(struct fq_device *device, struct faultq_device_entry *entry)
{
	fq_dev_name(device->dev, entry->name);
	strscpy(entry->instance, fq_compat_instance_name(device->dev), FAULTQ_NAME_SIZE);
	entry->device = device->id;
	entry->group = iommu_group_id(device->attachment->group);
	entry->kinds = device->delivery.kinds;
	spin_lock_irq(&device->vm->lock);
	entry->state = fq_device_state(device);
	entry->outstanding = device->nr_outstanding;
	entry->max_outstanding = device->max_outstanding;
	spin_unlock_irq(&device->vm->lock);
}

/**
 * fq_device_list() - list the devices of a VM
 * @vm: the VM
 * @entries: where they go, zeroed
 * @room: how many fit
 *
 * Return: how many there are, which may be more.
 */
unsigned int fq_device_list(struct fq_vm *vm, struct faultq_device_entry *entries,
			    unsigned int room)
{
	struct fq_device *device;
	unsigned int count = 0;
	unsigned long id;

	mutex_lock(&vm->mutex);
	xa_for_each(&vm->devices, id, device) {
		if (count < room)
			fq_describe_device(device, &entries[count]);
		count++;
	}
	mutex_unlock(&vm->mutex);
	return count;
}
