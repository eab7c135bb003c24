// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests of quota_fair.c, on VMs of VFIO containers.
 */
#include "quota_fair.c"
