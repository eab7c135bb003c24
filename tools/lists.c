// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of the kernel's, whole. What there is can grow between two calls, so each is asked
 * for again until it fits.
 */
#include <errno.h>
#include <error.h>
#include <stdlib.h>

#include "lists.h"

/* A call that fills an array of entries of a VM. */
typedef int (*lister)(struct faultq *fq, uint32_t vm, void *entries, uint32_t *count);

static void *make_room(void *entries, size_t size, uint32_t count)
{
	free(entries);
	entries = calloc(count + 1, size);
	if (!entries)
		error(EXIT_FAILURE, ENOMEM, "a list");
	return entries;
}

static void *list_whole(lister list, struct faultq *fq, uint32_t vm, size_t size,
			uint32_t *count, const char *what)
{
	void *entries = NULL;
	uint32_t room = 16;
	int ret;

	do {
		*count = room;
		entries = make_room(entries, size, room);
		ret = list(fq, vm, entries, count);
		if (ret && !(vm && ret == -ENOENT))
			error(EXIT_FAILURE, -ret, "cannot list %s%s", what,
			      ret == -EPERM ? " (needs CAP_SYS_ADMIN)" : "");
		if (ret)
			*count = 0;
	} while (*count > room && (room = *count));
	return entries;
}

static int vms(struct faultq *fq, uint32_t vm, void *entries, uint32_t *count)
{
	(void)vm;
	return faultq_vms(fq, entries, count);
}

struct faultq_vm_entry *list_vms(struct faultq *fq, uint32_t *count)
{
	return list_whole(vms, fq, 0, sizeof(struct faultq_vm_entry), count, "the VMs");
}

static int instances(struct faultq *fq, uint32_t vm, void *entries, uint32_t *count)
{
	(void)vm;
	return faultq_instances(fq, entries, count);
}

struct faultq_share *list_instances(struct faultq *fq, uint32_t *count)
{
	return list_whole(instances, fq, 0, sizeof(struct faultq_share), count,
			  "the IOMMU instances");
}

static int devices(struct faultq *fq, uint32_t vm, void *entries, uint32_t *count)
{
	return faultq_devices(fq, vm, entries, count);
}

struct faultq_device_entry *list_devices(struct faultq *fq, uint32_t vm, uint32_t *count)
{
	return list_whole(devices, fq, vm, sizeof(struct faultq_device_entry), count,
			  "the devices of a VM");
}

static int windows(struct faultq *fq, uint32_t vm, void *entries, uint32_t *count)
{
	return faultq_windows(fq, vm, entries, count);
}

struct faultq_window_entry *list_windows(struct faultq *fq, uint32_t vm, uint32_t *count)
{
	return list_whole(windows, fq, vm, sizeof(struct faultq_window_entry), count,
			  "the windows of a VM");
}

static int ranges(struct faultq *fq, uint32_t vm, void *entries, uint32_t *count)
{
	return faultq_iova_ranges(fq, vm, entries, count);
}

struct faultq_range_entry *list_ranges(struct faultq *fq, uint32_t vm, uint32_t *count)
{
	return list_whole(ranges, fq, vm, sizeof(struct faultq_range_entry), count,
			  "where a VM can map");
}

static int mappings(struct faultq *fq, uint32_t vm, void *entries, uint32_t *count)
{
	return faultq_mappings(fq, vm, entries, count);
}

struct faultq_mapping_entry *list_mappings(struct faultq *fq, uint32_t vm, uint32_t *count)
{
	return list_whole(mappings, fq, vm, sizeof(struct faultq_mapping_entry), count,
			  "the mappings of a VM");
}

static int doorbells(struct faultq *fq, uint32_t vm, void *entries, uint32_t *count)
{
	return faultq_doorbells(fq, vm, entries, count);
}

struct faultq_doorbell_entry *list_doorbells(struct faultq *fq, uint32_t vm, uint32_t *count)
{
	return list_whole(doorbells, fq, vm, sizeof(struct faultq_doorbell_entry), count,
			  "the doorbells of a VM");
}
