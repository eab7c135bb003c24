/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mapping and unmapping cost, by sizes, for one of those that are compared.
 */
#ifndef BENCH_MAPPING_H
#define BENCH_MAPPING_H

#include <stdint.h>

/**
 * struct mapper - who maps
 * @name: in the names of figures
 * @context: for the functions
 * @map: makes memory readable and writable for a device
 * @unmap: undoes it
 */
struct mapper {
	const char *name;
	void *context;
	void (*map)(void *context, uint64_t iova, void *memory, uint64_t size);
	void (*unmap)(void *context, uint64_t iova, uint64_t size);
};

void mapping_report(const struct mapper *mapper);

#endif
