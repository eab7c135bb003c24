// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments that single ioctls refuse: names of devices, ids, ranges, arrays. No device
 * is needed: all of this is found out before anything is done, and the VM stays as it
 * was.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/privilege.h"
#include "support/tap.h"

#define IOVA 0x200000UL
#define LOCKED_FOR_MAP (16 * ABI_PAGE)

struct fixture {
	int vm;
	uint8_t *memory;
	struct faultq_stats before;
};

static int open_vm(void **state)
{
	static struct fixture fixture;

	fixture.vm = abi_open();
	fixture.memory = abi_memory(LOCKED_FOR_MAP / ABI_PAGE, PROT_READ | PROT_WRITE);
	fixture.before = abi_stats(fixture.vm, 0);
	*state = &fixture;
	return 0;
}

static int close_vm(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->vm);
	munmap(fixture->memory, LOCKED_FOR_MAP);
	return 0;
}

static int map(struct fixture *fixture, uint32_t flags, uint64_t iova, uint64_t length,
	       uint64_t address)
{
	struct faultq_map argument = {
		.size = sizeof(argument),
		.flags = flags,
		.iova = iova,
		.length = length,
		.user_address = address,
	};

	return abi_ioctl(fixture->vm, FAULTQ_MAP, &argument);
}

static void refuse_map(struct fixture *fixture, uint64_t iova, uint64_t length, uint64_t address,
		       int error)
{
	int ret = map(fixture, FAULTQ_MAP_READ, iova, length, address);

	if (ret != error)
		fail_msg("MAP iova %#lx length %#lx address %#lx: %d", (long)iova, (long)length,
			 (long)address, ret);
	abi_assert_same_stats(fixture->vm, &fixture->before);
}

static int unmap(struct fixture *fixture, uint64_t iova, uint64_t length, uint64_t *unmapped)
{
	struct faultq_unmap argument = { .size = sizeof(argument), .iova = iova, .length = length };
	int ret = abi_ioctl(fixture->vm, FAULTQ_UNMAP, &argument);

	*unmapped = argument.unmapped;
	return ret;
}

static void map_refuses_what_is_not_aligned_or_empty(void **state)
{
	struct fixture *fixture = *state;
	uint64_t address = (uintptr_t)fixture->memory;

	refuse_map(fixture, IOVA, 0, address, -EINVAL);
	for (unsigned int off = 1; off < ABI_PAGE; off = off * 2 + 1) {
		refuse_map(fixture, IOVA + off, ABI_PAGE, address, -EINVAL);
		refuse_map(fixture, IOVA, ABI_PAGE + off, address, -EINVAL);
		refuse_map(fixture, IOVA, ABI_PAGE, address + off, -EINVAL);
		refuse_map(fixture, IOVA, off, address, -EINVAL);
	}
}

static void map_refuses_ranges_that_wrap(void **state)
{
	struct fixture *fixture = *state;
	uint64_t address = (uintptr_t)fixture->memory;

	refuse_map(fixture, -ABI_PAGE, 2 * ABI_PAGE, address, -EINVAL);
	refuse_map(fixture, IOVA, -ABI_PAGE, address, -EINVAL);
	refuse_map(fixture, 1UL << 63, (1UL << 63) + ABI_PAGE, address, -EINVAL);
	refuse_map(fixture, IOVA, 2 * ABI_PAGE, -ABI_PAGE, -EINVAL);
	refuse_map(fixture, IOVA, UINT64_MAX, address, -EINVAL);
}

/* What is for MMIO goes with FAULTQ_MAP_MMIO only, and memory is none. */
static void map_takes_no_memory_for_mmio(void **state)
{
	static const uint32_t options[] = {
		FAULTQ_MAP_PARTLY_WATCHED, FAULTQ_MAP_SCRATCH, FAULTQ_MAP_RETRY,
	};
	struct fixture *fixture = *state;
	uint64_t address = (uintptr_t)fixture->memory;

	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++) {
		uint32_t flags = FAULTQ_MAP_READ | options[i];

		assert_int_equal(map(fixture, flags, IOVA, ABI_PAGE, address), -EINVAL);
		assert_int_equal(map(fixture, flags | FAULTQ_MAP_MMIO, IOVA, ABI_PAGE, address),
				 -EFAULT);
	}
	assert_int_equal(map(fixture, FAULTQ_MAP_MMIO, IOVA, ABI_PAGE, address), -EINVAL);
	assert_int_equal(map(fixture, FAULTQ_MAP_READ | FAULTQ_MAP_MMIO, IOVA, ABI_PAGE, 0),
			 -EFAULT);
	abi_assert_same_stats(fixture->vm, &fixture->before);
}

static void map_wants_a_permission(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(map(fixture, 0, IOVA, ABI_PAGE, (uintptr_t)fixture->memory), -EINVAL);
	assert_int_equal(map(fixture, FAULTQ_MAP_ANSWER, IOVA, ABI_PAGE,
			     (uintptr_t)fixture->memory),
			 -EINVAL);
	abi_assert_same_stats(fixture->vm, &fixture->before);
}

static void map_takes_a_cookie_only_to_answer_it(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_map argument = {
		.size = sizeof(argument),
		.flags = FAULTQ_MAP_READ,
		.iova = IOVA,
		.length = ABI_PAGE,
		.user_address = (uintptr_t)fixture->memory,
		.cookie = 1,
	};

	assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_MAP, &argument), -EINVAL);
	argument.cookie = 1UL << 63;
	assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_MAP, &argument), -EINVAL);
	abi_assert_same_stats(fixture->vm, &fixture->before);
}

static void map_and_answer_without_a_queue_does_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_map argument = {
		.size = sizeof(argument),
		.flags = FAULTQ_MAP_READ | FAULTQ_MAP_ANSWER,
		.iova = IOVA,
		.length = ABI_PAGE,
		.user_address = (uintptr_t)fixture->memory,
		.cookie = 1,
	};

	assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_MAP, &argument), -ENXIO);
	abi_assert_same_stats(fixture->vm, &fixture->before);
}

static void map_gives_efault_where_there_is_no_memory(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *hole = abi_hole_after(2);

	refuse_map(fixture, IOVA, ABI_PAGE, 0, -EFAULT);
	refuse_map(fixture, IOVA, ABI_PAGE, 0xffff888000000000UL, -EFAULT);
	refuse_map(fixture, IOVA, ABI_PAGE, 0x0000900000000000UL, -EFAULT);
	refuse_map(fixture, IOVA, ABI_PAGE, (uintptr_t)hole + 2 * ABI_PAGE, -EFAULT);
	refuse_map(fixture, IOVA, 3 * ABI_PAGE, (uintptr_t)hole, -EFAULT);
	assert_int_equal(map(fixture, FAULTQ_MAP_READ, IOVA, 2 * ABI_PAGE, (uintptr_t)hole), 0);
}

static void map_for_writing_gives_efault_on_read_only_memory(void **state)
{
	struct fixture *fixture = *state;

	memset(fixture->memory, 1, LOCKED_FOR_MAP);
	assert_int_equal(mprotect(fixture->memory + ABI_PAGE, ABI_PAGE, PROT_READ), 0);
	assert_int_equal(map(fixture, FAULTQ_MAP_READ | FAULTQ_MAP_WRITE, IOVA, 2 * ABI_PAGE,
			     (uintptr_t)fixture->memory),
			 -EFAULT);
	abi_assert_same_stats(fixture->vm, &fixture->before);
	assert_int_equal(map(fixture, FAULTQ_MAP_READ, IOVA, 2 * ABI_PAGE,
			     (uintptr_t)fixture->memory),
			 0);
}

static void map_of_more_than_all_memory_does_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint64_t length;

	for (length = 1UL << 40; length < 1UL << 62; length *= 2) {
		refuse_map(fixture, 0, length, (uintptr_t)fixture->memory, -ENOMEM);
		/* what is not there is not counted */
		refuse_map(fixture, 0, length, 0, -EFAULT);
	}
}

static void maps_that_overlap_give_eexist(void **state)
{
	struct fixture *fixture = *state;
	uint64_t address = (uintptr_t)fixture->memory;

	assert_int_equal(map(fixture, FAULTQ_MAP_READ, IOVA, 2 * ABI_PAGE, address), 0);
	fixture->before = abi_stats(fixture->vm, 0);
	refuse_map(fixture, IOVA, ABI_PAGE, address, -EEXIST);
	refuse_map(fixture, IOVA + ABI_PAGE, 2 * ABI_PAGE, address, -EEXIST);
	refuse_map(fixture, IOVA - ABI_PAGE, 2 * ABI_PAGE, address, -EEXIST);
	refuse_map(fixture, IOVA - ABI_PAGE, 8 * ABI_PAGE, address, -EEXIST);
	assert_int_equal(map(fixture, FAULTQ_MAP_READ, IOVA + 2 * ABI_PAGE, ABI_PAGE, address), 0);
}

static void unmap_refuses_bad_ranges(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		uint64_t iova, length;
	} bad[] = {
		{ IOVA, 0 },
		{ 0, 0 },
		{ IOVA + 1, ABI_PAGE },
		{ IOVA, ABI_PAGE + 1 },
		{ IOVA, 1 },
		{ IOVA, UINT64_MAX },
		{ 1, UINT64_MAX },
		{ ABI_PAGE, UINT64_MAX },
		{ 0, UINT64_MAX - 1 },
		{ -ABI_PAGE, 2 * ABI_PAGE },
		{ IOVA, -ABI_PAGE },
		{ 1UL << 63, (1UL << 63) + ABI_PAGE },
	};
	uint64_t unmapped;

	assert_int_equal(map(fixture, FAULTQ_MAP_READ, IOVA, ABI_PAGE, (uintptr_t)fixture->memory),
			 0);
	fixture->before = abi_stats(fixture->vm, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(unmap(fixture, bad[i].iova, bad[i].length, &unmapped), -EINVAL);
		assert_int_equal(unmapped, 0);
		abi_assert_same_stats(fixture->vm, &fixture->before);
	}
}

static void unmap_refuses_to_cut_a_mapping(void **state)
{
	struct fixture *fixture = *state;
	uint64_t unmapped;

	assert_int_equal(map(fixture, FAULTQ_MAP_READ, IOVA, 4 * ABI_PAGE,
			     (uintptr_t)fixture->memory),
			 0);
	assert_int_equal(map(fixture, FAULTQ_MAP_READ, IOVA + 4 * ABI_PAGE, ABI_PAGE,
			     (uintptr_t)fixture->memory),
			 0);
	fixture->before = abi_stats(fixture->vm, 0);
	assert_int_equal(unmap(fixture, IOVA, ABI_PAGE, &unmapped), -EINVAL);
	assert_int_equal(unmap(fixture, IOVA + 3 * ABI_PAGE, 2 * ABI_PAGE, &unmapped), -EINVAL);
	assert_int_equal(unmap(fixture, 0, IOVA + ABI_PAGE, &unmapped), -EINVAL);
	abi_assert_same_stats(fixture->vm, &fixture->before);
	assert_int_equal(unmap(fixture, IOVA - ABI_PAGE, 9 * ABI_PAGE, &unmapped), 0);
	assert_int_equal(unmapped, 5 * ABI_PAGE);
}

static void unmap_of_nothing_and_of_everything_works(void **state)
{
	struct fixture *fixture = *state;
	uint64_t unmapped;

	assert_int_equal(unmap(fixture, IOVA, ABI_PAGE, &unmapped), 0);
	assert_int_equal(unmapped, 0);
	assert_int_equal(unmap(fixture, -ABI_PAGE, ABI_PAGE, &unmapped), 0);
	assert_int_equal(unmapped, 0);
	assert_int_equal(map(fixture, FAULTQ_MAP_READ, IOVA, ABI_PAGE, (uintptr_t)fixture->memory),
			 0);
	assert_int_equal(unmap(fixture, 0, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, ABI_PAGE);
	abi_assert_same_stats(fixture->vm, &fixture->before);
}

static void expect_name(int vm, const char *name, size_t length, int attach_error,
			int release_error)
{
	struct faultq_attach attach = { .size = sizeof(attach) };
	struct faultq_release release = { .size = sizeof(release) };

	memcpy(attach.name, name, length);
	memcpy(release.name, name, length);
	assert_int_equal(abi_ioctl(vm, FAULTQ_ATTACH, &attach), attach_error);
	assert_int_equal(abi_ioctl(vm, FAULTQ_RELEASE, &release), release_error);
}

static void names_of_no_device_are_refused(void **state)
{
	static const char *const names[] = {
		"",
		"/",
		"platform",
		"platform/",
		"pci/",
		"pci/0000:ff:1f.7",
		"pci/../../x",
		"usb/1-1",
		"PCI/0000:00:00.0",
		"/platform/there-is-none",
		"platform//there-is-none",
		"pcix/0000:00:00.0",
		"platform/%s%s%n",
		"platform/\xff\xfe",
	};
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		expect_name(fixture->vm, names[i], strlen(names[i]), -ENOENT, -ENOENT);
	abi_assert_same_stats(fixture->vm, &fixture->before);
}

static void names_that_are_not_terminated_are_refused(void **state)
{
	struct fixture *fixture = *state;
	char name[FAULTQ_NAME_SIZE];

	memset(name, 'x', sizeof(name));
	memcpy(name, "platform/", 9);
	expect_name(fixture->vm, name, sizeof(name), -EINVAL, -EINVAL);
	name[FAULTQ_NAME_SIZE - 1] = '\0';
	expect_name(fixture->vm, name, sizeof(name), -ENOENT, -ENOENT);
	abi_assert_same_stats(fixture->vm, &fixture->before);
}

static void unknown_ids_give_enoent(void **state)
{
	static const uint32_t ids[] = { 1, 2, 64, 1U << 31, UINT32_MAX };
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++) {
		struct faultq_detach detach = { .size = sizeof(detach), .device = ids[i] };
		struct faultq_stats stats = { .size = sizeof(stats), .device = ids[i] };

		assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_DETACH, &detach), -ENOENT);
		assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_STATS, &stats), -ENOENT);
	}
	assert_int_equal(abi_ioctl(fixture->vm, FAULTQ_DETACH,
				   &(struct faultq_detach){ .size = sizeof(struct faultq_detach) }),
			 -ENOENT);
}

static int held(int vm, void *entries, uint32_t count, uint32_t entry_size, uint32_t *found)
{
	struct faultq_held argument = {
		.size = sizeof(argument),
		.entries = (uintptr_t)entries,
		.count = count,
		.entry_size = entry_size,
	};
	int ret = abi_ioctl(vm, FAULTQ_HELD, &argument);

	*found = argument.count;
	return ret;
}

static void held_refuses_entries_of_a_wrong_size(void **state)
{
	static const uint32_t sizes[] = {
		0, 1, 8, sizeof(struct faultq_held_entry) - 1, ABI_PAGE + 1, UINT32_MAX
	};
	struct fixture *fixture = *state;
	uint32_t found;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(held(fixture->vm, fixture->memory, 1, sizes[i], &found), -EINVAL);
		assert_int_equal(found, 1);
	}
}

/* There is nothing held: whatever room is promised, nothing is written and little allocated. */
static void held_with_a_huge_count_is_harmless(void **state)
{
	struct fixture *fixture = *state;
	uint32_t found;

	assert_int_equal(held(fixture->vm, fixture->memory, UINT32_MAX,
			      sizeof(struct faultq_held_entry), &found),
			 0);
	assert_int_equal(found, 0);
	assert_int_equal(held(fixture->vm, NULL, UINT32_MAX, ABI_PAGE, &found), 0);
	assert_int_equal(found, 0);
}

/* In a VM of its own, so that what one call does is not in the way of the next. */
static int call_in_new_vm(void *argument)
{
	const struct abi_call *call = argument;
	int vm = open("/dev/faultq", O_RDWR | O_CLOEXEC), ret;
	union abi_argument sample = {};

	call->sample(&sample);
	ret = abi_ioctl(vm, call->command, &sample);
	close(vm);
	return ret;
}

static void privileged_calls_give_eperm_without_the_capability(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		bool attach = call->command == FAULTQ_ATTACH;
		bool admin = call->command == FAULTQ_HELD || call->command == FAULTQ_RELEASE ||
			     call->command == FAULTQ_VMS;

		assert_int_equal(without_capability(CAP_SYS_RAWIO, call_in_new_vm, (void *)call),
				 attach ? -EPERM : call->result);
		assert_int_equal(without_capability(CAP_SYS_ADMIN, call_in_new_vm, (void *)call),
				 admin ? -EPERM : call->result);
	}
}

int main(void)
{
#define with_vm(test) cmocka_unit_test_setup_teardown(test, open_vm, close_vm)
	const struct CMUnitTest tests[] = {
		with_vm(map_refuses_what_is_not_aligned_or_empty),
		with_vm(map_refuses_ranges_that_wrap),
		with_vm(map_takes_no_memory_for_mmio),
		with_vm(map_wants_a_permission),
		with_vm(map_takes_a_cookie_only_to_answer_it),
		with_vm(map_and_answer_without_a_queue_does_nothing),
		with_vm(map_gives_efault_where_there_is_no_memory),
		with_vm(map_for_writing_gives_efault_on_read_only_memory),
		with_vm(map_of_more_than_all_memory_does_nothing),
		with_vm(maps_that_overlap_give_eexist),
		with_vm(unmap_refuses_bad_ranges),
		with_vm(unmap_refuses_to_cut_a_mapping),
		with_vm(unmap_of_nothing_and_of_everything_works),
		with_vm(names_of_no_device_are_refused),
		with_vm(names_that_are_not_terminated_are_refused),
		with_vm(unknown_ids_give_enoent),
		with_vm(held_refuses_entries_of_a_wrong_size),
		with_vm(held_with_a_huge_count_is_harmless),
		cmocka_unit_test(privileged_calls_give_eperm_without_the_capability),
	};

	return tap_run_group(tests, NULL, NULL);
}
