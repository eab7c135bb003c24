// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shares of mock IOMMU instances; see quota.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "quota.h"

static int apply(const struct faultq_share *share)
{
	struct faultq *fq;
	int ret;

	must(!faultq_open(&fq));
	ret = faultq_set_share(fq, share);
	faultq_close(fq);
	return ret;
}

/**
 * share_of() - read the share of a mock instance
 * @instance: name of its directory
 *
 * Return: the share.
 */
struct faultq_share share_of(const char *instance)
{
	struct faultq_share share;
	char name[FAULTQ_NAME_SIZE];
	struct faultq *fq;

	snprintf(name, sizeof(name), "mock-%s", instance);
	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_share(fq, name, &share), 0);
	faultq_close(fq);
	return share;
}

/**
 * share_try() - set the share of a mock instance
 * @instance: name of its directory
 * @depth: groups that may be outstanding there
 * @pool: how many of them are shared
 * @guarantee: how many are a VM's own
 *
 * Return: 0 or a negative errno.
 */
int share_try(const char *instance, uint32_t depth, uint32_t pool, uint32_t guarantee)
{
	struct faultq_share share = { .depth = depth, .pool = pool, .guarantee = guarantee };

	snprintf(share.name, sizeof(share.name), "mock-%s", instance);
	return apply(&share);
}

/**
 * share_set() - share_try() that must succeed
 * @instance: as there
 * @depth: as there
 * @pool: as there
 * @guarantee: as there
 */
void share_set(const char *instance, uint32_t depth, uint32_t pool, uint32_t guarantee)
{
	assert_int_equal(share_try(instance, depth, pool, guarantee), 0);
}

static void set_defaults_back(void)
{
	const struct faultq_share share = {
		.depth = SHARE_DEPTH, .pool = SHARE_POOL, .guarantee = SHARE_GUARANTEE,
	};

	apply(&share);
}

/**
 * shares_lift() - let a VM have more outstanding than the defaults do, in this program
 * @each: groups of a VM that are its own; 65536 for all VMs of an instance together
 *
 * For tests of something else, before the first VM.
 */
void shares_lift(uint32_t each)
{
	const struct faultq_share share = { .depth = 65536, .guarantee = each };

	must(!apply(&share));
	atexit(set_defaults_back);
}
