// SPDX-License-Identifier: GPL-2.0-only
/*
 * What outstanding groups cost: memory, all of it made and charged with the queue, and the work
 * of ending them, which is that of the device's own groups only. The guest's clock counts
 * instructions here (-icount), so equal work takes equal time.
 */
#include <errno.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/cgroup.h"
#include "support/fault.h"
#include "support/kinds.h"
#include "support/quota.h"

#define CGROUP		"quota_cost"
#define IOVA		0x1000000UL
#define MAX_SLOTS	16384u
#define MAX_ENTRIES	65536u
#define OWN		8u
#define OTHERS		16000u
/* At most, beside the ring. */
#define BYTES_PER_SLOT	128
#define TRIES		4u

static unsigned long charge_of_queue(uint32_t slots, uint32_t entries)
{
	unsigned long before = cgroup_charged(CGROUP), after;
	struct faultq *fq;

	must(!faultq_open(&fq));
	must(!faultq_queue(fq, slots, entries, -1, FAULTQ_QUEUE_READ));
	after = cgroup_charged(CGROUP);
	faultq_close(fq);
	return after - before;
}

/* Now and then the kernel charges some pages ahead: the least of several is what was needed. */
static unsigned long least_charge_of_queue(uint32_t slots, uint32_t entries)
{
	unsigned long least = charge_of_queue(slots, entries);

	for (unsigned int i = 1; i < TRIES; i++) {
		unsigned long again = charge_of_queue(slots, entries);

		if (again < least)
			least = again;
	}
	return least;
}

/* A child in the cgroup; all that it is charged goes with it. */
static void print_charges(void)
{
	unsigned long least, slots, entries;

	must(cgroup_enter(CGROUP));
	charge_of_queue(MAX_SLOTS, MAX_ENTRIES); /* what is charged once */
	least = charge_of_queue(1, 64);
	slots = least_charge_of_queue(MAX_SLOTS, 64) - least;
	entries = charge_of_queue(1, MAX_ENTRIES) - least;
	printf("# charged: %lu bytes for each slot, %lu for each record of the ring\n",
	       slots / MAX_SLOTS, entries / MAX_ENTRIES);
	must(slots >= MAX_SLOTS * 64 && slots <= MAX_SLOTS * (BYTES_PER_SLOT + 1));
	must(entries >= MAX_ENTRIES * sizeof(struct faultq_record));
	fflush(stdout);
	_exit(0);
}

static void memory_comes_with_the_queue_and_is_charged(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (!cgroup_make(CGROUP))
		skip_because("the kernel has no memory cgroups");
	fflush(stdout);
	child = fork();
	if (!child)
		print_charges();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(cgroup_remove(CGROUP));
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void ask(const struct device *device, uint32_t count)
{
	struct mock_iommu_page_request request = page_request(0, IOVA);

	request.count = count;
	request.group_step = 1;
	assert_int_equal(inject(device, &request), count);
}

static uint64_t time_of_drain(struct faultq *fq, const struct device *device)
{
	uint32_t id = vm_attach(fq, device), drained;
	uint64_t begin;

	ask(device, OWN);
	begin = now();
	assert_int_equal(faultq_drain(fq, id, &drained), 0);
	begin = now() - begin;
	assert_int_equal(drained, OWN);
	vm_detach(fq, id);
	return begin;
}

static uint64_t time_of_detach(struct faultq *fq, const struct device *device)
{
	uint32_t id = vm_attach(fq, device);
	uint64_t begin;

	ask(device, OWN);
	begin = now();
	vm_detach(fq, id);
	return now() - begin;
}

/* Of several, as the first ones fill caches and an interrupt may come between. */
static uint64_t least_of(uint64_t (*time_of)(struct faultq *, const struct device *),
			 struct faultq *fq, const struct device *device)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 20; i++) {
		uint64_t time = time_of(fq, device);

		least = time < least ? time : least;
	}
	return least;
}

/* Beside a neighbour of the same VM, behind the same instance, that holds many. */
static void compare(const char *what, uint64_t (*time_of)(struct faultq *, const struct device *))
{
	struct faultq *fq = vm_open(MAX_SLOTS, MAX_ENTRIES, 0);
	struct device device, neighbour;
	uint64_t alone, beside;

	instance_make("cost", 65536);
	device_make(&device, "cost", "dev", "mode=stall");
	device_make(&neighbour, "cost", "neighbour", "mode=stall");
	vm_attach(fq, &neighbour);
	alone = least_of(time_of, fq, &device);
	ask(&neighbour, OTHERS);
	assert_int_equal(vm_stats(fq, 0).outstanding, OTHERS);
	beside = least_of(time_of, fq, &device);
	printf("# %s of %u groups: %lu instructions alone, %lu beside %u of a neighbour\n", what,
	       OWN, alone, beside, OTHERS);
	/*
	 * Equal on a stock kernel, but for an instruction here and there. A debugging kernel's own
	 * bookkeeping grows with all objects there are; a walk over them would be hundreds of
	 * times as much.
	 */
	assert_true(beside <= alone * 2);
	faultq_close(fq);
	device_remove(&device);
	device_remove(&neighbour);
	instance_remove("cost");
}

static void a_drain_costs_what_the_devices_own_groups_cost(void **state)
{
	(void)state;
	compare("DRAIN", time_of_drain);
}

static void a_detach_costs_what_the_devices_own_groups_cost(void **state)
{
	(void)state;
	compare("DETACH", time_of_detach);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_with_the_queue_and_is_charged),
		cmocka_unit_test(a_drain_costs_what_the_devices_own_groups_cost),
		cmocka_unit_test(a_detach_costs_what_the_devices_own_groups_cost),
	};

	shares_lift(65535);
	return tap_run_request_group(tests, NULL, NULL);
}
