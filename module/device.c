// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of a VM: attach, detach, removal from the system.
 *
 * An IOMMU group is attached and detached as a whole. Detaching stops the devices and
 * blocks the group's DMA first, then ends what is outstanding, waits for answers that
 * are under way, takes the fault source away, and gives the group back. It cannot fail
 * and waits for nobody but the kernel.
 *
 * A device must not be removed from the system while it is attached, so removal is
 * watched: ahead of the IOMMU core, which takes the device out of its group when it
 * is removed. A device is looked up under fq_all_lock, and comes into fq_all_devices
 * there, before it is attached; so its removal either finds it, or is so far that it
 * is not attached any more: once its removal has begun, the kernel frees what describes
 * it. It stays there until its group was given back, or could not be attached: removal
 * waits for that, as the IOMMU core must not take a device apart meanwhile. It waits by
 * fq_vm.mutex; under fq_all_lock nothing happens but looking, so that no VM waits for what
 * another has mapped or outstanding.
 *
 * Lock order: fq_vm.mutex, fq_all_lock, the locks of ioas.c and of share.c. The lock of
 * struct fq_vm for the fault path is a leaf.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "answer.h"
#include "compat/compat.h"
#include "device.h"
#include "doorbell.h"
#include "held.h"
#include "pri.h"
#include "report.h"
#include "trace.h"

/**
 * struct fq_leaving - a device between the two notices of its removal
 * @node: in fq_leaving_devices
 * @dev: the device
 */
struct fq_leaving {
	struct list_head node;
	const struct device *dev;
};

static DEFINE_MUTEX(fq_all_lock);
static LIST_HEAD(fq_all_devices);
static LIST_HEAD(fq_leaving_devices);

static const struct bus_type * const fq_buses[] = { &pci_bus_type, &platform_bus_type };

/**
 * fq_find_dev() - find a device by name
 * @name: "pci/0000:00:04.0", "platform/NAME"
 *
 * Return: the device, referenced, or NULL.
 */
struct device *fq_find_dev(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fq_buses); i++) {
		size_t length = str_has_prefix(name, fq_buses[i]->name);

		if (length && name[length] == '/')
			return bus_find_device_by_name(fq_buses[i], NULL, name + length + 1);
	}
	return NULL;
}

/**
 * fq_dev_name() - name a device as fq_find_dev() takes it
 * @dev: on one of the known buses
 * @name: is set
 */
void fq_dev_name(const struct device *dev, char name[FAULTQ_NAME_SIZE])
{
	snprintf(name, FAULTQ_NAME_SIZE, "%s/%s", dev->bus->name, dev_name(dev));
}

/* fq_device_by_dev() under fq_vm.mutex, which keeps the device. */
static struct fq_device *fq_attached(struct fq_vm *vm, struct device *dev)
{
	struct fq_device *device;

	lockdep_assert_held(&vm->mutex);
	rcu_read_lock();
	device = fq_device_by_dev(vm, dev);
	rcu_read_unlock();
	return device;
}

static struct fq_device *fq_device_create(struct fq_attachment *attachment, struct device *dev)
{
	struct fq_device *device = kzalloc(sizeof(*device), GFP_KERNEL_ACCOUNT);

	if (!device)
		return NULL;
	device->vm = attachment->vm;
	device->attachment = attachment;
	device->dev = get_device(dev);
	INIT_LIST_HEAD(&device->outstanding);
	INIT_LIST_HEAD(&device->telling);
	INIT_LIST_HEAD(&device->bindings);
	INIT_LIST_HEAD(&device->all);
	device->detached = true;
	atomic_set(&device->answers, 1);
	init_completion(&device->answered);
	list_add_tail(&device->node, &attachment->devices);
	return device;
}

/* Give it an id; the fault path may meet it from here on. */
static int fq_publish(struct fq_device *device)
{
	struct fq_vm *vm = device->vm;
	int ret;

	if (vm->nr_devices == FQ_MAX_DEVICES || vm->last_id == U32_MAX)
		return -ENOSPC;
	ret = xa_insert(&vm->devices, vm->last_id + 1, device, GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	device->id = ++vm->last_id;
	vm->nr_devices++;
	hash_add_rcu(vm->by_dev, &device->by_dev, (unsigned long)device->dev);
	return 0;
}

static void fq_unpublish(struct fq_device *device)
{
	struct fq_vm *vm = device->vm;

	hash_del_rcu(&device->by_dev);
	xa_erase(&vm->devices, device->id);
	vm->nr_devices--;
}

static struct fq_leaving *fq_find_leaving(const struct device *dev)
{
	struct fq_leaving *leaving;

	lockdep_assert_held(&fq_all_lock);
	list_for_each_entry(leaving, &fq_leaving_devices, node)
		if (leaving->dev == dev)
			return leaving;
	return NULL;
}

/* Is one of the devices being removed? It is in the group almost to the end. */
static bool fq_is_leaving(const struct fq_attachment *attachment)
{
	const struct fq_device *device;

	list_for_each_entry(device, &attachment->devices, node)
		if (fq_find_leaving(device->dev))
			return true;
	return false;
}

/* Let removals find the devices of a group; -ENODEV when one has begun. */
static int fq_watch(struct fq_attachment *attachment)
{
	struct fq_device *device;

	lockdep_assert_held(&fq_all_lock);
	if (fq_is_leaving(attachment))
		return -ENODEV;
	list_for_each_entry(device, &attachment->devices, node)
		list_add_tail(&device->all, &fq_all_devices);
	return 0;
}

static void fq_unwatch(struct fq_device *device)
{
	mutex_lock(&fq_all_lock);
	list_del_init(&device->all);
	mutex_unlock(&fq_all_lock);
}

static void fq_unwatch_all(struct fq_attachment *attachment)
{
	struct fq_device *device;

	list_for_each_entry(device, &attachment->devices, node)
		fq_unwatch(device);
}

/**
 * fq_refuse_requests() - let new page requests of a device be terminated, or not any more
 * @device: the device
 * @refuse: whether to
 */
void fq_refuse_requests(struct fq_device *device, bool refuse)
{
	spin_lock_irq(&device->vm->lock);
	device->detached = refuse;
	spin_unlock_irq(&device->vm->lock);
}

/* Whoever may ask needs a part of what its IOMMU instance can hold. */
static bool fq_may_request(const struct fq_device *device)
{
	return device->delivery.no_page_request == FAULTQ_WHY_DELIVERED ||
	       device->delivery.no_page_request == FAULTQ_WHY_UNKNOWN;
}

static int fq_join_share(struct fq_device *device)
{
	const char *instance = fq_compat_instance_name(device->dev);
	struct fq_member *member;
	struct fq_caps caps;

	if (!fq_may_request(device))
		return 0;
	member = fq_share_join(&device->vm->members, instance);
	if (IS_ERR(member))
		return PTR_ERR(member);
	device->member = member;
	fq_share_caps(instance, &caps);
	device->cap = caps.max_device;
	device->max_outstanding = caps.max_device;
	device->rate_cap = caps.refused_rate;
	device->refused_rate = caps.refused_rate;
	fq_refuse_requests(device, false);
	return 0;
}

static void fq_leave_share(struct fq_device *device)
{
	fq_refuse_requests(device, true);
	if (device->member)
		fq_share_leave(device->member);
	device->member = NULL;
}

/* What the device's domain does without for the sake of its MSI cookie is not delivered. */
static void fq_correct_for_msi(struct fq_device *device)
{
	struct fq_delivery *delivery = &device->delivery;

	if (FQ_COMPAT_MSI_AND_FAULTS || !device->attachment->domain->msi.size ||
	    !(delivery->kinds & FAULTQ_KIND_DOMAIN_FAULT))
		return;
	delivery->kinds &= ~FAULTQ_KIND_DOMAIN_FAULT;
	delivery->no_unrecoverable = FAULTQ_WHY_KERNEL;
}

static void fq_correct_delivery(struct fq_device *device)
{
	if (!device->attachment->may_request)
		device->delivery.no_page_request = FAULTQ_WHY_SIBLING;
	fq_correct_for_msi(device);
}

/* Nothing arrives before the device has its part of the share. */
static int fq_source_up(struct fq_device *device)
{
	int ret;

	fq_source_probe(device);
	fq_correct_delivery(device);
	ret = fq_join_share(device);
	if (ret)
		return ret;
	ret = fq_source_attach(device);
	if (ret || !fq_may_request(device))
		fq_leave_share(device);
	return ret;
}

static int fq_device_up(struct fq_device *device)
{
	int ret = fq_publish(device);

	if (ret)
		return ret;
	ret = fq_source_up(device);
	if (ret)
		fq_unpublish(device);
	return ret;
}

/* End all that is outstanding, let no more faults arrive, and take the id away. */
static void fq_device_down(struct fq_device *device)
{
	fq_refuse_requests(device, true);
	trace_faultq_drain(device, -1, fq_terminate_all(device, FQ_DETACHED));
	fq_wait_for_answers(device);
	fq_source_detach(device);
	fq_leave_share(device);
	fq_doorbells_end(&device->vm->ioas, device);
	fq_unpublish(device);
}

static void fq_devices_down(struct fq_attachment *attachment)
{
	struct fq_device *device;

	list_for_each_entry_reverse(device, &attachment->devices, node)
		fq_device_down(device);
}

static int fq_devices_up(struct fq_attachment *attachment)
{
	struct fq_device *device;
	int ret;

	list_for_each_entry(device, &attachment->devices, node) {
		ret = fq_device_up(device);
		if (ret)
			goto down;
	}
	return 0;

down:
	list_for_each_entry_continue_reverse(device, &attachment->devices, node)
		fq_device_down(device);
	return ret;
}

/* What no event has told yet is told no more. */
static void fq_device_free(struct fq_device *device)
{
	spin_lock_irq(&device->vm->lock);
	list_del(&device->telling);
	spin_unlock_irq(&device->vm->lock);
	list_del(&device->node);
	put_device(device->dev);
	kfree_rcu(device, rcu);
}

static void fq_attachment_free(struct fq_attachment *attachment)
{
	struct fq_device *device, *next;

	list_for_each_entry_safe(device, next, &attachment->devices, node)
		fq_device_free(device);
	iommu_group_put(attachment->group);
	kfree(attachment);
}

/* One that could not be attached. */
static void fq_attachment_drop(struct fq_attachment *attachment)
{
	fq_unwatch_all(attachment);
	fq_attachment_free(attachment);
}

static int fq_collect_device(struct device *dev, void *data)
{
	struct fq_attachment *attachment = data;

	if (!fq_device_create(attachment, dev))
		return -ENOMEM;
	attachment->nr_devices++;
	return 0;
}

/* A group with all its devices; takes over the reference to @group. */
static struct fq_attachment *fq_attachment_create(struct fq_vm *vm, struct iommu_group *group)
{
	struct fq_attachment *attachment = kzalloc(sizeof(*attachment), GFP_KERNEL_ACCOUNT);

	if (!attachment) {
		iommu_group_put(group);
		return NULL;
	}
	attachment->vm = vm;
	attachment->group = group;
	INIT_LIST_HEAD(&attachment->devices);
	INIT_LIST_HEAD(&attachment->regions);
	if (iommu_group_for_each_dev(group, attachment, fq_collect_device)) {
		fq_attachment_free(attachment);
		return NULL;
	}
	return attachment;
}

/* What giving the group back will need, made while it can still fail. */
static int fq_prepare_give_back(struct fq_attachment *attachment)
{
	struct fq_device *device;

	attachment->held = fq_held_create(attachment->group, attachment->nr_devices);
	if (!attachment->held)
		return -ENOMEM;
	list_for_each_entry(device, &attachment->devices, node)
		fq_held_add(attachment->held, device->dev);
	return 0;
}

static int fq_claim(struct fq_attachment *attachment)
{
	int ret = iommu_group_claim_dma_owner(attachment->group, attachment);

	/* The kernel says EPERM when somebody else is the owner. */
	return ret == -EPERM ? -EBUSY : ret;
}

/* Whose DMA does not see what is in the CPU's caches may see what others have left in memory. */
static bool fq_is_coherent(const struct fq_attachment *attachment)
{
	const struct fq_device *device;

	list_for_each_entry(device, &attachment->devices, node)
		if (!device_iommu_capable(device->dev, IOMMU_CAP_CACHE_COHERENCY))
			return false;
	return true;
}

/* Can all of its devices be kept from getting around the caches? */
static bool fq_is_snooped(const struct fq_attachment *attachment)
{
	const struct fq_device *device;

	list_for_each_entry(device, &attachment->devices, node)
		if (!fq_compat_can_snoop(device->dev))
			return false;
	return true;
}

/**
 * fq_stop_requests() - let the devices of a group ask no more
 * @attachment: the group
 *
 * Return: false if one does not stop.
 */
bool fq_stop_requests(struct fq_attachment *attachment)
{
	struct fq_device *device;
	bool stopped = true;

	list_for_each_entry(device, &attachment->devices, node)
		if (!fq_pri_stop(device->dev))
			stopped = false;
	return stopped;
}

/**
 * fq_start_requests() - let the devices of a group ask, whatever has stopped them
 * @attachment: the group
 */
void fq_start_requests(struct fq_attachment *attachment)
{
	struct fq_device *device;

	list_for_each_entry(device, &attachment->devices, node)
		fq_pri_start(device->dev);
}

/*
 * Detach a group that may be asking. One that is ours does no DMA from here on; its devices are
 * reset when it is given back.
 */
static void fq_detach_group(struct fq_attachment *attachment)
{
	if (attachment->held)
		fq_stop_masters(attachment->held);
	fq_stop_requests(attachment);
	fq_compat_quiet(&attachment->quiet, attachment->domain->domain, &attachment->handle);
	fq_ioas_detach(&attachment->vm->ioas, attachment->domain, attachment->group,
		       &attachment->regions);
}

/* Its devices are down. */
static void fq_detached(struct fq_attachment *attachment)
{
	fq_compat_quiet_end(&attachment->quiet);
	if (!attachment->held)
		fq_start_requests(attachment);
}

static int fq_attach_domain(struct fq_attachment *attachment, struct device *dev)
{
	struct fq_joining joining = {
		.vm = attachment->vm,
		.dev = dev,
		.group = attachment->group,
		.handle = &attachment->handle,
		.snooped = fq_is_snooped(attachment),
		.requests = attachment->may_request,
		.quiet = &attachment->quiet,
	};

	attachment->domain = fq_ioas_attach(&attachment->vm->ioas, &joining, &attachment->regions);
	return PTR_ERR_OR_ZERO(attachment->domain);
}

static int fq_prepare_quiet(struct fq_attachment *attachment, struct device *dev)
{
	int ret = fq_compat_quiet_prepare(&attachment->quiet, attachment->group, dev,
					  attachment->nr_devices);

	attachment->may_request = !ret;
	return ret == -EOPNOTSUPP ? 0 : ret;
}

static int fq_attach_group(struct fq_attachment *attachment, struct device *dev)
{
	int ret;

	if (!fq_is_coherent(attachment))
		return -EOPNOTSUPP;
	ret = fq_prepare_quiet(attachment, dev);
	if (ret)
		return ret;
	ret = fq_attach_domain(attachment, dev);
	if (ret)
		goto end;
	ret = fq_devices_up(attachment);
	if (ret)
		goto detach;
	fq_start_requests(attachment);
	list_add_tail(&attachment->node, &attachment->vm->attachments);
	return 0;

detach:
	fq_detach_group(attachment);
end:
	fq_detached(attachment);
	return ret;
}

/* When it fails the group was never seen by the VM: nothing to reset. */
static int fq_own_and_attach(struct fq_attachment *attachment, struct device *dev)
{
	int ret;

	ret = fq_prepare_give_back(attachment);
	if (ret)
		return ret;
	ret = fq_claim(attachment);
	if (ret)
		goto free;
	ret = fq_attach_group(attachment, dev);
	if (ret)
		goto release;
	return 0;

release:
	iommu_group_release_dma_owner(attachment->group);
	fq_start_requests(attachment);
free:
	fq_held_free(attachment->held);
	return ret;
}

static bool fq_has_dev(const struct fq_attachment *attachment, const struct device *dev)
{
	const struct fq_device *device;

	list_for_each_entry(device, &attachment->devices, node)
		if (device->dev == dev)
			return true;
	return false;
}

/*
 * A device that is being added is found by its name and has its group before it is in it,
 * and before the group has its default domain; the kernel takes neither into account when
 * the group is claimed.
 */
static bool fq_is_added(const struct fq_attachment *attachment, struct device *dev)
{
	return fq_has_dev(attachment, dev) && iommu_get_domain_for_dev(dev);
}

/* The group of a device that is there to be attached, watched; or an ERR_PTR(). */
static struct fq_attachment *fq_find_group(struct fq_vm *vm, struct device *dev)
{
	struct fq_attachment *attachment;
	struct iommu_group *group;

	if (dev->driver)
		return ERR_PTR(-EBUSY);
	group = iommu_group_get(dev);
	if (!group)
		return ERR_PTR(-ENODEV);
	attachment = fq_attachment_create(vm, group);
	if (!attachment)
		return ERR_PTR(-ENOMEM);
	if (!fq_is_added(attachment, dev) || fq_watch(attachment)) {
		fq_attachment_free(attachment);
		return ERR_PTR(-ENODEV);
	}
	return attachment;
}

static void fq_describe(struct fq_vm *vm, struct device *dev, struct faultq_attach *attach)
{
	const struct fq_device *device = fq_attached(vm, dev);

	attach->device = device->id;
	attach->kinds = device->delivery.kinds;
	attach->no_page_request = device->delivery.no_page_request;
	attach->no_unrecoverable = device->delivery.no_unrecoverable;
	attach->group = iommu_group_id(device->attachment->group);
}

/*
 * Look the device of a name up, referenced; and its group, if that is not attached to the VM: its
 * removal waits from now on. Sets @attachment to NULL if it is.
 */
static struct device *fq_look_up(struct fq_vm *vm, const char *name,
				 struct fq_attachment **attachment)
{
	struct device *dev;

	mutex_lock(&fq_all_lock);
	dev = fq_find_dev(name);
	*attachment = dev && !fq_attached(vm, dev) ? fq_find_group(vm, dev) : NULL;
	mutex_unlock(&fq_all_lock);
	return dev;
}

static int fq_attach_or_tell(struct fq_vm *vm, struct faultq_attach *attach)
{
	struct fq_attachment *attachment;
	struct device *dev = fq_look_up(vm, attach->name, &attachment);
	int ret;

	if (!dev)
		return -ENOENT;
	ret = PTR_ERR_OR_ZERO(attachment);
	if (attachment && !ret) {
		ret = fq_own_and_attach(attachment, dev);
		if (ret)
			fq_attachment_drop(attachment);
	}
	if (!ret)
		fq_describe(vm, dev, attach);
	put_device(dev);
	return ret;
}

/**
 * fq_device_attach() - attach the IOMMU group of a device, by name
 * @vm: to this VM
 * @attach: ATTACH's argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_device_attach(struct fq_vm *vm, struct faultq_attach *attach)
{
	int ret;

	if (attach->flags || attach->reserved ||
	    strnlen(attach->name, FAULTQ_NAME_SIZE) == FAULTQ_NAME_SIZE)
		return -EINVAL;

	mutex_lock(&vm->mutex);
	ret = fq_attach_or_tell(vm, attach);
	mutex_unlock(&vm->mutex);
	return ret;
}

/*
 * All devices of the group are down: give it back, unless it is somebody else's. Returns
 * whether it is held.
 */
static bool fq_leave(struct fq_attachment *attachment)
{
	bool held = attachment->held && fq_give_back(attachment->held);

	fq_unwatch_all(attachment);
	list_del(&attachment->node);
	fq_attachment_free(attachment);
	return held;
}

static bool fq_detach(struct fq_attachment *attachment)
{
	struct fq_device *device;

	list_for_each_entry(device, &attachment->devices, node)
		fq_refuse_requests(device, true);
	fq_detach_group(attachment);

	fq_devices_down(attachment);
	fq_detached(attachment);
	return fq_leave(attachment);
}

/**
 * fq_device_detach() - detach a device with its group
 * @vm: from this VM
 * @id: from user space, anything
 * @held: is set to whether the group had to be held
 *
 * Return: 0 or -ENOENT.
 */
int fq_device_detach(struct fq_vm *vm, u32 id, bool *held)
{
	struct fq_device *device;
	int ret = -ENOENT;

	mutex_lock(&vm->mutex);
	device = xa_load(&vm->devices, id);
	if (device) {
		*held = fq_detach(device->attachment);
		ret = 0;
	}
	mutex_unlock(&vm->mutex);
	return ret;
}

/* Its device that comes first stands for a group; the group is never empty here. */
static int fq_attach_foreign(struct fq_attachment *attachment)
{
	struct fq_device *first = list_first_entry_or_null(&attachment->devices,
							   struct fq_device, node);

	return first ? fq_attach_group(attachment, first->dev) : -ENODEV;
}

/* The group, watched; or an ERR_PTR(). */
static struct fq_attachment *fq_find_foreign(struct fq_vm *vm, struct iommu_group *group)
{
	struct fq_attachment *attachment;
	int ret = -ENOMEM;

	mutex_lock(&fq_all_lock);
	attachment = fq_attachment_create(vm, iommu_group_ref_get(group));
	if (attachment)
		ret = fq_watch(attachment);
	mutex_unlock(&fq_all_lock);
	if (!ret)
		return attachment;
	if (attachment)
		fq_attachment_free(attachment);
	return ERR_PTR(ret);
}

/**
 * fq_group_attach() - attach an IOMMU group that somebody else owns
 * @vm: to this VM
 * @group: the group, whose owner is the caller
 *
 * Return: 0 or a negative errno as ATTACH gives it.
 */
int fq_group_attach(struct fq_vm *vm, struct iommu_group *group)
{
	struct fq_attachment *attachment;
	int ret;

	mutex_lock(&vm->mutex);
	attachment = fq_find_foreign(vm, group);
	ret = PTR_ERR_OR_ZERO(attachment);
	if (!ret) {
		ret = fq_attach_foreign(attachment);
		if (ret)
			fq_attachment_drop(attachment);
	}
	mutex_unlock(&vm->mutex);
	return ret;
}
EXPORT_SYMBOL_FAULTQ(fq_group_attach);

/**
 * fq_group_detach() - detach a group that fq_group_attach() attached
 * @vm: from this VM
 * @group: the group; it may be gone from the VM with its devices
 */
void fq_group_detach(struct fq_vm *vm, struct iommu_group *group)
{
	struct fq_attachment *attachment;

	mutex_lock(&vm->mutex);
	list_for_each_entry(attachment, &vm->attachments, node) {
		if (attachment->group == group) {
			fq_detach(attachment);
			break;
		}
	}
	mutex_unlock(&vm->mutex);
}
EXPORT_SYMBOL_FAULTQ(fq_group_detach);

/**
 * fq_device_detach_all() - detach everything, when the VM goes
 * @vm: the VM
 */
void fq_device_detach_all(struct fq_vm *vm)
{
	struct fq_attachment *attachment, *next;

	mutex_lock(&vm->mutex);
	list_for_each_entry_safe(attachment, next, &vm->attachments, node)
		fq_detach(attachment);
	mutex_unlock(&vm->mutex);
}

/*
 * The VM that a device is attached to, referenced, or NULL. While one VM is giving the device
 * back, another may have attached it already: then that one.
 */
static struct fq_vm *fq_vm_of_dev(const struct device *dev)
{
	struct fq_device *device;
	struct fq_vm *vm = NULL;

	mutex_lock(&fq_all_lock);
	list_for_each_entry_reverse(device, &fq_all_devices, all) {
		if (device->dev == dev) {
			vm = device->vm;
			fq_vm_get(vm);
			break;
		}
	}
	mutex_unlock(&fq_all_lock);
	return vm;
}

/**
 * fq_device_use() - do something with a device that is attached to some VM
 * @dev: any device
 * @use: what to do; the device stays attached meanwhile
 * @context: for @use
 *
 * Return: what @use returned, or -ENODEV.
 */
int fq_device_use(struct device *dev, int (*use)(struct fq_device *device, void *context),
		  void *context)
{
	struct fq_vm *vm = fq_vm_of_dev(dev);
	struct fq_device *device;
	int ret;

	if (!vm)
		return -ENODEV;
	mutex_lock(&vm->mutex);
	device = fq_attached(vm, dev);
	ret = device ? use(device, context) : -ENODEV;
	mutex_unlock(&vm->mutex);
	fq_vm_put(vm);
	return ret;
}

/* The device is freed when the event has found room. */
static void fq_tell_gone(struct fq_device *device)
{
	struct fq_vm *vm = device->vm;
	bool wake;

	spin_lock_irq(&vm->lock);
	fq_tell_device(device, FQ_TELL_GONE);
	wake = fq_tell_events(vm);
	spin_unlock_irq(&vm->lock);

	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
}

/* One device leaves its group; the group leaves with its last device. */
static void fq_remove_device(struct fq_device *device)
{
	struct fq_attachment *attachment = device->attachment;
	bool last = list_is_singular(&attachment->devices);

	fq_refuse_requests(device, true);
	if (last)
		fq_detach_group(attachment);
	else
		fq_pri_stop(device->dev);
	fq_device_down(device);
	fq_unwatch(device);
	if (last)
		fq_detached(attachment);

	if (!last && attachment->held)
		fq_held_forget(attachment->held, device->dev);
	list_del(&device->node);
	put_device(device->dev);
	fq_tell_gone(device);
	if (last)
		fq_leave(attachment);
}

static void fq_vm_dev_removed(struct fq_vm *vm, struct device *dev)
{
	struct fq_device *device;

	mutex_lock(&vm->mutex);
	device = fq_attached(vm, dev);
	if (device)
		fq_remove_device(device);
	mutex_unlock(&vm->mutex);
}

/* Of all VMs that have something to do with it. */
static void fq_dev_removed(struct device *dev)
{
	struct fq_vm *vm;

	while ((vm = fq_vm_of_dev(dev))) {
		fq_vm_dev_removed(vm, dev);
		fq_vm_put(vm);
	}
}

/* It is attached no more from here on. */
static void fq_dev_leaves(const struct device *dev)
{
	struct fq_leaving *leaving = kmalloc(sizeof(*leaving), GFP_KERNEL | __GFP_NOFAIL);

	leaving->dev = dev;
	mutex_lock(&fq_all_lock);
	list_add(&leaving->node, &fq_leaving_devices);
	mutex_unlock(&fq_all_lock);
}

/* There is no entry of one whose removal had begun before the module came. */
static void fq_dev_left(const struct device *dev)
{
	struct fq_leaving *leaving;

	mutex_lock(&fq_all_lock);
	leaving = fq_find_leaving(dev);
	if (leaving)
		list_del(&leaving->node);
	mutex_unlock(&fq_all_lock);
	kfree(leaving);
}

static int fq_bus_notify(struct notifier_block *block, unsigned long action, void *dev)
{
	if (action == BUS_NOTIFY_DEL_DEVICE) {
		fq_dev_leaves(dev);
		fq_dev_removed(dev);
	} else if (action == BUS_NOTIFY_REMOVED_DEVICE) {
		fq_dev_removed(dev);
		fq_dev_left(dev);
	}
	return NOTIFY_DONE;
}

/* Ahead of the IOMMU core's, which takes the device out of its group. */
static struct notifier_block fq_bus_blocks[ARRAY_SIZE(fq_buses)] = {
	{ .notifier_call = fq_bus_notify, .priority = INT_MAX },
	{ .notifier_call = fq_bus_notify, .priority = INT_MAX },
};

/**
 * fq_device_init() - start to watch for removals
 *
 * Return: 0 or a negative errno.
 */
int fq_device_init(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(fq_buses); i++) {
		ret = bus_register_notifier(fq_buses[i], &fq_bus_blocks[i]);
		if (ret)
			goto undo;
	}
	return 0;

undo:
	while (i--)
		bus_unregister_notifier(fq_buses[i], &fq_bus_blocks[i]);
	return ret;
}

/**
 * fq_device_exit() - stop to watch; no device is attached
 */
void fq_device_exit(void)
{
	struct fq_leaving *leaving, *next;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fq_buses); i++)
		bus_unregister_notifier(fq_buses[i], &fq_bus_blocks[i]);
	list_for_each_entry_safe(leaving, next, &fq_leaving_devices, node)
		kfree(leaving);
}
