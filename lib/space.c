// SPDX-License-Identifier: MIT
/*
 * The address space beside its memory: reserved windows, and what there is of windows,
 * mappings, doorbells and ranges that are free to use.
 */
#include "private.h"

int faultq_window_add(struct faultq *fq, uint64_t iova, uint64_t length, uint32_t type,
		      uint32_t prot, uint32_t *id)
{
	struct faultq_window call = {
		.size = sizeof(call),
		.iova = iova,
		.length = length,
		.type = type,
		.prot = prot,
	};
	int ret = fq_ioctl(fq, FAULTQ_WINDOW_ADD, &call);

	if (!ret && id)
		*id = call.id;
	return ret;
}

int faultq_window_del(struct faultq *fq, uint32_t id)
{
	struct faultq_window_del call = { .size = sizeof(call), .id = id };

	return fq_ioctl(fq, FAULTQ_WINDOW_DEL, &call);
}

int faultq_windows_sized(struct faultq *fq, uint32_t vm, struct faultq_window_entry *entries,
			 uint32_t *count, size_t entry_size)
{
	return fq_list(fq, FAULTQ_WINDOW_LIST, vm, entries, entry_size, count);
}

int faultq_iova_ranges_sized(struct faultq *fq, uint32_t vm, struct faultq_range_entry *entries,
			     uint32_t *count, size_t entry_size)
{
	return fq_list(fq, FAULTQ_IOVA_RANGES, vm, entries, entry_size, count);
}

int faultq_mappings_sized(struct faultq *fq, uint32_t vm, struct faultq_mapping_entry *entries,
			  uint32_t *count, size_t entry_size)
{
	return fq_list(fq, FAULTQ_MAPPINGS, vm, entries, entry_size, count);
}

int faultq_doorbells_sized(struct faultq *fq, uint32_t vm, struct faultq_doorbell_entry *entries,
			   uint32_t *count, size_t entry_size)
{
	return fq_list(fq, FAULTQ_DOORBELLS, vm, entries, entry_size, count);
}
