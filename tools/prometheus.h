/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters in the text format that Prometheus reads. */
#ifndef FAULTQ_PROMETHEUS_H
#define FAULTQ_PROMETHEUS_H

#include "faultq.h"

/* All VMs, devices and IOMMU instances. Prints why it fails and exits. */
void prometheus_print(struct faultq *fq);

#endif /* FAULTQ_PROMETHEUS_H */
