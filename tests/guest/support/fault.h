/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of faults and of teardown share: a rig of one mock device and one VM, and
 * short names for what they do with them. Whatever fails here ends the test, so these functions
 * are for the thread that runs the test; other threads and processes use must().
 */
#ifndef TESTS_SUPPORT_FAULT_H
#define TESTS_SUPPORT_FAULT_H

#include <faultq.h>
#include <linux/mock-iommu.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "mock.h"
#include "tap.h"

#define PAGE		4096UL
#define RIG_SLOTS	64
#define RIG_ENTRIES	512

/* In threads and child processes, where cmocka's assertions must not be used. */
#define must(condition)								\
	do {									\
		if (!(condition)) {						\
			fprintf(stderr, "%s:%d: must(%s): %m\n", __FILE__, __LINE__, #condition); \
			abort();						\
		}								\
	} while (0)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct device - a mock device
 * @instance: directory of its IOMMU instance in configfs
 * @name: its own directory
 * @platform: as ATTACH takes it; also of a PCI device that was adopted
 * @fd: /dev/mock-iommu, bound to it, or -1
 */
struct device {
	char instance[24];
	char name[24];
	char platform[FAULTQ_NAME_SIZE];
	int fd;
};

/**
 * struct rig - a device that is attached to a VM with a queue
 * @device: the device
 * @fq: the VM; NULL when the test has closed it
 * @id: of the device in the VM
 */
struct rig {
	struct device device;
	struct faultq *fq;
	uint32_t id;
};

/* Fixtures: a rig in *state, with a device of mode pri, stall or none. */
int rig_setup_pri(void **state);
int rig_setup_stall(void **state);
int rig_setup_none(void **state);
int rig_setup_read(void **state);
int rig_teardown(void **state);

#define RIG_TEST(test)		cmocka_unit_test_setup_teardown(test, rig_setup_pri, rig_teardown)
#define RIG_TEST_STALL(test)	cmocka_unit_test_setup_teardown(test, rig_setup_stall, rig_teardown)
#define RIG_TEST_NONE(test)	cmocka_unit_test_setup_teardown(test, rig_setup_none, rig_teardown)
#define RIG_TEST_READ(test)	cmocka_unit_test_setup_teardown(test, rig_setup_read, rig_teardown)

/* Mock devices. */
void instance_make(const char *instance, unsigned int depth);
void instance_remove(const char *instance);
void device_make(struct device *device, const char *instance, const char *name,
		 const char *settings);
void device_adopt(struct device *device, const char *instance, const char *name,
		  const char *pci, const char *settings);
void device_unplug(struct device *device);
void device_plug(struct device *device);
void device_remove(struct device *device);
void device_assert_idle(const struct device *device);
unsigned long instance_counter(const char *instance, const char *counter);
struct mock_iommu_state device_state(const struct device *device);

/* The engine. */
int dma_start(const struct device *device, uint32_t access, uint64_t iova, const void *data,
	      size_t length);
struct mock_iommu_dma_wait dma_wait(const struct device *device, int tag, void *data);

/* Injection. */
struct mock_iommu_page_request page_request(uint32_t group, uint64_t address);
unsigned int inject(const struct device *device, const struct mock_iommu_page_request *request);
void inject_group(const struct device *device, uint32_t group, uint64_t address);
struct mock_iommu_response response(const struct device *device);
void assert_response(const struct device *device, uint32_t group, uint32_t code);
void assert_no_response(const struct device *device);

/* VMs. */
struct faultq *vm_open(uint32_t slots, uint32_t entries, uint32_t flags);
uint32_t vm_attach(struct faultq *fq, const struct device *device);
uint32_t vm_attach_name(struct faultq *fq, const char *name);
void vm_detach(struct faultq *fq, uint32_t id);
struct faultq_stats vm_stats(struct faultq *fq, uint32_t id);
unsigned int take_group(struct faultq *fq, struct faultq_record *records);
struct faultq_record take_record(struct faultq *fq);
uint64_t take_cookie(struct faultq *fq);
void assert_queue_empty(struct faultq *fq);

/* Memory. */
void *pages_new(unsigned int count);
void pages_free(void *pages, unsigned int count);
void pages_fill(void *memory, size_t length, unsigned int seed);
void assert_pages_filled(const void *memory, size_t length, unsigned int seed);

/* Memory whose pages arrive when the test says so, if ever. */
int stuck_memory_new(void **memory, unsigned int pages);
void stuck_memory_wait(int userfaultfd);
void stuck_memory_give(int userfaultfd, void *page, const void *content);

/* Threads and processes. */
void wait_until_blocked(int pid, int tid);

#endif
