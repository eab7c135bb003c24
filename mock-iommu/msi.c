// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts by message, and looking through a device's page table.
 *
 * There are a few interrupt controllers, each with a doorbell that is a page of memory, so
 * that what arrives can be read. iommu_faultq is asked to bind it for a device, as the
 * implementation of a real controller would do it; the mock works without that module, and
 * so takes its functions by symbol_get(), for the time of a call.
 *
 * No lock of the mock is held when iommu_faultq is called, as it holds its own when it
 * attaches devices to domains. mock_device.doorbells is written by one call at a time, as
 * a whole word.
 */
#include <linux/mm.h>
#include <linux/module.h>

#include "../module/iommu_faultq.h"
#include "mock.h"

static struct page *msi_doorbells[MOCK_IOMMU_CONTROLLERS];

/* The struct device of a live mock device, referenced, or NULL. */
static struct device *msi_device(struct mock_device *device)
{
	struct device *dev = NULL;

	down_read(&device->life);
	if (device->live)
		dev = get_device(device->dev);
	up_read(&device->life);
	return dev;
}

static bool msi_valid(const struct mock_iommu_msi *msi)
{
	return !msi->flags && !msi->reserved && msi->controller < MOCK_IOMMU_CONTROLLERS;
}

static phys_addr_t msi_doorbell(const struct mock_iommu_msi *msi)
{
	return page_to_phys(msi_doorbells[msi->controller]);
}

static int msi_get(struct device *dev, phys_addr_t doorbell, dma_addr_t *iova)
{
	int (*get)(struct device *dev, phys_addr_t doorbell, dma_addr_t *iova);
	int ret;

	get = symbol_get(faultq_doorbell_get);
	if (!get)
		return -EOPNOTSUPP;
	ret = get(dev, doorbell, iova);
	symbol_put(faultq_doorbell_get);
	return ret;
}

static int msi_put(struct device *dev, phys_addr_t doorbell)
{
	void (*put)(struct device *dev, phys_addr_t doorbell);

	put = symbol_get(faultq_doorbell_put);
	if (!put)
		return -EOPNOTSUPP;
	put(dev, doorbell);
	symbol_put(faultq_doorbell_put);
	return 0;
}

/**
 * mock_msi_bind() - let a device reach a controller's doorbell
 * @device: the device
 * @msi: MSI_BIND's argument, is filled in
 *
 * Return: 0 or a negative errno.
 */
int mock_msi_bind(struct mock_device *device, struct mock_iommu_msi *msi)
{
	struct device *dev;
	dma_addr_t iova;
	int ret;

	if (!msi_valid(msi))
		return -EINVAL;
	dev = msi_device(device);
	if (!dev)
		return -ENODEV;
	ret = msi_get(dev, msi_doorbell(msi), &iova);
	put_device(dev);
	if (ret)
		return ret;
	msi->iova = iova;
	WRITE_ONCE(device->doorbells[msi->controller], iova);
	return 0;
}

/**
 * mock_msi_unbind() - undo one mock_msi_bind()
 * @device: the device
 * @msi: MSI_UNBIND's argument
 *
 * Return: 0 or a negative errno.
 */
int mock_msi_unbind(struct mock_device *device, const struct mock_iommu_msi *msi)
{
	struct device *dev;
	int ret;

	if (!msi_valid(msi))
		return -EINVAL;
	dev = msi_device(device);
	if (!dev)
		return -ENODEV;
	ret = msi_put(dev, msi_doorbell(msi));
	put_device(dev);
	return ret;
}

/**
 * mock_msi_send() - let a device write a message
 * @device: the device
 * @msi: MSI_SEND's argument, is filled in
 *
 * Return: 0 or a negative errno.
 */
int mock_msi_send(struct mock_device *device, struct mock_iommu_msi *msi)
{
	u64 iova;

	if (!msi_valid(msi) || !msi->data)
		return -EINVAL;
	iova = READ_ONCE(device->doorbells[msi->controller]);
	if (!iova)
		return -ENXIO;
	if (!READ_ONCE(device->live))
		return -ENODEV;
	msi->status = mock_device_access(device, MOCK_IOMMU_WRITE, 0, iova, &msi->data,
					 sizeof(msi->data));
	return 0;
}

/**
 * mock_msi_read() - take what has arrived at a controller
 * @msi: MSI_READ's argument, is filled in
 *
 * Return: 0 or -EINVAL.
 */
int mock_msi_read(struct mock_iommu_msi *msi)
{
	if (!msi_valid(msi))
		return -EINVAL;
	msi->data = xchg((u32 *)page_address(msi_doorbells[msi->controller]), 0);
	return 0;
}

/**
 * mock_scan() - access the beginning of each page of a range
 * @device: the device
 * @access: MOCK_IOMMU_READ or MOCK_IOMMU_WRITE
 * @iova: first page
 * @pages: what to write, or what was read, and how it went
 * @count: how many
 */
void mock_scan(struct mock_device *device, u32 access, u64 iova,
	       struct mock_iommu_scan_page *pages, unsigned int count)
{
	for (; count; count--, pages++, iova += PAGE_SIZE) {
		pages->status = mock_device_access(device, access, 0, iova, &pages->value,
						   sizeof(pages->value));
		pages->reserved = 0;
	}
}

/**
 * mock_msi_init() - make the controllers
 *
 * Return: 0 or -ENOMEM.
 */
int mock_msi_init(void)
{
	unsigned int i;

	for (i = 0; i < MOCK_IOMMU_CONTROLLERS; i++) {
		msi_doorbells[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!msi_doorbells[i]) {
			mock_msi_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * mock_msi_exit() - free them; no device is left
 */
void mock_msi_exit(void)
{
	unsigned int i;

	for (i = 0; i < MOCK_IOMMU_CONTROLLERS && msi_doorbells[i]; i++)
		__free_page(msi_doorbells[i]);
}
