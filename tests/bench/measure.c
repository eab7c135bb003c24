// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting instructions; see measure.h. For one thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"
#include "support/fault.h"

/**
 * series_add() - one more measurement
 * @series: has room
 * @value: instructions
 */
void series_add(struct series *series, uint64_t value)
{
	must(series->count < SERIES_ROOM);
	series->values[series->count++] = value;
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/**
 * series_median() - the middle one
 * @series: with one at least; is sorted
 */
double series_median(struct series *series)
{
	must(series->count > 0);
	qsort(series->values, series->count, sizeof(*series->values), compare);
	return series->values[series->count / 2];
}

/**
 * series_report() - print the median of a series, and empty it
 * @series: the series
 * @per: of how many things each measurement was
 * @format: name of the figure, without spaces
 */
void series_report(struct series *series, unsigned int per, const char *format, ...)
{
	va_list arguments;

	printf("# bench ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf(" %.1f\n", series_median(series) / per);
	series->count = 0;
}
