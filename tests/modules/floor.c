// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floor under what a page request can cost, for benchmarks: a handler that only remembers the
 * group, and a call that has the copies an answer needs and hands it to the kernel, without any
 * check. It has no domain of its own: it takes the place of the handler of a device that somebody
 * has attached, and gives it back when the file is closed. It trusts its user, who is the only one.
 */
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>

#include "floor.h"

union floor_group {
	u32 grpid;
	struct iopf_group *iopf;
};

static struct device *floor_dev;
static union floor_group floor_held[FLOOR_HELD];
static unsigned int floor_count;
static struct floor_last floor_last;
static const struct iommu_ops *floor_ops_before;
static struct iommu_ops floor_ops;

static union floor_group *floor_next(void)
{
	return &floor_held[floor_count++ % FLOOR_HELD];
}

/* Up to 6.8 a device has a handler, of single requests; since then a domain has one, of groups. */
#ifdef IOMMU_PAGE_RESP_VERSION_1
static iommu_dev_fault_handler_t *floor_place; /* where the kernel looks for the handler */
static iommu_dev_fault_handler_t floor_before;

static iommu_dev_fault_handler_t *floor_find_place(void)
{
	struct iommu_fault_param *param = floor_dev->iommu ? floor_dev->iommu->fault_param : NULL;

	return param ? &param->handler : NULL;
}

static int floor_hold(struct iommu_fault *fault, void *data)
{
	floor_next()->grpid = fault->prm.grpid;
	return 0;
}

static int floor_watch(struct iommu_fault *fault, void *data)
{
	u64 begin = get_cycles();
	int ret = floor_before(fault, data);

	floor_last.handler = get_cycles() - begin;
	return ret;
}

static int floor_driver(struct device *dev, struct iommu_fault_event *event,
			struct iommu_page_response *response)
{
	u64 begin = get_cycles();
	int ret = floor_ops_before->page_response(dev, event, response);

	floor_last.driver = get_cycles() - begin;
	return ret;
}

static int floor_respond(union floor_group group, u32 code)
{
	struct iommu_page_response response = {
		.argsz = sizeof(response),
		.version = IOMMU_PAGE_RESP_VERSION_1,
		.grpid = group.grpid,
		.code = code,
	};

	return iommu_page_response(floor_dev, &response);
}

static void floor_find_dequeue(void) {}
static void floor_put_dequeue(void) {}
#else
static int (**floor_place)(struct iopf_group *group);
static int (*floor_before)(struct iopf_group *group);
/* Kernels that have it want it. */
static void (*floor_dequeue)(struct iopf_group *group);

static int (**floor_find_place(void))(struct iopf_group *group)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(floor_dev);

	return domain && domain->iopf_handler ? &domain->iopf_handler : NULL;
}

static int floor_hold(struct iopf_group *group)
{
	if (floor_dequeue)
		floor_dequeue(group);
	floor_next()->iopf = group;
	return 0;
}

static int floor_watch(struct iopf_group *group)
{
	u64 begin = get_cycles();
	int ret = floor_before(group);

	floor_last.handler = get_cycles() - begin;
	return ret;
}

static void floor_driver(struct device *dev, struct iopf_fault *fault,
			 struct iommu_page_response *response)
{
	u64 begin = get_cycles();

	floor_ops_before->page_response(dev, fault, response);
	floor_last.driver = get_cycles() - begin;
}

static int floor_respond(union floor_group group, u32 code)
{
	iopf_group_response(group.iopf, code);
	iopf_free_group(group.iopf);
	return 0;
}

static void floor_find_dequeue(void)
{
	floor_dequeue = (void *)__symbol_get("iopf_group_dequeue");
}

static void floor_put_dequeue(void)
{
	if (floor_dequeue)
		__symbol_put("iopf_group_dequeue");
}
#endif

/* Nothing may be attached or detached meanwhile: the kernel knows a driver by its functions. */
static void floor_watch_driver(void)
{
	struct iommu_device *iommu = floor_dev->iommu->iommu_dev;

	floor_ops_before = iommu->ops;
	floor_ops = *iommu->ops;
	floor_ops.page_response = floor_driver;
	WRITE_ONCE(iommu->ops, &floor_ops);
}

static void floor_unwatch_driver(void)
{
	if (floor_ops_before)
		WRITE_ONCE(floor_dev->iommu->iommu_dev->ops, floor_ops_before);
	floor_ops_before = NULL;
}

static int floor_hook(const struct floor_hook __user *user)
{
	struct floor_hook hook;

	if (floor_place)
		return -EBUSY;
	if (copy_from_user(&hook, user, sizeof(hook)))
		return -EFAULT;
	hook.name[FLOOR_NAME_SIZE - 1] = '\0';
	floor_dev = bus_find_device_by_name(&platform_bus_type, NULL, hook.name);
	if (!floor_dev)
		return -ENODEV;
	floor_place = floor_find_place();
	if (!floor_place) {
		put_device(floor_dev);
		return -ENXIO;
	}
	floor_count = 0;
	floor_before = *floor_place;
	WRITE_ONCE(*floor_place, hook.hold ? floor_hold : floor_watch);
	if (!hook.hold)
		floor_watch_driver();
	return 0;
}

static int floor_answer_one(struct floor_entry __user *user)
{
	struct floor_entry entry;
	int ret;

	if (copy_from_user(&entry, user, sizeof(entry)))
		return -EFAULT;
	ret = floor_respond(floor_held[entry.index % FLOOR_HELD], entry.code);
	return put_user(ret, &user->result);
}

static int floor_answer(struct floor_answer __user *user)
{
	struct floor_entry __user *entries;
	struct floor_answer answer;

	if (copy_from_user(&answer, user, sizeof(answer)))
		return -EFAULT;
	entries = u64_to_user_ptr(answer.entries);
	for (answer.done = 0; answer.done < answer.count; answer.done++)
		if (floor_answer_one(&entries[answer.done]))
			return -EFAULT;
	return copy_to_user(user, &answer, sizeof(answer)) ? -EFAULT : 0;
}

static long floor_ioctl(struct file *file, unsigned int command, unsigned long address)
{
	void __user *user = (void __user *)address;

	switch (command) {
	case FLOOR_HOOK:
		return floor_hook(user);
	case FLOOR_ANSWER:
		return floor_answer(user);
	case FLOOR_RESET:
		floor_count = 0;
		return 0;
	case FLOOR_LAST:
		return copy_to_user(user, &floor_last, sizeof(floor_last)) ? -EFAULT : 0;
	default:
		return -ENOTTY;
	}
}

static int floor_release(struct inode *inode, struct file *file)
{
	if (!floor_place)
		return 0;
	floor_unwatch_driver();
	WRITE_ONCE(*floor_place, floor_before);
	floor_place = NULL;
	put_device(floor_dev);
	return 0;
}

static const struct file_operations floor_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = floor_ioctl,
	.release = floor_release,
};

static struct miscdevice floor_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "floor",
	.fops = &floor_fops,
	.mode = 0600,
};

static int __init floor_init(void)
{
	floor_find_dequeue();
	return misc_register(&floor_misc);
}

static void __exit floor_exit(void)
{
	misc_deregister(&floor_misc);
	floor_put_dequeue();
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_DESCRIPTION("The least that a page request can cost, for benchmarks");
MODULE_LICENSE("GPL");
