// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TAP channel: a serial port, or whatever else the host has given the guest for it. Lines of
 * init's own begin with "#guest "; what they mean is told in init.c. It owns the port. Several
 * threads may write, a line at a time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "channel.h"

static FILE *tap;
static int patience_ms;

/**
 * channel_open() - open the channel and make it transparent
 * @device: its name below /dev
 * @seconds: how long to wait for the host, which answers at once if it is still there
 *
 * Return: 0, or -1 with errno.
 */
int channel_open(const char *device, unsigned int seconds)
{
	struct termios raw;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", device);
	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!tcgetattr(fd, &raw)) {
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	tap = fdopen(fd, "we");
	if (!tap)
		return -1;
	setvbuf(tap, NULL, _IOLBF, 0);
	patience_ms = seconds * 1000;
	return 0;
}

/**
 * channel_close() - wait until the host has everything
 */
void channel_close(void)
{
	tcdrain(fileno(tap));
}

/**
 * channel_fd() - the descriptor for a program's standard output
 */
int channel_fd(void)
{
	return fileno(tap);
}

/**
 * report() - tell the host something
 * @format: a line without its "#guest " and its end
 */
void report(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	flockfile(tap);
	fputs("#guest ", tap);
	vfprintf(tap, format, args);
	fputc('\n', tap);
	funlockfile(tap);
	va_end(args);
}

/**
 * channel_comment() - write a line as a comment of TAP
 * @line: without its end
 */
void channel_comment(const char *line)
{
	fprintf(tap, "# %s\n", line);
}

static bool read_byte(char *byte)
{
	struct pollfd port = { .fd = fileno(tap), .events = POLLIN };
	int ready;

	do {
		ready = poll(&port, 1, patience_ms);
	} while (ready < 0 && errno == EINTR);
	return ready == 1 && read(port.fd, byte, 1) == 1;
}

static bool read_line(char *line, size_t size)
{
	size_t length = 0;
	char byte;

	while (read_byte(&byte)) {
		if (byte == '\n') {
			line[length] = '\0';
			return true;
		}
		if (length < size - 1)
			line[length++] = byte;
	}
	return false;
}

/**
 * channel_next() - ask the host for the next program
 * @program: is set
 *
 * Return: whether there is one.
 */
bool channel_next(struct program *program)
{
	char line[128], modules[16];

	report("ready");
	if (!read_line(line, sizeof(line)))
		return false;
	if (sscanf(line, "%63s %u %15s", program->name, &program->seconds, modules) != 3)
		return false;
	program->load_modules = strcmp(modules, "none");
	return true;
}
