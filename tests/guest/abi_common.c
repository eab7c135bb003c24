// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all ioctls of /dev/faultq have in common: sizes, flags, reserved and out members,
 * pointers, numbers. Every bad call is made in a new VM, must give the errno that uapi
 * documents, and must leave the argument and the VM as they were.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/tap.h"

#define KERNEL_ADDRESS ((void *)0xffff888000001000UL)
#define NO_ADDRESS ((void *)0x0000900000000000UL)

static const struct abi_call *find_call(unsigned int command)
{
	const struct abi_call *call = abi_calls;

	while (call->command != command)
		call++;
	return call;
}

static int call_sample(int vm, unsigned int command)
{
	union abi_argument argument = {};

	find_call(command)->sample(&argument);
	return abi_ioctl(vm, command, &argument);
}

/*
 * Nothing was counted; the queue was not made, the sample of MAP not mapped: both still
 * can be.
 */
static void assert_new(int vm)
{
	const struct faultq_stats zero = { .size = sizeof(zero) };

	abi_assert_same_stats(vm, &zero);
	assert_int_equal(call_sample(vm, FAULTQ_QUEUE), 0);
	assert_int_equal(call_sample(vm, FAULTQ_MAP), 0);
	assert_int_equal(abi_stats(vm, 0).mapped_bytes, ABI_PAGE);
}

static void expect(const struct abi_call *call, unsigned int command, void *argument, int result,
		   const char *what, unsigned long detail)
{
	int vm = abi_open(), ret;

	ret = abi_ioctl(vm, command, argument);
	if (ret != result)
		fail_msg("%s, %s %#lx: %d instead of %d", call->name, what, detail, ret, result);
	if (result)
		assert_new(vm);
	close(vm);
}

/* The same, for an argument that can be looked at afterwards. */
static void expect_same(const struct abi_call *call, union abi_argument *argument, int result,
			const char *what, unsigned long detail)
{
	union abi_argument before = *argument;

	expect(call, call->command, argument, result, what, detail);
	if (result && memcmp(argument, &before, sizeof(before)))
		fail_msg("%s, %s %#lx: the argument was changed", call->name, what, detail);
}

static void samples_work(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		union abi_argument argument = {};

		call->sample(&argument);
		expect_same(call, &argument, call->result, "sample", 0);
		assert_int_equal(argument.head[0], call->size);
	}
}

static void expect_size(const struct abi_call *call, uint32_t size, long set_byte, int result)
{
	union abi_argument argument = {};

	call->sample(&argument);
	argument.head[0] = size;
	if (set_byte >= 0)
		argument.bytes[set_byte] = 1;
	expect_same(call, &argument, result, "size", size);
}

static void short_sizes_are_refused(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++)
		for (uint32_t size = 0; size < (call->first_size ?: call->size); size++)
			expect_size(call, size, -1, -EINVAL);
}

static void long_sizes_with_a_zero_tail_are_taken(void **state)
{
	static const uint32_t tails[] = { 1, 3, 4, 8, 100 };

	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(tails); i++)
			expect_size(call, call->size + tails[i], -1, call->result);
		expect_size(call, ABI_PAGE, -1, call->result);
	}
}

static void long_sizes_with_another_tail_are_too_big(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		expect_size(call, call->size + 1, call->size, -E2BIG);
		expect_size(call, call->size + 8, call->size, -E2BIG);
		expect_size(call, call->size + 8, call->size + 7, -E2BIG);
		expect_size(call, ABI_PAGE, ABI_PAGE - 1, -E2BIG);
	}
}

static void what_lies_behind_the_size_is_ignored_and_kept(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		union abi_argument argument;

		memset(&argument, 0xa5, sizeof(argument));
		call->sample(&argument);
		expect(call, call->command, &argument, call->result, "behind", 0);
		for (unsigned int i = call->size; i < sizeof(argument); i++)
			assert_int_equal(argument.bytes[i], 0xa5);
	}
}

static void sizes_over_a_page_are_too_big(void **state)
{
	static const uint32_t sizes[] = {
		ABI_PAGE + 1, ABI_PAGE + 8, 2 * ABI_PAGE, 1U << 31, UINT32_MAX,
	};

	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
			expect_size(call, sizes[i], -1, -E2BIG);
}

static void unknown_flags_are_refused(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			union abi_argument argument = {};

			if (call->known_flags & 1U << bit)
				continue;
			call->sample(&argument);
			argument.head[1] |= 1U << bit;
			expect_same(call, &argument, -EINVAL, "flag", bit);
		}
	}
}

static void reserved_members_must_be_zero(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		for (unsigned int byte = 0; call->reserved && byte < 4; byte++) {
			unsigned int at = call->reserved + byte;
			union abi_argument argument = {};

			call->sample(&argument);
			argument.bytes[at] = 0x80;
			expect_same(call, &argument, -EINVAL, "reserved byte", at);
		}
	}
}

static void out_members_are_ignored_as_input(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		union abi_argument argument = {};

		call->sample(&argument);
		memset(argument.bytes + call->out[0], 0xff, call->out[1] - call->out[0]);
		expect_same(call, &argument, call->result, "out", 0);
	}
}

static void bad_pointers_give_efault(void **state)
{
	void *gone = abi_memory(1, PROT_READ | PROT_WRITE);
	void *none = abi_memory(1, PROT_NONE);
	void *const bad[] = {
		NULL, (void *)1, gone, none, KERNEL_ADDRESS, NO_ADDRESS, (void *)-8UL, (void *)-1UL,
	};

	(void)state;
	munmap(gone, ABI_PAGE);
	for (const struct abi_call *call = abi_calls; call->name; call++)
		for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
			expect(call, call->command, bad[i], -EFAULT, "pointer",
			       (unsigned long)bad[i]);
	munmap(none, ABI_PAGE);
}

static void structures_that_run_into_a_hole_give_efault(void **state)
{
	uint8_t *page = abi_hole_after(1);

	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		for (unsigned int inside = 1; inside < call->size; inside++) {
			union abi_argument argument = {};

			call->sample(&argument);
			memcpy(page + ABI_PAGE - inside, &argument, inside);
			expect(call, call->command, page + ABI_PAGE - inside, -EFAULT,
			       "bytes before a hole", inside);
		}
	}
}

static void a_tail_that_runs_into_a_hole_gives_efault(void **state)
{
	uint8_t *page = abi_hole_after(1);

	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		uint8_t *at = page + ABI_PAGE - call->size;

		memset(page, 0, ABI_PAGE);
		call->sample(at);
		*(uint32_t *)at = call->size + 8;
		expect(call, call->command, at, -EFAULT, "tail in a hole", 0);
	}
}

/* Also where only the end cannot be written. */
static void read_only_structures_give_efault_and_nothing_is_done(void **state)
{
	uint8_t *pages = abi_memory(2, PROT_READ | PROT_WRITE);

	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		uint8_t *at = pages + ABI_PAGE - 8;

		assert_int_equal(mprotect(pages, 2 * ABI_PAGE, PROT_READ | PROT_WRITE), 0);
		call->sample(at);
		assert_int_equal(mprotect(pages + ABI_PAGE, ABI_PAGE, PROT_READ), 0);
		expect(call, call->command, at, -EFAULT, "end read-only", 0);
		assert_int_equal(mprotect(pages, ABI_PAGE, PROT_READ), 0);
		expect(call, call->command, at, -EFAULT, "read-only", 0);
	}
	munmap(pages, 2 * ABI_PAGE);
}

static void structures_need_no_alignment(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		union abi_argument argument = {};

		for (unsigned int shift = 1; shift < 8; shift++) {
			union abi_argument aligned = {};

			call->sample(&aligned);
			memcpy(argument.bytes + shift, &aligned, call->size);
			expect(call, call->command, argument.bytes + shift, call->result, "shift",
			       shift);
		}
	}
}

static void unknown_numbers_give_enotty(void **state)
{
	const struct abi_call unknown = { .name = "unknown number" };
	union abi_argument argument = { .head = { 64 } };

	(void)state;
	for (unsigned int nr = _IOC_NR(FAULTQ_MMIO_RESTORE) + 1; nr < 256; nr++)
		expect(&unknown, _IO(FAULTQ_IOC_TYPE, nr), &argument, -ENOTTY, "number", nr);
	expect(&unknown, _IO(';', 100), &argument, -ENOTTY, "VFIO's", 0);
	expect(&unknown, TCGETS, &argument, -ENOTTY, "TCGETS", 0);
	expect(&unknown, FIONREAD, &argument, -ENOTTY, "FIONREAD", 0);
	expect(&unknown, 0, &argument, -ENOTTY, "zero", 0);
	expect(&unknown, UINT32_MAX, &argument, -ENOTTY, "all ones", 0);
}

static void other_directions_types_and_sizes_give_enotty(void **state)
{
	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		unsigned int nr = _IOC_NR(call->command);
		const unsigned int commands[] = {
			_IOC(_IOC_READ, FAULTQ_IOC_TYPE, nr, 0),
			_IOC(_IOC_WRITE, FAULTQ_IOC_TYPE, nr, 0),
			_IOC(_IOC_READ | _IOC_WRITE, FAULTQ_IOC_TYPE, nr, call->size),
			_IOC(_IOC_NONE, FAULTQ_IOC_TYPE, nr, call->size),
			_IO(FAULTQ_IOC_TYPE + 1, nr),
		};
		union abi_argument argument = {};

		call->sample(&argument);
		for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
			expect(call, commands[i], &argument, -ENOTTY, "command", commands[i]);
	}
}

/* A failed call made no mess for those after it in the same VM. */
static void a_thousand_bad_calls_leave_one_vm_as_it_was(void **state)
{
	int vm = abi_open();

	(void)state;
	for (unsigned int round = 0; round < 1000; round++) {
		const struct abi_call *call = &abi_calls[round % _IOC_NR(FAULTQ_RELEASE)];
		union abi_argument argument = {};

		call->sample(&argument);
		argument.head[1] |= 1U << 31;
		assert_int_equal(abi_ioctl(vm, call->command, &argument), -EINVAL);
		assert_int_equal(abi_ioctl(vm, call->command, KERNEL_ADDRESS), -EFAULT);
	}
	assert_new(vm);
	close(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_work),
		cmocka_unit_test(short_sizes_are_refused),
		cmocka_unit_test(long_sizes_with_a_zero_tail_are_taken),
		cmocka_unit_test(long_sizes_with_another_tail_are_too_big),
		cmocka_unit_test(what_lies_behind_the_size_is_ignored_and_kept),
		cmocka_unit_test(sizes_over_a_page_are_too_big),
		cmocka_unit_test(unknown_flags_are_refused),
		cmocka_unit_test(reserved_members_must_be_zero),
		cmocka_unit_test(out_members_are_ignored_as_input),
		cmocka_unit_test(bad_pointers_give_efault),
		cmocka_unit_test(structures_that_run_into_a_hole_give_efault),
		cmocka_unit_test(a_tail_that_runs_into_a_hole_gives_efault),
		cmocka_unit_test(read_only_structures_give_efault_and_nothing_is_done),
		cmocka_unit_test(structures_need_no_alignment),
		cmocka_unit_test(unknown_numbers_give_enotty),
		cmocka_unit_test(other_directions_types_and_sizes_give_enotty),
		cmocka_unit_test(a_thousand_bad_calls_leave_one_vm_as_it_was),
	};

	return tap_run_group(tests, NULL, NULL);
}
