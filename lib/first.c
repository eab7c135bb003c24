// SPDX-License-Identifier: MIT
/*
 * For programs that were built when <faultq.h> had functions without a size: the symbols that
 * they were linked with. Nothing tells which header a program has seen, so each takes the
 * structure as it was when the symbol was published first, whatever has been added since.
 */
#include "private.h"

/* The header has an inline function of the name. */
#define SYMBOL(name) __asm__(#name)

int first_info(struct faultq *fq, struct faultq_info *info) SYMBOL(faultq_info);
int first_info(struct faultq *fq, struct faultq_info *info)
{
	return faultq_info_sized(fq, info, FIRST_INFO);
}

int first_attach(struct faultq *fq, const char *name,
		 struct faultq_attach *attach) SYMBOL(faultq_attach);
int first_attach(struct faultq *fq, const char *name, struct faultq_attach *attach)
{
	return faultq_attach_sized(fq, name, attach, FIRST_ATTACH);
}

int first_respond(struct faultq *fq, struct faultq_answer *answers, uint32_t count,
		  uint32_t *done) SYMBOL(faultq_respond);
int first_respond(struct faultq *fq, struct faultq_answer *answers, uint32_t count, uint32_t *done)
{
	return faultq_respond_sized(fq, answers, count, done, FIRST_ANSWER);
}

int first_stats(struct faultq *fq, uint32_t device,
		struct faultq_stats *stats) SYMBOL(faultq_stats);
int first_stats(struct faultq *fq, uint32_t device, struct faultq_stats *stats)
{
	return faultq_vm_stats_sized(fq, 0, device, stats, FIRST_STATS);
}

int first_held(struct faultq *fq, struct faultq_held_entry *entries,
	       uint32_t *count) SYMBOL(faultq_held);
int first_held(struct faultq *fq, struct faultq_held_entry *entries, uint32_t *count)
{
	return faultq_held_sized(fq, entries, count, FIRST_HELD_ENTRY);
}

int first_vm_stats(struct faultq *fq, uint32_t vm, uint32_t device,
		   struct faultq_stats *stats) SYMBOL(faultq_vm_stats);
int first_vm_stats(struct faultq *fq, uint32_t vm, uint32_t device, struct faultq_stats *stats)
{
	return faultq_vm_stats_sized(fq, vm, device, stats, FIRST_VM_STATS);
}

int first_limits(struct faultq *fq, uint32_t device,
		 struct faultq_limits *limits) SYMBOL(faultq_limits);
int first_limits(struct faultq *fq, uint32_t device, struct faultq_limits *limits)
{
	return faultq_limits_sized(fq, device, limits, FIRST_LIMITS);
}

int first_set_limits(struct faultq *fq,
		     const struct faultq_limits *limits) SYMBOL(faultq_set_limits);
int first_set_limits(struct faultq *fq, const struct faultq_limits *limits)
{
	return faultq_set_limits_sized(fq, limits, FIRST_LIMITS);
}

int first_share(struct faultq *fq, const char *instance,
		struct faultq_share *share) SYMBOL(faultq_share);
int first_share(struct faultq *fq, const char *instance, struct faultq_share *share)
{
	return faultq_share_sized(fq, instance, share, FIRST_SHARE);
}

int first_set_share(struct faultq *fq, const struct faultq_share *share) SYMBOL(faultq_set_share);
int first_set_share(struct faultq *fq, const struct faultq_share *share)
{
	return faultq_set_share_sized(fq, share, FIRST_SHARE);
}

int first_pending(struct faultq *fq, struct faultq_record *records, uint32_t *count,
		  uint32_t *position) SYMBOL(faultq_pending);
int first_pending(struct faultq *fq, struct faultq_record *records, uint32_t *count,
		  uint32_t *position)
{
	return faultq_pending_sized(fq, records, count, position, FIRST_RECORD);
}

int first_instances(struct faultq *fq, struct faultq_share *entries,
		    uint32_t *count) SYMBOL(faultq_instances);
int first_instances(struct faultq *fq, struct faultq_share *entries, uint32_t *count)
{
	return faultq_instances_sized(fq, entries, count, FIRST_SHARE);
}

int first_vms(struct faultq *fq, struct faultq_vm_entry *entries,
	      uint32_t *count) SYMBOL(faultq_vms);
int first_vms(struct faultq *fq, struct faultq_vm_entry *entries, uint32_t *count)
{
	return faultq_vms_sized(fq, entries, count, FIRST_VM_ENTRY);
}

int first_devices(struct faultq *fq, uint32_t vm, struct faultq_device_entry *entries,
		  uint32_t *count) SYMBOL(faultq_devices);
int first_devices(struct faultq *fq, uint32_t vm, struct faultq_device_entry *entries,
		  uint32_t *count)
{
	return faultq_devices_sized(fq, vm, entries, count, FIRST_DEVICE_ENTRY);
}

int first_windows(struct faultq *fq, uint32_t vm, struct faultq_window_entry *entries,
		  uint32_t *count) SYMBOL(faultq_windows);
int first_windows(struct faultq *fq, uint32_t vm, struct faultq_window_entry *entries,
		  uint32_t *count)
{
	return faultq_windows_sized(fq, vm, entries, count, FIRST_WINDOW_ENTRY);
}

int first_iova_ranges(struct faultq *fq, uint32_t vm, struct faultq_range_entry *entries,
		      uint32_t *count) SYMBOL(faultq_iova_ranges);
int first_iova_ranges(struct faultq *fq, uint32_t vm, struct faultq_range_entry *entries,
		      uint32_t *count)
{
	return faultq_iova_ranges_sized(fq, vm, entries, count, FIRST_RANGE_ENTRY);
}

int first_mappings(struct faultq *fq, uint32_t vm, struct faultq_mapping_entry *entries,
		   uint32_t *count) SYMBOL(faultq_mappings);
int first_mappings(struct faultq *fq, uint32_t vm, struct faultq_mapping_entry *entries,
		   uint32_t *count)
{
	return faultq_mappings_sized(fq, vm, entries, count, FIRST_MAPPING_ENTRY);
}

int first_doorbells(struct faultq *fq, uint32_t vm, struct faultq_doorbell_entry *entries,
		    uint32_t *count) SYMBOL(faultq_doorbells);
int first_doorbells(struct faultq *fq, uint32_t vm, struct faultq_doorbell_entry *entries,
		    uint32_t *count)
{
	return faultq_doorbells_sized(fq, vm, entries, count, FIRST_DOORBELL_ENTRY);
}

int first_mmio_restore(struct faultq *fq, uint64_t id,
		       struct faultq_restore *restore) SYMBOL(faultq_mmio_restore);
int first_mmio_restore(struct faultq *fq, uint64_t id, struct faultq_restore *restore)
{
	return faultq_mmio_restore_sized(fq, id, restore, FIRST_RESTORE);
}
