// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault source: unrecoverable faults of a domain, by report_iommu_fault().
 *
 * Many IOMMU drivers report so. They tell address and direction, and a struct
 * device that may be NULL or the IOMMU's own; then the record says that the device
 * is not known. The call may come in hard interrupt context.
 */
#include <linux/iommu.h>
#include <linux/rcupdate.h>

#include "compat/compat.h"
#include "device.h"
#include "source.h"

static int fq_domain_fault(struct iommu_domain *domain, struct device *dev, unsigned long iova,
			   int flags, void *token)
{
	struct fq_unrecoverable fault = {
		.address = iova,
		.perm = flags & IOMMU_FAULT_WRITE ? FAULTQ_PERM_WRITE : FAULTQ_PERM_READ,
		.flags = FAULTQ_RECORD_ADDRESS,
	};
	struct fq_vm *vm = token;

	rcu_read_lock();
	fq_report_unrecoverable(vm, fq_device_by_dev(vm, dev), &fault);
	rcu_read_unlock();
	return 0;
}

void fq_source_watch_domain(struct iommu_domain *domain, struct fq_vm *vm)
{
	iommu_set_fault_handler(domain, fq_domain_fault, vm);
}
