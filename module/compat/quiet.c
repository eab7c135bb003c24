// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeping a group in its IOMMU driver's queue of page requests until nobody asks any more.
 *
 * Since 6.15 attaching a domain with a handler puts the devices into the queue, and detaching it
 * takes them out. Intel's driver takes them out first, and frees what it finds there, also what
 * a handler has in its hands at that moment; only then it blocks them, and does not wait for
 * what it is still reporting, as the queue is gone. The kernel does the same to a PCI device
 * that is being reset, whoever resets it.
 *
 * The driver looks at the handler of the domain that goes or comes, the kernel at that of the
 * domain that the attachment's handle names. So the group's domain has its handler only while it
 * is attached: then nothing that comes in its place takes the devices out, and the driver waits
 * each time. The handle names a domain that is nothing but a handler.
 *
 * In the end a plain domain takes the place of the group's, under a handle that names no handler:
 * the kernel answers from then on, and the driver has waited for what was reported before. What
 * has found the other handle meanwhile it waits for when the group's domain comes back. That has
 * a handler again when it is detached, and takes the devices out of the queue.
 *
 * All that is for groups of one device, which then have a domain of their own. fq_vm.mutex sees
 * to it that nobody else attaches or detaches the group.
 */
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>

#include "compat.h"

#define FQ_RESET_LOOK_MS 10

/* Never called: what the handle names decides. */
static int fq_no_handler(struct iopf_group *group)
{
	return -EINVAL;
}

static struct iommu_domain fq_mute;

static bool fq_in_queue(const struct device *dev)
{
	return rcu_access_pointer(dev->iommu->fault_param);
}

int fq_compat_quiet_prepare(struct fq_quiet *quiet, struct iommu_group *group,
			    struct device *dev, unsigned int nr_devices)
{
	struct iommu_domain *plain;

	if (!dev_is_pci(dev) || !to_pci_dev(dev)->pri_enabled || !fq_compat_hasty(dev))
		return 0;
	if (nr_devices > 1)
		return -EOPNOTSUPP;
	plain = iommu_paging_domain_alloc(dev);
	if (IS_ERR(plain))
		return PTR_ERR(plain);
	quiet->plain = plain;
	quiet->group = group;
	quiet->dev = dev;
	return 0;
}

/*
 * The kernel reads which domain a handle names and then that domain's handler, and does not sleep
 * in between. When this returns, nobody is about to read the handler of what it named before.
 */
static void fq_let_name(struct iommu_attach_handle *handle, struct iommu_domain *domain)
{
	WRITE_ONCE(handle->domain, domain);
	synchronize_rcu_tasks();
}

void fq_compat_quiet_attached(struct fq_quiet *quiet, struct iommu_domain *domain,
			      struct iommu_attach_handle *handle)
{
	if (!quiet->plain || !fq_in_queue(quiet->dev))
		return;
	if (!domain->iopf_handler) {
		/* It was attached again. */
		WRITE_ONCE(handle->domain, &quiet->asking);
		return;
	}
	quiet->asking.iopf_handler = domain->iopf_handler;
	fq_let_name(handle, &quiet->asking);
	domain->iopf_handler = NULL;
}

/* While the device is being reset, it has no other domain than the kernel's. */
static void fq_replace(struct fq_quiet *quiet, struct iommu_domain *domain)
{
	while (iommu_replace_group_handle(quiet->group, domain, &quiet->mute_handle) == -EBUSY)
		msleep(FQ_RESET_LOOK_MS);
}

void fq_compat_quiet(struct fq_quiet *quiet, struct iommu_domain *domain,
		     struct iommu_attach_handle *handle)
{
	if (!quiet->plain || !fq_in_queue(quiet->dev))
		return;
	fq_replace(quiet, quiet->plain);
	fq_replace(quiet, domain);
	fq_let_name(&quiet->mute_handle, &fq_mute);
	/* If one of them could not be attached, it is the other that is detached. */
	quiet->plain->iopf_handler = fq_no_handler;
	domain->iopf_handler = fq_no_handler;
}

void fq_compat_quiet_end(struct fq_quiet *quiet)
{
	if (quiet->plain)
		iommu_domain_free(quiet->plain);
	*quiet = (struct fq_quiet){};
}
