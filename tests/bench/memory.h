/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory to map, in small pages or in huge ones.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#define MIB	(1ul << 20)

char *bench_memory(size_t size, bool huge);

#endif
