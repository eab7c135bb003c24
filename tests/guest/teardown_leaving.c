// SPDX-License-Identifier: GPL-2.0-only
/*
 * ATTACH while a device is being removed. Between the first notice of a removal and the rest the
 * device is still found by its name, and is in its IOMMU group, but the kernel takes it apart. A
 * module of the tests holds the removal up there.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/module.h"
#include "support/pci.h"

#define HOLDER		"slow_removal"
#define PARAMETERS	"/sys/module/" HOLDER "/parameters/"
#define FIRST		"0000:00:14.0"
#define SECOND		"0000:00:14.1"

static struct faultq *vm;
static struct device device;
static struct pci first, second;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0);
	must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static bool removal_waits(void)
{
	int fd = open(PARAMETERS "waiting", O_RDONLY | O_CLOEXEC);
	char answer = 0;

	must(fd >= 0);
	must(read(fd, &answer, 1) == 1);
	close(fd);
	return answer == 'Y';
}

static void hold_removal_of(const char *name)
{
	write_file(PARAMETERS "device", name);
}

static void wait_until_held(void)
{
	while (!removal_waits())
		sched_yield();
}

static void *remove_device(void *argument)
{
	(void)argument;
	must(!mock_set(device.instance, device.name, "live", "0"));
	return NULL;
}

static void *remove_pci(void *argument)
{
	const struct pci *pci = argument;
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", pci->address);
	write_file(path, "1");
	return NULL;
}

/* What ATTACH says of a device while another, or itself, is being removed. */
static int attach_during(const char *held, void *(*remove)(void *), void *argument,
			 const char *attached)
{
	pthread_t remover;
	int ret;

	hold_removal_of(held);
	assert_int_equal(pthread_create(&remover, NULL, remove, argument), 0);
	wait_until_held();
	ret = faultq_attach(vm, attached, NULL);
	hold_removal_of("-");
	pthread_join(remover, NULL);
	return ret;
}

static void a_device_that_is_being_removed(void **state)
{
	(void)state;
	instance_make("leaving", 0);
	device_make(&device, "leaving", "dev", "mode=none");
	/* platform/NAME */
	assert_int_equal(attach_during(strchr(device.platform, '/') + 1, remove_device, NULL,
				       device.platform), -ENODEV);
	assert_int_equal(faultq_attach(vm, device.platform, NULL), -ENOENT);
	close(device.fd);
	device_plug(&device);
	vm_detach(vm, vm_attach(vm, &device));
	device_remove(&device);
	instance_remove("leaving");
}

static void find_functions(void)
{
	assert_true(pci_is_at(&first, FIRST, PCI_TESTDEV));
	assert_true(pci_is_at(&second, SECOND, PCI_TESTDEV));
	pci_meet_iommu(&first);
	pci_meet_iommu(&second);
}

static void a_pci_device_that_is_being_removed(void **state)
{
	(void)state;
	assert_int_equal(attach_during(first.address, remove_pci, &first, first.name), -ENODEV);
	assert_int_equal(faultq_attach(vm, first.name, NULL), -ENOENT);
	pci_scan();
	find_functions();
}

/* A device that cannot be reset is held. */
static void detach_without_reset(uint32_t id)
{
	int held;

	assert_int_equal(faultq_detach(vm, id, &held), 0);
	assert_int_equal(held, 1);
	assert_int_equal(faultq_release(vm, first.name), 0);
}

static void the_sibling_of_one_that_is_being_removed(void **state)
{
	struct faultq_attach attach;

	(void)state;
	if (pci_group(&first) != pci_group(&second))
		skip_because("the functions are isolated from each other");
	assert_int_equal(attach_during(second.address, remove_pci, &second, first.name), -ENODEV);
	assert_int_equal(faultq_attach(vm, first.name, &attach), 0);
	assert_int_equal(vm_stats(vm, 0).devices, 1);
	detach_without_reset(attach.device);
	pci_scan();
	find_functions();
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(module_load(HOLDER), 0);
	find_functions();
	vm = vm_open(8, 64, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	faultq_close(vm);
	assert_int_equal(module_unload(HOLDER), 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_that_is_being_removed),
		cmocka_unit_test(a_pci_device_that_is_being_removed),
		cmocka_unit_test(the_sibling_of_one_that_is_being_removed),
	};

	return tap_run_group(tests, set_up, tear_down);
}
