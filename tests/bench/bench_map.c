// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mapping costs on the machine's own IOMMU: map and unmap, here and by VFIO's type1 on the
 * same kernel, for edu. Memory in small pages is touched in random order, so that little of it is
 * contiguous; what a huge page is, the kernel decides.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "measure.h"
#include "support/vfio.h"

#define IOVA		0x40000000ull
#define IOVA_OTHERS	0x80000000ull
#define MIB		(1ul << 20)
#define OTHERS		4096ul

static struct pci edu;

/* One of those that are compared. */
struct backend {
	const char *name;
	unsigned long type;
	struct vfio vfio;
	struct faultq *vm;
};

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

static void open_backend(struct backend *backend)
{
	vfio_open(&backend->vfio, &edu, backend->type);
	backend->vm = backend->type == FAULTQ_VFIO_IOMMU ? vfio_vm(backend->vfio.container) : NULL;
}

static void close_backend(struct backend *backend)
{
	if (backend->vm)
		faultq_close(backend->vm);
	vfio_close(&backend->vfio);
}

/* Here by the VM's own calls, as on a file of /dev/faultq; type1 by those that it has. */
static void map(const struct backend *backend, uint64_t iova, void *memory, uint64_t size)
{
	if (backend->vm)
		must(!faultq_map(backend->vm, iova, memory, size,
				 FAULTQ_MAP_READ | FAULTQ_MAP_WRITE));
	else
		must(!vfio_map(backend->vfio.container, iova, memory, size,
			       VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE));
}

static void unmap(const struct backend *backend, uint64_t iova, uint64_t size)
{
	uint64_t unmapped;

	if (backend->vm)
		must(!faultq_unmap(backend->vm, iova, size, &unmapped));
	else
		must(!vfio_unmap(backend->vfio.container, iova, size, 0, &unmapped));
	must(unmapped == size);
}

static void touch_in_random_order(char *memory, size_t size)
{
	size_t pages = size / PAGE;
	uint32_t *order = calloc(pages, sizeof(*order));

	must(order);
	for (size_t i = 0; i < pages; i++)
		order[i] = i;
	for (size_t i = pages - 1; i > 0; i--) {
		size_t other = rand() % (i + 1);
		uint32_t swapped = order[i];

		order[i] = order[other];
		order[other] = swapped;
	}
	for (size_t i = 0; i < pages; i++)
		memory[order[i] * PAGE] = 1;
	free(order);
}

static char *memory_of(size_t size, bool huge)
{
	size_t room = size + 2 * MIB;
	char *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(memory != MAP_FAILED);
	memory = (char *)(((uintptr_t)memory + 2 * MIB - 1) & -(2 * MIB));
	madvise(memory, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (huge)
		memset(memory, 1, size);
	else
		touch_in_random_order(memory, size);
	return memory;
}

static void report_size(const struct backend *backend, const char *what, char *memory, size_t size,
			unsigned int rounds)
{
	static struct series mapped, unmapped;

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t t0 = instructions(), t1, t2;

		map(backend, IOVA, memory, size);
		t1 = instructions();
		unmap(backend, IOVA, size);
		t2 = instructions();
		series_add(&mapped, t1 - t0);
		series_add(&unmapped, t2 - t1);
	}
	series_report(&mapped, 1, "map.%s.%s", what, backend->name);
	series_report(&unmapped, 1, "unmap.%s.%s", what, backend->name);
}

static void report_among_others(const struct backend *backend, char *memory)
{
	for (unsigned long i = 0; i < OTHERS; i++)
		map(backend, IOVA_OTHERS + 2 * i * PAGE, memory + (i + 1) * PAGE, PAGE);
	report_size(backend, "4k-among-4096", memory, PAGE, 200);
	for (unsigned long i = 0; i < OTHERS; i++)
		unmap(backend, IOVA_OTHERS + 2 * i * PAGE, PAGE);
}

static void report_backend(struct backend *backend, char *small, char *huge)
{
	open_backend(backend);
	report_size(backend, "4k", small, PAGE, 500);
	report_size(backend, "2m-small", small, 2 * MIB, 20);
	report_size(backend, "2m-huge", huge, 2 * MIB, 20);
	report_size(backend, "64m-small", small, 64 * MIB, 5);
	report_size(backend, "64m-huge", huge, 64 * MIB, 5);
	report_among_others(backend, small);
	close_backend(backend);
}

static void map_and_unmap(void **state)
{
	struct backend ours = { .name = "faultq", .type = FAULTQ_VFIO_IOMMU };
	struct backend type1 = { .name = "type1", .type = VFIO_TYPE1v2_IOMMU };
	char *small = memory_of(64 * MIB, false), *huge = memory_of(64 * MIB, true);

	(void)state;
	report_backend(&ours, small, huge);
	report_backend(&type1, small, huge);
}

int main(void)
{
	const struct CMUnitTest benches[] = {
		cmocka_unit_test(map_and_unmap),
	};

	return tap_run_group(benches, find_edu, give_edu_back);
}
