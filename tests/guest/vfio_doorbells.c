// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the kernel maps the doorbells of devices' interrupts itself (Arm): two groups of a
 * container, whose windows for them are at different places, find their doorbells each in its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/module.h"
#include "support/space.h"
#include "support/vfio.h"

#define NEAR	0x8000000ull
#define FAR	0x9000000ull
#define SIZE	"0x100000 sw-msi"

static struct pci edu, nic;
static struct device adopted_edu, adopted_nic;

static void adopt(struct device *device, struct pci *pci, const char *name, const char *region)
{
	assert_int_equal(mock_mkdir("bells", name), 0);
	assert_int_equal(mock_set("bells", name, "reserved", region), 0);
	assert_int_equal(mock_set("bells", name, "mode", "none"), 0);
	assert_int_equal(mock_set("bells", name, "pci", pci->address), 0);
	*device = (struct device){ .instance = "bells", .fd = -1 };
	snprintf(device->name, sizeof(device->name), "%s", name);
	device_plug(device);
	vfio_bind(pci);
}

static int adopt_all(void **state)
{
	(void)state;
	assert_true(pci_find(&edu, PCI_EDU, NULL));
	assert_true(pci_find(&nic, PCI_E1000E, NULL));
	vfio_load();
	assert_int_equal(vfio_parameter(MODULE_VFIO, "allow_unsafe_interrupts", "1"), 0);
	instance_make("bells", 0);
	adopt(&adopted_nic, &nic, "nic", "0x8000000 " SIZE);
	adopt(&adopted_edu, &edu, "edu", "0x9000000 " SIZE);
	return 0;
}

static int give_all_back(void **state)
{
	(void)state;
	vfio_unbind(&edu);
	vfio_unbind(&nic);
	device_remove(&adopted_edu);
	device_remove(&adopted_nic);
	instance_remove("bells");
	vfio_unload();
	/* on 6.1 it was given back while the PCI bus was still the mock's */
	pci_remove(&edu);
	pci_rescan();
	return 0;
}

/* A controller's page is no memory. */
static bool has_doorbell(const struct device *device, uint64_t iova)
{
	uint64_t value = 0;

	return device_reaches(device, MOCK_IOMMU_WRITE, iova, &value) ==
	       MOCK_IOMMU_ACCESS_NO_MEMORY;
}

static void each_group_has_its_doorbells_in_its_own_window(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC);
	bool near, far, near_first, far_first;
	struct vfio first, second;

	(void)state;
	vfio_open(&first, &nic, FAULTQ_VFIO_IOMMU);
	vfio_begin(&second, &edu, first.container);
	vfio_get_device(&second);
	vfio_set_msi(&second, event);
	near = has_doorbell(&adopted_edu, NEAR);
	far = has_doorbell(&adopted_edu, FAR);
	vfio_set_msi(&first, event);
	near_first = has_doorbell(&adopted_nic, NEAR);
	far_first = has_doorbell(&adopted_nic, FAR);
	vfio_close(&second);
	vfio_close(&first);
	close(event);
	if (!near && !far && !near_first && !far_first)
		skip_because("this machine's IOMMUs need no doorbells");
	assert_false(near);
	assert_true(far);
	assert_true(near_first);
	assert_false(far_first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_group_has_its_doorbells_in_its_own_window),
	};

	return tap_run_group(tests, adopt_all, give_all_back);
}
