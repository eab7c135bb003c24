// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Page Request Interface of PCI devices.
 *
 * The kernel's IOMMU drivers switch it on, and know of nothing else: a device that was answered
 * FAILURE stops to ask for good, until its interface was reset and enabled again, and one that
 * is to be detached while it asks goes on. No function for either is exported, so its registers
 * are written here, of devices whose interface the kernel has enabled. A virtual function has
 * none of its own, and that of a function with virtual ones is theirs, too: it is left alone.
 *
 * Whoever attaches or detaches a device has it to himself: fq_vm.mutex sees to that.
 */
#include <linux/iopoll.h>
#include <linux/pci.h>

#include "compat/compat.h"
#include "pri.h"

/* A device finishes what it has begun; the specification sets no limit. */
#define FQ_PRI_STOP_US		100000
#define FQ_PRI_LOOK_US		100

/* Returns where the registers of the device's own interface are; 0: it has none. */
static u16 fq_pri(struct device *dev)
{
	if (!dev_is_pci(dev) || !to_pci_dev(dev)->pri_enabled || fq_compat_shares_requests(dev))
		return 0;
	return pci_find_ext_capability(to_pci_dev(dev), PCI_EXT_CAP_ID_PRI);
}

static u16 fq_pri_read(struct device *dev, u16 reg)
{
	u16 value;

	pci_read_config_word(to_pci_dev(dev), reg, &value);
	return value;
}

static bool fq_pri_runs(struct device *dev, u16 pri)
{
	return fq_pri_read(dev, pri + PCI_PRI_CTRL) & PCI_PRI_CTRL_ENABLE &&
	       !(fq_pri_read(dev, pri + PCI_PRI_STATUS) & PCI_PRI_STATUS_RF);
}

/**
 * fq_pri_stop() - let a device ask no more
 * @dev: any device
 *
 * When it returns, what the device has asked is on its way.
 *
 * Return: false if it does not stop.
 */
bool fq_pri_stop(struct device *dev)
{
	u16 pri = fq_pri(dev), status;

	if (!pri)
		return true;
	pci_write_config_word(to_pci_dev(dev), pri + PCI_PRI_CTRL, 0);
	return !read_poll_timeout(fq_pri_read, status, status & PCI_PRI_STATUS_STOPPED,
				  FQ_PRI_LOOK_US, FQ_PRI_STOP_US, false, dev,
				  (u16)(pri + PCI_PRI_STATUS));
}

/**
 * fq_pri_start() - let a device ask again that was stopped, or has stopped after a failure
 * @dev: any device
 */
void fq_pri_start(struct device *dev)
{
	struct pci_dev *pdev;
	u16 pri = fq_pri(dev);
	u32 credits;

	if (!pri || fq_pri_runs(dev, pri) || !fq_pri_stop(dev))
		return;
	pdev = to_pci_dev(dev);
	pci_read_config_dword(pdev, pri + PCI_PRI_ALLOC_REQ, &credits);
	pci_write_config_word(pdev, pri + PCI_PRI_CTRL, PCI_PRI_CTRL_RESET);
	pci_write_config_dword(pdev, pri + PCI_PRI_ALLOC_REQ, credits);
	pci_write_config_word(pdev, pri + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
}
