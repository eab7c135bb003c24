// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtual function of QEMU's nvme is known to share its page requests with others, although
 * it has none; its physical function alone shares nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/pci.h"

#define PCI_NVME	0x1b360010

static struct pci physical, virtual;
static struct faultq *fq;

static void unbind(const struct pci *pci)
{
	assert_int_equal(pci_unbind(pci, "vfio-pci"), 0);
	assert_int_equal(pci_write_attribute(pci, "driver_override", "\n"), 0);
}

/* vfio-pci makes virtual functions, and takes them. */
static void make_virtual_function(void)
{
	char path[128], target[128] = "";

	assert_int_equal(pci_write_attribute(&physical, "sriov_numvfs", "1"), 0);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/virtfn0", physical.address);
	assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	assert_true(pci_is_at(&virtual, strrchr(target, '/') + 1, PCI_NVME));
	unbind(&virtual);
}

/* Only a kernel with CONFIG_PCI_IOV has them. */
static void needs_virtual_functions(void)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_numvfs", physical.address);
	if (access(path, F_OK))
		skip_because("this kernel makes no virtual functions");
}

static void begin(void)
{
	assert_true(pci_find(&physical, PCI_NVME, NULL));
	needs_virtual_functions();
	assert_int_equal(system("modprobe vfio-pci"), 0);
	assert_int_equal(system("echo 1 > /sys/module/vfio_pci/parameters/enable_sriov"), 0);
	assert_int_equal(pci_write_attribute(&physical, "driver_override", "vfio-pci"), 0);
	assert_int_equal(pci_bind(&physical, "vfio-pci"), 0);
	make_virtual_function();
	assert_int_equal(faultq_open(&fq), 0);
}

static int teardown(void **state)
{
	(void)state;
	if (!fq)
		return 0;
	faultq_close(fq);
	fq = NULL;
	assert_int_equal(pci_write_attribute(&physical, "sriov_numvfs", "0"), 0);
	unbind(&physical);
	return 0;
}

static uint32_t state_of(const struct pci *pci)
{
	uint32_t id = vm_attach_name(fq, pci->name);
	uint32_t state = vm_stats(fq, id).state;

	vm_detach(fq, id);
	return state;
}

static void a_virtual_function_shares_its_page_requests(void **state)
{
	(void)state;
	begin();
	assert_int_equal(state_of(&virtual), FAULTQ_STATE_SHARED);
}

static void a_function_without_virtual_ones_does_not(void **state)
{
	(void)state;
	begin();
	assert_int_equal(pci_write_attribute(&physical, "sriov_numvfs", "0"), 0);
	unbind(&physical);
	assert_int_equal(state_of(&physical), 0);
	assert_int_equal(pci_write_attribute(&physical, "driver_override", "vfio-pci"), 0);
	assert_int_equal(pci_bind(&physical, "vfio-pci"), 0);
}

int main(void)
{
#define VIRTUAL(test) cmocka_unit_test_teardown(test, teardown)
	const struct CMUnitTest tests[] = {
		VIRTUAL(a_virtual_function_shares_its_page_requests),
		VIRTUAL(a_function_without_virtual_ones_does_not),
	};

	return tap_run_group(tests, NULL, NULL);
}
