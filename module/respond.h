/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RESPOND; see respond.c.
 */
#ifndef FQ_RESPOND_H
#define FQ_RESPOND_H

#include "vm.h"

int fq_respond(struct fq_vm *vm, void __user *user);

#endif
