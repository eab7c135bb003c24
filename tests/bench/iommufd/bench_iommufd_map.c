// SPDX-License-Identifier: GPL-2.0-only
/*
 * What iommufd's address space costs, for comparison: edu's, which VFIO has handed to it. The
 * figures have the names of those of bench_map.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/iommufd.h>

#include "mapping.h"
#include "support/vfio.h"

/* An address space. */
struct ioas {
	int iommufd;
	uint32_t id;
};

static int open_vfio_device(void)
{
	glob_t found;
	int fd;

	must(!glob("/dev/vfio/devices/vfio*", 0, NULL, &found) && found.gl_pathc == 1);
	fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	globfree(&found);
	must(fd >= 0);
	return fd;
}

static struct ioas open_ioas(int device)
{
	struct ioas ioas = { .iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC) };
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = ioas.iommufd };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };

	must(ioas.iommufd >= 0);
	must(!ioctl(ioas.iommufd, IOMMU_IOAS_ALLOC, &alloc));
	ioas.id = alloc.out_ioas_id;
	attach.pt_id = ioas.id;
	must(!ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	must(!ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	return ioas;
}

static void map(void *context, uint64_t iova, void *memory, uint64_t size)
{
	const struct ioas *ioas = context;
	struct iommu_ioas_map call = {
		.size = sizeof(call), .ioas_id = ioas->id, .iova = iova, .length = size,
		.user_va = (uintptr_t)memory,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
	};

	must(!ioctl(ioas->iommufd, IOMMU_IOAS_MAP, &call));
}

static void unmap(void *context, uint64_t iova, uint64_t size)
{
	const struct ioas *ioas = context;
	struct iommu_ioas_unmap call = {
		.size = sizeof(call), .ioas_id = ioas->id, .iova = iova, .length = size,
	};

	must(!ioctl(ioas->iommufd, IOMMU_IOAS_UNMAP, &call) && call.length == size);
}

static void map_and_unmap(void **state)
{
	struct mapper mapper = { .name = "iommufd", .map = map, .unmap = unmap };
	struct ioas ioas;
	struct pci edu;
	int device;

	(void)state;
	must(!system("modprobe iommufd"));
	vfio_take_edu(&edu);
	device = open_vfio_device();
	ioas = open_ioas(device);
	mapper.context = &ioas;
	mapping_report(&mapper);
	close(device);
	close(ioas.iommufd);
	vfio_give_edu_back(&edu);
}

int main(void)
{
	const struct CMUnitTest benches[] = {
		cmocka_unit_test(map_and_unmap),
	};

	return tap_run_group(benches, NULL, NULL);
}
