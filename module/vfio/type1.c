// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO's calls for mappings, as type1 has them, on top of the VM's address space.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "../vm.h"
#include "vfio.h"

#define FQ_MAP_FLAGS (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static_assert(VFIO_DMA_MAP_FLAG_READ == FAULTQ_MAP_READ);
static_assert(VFIO_DMA_MAP_FLAG_WRITE == FAULTQ_MAP_WRITE);

static long fq_type1_map(struct fq_container *container, void __user *user)
{
	unsigned long size = offsetofend(struct vfio_iommu_type1_dma_map, size);
	struct vfio_iommu_type1_dma_map dma;
	struct faultq_map map;

	if (copy_from_user(&dma, user, size))
		return -EFAULT;
	if (dma.argsz < size || dma.flags & ~FQ_MAP_FLAGS || !dma.flags)
		return -EINVAL;
	map = (struct faultq_map){
		.flags = dma.flags,
		.iova = dma.iova,
		.length = dma.size,
		.user_address = dma.vaddr,
	};
	return fq_ioas_map(&container->vm->ioas, &map);
}

static int fq_type1_unmap_range(struct fq_container *container,
				struct vfio_iommu_type1_dma_unmap *dma)
{
	bool all = dma->flags & VFIO_DMA_UNMAP_FLAG_ALL;
	u64 unmapped;
	int ret;

	if (dma->flags & ~VFIO_DMA_UNMAP_FLAG_ALL || (all && (dma->iova || dma->size)))
		return -EINVAL;
	ret = fq_ioas_unmap(&container->vm->ioas, dma->iova, all ? U64_MAX : dma->size, &unmapped);
	if (!ret)
		dma->size = unmapped;
	return ret;
}

static long fq_type1_unmap(struct fq_container *container, void __user *user)
{
	unsigned long size = offsetofend(struct vfio_iommu_type1_dma_unmap, size);
	struct vfio_iommu_type1_dma_unmap dma;
	int ret;

	if (copy_from_user(&dma, user, size))
		return -EFAULT;
	if (dma.argsz < size)
		return -EINVAL;
	ret = fq_type1_unmap_range(container, &dma);
	if (ret)
		return ret;
	return copy_to_user(user, &dma, size) ? -EFAULT : 0;
}

/**
 * fq_type1_ioctl() - a call on a container that is not VFIO's own
 * @container: the container
 * @cmd: from user space, anything
 * @arg: the same
 *
 * Return: 0 or a negative errno, as type1 gives it.
 */
long fq_type1_ioctl(struct fq_container *container, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case VFIO_CHECK_EXTENSION:
		return arg == VFIO_UNMAP_ALL;
	case VFIO_IOMMU_MAP_DMA:
		return fq_type1_map(container, user);
	case VFIO_IOMMU_UNMAP_DMA:
		return fq_type1_unmap(container, user);
	default:
		return -ENOTTY;
	}
}
