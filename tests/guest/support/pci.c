// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI devices through sysfs, and the registers of edu and e1000e; see pci.h. Nothing is kept
 * here but what struct pci holds, so there is nothing to lock.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pci.h"
#include "tap.h"

#define DEVICES		"/sys/bus/pci/devices"
#define PAGE		4096UL

/* Writes as much as an attribute takes at once. Returns 0 or a negative errno. */
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static bool read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	bool done = file && fgets(text, size, file);

	if (file)
		fclose(file);
	if (done)
		text[strcspn(text, "\n")] = '\0';
	return done;
}

/**
 * pci_write_attribute() - write a file of the device in sysfs
 * @pci: the device
 * @attribute: name of the file
 * @text: what to write
 *
 * Return: 0 or a negative errno.
 */
int pci_write_attribute(const struct pci *pci, const char *attribute, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), DEVICES "/%s/%s", pci->address, attribute);
	return write_file(path, text);
}

/**
 * pci_read_attribute() - read the first line of a file of the device in sysfs
 * @pci: the device
 * @attribute: name of the file
 * @text: where the line goes
 * @size: of @text
 *
 * Return: whether there is such a file, with such a line.
 */
bool pci_read_attribute(const struct pci *pci, const char *attribute, char *text, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), DEVICES "/%s/%s", pci->address, attribute);
	return read_file(path, text, size);
}

static bool has_number(const struct pci *pci, const char *attribute, unsigned int number)
{
	char text[16];

	return pci_read_attribute(pci, attribute, text, sizeof(text)) &&
	       strtoul(text, NULL, 16) == number;
}

static bool has_reset_method(const struct pci *pci, const char *method)
{
	char text[64];

	return pci_read_attribute(pci, "reset_method", text, sizeof(text)) && strstr(text, method);
}

/* Makes the kernel look for the device's IOMMU, which it does when a driver is bound. */
static void bind_once(const struct pci *pci)
{
	assert_int_equal(system("modprobe vfio-pci"), 0);
	assert_int_equal(pci_write_attribute(pci, "driver_override", "vfio-pci"), 0);
	assert_int_equal(pci_bind(pci, "vfio-pci"), 0);
	assert_int_equal(pci_unbind(pci, "vfio-pci"), 0);
	assert_int_equal(pci_write_attribute(pci, "driver_override", "\n"), 0);
}

/* Is the device in one IOMMU group with the port that it is behind? */
static bool is_with_its_port(const struct pci *pci)
{
	char path[128];

	snprintf(path, sizeof(path), DEVICES "/%s/../iommu_group/devices/%s", pci->address,
		 pci->address);
	return !access(path, F_OK);
}

/**
 * pci_meet_iommu() - let the kernel find the IOMMU of a device, if it has not
 * @pci: the device
 *
 * Where a device tree tells of the IOMMU, the kernel learns of it when the first driver is bound,
 * and remembers. Ports that were found before let the devices behind them reach each other; those
 * that are found anew do not.
 */
void pci_meet_iommu(const struct pci *pci)
{
	if (access("/sys/firmware/devicetree", F_OK) || pci_group(pci) >= 0)
		return;
	bind_once(pci);
	if (!is_with_its_port(pci))
		return;
	assert_int_equal(pci_write_attribute(pci, "../remove", "1"), 0);
	assert_int_equal(write_file("/sys/bus/pci/rescan", "1"), 0);
	bind_once(pci);
}

/**
 * pci_is_at() - is there such a device at an address?
 * @pci: is set, closed
 * @address: as in /sys/bus/pci/devices
 * @id: PCI_EDU or another
 *
 * Return: whether there is.
 */
bool pci_is_at(struct pci *pci, const char *address, uint32_t id)
{
	*pci = (struct pci){ .config = -1 };
	snprintf(pci->address, sizeof(pci->address), "%.15s", address);
	snprintf(pci->name, sizeof(pci->name), "pci/%s", pci->address);
	return has_number(pci, "vendor", id >> 16) && has_number(pci, "device", id & 0xffff);
}

/**
 * pci_find() - find a device, and let the kernel find its IOMMU
 * @pci: is set, closed
 * @id: PCI_EDU or another
 * @reset_method: one that it must have, or NULL
 *
 * Return: whether there is one.
 */
bool pci_find(struct pci *pci, uint32_t id, const char *reset_method)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir = opendir(DEVICES);

	assert_non_null(dir);
	while (!found && (entry = readdir(dir)))
		found = pci_is_at(pci, entry->d_name, id) &&
			(!reset_method || has_reset_method(pci, reset_method));
	closedir(dir);
	if (found)
		pci_meet_iommu(pci);
	return found;
}

static uint16_t read_command(const struct pci *pci)
{
	uint16_t command;

	assert_int_equal(pread(pci->config, &command, sizeof(command), PCI_COMMAND),
			 sizeof(command));
	return le16toh(command);
}

static void write_command(const struct pci *pci, uint16_t command)
{
	command = htole16(command);
	assert_int_equal(pwrite(pci->config, &command, sizeof(command), PCI_COMMAND),
			 sizeof(command));
}

static void map_registers(struct pci *pci)
{
	char path[128];
	struct stat status;
	void *registers;
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s/resource0", pci->address);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	registers = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(registers, MAP_FAILED);
	close(fd);
	pci->registers = registers;
	pci->size = status.st_size;
}

/**
 * pci_open() - map the registers of a device and make them accessible
 * @pci: the device, closed
 */
void pci_open(struct pci *pci)
{
	char path[128];

	snprintf(path, sizeof(path), DEVICES "/%s/config", pci->address);
	pci->config = open(path, O_RDWR | O_CLOEXEC);
	assert_true(pci->config >= 0);
	write_command(pci, read_command(pci) | PCI_COMMAND_MEMORY);
	map_registers(pci);
}

/**
 * pci_close() - undo pci_open(); the device stays as it is
 * @pci: the device; nothing is done when it is closed
 */
void pci_close(struct pci *pci)
{
	if (pci->registers)
		munmap(pci->registers, pci->size);
	if (pci->config >= 0)
		close(pci->config);
	pci->registers = NULL;
	pci->config = -1;
}

/**
 * pci_exists() - is the device known to the kernel?
 * @pci: the device
 */
bool pci_exists(const struct pci *pci)
{
	char path[128];

	snprintf(path, sizeof(path), DEVICES "/%s", pci->address);
	return !access(path, F_OK);
}

static bool read_link(const struct pci *pci, const char *attribute, char *name, size_t size)
{
	char path[128], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", pci->address, attribute);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	snprintf(name, size, "%s", strrchr(target, '/') + 1);
	return true;
}

/**
 * pci_group() - the IOMMU group of a device
 * @pci: the device
 *
 * Return: its number, or -1 when it has none.
 */
long pci_group(const struct pci *pci)
{
	char number[16];

	if (!read_link(pci, "iommu_group", number, sizeof(number)))
		return -1;
	return strtol(number, NULL, 10);
}

/**
 * pci_iommu() - the IOMMU instance of a device
 * @pci: the device
 * @name: where its name goes, such as "dmar0"
 * @size: of @name
 *
 * Return: whether it has one.
 */
bool pci_iommu(const struct pci *pci, char *name, size_t size)
{
	return read_link(pci, "iommu", name, size);
}

static int tell_driver(const struct pci *pci, const char *driver, const char *attribute)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", driver, attribute);
	return write_file(path, pci->address);
}

/**
 * pci_bind() - bind a driver to the device
 * @pci: the device
 * @driver: name of a driver that is loaded
 *
 * Return: 0 or a negative errno.
 */
int pci_bind(const struct pci *pci, const char *driver)
{
	return tell_driver(pci, driver, "bind");
}

/**
 * pci_unbind() - take the driver away from the device
 * @pci: the device
 * @driver: name of its driver
 *
 * Return: 0 or a negative errno.
 */
int pci_unbind(const struct pci *pci, const char *driver)
{
	return tell_driver(pci, driver, "unbind");
}

/**
 * pci_remove() - remove the device from the system, as hot-unplug does
 * @pci: the device
 */
void pci_remove(const struct pci *pci)
{
	assert_int_equal(pci_write_attribute(pci, "remove", "1"), 0);
}

/**
 * pci_scan() - let the kernel find devices that were removed
 */
void pci_scan(void)
{
	assert_int_equal(write_file("/sys/bus/pci/rescan", "1"), 0);
}

/**
 * pci_rescan() - the same, and the IOMMU of all devices that tests use
 */
void pci_rescan(void)
{
	struct pci pci;

	pci_scan();
	pci_find(&pci, PCI_EDU, NULL);
	pci_find(&pci, PCI_E1000E, NULL);
}

/**
 * pci_set_master() - allow or forbid the device to do DMA
 * @pci: the device, open
 * @on: allow
 */
void pci_set_master(const struct pci *pci, bool on)
{
	uint16_t command = read_command(pci);

	write_command(pci, on ? command | PCI_COMMAND_MASTER : command & ~PCI_COMMAND_MASTER);
}

/**
 * pci_is_master() - may the device do DMA?
 * @pci: the device, open
 */
bool pci_is_master(const struct pci *pci)
{
	return read_command(pci) & PCI_COMMAND_MASTER;
}

/**
 * physical_address() - where memory of this process is
 * @address: page-aligned; the page is pinned, or it would not stay there
 *
 * Return: its address as a device sees it that no IOMMU translates.
 */
uint64_t physical_address(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry, page = (uintptr_t)address / PAGE;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &entry, sizeof(entry), page * sizeof(entry)), sizeof(entry));
	close(fd);
	/* bit 63: present; bits 0-54: page frame */
	assert_true(entry >> 63);
	entry &= (1ULL << 55) - 1;
	assert_int_not_equal(entry, 0);
	return entry * PAGE;
}

/* One access each, after what memory accesses come before and before those that come after. */
static uint32_t read32(const struct pci *pci, size_t offset)
{
	uint32_t *place = (uint32_t *)(pci->registers + offset);

	return le32toh(__atomic_load_n(place, __ATOMIC_ACQUIRE));
}

static void write32(const struct pci *pci, size_t offset, uint32_t value)
{
	uint32_t *place = (uint32_t *)(pci->registers + offset);

	__atomic_store_n(place, htole32(value), __ATOMIC_RELEASE);
}

static void write64(const struct pci *pci, size_t offset, uint64_t value)
{
	uint64_t *place = (uint64_t *)(pci->registers + offset);

	__atomic_store_n(place, htole64(value), __ATOMIC_RELEASE);
}

/* edu: registers of its DMA, and where in its own address space the buffer is */
#define EDU_SOURCE		0x80
#define EDU_DESTINATION		0x88
#define EDU_COUNT		0x90
#define EDU_COMMAND		0x98
#define EDU_COMMAND_RUN		0x1
#define EDU_COMMAND_WRITE	0x2
#define EDU_BUFFER_ADDRESS	0x40000

/**
 * edu_start() - start a DMA, if none is running
 * @edu: the device, open
 * @direction: of the copy
 * @address: in memory, as the device puts it on the bus; 28 bits
 * @length: bytes, up to EDU_DMA_MAX
 *
 * It happens some 100 ms later.
 */
void edu_start(const struct pci *edu, enum edu_direction direction, uint64_t address,
	       unsigned int length)
{
	bool write = direction == EDU_WRITE;

	write64(edu, EDU_SOURCE, write ? EDU_BUFFER_ADDRESS : address);
	write64(edu, EDU_DESTINATION, write ? address : EDU_BUFFER_ADDRESS);
	write64(edu, EDU_COUNT, length);
	write64(edu, EDU_COMMAND, EDU_COMMAND_RUN | (write ? EDU_COMMAND_WRITE : 0));
}

/**
 * edu_wait() - wait until no DMA is running
 * @edu: the device, open
 *
 * Whether the DMA reached anything is not known to the device.
 */
void edu_wait(const struct pci *edu)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (read32(edu, EDU_COMMAND) & EDU_COMMAND_RUN)
		nanosleep(&pause, NULL);
}

/**
 * edu_dma() - start a DMA and wait for its end
 * @edu: the device, open; no DMA is running
 * @direction: as for edu_start()
 * @address: as for edu_start()
 * @length: as for edu_start()
 */
void edu_dma(const struct pci *edu, enum edu_direction direction, uint64_t address,
	     unsigned int length)
{
	edu_start(edu, direction, address, length);
	edu_wait(edu);
}

/* e1000e: its reset, its link, and registers of the first receive and the first transmit ring */
#define E1000E_CTRL		0x0000
#define E1000E_CTRL_RESET	0x4000000
#define E1000E_STATUS		0x0008
#define E1000E_STATUS_LINK_UP	0x2
#define E1000E_RCTL		0x0100
#define E1000E_RCTL_ENABLE	0x2
#define E1000E_RCTL_ALL_UNICAST	0x8
#define E1000E_RCTL_LOOPBACK	0x40
#define E1000E_RCTL_STRIP_CRC	0x4000000
#define E1000E_TCTL		0x0400
#define E1000E_TCTL_ENABLE	0x2
#define E1000E_RDBAL		0x2800
#define E1000E_RDBAH		0x2804
#define E1000E_RDLEN		0x2808
#define E1000E_RDH		0x2810
#define E1000E_RDT		0x2818
#define E1000E_TDBAL		0x3800
#define E1000E_TDBAH		0x3804
#define E1000E_TDLEN		0x3808
#define E1000E_TDH		0x3810
#define E1000E_TDT		0x3818

/* Descriptors, in their oldest form: the device writes a status with "done" into each. */
#define E1000E_RING		8
#define E1000E_TX_END		0x1
#define E1000E_TX_ADD_CHECKSUM	0x2
#define E1000E_TX_REPORT	0x8
#define E1000E_DONE		0x1

struct tx_descriptor {
	uint64_t address;
	uint16_t length;
	uint8_t checksum_offset, command, status, checksum_start;
	uint16_t special;
};

struct rx_descriptor {
	uint64_t address;
	uint16_t length, checksum;
	uint8_t status, errors;
	uint16_t special;
};

struct e1000e_memory {
	struct tx_descriptor tx[E1000E_RING];
	struct rx_descriptor rx[E1000E_RING];
	uint8_t frame[E1000E_FRAME] __attribute__((aligned(1024)));
	uint8_t received[2048] __attribute__((aligned(2048)));
};

_Static_assert(sizeof(struct e1000e_memory) == PAGE, "it is a page");

/* A frame to a local unicast address, of a type for experiments; its content depends on @seed. */
static void fill_frame(uint8_t *frame, unsigned int seed)
{
	static const uint8_t header[] = {
		0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5,
	};
	size_t i;

	memcpy(frame, header, sizeof(header));
	for (i = sizeof(header); i < E1000E_FRAME; i++)
		frame[i] = seed + i * 7;
}

/**
 * e1000e_fill() - lay out rings and a frame in a page, nothing received yet
 * @page: the page
 * @address: where the device will see it
 * @seed: of the frame's content
 */
void e1000e_fill(void *page, uint64_t address, unsigned int seed)
{
	struct e1000e_memory *memory = page;
	size_t i;

	memset(memory, 0, sizeof(*memory));
	fill_frame(memory->frame, seed);
	for (i = 0; i < E1000E_RING; i++) {
		memory->tx[i].address = htole64(address + offsetof(struct e1000e_memory, frame));
		memory->tx[i].length = htole16(E1000E_FRAME);
		memory->tx[i].command = E1000E_TX_END | E1000E_TX_ADD_CHECKSUM | E1000E_TX_REPORT;
		memory->rx[i].address = htole64(address + offsetof(struct e1000e_memory, received));
	}
}

/*
 * For half a second after its driver has set up the link, the device receives nothing, not even
 * from itself.
 */
static void await_link(const struct pci *nic)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (!(read32(nic, E1000E_STATUS) & E1000E_STATUS_LINK_UP))
		nanosleep(&pause, NULL);
}

/*
 * Makes the device forget an incomplete frame: QEMU 10 drops the frame that follows a descriptor
 * which it could not read.
 */
static void reset(const struct pci *nic)
{
	write32(nic, E1000E_CTRL, read32(nic, E1000E_CTRL) | E1000E_CTRL_RESET);
}

/**
 * e1000e_program() - reset the device, point its rings at a page and switch them on
 * @nic: the device, open
 * @address: where the device sees a page that e1000e_fill() has filled
 */
void e1000e_program(const struct pci *nic, uint64_t address)
{
	uint64_t rx = address + offsetof(struct e1000e_memory, rx);

	reset(nic);
	await_link(nic);
	write32(nic, E1000E_RCTL, 0);
	write32(nic, E1000E_TCTL, 0);
	write32(nic, E1000E_RDBAL, rx);
	write32(nic, E1000E_RDBAH, rx >> 32);
	write32(nic, E1000E_RDLEN, E1000E_RING * sizeof(struct rx_descriptor));
	write32(nic, E1000E_RDH, 0);
	write32(nic, E1000E_RDT, E1000E_RING - 1);
	write32(nic, E1000E_TDBAL, address);
	write32(nic, E1000E_TDBAH, address >> 32);
	write32(nic, E1000E_TDLEN, E1000E_RING * sizeof(struct tx_descriptor));
	write32(nic, E1000E_TDH, 0);
	write32(nic, E1000E_TDT, 0);
	write32(nic, E1000E_RCTL, E1000E_RCTL_ENABLE | E1000E_RCTL_ALL_UNICAST |
		E1000E_RCTL_LOOPBACK | E1000E_RCTL_STRIP_CRC);
	write32(nic, E1000E_TCTL, E1000E_TCTL_ENABLE);
}

/**
 * e1000e_send() - let the device send one more frame to itself
 * @nic: the device, open
 *
 * This moves the tails of the rings and nothing else: where the DMA goes, and whether there is
 * any, is up to what the device was programmed to do. When the call returns, it has happened.
 */
void e1000e_send(const struct pci *nic)
{
	write32(nic, E1000E_RDT, (read32(nic, E1000E_RDH) + E1000E_RING - 1) % E1000E_RING);
	write32(nic, E1000E_TDT, (read32(nic, E1000E_TDT) + 1) % E1000E_RING);
	read32(nic, E1000E_TDH);
}

/**
 * e1000e_has_copied() - did the first frame since e1000e_fill() arrive?
 * @page: the page
 *
 * Return: whether both descriptors are done and the frame is in the other buffer, whole.
 */
bool e1000e_has_copied(const void *page)
{
	const struct e1000e_memory *memory = page;

	return memory->tx[0].status & E1000E_DONE && memory->rx[0].status & E1000E_DONE &&
	       !memcmp(memory->frame, memory->received, E1000E_FRAME);
}

/**
 * e1000e_read_state() - read where the device's rings are and whether they are on
 * @nic: the device, open
 * @state: where it goes
 */
void e1000e_read_state(const struct pci *nic, struct e1000e_state *state)
{
	*state = (struct e1000e_state){
		.rx_control = read32(nic, E1000E_RCTL),
		.rx_base = read32(nic, E1000E_RDBAL),
		.rx_length = read32(nic, E1000E_RDLEN),
		.rx_tail = read32(nic, E1000E_RDT),
		.tx_control = read32(nic, E1000E_TCTL),
		.tx_base = read32(nic, E1000E_TDBAL),
		.tx_length = read32(nic, E1000E_TDLEN),
		.tx_tail = read32(nic, E1000E_TDT),
	};
}
