/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI devices of the guest, and how to make two of them do DMA from user space.
 *
 * A device is found by its numbers and driven through sysfs: its registers through resource0,
 * its configuration space through config. No driver is needed. Everything here ends the running
 * test when it fails, unless its text says what it returns instead; so it is for the thread
 * that runs the test, with one exception: edu_start() and e1000e_send() touch registers only,
 * and any thread may call them.
 *
 * edu copies between memory and a buffer of its own, and knows no reset. e1000e is used as a
 * copying machine too: it sends a frame to itself, which reads one buffer of memory and writes
 * another, through descriptors in memory.
 */
#ifndef TESTS_SUPPORT_PCI_H
#define TESTS_SUPPORT_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Vendor and device, for pci_find() */
#define PCI_EDU		0x123411e8
#define PCI_E1000E	0x808610d3
#define PCI_TESTDEV	0x1b360005	/* for tests that want no more than a device */

/**
 * struct pci - a PCI device
 * @address: as in /sys/bus/pci/devices
 * @name: as ATTACH takes it
 * @config: file descriptor of its configuration space, or -1
 * @registers: BAR 0, mapped, or NULL
 * @size: of BAR 0
 */
struct pci {
	char address[16];
	char name[32];
	int config;
	uint8_t *registers;
	size_t size;
};

/* Finding, opening */
bool pci_is_at(struct pci *pci, const char *address, uint32_t id);
bool pci_find(struct pci *pci, uint32_t id, const char *reset_method);
void pci_meet_iommu(const struct pci *pci);
void pci_open(struct pci *pci);
void pci_close(struct pci *pci);

/* sysfs */
bool pci_exists(const struct pci *pci);
int pci_write_attribute(const struct pci *pci, const char *attribute, const char *text);
bool pci_read_attribute(const struct pci *pci, const char *attribute, char *text, size_t size);
long pci_group(const struct pci *pci);
bool pci_iommu(const struct pci *pci, char *name, size_t size);
int pci_bind(const struct pci *pci, const char *driver);
int pci_unbind(const struct pci *pci, const char *driver);
void pci_remove(const struct pci *pci);
void pci_scan(void);
void pci_rescan(void);

/* Configuration space: bus mastering */
void pci_set_master(const struct pci *pci, bool on);
bool pci_is_master(const struct pci *pci);

uint64_t physical_address(const void *address);

/* edu */
#define EDU_DMA_MAX	2048	/* bytes in one DMA; its buffer is larger */

enum edu_direction {
	EDU_READ,	/* memory -> buffer */
	EDU_WRITE,	/* buffer -> memory */
};

void edu_start(const struct pci *edu, enum edu_direction direction, uint64_t address,
	       unsigned int length);
void edu_wait(const struct pci *edu);
void edu_dma(const struct pci *edu, enum edu_direction direction, uint64_t address,
	     unsigned int length);

/* e1000e */
#define E1000E_FRAME	512	/* bytes of the frame */

/**
 * struct e1000e_state - registers that say where the device's DMA goes, and whether
 */
struct e1000e_state {
	uint32_t rx_control, rx_base, rx_length, rx_tail;
	uint32_t tx_control, tx_base, tx_length, tx_tail;
};

void e1000e_fill(void *page, uint64_t address, unsigned int seed);
void e1000e_program(const struct pci *nic, uint64_t address);
void e1000e_send(const struct pci *nic);
bool e1000e_has_copied(const void *page);
void e1000e_read_state(const struct pci *nic, struct e1000e_state *state);

#endif
