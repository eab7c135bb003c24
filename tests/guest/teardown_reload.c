// SPDX-License-Identifier: GPL-2.0-only
/*
 * Both modules come and go. In use they stay; afterwards nothing of them is left, and devices
 * that are added then find the IOMMU driver that is theirs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/module.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"

#define IOVA		0x1000000UL
#define FAULTQ		"iommu_faultq"
#define MOCK		"mock_iommu"
/* A small module that registers a platform device, whatever the machine. */
#define PLATFORM	"dcdbas"
#define EDU_VENDOR	"0x1234"
#define EDU_DEVICE	"0x11e8"
#define PCI_DEVICES	"/sys/bus/pci/devices"

static void module_path(char *path, size_t size, const char *folder, const char *name)
{
	struct utsname system;

	uname(&system);
	snprintf(path, size, "/lib/modules/%s/%s%s.ko", system.release, folder, name);
}

static int load_from(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", flags) ? -errno : 0;
	close(fd);
	return ret;
}

static int load(const char *name)
{
	char path[128];

	module_path(path, sizeof(path), "extra/", name);
	return load_from(path, 0);
}

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static bool exists(const char *format, const char *name)
{
	char path[384];

	snprintf(path, sizeof(path), format, name);
	return !access(path, F_OK);
}

static void load_both(bool mock_first)
{
	assert_int_equal(load(mock_first ? MOCK : FAULTQ), 0);
	assert_int_equal(load(mock_first ? FAULTQ : MOCK), 0);
}

static void unload_both(bool mock_first)
{
	assert_int_equal(unload(mock_first ? MOCK : FAULTQ), 0);
	assert_int_equal(unload(mock_first ? FAULTQ : MOCK), 0);
	assert_false(exists("/sys/module/%s", FAULTQ));
	assert_false(exists("/sys/module/%s", MOCK));
	assert_false(exists("%s", "/dev/faultq"));
	assert_false(exists("%s", "/dev/mock-iommu"));
	assert_false(exists("%s", MOCK_CONFIG_DIR));
}

static void a_vm_keeps_its_module(void **state)
{
	struct faultq_queue queue = {
		.size = sizeof(queue), .slots = 1, .entries = 64, .eventfd = -1
	};
	void *header;
	int vm;

	(void)state;
	load_both(false);
	vm = open("/dev/faultq", O_RDWR | O_CLOEXEC);
	assert_true(vm >= 0);
	assert_int_equal(unload(FAULTQ), -EWOULDBLOCK);
	assert_int_equal(ioctl(vm, FAULTQ_QUEUE, &queue), 0);
	header = mmap(NULL, queue.header_size, PROT_READ, MAP_SHARED, vm, queue.header_offset);
	assert_ptr_not_equal(header, MAP_FAILED);
	close(vm);
	assert_int_equal(unload(FAULTQ), -EWOULDBLOCK);
	munmap(header, queue.header_size);
	unload_both(false);
}

static void directories_devices_and_files_keep_the_mocks_module(void **state)
{
	struct device device;
	int fd;

	(void)state;
	load_both(true);
	assert_int_equal(mock_mkdir("i", NULL), 0);
	assert_int_equal(unload(MOCK), -EWOULDBLOCK);
	assert_int_equal(mock_rmdir("i", NULL), 0);

	instance_make("i", 0);
	device_make(&device, "i", "d", "mode=pri");
	assert_int_equal(unload(MOCK), -EWOULDBLOCK);
	fd = device.fd;
	device.fd = -1;
	device_remove(&device);
	instance_remove("i");
	assert_int_equal(unload(MOCK), -EWOULDBLOCK);
	close(fd);
	unload_both(true);
}

static void an_attached_device_keeps_both_modules(void **state)
{
	struct device device;
	struct faultq *fq;

	(void)state;
	load_both(true);
	instance_make("i", 0);
	device_make(&device, "i", "d", "mode=pri");
	fq = vm_open(4, 64, 0);
	vm_attach(fq, &device);
	inject_group(&device, 1, IOVA);
	assert_int_equal(unload(FAULTQ), -EWOULDBLOCK);
	assert_int_equal(unload(MOCK), -EWOULDBLOCK);
	faultq_close(fq);

	/* the consumer may go and come while the device stays */
	assert_int_equal(unload(FAULTQ), 0);
	assert_int_equal(mock_page_request(device.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 2, 0,
					   IOVA), 0);
	assert_int_equal(load(FAULTQ), 0);
	fq = vm_open(4, 64, 0);
	vm_attach(fq, &device);
	inject_group(&device, 3, IOVA);
	assert_int_equal(faultq_answer(fq, take_cookie(fq), FAULTQ_SUCCESS), 0);
	faultq_close(fq);
	device_assert_idle(&device);
	device_remove(&device);
	instance_remove("i");
	unload_both(false);
}

/* The DMA's and the injected one: then both are pending. */
static void take_two_groups(struct faultq *fq)
{
	const struct faultq_record *records;

	for (unsigned int i = 0; i < 2; i++) {
		must(!faultq_wait(fq, -1));
		must(faultq_peek(fq, &records) > 0);
		faultq_consume(fq);
	}
}

/* A pager process that leaves its page requests pending, killed or not. */
static void leave_pending(struct device *devices, bool killed)
{
	int ready[2], status;
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		struct faultq *fq;

		must(!faultq_open(&fq));
		must(!faultq_queue(fq, 4, 64, -1, 0));
		must(!faultq_attach(fq, devices[0].platform, NULL));
		must(!faultq_attach(fq, devices[1].platform, NULL));
		must(mock_dma_start(devices[0].fd, MOCK_IOMMU_READ, 0, IOVA, NULL, 3 * PAGE) > 0);
		must(mock_page_request(devices[1].fd, 0, MOCK_IOMMU_READ, 1, 0, IOVA) == 1);
		must(mock_page_request(devices[1].fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 2, 0,
				       IOVA) == 1);
		take_two_groups(fq);
		must(write(ready[1], "", 1) == 1);
		if (killed)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	if (killed)
		kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(ready[0]);
	close(ready[1]);
}

static void reload(unsigned long round)
{
	struct device devices[2];

	load_both(round % 2);
	instance_make("reload", 0);
	device_make(&devices[0], "reload", "d0", "mode=pri");
	device_make(&devices[1], "reload", "d1", "mode=stall");
	leave_pending(devices, round % 4 < 2);
	device_assert_idle(&devices[0]);
	device_assert_idle(&devices[1]);
	device_remove(&devices[0]);
	device_remove(&devices[1]);
	instance_remove("reload");
	unload_both(round / 2 % 2);
}

static void both_modules_come_and_go_with_faults_pending(void **state)
{
	(void)state;
	for (unsigned long i = 0; i < scaled(5, 100); i++)
		reload(i);
}

static bool read_line(const char *device, const char *attribute, const char *expected)
{
	char path[384], line[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", device, attribute);
	file = fopen(path, "re");
	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return !strcmp(line, expected);
}

static bool find_edu(char *name, size_t size)
{
	DIR *directory = opendir(PCI_DEVICES);
	struct dirent *entry;
	bool found = false;

	assert_non_null(directory);
	while (!found && (entry = readdir(directory))) {
		found = read_line(entry->d_name, "vendor", EDU_VENDOR) &&
			read_line(entry->d_name, "device", EDU_DEVICE);
		if (found)
			snprintf(name, size, "%s", entry->d_name);
	}
	closedir(directory);
	return found;
}

static void write_one(const char *format, const char *name)
{
	char path[384];
	int fd;

	snprintf(path, sizeof(path), format, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
}

/* The IOMMU instance of a PCI device, by its link in sysfs. */
static void pci_iommu(const char *name, char *iommu, size_t size)
{
	char path[384], target[256] = "";

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu", name);
	assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	snprintf(iommu, size, "%s", basename(target));
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu_group", name);
	assert_true(!access(path, F_OK));
}

static void assert_pci_device_comes_back(void)
{
	char name[NAME_MAX + 1], again[NAME_MAX + 1], before[64], after[64];

	if (!find_edu(name, sizeof(name)))
		skip_because("the guest has no edu device");
	pci_iommu(name, before, sizeof(before));
	assert_memory_equal(before, "dmar", 4);
	write_one(PCI_DEVICES "/%s/remove", name);
	assert_false(find_edu(again, sizeof(again)));
	write_one("/sys/bus/pci/%s", "rescan");
	assert_true(find_edu(again, sizeof(again)));
	assert_string_equal(name, again);
	pci_iommu(again, after, sizeof(after));
	assert_string_equal(before, after);
}

static void a_pci_device_that_is_added_finds_its_iommu(void **state)
{
	struct device device;

	(void)state;
	assert_pci_device_comes_back();
	load_both(false);
	instance_make("i", 0);
	device_make(&device, "i", "d", "mode=pri");
	assert_pci_device_comes_back();
	device_remove(&device);
	instance_remove("i");
	assert_pci_device_comes_back();
	unload_both(false);
	assert_pci_device_comes_back();
}

static void load_platform_module(void)
{
	char path[128];
	int ret;

	module_path(path, sizeof(path), "", PLATFORM);
	ret = load_from(path, 0);
	if (ret == -ENOENT) {
		strcat(path, ".xz");
		ret = load_from(path, MODULE_INIT_COMPRESSED_FILE);
	}
	if (ret == -ENOENT)
		skip_because("the guest has no module %s", PLATFORM);
	assert_int_equal(ret, 0);
	assert_true(exists("/sys/bus/platform/devices/%s", PLATFORM));
	assert_false(exists("/sys/bus/platform/devices/%s/iommu", PLATFORM));
}

static void unload_platform_module(void)
{
	assert_int_equal(unload(PLATFORM), 0);
	assert_false(exists("/sys/bus/platform/devices/%s", PLATFORM));
}

static void a_platform_device_that_is_added_is_none_of_the_mocks(void **state)
{
	struct device device;

	(void)state;
	load_platform_module();
	unload_platform_module();

	/* comes and goes beside the mock's, and outlives them */
	load_both(false);
	instance_make("i", 0);
	device_make(&device, "i", "d", "mode=pri");
	load_platform_module();
	unload_platform_module();
	load_platform_module();
	device_remove(&device);
	instance_remove("i");
	unload_both(false);
	unload_platform_module();

	/* comes when the mock is gone */
	load_platform_module();
	unload_platform_module();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_keeps_its_module),
		cmocka_unit_test(directories_devices_and_files_keep_the_mocks_module),
		cmocka_unit_test(an_attached_device_keeps_both_modules),
		cmocka_unit_test(both_modules_come_and_go_with_faults_pending),
		cmocka_unit_test(a_pci_device_that_is_added_finds_its_iommu),
		cmocka_unit_test(a_platform_device_that_is_added_is_none_of_the_mocks),
	};

	return tap_run_group(tests, NULL, NULL);
}
