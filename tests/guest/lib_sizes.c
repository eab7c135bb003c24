// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions of libfaultq that take the size of a structure: what a program that is older
 * or newer than the library gets from them, and what they refuse.
 */
#include <errno.h>
#include <faultq.h>
#include <stdbool.h>
#include <string.h>

#include "support/tap.h"

#define LARGEST	4096
#define BEHIND	0xa5	/* what nobody may write */

/* A structure of any size, and what lies behind it. */
union structure {
	struct faultq_info info;
	struct faultq_stats stats;
	struct faultq_limits limits;
	struct faultq_share share;
	unsigned char bytes[LARGEST + 64];
};

/**
 * struct reader - a function that fills in a structure
 * @name: for people
 * @read: calls it
 * @known: sizeof() the structure
 * @first: as it was published first
 */
struct reader {
	const char *name;
	int (*read)(union structure *structure, size_t size);
	size_t known;
	size_t first;
};

static struct faultq *fq;

static int read_info(union structure *structure, size_t size)
{
	return faultq_info_sized(fq, &structure->info, size);
}

static int read_stats(union structure *structure, size_t size)
{
	return faultq_vm_stats_sized(fq, 0, 0, &structure->stats, size);
}

static int read_limits(union structure *structure, size_t size)
{
	return faultq_limits_sized(fq, 0, &structure->limits, size);
}

static int read_share(union structure *structure, size_t size)
{
	return faultq_share_sized(fq, "", &structure->share, size);
}

static const struct reader readers[] = {
	{ "info", read_info, sizeof(struct faultq_info), 48 },
	{ "stats", read_stats, sizeof(struct faultq_stats), 160 },
	{ "limits", read_limits, sizeof(struct faultq_limits), 48 },
	{ "share", read_share, sizeof(struct faultq_share), 112 },
	{}
};

static bool all_are(const unsigned char *from, const unsigned char *end, unsigned char value)
{
	while (from < end && *from == value)
		from++;
	return from == end;
}

static int read_sized(const struct reader *reader, union structure *structure, size_t size)
{
	memset(structure, BEHIND, sizeof(*structure));
	return reader->read(structure, size);
}

static void assert_read(const struct reader *reader, const union structure *whole, size_t size)
{
	size_t common = size < reader->known ? size : reader->known;
	const unsigned char *bytes;
	union structure structure;

	assert_int_equal(read_sized(reader, &structure, size), 0);
	assert_int_equal(structure.info.size, size);
	bytes = structure.bytes;
	assert_memory_equal(bytes + 4, whole->bytes + 4, common - 4);
	if (!all_are(bytes + common, bytes + size, 0))
		fail_msg("%s, size %zu: what is not known is not zero", reader->name, size);
	if (!all_are(bytes + size, bytes + sizeof(structure), BEHIND))
		fail_msg("%s, size %zu: the library wrote behind it", reader->name, size);
}

static void each_size_is_filled_in_and_no_more(void **state)
{
	const struct reader *reader;
	union structure whole;

	(void)state;
	for (reader = readers; reader->name; reader++) {
		assert_int_equal(read_sized(reader, &whole, reader->known), 0);
		for (size_t size = reader->first; size <= LARGEST; size++)
			assert_read(reader, &whole, size);
	}
}

static void assert_refused(const struct reader *reader, size_t size, int error)
{
	union structure structure;

	assert_int_equal(read_sized(reader, &structure, size), error);
	assert_true(all_are(structure.bytes, structure.bytes + sizeof(structure), BEHIND));
}

static void sizes_that_no_header_had_are_refused(void **state)
{
	const struct reader *reader;

	(void)state;
	for (reader = readers; reader->name; reader++) {
		assert_refused(reader, 0, -EINVAL);
		assert_refused(reader, reader->first - 1, -EINVAL);
		assert_refused(reader, LARGEST + 1, -E2BIG);
	}
}

static void stats_too_old_to_name_a_vm_are_of_the_handles(void **state)
{
	union structure structure;

	(void)state;
	assert_int_equal(faultq_vm_stats_sized(fq, 1, 0, &structure.stats, 160), -EINVAL);
	assert_int_equal(faultq_vm_stats_sized(fq, 0, 0, &structure.stats, 160), 0);
}

static void settings_of_each_size_are_taken(void **state)
{
	union structure limits;

	(void)state;
	for (size_t size = sizeof(limits.limits); size <= LARGEST; size += 8) {
		assert_int_equal(faultq_limits_sized(fq, 0, &limits.limits, size), 0);
		limits.limits.deadline_ms = size;
		assert_int_equal(faultq_set_limits_sized(fq, &limits.limits, size), 0);
		assert_int_equal(faultq_limits(fq, 0, &limits.limits), 0);
		assert_int_equal(limits.limits.deadline_ms, size);
	}
}

/* A setting that the kernel does not know is not lost in silence. */
static void settings_that_the_kernel_does_not_know_are_refused(void **state)
{
	size_t size = sizeof(struct faultq_limits) + 8;
	union structure limits;

	(void)state;
	assert_int_equal(faultq_limits_sized(fq, 0, &limits.limits, size), 0);
	limits.bytes[size - 1] = 1;
	assert_int_equal(faultq_set_limits_sized(fq, &limits.limits, size), -E2BIG);
	assert_int_equal(faultq_set_limits_sized(fq, &limits.limits, 47), -EINVAL);
	assert_int_equal(faultq_set_limits_sized(fq, &limits.limits, LARGEST + 1), -E2BIG);
}

static int open_vm(void **state)
{
	(void)state;
	return faultq_open(&fq);
}

static int close_vm(void **state)
{
	(void)state;
	faultq_close(fq);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_size_is_filled_in_and_no_more),
		cmocka_unit_test(sizes_that_no_header_had_are_refused),
		cmocka_unit_test(stats_too_old_to_name_a_vm_are_of_the_handles),
		cmocka_unit_test(settings_of_each_size_are_taken),
		cmocka_unit_test(settings_that_the_kernel_does_not_know_are_refused),
	};

	return tap_run_group(tests, open_vm, close_vm);
}
