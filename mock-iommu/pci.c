// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adopting a PCI device: it is removed and found again, so that the IOMMU core probes it anew and
 * finds the mock, and given back in the same way. What the engine of the mock device does is then
 * done in its name; its own DMA is not the mock's, and goes where the machine lets it.
 *
 * Others can remove the PCI device at any time, and find another one in its place. The mock device
 * keeps its reference to the first, which says that it is gone, until it is given back.
 *
 * All this is done with pci_lock_rescan_remove(): meanwhile nobody else removes devices or finds
 * new ones. Drivers get to see the device when it is known to be the mock's.
 */
#include <linux/pci.h>

#include "compat/era.h"
#include "mock.h"

/* The device of a name, with a reference, or NULL. */
static struct pci_dev *adopt_find(const char *name)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, name);

	return dev ? to_pci_dev(dev) : NULL;
}

static int adopt_check(struct mock_device *device, struct pci_dev *pdev)
{
	/* What it has from elsewhere; what cannot be removed alone and found again. */
	if (device->settings.pasid_bits || device->settings.shared_requests ||
	    device->settings.request_bits || (pdev && (pdev->is_virtfn || pci_is_bridge(pdev))))
		return -EINVAL;
	if (!pdev)
		return -ENODEV;
	if (pdev->dev.driver || mock_device_of(&pdev->dev))
		return -EBUSY;
	return 0;
}

/* Look into a slot; what is found there is not shown to drivers yet. */
static struct pci_dev *adopt_scan(struct pci_bus *bus, unsigned int devfn)
{
	pci_scan_slot(bus, PCI_DEVFN(PCI_SLOT(devfn), 0));
	return pci_get_slot(bus, devfn);
}

static void adopt_start(struct pci_bus *bus)
{
	pci_assign_unassigned_bus_resources(bus);
	pci_bus_add_devices(bus);
}

/* Let the device of a mock device, which is there unless it is NULL, have its former IOMMU. */
static void adopt_undo(struct mock_device *device, struct pci_dev *pdev)
{
	if (pdev)
		pci_stop_and_remove_bus_device(pdev);
	mock_device_list_del(device);
	mock_era_give_back(device);
	if (pdev) {
		pci_dev_put(adopt_scan(pdev->bus, pdev->devfn));
		adopt_start(pdev->bus);
	}
	put_device(device->dev);
}

/* The core says nothing when it cannot probe it or has no domain for it. */
static int adopt_verify(struct mock_device *device, struct pci_dev *pdev)
{
	if (!pdev)
		return -ENODEV;
	return device->dev == &pdev->dev && device->domain ? 0 : -ENOMEM;
}

static int adopt(struct mock_device *device, struct pci_dev *old)
{
	struct pci_dev *pdev;
	int ret;

	ret = mock_era_adopt(device);
	if (ret)
		return ret;
	pci_stop_and_remove_bus_device(old);
	mock_device_list_add(device);
	pdev = adopt_scan(old->bus, old->devfn);
	ret = adopt_verify(device, pdev);
	if (ret)
		adopt_undo(device, pdev);
	else
		adopt_start(pdev->bus);
	pci_dev_put(pdev);
	return ret;
}

/**
 * mock_pci_adopt() - make a PCI device a mock device
 * @device: its settings name the PCI device
 *
 * Return: 0, -EINVAL, -ENODEV, -EBUSY: it has a driver or is adopted; or -ENOMEM.
 */
int mock_pci_adopt(struct mock_device *device)
{
	struct pci_dev *pdev;
	int ret;

	pci_lock_rescan_remove();
	pdev = adopt_find(device->settings.pci);
	ret = adopt_check(device, pdev);
	if (!ret)
		ret = adopt(device, pdev);
	pci_dev_put(pdev);
	pci_unlock_rescan_remove();
	return ret;
}

/**
 * mock_pci_give_back() - undo mock_pci_adopt()
 * @device: the device; nothing is reported for it
 *
 * When others have removed the PCI device, it stays removed.
 */
void mock_pci_give_back(struct mock_device *device)
{
	struct pci_dev *pdev = to_pci_dev(device->dev), *there;

	pci_lock_rescan_remove();
	there = pci_get_slot(pdev->bus, pdev->devfn);
	adopt_undo(device, there == pdev ? pdev : NULL);
	pci_dev_put(there);
	pci_unlock_rescan_remove();
}
