// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: interrupt controllers of the mock whose pages are bound in windows of a VM, once for
 * all its devices, which reach them through their own page tables; and what ends a binding.
 */
#include <errno.h>
#include <string.h>

#include "support/space.h"

#define IOVA	0x10000000ull
#define MIB	0x100000ull
#define MSI	FAULTQ_WINDOW_MSI
#define WRITE	FAULTQ_MAP_WRITE
#define ROOM	16

/**
 * struct bells - a VM with two devices of one IOMMU instance attached, and one of another that is
 *	not
 * @fq: the VM
 * @a: a device
 * @b: its neighbour
 * @c: behind the other instance
 * @a_id: id of @a
 * @b_id: id of @b
 */
struct bells {
	struct faultq *fq;
	struct device a, b, c;
	uint32_t a_id, b_id;
};

static int bells_setup(void **state)
{
	struct bells *bells = calloc(1, sizeof(*bells));

	*state = bells;
	instance_make("bell0", 0);
	instance_make("bell1", 0);
	device_make(&bells->a, "bell0", "a", "mode=none");
	device_make(&bells->b, "bell0", "b", "mode=none");
	device_make(&bells->c, "bell1", "c", "mode=none");
	assert_int_equal(faultq_open(&bells->fq), 0);
	bells->a_id = vm_attach(bells->fq, &bells->a);
	bells->b_id = vm_attach(bells->fq, &bells->b);
	return 0;
}

static int bells_teardown(void **state)
{
	struct bells *bells = *state;

	faultq_close(bells->fq);
	device_remove(&bells->a);
	device_remove(&bells->b);
	device_remove(&bells->c);
	instance_remove("bell0");
	instance_remove("bell1");
	free(bells);
	return 0;
}

static int try_bind(const struct device *device, uint32_t controller)
{
	struct mock_iommu_msi msi = { 0 };

	return msi_call(device, MOCK_IOMMU_MSI_BIND, controller, &msi);
}

static uint32_t list_doorbells(struct faultq *fq, struct faultq_doorbell_entry *doorbells)
{
	uint32_t count = ROOM;

	assert_int_equal(faultq_doorbells(fq, 0, doorbells, &count), 0);
	return count;
}

static void assert_used(struct faultq *fq, uint32_t id, uint32_t used)
{
	struct faultq_window_entry windows[LIST_ROOM];
	uint32_t count = list_windows(fq, windows);

	for (uint32_t i = 0; i < count; i++)
		if (windows[i].id == id) {
			assert_int_equal(windows[i].used, used);
			return;
		}
	fail_msg("there is no window %u", id);
}

static void a_message_arrives_through_a_window(void **state)
{
	struct faultq_doorbell_entry doorbells[ROOM];
	struct bells *bells = *state;
	uint32_t id = window_add(bells->fq, IOVA, 4 * PAGE, MSI, WRITE);
	uint64_t iova = msi_bind(&bells->a, 0), value = 0;

	assert_true(iova >= IOVA && iova < IOVA + 4 * PAGE);
	assert_true(msi_arrives(&bells->a, 0));
	assert_used(bells->fq, id, 1);
	assert_int_equal(list_doorbells(bells->fq, doorbells), 1);
	assert_int_equal(doorbells[0].iova, iova);
	assert_int_equal(doorbells[0].window, id);
	assert_int_equal(doorbells[0].users, 1);
	/* nothing but the doorbell, and nothing but writing */
	assert_int_equal(device_reaches(&bells->a, MOCK_IOMMU_READ, iova, &value),
			 MOCK_IOMMU_ACCESS_DENIED);
	for (uint64_t page = IOVA - PAGE; page <= IOVA + 4 * PAGE; page += PAGE)
		if (page != iova)
			assert_int_equal(device_reaches(&bells->a, MOCK_IOMMU_WRITE, page, &value),
					 MOCK_IOMMU_ACCESS_MISS);

	msi_unbind(&bells->a, 0);
	assert_false(msi_arrives(&bells->a, 0));
	assert_used(bells->fq, id, 0);
	assert_int_equal(list_doorbells(bells->fq, doorbells), 0);
	assert_int_equal(faultq_window_del(bells->fq, id), 0);
}

static void without_a_window_or_a_vm_nothing_is_bound(void **state)
{
	struct bells *bells = *state;

	assert_int_equal(try_bind(&bells->a, 0), -ENOENT);
	window_add(bells->fq, IOVA, MIB, FAULTQ_WINDOW_RESERVED, 0);
	window_add(bells->fq, IOVA + MIB, MIB, FAULTQ_WINDOW_SW_MSI, 0);
	assert_int_equal(try_bind(&bells->a, 0), -ENOENT);
	window_add(bells->fq, IOVA + 2 * MIB, MIB, MSI, WRITE);
	assert_int_equal(try_bind(&bells->c, 0), -ENODEV);
	assert_int_equal(try_bind(&bells->a, MOCK_IOMMU_CONTROLLERS), -EINVAL);
	msi_unbind(&bells->a, 0);	/* was never bound: nothing */
	msi_bind(&bells->a, 0);
}

static void devices_share_a_doorbell(void **state)
{
	struct faultq_doorbell_entry doorbells[ROOM];
	struct bells *bells = *state;
	uint32_t id = window_add(bells->fq, IOVA, MIB, MSI, WRITE);
	uint64_t iova = msi_bind(&bells->a, 3);

	assert_int_equal(msi_bind(&bells->b, 3), iova);
	assert_int_equal(msi_bind(&bells->b, 3), iova);
	assert_int_equal(list_doorbells(bells->fq, doorbells), 1);
	assert_int_equal(doorbells[0].users, 3);
	assert_used(bells->fq, id, 1);
	msi_unbind(&bells->b, 3);
	msi_unbind(&bells->a, 3);
	assert_true(msi_arrives(&bells->b, 3));
	/* the address space is one: who knows the address reaches it, too */
	assert_true(msi_arrives(&bells->a, 3));
	msi_unbind(&bells->b, 3);
	assert_false(msi_arrives(&bells->b, 3));
	assert_used(bells->fq, id, 0);
}

static void controllers_share_windows_until_they_are_full(void **state)
{
	struct bells *bells = *state;
	uint32_t second = window_add(bells->fq, IOVA + MIB, 3 * PAGE, MSI, WRITE);
	uint32_t first = window_add(bells->fq, IOVA, 2 * PAGE, MSI, WRITE);
	uint64_t iovas[5];

	for (uint32_t i = 0; i < 5; i++) {
		iovas[i] = msi_bind(&bells->a, i);
		assert_int_equal(iovas[i] < IOVA + MIB, i < 2);
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(iovas[i], iovas[j]);
	}
	assert_used(bells->fq, first, 2);
	assert_used(bells->fq, second, 3);
	assert_int_equal(try_bind(&bells->a, 5), -ENOSPC);
	for (uint32_t i = 0; i < 5; i++)
		assert_true(msi_arrives(&bells->a, i));
	msi_unbind(&bells->a, 1);
	assert_int_equal(msi_bind(&bells->a, 5), iovas[1]);
	assert_true(msi_arrives(&bells->a, 5));
}

static void a_window_in_use_stays_and_others_go(void **state)
{
	struct bells *bells = *state;
	uint32_t first = window_add(bells->fq, IOVA, PAGE, MSI, WRITE);
	uint32_t second = window_add(bells->fq, IOVA + MIB, PAGE, MSI, WRITE);
	uint32_t third = window_add(bells->fq, IOVA + 2 * MIB, PAGE, MSI, WRITE);
	char *memory = pages_new(1);

	for (uint32_t i = 0; i < 3; i++)
		msi_bind(&bells->a, i);
	assert_int_equal(faultq_window_del(bells->fq, second), -EBUSY);
	msi_unbind(&bells->a, 1);
	assert_int_equal(faultq_window_del(bells->fq, second), 0);
	assert_true(msi_arrives(&bells->a, 0));
	assert_false(msi_arrives(&bells->a, 1));
	assert_true(msi_arrives(&bells->a, 2));

	/* and none is in the way of UNMAP, nor the other way round */
	assert_int_equal(faultq_map(bells->fq, IOVA + MIB, memory, PAGE, WRITE), 0);
	assert_int_equal(faultq_unmap(bells->fq, 0, ~0ull, NULL), 0);
	assert_true(msi_arrives(&bells->a, 0));
	assert_true(msi_arrives(&bells->a, 2));
	assert_int_equal(faultq_window_del(bells->fq, first), -EBUSY);
	assert_int_equal(faultq_window_del(bells->fq, third), -EBUSY);
	pages_free(memory, 1);
}

static void a_windows_permissions_are_its_doorbells(void **state)
{
	struct bells *bells = *state;
	uint32_t id = window_add(bells->fq, IOVA, PAGE, MSI, FAULTQ_MAP_READ);
	uint64_t iova = msi_bind(&bells->a, 0), value = 0;

	assert_false(msi_arrives(&bells->a, 0));
	assert_int_equal(device_reaches(&bells->a, MOCK_IOMMU_READ, iova, &value),
			 MOCK_IOMMU_ACCESS_DONE);
	msi_unbind(&bells->a, 0);
	assert_int_equal(faultq_window_del(bells->fq, id), 0);
}

static void a_window_out_of_reach_is_of_no_use(void **state)
{
	struct bells *bells = *state;
	uint32_t id = window_add(bells->fq, ~0ull - PAGE + 1, PAGE, MSI, WRITE);

	assert_int_equal(try_bind(&bells->a, 0), -EINVAL);
	assert_used(bells->fq, id, 0);
}

static void what_is_bound_a_later_device_reaches(void **state)
{
	struct bells *bells = *state;
	uint64_t iova;

	window_add(bells->fq, IOVA, MIB, MSI, WRITE);
	iova = msi_bind(&bells->a, 0);
	vm_attach(bells->fq, &bells->c);
	assert_int_equal(msi_bind(&bells->c, 0), iova);
	assert_true(msi_arrives(&bells->c, 0));
	msi_bind(&bells->c, 1);
	assert_true(msi_arrives(&bells->c, 1));
	assert_true(msi_arrives(&bells->a, 0));
}

static void detach_ends_a_devices_bindings_only(void **state)
{
	struct faultq_doorbell_entry doorbells[ROOM];
	struct bells *bells = *state;
	uint32_t id = window_add(bells->fq, IOVA, MIB, MSI, WRITE);

	msi_bind(&bells->a, 0);
	msi_bind(&bells->a, 0);
	msi_bind(&bells->a, 1);
	msi_bind(&bells->b, 1);
	vm_detach(bells->fq, bells->a_id);
	assert_int_equal(list_doorbells(bells->fq, doorbells), 1);
	assert_int_equal(doorbells[0].users, 1);
	assert_true(msi_arrives(&bells->b, 1));
	assert_false(msi_arrives(&bells->a, 1));
	msi_unbind(&bells->a, 0);	/* too late: nothing */
	assert_int_equal(faultq_window_del(bells->fq, id), -EBUSY);
	device_unplug(&bells->b);
	assert_int_equal(list_doorbells(bells->fq, doorbells), 0);
	assert_int_equal(faultq_window_del(bells->fq, id), 0);
}

static void close_ends_everything(void **state)
{
	struct bells *bells = *state;

	for (unsigned int i = 0; i < 5; i++) {
		window_add(bells->fq, IOVA, MIB, MSI, WRITE);
		for (uint32_t j = 0; j < MOCK_IOMMU_CONTROLLERS; j++)
			msi_bind(&bells->a, j);
		faultq_close(bells->fq);
		assert_int_equal(try_bind(&bells->a, 0), -ENODEV);
		assert_false(msi_arrives(&bells->a, 0));
		assert_int_equal(faultq_open(&bells->fq), 0);
		vm_attach(bells->fq, &bells->a);
	}
}

/* Bindings, windows and attachments by threads; at the end nothing is left of any. */

#define RACERS 4

static bool stop;

struct racer {
	struct bells *bells;
	unsigned int seed;
	pthread_t thread;
	void (*act)(struct racer *racer);
};

static void race_bind(struct racer *racer)
{
	bool first = rand_r(&racer->seed) % 2;
	const struct device *device = first ? &racer->bells->a : &racer->bells->b;
	uint32_t controller = rand_r(&racer->seed) % MOCK_IOMMU_CONTROLLERS;
	struct mock_iommu_msi msi = { .data = 1 + rand_r(&racer->seed) % 100 };
	int ret = try_bind(device, controller);

	must(!ret || ret == -ENOENT || ret == -ENOSPC || ret == -ENODEV);
	msi_call(device, MOCK_IOMMU_MSI_SEND, controller, &msi);
	msi = (struct mock_iommu_msi){ 0 };
	must(!msi_call(device, MOCK_IOMMU_MSI_UNBIND, controller, &msi));
}

static void race_windows(struct racer *racer)
{
	uint64_t iova = IOVA + rand_r(&racer->seed) % 4 * 2 * PAGE;
	uint32_t id;
	int ret = faultq_window_add(racer->bells->fq, iova, 2 * PAGE, MSI, WRITE, &id);

	must(!ret || ret == -EEXIST);
	if (ret)
		return;
	while ((ret = faultq_window_del(racer->bells->fq, id)) == -EBUSY)
		sched_yield();
	must(!ret);
}

static void race_attach(struct racer *racer)
{
	struct faultq_attach attach;

	must(!faultq_attach(racer->bells->fq, racer->bells->b.platform, &attach));
	must(!faultq_detach(racer->bells->fq, attach.device, NULL));
}

static void *race(void *argument)
{
	struct racer *racer = argument;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		racer->act(racer);
	return NULL;
}

static void bindings_race_with_windows_and_attachments(void **state)
{
	static void (*const acts[RACERS])(struct racer *) = {
		race_bind, race_bind, race_windows, race_attach,
	};
	unsigned long rounds = scaled(2000, 100000);
	struct faultq_doorbell_entry doorbells[ROOM];
	struct bells *bells = *state;
	struct racer racers[RACERS], own = { .bells = bells, .seed = 77 };

	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){ .bells = bells, .seed = i, .act = acts[i] };
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (unsigned long i = 0; i < rounds; i++)
		race_bind(&own);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < RACERS; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	/* an unbind of one thread may have been another's: what is left is a device's */
	vm_detach(bells->fq, bells->a_id);
	assert_int_equal(list_doorbells(bells->fq, doorbells), 0);
}

int main(void)
{
#define BELLS(test) cmocka_unit_test_setup_teardown(test, bells_setup, bells_teardown)
	const struct CMUnitTest tests[] = {
		BELLS(a_message_arrives_through_a_window),
		BELLS(without_a_window_or_a_vm_nothing_is_bound),
		BELLS(devices_share_a_doorbell),
		BELLS(controllers_share_windows_until_they_are_full),
		BELLS(a_window_in_use_stays_and_others_go),
		BELLS(a_windows_permissions_are_its_doorbells),
		BELLS(a_window_out_of_reach_is_of_no_use),
		BELLS(what_is_bound_a_later_device_reaches),
		BELLS(detach_ends_a_devices_bindings_only),
		BELLS(close_ends_everything),
		BELLS(bindings_race_with_windows_and_attachments),
	};

	return tap_run_group(tests, NULL, NULL);
}
