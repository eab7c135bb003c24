// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of MMIO that take long: of a large BAR, at IOVAs where no large pages are of use, and
 * many of them. Who takes the BAR away waits for no more than a part, no VM waits for another, and
 * the memory for page tables is that of the caller's memory cgroup.
 *
 * There is one CPU, and the guest's clock counts instructions (-icount). So a thread with a higher
 * priority runs as soon as its timer says so, unless the kernel does not let it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/cgroup.h"
#include "support/mmio.h"
#include "support/space.h"

#define LARGE		0x10000000ull	/* see mmio_large.opts */
#define SMALL		0x200000ull
#define IOVA		(0x1000000000ull + PAGE)
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define FLAGS		(RW | FAULTQ_MAP_PARTLY_WATCHED)
#define NAP		100000l		/* nanoseconds */
#define CGROUP		"mmio_large"
#define LIMIT		(8ul << 20)	/* of it, bytes */

static struct pci ivshmem;
static struct device first, second;
static struct faultq *vm;
static uint8_t *view;

static int make_devices(void **state)
{
	(void)state;
	instance_make("large0", 0);
	instance_make("large1", 0);
	device_make(&first, "large0", "first", "mode=none");
	device_make(&second, "large1", "second", "mode=none");
	return 0;
}

static int remove_devices(void **state)
{
	(void)state;
	device_remove(&second);
	device_remove(&first);
	instance_remove("large1");
	instance_remove("large0");
	return 0;
}

static int open_all(void **state)
{
	char path[128];
	int fd;

	(void)state;
	assert_true(pci_find(&ivshmem, PCI_IVSHMEM, NULL));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2", ivshmem.address);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	view = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(view, MAP_FAILED);
	close(fd);
	vm = vm_open(8, 8192, 0);
	vm_attach(vm, &first);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	faultq_close(vm);
	munmap(view, LARGE);
	return 0;
}

static uint32_t status_of(const struct device *device, uint64_t iova)
{
	struct mock_iommu_scan_page page = {};

	must(device_scan(device, MOCK_IOMMU_WRITE, iova, &page, 1) == 0);
	return page.status;
}

static bool is_mapped(const struct device *device, uint64_t iova)
{
	return status_of(device, iova) == MOCK_IOMMU_ACCESS_NO_MEMORY;
}

/* Everywhere, or nowhere. */
static void assert_is(const struct device *device, bool mapped)
{
	for (uint64_t offset = 0; offset < LARGE; offset += 0x100000)
		assert_int_equal(status_of(device, IOVA + offset),
				 mapped ? MOCK_IOMMU_ACCESS_NO_MEMORY : MOCK_IOMMU_ACCESS_MISS);
	assert_int_equal(status_of(device, IOVA + LARGE - PAGE),
			 mapped ? MOCK_IOMMU_ACCESS_NO_MEMORY : MOCK_IOMMU_ACCESS_MISS);
	assert_int_equal(status_of(device, IOVA - PAGE), MOCK_IOMMU_ACCESS_MISS);
	assert_int_equal(status_of(device, IOVA + LARGE), MOCK_IOMMU_ACCESS_MISS);
}

static void a_large_bar_comes_and_goes(void **state)
{
	struct faultq_restore restore;
	uint32_t device;
	uint64_t id;

	(void)state;
	device = vm_attach(vm, &second);
	assert_int_equal(faultq_map_mmio(vm, IOVA, view, LARGE, FLAGS, &id), 0);
	assert_is(&first, true);
	assert_is(&second, true);
	vm_detach(vm, device);
	assert_is(&first, true);
	vm_attach(vm, &second);
	assert_is(&second, true);

	assert_int_equal(mprotect(view, PAGE, PROT_READ), 0);
	assert_is(&first, false);
	assert_is(&second, false);
	assert_int_equal(mprotect(view, PAGE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(faultq_mmio_restore(vm, id, &restore), 0);
	assert_int_equal(restore.restored, LARGE);
	assert_is(&first, true);
	assert_is(&second, true);
	assert_int_equal(faultq_unmap(vm, IOVA, LARGE, NULL), 0);
	assert_is(&first, false);
	assert_is(&second, false);
}

static void nap(void)
{
	struct timespec time = { .tv_nsec = NAP };

	nanosleep(&time, NULL);
}

static atomic_bool inside, stop;

static void hurry(void)
{
	struct sched_param priority = { .sched_priority = 10 };

	must(!sched_setscheduler(0, SCHED_FIFO, &priority));
}

/* The process's entries change, and lead where they did before. */
static void zap(void)
{
	must(!mprotect(view, LARGE, PROT_WRITE));
	must(!mprotect(view, LARGE, PROT_READ | PROT_WRITE));
}

#define ZAPS 3u

/* Whenever only a part of the BAR has come, it is taken away. */
static void *zap_parts(void *data)
{
	unsigned int *zaps = data;

	hurry();
	while (*zaps < ZAPS && !atomic_load(&stop)) {
		nap();
		if (!is_mapped(&first, IOVA) || is_mapped(&first, IOVA + LARGE - PAGE))
			continue;
		zap();
		must(!is_mapped(&first, IOVA));
		must(!is_mapped(&first, IOVA + LARGE - PAGE));
		++*zaps;
	}
	return NULL;
}

static void a_bar_goes_while_it_comes(void **state)
{
	unsigned int zaps = 0;
	pthread_t thread;
	uint64_t id;
	int ret;

	(void)state;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, zap_parts, &zaps), 0);
	ret = faultq_map_mmio(vm, IOVA, view, LARGE, FLAGS, &id);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(ret, 0);
	assert_int_equal(zaps, ZAPS);
	assert_is(&first, true);
	/* it was not there yet, so nothing is told */
	mmio_assert_silence(vm);
	assert_int_equal(vm_stats(vm, 0).revocations, 0);
	zap();
	assert_is(&first, false);
	mmio_event(vm);
}

/* The same when a device comes: the others have the BAR, and it has a part of it. */
static void *zap_joining(void *data)
{
	unsigned int *zaps = data;

	hurry();
	while (!*zaps && !atomic_load(&stop)) {
		nap();
		if (!is_mapped(&second, IOVA) || is_mapped(&second, IOVA + LARGE - PAGE))
			continue;
		must(is_mapped(&first, IOVA + LARGE - PAGE));
		zap();
		must(!is_mapped(&first, IOVA));
		must(!is_mapped(&first, IOVA + LARGE - PAGE));
		must(!is_mapped(&second, IOVA));
		must(!is_mapped(&second, IOVA + LARGE - PAGE));
		++*zaps;
	}
	return NULL;
}

static void a_bar_goes_while_a_device_comes(void **state)
{
	unsigned int zaps = 0;
	pthread_t thread;
	uint64_t id;

	(void)state;
	assert_int_equal(faultq_map_mmio(vm, IOVA, view, LARGE, FLAGS, &id), 0);
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, zap_joining, &zaps), 0);
	vm_attach(vm, &second);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(zaps, 1);
	assert_int_equal(mmio_event(vm).cookie, id);
	assert_is(&first, false);
	assert_is(&second, false);
	assert_int_equal(faultq_mmio_restore(vm, id, NULL), 0);
	assert_is(&first, true);
	assert_is(&second, true);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

#define CALLS 4096u

/**
 * struct calls - MAPs in another VM
 * @fq: the VM
 * @count: how many there were
 * @begin: when each began
 * @end: when each had ended
 */
struct calls {
	struct faultq *fq;
	unsigned int count;
	uint64_t begin[CALLS];
	uint64_t end[CALLS];
};

static void *map_again_and_again(void *data)
{
	struct calls *calls = data;

	hurry();
	while (calls->count < CALLS && !atomic_load(&stop)) {
		uint64_t before = now();
		int ret = faultq_map_mmio(calls->fq, IOVA, view, PAGE, FLAGS, NULL);

		/* EFAULT: the device is gone already */
		must(!ret || ret == -EFAULT);
		must(!faultq_unmap(calls->fq, IOVA, PAGE, NULL));
		if (atomic_load(&inside)) {
			calls->begin[calls->count] = before;
			calls->end[calls->count++] = now();
		}
		nap();
	}
	return NULL;
}

/* The first and the last revocation, by the clock. */
static void take_revocations(uint32_t count, uint64_t *from, uint64_t *to)
{
	*from = mmio_event(vm).timestamp;
	while (--count)
		*to = mmio_event(vm).timestamp;
}

static void no_vm_waits_for_the_revocations_of_another(void **state)
{
	uint32_t extents = mmio_max_extents(vm);
	struct calls *calls = calloc(1, sizeof(*calls));
	unsigned int within = 0;
	uint64_t from, to = 0;
	pthread_t thread;

	(void)state;
	assert_non_null(calls);
	calls->fq = vm_open(8, 64, 0);
	for (uint32_t i = 0; i < extents; i++)
		assert_int_equal(faultq_map_mmio(vm, IOVA + i * SMALL, view, SMALL, FLAGS, NULL),
				 0);
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, map_again_and_again, calls), 0);
	nap();
	atomic_store(&inside, true);
	pci_remove(&ivshmem);
	atomic_store(&inside, false);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	take_revocations(extents, &from, &to);
	for (unsigned int i = 0; i < calls->count; i++)
		within += calls->begin[i] > from && calls->end[i] < to;
	printf("# %u MAPs in another VM, %u of them while %u extents were revoked\n",
	       calls->count, within, extents);
	faultq_close(calls->fq);
	free(calls);
	pci_scan();
	assert_true(within >= 3);
}

/* Until the kernel says no, or it was too much. */
static void map_as_much_as_it_gets(void)
{
	unsigned long charged = 0;
	uint64_t iova = IOVA;
	int ret = 0;

	for (; !ret && charged < 2 * LIMIT; iova += LARGE + PAGE) {
		ret = faultq_map_mmio(vm, iova, view, LARGE, FLAGS, NULL);
		charged = cgroup_charged(CGROUP);
	}
	printf("# %lu KiB are charged of %lu\n", charged / 1024, LIMIT / 1024);
	fflush(stdout);
	must(ret == -ENOMEM);
	must(charged >= LIMIT / 2 && charged <= LIMIT + LIMIT / 16);
	must(!is_mapped(&first, iova - LARGE - PAGE));
}

static void tables_are_within_the_memory_cgroup(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (!cgroup_make(CGROUP) || !cgroup_limit(CGROUP, LIMIT))
		skip_because("there are no memory cgroups");
	child = fork();
	if (!child) {
		must(cgroup_enter(CGROUP));
		map_as_much_as_it_gets();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(faultq_unmap(vm, 0, ~0ull, NULL), 0);
	assert_true(cgroup_remove(CGROUP));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_large_bar_comes_and_goes),
		TEST(a_bar_goes_while_it_comes),
		TEST(a_bar_goes_while_a_device_comes),
		TEST(no_vm_waits_for_the_revocations_of_another),
		TEST(tables_are_within_the_memory_cgroup),
	};

	return tap_run_group(tests, make_devices, remove_devices);
}
