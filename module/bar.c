// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO that a process has mapped: where it is, and whether its disappearance is told.
 *
 * A mapping of MMIO is good for a device's DMA only if its owner takes it out of the process
 * when the MMIO goes, as the MMU notifiers tell of no other end. The BARs that VFIO hands out
 * are such; sysfs' resource files are in part; of anything else nothing is known, so it is
 * refused. What is found must be one BAR of a PCI device, whatever the process says, and if it
 * is VFIO's, of a device that is in user space's hands: bound to a driver that leaves its DMA to
 * others, and owned by somebody.
 *
 * Nothing here has a state. All functions may sleep.
 */
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "bar.h"
#include "compat/compat.h"

/* Pages that are looked up while the mmap lock is held. */
#define FQ_BAR_BATCH 512

/* A file of a VFIO device; of one that has no name in a file system where VFIO is no module. */
static bool fq_file_is_vfio(const struct file *file)
{
	struct module *owner = file->f_op->owner;

	if (owner)
		return !strcmp(module_name(owner), "vfio");
	return file_inode(file)->i_sb->s_flags & SB_NOUSER &&
	       !strcmp(file->f_path.dentry->d_name.name, "[vfio-device]");
}

static bool fq_file_is_sysfs(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == SYSFS_MAGIC;
}

/**
 * fq_bar_acceptable() - may a mapping of a process be that of a watched BAR
 * @vma: the mapping; its mmap lock is held
 * @partly: take what is watched only in part
 *
 * Return: whether to look further.
 */
bool fq_bar_acceptable(const struct vm_area_struct *vma, bool partly)
{
	if (!(vma->vm_flags & VM_PFNMAP) || !(vma->vm_flags & VM_SHARED) || !vma->vm_file)
		return false;
	return fq_file_is_vfio(vma->vm_file) || (partly && fq_file_is_sysfs(vma->vm_file));
}

/**
 * fq_bar_at() - has the caller mapped what may be MMIO
 * @address: from user space, anything
 *
 * Return: whether to look further.
 */
bool fq_bar_at(unsigned long address)
{
	const struct vm_area_struct *vma;
	bool found;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, address);
	found = vma && vma->vm_flags & VM_PFNMAP;
	mmap_read_unlock(current->mm);
	return found;
}
EXPORT_SYMBOL_FAULTQ(fq_bar_at);

/**
 * struct fq_found - what was looked up of a range so far
 * @phys: where it begins
 * @vfio: some of it is in a file of VFIO
 */
struct fq_found {
	phys_addr_t phys;
	bool vfio;
};

/* Like the CPU's access. Sets @unlocked when the mapping may have changed meanwhile. */
static int fq_fault_in(const struct fq_bar_range *range, unsigned long address, bool *unlocked)
{
	unsigned int flags = range->writable ? FAULT_FLAG_WRITE : 0;
	int ret = fixup_user_fault(range->mm, address, flags, unlocked);

	return ret == -ENOMEM ? ret : ret ? -ENXIO : 0;
}

static int fq_follow_now(const struct fq_bar_range *range, struct vm_area_struct *vma,
			 unsigned long address, struct fq_followed *followed)
{
	if (fq_compat_follow(vma, address, followed))
		return -ENXIO;
	return range->writable && !followed->writable ? -EFAULT : 0;
}

/* Returns -EAGAIN when the mapping has to be looked up again. */
static int fq_follow(const struct fq_bar_range *range, struct vm_area_struct *vma,
		     unsigned long address, struct fq_followed *followed)
{
	bool unlocked = false;
	int ret;

	if (!fq_follow_now(range, vma, address, followed))
		return 0;
	ret = fq_fault_in(range, address, &unlocked);
	if (ret)
		return ret;
	return unlocked ? -EAGAIN : fq_follow_now(range, vma, address, followed);
}

static int fq_look_up_one(const struct fq_bar_range *range, unsigned long address,
			  struct fq_found *found, struct fq_followed *followed)
{
	struct vm_area_struct *vma = vma_lookup(range->mm, address);

	if (!vma || !fq_bar_acceptable(vma, range->partly))
		return -EFAULT;
	if (range->writable && !(vma->vm_flags & VM_WRITE))
		return -EFAULT;
	if (fq_file_is_vfio(vma->vm_file))
		found->vfio = true;
	return fq_follow(range, vma, address, followed);
}

/* What follows on @done bytes must be what comes next in the BAR; returns the bytes found. */
static long fq_look_up_next(const struct fq_bar_range *range, unsigned long done,
			    struct fq_found *found)
{
	struct fq_followed followed;
	int ret;

	do {
		ret = fq_look_up_one(range, range->address + done, found, &followed);
	} while (ret == -EAGAIN && !fatal_signal_pending(current));
	if (ret)
		return ret == -EAGAIN ? -EINTR : ret;
	if (!done)
		found->phys = PFN_PHYS(followed.pfn);
	if (PFN_PHYS(followed.pfn) != found->phys + done)
		return -EFAULT;
	return min(followed.size, range->size - done);
}

/* Some more, under the mmap lock; returns all bytes done. */
static long fq_look_up_some(const struct fq_bar_range *range, unsigned long done,
			    struct fq_found *found)
{
	unsigned int i;
	long more = 0;

	mmap_read_lock(range->mm);
	for (i = 0; i < FQ_BAR_BATCH && done < range->size; i++) {
		more = fq_look_up_next(range, done, found);
		if (more < 0)
			break;
		done += more;
	}
	mmap_read_unlock(range->mm);
	return more < 0 ? more : done;
}

static int fq_look_up_all(const struct fq_bar_range *range, struct fq_found *found)
{
	long done = 0;

	while (done < range->size) {
		if (fatal_signal_pending(current))
			return -EINTR;
		done = fq_look_up_some(range, done, found);
		if (done < 0)
			return done;
		cond_resched();
	}
	return 0;
}

/**
 * fq_bar_of() - is a range in a BAR of a device
 * @dev: any device
 * @phys: first physical address
 * @size: bytes
 *
 * Return: whether it is, the page in which a BAR ends included.
 */
bool fq_bar_of(struct device *dev, phys_addr_t phys, unsigned long size)
{
	const struct resource *bar;
	int i;

	if (!dev_is_pci(dev))
		return false;
	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		bar = &to_pci_dev(dev)->resource[i];
		if (bar->flags & IORESOURCE_MEM && resource_size(bar) &&
		    phys >= bar->start && phys + size - 1 <= (bar->end | ~PAGE_MASK))
			return true;
	}
	return false;
}

/* Is it the driver of a device, and leaves its DMA to others? It stays registered meanwhile. */
static int fq_driver_leaves_dma(struct device_driver *driver, void *data)
{
	const struct device *dev = data;

	return READ_ONCE(dev->driver) == driver && to_pci_driver(driver)->driver_managed_dma;
}

/*
 * Does user space own the device, as with VFIO? A driver that does DMA itself owns it too, as far
 * as its group tells: that is the device that an mdev is a part of. VFIO's do none.
 */
static bool fq_dev_is_users(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);
	bool owned = group && iommu_group_dma_owner_claimed(group);

	iommu_group_put(group);
	return owned && bus_for_each_drv(&pci_bus_type, NULL, dev, fq_driver_leaves_dma);
}

/* What VFIO has handed out, it must have from user space's device; sysfs, from any. */
static bool fq_bar_is_watched(const struct fq_found *found, unsigned long size)
{
	struct pci_dev *pdev = NULL;
	bool watched = false;

	for_each_pci_dev(pdev) {
		if (fq_bar_of(&pdev->dev, found->phys, size)) {
			watched = !found->vfio || fq_dev_is_users(&pdev->dev);
			pci_dev_put(pdev);
			break;
		}
	}
	return watched;
}

/**
 * fq_bar_look_up() - find the MMIO that a process has mapped
 * @range: where
 * @phys: is set to its physical address
 *
 * What is found holds only for as long as nothing was revoked since before the call.
 *
 * Return: 0; -ENXIO it is away at present; -EFAULT what is there cannot be mapped; -ESRCH the
 * process is gone; -ENOMEM; or -EINTR when the caller is being killed.
 */
int fq_bar_look_up(const struct fq_bar_range *range, phys_addr_t *phys)
{
	struct fq_found found = {};
	int ret;

	if (!mmget_not_zero(range->mm))
		return -ESRCH;
	ret = fq_look_up_all(range, &found);
	mmput(range->mm);
	if (ret)
		return ret;
	*phys = found.phys;
	return fq_bar_is_watched(&found, range->size) ? 0 : -EFAULT;
}
