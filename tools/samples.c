// SPDX-License-Identifier: GPL-2.0-only
/* All that can be seen of VMs, devices and IOMMU instances at one time. */
#include <errno.h>
#include <error.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lists.h"
#include "samples.h"

static __u64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* False when the VM has ended meanwhile. */
static int take_vm(struct faultq *fq, const struct faultq_vm_entry *vm, struct vm_sample *sample)
{
	if (vm->pid == getpid() || faultq_vm_stats(fq, vm->vm, 0, &sample->stats))
		return 0;
	sample->vm = *vm;
	sample->devices = list_devices(fq, vm->vm, &sample->count);
	return 1;
}

void samples_take(struct faultq *fq, struct samples *samples)
{
	uint32_t count, i;
	struct faultq_vm_entry *vms = list_vms(fq, &count);

	*samples = (struct samples){ .time = now() };
	samples->vms = calloc(count + 1, sizeof(*samples->vms));
	if (!samples->vms)
		error(EXIT_FAILURE, ENOMEM, "samples");
	for (i = 0; i < count; i++)
		samples->count += take_vm(fq, &vms[i], &samples->vms[samples->count]);
	free(vms);
	samples->instances = list_instances(fq, &samples->instance_count);
}

void samples_drop(struct samples *samples)
{
	uint32_t i;

	for (i = 0; i < samples->count; i++)
		free(samples->vms[i].devices);
	free(samples->vms);
	free(samples->instances);
	*samples = (struct samples){ .vms = NULL };
}
