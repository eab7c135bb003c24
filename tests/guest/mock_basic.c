// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock IOMMU alone, without a consumer of its faults: what configfs and
 * /dev/mock-iommu accept and refuse, what DMA does on a domain that does not
 * translate, what happens to a device's users when it goes, and that other devices
 * keep their IOMMU driver.
 *
 * Most tests have an instance "i0" with a live device "d0" and a file bound to it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <faultq.h>

#include "support/interrupt.h"
#include "support/kinds.h"
#include "support/mock.h"
#include "support/pci.h"
#include "support/tap.h"

#define PLATFORM_DEVICE	"/sys/bus/platform/devices/mock-i0-d0"
#define PAGE		4096UL

/*
 * Fixtures
 */

static int bound;	/* file of the device d0 */

static int make_device(void **state)
{
	(void)state;
	if (mock_instance_create("i0", 0) || mock_device_create("i0", "d0", "pasid_bits=8"))
		return -1;
	bound = mock_open("i0", "d0");
	return bound < 0 ? -1 : 0;
}

static int undo_device(void **state)
{
	(void)state;
	close(bound);
	return mock_device_destroy("i0", "d0") || mock_instance_destroy("i0") ? -1 : 0;
}

/* After a test that makes and undoes things itself, and may have failed half-way. */
static int clean_up(void **state)
{
	(void)state;
	mock_rmdir("i0", "d0");
	mock_rmdir("i0", "d1");
	mock_rmdir("i0", NULL);
	mock_rmdir("i1", "d0");
	mock_rmdir("i1", NULL);
	return 0;
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

static void assert_attribute(const char *instance, const char *device, const char *name,
			     const char *expected)
{
	char value[PAGE];

	assert_int_equal(mock_get(instance, device, name, value, sizeof(value)), 0);
	assert_string_equal(value, expected);
}

/*
 * configfs
 */

static void names(void **state)
{
	char longest[64];

	(void)state;
	assert_int_equal(mock_mkdir("with-dash", NULL), -EINVAL);
	assert_int_equal(mock_mkdir("with space", NULL), -EINVAL);
	memset(longest, 'n', sizeof(longest));
	longest[50] = '\0';
	assert_int_equal(mock_mkdir(longest, NULL), -ENAMETOOLONG);
	longest[49] = '\0';
	assert_int_equal(mock_mkdir(longest, NULL), 0);
	assert_int_equal(mock_mkdir(longest, "d"), -ENAMETOOLONG);
	assert_int_equal(mock_rmdir(longest, NULL), 0);

	assert_int_equal(mock_mkdir("i0", NULL), 0);
	assert_int_equal(mock_mkdir("i0", NULL), -EEXIST);
	assert_int_equal(mock_mkdir("i0", "d!"), -EINVAL);
	assert_int_equal(mock_mkdir("i0", "a-b_c.0"), 0);
	assert_attribute("i0", "a-b_c.0", "dev_name", "mock-i0-a-b_c.0");
	assert_int_equal(mock_rmdir("i0", NULL), -ENOTEMPTY);
	assert_int_equal(mock_rmdir("i0", "a-b_c.0"), 0);
	assert_int_equal(mock_rmdir("i0", NULL), 0);
}

struct value {
	const char *device;
	const char *attribute;
	const char *preset;
	const char *good;
	const char *shown;
	const char *bad;
};

static const struct value values[] = {
	{ NULL, "queue_depth", "256", "65536", "65536", "65537" },
	{ NULL, "queue_depth", "65536", "0x1", "1", "0" },
	{ NULL, "free_on_report", "0", "1", "1", "maybe" },
	{ "d0", "mode", "pri", "stall\n", "stall", "ats" },
	{ "d0", "mode", "stall", "none", "none", "" },
	{ "d0", "pasid_bits", "0", "20", "20", "21" },
	{ "d0", "credits", "32", "1", "1", "0" },
	{ "d0", "credits", "1", "4096", "4096", "-1" },
	{ "d0", "unrecoverable", "device", "domain", "domain", "both" },
	{ "d0", "response_pasid", "1", "0", "0", "2x" },
	{ "d0", "page_requests", "1", "0", "0", "2x" },
	{ "d0", "request_bits", "0", "48", "48", "49" },
	{ "d0", "shared_requests", "0", "1", "1", "2x" },
	{ "d0", "coherent", "1", "0", "0", "maybe" },
	{ "d0", "snoop_control", "0", "1", "1", "" },
};

static void attributes_take_good_values(void **state)
{
	(void)state;
	assert_int_equal(mock_mkdir("i0", NULL), 0);
	assert_int_equal(mock_mkdir("i0", "d0"), 0);
	for (const struct value *v = values; v < values + sizeof(values) / sizeof(*v); v++) {
		assert_attribute("i0", v->device, v->attribute, v->preset);
		if (*v->bad)
			assert_true(mock_set("i0", v->device, v->attribute, v->bad) < 0);
		assert_attribute("i0", v->device, v->attribute, v->preset);
		assert_int_equal(mock_set("i0", v->device, v->attribute, v->good), 0);
		assert_attribute("i0", v->device, v->attribute, v->shown);
	}
	assert_int_equal(mock_rmdir("i0", "d0"), 0);
	assert_int_equal(mock_rmdir("i0", NULL), 0);
}

static void attributes_are_fixed_while_live(void **state)
{
	(void)state;
	for (const struct value *v = values; v < values + sizeof(values) / sizeof(*v); v++)
		assert_int_equal(mock_set("i0", v->device, v->attribute, v->good), -EBUSY);
	assert_int_equal(mock_set("i0", "d0", "reserved", "0x1000 0x1000 direct"), -EBUSY);
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(mock_set("i0", "d0", "mode", "stall"), 0);
	assert_int_equal(mock_set("i0", "d0", "live", "1"), 0);
	assert_attribute("i0", "d0", "mode", "stall");
}

static void live_has_an_order(void **state)
{
	(void)state;
	assert_int_equal(mock_mkdir("i0", NULL), 0);
	assert_int_equal(mock_mkdir("i0", "d0"), 0);
	assert_int_equal(mock_set("i0", "d0", "live", "1"), -ENODEV);
	assert_int_equal(mock_set("i0", NULL, "live", "1"), 0);
	assert_int_equal(mock_set("i0", NULL, "live", "1"), 0);
	assert_int_equal(mock_set("i0", "d0", "live", "1"), 0);
	assert_attribute("i0", "d0", "live", "1");
	assert_int_equal(mock_set("i0", NULL, "live", "0"), -EBUSY);
	assert_int_equal(mock_rmdir("i0", NULL), -ENOTEMPTY);
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(mock_set("i0", NULL, "live", "0"), 0);
	assert_attribute("i0", NULL, "live", "0");
	assert_int_equal(mock_rmdir("i0", "d0"), 0);
	assert_int_equal(mock_rmdir("i0", NULL), 0);
}

static void reserved_regions_are_bounded(void **state)
{
	char line[64];

	(void)state;
	assert_int_equal(mock_mkdir("i0", NULL), 0);
	assert_int_equal(mock_mkdir("i0", "d0"), 0);
	assert_int_equal(mock_set("i0", "d0", "reserved", "0x1000 0x1000"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "reserved", "0x1000 0x1000 odd"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "reserved", "0x1000 0 direct"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "reserved", "-1 4096 direct"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "reserved", "0 1 msi\n0 1 odd"), -EINVAL);
	assert_attribute("i0", "d0", "reserved", "");
	for (int i = 0; i < 16; i++) {
		snprintf(line, sizeof(line), "%#x 0x1000 reserved\n", (i + 1) * 0x10000);
		assert_int_equal(mock_set("i0", "d0", "reserved", line), 0);
	}
	assert_int_equal(mock_set("i0", "d0", "reserved", line), -ENOSPC);
	assert_int_equal(mock_set("i0", "d0", "reserved", "\n"), 0);
	assert_attribute("i0", "d0", "reserved", "");
	assert_int_equal(mock_set("i0", "d0", "reserved", "0 1 msi\n0x8 8 direct\n"), 0);
	assert_attribute("i0", "d0", "reserved", "0x0 0x1 msi\n0x8 0x8 direct");
	assert_int_equal(mock_rmdir("i0", "d0"), 0);
	assert_int_equal(mock_rmdir("i0", NULL), 0);
}

static void reserved_regions_reach_the_core(void **state)
{
	char text[PAGE] = "";
	FILE *file;

	(void)state;
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(mock_set("i0", "d0", "reserved",
				  "0xfee00000 0x100000 msi\n0x1000 0x1000 direct\n"
				  "0x4000 0x1000 direct-relaxable\n0x8000 0x2000 reserved\n"
				  "0x8000000 0x100000 sw-msi"), 0);
	assert_int_equal(mock_set("i0", "d0", "live", "1"), 0);
	file = fopen(PLATFORM_DEVICE "/iommu_group/reserved_regions", "re");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_non_null(strstr(text, "0x0000000000001000 0x0000000000001fff direct\n"));
	assert_non_null(strstr(text, "0x0000000000004000 0x0000000000004fff direct-relaxable\n"));
	assert_non_null(strstr(text, "0x0000000000008000 0x0000000000009fff reserved\n"));
	assert_non_null(strstr(text, "0x00000000fee00000 0x00000000feefffff msi\n"));
	assert_non_null(strstr(text, "0x0000000008000000 0x00000000080fffff msi\n"));
}

static void live_shows_in_sysfs(void **state)
{
	(void)state;
	assert_true(exists(PLATFORM_DEVICE "/iommu_group"));
	assert_true(exists(PLATFORM_DEVICE "/iommu/devices/mock-i0-d0"));
	assert_true(exists("/sys/class/iommu/mock-i0"));
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_false(exists(PLATFORM_DEVICE));
	assert_true(exists("/sys/class/iommu/mock-i0"));
	assert_int_equal(mock_set("i0", NULL, "live", "0"), 0);
	assert_false(exists("/sys/class/iommu/mock-i0"));
}

static void rmdir_undoes(void **state)
{
	(void)state;
	assert_int_equal(mock_instance_create("i0", 1), 0);
	assert_int_equal(mock_device_create("i0", "d0", NULL), 0);
	assert_int_equal(mock_device_create("i0", "d1", NULL), 0);
	assert_int_equal(mock_rmdir("i0", "d0"), 0);
	assert_false(exists(PLATFORM_DEVICE));
	assert_true(exists("/sys/bus/platform/devices/mock-i0-d1/iommu_group"));
	assert_int_equal(mock_rmdir("i0", "d1"), 0);
	assert_int_equal(mock_rmdir("i0", NULL), 0);
	assert_false(exists("/sys/class/iommu/mock-i0"));
}

static void an_open_attribute_does_not_keep_a_device(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mock_instance_create("i0", 0), 0);
	assert_int_equal(mock_device_create("i0", "d0", NULL), 0);
	fd = open(MOCK_CONFIG_DIR "/i0/d0/live", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(mock_rmdir("i0", "d0"), 0);
	assert_false(exists(PLATFORM_DEVICE));
	assert_int_equal(write(fd, "1", 1), -1);
	assert_false(exists(PLATFORM_DEVICE));
	close(fd);
	assert_int_equal(mock_rmdir("i0", NULL), 0);
}

/*
 * /dev/mock-iommu: structures
 */

struct call {
	unsigned long request;
	unsigned int size;
	unsigned int least;
	bool out;
};

#define CALL_SINCE(_request, _name, _least, _out) \
	{ MOCK_IOMMU_##_request, sizeof(struct mock_iommu_##_name), _least, _out }
#define CALL(_request, _name, _out) \
	CALL_SINCE(_request, _name, sizeof(struct mock_iommu_##_name), _out)

static const struct call calls[] = {
	CALL(BIND, bind, false),
	CALL(DMA_START, dma_start, true),
	CALL(DMA_WAIT, dma_wait, true),
	CALL(PAGE_REQUEST, page_request, true),
	CALL(UNRECOVERABLE, unrecoverable, true),
	CALL(RESPONSE, response, true),
	CALL_SINCE(STATE, state, offsetof(struct mock_iommu_state, snooped), true),
};

static const struct call *const calls_end = calls + sizeof(calls) / sizeof(*calls);

static int do_call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) ? -errno : 0;
}

/* An argument of which all that is not the size is zero: valid, and useless. */
static int call_with_size(int fd, const struct call *call, unsigned int size, int tail)
{
	static union {
		uint32_t size;
		unsigned char bytes[3 * PAGE];
	} argument;

	memset(&argument, 0, sizeof(argument));
	argument.size = size;
	if (tail >= 0)
		argument.bytes[tail] = 1;
	return do_call(fd, call->request, &argument);
}

static void sizes(void **state)
{
	const struct call *call;
	int fd = open("/dev/mock-iommu", O_RDWR | O_CLOEXEC), plain;

	(void)state;
	assert_true(fd >= 0);
	for (call = calls; call < calls_end; call++) {
		plain = call->request == MOCK_IOMMU_BIND ? -ENOENT : -ENOTCONN;
		assert_int_equal(call_with_size(fd, call, 0, -1), -EINVAL);
		assert_int_equal(call_with_size(fd, call, 4, -1), -EINVAL);
		assert_int_equal(call_with_size(fd, call, call->least - 1, -1), -EINVAL);
		assert_int_equal(call_with_size(fd, call, call->least, -1), plain);
		assert_int_equal(call_with_size(fd, call, call->size, -1), plain);
		assert_int_equal(call_with_size(fd, call, call->size + 1, -1), plain);
		assert_int_equal(call_with_size(fd, call, PAGE, -1), plain);
		assert_int_equal(call_with_size(fd, call, call->size + 1, call->size), -E2BIG);
		assert_int_equal(call_with_size(fd, call, PAGE, PAGE - 1), -E2BIG);
		assert_int_equal(call_with_size(fd, call, PAGE + 1, -1), -E2BIG);
		assert_int_equal(call_with_size(fd, call, UINT32_MAX, -1), -E2BIG);
	}
	close(fd);
}

static void bad_pointers(void **state)
{
	const struct call *call;
	uint32_t *page;

	(void)state;
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(mprotect((char *)page + PAGE, PAGE, PROT_NONE), 0);
	for (call = calls; call < calls_end; call++) {
		uint32_t *cut = (uint32_t *)((char *)page + PAGE - 4);

		assert_int_equal(do_call(bound, call->request, NULL), -EFAULT);
		*cut = call->size;
		assert_int_equal(do_call(bound, call->request, cut), -EFAULT);
		assert_int_equal(do_call(bound, call->request, (char *)page + PAGE), -EFAULT);
	}
	for (call = calls; call < calls_end; call++) {
		if (!call->out)
			continue;
		*page = call->size;
		assert_int_equal(mprotect(page, PAGE, PROT_READ), 0);
		assert_int_equal(do_call(bound, call->request, page), -EFAULT);
		assert_int_equal(mprotect(page, PAGE, PROT_READ | PROT_WRITE), 0);
	}
	munmap(page, 2 * PAGE);
}

static void unknown_calls(void **state)
{
	unsigned int nothing = 4;

	(void)state;
	assert_int_equal(do_call(bound, _IO(MOCK_IOMMU_IOC_TYPE, 0x7f), &nothing), -ENOTTY);
	assert_int_equal(do_call(bound, _IO(MOCK_IOMMU_IOC_TYPE, 0x8c), &nothing), -ENOTTY);
	assert_int_equal(do_call(bound, _IO(0, 0x80), &nothing), -ENOTTY);
}

static void unknown_flags_and_reserved_members(void **state)
{
	struct mock_iommu_dma_wait wait = { .size = sizeof(wait), .tag = 1 };
	struct mock_iommu_page_request request = { .size = sizeof(request) };
	struct mock_iommu_unrecoverable fault = { .size = sizeof(fault) };
	struct mock_iommu_response response = { .size = sizeof(response), .flags = 2 };
	struct mock_iommu_state counters = { .size = sizeof(counters), .flags = 1 };

	(void)state;
	wait.flags = 2;
	assert_int_equal(do_call(bound, MOCK_IOMMU_DMA_WAIT, &wait), -EINVAL);
	wait.flags = 0;
	wait.reserved = 1;
	assert_int_equal(do_call(bound, MOCK_IOMMU_DMA_WAIT, &wait), -EINVAL);
	request.flags = 4;
	assert_int_equal(do_call(bound, MOCK_IOMMU_PAGE_REQUEST, &request), -EINVAL);
	request.flags = 0;
	request.access = 0x20;
	assert_int_equal(do_call(bound, MOCK_IOMMU_PAGE_REQUEST, &request), -EINVAL);
	fault.reserved = 1;
	assert_int_equal(do_call(bound, MOCK_IOMMU_UNRECOVERABLE, &fault), -EINVAL);
	assert_int_equal(do_call(bound, MOCK_IOMMU_RESPONSE, &response), -EINVAL);
	assert_int_equal(do_call(bound, MOCK_IOMMU_STATE, &counters), -EINVAL);
}

static void bind(void **state)
{
	struct mock_iommu_bind bind = { .size = sizeof(bind), .name = "mock-i0-d0" };
	int fd = open("/dev/mock-iommu", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	bind.flags = 1;
	assert_int_equal(do_call(fd, MOCK_IOMMU_BIND, &bind), -EINVAL);
	bind.flags = 0;
	strcpy(bind.name, "mock-i0-d1");
	assert_int_equal(do_call(fd, MOCK_IOMMU_BIND, &bind), -ENOENT);
	memset(bind.name, 'x', sizeof(bind.name));
	assert_int_equal(do_call(fd, MOCK_IOMMU_BIND, &bind), -EINVAL);
	strcpy(bind.name, "mock-i0-d0");
	assert_int_equal(do_call(fd, MOCK_IOMMU_BIND, &bind), 0);
	assert_int_equal(do_call(fd, MOCK_IOMMU_BIND, &bind), -EBUSY);
	close(fd);
}

/*
 * DMA
 */

static void dma_on_an_identity_domain(void **state)
{
	struct mock_iommu_dma_wait end;
	struct mock_iommu_state counters;
	char data[8192] = "";

	(void)state;
	assert_int_equal(mock_dma_write(bound, 0x1000, data, sizeof(data), &end),
			 MOCK_IOMMU_DMA_IDENTITY);
	assert_int_equal(end.done, 0);
	assert_int_equal(end.requests, 0);
	assert_int_equal(mock_dma_read(bound, 0, data, 1, &end), MOCK_IOMMU_DMA_IDENTITY);
	assert_int_equal(mock_state(bound, &counters), 0);
	assert_int_equal(counters.identity, 2);
	assert_int_equal(counters.dmas, 2);
	assert_int_equal(counters.blocked + counters.requests + counters.faults, 0);
	assert_int_equal(counters.requests_on, 1);
	assert_int_equal(counters.queue_depth, 256);
	assert_int_equal(counters.queue_used, 0);
}

static void dma_refuses(void **state)
{
	static char data[MOCK_IOMMU_DMA_MAX + 1];
	const uint32_t write = MOCK_IOMMU_WRITE;
	int fd = bound;

	(void)state;
	assert_int_equal(mock_dma_start(fd, 0, 0, 0, data, 1), -EINVAL);
	assert_int_equal(mock_dma_start(fd, MOCK_IOMMU_EXEC, 0, 0, data, 1), -EINVAL);
	assert_int_equal(mock_dma_start(fd, write | MOCK_IOMMU_READ, 0, 0, data, 1), -EINVAL);
	assert_int_equal(mock_dma_start(fd, write | 0x20, 0, 0, data, 1), -EINVAL);
	assert_int_equal(mock_dma_start(fd, write, 0, 0, data, 0), -EINVAL);
	assert_int_equal(mock_dma_start(fd, write, 0, 0, data, sizeof(data)), -EINVAL);
	assert_int_equal(mock_dma_start(fd, write, 0, UINT64_MAX, data, 2), -EINVAL);
	assert_int_equal(mock_dma_start(fd, write, 1, 0, data, 1), -EINVAL);
	assert_int_equal(mock_dma_start(fd, write | MOCK_IOMMU_PASID, 256, 0, data, 1), -EINVAL);
	assert_int_equal(mock_dma_start(fd, write, 0, 0, NULL, 1), -EFAULT);
	assert_true(mock_dma_start(fd, write | MOCK_IOMMU_PASID, 255, 0, data, 1) > 0);
	assert_true(mock_dma_start(fd, write, 0, UINT64_MAX, data, 1) > 0);
	assert_true(mock_dma_start(fd, write, 0, 0, data, MOCK_IOMMU_DMA_MAX) > 0);
}

static void dma_is_collected_once(void **state)
{
	char data[1] = "";
	int tag = mock_dma_start(bound, MOCK_IOMMU_WRITE, 0, 0, data, 1);

	(void)state;
	assert_true(tag > 0);
	assert_int_equal(mock_dma_wait(bound, tag, 0, data, NULL), -EINVAL);
	assert_int_equal(mock_dma_wait(bound, tag, 0, NULL, NULL), MOCK_IOMMU_DMA_IDENTITY);
	assert_int_equal(mock_dma_wait(bound, tag, 0, NULL, NULL), -ENOENT);
	assert_int_equal(mock_dma_wait(bound, 0, 0, NULL, NULL), -ENOENT);
	assert_int_equal(mock_dma_wait(bound, -1, MOCK_IOMMU_NOWAIT, NULL, NULL), -ENOENT);
}

static void dmas_of_a_file_are_bounded(void **state)
{
	int tags[1024];

	(void)state;
	for (int i = 0; i < 1024; i++) {
		tags[i] = mock_dma_start(bound, MOCK_IOMMU_READ, 0, 0, NULL, 1);
		assert_true(tags[i] > 0);
	}
	assert_int_equal(mock_dma_start(bound, MOCK_IOMMU_READ, 0, 0, NULL, 1), -EBUSY);
	assert_int_equal(mock_dma_wait(bound, tags[7], 0, NULL, NULL), MOCK_IOMMU_DMA_IDENTITY);
	assert_true(mock_dma_start(bound, MOCK_IOMMU_READ, 0, 0, NULL, 1) > 0);
}

/*
 * Injection, with nobody to take it
 */

static void requests_that_nobody_takes(void **state)
{
	struct mock_iommu_response response;
	struct mock_iommu_state counters;

	(void)state;
	assert_int_equal(mock_page_request(bound, 0, MOCK_IOMMU_READ, 3, 0, 0x1000), 0);
	assert_int_equal(mock_response(bound, MOCK_IOMMU_NOWAIT, &response), -EAGAIN);
	assert_int_equal(mock_page_request(bound, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 3, 0, 0x1000),
			 0);
	assert_int_equal(mock_response(bound, 0, &response), 0);
	assert_int_equal(response.group, 3);
	assert_int_equal(response.code, 1);
	assert_int_equal(response.flags, 0);
	assert_int_equal(mock_response(bound, MOCK_IOMMU_NOWAIT, &response), -EAGAIN);
	assert_int_equal(mock_state(bound, &counters), 0);
	assert_int_equal(counters.requests, 2);
	assert_int_equal(counters.refused, 2);
	assert_int_equal(counters.answered + counters.unmatched + counters.overflows, 0);
	assert_int_equal(counters.outstanding + counters.queue_used, 0);
}

static void old_answers_are_dropped(void **state)
{
	struct mock_iommu_page_request storm = {
		.flags = MOCK_IOMMU_LAST,
		.group_step = 1,
		.count = 5000,
	};
	struct mock_iommu_response response;

	(void)state;
	assert_int_equal(mock_page_requests(bound, &storm), 0);
	assert_int_equal(mock_response(bound, 0, &response), 0);
	assert_int_equal(response.dropped, 5000 - 4096);
	assert_int_equal(response.group, 5000 - 4096);
	for (uint32_t group = response.group + 1; group < 5000; group++) {
		assert_int_equal(mock_response(bound, MOCK_IOMMU_NOWAIT, &response), 0);
		assert_int_equal(response.group, group);
		assert_int_equal(response.dropped, 0);
	}
	assert_int_equal(mock_response(bound, MOCK_IOMMU_NOWAIT, &response), -EAGAIN);
}

/* What a fault of a device comes to that nobody takes: some kernels do not have those. */
static int device_fault(void)
{
	return kernel_delivers(FAULTQ_KIND_UNRECOVERABLE) ? 0 : -EOPNOTSUPP;
}

static void faults_that_nobody_takes(void **state)
{
	const uint32_t domain = MOCK_IOMMU_VIA_DOMAIN;
	struct mock_iommu_state counters;
	int fd = bound, none = device_fault();

	(void)state;
	assert_int_equal(mock_unrecoverable(fd, 0, MOCK_IOMMU_WRITE, 5, 0x1000), none);
	assert_int_equal(mock_unrecoverable(fd, MOCK_IOMMU_NO_ADDRESS, 0, 8, 0), none);
	assert_int_equal(mock_unrecoverable(fd, 0, 0, 9, 0), -EINVAL);
	assert_int_equal(mock_unrecoverable(fd, 0x20, 0, 0, 0), -EINVAL);
	assert_int_equal(mock_unrecoverable(fd, MOCK_IOMMU_HARD_IRQ, 0, 0, 0), -EINVAL);
	assert_int_equal(mock_unrecoverable(fd, MOCK_IOMMU_NO_DEVICE, 0, 0, 0), -EINVAL);
	assert_int_equal(mock_unrecoverable(fd, domain | MOCK_IOMMU_NO_ADDRESS, 0, 0, 0), -EINVAL);
	assert_int_equal(mock_unrecoverable(fd, domain | MOCK_IOMMU_FETCH, 0, 0, 0), -EINVAL);
	assert_int_equal(mock_unrecoverable(fd, domain, 0, 0, 0), -ENXIO);
	assert_int_equal(mock_unrecoverable(fd, domain | MOCK_IOMMU_HARD_IRQ, 0, 0, 0), -ENXIO);
	assert_int_equal(mock_state(fd, &counters), 0);
	assert_int_equal(counters.faults, none ? 0 : 2);
}

static uint64_t requests_of(int fd)
{
	struct mock_iommu_state counters;

	assert_int_equal(mock_state(fd, &counters), 0);
	return counters.requests;
}

static void a_storm_goes_on_with_a_signal_each_millisecond(void **state)
{
	struct mock_iommu_page_request storm = { .access = MOCK_IOMMU_READ, .count = 5000 };
	uint64_t before = requests_of(bound);
	unsigned int storms = 0;

	(void)state;
	ticks_begin(false);
	for (; ticks() < 20; storms++)
		assert_true(mock_page_requests(bound, &storm) >= 0);
	ticks_end();
	assert_int_equal(requests_of(bound) - before, (uint64_t)storms * storm.count);
}

static void faults_go_on_with_a_signal_each_millisecond(void **state)
{
	struct mock_iommu_unrecoverable faults = {
		.size = sizeof(faults), .access = MOCK_IOMMU_READ, .count = 5000,
	};

	(void)state;
	needs_device_faults();
	ticks_begin(false);
	while (ticks() < 20) {
		struct mock_iommu_state before, after;

		assert_int_equal(mock_state(bound, &before), 0);
		assert_int_equal(do_call(bound, MOCK_IOMMU_UNRECOVERABLE, &faults), 0);
		assert_int_equal(mock_state(bound, &after), 0);
		assert_int_equal(after.faults - before.faults, faults.count);
	}
	ticks_end();
}

/* A storm without end, in a process of its own. */
static void a_signal_that_kills_ends_a_storm(void **state)
{
	struct mock_iommu_page_request storm = { .access = MOCK_IOMMU_READ, .count = UINT32_MAX };
	uint64_t before = requests_of(bound);
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		mock_page_requests(bound, &storm);
		_exit(1);
	}
	while (requests_of(bound) - before < 1000)
		assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	assert_int_equal(kill(child, SIGTERM), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static int take_answer(void *argument)
{
	return mock_response(bound, 0, argument);
}

static int wait_for_an_answer(enum interruption kind)
{
	struct mock_iommu_response answer;
	struct interrupted interrupted;

	interrupted_begin(&interrupted, kind, take_answer, &answer);
	interrupt_asleep(&interrupted);
	if (kind != INTERRUPTION_SIGNAL)
		mock_page_request(bound, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 7, 0, 0x1000);
	return interrupted_end(&interrupted);
}

/* As with read(): a signal without SA_RESTART is what ends a call that sleeps. */
static void a_wait_ends_with_a_signal_and_nothing_else(void **state)
{
	(void)state;
	needs_page_requests();
	assert_int_equal(wait_for_an_answer(INTERRUPTION_SIGNAL), -EINTR);
	assert_int_equal(wait_for_an_answer(INTERRUPTION_RESTART), 0);
	assert_int_equal(wait_for_an_answer(INTERRUPTION_IO_URING), 0);
}

/*
 * Text
 */

static void text_of_dma(void **state)
{
	char value[PAGE];

	(void)state;
	assert_attribute("i0", "d0", "dma", "");
	assert_int_equal(mock_set("i0", "d0", "dma", "write"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "dma", "write 0x1000"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "dma", "erase 0x1000 x"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "dma", "read 0x1000 none"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "dma", "read 0x1000 513"), -E2BIG);
	assert_int_equal(mock_set("i0", "d0", "dma", "read 0x1000 8 pasid=256"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "dma", "write 0x1000 hello world pasid=3\n"), 0);
	do {
		assert_int_equal(mock_get("i0", "d0", "dma", value, sizeof(value)), 0);
	} while (!strcmp(value, "status waiting"));
	assert_string_equal(value, "status identity\ndone 0\nrequests 0");
}

static void text_of_injection(void **state)
{
	struct mock_iommu_state counters;
	char value[PAGE];
	int fault = device_fault();

	(void)state;
	assert_int_equal(mock_set("i0", "d0", "inject", "\n"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "inject", "rain"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "inject", "request addr=x"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "inject", "request perm=z"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "inject", "request reason=1"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "inject", "unrecoverable group=1"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "inject", "unrecoverable reason=9"), -EINVAL);
	assert_int_equal(mock_set("i0", "d0", "inject", "unrecoverable addr=1 via=domain"), -ENXIO);
	assert_int_equal(mock_set("i0", "d0", "inject",
				  "request addr=0x1000 perm=rwxp group=3 last pasid=5\n"), 0);
	assert_int_equal(mock_set("i0", "d0", "inject",
				  "unrecoverable addr=0x1000 perm=w reason=5 fetch=0x10"), fault);
	assert_int_equal(mock_state(bound, &counters), 0);
	assert_int_equal(counters.refused, 1);
	assert_int_equal(counters.faults, fault ? 0 : 1);
	assert_int_equal(mock_get("i0", "d0", "state", value, sizeof(value)), 0);
	assert_non_null(strstr(value, "\nrefused 1\n"));
	assert_attribute("i0", NULL, "state", "queue_used 0\nqueue_depth 256\nunanswered 0");
}

static void text_needs_a_live_device(void **state)
{
	char value[PAGE];

	(void)state;
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(mock_set("i0", "d0", "dma", "read 0 1"), -ENODEV);
	assert_int_equal(mock_set("i0", "d0", "inject", "request last"), -ENODEV);
	assert_int_equal(mock_get("i0", "d0", "dma", value, sizeof(value)), -ENODEV);
	assert_int_equal(mock_get("i0", "d0", "state", value, sizeof(value)), -ENODEV);
}

/*
 * A device goes
 */

static void assert_gone(int fd)
{
	struct mock_iommu_response response;
	struct mock_iommu_state counters;

	assert_int_equal(mock_dma_start(fd, MOCK_IOMMU_READ, 0, 0, NULL, 1), -ENODEV);
	assert_int_equal(mock_dma_wait(fd, 77, 0, NULL, NULL), -ENODEV);
	assert_int_equal(mock_page_request(fd, 0, 0, 0, 0, 0), -ENODEV);
	assert_int_equal(mock_page_request(fd, MOCK_IOMMU_LAST, 0, 0, 0, 0), -ENODEV);
	assert_int_equal(mock_unrecoverable(fd, 0, 0, 0, 0), -ENODEV);
	assert_int_equal(mock_unrecoverable(fd, MOCK_IOMMU_VIA_DOMAIN, 0, 0, 0), -ENODEV);
	assert_int_equal(mock_response(fd, 0, &response), -ENODEV);
	assert_int_equal(mock_state(fd, &counters), -ENODEV);
}

static void a_file_outlives_its_device(void **state)
{
	int tag = mock_dma_start(bound, MOCK_IOMMU_READ, 0, 0, NULL, 1), status;

	(void)state;
	assert_true(tag > 0);
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	status = mock_dma_wait(bound, tag, 0, NULL, NULL);
	assert_true(status == MOCK_IOMMU_DMA_IDENTITY || status == MOCK_IOMMU_DMA_GONE);
	assert_gone(bound);
	assert_int_equal(mock_set("i0", "d0", "live", "1"), 0);
	assert_gone(bound);
}

static void a_file_outlives_its_directories(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mock_instance_create("i0", 0), 0);
	assert_int_equal(mock_device_create("i0", "d0", NULL), 0);
	fd = mock_open("i0", "d0");
	assert_true(fd >= 0);
	assert_int_equal(mock_rmdir("i0", "d0"), 0);
	assert_int_equal(mock_rmdir("i0", NULL), 0);
	assert_gone(fd);
	close(fd);
}

static atomic_bool waits;

static void *wait_for_response(void *unused)
{
	struct mock_iommu_response response;

	(void)unused;
	atomic_store(&waits, true);
	return (void *)(long)mock_response(bound, 0, &response);
}

static void a_waiter_is_woken_when_the_device_goes(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	atomic_store(&waits, false);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_response, NULL), 0);
	while (!atomic_load(&waits))
		sched_yield();
	assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal((long)result, -ENODEV);
}

/*
 * Everything at once
 */

static atomic_bool stop;
static atomic_ulong uses;
static int expected_fault;	/* as device_fault() says */

/* Errors that a device that comes and goes may cause. */
static bool expected(int ret)
{
	return ret >= 0 || ret == -ENODEV || ret == -EAGAIN;
}

static bool raise_fault(int fd)
{
	int ret = mock_unrecoverable(fd, 0, 1, 5, 0x1000);

	return ret == expected_fault || expected(ret);
}

static bool use_device(int fd, unsigned int turn)
{
	struct mock_iommu_response response;
	struct mock_iommu_state counters;
	char data[256] = "";

	switch (turn % 6) {
	case 0:
		return expected(mock_dma_write(fd, 0x1000, data, sizeof(data), NULL));
	case 1:
		return expected(mock_dma_read(fd, 0x1000, data, sizeof(data), NULL));
	case 2:
		return expected(mock_page_request(fd, MOCK_IOMMU_LAST, 1, turn, 0, 0x1000));
	case 3:
		return raise_fault(fd);
	case 4:
		return expected(mock_response(fd, MOCK_IOMMU_NOWAIT, &response));
	default:
		return expected(mock_state(fd, &counters));
	}
}

static void *use_for_ever(void *unused)
{
	bool good = true;

	(void)unused;
	while (good && !atomic_load(&stop)) {
		int fd = mock_open("i0", "d0");

		if (fd == -ENOENT)
			continue;
		good = fd >= 0;
		for (unsigned int turn = 0; good && turn < 24; turn++)
			good = use_device(fd, turn);
		mock_dma_start(fd, MOCK_IOMMU_READ, 0, 0, NULL, 1);
		close(fd);
		atomic_fetch_add(&uses, 1);
	}
	return (void *)(long)good;
}

static void *write_text_for_ever(void *unused)
{
	(void)unused;
	while (!atomic_load(&stop)) {
		mock_set("i0", "d0", "dma", "read 0x1000 64");
		mock_set("i0", "d0", "inject", "request addr=1 last");
		atomic_fetch_add(&uses, 1);
	}
	return (void *)1L;
}

static void devices_come_and_go_under_load(void **state)
{
	unsigned long cycles = scaled(200, 20000);
	pthread_t threads[4];
	void *result;

	(void)state;
	expected_fault = device_fault();
	atomic_store(&stop, false);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i ? use_for_ever : write_text_for_ever, NULL), 0);
	for (unsigned long i = 0; i < cycles; i++) {
		unsigned long before = atomic_load(&uses);

		assert_int_equal(mock_set("i0", "d0", "live", "0"), 0);
		assert_int_equal(mock_set("i0", NULL, "live", "0"), 0);
		assert_int_equal(mock_set("i0", NULL, "live", "1"), 0);
		assert_int_equal(mock_set("i0", "d0", "live", "1"), 0);
		while (atomic_load(&uses) == before)
			sched_yield();
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_true(result);
	}
}

/*
 * Other devices
 */

/* Take the device out and put it in again: it is probed anew. */
static void assert_probes_with(const struct pci *pci, const char *iommu)
{
	char now[64] = "none";

	pci_remove(pci);
	assert_false(pci_exists(pci));
	pci_rescan();
	pci_iommu(pci, now, sizeof(now));
	assert_string_equal(now, iommu);
}

static void a_pci_device_keeps_its_iommu(void **state)
{
	struct pci edu;
	char iommu[64];

	(void)state;
	if (!pci_find(&edu, PCI_EDU, NULL))
		skip_because("there is no edu device");
	if (!pci_iommu(&edu, iommu, sizeof(iommu)))
		skip_because("edu has no IOMMU");
	assert_int_equal(mock_instance_create("i0", 0), 0);
	assert_int_equal(mock_device_create("i0", "d0", NULL), 0);
	assert_probes_with(&edu, iommu);
	assert_int_equal(mock_instance_create("i1", 0), 0);
	assert_int_equal(mock_device_destroy("i0", "d0"), 0);
	assert_int_equal(mock_instance_destroy("i0"), 0);
	assert_int_equal(mock_device_create("i1", "d0", NULL), 0);
	assert_true(exists("/sys/bus/platform/devices/mock-i1-d0/iommu_group"));
	assert_int_equal(mock_device_destroy("i1", "d0"), 0);
	assert_int_equal(mock_instance_destroy("i1"), 0);
	assert_probes_with(&edu, iommu);
}

#define plain_test(test) cmocka_unit_test_teardown(test, clean_up)
#define live_test(test)	cmocka_unit_test_setup_teardown(test, make_device, undo_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		plain_test(names),
		plain_test(attributes_take_good_values),
		live_test(attributes_are_fixed_while_live),
		plain_test(live_has_an_order),
		plain_test(reserved_regions_are_bounded),
		live_test(reserved_regions_reach_the_core),
		live_test(live_shows_in_sysfs),
		plain_test(rmdir_undoes),
		plain_test(an_open_attribute_does_not_keep_a_device),
		plain_test(sizes),
		live_test(bad_pointers),
		live_test(unknown_calls),
		live_test(unknown_flags_and_reserved_members),
		live_test(bind),
		live_test(dma_on_an_identity_domain),
		live_test(dma_refuses),
		live_test(dma_is_collected_once),
		live_test(dmas_of_a_file_are_bounded),
		live_test(requests_that_nobody_takes),
		live_test(old_answers_are_dropped),
		live_test(faults_that_nobody_takes),
		live_test(a_storm_goes_on_with_a_signal_each_millisecond),
		live_test(faults_go_on_with_a_signal_each_millisecond),
		live_test(a_signal_that_kills_ends_a_storm),
		live_test(a_wait_ends_with_a_signal_and_nothing_else),
		live_test(text_of_dma),
		live_test(text_of_injection),
		live_test(text_needs_a_live_device),
		live_test(a_file_outlives_its_device),
		plain_test(a_file_outlives_its_directories),
		live_test(a_waiter_is_woken_when_the_device_goes),
		live_test(devices_come_and_go_under_load),
		plain_test(a_pci_device_keeps_its_iommu),
	};

	return tap_run_group(tests, NULL, NULL);
}
