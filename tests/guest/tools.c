// SPDX-License-Identifier: GPL-2.0-only
/*
 * The faultq command on quotas: stats, limits, top, and a pager that takes over. What it prints
 * is compared with what the test has done; JSON is read with json-c's own reader by the command
 * itself (limits), else searched for words.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/pci.h"
#include "support/quota.h"

#define IOVA		0x1000000UL
#define PAGES		8
#define OUTPUT		65536
#define MEMORY		"/dev/shm/tools.mem"

static char output[OUTPUT];

/* Runs a command line, standard error with the rest; returns its exit status. */
static int run(const char *format, ...)
{
	char command[512];
	size_t length = 0, got;
	va_list args;
	FILE *pipe;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	while ((got = fread(output + length, 1, OUTPUT - 1 - length, pipe)))
		length += got;
	output[length] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_printed(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!strstr(output, text))
		fail_msg("'%s' is not in:\n%s", text, output);
}

static void assert_not_printed(const char *text)
{
	if (strstr(output, text))
		fail_msg("'%s' is in:\n%s", text, output);
}

static void ask(struct rig *rig, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		inject_group(&rig->device, i, IOVA);
}

static void stats_show_every_vm(void **state)
{
	struct rig *rig = *state;

	ask(rig, 3);
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_SUCCESS), 0);
	assert_int_equal(run("faultq stats 2>&1"), 0);
	assert_printed("opened by process %d (tools)", getpid());
	assert_printed("groups waiting for an answer     2\n");
	assert_printed("groups queued                    3\n");
	assert_printed("answered within ");
	assert_printed("device %u: platform/mock-rig-dev at mock-rig, 2 groups waiting, page "
		       "requests are on", rig->id);
	assert_printed("IOMMU instance mock-rig: depth 256, pool 128 (0 in use), guarantee 8");
}

static void stats_as_json_and_by_descriptor(void **state)
{
	struct rig *rig = *state;

	ask(rig, 2);
	assert_int_equal(run("faultq stats --json 2>&1"), 0);
	assert_printed("\"command\":\"tools\"");
	assert_printed("\"outstanding\":2");
	assert_printed("\"terminated_over_instance\":0");
	assert_printed("\"name\":\"platform/mock-rig-dev\"");
	assert_printed("\"instances\":[{\"name\":\"mock-rig\",\"depth\":256");
	assert_printed("\"held\":[]");

	fcntl(faultq_fd(rig->fq), F_SETFD, 0);
	assert_int_equal(run("faultq stats --json --fd %d --device %u 2>&1", faultq_fd(rig->fq),
			     rig->id), 0);
	assert_printed("{\"state\":\"on\"");
	assert_int_equal(run("faultq stats --fd %d --device 77 2>&1", faultq_fd(rig->fq)), 1);
	assert_printed("there is no such device");
	assert_int_equal(run("faultq stats --vm 999999 2>&1"), 1);
	assert_printed("there is no such VM");
	assert_int_equal(run("faultq stats --device 1 2>&1"), 2);
	assert_int_equal(run("faultq stats --prometheus --json 2>&1"), 2);
}

/* Each metric is announced before its samples, and each line is one of three kinds. */
static void assert_prometheus_text(void)
{
	char announced[128] = "", name[128];
	char *rest = output, *line;

	while ((line = strsep(&rest, "\n")) && rest) {
		if (sscanf(line, "# TYPE %127s", announced) == 1 || !strncmp(line, "# HELP ", 7))
			continue;
		if (sscanf(line, "%127[a-z_]{", name) != 1)
			fail_msg("no sample: %s", line);
		assert_int_equal(strncmp(name, announced, strlen(announced)), 0);
		assert_non_null(strstr(line, "} "));
	}
}

static void stats_for_prometheus(void **state)
{
	struct rig *rig = *state;
	char label[64];

	ask(rig, 2);
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_SUCCESS), 0);
	assert_int_equal(run("faultq stats --prometheus 2>&1"), 0);
	snprintf(label, sizeof(label), "pid=\"%d\",command=\"tools\"} ", getpid());
	assert_printed("# TYPE faultq_groups_total counter\nfaultq_groups_total{vm=\"");
	assert_printed("%s2\n", label);
	assert_printed("# TYPE faultq_answer_latency_seconds histogram");
	assert_printed("le=\"+Inf\"} 1\n");
	assert_printed("faultq_answer_latency_seconds_count{");
	assert_printed("name=\"platform/mock-rig-dev\",instance=\"mock-rig\"} 1\n");
	assert_printed("faultq_instance_pool{instance=\"mock-rig\"} 128\n");
	assert_prometheus_text();
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void limits_are_applied_from_a_file(void **state)
{
	struct rig *rig = *state;

	/* the defaults do not change while somebody has a guarantee by them */
	vm_detach(rig->fq, rig->id);
	write_file("/tmp/limits", "{ \"default\": { \"max_vm\": 100 },\n"
		   "  \"mock-x\": { \"depth\": 64, \"pool\": 32, \"guarantee\": 4 } }\n");
	assert_int_equal(run("faultq limits --check /tmp/limits 2>&1"), 0);
	assert_int_equal(share_of("x").own, 0);
	assert_int_equal(run("faultq limits --apply /tmp/limits 2>&1"), 0);
	assert_int_equal(share_of("x").depth, 64);
	assert_int_equal(share_of("x").guarantee, 4);
	assert_int_equal(run("faultq limits 2>&1"), 0);
	assert_printed("default                 256    128          8         100        none");
	assert_printed("mock-x                   64     32          4");

	/* what it prints it takes */
	assert_int_equal(run("faultq limits --json 2>&1 | tee /tmp/limits"), 0);
	assert_printed("\"mock-x\":{\"depth\":64,\"pool\":32,\"guarantee\":4");
	assert_int_equal(run("faultq limits --apply /tmp/limits 2>&1"), 0);
	write_file("/tmp/limits", "{ \"default\": { \"max_vm\": 0 } }");
	assert_int_equal(run("faultq limits --apply /tmp/limits 2>&1"), 0);
	rig->id = vm_attach(rig->fq, &rig->device);
}

static void bad_limits_are_told_and_nothing_is_set(void **state)
{
	static const struct {
		const char *text, *told;
	} bad[] = {
		{ "{ \"x\": ", "/tmp/limits" },
		{ "[]", "is no object" },
		{ "{ \"x\": 5 }", "x is no object" },
		{ "{ \"x\": { \"dept\": 5 } }", "there is no setting 'dept'" },
		{ "{ \"x\": { \"depth\": -1 } }", "depth is no number" },
		{ "{ \"x\": { \"depth\": \"5\" } }", "depth is no number" },
		{ "{ \"x\": { \"depth\": 0 } }", "depth is out of range" },
		{ "{ \"x\": { \"pool\": 256 } }", "the pool leaves nothing" },
		{ "{ \"x\": { \"guarantee\": 129 } }", "the guarantee does not fit" },
		{ "{ \"x\": { \"max_vm\": 1 } }", "in \"default\" only" },
	};
	struct rig *rig = *state;
	struct faultq_share share;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		write_file("/tmp/limits", bad[i].text);
		assert_int_equal(run("faultq limits --apply /tmp/limits 2>&1"), 1);
		assert_printed("%s", bad[i].told);
	}
	assert_int_equal(faultq_share(rig->fq, "x", &share), 0);
	assert_int_equal(share.own, 0);
	write_file("/tmp/limits", "{ \"mock-rig\": { \"depth\": 300 } }");
	assert_int_equal(run("faultq limits --apply /tmp/limits 2>&1"), 1);
	assert_printed("VMs have their guarantees there");
	assert_int_equal(run("faultq limits --apply /tmp/there-is-none 2>&1"), 1);
	assert_int_equal(run("faultq limits --apply 2>&1"), 2);
}

static void top_shows_vms_devices_and_instances(void **state)
{
	struct rig *rig = *state;

	ask(rig, 20);
	assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_SUCCESS), 0);
	assert_int_equal(run("faultq top --batch --delay 1 --count 2 2>&1"), 0);
	assert_printed("1 VMs, 1 devices, 19 groups waiting");
	assert_printed("pool [##..................] 11 of 128, depth 256, 1 VMs with 8 each");
	assert_printed("%-8d tools", getpid());
	assert_printed("19/64");
	assert_printed("platform/mock-rig-dev");
	assert_printed("mock-rig, on");
	assert_printed("answers by the time they took\n  < ");
	assert_printed("[####################] 1\n");
}

/* At a terminal, until somebody presses q. */
static void top_ends_at_a_key(void **state)
{
	struct rig *rig = *state;
	int terminal, status;
	size_t length = 0;
	ssize_t got;
	pid_t child;

	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=0666");
	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		skip_because("the kernel has no pseudo-terminals");
	assert_int_equal(grantpt(terminal) | unlockpt(terminal), 0);
	ask(rig, 1);
	child = fork();
	if (!child) {
		int slave = open(ptsname(terminal), O_RDWR);

		for (int i = 0; i < 3; i++)
			must(dup2(slave, i) == i);
		must(!setenv("TERM", "linux", 1) && !setenv("LINES", "24", 1) &&
		     !setenv("COLUMNS", "120", 1));
		execlp("faultq", "faultq", "top", "--delay", "100000", NULL);
		_exit(127);
	}
	do {
		got = read(terminal, output + length, OUTPUT - 1 - length);
		assert_true(got > 0);
		length += got;
		output[length] = '\0';
	} while (!strstr(output, "mock-rig, on"));
	assert_printed("1 groups waiting");
	assert_int_equal(write(terminal, "sq", 2), 2);
	while (read(terminal, output, OUTPUT) > 0)
		;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	close(terminal);
}

/* A pager that is killed in the middle of DMA, and one that is started in its place. */

static pid_t start_pager(struct faultq *fq, const char *option)
{
	char fd[16], base[24], ready[16], byte[8];
	int pipes[2];
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (!child) {
		int null = open("/dev/null", O_WRONLY);

		snprintf(fd, sizeof(fd), "--fd=%d", dup(faultq_fd(fq)));
		snprintf(base, sizeof(base), "--base=%#lx", IOVA);
		snprintf(ready, sizeof(ready), "%d", pipes[1]);
		dup2(null, STDOUT_FILENO);
		execlp("faultq", "faultq", "pager", fd, base, "--ready-fd", ready, "--size=32K",
		       option, NULL);
		_exit(127);
	}
	close(pipes[1]);
	assert_true(read(pipes[0], byte, sizeof(byte)) > 0);
	close(pipes[0]);
	return child;
}

static void end_pager(pid_t child, int signal)
{
	int status;

	assert_int_equal(kill(child, signal), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (signal == SIGKILL)
		assert_true(WIFSIGNALED(status));
	else
		assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void a_killed_pager_is_followed_by_another(void **state)
{
	unsigned long rounds = scaled(10, 300);
	struct rig *rig = *state;
	char data[PAGES * PAGE];
	struct faultq *fq;
	uint32_t id;
	pid_t child;
	char *memory;

	vm_detach(rig->fq, rig->id);
	fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
	id = vm_attach(fq, &rig->device);
	child = start_pager(fq, "--memory=" MEMORY);
	memory = mmap(NULL, sizeof(data), PROT_READ, MAP_SHARED, open(MEMORY, O_RDONLY | O_CLOEXEC),
		      0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	for (unsigned long i = 0; i < rounds; i++) {
		int tag;

		pages_fill(data, sizeof(data), i);
		tag = dma_start(&rig->device, MOCK_IOMMU_WRITE, IOVA, data, sizeof(data));
		end_pager(child, SIGKILL);
		child = start_pager(fq, "--memory=" MEMORY);
		assert_int_equal(dma_wait(&rig->device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
		assert_pages_filled(memory, sizeof(data), i);
		assert_int_equal(faultq_unmap(fq, 0, ~0ULL, NULL), 0);
		/* its own idea of what is mapped is wrong now: the next one starts anew */
		end_pager(child, SIGTERM);
		child = start_pager(fq, "--memory=" MEMORY);
	}
	end_pager(child, SIGTERM);
	munmap(memory, sizeof(data));
	unlink(MEMORY);
	vm_detach(fq, id);
	faultq_close(fq);
	rig->id = vm_attach(rig->fq, &rig->device);
}

/* What was taken off the queue and not answered, the next pager answers. */
static void a_pager_answers_what_another_has_consumed(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_response answer;
	pid_t child;

	ask(rig, 3);
	for (unsigned int i = 0; i < 3; i++)
		take_cookie(rig->fq);
	child = start_pager(rig->fq, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(mock_response(rig->device.fd, 0, &answer), 0);
		assert_int_equal(answer.group, i);
		assert_int_equal(answer.code, FAULTQ_SUCCESS);
	}
	end_pager(child, SIGTERM);
}

/* There is no page that can be executed and not read. */
static void a_pager_that_gives_what_is_asked_for_lets_execute(void **state)
{
	struct rig *rig = *state;
	struct mock_iommu_response answer;
	pid_t child = start_pager(rig->fq, "--as-asked");

	assert_int_equal(mock_page_request(rig->device.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_EXEC, 1, 0,
					   IOVA), 1);
	assert_int_equal(mock_response(rig->device.fd, 0, &answer), 0);
	assert_int_equal(answer.code, FAULTQ_SUCCESS);
	end_pager(child, SIGTERM);
}

static void monitor_prints_events(void **state)
{
	const struct faultq_limits limits = { .max_outstanding = 1 };
	struct rig *rig = *state;

	assert_int_equal(faultq_set_limits(rig->fq, &limits), 0);
	ask(rig, 3);
	fcntl(faultq_fd(rig->fq), F_SETFD, 0);
	assert_int_equal(run("faultq monitor --fd %d --json --count 3 2>&1",
			     faultq_fd(rig->fq)), 0);
	assert_printed("\"type\":\"over-quota\"");
	assert_printed("\"reason\":\"vm-limit\"");
	assert_printed("\"name\":\"platform/mock-rig-dev\"");
	assert_not_printed("unknown");
}

static void show_prints_the_address_space(void **state)
{
	struct rig *rig = *state;
	char *memory = pages_new(4);
	uint32_t id;

	assert_int_equal(faultq_window_add(rig->fq, IOVA + 16 * PAGE, 16 * PAGE, FAULTQ_WINDOW_MSI,
					   FAULTQ_MAP_WRITE, &id), 0);
	assert_int_equal(faultq_map(rig->fq, IOVA, memory, 4 * PAGE, FAULTQ_MAP_READ), 0);
	assert_int_equal(run("faultq show 2>&1"), 0);
	assert_printed("  0x0000000000000000-0x0000000000ffffff  free     16 MiB\n");
	assert_printed("  0x0000000001000000-0x0000000001003fff  mapped   16 KiB, r, of %p\n",
		       (void *)memory);
	assert_printed("  0x0000000001004000-0x000000000100ffff  free     48 KiB\n");
	assert_printed("  0x0000000001010000-0x000000000101ffff  window   64 KiB, msi, id %u, w\n",
		       id);
	assert_printed("  0x0000000001020000-0x0000ffffffffffff  free ");

	fcntl(faultq_fd(rig->fq), F_SETFD, 0);
	assert_int_equal(run("faultq show --json --fd %d 2>&1", faultq_fd(rig->fq)), 0);
	assert_printed("{\"mappings\":[{\"iova\":\"0x1000000\",\"length\":\"0x4000\"");
	assert_printed("\"type\":\"msi\",\"access\":\"w\",\"id\":%u,\"groups\":0", id);
	assert_printed("\"doorbells\":[]");
	assert_printed("\"holes\":[{\"first\":\"0x0\",\"last\":\"0xffffff\"}");
	assert_int_equal(run("faultq show --vm 999999 2>&1"), 1);
	assert_printed("there is no such VM");
	assert_int_equal(faultq_unmap(rig->fq, 0, ~0ULL, NULL), 0);
	pages_free(memory, 4);
}

static void mmio_is_shown_and_its_events(void **state)
{
	struct rig *rig = *state;
	struct pci edu;
	uint64_t id;

	assert_true(pci_find(&edu, PCI_EDU, NULL));
	pci_open(&edu);
	assert_int_equal(faultq_map_mmio(rig->fq, IOVA, edu.registers, PAGE,
					 FAULTQ_MAP_READ | FAULTQ_MAP_PARTLY_WATCHED, &id), 0);
	fcntl(faultq_fd(rig->fq), F_SETFD, 0);
	assert_int_equal(run("faultq show --fd %d 2>&1", faultq_fd(rig->fq)), 0);
	assert_printed(" mapped   4 KiB, r, of %p, MMIO %lu\n", (void *)edu.registers, (long)id);
	pci_close(&edu);
	assert_int_equal(run("faultq show --fd %d 2>&1", faultq_fd(rig->fq)), 0);
	assert_printed(", MMIO %lu, revoked: unmapped\n", (long)id);
	assert_int_equal(run("faultq show --json --fd %d 2>&1", faultq_fd(rig->fq)), 0);
	assert_printed("\"access\":\"r\",\"mmio\":%lu,\"revoked\":\"unmapped\",\"scratch\":false}",
		       (long)id);
	assert_int_equal(run("faultq monitor --fd %d --json --count 1 2>&1",
			     faultq_fd(rig->fq)), 0);
	assert_printed("\"type\":\"mmio-revoked\"");
	assert_printed("\"address\":\"0x1000000\",\"reason\":\"unmapped\"");
	assert_printed("\"mapping\":%lu,\"length\":\"0x1000\"", (long)id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(stats_show_every_vm),
		RIG_TEST(stats_as_json_and_by_descriptor),
		RIG_TEST(stats_for_prometheus),
		RIG_TEST(limits_are_applied_from_a_file),
		RIG_TEST(bad_limits_are_told_and_nothing_is_set),
		RIG_TEST(top_shows_vms_devices_and_instances),
		RIG_TEST(top_ends_at_a_key),
		RIG_TEST(a_killed_pager_is_followed_by_another),
		RIG_TEST(a_pager_answers_what_another_has_consumed),
		RIG_TEST(a_pager_that_gives_what_is_asked_for_lets_execute),
		RIG_TEST(monitor_prints_events),
		RIG_TEST(show_prints_the_address_space),
		RIG_TEST(mmio_is_shown_and_its_events),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
