// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving IOMMU groups back, and holding those that cannot be.
 *
 * When DMA ownership is released, the kernel's default domain comes back, which may
 * let the group reach all memory. So while the group is still blocked, bus mastering
 * of its PCI devices is switched off and they are reset. A group with a device that
 * cannot be reset is held: it stays claimed and blocked, and pins the module, until
 * its devices are removed or an administrator lets it go.
 *
 * What is needed for that is made at attach, so that giving back cannot fail.
 * fq_held_lock guards the list of held groups and what is in them. When the last device
 * of a held group is removed, the group is given back just before the IOMMU core takes
 * the device out of it, as the core wants no owner of an empty group: nobody can reach
 * the device's configuration any more, and its bus mastering is off. When another device
 * is removed, no group is given back until the core is through with it.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "device.h"
#include "held.h"

static DEFINE_MUTEX(fq_held_lock);
static LIST_HEAD(fq_held_groups);
static unsigned int fq_held_leaving;	/* held devices that are being removed */

/**
 * fq_held_create() - make what is needed to give a group back
 * @group: the group; a reference is taken
 * @room: number of its devices
 *
 * Return: an empty one, or NULL.
 */
struct fq_held *fq_held_create(struct iommu_group *group, unsigned int room)
{
	struct fq_held *held = kzalloc(struct_size(held, devs, room), GFP_KERNEL_ACCOUNT);

	if (held)
		held->group = iommu_group_ref_get(group);
	return held;
}

/**
 * fq_held_add() - add a device of the group
 * @held: has room for it
 * @dev: the device
 */
void fq_held_add(struct fq_held *held, struct device *dev)
{
	held->devs[held->count++] = get_device(dev);
}

/**
 * fq_held_forget() - a device has left the group before the group is given back
 * @held: of the group
 * @dev: the device
 */
void fq_held_forget(struct fq_held *held, struct device *dev)
{
	unsigned int i;

	for (i = 0; i < held->count; i++) {
		if (held->devs[i] == dev) {
			held->devs[i] = NULL;
			put_device(dev);
		}
	}
}

/**
 * fq_held_free() - free it, whether or not the group is claimed
 * @held: in no list
 */
void fq_held_free(struct fq_held *held)
{
	unsigned int i;

	for (i = 0; i < held->count; i++)
		put_device(held->devs[i]);
	iommu_group_put(held->group);
	kfree(held);
}

/*
 * A PCI device of the group that can do DMA and is there; one that is not does neither
 * need a reset nor survive the attempt in finite time.
 */
static struct pci_dev *fq_held_pci(const struct fq_held *held, unsigned int i)
{
	struct pci_dev *pdev;

	if (!held->devs[i] || !dev_is_pci(held->devs[i]))
		return NULL;
	pdev = to_pci_dev(held->devs[i]);
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL || !pci_device_is_present(pdev))
		return NULL;
	return pdev;
}

/**
 * fq_stop_masters() - let the PCI devices of a group do no DMA any more
 * @held: the group, which is claimed
 */
void fq_stop_masters(const struct fq_held *held)
{
	unsigned int i;

	for (i = 0; i < held->count; i++) {
		struct pci_dev *pdev = fq_held_pci(held, i);

		if (pdev)
			pci_clear_master(pdev);
	}
}

/* Let the devices forget what they were programmed to do; false if one cannot. */
static bool fq_reset(const struct fq_held *held)
{
	bool done = true;
	unsigned int i;

	for (i = 0; i < held->count; i++) {
		struct pci_dev *pdev = fq_held_pci(held, i);

		if (pdev && pci_reset_function(pdev))
			done = false;
	}
	return done;
}

static void fq_let_go(struct fq_held *held)
{
	iommu_group_release_dma_owner(held->group);
	fq_held_free(held);
}

/**
 * fq_give_back() - give a group back to the kernel, or hold it
 * @held: its group is claimed and blocked; not to be used any more
 *
 * Return: whether it is held.
 */
bool fq_give_back(struct fq_held *held)
{
	fq_stop_masters(held);
	if (fq_reset(held)) {
		fq_let_go(held);
		return false;
	}
	__module_get(THIS_MODULE);
	mutex_lock(&fq_held_lock);
	list_add_tail(&held->node, &fq_held_groups);
	mutex_unlock(&fq_held_lock);
	return true;
}

static void fq_held_end(struct fq_held *held)
{
	list_del(&held->node);
	fq_let_go(held);
	module_put(THIS_MODULE);
}

/**
 * fq_held_list() - list the devices of held groups
 * @entries: are filled in
 * @room: number of @entries
 *
 * Return: number of devices held, which may be more than @room.
 */
unsigned int fq_held_list(struct faultq_held_entry *entries, unsigned int room)
{
	struct fq_held *held;
	unsigned int i, count = 0;

	mutex_lock(&fq_held_lock);
	list_for_each_entry(held, &fq_held_groups, node) {
		for (i = 0; i < held->count; i++) {
			if (!held->devs[i])
				continue;
			if (count < room) {
				fq_dev_name(held->devs[i], entries[count].name);
				entries[count].group = iommu_group_id(held->group);
			}
			count++;
		}
	}
	mutex_unlock(&fq_held_lock);
	return count;
}

static bool fq_held_has(const struct fq_held *held, const struct device *dev)
{
	unsigned int i;

	for (i = 0; i < held->count; i++)
		if (held->devs[i] == dev)
			return true;
	return false;
}

static bool fq_held_has_only(const struct fq_held *held, const struct device *dev)
{
	unsigned int i;

	for (i = 0; i < held->count; i++)
		if (held->devs[i] && held->devs[i] != dev)
			return false;
	return true;
}

static struct fq_held *fq_find_held(const struct device *dev)
{
	struct fq_held *held;

	list_for_each_entry(held, &fq_held_groups, node)
		if (fq_held_has(held, dev))
			return held;
	return NULL;
}

static int fq_held_release_dev(const struct device *dev)
{
	struct fq_held *held = fq_find_held(dev);

	if (!held)
		return -ENOENT;
	if (fq_held_leaving)
		return -EAGAIN;
	/* Whoever reaches its config space may have switched them on again. */
	fq_stop_masters(held);
	fq_held_end(held);
	return 0;
}

/**
 * fq_held_release() - let a held group go without a reset
 * @name: of one of its devices, as in ATTACH
 *
 * Return: 0, -ENOENT, or -EAGAIN while a held device is being removed.
 */
int fq_held_release(const char *name)
{
	struct device *dev = fq_find_dev(name);
	int ret;

	if (!dev)
		return -ENOENT;
	mutex_lock(&fq_held_lock);
	ret = fq_held_release_dev(dev);
	mutex_unlock(&fq_held_lock);
	put_device(dev);
	return ret;
}

/* The device is about to leave its group. */
static void fq_held_leaves(struct device *dev)
{
	struct fq_held *held;

	mutex_lock(&fq_held_lock);
	held = fq_find_held(dev);
	if (held && fq_held_has_only(held, dev)) {
		fq_stop_masters(held);
		fq_held_end(held);
	} else if (held) {
		fq_held_leaving++;
	}
	mutex_unlock(&fq_held_lock);
}

/* The device has left its group: the kernel's own notifier ran before. */
static void fq_held_removed(struct device *dev)
{
	struct fq_held *held;

	mutex_lock(&fq_held_lock);
	held = fq_find_held(dev);
	if (held) {
		fq_held_leaving--;
		fq_held_forget(held, dev);
	}
	mutex_unlock(&fq_held_lock);
}

static int fq_held_notify_before(struct notifier_block *block, unsigned long action, void *dev)
{
	if (action == BUS_NOTIFY_REMOVED_DEVICE)
		fq_held_leaves(dev);
	return NOTIFY_DONE;
}

static int fq_held_notify_after(struct notifier_block *block, unsigned long action, void *dev)
{
	if (action == BUS_NOTIFY_REMOVED_DEVICE)
		fq_held_removed(dev);
	return NOTIFY_DONE;
}

/* After device.c's, which may hold the device, and before the IOMMU core's. */
static struct notifier_block fq_held_before = {
	.notifier_call = fq_held_notify_before,
	.priority = INT_MAX - 1,
};

/* Behind the IOMMU core's: by then the device is out of its group. */
static struct notifier_block fq_held_after = {
	.notifier_call = fq_held_notify_after,
	.priority = INT_MIN,
};

/**
 * fq_held_init() - start to watch for removals; only PCI devices are ever held
 *
 * Return: 0 or a negative errno.
 */
int fq_held_init(void)
{
	int ret = bus_register_notifier(&pci_bus_type, &fq_held_before);

	if (ret)
		return ret;
	ret = bus_register_notifier(&pci_bus_type, &fq_held_after);
	if (ret)
		bus_unregister_notifier(&pci_bus_type, &fq_held_before);
	return ret;
}

/**
 * fq_held_exit() - stop to watch; nothing is held, as that pins the module
 */
void fq_held_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &fq_held_after);
	bus_unregister_notifier(&pci_bus_type, &fq_held_before);
}
