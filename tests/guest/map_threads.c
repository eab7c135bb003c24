// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that map and unmap in one VM while devices come and go. Each thread has a range of its
 * own, of which it keeps a model: what is mapped where. Whatever the others do, every call and
 * every DMA there must do as the model says. And all of them fight for a common range, where only
 * the sums can be checked.
 *
 * What happens is random. The seed is in the output; faultq.seed=N on the kernel's command line
 * gives it again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "support/map.h"
#include "support/tap.h"

#define THREADS		4
#define PAGES		48u		/* of each range */
#define LONGEST		6u		/* pages of a mapping */
#define OWN_IOVA	0x10000000ull	/* + PAGES * PAGE for each thread */
#define COMMON_IOVA	0x90000000ull
#define FREE		0u		/* in the model: not mapped */

/* All that threads share. */
struct shared {
	struct faultq *fq;
	unsigned long steps;		/* of each thread */
	uint8_t *common;		/* memory for the common range */
	atomic_ullong common_mapped, common_unmapped;
	atomic_bool stop;
};

/**
 * struct worker - a thread with its range
 * @shared: of all
 * @thread: itself
 * @random: state of its random numbers
 * @iova: its range
 * @memory: page N of the range leads here, to page N
 * @model: for each page the number of its mapping, or FREE
 * @last: number given out last
 * @wrong: what went wrong first, or NULL
 */
struct worker {
	struct shared *shared;
	pthread_t thread;
	uint64_t random;
	uint64_t iova;
	uint8_t *memory;
	unsigned int model[PAGES];
	unsigned int last;
	const char *wrong;
};

static unsigned int random_below(uint64_t *state, unsigned int limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 16) % limit;
}

static uint64_t given_seed(void)
{
	FILE *file = fopen("/proc/cmdline", "re");
	unsigned long long seed = 0;
	char line[4096] = "", *option;

	assert_non_null(file);
	option = fgets(line, sizeof(line), file) ? strstr(line, "faultq.seed=") : NULL;
	if (option)
		sscanf(option, "faultq.seed=%llu", &seed);
	fclose(file);
	return seed;
}

static uint64_t choose_seed(void)
{
	uint64_t seed = given_seed();

	if (!seed)
		assert_int_equal(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	seed |= 1;
	print_message("seed %llu\n", (unsigned long long)seed);
	return seed;
}

static void expect(struct worker *worker, bool condition, const char *what)
{
	if (!condition && !worker->wrong)
		worker->wrong = what;
}

static bool model_is_free(const struct worker *worker, unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++)
		if (worker->model[i] != FREE)
			return false;
	return true;
}

/* Does the range cut a mapping in two? */
static bool model_cuts(const struct worker *worker, unsigned int first, unsigned int count)
{
	unsigned int end = first + count;
	const unsigned int *model = worker->model;

	return (first && model[first] != FREE && model[first - 1] == model[first]) ||
	       (end < PAGES && model[end] != FREE && model[end - 1] == model[end]);
}

static void model_set(struct worker *worker, unsigned int first, unsigned int count,
		      unsigned int number)
{
	for (unsigned int i = first; i < first + count; i++)
		worker->model[i] = number;
}

static void step_map(struct worker *worker, unsigned int first, unsigned int count)
{
	bool is_free = model_is_free(worker, first, count);
	int ret = faultq_map(worker->shared->fq, worker->iova + first * PAGE,
			     worker->memory + first * PAGE, count * PAGE, RW);

	expect(worker, ret == (is_free ? 0 : -EEXIST), "MAP in a thread's own range");
	if (!ret)
		model_set(worker, first, count, ++worker->last);
}

static void step_unmap(struct worker *worker, unsigned int first, unsigned int count)
{
	bool cuts = model_cuts(worker, first, count);
	uint64_t expected = 0, unmapped = 0;
	int ret = faultq_unmap(worker->shared->fq, worker->iova + first * PAGE, count * PAGE,
			       &unmapped);

	expect(worker, ret == (cuts ? -EINVAL : 0), "UNMAP in a thread's own range");
	if (ret)
		return;
	for (unsigned int i = first; i < first + count; i++)
		expected += worker->model[i] == FREE ? 0 : PAGE;
	expect(worker, unmapped == expected, "what UNMAP says it unmapped");
	model_set(worker, first, count, FREE);
}

/* A device writes to a page, if it can, and to none but that. */
static void step_dma(struct worker *worker, unsigned int page)
{
	uint64_t *word = (uint64_t *)(worker->memory + page * PAGE);
	uint64_t value = worker->random, before = *word;
	int status = dma_write(MAP_FIRST, worker->iova + page * PAGE, &value, sizeof(value));

	if (worker->model[page] == FREE) {
		expect(worker, status == MOCK_IOMMU_DMA_FAULT, "DMA to a page that is not mapped");
		expect(worker, *word == before, "memory that is not mapped");
	} else {
		expect(worker, status == MOCK_IOMMU_DMA_DONE, "DMA to a page that is mapped");
		expect(worker, *word == value, "memory that the device wrote");
	}
}

/* In the common range, nobody knows what is there: anything that is documented may happen. */
static void step_common(struct worker *worker, unsigned int first, unsigned int count, bool map)
{
	struct shared *shared = worker->shared;
	uint64_t iova = COMMON_IOVA + first * PAGE, unmapped = 0;
	int ret;

	if (map) {
		ret = faultq_map(shared->fq, iova, shared->common + first * PAGE, count * PAGE, RW);
		expect(worker, !ret || ret == -EEXIST, "MAP in the common range");
		if (!ret)
			atomic_fetch_add(&shared->common_mapped, count * PAGE);
	} else {
		ret = faultq_unmap(shared->fq, iova, count * PAGE, &unmapped);
		expect(worker, !ret || ret == -EINVAL, "UNMAP in the common range");
		if (!ret)
			atomic_fetch_add(&shared->common_unmapped, unmapped);
	}
}

static void one_step(struct worker *worker)
{
	unsigned int first = random_below(&worker->random, PAGES);
	unsigned int count = 1 + random_below(&worker->random, LONGEST);

	if (count > PAGES - first)
		count = PAGES - first;
	switch (random_below(&worker->random, 8)) {
	case 0:
	case 1:
		step_map(worker, first, count);
		break;
	case 2:
	case 3:
		step_unmap(worker, first, count);
		break;
	case 4:
	case 5:
		step_dma(worker, first);
		break;
	case 6:
		step_common(worker, first, count, true);
		break;
	default:
		step_common(worker, first, count, false);
	}
}

static void *work(void *data)
{
	struct worker *worker = data;

	for (unsigned long i = worker->shared->steps; i && !worker->wrong; i--)
		one_step(worker);
	return NULL;
}

/* Devices come and go: each time their domains are filled and emptied. */
static void *attach_and_detach(void *data)
{
	struct worker *worker = data;
	struct shared *shared = worker->shared;

	while (!atomic_load(&shared->stop) && !worker->wrong) {
		int other = map_try_attach(shared->fq, MAP_OTHER);
		int sibling = map_try_attach(shared->fq, MAP_SIBLING);

		expect(worker, other > 0 && sibling > 0, "ATTACH");
		expect(worker, !faultq_detach(shared->fq, other, NULL),
		       "DETACH of the other instance's device");
		expect(worker, !faultq_detach(shared->fq, sibling, NULL), "DETACH of the sibling");
	}
	return NULL;
}

static void start(struct worker *worker, void *(*function)(void *data))
{
	assert_int_equal(pthread_create(&worker->thread, NULL, function, worker), 0);
}

static void end(struct worker *worker)
{
	assert_int_equal(pthread_join(worker->thread, NULL), 0);
	if (worker->wrong)
		fail_msg("wrong: %s", worker->wrong);
}

/* Every page is as the model says, for devices attached all the time or just now. */
static void assert_model(const struct worker *worker, enum map_device device)
{
	for (unsigned int i = 0; i < PAGES; i++)
		assert_int_equal(dma_reads(device, worker->iova + i * PAGE),
				 worker->model[i] != FREE);
}

static void assert_sums(struct shared *shared)
{
	uint64_t left = unmap(shared->fq, COMMON_IOVA, PAGES * PAGE);

	assert_int_equal(shared->common_mapped, shared->common_unmapped + left);
}

static void run_threads(struct map_test *test, bool devices_come_and_go)
{
	struct shared shared = {
		.fq = test->fq,
		.steps = scaled(2000, 100000) / THREADS,
		.common = memory_new(PAGES * PAGE),
	};
	struct worker workers[THREADS + 1] = {};
	uint64_t seed = choose_seed();

	for (int i = 0; i <= THREADS; i++) {
		workers[i].shared = &shared;
		workers[i].random = seed + 0x9e3779b97f4a7c15ull * i;
		workers[i].iova = OWN_IOVA + i * PAGES * PAGE;
		workers[i].memory = memory_new(PAGES * PAGE);
	}
	for (int i = 0; i < THREADS; i++)
		start(&workers[i], work);
	if (devices_come_and_go)
		start(&workers[THREADS], attach_and_detach);
	for (int i = 0; i < THREADS; i++)
		end(&workers[i]);
	atomic_store(&shared.stop, true);
	if (devices_come_and_go)
		end(&workers[THREADS]);

	map_attach(test->fq, MAP_OTHER);
	for (int i = 0; i < THREADS; i++) {
		assert_model(&workers[i], MAP_FIRST);
		assert_model(&workers[i], MAP_OTHER);
	}
	assert_sums(&shared);
	unmap(test->fq, 0, ~0ull);
	assert_nothing_mapped(test->fq);
	for (int i = 0; i <= THREADS; i++)
		memory_free(workers[i].memory, PAGES * PAGE);
	memory_free(shared.common, PAGES * PAGE);
}

static void threads_map_and_unmap(void **state)
{
	run_threads(*state, false);
}

static void threads_map_and_unmap_while_devices_come_and_go(void **state)
{
	run_threads(*state, true);
}

/* Closing waits for nobody: the last call that is at work in another thread does it. */
static void *map_until_closed(void *data)
{
	struct worker *worker = data;
	uint64_t unmapped;
	int ret = 0;

	for (unsigned int i = 0; ret != -EBADF; i++) {
		ret = faultq_map(worker->shared->fq, worker->iova + i % PAGES * PAGE,
				 worker->memory, PAGE, RW);
		expect(worker, !ret || ret == -EEXIST || ret == -EBADF,
		       "MAP while the file is closed");
		if (i % 3 == 0)
			faultq_unmap(worker->shared->fq, worker->iova, PAGES * PAGE, &unmapped);
	}
	return NULL;
}

static void close_once(struct map_test *test)
{
	struct shared shared = {};
	struct worker workers[THREADS] = {};
	void *memory = memory_new(PAGE);

	assert_int_equal(faultq_open(&shared.fq), 0);
	map_attach(shared.fq, MAP_OTHER);
	for (int i = 0; i < THREADS; i++) {
		workers[i].shared = &shared;
		workers[i].iova = OWN_IOVA + i * PAGES * PAGE;
		workers[i].memory = memory;
		start(&workers[i], map_until_closed);
	}
	while (!mapped_bytes(shared.fq))
		sched_yield();
	/* The handle stays for the threads to find its descriptor closed. */
	close(faultq_fd(shared.fq));
	for (int i = 0; i < THREADS; i++)
		end(&workers[i]);
	assert_int_equal(pinned_pages(), 0);
	map_attach(test->fq, MAP_OTHER);
	assert_device_misses(MAP_OTHER, OWN_IOVA);
	assert_int_equal(faultq_detach(test->fq, map_attach(test->fq, MAP_OTHER), NULL), 0);
	faultq_close(shared.fq);
	memory_free(memory, PAGE);
}

static void file_is_closed_while_threads_map(void **state)
{
	for (unsigned long i = scaled(20, 1000); i; i--)
		close_once(*state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, map_setup_attached, map_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_map_and_unmap),
		TEST(threads_map_and_unmap_while_devices_come_and_go),
		TEST(file_is_closed_while_threads_map),
	};

	return tap_run_group(tests, map_group_setup, map_group_teardown);
}
