// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every combination of flags that MAP and WINDOW_ADD could be given, on QEMU's edu behind the
 * lane's own IOMMU and on a mock device, which are attached before the calls or after them. Each
 * is taken or refused as the ABI says, on every kernel alike, and what is taken never gives an
 * IOMMU driver a reason to complain: what the kernel logs fails the test.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "support/pci.h"
#include "support/space.h"

#define IOVA		0x400000ull
#define READ		FAULTQ_MAP_READ
#define WRITE		FAULTQ_MAP_WRITE
#define EXEC		FAULTQ_MAP_EXEC
#define MMIO_ONLY	(FAULTQ_MAP_PARTLY_WATCHED | FAULTQ_MAP_SCRATCH | FAULTQ_MAP_RETRY)
#define ALL_FLAGS	(READ | WRITE | EXEC | FAULTQ_MAP_ANSWER | FAULTQ_MAP_MMIO | MMIO_ONLY)
#define INSTANCE	"flags"

static struct pci edu;
static struct device mock;
static struct faultq *fq;
static char *memory;

static int make_devices(void **state)
{
	(void)state;
	assert_true(pci_find(&edu, PCI_EDU, NULL));
	instance_make(INSTANCE, 0);
	device_make(&mock, INSTANCE, "d", "mode=none");
	memory = pages_new(1);
	return 0;
}

static int remove_devices(void **state)
{
	(void)state;
	pages_free(memory, 1);
	device_remove(&mock);
	instance_remove(INSTANCE);
	return 0;
}

/* The driver of a real IOMMU is asked first. */
static void attach_both(void)
{
	vm_attach_name(fq, edu.name);
	vm_attach(fq, &mock);
}

static int open_detached(void **state)
{
	(void)state;
	pci_open(&edu);
	fq = vm_open(8, 64, 0);
	return 0;
}

static int open_attached(void **state)
{
	open_detached(state);
	attach_both();
	return 0;
}

/* edu cannot be reset and is held, if it was attached. */
static int close_all(void **state)
{
	(void)state;
	pci_close(&edu);
	faultq_close(fq);
	assert_int_equal(faultq_open(&fq), 0);
	faultq_release(fq, edu.name);
	faultq_close(fq);
	return 0;
}

/* The rules of the ABI, for memory and for a BAR that a file of sysfs leads to. */
static int map_must_give(uint32_t flags, bool bar)
{
	if (flags & ~ALL_FLAGS || !(flags & (READ | WRITE)))
		return -EINVAL;
	if (!(flags & FAULTQ_MAP_MMIO))
		return flags & MMIO_ONLY ? -EINVAL : bar ? -EFAULT : 0;
	return bar && flags & FAULTQ_MAP_PARTLY_WATCHED ? 0 : -EFAULT;
}

static void map_with(uint32_t flags, uint64_t iova, bool bar)
{
	struct faultq_map map = {
		.size = sizeof(map), .flags = flags, .iova = iova, .length = PAGE,
		.user_address = bar ? (uintptr_t)edu.registers : (uintptr_t)memory,
	};
	int ret = ioctl(faultq_fd(fq), FAULTQ_MAP, &map) ? -errno : 0;

	if (ret != map_must_give(flags, bar))
		fail_msg("MAP of %s with flags %#x: %d", bar ? "a BAR" : "memory", flags, ret);
	/* there is no group of cookie 0 */
	if (!ret)
		assert_int_equal(map.answer_result, flags & FAULTQ_MAP_ANSWER ? -EINVAL : 0);
}

/* Each at an address of its own, so that all that are taken are there at the end. */
static void map_with_all_flags(void)
{
	uint64_t iova = IOVA;

	for (uint32_t flags = 0; flags <= ALL_FLAGS; flags++, iova += 2 * PAGE) {
		map_with(flags, iova, false);
		map_with(flags, iova + PAGE, true);
	}
	for (uint32_t unknown = ALL_FLAGS + 1; unknown; unknown <<= 1) {
		map_with(unknown, iova, false);
		map_with(unknown | READ | WRITE, iova, false);
	}
}

static void map_takes_what_the_abi_says(void **state)
{
	(void)state;
	map_with_all_flags();
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	assert_int_equal(vm_stats(fq, 0).mapped_bytes, 0);
}

static void what_map_took_a_later_device_gets(void **state)
{
	uint64_t mapped;

	(void)state;
	map_with_all_flags();
	mapped = vm_stats(fq, 0).mapped_bytes;
	assert_true(mapped);
	attach_both();
	assert_int_equal(vm_stats(fq, 0).mapped_bytes, mapped);
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
}

static int window_must_give(uint32_t type, uint32_t prot)
{
	if (type == FAULTQ_WINDOW_MSI)
		return prot & (READ | WRITE) && !(prot & ~(READ | WRITE | EXEC)) ? 0 : -EINVAL;
	if (type == FAULTQ_WINDOW_RESERVED || type == FAULTQ_WINDOW_SW_MSI)
		return prot ? -EINVAL : 0;
	return -EINVAL;
}

/* Returns whether there is a window for doorbells now; there is no other then. */
static bool window_with(uint32_t type, uint32_t prot, uint32_t *id)
{
	uint64_t length = type == FAULTQ_WINDOW_SW_MSI ? FAULTQ_SW_MSI_MIN_SIZE : PAGE;
	int ret = faultq_window_add(fq, IOVA, length, type, prot, id);
	int must = window_must_give(type, prot);

	/* attached devices have one already */
	if (ret == -EBUSY && type == FAULTQ_WINDOW_SW_MSI)
		must = -EBUSY;
	if (ret != must)
		fail_msg("WINDOW_ADD of type %u with prot %#x: %d", type, prot, ret);
	if (!ret && type == FAULTQ_WINDOW_MSI)
		return true;
	if (!ret)
		assert_int_equal(faultq_window_del(fq, *id), 0);
	return false;
}

static void windows_with_all_permissions(void (*use)(void))
{
	uint32_t id;

	for (uint32_t type = 0; type <= FAULTQ_WINDOW_DIRECT_RELAXABLE + 1; type++)
		for (uint32_t prot = 0; prot <= ALL_FLAGS + 1; prot++) {
			if (!window_with(type, prot, &id))
				continue;
			use();
			assert_int_equal(faultq_window_del(fq, id), 0);
		}
}

/* The doorbell gets into the page tables of both devices. */
static void bind_and_unbind(void)
{
	assert_int_equal(msi_bind(&mock, 0), IOVA);
	msi_unbind(&mock, 0);
}

static void windows_take_what_the_abi_says(void **state)
{
	(void)state;
	windows_with_all_permissions(bind_and_unbind);
}

static void attach_after_bind(void)
{
	uint32_t id;

	assert_int_equal(msi_bind(&mock, 0), IOVA);
	id = vm_attach_name(fq, edu.name);
	assert_int_equal(faultq_detach(fq, id, NULL), 0);
	faultq_release(fq, edu.name);
	msi_unbind(&mock, 0);
}

static void what_windows_took_a_later_device_gets(void **state)
{
	(void)state;
	vm_attach(fq, &mock);
	windows_with_all_permissions(attach_after_bind);
}

int main(void)
{
#define BEFORE(test) cmocka_unit_test_setup_teardown(test, open_attached, close_all)
#define AFTER(test) cmocka_unit_test_setup_teardown(test, open_detached, close_all)
	const struct CMUnitTest tests[] = {
		BEFORE(map_takes_what_the_abi_says),
		AFTER(what_map_took_a_later_device_gets),
		BEFORE(windows_take_what_the_abi_says),
		AFTER(what_windows_took_a_later_device_gets),
	};

	return tap_run_group(tests, make_devices, remove_devices);
}
