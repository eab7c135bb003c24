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
struct Object;
struct ObjectClass;
struct Error;

struct InterfaceInfo {
	const char *type;
};

struct TypeInfo {
	const char *name;
	const char *parent;
	size_t instance_size;
	size_t instance_align;
	void (*instance_init)(struct Object *object);
	void (*instance_post_init)(struct Object *object);
	void (*instance_finalize)(struct Object *object);
	bool abstract;
	size_t class_size;
	void (*class_init)(struct ObjectClass *class, const void *data);
	void (*class_base_init)(struct ObjectClass *class, const void *data);
	const void *class_data;
	const struct InterfaceInfo *interfaces;
};

#define MODULE_INIT_QOM	4

void register_module_init(void (*function)(void), int type);
void *type_register_static(const struct TypeInfo *info);
struct ObjectClass *object_class_by_name(const char *name);
void *object_class_property_add_bool(struct ObjectClass *class, const char *name,
				     bool (*get)(struct Object *object, struct Error **error),
				     void (*set)(struct Object *object, bool value,
						 struct Error **error));

/* Memory; what QEMU calls MemTxAttrs fits into a register and is always 0 here */
struct MemoryRegion;
struct AddressSpace;

#define ROOM_OF_REGION	4096

struct access_sizes {
	unsigned int min;
	unsigned int max;
	bool unaligned;
};

struct MemoryRegionOps {
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
};

#define DEVICE_LITTLE_ENDIAN	2

struct MemoryRegionSection {
	__int128 size;
	struct MemoryRegion *mr;
	void *flat_view;
	uint64_t offset_within_region;
	uint64_t offset_within_address_space;
	bool readonly;
	bool nonvolatile;
	bool unmergeable;
};

extern struct AddressSpace address_space_memory;

struct MemoryRegion *get_system_memory(void);
void memory_region_init_io(struct MemoryRegion *region, struct Object *owner,
			   const struct MemoryRegionOps *ops, void *opaque, const char *name,
			   uint64_t size);
struct MemoryRegionSection memory_region_find(struct MemoryRegion *region, uint64_t address,
					      uint64_t size);
void memory_region_add_subregion_overlap(struct MemoryRegion *region, uint64_t offset,
					 struct MemoryRegion *subregion, int priority);
uint32_t memory_region_dispatch_read(struct MemoryRegion *region, uint64_t address, uint64_t *value,
				     int log2_size, uint64_t attributes);
uint32_t memory_region_dispatch_write(struct MemoryRegion *region, uint64_t address, uint64_t value,
				      int log2_size, uint64_t attributes);
int address_space_rw(struct AddressSpace *space, uint64_t address, uint64_t attributes,
		     void *buffer, uint64_t length, bool is_write);

/* Time */
struct QEMUTimer;

#define ROOM_OF_TIMER	256
#define QEMU_CLOCK_VIRTUAL	1

void timer_init_full(struct QEMUTimer *timer, void *group, int clock, int scale, int attributes,
		     void (*callback)(void *opaque), void *opaque);
void timer_mod_ns(struct QEMUTimer *timer, int64_t expire);
void timer_del(struct QEMUTimer *timer);
int64_t qemu_clock_get_ns(int clock);

/* PCI */
struct PCIDevice;

/* Of PCIDeviceClass what is from realize on; its parents' part before is not written out. */
struct pci_class_part {
	void (*realize)(struct PCIDevice *pci, struct Error **error);
	void (*exit)(struct PCIDevice *pci);
	uint32_t (*config_read)(struct PCIDevice *pci, uint32_t address, int length);
	void (*config_write)(struct PCIDevice *pci, uint32_t address, uint32_t value, int length);
	uint16_t vendor_id;
	uint16_t device_id;
	uint8_t revision;
	uint16_t class_id;
};

/* IOMMUTLBEntry */
struct translation {
	struct AddressSpace *target;
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

void pci_register_bar(struct PCIDevice *pci, int bar, uint8_t type, struct MemoryRegion *region);
uint32_t pci_default_read_config(struct PCIDevice *pci, uint32_t address, int length);
void pci_default_write_config(struct PCIDevice *pci, uint32_t address, uint32_t value, int length);
uint16_t pci_requester_id(struct PCIDevice *pci);
struct AddressSpace *pci_device_iommu_address_space(struct PCIDevice *pci);
int pcie_endpoint_cap_init(struct PCIDevice *pci, uint8_t offset);
void pcie_cap_flr_init(struct PCIDevice *pci);
void pcie_cap_flr_write_config(struct PCIDevice *pci, uint32_t address, uint32_t value, int length);
void pcie_ats_init(struct PCIDevice *pci, uint16_t offset, bool aligned);
void pcie_pri_init(struct PCIDevice *pci, uint16_t offset, uint32_t capacity, bool pasid_required);
void pcie_pasid_init(struct PCIDevice *pci, uint16_t offset, uint8_t width, bool exec, bool priv);
bool pcie_pri_enabled(struct PCIDevice *pci);
long pci_ats_request_translation(struct PCIDevice *pci, uint32_t pasid, bool priv, bool exec,
				 uint64_t address, size_t length, bool no_write,
				 struct translation *result, size_t count, uint32_t *errors);
int pci_pri_request_page(struct PCIDevice *pci, uint32_t pasid, bool priv, bool exec,
			 uint64_t address, bool last, uint16_t index, bool is_read, bool is_write);
int pci_pri_register_notifier(struct PCIDevice *pci, uint32_t pasid, struct pri_notifier *notifier);
void pci_pri_unregister_notifier(struct PCIDevice *pci, uint32_t pasid);

#endif
