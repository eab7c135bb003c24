// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests of space_windows.c, on VMs of VFIO containers.
 */
#include "space_windows.c"
