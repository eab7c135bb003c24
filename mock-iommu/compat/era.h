/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs from kernel to kernel: how an IOMMU driver registers, what its
 * callbacks look like and how it reports faults. One file era-*.c per era
 * implements this; nothing else in the mock knows kernel versions.
 */
#ifndef MOCK_IOMMU_ERA_H
#define MOCK_IOMMU_ERA_H

#include <linux/iommu.h>
#include <linux/mock-iommu.h>

struct mock_device;
struct mock_instance;
struct mock_request;

int mock_era_register(struct mock_instance *instance);
void mock_era_unregister(struct mock_instance *instance);

int mock_era_prepare(struct mock_device *device);
void mock_era_unprepare(struct mock_device *device);

int mock_era_adopt(struct mock_device *device);
void mock_era_give_back(struct mock_device *device);

int mock_era_report_request(struct mock_device *device, const struct mock_request *request);
int mock_era_report_fault(struct mock_device *device,
			  const struct mock_iommu_unrecoverable *fault);

#endif
