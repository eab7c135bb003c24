// SPDX-License-Identifier: GPL-2.0-only
/*
 * The errors of ATTACH, DETACH, HELD and RELEASE with the names of PCI devices, and the
 * privileges that they need.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <faultq.h>

#include "support/pci.h"
#include "support/tap.h"

static struct pci edu;
static struct faultq *vm;

static int find_edu(void **state)
{
	(void)state;
	return pci_find(&edu, PCI_EDU, NULL) ? 0 : -1;
}

static int open_vm(void **state)
{
	(void)state;
	return faultq_open(&vm);
}

/* edu is held after it was attached. */
static int close_vm(void **state)
{
	int err;

	faultq_close(vm);
	if (open_vm(state))
		return -1;
	err = faultq_release(vm, edu.name);
	faultq_close(vm);
	return err && err != -ENOENT ? -1 : 0;
}

static uint32_t attach(void)
{
	struct faultq_attach attach;

	assert_int_equal(faultq_attach(vm, edu.name, &attach), 0);
	return attach.device;
}

static void hold(void)
{
	int held;

	assert_int_equal(faultq_detach(vm, attach(), &held), 0);
	assert_int_equal(held, 1);
}

static uint32_t count_held(void)
{
	uint32_t count = 0;

	assert_int_equal(faultq_held(vm, NULL, &count), 0);
	return count;
}

static uint32_t count_attached(void)
{
	struct faultq_stats stats;

	assert_int_equal(faultq_stats(vm, 0, &stats), 0);
	return stats.devices;
}

/* Names */

static void attach_of_what_is_no_device_gives_enoent(void **state)
{
	static const char * const names[] = {
		"", "/", "pci", "pci/", "pci/ffff:ff:1f.7", "pci//0000:00:01.0", "pci0000:00:01.0",
		"pci/0000:00:01", "pci/0000:00:01.0 ", "PCI/0000:00:01.0", "usb/1-1",
		"pci_express/0000:00:01.0", "platform/0000:00:01.0", "platform/none", "platform/",
		NULL
	};

	(void)state;
	for (const char * const *name = names; *name; name++)
		assert_int_equal(faultq_attach(vm, *name, NULL), -ENOENT);
	assert_int_equal(faultq_attach(vm, edu.address, NULL), -ENOENT);
	assert_int_equal(count_attached(), 0);
}

static void attach_of_a_name_without_end_gives_einval(void **state)
{
	struct faultq_attach attach = { .size = sizeof(attach) };

	(void)state;
	memset(attach.name, 'p', sizeof(attach.name));
	assert_int_equal(ioctl(faultq_fd(vm), FAULTQ_ATTACH, &attach), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(count_attached(), 0);
}

static void what_follows_the_end_of_a_name_does_not_matter(void **state)
{
	struct faultq_attach attach = { .size = sizeof(attach) };

	(void)state;
	memset(attach.name, 'p', sizeof(attach.name));
	memcpy(attach.name, edu.name, strlen(edu.name) + 1);
	assert_int_equal(ioctl(faultq_fd(vm), FAULTQ_ATTACH, &attach), 0);
	assert_int_equal(count_attached(), 1);
}

static void release_of_a_name_without_end_gives_einval(void **state)
{
	struct faultq_release release = { .size = sizeof(release) };

	(void)state;
	hold();
	memset(release.name, 'p', sizeof(release.name));
	assert_int_equal(ioctl(faultq_fd(vm), FAULTQ_RELEASE, &release), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(count_held(), 1);
}

static void attach_of_a_device_behind_no_iommu_gives_enodev(void **state)
{
	struct pci other;

	(void)state;
	if (!pci_find(&other, PCI_TESTDEV, NULL) || pci_group(&other) >= 0)
		skip_because("every device of this machine is behind an IOMMU");
	assert_int_equal(faultq_attach(vm, other.name, NULL), -ENODEV);
	assert_int_equal(count_attached(), 0);
}

/* Ids */

static void detach_of_an_id_that_is_not_attached_gives_enoent(void **state)
{
	uint32_t id = attach();

	(void)state;
	assert_int_equal(faultq_detach(vm, 0, NULL), -ENOENT);
	assert_int_equal(faultq_detach(vm, id + 1, NULL), -ENOENT);
	assert_int_equal(faultq_detach(vm, UINT32_MAX, NULL), -ENOENT);
	assert_int_equal(count_attached(), 1);
	assert_int_equal(faultq_detach(vm, id, NULL), 0);
	assert_int_equal(faultq_detach(vm, id, NULL), -ENOENT);
}

static void an_id_is_not_given_out_again(void **state)
{
	uint32_t first = attach(), second;

	(void)state;
	assert_int_equal(faultq_detach(vm, first, NULL), 0);
	assert_int_equal(faultq_release(vm, edu.name), 0);
	second = attach();
	assert_int_not_equal(second, first);
	assert_int_equal(faultq_detach(vm, first, NULL), -ENOENT);
	assert_int_equal(count_attached(), 1);
}

/* Privileges */

static int drop_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_TO_INDEX(capability)].effective &= ~CAP_TO_MASK(capability);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* The negative errno of a call that a process without a capability makes on the same file. */
static int call_without(int capability, int (*call)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child)
		_exit(-(drop_capability(capability) ?: call()));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static int call_attach(void)
{
	return faultq_attach(vm, edu.name, NULL);
}

static int call_held(void)
{
	uint32_t count = 0;

	return faultq_held(vm, NULL, &count);
}

static int call_release(void)
{
	return faultq_release(vm, edu.name);
}

static int call_map_and_detach(void)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct faultq_stats stats;

	return faultq_map(vm, 0x100000, page, sizeof(page), FAULTQ_MAP_READ) ?:
	       faultq_unmap(vm, 0, ~0ULL, NULL) ?:
	       faultq_detach(vm, 1, NULL) ?:
	       faultq_stats(vm, 0, &stats) ?: -(int)stats.devices;
}

static void attach_needs_cap_sys_rawio(void **state)
{
	(void)state;
	assert_int_equal(call_without(CAP_SYS_RAWIO, call_attach), -EPERM);
	assert_int_equal(count_attached(), 0);
	assert_int_equal(call_without(CAP_SYS_ADMIN, call_attach), 0);
	assert_int_equal(count_attached(), 1);
}

static void held_needs_cap_sys_admin(void **state)
{
	(void)state;
	hold();
	assert_int_equal(call_without(CAP_SYS_ADMIN, call_held), -EPERM);
	assert_int_equal(call_without(CAP_SYS_RAWIO, call_held), 0);
}

static void release_needs_cap_sys_admin(void **state)
{
	(void)state;
	hold();
	assert_int_equal(call_without(CAP_SYS_ADMIN, call_release), -EPERM);
	assert_int_equal(count_held(), 1);
	assert_int_equal(call_without(CAP_SYS_RAWIO, call_release), 0);
	assert_int_equal(count_held(), 0);
}

static void a_process_that_got_the_file_needs_no_privilege_to_use_it(void **state)
{
	(void)state;
	assert_int_equal(attach(), 1);
	assert_int_equal(call_without(CAP_SYS_RAWIO, call_map_and_detach), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_vm, close_vm)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attach_of_what_is_no_device_gives_enoent),
		TEST(attach_of_a_name_without_end_gives_einval),
		TEST(what_follows_the_end_of_a_name_does_not_matter),
		TEST(release_of_a_name_without_end_gives_einval),
		TEST(attach_of_a_device_behind_no_iommu_gives_enodev),
		TEST(detach_of_an_id_that_is_not_attached_gives_enoent),
		TEST(an_id_is_not_given_out_again),
		TEST(attach_needs_cap_sys_rawio),
		TEST(held_needs_cap_sys_admin),
		TEST(release_needs_cap_sys_admin),
		TEST(a_process_that_got_the_file_needs_no_privilege_to_use_it),
	};

	return tap_run_group(tests, find_edu, NULL);
}
