/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A module that stands for one which this kernel cannot have, and does not load. DKMS wants
 * each module of a package built for each kernel; see dkms.conf. Made from what every kernel
 * has.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

static int __init placeholder_init(void)
{
	pr_err("%s does not support this kernel\n", KBUILD_MODNAME);
	return -EOPNOTSUPP;
}
module_init(placeholder_init);

MODULE_DESCRIPTION("Placeholder: the module does not support this kernel");
MODULE_VERSION(FAULTQ_VERSION);
MODULE_LICENSE("GPL");
