// SPDX-License-Identifier: GPL-2.0-only
/*
 * The raw interface of /dev/faultq; see abi.h. Owns the table of ioctls and the page that
 * the sample of MAP maps; nothing else is kept, and there are no locks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi.h"
#include "kinds.h"
#include "mock.h"
#include "tap.h"

static uint8_t sample_page[ABI_PAGE] __attribute__((aligned(ABI_PAGE)));

static void sample_info(void *argument)
{
	struct faultq_info *info = argument;

	*info = (struct faultq_info){ .size = sizeof(*info) };
}

static void sample_queue(void *argument)
{
	struct faultq_queue *queue = argument;

	*queue = (struct faultq_queue){
		.size = sizeof(*queue),
		.slots = 4,
		.entries = 64,
		.eventfd = -1,
	};
}

static void sample_attach(void *argument)
{
	struct faultq_attach *attach = argument;

	*attach = (struct faultq_attach){
		.size = sizeof(*attach),
		.name = "platform/there-is-none",
	};
}

static void sample_detach(void *argument)
{
	struct faultq_detach *detach = argument;

	*detach = (struct faultq_detach){
		.size = sizeof(*detach),
		.device = 7,
	};
}

static void sample_respond(void *argument)
{
	struct faultq_respond *respond = argument;

	*respond = (struct faultq_respond){
		.size = sizeof(*respond),
		.entry_size = sizeof(struct faultq_answer),
	};
}

static void sample_map(void *argument)
{
	struct faultq_map *map = argument;

	*map = (struct faultq_map){
		.size = sizeof(*map),
		.flags = FAULTQ_MAP_READ,
		.iova = 0x100000,
		.length = ABI_PAGE,
		.user_address = (uintptr_t)sample_page,
	};
}

static void sample_unmap(void *argument)
{
	struct faultq_unmap *unmap = argument;

	*unmap = (struct faultq_unmap){
		.size = sizeof(*unmap),
		.iova = 0x100000,
		.length = ABI_PAGE,
	};
}

static void sample_stats(void *argument)
{
	struct faultq_stats *stats = argument;

	*stats = (struct faultq_stats){ .size = sizeof(*stats) };
}

static void sample_held(void *argument)
{
	struct faultq_held *held = argument;

	*held = (struct faultq_held){
		.size = sizeof(*held),
		.entry_size = sizeof(struct faultq_held_entry),
	};
}

static void sample_release(void *argument)
{
	struct faultq_release *release = argument;

	*release = (struct faultq_release){
		.size = sizeof(*release),
		.name = "platform/there-is-none",
	};
}

static void sample_limits(void *argument)
{
	struct faultq_limits *limits = argument;

	*limits = (struct faultq_limits){ .size = sizeof(*limits) };
}

static void sample_pending(void *argument)
{
	struct faultq_pending *pending = argument;

	*pending = (struct faultq_pending){
		.size = sizeof(*pending),
		.count = 32,
		.entry_size = sizeof(struct faultq_record),
	};
}

static void sample_drain(void *argument)
{
	struct faultq_drain *drain = argument;

	*drain = (struct faultq_drain){ .size = sizeof(*drain), .device = 7 };
}

static void sample_enable(void *argument)
{
	struct faultq_enable *enable = argument;

	*enable = (struct faultq_enable){ .size = sizeof(*enable), .device = 7 };
}

static void sample_share(void *argument)
{
	struct faultq_share *share = argument;

	*share = (struct faultq_share){ .size = sizeof(*share), .name = "there-is-none" };
}

static void sample_list(void *argument, uint32_t entry_size)
{
	struct faultq_list *list = argument;

	*list = (struct faultq_list){ .size = sizeof(*list), .entry_size = entry_size };
}

static void sample_instances(void *argument)
{
	sample_list(argument, sizeof(struct faultq_share));
}

static void sample_vms(void *argument)
{
	sample_list(argument, sizeof(struct faultq_vm_entry));
}

static void sample_devices(void *argument)
{
	sample_list(argument, sizeof(struct faultq_device_entry));
}

static void sample_windows(void *argument)
{
	sample_list(argument, sizeof(struct faultq_window_entry));
}

static void sample_ranges(void *argument)
{
	sample_list(argument, sizeof(struct faultq_range_entry));
}

static void sample_mappings(void *argument)
{
	sample_list(argument, sizeof(struct faultq_mapping_entry));
}

static void sample_doorbells(void *argument)
{
	sample_list(argument, sizeof(struct faultq_doorbell_entry));
}

static void sample_window_add(void *argument)
{
	struct faultq_window *window = argument;

	*window = (struct faultq_window){
		.size = sizeof(*window),
		.iova = 0x800000,
		.length = ABI_PAGE,
		.type = FAULTQ_WINDOW_RESERVED,
	};
}

static void sample_window_del(void *argument)
{
	struct faultq_window_del *window = argument;

	*window = (struct faultq_window_del){ .size = sizeof(*window), .id = 7 };
}

/* Offsets are those that abi_layout.c asserts. */
static void sample_restore(void *argument)
{
	struct faultq_restore *restore = argument;

	*restore = (struct faultq_restore){
		.size = sizeof(*restore),
		.id = 7,
	};
}

const struct abi_call abi_calls[] = {
	{
		.name = "GET_INFO",
		.command = FAULTQ_GET_INFO,
		.size = sizeof(struct faultq_info),
		.first_size = 48,
		.out = { 8, 64 },
		.when_stopped = true,
		.sample = sample_info,
	}, {
		.name = "QUEUE",
		.command = FAULTQ_QUEUE,
		.size = sizeof(struct faultq_queue),
		.known_flags = FAULTQ_QUEUE_READ | FAULTQ_QUEUE_TAKEOVER,
		.reserved = 20,
		.out = { 24, 64 },
		.sample = sample_queue,
	}, {
		.name = "ATTACH",
		.command = FAULTQ_ATTACH,
		.size = sizeof(struct faultq_attach),
		.reserved = 92,
		.out = { 72, 92 },
		.result = -ENOENT,
		.sample = sample_attach,
	}, {
		.name = "DETACH",
		.command = FAULTQ_DETACH,
		.size = sizeof(struct faultq_detach),
		.out = { 12, 16 },
		.result = -ENOENT,
		.when_stopped = true,
		.sample = sample_detach,
	}, {
		.name = "RESPOND",
		.command = FAULTQ_RESPOND,
		.size = sizeof(struct faultq_respond),
		.reserved = 28,
		.out = { 24, 28 },
		.result = -ENXIO,
		.sample = sample_respond,
	}, {
		.name = "MAP",
		.command = FAULTQ_MAP,
		.size = sizeof(struct faultq_map),
		.first_size = 48,
		/* with what is for MMIO it is another call */
		.known_flags = FAULTQ_MAP_READ | FAULTQ_MAP_WRITE | FAULTQ_MAP_EXEC |
			       FAULTQ_MAP_ANSWER | FAULTQ_MAP_MMIO,
		.reserved = 44,
		.out = { 40, 44 },
		.sample = sample_map,
	}, {
		.name = "UNMAP",
		.command = FAULTQ_UNMAP,
		.size = sizeof(struct faultq_unmap),
		.out = { 24, 32 },
		.sample = sample_unmap,
	}, {
		.name = "STATS",
		.command = FAULTQ_STATS,
		.size = sizeof(struct faultq_stats),
		.first_size = 160,
		.out = { 12, 160 },
		.when_stopped = true,
		.sample = sample_stats,
	}, {
		.name = "HELD",
		.command = FAULTQ_HELD,
		.size = sizeof(struct faultq_held),
		.sample = sample_held,
	}, {
		.name = "RELEASE",
		.command = FAULTQ_RELEASE,
		.size = sizeof(struct faultq_release),
		.result = -ENOENT,
		.sample = sample_release,
	}, {
		.name = "LIMITS",
		.command = FAULTQ_LIMITS,
		.size = sizeof(struct faultq_limits),
		.known_flags = FAULTQ_LIMITS_SET,
		.reserved = 44,
		.out = { 12, 44 },
		.sample = sample_limits,
	}, {
		.name = "PENDING",
		.command = FAULTQ_PENDING,
		.size = sizeof(struct faultq_pending),
		.reserved = 28,
		.result = -ENXIO,
		.sample = sample_pending,
	}, {
		.name = "DRAIN",
		.command = FAULTQ_DRAIN,
		.size = sizeof(struct faultq_drain),
		.known_flags = FAULTQ_DRAIN_PASID,
		.reserved = 20,
		.out = { 16, 20 },
		.result = -ENOENT,
		.sample = sample_drain,
	}, {
		.name = "ENABLE",
		.command = FAULTQ_ENABLE,
		.size = sizeof(struct faultq_enable),
		.out = { 12, 16 },
		.result = -ENOENT,
		.sample = sample_enable,
	}, {
		.name = "SHARE",
		.command = FAULTQ_SHARE,
		.size = sizeof(struct faultq_share),
		.known_flags = FAULTQ_SHARE_SET,
		.reserved = 108,
		.out = { 72, 108 },
		.when_stopped = true,
		.sample = sample_share,
	}, {
		.name = "INSTANCES",
		.command = FAULTQ_INSTANCES,
		.size = sizeof(struct faultq_list),
		.reserved = 28,
		.when_stopped = true,
		.sample = sample_instances,
	}, {
		.name = "VMS",
		.command = FAULTQ_VMS,
		.size = sizeof(struct faultq_list),
		.reserved = 28,
		.when_stopped = true,
		.sample = sample_vms,
	}, {
		.name = "DEVICES",
		.command = FAULTQ_DEVICES,
		.size = sizeof(struct faultq_list),
		.reserved = 28,
		.when_stopped = true,
		.sample = sample_devices,
	}, {
		.name = "WINDOW_ADD",
		.command = FAULTQ_WINDOW_ADD,
		.size = sizeof(struct faultq_window),
		.reserved = 36,
		.out = { 32, 36 },
		.sample = sample_window_add,
	}, {
		.name = "WINDOW_DEL",
		.command = FAULTQ_WINDOW_DEL,
		.size = sizeof(struct faultq_window_del),
		.reserved = 12,
		.result = -ENOENT,
		.sample = sample_window_del,
	}, {
		.name = "WINDOW_LIST",
		.command = FAULTQ_WINDOW_LIST,
		.size = sizeof(struct faultq_list),
		.reserved = 28,
		.when_stopped = true,
		.sample = sample_windows,
	}, {
		.name = "IOVA_RANGES",
		.command = FAULTQ_IOVA_RANGES,
		.size = sizeof(struct faultq_list),
		.reserved = 28,
		.when_stopped = true,
		.sample = sample_ranges,
	}, {
		.name = "MAPPINGS",
		.command = FAULTQ_MAPPINGS,
		.size = sizeof(struct faultq_list),
		.reserved = 28,
		.when_stopped = true,
		.sample = sample_mappings,
	}, {
		.name = "DOORBELLS",
		.command = FAULTQ_DOORBELLS,
		.size = sizeof(struct faultq_list),
		.reserved = 28,
		.when_stopped = true,
		.sample = sample_doorbells,
	}, {
		.name = "MMIO_RESTORE",
		.command = FAULTQ_MMIO_RESTORE,
		.size = sizeof(struct faultq_restore),
		.reserved = 36,
		.out = { 16, 36 },
		.result = -ENOENT,
		.sample = sample_restore,
	},
	{}
};

/**
 * abi_open() - make a VM
 *
 * Return: its file descriptor.
 */
int abi_open(void)
{
	int vm = open("/dev/faultq", O_RDWR | O_CLOEXEC);

	assert_true(vm >= 0);
	return vm;
}

/**
 * abi_result() - what a system call said
 * @ret: what it returned
 *
 * Return: @ret, or the negative errno.
 */
int abi_result(int ret)
{
	return ret < 0 ? -errno : ret;
}

/**
 * abi_ioctl() - call the kernel
 * @vm: file descriptor
 * @command: any number
 * @argument: any pointer
 *
 * Return: 0 or a negative errno.
 */
int abi_ioctl(int vm, unsigned long command, void *argument)
{
	return abi_result(ioctl(vm, command, argument));
}

/**
 * abi_stats() - read the counters, which must work
 * @vm: file descriptor
 * @device: id or 0
 *
 * Return: the counters.
 */
struct faultq_stats abi_stats(int vm, uint32_t device)
{
	struct faultq_stats stats = { .size = sizeof(stats), .device = device };

	assert_int_equal(abi_ioctl(vm, FAULTQ_STATS, &stats), 0);
	return stats;
}

/**
 * abi_assert_same_stats() - nothing was counted, mapped or queued since
 * @vm: file descriptor
 * @before: the counters of the VM
 */
void abi_assert_same_stats(int vm, const struct faultq_stats *before)
{
	struct faultq_stats now = abi_stats(vm, 0);

	assert_memory_equal(&now, before, sizeof(now));
}

/**
 * abi_queue() - QUEUE
 * @vm: file descriptor
 * @slots: and the next three as in struct faultq_queue
 * @entries: records
 * @eventfd: or -1
 * @flags: FAULTQ_QUEUE_READ
 * @queue: where the structure goes that the kernel filled in, or NULL
 *
 * Return: 0 or a negative errno.
 */
int abi_queue(int vm, uint32_t slots, uint32_t entries, int eventfd, uint32_t flags,
	      struct faultq_queue *queue)
{
	struct faultq_queue argument = {
		.size = sizeof(argument),
		.flags = flags,
		.slots = slots,
		.entries = entries,
		.eventfd = eventfd,
	};
	int ret = abi_ioctl(vm, FAULTQ_QUEUE, &argument);

	if (queue)
		*queue = argument;
	return ret;
}

static void *map_part(int vm, uint64_t offset, uint32_t size, int prot)
{
	void *part = mmap(NULL, size, prot, MAP_SHARED, vm, offset);

	assert_true(part != MAP_FAILED);
	return part;
}

/**
 * abi_ring_open() - make the queue of a VM and map its ring
 * @ring: is filled in
 * @vm: file descriptor
 * @slots: groups that may be outstanding
 * @entries: records
 */
void abi_ring_open(struct abi_ring *ring, int vm, uint32_t slots, uint32_t entries)
{
	abi_ring_open_eventfd(ring, vm, slots, entries, -1);
}

/**
 * abi_ring_open_eventfd() - the same, with an eventfd
 * @ring: is filled in
 * @vm: file descriptor
 * @slots: groups that may be outstanding
 * @entries: records
 * @eventfd: is signalled, or -1
 */
void abi_ring_open_eventfd(struct abi_ring *ring, int vm, uint32_t slots, uint32_t entries,
			   int eventfd)
{
	assert_int_equal(abi_queue(vm, slots, entries, eventfd, 0, &ring->layout), 0);
	ring->header =
		map_part(vm, ring->layout.header_offset, ring->layout.header_size, PROT_READ);
	ring->consumer = map_part(vm, ring->layout.consumer_offset, ring->layout.consumer_size,
				  PROT_READ | PROT_WRITE);
	ring->records =
		map_part(vm, ring->layout.records_offset, ring->layout.records_size, PROT_READ);
}

/**
 * abi_ring_close() - unmap a ring
 * @ring: from abi_ring_open()
 */
void abi_ring_close(struct abi_ring *ring)
{
	munmap((void *)ring->header, ring->layout.header_size);
	munmap(ring->consumer, ring->layout.consumer_size);
	munmap((void *)ring->records, ring->layout.records_size);
}

/**
 * abi_producer() - how far the kernel has published
 * @ring: the ring
 *
 * Return: the producer index; the records before it can be read.
 */
uint32_t abi_producer(const struct abi_ring *ring)
{
	return __atomic_load_n(&ring->header->producer, __ATOMIC_ACQUIRE);
}

/**
 * abi_set_consumer() - say how far the records were read
 * @ring: the ring
 * @index: anything
 */
void abi_set_consumer(struct abi_ring *ring, uint32_t index)
{
	__atomic_store_n(&ring->consumer->consumer, index, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/**
 * abi_device_make() - make a mock device, with its instance if there is none of that name
 * @device: is filled in
 * @instance: name of the instance; its queue is so deep that it limits nobody
 * @name: of the device, which has PASIDs of 8 bits
 */
void abi_device_make(struct abi_device *device, const char *instance, const char *name)
{
	int ret = mock_instance_create(instance, 65536);

	assert_true(!ret || ret == -EEXIST);
	memset(device, 0, sizeof(*device));
	strncpy(device->instance, instance, sizeof(device->instance) - 1);
	strncpy(device->name, name, sizeof(device->name) - 1);
	assert_int_equal(mock_device_create(instance, name, "mode=stall pasid_bits=8"), 0);
	device->mock = mock_open(instance, name);
	assert_true(device->mock >= 0);
}

/**
 * abi_device_attach() - ATTACH
 * @device: the device; its id is set
 * @vm: file descriptor
 *
 * Return: 0 or a negative errno.
 */
int abi_device_attach(struct abi_device *device, int vm)
{
	struct faultq_attach attach = { .size = sizeof(attach) };
	int ret;

	snprintf(attach.name, sizeof(attach.name), "platform/mock-%s-%s", device->instance,
		 device->name);
	ret = abi_ioctl(vm, FAULTQ_ATTACH, &attach);
	if (!ret)
		device->id = attach.device;
	return ret;
}

/**
 * abi_device_destroy() - remove a mock device, and its instance if it was the last one there
 * @device: the device
 */
void abi_device_destroy(struct abi_device *device)
{
	close(device->mock);
	assert_int_equal(mock_device_destroy(device->instance, device->name), 0);
	mock_instance_destroy(device->instance);
}

/**
 * abi_request() - let a device make page requests, each a group of its own
 * @device: the device
 * @group: index of the first
 * @address: of the first; the others ask for the pages behind
 * @count: how many
 *
 * The test is skipped where the kernel has no page requests.
 */
void abi_request(const struct abi_device *device, uint32_t group, uint64_t address, uint32_t count)
{
	struct mock_iommu_page_request request = {
		.flags = MOCK_IOMMU_LAST,
		.access = MOCK_IOMMU_READ,
		.group = group,
		.group_step = 1,
		.address = address,
		.address_step = ABI_PAGE,
		.count = count,
	};

	needs_page_requests();
	assert_int_equal(mock_page_requests(device->mock, &request), count);
}

/**
 * abi_expect_answer() - wait for the oldest answer that a device got
 * @device: the device
 * @group: what must be in it
 * @code: enum faultq_code
 */
void abi_expect_answer(const struct abi_device *device, uint32_t group, uint32_t code)
{
	struct mock_iommu_response response;

	assert_int_equal(mock_response(device->mock, 0, &response), 0);
	assert_int_equal(response.group, group);
	assert_int_equal(response.code, code);
	assert_int_equal(response.dropped, 0);
}

/**
 * abi_memory() - anonymous memory
 * @pages: how much
 * @prot: as for mmap()
 *
 * Return: it, for munmap().
 */
void *abi_memory(unsigned int pages, int prot)
{
	void *memory = mmap(NULL, pages * ABI_PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

/**
 * abi_hole_after() - writable memory that ends at a page that is not mapped
 * @pages: how much
 *
 * Return: the memory; it stays until the program ends.
 */
void *abi_hole_after(unsigned int pages)
{
	uint8_t *memory = abi_memory(pages + 1, PROT_READ | PROT_WRITE);

	assert_int_equal(mprotect(memory + pages * ABI_PAGE, ABI_PAGE, PROT_NONE), 0);
	return memory;
}
