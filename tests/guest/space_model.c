// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address space against a model: random calls on a small range of IOVAs, each result compared
 * with what a few arrays say, and after each call every page looked at through the page table of
 * every device. What should translate does, to the right memory and no further than its permissions
 * go; nothing else does. The mock's IOTLB keeps what it has seen, so a flush that is forgotten is
 * found at the next look.
 *
 * faultq.seed=N on the kernel's command line repeats a run, and the seed is printed.
 */
#include <errno.h>
#include <string.h>

#include "support/space.h"

#define IOVA		0x40000000ull
#define PAGES		64u
#define MEMORY		32u	/* pages of memory */
#define DEVICES		3u
#define WINDOWS		8u
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

/* What the third device reserves, in pages of the range. */
#define REGION_FIRST	40u
#define REGION_PAGES	4u

enum kind { FREE, MAPPED, WINDOW };

/**
 * struct page - what the model knows of one page of the range
 * @kind: whose it is
 * @owner: number of the mapping, or id of the window
 * @memory: MAPPED: page of the memory
 * @perm: MAPPED: FAULTQ_MAP_*
 */
struct page {
	enum kind kind;
	uint32_t owner;
	uint32_t memory;
	uint32_t perm;
};

static struct page pages[PAGES];
static uint32_t windows[WINDOWS];	/* ids, 0: none */
static uint32_t attached[DEVICES];	/* ids, 0: it is not */
static uint32_t mappings;		/* so far, for numbers */
static struct device devices[DEVICES];
static struct faultq *fq;
static uint64_t *memory;
static unsigned int state;

static unsigned int below(unsigned int limit)
{
	return rand_r(&state) % limit;
}

/* A random range, short ones more often. */
static void some_range(unsigned int *first, unsigned int *count)
{
	*first = below(PAGES);
	*count = 1 + below(below(4) ? 3 : PAGES / 4);
	if (*first + *count > PAGES)
		*count = PAGES - *first;
}

static bool all_free(unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++)
		if (pages[i].kind != FREE)
			return false;
	return true;
}

/* Of the device that reserves, when it is attached. */
static bool in_region(unsigned int first, unsigned int count)
{
	return attached[2] && first < REGION_FIRST + REGION_PAGES && first + count > REGION_FIRST;
}

static void do_map(void)
{
	static const uint32_t perms[] = { FAULTQ_MAP_READ, FAULTQ_MAP_WRITE, RW };
	uint32_t perm = perms[below(3)], from;
	unsigned int first, count;
	bool possible;

	some_range(&first, &count);
	from = below(MEMORY - count + 1);
	possible = all_free(first, count) && !in_region(first, count);
	assert_int_equal(faultq_map(fq, IOVA + first * PAGE, (char *)memory + from * PAGE,
				    count * PAGE, perm), possible ? 0 : -EEXIST);
	if (!possible)
		return;
	mappings++;
	for (unsigned int i = 0; i < count; i++)
		pages[first + i] = (struct page){
			.kind = MAPPED, .owner = mappings, .memory = from + i, .perm = perm,
		};
}

static bool same_mapping(unsigned int a, unsigned int b)
{
	return a < PAGES && b < PAGES && pages[a].kind == MAPPED && pages[b].kind == MAPPED &&
	       pages[a].owner == pages[b].owner;
}

/* Does a range cut a mapping in two? */
static bool cuts(unsigned int first, unsigned int count)
{
	return (first && same_mapping(first - 1, first)) ||
	       same_mapping(first + count - 1, first + count);
}

static void do_unmap(void)
{
	unsigned int first, count, mapped = 0;
	uint64_t unmapped = 0;
	bool cut;

	if (below(64)) {
		some_range(&first, &count);
	} else {
		first = 0;
		count = PAGES;
	}
	cut = cuts(first, count);
	for (unsigned int i = first; !cut && i < first + count; i++)
		if (pages[i].kind == MAPPED) {
			mapped++;
			pages[i].kind = FREE;
		}
	assert_int_equal(faultq_unmap(fq, count == PAGES ? 0 : IOVA + first * PAGE,
				      count == PAGES ? ~0ull : count * PAGE, &unmapped),
			 cut ? -EINVAL : 0);
	assert_int_equal(unmapped, mapped * PAGE);
}

static unsigned int free_window(void)
{
	unsigned int i = 0;

	while (i < WINDOWS && windows[i])
		i++;
	return i;
}

static void do_window_add(void)
{
	unsigned int at = free_window(), first, count;
	bool possible;
	uint32_t id;

	if (at == WINDOWS)
		return;
	some_range(&first, &count);
	possible = all_free(first, count) && !in_region(first, count);
	assert_int_equal(faultq_window_add(fq, IOVA + first * PAGE, count * PAGE,
					   FAULTQ_WINDOW_RESERVED, 0, &id),
			 possible ? 0 : -EEXIST);
	if (!possible)
		return;
	windows[at] = id;
	for (unsigned int i = first; i < first + count; i++)
		pages[i] = (struct page){ .kind = WINDOW, .owner = id };
}

static void do_window_del(void)
{
	unsigned int at = below(WINDOWS);
	uint32_t id = windows[at];

	assert_int_equal(faultq_window_del(fq, id), id ? 0 : -ENOENT);
	windows[at] = 0;
	for (unsigned int i = 0; id && i < PAGES; i++)
		if (pages[i].kind == WINDOW && pages[i].owner == id)
			pages[i].kind = FREE;
}

static void do_attach(void)
{
	unsigned int at = below(DEVICES);
	struct faultq_attach attach;
	bool possible = at != 2 || attached[2] || all_free(REGION_FIRST, REGION_PAGES);

	assert_int_equal(faultq_attach(fq, devices[at].platform, &attach),
			 possible ? 0 : -EEXIST);
	if (possible)
		attached[at] = attach.device;
}

static void do_detach(void)
{
	unsigned int at = below(DEVICES);

	assert_int_equal(faultq_detach(fq, attached[at], NULL), attached[at] ? 0 : -ENOENT);
	attached[at] = 0;
}

static uint64_t first_word(uint32_t page)
{
	return memory[page * PAGE / sizeof(*memory)];
}

/* What a device should see of a page. */
static uint32_t expected(unsigned int device, unsigned int page, uint32_t access)
{
	if (!attached[device])
		return ~0u;
	if (page >= PAGES || pages[page].kind != MAPPED)
		return MOCK_IOMMU_ACCESS_MISS;
	return pages[page].perm & access ? MOCK_IOMMU_ACCESS_DONE : MOCK_IOMMU_ACCESS_DENIED;
}

static void look_by_reading(unsigned int device)
{
	struct mock_iommu_scan_page seen[PAGES + 2];

	memset(seen, 0, sizeof(seen));
	assert_int_equal(device_scan(&devices[device], MOCK_IOMMU_READ, IOVA - PAGE, seen,
				     PAGES + 2), 0);
	for (unsigned int i = 0; i < PAGES + 2; i++) {
		uint32_t status = expected(device, i - 1, FAULTQ_MAP_READ);

		if (status == ~0u)
			assert_int_not_equal(seen[i].status, MOCK_IOMMU_ACCESS_DONE);
		else
			assert_int_equal(seen[i].status, status);
		if (status == MOCK_IOMMU_ACCESS_DONE)
			assert_int_equal(seen[i].value, first_word(pages[i - 1].memory));
	}
}

/* Writes go to the memory of the pages that permit it, in order, and nowhere else. */
static void look_by_writing(unsigned int device)
{
	struct mock_iommu_scan_page seen[PAGES];
	uint64_t wanted[MEMORY];

	for (unsigned int i = 0; i < MEMORY; i++)
		wanted[i] = first_word(i);
	memset(seen, 0, sizeof(seen));
	for (unsigned int i = 0; i < PAGES; i++)
		seen[i].value = (uint64_t)rand_r(&state) << 32 | i;
	assert_int_equal(device_scan(&devices[device], MOCK_IOMMU_WRITE, IOVA, seen, PAGES), 0);
	for (unsigned int i = 0; i < PAGES; i++) {
		uint32_t status = expected(device, i, FAULTQ_MAP_WRITE);

		if (status == ~0u)
			assert_int_not_equal(seen[i].status, MOCK_IOMMU_ACCESS_DONE);
		else
			assert_int_equal(seen[i].status, status);
		if (status == MOCK_IOMMU_ACCESS_DONE)
			wanted[pages[i].memory] = seen[i].value;
	}
	for (unsigned int i = 0; i < MEMORY; i++)
		assert_int_equal(first_word(i), wanted[i]);
}

static void look(unsigned long step)
{
	for (unsigned int i = 0; i < DEVICES; i++) {
		look_by_reading(i);
		if (step % 8 == i)
			look_by_writing(i);
	}
}

/* The lists say the same as the model. */
static void compare_lists(void)
{
	struct faultq_mapping_entry listed[LIST_ROOM];
	struct faultq_window_entry seen[LIST_ROOM];
	uint32_t count = LIST_ROOM, wanted = 0;

	assert_int_equal(faultq_mappings(fq, 0, listed, &count), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		wanted += pages[i].kind == MAPPED && !(i && same_mapping(i - 1, i));
	assert_int_equal(count, wanted);
	count = list_windows(fq, seen);
	wanted = attached[2] != 0;
	for (unsigned int i = 0; i < WINDOWS; i++)
		wanted += windows[i] != 0;
	assert_int_equal(count, wanted);
}

static void run(unsigned long steps)
{
	static void (*const calls[])(void) = {
		do_map, do_map, do_map, do_map, do_unmap, do_unmap, do_unmap,
		do_window_add, do_window_del, do_attach, do_detach,
	};

	for (unsigned long step = 0; step < steps; step++) {
		/* devices change less often than what they see */
		calls[below(below(8) ? ARRAY_SIZE(calls) - 2 : ARRAY_SIZE(calls))]();
		look(step);
		if (step % 64 == 0)
			compare_lists();
	}
}

static void random_calls_agree_with_the_model(void **unused)
{
	char region[64];

	(void)unused;
	instance_make("model0", 0);
	instance_make("model1", 0);
	device_make(&devices[0], "model0", "a", "mode=none");
	device_make(&devices[1], "model1", "b", "mode=none");
	snprintf(region, sizeof(region), "%#llx %#lx reserved", IOVA + REGION_FIRST * PAGE,
		 REGION_PAGES * PAGE);
	device_make_reserving(&devices[2], "model0", "c", region);
	memory = pages_new(MEMORY);
	pages_fill(memory, MEMORY * PAGE, 3);
	assert_int_equal(faultq_open(&fq), 0);
	attached[0] = vm_attach(fq, &devices[0]);
	run(scaled(4000, 250000));
	faultq_close(fq);
	for (unsigned int i = 0; i < DEVICES; i++)
		device_remove(&devices[i]);
	instance_remove("model0");
	instance_remove("model1");
	pages_free(memory, MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_calls_agree_with_the_model),
	};

	state = test_seed();
	printf("# FAULTQ_SEED=%u\n", state);
	return tap_run_group(tests, NULL, NULL);
}
