// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI device that cannot be reset is not given back: it stays claimed and blocked, is listed,
 * and pins the module, until an administrator lets it go or it is removed from the system. edu
 * is such a device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <faultq.h>

#include "support/pci.h"
#include "support/tap.h"

#define PAGE	4096
#define IOVA	0x100000
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static struct pci edu;
static char edu_iommu[32];
static struct faultq *vms[2];	/* that are open */

static struct faultq *new_vm(void)
{
	struct faultq **place = vms[0] ? &vms[1] : &vms[0];

	assert_null(*place);
	assert_int_equal(faultq_open(place), 0);
	return *place;
}

static void close_vm(struct faultq *fq)
{
	vms[fq == vms[1]] = NULL;
	faultq_close(fq);
}

static uint32_t attach(struct faultq *fq)
{
	struct faultq_attach attach;

	assert_int_equal(faultq_attach(fq, edu.name, &attach), 0);
	return attach.device;
}

static unsigned int count_held(void)
{
	struct faultq *fq = new_vm();
	uint32_t count = 0;

	assert_int_equal(faultq_held(fq, NULL, &count), 0);
	close_vm(fq);
	return count;
}

static int find_edu(void **state)
{
	(void)state;
	return pci_find(&edu, PCI_EDU, NULL) &&
	       pci_iommu(&edu, edu_iommu, sizeof(edu_iommu)) ? 0 : -1;
}

static int hold_edu(void **state)
{
	struct faultq *fq = new_vm();

	(void)state;
	attach(fq);
	close_vm(fq);
	return 0;
}

/* Whatever the test did, nothing is held after it. */
static int let_edu_go(void **state)
{
	int err;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		if (vms[i])
			close_vm(vms[i]);
	err = faultq_release(new_vm(), edu.name);
	close_vm(vms[0]);
	pci_close(&edu);
	return err && err != -ENOENT ? -1 : 0;
}

/* How a device becomes held */

static void detach_holds_it_and_says_so(void **state)
{
	struct faultq *fq = new_vm();
	uint32_t id = attach(fq);
	int held = -1;

	(void)state;
	assert_int_equal(faultq_detach(fq, id, &held), 0);
	assert_int_equal(held, 1);
	assert_int_equal(faultq_detach(fq, id, NULL), -ENOENT);
	assert_int_equal(count_held(), 1);
	close_vm(fq);
	assert_int_equal(count_held(), 1);
}

static void close_holds_it(void **state)
{
	struct faultq *fq = new_vm();

	(void)state;
	attach(fq);
	assert_int_equal(count_held(), 0);
	close_vm(fq);
	assert_int_equal(count_held(), 1);
}

static void exit_of_the_process_holds_it(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		struct faultq *fq;

		if (!faultq_open(&fq) && !faultq_attach(fq, edu.name, NULL))
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(count_held(), 1);
}

static void bus_mastering_is_off(void **state)
{
	struct faultq *fq = new_vm();

	(void)state;
	pci_open(&edu);
	attach(fq);
	pci_set_master(&edu, true);
	close_vm(fq);
	assert_false(pci_is_master(&edu));
}

/* HELD */

static void the_list_names_device_and_group(void **state)
{
	struct faultq_held_entry entries[2];
	struct faultq *fq = new_vm();
	uint32_t count = 2;

	(void)state;
	memset(entries, 0xff, sizeof(entries));
	assert_int_equal(faultq_held(fq, entries, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(entries[0].name, edu.name);
	assert_int_equal(entries[0].group, pci_group(&edu));
	assert_int_equal(entries[0].reserved, 0);
	assert_int_equal((uint8_t)entries[1].name[0], 0xff);
	close_vm(fq);
}

static int call_held(struct faultq *fq, struct faultq_held *held)
{
	held->size = sizeof(*held);
	return ioctl(faultq_fd(fq), FAULTQ_HELD, held) ? -errno : 0;
}

static void longer_entries_get_a_tail_of_zeroes(void **state)
{
	struct { struct faultq_held_entry entry; char tail[24]; } entries[2];
	struct faultq_held held = {
		.entries = (uintptr_t)entries, .count = 2, .entry_size = sizeof(entries[0]),
	};
	static const char zeroes[sizeof(entries[0].tail)];
	struct faultq *fq = new_vm();

	(void)state;
	memset(entries, 0xff, sizeof(entries));
	assert_int_equal(call_held(fq, &held), 0);
	assert_string_equal(entries[0].entry.name, edu.name);
	assert_memory_equal(entries[0].tail, zeroes, sizeof(zeroes));
	close_vm(fq);
}

static void the_list_refuses_bad_arguments(void **state)
{
	struct faultq_held_entry entry;
	struct faultq_held small = {
		.entries = (uintptr_t)&entry, .count = 1, .entry_size = sizeof(entry) - 1,
	};
	struct faultq_held large = {
		.entries = (uintptr_t)&entry, .count = 1, .entry_size = PAGE + 1,
	};
	struct faultq_held flags = {
		.flags = 1, .entries = (uintptr_t)&entry, .count = 1, .entry_size = sizeof(entry),
	};
	struct faultq_held nowhere = { .entries = 8, .count = 1, .entry_size = sizeof(entry) };
	struct faultq *fq = new_vm();

	(void)state;
	assert_int_equal(call_held(fq, &small), -EINVAL);
	assert_int_equal(call_held(fq, &large), -EINVAL);
	assert_int_equal(call_held(fq, &flags), -EINVAL);
	assert_int_equal(call_held(fq, &nowhere), -EFAULT);
	close_vm(fq);
}

static void a_huge_count_is_no_reason_to_allocate(void **state)
{
	struct faultq_held_entry entry;
	struct faultq *fq = new_vm();
	uint32_t count = UINT32_MAX;

	(void)state;
	assert_int_equal(faultq_held(fq, &entry, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(entry.name, edu.name);
	close_vm(fq);
}

/* While it is held */

static void nobody_can_attach_it(void **state)
{
	struct faultq *fq = new_vm();
	uint32_t id;

	(void)state;
	assert_int_equal(faultq_attach(fq, edu.name, NULL), -EBUSY);
	close_vm(fq);
	let_edu_go(NULL);

	/* nor the VM that had it */
	fq = new_vm();
	id = attach(fq);
	assert_int_equal(faultq_detach(fq, id, NULL), 0);
	assert_int_equal(faultq_attach(fq, edu.name, NULL), -EBUSY);
	close_vm(fq);
}

static int remove_module(void)
{
	return syscall(SYS_delete_module, "iommu_faultq", O_NONBLOCK) ? -errno : 0;
}

static void the_module_cannot_be_removed(void **state)
{
	(void)state;
	assert_int_equal(remove_module(), -EWOULDBLOCK);
	assert_int_equal(count_held(), 1);
}

/* RELEASE */

static void release_gives_it_back(void **state)
{
	struct faultq *fq = new_vm();

	(void)state;
	assert_int_equal(faultq_release(fq, edu.name), 0);
	assert_int_equal(count_held(), 0);
	assert_int_equal(faultq_release(fq, edu.name), -ENOENT);
	attach(fq);
	close_vm(fq);
	assert_int_equal(count_held(), 1);
}

static void release_leaves_bus_mastering_off(void **state)
{
	struct faultq *fq = new_vm();

	(void)state;
	pci_open(&edu);
	pci_set_master(&edu, true);
	assert_int_equal(faultq_release(fq, edu.name), 0);
	assert_false(pci_is_master(&edu));
	close_vm(fq);
}

static void release_refuses_what_is_not_held(void **state)
{
	struct faultq *fq = new_vm();

	(void)state;
	assert_int_equal(faultq_release(fq, "pci/0000:00:00.0"), -ENOENT);
	assert_int_equal(faultq_release(fq, "pci/ffff:ff:1f.7"), -ENOENT);
	assert_int_equal(faultq_release(fq, "platform/none"), -ENOENT);
	assert_int_equal(faultq_release(fq, "usb/1-1"), -ENOENT);
	assert_int_equal(faultq_release(fq, edu.address), -ENOENT);
	assert_int_equal(faultq_release(fq, ""), -ENOENT);
	assert_int_equal(count_held(), 1);
	close_vm(fq);
}

static void an_attached_device_is_not_held(void **state)
{
	struct faultq *fq = new_vm(), *other = new_vm();

	(void)state;
	attach(fq);
	assert_int_equal(faultq_release(other, edu.name), -ENOENT);
	assert_int_equal(faultq_release(fq, edu.name), -ENOENT);
	close_vm(other);
	close_vm(fq);
}

static void the_module_can_be_removed_after_a_release(void **state)
{
	(void)state;
	let_edu_go(NULL);
	assert_int_equal(remove_module(), 0);
	assert_int_equal(system("modprobe iommu_faultq"), 0);
	assert_int_equal(count_held(), 0);
}

/* Removal from the system */

static void assert_edu_is_back(long group)
{
	char iommu[32];

	assert_true(pci_exists(&edu));
	assert_true(pci_iommu(&edu, iommu, sizeof(iommu)));
	assert_string_equal(iommu, edu_iommu);
	assert_true(pci_group(&edu) >= 0);
	assert_int_equal(pci_group(&edu), group);
}

static void removal_lets_it_go(void **state)
{
	long group = pci_group(&edu);

	(void)state;
	pci_remove(&edu);
	assert_false(pci_exists(&edu));
	assert_int_equal(count_held(), 0);
	assert_int_equal(remove_module(), 0);

	pci_rescan();
	assert_edu_is_back(group);
	assert_int_equal(system("modprobe iommu_faultq"), 0);
}

static void a_device_that_comes_back_can_be_attached_and_does_dma(void **state)
{
	static uint8_t memory[2 * PAGE] __attribute__((aligned(PAGE)));
	struct faultq *fq = new_vm();

	(void)state;
	pci_remove(&edu);
	assert_int_equal(faultq_attach(fq, edu.name, NULL), -ENOENT);
	assert_int_equal(faultq_release(fq, edu.name), -ENOENT);
	pci_rescan();

	attach(fq);
	pci_open(&edu);
	pci_set_master(&edu, true);
	memset(memory, 0x5a, EDU_DMA_MAX);
	assert_int_equal(faultq_map(fq, IOVA, memory, sizeof(memory), RW), 0);
	edu_dma(&edu, EDU_READ, IOVA, EDU_DMA_MAX);
	edu_dma(&edu, EDU_WRITE, IOVA + PAGE, EDU_DMA_MAX);
	assert_memory_equal(memory + PAGE, memory, EDU_DMA_MAX);
	close_vm(fq);
	assert_int_equal(count_held(), 1);
}

static void holding_and_releasing_again_and_again_leaves_nothing(void **state)
{
	struct faultq *fq = new_vm();

	(void)state;
	for (unsigned long i = 0; i < scaled(100, 5000); i++) {
		int held = 0;

		assert_int_equal(faultq_detach(fq, attach(fq), &held), 0);
		assert_int_equal(held, 1);
		assert_int_equal(faultq_release(fq, edu.name), 0);
	}
	close_vm(fq);
	assert_int_equal(count_held(), 0);
}

#define FREE_TEST(test) cmocka_unit_test_teardown(test, let_edu_go)
#define HELD_TEST(test) cmocka_unit_test_setup_teardown(test, hold_edu, let_edu_go)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FREE_TEST(detach_holds_it_and_says_so),
		FREE_TEST(close_holds_it),
		FREE_TEST(exit_of_the_process_holds_it),
		FREE_TEST(bus_mastering_is_off),
		HELD_TEST(the_list_names_device_and_group),
		HELD_TEST(longer_entries_get_a_tail_of_zeroes),
		HELD_TEST(the_list_refuses_bad_arguments),
		HELD_TEST(a_huge_count_is_no_reason_to_allocate),
		HELD_TEST(nobody_can_attach_it),
		HELD_TEST(the_module_cannot_be_removed),
		HELD_TEST(release_gives_it_back),
		HELD_TEST(release_leaves_bus_mastering_off),
		HELD_TEST(release_refuses_what_is_not_held),
		FREE_TEST(an_attached_device_is_not_held),
		HELD_TEST(the_module_can_be_removed_after_a_release),
		HELD_TEST(removal_lets_it_go),
		HELD_TEST(a_device_that_comes_back_can_be_attached_and_does_dma),
		FREE_TEST(holding_and_releasing_again_and_again_leaves_nothing),
	};

	return tap_run_group(tests, find_edu, NULL);
}
