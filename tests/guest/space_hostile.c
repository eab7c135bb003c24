// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile ranges: every combination of edges for IOVA, length and user address. Each call gives the
 * one result that its documentation says, does what it says, and leaves nothing behind.
 */
#include <errno.h>

#include "support/space.h"

#define APERTURE	(1ull << 48)
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static const uint64_t edges[] = {
	0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE,
	(1ull << 32) - PAGE, (1ull << 32) - 1, 1ull << 32, (1ull << 32) + 1, (1ull << 32) + PAGE,
	APERTURE - 2 * PAGE, APERTURE - PAGE, APERTURE - 1, APERTURE, APERTURE + 1, APERTURE + PAGE,
	1ull << 63, 0ull - 2 * PAGE, 0ull - PAGE, ~0ull - 1, ~0ull,
};

#define EDGES ARRAY_SIZE(edges)

static char *memory;

/* A range as all calls take it. */
static bool is_range(uint64_t first, uint64_t length)
{
	return !(first % PAGE) && !(length % PAGE) && length && first + (length - 1) >= first;
}

static bool in_aperture(uint64_t first, uint64_t length)
{
	return first + (length - 1) < APERTURE;
}

static void assert_untouched(struct rig *rig)
{
	struct faultq_stats stats = vm_stats(rig->fq, 0);

	assert_int_equal(stats.mapped_bytes, 0);
	assert_int_equal(stats.pinned_pages, 0);
}

/* Memory that is there: the result is known. */
static int result_of_map(uint64_t iova, uint64_t length)
{
	if (!is_range(iova, length))
		return -EINVAL;
	if (length > 2 * PAGE)
		return 1; /* ENOMEM or EFAULT, whichever limit is met first */
	return in_aperture(iova, length) ? 0 : -EINVAL;
}

static void try_map(struct rig *rig, uint64_t iova, uint64_t length)
{
	int result = result_of_map(iova, length);
	int ret = faultq_map(rig->fq, iova, memory, length, RW);
	uint64_t value = 0, unmapped;

	if (result == 1)
		assert_true(ret == -ENOMEM || ret == -EFAULT || ret == -EINVAL);
	else
		assert_int_equal(ret, result);
	if (!ret) {
		assert_int_equal(device_reaches(&rig->device, MOCK_IOMMU_READ, iova, &value),
				 MOCK_IOMMU_ACCESS_DONE);
		assert_int_equal(faultq_unmap(rig->fq, iova, length, &unmapped), 0);
		assert_int_equal(unmapped, length);
	}
	assert_untouched(rig);
}

static void map_of_real_memory(void **state)
{
	for (unsigned int i = 0; i < EDGES; i++)
		for (unsigned int j = 0; j < EDGES; j++)
			try_map(*state, edges[i], edges[j]);
}

/* No memory of ours is at an edge, so nothing can be mapped. */
static void map_of_any_address(void **state)
{
	struct rig *rig = *state;

	for (unsigned int i = 0; i < EDGES; i++)
		for (unsigned int j = 0; j < EDGES; j++)
			for (unsigned int k = 0; k < EDGES; k++) {
				bool ranges = is_range(edges[i], edges[j]) &&
					      is_range(edges[k], edges[j]);
				int ret = faultq_map(rig->fq, edges[i], (void *)edges[k], edges[j],
						     RW);

				if (!ranges)
					assert_int_equal(ret, -EINVAL);
				else
					assert_true(ret == -ENOMEM || ret == -EFAULT ||
						    ret == -EINVAL);
			}
	assert_untouched(rig);
}

/* What UNMAP does to a mapping of two pages at @at. */
static void try_unmap(struct rig *rig, uint64_t at, uint64_t iova, uint64_t length)
{
	bool all = !iova && length == ~0ull, range = all || is_range(iova, length);
	uint64_t last = iova + (length - 1), last_at = at + 2 * PAGE - 1, unmapped;
	bool covers = all || (range && iova <= at && last >= last_at);
	bool cuts = range && !covers && iova <= last_at && last >= at;

	assert_int_equal(faultq_map(rig->fq, at, memory, 2 * PAGE, RW), 0);
	assert_int_equal(faultq_unmap(rig->fq, iova, length, &unmapped),
			 range && !cuts ? 0 : -EINVAL);
	if (range && !cuts)
		assert_int_equal(unmapped, covers ? 2 * PAGE : 0);
	assert_int_equal(vm_stats(rig->fq, 0).mapped_bytes, covers ? 0 : 2 * PAGE);
	assert_int_equal(faultq_unmap(rig->fq, 0, ~0ull, NULL), 0);
}

static void unmap_of_any_range(void **state)
{
	static const uint64_t places[] = {
		0, PAGE, (1ull << 32) - PAGE, 1ull << 33, APERTURE - 2 * PAGE,
	};

	for (unsigned int i = 0; i < EDGES; i++)
		for (unsigned int j = 0; j < EDGES; j++)
			for (unsigned int k = 0; k < ARRAY_SIZE(places); k++)
				try_unmap(*state, places[k], edges[i], edges[j]);
	assert_untouched(*state);
}

/* The kernel's own doorbells need room. */
static bool is_window(uint64_t iova, uint64_t length, uint32_t type)
{
	return is_range(iova, length) &&
	       (type != FAULTQ_WINDOW_SW_MSI || length >= FAULTQ_SW_MSI_MIN_SIZE);
}

static void window_of_any_range(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct rig *rig = *state;

	for (unsigned int i = 0; i < EDGES; i++)
		for (unsigned int j = 0; j < EDGES; j++) {
			uint32_t id;

			for (uint32_t type = FAULTQ_WINDOW_RESERVED; type <= FAULTQ_WINDOW_SW_MSI;
			     type++) {
				uint32_t prot = type == FAULTQ_WINDOW_MSI ? FAULTQ_MAP_WRITE : 0;
				bool window = is_window(edges[i], edges[j], type);

				assert_int_equal(faultq_window_add(rig->fq, edges[i], edges[j],
								   type, prot, &id),
						 window ? 0 : -EINVAL);
				if (!window)
					continue;
				assert_int_equal(list_windows(rig->fq, windows), 1);
				assert_window(&windows[0], edges[i], edges[j], type, id);
				assert_int_equal(faultq_window_del(rig->fq, id), 0);
			}
		}
}

/* A doorbell in a window at an edge is where the window is, or cannot be. */
static void doorbell_in_a_window_at_any_edge(void **state)
{
	struct rig *rig = *state;

	for (unsigned int i = 0; i < EDGES; i++) {
		struct mock_iommu_msi msi = { 0 };
		uint64_t iova = edges[i];
		uint32_t id;
		int ret;

		if (!is_range(iova, PAGE))
			continue;
		id = window_add(rig->fq, iova, PAGE, FAULTQ_WINDOW_MSI, FAULTQ_MAP_WRITE);
		ret = msi_call(&rig->device, MOCK_IOMMU_MSI_BIND, 0, &msi);
		if (!ret) {
			assert_int_equal(msi.iova, iova);
			assert_true(!iova || msi_arrives(&rig->device, 0));
			msi_unbind(&rig->device, 0);
		} else {
			/* at 0 the allocator may have none */
			assert_true(ret == -EINVAL ? !in_aperture(iova, PAGE) :
				    ret == -ENOSPC && !iova);
		}
		assert_int_equal(faultq_window_del(rig->fq, id), 0);
	}
}

static int setup(void **state)
{
	memory = pages_new(4);
	/* a hole behind, so that more than two pages are not all there */
	pages_free(memory + 2 * PAGE, 2);
	return rig_setup_none(state);
}

static int teardown(void **state)
{
	rig_teardown(state);
	pages_free(memory, 2);
	return 0;
}

int main(void)
{
#define HOSTILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(map_of_real_memory),
		HOSTILE(map_of_any_address),
		HOSTILE(unmap_of_any_range),
		HOSTILE(window_of_any_range),
		HOSTILE(doorbell_in_a_window_at_any_edge),
	};

	return tap_run_group(tests, NULL, NULL);
}
