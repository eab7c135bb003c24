/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TAP channel, through which a guest talks with scripts/guest-run; see channel.c.
 */
#ifndef TESTS_BOOT_CHANNEL_H
#define TESTS_BOOT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

/* What the host asks for. */
struct program {
	char name[64];
	unsigned int seconds;
	bool load_modules;
};

int channel_open(const char *device, unsigned int seconds);
void channel_close(void);
int channel_fd(void);
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
void channel_comment(const char *line);
bool channel_next(struct program *program);

#endif
