/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls that fill arrays of user space; see lists.c.
 */
#ifndef FQ_LISTS_H
#define FQ_LISTS_H

#include "vm.h"

int fq_list_held(struct faultq_held *held);
int fq_list_instances(struct faultq_list *list);
int fq_list_vms(struct faultq_list *list);
int fq_list_devices(struct fq_vm *vm, struct faultq_list *list);
int fq_list_mappings(struct fq_vm *vm, struct faultq_list *list);
int fq_list_windows(struct fq_vm *vm, struct faultq_list *list);
int fq_list_ranges(struct fq_vm *vm, struct faultq_list *list);
int fq_list_doorbells(struct fq_vm *vm, struct faultq_list *list);
int fq_list_pending(struct fq_vm *vm, struct faultq_pending *pending);
int fq_look_at(struct fq_vm *vm, u32 id, struct fq_vm **seen);

#endif
