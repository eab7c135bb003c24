/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device uses of QEMU 11.1, whose headers no package has. Structures that are written
 * out here are bound to that version; of others there are only pointers, and room that is more
 * than they need.
 */
#ifndef TESTS_QEMU_QEMU_H
#define TESTS_QEMU_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Objects */
typedef struct Object Object;
typedef struct ObjectClass ObjectClass;
typedef struct Error Error;

typedef struct InterfaceInfo {
	const char *type;
} InterfaceInfo;

typedef struct TypeInfo {
	const char *name;
	const char *parent;
	size_t instance_size;
	size_t instance_align;
	void (*instance_init)(Object *object);
	void (*instance_post_init)(Object *object);
	void (*instance_finalize)(Object *object);
	bool abstract;
	size_t class_size;
	void (*class_init)(ObjectClass *class, const void *data);
	void (*class_base_init)(ObjectClass *class, const void *data);
	const void *class_data;
	const InterfaceInfo *interfaces;
} TypeInfo;

#define MODULE_INIT_QOM	4

void register_module_init(void (*function)(void), int type);
void *type_register_static(const TypeInfo *info);
ObjectClass *object_class_by_name(const char *name);
void *object_class_property_add_bool(ObjectClass *class, const char *name,
				     bool (*get)(Object *object, Error **error),
				     void (*set)(Object *object, bool value, Error **error));

/* Memory; what QEMU calls MemTxAttrs fits into a register and is always 0 here */
typedef struct MemoryRegion MemoryRegion;
typedef struct AddressSpace AddressSpace;

#define ROOM_OF_REGION	4096

struct access_sizes {
	unsigned int min;
	unsigned int max;
	bool unaligned;
};

typedef struct MemoryRegionOps {
	uint64_t (*read)(void *opaque, uint64_t address, unsigned int size);
	void (*write)(void *opaque, uint64_t address, uint64_t value, unsigned int size);
	void *read_with_attrs;
	void *write_with_attrs;
	int endianness;
	struct {
		struct access_sizes sizes;
		void *accepts;
	} valid;
	struct access_sizes impl;
	void *room[4];
} MemoryRegionOps;

#define DEVICE_LITTLE_ENDIAN	2

typedef struct MemoryRegionSection {
	__int128 size;
	MemoryRegion *mr;
	void *flat_view;
	uint64_t offset_within_region;
	uint64_t offset_within_address_space;
	bool readonly;
	bool nonvolatile;
	bool unmergeable;
} MemoryRegionSection;

extern AddressSpace address_space_memory;

MemoryRegion *get_system_memory(void);
void memory_region_init_io(MemoryRegion *region, Object *owner, const MemoryRegionOps *ops,
			   void *opaque, const char *name, uint64_t size);
MemoryRegionSection memory_region_find(MemoryRegion *region, uint64_t address, uint64_t size);
void memory_region_add_subregion_overlap(MemoryRegion *region, uint64_t offset,
					 MemoryRegion *subregion, int priority);
uint32_t memory_region_dispatch_read(MemoryRegion *region, uint64_t address, uint64_t *value,
				     int log2_size, uint64_t attributes);
uint32_t memory_region_dispatch_write(MemoryRegion *region, uint64_t address, uint64_t value,
				      int log2_size, uint64_t attributes);
int address_space_rw(AddressSpace *space, uint64_t address, uint64_t attributes, void *buffer,
		     uint64_t length, bool is_write);

/* Time */
typedef struct QEMUTimer QEMUTimer;

#define ROOM_OF_TIMER	256
#define QEMU_CLOCK_VIRTUAL	1

void timer_init_full(QEMUTimer *timer, void *group, int clock, int scale, int attributes,
		     void (*callback)(void *opaque), void *opaque);
void timer_mod_ns(QEMUTimer *timer, int64_t expire);
void timer_del(QEMUTimer *timer);
int64_t qemu_clock_get_ns(int clock);

/* PCI */
typedef struct PCIDevice PCIDevice;

/* Of PCIDeviceClass what is from realize on; its parents' part before is not written out. */
struct pci_class_part {
	void (*realize)(PCIDevice *device, Error **error);
	void (*exit)(PCIDevice *device);
	uint32_t (*config_read)(PCIDevice *device, uint32_t address, int length);
	void (*config_write)(PCIDevice *device, uint32_t address, uint32_t value, int length);
	uint16_t vendor_id;
	uint16_t device_id;
	uint8_t revision;
	uint16_t class_id;
};

/* IOMMUTLBEntry */
struct translation {
	AddressSpace *target;
	uint64_t iova;
	uint64_t address;
	uint64_t mask;
	int perm;		/* 1 read, 2 write */
	uint32_t pasid;
	uint64_t room[4];
};

/* PRIResponse, IOMMUPRINotifier */
struct pri_answer {
	int code;
	uint16_t index;
};

struct pri_notifier {
	void (*notify)(struct pri_notifier *notifier, struct pri_answer *answer);
};

void pci_register_bar(PCIDevice *device, int bar, uint8_t type, MemoryRegion *region);
uint32_t pci_default_read_config(PCIDevice *device, uint32_t address, int length);
void pci_default_write_config(PCIDevice *device, uint32_t address, uint32_t value, int length);
uint16_t pci_requester_id(PCIDevice *device);
AddressSpace *pci_device_iommu_address_space(PCIDevice *device);
int pcie_endpoint_cap_init(PCIDevice *device, uint8_t offset);
void pcie_cap_flr_init(PCIDevice *device);
void pcie_cap_flr_write_config(PCIDevice *device, uint32_t address, uint32_t value, int length);
void pcie_ats_init(PCIDevice *device, uint16_t offset, bool aligned);
void pcie_pri_init(PCIDevice *device, uint16_t offset, uint32_t capacity, bool pasid_required);
void pcie_pasid_init(PCIDevice *device, uint16_t offset, uint8_t width, bool exec, bool priv);
bool pcie_pri_enabled(PCIDevice *device);
long pci_ats_request_translation(PCIDevice *device, uint32_t pasid, bool priv, bool exec,
				 uint64_t address, size_t length, bool no_write,
				 struct translation *result, size_t count, uint32_t *errors);
int pci_pri_request_page(PCIDevice *device, uint32_t pasid, bool priv, bool exec, uint64_t address,
			 bool last, uint16_t index, bool is_read, bool is_write);
int pci_pri_register_notifier(PCIDevice *device, uint32_t pasid, struct pri_notifier *notifier);
void pci_pri_unregister_notifier(PCIDevice *device, uint32_t pasid);

#endif
