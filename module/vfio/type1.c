// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO's calls for mappings, as type1 has them, on top of the VM's address space: the same
 * errors in the same order. docs/vfio.md lists what type1 has and this has not.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "../vm.h"
#include "vfio.h"

#define FQ_MAP_FLAGS (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static_assert(VFIO_DMA_MAP_FLAG_READ == FAULTQ_MAP_READ);
static_assert(VFIO_DMA_MAP_FLAG_WRITE == FAULTQ_MAP_WRITE);

/*
 * What type1 pins or, of MMIO, just looks up; here MMIO must be a BAR that VFIO handed out. MAP
 * itself finds out what is there, and charges only memory: that it was not what it was taken for
 * is EFAULT. It may have changed by then, so it is looked at again after each try.
 */
static int fq_type1_map_any(struct fq_ioas *ioas, struct faultq_map *map)
{
	bool mmio = false;
	int ret;

	for (;;) {
		ret = fq_ioas_map(ioas, map);
		if (ret != -EFAULT || fq_bar_at(map->user_address) == mmio ||
		    fatal_signal_pending(current))
			return ret;
		mmio = !mmio;
		map->flags ^= FAULTQ_MAP_MMIO;
	}
}

static long fq_type1_map(struct fq_container *container, void __user *user)
{
	unsigned long size = offsetofend(struct vfio_iommu_type1_dma_map, size);
	struct vfio_iommu_type1_dma_map dma;
	struct faultq_map map;
	int ret;

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
	ret = fq_type1_map_any(&container->vm->ioas, &map);
	/* a reserved window is a bad range, as what no device can address */
	return ret == -EADDRNOTAVAIL ? -EINVAL : ret;
}

/* The first version removes what begins in the range, though it may end behind it. */
static int fq_type1_unmap_range(struct fq_container *container,
				struct vfio_iommu_type1_dma_unmap *dma)
{
	struct fq_ioas *ioas = &container->vm->ioas;

	if (dma->flags & VFIO_DMA_UNMAP_FLAG_ALL)
		return dma->iova || dma->size ? -EINVAL :
		       fq_ioas_unmap(ioas, 0, U64_MAX, &dma->size);
	/* UNMAP's word for everything is none here */
	if (dma->size == U64_MAX)
		return -EINVAL;
	return container->version == 1 ?
	       fq_ioas_unmap_begun(ioas, dma->iova, dma->size, &dma->size) :
	       fq_ioas_unmap(ioas, dma->iova, dma->size, &dma->size);
}

static long fq_type1_unmap(struct fq_container *container, void __user *user)
{
	unsigned long size = offsetofend(struct vfio_iommu_type1_dma_unmap, size);
	struct vfio_iommu_type1_dma_unmap dma;
	int ret;

	if (copy_from_user(&dma, user, size))
		return -EFAULT;
	if (dma.argsz < size || dma.flags & ~VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;
	ret = fq_type1_unmap_range(container, &dma);
	if (ret)
		return ret;
	return copy_to_user(user, &dma, size) ? -EFAULT : 0;
}

static long fq_type1_extension(struct fq_container *container, unsigned long extension)
{
	struct fq_ioas_info told;

	switch (extension) {
	case FAULTQ_VFIO_IOMMU:
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		fq_ioas_info(&container->vm->ioas, &told);
		return told.coherent;
	default:
		return 0;
	}
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
		return fq_type1_extension(container, arg);
	case VFIO_IOMMU_GET_INFO:
		return fq_type1_info(container, user);
	case VFIO_IOMMU_MAP_DMA:
		return fq_type1_map(container, user);
	case VFIO_IOMMU_UNMAP_DMA:
		return fq_type1_unmap(container, user);
	case VFIO_IOMMU_DIRTY_PAGES:
		/* what type1 says of its first version, which cannot do it either */
		return -EACCES;
	default:
		return -ENOTTY;
	}
}
