// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows, doorbells, and looking at an address space; see space.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "space.h"

/**
 * device_make_reserving() - make a live device with reserved regions
 * @device: is filled in
 * @instance: behind this instance
 * @name: name of its directory
 * @regions: lines of "START LENGTH TYPE"
 */
void device_make_reserving(struct device *device, const char *instance, const char *name,
			   const char *regions)
{
	char copy[256], *rest = copy, *line;

	device_make(device, instance, name, "mode=none");
	device_unplug(device);
	snprintf(copy, sizeof(copy), "%s", regions);
	while ((line = strsep(&rest, "\n")))
		assert_int_equal(mock_set(instance, name, "reserved", line), 0);
	device_plug(device);
}

/**
 * window_add() - add a window
 * @fq: the VM
 * @iova: first address
 * @length: bytes
 * @type: FAULTQ_WINDOW_*
 * @prot: FAULTQ_MAP_*
 *
 * Return: its id.
 */
uint32_t window_add(struct faultq *fq, uint64_t iova, uint64_t length, uint32_t type,
		    uint32_t prot)
{
	uint32_t id = 0;

	assert_int_equal(faultq_window_add(fq, iova, length, type, prot, &id), 0);
	assert_int_not_equal(id, 0);
	return id;
}

/**
 * list_windows() - list the windows of a VM
 * @fq: the VM
 * @windows: where they go
 *
 * Return: how many.
 */
uint32_t list_windows(struct faultq *fq, struct faultq_window_entry windows[LIST_ROOM])
{
	uint32_t count = LIST_ROOM;

	assert_int_equal(faultq_windows(fq, 0, windows, &count), 0);
	assert_true(count <= LIST_ROOM);
	return count;
}

/**
 * list_ranges() - list where a VM can map
 * @fq: the VM
 * @ranges: where they go
 *
 * Return: how many.
 */
uint32_t list_ranges(struct faultq *fq, struct faultq_range_entry ranges[LIST_ROOM])
{
	uint32_t count = LIST_ROOM;

	assert_int_equal(faultq_iova_ranges(fq, 0, ranges, &count), 0);
	assert_true(count <= LIST_ROOM);
	return count;
}

/**
 * assert_window() - a window of a list is this one
 * @window: from list_windows()
 * @iova: first address
 * @length: bytes
 * @type: FAULTQ_WINDOW_*
 * @id: its id, or 0
 */
void assert_window(const struct faultq_window_entry *window, uint64_t iova, uint64_t length,
		   uint32_t type, uint32_t id)
{
	assert_int_equal(window->iova, iova);
	assert_int_equal(window->length, length);
	assert_int_equal(window->type, type);
	assert_int_equal(window->id, id);
	assert_int_equal(window->reserved, 0);
}

/**
 * device_scan() - access the beginning of some pages through a device's page table
 * @device: the device
 * @access: MOCK_IOMMU_READ or MOCK_IOMMU_WRITE
 * @iova: the first page
 * @pages: what to write, or what was read, and how it went
 * @count: how many
 *
 * May be called by any thread.
 *
 * Return: 0 or a negative errno.
 */
int device_scan(const struct device *device, uint32_t access, uint64_t iova,
		struct mock_iommu_scan_page *pages, uint32_t count)
{
	struct mock_iommu_scan scan = {
		.size = sizeof(scan), .flags = access, .iova = iova,
		.pages = (uintptr_t)pages, .count = count,
	};

	return ioctl(device->fd, MOCK_IOMMU_SCAN, &scan) ? -errno : 0;
}

/**
 * device_reaches() - access one page through a device's page table
 * @device: the device
 * @access: MOCK_IOMMU_READ or MOCK_IOMMU_WRITE
 * @iova: the page
 * @value: what to write, or what was read
 *
 * Return: enum mock_iommu_access_status.
 */
uint32_t device_reaches(const struct device *device, uint32_t access, uint64_t iova,
			uint64_t *value)
{
	struct mock_iommu_scan_page page = { .value = *value };

	assert_int_equal(device_scan(device, access, iova, &page, 1), 0);
	*value = page.value;
	return page.status;
}

/**
 * msi_call() - one of the calls for interrupts by message
 * @device: the device
 * @call: MOCK_IOMMU_MSI_*
 * @controller: interrupt controller
 * @msi: the rest of the argument, is filled in
 *
 * May be called by any thread.
 *
 * Return: 0 or a negative errno.
 */
int msi_call(const struct device *device, unsigned long call, uint32_t controller,
	     struct mock_iommu_msi *msi)
{
	msi->size = sizeof(*msi);
	msi->controller = controller;
	return ioctl(device->fd, call, msi) ? -errno : 0;
}

/**
 * msi_bind() - let a device reach a controller's doorbell
 * @device: the device
 * @controller: the controller
 *
 * Return: where.
 */
uint64_t msi_bind(const struct device *device, uint32_t controller)
{
	struct mock_iommu_msi msi = { 0 };

	assert_int_equal(msi_call(device, MOCK_IOMMU_MSI_BIND, controller, &msi), 0);
	return msi.iova;
}

/**
 * msi_unbind() - undo one msi_bind()
 * @device: the device
 * @controller: the controller
 */
void msi_unbind(const struct device *device, uint32_t controller)
{
	struct mock_iommu_msi msi = { 0 };

	assert_int_equal(msi_call(device, MOCK_IOMMU_MSI_UNBIND, controller, &msi), 0);
}

/**
 * msi_arrives() - let a device signal, and look whether it arrives at the controller
 * @device: the device
 * @controller: the controller, which others leave alone
 *
 * Return: whether it did; then the access was done, and otherwise it was not.
 */
bool msi_arrives(const struct device *device, uint32_t controller)
{
	static uint32_t message;
	struct mock_iommu_msi sent = { .data = ++message }, read = { 0 };

	assert_int_equal(msi_call(device, MOCK_IOMMU_MSI_SEND, controller, &sent), 0);
	assert_int_equal(msi_call(device, MOCK_IOMMU_MSI_READ, controller, &read), 0);
	assert_int_equal(read.data, sent.status == MOCK_IOMMU_ACCESS_DONE ? message : 0);
	return sent.status == MOCK_IOMMU_ACCESS_DONE;
}
