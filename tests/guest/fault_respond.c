// SPDX-License-Identifier: GPL-2.0-only
/*
 * RESPOND: every entry has its own result, and the call ends early only where it must, telling
 * how far it came.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/interrupt.h"
#include "support/kinds.h"

#define IOVA	0x1000000UL

/* An entry of a caller that knows more than the kernel. */
struct longer_answer {
	struct faultq_answer answer;
	uint64_t tail[2];
};

static struct faultq_respond respond_to(const void *answers, uint32_t count)
{
	return (struct faultq_respond){
		.size = sizeof(struct faultq_respond),
		.answers = (uintptr_t)answers,
		.count = count,
		.entry_size = sizeof(struct faultq_answer),
		.done = 77,
	};
}

static int respond(const struct rig *rig, struct faultq_respond *call)
{
	return ioctl(faultq_fd(rig->fq), FAULTQ_RESPOND, call) ? -errno : 0;
}

/* Make groups outstanding, and an answer of SUCCESS for each. */
static void ask(const struct rig *rig, struct faultq_answer *answers, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		inject_group(&rig->device, i, IOVA);
		answers[i] = (struct faultq_answer){
			.cookie = take_cookie(rig->fq), .code = FAULTQ_SUCCESS, .result = 1,
		};
	}
}

static void assert_outstanding(const struct rig *rig, unsigned int count)
{
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, count);
	assert_int_equal(device_state(&rig->device).outstanding, count);
}

static void each_entry_has_its_own_result(void **state)
{
	struct rig *rig = *state;
	struct faultq_answer answers[6];
	struct faultq_respond call = respond_to(answers, 6);

	ask(rig, answers, 3);
	answers[3] = answers[0];			/* answered a moment ago */
	answers[4] = answers[2];
	answers[4].code = FAULTQ_FAILURE + 1;		/* unknown, though stale */
	answers[5] = (struct faultq_answer){ .cookie = 0 };
	answers[1].code = ~0U;
	assert_int_equal(respond(rig, &call), 0);
	assert_int_equal(call.done, 6);
	assert_int_equal(answers[0].result, 0);
	assert_int_equal(answers[1].result, -EINVAL);
	assert_int_equal(answers[2].result, 0);
	assert_int_equal(answers[3].result, -ESTALE);
	assert_int_equal(answers[4].result, -EINVAL);
	assert_int_equal(answers[5].result, -EINVAL);
	assert_outstanding(rig, 1);

	/* the one with the unknown code can still be answered */
	assert_int_equal(faultq_answer(rig->fq, answers[1].cookie, FAULTQ_SUCCESS), 0);
	assert_outstanding(rig, 0);
	assert_int_equal(vm_stats(rig->fq, 0).stale_answers, 1);
}

static void no_entries_are_nothing_to_do(void **state)
{
	struct faultq_respond call = respond_to(NULL, 0);

	assert_int_equal(respond(*state, &call), 0);
	assert_int_equal(call.done, 0);
}

static void longer_entries_are_taken_if_their_tail_is_zero(void **state)
{
	struct rig *rig = *state;
	struct longer_answer longer[3] = { 0 };
	struct faultq_answer answers[3];
	struct faultq_respond call = respond_to(longer, 3);

	ask(rig, answers, 3);
	for (unsigned int i = 0; i < 3; i++)
		longer[i].answer = answers[i];
	longer[1].tail[1] = 1;
	call.entry_size = sizeof(longer[0]);
	assert_int_equal(respond(rig, &call), 0);
	assert_int_equal(call.done, 3);
	assert_int_equal(longer[0].answer.result, 0);
	assert_int_equal(longer[1].answer.result, -E2BIG);
	assert_int_equal(longer[2].answer.result, 0);
	assert_outstanding(rig, 1);
	assert_int_equal(longer[1].tail[1], 1);
}

static void entry_sizes_are_checked(void **state)
{
	static const uint32_t sizes[] = { 0, 1, sizeof(struct faultq_answer) - 1, PAGE + 1, ~0U };
	struct rig *rig = *state;
	struct faultq_answer answers[1];

	ask(rig, answers, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct faultq_respond call = respond_to(answers, 1);

		call.entry_size = sizes[i];
		assert_int_equal(respond(rig, &call), -EINVAL);
	}
	assert_outstanding(rig, 1);
}

/* Two pages, of which the second has this protection; returns the last @bytes of the first. */
static void *before_page(size_t bytes, int protection)
{
	char *pages = pages_new(2);

	assert_int_equal(mprotect(pages + PAGE, PAGE, protection), 0);
	return pages + PAGE - bytes;
}

static void an_unreadable_first_entry_gives_efault(void **state)
{
	struct rig *rig = *state;
	struct faultq_answer answers[1], *edge = before_page(8, PROT_NONE);
	struct faultq_respond call = respond_to((void *)8, 1);

	ask(rig, answers, 1);
	assert_int_equal(respond(rig, &call), -EFAULT);
	/* readable but for its second half */
	memcpy(edge, answers, 8);
	call = respond_to(edge, 1);
	assert_int_equal(respond(rig, &call), -EFAULT);
	call = respond_to((void *)~7UL, 1);
	assert_int_equal(respond(rig, &call), -EFAULT);
	assert_outstanding(rig, 1);
}

static void a_first_result_that_cannot_be_written_gives_efault(void **state)
{
	struct rig *rig = *state;
	struct faultq_answer *answers = pages_new(1);
	struct faultq_respond call = respond_to(answers, 1);

	ask(rig, answers, 1);
	assert_int_equal(mprotect(answers, PAGE, PROT_READ), 0);
	assert_int_equal(respond(rig, &call), -EFAULT);
	assert_outstanding(rig, 1);
	assert_no_response(&rig->device);
}

static void a_later_bad_entry_ends_the_call_and_done_tells_where(int protection, struct rig *rig)
{
	struct faultq_answer *answers = before_page(2 * sizeof(*answers), PROT_READ | PROT_WRITE);
	struct faultq_respond call = respond_to(answers, 4);

	ask(rig, answers, 4);
	assert_int_equal(mprotect((char *)answers + 2 * sizeof(*answers), PAGE, protection), 0);
	assert_int_equal(respond(rig, &call), 0);
	assert_int_equal(call.done, 2);
	assert_int_equal(answers[0].result, 0);
	assert_int_equal(answers[1].result, 0);
	assert_outstanding(rig, 2);
	assert_response(&rig->device, 0, FAULTQ_SUCCESS);
	assert_response(&rig->device, 1, FAULTQ_SUCCESS);

	/* from there on it is the first one */
	call = respond_to(answers + 2, 2);
	assert_int_equal(respond(rig, &call), -EFAULT);
	assert_outstanding(rig, 2);
	assert_int_equal(mprotect((char *)answers + 2 * sizeof(*answers), PAGE,
				  PROT_READ | PROT_WRITE),
			 0);
	call = respond_to(answers + 2, 2);
	assert_int_equal(respond(rig, &call), 0);
	assert_int_equal(call.done, 2);
	assert_outstanding(rig, 0);
}

static void a_later_unreadable_entry_ends_the_call(void **state)
{
	a_later_bad_entry_ends_the_call_and_done_tells_where(PROT_NONE, *state);
}

static void a_later_result_that_cannot_be_written_ends_the_call(void **state)
{
	a_later_bad_entry_ends_the_call_and_done_tells_where(PROT_READ, *state);
}

static void an_argument_that_cannot_be_written_answers_nothing(void **state)
{
	struct rig *rig = *state;
	struct faultq_answer answers[1];
	struct faultq_respond *call = pages_new(1);

	ask(rig, answers, 1);
	*call = respond_to(answers, 1);
	assert_int_equal(mprotect(call, PAGE, PROT_READ), 0);
	assert_int_equal(respond(rig, call), -EFAULT);
	assert_int_equal(answers[0].result, 1);
	assert_outstanding(rig, 1);
}

static void a_huge_count_ends_where_the_memory_does(void **state)
{
	struct rig *rig = *state;
	struct faultq_answer *answers = before_page(sizeof(*answers), PROT_NONE);
	struct faultq_respond call = respond_to(answers, ~0U);

	ask(rig, answers, 1);
	assert_int_equal(respond(rig, &call), 0);
	assert_int_equal(call.done, 1);
	assert_outstanding(rig, 0);
}

/* The last page that a process can have; where that is depends on the machine. */
static void *last_page(void)
{
	static const unsigned int bits[] = { 57, 56, 52, 48, 47 };

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(bits); i++) {
		unsigned long address = (1ul << bits[i / 2]) - (1 + i % 2) * PAGE;
		void *page = mmap((void *)address, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (page == (void *)address)
			return page;
	}
	skip_because("the last page that a process can have is in use");
}

static void a_count_that_user_memory_has_no_room_for_ends_where_it_does(void **state)
{
	struct rig *rig = *state;
	char *page = last_page();
	struct faultq_answer *answers = (void *)(page + PAGE - 2 * sizeof(*answers));
	struct faultq_respond call = respond_to(answers, 8);

	ask(rig, answers, 2);
	assert_int_equal(respond(rig, &call), 0);
	assert_int_equal(call.done, 2);
	assert_int_equal(answers[0].result, 0);
	assert_int_equal(answers[1].result, 0);
	assert_outstanding(rig, 0);
	munmap(page, PAGE);
}

static void all_slots_are_answered_in_one_call_in_any_order(void **state)
{
	struct rig *rig = *state;
	struct faultq_answer answers[RIG_SLOTS];
	struct faultq_respond call = respond_to(answers, RIG_SLOTS);

	ask(rig, answers, RIG_SLOTS);
	for (unsigned int i = RIG_SLOTS - 1; i > 0; i--) {
		unsigned int other = (i * 37) % (i + 1);
		struct faultq_answer swap = answers[i];

		answers[i] = answers[other];
		answers[other] = swap;
	}
	assert_int_equal(respond(rig, &call), 0);
	assert_int_equal(call.done, RIG_SLOTS);
	for (unsigned int i = 0; i < RIG_SLOTS; i++)
		assert_int_equal(answers[i].result, 0);
	assert_outstanding(rig, 0);
}

struct responder {
	const struct rig *rig;
	struct faultq_respond *call;
};

static int make_respond(void *argument)
{
	struct responder *responder = argument;

	return respond(responder->rig, responder->call);
}

/* Runs the call until it waits for @page, interrupts it, and only then lets it go on. */
static int interrupted_respond(struct rig *rig, enum interruption kind,
			       struct faultq_respond *call, int userfaultfd, void *page,
			       const void *content)
{
	struct responder responder = { .rig = rig, .call = call };
	struct interrupted interrupted;

	interrupted_begin(&interrupted, kind, make_respond, &responder);
	stuck_memory_wait(userfaultfd);
	interrupt(&interrupted);
	stuck_memory_give(userfaultfd, page, content);
	return interrupted_end(&interrupted);
}

static void interrupt_before_the_first_entry(struct rig *rig, enum interruption kind)
{
	struct faultq_answer answers[1];
	struct faultq_respond *content = pages_new(1);
	void *call;
	int userfaultfd = stuck_memory_new(&call, 1);

	ask(rig, answers, 1);
	*content = respond_to(answers, 1);
	assert_int_equal(interrupted_respond(rig, kind, call, userfaultfd, call, content), 0);
	assert_int_equal(((struct faultq_respond *)call)->done, 1);
	assert_int_equal(answers[0].result, 0);
	assert_outstanding(rig, 0);
	close(userfaultfd);
	pages_free(call, 1);
	pages_free(content, 1);
}

static void an_interruption_before_the_first_entry_does_not_end_the_call(void **state)
{
	for (enum interruption kind = 0; kind < INTERRUPTIONS; kind++)
		interrupt_before_the_first_entry(*state, kind);
}

static void interrupt_after_the_first_entry(struct rig *rig, enum interruption kind)
{
	enum { COUNT = RIG_SLOTS };
	struct faultq_answer *content = pages_new(1), *answers;
	struct faultq_respond call;
	int userfaultfd = stuck_memory_new((void **)&answers, 1);

	ask(rig, content, COUNT);
	call = respond_to(answers, COUNT);
	assert_int_equal(interrupted_respond(rig, kind, &call, userfaultfd, answers, content), 0);
	assert_int_equal(call.done, COUNT);
	for (unsigned int i = 0; i < COUNT; i++)
		assert_int_equal(answers[i].result, 0);
	assert_outstanding(rig, 0);
	close(userfaultfd);
	pages_free(answers, 1);
	pages_free(content, 1);
}

static void an_interruption_after_the_first_entry_does_not_end_the_call(void **state)
{
	for (enum interruption kind = 0; kind < INTERRUPTIONS; kind++)
		interrupt_after_the_first_entry(*state, kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(each_entry_has_its_own_result),
		RIG_TEST(no_entries_are_nothing_to_do),
		RIG_TEST(longer_entries_are_taken_if_their_tail_is_zero),
		RIG_TEST(entry_sizes_are_checked),
		RIG_TEST(an_unreadable_first_entry_gives_efault),
		RIG_TEST(a_first_result_that_cannot_be_written_gives_efault),
		RIG_TEST(a_later_unreadable_entry_ends_the_call),
		RIG_TEST(a_later_result_that_cannot_be_written_ends_the_call),
		RIG_TEST(an_argument_that_cannot_be_written_answers_nothing),
		RIG_TEST(a_huge_count_ends_where_the_memory_does),
		RIG_TEST(a_count_that_user_memory_has_no_room_for_ends_where_it_does),
		RIG_TEST(all_slots_are_answered_in_one_call_in_any_order),
		RIG_TEST(an_interruption_before_the_first_entry_does_not_end_the_call),
		RIG_TEST(an_interruption_after_the_first_entry_does_not_end_the_call),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
