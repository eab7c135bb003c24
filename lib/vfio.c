// SPDX-License-Identifier: MIT
/*
 * Devices that VFIO hands out: from a PCI address to a VM in one call. What VFIO is asked here is
 * what every user of a container asks it, in the order that it demands.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/vfio.h>

#include "private.h"

static const struct faultq_vfio nothing = { .container = -1, .group = -1, .device = -1 };

static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void close_file(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* The file of a device's group: its number is the end of a link in sysfs. */
static int group_path(char path[PATH_MAX], const char *address)
{
	char link[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	if (strchr(address, '/'))
		return -EINVAL;
	if (snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", address) >=
	    (int)sizeof(link))
		return -ENAMETOOLONG;
	length = readlink(link, target, sizeof(target) - 1);
	if (length < 0)
		return -ENODEV;
	target[length] = '\0';
	snprintf(path, PATH_MAX, "/dev/vfio/%s", strrchr(target, '/') + 1);
	return 0;
}

static int open_group(const char *address, int container)
{
	char path[PATH_MAX];
	int fd, ret = group_path(path, address);

	if (ret)
		return ret;
	fd = open_file(path);
	if (fd < 0)
		return fd;
	if (!ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static int open_device(int group, const char *address)
{
	int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address);

	return fd < 0 ? -errno : fd;
}

static int open_container(void)
{
	int fd = open_file("/dev/vfio/vfio");

	if (fd >= 0 && ioctl(fd, VFIO_CHECK_EXTENSION, FAULTQ_VFIO_IOMMU) != 1) {
		close(fd);
		return -EOPNOTSUPP;
	}
	return fd;
}

/* What is open already is closed by the caller. */
static int open_all(struct faultq **fqp, struct faultq_vfio *vfio, const char *address)
{
	vfio->container = open_container();
	if (vfio->container < 0)
		return vfio->container;
	vfio->group = open_group(address, vfio->container);
	if (vfio->group < 0)
		return vfio->group;
	if (ioctl(vfio->container, VFIO_SET_IOMMU, FAULTQ_VFIO_IOMMU))
		return -errno;
	vfio->device = open_device(vfio->group, address);
	if (vfio->device < 0)
		return vfio->device;
	return fq_from_new_fd(fqp, ioctl(vfio->container, FAULTQ_VFIO_VM, 0));
}

int faultq_vfio_open(struct faultq **fqp, struct faultq_vfio *vfio, const char *address)
{
	int ret;

	*vfio = nothing;
	ret = open_all(fqp, vfio, address);
	if (ret)
		faultq_vfio_close(vfio);
	return ret;
}

static bool is_group_of(const char *address, int group)
{
	char path[PATH_MAX];
	struct stat one, other;

	return !group_path(path, address) && !stat(path, &one) && !fstat(group, &other) &&
	       one.st_rdev == other.st_rdev;
}

/* A group's file can be opened only once. */
static int add(struct faultq_vfio *vfio, const struct faultq_vfio *to, const char *address)
{
	int group = to->group;

	if (!is_group_of(address, group)) {
		vfio->group = open_group(address, to->container);
		group = vfio->group;
	}
	if (group < 0)
		return group;
	vfio->device = open_device(group, address);
	return vfio->device < 0 ? vfio->device : 0;
}

int faultq_vfio_add(struct faultq_vfio *vfio, const struct faultq_vfio *to, const char *address)
{
	int ret;

	*vfio = nothing;
	ret = add(vfio, to, address);
	if (ret)
		faultq_vfio_close(vfio);
	return ret;
}

void faultq_vfio_close(struct faultq_vfio *vfio)
{
	close_file(vfio->device);
	close_file(vfio->group);
	close_file(vfio->container);
	*vfio = nothing;
}
