// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mapping and unmapping cost; see mapping.h.
 */
#include <stdbool.h>
#include <stddef.h>

#include "mapping.h"
#include "measure.h"
#include "memory.h"
#include "support/fault.h"

#define IOVA		0x40000000ull
#define IOVA_OTHERS	0x80000000ull
#define OTHERS		4096ul

static void report_size(const struct mapper *mapper, const char *what, char *memory, size_t size,
			unsigned int rounds)
{
	static struct series mapped, unmapped;

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t t0 = instructions(), t1, t2;

		mapper->map(mapper->context, IOVA, memory, size);
		t1 = instructions();
		mapper->unmap(mapper->context, IOVA, size);
		t2 = instructions();
		series_add(&mapped, t1 - t0);
		series_add(&unmapped, t2 - t1);
	}
	series_report(&mapped, 1, "map.%s.%s", what, mapper->name);
	series_report(&unmapped, 1, "unmap.%s.%s", what, mapper->name);
}

static void report_among_others(const struct mapper *mapper, char *memory)
{
	for (unsigned long i = 0; i < OTHERS; i++)
		mapper->map(mapper->context, IOVA_OTHERS + 2 * i * PAGE,
			    memory + (i + 1) * PAGE, PAGE);
	report_size(mapper, "4k-among-4096", memory, PAGE, 200);
	for (unsigned long i = 0; i < OTHERS; i++)
		mapper->unmap(mapper->context, IOVA_OTHERS + 2 * i * PAGE, PAGE);
}

/* Made once: what is compared maps the same memory. */
static char *small_pages(void)
{
	static char *memory;

	if (!memory)
		memory = bench_memory(64 * MIB, false);
	return memory;
}

static char *huge_pages(void)
{
	static char *memory;

	if (!memory)
		memory = bench_memory(64 * MIB, true);
	return memory;
}

/**
 * mapping_report() - report what mapping and unmapping cost
 * @mapper: who does it; has nothing mapped
 */
void mapping_report(const struct mapper *mapper)
{
	char *small = small_pages(), *huge = huge_pages();

	report_size(mapper, "4k", small, PAGE, 500);
	report_size(mapper, "2m-small", small, 2 * MIB, 50);
	report_size(mapper, "2m-huge", huge, 2 * MIB, 50);
	report_size(mapper, "64m-small", small, 64 * MIB, 5);
	report_size(mapper, "64m-huge", huge, 64 * MIB, 5);
	report_among_others(mapper, small);
}
