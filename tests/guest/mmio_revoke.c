// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO that goes while a device does DMA to it: edu writes to a BAR that VFIO handed out, through
 * the VM's address space. Whatever takes the BAR away, what comes back at its place is not
 * reached, the VM is told, and a call makes the way free again.
 *
 * The BAR is memory, and stays what it was while it does not answer: so it is looked at
 * afterwards whether a DMA arrived.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/interrupt.h"
#include "support/mmio.h"
#include "support/pci.h"
#include "support/tap.h"

#define IOVA		0x200000ull	/* of the BAR; within edu's 28 bits */
#define IOVA_MEMORY	0x100000ull
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static struct pci edu, ivshmem;
static struct bar bar;
static struct faultq *vm;
static uint64_t *memory;
static uint64_t id;

static int find_devices(void **state)
{
	(void)state;
	assert_true(pci_find(&edu, PCI_EDU, NULL));
	bar_find(&ivshmem);
	return 0;
}

static int give_devices_back(void **state)
{
	(void)state;
	vfio_unbind(&ivshmem);
	vfio_unload();
	return 0;
}

/* edu is attached, memory is mapped for it, and the BAR is open. */
static int open_all(void **state)
{
	(void)state;
	vm = vm_open(8, 256, 0);
	pci_open(&edu);
	vm_attach_name(vm, edu.name);
	pci_set_master(&edu, true);
	memory = pages_new(1);
	assert_int_equal(faultq_map(vm, IOVA_MEMORY, memory, PAGE, RW), 0);
	bar_open(&bar, &ivshmem);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	bar_close(&bar);
	pci_close(&edu);
	faultq_close(vm);
	assert_int_equal(faultq_open(&vm), 0);
	faultq_release(vm, edu.name);
	faultq_close(vm);
	pages_free(memory, 1);
	return 0;
}

static void map_bar(uint32_t flags)
{
	assert_int_equal(faultq_map_mmio(vm, IOVA, bar.memory, BAR_SIZE, RW | flags, &id), 0);
}

/* edu writes what was not written before. */
static uint64_t dma_to(uint64_t iova)
{
	static uint64_t value = 0x1122334455660000;

	memory[0] = ++value;
	edu_dma(&edu, EDU_READ, IOVA_MEMORY, 8);
	edu_dma(&edu, EDU_WRITE, iova, 8);
	return value;
}

static void assert_arrives(void)
{
	uint64_t value = dma_to(IOVA + 0x100);

	assert_int_equal(bar_read(&bar, 0x100), value);
	bar_write(&bar, 0x108, value);
	memory[1] = 0;
	edu_dma(&edu, EDU_READ, IOVA + 0x108, 8);
	edu_dma(&edu, EDU_WRITE, IOVA_MEMORY + 8, 8);
	assert_int_equal(memory[1], value);
}

/* The BAR answers, or would, but for the devices of the VM. */
static void assert_does_not_arrive(void)
{
	uint64_t before = bar_read(&bar, 0x100);

	dma_to(IOVA + 0x100);
	assert_int_equal(bar_read(&bar, 0x100), before);
}

static void assert_restores(void)
{
	struct faultq_restore restore;

	assert_int_equal(faultq_mmio_restore(vm, id, &restore), 0);
	assert_int_equal(restore.restored, BAR_SIZE);
	assert_int_equal(restore.revoked, 0);
	assert_int_equal(restore.written, 0);
	assert_arrives();
	mmio_assert_silence(vm);
}

static void peer_to_peer_dma_reaches_a_bar(void **state)
{
	struct faultq_restore restore;

	(void)state;
	map_bar(0);
	assert_arrives();
	assert_int_equal(faultq_mmio_restore(vm, id, &restore), 0);
	assert_int_equal(restore.restored, 0);
	assert_int_equal(restore.revoked, 0);
	assert_int_equal(faultq_unmap(vm, IOVA, BAR_SIZE, NULL), 0);
	assert_does_not_arrive();
	mmio_assert_silence(vm);
}

static void decoding_off(void **state)
{
	(void)state;
	map_bar(0);
	assert_arrives();
	bar_decode(&bar, false);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_CLEARED);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -ENXIO);
	bar_decode(&bar, true);
	assert_does_not_arrive();
	assert_restores();
}

static void reset(void **state)
{
	(void)state;
	map_bar(0);
	assert_arrives();
	bar_reset(&bar);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_CLEARED);
	assert_does_not_arrive();
	assert_restores();
}

static void unmapping(void **state)
{
	uint8_t *place = bar.memory;

	(void)state;
	map_bar(0);
	bar_unmap(&bar);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_UNMAPPED);
	assert_does_not_arrive();
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
	bar.memory = bar_map(&bar, place);
	assert_non_null(bar.memory);
	assert_restores();
}

static void moving(void **state)
{
	uint8_t *place = bar.memory;

	(void)state;
	if (!bar_moves_quietly())
		skip_because("this kernel warns of itself when a mapping of VFIO's is moved");
	map_bar(0);
	bar.memory = mremap(place, BAR_SIZE, BAR_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    place + 16 * BAR_SIZE);
	assert_ptr_equal(bar.memory, place + 16 * BAR_SIZE);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_UNMAPPED);
	assert_does_not_arrive();
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
	assert_int_equal(faultq_unmap(vm, IOVA, BAR_SIZE, NULL), 0);
	map_bar(0);
	assert_arrives();
}

/* VFIO may empty the parts into which the mapping is divided before one of them is unmapped. */
static void assert_some_was_unmapped(void)
{
	uint32_t why = mmio_event(vm).reason;

	assert_true(why == FAULTQ_REVOKED_UNMAPPED || why == FAULTQ_REVOKED_CLEARED);
	assert_does_not_arrive();
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
}

/* What is mapped over the BAR is memory, and stays out of the devices' reach. */
static void mapping_over(void **state)
{
	uint8_t *place = bar.memory;

	(void)state;
	map_bar(0);
	assert_ptr_equal(mmap(place, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), place);
	assert_some_was_unmapped();
	assert_ptr_equal(bar_map(&bar, place), place);
	assert_restores();
}

static void protecting(void **state)
{
	(void)state;
	map_bar(0);
	assert_int_equal(mprotect(bar.memory, BAR_SIZE, PROT_READ), 0);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_PROTECTED);
	assert_does_not_arrive();
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
	assert_int_equal(mprotect(bar.memory, BAR_SIZE, PROT_READ | PROT_WRITE), 0);
	assert_restores();
}

/* Some of it goes: so all of it, as it was mapped. What is left cannot be restored alone. */
static void some_of_it_goes(void **state)
{
	uint8_t *place = bar.memory;

	(void)state;
	map_bar(0);
	munmap(place + 4 * PAGE, PAGE);
	assert_some_was_unmapped();
	assert_ptr_equal(bar_map(&bar, place), place);
	assert_restores();
}

/* Nothing is gone while the process has it mapped: that holds the device. */
static void closing_the_device(void **state)
{
	(void)state;
	map_bar(0);
	vfio_close_file(&bar.vfio.device);
	vfio_close_file(&bar.vfio.group);
	vfio_close_file(&bar.vfio.container);
	mmio_assert_silence(vm);
	*(volatile uint64_t *)(bar.memory + 0x100) = dma_to(IOVA + 0x100);
	assert_int_equal(*(volatile uint64_t *)(bar.memory + 0x100), memory[0]);
	bar_unmap(&bar);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_UNMAPPED);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
	bar_open(&bar, &ivshmem);
	assert_does_not_arrive();
}

/* A child maps its own view of the BAR into the VM; then what it does is done to it. */
static pid_t child_with_bar(int *release)
{
	int ready[2], go[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		uint8_t *view = bar_map(&bar, NULL);

		if (!view || faultq_map_mmio(vm, IOVA, view, BAR_SIZE, RW, &id) ||
		    write(ready[1], &id, sizeof(id)) != sizeof(id) || read(go[0], &byte, 1) < 0)
			_exit(1);
		execl("/bin/true", "true", NULL);
		_exit(2);
	}
	close(ready[1]);
	close(go[0]);
	assert_int_equal(read(ready[0], &id, sizeof(id)), sizeof(id));
	close(ready[0]);
	*release = go[1];
	return child;
}

static void assert_child_is_gone(pid_t child, int release)
{
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_EXITED);
	assert_does_not_arrive();
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -ESRCH);
	close(release);
}

static void killing_the_process(void **state)
{
	pid_t child;
	int release;

	(void)state;
	child = child_with_bar(&release);
	assert_arrives();
	kill(child, SIGKILL);
	assert_child_is_gone(child, release);
}

static void exec(void **state)
{
	pid_t child;
	int release;

	(void)state;
	child = child_with_bar(&release);
	assert_arrives();
	assert_int_equal(write(release, "", 1), 1);
	assert_child_is_gone(child, release);
}

/* The BAR is the process's that mapped it. */
static void a_child_ends(void **state)
{
	pid_t child;

	(void)state;
	map_bar(0);
	child = fork();
	if (!child) {
		munmap(bar.memory, BAR_SIZE);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	mmio_assert_silence(vm);
	assert_arrives();
}

/* A call of this VM whose argument arrives when it has begun. */
struct late_call {
	unsigned long command;
	void *argument;
};

static int make_late_call(void *data)
{
	const struct late_call *late = data;

	return ioctl(faultq_fd(vm), late->command, late->argument) ? -errno : 0;
}

/* The interruption is pending in all that the call does; @content is its argument, and a page. */
static void interrupt_call(unsigned long command, enum interruption kind, void *content)
{
	struct late_call late = { .command = command };
	int userfaultfd = stuck_memory_new(&late.argument, 1);
	struct interrupted interrupted;

	interrupted_begin(&interrupted, kind, make_late_call, &late);
	stuck_memory_wait(userfaultfd);
	interrupt(&interrupted);
	stuck_memory_give(userfaultfd, late.argument, content);
	assert_int_equal(interrupted_end(&interrupted), 0);
	memcpy(content, late.argument, PAGE);
	close(userfaultfd);
	pages_free(late.argument, 1);
}

static void interrupt_restore(enum interruption kind)
{
	struct faultq_restore *restore = pages_new(1);

	bar_decode(&bar, false);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_CLEARED);
	bar_decode(&bar, true);
	*restore = (struct faultq_restore){ .size = sizeof(*restore), .id = id };
	interrupt_call(FAULTQ_MMIO_RESTORE, kind, restore);
	assert_int_equal(restore->restored, BAR_SIZE);
	assert_arrives();
	pages_free(restore, 1);
}

static void nothing_handled_ends_a_restore(void **state)
{
	(void)state;
	map_bar(0);
	for (enum interruption kind = 0; kind < INTERRUPTIONS; kind++)
		interrupt_restore(kind);
}

static void interrupt_map(enum interruption kind)
{
	struct faultq_map *map = pages_new(1);

	*map = (struct faultq_map){
		.size = sizeof(*map), .flags = RW | FAULTQ_MAP_MMIO, .iova = IOVA,
		.length = BAR_SIZE, .user_address = (uintptr_t)bar.memory,
	};
	interrupt_call(FAULTQ_MAP, kind, map);
	assert_arrives();
	assert_int_equal(faultq_unmap(vm, IOVA, BAR_SIZE, NULL), 0);
	pages_free(map, 1);
}

static void nothing_handled_ends_a_map(void **state)
{
	(void)state;
	for (enum interruption kind = 0; kind < INTERRUPTIONS; kind++)
		interrupt_map(kind);
}

/* However a device goes, its driver goes first. */
static void the_device_leaves(const struct departure *departure)
{
	struct leaving leaving;

	map_bar(0);
	assert_arrives();
	leaving_begin(&leaving, departure, &ivshmem);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_UNBOUND);
	assert_does_not_arrive();
	leaving_end(&leaving, &bar);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
	departure->undo(&ivshmem);
	bar_open(&bar, &ivshmem);
	assert_does_not_arrive();
}

static void unbinding_the_driver(void **state)
{
	(void)state;
	the_device_leaves(&departure_unbind);
}

static void removing_the_device(void **state)
{
	(void)state;
	the_device_leaves(&departure_remove);
}

/* sysfs */

static uint8_t *resource;

static uint8_t *resource_view(const struct pci *pci, const char *name)
{
	char path[128];
	void *view;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", pci->address, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	view = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_ptr_not_equal(view, MAP_FAILED);
	return view;
}

static void map_resource(const struct pci *pci, const char *name)
{
	resource = resource_view(pci, name);
	assert_int_equal(faultq_map_mmio(vm, IOVA, resource, BAR_SIZE, RW, &id), -EFAULT);
	assert_int_equal(faultq_map_mmio(vm, IOVA, resource, BAR_SIZE,
					 RW | FAULTQ_MAP_PARTLY_WATCHED, &id), 0);
}

/* Nobody has the BAR but the file. */
static int open_resource(void **state)
{
	open_all(state);
	bar_close(&bar);
	vfio_unbind(&ivshmem);
	pci_open(&ivshmem);
	map_resource(&ivshmem, "resource2");
	return 0;
}

static int close_resource(void **state)
{
	pci_close(&ivshmem);
	munmap(resource, BAR_SIZE);
	if (bar.vfio.container < 0)
		vfio_bind(&ivshmem);
	return close_all(state);
}

/* Looked at by @view, which may be another than what was revoked. */
static bool arrives_in(const uint8_t *view)
{
	return dma_to(IOVA + 0x100) == *(const volatile uint64_t *)(view + 0x100);
}

static void a_resource_file_is_unmapped(void **state)
{
	(void)state;
	assert_true(arrives_in(resource));
	munmap(resource, BAR_SIZE);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_UNMAPPED);
	resource = resource_view(&ivshmem, "resource2");
	assert_false(arrives_in(resource));
}

static void a_resource_file_is_moved(void **state)
{
	uint8_t *place = resource;

	(void)state;
	resource = mremap(place, BAR_SIZE, BAR_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			  place + 16 * BAR_SIZE);
	assert_ptr_equal(resource, place + 16 * BAR_SIZE);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_UNMAPPED);
	assert_false(arrives_in(resource));
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
}

/* The kernel takes the BAR away from who has it mapped, and does not give it back. */
static void a_driver_claims_the_resource(void **state)
{
	(void)state;
	vfio_bind(&ivshmem);
	bar_open(&bar, &ivshmem);
	if (faultq_wait(vm, 0))
		skip_because("this kernel leaves a resource file mapped when a driver comes");
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_CLEARED);
	assert_does_not_arrive();
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -ENXIO);
}

static void the_device_is_removed(void **state)
{
	(void)state;
	pci_remove(&ivshmem);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_REMOVED);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), -EFAULT);
	pci_close(&ivshmem);
	pci_scan();
	pci_open(&ivshmem);
	assert_false(arrives_in(resource));
}

/* What the kernel does not tell of: the list is in docs/mmio.md. */
static void what_passes_unseen(void **state)
{
	(void)state;
	assert_int_equal(pwrite(ivshmem.config, "\0", 1, PCI_COMMAND), 1);
	assert_int_equal(pwrite(ivshmem.config, "\2", 1, PCI_COMMAND), 1);
	assert_int_equal(pci_write_attribute(&ivshmem, "reset", "1"), 0);
	mmio_assert_silence(vm);
	assert_int_equal(mmio_entry(vm, IOVA).state, 0);
	assert_true(arrives_in(resource));
}

/* Coming back by itself */

static void it_is_restored_when_it_is_back(void **state)
{
	struct faultq_record record;

	(void)state;
	map_bar(FAULTQ_MAP_RETRY);
	assert_arrives();
	bar_decode(&bar, false);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_CLEARED);
	assert_int_equal(mmio_entry(vm, IOVA).state, FAULTQ_MAPPING_REVOKED);
	assert_int_equal(mmio_entry(vm, IOVA).revocation, FAULTQ_REVOKED_CLEARED);
	bar_decode(&bar, true);
	record = mmio_await_restored(vm, IOVA);
	assert_int_equal(record.cookie, id);
	assert_int_equal(record.address, IOVA);
	assert_int_equal(record.length, BAR_SIZE);
	assert_int_equal(record.count, 0);
	assert_arrives();
	bar_reset(&bar);
	mmio_assert_revoked(vm, id, FAULTQ_REVOKED_CLEARED);
	mmio_await_restored(vm, IOVA);
	assert_arrives();
}

/* There is none when there is no room, but the state is known, and the news comes with the room. */
static void a_full_ring_loses_no_event(void **state)
{
	struct faultq_record record;
	unsigned int told;

	(void)state;
	map_bar(0);
	for (told = 0; told < 300; told++) {
		bar_decode(&bar, false);
		bar_decode(&bar, true);
		assert_int_equal(mmio_entry(vm, IOVA).state, FAULTQ_MAPPING_REVOKED);
		assert_int_equal(faultq_mmio_restore(vm, id, NULL), 0);
	}
	bar_decode(&bar, false);
	for (told = 0; faultq_wait(vm, 0) == 0; told++) {
		record = mmio_event(vm);
		assert_int_equal(record.type, FAULTQ_MMIO_REVOKED);
	}
	assert_in_range(told, 64, 66);
	assert_int_equal(vm_stats(vm, 0).revocations, 301);
}

/* More revocations at once than there is room for, each of a mapping of its own. */
static void all_revocations_reach_who_sleeps_on_an_eventfd(void **state)
{
	enum { ENTRIES = 64, MAPPINGS = ENTRIES / 4 + 4 };
	unsigned int told = 0;
	struct faultq *small;
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t signals;

	(void)state;
	assert_int_equal(faultq_open(&small), 0);
	assert_int_equal(faultq_queue(small, 8, ENTRIES, fd, 0), 0);
	for (unsigned int i = 0; i < MAPPINGS; i++)
		assert_int_equal(faultq_map_mmio(small, IOVA + i * BAR_SIZE, bar.memory, BAR_SIZE,
						 RW, NULL), 0);
	bar_decode(&bar, false);
	while (told < MAPPINGS) {
		const struct faultq_record *record;

		assert_int_equal(read(fd, &signals, sizeof(signals)), sizeof(signals));
		for (; faultq_peek(small, &record) > 0; told++) {
			assert_int_equal(record->type, FAULTQ_MMIO_REVOKED);
			faultq_consume(small);
		}
	}
	assert_int_equal(told, MAPPINGS);
	faultq_close(small);
	close(fd);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)
#define RESOURCE(test) cmocka_unit_test_setup_teardown(test, open_resource, close_resource)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(peer_to_peer_dma_reaches_a_bar),
		TEST(decoding_off),
		TEST(reset),
		TEST(unmapping),
		TEST(moving),
		TEST(mapping_over),
		TEST(protecting),
		TEST(some_of_it_goes),
		TEST(closing_the_device),
		TEST(killing_the_process),
		TEST(exec),
		TEST(a_child_ends),
		TEST(nothing_handled_ends_a_restore),
		TEST(nothing_handled_ends_a_map),
		TEST(unbinding_the_driver),
		TEST(removing_the_device),
		RESOURCE(a_resource_file_is_unmapped),
		RESOURCE(a_resource_file_is_moved),
		RESOURCE(a_driver_claims_the_resource),
		RESOURCE(the_device_is_removed),
		RESOURCE(what_passes_unseen),
		TEST(it_is_restored_when_it_is_back),
		TEST(a_full_ring_loses_no_event),
		TEST(all_revocations_reach_who_sleeps_on_an_eventfd),
	};

	return tap_run_group(tests, find_devices, give_devices_back);
}
