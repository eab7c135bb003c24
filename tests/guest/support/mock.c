// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mock devices for test programs. Each function is one step in configfs or one ioctl; it
 * keeps no state, and any thread may call it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mock.h"

#define PATH_SIZE	512

/* device and attribute may be NULL. */
static void config_path(char *path, const char *instance, const char *device,
			const char *attribute)
{
	snprintf(path, PATH_SIZE, MOCK_CONFIG_DIR "/%s%s%s%s%s", instance, device ? "/" : "",
		 device ? device : "", attribute ? "/" : "", attribute ? attribute : "");
}

/**
 * mock_mkdir() - make the directory of an instance or a device
 * @instance: name of the instance
 * @device: name of the device, or NULL: make the instance's
 *
 * Return: 0 or a negative errno.
 */
int mock_mkdir(const char *instance, const char *device)
{
	char path[PATH_SIZE];

	config_path(path, instance, device, NULL);
	return mkdir(path, 0755) ? -errno : 0;
}

/**
 * mock_rmdir() - remove the directory of an instance or a device
 * @instance: name of the instance
 * @device: name of the device, or NULL: remove the instance's
 *
 * Return: 0 or a negative errno.
 */
int mock_rmdir(const char *instance, const char *device)
{
	char path[PATH_SIZE];

	config_path(path, instance, device, NULL);
	return rmdir(path) ? -errno : 0;
}

/**
 * mock_set() - write an attribute
 * @instance: name of the instance
 * @device: name of the device, or NULL: an attribute of the instance
 * @attribute: its name
 * @value: its text
 *
 * Return: 0 or a negative errno.
 */
int mock_set(const char *instance, const char *device, const char *attribute,
	     const char *value)
{
	char path[PATH_SIZE];
	ssize_t written;
	int fd, ret = 0;

	config_path(path, instance, device, attribute);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	written = write(fd, value, strlen(value));
	if (written < 0)
		ret = -errno;
	else if ((size_t)written != strlen(value))
		ret = -EIO;
	close(fd);
	return ret;
}

/**
 * mock_get() - read an attribute
 * @instance: name of the instance
 * @device: name of the device, or NULL: an attribute of the instance
 * @attribute: its name
 * @value: gets its text, without the last newline
 * @size: room there
 *
 * Return: 0 or a negative errno.
 */
int mock_get(const char *instance, const char *device, const char *attribute, char *value,
	     size_t size)
{
	char path[PATH_SIZE];
	ssize_t length;
	int fd, ret = 0;

	config_path(path, instance, device, attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, value, size - 1);
	if (length < 0)
		ret = -errno;
	value[length < 0 ? 0 : length] = '\0';
	if (length > 0 && value[length - 1] == '\n')
		value[length - 1] = '\0';
	close(fd);
	return ret;
}

/**
 * mock_instance_create() - make an IOMMU instance and bring it to life
 * @instance: its name
 * @depth: places of its page request queue, 0: as many as there are by default
 *
 * Return: 0 or a negative errno; then nothing is left of it.
 */
int mock_instance_create(const char *instance, unsigned int depth)
{
	char value[16];
	int ret;

	ret = mock_mkdir(instance, NULL);
	if (ret)
		return ret;
	snprintf(value, sizeof(value), "%u", depth);
	if (depth)
		ret = mock_set(instance, NULL, "queue_depth", value);
	if (!ret)
		ret = mock_set(instance, NULL, "live", "1");
	if (ret)
		mock_rmdir(instance, NULL);
	return ret;
}

/**
 * mock_instance_destroy() - undo mock_instance_create()
 * @instance: its name; none of its devices is left
 *
 * Return: 0 or a negative errno.
 */
int mock_instance_destroy(const char *instance)
{
	return mock_rmdir(instance, NULL);
}

static int set_all(const char *instance, const char *device, const char *settings)
{
	char *copy = strdup(settings), *rest = copy, *word, *value;
	int ret = copy ? 0 : -ENOMEM;

	while (!ret && (word = strsep(&rest, " "))) {
		value = strchr(word, '=');
		if (!value) {
			ret = -EINVAL;
			break;
		}
		*value++ = '\0';
		ret = mock_set(instance, device, word, value);
	}
	free(copy);
	return ret;
}

/**
 * mock_device_create() - make a device and bring it to life
 * @instance: name of its instance, which is live
 * @device: its name
 * @settings: its attributes, as "mode=stall pasid_bits=8", or NULL
 *
 * Return: 0 or a negative errno; then nothing is left of it.
 */
int mock_device_create(const char *instance, const char *device, const char *settings)
{
	int ret;

	ret = mock_mkdir(instance, device);
	if (ret)
		return ret;
	if (settings)
		ret = set_all(instance, device, settings);
	if (!ret)
		ret = mock_set(instance, device, "live", "1");
	if (ret)
		mock_rmdir(instance, device);
	return ret;
}

/**
 * mock_device_destroy() - undo mock_device_create()
 * @instance: name of its instance
 * @device: its name
 *
 * Return: 0 or a negative errno.
 */
int mock_device_destroy(const char *instance, const char *device)
{
	return mock_rmdir(instance, device);
}

static int mock_call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) ? -errno : 0;
}

/**
 * mock_open() - open /dev/mock-iommu and bind it to a live device
 * @instance: name of its instance
 * @device: its name
 *
 * Return: the file descriptor, or a negative errno.
 */
int mock_open(const char *instance, const char *device)
{
	struct mock_iommu_bind bind = { .size = sizeof(bind) };
	int fd, ret;

	snprintf(bind.name, sizeof(bind.name), "mock-%s-%s", instance, device);
	fd = open("/dev/mock-iommu", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = mock_call(fd, MOCK_IOMMU_BIND, &bind);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

/**
 * mock_dma_start() - let the device start a DMA
 * @fd: from mock_open()
 * @flags: MOCK_IOMMU_READ or MOCK_IOMMU_WRITE, with _EXEC, _PRIV, _PASID
 * @pasid: with MOCK_IOMMU_PASID; else 0
 * @iova: first address
 * @data: for a write: what the device writes
 * @length: bytes
 *
 * Return: its tag, or a negative errno.
 */
int mock_dma_start(int fd, uint32_t flags, uint32_t pasid, uint64_t iova, const void *data,
		   size_t length)
{
	struct mock_iommu_dma_start start = {
		.size = sizeof(start),
		.flags = flags,
		.iova = iova,
		.length = length,
		.data = flags & MOCK_IOMMU_WRITE ? (uintptr_t)data : 0,
		.pasid = pasid,
	};
	int ret = mock_call(fd, MOCK_IOMMU_DMA_START, &start);

	return ret ? ret : (int)start.tag;
}

/**
 * mock_dma_wait() - wait for a DMA and collect it
 * @fd: from mock_open()
 * @tag: from mock_dma_start()
 * @flags: 0 or MOCK_IOMMU_NOWAIT
 * @data: for a read: gets what the device read; else NULL
 * @end: gets how it ended, or NULL
 *
 * Return: enum mock_iommu_dma_status, or a negative errno.
 */
int mock_dma_wait(int fd, int tag, uint32_t flags, void *data, struct mock_iommu_dma_wait *end)
{
	struct mock_iommu_dma_wait wait = {
		.size = sizeof(wait),
		.flags = flags,
		.tag = tag,
		.data = (uintptr_t)data,
	};
	int ret = mock_call(fd, MOCK_IOMMU_DMA_WAIT, &wait);

	if (end)
		*end = wait;
	return ret ? ret : (int)wait.status;
}

/**
 * mock_dma_write() - let the device write to memory, and wait for it
 * @fd: from mock_open()
 * @iova: first address
 * @data: what it writes
 * @length: bytes
 * @end: gets how it ended, or NULL
 *
 * Return: enum mock_iommu_dma_status, or a negative errno.
 */
int mock_dma_write(int fd, uint64_t iova, const void *data, size_t length,
		   struct mock_iommu_dma_wait *end)
{
	int tag = mock_dma_start(fd, MOCK_IOMMU_WRITE, 0, iova, data, length);

	return tag < 0 ? tag : mock_dma_wait(fd, tag, 0, NULL, end);
}

/**
 * mock_dma_read() - let the device read from memory, and wait for it
 * @fd: from mock_open()
 * @iova: first address
 * @data: gets what it read
 * @length: bytes
 * @end: gets how it ended, or NULL
 *
 * Return: enum mock_iommu_dma_status, or a negative errno.
 */
int mock_dma_read(int fd, uint64_t iova, void *data, size_t length,
		  struct mock_iommu_dma_wait *end)
{
	int tag = mock_dma_start(fd, MOCK_IOMMU_READ, 0, iova, NULL, length);

	return tag < 0 ? tag : mock_dma_wait(fd, tag, 0, data, end);
}

/**
 * mock_page_request() - inject one page request
 * @fd: from mock_open()
 * @flags: MOCK_IOMMU_LAST, MOCK_IOMMU_NEEDS_PASID
 * @access: MOCK_IOMMU_READ, _WRITE, _EXEC, _PRIV, _PASID
 * @group: page request group index
 * @pasid: with MOCK_IOMMU_PASID
 * @address: IOVA
 *
 * Return: 1 if the IOMMU core took it, 0 if not, or a negative errno.
 */
int mock_page_request(int fd, uint32_t flags, uint32_t access, uint32_t group, uint32_t pasid,
		      uint64_t address)
{
	struct mock_iommu_page_request request = {
		.flags = flags,
		.access = access,
		.group = group,
		.pasid = pasid,
		.address = address,
		.count = 1,
	};

	return mock_page_requests(fd, &request);
}

/**
 * mock_page_requests() - inject page requests
 * @fd: from mock_open()
 * @requests: all but @size is set
 *
 * Return: how many of them the IOMMU core took, as @done tells too, or a negative errno.
 */
int mock_page_requests(int fd, struct mock_iommu_page_request *requests)
{
	int ret;

	requests->size = sizeof(*requests);
	ret = mock_call(fd, MOCK_IOMMU_PAGE_REQUEST, requests);
	return ret ? ret : (int)requests->done;
}

/**
 * mock_unrecoverable() - inject one unrecoverable fault
 * @fd: from mock_open()
 * @flags: MOCK_IOMMU_VIA_DOMAIN and so on
 * @access: MOCK_IOMMU_READ, _WRITE, _EXEC, _PRIV
 * @reason: as in the kernel's enum iommu_fault_reason
 * @address: IOVA
 *
 * Return: 1 if the IOMMU core took it, 0 if not, or a negative errno.
 */
int mock_unrecoverable(int fd, uint32_t flags, uint32_t access, uint32_t reason,
		       uint64_t address)
{
	struct mock_iommu_unrecoverable fault = {
		.size = sizeof(fault),
		.flags = flags,
		.access = access,
		.reason = reason,
		.count = 1,
		.address = address,
	};
	int ret = mock_call(fd, MOCK_IOMMU_UNRECOVERABLE, &fault);

	return ret ? ret : (int)fault.done;
}

/**
 * mock_response() - take the oldest answer to an injected page request
 * @fd: from mock_open()
 * @flags: 0 or MOCK_IOMMU_NOWAIT
 * @response: gets the answer
 *
 * Return: 0 or a negative errno.
 */
int mock_response(int fd, uint32_t flags, struct mock_iommu_response *response)
{
	memset(response, 0, sizeof(*response));
	response->size = sizeof(*response);
	response->flags = flags;
	return mock_call(fd, MOCK_IOMMU_RESPONSE, response);
}

/**
 * mock_state() - read the counters of the device and its instance
 * @fd: from mock_open()
 * @state: gets them
 *
 * Return: 0 or a negative errno.
 */
int mock_state(int fd, struct mock_iommu_state *state)
{
	memset(state, 0, sizeof(*state));
	state->size = sizeof(*state);
	return mock_call(fd, MOCK_IOMMU_STATE, state);
}
