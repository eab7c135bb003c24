/* SPDX-License-Identifier: GPL-2.0-only */
/* All that can be seen of VMs, devices and IOMMU instances at one time. */
#ifndef FAULTQ_SAMPLES_H
#define FAULTQ_SAMPLES_H

#include <stdint.h>

#include "faultq.h"

struct vm_sample {
	struct faultq_vm_entry vm;
	struct faultq_stats stats;
	struct faultq_device_entry *devices;
	uint32_t count;
};

struct samples {
	struct vm_sample *vms;
	uint32_t count;
	struct faultq_share *instances;
	uint32_t instance_count;
	__u64 time;		/* CLOCK_MONOTONIC, nanoseconds */
};

/* But for the VMs of this process, which only asks. Prints why it fails and exits. */
void samples_take(struct faultq *fq, struct samples *samples);
void samples_drop(struct samples *samples);

#endif /* FAULTQ_SAMPLES_H */
