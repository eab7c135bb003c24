// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests of space_ends.c, behind an Intel IOMMU of 48 bits in scalable mode instead of 39 bits.
 */
#include "space_ends.c"
