// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bus notifier that takes its time: the removal of a device waits in it, between the first
 * notice of it and the rest, for as long as a test wants. Other modules' notifiers have such a
 * moment too, if a shorter one.
 *
 * The parameter "device" names the device. "waiting" tells whether its removal has come here; it
 * goes on when another name is set.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(changed);
static char device[32];

static bool waiting;
module_param(waiting, bool, 0400);
MODULE_PARM_DESC(waiting, "the device is being removed");

static int set_device(const char *value, const struct kernel_param *kp)
{
	strscpy(device, value, sizeof(device));
	wake_up_all(&changed);
	return 0;
}

static const struct kernel_param_ops device_ops = { .set = set_device };
module_param_cb(device, &device_ops, NULL, 0200);
MODULE_PARM_DESC(device, "whose removal waits");

static int removal_notify(struct notifier_block *block, unsigned long action, void *data)
{
	if (action != BUS_NOTIFY_DEL_DEVICE || strcmp(dev_name(data), device))
		return NOTIFY_DONE;
	WRITE_ONCE(waiting, true);
	wait_event(changed, strcmp(dev_name(data), device));
	WRITE_ONCE(waiting, false);
	return NOTIFY_DONE;
}

/* Behind all others. */
static struct notifier_block pci_block = {
	.notifier_call = removal_notify,
	.priority = INT_MIN,
};

static struct notifier_block platform_block = {
	.notifier_call = removal_notify,
	.priority = INT_MIN,
};

static int __init removal_init(void)
{
	int ret = bus_register_notifier(&pci_bus_type, &pci_block);

	if (ret)
		return ret;
	ret = bus_register_notifier(&platform_bus_type, &platform_block);
	if (ret)
		bus_unregister_notifier(&pci_bus_type, &pci_block);
	return ret;
}
module_init(removal_init);

static void __exit removal_exit(void)
{
	bus_unregister_notifier(&platform_bus_type, &platform_block);
	bus_unregister_notifier(&pci_bus_type, &pci_block);
}
module_exit(removal_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Test module: removal of a device waits");
