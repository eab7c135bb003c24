// SPDX-License-Identifier: GPL-2.0-only
/*
 * What other kernel modules can call; iommu_faultq.h documents it.
 */
#include <linux/export.h>
#include <linux/mm.h>

#include "device.h"
#include "doorbell.h"
#include "iommu_faultq.h"

/**
 * struct fq_bind - what a caller wants
 * @phys: page of the doorbell
 * @iova: where it is bound
 */
struct fq_bind {
	phys_addr_t phys;
	dma_addr_t iova;
};

static int fq_bind(struct fq_device *device, void *context)
{
	struct fq_bind *bind = context;

	return fq_doorbell_bind(&device->vm->ioas, device, bind->phys, &bind->iova);
}

static int fq_unbind(struct fq_device *device, void *context)
{
	struct fq_bind *bind = context;

	fq_doorbell_unbind(&device->vm->ioas, device, bind->phys);
	return 0;
}

int faultq_doorbell_get(struct device *dev, phys_addr_t doorbell, dma_addr_t *iova)
{
	struct fq_bind bind = { .phys = doorbell & PAGE_MASK };
	int ret = fq_device_use(dev, fq_bind, &bind);

	if (!ret)
		*iova = bind.iova | (doorbell & ~PAGE_MASK);
	return ret;
}
EXPORT_SYMBOL_GPL(faultq_doorbell_get);

void faultq_doorbell_put(struct device *dev, phys_addr_t doorbell)
{
	struct fq_bind bind = { .phys = doorbell & PAGE_MASK };

	fq_device_use(dev, fq_unbind, &bind);
}
EXPORT_SYMBOL_GPL(faultq_doorbell_put);
