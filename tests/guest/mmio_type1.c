// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same on both backends of VFIO, side by side: edu does DMA to a BAR that was mapped by
 * MAP_DMA; the BAR goes; something is at its place again. Who still lets edu reach it? The lines
 * are printed as comments; on this project's backend nobody reaches it, whatever the kernel's
 * type1 says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/mmio.h"
#include "support/module.h"
#include "support/privilege.h"
#include "support/tap.h"

#define IOVA		0x200000ull	/* within edu's 28 bits */
#define IOVA_MEMORY	0x100000ull
#define RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static struct pci edu, ivshmem;
static struct vfio master;
static struct bar bar;
static uint64_t *memory;
static bool enough;

static int find_devices(void **state)
{
	(void)state;
	vfio_take_edu(&edu);
	assert_true(pci_find(&ivshmem, PCI_IVSHMEM, "bus"));
	vfio_bind(&ivshmem);
	memory = pages_new(1);
	return 0;
}

static int give_devices_back(void **state)
{
	(void)state;
	pages_free(memory, 1);
	vfio_unbind(&ivshmem);
	vfio_give_edu_back(&edu);
	return 0;
}

static bool arrives(void)
{
	static uint64_t value = 0x1122334455660000;

	memory[0] = ++value;
	edu_dma(&edu, EDU_READ, IOVA_MEMORY, 8);
	edu_dma(&edu, EDU_WRITE, IOVA + 0x100, 8);
	return bar_read(&bar, 0x100) == value;
}

static void map_for_master(void *address)
{
	assert_int_equal(vfio_map(master.container, IOVA, address, BAR_SIZE, RW), 0);
}

/* What takes the BAR away. Each begins with a mapped BAR, and ends when a BAR answers again. */

static void decoding_off(void)
{
	bar_decode(&bar, false);
	bar_decode(&bar, true);
}

static void reset(void)
{
	bar_reset(&bar);
}

static void unmapping(void)
{
	bar_unmap(&bar);
}

static void moving(void)
{
	uint8_t *place = bar.memory;

	bar.memory = mremap(place, BAR_SIZE, BAR_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    place + 64 * BAR_SIZE);
	assert_ptr_equal(bar.memory, place + 64 * BAR_SIZE);
}

static void protecting(void)
{
	assert_int_equal(mprotect(bar.memory, BAR_SIZE, PROT_NONE), 0);
}

/* A child has mapped it for the device, and is killed. */
static void killing(void)
{
	int ready[2];
	pid_t child;
	char byte;
	uint64_t unmapped;

	assert_int_equal(vfio_unmap(master.container, IOVA, BAR_SIZE, 0, &unmapped), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		uint8_t *view = bar_map(&bar, NULL);

		must(view && !vfio_map(master.container, IOVA, view, BAR_SIZE, RW));
		must(write(ready[1], "", 1) == 1);
		pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_true(arrives());
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void leave_and_return(const struct departure *departure)
{
	struct leaving leaving;

	leaving_begin(&leaving, departure, &ivshmem);
	leaving_end(&leaving, &bar);
	departure->undo(&ivshmem);
	bar_open(&bar, &ivshmem);
}

static void unbinding(void)
{
	leave_and_return(&departure_unbind);
}

static void removing(void)
{
	leave_and_return(&departure_remove);
}

static void begin(unsigned long backend)
{
	vfio_open(&master, &edu, backend);
	assert_int_equal(vfio_map(master.container, IOVA_MEMORY, memory, PAGE, RW), 0);
	bar_open(&bar, &ivshmem);
	map_for_master(bar.memory);
	assert_true(arrives());
}

static void end(void)
{
	bar_close(&bar);
	vfio_close(&master);
}

static bool still_arrives(unsigned long backend, void (*take_away)(void))
{
	bool still;

	begin(backend);
	take_away();
	still = arrives();
	end();
	return still;
}

static const char *word(bool still)
{
	return still ? "still reached" : "not reached";
}

static void compare(const char *what, void (*take_away)(void))
{
	bool ours = still_arrives(FAULTQ_VFIO_IOMMU, take_away);
	bool type1 = still_arrives(VFIO_TYPE1v2_IOMMU, take_away);

	fprintf(stderr, "after %-26s faultq: %-14s type1: %s\n", what, word(ours), word(type1));
	assert_false(ours);
}

static void who_still_translates(void **state)
{
	(void)state;
	compare("decoding off and on", decoding_off);
	compare("a reset", reset);
	compare("munmap()", unmapping);
	if (bar_moves_quietly())
		compare("mremap()", moving);
	compare("mprotect()", protecting);
	compare("the process is killed", killing);
	compare("unbinding and binding", unbinding);
	compare("removal and rescan", removing);
}

/* Memory and the BAR take turns at one address. */
static void *take_turns(void *place)
{
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		must(bar_map(&bar, place) == place);
		must(mmap(place, BAR_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place);
	}
	return NULL;
}

/* As a process that may lock as much as is mapped, and no more. */
static int map_meanwhile(void *place)
{
	const struct rlimit limit = { .rlim_cur = BAR_SIZE, .rlim_max = BAR_SIZE };
	unsigned int rounds = scaled(200, 5000);
	uint64_t unmapped;
	pthread_t thread;
	int ret;

	must(!setrlimit(RLIMIT_MEMLOCK, &limit));
	must(!pthread_create(&thread, NULL, take_turns, place));
	while (rounds--) {
		ret = vfio_map(master.container, IOVA, place, BAR_SIZE, RW);
		must(!ret || ret == -EFAULT);
		must(!vfio_unmap(master.container, IOVA, BAR_SIZE, 0, &unmapped));
		must(unmapped == (ret ? 0 : BAR_SIZE));
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	must(!pthread_join(thread, NULL));
	/* memory is there now, and nothing is charged yet */
	return vfio_map(master.container, IOVA, place, BAR_SIZE, RW);
}

static void map_what_changes(unsigned long backend)
{
	void *place = pages_new(BAR_SIZE / PAGE);

	vfio_open(&master, &edu, backend);
	bar_open(&bar, &ivshmem);
	assert_int_equal(without_capability(CAP_IPC_LOCK, map_meanwhile, place), 0);
	bar_close(&bar);
	vfio_close(&master);
	pages_free(place, BAR_SIZE / PAGE);
}

/* It is one of the two that is mapped, or neither; the BAR is not charged as memory. */
static void what_is_mapped_changes_meanwhile(void **state)
{
	(void)state;
	map_what_changes(FAULTQ_VFIO_IOMMU);
	map_what_changes(VFIO_TYPE1v2_IOMMU);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_still_translates),
		cmocka_unit_test(what_is_mapped_changes_meanwhile),
	};

	return tap_run_group(tests, find_devices, give_devices_back);
}
