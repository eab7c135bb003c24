// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mapping costs on the machine's own IOMMU: map and unmap, here and by VFIO's type1 on the
 * same kernel, for edu.
 */
#include <errno.h>

#include "mapping.h"
#include "support/vfio.h"

static struct pci edu;

static int find_edu(void **state)
{
	(void)state;
	vfio_take_edu(&edu);
	return 0;
}

static int give_edu_back(void **state)
{
	(void)state;
	vfio_give_edu_back(&edu);
	return 0;
}

/* Here by the VM's own calls, as on a file of /dev/faultq. */
static void map(void *context, uint64_t iova, void *memory, uint64_t size)
{
	struct faultq *vm = context;

	must(!faultq_map(vm, iova, memory, size, FAULTQ_MAP_READ | FAULTQ_MAP_WRITE));
}

static void unmap(void *context, uint64_t iova, uint64_t size)
{
	struct faultq *vm = context;
	uint64_t unmapped;

	must(!faultq_unmap(vm, iova, size, &unmapped) && unmapped == size);
}

static void type1_map(void *context, uint64_t iova, void *memory, uint64_t size)
{
	const struct vfio *vfio = context;

	must(!vfio_map(vfio->container, iova, memory, size,
		       VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE));
}

static void type1_unmap(void *context, uint64_t iova, uint64_t size)
{
	const struct vfio *vfio = context;
	uint64_t unmapped;

	must(!vfio_unmap(vfio->container, iova, size, 0, &unmapped) && unmapped == size);
}

static void this_one(void **state)
{
	struct mapper mapper = { .name = "faultq", .map = map, .unmap = unmap };
	struct vfio vfio;

	(void)state;
	vfio_open(&vfio, &edu, FAULTQ_VFIO_IOMMU);
	mapper.context = vfio_vm(vfio.container);
	mapping_report(&mapper);
	faultq_close(mapper.context);
	vfio_close(&vfio);
}

static void type1(void **state)
{
	struct mapper mapper = { .name = "type1", .map = type1_map, .unmap = type1_unmap };
	struct vfio vfio;

	(void)state;
	vfio_open(&vfio, &edu, VFIO_TYPE1v2_IOMMU);
	mapper.context = &vfio;
	mapping_report(&mapper);
	vfio_close(&vfio);
}

int main(void)
{
	const struct CMUnitTest benches[] = {
		cmocka_unit_test(this_one),
		cmocka_unit_test(type1),
	};

	return tap_run_group(benches, find_edu, give_edu_back);
}
