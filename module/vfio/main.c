// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VFIO container backend: how VFIO finds it.
 *
 * VFIO asks the backend that was registered last first. This one takes containers that ask for
 * its own number and, where the administrator says so, those that ask for type1; all others go on
 * to that.
 *
 * VFIO holds no reference to this module while a call on a container is in it: another thread can
 * set the container to nothing meanwhile, and then the module can be removed. So calls are
 * counted, and removal waits for them.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/vfio.h>
#include <linux/wait_bit.h>

#include <linux/faultq.h>

#include "../vm.h"
#include "vfio.h"

/* What iommu_faultq exports for this package. 6.13 made MODULE_IMPORT_NS() take a string. */
MODULE_INFO(import_ns, "FAULTQ");

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Take devices that can signal interrupts that are not theirs");

static bool type1;
module_param(type1, bool, 0644);
MODULE_PARM_DESC(type1, "Take containers that ask for VFIO's type1 backend, too");

static unsigned int dma_entry_limit = U16_MAX;
module_param(dma_entry_limit, uint, 0644);
MODULE_PARM_DESC(dma_entry_limit,
		 "Mappings that a new container can have; 0: any number (default 65535)");

/* This backend's own number, with or without a base for MSI doorbells. */
static bool fq_vfio_own(unsigned long extension)
{
	return extension % FAULTQ_VFIO_MSI_SIZE == FAULTQ_VFIO_IOMMU;
}

/* The version of type1 that a container asks for, or 0. */
static unsigned int fq_vfio_version(unsigned long extension)
{
	return extension == VFIO_TYPE1_IOMMU ? 1 : extension == VFIO_TYPE1v2_IOMMU ? 2 : 0;
}

/* Is a container that asks for this backend to be this module's? */
static bool fq_vfio_takes(unsigned long extension)
{
	return fq_vfio_own(extension) || (fq_vfio_version(extension) && READ_ONCE(type1));
}

static void *fq_vfio_open(unsigned long arg)
{
	u64 msi_base = fq_vfio_own(arg) ? round_down(arg, FAULTQ_VFIO_MSI_SIZE) : 0;

	if (!fq_vfio_takes(arg))
		return ERR_PTR(-EINVAL);
	return fq_container_open(fq_vfio_version(arg), READ_ONCE(dma_entry_limit), msi_base);
}

static long fq_vfio_call(struct fq_container *container, unsigned int cmd, unsigned long arg)
{
	if (cmd == FAULTQ_VFIO_VM)
		return arg ? -EINVAL : fq_vm_file(container->vm);
	return fq_type1_ioctl(container, cmd, arg);
}

/* Calls on containers that are in this module. */
static atomic_t fq_vfio_calls;

static long fq_vfio_enter(void *iommu_data, unsigned int cmd, unsigned long arg)
{
	struct fq_container *container;
	long ret;

	/* VFIO asks this before the container is set to any backend. */
	if (!iommu_data)
		return cmd == VFIO_CHECK_EXTENSION ? fq_vfio_takes(arg) : -EINVAL;
	container = fq_container_get(iommu_data);
	if (!container)
		return -EINVAL;
	ret = fq_vfio_call(container, cmd, arg);
	fq_container_put(container);
	return ret;
}

static long fq_vfio_ioctl(void *iommu_data, unsigned int cmd, unsigned long arg)
{
	long ret;

	atomic_inc(&fq_vfio_calls);
	ret = fq_vfio_enter(iommu_data, cmd, arg);
	if (atomic_dec_and_test(&fq_vfio_calls))
		wake_up_var(&fq_vfio_calls);
	return ret;
}

static int fq_vfio_attach_group(void *iommu_data, struct iommu_group *group,
				enum vfio_group_type type)
{
	/* The DMA of a device that software emulates passes through no IOMMU. */
	if (type != VFIO_IOMMU)
		return -EOPNOTSUPP;
	return fq_container_attach(iommu_data, group, READ_ONCE(allow_unsafe_interrupts));
}

static const struct vfio_iommu_driver_ops fq_vfio_ops = {
	.name = "faultq",
	.owner = THIS_MODULE,
	.open = fq_vfio_open,
	.release = fq_container_release,
	.ioctl = fq_vfio_ioctl,
	.attach_group = fq_vfio_attach_group,
	.detach_group = fq_container_detach,
};

static int __init fq_vfio_init(void)
{
	return vfio_register_iommu_driver(&fq_vfio_ops);
}

/*
 * Between VFIO's look for the backend and the count, and between the count and the return, a
 * task does not sleep: when each has slept or is in user space, it has passed.
 */
static void __exit fq_vfio_exit(void)
{
	vfio_unregister_iommu_driver(&fq_vfio_ops);
	synchronize_rcu_tasks();
	wait_var_event(&fq_vfio_calls, !atomic_read(&fq_vfio_calls));
	synchronize_rcu_tasks();
}

module_init(fq_vfio_init);
module_exit(fq_vfio_exit);
MODULE_DESCRIPTION("VFIO containers whose devices' I/O page faults arrive in a queue");
MODULE_VERSION(FAULTQ_VERSION);
MODULE_LICENSE("GPL");
