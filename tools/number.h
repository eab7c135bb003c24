/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers on the command line. A wrong one is a usage error and exits. */
#ifndef FAULTQ_NUMBER_H
#define FAULTQ_NUMBER_H

#include <argp.h>
#include <stdint.h>

/* Decimal, 0x... or 0..., at most @max. */
uint64_t parse_number(const char *text, uint64_t max, const struct argp_state *state);

/* The same with an optional K, M, G or T (powers of 1024). */
uint64_t parse_bytes(const char *text, const struct argp_state *state);

#endif /* FAULTQ_NUMBER_H */
