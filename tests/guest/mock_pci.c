// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI devices that the mock adopts: edu gets a mock instance as its IOMMU, the mock's engine does
 * DMA and faults in its name, and VMs and VFIO have it as any PCI device. Given back, it is what
 * it was, and its own DMA goes through its own IOMMU. Others may remove it at any time.
 *
 * Most tests find an instance "i0" and no mock device. After each test edu is there, with the
 * IOMMU that it had before the first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/module.h"
#include "support/pci.h"
#include "support/vfio.h"

#define IOVA	0x100000ull	/* within edu's 28 bits */
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static struct pci edu, nic;
static char former[64];		/* edu's own IOMMU */
static struct device adopted;	/* "d0", in tests that have it */

/*
 * Fixtures
 */

static int find_devices(void **state)
{
	(void)state;
	if (!pci_find(&edu, PCI_EDU, NULL) || !pci_find(&nic, PCI_E1000E, "bus"))
		return -1;
	return pci_iommu(&edu, former, sizeof(former)) ? 0 : -1;
}

static int make_instance(void **state)
{
	(void)state;
	return mock_instance_create("i0", 0);
}

static int adopt_edu(void **state)
{
	if (make_instance(state))
		return -1;
	device_adopt(&adopted, "i0", "d0", edu.address, "mode=pri");
	return 0;
}

static void assert_edu_is_back(void)
{
	char iommu[64] = "none";

	pci_rescan();
	assert_true(pci_exists(&edu));
	pci_iommu(&edu, iommu, sizeof(iommu));
	assert_string_equal(iommu, former);
	assert_true(pci_group(&edu) >= 0);
}

/* For who has failed half-way too. */
static int undo_all(void **state)
{
	(void)state;
	pci_close(&edu);
	if (adopted.fd > 0)
		close(adopted.fd);
	adopted.fd = -1;
	mock_rmdir("i0", "d0");
	mock_rmdir("i0", "d1");
	assert_edu_is_back();
	return mock_instance_destroy("i0");
}

static bool edu_is_the_mocks(void)
{
	char iommu[64] = "none";

	pci_iommu(&edu, iommu, sizeof(iommu));
	return !strcmp(iommu, "mock-i0");
}

/* edu cannot be reset, and is held. */
static void detach_edu(struct faultq *fq, uint32_t id)
{
	int held = -1;

	assert_int_equal(faultq_detach(fq, id, &held), 0);
	assert_int_equal(held, 1);
	assert_int_equal(faultq_release(fq, edu.name), 0);
}

/*
 * Adopted
 */

static void sysfs_shows_the_mock(void **state)
{
	char text[64], path[128];

	(void)state;
	assert_true(edu_is_the_mocks());
	assert_true(pci_group(&edu) >= 0);
	snprintf(path, sizeof(path), "/sys/class/iommu/mock-i0/devices/%s", edu.address);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_not_equal(access("/sys/bus/platform/devices/mock-i0-d0", F_OK), 0);
	assert_int_equal(mock_get("i0", "d0", "dev_name", text, sizeof(text)), 0);
	assert_string_equal(text, "mock-i0-d0");
	assert_int_equal(mock_get("i0", "d0", "pci", text, sizeof(text)), 0);
	assert_string_equal(text, edu.address);
}

static void the_engine_sees_the_identity_domain(void **state)
{
	(void)state;
	assert_int_equal(mock_dma_write(adopted.fd, IOVA, "x", 1, NULL), MOCK_IOMMU_DMA_IDENTITY);
	assert_int_equal(device_state(&adopted).identity, 1);
}

static void the_engine_goes_through_a_vm(void **state)
{
	struct faultq *fq = vm_open(4, 64, 0);
	char *memory = pages_new(1), text[6] = "";
	uint32_t id = vm_attach(fq, &adopted);

	(void)state;
	assert_int_equal(faultq_map(fq, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(mock_dma_write(adopted.fd, IOVA, "hello", 6, NULL), MOCK_IOMMU_DMA_DONE);
	assert_string_equal(memory, "hello");
	assert_int_equal(mock_dma_read(adopted.fd, IOVA, text, 6, NULL), MOCK_IOMMU_DMA_DONE);
	assert_string_equal(text, "hello");
	detach_edu(fq, id);
	assert_int_equal(mock_dma_read(adopted.fd, IOVA, text, 1, NULL), MOCK_IOMMU_DMA_IDENTITY);
	faultq_close(fq);
	pages_free(memory, 1);
}

static void a_page_request_is_answered(void **state)
{
	struct faultq_attach told;
	struct faultq *fq;
	char *memory;
	int tag;

	(void)state;
	needs_page_requests();
	fq = vm_open(4, 64, 0);
	memory = pages_new(1);
	assert_int_equal(faultq_attach(fq, edu.name, &told), 0);
	assert_true(told.kinds & FAULTQ_KIND_PAGE_REQUEST);
	tag = dma_start(&adopted, MOCK_IOMMU_WRITE, IOVA, "hello", 6);
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_PAGE_REQUEST);
	assert_int_equal(record.device, told.device);
	assert_int_equal(record.address, IOVA);
	assert_int_equal(faultq_map(fq, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(faultq_answer(fq, record.cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(dma_wait(&adopted, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_string_equal(memory, "hello");
	detach_edu(fq, told.device);
	device_assert_idle(&adopted);
	faultq_close(fq);
	pages_free(memory, 1);
}

static void an_unrecoverable_fault_is_told(void **state)
{
	struct faultq *fq = vm_open(4, 64, 0);
	uint32_t id = vm_attach(fq, &adopted);

	(void)state;
	assert_int_equal(mock_unrecoverable(adopted.fd, fault_way(), MOCK_IOMMU_WRITE, 5, IOVA), 1);
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_UNRECOVERABLE);
	assert_int_equal(record.device, id);
	assert_int_equal(record.address, IOVA);
	detach_edu(fq, id);
	faultq_close(fq);
}

static int try_attach(const char *name)
{
	struct faultq *fq = vm_open(4, 64, 0);
	int ret = faultq_attach(fq, name, NULL);

	faultq_close(fq);
	return ret;
}

/* Stock vfio-pci, which lets go when the device is given back. */
static void vfio_has_the_device(void **state)
{
	char path[32];

	(void)state;
	assert_int_equal(system("modprobe vfio-pci"), 0);
	vfio_bind(&edu);
	snprintf(path, sizeof(path), "/dev/vfio/%ld", pci_group(&edu));
	assert_int_equal(access(path, F_OK), 0);
	assert_true(edu_is_the_mocks());
	assert_int_equal(try_attach(edu.name), -EBUSY);
	device_unplug(&adopted);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_edu_is_back();
}

/* The mock's devices have no interrupts that it could isolate. */
static void the_engine_goes_through_stock_vfio(void **state)
{
	const uint32_t flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	char *memory = pages_new(1);
	struct vfio vfio;

	(void)state;
	assert_int_equal(system("modprobe vfio_iommu_type1 && modprobe vfio-pci"), 0);
	assert_int_equal(vfio_parameter("vfio_iommu_type1", "allow_unsafe_interrupts", "1"), 0);
	vfio_bind(&edu);
	vfio_open(&vfio, &edu, VFIO_TYPE1v2_IOMMU);
	assert_int_equal(vfio_map(vfio.container, IOVA, memory, PAGE, flags), 0);
	assert_int_equal(mock_dma_write(adopted.fd, IOVA, "hello", 6, NULL), MOCK_IOMMU_DMA_DONE);
	assert_string_equal(memory, "hello");
	vfio_close(&vfio);
	assert_int_equal(mock_dma_write(adopted.fd, IOVA, "x", 1, NULL), MOCK_IOMMU_DMA_IDENTITY);
	vfio_unbind(&edu);
	assert_int_equal(vfio_parameter("vfio_iommu_type1", "allow_unsafe_interrupts", "0"), 0);
	pages_free(memory, 1);
}

static void what_is_live_cannot_be_changed(void **state)
{
	(void)state;
	assert_int_equal(mock_set("i0", "d0", "pci", "\n"), -EBUSY);
	assert_int_equal(mock_set("i0", "d0", "pci", edu.address), -EBUSY);
	assert_int_equal(mock_set("i0", NULL, "live", "0"), -EBUSY);
	device_unplug(&adopted);
	assert_int_equal(mock_set("i0", "d0", "pci", "\n"), 0);
	device_plug(&adopted);
	assert_int_equal(access("/sys/bus/platform/devices/mock-i0-d0", F_OK), 0);
	assert_edu_is_back();
}

static void it_is_adopted_once(void **state)
{
	char settings[64];

	(void)state;
	snprintf(settings, sizeof(settings), "pci=%s", edu.address);
	assert_int_equal(mock_device_create("i0", "d1", settings), -EBUSY);
	assert_true(edu_is_the_mocks());
	device_unplug(&adopted);
	assert_int_equal(mock_device_create("i0", "d1", settings), 0);
	assert_int_equal(mock_set("i0", "d0", "live", "1"), -EBUSY);
	assert_int_equal(mock_device_destroy("i0", "d1"), 0);
	device_plug(&adopted);
	assert_true(edu_is_the_mocks());
}

static void the_module_stays_while_it_is_live(void **state)
{
	(void)state;
	assert_int_equal(module_unload(MODULE_MOCK), -EWOULDBLOCK);
	assert_int_equal(try_attach(edu.name), 0);
	device_remove(&adopted);
	instance_remove("i0");
	assert_int_equal(module_unload(MODULE_MOCK), 0);
	assert_edu_is_back();
	assert_int_equal(module_load(MODULE_MOCK), 0);
	assert_int_equal(mock_instance_create("i0", 0), 0);
}

/*
 * Given back
 */

/* Through its own IOMMU, with its own DMA. */
static void assert_edu_copies(void)
{
	struct faultq *fq = vm_open(4, 64, 0);
	char *memory = pages_new(1);
	uint32_t id = vm_attach_name(fq, edu.name);

	assert_int_equal(faultq_map(fq, IOVA, memory, PAGE, RW), 0);
	pci_open(&edu);
	pci_set_master(&edu, true);
	strcpy(memory, "hello");
	edu_dma(&edu, EDU_READ, IOVA, 8);
	edu_dma(&edu, EDU_WRITE, IOVA + 64, 8);
	assert_string_equal(memory + 64, "hello");
	pci_close(&edu);
	detach_edu(fq, id);
	faultq_close(fq);
	pages_free(memory, 1);
}

static void given_back_it_has_its_own_iommu(void **state)
{
	(void)state;
	assert_edu_copies();
	device_adopt(&adopted, "i0", "d0", edu.address, "mode=none");
	assert_true(edu_is_the_mocks());
	device_unplug(&adopted);
	assert_true(pci_exists(&edu));
	assert_edu_is_back();
	assert_edu_copies();
}

static void a_vm_is_told_that_it_goes(void **state)
{
	struct faultq *fq = vm_open(4, 64, 0);
	uint32_t id = vm_attach(fq, &adopted);
	struct faultq_record record;

	(void)state;
	device_unplug(&adopted);
	record = take_record(fq);
	assert_int_equal(record.type, FAULTQ_DEVICE_GONE);
	assert_int_equal(record.device, id);
	faultq_close(fq);
	assert_edu_is_back();
}

/* Where a bus has one set of callbacks, the first must be added again when both are back. */
static void two_devices_are_adopted(void **state)
{
	struct device second;
	char iommu[64];

	(void)state;
	device_adopt(&second, "i0", "d1", nic.address, "mode=none");
	assert_true(pci_iommu(&nic, iommu, sizeof(iommu)));
	assert_string_equal(iommu, "mock-i0");
	assert_int_not_equal(pci_group(&nic), pci_group(&edu));
	device_unplug(&adopted);
	assert_false(edu_is_the_mocks());
	assert_int_equal(mock_dma_write(second.fd, IOVA, "x", 1, NULL), MOCK_IOMMU_DMA_IDENTITY);
	device_remove(&second);
	pci_remove(&edu);
	assert_edu_is_back();
	assert_true(pci_iommu(&nic, iommu, sizeof(iommu)));
	assert_string_equal(iommu, former);
}

/*
 * Refused
 */

static const char * const bad_names[] = {
	"x", "00:04.0", "0000:00:04", "0000:00:04.8", "0000:00:20.0", "0000:100:04.0",
	"0000:00:04.0x", "0000:00:04.0 ", " 0000:00:04.0", "0:0:4.0", "pci/0000:00:04.0",
	"0000:00:04.0\n0000:00:05.0", "100000000:00:04.0", "0000:00:0x4.0", "-001:00:04.0",
};

static void the_name_is_that_of_the_kernel(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(mock_mkdir("i0", "d0"), 0);
	assert_int_equal(mock_get("i0", "d0", "pci", text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(mock_set("i0", "d0", "pci", "0000:00:04.0\n"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++)
		assert_int_equal(mock_set("i0", "d0", "pci", bad_names[i]), -EINVAL);
	assert_int_equal(mock_get("i0", "d0", "pci", text, sizeof(text)), 0);
	assert_string_equal(text, "0000:00:04.0");
	assert_int_equal(mock_set("i0", "d0", "pci", "10000:e1:1f.7"), 0);
	assert_int_equal(mock_get("i0", "d0", "pci", text, sizeof(text)), 0);
	assert_string_equal(text, "10000:e1:1f.7");
	assert_int_equal(mock_set("i0", "d0", "pci", "\n"), 0);
	assert_int_equal(mock_get("i0", "d0", "pci", text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static int try_adopt(const char *address, const char *settings)
{
	char all[64];

	snprintf(all, sizeof(all), "pci=%s %s", address, settings);
	return mock_device_create("i0", "d0", all);
}

/* The port that nic is behind. */
static void find_port(char *address)
{
	char path[128], target[256], *slash;
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", nic.address);
	length = readlink(path, target, sizeof(target) - 1);
	assert_true(length > 0);
	target[length] = '\0';
	*strrchr(target, '/') = '\0';
	slash = strrchr(target, '/');
	strcpy(address, slash + 1);
}

static void not_every_device_can_be_adopted(void **state)
{
	char port[64];

	(void)state;
	assert_int_equal(try_adopt("0000:7f:1e.5", "mode=pri"), -ENODEV);
	assert_int_equal(try_adopt("fffe:00:04.0", "mode=pri"), -ENODEV);
	assert_int_equal(try_adopt(edu.address, "pasid_bits=1"), -EINVAL);
	find_port(port);
	assert_int_equal(try_adopt(port, "mode=pri"), -EINVAL);
	assert_true(pci_exists(&nic));
	assert_false(edu_is_the_mocks());
	assert_true(pci_group(&edu) >= 0);
}

static void a_device_with_a_driver_is_not_adopted(void **state)
{
	(void)state;
	assert_int_equal(system("modprobe vfio-pci"), 0);
	vfio_bind(&edu);
	assert_int_equal(try_adopt(edu.address, "mode=pri"), -EBUSY);
	vfio_unbind(&edu);
	assert_int_equal(try_adopt(edu.address, "mode=pri"), 0);
}

/*
 * Removed by others
 */

static void an_idle_device_is_removed(void **state)
{
	int live;

	(void)state;
	pci_remove(&edu);
	assert_int_equal(mock_dma_write(adopted.fd, IOVA, "x", 1, NULL), MOCK_IOMMU_DMA_BLOCKED);
	assert_int_equal(mock_page_request(adopted.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 1, 0,
					   IOVA), 0);
	live = mock_unrecoverable(adopted.fd, fault_way(), MOCK_IOMMU_READ, 5, IOVA);
	assert_true(live == 0 || live == -ENXIO);
	device_assert_idle(&adopted);
	device_unplug(&adopted);
	assert_false(pci_exists(&edu));
	assert_int_equal(mock_set("i0", "d0", "live", "1"), -ENODEV);
	assert_edu_is_back();
	device_plug(&adopted);
	assert_true(edu_is_the_mocks());
}

static void it_is_removed_with_a_page_request_outstanding(void **state)
{
	struct faultq_record record;
	struct faultq *fq;
	uint32_t id;
	char byte;
	int tag;

	(void)state;
	needs_page_requests();
	fq = vm_open(4, 64, 0);
	id = vm_attach(fq, &adopted);
	tag = dma_start(&adopted, MOCK_IOMMU_READ, IOVA, NULL, 1);
	inject_group(&adopted, 1000, IOVA + PAGE);
	take_record(fq);
	take_record(fq);
	pci_remove(&edu);
	assert_int_equal(dma_wait(&adopted, tag, &byte).status, MOCK_IOMMU_DMA_INVALID);
	assert_response(&adopted, 1000, FAULTQ_INVALID);
	record = take_record(fq);
	assert_int_equal(record.type, FAULTQ_DEVICE_GONE);
	assert_int_equal(record.device, id);
	device_assert_idle(&adopted);
	assert_int_equal(mock_dma_write(adopted.fd, IOVA, "x", 1, NULL), MOCK_IOMMU_DMA_BLOCKED);
	faultq_close(fq);
	device_unplug(&adopted);
	assert_int_equal(instance_counter("i0", "unanswered"), 0);
}

/* A device of the same name is another one. */
static void it_is_removed_and_found_again(void **state)
{
	struct device second;

	(void)state;
	pci_remove(&edu);
	assert_int_equal(pci_write_attribute(&nic, "../rescan", "1"), 0);
	assert_true(pci_exists(&edu));
	assert_false(edu_is_the_mocks());
	assert_int_equal(mock_dma_write(adopted.fd, IOVA, "x", 1, NULL), MOCK_IOMMU_DMA_BLOCKED);
	device_adopt(&second, "i0", "d1", edu.address, "mode=pri");
	assert_true(edu_is_the_mocks());
	device_unplug(&adopted);
	assert_true(edu_is_the_mocks());
	assert_int_equal(mock_dma_write(second.fd, IOVA, "x", 1, NULL), MOCK_IOMMU_DMA_IDENTITY);
	device_remove(&second);
	assert_edu_is_back();
}

/*
 * Where a bus has one set of callbacks, nobody else's device can be attached meanwhile, and one
 * that was tried remembers it, and keeps the module, until it is added anew.
 */
static void other_pci_devices_meanwhile(void **state)
{
	int expected = kernel_delivers(FAULTQ_KIND_UNRECOVERABLE) ? -EINVAL : 0;

	(void)state;
	assert_int_equal(try_attach(nic.name), expected);
	device_remove(&adopted);
	instance_remove("i0");
	assert_int_equal(try_attach(nic.name), expected);
	if (expected)
		assert_int_equal(module_unload(MODULE_MOCK), -EWOULDBLOCK);
	pci_remove(&nic);
	pci_rescan();
	assert_int_equal(try_attach(nic.name), 0);
	assert_int_equal(module_unload(MODULE_MOCK), 0);
	assert_int_equal(module_load(MODULE_MOCK), 0);
	assert_int_equal(mock_instance_create("i0", 0), 0);
}

/*
 * Coming and going under load
 */

static atomic_bool stop;
static atomic_ulong uses;

static void fault(int fd)
{
	int tag = mock_dma_start(fd, MOCK_IOMMU_READ, 0, IOVA, NULL, 1), ret;
	char byte;

	ret = mock_page_request(fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 1000, 0, IOVA);
	must(ret == 0 || ret == 1 || ret == -ENODEV);
	ret = mock_unrecoverable(fd, MOCK_IOMMU_VIA_DOMAIN, MOCK_IOMMU_READ, 5, IOVA);
	must(ret == 0 || ret == 1 || ret == -ENODEV || ret == -ENXIO);
	if (tag > 0)
		must(mock_dma_wait(fd, tag, 0, &byte, NULL) >= 0);
}

static void *fault_for_ever(void *unused)
{
	while (!atomic_load(&stop)) {
		int fd = mock_open("i0", "d0");

		if (fd < 0)
			continue;
		fault(fd);
		close(fd);
		atomic_fetch_add(&uses, 1);
	}
	return unused;
}

static void await_use(void)
{
	unsigned long before = atomic_load(&uses);

	while (atomic_load(&uses) == before)
		sched_yield();
}

/* Attached and not, given back and removed by others. */
static void come_and_go(unsigned long round)
{
	struct faultq *fq = vm_open(4, 64, 0);

	device_plug(&adopted);
	if (round % 4 < 2)
		vm_attach(fq, &adopted);
	else
		await_use();
	mock_page_request(adopted.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 2000, 0, IOVA);
	if (round % 2)
		pci_remove(&edu);
	device_unplug(&adopted);
	faultq_close(fq);
	assert_edu_is_back();
}

static void it_comes_and_goes_while_it_faults(void **state)
{
	pthread_t thread;

	(void)state;
	device_unplug(&adopted);
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, fault_for_ever, NULL), 0);
	for (unsigned long i = 0; i < scaled(20, 1000); i++)
		come_and_go(i);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_edu_copies();
	assert_int_equal(instance_counter("i0", "unanswered"), 0);
	assert_int_equal(instance_counter("i0", "queue_used"), 0);
}

#define ADOPTED(test)	cmocka_unit_test_setup_teardown(test, adopt_edu, undo_all)
#define FREE(test)	cmocka_unit_test_setup_teardown(test, make_instance, undo_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ADOPTED(sysfs_shows_the_mock),
		ADOPTED(the_engine_sees_the_identity_domain),
		ADOPTED(the_engine_goes_through_a_vm),
		ADOPTED(a_page_request_is_answered),
		ADOPTED(an_unrecoverable_fault_is_told),
		ADOPTED(vfio_has_the_device),
		ADOPTED(the_engine_goes_through_stock_vfio),
		ADOPTED(what_is_live_cannot_be_changed),
		ADOPTED(it_is_adopted_once),
		ADOPTED(the_module_stays_while_it_is_live),
		FREE(given_back_it_has_its_own_iommu),
		ADOPTED(a_vm_is_told_that_it_goes),
		ADOPTED(two_devices_are_adopted),
		FREE(the_name_is_that_of_the_kernel),
		FREE(not_every_device_can_be_adopted),
		FREE(a_device_with_a_driver_is_not_adopted),
		ADOPTED(an_idle_device_is_removed),
		ADOPTED(it_is_removed_with_a_page_request_outstanding),
		ADOPTED(it_is_removed_and_found_again),
		ADOPTED(other_pci_devices_meanwhile),
		ADOPTED(it_comes_and_goes_while_it_faults),
	};

	return tap_run_group(tests, find_devices, NULL);
}
