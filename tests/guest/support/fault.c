// SPDX-License-Identifier: GPL-2.0-only
/*
 * A rig of a mock device and a VM, see fault.h. It keeps no state of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "kinds.h"

#define RIG_INSTANCE	"rig"
#define RIG_DEVICE	"dev"
#define TEST_PASID	5

/**
 * instance_make() - make a live IOMMU instance
 * @instance: name of its directory
 * @depth: places of its page request queue, 0: the default
 */
void instance_make(const char *instance, unsigned int depth)
{
	assert_int_equal(mock_instance_create(instance, depth), 0);
}

/**
 * instance_remove() - remove an instance that has no devices
 * @instance: name of its directory
 *
 * None of its devices may have gone with groups that nobody answered.
 */
void instance_remove(const char *instance)
{
	assert_int_equal(instance_counter(instance, "unanswered"), 0);
	assert_int_equal(mock_instance_destroy(instance), 0);
}

/**
 * instance_counter() - read a counter of an instance
 * @instance: name of its directory
 * @counter: name in its attribute state
 *
 * Return: the value.
 */
unsigned long instance_counter(const char *instance, const char *counter)
{
	char text[256], *word, *rest = text;

	assert_int_equal(mock_get(instance, NULL, "state", text, sizeof(text)), 0);
	while ((word = strsep(&rest, "\n ")))
		if (!strcmp(word, counter) && rest)
			return strtoul(rest, NULL, 10);
	fail_msg("instance %s has no %s", instance, counter);
	return 0;
}

static void device_create(struct device *device, const char *instance, const char *name,
			  const char *settings)
{
	snprintf(device->instance, sizeof(device->instance), "%s", instance);
	snprintf(device->name, sizeof(device->name), "%s", name);
	assert_int_equal(mock_device_create(instance, name, settings), 0);
	device->fd = mock_open(instance, name);
	assert_true(device->fd >= 0);
}

/**
 * device_make() - make a live device and bind to it
 * @device: is filled in
 * @instance: behind this instance
 * @name: name of its directory
 * @settings: its attributes, such as "mode=pri"; it gets PASIDs beside
 */
void device_make(struct device *device, const char *instance, const char *name,
		 const char *settings)
{
	char all[128];

	snprintf(device->platform, sizeof(device->platform), "platform/mock-%s-%s", instance, name);
	snprintf(all, sizeof(all), "pasid_bits=8 %s", settings);
	device_create(device, instance, name, all);
}

/**
 * device_adopt() - make a live device that adopts a PCI device, and bind to it
 * @device: is filled in
 * @instance: behind this instance
 * @name: name of its directory
 * @pci: address of the PCI device, which has no driver
 * @settings: more attributes, such as "mode=pri"
 *
 * When it is no longer live, pci_rescan() lets the PCI device meet its own IOMMU.
 */
void device_adopt(struct device *device, const char *instance, const char *name,
		  const char *pci, const char *settings)
{
	char all[128];

	snprintf(device->platform, sizeof(device->platform), "pci/%s", pci);
	snprintf(all, sizeof(all), "pci=%s %s", pci, settings);
	device_create(device, instance, name, all);
}

/**
 * device_unplug() - remove a device as the system sees it; its directory stays
 * @device: a live device
 */
void device_unplug(struct device *device)
{
	assert_int_equal(mock_set(device->instance, device->name, "live", "0"), 0);
	close(device->fd);
	device->fd = -1;
}

/**
 * device_plug() - let a device come back, and bind to it
 * @device: an unplugged device
 */
void device_plug(struct device *device)
{
	assert_int_equal(mock_set(device->instance, device->name, "live", "1"), 0);
	device->fd = mock_open(device->instance, device->name);
	assert_true(device->fd >= 0);
}

/**
 * device_remove() - remove a device and its directory
 * @device: the device, live or not
 */
void device_remove(struct device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
	assert_int_equal(mock_device_destroy(device->instance, device->name), 0);
}

/**
 * device_state() - read the counters of a device
 * @device: a live device
 *
 * Return: the counters.
 */
struct mock_iommu_state device_state(const struct device *device)
{
	struct mock_iommu_state state;

	assert_int_equal(mock_state(device->fd, &state), 0);
	return state;
}

/**
 * device_assert_idle() - a device waits for no answer, and got no answer too many
 * @device: a live device, alone behind its instance or beside idle ones
 */
void device_assert_idle(const struct device *device)
{
	struct mock_iommu_state state = device_state(device);

	assert_int_equal(state.outstanding, 0);
	assert_int_equal(state.queue_used, 0);
	assert_int_equal(state.unmatched, 0);
	assert_int_equal(state.unanswered, 0);
}

/**
 * dma_start() - let the engine do a DMA
 * @device: of this device
 * @access: MOCK_IOMMU_READ or _WRITE and so on; with _PASID it is PASID 5
 * @iova: first address
 * @data: what the device writes, or NULL
 * @length: bytes
 *
 * Return: the tag for dma_wait().
 */
int dma_start(const struct device *device, uint32_t access, uint64_t iova, const void *data,
	      size_t length)
{
	int tag = mock_dma_start(device->fd, access, access & MOCK_IOMMU_PASID ? TEST_PASID : 0,
				 iova, data, length);

	assert_true(tag > 0);
	return tag;
}

/**
 * dma_wait() - wait for the end of a DMA
 * @device: as for dma_start()
 * @tag: from there
 * @data: where the bytes go that the device read, or NULL
 *
 * Return: how it ended.
 */
struct mock_iommu_dma_wait dma_wait(const struct device *device, int tag, void *data)
{
	struct mock_iommu_dma_wait end;

	assert_true(mock_dma_wait(device->fd, tag, 0, data, &end) >= 0);
	return end;
}

/**
 * page_request() - describe the only page request of a group, a read
 * @group: page request group index
 * @address: IOVA
 *
 * Return: the description, to be changed and injected.
 */
struct mock_iommu_page_request page_request(uint32_t group, uint64_t address)
{
	return (struct mock_iommu_page_request){
		.size = sizeof(struct mock_iommu_page_request),
		.flags = MOCK_IOMMU_LAST,
		.access = MOCK_IOMMU_READ,
		.group = group,
		.address = address,
		.count = 1,
	};
}

/**
 * inject() - inject page requests
 * @device: of this device
 * @request: what
 *
 * The test is skipped where the kernel has no page requests.
 *
 * Return: how many the IOMMU core took.
 */
unsigned int inject(const struct device *device, const struct mock_iommu_page_request *request)
{
	struct mock_iommu_page_request copy = *request;
	int taken;

	needs_page_requests();
	taken = mock_page_requests(device->fd, &copy);
	assert_true(taken >= 0);
	return taken;
}

/**
 * inject_group() - inject a group of one page request, which must be taken
 * @device: of this device
 * @group: page request group index
 * @address: IOVA
 */
void inject_group(const struct device *device, uint32_t group, uint64_t address)
{
	assert_int_equal(mock_page_request(device->fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, group,
					   0, address),
			 1);
}

/**
 * response() - take the next answer to an injected page request, which must be there
 * @device: the device that got it
 *
 * An answer is at the device when the call returns that gave it.
 *
 * Return: the answer.
 */
struct mock_iommu_response response(const struct device *device)
{
	struct mock_iommu_response answer;

	assert_int_equal(mock_response(device->fd, MOCK_IOMMU_NOWAIT, &answer), 0);
	assert_int_equal(answer.dropped, 0);
	return answer;
}

/**
 * assert_response() - the next answer is there, and is this one
 * @device: the device that got it
 * @group: page request group index
 * @code: enum faultq_code
 */
void assert_response(const struct device *device, uint32_t group, uint32_t code)
{
	struct mock_iommu_response answer = response(device);

	assert_int_equal(answer.group, group);
	assert_int_equal(answer.code, code);
}

/**
 * assert_no_response() - no answer has come that was not looked at
 * @device: the device
 */
void assert_no_response(const struct device *device)
{
	struct mock_iommu_response answer;

	assert_int_equal(mock_response(device->fd, MOCK_IOMMU_NOWAIT, &answer), -EAGAIN);
}

/**
 * vm_open() - make a VM with a queue
 * @slots: of the queue
 * @entries: of the queue
 * @flags: FAULTQ_QUEUE_*
 *
 * Return: the VM.
 */
struct faultq *vm_open(uint32_t slots, uint32_t entries, uint32_t flags)
{
	struct faultq *fq = NULL;

	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_queue(fq, slots, entries, -1, flags), 0);
	return fq;
}

/**
 * vm_attach() - attach a mock device
 * @fq: to this VM
 * @device: the device
 *
 * Return: its id.
 */
uint32_t vm_attach(struct faultq *fq, const struct device *device)
{
	return vm_attach_name(fq, device->platform);
}

/**
 * vm_attach_name() - attach any device
 * @fq: to this VM
 * @name: as ATTACH takes it
 *
 * Return: its id.
 */
uint32_t vm_attach_name(struct faultq *fq, const char *name)
{
	struct faultq_attach attach;

	assert_int_equal(faultq_attach(fq, name, &attach), 0);
	assert_int_not_equal(attach.device, 0);
	return attach.device;
}

/**
 * vm_detach() - detach a mock device
 * @fq: from this VM
 * @id: from vm_attach()
 */
void vm_detach(struct faultq *fq, uint32_t id)
{
	int held = -1;

	assert_int_equal(faultq_detach(fq, id, &held), 0);
	assert_int_equal(held, 0);
}

/**
 * vm_stats() - read the counters of a VM or of a device
 * @fq: the VM
 * @id: of the device, or 0
 *
 * Return: the counters.
 */
struct faultq_stats vm_stats(struct faultq *fq, uint32_t id)
{
	struct faultq_stats stats;

	assert_int_equal(faultq_stats(fq, id, &stats), 0);
	return stats;
}

/**
 * take_group() - wait for what is next in the queue, and consume it
 * @fq: the VM
 * @records: where it is copied, room for the longest group
 *
 * Return: how many records.
 */
unsigned int take_group(struct faultq *fq, struct faultq_record *records)
{
	const struct faultq_record *next;
	int count;

	assert_int_equal(faultq_wait(fq, -1), 0);
	count = faultq_peek(fq, &next);
	assert_true(count > 0);
	memcpy(records, next, count * sizeof(*records));
	faultq_consume(fq);
	return count;
}

/**
 * take_record() - wait for the next record, which is no part of a longer group
 * @fq: the VM
 *
 * Return: the record.
 */
struct faultq_record take_record(struct faultq *fq)
{
	struct faultq_record records[32];

	assert_int_equal(take_group(fq, records), 1);
	return records[0];
}

/**
 * take_cookie() - wait for a page request group of one
 * @fq: the VM
 *
 * Return: its cookie.
 */
uint64_t take_cookie(struct faultq *fq)
{
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_PAGE_REQUEST);
	return record.cookie;
}

/**
 * assert_queue_empty() - nothing waits to be consumed
 * @fq: the VM
 */
void assert_queue_empty(struct faultq *fq)
{
	const struct faultq_record *next;

	assert_int_equal(faultq_peek(fq, &next), 0);
}

/**
 * pages_new() - get zeroed memory
 * @count: pages
 *
 * Return: the memory, page-aligned.
 */
void *pages_new(unsigned int count)
{
	void *pages = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(pages, MAP_FAILED);
	return pages;
}

/**
 * pages_free() - give memory back
 * @pages: from pages_new()
 * @count: as there
 */
void pages_free(void *pages, unsigned int count)
{
	munmap(pages, count * PAGE);
}

static unsigned char pattern(size_t at, unsigned int seed)
{
	return (at * 31 + (at >> 12) * 7 + seed) & 0xff;
}

/**
 * pages_fill() - fill memory with bytes that tell where they belong
 * @memory: the memory
 * @length: bytes
 * @seed: makes patterns different
 */
void pages_fill(void *memory, size_t length, unsigned int seed)
{
	for (size_t i = 0; i < length; i++)
		((unsigned char *)memory)[i] = pattern(i, seed);
}

/**
 * assert_pages_filled() - memory holds what pages_fill() wrote
 * @memory: the memory
 * @length: bytes
 * @seed: as there
 */
void assert_pages_filled(const void *memory, size_t length, unsigned int seed)
{
	for (size_t i = 0; i < length; i++)
		if (((const unsigned char *)memory)[i] != pattern(i, seed))
			fail_msg("byte %zu is %#x, not %#x", i, ((const unsigned char *)memory)[i],
				 pattern(i, seed));
}

/**
 * stuck_memory_new() - get memory that whoever touches it waits for
 * @memory: is set to it
 * @pages: how many
 *
 * Return: a userfaultfd; who closes it lets all that wait go on.
 */
int stuck_memory_new(void **memory, unsigned int pages)
{
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, UFFDIO_API, &api), 0);
	*memory = pages_new(pages);
	range.range.start = (uintptr_t)*memory;
	range.range.len = pages * PAGE;
	assert_int_equal(ioctl(fd, UFFDIO_REGISTER, &range), 0);
	return fd;
}

/**
 * stuck_memory_wait() - wait until somebody waits for a page
 * @userfaultfd: from stuck_memory_new()
 */
void stuck_memory_wait(int userfaultfd)
{
	struct pollfd event = { .fd = userfaultfd, .events = POLLIN };
	struct uffd_msg message;

	assert_int_equal(poll(&event, 1, -1), 1);
	assert_int_equal(read(userfaultfd, &message, sizeof(message)), sizeof(message));
	assert_int_equal(message.event, UFFD_EVENT_PAGEFAULT);
}

/**
 * stuck_memory_give() - let a page arrive
 * @userfaultfd: from stuck_memory_new()
 * @page: where
 * @content: what is in it
 */
void stuck_memory_give(int userfaultfd, void *page, const void *content)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)page,
				    .src = (uintptr_t)content,
				    .len = PAGE };

	assert_int_equal(ioctl(userfaultfd, UFFDIO_COPY, &copy), 0);
}

/**
 * wait_until_blocked() - wait until a thread sleeps in the kernel
 * @pid: its process
 * @tid: the thread
 *
 * For what has no event to wait for.
 */
void wait_until_blocked(int pid, int tid)
{
	char path[64], text[256], *state;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	do {
		sched_yield();
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		length = read(fd, text, sizeof(text) - 1);
		close(fd);
		assert_true(length > 0);
		text[length] = '\0';
		state = strrchr(text, ')');
		assert_non_null(state);
	} while (state[2] != 'S' && state[2] != 'D');
}

static int rig_setup(void **state, const char *settings, uint32_t queue_flags)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	instance_make(RIG_INSTANCE, 0);
	device_make(&rig->device, RIG_INSTANCE, RIG_DEVICE, settings);
	rig->fq = vm_open(RIG_SLOTS, RIG_ENTRIES, queue_flags);
	rig->id = vm_attach(rig->fq, &rig->device);
	return 0;
}

/**
 * rig_setup_pri() - fixture: a device that makes PCIe page requests, a ring
 * @state: gets the rig
 *
 * Return: 0.
 */
int rig_setup_pri(void **state)
{
	return rig_setup(state, "mode=pri", 0);
}

/**
 * rig_setup_stall() - fixture: a device whose accesses stall, a ring
 * @state: gets the rig
 *
 * Return: 0.
 */
int rig_setup_stall(void **state)
{
	return rig_setup(state, "mode=stall", 0);
}

/**
 * rig_setup_none() - fixture: a device that faults unrecoverably, a ring
 * @state: gets the rig
 *
 * Return: 0.
 */
int rig_setup_none(void **state)
{
	return rig_setup(state, "mode=none", 0);
}

/**
 * rig_setup_read() - fixture: a device that makes PCIe page requests, a queue for read()
 * @state: gets the rig
 *
 * Return: 0.
 */
int rig_setup_read(void **state)
{
	return rig_setup(state, "mode=pri", FAULTQ_QUEUE_READ);
}

/**
 * rig_teardown() - fixture: end a rig; its device must be idle then
 * @state: has the rig
 *
 * Return: 0.
 */
int rig_teardown(void **state)
{
	struct rig *rig = *state;

	faultq_close(rig->fq);
	if (rig->device.fd >= 0)
		device_assert_idle(&rig->device);
	device_remove(&rig->device);
	instance_remove(RIG_INSTANCE);
	free(rig);
	return 0;
}
