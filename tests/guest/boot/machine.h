/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's file systems, and its state from one program to the next; see machine.c.
 */
#ifndef TESTS_BOOT_MACHINE_H
#define TESTS_BOOT_MACHINE_H

struct kmod_ctx;

void machine_prepare(void);
void machine_note(struct kmod_ctx *ctx);
void machine_restore(struct kmod_ctx *ctx);
void mount_at(const char *type, const char *where);
int write_text(const char *path, const char *text);

#endif
