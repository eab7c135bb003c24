// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved windows: added and removed one by one, kept free of mappings, told of devices as they
 * come and go; each errno; and everything at once by several threads.
 */
#include <errno.h>
#include <string.h>

#include "support/space.h"

#define IOVA		0x10000000ull
#define MIB		0x100000ull
#define APERTURE	(1ull << 48)
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define RESERVED	FAULTQ_WINDOW_RESERVED

/**
 * struct space - a VM with a page of memory, and devices that reserve ranges
 * @fq: the VM
 * @memory: a page
 * @plain: a device that reserves nothing
 * @first: one that reserves a range of each kind
 * @second: one that reserves the same ranges, behind another instance
 */
struct space {
	struct faultq *fq;
	char *memory;
	struct device plain, first, second;
};

#define REGIONS			\
	"0x20000000 0x1000 reserved\n"	\
	"0x20100000 0x2000 msi\n"	\
	"0x20200000 0x3000 direct-relaxable"

static int space_setup(void **state)
{
	struct space *space = calloc(1, sizeof(*space));

	*state = space;
	instance_make("space0", 0);
	instance_make("space1", 0);
	device_make(&space->plain, "space0", "plain", "mode=none");
	device_make_reserving(&space->first, "space0", "first", REGIONS);
	device_make_reserving(&space->second, "space1", "second", REGIONS);
	assert_int_equal(faultq_open(&space->fq), 0);
	space->memory = pages_new(1);
	return 0;
}

static int space_teardown(void **state)
{
	struct space *space = *state;

	faultq_close(space->fq);
	pages_free(space->memory, 1);
	device_remove(&space->plain);
	device_remove(&space->first);
	device_remove(&space->second);
	instance_remove("space0");
	instance_remove("space1");
	free(space);
	return 0;
}

static int map_at(struct space *space, uint64_t iova)
{
	return faultq_map(space->fq, iova, space->memory, PAGE, RW);
}

static void windows_are_listed_as_they_were_added(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	uint32_t a, b, c;

	assert_int_equal(list_windows(space->fq, windows), 0);
	a = window_add(space->fq, IOVA + MIB, MIB, FAULTQ_WINDOW_MSI, FAULTQ_MAP_WRITE);
	b = window_add(space->fq, IOVA, PAGE, RESERVED, 0);
	c = window_add(space->fq, ~0ull - PAGE + 1, PAGE, RESERVED, 0);
	assert_int_equal(list_windows(space->fq, windows), 3);
	assert_window(&windows[0], IOVA, PAGE, RESERVED, b);
	assert_window(&windows[1], IOVA + MIB, MIB, FAULTQ_WINDOW_MSI, a);
	assert_window(&windows[2], ~0ull - PAGE + 1, PAGE, RESERVED, c);
	assert_int_equal(windows[1].prot, FAULTQ_MAP_WRITE);
	assert_int_equal(windows[1].used | windows[1].groups, 0);

	assert_int_equal(faultq_window_del(space->fq, b), 0);
	assert_int_equal(list_windows(space->fq, windows), 2);
	assert_window(&windows[0], IOVA + MIB, MIB, FAULTQ_WINDOW_MSI, a);
	assert_int_equal(faultq_window_del(space->fq, b), -ENOENT);
	assert_int_equal(faultq_window_del(space->fq, 0), -ENOENT);
	assert_int_not_equal(window_add(space->fq, IOVA, PAGE, RESERVED, 0), b);
}

static void bad_windows_are_refused(void **state)
{
	static const struct faultq_window bad[] = {
		{ .iova = IOVA + 1, .length = PAGE, .type = RESERVED },
		{ .iova = IOVA, .length = PAGE + 1, .type = RESERVED },
		{ .iova = IOVA, .length = 0, .type = RESERVED },
		{ .iova = ~0ull - PAGE + 1, .length = 2 * PAGE, .type = RESERVED },
		{ .iova = 2 * PAGE, .length = ~0ull - PAGE + 1, .type = RESERVED },
		{ .iova = IOVA, .length = PAGE, .type = 0 },
		{ .iova = IOVA, .length = PAGE, .type = FAULTQ_WINDOW_HW_MSI },
		{ .iova = IOVA, .length = PAGE, .type = FAULTQ_WINDOW_DIRECT },
		{ .iova = IOVA, .length = PAGE, .type = FAULTQ_WINDOW_DIRECT_RELAXABLE },
		{ .iova = IOVA, .length = PAGE, .type = ~0u },
		{ .iova = IOVA, .length = PAGE, .type = RESERVED, .prot = FAULTQ_MAP_READ },
		{ .iova = IOVA, .length = MIB, .type = FAULTQ_WINDOW_SW_MSI, .prot = RW },
		{ .iova = IOVA, .length = PAGE, .type = FAULTQ_WINDOW_SW_MSI },
		{ .iova = IOVA, .length = MIB - PAGE, .type = FAULTQ_WINDOW_SW_MSI },
		{ .iova = IOVA, .length = PAGE, .type = FAULTQ_WINDOW_MSI },
		{ .iova = IOVA, .length = PAGE, .type = FAULTQ_WINDOW_MSI,
		  .prot = RW | FAULTQ_MAP_ANSWER },
	};
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(faultq_window_add(space->fq, bad[i].iova, bad[i].length,
						   bad[i].type, bad[i].prot, NULL), -EINVAL);
	assert_int_equal(list_windows(space->fq, windows), 0);
}

static void overlaps_are_refused_and_neighbours_are_not(void **state)
{
	struct space *space = *state;

	window_add(space->fq, IOVA + MIB, MIB, RESERVED, 0);
	assert_int_equal(map_at(space, IOVA + 4 * MIB), 0);
	for (uint64_t from = 0; from <= 5 * MIB; from += MIB / 2) {
		bool window = from + MIB > MIB && from < 2 * MIB;
		bool mapping = from + MIB > 4 * MIB && from < 4 * MIB + PAGE;
		uint32_t id;
		int ret = faultq_window_add(space->fq, IOVA + from, MIB, RESERVED, 0, &id);

		assert_int_equal(ret, window || mapping ? -EEXIST : 0);
		if (!ret)
			assert_int_equal(faultq_window_del(space->fq, id), 0);
	}
	/* around, and inside */
	assert_int_equal(faultq_window_add(space->fq, 0, 1ull << 63, RESERVED, 0, NULL), -EEXIST);
	assert_int_equal(faultq_window_add(space->fq, IOVA + MIB + PAGE, PAGE, RESERVED, 0, NULL),
			 -EEXIST);
}

static void nothing_is_mapped_in_a_window_while_it_is_there(void **state)
{
	struct space *space = *state;
	uint32_t id = window_add(space->fq, IOVA, 4 * PAGE, RESERVED, 0);
	char *memory = pages_new(6);

	for (int i = -1; i <= 4; i++)
		assert_int_equal(map_at(space, IOVA + i * PAGE), i < 0 || i > 3 ? 0 : -EEXIST);
	assert_int_equal(faultq_unmap(space->fq, 0, ~0ull, NULL), 0);
	assert_int_equal(faultq_map(space->fq, IOVA - PAGE, memory, 6 * PAGE, RW), -EEXIST);
	assert_int_equal(map_at(space, IOVA), -EEXIST);
	assert_int_equal(faultq_window_del(space->fq, id), 0);
	assert_int_equal(faultq_map(space->fq, IOVA - PAGE, memory, 6 * PAGE, RW), 0);
	assert_int_equal(faultq_unmap(space->fq, 0, ~0ull, NULL), 0);
	pages_free(memory, 6);
}

static void unmapping_everything_leaves_windows(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	uint64_t unmapped;

	window_add(space->fq, IOVA, PAGE, RESERVED, 0);
	vm_attach(space->fq, &space->first);
	assert_int_equal(map_at(space, IOVA + PAGE), 0);
	assert_int_equal(faultq_unmap(space->fq, IOVA, PAGE, &unmapped), 0);
	assert_int_equal(unmapped, 0);
	assert_int_equal(faultq_unmap(space->fq, 0, ~0ull, &unmapped), 0);
	assert_int_equal(unmapped, PAGE);
	assert_int_equal(list_windows(space->fq, windows), 4);
}

static void there_is_a_limit(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	struct faultq_info info;
	uint32_t last = 0;

	assert_int_equal(faultq_info(space->fq, &info), 0);
	for (uint32_t i = 0; i < info.max_windows; i++)
		last = window_add(space->fq, IOVA + i * 2 * PAGE, PAGE, RESERVED, 0);
	assert_int_equal(faultq_window_add(space->fq, 0, PAGE, RESERVED, 0, NULL), -ENOSPC);
	/* those of devices do not count */
	vm_attach(space->fq, &space->first);
	assert_int_equal(list_windows(space->fq, windows), info.max_windows + 3);
	assert_int_equal(faultq_window_del(space->fq, last), 0);
	window_add(space->fq, 0, PAGE, RESERVED, 0);
}

static void assert_regions(struct space *space, uint32_t groups)
{
	static const struct {
		uint64_t iova, pages;
		uint32_t type;
	} regions[] = {
		{ 0x20000000, 1, FAULTQ_WINDOW_RESERVED },
		{ 0x20100000, 2, FAULTQ_WINDOW_HW_MSI },
		{ 0x20200000, 3, FAULTQ_WINDOW_DIRECT_RELAXABLE },
	};
	struct faultq_window_entry windows[LIST_ROOM];

	assert_int_equal(list_windows(space->fq, windows), groups ? ARRAY_SIZE(regions) : 0);
	for (unsigned int i = 0; groups && i < ARRAY_SIZE(regions); i++) {
		assert_window(&windows[i], regions[i].iova, regions[i].pages * PAGE,
			      regions[i].type, 0);
		assert_int_equal(windows[i].groups, groups);
	}
}

static void windows_of_devices_come_and_go_with_them(void **state)
{
	struct space *space = *state;
	uint32_t first, second;

	vm_attach(space->fq, &space->plain);
	assert_regions(space, 0);
	first = vm_attach(space->fq, &space->first);
	assert_regions(space, 1);
	second = vm_attach(space->fq, &space->second);
	assert_regions(space, 2);
	vm_detach(space->fq, first);
	assert_regions(space, 1);
	device_unplug(&space->second);
	assert_regions(space, 0);
	(void)second;
}

static void windows_of_devices_keep_mappings_and_windows_off(void **state)
{
	struct space *space = *state;

	vm_attach(space->fq, &space->first);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t iova = 0x20000000 + i * MIB;
		int result = i < 2 ? -EEXIST : 0;
		uint32_t id;

		assert_int_equal(map_at(space, iova), result);
		assert_int_equal(faultq_unmap(space->fq, 0, ~0ull, NULL), 0);
		assert_int_equal(faultq_window_add(space->fq, iova, PAGE, RESERVED, 0, &id),
				 result);
		assert_int_equal(map_at(space, iova - PAGE), 0);
		assert_int_equal(map_at(space, iova + (i + 1) * PAGE), 0);
	}
}

static void an_attach_that_collides_changes_nothing(void **state)
{
	struct space *space = *state;
	struct faultq_attach attach;
	uint32_t devices = vm_stats(space->fq, 0).devices;

	for (unsigned int i = 0; i < 3; i++) {
		uint64_t iova = 0x20000000 + i * (MIB + PAGE);
		int result = i < 2 ? -EEXIST : 0;
		uint32_t id;

		assert_int_equal(map_at(space, iova), 0);
		assert_int_equal(faultq_attach(space->fq, space->first.platform, &attach), result);
		assert_int_equal(vm_stats(space->fq, 0).devices, devices + !result);
		if (!result)
			vm_detach(space->fq, attach.device);
		assert_regions(space, 0);
		assert_int_equal(faultq_unmap(space->fq, iova, PAGE, NULL), 0);

		id = window_add(space->fq, iova, PAGE, RESERVED, 0);
		assert_int_equal(faultq_attach(space->fq, space->first.platform, &attach), result);
		if (!result)
			vm_detach(space->fq, attach.device);
		assert_int_equal(faultq_window_del(space->fq, id), 0);
	}
	/* nobody owns it now */
	vm_attach(space->fq, &space->first);
	assert_regions(space, 1);
}

/* The second of two regions collides: the first one must not stay. */
static void half_of_a_devices_windows_is_none(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	struct device device;

	device_make_reserving(&device, "space0", "half",
			      "0x30000000 0x1000 reserved\n0x30002000 0x1000 reserved");
	assert_int_equal(map_at(space, 0x30002000), 0);
	assert_int_equal(faultq_attach(space->fq, device.platform, NULL), -EEXIST);
	assert_int_equal(list_windows(space->fq, windows), 0);
	assert_int_equal(map_at(space, 0x30000000), 0);
	device_remove(&device);
}

static void ranges_are_what_is_left(void **state)
{
	struct faultq_range_entry ranges[LIST_ROOM];
	struct space *space = *state;
	uint64_t last;
	uint32_t id;

	assert_int_equal(list_ranges(space->fq, ranges), 1);
	assert_int_equal(ranges[0].first, 0);
	last = ranges[0].last;
	/* a VM of a container has a device already */
	assert_true(last == ~0ull || last == APERTURE - 1);

	id = window_add(space->fq, 0, MIB, RESERVED, 0);
	window_add(space->fq, last - MIB + 1, MIB, RESERVED, 0);
	assert_int_equal(list_ranges(space->fq, ranges), 1);
	assert_int_equal(ranges[0].first, MIB);
	assert_int_equal(ranges[0].last, last - MIB);

	/* mappings are in them, windows that keep nothing off, too */
	assert_int_equal(map_at(space, IOVA), 0);
	vm_attach(space->fq, &space->first);
	assert_int_equal(list_ranges(space->fq, ranges), 3);
	assert_int_equal(ranges[0].first, MIB);
	assert_int_equal(ranges[0].last, 0x1fffffff);
	assert_int_equal(ranges[1].first, 0x20001000);
	assert_int_equal(ranges[1].last, 0x200fffff);
	assert_int_equal(ranges[2].first, 0x20102000);
	assert_int_equal(ranges[2].last, last == ~0ull ? APERTURE - 1 : last - MIB);
	assert_int_equal(faultq_window_del(space->fq, id), 0);
	assert_int_equal(list_ranges(space->fq, ranges), 3);
	assert_int_equal(ranges[0].first, 0);
}

static void windows_of_devices_may_overlap_each_other(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct faultq_range_entry ranges[LIST_ROOM];
	struct space *space = *state;
	struct device device;
	uint32_t id;

	device_make_reserving(&device, "space1", "over", "0x20100000 0x1000 reserved\n"
			      "0x200ff000 0x105000 reserved");
	vm_attach(space->fq, &space->first);
	id = vm_attach(space->fq, &device);
	/* the kernel has made one of the two, as they are of one kind */
	assert_int_equal(list_windows(space->fq, windows), 4);
	assert_int_equal(list_ranges(space->fq, ranges), 3);
	assert_int_equal(ranges[1].last, 0x200fefff);
	assert_int_equal(ranges[2].first, 0x20204000);
	vm_detach(space->fq, id);
	assert_regions(space, 1);
	device_remove(&device);
}

/* Since 6.6 the kernel lets nobody own a device that firmware uses like that. */
static void what_firmware_uses_is_a_window_or_refused(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	struct device device;
	int ret;

	device_make_reserving(&device, "space0", "firmware", "0x30000000 0x2000 direct");
	ret = faultq_attach(space->fq, device.platform, NULL);
	if (!ret) {
		assert_int_equal(list_windows(space->fq, windows), 1);
		assert_window(&windows[0], 0x30000000, 2 * PAGE, FAULTQ_WINDOW_DIRECT, 0);
		assert_int_equal(map_at(space, 0x30001000), -EEXIST);
	} else {
		assert_int_equal(ret, -EINVAL);
		assert_int_equal(list_windows(space->fq, windows), 0);
		assert_int_equal(map_at(space, 0x30001000), 0);
	}
	device_remove(&device);
}

static void the_kernels_own_doorbells_have_one_window(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	uint32_t id = window_add(space->fq, IOVA, MIB, FAULTQ_WINDOW_SW_MSI, 0);

	assert_int_equal(list_windows(space->fq, windows), 1);
	assert_window(&windows[0], IOVA, MIB, FAULTQ_WINDOW_SW_MSI, id);
	assert_int_equal(faultq_window_add(space->fq, IOVA + MIB, MIB, FAULTQ_WINDOW_SW_MSI, 0,
					   NULL), -EEXIST);
	assert_int_equal(map_at(space, IOVA + PAGE), -EEXIST);
	/* devices that have no use for it do not hold it */
	vm_attach(space->fq, &space->plain);
	assert_int_equal(faultq_window_del(space->fq, id), 0);
	window_add(space->fq, IOVA + MIB, MIB, FAULTQ_WINDOW_SW_MSI, 0);
}

/* There is no telling how much of it the kernel will need, but what devices come with says it. */
static void it_is_no_smaller_than_what_it_stands_for(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	struct device device;
	uint32_t id = window_add(space->fq, IOVA, MIB, FAULTQ_WINDOW_SW_MSI, 0);

	device_make_reserving(&device, "space0", "large", "0x30000000 0x200000 sw-msi");
	assert_int_equal(faultq_attach(space->fq, device.platform, NULL), -EINVAL);
	assert_int_equal(list_windows(space->fq, windows), 1);
	assert_int_equal(faultq_window_del(space->fq, id), 0);
	window_add(space->fq, IOVA, 2 * MIB, FAULTQ_WINDOW_SW_MSI, 0);
	vm_attach(space->fq, &device);
	assert_int_equal(list_windows(space->fq, windows), 1);
	device_remove(&device);
}

static void groups_keep_their_own_windows_for_the_kernels_doorbells(void **state)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	struct device near, far;
	uint32_t id;

	device_make_reserving(&near, "space0", "near", "0x30000000 0x100000 sw-msi");
	device_make_reserving(&far, "space0", "far", "0x40000000 0x100000 sw-msi");
	id = vm_attach(space->fq, &near);
	vm_attach(space->fq, &far);
	assert_int_equal(list_windows(space->fq, windows), 2);
	assert_int_equal(map_at(space, 0x30000000), -EEXIST);
	assert_int_equal(map_at(space, 0x40000000), -EEXIST);
	vm_detach(space->fq, id);
	assert_int_equal(map_at(space, 0x30000000), 0);
	assert_int_equal(map_at(space, 0x40000000), -EEXIST);
	device_remove(&near);
	device_remove(&far);
}

static void mappings_are_listed_as_they_were_made(void **state)
{
	static const uint32_t perms[] = {
		FAULTQ_MAP_READ, RW, FAULTQ_MAP_WRITE, RW | FAULTQ_MAP_EXEC,
	};
	struct faultq_mapping_entry mappings[8];
	struct space *space = *state;
	char *memory = pages_new(16);
	uint32_t count = 8;

	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(faultq_map(space->fq, IOVA + (3 - i) * MIB, memory + i * PAGE,
					    (i + 1) * PAGE, perms[i]), 0);
	assert_int_equal(faultq_mappings(space->fq, 0, mappings, &count), 0);
	assert_int_equal(count, 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(mappings[3 - i].iova, IOVA + (3 - i) * MIB);
		assert_int_equal(mappings[3 - i].length, (i + 1) * PAGE);
		assert_int_equal(mappings[3 - i].user_address, (uintptr_t)memory + i * PAGE);
		assert_int_equal(mappings[3 - i].flags, perms[i]);
	}
	memset(mappings, 0xff, sizeof(mappings));
	count = 2;
	assert_int_equal(faultq_mappings(space->fq, 0, mappings, &count), 0);
	assert_int_equal(count, 4);
	assert_int_equal(mappings[1].iova, IOVA + MIB);
	assert_int_equal(mappings[2].iova, ~0ull);
	assert_int_equal(faultq_unmap(space->fq, 0, ~0ull, NULL), 0);
	pages_free(memory, 16);
}

static void another_vms_lists_can_be_seen(void **state)
{
	struct faultq_vm_entry vms[16];
	struct faultq_window_entry windows[LIST_ROOM];
	struct space *space = *state;
	uint32_t count = 16, seen = LIST_ROOM;
	struct faultq *other;

	window_add(space->fq, IOVA, PAGE, RESERVED, 0);
	assert_int_equal(faultq_open(&other), 0);
	assert_int_equal(faultq_vms(other, vms, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(faultq_windows(other, vms[0].vm, windows, &seen), 0);
	assert_int_equal(seen, 1);
	assert_window(&windows[0], IOVA, PAGE, RESERVED, windows[0].id);
	seen = LIST_ROOM;
	assert_int_equal(faultq_windows(other, 0, windows, &seen), 0);
	assert_int_equal(seen, 0);
	assert_int_equal(faultq_windows(other, 0x7fffffff, windows, &seen), -ENOENT);
	faultq_close(other);
}

/* Windows, mappings, attachments and DMA in the same range, by threads that know nothing. */

#define SLOTS	16
#define RACERS	5

static bool stop;

struct racer {
	struct space *space;
	unsigned int seed;
	pthread_t thread;
	void (*act)(struct racer *racer);
};

static uint64_t some_iova(struct racer *racer)
{
	return 0x20000000 + rand_r(&racer->seed) % SLOTS * PAGE;
}

static void race_windows(struct racer *racer)
{
	uint32_t id;
	int ret = faultq_window_add(racer->space->fq, some_iova(racer), PAGE, RESERVED, 0, &id);

	must(!ret || ret == -EEXIST);
	must(ret || !faultq_window_del(racer->space->fq, id));
}

static void race_mappings(struct racer *racer)
{
	uint64_t iova = some_iova(racer);
	int ret = map_at(racer->space, iova);

	must(!ret || ret == -EEXIST);
	if (rand_r(&racer->seed) % 4)
		ret = faultq_unmap(racer->space->fq, iova, PAGE, NULL);
	else
		ret = faultq_unmap(racer->space->fq, 0, ~0ull, NULL);
	must(!ret);
}

static void race_attach(struct racer *racer)
{
	struct faultq_attach attach;
	int ret = faultq_attach(racer->space->fq, racer->space->first.platform, &attach);

	must(!ret || ret == -EEXIST);
	must(ret || !faultq_detach(racer->space->fq, attach.device, NULL));
}

static void race_lists(struct racer *racer)
{
	struct faultq_window_entry windows[LIST_ROOM];
	struct faultq_range_entry ranges[LIST_ROOM];
	struct faultq_mapping_entry mappings[LIST_ROOM];
	uint32_t count = LIST_ROOM;

	must(!faultq_windows(racer->space->fq, 0, windows, &count));
	for (uint32_t i = 1; i < count; i++)
		must(windows[i].iova >= windows[i - 1].iova);
	count = LIST_ROOM;
	must(!faultq_iova_ranges(racer->space->fq, 0, ranges, &count));
	for (uint32_t i = 1; i < count; i++)
		must(ranges[i].first > ranges[i - 1].last);
	count = LIST_ROOM;
	must(!faultq_mappings(racer->space->fq, 0, mappings, &count));
	for (uint32_t i = 1; i < count; i++)
		must(mappings[i].iova > mappings[i - 1].iova);
}

static void race_dma(struct racer *racer)
{
	struct mock_iommu_scan_page pages[SLOTS] = { 0 };

	must(!device_scan(&racer->space->plain, MOCK_IOMMU_WRITE, 0x20000000, pages, SLOTS));
}

static void *race(void *argument)
{
	struct racer *racer = argument;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		racer->act(racer);
	return NULL;
}

static void everything_races_with_everything(void **state)
{
	static void (*const acts[RACERS])(struct racer *) = {
		race_windows, race_mappings, race_attach, race_lists, race_dma,
	};
	unsigned long rounds = scaled(3000, 200000);
	struct racer racers[RACERS], own = { .space = *state, .seed = 99 };
	struct space *space = *state;

	vm_attach(space->fq, &space->plain);
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){ .space = space, .seed = i, .act = acts[i] };
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (unsigned long i = 0; i < rounds; i++)
		race_windows(&own);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	assert_int_equal(faultq_unmap(space->fq, 0, ~0ull, NULL), 0);
	assert_regions(space, 0);
}

int main(void)
{
#define SPACE(test) cmocka_unit_test_setup_teardown(test, space_setup, space_teardown)
	const struct CMUnitTest tests[] = {
		SPACE(windows_are_listed_as_they_were_added),
		SPACE(bad_windows_are_refused),
		SPACE(overlaps_are_refused_and_neighbours_are_not),
		SPACE(nothing_is_mapped_in_a_window_while_it_is_there),
		SPACE(unmapping_everything_leaves_windows),
		SPACE(there_is_a_limit),
		SPACE(windows_of_devices_come_and_go_with_them),
		SPACE(windows_of_devices_keep_mappings_and_windows_off),
		SPACE(an_attach_that_collides_changes_nothing),
		SPACE(half_of_a_devices_windows_is_none),
		SPACE(ranges_are_what_is_left),
		SPACE(windows_of_devices_may_overlap_each_other),
		SPACE(what_firmware_uses_is_a_window_or_refused),
		SPACE(the_kernels_own_doorbells_have_one_window),
		SPACE(it_is_no_smaller_than_what_it_stands_for),
		SPACE(groups_keep_their_own_windows_for_the_kernels_doorbells),
		SPACE(mappings_are_listed_as_they_were_made),
		SPACE(another_vms_lists_can_be_seen),
		SPACE(everything_races_with_everything),
	};

	return tap_run_group(tests, NULL, NULL);
}
