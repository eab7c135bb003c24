// SPDX-License-Identifier: GPL-2.0-only
/*
 * Structures grow, and programs stay: every call of /dev/faultq and /dev/mock-iommu is made
 * with each size of its structure, from the one that was published first to a page, and so is
 * every list with each size of its entries. What a size has in common with the whole structure
 * must come out the same, what the kernel does not know must be zero, and no byte behind the
 * size may be written.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mock-iommu.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/kinds.h"
#include "support/mock.h"
#include "support/tap.h"

#define BEHIND		0xa5	/* what nobody may write */
#define ENTRIES		3
#define INSTANCE	"sizes"

static struct abi_device device;
static uint8_t memory[ABI_PAGE] __attribute__((aligned(ABI_PAGE)));

/* Each byte is like the one before it. */
static bool all_are(uint8_t value, const uint8_t *from, const uint8_t *end)
{
	return from >= end || (*from == value && !memcmp(from, from + 1, end - from - 1));
}

static void assert_untouched(const char *name, uint32_t size, const uint8_t *from,
			     const uint8_t *end)
{
	if (!all_are(BEHIND, from, end))
		fail_msg("%s, size %u: something behind it was written", name, size);
}

static void assert_zero(const char *name, uint32_t size, const uint8_t *from, const uint8_t *end)
{
	if (!all_are(0, from, end))
		fail_msg("%s, size %u: what is not known is not zero", name, size);
}

/* All sizes up to a page; in a quick run, of those that nothing is known of every 61st. */
static uint32_t next_size(uint32_t size, uint32_t known)
{
	uint32_t step = size > known + 8 ? scaled(61, 1) : 1;

	return size < ABI_PAGE && size + step > ABI_PAGE ? ABI_PAGE : size + step;
}

/* One call with a structure of @size bytes and a guard behind; the structure is the result. */
static int call_with_size(int fd, unsigned int command, const union abi_argument *sample,
			  uint32_t size, union abi_argument *argument)
{
	memset(argument, BEHIND, sizeof(*argument));
	memcpy(argument, sample, size);
	argument->head[0] = size;
	return abi_ioctl(fd, command, argument);
}

/**
 * struct call - a call that is made with each size
 * @name: for people
 * @command: its number
 * @known: sizeof() its structure
 * @first: as it was published first
 * @sample: a good argument, and zeroes behind
 * @open: makes the file for it, anew for each call
 */
struct call {
	const char *name;
	unsigned int command;
	uint32_t known;
	uint32_t first;
	union abi_argument sample;
	int (*open)(void);
};

static int call_anew(const struct call *call, uint32_t size, union abi_argument *argument)
{
	int fd = call->open(), ret;

	ret = call_with_size(fd, call->command, &call->sample, size, argument);
	close(fd);
	return ret;
}

static void expect_size(const struct call *call, uint32_t size, int result,
			const union abi_argument *whole)
{
	uint32_t common = size < call->known ? size : call->known;
	union abi_argument argument;
	int ret = call_anew(call, size, &argument);

	if (ret != result)
		fail_msg("%s, size %u: %d instead of %d", call->name, size, ret, result);
	assert_int_equal(argument.head[0], size);
	if (memcmp(&argument.head[1], &whole->head[1], common - sizeof(argument.head[0])))
		fail_msg("%s, size %u: not as with the whole structure", call->name, size);
	assert_zero(call->name, size, argument.bytes + common, argument.bytes + size);
	assert_untouched(call->name, size, argument.bytes + size,
			 argument.bytes + sizeof(argument));
}

static void expect_all_sizes(const struct call *call)
{
	union abi_argument whole;
	int result = call_anew(call, call->known, &whole);

	for (uint32_t size = call->first; size <= ABI_PAGE; size = next_size(size, call->known))
		expect_size(call, size, result, &whole);
}

static void calls_of_each_size_write_nothing_behind_it(void **state)
{
	(void)state;
	for (const struct abi_call *each = abi_calls; each->name; each++) {
		struct call call = {
			.name = each->name,
			.command = each->command,
			.known = each->size,
			.first = each->first_size ?: each->size,
			.open = abi_open,
		};

		each->sample(&call.sample);
		expect_all_sizes(&call);
	}
}

static int open_unbound(void)
{
	int fd = open("/dev/mock-iommu", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int open_bound(void)
{
	int fd = mock_open(INSTANCE, "d0");

	assert_true(fd >= 0);
	return fd;
}

/* One whose first DMA meets nothing that is mapped. */
static int open_with_dma(void)
{
	int fd = open_bound();

	assert_int_equal(mock_dma_start(fd, MOCK_IOMMU_READ, 0, 0, NULL, 8), 1);
	return fd;
}

/* One of a device that has an answer for each call. */
static int open_answered(void)
{
	abi_request(&device, 1, 0x1000, 1);
	return open_bound();
}

/* No structure of the mock's has grown yet. */
#define expect_mock(nr, type, from, ...) do {					\
	struct mock_iommu_##type sample_ = { .size = sizeof(sample_), __VA_ARGS__ }; \
	struct call call_ = {							\
		.name = #nr,							\
		.command = MOCK_IOMMU_##nr,					\
		.known = sizeof(sample_),					\
		.first = sizeof(sample_),					\
		.open = from,							\
	};									\
										\
	memcpy(&call_.sample, &sample_, sizeof(sample_));			\
	expect_all_sizes(&call_);						\
} while (0)

static void calls_of_the_mock_of_each_size_write_nothing_behind_it(void **state)
{
	struct mock_iommu_scan_page page = {};
	uint8_t data[8];

	(void)state;
	expect_mock(BIND, bind, open_unbound, .name = "mock-" INSTANCE "-d0");
	expect_mock(STATE, state, open_bound);
	expect_mock(PAGE_REQUEST, page_request, open_bound, .access = MOCK_IOMMU_READ);
	expect_mock(UNRECOVERABLE, unrecoverable, open_bound, .flags = fault_way(),
		    .access = MOCK_IOMMU_READ);
	expect_mock(SCAN, scan, open_bound, .flags = MOCK_IOMMU_READ, .count = 1,
		    .pages = (uintptr_t)&page);
	expect_mock(MSI_BIND, msi, open_bound);
	expect_mock(MSI_UNBIND, msi, open_bound);
	expect_mock(MSI_SEND, msi, open_bound, .data = 1);
	expect_mock(MSI_READ, msi, open_bound);
	expect_mock(DMA_START, dma_start, open_bound, .flags = MOCK_IOMMU_READ, .length = 8);
	expect_mock(DMA_WAIT, dma_wait, open_with_dma, .tag = 1, .data = (uintptr_t)data);
}

static void answers_of_each_size_write_nothing_behind_it(void **state)
{
	(void)state;
	needs_page_requests();
	expect_mock(RESPONSE, response, open_answered);
}

/**
 * struct list - a call that fills an array
 * @name: for people
 * @command: its number
 * @size: of its structure, which begins as struct faultq_list
 * @known: sizeof() an entry
 * @first: as it was published first
 * @count: room that the call wants
 */
struct list {
	const char *name;
	unsigned int command;
	uint32_t size;
	uint32_t known;
	uint32_t first;
	uint32_t count;
};

static uint8_t room[33 * ABI_PAGE], whole_room[33 * ABI_PAGE];

static int list_with_size(int fd, const struct list *list, uint32_t entry_size, uint8_t *entries,
			  uint32_t *count)
{
	struct faultq_list call = {
		.size = list->size,
		.entries = (uintptr_t)entries,
		.count = list->count,
		.entry_size = entry_size,
	};
	int ret = abi_ioctl(fd, list->command, &call);

	*count = call.count;
	return ret;
}

static void expect_entry_size(int fd, const struct list *list, uint32_t size, uint32_t expected)
{
	uint32_t common = size < list->known ? size : list->known, found, written;
	uint8_t *entry = room;

	memset(room, BEHIND, sizeof(room));
	assert_int_equal(list_with_size(fd, list, size, room, &found), 0);
	assert_int_equal(found, expected);
	written = found < list->count ? found : list->count;
	for (uint32_t i = 0; i < written; i++, entry += size) {
		if (memcmp(entry, whole_room + i * list->known, common))
			fail_msg("%s, entries of %u: not as whole ones", list->name, size);
		assert_zero(list->name, size, entry + common, entry + size);
	}
	assert_untouched(list->name, size, entry, room + sizeof(room));
}

static void expect_all_entry_sizes(int fd, const struct list *list, uint32_t least)
{
	uint32_t found;

	assert_int_equal(list_with_size(fd, list, list->known, whole_room, &found), 0);
	assert_true(found >= least);
	for (uint32_t size = list->first; size <= ABI_PAGE; size = next_size(size, list->known))
		expect_entry_size(fd, list, size, found);
	for (uint32_t size = 0; size < list->first; size++)
		assert_int_equal(list_with_size(fd, list, size, room, &found), -EINVAL);
	assert_int_equal(list_with_size(fd, list, ABI_PAGE + 1, room, &found), -EINVAL);
}

#define LIST(nr, type) {							\
	.name = #nr,								\
	.command = FAULTQ_##nr,							\
	.size = sizeof(struct faultq_list),					\
	.known = sizeof(struct type),						\
	.first = sizeof(struct type),						\
	.count = ENTRIES,							\
}

static const struct list lists[] = {
	LIST(INSTANCES, faultq_share),
	LIST(VMS, faultq_vm_entry),
	LIST(DEVICES, faultq_device_entry),
	LIST(WINDOW_LIST, faultq_window_entry),
	LIST(IOVA_RANGES, faultq_range_entry),
	LIST(DOORBELLS, faultq_doorbell_entry),
};

static const struct list mappings = {
	.name = "MAPPINGS",
	.command = FAULTQ_MAPPINGS,
	.size = sizeof(struct faultq_list),
	.known = sizeof(struct faultq_mapping_entry),
	.first = 32,
	.count = ENTRIES,
};

static const struct list held = {
	.name = "HELD",
	.command = FAULTQ_HELD,
	.size = sizeof(struct faultq_held),
	.known = sizeof(struct faultq_held_entry),
	.first = sizeof(struct faultq_held_entry),
	.count = ENTRIES,
};

static const struct list pending = {
	.name = "PENDING",
	.command = FAULTQ_PENDING,
	.size = sizeof(struct faultq_pending),
	.known = sizeof(struct faultq_record),
	.first = sizeof(struct faultq_record),
	.count = 32,
};

static int vm;

static void add_mapping(uint64_t iova)
{
	struct faultq_map map = {
		.size = sizeof(map),
		.flags = FAULTQ_MAP_READ,
		.iova = iova,
		.length = ABI_PAGE,
		.user_address = (uintptr_t)memory,
	};

	assert_int_equal(abi_ioctl(vm, FAULTQ_MAP, &map), 0);
}

static void add_window(uint64_t iova, uint32_t type, uint32_t prot)
{
	struct faultq_window window = {
		.size = sizeof(window),
		.iova = iova,
		.length = ABI_PAGE,
		.type = type,
		.prot = prot,
	};

	assert_int_equal(abi_ioctl(vm, FAULTQ_WINDOW_ADD, &window), 0);
}

static void add_doorbell(void)
{
	struct mock_iommu_msi msi = { .size = sizeof(msi) };

	assert_int_equal(abi_ioctl(device.mock, MOCK_IOMMU_MSI_BIND, &msi), 0);
}

/* Something of everything, and more than one of most. */
static void fill_vm(void)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		add_mapping(0x100000 + i * 0x10000);
		add_window(0x200000 + i * 0x10000, FAULTQ_WINDOW_RESERVED, 0);
	}
	add_window(0x300000, FAULTQ_WINDOW_MSI, FAULTQ_MAP_WRITE);
	add_doorbell();
}

static void lists_of_entries_of_each_size_write_nothing_behind_them(void **state)
{
	(void)state;
	fill_vm();
	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++)
		expect_all_entry_sizes(vm, &lists[i], lists[i].command != FAULTQ_INSTANCES);
	expect_all_entry_sizes(vm, &held, 0);
}

static void mappings_are_listed_to_who_knows_only_what_they_were_first(void **state)
{
	(void)state;
	fill_vm();
	expect_all_entry_sizes(vm, &mappings, ENTRIES);
}

static void groups_that_wait_are_listed_in_entries_of_each_size(void **state)
{
	(void)state;
	needs_page_requests();
	assert_int_equal(abi_queue(vm, 4, 64, -1, 0, NULL), 0);
	abi_request(&device, 1, 0x1000, ENTRIES);
	expect_all_entry_sizes(vm, &pending, ENTRIES);
}

static void expect_answer_size(uint32_t size)
{
	struct faultq_respond respond = {
		.size = sizeof(respond),
		.answers = (uintptr_t)room,
		.count = ENTRIES,
		.entry_size = size,
	};
	const uint8_t *entry = room;

	memset(room, 0, ENTRIES * size);
	memset(room + ENTRIES * size, BEHIND, sizeof(room) - ENTRIES * size);
	assert_int_equal(abi_ioctl(vm, FAULTQ_RESPOND, &respond), 0);
	assert_int_equal(respond.done, ENTRIES);
	for (uint32_t i = 0; i < ENTRIES; i++, entry += size) {
		struct faultq_answer answer;

		memcpy(&answer, entry, sizeof(answer));
		assert_int_equal(answer.cookie, 0);
		assert_int_equal(answer.code, 0);
		assert_int_equal(answer.result, -EINVAL);
		assert_zero("RESPOND", size, entry + sizeof(answer), entry + size);
	}
	assert_untouched("RESPOND", size, entry, room + sizeof(room));
}

static void answers_in_entries_of_each_size_get_their_results(void **state)
{
	(void)state;
	assert_int_equal(abi_queue(vm, 4, 64, -1, 0, NULL), 0);
	for (uint32_t size = sizeof(struct faultq_answer); size <= ABI_PAGE;
	     size = next_size(size, sizeof(struct faultq_answer)))
		expect_answer_size(size);
}

static int make_device(void **state)
{
	(void)state;
	vm = abi_open();
	abi_device_make(&device, INSTANCE, "d0");
	assert_int_equal(abi_device_attach(&device, vm), 0);
	return 0;
}

static int destroy_device(void **state)
{
	(void)state;
	close(vm);
	abi_device_destroy(&device);
	return 0;
}

int main(void)
{
#define with_device(test) cmocka_unit_test_setup_teardown(test, make_device, destroy_device)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_of_each_size_write_nothing_behind_it),
		with_device(calls_of_the_mock_of_each_size_write_nothing_behind_it),
		with_device(answers_of_each_size_write_nothing_behind_it),
		with_device(lists_of_entries_of_each_size_write_nothing_behind_them),
		with_device(mappings_are_listed_to_who_knows_only_what_they_were_first),
		with_device(groups_that_wait_are_listed_in_entries_of_each_size),
		with_device(answers_in_entries_of_each_size_get_their_results),
	};

	return tap_run_group(tests, NULL, NULL);
}
