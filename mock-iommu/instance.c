// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU instances: the part of the mock that plays the IOMMU's own hardware.
 *
 * An instance owns the page request queue that its devices share, as a number of
 * places, and the workqueue that reports what the engines raise. A place that
 * becomes free goes to the DMA that waits longest (stall); who does not want to
 * wait (pri, injection) finds the queue full as long as anybody waits.
 *
 * Places and waiters are guarded by the instance's lock, which callers hold.
 */
#include <linux/slab.h>

#include "compat/era.h"
#include "mock.h"

/**
 * mock_instance_create() - bring an IOMMU instance to life
 * @name: of its directory in configfs
 * @depth: places of its page request queue
 * @free_on_report: a place is free when the group was reported
 *
 * Return: the instance with one reference, or an ERR_PTR.
 */
struct mock_instance *mock_instance_create(const char *name, unsigned int depth,
					   bool free_on_report)
{
	struct mock_instance *instance;
	int ret = -ENOMEM;

	instance = kzalloc(sizeof(*instance), GFP_KERNEL_ACCOUNT);
	if (!instance)
		return ERR_PTR(-ENOMEM);
	kref_init(&instance->ref);
	spin_lock_init(&instance->lock);
	INIT_LIST_HEAD(&instance->waiters);
	instance->requests_on = true;
	instance->depth = depth;
	instance->free_on_report = free_on_report;
	snprintf(instance->name, sizeof(instance->name), "mock-%s", name);

	instance->reports = alloc_ordered_workqueue("%s", 0, instance->name);
	if (!instance->reports)
		goto err_free;
	ret = iommu_device_sysfs_add(&instance->iommu, NULL, NULL, "%s", instance->name);
	if (ret)
		goto err_workqueue;
	ret = mock_era_register(instance);
	if (ret)
		goto err_sysfs;
	return instance;

err_sysfs:
	iommu_device_sysfs_remove(&instance->iommu);
err_workqueue:
	destroy_workqueue(instance->reports);
err_free:
	kfree(instance);
	return ERR_PTR(ret);
}

/**
 * mock_instance_destroy() - end an instance that has no devices
 * @instance: loses the caller's reference
 */
void mock_instance_destroy(struct mock_instance *instance)
{
	mock_era_unregister(instance);
	iommu_device_sysfs_remove(&instance->iommu);
	destroy_workqueue(instance->reports);
	mock_instance_put(instance);
}

static void instance_release(struct kref *ref)
{
	kfree(container_of(ref, struct mock_instance, ref));
}

/**
 * mock_instance_get() - take a reference
 * @instance: the instance
 */
void mock_instance_get(struct mock_instance *instance)
{
	kref_get(&instance->ref);
}

/**
 * mock_instance_put() - drop a reference
 * @instance: the instance
 */
void mock_instance_put(struct mock_instance *instance)
{
	kref_put(&instance->ref, instance_release);
}

/**
 * mock_place_take() - take a place of the page request queue, if there is one
 * @instance: the instance, its lock held
 *
 * Return: whether there was one.
 */
bool mock_place_take(struct mock_instance *instance)
{
	lockdep_assert_held(&instance->lock);
	if (instance->used >= instance->depth)
		return false;
	instance->used++;
	return true;
}

/**
 * mock_place_take_or_wait() - take a place, or stand in line for one
 * @instance: the instance, its lock held
 * @dma: gets @place set and is kicked when it has waited long enough
 *
 * Return: whether there was one at once.
 */
bool mock_place_take_or_wait(struct mock_instance *instance, struct mock_dma *dma)
{
	if (mock_place_take(instance))
		return true;
	list_add_tail(&dma->wait, &instance->waiters);
	return false;
}

/**
 * mock_place_free() - give a place back: to who waits for one, or to the queue
 * @instance: the instance, its lock held
 */
void mock_place_free(struct mock_instance *instance)
{
	struct mock_dma *dma;

	lockdep_assert_held(&instance->lock);
	dma = list_first_entry_or_null(&instance->waiters, struct mock_dma, wait);
	if (!dma) {
		instance->used--;
		return;
	}
	list_del_init(&dma->wait);
	dma->place = true;
	mock_dma_kick(dma);
}
