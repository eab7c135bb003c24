/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MMIO that a process has mapped; see bar.c.
 */
#ifndef FQ_BAR_H
#define FQ_BAR_H

#include <linux/types.h>

struct device;
struct mm_struct;
struct vm_area_struct;

/**
 * struct fq_bar_range - MMIO at an address of a process, within one BAR
 * @mm: the process
 * @address: page-aligned
 * @size: bytes, page-aligned
 * @writable: devices may write
 * @partly: take what is watched only in part
 */
struct fq_bar_range {
	struct mm_struct *mm;
	unsigned long address;
	unsigned long size;
	bool writable;
	bool partly;
};

bool fq_bar_acceptable(const struct vm_area_struct *vma, bool partly);
bool fq_bar_at(unsigned long address);
int fq_bar_look_up(const struct fq_bar_range *range, phys_addr_t *phys);
bool fq_bar_of(struct device *dev, phys_addr_t phys, unsigned long size);

#endif
