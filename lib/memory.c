// SPDX-License-Identifier: MIT
/*
 * The VM's address space: memory and MMIO of this process mapped for its devices, and
 * unmapped again.
 */
#include <string.h>

#include "private.h"

int faultq_map(struct faultq *fq, uint64_t iova, void *memory, uint64_t length,
	       uint32_t perm)
{
	struct faultq_map call = {
		.size = sizeof(call),
		.flags = perm,
		.iova = iova,
		.length = length,
		.user_address = (uintptr_t)memory,
	};

	return fq_ioctl(fq, FAULTQ_MAP, &call);
}

int faultq_map_answer(struct faultq *fq, uint64_t iova, void *memory, uint64_t length,
		      uint32_t perm, uint64_t cookie, int *result)
{
	struct faultq_map call = {
		.size = sizeof(call),
		.flags = perm | FAULTQ_MAP_ANSWER,
		.iova = iova,
		.length = length,
		.user_address = (uintptr_t)memory,
		.cookie = cookie,
	};
	int ret = fq_ioctl(fq, FAULTQ_MAP, &call);

	if (!ret)
		*result = call.answer_result;
	return ret;
}

int faultq_map_mmio(struct faultq *fq, uint64_t iova, void *mmio, uint64_t length,
		    uint32_t flags, uint64_t *id)
{
	struct faultq_map call = {
		.size = sizeof(call),
		.flags = flags | FAULTQ_MAP_MMIO,
		.iova = iova,
		.length = length,
		.user_address = (uintptr_t)mmio,
	};
	int ret = fq_ioctl(fq, FAULTQ_MAP, &call);

	if (!ret && id)
		*id = call.id;
	return ret;
}

int faultq_mmio_restore_sized(struct faultq *fq, uint64_t id, struct faultq_restore *restore,
			      size_t size)
{
	union call call;
	int ret = fq_begin(&call, size, FIRST_RESTORE);

	if (ret)
		return ret;
	call.restore.id = id;
	ret = fq_ioctl(fq, FAULTQ_MMIO_RESTORE, &call);
	if (!ret && restore)
		memcpy(restore, &call, size);
	return ret;
}

int faultq_unmap(struct faultq *fq, uint64_t iova, uint64_t length, uint64_t *unmapped)
{
	struct faultq_unmap call = {
		.size = sizeof(call),
		.iova = iova,
		.length = length,
	};
	int ret = fq_ioctl(fq, FAULTQ_UNMAP, &call);

	if (!ret && unmapped)
		*unmapped = call.unmapped;
	return ret;
}
