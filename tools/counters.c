// SPDX-License-Identifier: GPL-2.0-only
/* The counters of a VM or a device, by name. */
#include <stdio.h>

#include "counters.h"

#define COUNTER(member, text)	{ #member, text, offsetof(struct faultq_stats, member) }

const struct counter counters[] = {
	COUNTER(page_requests, "page requests"),
	COUNTER(groups, "groups queued"),
	COUNTER(answered_success, "answered success"),
	COUNTER(answered_invalid, "answered invalid"),
	COUNTER(answered_failure, "answered failure"),
	COUNTER(stale_answers, "stale answers"),
	COUNTER(terminated_no_queue, "terminated: no queue"),
	COUNTER(terminated_no_slot, "terminated: no slot free"),
	COUNTER(terminated_no_room, "terminated: ring full"),
	COUNTER(terminated_too_long, "terminated: group too long"),
	COUNTER(terminated_over_device, "terminated: limit of the device"),
	COUNTER(terminated_over_vm, "terminated: limit of the VM"),
	COUNTER(terminated_over_instance, "terminated: share of instance"),
	COUNTER(terminated_off, "terminated: device off"),
	COUNTER(terminated_drained, "terminated: drained"),
	COUNTER(terminated_deadline, "terminated: deadline passed"),
	COUNTER(terminated_detached, "terminated: device detached"),
	COUNTER(terminated_stopped, "terminated: queue stopped"),
	COUNTER(deadlines, "deadlines passed"),
	COUNTER(switched_off, "devices switched off"),
	COUNTER(revocations, "extents of MMIO revoked"),
	COUNTER(partial_dropped, "requests of unfinished groups"),
	COUNTER(unrecoverable, "unrecoverable faults queued"),
	COUNTER(lost, "unrecoverable faults lost"),
	{ }
};

void duration_text(__u64 nanoseconds, char *text, size_t size)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = nanoseconds;
	unsigned int unit = 0;

	for (; value >= 1000 && unit < 3; unit++)
		value /= 1000;
	snprintf(text, size, value < 10 && unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}
