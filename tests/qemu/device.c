// SPDX-License-Identifier: GPL-2.0-only
/*
 * faultq-pri: a PCI Express device for QEMU 11.1 with ATS, PASID, PRI and function-level reset,
 * which asks for pages as its registers say (pri_registers.h). A shared object that is loaded into
 * an unchanged QEMU by LD_PRELOAD, and adds the device type. Options of the device: pri=off,
 * pasid=off, pasid-required=off ("PRG Response PASID Required").
 *
 * This file has the type, its options, the list of all devices, BAR 0 and configuration space.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define TYPE		"faultq-pri"
#define DEVICE_CONTROL	(CAP_EXPRESS + 8)
#define FUNCTION_RESET	0x8000
#define PASID_WIDTH	20
#define PAGE		4096ULL

static struct device *all;

/* A device is known by its object from its beginning to its end. */
static struct device *device_of(const void *object)
{
	struct device *device = all;

	while (device && device->pci != object)
		device = device->next;
	return device;
}

/**
 * device_of_requester() - find a device by what page requests have of it
 * @requester: bus, device, function
 *
 * Return: the device, or NULL.
 */
struct device *device_of_requester(uint16_t requester)
{
	struct device *device = all;

	while (device && pci_requester_id(device->pci) != requester)
		device = device->next;
	return device;
}

/* BAR 0 */

static uint64_t read_bar(void *opaque, uint64_t address, unsigned int size)
{
	uint64_t value = 0;

	(void)size;
	if (address < PRI_REGISTERS_SIZE)
		value = *reg(opaque, address);
	return value;
}

static void write_bar(void *opaque, uint64_t address, uint64_t value, unsigned int size)
{
	(void)size;
	if (address >= PRI_REGISTERS_SIZE || address == PRI_ID)
		return;
	*reg(opaque, address) = value;
	if (address == PRI_COMMAND)
		command(opaque);
}

static const struct MemoryRegionOps bar_ops = {
	.read = read_bar,
	.write = write_bar,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid.sizes = { .min = 8, .max = 8 },
	.impl = { .min = 8, .max = 8 },
};

/* Configuration space */

static void function_reset(struct device *device)
{
	command_reset(device);
	pri_reset(device);
	++*reg(device, PRI_RESETS);
}

static uint32_t read_config(struct PCIDevice *pci, uint32_t address, int length)
{
	uint32_t value = pci_default_read_config(pci, address, length);

	return pri_read_config(device_of(pci), address, length, value);
}

static void write_config(struct PCIDevice *pci, uint32_t address, uint32_t value, int length)
{
	struct device *device = device_of(pci);

	pci_default_write_config(pci, address, value, length);
	pri_write_config(device, address, value, length);
	if (pci_default_read_config(pci, DEVICE_CONTROL, 2) & FUNCTION_RESET)
		function_reset(device);
	pcie_cap_flr_write_config(pci, address, value, length);
}

/* From the object's beginning to its end */

static void begin(struct Object *object)
{
	struct device *device = aligned_alloc(64, (sizeof(*device) + 63) & ~63UL);

	memset(device, 0, sizeof(*device));
	device->pci = (struct PCIDevice *)object;
	device->has_pri = true;
	device->has_pasid = true;
	device->pasid_required = true;
	device->stopped = true;
	*reg(device, PRI_ID) = PRI_ID_VALUE;
	command_begin(device);
	device->next = all;
	all = device;
}

static void end(struct Object *object)
{
	struct device *gone = device_of(object), **place = &all;

	while (*place != gone)
		place = &(*place)->next;
	*place = gone->next;
	command_end_storm(gone);
	free(gone);
}

static void plug(struct PCIDevice *pci, struct Error **error)
{
	struct device *device = device_of(pci);
	struct MemoryRegion *bar = (struct MemoryRegion *)device->bar;

	(void)error;
	memory_region_init_io(bar, (struct Object *)pci, &bar_ops, device, TYPE, PAGE);
	pci_register_bar(pci, 0, 0, bar);
	pcie_endpoint_cap_init(pci, CAP_EXPRESS);
	pcie_cap_flr_init(pci);
	pcie_ats_init(pci, CAP_ATS, true);
	if (device->has_pri)
		pcie_pri_init(pci, CAP_PRI, PRI_CAPACITY, device->pasid_required);
	if (device->has_pasid)
		pcie_pasid_init(pci, CAP_PASID, PASID_WIDTH, false, true);
	vtd_watch_answers();
}

static void unplug(struct PCIDevice *pci)
{
	struct device *device = device_of(pci);

	command_end_storm(device);
	pri_leave(device);
}

/* Options */

static void set_has_pri(struct Object *object, bool value, struct Error **error)
{
	(void)error;
	device_of(object)->has_pri = value;
}

static void set_has_pasid(struct Object *object, bool value, struct Error **error)
{
	(void)error;
	device_of(object)->has_pasid = value;
}

static void set_pasid_required(struct Object *object, bool value, struct Error **error)
{
	(void)error;
	device_of(object)->pasid_required = value;
}

/*
 * Where PCIDeviceClass has its functions depends on the size of its parents, so it is looked for
 * in the class of another device: in front of the numbers of edu.
 */
static struct pci_class_part *find_part(void *class)
{
	static const uint8_t edu[4] = { 0x34, 0x12, 0xe8, 0x11 };
	const uint8_t *bytes = (const uint8_t *)object_class_by_name("edu");
	size_t at = 0;

	while (bytes && at < 4096 && memcmp(bytes + at, edu, sizeof(edu)))
		at += 2;
	if (!bytes || at == 4096) {
		fprintf(stderr, TYPE ": this QEMU is not the one it is made for\n");
		exit(1);
	}
	return class + at - offsetof(struct pci_class_part, vendor_id);
}

static void class_init(struct ObjectClass *class, const void *data)
{
	struct pci_class_part *part = find_part(class);

	(void)data;
	part->realize = plug;
	part->exit = unplug;
	part->config_read = read_config;
	part->config_write = write_config;
	part->vendor_id = PRI_VENDOR;
	part->device_id = PRI_DEVICE;
	part->revision = 1;
	part->class_id = 0x00ff;
	object_class_property_add_bool(class, "pri", NULL, set_has_pri);
	object_class_property_add_bool(class, "pasid", NULL, set_has_pasid);
	object_class_property_add_bool(class, "pasid-required", NULL, set_pasid_required);
}

static const struct InterfaceInfo interfaces[] = { { "pci-express-device" }, {} };

static const struct TypeInfo type = {
	.name = TYPE,
	.parent = "pci-device",
	.instance_init = begin,
	.instance_finalize = end,
	.class_init = class_init,
	.interfaces = interfaces,
};

static void register_type(void)
{
	type_register_static(&type);
}

/* Before QEMU's main(), which runs what is registered. */
static void __attribute__((constructor)) load(void)
{
	register_module_init(register_type, MODULE_INIT_QOM);
}
