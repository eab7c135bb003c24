// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unrecoverable faults: reported for the device, or through its domain as IOMMU
 * drivers do that know no better; from process context, or from a hard interrupt.
 *
 * A report through the domain is made with the attach lock held, so that the domain
 * cannot be detached and freed below it. Its handlers must be able to run in a hard
 * interrupt anyway.
 */
#include <linux/irq_work.h>

#include "compat/era.h"
#include "mock.h"

/* Most reports from one interrupt. */
#define FAULT_BATCH	64

struct fault_irq {
	struct irq_work work;
	struct mock_device *device;
	const struct mock_iommu_unrecoverable *fault;
	unsigned int count;
	unsigned int taken;
	int ret;
};

static int fault_report_domain(struct mock_device *device,
			       const struct mock_iommu_unrecoverable *fault)
{
	bool anonymous = fault->flags & MOCK_IOMMU_NO_DEVICE;
	bool write = fault->access & MOCK_IOMMU_WRITE;
	struct mock_domain *domain;
	unsigned long flags;
	int ret = -ENXIO;

	spin_lock_irqsave(&device->attach_lock, flags);
	domain = mock_device_domain(device, fault->access, fault->pasid);
	if (domain && domain->domain.type == IOMMU_DOMAIN_UNMANAGED) {
		ret = report_iommu_fault(&domain->domain,
					 anonymous ? NULL : device->dev,
					 fault->address,
					 write ? IOMMU_FAULT_WRITE : IOMMU_FAULT_READ);
		if (ret)
			ret = -EIO;
	}
	spin_unlock_irqrestore(&device->attach_lock, flags);
	return ret;
}

static void fault_count(struct mock_device *device, unsigned int count)
{
	spin_lock(&device->instance->lock);
	device->counters.faults += count;
	spin_unlock(&device->instance->lock);
}

/**
 * mock_fault_report() - report an unrecoverable fault
 * @device: the device
 * @fault: the fault, as for injection
 *
 * Return: 0, -ENODEV, -ENXIO: the device has no paging domain, -EOPNOTSUPP, or -EIO:
 * nobody took it.
 */
int mock_fault_report(struct mock_device *device,
		      const struct mock_iommu_unrecoverable *fault)
{
	int ret = -ENODEV;

	down_read(&device->life);
	if (device->live) {
		if (fault->flags & MOCK_IOMMU_VIA_DOMAIN)
			ret = fault_report_domain(device, fault);
		else
			ret = mock_era_report_fault(device, fault);
	}
	up_read(&device->life);
	if (!ret || ret == -EIO)
		fault_count(device, 1);
	return ret;
}

static void fault_irq(struct irq_work *work)
{
	struct fault_irq *irq = container_of(work, struct fault_irq, work);
	unsigned int i;

	for (i = 0; i < irq->count; i++) {
		irq->ret = fault_report_domain(irq->device, irq->fault);
		if (irq->ret == -ENXIO)
			return;
		irq->taken += !irq->ret;
	}
}

/**
 * mock_fault_report_hard_irq() - report an unrecoverable fault some times from an interrupt
 * @device: the device
 * @fault: the fault, through the domain
 * @count: how many times; out: how many were taken
 *
 * At most 64 of them are reported at once: the rest is for the next call.
 *
 * Return: how many were reported, -ENODEV or -ENXIO.
 */
int mock_fault_report_hard_irq(struct mock_device *device,
			       const struct mock_iommu_unrecoverable *fault,
			       unsigned int *count)
{
	struct fault_irq irq = {
		.work = IRQ_WORK_INIT(fault_irq),
		.device = device,
		.fault = fault,
		.count = min_t(unsigned int, *count, FAULT_BATCH),
		.ret = -ENODEV,
	};

	down_read(&device->life);
	if (device->live) {
		irq_work_queue(&irq.work);
		irq_work_sync(&irq.work);
	}
	up_read(&device->life);
	if (irq.ret == -ENODEV || irq.ret == -ENXIO)
		return irq.ret;
	fault_count(device, irq.count);
	*count = irq.taken;
	return irq.count;
}
