// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory to map; see memory.h. Small pages are touched in random order, so that few of them are
 * contiguous; what a huge page is, the kernel decides.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "measure.h"
#include "memory.h"
#include "support/fault.h"

static void touch_in_random_order(char *memory, size_t size)
{
	size_t pages = size / PAGE;
	uint32_t *order = calloc(pages, sizeof(*order));

	must(order);
	for (size_t i = 0; i < pages; i++)
		order[i] = i;
	shuffle(order, pages, sizeof(*order));
	for (size_t i = 0; i < pages; i++)
		memory[order[i] * PAGE] = 1;
	free(order);
}

/**
 * bench_memory() - memory that was touched; stays until the program ends
 * @size: in bytes, of whole huge pages
 * @huge: in huge pages, if the kernel has them; or in small ones
 *
 * Return: the memory, aligned to 2 MiB.
 */
char *bench_memory(size_t size, bool huge)
{
	size_t room = size + 2 * MIB;
	char *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(memory != MAP_FAILED);
	memory = (char *)(((uintptr_t)memory + 2 * MIB - 1) & -(2 * MIB));
	madvise(memory, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (huge)
		memset(memory, 1, size);
	else
		touch_in_random_order(memory, size);
	return memory;
}
