// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters in the text format that Prometheus reads: each metric with its type and all its
 * samples together, so everything is gathered before the first line.
 */
#include <stdio.h>

#include "counters.h"
#include "prometheus.h"
#include "samples.h"

static void print_head(const char *name, const char *suffix, const char *type, const char *help)
{
	printf("# HELP faultq_%s%s %s\n# TYPE faultq_%s%s %s\n", name, suffix, help, name, suffix,
	       type);
}

/* In quotation marks; a process chooses its name as it likes. */
static void print_label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			printf("\\n");
		else if (*value == '"' || *value == '\\')
			printf("\\%c", *value);
		else
			putchar(*value);
	}
	putchar('"');
}

static void print_vm_labels(const struct vm_sample *sample)
{
	printf("{vm=\"%u\",pid=\"%d\",", sample->vm.vm, sample->vm.pid);
	print_label("command", sample->vm.comm);
}

static void print_vm_value(const char *name, const char *suffix, const struct vm_sample *sample,
			   __u64 value)
{
	printf("faultq_%s%s", name, suffix);
	print_vm_labels(sample);
	printf("} %llu\n", value);
}

static void print_vm_counter(const struct samples *samples, const struct counter *counter)
{
	uint32_t i;

	print_head(counter->key, "_total", "counter", counter->text);
	for (i = 0; i < samples->count; i++)
		print_vm_value(counter->key, "_total", &samples->vms[i],
			       counter_value(counter, &samples->vms[i].stats));
}

static void print_vm_gauges(const struct samples *samples)
{
	uint32_t i;

	print_head("outstanding", "", "gauge", "groups waiting for an answer");
	for (i = 0; i < samples->count; i++)
		print_vm_value("outstanding", "", &samples->vms[i],
			       samples->vms[i].stats.outstanding);
	print_head("slots", "", "gauge", "groups that may wait for an answer");
	for (i = 0; i < samples->count; i++)
		print_vm_value("slots", "", &samples->vms[i], samples->vms[i].stats.slots);
	print_head("mapped_bytes", "", "gauge", "bytes mapped for devices");
	for (i = 0; i < samples->count; i++)
		print_vm_value("mapped_bytes", "", &samples->vms[i],
			       samples->vms[i].stats.mapped_bytes);
}

static void print_vm_latency(const struct vm_sample *sample)
{
	__u64 sum = 0;
	unsigned int i;

	for (i = 0; i < FAULTQ_LATENCIES; i++) {
		sum += sample->stats.latency[i];
		printf("faultq_answer_latency_seconds_bucket");
		print_vm_labels(sample);
		if (i == FAULTQ_LATENCIES - 1)
			printf(",le=\"+Inf\"} %llu\n", sum);
		else
			printf(",le=\"%.9g\"} %llu\n", latency_bound(i) / 1e9, sum);
	}
	print_vm_value("answer_latency_seconds", "_count", sample, sum);
}

static void print_latencies(const struct samples *samples)
{
	uint32_t i;

	print_head("answer_latency_seconds", "", "histogram",
		   "time from the report of a group to its answer");
	for (i = 0; i < samples->count; i++)
		print_vm_latency(&samples->vms[i]);
}

static void print_device_labels(uint32_t vm, const struct faultq_device_entry *device)
{
	printf("{vm=\"%u\",device=\"%u\",", vm, device->device);
	print_label("name", device->name);
	putchar(',');
	print_label("instance", device->instance);
	putchar('}');
}

static void print_devices(const struct samples *samples, const char *name, const char *help,
			  __u64 (*value_of)(const struct faultq_device_entry *device))
{
	uint32_t i, j;

	print_head(name, "", "gauge", help);
	for (i = 0; i < samples->count; i++) {
		for (j = 0; j < samples->vms[i].count; j++) {
			const struct faultq_device_entry *device = &samples->vms[i].devices[j];

			printf("faultq_%s", name);
			print_device_labels(samples->vms[i].vm.vm, device);
			printf(" %llu\n", value_of(device));
		}
	}
}

static __u64 device_outstanding(const struct faultq_device_entry *device)
{
	return device->outstanding;
}

static __u64 device_off(const struct faultq_device_entry *device)
{
	return device->state != 0;
}

static void print_instances(const struct samples *samples, const char *name, const char *help,
			    size_t offset)
{
	uint32_t i;

	print_head(name, "", "gauge", help);
	for (i = 0; i < samples->instance_count; i++) {
		printf("faultq_%s{", name);
		print_label("instance", samples->instances[i].name);
		printf("} %u\n", *(const __u32 *)((const char *)&samples->instances[i] + offset));
	}
}

void prometheus_print(struct faultq *fq)
{
	const struct counter *counter;
	struct samples samples;

	samples_take(fq, &samples);
	for (counter = counters; counter->key; counter++)
		print_vm_counter(&samples, counter);
	print_vm_gauges(&samples);
	print_latencies(&samples);
	print_devices(&samples, "device_outstanding", "groups of a device waiting for an answer",
		      device_outstanding);
	print_devices(&samples, "device_off", "1 when a device's page requests fail", device_off);
	print_instances(&samples, "instance_depth", "groups that may be outstanding",
			offsetof(struct faultq_share, depth));
	print_instances(&samples, "instance_pool", "of them, shared",
			offsetof(struct faultq_share, pool));
	print_instances(&samples, "instance_pool_used", "places of the pool in use",
			offsetof(struct faultq_share, pool_used));
	print_instances(&samples, "instance_vms", "VMs that have a guarantee",
			offsetof(struct faultq_share, vms));
	samples_drop(&samples);
}
