// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that was built with the oldest header (oldest/faultq.h) on today's shared library:
 * the library writes no byte behind what the program knows of a structure, and lists have the
 * program's entries.
 */
#include <errno.h>
#include <faultq.h>

#include "support/mock.h"
#include "support/tap.h"

#define PAGE		4096UL
#define GUARD		1024
#define BEHIND		0xa5	/* what nobody may write */
#define INSTANCE	"oldest"
#define NAME		"platform/mock-" INSTANCE "-d0"
#define ENTRIES		4

/* A structure, or an array, as a program has it on its stack, and what lies behind. */
#define GUARDED(type, count)							\
	struct {								\
		type it[count];							\
		uint8_t behind[GUARD];						\
	}

#define INTACT			{ .behind = { [0 ... GUARD - 1] = BEHIND } }
#define assert_guarded(name)	assert_intact(#name, (name).behind)

#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

SIZE(faultq_info, 48);
SIZE(faultq_record, 64);
SIZE(faultq_attach, 96);
SIZE(faultq_answer, 16);
SIZE(faultq_stats, 160);
SIZE(faultq_held_entry, 72);
SIZE(faultq_vm_stats, 424);
SIZE(faultq_limits, 48);
SIZE(faultq_share, 112);
SIZE(faultq_vm_entry, 64);
SIZE(faultq_device_entry, 152);
SIZE(faultq_window_entry, 40);
SIZE(faultq_range_entry, 16);
SIZE(faultq_mapping_entry, 32);
SIZE(faultq_doorbell_entry, 16);
SIZE(faultq_restore, 40);

static uint8_t memory[PAGE] __attribute__((aligned(PAGE)));
static struct faultq *fq;

static void assert_intact(const char *name, const uint8_t behind[GUARD])
{
	for (unsigned int i = 0; i < GUARD; i++)
		if (behind[i] != BEHIND)
			fail_msg("%s: byte %u behind it was written", name, i);
}

static void info_has_the_size_it_had(void **state)
{
	GUARDED(struct faultq_info, 1) info = INTACT;

	(void)state;
	assert_int_equal(faultq_info(fq, info.it), 0);
	assert_int_equal(info.it->size, sizeof(*info.it));
	assert_int_equal(info.it->record_size, sizeof(struct faultq_record));
	assert_int_equal(info.it->max_group, 32);
	assert_guarded(info);
}

static void attach_has_the_size_it_had(void **state)
{
	GUARDED(struct faultq_attach, 1) attach = INTACT;

	(void)state;
	assert_int_equal(faultq_attach(fq, NAME, attach.it), 0);
	assert_int_equal(attach.it->size, sizeof(*attach.it));
	assert_string_equal(attach.it->name, NAME);
	assert_int_equal(attach.it->device, 1);
	assert_guarded(attach);
	assert_int_equal(faultq_attach(fq, NAME, NULL), 0);
}

static void answers_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_answer, 2) answers = INTACT;
	uint32_t done;

	(void)state;
	assert_int_equal(faultq_queue(fq, 4, 64, -1, 0), 0);
	assert_int_equal(faultq_respond(fq, answers.it, 2, &done), 0);
	assert_int_equal(done, 2);
	assert_int_equal(answers.it[0].result, -EINVAL);
	assert_int_equal(answers.it[1].result, -EINVAL);
	assert_guarded(answers);
}

static void stats_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_stats, 1) stats = INTACT;

	(void)state;
	assert_int_equal(faultq_map(fq, 0x100000, memory, PAGE, FAULTQ_MAP_READ), 0);
	assert_int_equal(faultq_stats(fq, 0, stats.it), 0);
	assert_int_equal(stats.it->size, sizeof(*stats.it));
	assert_int_equal(stats.it->mapped_bytes, PAGE);
	assert_int_equal(stats.it->pinned_pages, 1);
	assert_guarded(stats);
}

static void stats_of_a_vm_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_vm_stats, 1) stats = INTACT;

	(void)state;
	assert_int_equal(faultq_vm_stats(fq, 0, 0, stats.it), 0);
	assert_int_equal(stats.it->stats.size, sizeof(*stats.it));
	assert_int_equal(stats.it->switched_off, 0);
	assert_guarded(stats);
}

static void limits_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_limits, 1) limits = INTACT;

	(void)state;
	assert_int_equal(faultq_limits(fq, 0, limits.it), 0);
	assert_int_equal(limits.it->size, sizeof(*limits.it));
	limits.it->deadline_ms = 1234;
	assert_int_equal(faultq_set_limits(fq, limits.it), 0);
	assert_int_equal(faultq_limits(fq, 0, limits.it), 0);
	assert_int_equal(limits.it->deadline_ms, 1234);
	assert_guarded(limits);
}

static void shares_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_share, 1) share = INTACT;

	(void)state;
	assert_int_equal(faultq_share(fq, "", share.it), 0);
	assert_int_equal(share.it->size, sizeof(*share.it));
	assert_true(share.it->depth > 0);
	assert_int_equal(faultq_set_share(fq, share.it), 0);
	assert_guarded(share);
}

static void records_that_wait_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_record, 32) records = INTACT;
	uint32_t count = 32, position = 0;

	(void)state;
	assert_int_equal(faultq_queue(fq, 4, 64, -1, 0), 0);
	assert_int_equal(faultq_pending(fq, records.it, &count, &position), 0);
	assert_int_equal(count, 0);
	assert_guarded(records);
}

static void a_restored_mapping_has_the_size_it_had(void **state)
{
	GUARDED(struct faultq_restore, 1) restore = INTACT;

	(void)state;
	assert_int_equal(faultq_mmio_restore(fq, 1, restore.it), -ENOENT);
	assert_int_equal(faultq_mmio_restore(fq, 1, NULL), -ENOENT);
	assert_guarded(restore);
}

static void mappings_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_mapping_entry, 2) mappings = INTACT;
	uint32_t count = 2;

	(void)state;
	assert_int_equal(faultq_map(fq, 0x100000, memory, PAGE, FAULTQ_MAP_READ), 0);
	assert_int_equal(faultq_map(fq, 0x200000, memory, PAGE, FAULTQ_MAP_READ), 0);
	assert_int_equal(faultq_mappings(fq, 0, mappings.it, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(mappings.it[0].iova, 0x100000);
	assert_int_equal(mappings.it[1].iova, 0x200000);
	assert_guarded(mappings);
}

static void windows_and_ranges_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_window_entry, ENTRIES) windows = INTACT;
	GUARDED(struct faultq_range_entry, 2) ranges = INTACT;
	uint32_t count = ENTRIES;

	(void)state;
	assert_int_equal(faultq_window_add(fq, 0x100000, PAGE, FAULTQ_WINDOW_RESERVED, 0, NULL), 0);
	assert_int_equal(faultq_window_add(fq, 0x200000, PAGE, FAULTQ_WINDOW_RESERVED, 0, NULL), 0);
	assert_int_equal(faultq_windows(fq, 0, windows.it, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(windows.it[1].iova, 0x200000);
	assert_guarded(windows);
	count = 2;
	assert_int_equal(faultq_iova_ranges(fq, 0, ranges.it, &count), 0);
	assert_true(count > 2);
	assert_int_equal(ranges.it[1].last, 0x1fffff);
	assert_guarded(ranges);
}

static void other_entries_have_the_size_they_had(void **state)
{
	GUARDED(struct faultq_doorbell_entry, 1) doorbells = INTACT;
	GUARDED(struct faultq_device_entry, 1) devices = INTACT;
	GUARDED(struct faultq_share, 1) instances = INTACT;
	GUARDED(struct faultq_held_entry, 1) held = INTACT;
	GUARDED(struct faultq_vm_entry, 1) vms = INTACT;
	uint32_t count = 1;

	(void)state;
	assert_int_equal(faultq_attach(fq, NAME, NULL), 0);
	assert_int_equal(faultq_devices(fq, 0, devices.it, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(devices.it->name, NAME);
	assert_guarded(devices);
	assert_int_equal(faultq_vms(fq, vms.it, &count), 0);
	assert_int_equal(vms.it->devices, 1);
	assert_guarded(vms);
	count = 1;
	assert_int_equal(faultq_instances(fq, instances.it, &count), 0);
	assert_guarded(instances);
	count = 1;
	assert_int_equal(faultq_doorbells(fq, 0, doorbells.it, &count), 0);
	assert_int_equal(count, 0);
	assert_guarded(doorbells);
	count = 1;
	assert_int_equal(faultq_held(fq, held.it, &count), 0);
	assert_int_equal(count, 0);
	assert_guarded(held);
}

static int open_vm(void **state)
{
	(void)state;
	assert_int_equal(mock_instance_create(INSTANCE, 0), 0);
	assert_int_equal(mock_device_create(INSTANCE, "d0", "mode=stall"), 0);
	return faultq_open(&fq);
}

static int close_vm(void **state)
{
	(void)state;
	faultq_close(fq);
	assert_int_equal(mock_device_destroy(INSTANCE, "d0"), 0);
	return mock_instance_destroy(INSTANCE);
}

int main(void)
{
#define with_vm(test) cmocka_unit_test_setup_teardown(test, open_vm, close_vm)
	const struct CMUnitTest tests[] = {
		with_vm(info_has_the_size_it_had),
		with_vm(attach_has_the_size_it_had),
		with_vm(answers_have_the_size_they_had),
		with_vm(stats_have_the_size_they_had),
		with_vm(stats_of_a_vm_have_the_size_they_had),
		with_vm(limits_have_the_size_they_had),
		with_vm(shares_have_the_size_they_had),
		with_vm(records_that_wait_have_the_size_they_had),
		with_vm(a_restored_mapping_has_the_size_it_had),
		with_vm(mappings_have_the_size_they_had),
		with_vm(windows_and_ranges_have_the_size_they_had),
		with_vm(other_entries_have_the_size_they_had),
	};

	return tap_run_group(tests, NULL, NULL);
}
