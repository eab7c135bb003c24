// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several at once, on two virtual CPUs and by the wall clock: so the figures are ratios, how many
 * round trips are made in all, to how many one alone makes in the same time. Two that do not
 * disturb each other make 2.
 */
#include <pthread.h>
#include <time.h>

#include "measure.h"
#include "support/fault.h"
#include "support/kinds.h"
#include "support/quota.h"

#define IOVA		0x1000000ull
#define MOST		8u
#define ROUNDS		4000u
#define TRIES		5u

/* A device and who takes its page requests: a VM of its own, or one with others. */
struct worker {
	struct device device;
	char instance[16];
	struct faultq *vm;
	pthread_t thread;
};

static struct worker workers[MOST];
static pthread_barrier_t all_ready;

static void make_worker(unsigned int index, bool own_instance)
{
	struct worker *worker = &workers[index];
	char name[16];

	snprintf(name, sizeof(name), "d%u", index);
	snprintf(worker->instance, sizeof(worker->instance), "many%u", own_instance ? index : 0);
	if (own_instance || !index)
		instance_make(worker->instance, 256);
	device_make(&worker->device, worker->instance, name, "mode=stall");
	worker->vm = vm_open(64, 1024, 0);
	vm_attach(worker->vm, &worker->device);
}

static void remove_worker(unsigned int index, bool own_instance)
{
	struct worker *worker = &workers[index];

	faultq_close(worker->vm);
	device_remove(&worker->device);
	if (own_instance || !index)
		instance_remove(worker->instance);
}

static void round_trip(const struct worker *worker)
{
	struct mock_iommu_page_request request = page_request(0, IOVA);
	const struct faultq_record *record;

	request.count = 1;
	must(inject(&worker->device, &request) == 1);
	must(faultq_peek(worker->vm, &record) == 1);
	must(!faultq_answer(worker->vm, record->cookie, FAULTQ_SUCCESS));
	faultq_consume(worker->vm);
}

static void *work(void *data)
{
	pthread_barrier_wait(&all_ready);
	for (unsigned int i = 0; i < ROUNDS; i++)
		round_trip(data);
	return NULL;
}

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Round trips in a second. */
static double rate_once(unsigned int count)
{
	double begin;

	pthread_barrier_init(&all_ready, NULL, count + 1);
	for (unsigned int i = 0; i < count; i++)
		must(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	pthread_barrier_wait(&all_ready);
	begin = seconds();
	for (unsigned int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_barrier_destroy(&all_ready);
	return count * ROUNDS / (seconds() - begin);
}

/* The best of some: the host has other things to do. */
static double rate(unsigned int count)
{
	double best = 0;

	for (unsigned int i = 0; i < TRIES; i++) {
		double rate = rate_once(count);

		best = rate > best ? rate : best;
	}
	return best;
}

static void report(const char *what, bool own_instance)
{
	double alone;

	for (unsigned int i = 0; i < MOST; i++)
		make_worker(i, own_instance);
	alone = rate(1);
	for (unsigned int count = 2; count <= MOST; count *= 2)
		figure_report(rate(count) / alone, "ratio.vms.%u.%s", count, what);
	for (unsigned int i = MOST; i-- > 0;)
		remove_worker(i, own_instance);
}

static void vms_with_an_iommu_each(void **state)
{
	(void)state;
	report("own-instance", true);
}

static void vms_that_share_an_iommu(void **state)
{
	(void)state;
	report("one-instance", false);
}

int main(void)
{
	const struct CMUnitTest benches[] = {
		cmocka_unit_test(vms_with_an_iommu_each),
		cmocka_unit_test(vms_that_share_an_iommu),
	};

	return tap_run_request_group(benches, NULL, NULL);
}
