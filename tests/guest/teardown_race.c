// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end at any moment: a device that faults all the time in every way, a pager process whose
 * threads consume, answer, guess cookies, map, poll, drain, enable, and detach, under a deadline,
 * and after a random time one of the ends: DETACH, exit, SIGKILL, death for want of memory,
 * removal of the device, removal of the mock as a module. After each the device waits for nothing
 * and works.
 *
 * The gate is held for reading around each use of the device, and for writing when the device
 * is looked at or its file changes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/cgroup.h"
#include "support/fault.h"
#include "support/kinds.h"
#include "support/module.h"

#define IOVA		0x1000000UL
#define IOVA_PAGES	16
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define LONGEST_US	20000

#define CGROUP		"teardown_race"
#define MEMORY		(24UL << 20)	/* of the pager, when it is to run out of it */

enum end { END_DETACH, END_EXIT, END_KILL, END_MEMORY, END_REMOVE, END_UNLOAD };

/* The pager waits for its end. */
static bool is_killed(enum end end)
{
	return end != END_DETACH && end != END_EXIT;
}

static struct device device;
static pthread_rwlock_t gate;
static bool stop;
static unsigned int seed;

static unsigned int random_below(unsigned int *state, unsigned int limit)
{
	return rand_r(state) % limit;
}

static uint64_t random_page(unsigned int *state)
{
	return IOVA + random_below(state, IOVA_PAGES) * PAGE;
}

/* How long something goes on; nothing is awaited by this. */
static void random_while(unsigned int *state)
{
	struct timespec time = { .tv_nsec = random_below(state, LONGEST_US) * 1000L };

	nanosleep(&time, NULL);
}

/* The threads of the device, in the test's process. What they do may fail at any time. */

static void inject_something(unsigned int *state)
{
	struct mock_iommu_page_request request =
		page_request(random_below(state, 64), random_page(state));
	bool pasid = random_below(state, 2);

	request.count = 1 + random_below(state, 8);
	request.group_step = random_below(state, 2);
	request.flags = (random_below(state, 3) ? MOCK_IOMMU_LAST : 0) |
			(pasid ? MOCK_IOMMU_NEEDS_PASID : 0);
	request.access |= pasid ? MOCK_IOMMU_PASID : 0;
	request.pasid = pasid ? random_below(state, 4) : 0;
	mock_page_requests(device.fd, &request);
}

static void fault_somehow(unsigned int *state)
{
	static const uint32_t ways[] = {
		0, MOCK_IOMMU_VIA_DOMAIN, MOCK_IOMMU_VIA_DOMAIN | MOCK_IOMMU_HARD_IRQ,
		MOCK_IOMMU_VIA_DOMAIN | MOCK_IOMMU_NO_DEVICE,
	};

	mock_unrecoverable(device.fd, ways[random_below(state, ARRAY_SIZE(ways))],
			   MOCK_IOMMU_READ, 0, random_page(state));
}

static void transfer_something(unsigned int *state)
{
	static char data[4 * PAGE];
	uint64_t iova = random_page(state) + random_below(state, PAGE);
	size_t length = 1 + random_below(state, sizeof(data));
	uint32_t access = MOCK_IOMMU_WRITE | (random_below(state, 2) ? MOCK_IOMMU_PASID : 0);
	int tag = mock_dma_start(device.fd, access, 0, iova, data, length);

	if (tag > 0)
		mock_dma_wait(device.fd, tag, 0, NULL, NULL);
}

static void *use_device(void *argument)
{
	static void (*const uses[])(unsigned int *state) = {
		inject_something, fault_somehow, transfer_something,
	};
	unsigned long use = (unsigned long)argument;
	unsigned int state = seed + use;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		pthread_rwlock_rdlock(&gate);
		uses[use](&state);
		pthread_rwlock_unlock(&gate);
	}
	return NULL;
}

/* The threads of the pager, in a process of its own. */

static struct {
	struct faultq *fq;
	pthread_mutex_t consumer;
	uint64_t last_cookie;
	char *memory;
	unsigned int seed;
} pager;

static void consume_and_answer(unsigned int *state)
{
	const struct faultq_record *records;
	uint64_t cookie;
	int count, result;

	pthread_mutex_lock(&pager.consumer);
	count = faultq_peek(pager.fq, &records);
	if (count > 0 && records[0].type == FAULTQ_PAGE_REQUEST) {
		cookie = records[0].cookie;
		__atomic_store_n(&pager.last_cookie, cookie, __ATOMIC_RELAXED);
		if (random_below(state, 4))
			faultq_answer(pager.fq, cookie, random_below(state, 2));
		else
			faultq_map_answer(pager.fq, records[0].address, pager.memory, PAGE, RW,
					  cookie, &result);
	}
	if (count > 0)
		faultq_consume(pager.fq);
	pthread_mutex_unlock(&pager.consumer);
}

static void guess_cookies(unsigned int *state)
{
	struct faultq_answer answers[8] = { 0 };
	uint64_t last = __atomic_load_n(&pager.last_cookie, __ATOMIC_RELAXED);

	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++)
		answers[i].cookie = last + ((uint64_t)random_below(state, 4) << 16) +
				    random_below(state, 4);
	faultq_respond(pager.fq, answers, ARRAY_SIZE(answers), NULL);
}

static void map_and_unmap(unsigned int *state)
{
	uint64_t iova = random_page(state);

	faultq_map(pager.fq, iova, pager.memory, PAGE, RW);
	if (random_below(state, 4))
		faultq_unmap(pager.fq, iova, PAGE, NULL);
	else
		faultq_unmap(pager.fq, 0, ~0ULL, NULL);
}

static void poll_and_ask(unsigned int *state)
{
	struct pollfd pfd = { .fd = faultq_fd(pager.fq), .events = POLLIN };
	struct faultq_stats stats;

	poll(&pfd, 1, random_below(state, 3));
	faultq_stats(pager.fq, random_below(state, 2), &stats);
}

static void drain_and_enable(unsigned int *state)
{
	const struct faultq_limits limits = {
		.max_outstanding = random_below(state, 16),
		.deadline_ms = random_below(state, 3),
		.invalid = random_below(state, 2),
		.strikes = random_below(state, 2) * 100,
	};
	struct faultq_record records[32];
	uint32_t count = 32, position = 0;

	faultq_drain(pager.fq, 1, NULL);
	faultq_drain_pasid(pager.fq, 1, random_below(state, 4), NULL);
	faultq_pending(pager.fq, records, &count, &position);
	if (!random_below(state, 16))
		faultq_set_limits(pager.fq, &limits);
	if (!random_below(state, 8))
		faultq_enable(pager.fq, 1, NULL);
}

static void detach_and_attach(unsigned int *state)
{
	struct faultq_attach attach;

	if (!faultq_attach(pager.fq, device.platform, &attach) && !random_below(state, 8))
		faultq_detach(pager.fq, attach.device, NULL);
}

static void *use_vm(void *argument)
{
	static void (*const uses[])(unsigned int *state) = {
		consume_and_answer, guess_cookies, map_and_unmap, poll_and_ask, detach_and_attach,
		drain_and_enable,
	};
	unsigned long use = (unsigned long)argument;
	unsigned int state = pager.seed + use;

	for (;;)
		uses[use](&state);
	return NULL;
}

/* The kernel ends the process. */
static void __attribute__((noreturn)) want_memory(void)
{
	for (;;) {
		char *more = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(more != MAP_FAILED);
		memset(more, 1, MEMORY);
	}
}

#define PAGER_THREADS 6

static void __attribute__((noreturn)) be_pager(enum end end, int ready, unsigned int round)
{
	struct faultq_attach attach;
	pthread_t thread;

	pager.seed = seed ^ round * 7919;
	close(device.fd);
	must(end != END_MEMORY || cgroup_enter(CGROUP));
	must(!faultq_open(&pager.fq));
	must(!faultq_queue(pager.fq, 16, 256, -1, 0));
	must(!faultq_attach(pager.fq, device.platform, &attach));
	pthread_mutex_init(&pager.consumer, NULL);
	pager.memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(pager.memory != MAP_FAILED);
	for (unsigned long i = 0; i < PAGER_THREADS; i++)
		must(!pthread_create(&thread, NULL, use_vm, (void *)i));
	must(write(ready, "", 1) == 1);
	random_while(&pager.seed);
	if (end == END_MEMORY)
		want_memory();
	while (is_killed(end))
		pause();
	if (end == END_DETACH)
		faultq_detach(pager.fq, attach.device, NULL);
	_exit(0);
}

/*
 * The mock goes, with everything that is attached. An ATTACH that comes too late can hold the
 * group of the device that was there, and so the mock's domains, for a moment.
 */
static void remove_mock(void)
{
	int ret;

	device_unplug(&device);
	device_remove(&device);
	instance_remove("race");
	do
		ret = module_unload(MODULE_MOCK);
	while (ret == -EAGAIN);
	assert_int_equal(ret, 0);
}

static void make_mock(void)
{
	instance_make("race", 128);
	device_make(&device, "race", "dev", "mode=pri");
}

static void load_mock(void)
{
	assert_int_equal(module_load(MODULE_MOCK), 0);
	make_mock();
}

/* The users of the device keep out of the way while it has no file. */
static void end_round(enum end end, pid_t child, unsigned int *state)
{
	int status;

	random_while(state);
	if (end == END_REMOVE) {
		assert_int_equal(mock_set(device.instance, device.name, "live", "0"), 0);
		assert_int_equal(instance_counter(device.instance, "unanswered"), 0);
	}
	if (end == END_UNLOAD) {
		pthread_rwlock_wrlock(&gate);
		remove_mock();
	}
	if (is_killed(end) && end != END_MEMORY)
		kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(is_killed(end) ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL :
		    status == 0);
	if (end == END_UNLOAD) {
		load_mock();
		pthread_rwlock_unlock(&gate);
	}
}

static void assert_works(void)
{
	struct faultq *fq = vm_open(4, 64, 0);
	char *page = pages_new(1);
	int tag, result;

	vm_attach(fq, &device);
	tag = dma_start(&device, MOCK_IOMMU_WRITE, IOVA, "again", 6);
	assert_int_equal(faultq_map_answer(fq, IOVA, page, PAGE, RW, take_cookie(fq), &result), 0);
	assert_int_equal(dma_wait(&device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_string_equal(page, "again");
	faultq_close(fq);
	pages_free(page, 1);
}

static void race(enum end end, unsigned int round)
{
	unsigned int state = seed + round * 31;
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child)
		be_pager(end, ready[1], round);
	close(ready[1]);
	/* one that wants memory may have its end before it has begun */
	assert_true(read(ready[0], &byte, 1) == 1 || end == END_MEMORY);
	close(ready[0]);
	end_round(end, child, &state);

	pthread_rwlock_wrlock(&gate);
	if (end == END_REMOVE) {
		close(device.fd);
		device_plug(&device);
	}
	device_assert_idle(&device);
	if (round % 8 == 0)
		assert_works();
	device_assert_idle(&device);
	pthread_rwlock_unlock(&gate);
}

static void run_races(enum end end)
{
	unsigned long rounds = scaled(10, 1000);
	pthread_rwlockattr_t writers_first;
	pthread_t threads[3];

	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	pthread_rwlockattr_init(&writers_first);
	pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&gate, &writers_first);
	make_mock();
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_device, (void *)i), 0);
	for (unsigned long i = 0; i < rounds; i++)
		race(end, i);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	device_assert_idle(&device);
	device_remove(&device);
	instance_remove("race");
}

static void detach_at_any_moment(void **state)
{
	(void)state;
	run_races(END_DETACH);
}

static void exit_at_any_moment(void **state)
{
	(void)state;
	run_races(END_EXIT);
}

static void sigkill_at_any_moment(void **state)
{
	(void)state;
	run_races(END_KILL);
}

static void removal_at_any_moment(void **state)
{
	(void)state;
	run_races(END_REMOVE);
}

static void want_of_memory_at_any_moment(void **state)
{
	(void)state;
	if (!cgroup_make(CGROUP))
		skip_because("the kernel has no memory cgroups");
	assert_true(cgroup_limit(CGROUP, MEMORY));
	run_races(END_MEMORY);
	assert_true(cgroup_remove(CGROUP));
}

static void unloading_the_mock_at_any_moment(void **state)
{
	(void)state;
	run_races(END_UNLOAD);
}

/* As soon as there is a device of that name, whatever the kernel has made of it by then. */
static void *attach_all_the_time(void *argument)
{
	unsigned long *attached = argument;
	struct faultq_attach attach;
	struct faultq *fq;

	must(!faultq_open(&fq));
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (faultq_attach(fq, device.platform, &attach))
			continue;
		__atomic_fetch_add(attached, 1, __ATOMIC_RELAXED);
		faultq_detach(fq, attach.device, NULL);
	}
	faultq_close(fq);
	return NULL;
}

static void attach_while_the_device_comes_and_goes(void **state)
{
	unsigned long attached = 0;
	pthread_t threads[3];

	(void)state;
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	instance_make("race", 128);
	device_make(&device, "race", "dev", "mode=pri");
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, attach_all_the_time, &attached),
				 0);
	for (unsigned long i = 0; i < scaled(100, 10000); i++) {
		device_unplug(&device);
		device_plug(&device);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	printf("# attached %lu times\n", attached);
	device_assert_idle(&device);
	device_remove(&device);
	instance_remove("race");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attach_while_the_device_comes_and_goes),
		cmocka_unit_test(detach_at_any_moment),
		cmocka_unit_test(exit_at_any_moment),
		cmocka_unit_test(sigkill_at_any_moment),
		cmocka_unit_test(removal_at_any_moment),
		cmocka_unit_test(want_of_memory_at_any_moment),
		cmocka_unit_test(unloading_the_mock_at_any_moment),
	};

	seed = test_seed();
	fprintf(stderr, "FAULTQ_SEED=%u\n", seed);
	return tap_run_request_group(tests, NULL, NULL);
}
