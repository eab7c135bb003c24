// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mock devices: from live to gone, and what is attached to them.
 *
 * A device is a platform device, or a PCI device that was adopted (pci.c), which the
 * IOMMU core probes when it is added. Its structure outlives it: open files and DMAs hold
 * references, and find it not live. It goes in this order: no new use, the DMAs end,
 * reports in flight end, the platform device is removed or the PCI device given back
 * (consumers that hear of it answer what is outstanding), and what nobody answered is
 * counted and freed. A PCI device can be removed by others before: then it is released,
 * and its mock device lives on with every access blocked.
 *
 * device_list_lock guards the list of devices. The attach lock is held across an
 * access or a report through the domain, so that a domain is out of use when the
 * core was told that it is detached; it nests no lock but leaf ones.
 */
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>

#include "compat/era.h"
#include "mock.h"

static DEFINE_SPINLOCK(device_list_lock);
static LIST_HEAD(device_list);

static void device_release(struct kref *ref)
{
	struct mock_device *device = container_of(ref, struct mock_device, ref);

	mock_instance_put(device->instance);
	xa_destroy(&device->pasids);
	mock_group_free_spares(device);
	kvfree(device->answers);
	kfree(device);
}

/**
 * mock_device_put() - drop a reference
 * @device: the device
 */
void mock_device_put(struct mock_device *device)
{
	kref_put(&device->ref, device_release);
}

static struct mock_device *device_alloc(struct mock_instance *instance, const char *name,
					const struct mock_settings *settings)
{
	struct mock_device *device;
	unsigned int i;

	device = kzalloc(sizeof(*device), GFP_KERNEL_ACCOUNT);
	if (!device)
		return NULL;
	kref_init(&device->ref);
	INIT_LIST_HEAD(&device->node);
	mock_instance_get(instance);
	device->instance = instance;
	device->settings = *settings;
	scnprintf(device->name, sizeof(device->name), "%s-%s", instance->name, name);
	init_rwsem(&device->life);
	spin_lock_init(&device->attach_lock);
	xa_init_flags(&device->pasids, XA_FLAGS_LOCK_IRQ | XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&device->dmas);
	INIT_LIST_HEAD(&device->starved);
	for (i = 0; i < MOCK_BUCKETS; i++)
		INIT_LIST_HEAD(&device->outstanding[i]);
	init_llist_head(&device->spares);
	init_waitqueue_head(&device->answered);
	device->requests_on = true;
	device->answers = kvmalloc_array(MOCK_ANSWERS, sizeof(*device->answers),
					 GFP_KERNEL_ACCOUNT);
	if (!device->answers) {
		mock_device_put(device);
		return NULL;
	}
	return device;
}

/**
 * mock_device_list_add() - let the IOMMU core's callbacks find a device
 * @device: the device
 */
void mock_device_list_add(struct mock_device *device)
{
	spin_lock(&device_list_lock);
	list_add_tail(&device->node, &device_list);
	spin_unlock(&device_list_lock);
}

/**
 * mock_device_list_del() - undo mock_device_list_add()
 * @device: the device
 */
void mock_device_list_del(struct mock_device *device)
{
	spin_lock(&device_list_lock);
	list_del_init(&device->node);
	spin_unlock(&device_list_lock);
}

static void device_set_live(struct mock_device *device, bool live)
{
	down_write(&device->life);
	spin_lock(&device->instance->lock);
	WRITE_ONCE(device->live, live);
	spin_unlock(&device->instance->lock);
	up_write(&device->life);
}

/* What drivers and consumers find out about it. */
static int device_describe(struct mock_device *device)
{
	const struct mock_settings *settings = &device->settings;
	struct property_entry properties[4] = { };
	unsigned int count = 0;

	if (settings->pasid_bits)
		properties[count++] = PROPERTY_ENTRY_U32("pasid-num-bits", settings->pasid_bits);
	if (settings->shared_requests)
		properties[count++] = PROPERTY_ENTRY_BOOL(MOCK_SHARED_REQUESTS);
	if (settings->request_bits)
		properties[count++] = PROPERTY_ENTRY_U32(MOCK_REQUEST_BITS,
							 settings->request_bits);
	return count ? device_create_managed_software_node(device->dev, properties, NULL) : 0;
}

/* It is in the list while it is added: era code finds it there when it is probed. */
static int device_add_platform(struct mock_device *device)
{
	struct platform_device *pdev;
	int ret;

	pdev = platform_device_alloc(device->name, PLATFORM_DEVID_NONE);
	if (!pdev)
		return -ENOMEM;
	device->dev = &pdev->dev;
	ret = mock_era_prepare(device);
	if (ret)
		goto err_put;
	ret = device_describe(device);
	if (ret)
		goto err_unprepare;
	mock_device_list_add(device);
	ret = platform_device_add(pdev);
	if (ret)
		goto err_list;
	/* The core says nothing when it cannot probe it or has no domain for it. */
	if (!device->domain) {
		platform_device_unregister(pdev);
		mock_device_list_del(device);
		return -ENOMEM;
	}
	return 0;

err_list:
	mock_device_list_del(device);
err_unprepare:
	mock_era_unprepare(device);
err_put:
	platform_device_put(pdev);
	return ret;
}

static int device_plug(struct mock_device *device)
{
	return device->settings.pci[0] ? mock_pci_adopt(device) : device_add_platform(device);
}

static void device_unplug(struct mock_device *device)
{
	if (device->settings.pci[0]) {
		mock_pci_give_back(device);
		return;
	}
	platform_device_unregister(to_platform_device(device->dev));
	mock_device_list_del(device);
}

/**
 * mock_device_create() - bring a device to life
 * @instance: behind which
 * @name: of its directory in configfs
 * @settings: are copied
 *
 * Return: the device with one reference, or an ERR_PTR.
 */
struct mock_device *mock_device_create(struct mock_instance *instance, const char *name,
				       const struct mock_settings *settings)
{
	struct mock_device *device;
	int ret = -ENOMEM;

	device = device_alloc(instance, name, settings);
	if (!device)
		return ERR_PTR(-ENOMEM);
	device->engine = alloc_workqueue("%s", WQ_UNBOUND, 0, device->name);
	if (!device->engine)
		goto err_put;
	ret = device_plug(device);
	if (ret)
		goto err_workqueue;
	device_set_live(device, true);
	return device;

err_workqueue:
	destroy_workqueue(device->engine);
err_put:
	mock_device_put(device);
	return ERR_PTR(ret);
}

static void device_stop_engine(struct mock_device *device)
{
	struct mock_dma *dma;

	spin_lock(&device->instance->lock);
	list_for_each_entry(dma, &device->dmas, node)
		mock_dma_kick(dma);
	spin_unlock(&device->instance->lock);
	flush_workqueue(device->engine);
	flush_workqueue(device->instance->reports);
}

/**
 * mock_device_destroy() - end the life of a device
 * @device: loses the caller's reference
 */
void mock_device_destroy(struct mock_device *device)
{
	struct mock_instance *instance = device->instance;

	device_set_live(device, false);
	wake_up_all(&device->answered);
	device_stop_engine(device);
	device_unplug(device);
	spin_lock(&instance->lock);
	instance->unanswered += mock_group_drop_all(device);
	spin_unlock(&instance->lock);
	destroy_workqueue(device->engine);
	mock_device_put(device);
}

/**
 * mock_device_find() - find a live device
 * @name: its own, also of one that has adopted a PCI device
 *
 * Return: the device with a reference, or NULL.
 */
struct mock_device *mock_device_find(const char *name)
{
	struct mock_device *device, *found = NULL;

	spin_lock(&device_list_lock);
	list_for_each_entry(device, &device_list, node) {
		if (READ_ONCE(device->live) && !strcmp(device->name, name)) {
			kref_get(&device->ref);
			found = device;
			break;
		}
	}
	spin_unlock(&device_list_lock);
	return found;
}

/*
 * While a PCI device is being adopted, its name tells which it is; from the first look at
 * it on, it is that very device. A later one of the same name is another.
 */
static bool device_is(struct mock_device *device, struct device *dev)
{
	if (!device->dev && dev_is_pci(dev) && !strcmp(device->settings.pci, dev_name(dev)))
		device->dev = get_device(dev);
	return device->dev == dev;
}

/**
 * mock_device_of() - find the mock device of a struct device
 * @dev: any device that is being added, or is there
 *
 * Return: the device, which lives as long as @dev is there; NULL: it is not ours.
 */
struct mock_device *mock_device_of(struct device *dev)
{
	struct mock_device *device, *found = NULL;

	spin_lock(&device_list_lock);
	list_for_each_entry(device, &device_list, node) {
		if (device_is(device, dev)) {
			found = device;
			break;
		}
	}
	spin_unlock(&device_list_lock);
	return found;
}

/**
 * mock_device_check() - may a domain be attached to a device
 * @device: the device
 * @domain: the domain
 *
 * Return: 0; -EINVAL when it cannot have what the domain promises.
 */
int mock_device_check(const struct mock_device *device, const struct mock_domain *domain)
{
	return READ_ONCE(domain->snooped) && !device->settings.snoop_control ? -EINVAL : 0;
}

/**
 * mock_devices_snoop() - let no device of a domain get around the CPU's caches
 * @domain: the domain; nobody attaches it meanwhile
 *
 * Return: whether all of them can be kept from it; else nothing changes.
 */
bool mock_devices_snoop(struct mock_domain *domain)
{
	struct mock_device *device;
	unsigned long flags;
	bool able = true;

	spin_lock(&device_list_lock);
	list_for_each_entry(device, &device_list, node) {
		spin_lock_irqsave(&device->attach_lock, flags);
		if (device->domain == domain && !device->settings.snoop_control)
			able = false;
		spin_unlock_irqrestore(&device->attach_lock, flags);
	}
	spin_unlock(&device_list_lock);
	if (able)
		WRITE_ONCE(domain->snooped, true);
	return able;
}

/**
 * mock_device_attach() - change the domain of a device
 * @device: the device
 * @domain: the new one, or NULL
 *
 * When it returns, no access uses the old one. A FAILURE is forgotten. Who attaches to a
 * device that the IOMMU core has let go of will not be told to detach: that does nothing.
 */
void mock_device_attach(struct mock_device *device, struct mock_domain *domain)
{
	unsigned long flags;
	bool changed;

	spin_lock_irqsave(&device->attach_lock, flags);
	if (device->released)
		domain = NULL;
	changed = device->domain != domain;
	device->domain = domain;
	spin_unlock_irqrestore(&device->attach_lock, flags);
	if (changed)
		mock_device_resume_requests(device);
}

/**
 * mock_device_release() - the IOMMU core lets go of a device, which is being removed
 * @device: the device; its life lock is held for writing
 *
 * When it returns, every access is blocked, and no report will be made.
 */
void mock_device_release(struct mock_device *device)
{
	unsigned long flags;

	lockdep_assert_held_write(&device->life);
	spin_lock_irqsave(&device->attach_lock, flags);
	device->released = true;
	xa_destroy(&device->pasids);
	spin_unlock_irqrestore(&device->attach_lock, flags);
	mock_device_attach(device, NULL);
}

/**
 * mock_device_attach_pasid() - change the domain of a PASID
 * @device: the device
 * @pasid: the PASID
 * @domain: the new one
 *
 * When it returns, no access uses the old one. It does not fail when there is one.
 *
 * Return: 0 or -ENOMEM.
 */
int mock_device_attach_pasid(struct mock_device *device, u32 pasid, struct mock_domain *domain)
{
	unsigned long flags;
	int ret;

	ret = xa_reserve_irq(&device->pasids, pasid, GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	spin_lock_irqsave(&device->attach_lock, flags);
	xa_store(&device->pasids, pasid, domain, 0);
	spin_unlock_irqrestore(&device->attach_lock, flags);
	return 0;
}

/**
 * mock_device_domain() - find the domain of an access
 * @device: the device; what is attached to it cannot change meanwhile
 * @access: with or without MOCK_IOMMU_PASID
 * @pasid: with that
 *
 * Return: the domain or NULL.
 */
struct mock_domain *mock_device_domain(struct mock_device *device, u32 access, u32 pasid)
{
	struct mock_domain *domain = NULL;

	if (access & MOCK_IOMMU_PASID)
		domain = xa_load(&device->pasids, pasid);
	return domain ?: device->domain;
}

/**
 * mock_device_resume_requests() - forget a FAILURE
 * @device: the device
 *
 * Of requests that devices share, none of them switches the others' on.
 */
void mock_device_resume_requests(struct mock_device *device)
{
	spin_lock(&device->instance->lock);
	device->requests_on = true;
	spin_unlock(&device->instance->lock);
}

/**
 * mock_device_access() - one access of a device, through whatever is attached
 * @device: the device
 * @access: MOCK_IOMMU_READ or _WRITE, with _EXEC, _PASID
 * @pasid: with MOCK_IOMMU_PASID
 * @iova: first address
 * @buffer: the device's side
 * @length: bytes, within one page; 0: translate only
 *
 * Return: how it went.
 */
enum mock_access mock_device_access(struct mock_device *device, u32 access, u32 pasid,
				    u64 iova, void *buffer, size_t length)
{
	enum mock_access result = MOCK_ACCESS_BLOCKED;
	struct mock_domain *domain;
	unsigned long flags;

	spin_lock_irqsave(&device->attach_lock, flags);
	domain = mock_device_domain(device, access, pasid);
	if (domain)
		result = mock_domain_access(domain, access, iova, buffer, length);
	spin_unlock_irqrestore(&device->attach_lock, flags);
	return result;
}

static bool device_is_snooped(struct mock_device *device)
{
	unsigned long flags;
	bool snooped;

	spin_lock_irqsave(&device->attach_lock, flags);
	snooped = device->domain && READ_ONCE(device->domain->snooped);
	spin_unlock_irqrestore(&device->attach_lock, flags);
	return snooped;
}

/**
 * mock_device_state() - read the counters
 * @device: the device
 * @state: all but size and flags are set
 *
 * Return: 0, or -ENODEV.
 */
int mock_device_state(struct mock_device *device, struct mock_iommu_state *state)
{
	struct mock_instance *instance = device->instance;
	const struct mock_counters *counters = &device->counters;
	int ret = -ENODEV;

	state->snooped = device_is_snooped(device);
	spin_lock(&instance->lock);
	if (device->live) {
		state->outstanding = device->nr_outstanding;
		state->queue_used = instance->used;
		state->queue_depth = instance->depth;
		state->requests_on = *mock_requests_switch(device);
		state->requests = counters->requests;
		state->answered = counters->answered;
		state->unmatched = counters->unmatched;
		state->unanswered = instance->unanswered;
		state->overflows = counters->overflows;
		state->refused = counters->refused;
		state->faults = counters->faults;
		state->identity = counters->identity;
		state->blocked = counters->blocked;
		state->dmas = counters->dmas;
		ret = 0;
	}
	spin_unlock(&instance->lock);
	return ret;
}
