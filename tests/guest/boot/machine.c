// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's file systems, and its state from one program to the next: machine_note() remembers
 * it, machine_restore() brings back, when no process of a program is left, what programs are free
 * to change, and reports what it cannot bring back or what no program may leave changed:
 *
 *	files in /tmp, /run, /dev/shm	brought back (empty)
 *	memory cgroups			brought back (none)
 *	the settings below		brought back
 *	kernel modules			brought back (those that came are unloaded)
 *	PCI devices and their drivers	reported
 *
 * What init does not change (environment, limits, working directory, signals) each program gets
 * fresh with its process. There is one thread, and the memory of the state is kept here.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libkmod.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "machine.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define CGROUPS		"/sys/fs/cgroup"
#define DEBUGFS		"/sys/kernel/debug"
#define PCI_DEVICES	"/sys/bus/pci/devices"

static const char *const scratch[] = { "/tmp", "/run", "/dev/shm" };

/* Settings of the kernel that programs change, with their values at the beginning. */
static struct setting {
	const char *path;
	char value[64];
} settings[] = {
	{ .path = "/proc/sys/vm/nr_hugepages" },
	{ .path = DEBUGFS "/failslab/ignore-gfp-wait" },
	{ .path = DEBUGFS "/failslab/verbose" },
	{ .path = DEBUGFS "/fail_page_alloc/ignore-gfp-wait" },
	{ .path = DEBUGFS "/fail_page_alloc/ignore-gfp-highmem" },
	{ .path = DEBUGFS "/fail_page_alloc/min-order" },
	{ .path = DEBUGFS "/fail_page_alloc/verbose" },
	{ .path = DEBUGFS "/fail_usercopy/verbose" },
};

/* Names, each between two spaces. */
static char *modules_before, *devices_before;

/**
 * mount_at() - mount a file system that needs no device
 * @type: of it
 * @where: directory, which is made if need be
 */
void mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) && errno != EBUSY)
		fprintf(stderr, "init: cannot mount %s at %s: %m\n", type, where);
}

/**
 * write_text() - write a file of the kernel's
 * @path: of it
 * @text: for a single write()
 *
 * Return: 0, or -1 with errno.
 */
int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

static bool read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	bool done = file && fgets(text, size, file);

	if (file)
		fclose(file);
	if (done)
		text[strcspn(text, "\n")] = '\0';
	return done;
}

static void set_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		fprintf(stderr, "init: no loopback interface: %m\n");
	close(fd);
}

/* As on a host: a kernel with as little memory as a guest has switches them off. */
static void set_huge_pages(void)
{
	if (write_text("/sys/kernel/mm/transparent_hugepage/enabled", "always"))
		fprintf(stderr, "init: no transparent huge pages: %m\n");
}

/**
 * machine_prepare() - mount what programs expect, and make the kernel as a host's: the loopback
 * interface is up, huge pages are used
 */
void machine_prepare(void)
{
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("devtmpfs", "/dev");
	mount_at("debugfs", DEBUGFS);
	mount_at("tracefs", "/sys/kernel/tracing");
	mount_at("cgroup2", CGROUPS);
	for (size_t i = 0; i < ARRAY_SIZE(scratch); i++)
		mount_at("tmpfs", scratch[i]);
	set_loopback_up();
	set_huge_pages();
}

static void empty_scratch(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(scratch); i++) {
		if (umount2(scratch[i], 0))
			report("changed %s cannot be emptied: %s", scratch[i], strerror(errno));
		else
			mount_at("tmpfs", scratch[i]);
	}
}

/* The directories below a cgroup are cgroups; the files cannot be removed and need not. */
static int remove_cgroup(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	if (type == FTW_DP && ftw->level > 0 && rmdir(path))
		report("changed cgroup %s is left: %s", path, strerror(errno));
	return 0;
}

static void remove_cgroups(void)
{
	nftw(CGROUPS, remove_cgroup, 8, FTW_DEPTH | FTW_PHYS);
	/* where no controller was switched on, there is none to switch off */
	write_text(CGROUPS "/cgroup.subtree_control", "-memory");
}

static void note_settings(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		read_text(settings[i].path, settings[i].value, sizeof(settings[i].value));
}

static void restore_settings(void)
{
	for (struct setting *s = settings; s < settings + ARRAY_SIZE(settings); s++) {
		char now[sizeof(s->value)];

		if (!read_text(s->path, now, sizeof(now)) || !strcmp(now, s->value))
			continue;
		if (write_text(s->path, s->value))
			report("changed %s is %s, not %s", s->path, now, s->value);
	}
}

static bool is_among(const char *names, const char *name)
{
	char word[80];

	snprintf(word, sizeof(word), " %s ", name);
	return strstr(names, word);
}

static char *loaded_modules(struct kmod_ctx *ctx)
{
	struct kmod_list *list = NULL, *entry;
	char *names = NULL;
	size_t size;
	FILE *out = open_memstream(&names, &size);

	kmod_module_new_from_loaded(ctx, &list);
	fputc(' ', out);
	kmod_list_foreach(entry, list) {
		struct kmod_module *module = kmod_module_get_module(entry);

		fprintf(out, "%s ", kmod_module_get_name(module));
		kmod_module_unref(module);
	}
	kmod_module_unref_list(list);
	fclose(out);
	return names;
}

/* The kernel names the newest first: one that others need comes after these. */
static void unload_what_came(struct kmod_ctx *ctx)
{
	struct kmod_list *list = NULL, *entry;

	kmod_module_new_from_loaded(ctx, &list);
	kmod_list_foreach(entry, list) {
		struct kmod_module *module = kmod_module_get_module(entry);
		const char *name = kmod_module_get_name(module);

		int err = 0;

		if (!is_among(modules_before, name))
			err = kmod_module_remove_module(module, 0);
		if (err)
			report("changed module %s is left: %s", name, strerror(-err));
		kmod_module_unref(module);
	}
	kmod_module_unref_list(list);
}

static void print_driver(FILE *out, const char *device)
{
	char path[320], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", device);
	length = readlink(path, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		fprintf(out, ":%s", strrchr(target, '/') + 1);
	}
}

/* Sorted, so that two lists of the same are the same. */
static char *pci_devices(void)
{
	struct dirent **entries = NULL;
	char *names = NULL;
	size_t size;
	FILE *out = open_memstream(&names, &size);
	int count = scandir(PCI_DEVICES, &entries, NULL, alphasort);

	fputc(' ', out);
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.') {
			fputs(entries[i]->d_name, out);
			print_driver(out, entries[i]->d_name);
			fputc(' ', out);
		}
		free(entries[i]);
	}
	free(entries);
	fclose(out);
	return names;
}

static void compare_devices(void)
{
	char *now = pci_devices();

	if (strcmp(now, devices_before))
		report("changed the PCI devices were%sand are%s", devices_before, now);
	free(now);
}

/**
 * machine_note() - remember the state to which machine_restore() goes back
 * @ctx: libkmod's context
 */
void machine_note(struct kmod_ctx *ctx)
{
	note_settings();
	modules_before = loaded_modules(ctx);
	devices_before = pci_devices();
}

/**
 * machine_restore() - go back to the state of machine_note(), as far as it goes
 * @ctx: libkmod's context
 */
void machine_restore(struct kmod_ctx *ctx)
{
	empty_scratch();
	remove_cgroups();
	restore_settings();
	unload_what_came(ctx);
	compare_devices();
}
