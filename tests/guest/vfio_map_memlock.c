// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests of map_memlock.c, on VMs of VFIO containers.
 */
#include "map_memlock.c"
