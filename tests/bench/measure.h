/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting instructions in a guest whose clock counts them (QEMU's -icount shift=0, one virtual
 * CPU): the time stamp counter goes up by one with each. What is printed is a median, as an
 * interrupt may come between; it is the same in every boot of the same image.
 *
 * A figure is a line "# bench NAME VALUE" on standard output, in instructions unless its name says
 * otherwise; scripts/bench collects them.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define SERIES_ROOM 4096

/**
 * struct series - what was measured again and again
 * @values: instructions
 * @count: how many of them
 */
struct series {
	uint64_t values[SERIES_ROOM];
	unsigned int count;
};

/**
 * instructions() - how many were executed until now
 */
static inline uint64_t instructions(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) :: "memory");
	return (uint64_t)high << 32 | low;
}

void shuffle(void *items, size_t count, size_t size);

void series_add(struct series *series, uint64_t value);
void series_subtract(struct series *difference, const struct series *series,
		     const struct series *floor);
double series_median(struct series *series);
double series_report(struct series *series, unsigned int per, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void figure_report(double value, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
