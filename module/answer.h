/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers to page request groups; see answer.c.
 */
#ifndef FQ_ANSWER_H
#define FQ_ANSWER_H

#include "vm.h"

/* Groups that are answered in one go, without letting others have the fault lock. */
#define FQ_ANSWERS 16

int fq_vm_answer(struct fq_vm *vm, u64 cookie, u32 code);
int fq_vm_answer_some(struct fq_vm *vm, struct faultq_answer *answers, unsigned int count);
unsigned int fq_terminate_all(struct fq_device *device, enum fq_outcome why);
unsigned int fq_terminate_pasid(struct fq_device *device, u32 pasid);
bool fq_terminate_overdue(struct fq_vm *vm, u64 before);
void fq_wait_for_answers(struct fq_device *device);

#endif
