// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that a VM programmed must not meet the kernel's default domain, which under iommu=pt
 * lets it reach all memory: e1000e is reset before, edu, which knows no reset, is not given
 * back.
 *
 * The victim is a page of the test whose physical address it knows. The VM maps another page at
 * the IOVA that is the same number. So what the device was programmed to do goes to that page
 * as long as the device is attached, and would go to the victim under the default domain, where
 * everything that it needs for that is laid out.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <faultq.h>

#include "support/pci.h"
#include "support/tap.h"
#include "support/vfio.h"

#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

/* A page that stays where it is: mapped into a VM of its own, without devices. */
struct page {
	struct faultq *pin;
	uint8_t *memory;
	uint64_t physical;
	uint8_t before[PAGE];
};

static struct pci edu, nic;
static struct page victim, page;
static struct e1000e_state reset_state;
static struct faultq *vm;
static uint32_t id;

static void new_page(struct page *new)
{
	new->memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(new->memory, MAP_FAILED);
	assert_int_equal(faultq_open(&new->pin), 0);
	assert_int_equal(faultq_map(new->pin, 0, new->memory, PAGE, RW), 0);
	new->physical = physical_address(new->memory);
}

static void free_page(struct page *old)
{
	faultq_close(old->pin);
	munmap(old->memory, PAGE);
}

static void remember(struct page *page)
{
	memcpy(page->before, page->memory, PAGE);
}

static void assert_unchanged(const struct page *page)
{
	assert_memory_equal(page->memory, page->before, PAGE);
}

static void attach(struct pci *pci)
{
	struct faultq_attach attach;

	pci_open(pci);
	assert_int_equal(faultq_open(&vm), 0);
	assert_int_equal(faultq_map(vm, victim.physical, page.memory, PAGE, RW), 0);
	assert_int_equal(faultq_attach(vm, pci->name, &attach), 0);
	pci_set_master(pci, true);
	id = attach.device;
}

static int find_devices(void **state)
{
	(void)state;
	if (!pci_find(&edu, PCI_EDU, NULL) || !pci_find(&nic, PCI_E1000E, "bus"))
		return -1;
	/*
	 * QEMU's e1000e also claims to be reset by power management, and keeps its registers
	 * then.
	 */
	if (pci_write_attribute(&nic, "reset_method", "bus"))
		return -1;
	pci_open(&nic);
	e1000e_read_state(&nic, &reset_state);
	pci_close(&nic);
	return 0;
}

static int new_pages(void **state)
{
	(void)state;
	new_page(&victim);
	new_page(&page);
	vm = NULL;
	return 0;
}

static int end(void **state)
{
	struct faultq *fq;

	(void)state;
	faultq_close(vm);
	assert_int_equal(faultq_open(&fq), 0);
	faultq_release(fq, edu.name);
	faultq_close(fq);
	pci_set_master(edu.registers ? &edu : &nic, false);
	pci_close(&edu);
	pci_close(&nic);
	free_page(&page);
	free_page(&victim);
	return 0;
}

static void assert_identity(const struct pci *pci)
{
	char path[64], type[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%ld/type", pci_group(pci));
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(type, sizeof(type), file));
	fclose(file);
	assert_string_equal(type, "identity\n");
}

static void the_default_domains_let_devices_reach_all_memory(void **state)
{
	(void)state;
	assert_identity(&edu);
	assert_identity(&nic);
}

/* e1000e */

/*
 * Programs the device and lets it copy in the VM's page; then the victim is ready to be hit in
 * the same way.
 */
static void leave_programmed(void)
{
	struct e1000e_state programmed;

	e1000e_fill(victim.memory, victim.physical, 1);
	e1000e_fill(page.memory, victim.physical, 2);
	remember(&victim);
	e1000e_program(&nic, victim.physical);
	e1000e_send(&nic);
	assert_true(e1000e_has_copied(page.memory));
	assert_unchanged(&victim);
	remember(&page);
	e1000e_read_state(&nic, &programmed);
	assert_memory_not_equal(&programmed, &reset_state, sizeof(programmed));
}

/* What the VM's driver did to make the device work, without programming it anew. */
static void assert_reaches_nothing(void)
{
	assert_false(pci_is_master(&nic));
	e1000e_send(&nic);
	assert_unchanged(&victim);
	pci_set_master(&nic, true);
	e1000e_send(&nic);
	assert_unchanged(&victim);
	assert_unchanged(&page);
}

static void assert_reset(void)
{
	struct e1000e_state now;

	e1000e_read_state(&nic, &now);
	assert_memory_equal(&now, &reset_state, sizeof(now));
}

/* The test would have seen it: a device that is programmed now does reach the victim. */
static void assert_would_reach_the_victim(void)
{
	e1000e_program(&nic, victim.physical);
	e1000e_send(&nic);
	assert_true(e1000e_has_copied(victim.memory));
	assert_unchanged(&page);
}

static void a_programmed_device_is_reset_on_detach_and_reaches_nothing(void **state)
{
	int held;

	(void)state;
	attach(&nic);
	leave_programmed();
	assert_int_equal(faultq_detach(vm, id, &held), 0);
	assert_int_equal(held, 0);
	assert_identity(&nic);
	assert_reset();
	assert_reaches_nothing();
	assert_would_reach_the_victim();
}

static void a_programmed_device_is_reset_on_close_and_reaches_nothing(void **state)
{
	(void)state;
	attach(&nic);
	leave_programmed();
	faultq_close(vm);
	vm = NULL;
	assert_identity(&nic);
	assert_reset();
	assert_reaches_nothing();
	assert_would_reach_the_victim();
}

/* The same under VFIO, which resets the device when it is closed. */
static void a_programmed_device_of_a_container_reaches_nothing(void **state)
{
	struct vfio vfio;

	(void)state;
	vfio_load();
	vfio_bind(&nic);
	vfio_open(&vfio, &nic, FAULTQ_VFIO_IOMMU);
	assert_int_equal(vfio_map(vfio.container, victim.physical, page.memory, PAGE, RW), 0);
	leave_programmed();
	vfio_close(&vfio);
	vfio_unbind(&nic);
	vfio_unload();

	assert_identity(&nic);
	pci_open(&nic);
	assert_reset();
	assert_reaches_nothing();
	assert_would_reach_the_victim();
}

/* edu */

static void fill(uint8_t *memory, unsigned int seed)
{
	for (size_t i = 0; i < PAGE; i++)
		memory[i] = seed + i * 3 + i / 256;
}

/* Fills the device's buffer from the VM's page, through the VM's address space. */
static void fill_buffer(void)
{
	fill(victim.memory, 1);
	fill(page.memory, 2);
	remember(&victim);
	remember(&page);
	edu_dma(&edu, EDU_READ, victim.physical, EDU_DMA_MAX);
	assert_unchanged(&page);
}

static void detach_and_hold(void)
{
	int held = 0;

	assert_int_equal(faultq_detach(vm, id, &held), 0);
	assert_int_equal(held, 1);
	assert_false(pci_is_master(&edu));
}

static void release_edu(void)
{
	assert_int_equal(faultq_release(vm, edu.name), 0);
	assert_identity(&edu);
	pci_set_master(&edu, true);
}

static void a_held_device_writes_nothing_not_even_as_bus_master(void **state)
{
	(void)state;
	attach(&edu);
	fill_buffer();
	detach_and_hold();
	edu_dma(&edu, EDU_WRITE, victim.physical, EDU_DMA_MAX);
	assert_unchanged(&victim);
	pci_set_master(&edu, true);
	edu_dma(&edu, EDU_WRITE, victim.physical, EDU_DMA_MAX);
	edu_dma(&edu, EDU_WRITE, page.physical, EDU_DMA_MAX);
	assert_unchanged(&victim);
	assert_unchanged(&page);

	/* The test would have seen it. */
	release_edu();
	edu_dma(&edu, EDU_WRITE, victim.physical, EDU_DMA_MAX);
	assert_memory_equal(victim.memory, page.before, EDU_DMA_MAX);
}

static void a_device_held_on_close_writes_nothing(void **state)
{
	(void)state;
	attach(&edu);
	fill_buffer();
	faultq_close(vm);
	assert_int_equal(faultq_open(&vm), 0);
	pci_set_master(&edu, true);
	edu_dma(&edu, EDU_WRITE, victim.physical, EDU_DMA_MAX);
	assert_unchanged(&victim);
	assert_unchanged(&page);
}

static void a_held_device_reads_nothing(void **state)
{
	(void)state;
	attach(&edu);
	fill_buffer();
	detach_and_hold();
	pci_set_master(&edu, true);
	edu_dma(&edu, EDU_READ, victim.physical, EDU_DMA_MAX);

	/* What is in the buffer now is not the victim's. */
	release_edu();
	edu_dma(&edu, EDU_WRITE, page.physical, EDU_DMA_MAX);
	assert_memory_not_equal(page.memory, victim.before, EDU_DMA_MAX);
	assert_unchanged(&victim);
	edu_dma(&edu, EDU_READ, victim.physical, EDU_DMA_MAX);
	edu_dma(&edu, EDU_WRITE, page.physical, EDU_DMA_MAX);
	assert_memory_equal(page.memory, victim.before, EDU_DMA_MAX);
}

static void a_dma_that_was_started_before_the_detach_reaches_nothing(void **state)
{
	(void)state;
	attach(&edu);
	fill_buffer();
	edu_start(&edu, EDU_WRITE, victim.physical, EDU_DMA_MAX);
	detach_and_hold();
	pci_set_master(&edu, true);
	edu_wait(&edu);
	assert_unchanged(&victim);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, new_pages, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_domains_let_devices_reach_all_memory),
		TEST(a_programmed_device_is_reset_on_detach_and_reaches_nothing),
		TEST(a_programmed_device_is_reset_on_close_and_reaches_nothing),
		TEST(a_programmed_device_of_a_container_reaches_nothing),
		TEST(a_held_device_writes_nothing_not_even_as_bus_master),
		TEST(a_device_held_on_close_writes_nothing),
		TEST(a_held_device_reads_nothing),
		TEST(a_dma_that_was_started_before_the_detach_reaches_nothing),
	};

	return tap_run_group(tests, find_devices, NULL);
}
