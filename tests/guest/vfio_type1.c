// SPDX-License-Identifier: GPL-2.0-only
/*
 * Type1's calls, case by case, on type1 itself and on this backend, on the same kernel. Each case
 * writes a line; the lines must be the same but for those in known[], which docs/vfio.md explains.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/interrupt.h"
#include "support/module.h"
#include "support/privilege.h"
#include "support/space.h"
#include "support/vfio.h"

#define IOVA	0x10000000ull
#define R	VFIO_DMA_MAP_FLAG_READ
#define W	VFIO_DMA_MAP_FLAG_WRITE
#define ALL	VFIO_DMA_UNMAP_FLAG_ALL
#define TOP	(~0ull - PAGE + 1)

/* Cases in which this backend differs; a line begins with the name of its case. */
static const char * const known[] = {
	"extension 6:",				/* nested translation */
	"extension 10:",			/* VFIO_UPDATE_VADDR */
	"info capability 2 ",			/* migration */
	"info told size ",			/* of which that is a part */
	"map with VADDR ",
	"map memory and registers ",		/* in one range */
	"map registers and memory ",
	"map that wraps ",			/* EINVAL here; type1 has two errors, by kernel */
	"map of memory that wraps ",
	"map of a size that wraps ",
	"unmap that wraps:",
	"unmap with VADDR:",
	"unmap with VADDR among ",
	"unmap nothing with VADDR among ",
	"dirty pages ",
};

static struct pci edu;

/**
 * struct run - the cases on one of the two
 * @vfio: the stack
 * @out: where the lines go
 */
struct run {
	struct vfio vfio;
	FILE *out;
};

static const char *word(int ret)
{
	return ret < 0 ? strerrorname_np(-ret) : "0";
}

static void __attribute__((format(printf, 3, 4))) say(struct run *run, int ret,
						      const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(run->out, format, arguments);
	va_end(arguments);
	fprintf(run->out, " %s\n", word(ret));
}

static int call(struct run *run, unsigned long command, void *argument)
{
	int ret = ioctl(run->vfio.container, command, argument);

	return ret < 0 ? -errno : ret;
}

static void map_says(struct run *run, const char *name, uint64_t iova, void *memory,
		     uint64_t size, uint32_t flags)
{
	say(run, vfio_map(run->vfio.container, iova, memory, size, flags), "map %s", name);
}

static void unmap_says(struct run *run, const char *name, uint64_t iova, uint64_t size,
		       uint32_t flags)
{
	uint64_t unmapped;
	int ret = vfio_unmap(run->vfio.container, iova, size, flags, &unmapped);

	say(run, ret, "unmap %s: %llx bytes", name, (unsigned long long)unmapped);
}

static void clear(struct run *run)
{
	uint64_t unmapped;

	assert_int_equal(vfio_unmap(run->vfio.container, 0, 0, ALL, &unmapped), 0);
}

/* The extensions that VFIO has numbers for, and some that it has not. */
static void extensions(struct run *run)
{
	for (unsigned long i = 0; i < 16; i++)
		say(run, 0, "extension %lu: %d", i, ioctl(run->vfio.container,
							  VFIO_CHECK_EXTENSION, i));
	say(run, 0, "extension ~0: %d", ioctl(run->vfio.container, VFIO_CHECK_EXTENSION, ~0ul));
	say(run, 0, "version: %d", ioctl(run->vfio.container, VFIO_GET_API_VERSION));
	say(run, call(run, _IO(VFIO_TYPE, VFIO_BASE + 15), NULL), "spapr's call");
	say(run, call(run, _IO(';', 250), NULL), "no call");
}

union info {
	struct vfio_iommu_type1_info info;
	char room[4096];
};

static int get_info(struct run *run, union info *info, uint32_t size)
{
	memset(info, 0xee, sizeof(*info));
	info->info.argsz = size;
	info->info.flags = 0;
	return call(run, VFIO_IOMMU_GET_INFO, info);
}

static void say_capability(struct run *run, struct vfio_info_cap_header *header)
{
	struct vfio_iommu_type1_info_cap_iova_range *ranges = (void *)header;
	struct vfio_iommu_type1_info_dma_avail *avail = (void *)header;

	fprintf(run->out, "info capability %u version %u\n", header->id, header->version);
	if (header->id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
		fprintf(run->out, "info %u mappings left\n", avail->avail);
	if (header->id != VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
		return;
	for (unsigned int i = 0; i < ranges->nr_iovas; i++)
		fprintf(run->out, "info range %llx to %llx\n", ranges->iova_ranges[i].start,
			ranges->iova_ranges[i].end);
}

static void capabilities(struct run *run, const union info *info)
{
	uint32_t at = info->info.cap_offset;

	while (at) {
		struct vfio_info_cap_header *header = (void *)(info->room + at);

		say_capability(run, header);
		at = header->next;
	}
}

static void information(struct run *run)
{
	const uint32_t least = offsetof(struct vfio_iommu_type1_info, cap_offset);
	union info info;
	int ret;

	say(run, get_info(run, &info, 0), "info without room");
	say(run, get_info(run, &info, least - 1), "info with too little room");
	ret = get_info(run, &info, least);
	say(run, ret, "info least: flags %x sizes %llx cap_offset %x", info.info.flags,
	    info.info.iova_pgsizes, info.info.cap_offset);
	fprintf(run->out, "info told size %u\n", info.info.argsz);
	ret = get_info(run, &info, sizeof(info.info));
	say(run, ret, "info small: flags %x cap_offset %x", info.info.flags, info.info.cap_offset);
	ret = get_info(run, &info, sizeof(info));
	say(run, ret, "info: flags %x sizes %llx cap_offset %x size %x", info.info.flags,
	    info.info.iova_pgsizes, info.info.cap_offset, info.info.argsz);
	capabilities(run, &info);
	say(run, call(run, VFIO_IOMMU_GET_INFO, NULL), "info of nothing");
}

/* The range of IOVAs that ends last; and the one after it, if the address space goes on. */
static uint64_t last_iova(struct run *run)
{
	struct vfio_iommu_type1_info_cap_iova_range *ranges;
	union info info;

	assert_int_equal(get_info(run, &info, sizeof(info)), 0);
	for (uint32_t at = info.info.cap_offset; at; at = ranges->header.next) {
		ranges = (void *)(info.room + at);
		if (ranges->header.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			return ranges->iova_ranges[ranges->nr_iovas - 1].end;
	}
	fail();
	return 0;
}

static void bad_maps(struct run *run, char *memory)
{
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map) - 1, .flags = R, .iova = IOVA,
						.vaddr = (uintptr_t)memory, .size = PAGE };

	say(run, call(run, VFIO_IOMMU_MAP_DMA, &map), "map with a short structure");
	say(run, call(run, VFIO_IOMMU_MAP_DMA, NULL), "map of nothing");
	map_says(run, "without flags", IOVA, memory, PAGE, 0);
	map_says(run, "with unknown flags", IOVA, memory, PAGE, R | 1u << 31);
	map_says(run, "with VADDR and READ", IOVA, memory, PAGE, R | VFIO_DMA_MAP_FLAG_VADDR);
	map_says(run, "with VADDR", IOVA, memory, PAGE, VFIO_DMA_MAP_FLAG_VADDR);
	map_says(run, "of no bytes", IOVA, memory, 0, R);
	map_says(run, "of half a page", IOVA, memory, PAGE / 2, R);
	map_says(run, "to half a page", IOVA + PAGE / 2, memory, PAGE, R);
	map_says(run, "from half a page", IOVA, memory + PAGE / 2, PAGE, R);
	map_says(run, "that wraps", TOP, memory, 2 * PAGE, R);
	map_says(run, "of memory that wraps", IOVA, (void *)(uintptr_t)TOP, 2 * PAGE, R);
	map_says(run, "of a size that wraps", PAGE, memory, TOP, R);
	map_says(run, "at the very end", TOP, memory, PAGE, R);
}

static void edges(struct run *run, char *memory)
{
	uint64_t end = last_iova(run);
	char *hole = pages_new(1);

	assert_int_equal(munmap(hole, PAGE), 0);
	map_says(run, "at the end of the last range", end - PAGE + 1, memory, PAGE, R);
	map_says(run, "beyond the last range", end + 1, memory, PAGE, R);
	map_says(run, "across its end", end - 2 * PAGE + 1, memory, 4 * PAGE, R);
	map_says(run, "no memory beyond the last range", end + 1, hole, PAGE, R);
	map_says(run, "no memory across its end", end - 2 * PAGE + 1, hole, 4 * PAGE, R);
	map_says(run, "no memory in x86's MSI window", 0xfee00000, hole, PAGE, R);
	map_says(run, "at 0", 0, memory, PAGE, R | W);
	map_says(run, "in x86's MSI window", 0xfee00000, memory, PAGE, R);
	map_says(run, "before it", 0xfedff000, memory, PAGE, R);
	map_says(run, "across its start", 0xfedff000 - PAGE, memory, 4 * PAGE, R);
	map_says(run, "behind it", 0xfef00000, memory, PAGE, R);
	map_says(run, "in Arm's MSI window", 0x8000000, memory, PAGE, R);
	map_says(run, "across its end", 0x80ff000, memory, 2 * PAGE, R);
	clear(run);
}

static void overlaps(struct run *run, char *memory)
{
	map_says(run, "once", IOVA, memory, 4 * PAGE, R | W);
	map_says(run, "again", IOVA, memory, 4 * PAGE, R | W);
	map_says(run, "over its start", IOVA - PAGE, memory, 2 * PAGE, R);
	map_says(run, "over its end", IOVA + 3 * PAGE, memory, 2 * PAGE, R);
	map_says(run, "within", IOVA + PAGE, memory, PAGE, R);
	map_says(run, "around", IOVA - PAGE, memory, 6 * PAGE, R);
	map_says(run, "before", IOVA - PAGE, memory, PAGE, W);
	map_says(run, "behind", IOVA + 4 * PAGE, memory, PAGE, R);
	map_says(run, "the same memory elsewhere", IOVA + 16 * PAGE, memory, 4 * PAGE, R | W);
	clear(run);
}

static void memory_kinds(struct run *run, char *memory)
{
	char *hole = pages_new(4);
	char *constant = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(munmap(hole + 2 * PAGE, PAGE), 0);
	map_says(run, "memory with a hole", IOVA, hole, 4 * PAGE, R);
	map_says(run, "no memory", IOVA, hole + 2 * PAGE, PAGE, R);
	map_says(run, "address 0", IOVA, NULL, PAGE, R);
	map_says(run, "an address of the kernel", IOVA, (void *)0xffff888000000000ul, PAGE, R);
	map_says(run, "constant memory to write", IOVA, constant, PAGE, W);
	map_says(run, "constant memory to read", IOVA, constant, PAGE, R);
	map_says(run, "protected memory", IOVA + PAGE, none, PAGE, R);
	map_says(run, "a device's registers", IOVA + 2 * PAGE, run->vfio.pci->registers, PAGE,
		 R | W);
	map_says(run, "after what failed", IOVA + 4 * PAGE, memory, 4 * PAGE, R | W);
	clear(run);
	munmap(hole, 2 * PAGE);
	munmap(hole + 3 * PAGE, PAGE);
	munmap(constant, PAGE);
	munmap(none, PAGE);
}

/**
 * struct mapping - what a process without privileges wants to map
 * @container: for which
 * @memory: what
 * @size: bytes
 * @flags: VFIO_DMA_MAP_FLAG_*
 */
struct mapping {
	int container;
	void *memory;
	uint64_t size;
	uint32_t flags;
};

/* As a process that may lock two pages. */
static int map_within_limit(void *argument)
{
	const struct rlimit limit = { .rlim_cur = 2 * PAGE, .rlim_max = 2 * PAGE };
	const struct mapping *mapping = argument;

	must(!setrlimit(RLIMIT_MEMLOCK, &limit));
	return vfio_map(mapping->container, IOVA, mapping->memory, mapping->size, mapping->flags);
}

static void limit_says(struct run *run, const char *name, void *memory, unsigned int pages,
		       uint32_t flags)
{
	struct mapping mapping = {
		.container = run->vfio.container, .memory = memory, .size = pages * PAGE,
		.flags = flags,
	};

	say(run, without_capability(CAP_IPC_LOCK, map_within_limit, &mapping), "map %s", name);
	clear(run);
}

/* Two pages may be locked. What cannot be had is not charged before that is known. */
static void limits(struct run *run, char *memory)
{
	char *hole = pages_new(8);
	char *constant = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	pages_fill(hole, 8 * PAGE, 1);
	assert_int_equal(munmap(hole + 3 * PAGE, 4 * PAGE), 0);
	limit_says(run, "more than may be locked", memory, 3, R);
	limit_says(run, "all that may be locked", memory, 2, R);
	limit_says(run, "more no memory than may be locked", hole + 3 * PAGE, 4, R);
	limit_says(run, "too much behind no memory", hole + 6 * PAGE, 4, R);
	limit_says(run, "all that may be locked, and no memory", hole + PAGE, 4, R);
	limit_says(run, "more than may be locked, and no memory", hole, 4, R);
	limit_says(run, "more constant memory than may be locked", constant, 4, W);
	limit_says(run, "more registers than may be locked", run->vfio.pci->registers,
		   run->vfio.pci->size / PAGE, R | W);
	munmap(hole, 3 * PAGE);
	munmap(hole + 7 * PAGE, PAGE);
	munmap(constant, 4 * PAGE);
}

/* Both together, and more of nothing than the machine has memory. */
static void mixtures(struct run *run)
{
	char *room = pages_new(6);
	uint64_t huge = 1ull << 36;
	char *nothing = mmap(NULL, huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			     -1, 0);

	vfio_map_registers(&run->vfio, room + 2 * PAGE, 2 * PAGE);
	map_says(run, "memory and registers in one", IOVA, room, 4 * PAGE, R | W);
	clear(run);
	map_says(run, "registers and memory in one", IOVA, room + 2 * PAGE, 4 * PAGE, R | W);
	clear(run);
	map_says(run, "registers alone", IOVA, room + 2 * PAGE, 2 * PAGE, R | W);
	clear(run);
	map_says(run, "more of nothing than there is memory", huge, nothing, huge, R);
	munmap(nothing, huge);
	pages_free(room, 6);
}

/* What takes a while to map: small pages, which nobody has touched. */
static void long_mapping(struct mapping *mapping, int flags)
{
	mapping->size = 16ul << 20;
	mapping->memory = mmap(NULL, mapping->size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags,
			       -1, 0);
	assert_ptr_not_equal(mapping->memory, MAP_FAILED);
	madvise(mapping->memory, mapping->size, MADV_NOHUGEPAGE);
}

static int map_long(void *argument)
{
	const struct mapping *mapping = argument;

	return vfio_map(mapping->container, IOVA, mapping->memory, mapping->size, R | W);
}

/* Returns whether the call was in the middle of it. */
static bool interrupt_map(struct run *run, enum interruption kind, int *result)
{
	struct mapping mapping = { .container = run->vfio.container };
	struct interrupted interrupted;
	bool amid;

	long_mapping(&mapping, MAP_PRIVATE);
	interrupted_begin(&interrupted, kind, map_long, &mapping);
	amid = interrupt_amid(&interrupted, mapping.memory, mapping.size);
	*result = interrupted_end(&interrupted);
	clear(run);
	munmap(mapping.memory, mapping.size);
	return amid;
}

static void map_with_ticks(struct run *run, bool restart)
{
	struct mapping mapping = { .container = run->vfio.container };
	int ret = 0;

	long_mapping(&mapping, MAP_PRIVATE);
	ticks_begin(restart);
	while (!ret && ticks() < 30) {
		ret = map_long(&mapping);
		clear(run);
	}
	ticks_end();
	say(run, ret, "map with a signal each millisecond%s", restart ? " and SA_RESTART" : "");
	munmap(mapping.memory, mapping.size);
}

/* A child that is killed in the middle; returns whether it was. */
static bool kill_map(struct run *run, int signal, int *left)
{
	struct mapping mapping = { .container = run->vfio.container };
	uint64_t unmapped;
	pid_t child;
	bool amid;

	long_mapping(&mapping, MAP_SHARED);
	child = fork();
	if (!child)
		_exit(map_long(&mapping) ? 1 : 0);
	while (!memory_is_there(mapping.memory))
		sched_yield();
	assert_int_equal(kill(child, signal), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	amid = !memory_is_there((char *)mapping.memory + mapping.size - PAGE);
	assert_int_equal(vfio_unmap(run->vfio.container, 0, 0, ALL, &unmapped), 0);
	*left = unmapped / PAGE;
	munmap(mapping.memory, mapping.size);
	return amid;
}

static void interruptions(struct run *run)
{
	static const int signals[] = { SIGKILL, SIGTERM };
	int ret = 0, left = 0;

	for (enum interruption kind = 0; kind < INTERRUPTIONS; kind++) {
		while (!interrupt_map(run, kind, &ret) && !ret)
			;
		say(run, ret, "map while %s", interruption_names[kind]);
	}
	map_with_ticks(run, false);
	map_with_ticks(run, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++) {
		while (!kill_map(run, signals[i], &left))
			;
		fprintf(run->out, "map while signal %d kills: ends, %d pages mapped\n", signals[i],
			left);
	}
}

/* The limit is that of the container when it was set. */
static void entries(struct run *run, char *memory)
{
	information(run);
	map_says(run, "the first of two", IOVA, memory, PAGE, R);
	map_says(run, "the second of two", IOVA + PAGE, memory, PAGE, R);
	map_says(run, "a third of two", IOVA + 2 * PAGE, memory, PAGE, R);
	map_says(run, "a third over the first", IOVA, memory, PAGE, R);
	map_says(run, "a third out of range", last_iova(run) + 1, memory, PAGE, R);
	map_says(run, "a third in x86's MSI window", 0xfee00000, memory, PAGE, R);
	map_says(run, "a third in Arm's MSI window", 0x8000000, memory, PAGE, R);
	map_says(run, "a third of no memory", IOVA + 2 * PAGE, NULL, PAGE, R);
	map_says(run, "a third of registers", IOVA + 2 * PAGE, run->vfio.pci->registers, PAGE, R);
	information(run);
	unmap_says(run, "the first", IOVA, PAGE, 0);
	map_says(run, "a third now", IOVA + 2 * PAGE, memory, PAGE, R);
	clear(run);
}

static void bad_unmaps(struct run *run, char *memory)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap) - 1, .iova = IOVA, .size = PAGE,
	};

	map_says(run, "four pages", IOVA, memory, 4 * PAGE, R | W);
	say(run, call(run, VFIO_IOMMU_UNMAP_DMA, &unmap), "unmap with a short structure");
	say(run, call(run, VFIO_IOMMU_UNMAP_DMA, NULL), "unmap of nothing");
	unmap_says(run, "with unknown flags", IOVA, 4 * PAGE, 1u << 31);
	unmap_says(run, "with GET_DIRTY_BITMAP", IOVA, 4 * PAGE,
		   VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
	unmap_says(run, "with VADDR and GET_DIRTY_BITMAP", IOVA, 4 * PAGE,
		   VFIO_DMA_UNMAP_FLAG_VADDR | VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
	unmap_says(run, "of no bytes", IOVA, 0, 0);
	unmap_says(run, "of half a page", IOVA, PAGE / 2, 0);
	unmap_says(run, "of a page and a half", IOVA, PAGE + PAGE / 2, 0);
	unmap_says(run, "from half a page", IOVA + PAGE / 2, PAGE, 0);
	unmap_says(run, "that wraps", TOP, 2 * PAGE, 0);
	unmap_says(run, "of ~0 bytes", 0, ~0ull, 0);
	unmap_says(run, "all and an address", IOVA, 0, ALL);
	unmap_says(run, "all and a size", 0, 4 * PAGE, ALL);
	unmap_says(run, "its start", IOVA, PAGE, 0);
	unmap_says(run, "its end", IOVA + 3 * PAGE, PAGE, 0);
	unmap_says(run, "its middle", IOVA + PAGE, PAGE, 0);
	unmap_says(run, "over its start", IOVA - PAGE, 2 * PAGE, 0);
	unmap_says(run, "over its end", IOVA + 3 * PAGE, 2 * PAGE, 0);
	unmap_says(run, "with VADDR", IOVA, 4 * PAGE, VFIO_DMA_UNMAP_FLAG_VADDR);
}

static void good_unmaps(struct run *run, char *memory)
{
	unmap_says(run, "where nothing is", IOVA + 64 * PAGE, 64 * PAGE, 0);
	unmap_says(run, "it", IOVA, 4 * PAGE, 0);
	unmap_says(run, "it again", IOVA, 4 * PAGE, 0);
	for (unsigned int i = 0; i < 8; i += 2)
		map_says(run, "every other page", IOVA + i * PAGE, memory, PAGE, R);
	unmap_says(run, "three of them", IOVA, 6 * PAGE, 0);
	unmap_says(run, "around one", IOVA + 4 * PAGE, 16 * PAGE, 0);
	map_says(run, "again", IOVA, memory, 4 * PAGE, R | W);
	map_says(run, "and elsewhere", IOVA + 64 * PAGE, memory, 4 * PAGE, R | W);
	unmap_says(run, "all", 0, 0, ALL);
	unmap_says(run, "all again", 0, 0, ALL);
	map_says(run, "once more", IOVA, memory, 4 * PAGE, R);
	unmap_says(run, "the whole space in one range", 0, 1ull << 63, 0);
}

/* All that VFIO has a flag for, and each other bit. */
static uint32_t next_flags(uint32_t flags, uint32_t known)
{
	return flags < known ? flags + 1 : flags == known ? known + 1 : flags << 1;
}

static void map_flags(struct run *run, char *memory)
{
	const uint32_t known = R | W | VFIO_DMA_MAP_FLAG_VADDR;
	uint32_t flags = 0;

	do {
		const char *which = flags & VFIO_DMA_MAP_FLAG_VADDR ? "VADDR among " : "";

		say(run, vfio_map(run->vfio.container, IOVA, memory, PAGE, flags),
		    "map with %sflags %x", which, flags);
		say(run, vfio_map(run->vfio.container, IOVA + PAGE, run->vfio.pci->registers,
				  PAGE, flags), "map with %sflags %x, of registers", which, flags);
		clear(run);
		flags = next_flags(flags, known);
	} while (flags);
}

static void unmap_flags(struct run *run, char *memory)
{
	const uint32_t known = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | ALL |
			       VFIO_DMA_UNMAP_FLAG_VADDR;
	uint32_t flags = 0;
	uint64_t unmapped;

	do {
		const char *which = flags & VFIO_DMA_UNMAP_FLAG_VADDR ? "VADDR among " : "";

		assert_int_equal(vfio_map(run->vfio.container, IOVA, memory, PAGE, R), 0);
		say(run, vfio_unmap(run->vfio.container, IOVA, PAGE, flags, &unmapped),
		    "unmap with %sflags %x", which, flags);
		say(run, vfio_unmap(run->vfio.container, 0, 0, flags, &unmapped),
		    "unmap nothing with %sflags %x", which, flags);
		clear(run);
		flags = next_flags(flags, known);
	} while (flags);
}

static void dirty_pages(struct run *run)
{
	struct vfio_iommu_type1_dirty_bitmap bitmap = {
		.argsz = sizeof(bitmap), .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};

	say(run, call(run, VFIO_IOMMU_DIRTY_PAGES, &bitmap), "dirty pages from now on");
	bitmap.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP;
	say(run, call(run, VFIO_IOMMU_DIRTY_PAGES, &bitmap), "dirty pages no more");
}

/* All cases; the text is the caller's. */
static char *run_cases(const char *module, unsigned long type)
{
	char *memory = pages_new(8), *text;
	struct run run;
	size_t size;

	run.out = open_memstream(&text, &size);
	assert_int_equal(vfio_parameter(module, "dma_entry_limit", "65535"), 0);
	vfio_open(&run.vfio, &edu, type);
	extensions(&run);
	information(&run);
	bad_maps(&run, memory);
	edges(&run, memory);
	overlaps(&run, memory);
	memory_kinds(&run, memory);
	limits(&run, memory);
	interruptions(&run);
	mixtures(&run);
	bad_unmaps(&run, memory);
	good_unmaps(&run, memory);
	map_flags(&run, memory);
	unmap_flags(&run, memory);
	dirty_pages(&run);
	vfio_close(&run.vfio);

	assert_int_equal(vfio_parameter(module, "dma_entry_limit", "2"), 0);
	vfio_open(&run.vfio, &edu, type);
	entries(&run, memory);
	vfio_close(&run.vfio);
	assert_int_equal(vfio_parameter(module, "dma_entry_limit", "65535"), 0);
	fclose(run.out);
	pages_free(memory, 8);
	return text;
}

static bool is_known(const char *line)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++)
		if (!strncmp(line, known[i], strlen(known[i])))
			return true;
	return false;
}

/* The next line that is to be compared, cut off from the text. */
static char *next_line(char **text, const char *whose)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		if (!is_known(line))
			return line;
		printf("# %s: %s\n", whose, line);
	}
	return NULL;
}

static unsigned int compare(char *type1, char *ours)
{
	unsigned int differences = 0, lines = 0;
	char *left, *right;

	do {
		left = next_line(&type1, "type1 ");
		right = next_line(&ours, "faultq");
		lines++;
		if (left && right && !strcmp(left, right))
			continue;
		if (left || right) {
			printf("# type1 says '%s', faultq '%s'\n", left ?: "", right ?: "");
			differences++;
		}
	} while (left && right);
	printf("# %u lines compared\n", lines);
	return differences;
}

/* In the place of which version of type1, and by which number. */
static void both_say_the_same(unsigned long version, unsigned long type)
{
	char *type1, *ours;

	type1 = run_cases("vfio_iommu_type1", version);
	if (type != FAULTQ_VFIO_IOMMU)
		assert_int_equal(vfio_parameter(MODULE_VFIO, "type1", "1"), 0);
	ours = run_cases(MODULE_VFIO, type);
	assert_int_equal(vfio_parameter(MODULE_VFIO, "type1", "0"), 0);
	assert_int_equal(compare(type1, ours), 0);
	free(type1);
	free(ours);
}

static void the_backend_says_what_type1_says(void **state)
{
	(void)state;
	both_say_the_same(VFIO_TYPE1v2_IOMMU, FAULTQ_VFIO_IOMMU);
}

static void it_does_in_the_place_of_type1(void **state)
{
	(void)state;
	both_say_the_same(VFIO_TYPE1v2_IOMMU, VFIO_TYPE1v2_IOMMU);
}

static void it_does_in_the_place_of_its_first_version(void **state)
{
	(void)state;
	both_say_the_same(VFIO_TYPE1_IOMMU, VFIO_TYPE1_IOMMU);
}

static int load_all(void **state)
{
	(void)state;
	vfio_take_edu(&edu);
	return 0;
}

static int unload_all(void **state)
{
	(void)state;
	vfio_give_edu_back(&edu);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_backend_says_what_type1_says),
		cmocka_unit_test(it_does_in_the_place_of_type1),
		cmocka_unit_test(it_does_in_the_place_of_its_first_version),
	};

	return tap_run_group(tests, load_all, unload_all);
}
