/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Page Request Interface of PCI devices; see pri.c.
 */
#ifndef FQ_PRI_H
#define FQ_PRI_H

#include <linux/types.h>

struct device;

bool fq_pri_stop(struct device *dev);
void fq_pri_start(struct device *dev);

#endif
