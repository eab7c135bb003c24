// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of the kernel's, whole. What there is can grow between two calls, so each is asked
 * for again until it fits.
 */
#include <errno.h>
#include <error.h>
#include <stdlib.h>

#include "lists.h"

static void *make_room(void *entries, size_t size, uint32_t count)
{
	free(entries);
	entries = calloc(count + 1, size);
	if (!entries)
		error(EXIT_FAILURE, ENOMEM, "a list");
	return entries;
}

struct faultq_vm_entry *list_vms(struct faultq *fq, uint32_t *count)
{
	struct faultq_vm_entry *entries = NULL;
	uint32_t room = 16;
	int ret;

	do {
		*count = room;
		entries = make_room(entries, sizeof(*entries), room);
		ret = faultq_vms(fq, entries, count);
		if (ret)
			error(EXIT_FAILURE, -ret, "cannot list the VMs%s",
			      ret == -EPERM ? " (needs CAP_SYS_ADMIN)" : "");
	} while (*count > room && (room = *count));
	return entries;
}

struct faultq_share *list_instances(struct faultq *fq, uint32_t *count)
{
	struct faultq_share *entries = NULL;
	uint32_t room = 16;
	int ret;

	do {
		*count = room;
		entries = make_room(entries, sizeof(*entries), room);
		ret = faultq_instances(fq, entries, count);
		if (ret)
			error(EXIT_FAILURE, -ret, "cannot list the IOMMU instances");
	} while (*count > room && (room = *count));
	return entries;
}

struct faultq_device_entry *list_devices(struct faultq *fq, uint32_t vm, uint32_t *count)
{
	struct faultq_device_entry *entries = NULL;
	uint32_t room = 16;
	int ret;

	do {
		*count = room;
		entries = make_room(entries, sizeof(*entries), room);
		ret = faultq_devices(fq, vm, entries, count);
		if (ret && ret != -ENOENT)
			error(EXIT_FAILURE, -ret, "cannot list the devices of a VM");
		if (ret)
			*count = 0;
	} while (*count > room && (room = *count));
	return entries;
}
