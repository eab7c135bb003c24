// SPDX-License-Identifier: GPL-2.0-only
/*
 * RESPOND, and the answer in MAP, with bad input while page requests of a mock device are
 * outstanding: each entry gets its own result, and what was not answered stays
 * outstanding and can be answered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/mock.h"
#include "support/kinds.h"
#include "support/tap.h"

#define SLOTS 16
#define PENDING 4
#define FIRST_GROUP 10

/* A VM with page request groups that wait: their indices are FIRST_GROUP and so on. */
struct fixture {
	struct abi_device device;
	struct abi_ring ring;
	int vm;
	uint64_t cookies[PENDING];
};

static void raise_pending(struct fixture *fixture)
{
	uint32_t first = abi_producer(&fixture->ring);

	abi_request(&fixture->device, FIRST_GROUP, 0x10000, PENDING);
	assert_int_equal(abi_producer(&fixture->ring), first + PENDING);
	for (unsigned int i = 0; i < PENDING; i++)
		fixture->cookies[i] = fixture->ring.records[(first + i) % 64].cookie;
	abi_set_consumer(&fixture->ring, first + PENDING);
}

static int open_pending(void **state)
{
	static struct fixture fixture;

	fixture.vm = abi_open();
	abi_device_make(&fixture.device, "respond", "d0");
	abi_ring_open(&fixture.ring, fixture.vm, SLOTS, 64);
	assert_int_equal(abi_device_attach(&fixture.device, fixture.vm), 0);
	raise_pending(&fixture);
	*state = &fixture;
	return 0;
}

static int close_pending(void **state)
{
	struct fixture *fixture = *state;

	abi_ring_close(&fixture->ring);
	close(fixture->vm);
	abi_device_destroy(&fixture->device);
	return 0;
}

static int respond(int vm, void *entries, uint32_t count, uint32_t entry_size, uint32_t *done)
{
	struct faultq_respond argument = {
		.size = sizeof(argument),
		.answers = (uintptr_t)entries,
		.count = count,
		.entry_size = entry_size,
		.done = 12345,
	};
	int ret = abi_ioctl(vm, FAULTQ_RESPOND, &argument);

	*done = argument.done;
	return ret;
}

/* All PENDING groups still wait, and can be answered. */
static void expect_pending(struct fixture *fixture)
{
	assert_int_equal(abi_stats(fixture->vm, 0).outstanding, PENDING);
	for (unsigned int i = 0; i < PENDING; i++) {
		struct faultq_answer answer = { .cookie = fixture->cookies[i] };
		uint32_t done;

		assert_int_equal(respond(fixture->vm, &answer, 1, sizeof(answer), &done), 0);
		assert_int_equal(done, 1);
		assert_int_equal(answer.result, 0);
		abi_expect_answer(&fixture->device, FIRST_GROUP + i, FAULTQ_SUCCESS);
	}
	assert_int_equal(abi_stats(fixture->vm, 0).outstanding, 0);
	assert_int_equal(abi_stats(fixture->vm, 0).answered_success, PENDING);
}

static void respond_without_a_queue_gives_enxio(void **state)
{
	struct faultq_answer answer = { .cookie = 1 << 16 };
	int vm = abi_open();
	uint32_t done;

	(void)state;
	assert_int_equal(respond(vm, &answer, 1, sizeof(answer), &done), -ENXIO);
	assert_int_equal(respond(vm, NULL, 0, sizeof(answer), &done), -ENXIO);
	close(vm);
}

static void a_count_of_zero_does_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint32_t done;

	assert_int_equal(respond(fixture->vm, NULL, 0, sizeof(struct faultq_answer), &done), 0);
	assert_int_equal(done, 0);
	expect_pending(fixture);
}

static void entries_of_a_wrong_size_are_refused(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 8, 15, ABI_PAGE + 1, 1U << 31, UINT32_MAX };
	struct fixture *fixture = *state;
	struct faultq_answer answer = { .cookie = fixture->cookies[0] };
	uint32_t done;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		assert_int_equal(respond(fixture->vm, &answer, 1, sizes[i], &done), -EINVAL);
	expect_pending(fixture);
}

static void a_huge_count_over_a_small_array_tells_how_far_it_came(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_answer *answers = abi_hole_after(1);
	uint32_t done;

	answers = (void *)((uint8_t *)answers + ABI_PAGE - 2 * sizeof(*answers));
	answers[0] = (struct faultq_answer){ .cookie = fixture->cookies[0],
					     .code = FAULTQ_INVALID,
					     .result = 9 };
	answers[1] = (struct faultq_answer){ .cookie = fixture->cookies[1],
					     .code = FAULTQ_FAILURE,
					     .result = 9 };
	assert_int_equal(respond(fixture->vm, answers, UINT32_MAX, sizeof(*answers), &done), 0);
	assert_int_equal(done, 2);
	assert_int_equal(answers[0].result | answers[1].result, 0);
	abi_expect_answer(&fixture->device, FIRST_GROUP, FAULTQ_INVALID);
	abi_expect_answer(&fixture->device, FIRST_GROUP + 1, FAULTQ_FAILURE);
	assert_int_equal(abi_stats(fixture->vm, 0).outstanding, PENDING - 2);
}

static void entries_that_cannot_be_read_give_efault(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *hole = abi_hole_after(1);
	void *const bad[] = {
		NULL,
		(void *)0xffff888000001000UL,
		(void *)0x0000900000000000UL,
		(void *)-8UL,
		(void *)-16UL,
		hole + ABI_PAGE,
		hole + ABI_PAGE - 8,
		hole + ABI_PAGE - 1,
	};
	uint32_t done;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(respond(fixture->vm, bad[i], 3, sizeof(struct faultq_answer),
					 &done),
				 -EFAULT);
	expect_pending(fixture);
}

/* The first entry is in memory that can be written but for its result. */
static void entries_that_cannot_be_written_give_efault_and_answer_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *pages = abi_memory(2, PROT_READ | PROT_WRITE);
	struct faultq_answer answer = { .cookie = fixture->cookies[0] };
	uint32_t done;

	memcpy(pages + ABI_PAGE - 12, &answer, sizeof(answer));
	assert_int_equal(mprotect(pages + ABI_PAGE, ABI_PAGE, PROT_READ), 0);
	assert_int_equal(respond(fixture->vm, pages + ABI_PAGE - 12, 1, sizeof(answer), &done),
			 -EFAULT);
	assert_int_equal(mprotect(pages, ABI_PAGE, PROT_READ), 0);
	assert_int_equal(respond(fixture->vm, pages + ABI_PAGE - 12, 1, sizeof(answer), &done),
			 -EFAULT);
	expect_pending(fixture);
	munmap(pages, 2 * ABI_PAGE);
}

static void an_entry_in_the_middle_that_cannot_be_written_ends_the_call(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *pages = abi_memory(2, PROT_READ | PROT_WRITE);
	struct faultq_answer *answers = (void *)(pages + ABI_PAGE - sizeof(*answers));
	uint32_t done;

	answers[0] = (struct faultq_answer){ .cookie = fixture->cookies[0] };
	answers[1] = (struct faultq_answer){ .cookie = fixture->cookies[1] };
	assert_int_equal(mprotect(pages + ABI_PAGE, ABI_PAGE, PROT_READ), 0);
	assert_int_equal(respond(fixture->vm, answers, 2, sizeof(*answers), &done), 0);
	assert_int_equal(done, 1);
	abi_expect_answer(&fixture->device, FIRST_GROUP, FAULTQ_SUCCESS);
	assert_int_equal(abi_stats(fixture->vm, 0).outstanding, PENDING - 1);
	munmap(pages, 2 * ABI_PAGE);
}

struct long_answer {
	struct faultq_answer answer;
	uint64_t tail;
};

static void longer_entries_may_have_a_zero_tail_only(void **state)
{
	struct fixture *fixture = *state;
	struct long_answer answers[] = {
		{ .answer.cookie = fixture->cookies[0] },
		{ .answer.cookie = fixture->cookies[1], .tail = 1 },
		{ .answer.cookie = fixture->cookies[1], .tail = 1UL << 63 },
		{ .answer.cookie = fixture->cookies[2] },
	};
	uint32_t done;

	assert_int_equal(respond(fixture->vm, answers, 4, sizeof(answers[0]), &done), 0);
	assert_int_equal(done, 4);
	assert_int_equal(answers[0].answer.result, 0);
	assert_int_equal(answers[1].answer.result, -E2BIG);
	assert_int_equal(answers[2].answer.result, -E2BIG);
	assert_int_equal(answers[3].answer.result, 0);
	assert_int_equal(abi_stats(fixture->vm, 0).outstanding, PENDING - 2);
}

static void entries_of_a_page_are_taken(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *pages = abi_memory(2, PROT_READ | PROT_WRITE);
	uint32_t done;

	((struct faultq_answer *)pages)->cookie = fixture->cookies[0];
	((struct faultq_answer *)(pages + ABI_PAGE))->cookie = fixture->cookies[1];
	assert_int_equal(respond(fixture->vm, pages, 2, ABI_PAGE, &done), 0);
	assert_int_equal(done, 2);
	assert_int_equal(abi_stats(fixture->vm, 0).answered_success, 2);
	munmap(pages, 2 * ABI_PAGE);
}

static void unknown_codes_and_cookie_zero_give_einval(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_answer answers[] = {
		{ .cookie = fixture->cookies[0], .code = 3 },
		{ .cookie = fixture->cookies[0], .code = 15 },
		{ .cookie = fixture->cookies[0], .code = 1U << 31 },
		{ .cookie = fixture->cookies[0], .code = UINT32_MAX },
		{ .cookie = 0, .code = FAULTQ_SUCCESS },
	};
	uint32_t done;

	assert_int_equal(respond(fixture->vm, answers, 5, sizeof(answers[0]), &done), 0);
	assert_int_equal(done, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(answers[i].result, -EINVAL);
	assert_int_equal(abi_stats(fixture->vm, 0).stale_answers, 0);
	expect_pending(fixture);
}

static void cookies_of_no_group_give_estale(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t good = fixture->cookies[0];
	const uint64_t bad[] = {
		1,
		2,
		good + SLOTS,
		good ^ 1UL << 63,
		good + (1UL << 16),
		good + (1UL << 48),
		good & 0xffff0000,
		UINT64_MAX,
		UINT32_MAX,
		1UL << 63,
		good - (1UL << 16) + 0x8000,
	};
	uint64_t stale = 0;
	uint32_t done;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct faultq_answer answer = { .cookie = bad[i] };
		bool is_good = false;

		for (unsigned int j = 0; j < PENDING; j++)
			is_good |= bad[i] == fixture->cookies[j];
		if (is_good)
			continue;
		assert_int_equal(respond(fixture->vm, &answer, 1, sizeof(answer), &done), 0);
		assert_int_equal(answer.result, -ESTALE);
		assert_int_equal(abi_stats(fixture->vm, 0).stale_answers, ++stale);
	}
	expect_pending(fixture);
}

static void a_second_answer_is_stale_in_the_same_array_too(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_answer answers[] = {
		{ .cookie = fixture->cookies[0], .code = FAULTQ_INVALID },
		{ .cookie = fixture->cookies[0], .code = FAULTQ_SUCCESS },
		{ .cookie = fixture->cookies[1], .code = FAULTQ_SUCCESS },
	};
	uint32_t done;

	assert_int_equal(respond(fixture->vm, answers, 3, sizeof(answers[0]), &done), 0);
	assert_int_equal(done, 3);
	assert_int_equal(answers[0].result, 0);
	assert_int_equal(answers[1].result, -ESTALE);
	assert_int_equal(answers[2].result, 0);
	abi_expect_answer(&fixture->device, FIRST_GROUP, FAULTQ_INVALID);
	abi_expect_answer(&fixture->device, FIRST_GROUP + 1, FAULTQ_SUCCESS);
}

/* The first cookies of two VMs are alike; each VM's go to its own groups. */
static void an_answer_reaches_its_own_vm_only(void **state)
{
	struct fixture *fixture = *state;
	struct faultq_answer answer = { .cookie = fixture->cookies[0] };
	struct abi_ring ring;
	int other = abi_open();
	uint32_t done;

	abi_ring_open(&ring, other, SLOTS, 64);
	assert_int_equal(respond(other, &answer, 1, sizeof(answer), &done), 0);
	assert_int_equal(answer.result, -ESTALE);
	assert_int_equal(abi_stats(other, 0).stale_answers, 1);
	assert_int_equal(abi_stats(fixture->vm, 0).stale_answers, 0);
	expect_pending(fixture);
	abi_ring_close(&ring);
	close(other);
}

static int map_answer(struct fixture *fixture, uint64_t iova, uint64_t cookie, int *result)
{
	static uint8_t memory[ABI_PAGE] __attribute__((aligned(ABI_PAGE)));
	struct faultq_map map = {
		.size = sizeof(map),
		.flags = FAULTQ_MAP_READ | FAULTQ_MAP_ANSWER,
		.iova = iova,
		.length = ABI_PAGE,
		.user_address = (uintptr_t)memory,
		.cookie = cookie,
	};
	int ret = abi_ioctl(fixture->vm, FAULTQ_MAP, &map);

	*result = map.answer_result;
	return ret;
}

static void map_answers_only_what_it_mapped(void **state)
{
	struct fixture *fixture = *state;
	int result;

	assert_int_equal(map_answer(fixture, 0x10000, fixture->cookies[0], &result), 0);
	assert_int_equal(result, 0);
	abi_expect_answer(&fixture->device, FIRST_GROUP, FAULTQ_SUCCESS);
	assert_int_equal(map_answer(fixture, 0x10000, fixture->cookies[1], &result), -EEXIST);
	assert_int_equal(map_answer(fixture, 0x11001, fixture->cookies[1], &result), -EINVAL);
	assert_int_equal(abi_stats(fixture->vm, 0).outstanding, PENDING - 1);
	assert_int_equal(abi_stats(fixture->vm, 0).mapped_bytes, ABI_PAGE);
}

static void map_tells_when_the_answer_came_too_late(void **state)
{
	struct fixture *fixture = *state;
	int result;

	assert_int_equal(map_answer(fixture, 0x20000, fixture->cookies[0] + (1UL << 16), &result),
			 0);
	assert_int_equal(result, -ESTALE);
	assert_int_equal(map_answer(fixture, 0x30000, 0, &result), 0);
	assert_int_equal(result, -EINVAL);
	assert_int_equal(abi_stats(fixture->vm, 0).mapped_bytes, 2 * ABI_PAGE);
	expect_pending(fixture);
}

int main(void)
{
#define with_pending(test) cmocka_unit_test_setup_teardown(test, open_pending, close_pending)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(respond_without_a_queue_gives_enxio),
		with_pending(a_count_of_zero_does_nothing),
		with_pending(entries_of_a_wrong_size_are_refused),
		with_pending(a_huge_count_over_a_small_array_tells_how_far_it_came),
		with_pending(entries_that_cannot_be_read_give_efault),
		with_pending(entries_that_cannot_be_written_give_efault_and_answer_nothing),
		with_pending(an_entry_in_the_middle_that_cannot_be_written_ends_the_call),
		with_pending(longer_entries_may_have_a_zero_tail_only),
		with_pending(entries_of_a_page_are_taken),
		with_pending(unknown_codes_and_cookie_zero_give_einval),
		with_pending(cookies_of_no_group_give_estale),
		with_pending(a_second_answer_is_stale_in_the_same_array_too),
		with_pending(an_answer_reaches_its_own_vm_only),
		with_pending(map_answers_only_what_it_mapped),
		with_pending(map_tells_when_the_answer_came_too_late),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
