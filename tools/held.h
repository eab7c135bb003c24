/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of held devices, for the commands that show it. */
#ifndef FAULTQ_HELD_LIST_H
#define FAULTQ_HELD_LIST_H

#include <json-c/json.h>

#include "faultq.h"

/*
 * All held devices, to be freed by the caller; how many goes to *@count. Returns 0
 * or a negative errno, -EPERM without CAP_SYS_ADMIN.
 */
int held_list(struct faultq *fq, struct faultq_held_entry **entries, uint32_t *count);

void held_print(const struct faultq_held_entry *entries, uint32_t count);
struct json_object *held_json(const struct faultq_held_entry *entries, uint32_t count);

#endif /* FAULTQ_HELD_LIST_H */
