// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI devices that are removed from the system while they are attached: hot-unplug, asked for
 * through sysfs. The VM is told, nothing is left behind, and the device that comes back can be
 * attached again. The removal meets DMA that runs, and calls that other threads make at the
 * same time.
 *
 * Whatever happens, edu must not stay held: it is removed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <faultq.h>

#include "support/pci.h"
#include "support/tap.h"

#define PAGE	4096
#define IOVA	0x100000
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static struct pci edu, nic;
static struct faultq *vm;
static uint8_t *page;

static int find_devices(void **state)
{
	(void)state;
	return pci_find(&edu, PCI_EDU, NULL) && pci_find(&nic, PCI_E1000E, "bus") ? 0 : -1;
}

static void open_vm(void)
{
	assert_int_equal(faultq_open(&vm), 0);
	assert_int_equal(faultq_queue(vm, 8, 64, -1, 0), 0);
	assert_int_equal(faultq_map(vm, IOVA, page, PAGE, RW), 0);
}

static void close_vm(void)
{
	faultq_close(vm);
	vm = NULL;
}

static int new_vm(void **state)
{
	(void)state;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -1;
	open_vm();
	return 0;
}

/* Both devices are there after a test, nobody's. */
static int end(void **state)
{
	(void)state;
	pci_close(&edu);
	pci_close(&nic);
	if (vm)
		close_vm();
	munmap(page, PAGE);
	pci_rescan();
	if (!faultq_open(&vm)) {
		faultq_release(vm, edu.name);
		close_vm();
	}
	return pci_exists(&edu) && pci_exists(&nic) ? 0 : -1;
}

static uint32_t attach(const struct pci *pci)
{
	struct faultq_attach attach;

	assert_int_equal(faultq_attach(vm, pci->name, &attach), 0);
	return attach.device;
}

static void open_for_dma(struct pci *pci)
{
	pci_open(pci);
	pci_set_master(pci, true);
}

static void assert_nothing_held(void)
{
	struct faultq *fq;
	uint32_t count = 0;

	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_held(fq, NULL, &count), 0);
	assert_int_equal(count, 0);
	faultq_close(fq);
}

/*
 * The last record in the queue is that of the removal, which is over. Before it there is nothing
 * but what a device met that was at work, where the IOMMU driver tells.
 */
static void assert_told_gone(uint32_t id)
{
	const struct faultq_record *record;
	struct faultq_stats stats;

	while (faultq_peek(vm, &record) == 1 && record->type == FAULTQ_UNRECOVERABLE)
		faultq_consume(vm);
	assert_int_equal(faultq_peek(vm, &record), 1);
	assert_int_equal(record->type, FAULTQ_DEVICE_GONE);
	assert_int_equal(record->flags & ~FAULTQ_RECORD_AFTER_LOSS, FAULTQ_RECORD_DEVICE);
	assert_int_equal(record->device, id);
	faultq_consume(vm);
	assert_int_equal(faultq_peek(vm, &record), 0);

	assert_int_equal(faultq_stats(vm, 0, &stats), 0);
	assert_int_equal(stats.devices, 0);
	assert_int_equal(faultq_stats(vm, id, &stats), -ENOENT);
	assert_int_equal(faultq_detach(vm, id, NULL), -ENOENT);
	assert_nothing_held();
}

static void assert_copies(struct pci *nic)
{
	open_for_dma(nic);
	e1000e_fill(page, IOVA, 1);
	e1000e_program(nic, IOVA);
	e1000e_send(nic);
	assert_true(e1000e_has_copied(page));
}

/* A thread that does something until it is told to end. */
struct worker {
	pthread_t thread;
	void (*work)(void);
	atomic_bool ending;
	atomic_ulong rounds;
};

static void *work(void *data)
{
	struct worker *worker = data;

	while (!atomic_load(&worker->ending)) {
		worker->work();
		atomic_fetch_add(&worker->rounds, 1);
	}
	return NULL;
}

static void await_round(struct worker *worker)
{
	unsigned long rounds = atomic_load(&worker->rounds);

	while (atomic_load(&worker->rounds) == rounds)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static void start(struct worker *worker, void (*function)(void))
{
	*worker = (struct worker){ .work = function };
	assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
	await_round(worker);
}

static void stop(struct worker *worker)
{
	atomic_store(&worker->ending, true);
	pthread_join(worker->thread, NULL);
}

static void send_a_frame(void)
{
	e1000e_send(&nic);
}

static void start_a_dma(void)
{
	edu_start(&edu, EDU_WRITE, IOVA, 8);
}

static void map_and_unmap(void)
{
	static uint8_t other[PAGE] __attribute__((aligned(PAGE)));

	faultq_map(vm, IOVA + PAGE, other, PAGE, RW);
	faultq_unmap(vm, IOVA + PAGE, PAGE, NULL);
}

/* Removal of an attached device */

static void an_idle_device_is_gone(void **state)
{
	uint32_t id = attach(&edu);

	(void)state;
	pci_remove(&edu);
	assert_told_gone(id);
	assert_int_equal(faultq_attach(vm, edu.name, NULL), -ENOENT);
	pci_rescan();
	assert_int_not_equal(attach(&edu), id);
}

static void *sleep_for_a_record(void *result)
{
	*(int *)result = faultq_wait(vm, -1);
	return NULL;
}

static void a_sleeper_is_woken(void **state)
{
	uint32_t id = attach(&nic);
	pthread_t thread;
	int result = -1;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, sleep_for_a_record, &result), 0);
	pci_remove(&nic);
	pthread_join(thread, NULL);
	assert_int_equal(result, 0);
	assert_told_gone(id);
}

static void only_the_removed_device_is_gone(void **state)
{
	struct faultq_stats stats;
	uint32_t id;

	(void)state;
	attach(&nic);
	id = attach(&edu);
	pci_remove(&edu);
	assert_int_equal(faultq_stats(vm, id, &stats), -ENOENT);
	assert_int_equal(faultq_stats(vm, 0, &stats), 0);
	assert_int_equal(stats.devices, 1);
	assert_copies(&nic);
}

static void remove_while_it_works(struct pci *pci, void (*dma)(void))
{
	struct worker device, mapper;
	uint32_t id = attach(pci);

	open_for_dma(pci);
	if (pci == &nic) {
		e1000e_fill(page, IOVA, 2);
		e1000e_program(pci, IOVA);
	}
	start(&device, dma);
	start(&mapper, map_and_unmap);
	pci_remove(pci);
	assert_told_gone(id);
	await_round(&device);
	await_round(&mapper);
	stop(&mapper);
	stop(&device);
	pci_close(pci);
	pci_rescan();
	assert_true(pci_exists(pci));
}

static void a_device_is_removed_while_its_dma_runs_and_memory_is_mapped(void **state)
{
	(void)state;
	for (unsigned long i = 0; i < scaled(5, 200); i++)
		remove_while_it_works(&nic, send_a_frame);
	attach(&nic);
	assert_copies(&nic);
}

static void a_device_without_reset_is_removed_while_its_dma_runs(void **state)
{
	(void)state;
	for (unsigned long i = 0; i < scaled(5, 200); i++)
		remove_while_it_works(&edu, start_a_dma);
	attach(&edu);
	open_for_dma(&edu);
	memset(page, 0x5a, 8);
	edu_wait(&edu);
	edu_dma(&edu, EDU_READ, IOVA, 8);
	edu_dma(&edu, EDU_WRITE, IOVA + 8, 8);
	assert_memory_equal(page + 8, page, 8);
}

/* Removal against a call of another thread */

/* A thread that makes one call, some time around the removal. */
struct racer {
	int (*call)(void);
	int result;
	long delay;	/* microseconds */
	pthread_barrier_t start;
};

static void *run_racer(void *data)
{
	struct racer *racer = data;

	pthread_barrier_wait(&racer->start);
	nanosleep(&(struct timespec){ .tv_nsec = racer->delay * 1000 }, NULL);
	racer->result = racer->call();
	return NULL;
}

/* The @round decides who is how much ahead, so that the two meet everywhere. */
static int race_removal(const struct pci *pci, int (*call)(void), unsigned long round)
{
	struct racer racer = { .call = call, .delay = round % 32 * 150 };
	pthread_t thread;

	pthread_barrier_init(&racer.start, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, run_racer, &racer), 0);
	pthread_barrier_wait(&racer.start);
	pci_remove(pci);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&racer.start);
	return racer.result;
}

static int call_close(void)
{
	close_vm();
	return 0;
}

static uint32_t id_of_racer;

static int call_attach(void)
{
	struct faultq_attach attach = { .device = 0 };
	int ret = faultq_attach(vm, edu.name, &attach);

	id_of_racer = attach.device;
	return ret;
}

static int call_detach(void)
{
	return faultq_detach(vm, id_of_racer, NULL);
}

static int call_release(void)
{
	return faultq_release(vm, edu.name);
}

static void race_with_close(const struct pci *pci, unsigned long rounds)
{
	for (unsigned long i = 0; i < rounds; i++) {
		attach(pci);
		race_removal(pci, call_close, i);
		assert_nothing_held();
		pci_rescan();
		open_vm();
	}
	attach(pci);
}

static void removal_races_with_close(void **state)
{
	(void)state;
	race_with_close(&nic, scaled(16, 500));
}

static void removal_of_a_device_without_reset_races_with_close(void **state)
{
	(void)state;
	race_with_close(&edu, scaled(32, 2000));
}

static void removal_races_with_attach(void **state)
{
	(void)state;
	for (unsigned long i = 0; i < scaled(32, 2000); i++) {
		int ret = race_removal(&edu, call_attach, i);

		if (ret)
			assert_true(ret == -ENOENT || ret == -ENODEV);
		else
			assert_told_gone(id_of_racer);
		assert_nothing_held();
		pci_rescan();
	}
	attach(&edu);
}

static void race_with_detach(const struct pci *pci, unsigned long rounds)
{
	for (unsigned long i = 0; i < rounds; i++) {
		int ret;

		id_of_racer = attach(pci);
		ret = race_removal(pci, call_detach, i);
		if (ret) {
			assert_int_equal(ret, -ENOENT);
			assert_told_gone(id_of_racer);
		}
		assert_nothing_held();
		pci_rescan();
	}
	attach(pci);
}

static void removal_races_with_detach(void **state)
{
	(void)state;
	race_with_detach(&nic, scaled(16, 1000));
}

static void removal_of_a_device_without_reset_races_with_detach(void **state)
{
	(void)state;
	race_with_detach(&edu, scaled(32, 2000));
}

static void removal_races_with_release(void **state)
{
	(void)state;
	for (unsigned long i = 0; i < scaled(32, 2000); i++) {
		int ret;

		assert_int_equal(faultq_detach(vm, attach(&edu), NULL), 0);
		ret = race_removal(&edu, call_release, i);
		assert_true(!ret || ret == -ENOENT || ret == -EAGAIN);
		assert_nothing_held();
		pci_rescan();
	}
	attach(&edu);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, new_vm, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_idle_device_is_gone),
		TEST(a_sleeper_is_woken),
		TEST(only_the_removed_device_is_gone),
		TEST(a_device_is_removed_while_its_dma_runs_and_memory_is_mapped),
		TEST(a_device_without_reset_is_removed_while_its_dma_runs),
		TEST(removal_races_with_close),
		TEST(removal_of_a_device_without_reset_races_with_close),
		TEST(removal_races_with_attach),
		TEST(removal_races_with_detach),
		TEST(removal_of_a_device_without_reset_races_with_detach),
		TEST(removal_races_with_release),
	};

	return tap_run_group(tests, find_devices, NULL);
}
