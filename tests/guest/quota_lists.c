// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an administrator sees and sets: shares of IOMMU instances, all VMs, their devices and
 * counters; who may, and what is refused.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/privilege.h"
#include "support/quota.h"

#define IOVA	0x1000000UL
#define MANY	64

static void the_defaults_are_as_documented(void **state)
{
	struct rig *rig = *state;
	struct faultq_share share;

	assert_int_equal(faultq_share(rig->fq, "", &share), 0);
	assert_int_equal(share.depth, SHARE_DEPTH);
	assert_int_equal(share.pool, SHARE_POOL);
	assert_int_equal(share.guarantee, SHARE_GUARANTEE);
	assert_int_equal(share.max_device | share.max_vm | share.refused_rate, 0);
	assert_int_equal(share.vms | share.pool_used | share.own, 0);
	assert_int_equal(faultq_share(rig->fq, "there-is-none", &share), 0);
	assert_int_equal(share.depth, SHARE_DEPTH);
	assert_int_equal(share.own, 0);
}

static void a_share_is_set_and_read_back(void **state)
{
	struct rig *rig = *state;
	struct faultq_share set = {
		.name = "mock-other", .depth = 1000, .pool = 600, .guarantee = 50,
		.max_device = 70, .refused_rate = 80,
	}, share;

	assert_int_equal(faultq_set_share(rig->fq, &set), 0);
	assert_int_equal(faultq_share(rig->fq, "mock-other", &share), 0);
	assert_int_equal(share.depth, 1000);
	assert_int_equal(share.pool, 600);
	assert_int_equal(share.guarantee, 50);
	assert_int_equal(share.max_device, 70);
	assert_int_equal(share.refused_rate, 80);
	assert_int_equal(share.own, 1);
	the_defaults_are_as_documented(state);
}

static void bad_shares_are_refused(void **state)
{
	static const struct faultq_share bad[] = {
		{ .name = "x", .depth = 0, .pool = 0, .guarantee = 1 },
		{ .name = "x", .depth = FAULTQ_MAX_DEPTH + 1, .pool = 1, .guarantee = 1 },
		{ .name = "x", .depth = 10, .pool = 10, .guarantee = 1 },
		{ .name = "x", .depth = 10, .pool = 11, .guarantee = 1 },
		{ .name = "x", .depth = 10, .pool = ~0U, .guarantee = 1 },
		{ .name = "x", .depth = 10, .pool = 5, .guarantee = 0 },
		{ .name = "x", .depth = 10, .pool = 5, .guarantee = 6 },
		{ .name = "x", .depth = 10, .pool = 5, .guarantee = ~0U },
		{ .name = "x", .depth = 10, .pool = 5, .guarantee = 5, .max_vm = 1 },
		{ .name = "x", .depth = 10, .pool = 5, .guarantee = 5, .reserved = 1 },
		{ .name = "", .depth = 10, .pool = 5, .guarantee = 6 },
	};
	struct rig *rig = *state;
	struct faultq_share share = { .depth = 10, .pool = 5, .guarantee = 5 };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(faultq_set_share(rig->fq, &bad[i]), -EINVAL);
	memset(share.name, 'x', sizeof(share.name));
	assert_int_equal(faultq_set_share(rig->fq, &share), -EINVAL);
	share.size = sizeof(share);
	share.flags = 0;
	assert_int_equal(ioctl(faultq_fd(rig->fq), FAULTQ_SHARE, &share), -1);
	assert_int_equal(errno, EINVAL);
	the_defaults_are_as_documented(state);
}

static void a_share_in_use_does_not_change(void **state)
{
	struct rig *rig = *state;
	struct faultq_share defaults;
	uint32_t id = rig->id;

	needs_page_requests();
	assert_int_equal(share_of("rig").vms, 1);
	assert_int_equal(share_try("rig", 100, 50, 10), -EBUSY);
	assert_int_equal(faultq_share(rig->fq, "", &defaults), 0);
	assert_int_equal(faultq_set_share(rig->fq, &defaults), -EBUSY);
	vm_detach(rig->fq, id);
	assert_int_equal(share_of("rig").vms, 0);
	assert_int_equal(faultq_set_share(rig->fq, &defaults), 0);
	share_set("rig", 100, 50, 10);
	rig->id = vm_attach(rig->fq, &rig->device);
	/* one that was set itself does not hold the defaults */
	assert_int_equal(faultq_set_share(rig->fq, &defaults), 0);
	vm_detach(rig->fq, rig->id);
	share_set("rig", SHARE_DEPTH, SHARE_POOL, SHARE_GUARANTEE);
	rig->id = vm_attach(rig->fq, &rig->device);
}

static int set_share_of_another(void *argument)
{
	(void)argument;
	return share_try("none", 100, 50, 10);
}

static int read_shares(void *argument)
{
	struct rig *rig = argument;
	struct faultq_share shares[MANY];
	uint32_t count = MANY;

	return faultq_share(rig->fq, "", shares) ?: faultq_instances(rig->fq, shares, &count);
}

/* What others use at this moment tells one tenant what another does. */
static int read_use(void *argument)
{
	struct rig *rig = argument;
	struct faultq_share shares[MANY] = { 0 }, share;
	uint32_t count = MANY;
	uint32_t use;

	must(!faultq_share(rig->fq, "mock-rig", &share));
	must(!faultq_instances(rig->fq, shares, &count));
	use = share.vms | share.pool_used;
	for (uint32_t i = 0; i < count; i++)
		use |= shares[i].vms | shares[i].pool_used;
	return -(int)use;
}

static int list_vms(void *argument)
{
	struct faultq_vm_entry vms[MANY];
	struct rig *rig = argument;
	uint32_t count = MANY;

	return faultq_vms(rig->fq, vms, &count);
}

static int list_own_devices(void *argument)
{
	struct faultq_device_entry devices[MANY];
	struct rig *rig = argument;
	uint32_t count = MANY;

	return faultq_devices(rig->fq, 0, devices, &count);
}

static int list_devices_of_another(void *argument)
{
	struct faultq_device_entry devices[MANY];
	struct rig *rig = argument;
	uint32_t count = MANY;

	return faultq_devices(rig->fq, 1, devices, &count);
}

static int stats_of_another(void *argument)
{
	struct rig *rig = argument;

	return faultq_vm_stats(rig->fq, 1, 0, &(struct faultq_stats){ 0 });
}

static void who_may_see_and_set_what(void **state)
{
	void *rig = *state;

	assert_int_equal(without_capability(CAP_SYS_ADMIN, set_share_of_another, rig), -EPERM);
	assert_int_equal(without_capability(CAP_SYS_ADMIN, read_shares, rig), 0);
	assert_int_equal(without_capability(CAP_SYS_ADMIN, list_vms, rig), -EPERM);
	assert_int_equal(without_capability(CAP_SYS_ADMIN, list_own_devices, rig), 0);
	assert_int_equal(without_capability(CAP_SYS_ADMIN, list_devices_of_another, rig), -EPERM);
	assert_int_equal(without_capability(CAP_SYS_ADMIN, stats_of_another, rig), -EPERM);
	assert_int_equal(list_vms(rig), 0);
}

static void the_use_of_a_share_is_for_an_administrator(void **state)
{
	struct rig *rig = *state;

	needs_page_requests();
	for (unsigned int i = 0; i < SHARE_GUARANTEE + 4; i++)
		inject_group(&rig->device, i, IOVA);
	assert_int_equal(share_of("rig").pool_used, 4);
	assert_int_equal(without_capability(CAP_SYS_ADMIN, read_use, rig), 0);
	assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
}

static void instances_are_listed_while_they_have_vms_or_were_set(void **state)
{
	struct rig *rig = *state;
	struct faultq_share shares[MANY] = { 0 };
	uint32_t count = MANY;
	bool found = false;

	needs_page_requests();
	assert_int_equal(faultq_instances(rig->fq, shares, &count), 0);
	for (uint32_t i = 0; i < count; i++)
		if (!strcmp(shares[i].name, "mock-rig")) {
			found = true;
			assert_int_equal(shares[i].vms, 1);
			assert_int_equal(shares[i].depth, SHARE_DEPTH);
		}
	assert_true(found);
}

static const struct faultq_vm_entry *find_vm(const struct faultq_vm_entry *vms, uint32_t count,
					     uint32_t devices)
{
	for (uint32_t i = 0; i < count; i++)
		if (vms[i].devices == devices)
			return &vms[i];
	fail_msg("no VM has %u devices", devices);
	return NULL;
}

static void a_vm_is_seen_with_its_devices_and_counters(void **state)
{
	struct rig *rig = *state;
	struct faultq_device_entry devices[MANY];
	struct faultq_vm_entry vms[MANY];
	const struct faultq_vm_entry *vm;
	uint32_t count = MANY;
	struct faultq *other;
	struct faultq_stats stats;

	needs_page_requests();
	assert_int_equal(faultq_open(&other), 0);
	inject_group(&rig->device, 1, IOVA);
	assert_int_equal(faultq_vms(other, vms, &count), 0);
	assert_int_equal(count, 2);
	vm = find_vm(vms, count, 1);
	assert_int_equal(vm->pid, getpid());
	assert_string_equal(vm->comm, "quota_lists");
	assert_int_equal(vm->outstanding, 1);
	assert_int_equal(vm->groups, 1);
	assert_int_equal(vm->slots, RIG_SLOTS);
	assert_int_equal(vm->max_outstanding, 0);

	count = MANY;
	assert_int_equal(faultq_devices(other, vm->vm, devices, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(devices[0].name, rig->device.platform);
	assert_string_equal(devices[0].instance, "mock-rig");
	assert_int_equal(devices[0].device, rig->id);
	assert_int_equal(devices[0].outstanding, 1);
	assert_int_equal(devices[0].state, 0);
	assert_true(devices[0].kinds & FAULTQ_KIND_PAGE_REQUEST);

	assert_int_equal(faultq_vm_stats(other, vm->vm, rig->id, &stats), 0);
	assert_int_equal(stats.groups, 1);
	assert_int_equal(stats.vm, vm->vm);
	assert_int_equal(faultq_vm_stats(other, vm->vm, 99, &stats), -ENOENT);
	assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
	assert_int_equal(faultq_vms(other, vms, &count), 0);
	assert_int_equal(find_vm(vms, 1, 1)->terminated, 1);
	faultq_close(other);
}

static void ids_are_not_reused_and_end_with_the_vm(void **state)
{
	struct rig *rig = *state;
	struct faultq_vm_entry vms[MANY];
	uint32_t last = 0;

	for (unsigned int i = 0; i < 10; i++) {
		uint32_t count = MANY, newest = 0;
		struct faultq *other;

		assert_int_equal(faultq_open(&other), 0);
		assert_int_equal(faultq_vms(rig->fq, vms, &count), 0);
		for (uint32_t j = 0; j < count; j++)
			newest = vms[j].vm > newest ? vms[j].vm : newest;
		assert_true(newest > last);
		last = newest;
		faultq_close(other);
		assert_int_equal(faultq_vm_stats(rig->fq, newest, 0, &(struct faultq_stats){ 0 }),
				 -ENOENT);
	}
}

static int list(struct faultq *fq, unsigned long call, uint32_t entry_size, uint32_t vm)
{
	struct faultq_list list = {
		.size = sizeof(list), .entry_size = entry_size, .vm = vm,
	};

	return ioctl(faultq_fd(fq), call, &list) ? -errno : 0;
}

static void bad_lists_are_refused(void **state)
{
	static const struct {
		unsigned long call;
		uint32_t entry_size;
	} calls[] = {
		{ FAULTQ_INSTANCES, sizeof(struct faultq_share) },
		{ FAULTQ_VMS, sizeof(struct faultq_vm_entry) },
		{ FAULTQ_DEVICES, sizeof(struct faultq_device_entry) },
	};
	struct rig *rig = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned long call = calls[i].call;

		assert_int_equal(list(rig->fq, call, calls[i].entry_size, 0), 0);
		assert_int_equal(list(rig->fq, call, calls[i].entry_size - 1, 0), -EINVAL);
		assert_int_equal(list(rig->fq, call, PAGE, 0), 0);
		assert_int_equal(list(rig->fq, call, PAGE + 1, 0), -EINVAL);
		assert_int_equal(list(rig->fq, call, calls[i].entry_size, ~0U),
				 call == FAULTQ_DEVICES ? -ENOENT : -EINVAL);
	}
}

static void a_list_that_cannot_be_written_is_efault(void **state)
{
	struct rig *rig = *state;
	uint32_t count = 1;

	assert_int_equal(faultq_vms(rig->fq, (void *)PAGE, &count), -EFAULT);
	assert_int_equal(faultq_devices(rig->fq, 0, (void *)PAGE, &count), -EFAULT);
}

/* VMs come and go, with devices, while somebody looks. */

static bool stop;

static void *look_for_ever(void *argument)
{
	struct rig *rig = argument;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		struct faultq_device_entry devices[MANY];
		struct faultq_vm_entry vms[MANY];
		uint32_t count = MANY, some;

		must(!faultq_vms(rig->fq, vms, &count));
		for (uint32_t i = 0; i < count && i < MANY; i++) {
			struct faultq_stats stats;

			some = MANY;
			faultq_devices(rig->fq, vms[i].vm, devices, &some);
			faultq_vm_stats(rig->fq, vms[i].vm, 0, &stats);
			faultq_vm_stats(rig->fq, vms[i].vm, 1, &stats);
		}
	}
	return NULL;
}

static void vms_end_while_they_are_looked_at(void **state)
{
	unsigned long rounds = scaled(200, 10000);
	struct rig *rig = *state;
	pthread_t threads[3];

	vm_detach(rig->fq, rig->id);
	stop = false;
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_for_ever, rig), 0);
	for (unsigned long i = 0; i < rounds; i++) {
		struct faultq *fq = vm_open(16, 64, 0);

		vm_attach(fq, &rig->device);
		if (kernel_delivers(FAULTQ_KIND_PAGE_REQUEST))
			inject_group(&rig->device, i, IOVA);
		faultq_close(fq);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	rig->id = vm_attach(rig->fq, &rig->device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_defaults_are_as_documented),
		RIG_TEST(a_share_is_set_and_read_back),
		RIG_TEST(bad_shares_are_refused),
		RIG_TEST(a_share_in_use_does_not_change),
		RIG_TEST(who_may_see_and_set_what),
		RIG_TEST(the_use_of_a_share_is_for_an_administrator),
		RIG_TEST(instances_are_listed_while_they_have_vms_or_were_set),
		RIG_TEST(a_vm_is_seen_with_its_devices_and_counters),
		RIG_TEST(ids_are_not_reused_and_end_with_the_vm),
		RIG_TEST(bad_lists_are_refused),
		RIG_TEST(a_list_that_cannot_be_written_is_efault),
		RIG_TEST(vms_end_while_they_are_looked_at),
	};

	return tap_run_group(tests, NULL, NULL);
}
