// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the running kernel can deliver; see kinds.h.
 */
#include <faultq.h>
#include <linux/mock-iommu.h>
#include <stdlib.h>

#include "kinds.h"
#include "tap.h"

/* They do not change while the kernel runs, so one answer is enough. */
static uint32_t kernel_kinds(void)
{
	static struct faultq_info info;
	struct faultq *fq;

	if (!info.size) {
		if (faultq_open(&fq) || faultq_info(fq, &info))
			abort();
		faultq_close(fq);
	}
	return info.kinds;
}

/**
 * kernel_delivers() - can the kernel deliver a kind of fault at all
 * @kind: one of enum faultq_kind
 *
 * Return: what GET_INFO says.
 */
bool kernel_delivers(uint32_t kind)
{
	return kernel_kinds() & kind;
}

/** needs_page_requests() - skip the test where the kernel has none; not from another thread */
void needs_page_requests(void)
{
	if (!kernel_delivers(FAULTQ_KIND_PAGE_REQUEST))
		skip_because(NO_PAGE_REQUESTS);
}

/** needs_pasid_requests() - skip the test where a PASID must be attached to be heard */
void needs_pasid_requests(void)
{
	if (!kernel_delivers(FAULTQ_KIND_PASID_REQUEST))
		skip_because("this kernel gives page requests with a PASID only to an attachment "
			     "of that PASID");
}

/** needs_device_faults() - skip the test where only domains report unrecoverable faults */
void needs_device_faults(void)
{
	if (!kernel_delivers(FAULTQ_KIND_UNRECOVERABLE))
		skip_because("this kernel tells no reason and no PASID of an unrecoverable fault");
}

/**
 * needs_open_groups() - skip the test where the kernel itself collects page request groups
 *
 * That came with the kernels in which the device's report of unrecoverable faults went.
 */
void needs_open_groups(void)
{
	if (!kernel_delivers(FAULTQ_KIND_UNRECOVERABLE))
		skip_because("this kernel collects page request groups itself, without a bound");
}

/**
 * fault_way() - how an unrecoverable fault can be injected whose details do not matter
 *
 * Return: flags for mock_unrecoverable().
 */
uint32_t fault_way(void)
{
	return kernel_delivers(FAULTQ_KIND_UNRECOVERABLE) ? 0 : MOCK_IOMMU_VIA_DOMAIN;
}
