/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as lines on standard output: in plain words, or as JSON. */
#ifndef FAULTQ_PRINT_H
#define FAULTQ_PRINT_H

#include <stdbool.h>
#include <json-c/json.h>

#include "faultq.h"

/* What was answered to the group that a record belongs to. */
struct verdict {
	bool answered;
	uint32_t code;
	int result;	/* 0, or the negative errno of the answer */
};

/* One line. @name may be NULL; @verdict is told with the last of a group. */
void print_record(const struct faultq_record *record, const char *name,
		  const struct verdict *verdict);

/* The same as a JSON object; its members are in faultq-monitor(1). */
void print_record_json(const struct faultq_record *record, const char *name,
		       const struct verdict *verdict);

/* Print a JSON document and free it. */
void print_json(struct json_object *object);

/* Add a member to a JSON object; a hexadecimal number is a string. */
void add_string(struct json_object *object, const char *key, const char *value);
void add_number(struct json_object *object, const char *key, __u64 value);
void add_hex(struct json_object *object, const char *key, __u64 value);

/* The names of the bits of a mask, each by @name_of, as a JSON array or a list. */
struct json_object *json_bits(uint64_t mask, const char *(*name_of)(uint64_t bit));
void print_bits(uint64_t mask, const char *(*name_of)(uint64_t bit));

#endif /* FAULTQ_PRINT_H */
