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
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/module.h"
#include "support/pci.h"

#define IOVA		0x1000000UL
#define FAULTQ		MODULE_FAULTQ
#define MOCK		MODULE_MOCK
/* A small module that registers a platform device, whatever the machine. */
#define PLATFORM	"dcdbas"

static bool exists(const char *format, const char *name)
{
	char path[384];

	snprintf(path, sizeof(path), format, name);
	return !access(path, F_OK);
}

static void load_both(bool mock_first)
{
	assert_int_equal(module_load(mock_first ? MOCK : FAULTQ), 0);
	assert_int_equal(module_load(mock_first ? FAULTQ : MOCK), 0);
}

static void unload_both(bool mock_first)
{
	assert_int_equal(module_unload(mock_first ? MOCK : FAULTQ), 0);
	assert_int_equal(module_unload(mock_first ? FAULTQ : MOCK), 0);
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
	assert_int_equal(module_unload(FAULTQ), -EWOULDBLOCK);
	assert_int_equal(ioctl(vm, FAULTQ_QUEUE, &queue), 0);
	header = mmap(NULL, queue.header_size, PROT_READ, MAP_SHARED, vm, queue.header_offset);
	assert_ptr_not_equal(header, MAP_FAILED);
	close(vm);
	assert_int_equal(module_unload(FAULTQ), -EWOULDBLOCK);
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
	assert_int_equal(module_unload(MOCK), -EWOULDBLOCK);
	assert_int_equal(mock_rmdir("i", NULL), 0);

	instance_make("i", 0);
	device_make(&device, "i", "d", "mode=pri");
	assert_int_equal(module_unload(MOCK), -EWOULDBLOCK);
	fd = device.fd;
	device.fd = -1;
	device_remove(&device);
	instance_remove("i");
	assert_int_equal(module_unload(MOCK), -EWOULDBLOCK);
	close(fd);
	unload_both(true);
}

/* What the kernel delivers, a module tells. */
static void needs_module_with_page_requests(void)
{
	bool delivers;

	load_both(false);
	delivers = kernel_delivers(FAULTQ_KIND_PAGE_REQUEST);
	unload_both(false);
	if (!delivers)
		skip_because(NO_PAGE_REQUESTS);
}

static void an_attached_device_keeps_both_modules(void **state)
{
	struct device device;
	struct faultq *fq;

	(void)state;
	needs_module_with_page_requests();
	load_both(true);
	instance_make("i", 0);
	device_make(&device, "i", "d", "mode=pri");
	fq = vm_open(4, 64, 0);
	vm_attach(fq, &device);
	inject_group(&device, 1, IOVA);
	assert_int_equal(module_unload(FAULTQ), -EWOULDBLOCK);
	assert_int_equal(module_unload(MOCK), -EWOULDBLOCK);
	faultq_close(fq);

	/* the consumer may go and come while the device stays */
	assert_int_equal(module_unload(FAULTQ), 0);
	assert_int_equal(mock_page_request(device.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 2, 0,
					   IOVA), 0);
	assert_int_equal(module_load(FAULTQ), 0);
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
	needs_module_with_page_requests();
	for (unsigned long i = 0; i < scaled(5, 100); i++)
		reload(i);
}

static void assert_pci_device_comes_back(void)
{
	char before[64], after[64];
	struct pci edu;

	if (!pci_find(&edu, PCI_EDU, NULL))
		skip_because("the guest has no edu device");
	assert_true(pci_iommu(&edu, before, sizeof(before)));
	assert_int_not_equal(strncmp(before, "mock-", 5), 0);
	pci_remove(&edu);
	assert_false(pci_exists(&edu));
	pci_rescan();
	assert_true(pci_exists(&edu));
	assert_true(pci_iommu(&edu, after, sizeof(after)));
	assert_true(pci_group(&edu) >= 0);
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
	ret = module_load_from(path, 0);
	if (ret == -ENOENT) {
		strcat(path, ".xz");
		ret = module_load_from(path, MODULE_INIT_COMPRESSED_FILE);
	}
	if (ret == -ENOENT)
		skip_because("the guest has no module %s", PLATFORM);
	assert_int_equal(ret, 0);
	assert_true(exists("/sys/bus/platform/devices/%s", PLATFORM));
	assert_false(exists("/sys/bus/platform/devices/%s/iommu", PLATFORM));
}

static void unload_platform_module(void)
{
	assert_int_equal(module_unload(PLATFORM), 0);
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
