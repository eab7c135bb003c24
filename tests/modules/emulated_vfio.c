// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that VFIO hands out and that software emulates, as mediated devices are: VFIO gives it a
 * group of its own, behind no IOMMU. It can do nothing, but its file can be mapped: a part of the
 * first BAR of a PCI device is there then, as when a device is divided into mediated ones.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/vfio.h>

static char parent[32];
module_param_string(parent, parent, sizeof(parent), 0600);
MODULE_PARM_DESC(parent, "PCI device whose first BAR is mapped");

struct emulated {
	struct vfio_device vdev;
};

/* Up to 6.1 it is for the driver to free a device; since then VFIO has no such function. */
static void emulated_release(struct vfio_device *vdev)
{
	void (*free_device)(struct vfio_device *vdev) = __symbol_get("vfio_free_device");

	if (!free_device)
		return;
	free_device(vdev);
	__symbol_put("vfio_free_device");
}

static int emulated_map(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, parent);
	phys_addr_t start;

	if (!dev)
		return -ENODEV;
	start = pci_resource_start(to_pci_dev(dev), 0);
	put_device(dev);
	return io_remap_pfn_range(vma, vma->vm_start, PHYS_PFN(start) + vma->vm_pgoff,
				  vma->vm_end - vma->vm_start,
				  pgprot_noncached(vma->vm_page_prot));
}

static const struct vfio_device_ops emulated_ops = {
	.name = "emulated",
	.release = emulated_release,
	.mmap = emulated_map,
};

static int emulated_probe(struct platform_device *pdev)
{
	struct emulated *emulated = vfio_alloc_device(emulated, vdev, &pdev->dev, &emulated_ops);
	int ret;

	if (IS_ERR(emulated))
		return PTR_ERR(emulated);
	ret = vfio_register_emulated_iommu_dev(&emulated->vdev);
	if (ret)
		vfio_put_device(&emulated->vdev);
	platform_set_drvdata(pdev, emulated);
	return ret;
}

static void emulated_end(struct platform_device *pdev)
{
	struct emulated *emulated = platform_get_drvdata(pdev);

	vfio_unregister_group_dev(&emulated->vdev);
	vfio_put_device(&emulated->vdev);
}

static struct platform_driver emulated_driver = {
	.driver = {
		.name = "emulated",
		.suppress_bind_attrs = true,
	},
	.probe = emulated_probe,
};

static struct platform_device *emulated_device;

static int __init emulated_init(void)
{
	int ret = platform_driver_register(&emulated_driver);

	if (ret)
		return ret;
	emulated_device = platform_device_register_simple("emulated", -1, NULL, 0);
	if (!IS_ERR(emulated_device))
		return 0;
	platform_driver_unregister(&emulated_driver);
	return PTR_ERR(emulated_device);
}

/* What the driver's own callback returns differs between kernels, so there is none. */
static void __exit emulated_exit(void)
{
	emulated_end(emulated_device);
	platform_device_unregister(emulated_device);
	platform_driver_unregister(&emulated_driver);
}

module_init(emulated_init);
module_exit(emulated_exit);
MODULE_DESCRIPTION("A VFIO device that software emulates, for tests");
MODULE_LICENSE("GPL");
