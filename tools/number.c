// SPDX-License-Identifier: GPL-2.0-only
/* Numbers on the command line. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

static uint64_t parse_prefix(const char *text, char **end, const struct argp_state *state)
{
	uint64_t value;

	errno = 0;
	value = strtoull(text, end, 0);
	if (errno || *end == text || !isdigit((unsigned char)text[0]))
		argp_error(state, "'%s' is not a number", text);
	return value;
}

uint64_t parse_number(const char *text, uint64_t max, const struct argp_state *state)
{
	char *end;
	uint64_t value = parse_prefix(text, &end, state);

	if (*end)
		argp_error(state, "'%s' is not a number", text);
	if (value > max)
		argp_error(state, "%s is more than %llu", text, (unsigned long long)max);
	return value;
}

uint64_t parse_bytes(const char *text, const struct argp_state *state)
{
	static const char units[] = "KMGT";
	char *end;
	uint64_t value = parse_prefix(text, &end, state);
	const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;

	if (*end && (!unit || end[1]))
		argp_error(state, "'%s' is not a size", text);
	if (unit && __builtin_mul_overflow(value, 1ULL << 10 * (unit - units + 1), &value))
		argp_error(state, "%s is too much", text);
	return value;
}
