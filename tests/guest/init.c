// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of a test guest: prepares the system, loads the modules under test through
 * libkmod, runs one test program, takes everything down again and ends the guest.
 *
 * The program's standard output is the TAP channel (the second serial port), its standard error
 * goes there as TAP comments. What this process itself has to say there are lines that begin with
 * "#guest ", which scripts/tap-collect reads:
 *	#guest loaded			the modules are in, the program starts
 *	#guest exited STATUS		how the program ended
 *	#guest killed SIGNAL
 *	#guest unloaded			the modules are out
 *	#guest error TEXT		something of the above went wrong
 *	#guest end			nothing follows; without it the guest died
 *
 * On the kernel command line: faultq.test=NAME, faultq.tap=DEVICE, faultq.lane=LANE,
 * faultq.scale=quick|soak, faultq.modules=none (load no modules). Leaks that kmemleak finds go to
 * the kernel log.
 *
 * One thread beside the main one: it relays standard error. It owns nothing but its pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
/* kmemleak does not report what is younger than five seconds. */
#define KMEMLEAK_AGE	6000000

/* What the kernel command line asks for. */
static struct {
	char test[64];
	char tap[32];
	char lane[32];
	char scale[16];
	bool load_modules;
} config = { .load_modules = true };

/* In the order of loading. */
static const char *const modules[] = { "iommu_faultq", "mock_iommu" };

static FILE *tap;

static void __attribute__((format(printf, 1, 2))) report(const char *format, ...)
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

static void mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) && errno != EBUSY)
		fprintf(stderr, "init: cannot mount %s at %s: %m\n", type, where);
}

static void mount_all(void)
{
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("devtmpfs", "/dev");
	mount_at("debugfs", "/sys/kernel/debug");
	mount_at("tracefs", "/sys/kernel/tracing");
	mount_at("cgroup2", "/sys/fs/cgroup");
	mount_at("tmpfs", "/tmp");
	mount_at("tmpfs", "/run");
	mount_at("tmpfs", "/dev/shm");
}

static void set_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		fprintf(stderr, "init: no loopback interface: %m\n");
	close(fd);
}

static bool take_option(const char *word, const char *name, char *value, size_t size)
{
	size_t length = strlen(name);

	if (strncmp(word, name, length) || word[length] != '=')
		return false;
	snprintf(value, size, "%s", word + length + 1);
	return true;
}

static void take_word(const char *word)
{
	char value[16];

	if (take_option(word, "faultq.test", config.test, sizeof(config.test)) ||
	    take_option(word, "faultq.tap", config.tap, sizeof(config.tap)) ||
	    take_option(word, "faultq.lane", config.lane, sizeof(config.lane)) ||
	    take_option(word, "faultq.scale", config.scale, sizeof(config.scale)))
		return;
	if (take_option(word, "faultq.modules", value, sizeof(value)))
		config.load_modules = strcmp(value, "none");
}

static void read_command_line(void)
{
	char line[4096], *word, *rest = line;
	FILE *file = fopen("/proc/cmdline", "re");

	if (!file || !fgets(line, sizeof(line), file))
		return;
	fclose(file);
	while ((word = strsep(&rest, "\n ")))
		take_word(word);
}

static int open_tap(void)
{
	struct termios raw;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", config.tap);
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
	return 0;
}

static int load_module(struct kmod_ctx *ctx, const char *name)
{
	struct kmod_module *module = NULL;
	int err = kmod_module_new_from_name(ctx, name, &module);

	if (!err)
		err = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL, NULL);
	if (err)
		report("error cannot load %s: %s", name, strerror(abs(err)));
	kmod_module_unref(module);
	return err;
}

static int load_modules(struct kmod_ctx *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		int err = load_module(ctx, modules[i]);

		if (err)
			return err;
	}
	return 0;
}

/* A test may have removed the module, or never have loaded it. */
static int unload_module(struct kmod_ctx *ctx, const char *name)
{
	struct kmod_module *module = NULL;
	int err = kmod_module_new_from_name(ctx, name, &module);

	if (!err && kmod_module_get_initstate(module) >= 0)
		err = kmod_module_remove_module(module, 0);
	if (err)
		report("error cannot unload %s: %s", name, strerror(abs(err)));
	kmod_module_unref(module);
	return err;
}

static void unload_modules(struct kmod_ctx *ctx)
{
	int err = 0;

	for (size_t i = ARRAY_SIZE(modules); i-- > 0;)
		err |= unload_module(ctx, modules[i]);
	if (!err)
		report("unloaded");
}

/* Copies standard error, line by line, to the TAP channel. */
static void *relay(void *pipe)
{
	FILE *from = fdopen((int)(long)pipe, "re");
	char *line = NULL;
	size_t size = 0;

	while (from && getline(&line, &size, from) > 0) {
		line[strcspn(line, "\n")] = '\0';
		fprintf(tap, "# %s\n", line);
	}
	free(line);
	if (from)
		fclose(from);
	return NULL;
}

static void set_environment(void)
{
	clearenv();
	setenv("PATH", "/usr/bin:/bin:/sbin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("TERM", "dumb", 1);
	setenv("FAULTQ_SCALE", config.scale, 1);
	setenv("FAULTQ_LANE", config.lane, 1);
}

static void __attribute__((noreturn)) become_test(int errors)
{
	char program[80], script[80];

	snprintf(program, sizeof(program), "/tests/%s", config.test);
	snprintf(script, sizeof(script), "/tests/%s.sh", config.test);
	setsid();
	dup2(fileno(tap), STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	if (chdir("/tmp"))
		perror("/tmp");
	if (access(script, R_OK))
		execl(program, program, NULL);
	else
		execl("/bin/sh", "sh", script, NULL);
	perror(program);
	_exit(127);
}

static void report_status(int status)
{
	if (WIFSIGNALED(status))
		report("killed %d", WTERMSIG(status));
	else
		report("exited %d", WEXITSTATUS(status));
}

/* The first process inherits orphans: reap them all while waiting. */
static void wait_for(pid_t child)
{
	int status;
	pid_t pid;

	do {
		pid = wait(&status);
	} while (pid != child && (pid > 0 || errno == EINTR));
	if (pid == child)
		report_status(status);
	else
		report("error lost the test program: %s", strerror(errno));
}

static void kill_leftovers(void)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static void run_test(void)
{
	pthread_t thread;
	int pipe[2];
	pid_t child;

	if (pipe2(pipe, O_CLOEXEC) || pthread_create(&thread, NULL, relay, (void *)(long)pipe[0])) {
		report("error cannot relay standard error: %s", strerror(errno));
		return;
	}
	child = fork();
	if (!child)
		become_test(pipe[1]);
	close(pipe[1]);
	wait_for(child);
	kill_leftovers();
	pthread_join(thread, NULL);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "init: cannot write %s to %s: %m\n", text, path);
	close(fd);
}

static void copy_to_kernel_log(const char *path)
{
	FILE *from = fopen(path, "re"), *to = fopen("/dev/kmsg", "we");
	char line[512];

	while (from && to && fgets(line, sizeof(line), from)) {
		fputs(line, to);
		fflush(to);
	}
	if (from)
		fclose(from);
	if (to)
		fclose(to);
}

static long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A leak is what two scans find unchanged and without a reference, and old enough at the second. */
static void look_for_leaks(void)
{
	long rest = microseconds() + KMEMLEAK_AGE;

	if (access(KMEMLEAK, W_OK))
		return;
	write_text(KMEMLEAK, "scan");
	rest -= microseconds();
	if (rest > 0)
		usleep(rest);
	write_text(KMEMLEAK, "scan");
	copy_to_kernel_log(KMEMLEAK);
}

static void test_with_modules(void)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);

	if (!ctx) {
		report("error no libkmod context: %s", strerror(errno));
		return;
	}
	if (load_module(ctx, "configfs"))
		return;
	mount_at("configfs", "/sys/kernel/config");
	if (!config.load_modules || !load_modules(ctx)) {
		report("loaded");
		run_test();
	}
	unload_modules(ctx);
	kmod_unref(ctx);
}

/* A reset, not a power-off: QEMU runs with -no-reboot, and every kernel and machine can reset. */
static void __attribute__((noreturn)) end_guest(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	_exit(1);
}

int main(void)
{
	mount_all();
	set_loopback_up();
	read_command_line();
	set_environment();
	if (open_tap()) {
		fprintf(stderr, "init: no TAP channel '%s': %m\n", config.tap);
		end_guest();
	}
	test_with_modules();
	look_for_leaks();
	report("end");
	tcdrain(fileno(tap));
	end_guest();
}
