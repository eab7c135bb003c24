// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records as lines on standard output. JSON writes 64-bit addresses and cookies
 * as strings: many readers of JSON keep numbers as doubles.
 */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"

static bool is_of_mmio(const struct faultq_record *record)
{
	return record->type == FAULTQ_MMIO_REVOKED || record->type == FAULTQ_MMIO_RESTORED;
}

/* One event for all groups whose own found no room. */
static bool is_of_late_groups(const struct faultq_record *record)
{
	return record->type == FAULTQ_DEADLINE && !record->cookie;
}

static void print_head(const struct faultq_record *record, const char *name)
{
	printf("%llu.%06llu ", record->timestamp / 1000000000,
	       record->timestamp / 1000 % 1000000);
	if (is_of_mmio(record))
		printf("MMIO %llu: ", record->cookie);
	else if (is_of_late_groups(record))
		printf("any device: ");
	else if (!(record->flags & FAULTQ_RECORD_DEVICE))
		printf("unknown device: ");
	else if (name)
		printf("%s: ", name);
	else
		printf("device %u: ", record->device);
	if (record->flags & FAULTQ_RECORD_AFTER_LOSS)
		printf("(faults before this one were lost) ");
}

static void print_access(const struct faultq_record *record)
{
	printf(" (%s)", faultq_perm_name(record->perm));
	if (record->flags & FAULTQ_RECORD_ADDRESS)
		printf(" at 0x%llx", record->address);
	if (record->flags & FAULTQ_RECORD_PASID)
		printf(", PASID %u", record->pasid);
}

static void print_page_request(const struct faultq_record *record,
			       const struct verdict *verdict)
{
	printf("page request");
	print_access(record);
	printf(", group %u", record->group);
	if (!(record->flags & FAULTQ_RECORD_LAST))
		printf(", more to come");
	else if (!verdict->answered)
		printf(": not answered");
	else if (verdict->result)
		printf(": %s answered in vain: %s", faultq_code_name(verdict->code),
		       strerror(-verdict->result));
	else
		printf(": answered %s", faultq_code_name(verdict->code));
}

static void print_unrecoverable(const struct faultq_record *record)
{
	printf("unrecoverable fault");
	print_access(record);
	if (record->flags & FAULTQ_RECORD_REASON)
		printf(": %s", faultq_reason_name(record->reason));
	if (record->flags & FAULTQ_RECORD_FETCH)
		printf(", table walk failed at 0x%llx", record->fetch_address);
}

void print_record(const struct faultq_record *record, const char *name,
		  const struct verdict *verdict)
{
	print_head(record, name);
	switch (record->type) {
	case FAULTQ_PAGE_REQUEST:
		print_page_request(record, verdict);
		break;
	case FAULTQ_UNRECOVERABLE:
		print_unrecoverable(record);
		break;
	case FAULTQ_DEVICE_GONE:
		printf("the device is gone");
		break;
	case FAULTQ_OVER_QUOTA:
		printf("%u groups over quota: %s", record->count,
		       faultq_cause_name(record->reason));
		break;
	case FAULTQ_DEADLINE:
		if (is_of_late_groups(record))
			printf("%u groups have passed their deadlines", record->count);
		else
			printf("group %u has passed its deadline", record->group);
		break;
	case FAULTQ_FAULTING_OFF:
		printf("page requests were switched off: %s", faultq_cause_name(record->reason));
		break;
	case FAULTQ_MMIO_REVOKED:
		printf("0x%llx bytes at 0x%llx were revoked: %s", record->length, record->address,
		       faultq_revocation_name(record->reason));
		break;
	case FAULTQ_MMIO_RESTORED:
		printf("0x%llx bytes at 0x%llx are back%s", record->length, record->address,
		       record->count ? "; a device wrote meanwhile" : "");
		break;
	default:
		printf("record of type %u", record->type);
	}
	putchar('\n');
}

void print_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void add_number(struct json_object *object, const char *key, __u64 value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void add_hex(struct json_object *object, const char *key, __u64 value)
{
	char text[19];

	snprintf(text, sizeof(text), "0x%llx", value);
	add_string(object, key, text);
}

static bool is_event(const struct faultq_record *record)
{
	return record->type != FAULTQ_PAGE_REQUEST && record->type != FAULTQ_UNRECOVERABLE;
}

/* Each type of record has reasons of its own. */
static const char *reason_name(const struct faultq_record *record)
{
	if (record->type == FAULTQ_MMIO_REVOKED)
		return faultq_revocation_name(record->reason);
	return is_event(record) ? faultq_cause_name(record->reason) :
				  faultq_reason_name(record->reason);
}

static void add_optional(struct json_object *object, const struct faultq_record *record)
{
	if (record->flags & FAULTQ_RECORD_DEVICE)
		add_number(object, "device", record->device);
	if (record->flags & FAULTQ_RECORD_PASID)
		add_number(object, "pasid", record->pasid);
	if (record->flags & FAULTQ_RECORD_ADDRESS)
		add_hex(object, "address", record->address);
	if (record->flags & FAULTQ_RECORD_REASON)
		add_string(object, "reason", reason_name(record));
	if (record->flags & FAULTQ_RECORD_FETCH)
		add_hex(object, "fetch_address", record->fetch_address);
	if (record->flags & FAULTQ_RECORD_AFTER_LOSS)
		json_object_object_add(object, "after_loss", json_object_new_boolean(true));
}

static void add_verdict(struct json_object *object, const struct verdict *verdict)
{
	if (!verdict->answered)
		return;
	add_string(object, "answer", faultq_code_name(verdict->code));
	if (verdict->result)
		add_string(object, "answer_error", strerrorname_np(-verdict->result));
}

static void add_page_request(struct json_object *object, const struct faultq_record *record,
			     const struct verdict *verdict)
{
	bool last = record->flags & FAULTQ_RECORD_LAST;

	add_number(object, "group", record->group);
	json_object_object_add(object, "last", json_object_new_boolean(last));
	add_hex(object, "cookie", record->cookie);
	if (last)
		add_verdict(object, verdict);
}

void print_record_json(const struct faultq_record *record, const char *name,
		       const struct verdict *verdict)
{
	struct json_object *object = json_object_new_object();

	add_number(object, "time", record->timestamp);
	add_string(object, "type", faultq_type_name(record->type));
	if (name)
		add_string(object, "name", name);
	if (!is_event(record))
		add_string(object, "access", faultq_perm_name(record->perm));
	add_optional(object, record);
	if (record->type == FAULTQ_OVER_QUOTA || is_of_late_groups(record))
		add_number(object, "count", record->count);
	if (record->type == FAULTQ_DEADLINE && !is_of_late_groups(record)) {
		add_number(object, "group", record->group);
		add_hex(object, "cookie", record->cookie);
	}
	if (record->type == FAULTQ_PAGE_REQUEST)
		add_page_request(object, record, verdict);
	if (is_of_mmio(record)) {
		add_number(object, "mapping", record->cookie);
		add_hex(object, "length", record->length);
	}
	if (record->type == FAULTQ_MMIO_RESTORED)
		json_object_object_add(object, "written", json_object_new_boolean(record->count));
	print_json(object);
}

struct json_object *json_bits(uint64_t mask, const char *(*name_of)(uint64_t bit))
{
	struct json_object *array = json_object_new_array();

	for (; mask; mask &= mask - 1)
		json_object_array_add(array, json_object_new_string(name_of(mask & -mask)));
	return array;
}

void print_bits(uint64_t mask, const char *(*name_of)(uint64_t bit))
{
	const char *separator = "";

	if (!mask)
		printf("none");
	for (; mask; mask &= mask - 1) {
		printf("%s%s", separator, name_of(mask & -mask));
		separator = ", ";
	}
	putchar('\n');
}
