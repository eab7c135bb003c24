/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mock devices for test programs: made and undone in configfs, used through
 * /dev/mock-iommu (uapi/linux/mock-iommu.h).
 *
 *	mock_instance_create("i0", 0);
 *	mock_device_create("i0", "d0", "mode=stall pasid_bits=8");
 *	fd = mock_open("i0", "d0");
 *	status = mock_dma_write(fd, 0x1000, "hello", 5, NULL);
 *	close(fd);
 *	mock_device_destroy("i0", "d0");
 *	mock_instance_destroy("i0");
 *
 * All functions return a negative errno when they fail, and nothing is retried: a call
 * that a signal interrupts gives -EINTR.
 */
#ifndef TESTS_SUPPORT_MOCK_H
#define TESTS_SUPPORT_MOCK_H

#include <stddef.h>
#include <stdint.h>
#include <linux/mock-iommu.h>

#define MOCK_CONFIG_DIR		"/sys/kernel/config/mock-iommu"

int mock_mkdir(const char *instance, const char *device);
int mock_rmdir(const char *instance, const char *device);
int mock_set(const char *instance, const char *device, const char *attribute,
	     const char *value);
int mock_get(const char *instance, const char *device, const char *attribute, char *value,
	     size_t size);

int mock_instance_create(const char *instance, unsigned int depth);
int mock_instance_destroy(const char *instance);
int mock_device_create(const char *instance, const char *device, const char *settings);
int mock_device_destroy(const char *instance, const char *device);

int mock_open(const char *instance, const char *device);

int mock_dma_start(int fd, uint32_t flags, uint32_t pasid, uint64_t iova, const void *data,
		   size_t length);
int mock_dma_wait(int fd, int tag, uint32_t flags, void *data,
		  struct mock_iommu_dma_wait *end);
int mock_dma_write(int fd, uint64_t iova, const void *data, size_t length,
		   struct mock_iommu_dma_wait *end);
int mock_dma_read(int fd, uint64_t iova, void *data, size_t length,
		  struct mock_iommu_dma_wait *end);

int mock_page_request(int fd, uint32_t flags, uint32_t access, uint32_t group, uint32_t pasid,
		      uint64_t address);
int mock_page_requests(int fd, struct mock_iommu_page_request *requests);
int mock_unrecoverable(int fd, uint32_t flags, uint32_t access, uint32_t reason,
		       uint64_t address);
int mock_response(int fd, uint32_t flags, struct mock_iommu_response *response);
int mock_state(int fd, struct mock_iommu_state *state);

#endif
