// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of every call fails once: the call gives a clean error, nothing is half
 * done, and the same call works when it is made again. The kernel's fault injection also fails
 * copies from and to user memory; a call whose last copy fails has done its work, so it is not
 * repeated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/pci.h"

#define IOVA		0x1000000UL
#define MAP_PAGES	40
#define IOVA_MMIO	0x2000000UL
#define MMIO_PAGES	4
#define MOST_SITES	2000
#define DEBUGFS		"/sys/kernel/debug"
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

/**
 * struct world - what the calls work on; made anew for each of them
 * @device: a mock device
 * @vm: a file of /dev/faultq, or -1
 * @queue: QUEUE's argument and result
 * @id: of the device, when attached
 * @cookie: of a group, when one is pending
 * @memory: MAP_PAGES pages
 * @mmio: id of the mapping of MMIO
 */
struct world {
	struct device device;
	int vm;
	struct faultq_queue queue;
	uint32_t id;
	uint64_t cookie;
	void *memory;
	uint64_t mmio;
};

/* Its registers are the MMIO. */
static struct pci edu;

/* /proc/thread-self/fail-nth, or -1. */
static int fail_nth = -1;

static int vm_ioctl(const struct world *world, unsigned long request, void *argument)
{
	return ioctl(world->vm, request, argument) ? -errno : 0;
}

/* The calls. Each returns 0 or a negative errno. */

static int call_open(struct world *world)
{
	world->vm = open("/dev/faultq", O_RDWR | O_CLOEXEC);
	return world->vm < 0 ? -errno : 0;
}

static int call_queue(struct world *world)
{
	world->queue = (struct faultq_queue){
		.size = sizeof(world->queue), .slots = 64, .entries = 256, .eventfd = -1,
	};
	return vm_ioctl(world, FAULTQ_QUEUE, &world->queue);
}

static int call_mmap(struct world *world)
{
	void *records = mmap(NULL, world->queue.records_size, PROT_READ, MAP_SHARED, world->vm,
			     world->queue.records_offset);

	if (records == MAP_FAILED)
		return -errno;
	return munmap(records, world->queue.records_size) ? -errno : 0;
}

static int call_attach(struct world *world)
{
	struct faultq_attach attach = { .size = sizeof(attach) };
	int ret;

	snprintf(attach.name, sizeof(attach.name), "%s", world->device.platform);
	ret = vm_ioctl(world, FAULTQ_ATTACH, &attach);
	world->id = attach.device;
	return ret;
}

static int call_map(struct world *world)
{
	struct faultq_map map = {
		.size = sizeof(map), .flags = RW, .iova = IOVA, .length = MAP_PAGES * PAGE,
		.user_address = (uintptr_t)world->memory,
	};

	return vm_ioctl(world, FAULTQ_MAP, &map);
}

static int call_map_mmio(struct world *world)
{
	struct faultq_map map = {
		.size = sizeof(map), .iova = IOVA_MMIO, .length = MMIO_PAGES * PAGE,
		.flags = RW | FAULTQ_MAP_MMIO | FAULTQ_MAP_PARTLY_WATCHED | FAULTQ_MAP_SCRATCH,
		.user_address = (uintptr_t)edu.registers,
	};
	int ret = vm_ioctl(world, FAULTQ_MAP, &map);

	world->mmio = map.id;
	return ret;
}

/* What is restored must be revoked first. */
static int call_mmio_restore(struct world *world)
{
	struct faultq_restore restore = { .size = sizeof(restore), .id = world->mmio };

	if (mprotect(edu.registers, MMIO_PAGES * PAGE, PROT_NONE) ||
	    mprotect(edu.registers, MMIO_PAGES * PAGE, PROT_READ | PROT_WRITE))
		return -errno;
	return vm_ioctl(world, FAULTQ_MMIO_RESTORE, &restore);
}

static int call_unmap(struct world *world)
{
	struct faultq_unmap unmap = { .size = sizeof(unmap), .length = ~0ULL };

	return vm_ioctl(world, FAULTQ_UNMAP, &unmap);
}

static int call_page_request(struct world *world)
{
	int taken = mock_page_request(world->device.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 1, 0,
				      IOVA);

	return taken < 0 ? taken : taken == 1 ? 0 : -EAGAIN;
}

static int call_respond(struct world *world)
{
	struct faultq_answer answer = { .cookie = world->cookie };
	struct faultq_respond respond = {
		.size = sizeof(respond), .answers = (uintptr_t)&answer, .count = 1,
		.entry_size = sizeof(answer),
	};
	int ret = vm_ioctl(world, FAULTQ_RESPOND, &respond);

	return ret ? ret : answer.result;
}

static int call_detach(struct world *world)
{
	struct faultq_detach detach = { .size = sizeof(detach), .device = world->id };

	return vm_ioctl(world, FAULTQ_DETACH, &detach);
}

static int call_stats(struct world *world)
{
	struct faultq_stats stats = { .size = sizeof(stats) };

	return vm_ioctl(world, FAULTQ_STATS, &stats);
}

static int call_window(struct world *world)
{
	struct faultq_window window = {
		.size = sizeof(window), .iova = IOVA + (MAP_PAGES + 1) * PAGE, .length = PAGE,
		.type = FAULTQ_WINDOW_MSI, .prot = FAULTQ_MAP_WRITE,
	};

	return vm_ioctl(world, FAULTQ_WINDOW_ADD, &window);
}

static int call_doorbell(struct world *world)
{
	struct mock_iommu_msi msi = { .size = sizeof(msi) };

	return ioctl(world->device.fd, MOCK_IOMMU_MSI_BIND, &msi) ? -errno : 0;
}

/* Of an instance that nobody has set yet; the last test leaves it set. */
static int call_share(struct world *world)
{
	static unsigned int number;
	struct faultq_share share = {
		.size = sizeof(share), .flags = FAULTQ_SHARE_SET, .depth = 2, .pool = 1,
		.guarantee = 1,
	};

	snprintf(share.name, sizeof(share.name), "fail%u", number++);
	return vm_ioctl(world, FAULTQ_SHARE, &share);
}

static int list(struct world *world, unsigned long call, uint32_t entry_size)
{
	static char entries[16 * 256];
	struct faultq_list list = {
		.size = sizeof(list), .entries = (uintptr_t)entries, .count = 16,
		.entry_size = entry_size,
	};

	return vm_ioctl(world, call, &list);
}

static int call_lists(struct world *world)
{
	return list(world, FAULTQ_VMS, sizeof(struct faultq_vm_entry)) ?:
	       list(world, FAULTQ_DEVICES, sizeof(struct faultq_device_entry)) ?:
	       list(world, FAULTQ_WINDOW_LIST, sizeof(struct faultq_window_entry)) ?:
	       list(world, FAULTQ_MAPPINGS, sizeof(struct faultq_mapping_entry)) ?:
	       list(world, FAULTQ_IOVA_RANGES, sizeof(struct faultq_range_entry)) ?:
	       list(world, FAULTQ_DOORBELLS, sizeof(struct faultq_doorbell_entry));
}

static int call_pending(struct world *world)
{
	static struct faultq_record records[32];
	struct faultq_pending pending = {
		.size = sizeof(pending), .records = (uintptr_t)records, .count = 32,
		.entry_size = sizeof(*records),
	};

	return vm_ioctl(world, FAULTQ_PENDING, &pending);
}

static int call_close(struct world *world)
{
	int vm = world->vm;

	world->vm = -1;
	return close(vm) ? -errno : 0;
}

typedef int (*call_function)(struct world *world);

/* In the order in which a VM is used. */
static const call_function calls[] = {
	call_open,	call_queue,	   call_mmap,	  call_map_mmio,	call_attach,
	call_map,	call_mmio_restore, call_window,	  call_doorbell,	call_share,
	call_lists,	call_page_request, call_pending,  call_stats,		call_respond,
	call_unmap,	call_detach,	   call_close,
};

/* The copies of these two count as sites, too: what is left may fail them. */

static void set_nth(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	while (pwrite(fail_nth, text, length, 0) != length)
		assert_int_equal(errno, EFAULT);
}

/* Has a site failed since set_nth()? */
static bool site_has_failed(void)
{
	char text[16] = "";

	return pread(fail_nth, text, sizeof(text) - 1, 0) > 0 && !strtoul(text, NULL, 10);
}

/* A group is pending, and its cookie known, before the calls that need one. */
static void note_cookie(struct world *world)
{
	const struct faultq_record *records = mmap(NULL, world->queue.records_size, PROT_READ,
						   MAP_SHARED, world->vm,
						   world->queue.records_offset);

	const struct faultq_record *record = records;

	assert_ptr_not_equal(records, MAP_FAILED);
	/* behind the event of the MMIO */
	while (record->type != FAULTQ_PAGE_REQUEST)
		record++;
	world->cookie = record->cookie;
	munmap((void *)records, world->queue.records_size);
}

/* Use a VM up to the call, so that nothing but it is missing. */
static void prepare(struct world *world, call_function call)
{
	world->vm = -1;
	world->memory = pages_new(MAP_PAGES);
	instance_make("fail", 0);
	device_make(&world->device, "fail", "dev", "mode=pri");
	for (unsigned int i = 0; calls[i] != call; i++) {
		assert_int_equal(calls[i](world), 0);
		if (calls[i] == call_page_request)
			note_cookie(world);
	}
}

static void clean_up(struct world *world)
{
	if (world->vm >= 0)
		close(world->vm);
	device_assert_idle(&world->device);
	device_remove(&world->device);
	instance_remove("fail");
	pages_free(world->memory, MAP_PAGES);
}

/* Fail the nth site of the call. Returns false when the call has fewer. */
static bool fail_site(call_function call, unsigned int nth, unsigned int *errors)
{
	struct world world;
	bool failed;
	int ret;

	prepare(&world, call);
	set_nth(nth);
	ret = call(&world);
	failed = site_has_failed();
	set_nth(0);
	if (!failed)
		assert_int_equal(ret, 0);
	if (ret) {
		/* ENOSPC: the kernel's IOVA allocator has one answer for all reasons */
		assert_true(ret == -ENOMEM || ret == -EFAULT || ret == -EAGAIN || ret == -ENFILE ||
			    (ret == -ENOSPC && call == call_doorbell));
		*errors += 1;
	}
	if (ret && ret != -EFAULT)
		assert_int_equal(call(&world), 0);
	clean_up(&world);
	return failed;
}

static void sweep(call_function call)
{
	unsigned int nth = 1, errors = 0;

	while (fail_site(call, nth, &errors)) {
		nth++;
		assert_true(nth < MOST_SITES);
	}
	printf("# %u sites, %u of them gave an error\n", nth - 1, errors);
}

#define SWEEP_TEST(name)			\
static void name##_survives(void **state)	\
{						\
	(void)state;				\
	if (fail_nth < 0)			\
		skip_because("the kernel has no fault injection"); \
	sweep(call_##name);			\
}

SWEEP_TEST(open)
SWEEP_TEST(queue)
SWEEP_TEST(mmap)
SWEEP_TEST(map_mmio)
SWEEP_TEST(attach)
SWEEP_TEST(map)
SWEEP_TEST(mmio_restore)
SWEEP_TEST(window)
SWEEP_TEST(doorbell)
SWEEP_TEST(share)
SWEEP_TEST(lists)
SWEEP_TEST(page_request)
SWEEP_TEST(pending)
SWEEP_TEST(stats)
SWEEP_TEST(respond)
SWEEP_TEST(unmap)
SWEEP_TEST(detach)
SWEEP_TEST(close)

static bool set_option(const char *injection, const char *option, const char *value)
{
	char path[128];
	int fd;
	bool written;

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", injection, option);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	written = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return written;
}

/* Fail whatever may sleep, too, and do not print about it. */
static void prepare_injection(void)
{
	if (!set_option("failslab", "ignore-gfp-wait", "N") ||
	    !set_option("failslab", "verbose", "0"))
		return;
	set_option("fail_page_alloc", "ignore-gfp-wait", "N");
	set_option("fail_page_alloc", "ignore-gfp-highmem", "N");
	set_option("fail_page_alloc", "min-order", "0");
	set_option("fail_page_alloc", "verbose", "0");
	set_option("fail_usercopy", "verbose", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

static int open_edu(void **state)
{
	(void)state;
	assert_true(pci_find(&edu, PCI_EDU, NULL));
	pci_open(&edu);
	return 0;
}

static int close_edu(void **state)
{
	(void)state;
	pci_close(&edu);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_survives),
		cmocka_unit_test(queue_survives),
		cmocka_unit_test(mmap_survives),
		cmocka_unit_test(map_mmio_survives),
		cmocka_unit_test(attach_survives),
		cmocka_unit_test(map_survives),
		cmocka_unit_test(mmio_restore_survives),
		cmocka_unit_test(window_survives),
		cmocka_unit_test(doorbell_survives),
		cmocka_unit_test(share_survives),
		cmocka_unit_test(lists_survives),
		cmocka_unit_test(page_request_survives),
		cmocka_unit_test(pending_survives),
		cmocka_unit_test(stats_survives),
		cmocka_unit_test(respond_survives),
		cmocka_unit_test(unmap_survives),
		cmocka_unit_test(detach_survives),
		cmocka_unit_test(close_survives),
	};

	prepare_injection();
	return tap_run_group(tests, open_edu, close_edu);
}
