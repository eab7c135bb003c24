// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for records, and taking them by read().
 *
 * User memory is touched without the fault lock: records stay as they are until the tail
 * moves, and only the holder of read_mutex moves it, one reader at a time.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "report.h"
#include "vm.h"

/* How many records can be read; negative when the queue was stopped. */
static int fq_vm_ready(struct fq_vm *vm)
{
	int ready = -EIO;
	bool wake = false;

	spin_lock_irq(&vm->lock);
	if (fq_vm_sync(vm)) {
		if (vm->untold)
			wake = fq_tell_events(vm);
		ready = fq_ring_fill(vm->ring);
	}
	spin_unlock_irq(&vm->lock);
	/* Whoever looks is not all who sleep. */
	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
	return ready;
}

/**
 * fq_vm_poll() - poll() of a VM file
 * @vm: the VM
 * @file: the file
 * @table: of poll()
 *
 * Return: EPOLLIN when a record waits, EPOLLERR when the queue was stopped.
 */
__poll_t fq_vm_poll(struct fq_vm *vm, struct file *file, struct poll_table_struct *table)
{
	int ready;

	poll_wait(file, &vm->wait, table);
	if (!fq_vm_ring(vm))
		return 0;
	ready = fq_vm_ready(vm);
	if (ready < 0)
		return EPOLLERR;
	return ready ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Copy one run of records up to the end of the ring; returns how many went. */
static u32 fq_copy_run(struct fq_ring *ring, u32 from, u32 count, char __user *buffer)
{
	const struct faultq_record *records = fq_ring_peek(ring, from);
	u32 to_end = ring->entries - (records - ring->records);
	size_t bytes;

	count = min(count, to_end);
	bytes = count * sizeof(*records);
	bytes -= copy_to_user(buffer, records, bytes);
	return bytes / sizeof(*records);
}

/* The records stay as they are: only the holder of read_mutex moves the tail. */
static ssize_t fq_copy_records(struct fq_vm *vm, char __user *buffer, u32 count)
{
	u32 done = fq_copy_run(vm->ring, 0, count, buffer);
	bool wake = false;

	if (done && done < count)
		done += fq_copy_run(vm->ring, done, count - done,
				    buffer + done * sizeof(struct faultq_record));

	spin_lock_irq(&vm->lock);
	fq_ring_advance(vm->ring, done);
	if (vm->untold)
		wake = fq_tell_events(vm);
	spin_unlock_irq(&vm->lock);
	if (wake)
		fq_vm_wake(vm, EPOLLIN | EPOLLRDNORM);
	return done ? done * sizeof(struct faultq_record) : -EFAULT;
}

/* Another reader may be held up by its user memory for as long as it likes. */
static int fq_read_lock(struct fq_vm *vm, bool nonblock)
{
	if (nonblock)
		return mutex_trylock(&vm->read_mutex) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&vm->read_mutex) ? -ERESTARTSYS : 0;
}

/* Returns 0 when another reader was faster. */
static ssize_t fq_read_some(struct fq_vm *vm, char __user *buffer, size_t length,
			    bool nonblock)
{
	ssize_t ret;
	int ready;

	ret = fq_read_lock(vm, nonblock);
	if (ret)
		return ret;
	ready = fq_vm_ready(vm);
	ret = ready;
	if (ready > 0)
		ret = fq_copy_records(vm, buffer, min_t(size_t, ready,
							length / sizeof(struct faultq_record)));
	mutex_unlock(&vm->read_mutex);
	return ret;
}

/**
 * fq_vm_read() - read() of a VM file
 * @vm: the VM
 * @buffer: where the records go
 * @length: bytes of room
 * @nonblock: do not wait for the first record
 *
 * Return: bytes, or a negative errno as documented in uapi at QUEUE.
 */
ssize_t fq_vm_read(struct fq_vm *vm, char __user *buffer, size_t length, bool nonblock)
{
	struct fq_ring *ring = fq_vm_ring(vm);
	ssize_t ret;

	if (!ring)
		return -ENXIO;
	if (!ring->by_read)
		return -EBUSY;
	if (length < sizeof(struct faultq_record))
		return -EINVAL;

	do {
		if (!nonblock && wait_event_interruptible(vm->wait, fq_vm_ready(vm)))
			return -ERESTARTSYS;
		ret = fq_read_some(vm, buffer, length, nonblock);
	} while (!ret && !nonblock);
	return ret ?: -EAGAIN;
}
