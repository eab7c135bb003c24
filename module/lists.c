// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that fill an array of user space: held devices, IOMMU instances, VMs, devices,
 * outstanding groups.
 *
 * An array is gathered in kernel memory under the locks of what it lists, and copied out
 * without any. It is never larger than what there is to list, and charged to the caller.
 * Mappings, of which there can be millions, go through in parts.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "device.h"
#include "held.h"
#include "lists.h"
#include "report.h"

/* Mappings that are listed in one go. */
#define FQ_LISTED_MAPPINGS 256

/* Entries of the caller's size, which may be shorter than ours, or longer: zero the tails. */
static int fq_copy_entries(u64 address, const void *entries, u32 count, u32 size,
			   u32 entry_size)
{
	void __user *user = u64_to_user_ptr(address);
	u32 common = min(size, entry_size);
	u32 i;

	for (i = 0; i < count; i++, user += entry_size, entries += size)
		if (copy_to_user(user, entries, common) ||
		    clear_user(user + common, entry_size - common))
			return -EFAULT;
	return 0;
}

static bool fq_entry_size_valid(u32 entry_size, u32 first_size)
{
	return entry_size >= first_size && entry_size <= PAGE_SIZE;
}

/**
 * struct fq_listing - what a call lists
 * @fill: writes up to @room zeroed entries, returns how many there are
 * @vm: whose, or NULL
 * @size: of an entry as this kernel knows it
 * @first_size: of an entry as it was published first
 */
struct fq_listing {
	unsigned int (*fill)(struct fq_vm *vm, void *entries, unsigned int room);
	struct fq_vm *vm;
	u32 size;
	u32 first_size;
};

/* The sizes in it, of entries of @type, whose last member was once @last. */
#define FQ_ENTRY(type, last)							\
	.size = sizeof(struct type), .first_size = offsetofend(struct type, last)

/* Room for what there is, at most @most; sets @total to how many there are then. */
static void *fq_gather(const struct fq_listing *listing, u32 most, u32 *room, u32 *total)
{
	void *entries;

	*room = min(most, listing->fill(listing->vm, NULL, 0));
	entries = kvcalloc(*room, listing->size, GFP_KERNEL_ACCOUNT);
	if (entries)
		*total = listing->fill(listing->vm, entries, *room);
	return entries;
}

/* What has come between counting and listing makes it begin again. */
static int fq_list(const struct fq_listing *listing, u64 address, u32 *count, u32 entry_size)
{
	u32 room, total = 0;
	void *entries;
	int ret;

	if (!fq_entry_size_valid(entry_size, listing->first_size))
		return -EINVAL;
	for (;;) {
		entries = fq_gather(listing, *count, &room, &total);
		if (!entries)
			return -ENOMEM;
		if (total <= room || room == *count)
			break;
		kvfree(entries);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	ret = fq_copy_entries(address, entries, min(room, total), listing->size, entry_size);
	kvfree(entries);
	*count = total;
	return ret;
}

static unsigned int fq_fill_held(struct fq_vm *vm, void *entries, unsigned int room)
{
	return fq_held_list(entries, room);
}

/**
 * fq_list_held() - list the devices that are held
 * @held: HELD's argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_held(struct faultq_held *held)
{
	const struct fq_listing listing = {
		.fill = fq_fill_held, FQ_ENTRY(faultq_held_entry, reserved),
	};

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (held->flags)
		return -EINVAL;
	return fq_list(&listing, held->entries, &held->count, held->entry_size);
}

static unsigned int fq_fill_instances(struct fq_vm *vm, void *entries, unsigned int room)
{
	return fq_share_list(entries, room);
}

/**
 * fq_list_instances() - list the shares of IOMMU instances
 * @list: INSTANCES' argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_instances(struct faultq_list *list)
{
	const struct fq_listing listing = {
		.fill = fq_fill_instances, FQ_ENTRY(faultq_share, reserved),
	};

	if (list->flags || list->vm || list->reserved)
		return -EINVAL;
	return fq_list(&listing, list->entries, &list->count, list->entry_size);
}

static u64 fq_terminated(const struct fq_counters *counters)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < FQ_OUTCOMES; i++)
		sum += counters->nr[FQ_COUNT_TERMINATED + i];
	return sum;
}

static void fq_describe_vm(struct fq_vm *vm, struct faultq_vm_entry *entry)
{
	entry->vm = vm->id;
	entry->pid = pid_vnr(vm->owner);
	strscpy(entry->comm, vm->comm, sizeof(entry->comm));
	spin_lock_irq(&vm->lock);
	entry->devices = vm->nr_devices;
	entry->outstanding = vm->pending.outstanding;
	entry->slots = vm->pending.count;
	entry->max_outstanding = vm->max_outstanding;
	entry->groups = vm->counters.nr[FQ_COUNT_GROUPS];
	entry->terminated = fq_terminated(&vm->counters);
	entry->unrecoverable = vm->counters.nr[FQ_COUNT_UNRECOVERABLE];
	spin_unlock_irq(&vm->lock);
}

static unsigned int fq_fill_vms(struct fq_vm *unused, void *entries, unsigned int room)
{
	struct faultq_vm_entry *entry = entries;
	unsigned int count = 0;
	struct fq_vm *vm;
	u32 id;

	for (id = 1; (vm = fq_vm_next(&id)); id++, count++) {
		if (count < room)
			fq_describe_vm(vm, entry++);
		fq_vm_put(vm);
		cond_resched();
	}
	return count;
}

/**
 * fq_list_vms() - list all VMs
 * @list: VMS' argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_vms(struct faultq_list *list)
{
	const struct fq_listing listing = {
		.fill = fq_fill_vms, FQ_ENTRY(faultq_vm_entry, unrecoverable),
	};

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (list->flags || list->vm || list->reserved)
		return -EINVAL;
	return fq_list(&listing, list->entries, &list->count, list->entry_size);
}

/**
 * fq_look_at() - the VM that a call looks at
 * @vm: the caller's
 * @id: from user space: of another, or 0
 * @seen: is set to the VM, referenced
 *
 * Return: 0, -EPERM or -ENOENT.
 */
int fq_look_at(struct fq_vm *vm, u32 id, struct fq_vm **seen)
{
	if (!id) {
		fq_vm_get(vm);
		*seen = vm;
		return 0;
	}
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	*seen = fq_vm_find(id);
	return *seen ? 0 : -ENOENT;
}

/* @listing lacks the VM. */
static int fq_list_of_vm(struct fq_vm *vm, struct faultq_list *list, struct fq_listing listing)
{
	int ret;

	if (list->flags || list->reserved)
		return -EINVAL;
	ret = fq_look_at(vm, list->vm, &listing.vm);
	if (ret)
		return ret;
	ret = fq_list(&listing, list->entries, &list->count, list->entry_size);
	fq_vm_put(listing.vm);
	return ret;
}

static unsigned int fq_fill_devices(struct fq_vm *vm, void *entries, unsigned int room)
{
	return fq_device_list(vm, entries, room);
}

/**
 * fq_list_devices() - list the devices of a VM
 * @vm: the caller's
 * @list: DEVICES' argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_devices(struct fq_vm *vm, struct faultq_list *list)
{
	return fq_list_of_vm(vm, list, (struct fq_listing){
		.fill = fq_fill_devices, FQ_ENTRY(faultq_device_entry, max_outstanding),
	});
}

/* The next part, through @entries; returns how many were listed, or -EFAULT. */
static int fq_list_some_mappings(struct fq_vm *vm, const struct faultq_list *list, u32 done,
				 struct fq_listed_mappings *listed,
				 struct faultq_mapping_entry *entries)
{
	u32 room = min_t(u32, list->count - done, FQ_LISTED_MAPPINGS), count;
	u64 address = list->entries + (u64)done * list->entry_size;

	memset(entries, 0, FQ_LISTED_MAPPINGS * sizeof(*entries));
	count = fq_ioas_list_mappings(&vm->ioas, listed, entries, room);
	return fq_copy_entries(address, entries, count, sizeof(*entries), list->entry_size) ?:
	       (int)count;
}

/* How many there are is known when all were listed; else it is said that there are more. */
static int fq_list_all_mappings(struct fq_vm *vm, struct faultq_list *list,
				struct faultq_mapping_entry *entries)
{
	struct fq_listed_mappings listed = {};
	u32 done = 0;
	int ret;

	do {
		ret = fq_list_some_mappings(vm, list, done, &listed, entries);
		if (ret < 0)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		done += ret;
		cond_resched();
	} while (!listed.ended && done < list->count);
	list->count = listed.ended ? done : max(listed.present, done ? done + 1 : 0);
	return 0;
}

/**
 * fq_list_mappings() - list the mappings of a VM
 * @vm: the caller's
 * @list: MAPPINGS' argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_mappings(struct fq_vm *vm, struct faultq_list *list)
{
	struct faultq_mapping_entry *entries;
	struct fq_vm *seen;
	int ret;

	if (list->flags || list->reserved)
		return -EINVAL;
	ret = fq_look_at(vm, list->vm, &seen);
	if (ret)
		return ret;
	ret = -EINVAL;
	if (!fq_entry_size_valid(list->entry_size,
				 offsetofend(struct faultq_mapping_entry, state)))
		goto put;
	ret = -ENOMEM;
	entries = kvcalloc(FQ_LISTED_MAPPINGS, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		goto put;
	ret = fq_list_all_mappings(seen, list, entries);
	kvfree(entries);
put:
	fq_vm_put(seen);
	return ret;
}

static unsigned int fq_fill_windows(struct fq_vm *vm, void *entries, unsigned int room)
{
	return fq_ioas_list_windows(&vm->ioas, entries, room);
}

/**
 * fq_list_windows() - list the windows of a VM
 * @vm: the caller's
 * @list: WINDOW_LIST' argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_windows(struct fq_vm *vm, struct faultq_list *list)
{
	return fq_list_of_vm(vm, list, (struct fq_listing){
		.fill = fq_fill_windows, FQ_ENTRY(faultq_window_entry, reserved),
	});
}

static unsigned int fq_fill_ranges(struct fq_vm *vm, void *entries, unsigned int room)
{
	return fq_ioas_list_ranges(&vm->ioas, entries, room);
}

/**
 * fq_list_ranges() - list where a VM can map
 * @vm: the caller's
 * @list: IOVA_RANGES' argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_ranges(struct fq_vm *vm, struct faultq_list *list)
{
	return fq_list_of_vm(vm, list, (struct fq_listing){
		.fill = fq_fill_ranges, FQ_ENTRY(faultq_range_entry, last),
	});
}

static unsigned int fq_fill_doorbells(struct fq_vm *vm, void *entries, unsigned int room)
{
	return fq_ioas_list_doorbells(&vm->ioas, entries, room);
}

/**
 * fq_list_doorbells() - list the doorbells of a VM
 * @vm: the caller's
 * @list: DOORBELLS' argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_doorbells(struct fq_vm *vm, struct faultq_list *list)
{
	return fq_list_of_vm(vm, list, (struct fq_listing){
		.fill = fq_fill_doorbells, FQ_ENTRY(faultq_doorbell_entry, users),
	});
}

/* The records of a group as the ring had them. */
static void fq_describe_group(const struct fq_slot *slot, struct faultq_record *records)
{
	unsigned int i, last = slot->key.count - 1;

	for (i = 0; i <= last; i++) {
		struct fq_page_request request = fq_pending_request(slot, i);

		fq_fill_request(&records[i], slot, &request, i == last ? FAULTQ_RECORD_LAST : 0);
	}
}

/* One slot; returns its records, or -ENOSPC when they do not fit. */
static int fq_describe_slot(struct fq_vm *vm, u32 index, struct faultq_record *records,
			    u32 room)
{
	const struct fq_slot *slot = &vm->pending.slots[index];
	int ret = 0;

	spin_lock_irq(&vm->lock);
	if (slot->device) {
		ret = slot->key.count <= room ? slot->key.count : -ENOSPC;
		if (ret > 0)
			fq_describe_group(slot, records);
	}
	spin_unlock_irq(&vm->lock);
	return ret;
}

/* From a position on, as much as fits; returns the number of records. */
static u32 fq_gather_pending(struct fq_vm *vm, struct faultq_record *records, u32 room,
			     u32 *position)
{
	u32 index, count = 0;
	int ret;

	for (index = *position; index < vm->pending.count; index++) {
		ret = fq_describe_slot(vm, array_index_nospec(index, vm->pending.count),
				       records + count, room - count);
		if (ret < 0)
			break;
		count += ret;
		cond_resched();
	}
	*position = index < vm->pending.count ? index : 0;
	return count;
}

/**
 * fq_list_pending() - list the groups that are outstanding
 * @vm: whose
 * @pending: PENDING's argument, is filled in
 *
 * Return: 0 or a negative errno as documented in uapi.
 */
int fq_list_pending(struct fq_vm *vm, struct faultq_pending *pending)
{
	u32 room = min_t(u32, pending->count, FAULTQ_SLOT_REQUESTS * FQ_MAX_SLOTS);
	struct faultq_record *records;
	int ret;

	if (pending->flags || pending->reserved || room < FQ_MAX_GROUP ||
	    !fq_entry_size_valid(pending->entry_size,
				 offsetofend(struct faultq_record, reserved)))
		return -EINVAL;
	if (!fq_vm_ring(vm))
		return -ENXIO;
	if (pending->position >= vm->pending.count)
		return -EINVAL;

	room = clamp(FAULTQ_SLOT_REQUESTS * READ_ONCE(vm->pending.used), (u32)FQ_MAX_GROUP, room);
	records = kvcalloc(room, sizeof(*records), GFP_KERNEL_ACCOUNT);
	if (!records)
		return -ENOMEM;
	pending->count = fq_gather_pending(vm, records, room, &pending->position);
	ret = fq_copy_entries(pending->records, records, pending->count, sizeof(*records),
			      pending->entry_size);
	kvfree(records);
	return ret;
}
