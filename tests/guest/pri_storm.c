// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that asks for more than the IOMMU's queue takes, which it shares with another VM's
 * device: what is lost is the device's own business, and a hog takes the neighbour's requests
 * along only until it is switched off.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "support/fault.h"
#include "support/pri.h"

#define IOVA		0x40000000ULL
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define QUEUE_PLACES	2047	/* of the hardware's queue, as the driver makes it */
#define RATE		1000	/* groups of the hog that may be refused in a second */
#define INDEX		300	/* which no storm uses */

/* A device, the VM that it is attached to, and what answers there. */
struct party {
	struct pci pci;
	struct faultq *fq;
	struct faultq_attach told;
	pthread_t thread;
	bool answers;
	bool stop;
};

static struct party hog, neighbour;

static void join(struct party *party, enum pri_kind kind)
{
	assert_true(pri_find(&party->pci, kind));
	pci_open(&party->pci);
	party->fq = vm_open(64, 512, 0);
	assert_int_equal(faultq_attach(party->fq, party->pci.name, &party->told), 0);
	pci_set_master(&party->pci, true);
	pri_clear(&party->pci);
}

static int join_both(void **state)
{
	(void)state;
	hog = (struct party){};
	neighbour = (struct party){};
	join(&hog, PRI_ANY);
	join(&neighbour, PRI_NEIGHBOUR);
	return 0;
}

static void leave(struct party *party)
{
	if (party->answers) {
		__atomic_store_n(&party->stop, true, __ATOMIC_RELAXED);
		pthread_join(party->thread, NULL);
	}
	faultq_close(party->fq);
	pci_close(&party->pci);
}

static int leave_both(void **state)
{
	(void)state;
	leave(&hog);
	leave(&neighbour);
	return 0;
}

static void *answer_all(void *argument)
{
	const struct faultq_record *records;
	struct party *party = argument;
	int count;

	while (!__atomic_load_n(&party->stop, __ATOMIC_RELAXED)) {
		faultq_wait(party->fq, 10);
		while ((count = faultq_peek(party->fq, &records)) > 0) {
			if (records[count - 1].type == FAULTQ_PAGE_REQUEST)
				faultq_answer(party->fq, records[count - 1].cookie, FAULTQ_SUCCESS);
			faultq_consume(party->fq);
		}
	}
	return NULL;
}

static void start_answering(struct party *party)
{
	assert_int_equal(pthread_create(&party->thread, NULL, answer_all, party), 0);
	party->answers = true;
}

/* Asks again and again; returns how often that got lost. What did not is answered. */
static unsigned long count_lost(unsigned long times)
{
	unsigned long lost = 0;

	for (unsigned long i = 0; i < times; i++) {
		pri_group(&neighbour.pci, IOVA + i * PAGE, 1, INDEX);
		switch (pri_wait(&neighbour.pci)) {
		case PRI_STATUS_DONE:
			break;
		case PRI_STATUS_LOST:
			lost++;
			break;
		default:
			fail();
		}
	}
	return lost;
}

static void what_the_queue_cannot_take_is_lost_and_nothing_else(void **state)
{
	enum { GROUPS = 2 * QUEUE_PLACES };
	uint64_t sent;

	(void)state;
	pri_needs_requests(&hog.told);
	pri_burst(&hog.pci, IOVA, GROUPS, 0);
	sent = pri_read(&hog.pci, PRI_SENT);
	assert_in_range(sent, QUEUE_PLACES, GROUPS - 1);
	assert_int_equal(sent + pri_read(&hog.pci, PRI_LOST), GROUPS);
	while (pri_answers(&hog.pci) + vm_stats(hog.fq, 0).outstanding < sent)
		sched_yield();
	assert_int_equal(faultq_drain(hog.fq, hog.told.device, NULL), 0);
	pri_wait_answers(&hog.pci, sent);
	assert_int_equal(pri_answers(&hog.pci), sent);

	start_answering(&neighbour);
	assert_int_equal(count_lost(10), 0);
}

static void set_rate(struct party *party, uint32_t rate)
{
	struct faultq_limits limits;

	assert_int_equal(faultq_limits(party->fq, party->told.device, &limits), 0);
	limits.refused_rate = rate;
	assert_int_equal(faultq_set_limits(party->fq, &limits), 0);
}

static void a_neighbour_loses_nothing_when_the_hog_is_switched_off(void **state)
{
	const unsigned long times = 1000;
	unsigned long lost;

	(void)state;
	pri_needs_requests(&hog.told);
	start_answering(&neighbour);
	set_rate(&hog, 0);
	pri_storm(&hog.pci, IOVA, 2 * QUEUE_PLACES);
	pri_wait_answers(&hog.pci, QUEUE_PLACES);
	lost = count_lost(scaled(100, 1000));
	printf("# the neighbour lost %lu of %lu before\n", lost, scaled(100, 1000));

	set_rate(&hog, RATE);
	while (!pri_read(&hog.pci, PRI_FAILURE))
		sched_yield();
	assert_true(vm_stats(hog.fq, hog.told.device).state & FAULTQ_STATE_OFF);
	pri_wait_answers(&hog.pci, pri_read(&hog.pci, PRI_SENT));
	lost = count_lost(times);
	printf("# the neighbour lost %lu of %lu after\n", lost, times);
	assert_int_equal(lost, 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, join_both, leave_both)
	const struct CMUnitTest tests[] = {
		CASE(what_the_queue_cannot_take_is_lost_and_nothing_else),
		CASE(a_neighbour_loses_nothing_when_the_hog_is_switched_off),
	};

	return tap_run_pri_group(tests, NULL, NULL);
}
