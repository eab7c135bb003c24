// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/faultq: the file operations and the ioctls.
 *
 * A file is a VM. Every ioctl takes one structure, which is copied in once, checked
 * by its handler, and copied back. Memory that a structure points to is touched in
 * respond.c and lists.c, and no lock is held then.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/iova.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/faultq.h>

#include "answer.h"
#include "compat/compat.h"
#include "copy.h"
#include "device.h"
#include "doorbell.h"
#include "held.h"
#include "ioas.h"
#include "lists.h"
#include "mmio.h"
#include "respond.h"
#include "share.h"
#include "vm.h"
#include "window.h"

static unsigned int max_mappings = U16_MAX;
module_param(max_mappings, uint, 0644);
MODULE_PARM_DESC(max_mappings,
		 "Mappings that a VM that is opened can have; 0: any number (default 65535)");

/* Arguments of ioctls, in kernel memory. */
union fq_argument {
	__u32 size;
	struct faultq_info info;
	struct faultq_queue queue;
	struct faultq_attach attach;
	struct faultq_detach detach;
	struct faultq_unmap unmap;
	struct faultq_stats stats;
	struct faultq_held held;
	struct faultq_release release;
	struct faultq_limits limits;
	struct faultq_pending pending;
	struct faultq_drain drain;
	struct faultq_enable enable;
	struct faultq_share share;
	struct faultq_list list;
	struct faultq_window window;
	struct faultq_window_del window_del;
	struct faultq_restore restore;
};

static int fq_get_info(struct fq_vm *vm, union fq_argument *argument)
{
	struct faultq_info *info = &argument->info;

	if (info->flags)
		return -EINVAL;
	*info = (struct faultq_info){
		.size = info->size,
		.features = FAULTQ_FEATURE_RING | FAULTQ_FEATURE_READ | FAULTQ_FEATURE_OWNED |
			    FAULTQ_FEATURE_MAP | FAULTQ_FEATURE_MAP_ANSWER |
			    FAULTQ_FEATURE_QUOTA | FAULTQ_FEATURE_DEADLINE |
			    FAULTQ_FEATURE_DRAIN | FAULTQ_FEATURE_ENABLE |
			    FAULTQ_FEATURE_TAKEOVER | FAULTQ_FEATURE_LISTS |
			    FAULTQ_FEATURE_WINDOWS | FAULTQ_FEATURE_DOORBELLS |
			    FAULTQ_FEATURE_MMIO |
			    (FQ_COMPAT_MSI_AND_FAULTS ? FAULTQ_FEATURE_MSI_FAULTS : 0),
		.kinds = fq_source_kinds(),
		.record_size = sizeof(struct faultq_record),
		.max_slots = FQ_MAX_SLOTS,
		.min_entries = FQ_MIN_ENTRIES,
		.max_entries = FQ_MAX_ENTRIES,
		.max_group = FQ_MAX_GROUP,
		.max_devices = FQ_MAX_DEVICES,
		.max_windows = FQ_MAX_WINDOWS,
		.max_doorbells = FQ_MAX_DOORBELLS,
		.max_extents = FQ_MAX_EXTENTS,
		.max_mappings = fq_ioas_max(&vm->ioas),
	};
	return 0;
}

static int fq_queue(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_vm_queue(vm, &argument->queue);
}

static int fq_attach(struct fq_vm *vm, union fq_argument *argument)
{
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	return fq_device_attach(vm, &argument->attach);
}

static int fq_detach(struct fq_vm *vm, union fq_argument *argument)
{
	bool held;
	int ret;

	if (argument->detach.flags)
		return -EINVAL;
	ret = fq_device_detach(vm, argument->detach.device, &held);
	if (!ret)
		argument->detach.held = held;
	return ret;
}

#define FQ_MAP_PROT (FAULTQ_MAP_READ | FAULTQ_MAP_WRITE | FAULTQ_MAP_EXEC)
#define FQ_MAP_OF_MMIO (FAULTQ_MAP_PARTLY_WATCHED | FAULTQ_MAP_SCRATCH | FAULTQ_MAP_RETRY)

static bool fq_map_flags_valid(u32 flags)
{
	if (flags & ~(FQ_MAP_PROT | FAULTQ_MAP_ANSWER | FAULTQ_MAP_MMIO | FQ_MAP_OF_MMIO))
		return false;
	return fq_access_valid(flags) && (flags & FAULTQ_MAP_MMIO || !(flags & FQ_MAP_OF_MMIO));
}

/* A queue that was stopped meanwhile has nothing outstanding. */
static int fq_map_answer(struct fq_vm *vm, u64 cookie)
{
	int ret = fq_vm_answer(vm, cookie, FAULTQ_SUCCESS);

	return ret == -EIO ? -ESTALE : ret;
}

static int fq_map(struct fq_vm *vm, struct faultq_map *map)
{
	bool answer = map->flags & FAULTQ_MAP_ANSWER;
	int ret;

	if (!fq_map_flags_valid(map->flags) || map->reserved || (map->cookie && !answer))
		return -EINVAL;
	if (answer && !fq_vm_ring(vm))
		return -ENXIO;
	ret = fq_ioas_map(&vm->ioas, map);
	if (!ret)
		map->answer_result = answer ? fq_map_answer(vm, map->cookie) : 0;
	return ret == -EADDRNOTAVAIL ? -EEXIST : ret;
}

static noinline int fq_map_call(struct fq_vm *vm, void __user *user)
{
	struct faultq_map map;
	int ret;

	ret = fq_copy_in(&map, sizeof(map), offsetofend(struct faultq_map, reserved), user);
	if (ret)
		return ret;
	if (fq_vm_stopped(vm))
		return -EIO;
	ret = fq_map(vm, &map);
	return ret ?: fq_copy_out(user, &map, sizeof(map));
}

static int fq_unmap(struct fq_vm *vm, union fq_argument *argument)
{
	struct faultq_unmap *unmap = &argument->unmap;

	if (unmap->flags)
		return -EINVAL;
	return fq_ioas_unmap(&vm->ioas, unmap->iova, unmap->length, &unmap->unmapped);
}

static int fq_stats(struct fq_vm *vm, union fq_argument *argument)
{
	struct faultq_stats *stats = &argument->stats;
	struct fq_vm *seen;
	int ret;

	if (stats->flags)
		return -EINVAL;
	ret = fq_look_at(vm, stats->vm, &seen);
	if (ret)
		return ret;
	ret = fq_vm_stats(seen, stats);
	fq_vm_put(seen);
	return ret;
}

static int fq_limits(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_vm_limits(vm, &argument->limits);
}

static int fq_pending(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_pending(vm, &argument->pending);
}

static int fq_drain(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_device_drain(vm, &argument->drain);
}

static int fq_enable(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_device_enable(vm, &argument->enable);
}

static int fq_share(struct fq_vm *vm, union fq_argument *argument)
{
	struct faultq_share *share = &argument->share;
	int ret;

	if (share->flags & ~FAULTQ_SHARE_SET || share->reserved)
		return -EINVAL;
	if (share->flags & FAULTQ_SHARE_SET) {
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		ret = fq_share_set(share);
		if (ret)
			return ret;
	}
	return fq_share_get(share);
}

static int fq_instances(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_instances(&argument->list);
}

static int fq_vms(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_vms(&argument->list);
}

static int fq_devices(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_devices(vm, &argument->list);
}

static int fq_window_add_call(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_window_add(&vm->ioas, &argument->window);
}

static int fq_window_del_call(struct fq_vm *vm, union fq_argument *argument)
{
	if (argument->window_del.flags || argument->window_del.reserved)
		return -EINVAL;
	return fq_window_del(&vm->ioas, argument->window_del.id);
}

static int fq_window_list(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_windows(vm, &argument->list);
}

static int fq_iova_ranges(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_ranges(vm, &argument->list);
}

static int fq_mappings(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_mappings(vm, &argument->list);
}

static int fq_doorbells(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_doorbells(vm, &argument->list);
}

static int fq_restore(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_mmio_restore(&vm->ioas, &argument->restore);
}

static int fq_held(struct fq_vm *vm, union fq_argument *argument)
{
	return fq_list_held(&argument->held);
}

static int fq_release(struct fq_vm *vm, union fq_argument *argument)
{
	struct faultq_release *release = &argument->release;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (release->flags || strnlen(release->name, FAULTQ_NAME_SIZE) == FAULTQ_NAME_SIZE)
		return -EINVAL;
	return fq_held_release(release->name);
}

/**
 * struct fq_ioctl - one ioctl
 * @handler: does it
 * @size: of the structure as this kernel knows it
 * @min_size: of the structure as it was published first
 * @when_stopped: works on when the queue was stopped
 */
struct fq_ioctl {
	int (*handler)(struct fq_vm *vm, union fq_argument *argument);
	unsigned int size;
	unsigned int min_size;
	bool when_stopped;
};

#define FQ_IOCTL(command, function, type, last, stopped)			\
	[_IOC_NR(command)] = {							\
		.handler = function,						\
		.size = sizeof(struct type),					\
		.min_size = offsetofend(struct type, last),			\
		.when_stopped = stopped,					\
	}

static const struct fq_ioctl fq_ioctls[] = {
	FQ_IOCTL(FAULTQ_GET_INFO, fq_get_info, faultq_info, reserved, true),
	FQ_IOCTL(FAULTQ_QUEUE, fq_queue, faultq_queue, reserved2, false),
	FQ_IOCTL(FAULTQ_ATTACH, fq_attach, faultq_attach, reserved, false),
	FQ_IOCTL(FAULTQ_DETACH, fq_detach, faultq_detach, held, true),
	FQ_IOCTL(FAULTQ_UNMAP, fq_unmap, faultq_unmap, unmapped, false),
	FQ_IOCTL(FAULTQ_STATS, fq_stats, faultq_stats, pinned_pages, true),
	FQ_IOCTL(FAULTQ_HELD, fq_held, faultq_held, entry_size, false),
	FQ_IOCTL(FAULTQ_RELEASE, fq_release, faultq_release, name, false),
	FQ_IOCTL(FAULTQ_LIMITS, fq_limits, faultq_limits, reserved, false),
	FQ_IOCTL(FAULTQ_PENDING, fq_pending, faultq_pending, reserved, false),
	FQ_IOCTL(FAULTQ_DRAIN, fq_drain, faultq_drain, reserved, false),
	FQ_IOCTL(FAULTQ_ENABLE, fq_enable, faultq_enable, interrupted, false),
	FQ_IOCTL(FAULTQ_SHARE, fq_share, faultq_share, reserved, true),
	FQ_IOCTL(FAULTQ_INSTANCES, fq_instances, faultq_list, reserved, true),
	FQ_IOCTL(FAULTQ_VMS, fq_vms, faultq_list, reserved, true),
	FQ_IOCTL(FAULTQ_DEVICES, fq_devices, faultq_list, reserved, true),
	FQ_IOCTL(FAULTQ_WINDOW_ADD, fq_window_add_call, faultq_window, reserved, false),
	FQ_IOCTL(FAULTQ_WINDOW_DEL, fq_window_del_call, faultq_window_del, reserved, false),
	FQ_IOCTL(FAULTQ_WINDOW_LIST, fq_window_list, faultq_list, reserved, true),
	FQ_IOCTL(FAULTQ_IOVA_RANGES, fq_iova_ranges, faultq_list, reserved, true),
	FQ_IOCTL(FAULTQ_MAPPINGS, fq_mappings, faultq_list, reserved, true),
	FQ_IOCTL(FAULTQ_DOORBELLS, fq_doorbells, faultq_list, reserved, true),
	FQ_IOCTL(FAULTQ_MMIO_RESTORE, fq_restore, faultq_restore, reserved, false),
};

static const struct fq_ioctl *fq_find_ioctl(unsigned int command)
{
	unsigned int number = _IOC_NR(command);

	if (command != _IO(FAULTQ_IOC_TYPE, number) || number >= ARRAY_SIZE(fq_ioctls))
		return NULL;
	number = array_index_nospec(number, ARRAY_SIZE(fq_ioctls));
	return fq_ioctls[number].handler ? &fq_ioctls[number] : NULL;
}

/* Kernels that zero what is on the stack do so with the argument: apart from the calls below. */
static noinline int fq_ioctl_by_table(struct fq_vm *vm, unsigned int command, void __user *user)
{
	const struct fq_ioctl *ioctl = fq_find_ioctl(command);
	union fq_argument argument;
	int ret;

	if (!ioctl)
		return -ENOTTY;
	ret = fq_copy_in(&argument, ioctl->size, ioctl->min_size, user);
	if (ret)
		return ret;
	if (!ioctl->when_stopped && fq_vm_stopped(vm))
		return -EIO;
	ret = ioctl->handler(vm, &argument);
	return ret ?: fq_copy_out(user, &argument, ioctl->size);
}

static long fq_ioctl(struct file *file, unsigned int command, unsigned long address)
{
	void __user *user = (void __user *)address;
	struct fq_vm *vm = file->private_data;

	switch (command) {
	/* what devices wait for */
	case FAULTQ_RESPOND:
		return fq_respond(vm, user);
	case FAULTQ_MAP:
		return fq_map_call(vm, user);
	default:
		return fq_ioctl_by_table(vm, command, user);
	}
}

static int fq_open(struct inode *inode, struct file *file)
{
	struct fq_vm *vm = fq_vm_create();

	if (!vm)
		return -ENOMEM;
	fq_ioas_limit(&vm->ioas, READ_ONCE(max_mappings));
	file->private_data = vm;
	return stream_open(inode, file);
}

static int fq_close(struct inode *inode, struct file *file)
{
	fq_vm_unuse(file->private_data);
	return 0;
}

static ssize_t fq_read(struct file *file, char __user *buffer, size_t length, loff_t *offset)
{
	return fq_vm_read(file->private_data, buffer, length, file->f_flags & O_NONBLOCK);
}

static __poll_t fq_poll(struct file *file, struct poll_table_struct *table)
{
	return fq_vm_poll(file->private_data, file, table);
}

static int fq_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct fq_ring *ring = fq_vm_ring(file->private_data);

	return ring ? fq_ring_mmap(ring, vma) : -ENXIO;
}

static const struct file_operations fq_fops = {
	.owner = THIS_MODULE,
	.open = fq_open,
	.release = fq_close,
	.read = fq_read,
	.poll = fq_poll,
	.mmap = fq_mmap,
	.unlocked_ioctl = fq_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * fq_vm_file() - make one more file of a VM
 * @vm: the VM, which the caller uses
 *
 * Return: a file descriptor, close-on-exec, or a negative errno.
 */
int fq_vm_file(struct fq_vm *vm)
{
	int fd;

	fq_vm_use(vm);
	fd = anon_inode_getfd("[faultq]", &fq_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fq_vm_unuse(vm);
	return fd;
}
EXPORT_SYMBOL_FAULTQ(fq_vm_file);

static struct miscdevice fq_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "faultq",
	.fops = &fq_fops,
	.mode = 0600,
};

static int __init fq_init(void)
{
	int ret;

	ret = iova_cache_get();
	if (ret)
		return ret;
	ret = fq_vm_init_all();
	if (ret)
		goto put_cache;
	ret = fq_device_init();
	if (ret)
		goto exit_vm;
	ret = fq_held_init();
	if (ret)
		goto exit_device;
	ret = fq_mmio_init();
	if (ret)
		goto exit_held;
	ret = misc_register(&fq_misc);
	if (ret)
		goto exit_mmio;
	return 0;

exit_mmio:
	fq_mmio_exit();
exit_held:
	fq_held_exit();
exit_device:
	fq_device_exit();
exit_vm:
	fq_vm_exit_all();
put_cache:
	iova_cache_put();
	return ret;
}

static void __exit fq_exit(void)
{
	misc_deregister(&fq_misc);
	fq_mmio_exit();
	fq_held_exit();
	fq_device_exit();
	fq_vm_exit_all();
	fq_share_exit();
	iova_cache_put();
	/* Devices that are being freed by RCU need no code of this module, VMs neither. */
}

module_init(fq_init);
module_exit(fq_exit);
MODULE_DESCRIPTION("I/O page faults of a VM's devices, in one queue");
MODULE_VERSION(FAULTQ_VERSION);
MODULE_LICENSE("GPL");
