// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/mock-iommu: the program's interface to mock devices, uapi/linux/mock-iommu.h.
 *
 * Every call but PAGE_REQUEST is an entry of one table: the structure is copied in by its
 * size, its result is proven to be writable before anything is done, and copied out after
 * success. A file has the device it was bound to, once and for ever, and its DMAs by
 * tag; the array's own lock guards it.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "../module/copy.h"
#include "mock.h"

#define MOCK_FILE_DMAS	1024

/**
 * struct mock_file - an open file
 * @device: NULL until BIND, then it never changes
 * @dmas: DMAs that were not collected, by tag
 * @nr_dmas: how many
 * @next_tag: for the array
 */
struct mock_file {
	struct mock_device *device;
	struct xarray dmas;
	atomic_t nr_dmas;
	u32 next_tag;
};

union mock_argument {
	u32 size;
	struct mock_iommu_bind bind;
	struct mock_iommu_dma_start dma_start;
	struct mock_iommu_dma_wait dma_wait;
	struct mock_iommu_unrecoverable unrecoverable;
	struct mock_iommu_response response;
	struct mock_iommu_state state;
	struct mock_iommu_scan scan;
	struct mock_iommu_msi msi;
};

static int mock_ioctl_bind(struct mock_file *file, union mock_argument *arg)
{
	struct mock_iommu_bind *bind = &arg->bind;
	struct mock_device *device;

	if (bind->flags || strnlen(bind->name, sizeof(bind->name)) == sizeof(bind->name))
		return -EINVAL;
	if (READ_ONCE(file->device))
		return -EBUSY;
	device = mock_device_find(bind->name);
	if (!device)
		return -ENOENT;
	if (cmpxchg(&file->device, NULL, device)) {
		mock_device_put(device);
		return -EBUSY;
	}
	return 0;
}

static int dma_fill(struct mock_dma *dma, u64 data)
{
	if (!(dma->access & MOCK_IOMMU_WRITE))
		return data ? -EINVAL : 0;
	if (copy_from_user(dma->buffer, u64_to_user_ptr(data), dma->length))
		return -EFAULT;
	return 0;
}

/* From here on the array has the caller's reference. */
static int dma_enter(struct mock_file *file, struct mock_dma *dma, u32 *tag)
{
	int ret = -EBUSY;

	if (atomic_inc_return(&file->nr_dmas) <= MOCK_FILE_DMAS)
		ret = xa_alloc_cyclic(&file->dmas, tag, dma, XA_LIMIT(1, INT_MAX),
				      &file->next_tag, GFP_KERNEL_ACCOUNT);
	if (ret < 0)
		atomic_dec(&file->nr_dmas);
	return ret < 0 ? ret : 0;
}

static bool dma_leave(struct mock_file *file, u32 tag, struct mock_dma *dma)
{
	if (xa_cmpxchg(&file->dmas, tag, dma, NULL, 0) != dma)
		return false;
	atomic_dec(&file->nr_dmas);
	mock_dma_put(dma);
	return true;
}

static int mock_ioctl_dma_start(struct mock_file *file, union mock_argument *arg)
{
	struct mock_iommu_dma_start *start = &arg->dma_start;
	struct mock_dma *dma;
	int ret;

	dma = mock_dma_alloc(file->device, start);
	if (IS_ERR(dma))
		return PTR_ERR(dma);
	ret = dma_fill(dma, start->data);
	if (!ret)
		ret = dma_enter(file, dma, &start->tag);
	if (ret) {
		mock_dma_put(dma);
		return ret;
	}
	ret = mock_dma_start(dma);
	if (ret)
		dma_leave(file, start->tag, dma);
	return ret;
}

static struct mock_dma *dma_get(struct mock_file *file, u32 tag)
{
	struct mock_dma *dma;

	xa_lock(&file->dmas);
	dma = xa_load(&file->dmas, tag);
	if (dma)
		kref_get(&dma->ref);
	xa_unlock(&file->dmas);
	return dma;
}

static int dma_collect(struct mock_dma *dma, struct mock_iommu_dma_wait *wait)
{
	if (dma->access & MOCK_IOMMU_WRITE) {
		if (wait->data)
			return -EINVAL;
	} else if (copy_to_user(u64_to_user_ptr(wait->data), dma->buffer, dma->done)) {
		return -EFAULT;
	}
	wait->status = dma->status;
	wait->done = dma->done;
	wait->requests = dma->requests;
	return 0;
}

static int mock_ioctl_dma_wait(struct mock_file *file, union mock_argument *arg)
{
	struct mock_iommu_dma_wait *wait = &arg->dma_wait;
	struct mock_dma *dma;
	int ret = 0;

	if (wait->flags & ~MOCK_IOMMU_NOWAIT || wait->reserved)
		return -EINVAL;
	dma = dma_get(file, wait->tag);
	if (!dma)
		return READ_ONCE(file->device->live) ? -ENOENT : -ENODEV;

	if (!(wait->flags & MOCK_IOMMU_NOWAIT))
		ret = wait_for_completion_interruptible(&dma->ended);
	else if (!completion_done(&dma->ended))
		ret = -EAGAIN;
	if (!ret)
		ret = dma_collect(dma, wait);
	if (!ret && !dma_leave(file, wait->tag, dma))
		ret = -ENOENT;
	mock_dma_put(dma);
	return ret;
}

static int mock_ioctl_unrecoverable(struct mock_file *file, union mock_argument *arg)
{
	return mock_inject_faults(file->device, &arg->unrecoverable);
}

static int mock_ioctl_response(struct mock_file *file, union mock_argument *arg)
{
	struct mock_iommu_response *response = &arg->response;

	if (response->flags & ~MOCK_IOMMU_NOWAIT)
		return -EINVAL;
	return mock_answer_take(file->device, !(response->flags & MOCK_IOMMU_NOWAIT), response);
}

static int mock_ioctl_state(struct mock_file *file, union mock_argument *arg)
{
	if (arg->state.flags)
		return -EINVAL;
	return mock_device_state(file->device, &arg->state);
}

static bool scan_valid(const struct mock_iommu_scan *scan)
{
	return (scan->flags == MOCK_IOMMU_READ || scan->flags == MOCK_IOMMU_WRITE) &&
	       !scan->reserved && PAGE_ALIGNED(scan->iova) && scan->count &&
	       scan->count <= MOCK_IOMMU_SCAN_MAX;
}

static int scan_copied(struct mock_file *file, const struct mock_iommu_scan *scan,
		       struct mock_iommu_scan_page *pages)
{
	void __user *user = u64_to_user_ptr(scan->pages);
	size_t size = scan->count * sizeof(*pages);

	if (copy_from_user(pages, user, size))
		return -EFAULT;
	mock_scan(file->device, scan->flags, scan->iova, pages, scan->count);
	return copy_to_user(user, pages, size) ? -EFAULT : 0;
}

static int mock_ioctl_scan(struct mock_file *file, union mock_argument *arg)
{
	struct mock_iommu_scan_page *pages;
	int ret;

	if (!scan_valid(&arg->scan))
		return -EINVAL;
	if (!READ_ONCE(file->device->live))
		return -ENODEV;
	pages = kmalloc_array(arg->scan.count, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	ret = scan_copied(file, &arg->scan, pages);
	kfree(pages);
	return ret;
}

static int mock_ioctl_msi_bind(struct mock_file *file, union mock_argument *arg)
{
	return mock_msi_bind(file->device, &arg->msi);
}

static int mock_ioctl_msi_unbind(struct mock_file *file, union mock_argument *arg)
{
	return mock_msi_unbind(file->device, &arg->msi);
}

static int mock_ioctl_msi_send(struct mock_file *file, union mock_argument *arg)
{
	return mock_msi_send(file->device, &arg->msi);
}

static int mock_ioctl_msi_read(struct mock_file *file, union mock_argument *arg)
{
	return mock_msi_read(&arg->msi);
}

struct mock_ioctl {
	unsigned int size;	/* of the structure as this kernel knows it */
	unsigned int least;	/* of the structure as first published */
	bool out;		/* something is written back */
	int (*run)(struct mock_file *file, union mock_argument *arg);
};

#define MOCK_IOCTL_OF(_cmd, _run, _name, _last, _out)				\
	[_IOC_NR(_cmd) - MOCK_IOCTL_FIRST] = {					\
		.size = sizeof(struct mock_iommu_##_name),			\
		.least = offsetofend(struct mock_iommu_##_name, _last),		\
		.out = _out,							\
		.run = _run,							\
	}

#define MOCK_IOCTL(_cmd, _name, _last, _out)					\
	MOCK_IOCTL_OF(_cmd, mock_ioctl_##_name, _name, _last, _out)

#define MOCK_IOCTL_FIRST _IOC_NR(MOCK_IOMMU_BIND)

static const struct mock_ioctl mock_ioctls[] = {
	MOCK_IOCTL(MOCK_IOMMU_BIND, bind, name, false),
	MOCK_IOCTL(MOCK_IOMMU_DMA_START, dma_start, tag, true),
	MOCK_IOCTL(MOCK_IOMMU_DMA_WAIT, dma_wait, reserved, true),
	MOCK_IOCTL(MOCK_IOMMU_UNRECOVERABLE, unrecoverable, reserved, true),
	MOCK_IOCTL(MOCK_IOMMU_RESPONSE, response, dropped, true),
	MOCK_IOCTL(MOCK_IOMMU_STATE, state, dmas, true),
	MOCK_IOCTL(MOCK_IOMMU_SCAN, scan, reserved, false),
	MOCK_IOCTL_OF(MOCK_IOMMU_MSI_BIND, mock_ioctl_msi_bind, msi, reserved, true),
	MOCK_IOCTL_OF(MOCK_IOMMU_MSI_UNBIND, mock_ioctl_msi_unbind, msi, reserved, false),
	MOCK_IOCTL_OF(MOCK_IOMMU_MSI_SEND, mock_ioctl_msi_send, msi, reserved, true),
	MOCK_IOCTL_OF(MOCK_IOMMU_MSI_READ, mock_ioctl_msi_read, msi, reserved, true),
};

static const struct mock_ioctl *ioctl_find(unsigned int cmd)
{
	unsigned int index = _IOC_NR(cmd) - MOCK_IOCTL_FIRST;

	if (cmd != _IO(MOCK_IOMMU_IOC_TYPE, _IOC_NR(cmd)) || index >= ARRAY_SIZE(mock_ioctls))
		return NULL;
	index = array_index_nospec(index, ARRAY_SIZE(mock_ioctls));
	return mock_ioctls[index].run ? &mock_ioctls[index] : NULL;
}

static long ioctl_run(const struct mock_ioctl *ioctl, struct mock_file *file, bool unbound,
		      void __user *user)
{
	union mock_argument arg;
	int ret;

	ret = fq_copy_from(&arg, ioctl->size, ioctl->least, user);
	if (!ret && ioctl->out)
		ret = fq_copy_probe(user, &arg, ioctl->size);
	if (ret)
		return ret;
	if (!unbound && !READ_ONCE(file->device))
		return -ENOTCONN;
	ret = ioctl->run(file, &arg);
	if (!ret && ioctl->out)
		ret = fq_copy_out(user, &arg, ioctl->size);
	return ret;
}

/* Benchmarks of what takes page requests have this call in every figure. */
static long ioctl_page_request(struct mock_file *file, struct mock_iommu_page_request __user *user)
{
	struct mock_iommu_page_request inject;
	int ret;

	ret = fq_copy_from(&inject, sizeof(inject),
			   offsetofend(struct mock_iommu_page_request, done), user);
	if (!ret)
		ret = put_user(inject.done, &user->done);
	if (ret)
		return ret;
	if (!READ_ONCE(file->device))
		return -ENOTCONN;
	ret = mock_inject_requests(file->device, &inject);
	return ret ?: put_user(inject.done, &user->done);
}

static long mock_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct mock_file *file = filp->private_data;
	void __user *user = (void __user *)arg;
	const struct mock_ioctl *ioctl;

	if (cmd == MOCK_IOMMU_PAGE_REQUEST)
		return ioctl_page_request(file, user);
	ioctl = ioctl_find(cmd);
	return ioctl ? ioctl_run(ioctl, file, cmd == MOCK_IOMMU_BIND, user) : -ENOTTY;
}

static int mock_open(struct inode *inode, struct file *filp)
{
	struct mock_file *file;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	xa_init_flags(&file->dmas, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int mock_release(struct inode *inode, struct file *filp)
{
	struct mock_file *file = filp->private_data;
	struct mock_dma *dma;
	unsigned long tag;

	xa_for_each(&file->dmas, tag, dma) {
		mock_dma_abort(dma);
		mock_dma_put(dma);
	}
	xa_destroy(&file->dmas);
	if (file->device)
		mock_device_put(file->device);
	kfree(file);
	return 0;
}

static const struct file_operations mock_fops = {
	.owner		= THIS_MODULE,
	.open		= mock_open,
	.release	= mock_release,
	.unlocked_ioctl	= mock_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice mock_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "mock-iommu",
	.fops	= &mock_fops,
	.mode	= 0600,
};

/**
 * mock_chardev_init() - make /dev/mock-iommu
 *
 * Return: 0 or an error.
 */
int mock_chardev_init(void)
{
	return misc_register(&mock_misc);
}

/**
 * mock_chardev_exit() - remove /dev/mock-iommu
 */
void mock_chardev_exit(void)
{
	misc_deregister(&mock_misc);
}
