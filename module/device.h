/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of a VM: attach, detach, removal; see device.c.
 */
#ifndef FQ_DEVICE_H
#define FQ_DEVICE_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/rcupdate.h>

#include "compat/compat.h"
#include "source.h"
#include "vm.h"

#define FQ_MAX_DEVICES 256

struct fq_domain;
struct fq_held;
struct fq_partials;

/**
 * struct fq_attachment - an IOMMU group that is attached to a VM, as a whole
 * @node: in the VM's attachments
 * @vm: the VM
 * @group: the group; its DMA ownership is claimed, by this structure if there is @held
 * @domain: what it is attached to
 * @handle: names this attachment in the kernel's page request groups
 * @regions: its reserved regions, for window.c
 * @devices: its devices
 * @nr_devices: how many there were when it was attached
 * @quiet: keeps it in the queue of page requests until it is detached
 * @may_request: its devices may raise page requests, if they can
 * @held: gives it back; NULL when somebody else owns it
 */
struct fq_attachment {
	struct list_head node;
	struct fq_vm *vm;
	struct iommu_group *group;
	struct fq_domain *domain;
	struct iommu_attach_handle handle;
	struct list_head regions;
	struct list_head devices;
	unsigned int nr_devices;
	struct fq_quiet quiet;
	bool may_request;
	struct fq_held *held;
};

/**
 * struct fq_device - a device that is attached to a VM
 * @vm: the VM
 * @attachment: its group
 * @dev: the device, referenced
 * @id: names it in records
 * @delivery: which faults it delivers
 * @node: in the attachment's devices
 * @all: in the list of all attached devices, guarded by fq_all_lock; unlike
 *	@node reachable from a removal notice
 * @by_dev: in the VM's table; RCU
 * @rcu: frees it
 * @partials: page requests whose group is not whole yet; owned by the source
 * @member: the VM's part of the IOMMU instance, or NULL without page requests
 * @outstanding: its slots; fault lock, like all of the following up to @detached
 * @nr_outstanding: how many groups they are
 * @max_outstanding: how many may be; 0: any number
 * @refused_rate: groups refused in a second that switch it off; 0: any number
 * @refused_since: when that second began, CLOCK_MONOTONIC in nanoseconds
 * @refused: groups refused since then
 * @strikes: deadlines that were missed
 * @off: it was switched off
 * @failed: user space has answered FAULTQ_FAILURE
 * @off_cause: enum faultq_cause of @off
 * @tell: enum fq_tell bits of what no event has told yet
 * @telling: in the VM's list, when @tell is not 0
 * @counters: what is counted
 * @detached: page requests are terminated: before it has @member, and from the moment it
 *	is being detached
 * @cap: what @max_outstanding can be raised to without privilege; 0: anything
 * @rate_cap: the same of @refused_rate
 * @bindings: doorbells that it uses; lock of the address space
 * @answers: one, and one for each answer that is under way: no more than there are slots
 * @answered: @answers is zero
 */
struct fq_device {
	struct fq_vm *vm;
	struct fq_attachment *attachment;
	struct device *dev;
	u32 id;
	struct fq_delivery delivery;
	struct list_head node;
	struct list_head all;
	struct hlist_node by_dev;
	struct rcu_head rcu;
	struct fq_partials *partials;
	struct fq_member *member;
	struct list_head outstanding;
	u32 nr_outstanding;
	u32 max_outstanding;
	u32 refused_rate;
	u32 refused;
	u64 refused_since;
	u32 strikes;
	bool off;
	bool failed;
	u32 off_cause;
	u32 tell;
	struct list_head telling;
	struct fq_counters counters;
	bool detached;
	u32 cap;
	u32 rate_cap;
	struct list_head bindings;
	atomic_t answers;
	struct completion answered;
};

int fq_device_attach(struct fq_vm *vm, struct faultq_attach *attach);
int fq_device_detach(struct fq_vm *vm, u32 id, bool *held);
int fq_group_attach(struct fq_vm *vm, struct iommu_group *group);
void fq_group_detach(struct fq_vm *vm, struct iommu_group *group);
void fq_device_detach_all(struct fq_vm *vm);
struct device *fq_find_dev(const char *name);
void fq_dev_name(const struct device *dev, char name[FAULTQ_NAME_SIZE]);

u32 fq_device_state(const struct fq_device *device);
int fq_device_drain(struct fq_vm *vm, struct faultq_drain *drain);
int fq_device_enable(struct fq_vm *vm, struct faultq_enable *enable);
unsigned int fq_device_list(struct fq_vm *vm, struct faultq_device_entry *entries,
			    unsigned int room);

int fq_device_use(struct device *dev, int (*use)(struct fq_device *device, void *context),
		  void *context);
void fq_refuse_requests(struct fq_device *device, bool refuse);
void fq_start_requests(struct fq_attachment *attachment);
bool fq_stop_requests(struct fq_attachment *attachment);

/**
 * fq_count_vm() - count something of a VM, and of no device
 * @vm: the VM; its fault lock is held
 * @counter: enum fq_counter
 * @count: how many
 */
static inline void fq_count_vm(struct fq_vm *vm, unsigned int counter, u64 count)
{
	vm->counters.nr[counter] += count;
}

/**
 * fq_count() - count something of a VM and its device
 * @vm: the VM; its fault lock is held
 * @device: the device
 * @counter: enum fq_counter
 * @count: how many
 */
static inline void fq_count(struct fq_vm *vm, struct fq_device *device, unsigned int counter,
			    u64 count)
{
	fq_count_vm(vm, counter, count);
	device->counters.nr[counter] += count;
}

/**
 * fq_device_code() - what a device can be answered
 * @device: the device
 * @code: what it is to be answered
 *
 * FAULTQ_FAILURE makes a PCI device stop to ask, with all functions that share its page
 * requests: none of them gets it, as another VM may have the others.
 *
 * Return: the code.
 */
static inline enum faultq_code fq_device_code(const struct fq_device *device,
					      enum faultq_code code)
{
	if (unlikely(code == FAULTQ_FAILURE) && fq_compat_shares_requests(device->dev))
		return FAULTQ_INVALID;
	return code;
}

/**
 * fq_outcome_code() - how to answer a group that is not queued, or not any more
 * @device: whose group
 * @outcome: why
 *
 * Return: the code.
 */
static inline enum faultq_code fq_outcome_code(const struct fq_device *device,
					       enum fq_outcome outcome)
{
	return outcome == FQ_OFF ? fq_device_code(device, FAULTQ_FAILURE) : FAULTQ_INVALID;
}

/**
 * fq_device_by_dev() - find an attached device
 * @vm: in this VM
 * @dev: anything, NULL too; is only compared
 *
 * The caller is in an RCU read-side section. Any context.
 *
 * Return: the device or NULL.
 */
static inline struct fq_device *fq_device_by_dev(struct fq_vm *vm, struct device *dev)
{
	struct fq_device *device;

	hash_for_each_possible_rcu(vm->by_dev, device, by_dev, (unsigned long)dev)
		if (device->dev == dev)
			return device;
	return NULL;
}

int fq_device_init(void);
void fq_device_exit(void);

#endif
