/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The floor under what a page request costs, see tests/modules/floor.c.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "support/fault.h"

void floor_load(void);
void floor_unload(void);

int floor_hook(const struct device *device, bool hold);
void floor_unhook(int fd);
void floor_reset(int fd);
void floor_answer(int fd, uint64_t index);
void floor_last(int fd, uint64_t *handler, uint64_t *driver);

#endif
