// SPDX-License-Identifier: GPL-2.0-only
/*
 * No VM can starve another. VMs share the page request queue of an IOMMU instance of 256
 * places; hogs ask for all they can get and never answer, while a well-behaved VM, which has no
 * more outstanding than its guarantee and answers at once, must be served every time.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/quota.h"

#define INSTANCE	"fair"
#define DEPTH		SHARE_DEPTH
#define HOGS		15
#define GREED		300	/* groups that a hog asks for at a time; more than the queue has */
#define IOVA		0x1000000UL
#define IN_FLIGHT	SHARE_GUARANTEE

/**
 * struct hog - a VM that never answers
 * @fq: the VM
 * @devices: its devices
 * @count: how many
 * @start: all hogs begin here
 * @thread: asks until @stop
 */
struct hog {
	struct faultq *fq;
	struct device devices[HOGS];
	unsigned int count;
	pthread_barrier_t *start;
	pthread_t thread;
	bool *stop;
};

/**
 * struct good - the well-behaved VM
 * @device: its device
 * @fq: the VM
 * @memory: what it maps, a page for each DMA in flight
 * @pager: answers
 * @stop: an eventfd that ends it
 * @answered: answers whose call has returned
 * @served: DMAs that ended well
 */
struct good {
	struct device device;
	struct faultq *fq;
	char *memory;
	pthread_t pager;
	int stop;
	unsigned long answered;
	unsigned long served;
};

static void hog_open(struct hog *hog, unsigned int number, unsigned int devices)
{
	char name[24];

	hog->fq = vm_open(4096, 8192, 0);
	hog->count = devices;
	for (unsigned int i = 0; i < devices; i++) {
		snprintf(name, sizeof(name), "h%u-%u", number, i);
		device_make(&hog->devices[i], INSTANCE, name, "mode=pri");
		vm_attach(hog->fq, &hog->devices[i]);
	}
}

static void hog_close(struct hog *hog)
{
	faultq_close(hog->fq);
	for (unsigned int i = 0; i < hog->count; i++)
		device_remove(&hog->devices[i]);
}

static void hog_ask(struct hog *hog)
{
	for (unsigned int i = 0; i < hog->count; i++) {
		struct mock_iommu_page_request request = page_request(i * GREED, IOVA);

		request.count = GREED;
		request.group_step = 1;
		must(mock_page_requests(hog->devices[i].fd, &request) >= 0);
	}
}

static void *hog_for_ever(void *argument)
{
	struct hog *hog = argument;

	pthread_barrier_wait(hog->start);
	do
		hog_ask(hog);
	while (!__atomic_load_n(hog->stop, __ATOMIC_RELAXED));
	return NULL;
}

static unsigned int hog_holds(const struct hog *hog)
{
	return vm_stats(hog->fq, 0).outstanding;
}

static void answer_next(struct good *good)
{
	const struct faultq_record *records;
	int count = faultq_peek(good->fq, &records), result;

	must(count == 0 || count == 1);
	if (count && records->type == FAULTQ_PAGE_REQUEST) {
		must(!faultq_map_answer(good->fq, records->address,
					good->memory + (records->address - IOVA), PAGE,
					FAULTQ_MAP_READ | FAULTQ_MAP_WRITE, records->cookie,
					&result) && !result);
		__atomic_fetch_add(&good->answered, 1, __ATOMIC_RELEASE);
	}
	faultq_consume(good->fq);
}

static void *answer_at_once(void *argument)
{
	struct good *good = argument;
	struct pollfd events[] = {
		{ .fd = faultq_fd(good->fq), .events = POLLIN },
		{ .fd = good->stop, .events = POLLIN },
	};

	do {
		answer_next(good);
		must(poll(events, ARRAY_SIZE(events), -1) > 0);
	} while (!events[1].revents);
	return NULL;
}

/*
 * With many hogs the queue is full to the last place when each VM has what it may have, and what
 * a hog asks for in vain takes a place for a moment. A stalled access waits for that moment; a
 * PCIe page request would be lost, so that an administrator leaves room for it.
 */
static const char *mode_beside(unsigned int hogs)
{
	return hogs > 4 ? "mode=stall" : "mode=pri";
}

static void good_open(struct good *good, unsigned int hogs)
{
	device_make(&good->device, INSTANCE, "good", mode_beside(hogs));
	good->fq = vm_open(IN_FLIGHT, 64, 0);
	vm_attach(good->fq, &good->device);
	good->memory = pages_new(IN_FLIGHT);
	good->answered = 0;
	good->served = 0;
	good->stop = eventfd(0, EFD_CLOEXEC);
	assert_true(good->stop >= 0);
	assert_int_equal(pthread_create(&good->pager, NULL, answer_at_once, good), 0);
}

static void good_close(struct good *good)
{
	assert_int_equal(eventfd_write(good->stop, 1), 0);
	pthread_join(good->pager, NULL);
	close(good->stop);
	faultq_close(good->fq);
	pages_free(good->memory, IN_FLIGHT);
	device_remove(&good->device);
}

/* A DMA may end before the call has returned that answered it, and gives its place back. */
static void wait_for_places(const struct good *good)
{
	while (__atomic_load_n(&good->answered, __ATOMIC_ACQUIRE) < good->served)
		sched_yield();
}

/* As many DMAs at once as the guarantee allows, each to a page of its own that is missing. */
static unsigned int good_round(struct good *good)
{
	unsigned int served = 0;
	int tags[IN_FLIGHT];

	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		tags[i] = dma_start(&good->device, MOCK_IOMMU_WRITE, IOVA + i * PAGE, "good", 4);
	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		served += dma_wait(&good->device, tags[i], NULL).status == MOCK_IOMMU_DMA_DONE;
	good->served += served;
	wait_for_places(good);
	assert_int_equal(faultq_unmap(good->fq, 0, ~0ULL, NULL), 0);
	return served;
}

/* Returns the percentage that was served. */
static unsigned int good_works(struct good *good, unsigned long rounds)
{
	unsigned long served = 0;

	for (unsigned long i = 0; i < rounds; i++)
		served += good_round(good);
	return served * 100 / (rounds * IN_FLIGHT);
}

static void open_all(struct good *good, struct hog *hogs, unsigned int count,
		     unsigned int devices)
{
	instance_make(INSTANCE, DEPTH);
	good_open(good, count);
	for (unsigned int i = 0; i < count; i++)
		hog_open(&hogs[i], i, devices);
}

static void close_all(struct good *good, struct hog *hogs, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		hog_close(&hogs[i]);
	good_close(good);
	instance_remove(INSTANCE);
}

static void start_all(struct hog *hogs, unsigned int count, pthread_barrier_t *start, bool *stop)
{
	*stop = false;
	pthread_barrier_init(start, NULL, count + 1);
	for (unsigned int i = 0; i < count; i++) {
		hogs[i].start = start;
		hogs[i].stop = stop;
		assert_int_equal(pthread_create(&hogs[i].thread, NULL, hog_for_ever, &hogs[i]), 0);
	}
	pthread_barrier_wait(start);
}

static void stop_all(struct hog *hogs, unsigned int count, pthread_barrier_t *start, bool *stop)
{
	__atomic_store_n(stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(hogs[i].thread, NULL);
	pthread_barrier_destroy(start);
}

static void print_row(const char *how, struct hog *hogs, unsigned int count,
		      unsigned int percent)
{
	printf("# %-28s | good %3u %% | hogs hold", how, percent);
	for (unsigned int i = 0; i < count; i++)
		printf(" %u", hog_holds(&hogs[i]));
	printf("\n");
}

/* What the rule gives to who asks for everything while @pool_used places are in use. */
static unsigned int fair_part(unsigned int *pool_used)
{
	unsigned int extra = 0;

	while (extra < SHARE_POOL - *pool_used) {
		extra++;
		++*pool_used;
	}
	return SHARE_GUARANTEE + extra;
}

/* While the hogs go on asking. */
static unsigned int good_beside(struct good *good, struct hog *hogs, unsigned int count)
{
	pthread_barrier_t start;
	unsigned int percent;
	bool stop;

	start_all(hogs, count, &start, &stop);
	percent = good_works(good, scaled(25, 500));
	stop_all(hogs, count, &start, &stop);
	return percent;
}

static void hogs_come_one_after_another(unsigned int count)
{
	unsigned int pool_used = 0, percent;
	static struct hog hogs[HOGS];
	struct good good;
	char how[32];

	open_all(&good, hogs, count, 1);
	for (unsigned int i = 0; i < count; i++) {
		hog_ask(&hogs[i]);
		assert_int_equal(hog_holds(&hogs[i]), fair_part(&pool_used));
	}
	assert_int_equal(share_of(INSTANCE).pool_used, pool_used);
	percent = good_beside(&good, hogs, count);
	snprintf(how, sizeof(how), "%u, one after another", count);
	print_row(how, hogs, count, percent);
	assert_int_equal(percent, 100);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(vm_stats(hogs[i].fq, 0).answered_success, 0);
	assert_int_equal(share_of(INSTANCE).pool_used, pool_used);
	close_all(&good, hogs, count);
	assert_int_equal(share_of(INSTANCE).pool_used, 0);
}

/* Whoever was last saw no more free than it may hold, and nobody ever holds more than half. */
static void assert_rule_kept(struct hog *hogs, unsigned int count)
{
	unsigned int total = 0;

	for (unsigned int i = 0; i < count; i++) {
		unsigned int holds = hog_holds(&hogs[i]);

		assert_true(holds >= SHARE_GUARANTEE);
		assert_true(holds <= SHARE_GUARANTEE + SHARE_POOL / 2);
		total += holds - SHARE_GUARANTEE;
	}
	assert_int_equal(share_of(INSTANCE).pool_used, total);
	for (unsigned int i = 0; i < count; i++)
		assert_true(hog_holds(&hogs[i]) - SHARE_GUARANTEE >= SHARE_POOL - total);
}

/*
 * While all ask at once, what they ask for in vain can fill the queue to the last place, and a
 * request that finds it full is lost before any rule sees it.
 */
static void ask_in_turn(struct hog *hogs, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		hog_ask(&hogs[i]);
}

static void hogs_come_at_once(unsigned int count, unsigned int devices)
{
	static struct hog hogs[HOGS];
	unsigned int percent;
	struct good good;
	char how[32];

	open_all(&good, hogs, count, devices);
	percent = good_beside(&good, hogs, count);
	snprintf(how, sizeof(how), "%u%s, at once", count, devices > 1 ? " with 15 devices" : "");
	print_row(how, hogs, count, percent);
	assert_int_equal(percent, 100);
	ask_in_turn(hogs, count);
	assert_rule_kept(hogs, count);
	close_all(&good, hogs, count);
}

static void one_hog(void **state)
{
	(void)state;
	hogs_come_one_after_another(1);
}

static void two_hogs_one_after_another(void **state)
{
	(void)state;
	hogs_come_one_after_another(2);
}

static void four_hogs_one_after_another(void **state)
{
	(void)state;
	hogs_come_one_after_another(4);
}

static void fifteen_hogs_one_after_another(void **state)
{
	(void)state;
	hogs_come_one_after_another(15);
}

static void two_hogs_at_once(void **state)
{
	(void)state;
	hogs_come_at_once(2, 1);
}

static void four_hogs_at_once(void **state)
{
	(void)state;
	hogs_come_at_once(4, 1);
}

static void fifteen_hogs_at_once(void **state)
{
	(void)state;
	hogs_come_at_once(15, 1);
}

static void one_hog_with_fifteen_devices(void **state)
{
	(void)state;
	hogs_come_at_once(1, 15);
}

/* What a hog gives back is free for the next, and its guarantee stays its own. */
static void what_a_hog_gives_back_is_free_again(void **state)
{
	static struct hog hogs[2];
	struct good good;

	(void)state;
	open_all(&good, hogs, 2, 1);
	hog_ask(&hogs[0]);
	hog_ask(&hogs[1]);
	assert_int_equal(hog_holds(&hogs[1]), 40);
	for (unsigned int i = 0; i < 72; i++)
		assert_int_equal(faultq_answer(hogs[0].fq, take_cookie(hogs[0].fq),
					       FAULTQ_SUCCESS), 0);
	hog_ask(&hogs[1]);
	assert_int_equal(hog_holds(&hogs[1]), 72);
	hog_ask(&hogs[0]);
	assert_int_equal(hog_holds(&hogs[0]), 40);
	close_all(&good, hogs, 2);
}

/* 16 guarantees of 8 are what 128 places beside the pool have. */
static void a_vm_without_a_guarantee_left_is_refused(void **state)
{
	static struct hog hogs[HOGS];
	struct faultq_attach attach;
	struct device device;
	uint32_t devices;
	struct faultq *fq;
	struct good good;

	(void)state;
	open_all(&good, hogs, HOGS, 1);
	assert_int_equal(share_of(INSTANCE).vms, HOGS + 1);
	fq = vm_open(64, 64, 0);
	devices = vm_stats(fq, 0).devices;
	device_make(&device, INSTANCE, "late", "mode=pri");
	assert_int_equal(faultq_attach(fq, device.platform, &attach), -ENOSPC);
	assert_int_equal(vm_stats(fq, 0).devices, devices);
	/* a device of a VM that has its guarantee is welcome */
	assert_int_equal(faultq_attach(good.fq, device.platform, &attach), 0);
	vm_detach(good.fq, attach.device);
	hog_close(&hogs[0]);
	vm_attach(fq, &device);
	faultq_close(fq);
	device_remove(&device);
	close_all(&good, hogs + 1, HOGS - 1);
}

/* The proof that the tests above prove something. */
static void without_quotas_a_hog_starves_its_neighbour(void **state)
{
	static struct hog hog;
	struct good good;
	unsigned int percent;

	(void)state;
	share_set(INSTANCE, 65536, 0, 4096);
	open_all(&good, &hog, 1, 1);
	hog_ask(&hog);
	percent = good_works(&good, 4);
	print_row("1, quotas lifted", &hog, 1, percent);
	assert_int_equal(hog_holds(&hog), DEPTH);
	assert_int_equal(percent, 0);
	close_all(&good, &hog, 1);
	share_set(INSTANCE, SHARE_DEPTH, SHARE_POOL, SHARE_GUARANTEE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_hog),
		cmocka_unit_test(two_hogs_one_after_another),
		cmocka_unit_test(four_hogs_one_after_another),
		cmocka_unit_test(fifteen_hogs_one_after_another),
		cmocka_unit_test(two_hogs_at_once),
		cmocka_unit_test(four_hogs_at_once),
		cmocka_unit_test(fifteen_hogs_at_once),
		cmocka_unit_test(one_hog_with_fifteen_devices),
		cmocka_unit_test(what_a_hog_gives_back_is_free_again),
		cmocka_unit_test(a_vm_without_a_guarantee_left_is_refused),
		cmocka_unit_test(without_quotas_a_hog_starves_its_neighbour),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
