/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the steps of a fault cost, in batches, for one of those that are compared. Inlined where
 * the functions of a consumer are known: no call is counted that the consumer does not make.
 */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include "measure.h"

#define BATCH_MAX	1024u
#define BATCH_ROUNDS	1000u
#define ANSWER_MAX	16	/* bytes */

/**
 * struct consumer - who consumes faults and answers them
 * @name: in the names of figures
 * @deliver: lets a device raise faults, in groups of one
 * @consume: takes as many groups off the queue and prepares their answers, of up to %ANSWER_MAX
 *	bytes each
 * @respond: gives the answers
 */
struct consumer {
	const char *name;
	void (*deliver)(unsigned int count);
	void (*consume)(void *answers, unsigned int count);
	void (*respond)(void *answers, unsigned int count);
};

/* A number that the compiler does not know: a consumer's does not know how many faults come. */
static inline unsigned int unknown(unsigned int number)
{
	asm volatile("" : "+r"(number));
	return number;
}

static inline unsigned int steps_rounds(unsigned int count)
{
	return count > 16 ? 50 : BATCH_ROUNDS;
}

/**
 * steps_report() - print what each step costs, per fault
 * @consumer: who does it
 * @known: faults in a batch, up to %BATCH_MAX
 */
static inline __attribute__((always_inline)) void
steps_report(const struct consumer *consumer, unsigned int known)
{
	static _Alignas(8) char answers[BATCH_MAX * ANSWER_MAX];
	static struct series delivered, consumed, answered;
	unsigned int count = unknown(known);

	for (unsigned int i = 0; i < steps_rounds(count); i++) {
		uint64_t t0 = instructions(), t1, t2, t3;

		consumer->deliver(count);
		t1 = instructions();
		consumer->consume(answers, count);
		t2 = instructions();
		consumer->respond(answers, count);
		t3 = instructions();
		series_add(&delivered, t1 - t0);
		series_add(&consumed, t2 - t1);
		series_add(&answered, t3 - t2);
	}
	series_report(&delivered, count, "fault.deliver.%u.%s", count, consumer->name);
	series_report(&consumed, count, "fault.consume.%u.%s", count, consumer->name);
	series_report(&answered, count, "fault.answer.%u.%s", count, consumer->name);
}

/**
 * steps_report_round_trip() - the same, without a look between consuming and answering
 * @consumer: who does it
 * @known: faults in a batch, up to %BATCH_MAX
 *
 * Return: what both took.
 */
static inline __attribute__((always_inline)) double
steps_report_round_trip(const struct consumer *consumer, unsigned int known)
{
	static _Alignas(8) char answers[BATCH_MAX * ANSWER_MAX];
	static struct series all, both;
	unsigned int count = unknown(known);

	for (unsigned int i = 0; i < steps_rounds(count); i++) {
		uint64_t t0 = instructions(), t1, t2;

		consumer->deliver(count);
		t1 = instructions();
		consumer->consume(answers, count);
		consumer->respond(answers, count);
		t2 = instructions();
		series_add(&both, t2 - t1);
		series_add(&all, t2 - t0);
	}
	series_report(&all, count, "fault.round-trip.%u.%s", count, consumer->name);
	return series_report(&both, count, "fault.consume-answer.%u.%s", count, consumer->name);
}

/**
 * steps_report_batches() - both, in batches of more and more faults
 * @consumer: who does it
 * @least: faults in the first; four times as many each time
 */
static inline __attribute__((always_inline)) void
steps_report_batches(const struct consumer *consumer, unsigned int least)
{
	for (unsigned int count = least; count <= BATCH_MAX; count *= 4) {
		steps_report(consumer, count);
		steps_report_round_trip(consumer, count);
	}
}

#endif
