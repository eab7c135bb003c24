/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records for the consumer: faults and events; see report.c. The fault lock of the VM is
 * held where nothing else is said.
 */
#ifndef FQ_REPORT_H
#define FQ_REPORT_H

#include "vm.h"

/* What is to be told of a device, in this order; each once. */
enum fq_tell {
	FQ_TELL_OFF	= 1 << 0,
	FQ_TELL_GONE	= 1 << 1,
};

void fq_vm_stop(struct fq_vm *vm);
void fq_vm_wake(struct fq_vm *vm, __poll_t events);
bool fq_tell_events(struct fq_vm *vm);
void fq_tell_device(struct fq_device *device, enum fq_tell what);
bool fq_tell_deadline(struct fq_vm *vm, const struct fq_slot *slot);
void fq_fill_request(struct faultq_record *record, const struct fq_slot *slot,
		     const struct fq_page_request *request, u16 flags);
void fq_count_terminated(struct fq_device *device, enum fq_outcome why);
void fq_switch_off(struct fq_device *device, enum faultq_cause cause);

void fq_report_revoked(struct fq_vm *vm, struct fq_extent *extent, enum faultq_revocation why);
void fq_report_restored(struct fq_vm *vm, struct fq_extent *extent);
void fq_forget_extent(struct fq_vm *vm, struct fq_extent *extent);
void fq_note_written(struct fq_vm *vm, struct fq_extent *extent);
bool fq_take_written(struct fq_vm *vm, struct fq_extent *extent);

/**
 * fq_vm_sync() - take over the consumer's index; on nonsense, see that everything ends
 * @vm: has a queue
 *
 * Return: false when the queue was stopped.
 */
static inline bool fq_vm_sync(struct fq_vm *vm)
{
	if (likely(fq_ring_sync(vm->ring)))
		return true;
	fq_vm_stop(vm);
	return false;
}

#endif
