// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of a VM and of its devices: what is over them is answered INVALID at once and counted
 * under its cause, one event tells, a device that does not stop is switched off; caps of an
 * administrator hold for who has no CAP_SYS_RESOURCE.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/privilege.h"
#include "support/quota.h"

#define IOVA	0x1000000UL
#define NEVER	FAULTQ_MAX_DEADLINE_MS

static struct faultq_limits limits_of(struct faultq *fq, uint32_t device)
{
	struct faultq_limits limits;

	assert_int_equal(faultq_limits(fq, device, &limits), 0);
	return limits;
}

static int try_limit(struct faultq *fq, uint32_t device, uint32_t max_outstanding)
{
	struct faultq_limits limits = limits_of(fq, device);

	limits.max_outstanding = max_outstanding;
	return faultq_set_limits(fq, &limits);
}

static void set_rate(struct faultq *fq, uint32_t device, uint32_t rate)
{
	struct faultq_limits limits = limits_of(fq, device);

	limits.refused_rate = rate;
	assert_int_equal(faultq_set_limits(fq, &limits), 0);
}

static void ask(const struct device *device, uint32_t first, uint32_t count)
{
	struct mock_iommu_page_request request = page_request(first, IOVA);

	request.count = count;
	request.group_step = 1;
	assert_int_equal(inject(device, &request), count);
}

static void expect_answers(const struct device *device, unsigned int count, uint32_t code)
{
	while (count--)
		assert_int_equal(response(device).code, code);
	assert_no_response(device);
}

static void expect_over(struct faultq *fq, uint32_t device, uint32_t cause, uint32_t count)
{
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_OVER_QUOTA);
	assert_int_equal(record.flags, FAULTQ_RECORD_DEVICE | FAULTQ_RECORD_REASON);
	assert_int_equal(record.device, device);
	assert_int_equal(record.reason, cause);
	assert_int_equal(record.count, count);
	assert_int_equal(record.cookie, 0);
}

static void a_new_vm_has_no_limits(void **state)
{
	struct rig *rig = *state;
	struct faultq_limits limits = limits_of(rig->fq, 0);
	const struct faultq_limits none = { .size = sizeof(none) };

	assert_memory_equal(&limits, &none, sizeof(none));
	limits = limits_of(rig->fq, rig->id);
	limits.device = 0;
	assert_memory_equal(&limits, &none, sizeof(none));
}

static void what_is_set_is_read_back(void **state)
{
	struct rig *rig = *state;
	struct faultq_limits vm = {
		.max_outstanding = 3, .deadline_ms = NEVER, .grace_ms = NEVER - 1, .invalid = 1,
		.strikes = 9,
	}, device = { .device = rig->id, .max_outstanding = 2, .refused_rate = 100 }, got;

	assert_int_equal(faultq_set_limits(rig->fq, &vm), 0);
	assert_int_equal(faultq_set_limits(rig->fq, &device), 0);
	got = limits_of(rig->fq, 0);
	vm.size = sizeof(vm);
	assert_memory_equal(&got, &vm, sizeof(vm));
	got = limits_of(rig->fq, rig->id);
	device.size = sizeof(device);
	assert_memory_equal(&got, &device, sizeof(device));
}

static void bad_limits_are_refused_and_change_nothing(void **state)
{
	struct rig *rig = *state;
	const struct faultq_limits bad[] = {
		{ .refused_rate = 1 },
		{ .invalid = 2 },
		{ .deadline_ms = NEVER + 1 },
		{ .grace_ms = NEVER + 1 },
		{ .reserved = 1 },
		{ .device = rig->id, .deadline_ms = 1 },
		{ .device = rig->id, .grace_ms = 1 },
		{ .device = rig->id, .invalid = 1 },
		{ .device = rig->id, .strikes = 1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(faultq_set_limits(rig->fq, &bad[i]), -EINVAL);
	assert_int_equal(try_limit(rig->fq, 0, 0), 0);
	assert_int_equal(faultq_set_limits(rig->fq, &(struct faultq_limits){ .device = 99 }),
			 -ENOENT);
	assert_int_equal(faultq_limits(rig->fq, 99, &(struct faultq_limits){ 0 }), -ENOENT);
	a_new_vm_has_no_limits(state);
}

static void what_is_over_the_vms_limit_is_invalid_and_counted(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(try_limit(rig->fq, 0, 3), 0);
	ask(&rig->device, 0, 10);
	expect_answers(&rig->device, 7, FAULTQ_INVALID);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 3);
	assert_int_equal(vm_stats(rig->fq, 0).terminated_over_vm, 7);
	assert_int_equal(vm_stats(rig->fq, rig->id).terminated_over_vm, 7);
	assert_int_equal(vm_stats(rig->fq, 0).terminated_over_device, 0);
}

static void what_is_over_the_devices_limit_is_invalid_and_counted(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(try_limit(rig->fq, rig->id, 2), 0);
	ask(&rig->device, 0, 10);
	expect_answers(&rig->device, 8, FAULTQ_INVALID);
	assert_int_equal(vm_stats(rig->fq, rig->id).outstanding, 2);
	assert_int_equal(vm_stats(rig->fq, rig->id).terminated_over_device, 8);
	assert_int_equal(vm_stats(rig->fq, 0).terminated_over_vm, 0);
}

/* The limit of the VM counts over all its devices, that of a device only its own. */
static void limits_of_vm_and_device_hold_together(void **state)
{
	struct rig *rig = *state;
	struct device other;
	uint32_t id;

	device_make(&other, rig->device.instance, "other", "mode=stall");
	id = vm_attach(rig->fq, &other);
	assert_int_equal(try_limit(rig->fq, 0, 5), 0);
	assert_int_equal(try_limit(rig->fq, rig->id, 3), 0);
	ask(&rig->device, 0, 10);
	ask(&other, 0, 10);
	assert_int_equal(vm_stats(rig->fq, rig->id).outstanding, 3);
	assert_int_equal(vm_stats(rig->fq, id).outstanding, 2);
	assert_int_equal(vm_stats(rig->fq, 0).terminated_over_device, 7);
	assert_int_equal(vm_stats(rig->fq, 0).terminated_over_vm, 8);
	vm_detach(rig->fq, id);
	device_remove(&other);
}

static void a_place_that_is_answered_is_free_again(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(try_limit(rig->fq, 0, 1), 0);
	for (unsigned int i = 0; i < 100; i++) {
		inject_group(&rig->device, i, IOVA);
		assert_int_equal(faultq_answer(rig->fq, take_cookie(rig->fq), FAULTQ_SUCCESS), 0);
		assert_response(&rig->device, i, FAULTQ_SUCCESS);
	}
	assert_int_equal(vm_stats(rig->fq, 0).terminated_over_vm, 0);
}

static void a_limit_below_what_is_outstanding_ends_nothing(void **state)
{
	struct rig *rig = *state;
	uint64_t cookies[4];

	for (unsigned int i = 0; i < 4; i++) {
		inject_group(&rig->device, i, IOVA);
		cookies[i] = take_cookie(rig->fq);
	}
	assert_int_equal(try_limit(rig->fq, 0, 2), 0);
	assert_no_response(&rig->device);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(faultq_answer(rig->fq, cookies[i], FAULTQ_SUCCESS), 0);
		assert_response(&rig->device, i, FAULTQ_SUCCESS);
		inject_group(&rig->device, 10 + i, IOVA);
		if (i < 2)
			assert_response(&rig->device, 10 + i, FAULTQ_INVALID);
	}
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 2);
}

static void one_event_tells_of_many(void **state)
{
	struct rig *rig = *state;
	uint64_t cookie;

	assert_int_equal(try_limit(rig->fq, 0, 1), 0);
	inject_group(&rig->device, 0, IOVA);
	cookie = take_cookie(rig->fq);
	ask(&rig->device, 1, 20);
	expect_over(rig->fq, rig->id, FAULTQ_CAUSE_VM, 1);

	/* it was consumed, but nothing was admitted since */
	ask(&rig->device, 1, 20);
	assert_queue_empty(rig->fq);

	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), 0);
	inject_group(&rig->device, 0, IOVA);
	expect_over(rig->fq, rig->id, FAULTQ_CAUSE_VM, 39);
	cookie = take_cookie(rig->fq);
	inject_group(&rig->device, 1, IOVA);
	assert_queue_empty(rig->fq);
	assert_int_equal(faultq_answer(rig->fq, cookie, FAULTQ_SUCCESS), 0);
}

static void an_event_that_waits_in_the_ring_is_the_only_one(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(try_limit(rig->fq, rig->id, 1), 0);
	inject_group(&rig->device, 0, IOVA);
	inject_group(&rig->device, 1, IOVA);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(faultq_drain(rig->fq, rig->id, NULL), 0);
		ask(&rig->device, 2, 2);
	}
	take_cookie(rig->fq);
	expect_over(rig->fq, rig->id, FAULTQ_CAUSE_DEVICE, 1);
	for (unsigned int i = 0; i < 10; i++)
		take_cookie(rig->fq);
	assert_queue_empty(rig->fq);
}

static void over_the_instance_has_its_own_cause(void **state)
{
	struct rig *rig = *state;
	struct faultq *fq = vm_open(1024, 1024, 0);
	struct device device;
	uint32_t id;

	instance_make("part", 0);
	device_make(&device, "part", "dev", "mode=pri");
	id = vm_attach(fq, &device);
	ask(&device, 0, 100);
	assert_int_equal(vm_stats(fq, id).outstanding, 72);
	assert_int_equal(vm_stats(fq, id).terminated_over_instance, 28);
	for (unsigned int i = 0; i < 72; i++)
		take_cookie(fq);
	expect_over(fq, id, FAULTQ_CAUSE_INSTANCE, 1);
	assert_queue_empty(rig->fq);
	faultq_close(fq);
	device_remove(&device);
	instance_remove("part");
}

static void expect_off(struct faultq *fq, uint32_t device, uint32_t cause)
{
	struct faultq_record record = take_record(fq);

	assert_int_equal(record.type, FAULTQ_FAULTING_OFF);
	assert_int_equal(record.device, device);
	assert_int_equal(record.reason, cause);
	assert_int_equal(vm_stats(fq, device).state & FAULTQ_STATE_OFF, FAULTQ_STATE_OFF);
	assert_int_equal(vm_stats(fq, device).switched_off, 1);
}

/* Far more at once than the rate allows in a second, however fast the machine is. */
static void a_device_that_is_refused_too_often_is_switched_off(void **state)
{
	struct rig *rig = *state;
	struct faultq_stats stats;

	assert_int_equal(try_limit(rig->fq, rig->id, 1), 0);
	set_rate(rig->fq, rig->id, 10);
	inject_group(&rig->device, 0, IOVA);
	ask(&rig->device, 1, 5000);
	take_cookie(rig->fq);
	expect_over(rig->fq, rig->id, FAULTQ_CAUSE_DEVICE, 1);
	expect_off(rig->fq, rig->id, FAULTQ_CAUSE_RATE);
	assert_int_equal(device_state(&rig->device).requests_on, 0);

	stats = vm_stats(rig->fq, rig->id);
	assert_true(stats.terminated_over_device >= 11);
	assert_int_equal(stats.terminated_over_device + stats.terminated_off, 5001 - 1 +
			 (stats.outstanding ? 0 : 1));

	/* what it had outstanding is ended too, and it stays off */
	while (vm_stats(rig->fq, 0).outstanding)
		sched_yield();
	inject_group(&rig->device, 9, IOVA);
	assert_int_equal(vm_stats(rig->fq, rig->id).outstanding, 0);
	assert_queue_empty(rig->fq);
}

static void a_rate_that_is_not_exceeded_switches_nothing_off(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(try_limit(rig->fq, rig->id, 1), 0);
	set_rate(rig->fq, rig->id, 101);
	ask(&rig->device, 0, 101);
	assert_int_equal(vm_stats(rig->fq, rig->id).state, 0);
	assert_int_equal(vm_stats(rig->fq, rig->id).terminated_over_device, 100);
}

/* Caps: of the defaults for a VM, of its instance for a device. */

static void set_caps(uint32_t max_vm, uint32_t max_device, uint32_t rate)
{
	struct faultq_share defaults = {
		.depth = SHARE_DEPTH, .pool = SHARE_POOL, .guarantee = SHARE_GUARANTEE,
		.max_vm = max_vm, .max_device = max_device, .refused_rate = rate,
	};
	struct faultq *fq;

	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_set_share(fq, &defaults), 0);
	faultq_close(fq);
}

static int rig_setup_capped(void **state)
{
	set_caps(5, 4, 100);
	return rig_setup_pri(state);
}

static int rig_teardown_capped(void **state)
{
	rig_teardown(state);
	set_caps(0, 0, 0);
	return 0;
}

static void caps_are_the_limits_at_first(void **state)
{
	struct rig *rig = *state;
	struct faultq_limits vm = limits_of(rig->fq, 0), device = limits_of(rig->fq, rig->id);

	assert_int_equal(vm.cap, 5);
	assert_int_equal(vm.max_outstanding, 5);
	assert_int_equal(device.cap, 4);
	assert_int_equal(device.max_outstanding, 4);
	assert_int_equal(device.rate_cap, 100);
	assert_int_equal(device.refused_rate, 100);
	ask(&rig->device, 0, 6);
	assert_int_equal(vm_stats(rig->fq, 0).outstanding, 4);
}

static int raise_vm(void *argument)
{
	struct rig *rig = argument;

	return try_limit(rig->fq, 0, 6);
}

static int lift_vm(void *argument)
{
	struct rig *rig = argument;

	return try_limit(rig->fq, 0, 0);
}

static int lower_vm(void *argument)
{
	struct rig *rig = argument;

	return try_limit(rig->fq, 0, 4) ?: try_limit(rig->fq, 0, 5);
}

static int raise_device(void *argument)
{
	struct rig *rig = argument;

	return try_limit(rig->fq, rig->id, 5);
}

static int lift_rate(void *argument)
{
	struct rig *rig = argument;
	struct faultq_limits limits = limits_of(rig->fq, rig->id);

	limits.refused_rate = 0;
	return faultq_set_limits(rig->fq, &limits);
}

static void above_a_cap_needs_the_capability(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(without_capability(CAP_SYS_RESOURCE, raise_vm, rig), -EPERM);
	assert_int_equal(without_capability(CAP_SYS_RESOURCE, lift_vm, rig), -EPERM);
	assert_int_equal(without_capability(CAP_SYS_RESOURCE, raise_device, rig), -EPERM);
	assert_int_equal(without_capability(CAP_SYS_RESOURCE, lift_rate, rig), -EPERM);
	assert_int_equal(without_capability(CAP_SYS_RESOURCE, lower_vm, rig), 0);
	assert_int_equal(limits_of(rig->fq, 0).max_outstanding, 5);
	assert_int_equal(raise_vm(rig), 0);
	assert_int_equal(lift_vm(rig), 0);
	assert_int_equal(raise_device(rig), 0);
	assert_int_equal(lift_rate(rig), 0);
}

/* Limits change while faults come: what is outstanding never exceeds the highest of them. */

static bool stop;

static void *ask_for_ever(void *argument)
{
	struct rig *rig = argument;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		struct mock_iommu_page_request request = page_request(0, IOVA);

		request.count = 20;
		request.group_step = 1;
		must(mock_page_requests(rig->device.fd, &request) == 20);
		must(!faultq_drain(rig->fq, rig->id, NULL));
	}
	return NULL;
}

static void limits_change_under_load(void **state)
{
	struct rig *rig = *state;
	unsigned long rounds = scaled(500, 20000);
	pthread_t thread;

	stop = false;
	assert_int_equal(try_limit(rig->fq, 0, 8), 0);
	assert_int_equal(pthread_create(&thread, NULL, ask_for_ever, rig), 0);
	for (unsigned long i = 0; i < rounds; i++) {
		const struct faultq_record *records;

		assert_int_equal(try_limit(rig->fq, i % 2 ? rig->id : 0, 1 + i % 8), 0);
		assert_true(vm_stats(rig->fq, 0).outstanding <= 8);
		while (faultq_peek(rig->fq, &records) > 0)
			faultq_consume(rig->fq);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
#define CAPPED(test) cmocka_unit_test_setup_teardown(test, rig_setup_capped, rig_teardown_capped)
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_new_vm_has_no_limits),
		RIG_TEST(what_is_set_is_read_back),
		RIG_TEST(bad_limits_are_refused_and_change_nothing),
		RIG_TEST(what_is_over_the_vms_limit_is_invalid_and_counted),
		RIG_TEST(what_is_over_the_devices_limit_is_invalid_and_counted),
		RIG_TEST(limits_of_vm_and_device_hold_together),
		RIG_TEST(a_place_that_is_answered_is_free_again),
		RIG_TEST(a_limit_below_what_is_outstanding_ends_nothing),
		RIG_TEST(one_event_tells_of_many),
		RIG_TEST(an_event_that_waits_in_the_ring_is_the_only_one),
		RIG_TEST(over_the_instance_has_its_own_cause),
		RIG_TEST(a_device_that_is_refused_too_often_is_switched_off),
		RIG_TEST(a_rate_that_is_not_exceeded_switches_nothing_off),
		CAPPED(caps_are_the_limits_at_first),
		CAPPED(above_a_cap_needs_the_capability),
		RIG_TEST(limits_change_under_load),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
