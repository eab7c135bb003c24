/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that can happen to mappings of MMIO while the MMIO goes, at the same time: threads
 * map, unmap and restore, devices fault, come and go, VMs are closed, processes killed, views of
 * the BAR unmapped and protected. What fails in a thread ends the program.
 *
 * The MMIO is the BAR of support/mmio.h; what is known to all is in struct commotion.
 */
#ifndef TESTS_SUPPORT_COMMOTION_H
#define TESTS_SUPPORT_COMMOTION_H

#include <faultq.h>
#include <stdatomic.h>

#include "mmio.h"

#define COMMOTION_IOVA		0x200000ull	/* of the mapping that all know of */
#define COMMOTION_MAPPER	0x300000ull	/* of one that comes and goes */
#define COMMOTION_VIEW		0x400000ull	/* of a view that comes and goes in the process */
#define COMMOTION_SCRATCH	0x500000ull	/* of one with a scratch page and retries */

/**
 * struct commotion - what the threads work on
 * @bar: the BAR, open
 * @vm: the VM, to which a device is attached
 * @id: of the mapping that all know of
 */
struct commotion {
	struct bar bar;
	struct faultq *vm;
	atomic_ullong id;
};

extern struct commotion commotion;

int commotion_make_devices(void **state);
int commotion_remove_devices(void **state);
int commotion_open(void **state);
int commotion_close(void **state);

void commotion_map_anew(void);
void commotion_race(void (*zap)(void), unsigned long rounds);
void commotion_assert_all_comes_back(void);

void assert_no_way(uint64_t iova);
void assert_no_bar(uint64_t iova);

#endif
