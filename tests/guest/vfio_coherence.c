// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices whose DMA does not see what is in the CPU's caches: what they read of recycled memory
 * may be what its last owner wrote there. VFIO and ATTACH refuse them. And devices that could get
 * around the caches for single accesses: the IOMMU keeps them from it where it can.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

#include "support/module.h"
#include "support/space.h"
#include "support/vfio.h"

#define IOVA	0x400000ull
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

/**
 * struct bench - a VM with a page, and devices that are and are not kept from getting around caches
 * @fq: the VM
 * @memory: a page, which is mapped
 * @loose: a device that cannot be kept from it
 * @strict: one that can, behind the same instance
 * @second: another such
 */
struct bench {
	struct faultq *fq;
	char *memory;
	struct device loose, strict, second;
};

static int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	instance_make("snoop", 0);
	device_make(&bench->loose, "snoop", "loose", "mode=none");
	device_make(&bench->strict, "snoop", "strict", "mode=none snoop_control=1");
	device_make(&bench->second, "snoop", "second", "mode=none snoop_control=1");
	assert_int_equal(faultq_open(&bench->fq), 0);
	bench->memory = pages_new(1);
	assert_int_equal(faultq_map(bench->fq, IOVA, bench->memory, PAGE, RW), 0);
	return 0;
}

static int bench_teardown(void **state)
{
	struct bench *bench = *state;

	faultq_close(bench->fq);
	pages_free(bench->memory, 1);
	device_remove(&bench->loose);
	device_remove(&bench->strict);
	device_remove(&bench->second);
	instance_remove("snoop");
	free(bench);
	return 0;
}

static void assert_refused(struct faultq *fq, const char *name)
{
	struct faultq_window_entry windows[LIST_ROOM];

	assert_int_equal(faultq_attach(fq, name, NULL), -EOPNOTSUPP);
	assert_int_equal(vm_stats(fq, 0).devices, 0);
	assert_int_equal(list_windows(fq, windows), 0);
}

static void a_device_that_does_not_snoop_is_refused(void **state)
{
	struct bench *bench = *state;
	struct device device;

	device_make(&device, "snoop", "stale", "mode=none coherent=0");
	assert_refused(bench->fq, device.platform);
	assert_refused(bench->fq, device.platform);
	device_unplug(&device);
	assert_int_equal(mock_set("snoop", "stale", "coherent", "1"), 0);
	device_plug(&device);
	vm_attach(bench->fq, &device);
	device_remove(&device);
}

static void vfio_refuses_it_too(void **state)
{
	struct bench *bench = *state;
	struct device adopted;
	struct pci edu;

	assert_true(pci_find(&edu, PCI_EDU, NULL));
	vfio_load();
	device_adopt(&adopted, "snoop", "edu", edu.address, "coherent=0");
	assert_int_equal(pci_write_attribute(&edu, "driver_override", "vfio-pci"), 0);
	assert_int_equal(pci_bind(&edu, "vfio-pci"), -EINVAL);
	assert_refused(bench->fq, edu.name);
	assert_int_equal(pci_write_attribute(&edu, "driver_override", "\n"), 0);
	device_remove(&adopted);
	vfio_unload();
	pci_rescan();
}

static void assert_reaches(struct bench *bench, const struct device *device, bool snooped)
{
	uint64_t value = 0;

	pages_fill(bench->memory, PAGE, 3);
	assert_int_equal(device_reaches(device, MOCK_IOMMU_READ, IOVA, &value),
			 MOCK_IOMMU_ACCESS_DONE);
	assert_memory_equal(&value, bench->memory, sizeof(value));
	assert_int_equal(device_state(device).snooped, snooped);
}

static void what_can_be_kept_from_it_is(void **state)
{
	struct bench *bench = *state;

	vm_attach(bench->fq, &bench->strict);
	assert_reaches(bench, &bench->strict, true);
	vm_attach(bench->fq, &bench->second);
	vm_attach(bench->fq, &bench->loose);
	assert_reaches(bench, &bench->strict, true);
	assert_reaches(bench, &bench->second, true);
	assert_reaches(bench, &bench->loose, false);
}

static bool kernel_is_6_1(void)
{
	struct utsname kernel;

	uname(&kernel);
	return !strncmp(kernel.release, "6.1.", 4);
}

static void it_is_beside_what_cannot(void **state)
{
	struct bench *bench = *state;

	if (kernel_is_6_1())
		skip_because("this kernel tells it of no device before it is attached");
	vm_attach(bench->fq, &bench->loose);
	assert_reaches(bench, &bench->loose, false);
	vm_attach(bench->fq, &bench->strict);
	vm_attach(bench->fq, &bench->second);
	assert_reaches(bench, &bench->strict, true);
	assert_reaches(bench, &bench->second, true);
	assert_reaches(bench, &bench->loose, false);
}

static int coherent_dma(int container)
{
	return ioctl(container, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU);
}

/* Type1 says the same of the device alone. */
static void a_container_tells_whether_all_are(void **state)
{
	struct bench *bench = *state;
	struct device adopted;
	struct faultq *fq;
	struct vfio stack;
	struct pci edu;
	uint32_t id;

	vfio_take_adopted_edu(&edu, &adopted);
	vfio_unbind(&edu);
	device_unplug(&adopted);
	assert_int_equal(mock_set("vfio", "edu", "snoop_control", "1"), 0);
	device_plug(&adopted);
	vfio_bind(&edu);
	vfio_open(&stack, &edu, FAULTQ_VFIO_IOMMU);
	fq = vfio_vm(stack.container);
	assert_int_equal(coherent_dma(stack.container), 1);
	id = vm_attach(fq, &bench->loose);
	assert_int_equal(coherent_dma(stack.container), 0);
	vm_detach(fq, id);
	assert_int_equal(coherent_dma(stack.container), 1);
	faultq_close(fq);
	vfio_close(&stack);
	vfio_give_adopted_edu_back(&edu, &adopted);
}

int main(void)
{
#define BENCH(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		BENCH(a_device_that_does_not_snoop_is_refused),
		BENCH(vfio_refuses_it_too),
		BENCH(what_can_be_kept_from_it_is),
		BENCH(it_is_beside_what_cannot),
		BENCH(a_container_tells_whether_all_are),
	};

	return tap_run_group(tests, NULL, NULL);
}
