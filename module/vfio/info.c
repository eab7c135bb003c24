// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a container tells of itself, as type1 does: page sizes, and a chain of capabilities with
 * the usable ranges of IOVAs and with how many mappings can still be made.
 *
 * There is no capability for migration: dirty pages are not tracked.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "../vm.h"
#include "vfio.h"

/* Ranges go through as they are. */
static_assert(sizeof(struct vfio_iova_range) == sizeof(struct faultq_range_entry));
static_assert(offsetof(struct vfio_iova_range, start) ==
	      offsetof(struct faultq_range_entry, first));
static_assert(offsetof(struct vfio_iova_range, end) == offsetof(struct faultq_range_entry, last));

static int fq_add_room(struct vfio_info_cap *caps, unsigned int room)
{
	struct vfio_iommu_type1_info_dma_avail cap = {
		.header = { .id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1 },
		.avail = room,
	};

	return vfio_info_add_capability(caps, &cap.header, sizeof(cap));
}

/* Ranges can become more from one look to the next; then those that have room are told. */
static int fq_fill_ranges(struct vfio_info_cap *caps, struct fq_ioas *ioas,
			  struct vfio_iommu_type1_info_cap_iova_range *cap, unsigned int room)
{
	cap->header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
	cap->header.version = 1;
	cap->nr_iovas = min(room, fq_ioas_list_ranges(ioas, (void *)cap->iova_ranges, room));
	return vfio_info_add_capability(caps, &cap->header,
					struct_size(cap, iova_ranges, cap->nr_iovas));
}

static int fq_add_ranges(struct vfio_info_cap *caps, struct fq_ioas *ioas)
{
	unsigned int room = fq_ioas_list_ranges(ioas, NULL, 0);
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	int ret;

	if (!room)
		return 0;
	cap = kzalloc(struct_size(cap, iova_ranges, room), GFP_KERNEL_ACCOUNT);
	if (!cap)
		return -ENOMEM;
	ret = fq_fill_ranges(caps, ioas, cap, room);
	kfree(cap);
	return ret;
}

/* The chain goes behind the structure when there is room, or only its size is told. */
static int fq_put_caps(struct vfio_info_cap *caps, struct vfio_iommu_type1_info *info,
		       void __user *user)
{
	info->flags |= VFIO_IOMMU_INFO_CAPS;
	if (info->argsz < sizeof(*info) + caps->size) {
		info->argsz = sizeof(*info) + caps->size;
		return 0;
	}
	vfio_info_cap_shift(caps, sizeof(*info));
	if (copy_to_user(user + sizeof(*info), caps->buf, caps->size))
		return -EFAULT;
	info->cap_offset = sizeof(*info);
	return 0;
}

static int fq_tell(struct fq_ioas *ioas, struct vfio_iommu_type1_info *info, void __user *user)
{
	struct vfio_info_cap caps = {};
	struct fq_ioas_info told;
	int ret;

	fq_ioas_info(ioas, &told);
	info->flags = VFIO_IOMMU_INFO_PGSIZES;
	info->iova_pgsizes = told.page_sizes;
	ret = fq_add_room(&caps, told.room);
	if (!ret)
		ret = fq_add_ranges(&caps, ioas);
	if (!ret)
		ret = fq_put_caps(&caps, info, user);
	kfree(caps.buf);
	return ret;
}

/**
 * fq_type1_info() - VFIO_IOMMU_GET_INFO
 * @container: the container
 * @user: its argument
 *
 * Return: 0 or a negative errno, as type1 gives it.
 */
int fq_type1_info(struct fq_container *container, void __user *user)
{
	size_t size = offsetofend(struct vfio_iommu_type1_info, iova_pgsizes);
	struct vfio_iommu_type1_info info = {};
	int ret;

	if (copy_from_user(&info, user, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	size = min_t(size_t, info.argsz, sizeof(info));
	ret = fq_tell(&container->vm->ioas, &info, user);
	if (ret)
		return ret;
	return copy_to_user(user, &info, size) ? -EFAULT : 0;
}
