// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that can happen to mappings of MMIO at the same time; see commotion.h. The threads
 * share nothing but what is there, and a flag that says when to end.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commotion.h"
#include "space.h"
#include "tap.h"

#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define INSTANCE	"race"
#define CHILD		0x600000ull	/* of a child's view */
#define NOTHING		0x700000ull	/* where nothing is ever mapped */

struct commotion commotion;

static struct pci ivshmem;
static struct device prober, comer, neighbour;
static atomic_bool ending;

/**
 * commotion_make_devices() - what all tests of a program need; a fixture of a group
 */
int commotion_make_devices(void **state)
{
	(void)state;
	bar_find(&ivshmem);
	instance_make(INSTANCE, 0);
	device_make(&prober, INSTANCE, "p", "mode=none");
	device_make(&comer, INSTANCE, "c", "mode=none");
	device_make(&neighbour, INSTANCE, "n", "mode=none");
	return 0;
}

/**
 * commotion_remove_devices() - undo commotion_make_devices()
 */
int commotion_remove_devices(void **state)
{
	(void)state;
	device_remove(&neighbour);
	device_remove(&comer);
	device_remove(&prober);
	instance_remove(INSTANCE);
	vfio_unbind(&ivshmem);
	vfio_unload();
	return 0;
}

/**
 * commotion_open() - the BAR and the VM; a fixture of a test
 */
int commotion_open(void **state)
{
	(void)state;
	bar_open(&commotion.bar, &ivshmem);
	commotion.vm = vm_open(8, 256, 0);
	vm_attach(commotion.vm, &prober);
	atomic_store(&ending, false);
	return 0;
}

/**
 * commotion_close() - undo commotion_open()
 */
int commotion_close(void **state)
{
	(void)state;
	faultq_close(commotion.vm);
	bar_close(&commotion.bar);
	return 0;
}

static uint32_t reaches(uint64_t iova)
{
	uint64_t value = 0;

	return device_reaches(&prober, MOCK_IOMMU_WRITE, iova, &value);
}

/* In any thread. */
static void assert_is(uint64_t iova, uint32_t status, uint32_t expected)
{
	if (status != expected)
		fprintf(stderr, "at 0x%lx: %u instead of %u\n", (long)iova, status, expected);
	must(status == expected);
}

/**
 * assert_no_way() - the BAR was taken away and cannot come back yet: a device finds no way to it
 * @iova: where it was mapped
 */
void assert_no_way(uint64_t iova)
{
	assert_is(iova, reaches(iova), MOCK_IOMMU_ACCESS_MISS);
	assert_is(iova, reaches(iova + BAR_SIZE - PAGE), MOCK_IOMMU_ACCESS_MISS);
}

/**
 * assert_no_bar() - the same, but there may be the scratch page
 * @iova: where it was mapped
 */
void assert_no_bar(uint64_t iova)
{
	uint32_t status = reaches(iova);

	must(status == MOCK_IOMMU_ACCESS_MISS || status == MOCK_IOMMU_ACCESS_DONE);
}

/* What the other threads do, each in a loop */

static bool is_away(int ret)
{
	return ret == -ENXIO || ret == -EFAULT;
}

static void *restore(void *none)
{
	while (!atomic_load(&ending)) {
		int ret = faultq_mmio_restore(commotion.vm, atomic_load(&commotion.id), NULL);

		must(!ret || is_away(ret) || ret == -ENOENT);
	}
	return none;
}

static void *map_and_unmap(void *none)
{
	while (!atomic_load(&ending)) {
		int ret = faultq_map_mmio(commotion.vm, COMMOTION_MAPPER, commotion.bar.memory,
					  BAR_SIZE, RW, NULL);

		must(!ret || is_away(ret));
		must(!faultq_unmap(commotion.vm, COMMOTION_MAPPER, BAR_SIZE, NULL));
	}
	return none;
}

static void *come_and_go(void *none)
{
	struct faultq_attach attach;

	while (!atomic_load(&ending)) {
		must(!faultq_attach(commotion.vm, comer.platform, &attach));
		must(!faultq_detach(commotion.vm, attach.device, NULL));
	}
	return none;
}

static void *open_and_close(void *none)
{
	struct faultq *fq;

	while (!atomic_load(&ending)) {
		int ret;

		must(!faultq_open(&fq));
		/* a process that is not killed yet may hold the last one */
		ret = faultq_attach(fq, neighbour.platform, NULL);
		must(!ret || ret == -EBUSY);
		ret = faultq_map_mmio(fq, COMMOTION_IOVA, commotion.bar.memory, BAR_SIZE,
				      RW | FAULTQ_MAP_SCRATCH | FAULTQ_MAP_RETRY, NULL);
		must(!ret || is_away(ret));
		faultq_close(fq);
	}
	return none;
}

static void *fault(void *none)
{
	while (!atomic_load(&ending))
		dma_wait(&prober, dma_start(&prober, MOCK_IOMMU_READ, NOTHING, NULL, 8),
			 &(uint64_t){ 0 });
	return none;
}

static void *consume(void *none)
{
	const struct faultq_record *records;

	while (!atomic_load(&ending)) {
		if (faultq_wait(commotion.vm, 10) || faultq_peek(commotion.vm, &records) < 1)
			continue;
		must(records[0].type == FAULTQ_UNRECOVERABLE ||
		     records[0].type == FAULTQ_MMIO_REVOKED ||
		     records[0].type == FAULTQ_MMIO_RESTORED);
		faultq_consume(commotion.vm);
	}
	return none;
}

static void *kill_processes(void *none)
{
	while (!atomic_load(&ending)) {
		pid_t child = fork();

		if (!child) {
			uint8_t *view = bar_map(&commotion.bar, NULL);

			faultq_map_mmio(commotion.vm, CHILD, view, BAR_SIZE, RW, NULL);
			pause();
		}
		usleep(5000);
		kill(child, SIGKILL);
		must(waitpid(child, NULL, 0) == child);
		/* VFIO of 6.1 may hold its memory for a moment */
		while (reaches(CHILD) != MOCK_IOMMU_ACCESS_MISS)
			usleep(100);
		must(!faultq_unmap(commotion.vm, CHILD, BAR_SIZE, NULL));
	}
	return none;
}

/* A view of its own, which it takes away in every way that a process has. */
static void *zap_a_view(void *none)
{
	uint8_t *view = bar_map(&commotion.bar, NULL);
	uint64_t mapping = 0;

	while (!atomic_load(&ending)) {
		if (!mapping && faultq_map_mmio(commotion.vm, COMMOTION_VIEW, view, BAR_SIZE, RW,
						&mapping))
			continue;
		must(!mprotect(view, BAR_SIZE, PROT_READ));
		assert_no_way(COMMOTION_VIEW);
		must(!mprotect(view, BAR_SIZE, PROT_READ | PROT_WRITE));
		faultq_mmio_restore(commotion.vm, mapping, NULL);
		bar_replace(view);
		assert_no_way(COMMOTION_VIEW);
		must(bar_map(&commotion.bar, view) == view);
		faultq_mmio_restore(commotion.vm, mapping, NULL);
	}
	munmap(view, BAR_SIZE);
	return none;
}

static void *(*const others[])(void *) = {
	restore, map_and_unmap, come_and_go, open_and_close, fault, consume, zap_a_view,
	kill_processes,
};

/**
 * commotion_map_anew() - replace the mapping of which all know
 */
void commotion_map_anew(void)
{
	uint64_t mapping;

	must(!faultq_unmap(commotion.vm, COMMOTION_IOVA, BAR_SIZE, NULL));
	must(!faultq_map_mmio(commotion.vm, COMMOTION_IOVA, commotion.bar.memory, BAR_SIZE, RW,
			      &mapping));
	atomic_store(&commotion.id, mapping);
}

/**
 * commotion_race() - all threads at work, while something takes the BAR away
 * @zap: takes it away, looks, and brings it back
 * @rounds: how often
 */
void commotion_race(void (*zap)(void), unsigned long rounds)
{
	pthread_t threads[ARRAY_SIZE(others)];

	commotion_map_anew();
	must(!faultq_map_mmio(commotion.vm, COMMOTION_SCRATCH, commotion.bar.memory, BAR_SIZE,
			      RW | FAULTQ_MAP_SCRATCH | FAULTQ_MAP_RETRY, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		must(!pthread_create(&threads[i], NULL, others[i], NULL));
	for (unsigned long i = 0; i < rounds; i++) {
		zap();
		if (i % 8 == 7)
			commotion_map_anew();
	}
	atomic_store(&ending, true);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		pthread_join(threads[i], NULL);
}

/**
 * commotion_assert_all_comes_back() - when all is quiet, it is as if nothing had been
 */
void commotion_assert_all_comes_back(void)
{
	must(!faultq_mmio_restore(commotion.vm, atomic_load(&commotion.id), NULL));
	assert_int_equal(reaches(COMMOTION_IOVA), MOCK_IOMMU_ACCESS_NO_MEMORY);
	while (reaches(COMMOTION_SCRATCH) != MOCK_IOMMU_ACCESS_NO_MEMORY)
		usleep(1000);
	bar_decode(&commotion.bar, false);
	assert_no_way(COMMOTION_IOVA);
	assert_no_bar(COMMOTION_SCRATCH);
}
