// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page requests without a PASID, through QEMU's intel-iommu, which refuses them, and which stops
 * its invalidation queue at an answer to one. So they are put into the IOMMU's page request queue
 * here, in the guest's memory; and the tail of the invalidation queue is watched: an answer
 * without a PASID is taken out of it, and made into one that QEMU has nobody for. Structures and
 * registers are those of Intel's VT-d specification.
 *
 * It owns the region that lies over the tail register, and a timer, which raises the interrupt
 * of the page request queue for what came while the guest had it masked.
 */
#include "device.h"

#define VTD			0xfed90000ULL
#define IQT			0x88	/* invalidation queue: tail, address */
#define IQA			0x90
#define IQA_WIDE		0x800	/* descriptors of 32 bytes, not 16 */
#define PQH			0xc0	/* page request queue: head, tail, address */
#define PQT			0xc8
#define PQA			0xd0
#define PECTL			0xe0	/* its interrupt: mask, data, address */
#define PECTL_MASKED		(1u << 31)
#define PEDATA			0xe4
#define PEADDR			0xe8

#define QUEUE_ADDRESS(q)	((q) & ~0xfffULL)
#define QUEUE_BYTES(q)		(1ULL << (((q) & 7) + 12))

/* Page request */
#define REQUEST_TYPE		1
#define REQUEST_BYTES		32
/* Answer, in the first quad word: type in bits 0-3 and 9-11, requester, code; then the index */
#define ANSWER_TYPE_MASK	0xe0fULL
#define ANSWER_TYPE		0x9
#define ANSWER_HAS_PASID	(1ULL << 4)
#define ANSWER_CODE(qw)		(((qw) >> 12) & 0xf)
#define ANSWER_REQUESTER(qw)	(((qw) >> 16) & 0xffff)
#define ANSWER_PASID_OF_NOBODY	(0xfffffULL << 32)
#define ANSWER_INDEX(qw)	(((qw) >> 3) & 0x1ff)

#define LOG2_DWORD		2
#define LOG2_QWORD		3
#define RETRY_NS		100000

static struct MemoryRegion *iommu;
static uint64_t over_tail[ROOM_OF_REGION / 8] __attribute__((aligned(64)));
static uint64_t retry_timer[ROOM_OF_TIMER / 8];

static uint64_t read_iommu(unsigned int offset, int log2_size)
{
	uint64_t value = 0;

	memory_region_dispatch_read(iommu, offset, &value, log2_size, 0);
	return value;
}

static void write_iommu(unsigned int offset, uint64_t value, int log2_size)
{
	memory_region_dispatch_write(iommu, offset, value, log2_size, 0);
}

static void read_memory(uint64_t address, void *buffer, uint64_t length)
{
	address_space_rw(&address_space_memory, address, 0, buffer, length, false);
}

static void write_memory(uint64_t address, void *buffer, uint64_t length)
{
	address_space_rw(&address_space_memory, address, 0, buffer, length, true);
}

static int log2_of(unsigned int size)
{
	return size == 8 ? LOG2_QWORD : LOG2_DWORD;
}

/* Answers: the guest has added one descriptor, at @where, to the invalidation queue. */
static void take_answer(uint64_t where)
{
	struct device *device;
	uint64_t qw[2];
	int code;

	read_memory(where, qw, sizeof(qw));
	if ((qw[0] & ANSWER_TYPE_MASK) != ANSWER_TYPE || qw[0] & ANSWER_HAS_PASID)
		return;
	device = device_of_requester(ANSWER_REQUESTER(qw[0]));
	code = ANSWER_CODE(qw[0]);
	qw[0] |= ANSWER_HAS_PASID | ANSWER_PASID_OF_NOBODY;
	write_memory(where, qw, sizeof(qw[0]));
	if (device)
		pri_answered(device, code, ANSWER_INDEX(qw[1]));
}

static void take_answers(uint64_t end)
{
	uint64_t iqa = read_iommu(IQA, LOG2_QWORD), mask = QUEUE_BYTES(iqa) - 1, at;
	unsigned int step = iqa & IQA_WIDE ? 32 : 16;

	if (!QUEUE_ADDRESS(iqa))
		return;
	for (at = read_iommu(IQT, LOG2_QWORD) & mask; at != (end & mask); at = (at + step) & mask)
		take_answer(QUEUE_ADDRESS(iqa) + at);
}

static void write_tail(void *opaque, uint64_t address, uint64_t value, unsigned int size)
{
	(void)opaque;
	if (!address)
		take_answers(value);
	write_iommu(IQT + address, value, log2_of(size));
}

static uint64_t read_tail(void *opaque, uint64_t address, unsigned int size)
{
	(void)opaque;
	return read_iommu(IQT + address, log2_of(size));
}

static const struct MemoryRegionOps tail_ops = {
	.read = read_tail,
	.write = write_tail,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid.sizes = { .min = 4, .max = 8 },
	.impl = { .min = 4, .max = 8 },
};

/* The interrupt of the page request queue; later, if the guest has it masked. */
static void interrupt(void *opaque)
{
	uint32_t data;

	if (read_iommu(PQH, LOG2_QWORD) == read_iommu(PQT, LOG2_QWORD))
		return;
	if (read_iommu(PECTL, LOG2_DWORD) & PECTL_MASKED) {
		timer_mod_ns((struct QEMUTimer *)retry_timer,
			     qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + RETRY_NS);
		return;
	}
	data = read_iommu(PEDATA, LOG2_DWORD);
	write_memory(read_iommu(PEADDR, LOG2_QWORD), &data, sizeof(data));
	(void)opaque;
}

/**
 * vtd_request() - put a page request without a PASID into the IOMMU's queue
 * @device: whose it is
 * @request: the request
 *
 * Return: false if the queue is full, or if there is none.
 */
bool vtd_request(struct device *device, const struct request *request)
{
	uint64_t pqa, tail, next, qw[REQUEST_BYTES / 8] = {};

	if (!iommu)
		return false;
	pqa = read_iommu(PQA, LOG2_QWORD);
	tail = read_iommu(PQT, LOG2_QWORD);
	next = (tail + REQUEST_BYTES) & (QUEUE_BYTES(pqa) - 1);
	if (!QUEUE_ADDRESS(pqa) || next == read_iommu(PQH, LOG2_QWORD))
		return false;
	qw[0] = REQUEST_TYPE | (uint64_t)pci_requester_id(device->pci) << 16;
	qw[1] = request->read | request->write << 1 | request->last << 2 |
		(uint64_t)request->index << 3 | (request->address & ~0xfffULL);
	write_memory(QUEUE_ADDRESS(pqa) + tail, qw, sizeof(qw));
	write_iommu(PQT, next, LOG2_QWORD);
	interrupt(NULL);
	return true;
}

/**
 * vtd_watch_answers() - find the IOMMU, and see what it is told; done once, with the first device
 */
void vtd_watch_answers(void)
{
	struct MemoryRegion *region;

	if (iommu)
		return;
	iommu = memory_region_find(get_system_memory(), VTD, 8).mr;
	if (!iommu)
		return;
	timer_init_full((struct QEMUTimer *)retry_timer, NULL, QEMU_CLOCK_VIRTUAL, 1, 0, interrupt,
			NULL);
	region = (struct MemoryRegion *)over_tail;
	memory_region_init_io(region, NULL, &tail_ops, NULL, "faultq-pri-tail", 8);
	memory_region_add_subregion_overlap(get_system_memory(), VTD + IQT, region, 1000);
}
