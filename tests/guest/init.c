// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of a test guest: prepares the system, and runs test programs, one at a time:
 * loads the modules under test through libkmod, runs the program, takes everything down again.
 * Which, the host tells it through the TAP channel: init says it is ready, and gets a line
 * "NAME SECONDS MODULES" (MODULES is `all` or `none`: load none of the modules under test), or an
 * empty line, on which it ends the guest. It kills a program that takes longer than SECONDS.
 *
 * The program's standard output is the TAP channel, its standard error goes there as TAP
 * comments. What this process itself has to say there are lines that begin with "#guest ", which
 * scripts/guest-run and scripts/tap-collect read:
 *	#guest alive			every ten seconds, from a thread of its own
 *	#guest ready			wants to hear of the next program
 *	#guest loaded			the modules are in, the program starts
 *	#guest exited STATUS		how the program ended
 *	#guest killed SIGNAL
 *	#guest timeout SECONDS		it did not, and is killed
 *	#guest unloaded			the modules are out
 *	#guest changed TEXT		what the program left behind, see boot/machine.c
 *	#guest error TEXT		something of the above went wrong
 *	#guest end			nothing follows of this program
 * The kernel's log has a mark where a program starts and one where it is over.
 *
 * On the kernel command line: faultq.tap=DEVICE, faultq.lane=LANE, faultq.scale=quick|soak;
 * faultq.patience=SECONDS, where the guest's clock is not the host's and nothing is to run beside
 * the program; and faultq.test=NAME, which is the only program then, without a word from the host.
 *
 * Two threads beside the main one: one relays standard error, and owns nothing but its pipe; the
 * other says that timers work, whatever the main thread waits for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "boot/channel.h"
#include "boot/kernel_log.h"
#include "boot/machine.h"
#include "boot/tasks.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define HUNG_TASK	"/proc/sys/kernel/hung_task_timeout_secs"
#define HUNG_TASK_MAX	120
#define HEARTBEAT	10	/* seconds */

/* What the kernel command line asks for. */
static struct {
	char test[64];
	char tap[32];
	char lane[32];
	char scale[16];
	char patience[16];
} config;

/* In the order of loading. */
static const char *const modules[] = { "iommu_faultq", "mock_iommu" };

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
	if (!take_option(word, "faultq.test", config.test, sizeof(config.test)) &&
	    !take_option(word, "faultq.tap", config.tap, sizeof(config.tap)) &&
	    !take_option(word, "faultq.lane", config.lane, sizeof(config.lane)) &&
	    !take_option(word, "faultq.patience", config.patience, sizeof(config.patience)))
		take_option(word, "faultq.scale", config.scale, sizeof(config.scale));
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

static int unload_modules(struct kmod_ctx *ctx)
{
	int err = 0;

	for (size_t i = ARRAY_SIZE(modules); i-- > 0;)
		err |= unload_module(ctx, modules[i]);
	if (!err)
		report("unloaded");
	return err;
}

/* Copies standard error, line by line, to the TAP channel. */
static void *relay(void *pipe)
{
	FILE *from = fdopen((int)(long)pipe, "re");
	char *line = NULL;
	size_t size = 0;

	while (from && getline(&line, &size, from) > 0) {
		line[strcspn(line, "\n")] = '\0';
		channel_comment(line);
	}
	free(line);
	if (from)
		fclose(from);
	return NULL;
}

static void *beat(void *nothing)
{
	while (true) {
		report("alive");
		sleep(HEARTBEAT);
	}
	return nothing;
}

static void start_heartbeat(void)
{
	pthread_t thread;

	if (!config.patience[0] && pthread_create(&thread, NULL, beat, NULL))
		report("error no heartbeat: %s", strerror(errno));
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

static void set_descriptors(int errors)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(nothing, STDIN_FILENO);
	dup2(channel_fd(), STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
}

static void __attribute__((noreturn)) become_test(const char *name, int errors)
{
	char program[80], script[80];
	sigset_t none;

	snprintf(program, sizeof(program), "/tests/%s", name);
	snprintf(script, sizeof(script), "/tests/%s.sh", name);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	set_descriptors(errors);
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

/* The first process inherits orphans: reap all that have ended. Returns whether @child has. */
static bool reap(pid_t child, int *status)
{
	pid_t pid;

	do {
		pid = waitpid(-1, status, WNOHANG);
	} while (pid > 0 && pid != child);
	return pid == child;
}

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* SIGCHLD is blocked, and wakes from here. One that cannot be killed is the host's business. */
static void wait_for(pid_t child, unsigned int seconds)
{
	const struct timespec pause = { .tv_sec = 1 };
	time_t end = now() + seconds;
	bool killed = false;
	sigset_t ended;
	int status;

	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	while (!reap(child, &status)) {
		sigtimedwait(&ended, NULL, &pause);
		if (!killed && now() >= end) {
			report("timeout %u", seconds);
			report_tasks();
			kill(-1, SIGKILL);
			killed = true;
		}
	}
	report_status(status);
}

static void kill_leftovers(void)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static void run(const struct program *test)
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
		become_test(test->name, pipe[1]);
	close(pipe[1]);
	if (child > 0)
		wait_for(child, test->seconds);
	else
		report("error cannot start the program: %s", strerror(errno));
	kill_leftovers();
	pthread_join(thread, NULL);
}

/* A task that hangs is reported before the program's time is over. */
static void set_hung_task_timeout(unsigned int seconds)
{
	char text[16];

	seconds /= 3;
	snprintf(text, sizeof(text), "%u", seconds < HUNG_TASK_MAX ? seconds : HUNG_TASK_MAX);
	/* no such file: the kernel does not look for such tasks */
	write_text(HUNG_TASK, text);
}

static void run_test(struct kmod_ctx *ctx, const struct program *test)
{
	log_mark(test->name, "starts");
	set_hung_task_timeout(test->seconds);
	if (!test->load_modules || !load_modules(ctx)) {
		report("loaded");
		run(test);
	}
	/* while a module is in use, other things are as well */
	if (!unload_modules(ctx))
		machine_restore(ctx);
	look_for_leaks();
	report("end");
	log_mark(test->name, "is over");
}

static void run_tests(void)
{
	struct program test = { .seconds = 24 * 60 * 60, .load_modules = true };
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);

	if (!ctx || load_module(ctx, "configfs")) {
		report("error no libkmod, or no configfs: %s", strerror(errno));
		return;
	}
	mount_at("configfs", "/sys/kernel/config");
	machine_note(ctx);
	snprintf(test.name, sizeof(test.name), "%s", config.test);
	if (test.name[0])
		run_test(ctx, &test);
	else
		while (channel_next(&test))
			run_test(ctx, &test);
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
	sigset_t ended;

	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ended, NULL);
	machine_prepare();
	read_command_line();
	set_environment();
	if (channel_open(config.tap, config.patience[0] ? atoi(config.patience) : 600)) {
		fprintf(stderr, "init: no TAP channel '%s': %m\n", config.tap);
		end_guest();
	}
	start_heartbeat();
	run_tests();
	channel_close();
	end_guest();
}
