/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page requests whose group is not whole yet; see partial.c.
 */
#ifndef FQ_PARTIAL_H
#define FQ_PARTIAL_H

#include "source.h"

struct fq_partials;

struct fq_partials *fq_partials_create(void);
void fq_partials_destroy(struct fq_partials *partials);
unsigned int fq_partials_add(struct fq_partials *partials, const struct fq_group_key *key,
			     const struct fq_page_request *request);
unsigned int fq_partials_take(struct fq_partials *partials, const struct fq_group_key *key,
			      const struct fq_page_request **requests);

#endif
