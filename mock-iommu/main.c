// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading of the mock IOMMU: configfs, where instances and devices
 * are made, and /dev/mock-iommu, through which programs use them.
 *
 * Every directory in configfs, open file, probed device and IOMMU domain holds the
 * module, so that nothing of the mock is alive when it is unloaded.
 */
#include <linux/module.h>

#include "mock.h"

static int __init mock_init(void)
{
	int ret;

	ret = mock_msi_init();
	if (ret)
		return ret;
	ret = mock_config_init();
	if (ret)
		goto exit_msi;
	ret = mock_chardev_init();
	if (ret)
		goto exit_config;
	return 0;

exit_config:
	mock_config_exit();
exit_msi:
	mock_msi_exit();
	return ret;
}

static void __exit mock_exit(void)
{
	mock_chardev_exit();
	mock_config_exit();
	mock_msi_exit();
}

module_init(mock_init);
module_exit(mock_exit);
MODULE_DESCRIPTION("Mock IOMMU with devices that do DMA and fault, for tests");
MODULE_VERSION(FAULTQ_VERSION);
MODULE_LICENSE("GPL");
