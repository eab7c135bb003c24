// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting instructions; see measure.h. For one thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/**
 * series_subtract() - what one series is above another, measurement by measurement
 * @difference: is set; 0 where it is not above
 * @series: neither was reported yet
 * @floor: as long
 */
void series_subtract(struct series *difference, const struct series *series,
		     const struct series *floor)
{
	must(series->count == floor->count);
	difference->count = 0;
	for (unsigned int i = 0; i < series->count; i++)
		series_add(difference, series->values[i] > floor->values[i] ?
					       series->values[i] - floor->values[i] : 0);
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/**
 * shuffle() - put things into an order that is random, but always the same for their number
 * @items: the things
 * @count: how many
 * @size: of each, at most 64 bytes
 */
void shuffle(void *items, size_t count, size_t size)
{
	char *bytes = items, swapped[64];

	must(size <= sizeof(swapped));
	srand(count);
	for (size_t i = count - 1; i > 0; i--) {
		size_t other = rand() % (i + 1);

		memcpy(swapped, bytes + i * size, size);
		memcpy(bytes + i * size, bytes + other * size, size);
		memcpy(bytes + other * size, swapped, size);
	}
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

/*
 * What the kernel has put off, the output among it, would be counted by the next series: let it be
 * done first. The guest's clock jumps over idle time.
 */
static void settle(void)
{
	fflush(stdout);
	usleep(200000);
}

static void print_figure(double value, const char *format, va_list arguments)
{
	printf("# bench ");
	vprintf(format, arguments);
	printf(" %.1f\n", value);
	settle();
}

/**
 * figure_report() - print a figure
 * @value: of it
 * @format: its name, without spaces
 */
void figure_report(double value, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_figure(value, format, arguments);
	va_end(arguments);
}

/**
 * series_report() - print the median of a series, and empty it
 * @series: the series
 * @per: of how many things each measurement was
 * @format: name of the figure, without spaces
 *
 * Return: what was printed.
 */
double series_report(struct series *series, unsigned int per, const char *format, ...)
{
	double value = series_median(series) / per;
	va_list arguments;

	va_start(arguments, format);
	print_figure(value, format, arguments);
	va_end(arguments);
	series->count = 0;
	return value;
}
