/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: what becomes of page request groups, and of MMIO. A group is known by VM, device
 * and, from faultq_queue on, its cookie.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM faultq

#if !defined(FQ_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define FQ_TRACE_H

#include <linux/ktime.h>
#include <linux/tracepoint.h>

#include "device.h"
#include "pending.h"
#include "source.h"
#include "vm.h"

#define fq_show_outcome(outcome)			\
	__print_symbolic(outcome,			\
		{ FQ_NO_QUEUE,		"no-queue" },	\
		{ FQ_NO_SLOT,		"no-slot" },	\
		{ FQ_NO_ROOM,		"no-room" },	\
		{ FQ_TOO_LONG,		"too-long" },	\
		{ FQ_DETACHED,		"detached" },	\
		{ FQ_STOPPED,		"stopped" },	\
		{ FQ_OVER_DEVICE,	"over-device" },	\
		{ FQ_OVER_VM,		"over-vm" },	\
		{ FQ_OVER_SHARE,	"over-instance" },	\
		{ FQ_OFF,		"off" },	\
		{ FQ_DRAINED,		"drained" },	\
		{ FQ_EXPIRED,		"deadline" })

#define fq_show_code(code)				\
	__print_symbolic(code,				\
		{ FAULTQ_SUCCESS,	"success" },	\
		{ FAULTQ_INVALID,	"invalid" },	\
		{ FAULTQ_FAILURE,	"failure" })

#define fq_show_revocation(why)					\
	__print_symbolic(why,					\
		{ FAULTQ_REVOKED_CLEARED,	"cleared" },	\
		{ FAULTQ_REVOKED_UNMAPPED,	"unmapped" },	\
		{ FAULTQ_REVOKED_PROTECTED,	"protected" },	\
		{ FAULTQ_REVOKED_EXITED,	"exited" },	\
		{ FAULTQ_REVOKED_REMOVED,	"removed" },	\
		{ FAULTQ_REVOKED_UNBOUND,	"unbound" })

/**
 * faultq_report - a source reports a whole page request group
 * @device: who asks
 * @key: the group
 * @requests: its page requests
 */
TRACE_EVENT(faultq_report,
	TP_PROTO(const struct fq_device *device, const struct fq_group_key *key,
		 const struct fq_page_request *requests),
	TP_ARGS(device, key, requests),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, device)
		__field(u32, group)
		__field(s64, pasid)
		__field(unsigned int, count)
		__field(u64, address)
		__field(u32, perm)
	),
	TP_fast_assign(
		__entry->vm = device->vm->id;
		__entry->device = device->id;
		__entry->group = key->group;
		__entry->pasid = key->has_pasid ? (s64)key->pasid : -1;
		__entry->count = key->count;
		__entry->address = requests[0].address;
		__entry->perm = requests[0].perm;
	),
	TP_printk("vm=%u device=%u group=%u pasid=%lld count=%u address=%#llx perm=%#x",
		  __entry->vm, __entry->device, __entry->group, __entry->pasid,
		  __entry->count, __entry->address, __entry->perm)
);

/**
 * faultq_queue - a group was admitted and is published
 * @device: who asks
 * @slot: stands for the group
 */
TRACE_EVENT(faultq_queue,
	TP_PROTO(const struct fq_device *device, const struct fq_slot *slot),
	TP_ARGS(device, slot),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, device)
		__field(u32, group)
		__field(u64, cookie)
		__field(u32, outstanding)
	),
	TP_fast_assign(
		__entry->vm = device->vm->id;
		__entry->device = device->id;
		__entry->group = slot->key.group;
		__entry->cookie = slot->cookie;
		__entry->outstanding = device->vm->pending.outstanding;
	),
	TP_printk("vm=%u device=%u group=%u cookie=%#llx outstanding=%u",
		  __entry->vm, __entry->device, __entry->group, __entry->cookie,
		  __entry->outstanding)
);

/**
 * faultq_answer - user space answers a group
 * @device: whose group
 * @slot: stands for the group
 * @code: enum faultq_code
 */
TRACE_EVENT(faultq_answer,
	TP_PROTO(const struct fq_device *device, const struct fq_slot *slot, u32 code),
	TP_ARGS(device, slot, code),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, device)
		__field(u32, group)
		__field(u64, cookie)
		__field(u32, code)
		__field(u64, waited)
	),
	TP_fast_assign(
		__entry->vm = device->vm->id;
		__entry->device = device->id;
		__entry->group = slot->key.group;
		__entry->cookie = slot->cookie;
		__entry->code = code;
		__entry->waited = ktime_get_ns() - slot->time;
	),
	TP_printk("vm=%u device=%u group=%u cookie=%#llx code=%s waited=%llu",
		  __entry->vm, __entry->device, __entry->group, __entry->cookie,
		  fq_show_code(__entry->code), __entry->waited)
);

/**
 * faultq_terminate - the module answers a group itself
 * @device: whose group
 * @key: the group
 * @why: enum fq_outcome
 */
TRACE_EVENT(faultq_terminate,
	TP_PROTO(const struct fq_device *device, const struct fq_group_key *key, u32 why),
	TP_ARGS(device, key, why),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, device)
		__field(u32, group)
		__field(u32, why)
	),
	TP_fast_assign(
		__entry->vm = device->vm->id;
		__entry->device = device->id;
		__entry->group = key->group;
		__entry->why = why;
	),
	TP_printk("vm=%u device=%u group=%u reason=%s", __entry->vm, __entry->device,
		  __entry->group, fq_show_outcome(__entry->why))
);

/**
 * faultq_stale - user space answers what is not outstanding
 * @vm: whose user space
 * @cookie: what it named
 * @code: enum faultq_code
 */
TRACE_EVENT(faultq_stale,
	TP_PROTO(const struct fq_vm *vm, u64 cookie, u32 code),
	TP_ARGS(vm, cookie, code),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u64, cookie)
		__field(u32, code)
	),
	TP_fast_assign(
		__entry->vm = vm->id;
		__entry->cookie = cookie;
		__entry->code = code;
	),
	TP_printk("vm=%u cookie=%#llx code=%s", __entry->vm, __entry->cookie,
		  fq_show_code(__entry->code))
);

/**
 * faultq_drain - all that a device, or one PASID of it, had outstanding was ended
 * @device: the device
 * @pasid: the PASID, or -1: all
 * @count: groups
 */
TRACE_EVENT(faultq_drain,
	TP_PROTO(const struct fq_device *device, s64 pasid, unsigned int count),
	TP_ARGS(device, pasid, count),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, device)
		__field(s64, pasid)
		__field(unsigned int, count)
	),
	TP_fast_assign(
		__entry->vm = device->vm->id;
		__entry->device = device->id;
		__entry->pasid = pasid;
		__entry->count = count;
	),
	TP_printk("vm=%u device=%u pasid=%lld count=%u", __entry->vm, __entry->device,
		  __entry->pasid, __entry->count)
);

/**
 * faultq_revoke - an extent of MMIO is not mapped any more
 * @vm: whose
 * @extent: the extent
 * @why: enum faultq_revocation
 */
TRACE_EVENT(faultq_revoke,
	TP_PROTO(const struct fq_vm *vm, const struct fq_extent *extent, u32 why),
	TP_ARGS(vm, extent, why),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u64, mapping)
		__field(u64, iova)
		__field(u64, length)
		__field(u32, why)
	),
	TP_fast_assign(
		__entry->vm = vm->id;
		__entry->mapping = extent->mmio->id;
		__entry->iova = extent->iova;
		__entry->length = extent->range.size;
		__entry->why = why;
	),
	TP_printk("vm=%u mapping=%llu iova=%#llx length=%#llx reason=%s", __entry->vm,
		  __entry->mapping, __entry->iova, __entry->length,
		  fq_show_revocation(__entry->why))
);

/**
 * faultq_restore - an extent of MMIO is mapped, at first or again
 * @vm: whose
 * @extent: the extent
 */
TRACE_EVENT(faultq_restore,
	TP_PROTO(const struct fq_vm *vm, const struct fq_extent *extent),
	TP_ARGS(vm, extent),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u64, mapping)
		__field(u64, iova)
		__field(u64, length)
	),
	TP_fast_assign(
		__entry->vm = vm->id;
		__entry->mapping = extent->mmio->id;
		__entry->iova = extent->iova;
		__entry->length = extent->range.size;
	),
	TP_printk("vm=%u mapping=%llu iova=%#llx length=%#llx", __entry->vm, __entry->mapping,
		  __entry->iova, __entry->length)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
