// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM with many mappings: the kernel's long work on them lets others run, on the CPU and in the
 * VM, and does no more of it than it has to.
 *
 * There is one CPU, and the guest's clock counts instructions (-icount). So a thread with a higher
 * priority runs as soon as its timer says so, unless the kernel does not let it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"
#include "support/module.h"
#include "support/vfio.h"

#define IOVA		0x100000000ull
#define COUNT		20000u		/* mappings; between two is room for one more */
#define OTHERS		1000u		/* in so many of them others are made */
#define NAP		100000l		/* nanoseconds */
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define OFTEN		10u
#define LISTS		20u

static struct device device, other;
static struct faultq *vm;
static char *memory;

static int make_devices(void **state)
{
	(void)state;
	instance_make("many0", 0);
	instance_make("many1", 0);
	device_make(&device, "many0", "device", "mode=none");
	device_make(&other, "many1", "other", "mode=none");
	memory = pages_new(1);
	return 0;
}

static int remove_devices(void **state)
{
	(void)state;
	pages_free(memory, 1);
	device_remove(&device);
	device_remove(&other);
	instance_remove("many0");
	instance_remove("many1");
	return 0;
}

static void map_one(uint64_t iova)
{
	must(!faultq_map(vm, iova, memory, PAGE, RW));
}

static uint64_t iova_of(unsigned int number)
{
	return IOVA + 2ull * number * PAGE;
}

/* One that is between those of the test. */
static uint64_t iova_between(unsigned int number)
{
	return iova_of(number % OTHERS * (COUNT / OTHERS)) + PAGE;
}

static int open_vm(void **state)
{
	(void)state;
	assert_int_equal(faultq_open(&vm), 0);
	for (unsigned int i = 0; i < COUNT; i++)
		map_one(iova_of(i));
	return 0;
}

static int close_vm(void **state)
{
	(void)state;
	faultq_close(vm);
	return 0;
}

/*
 * Somebody else, who does something again and again, with a nap after each time. What he did
 * counts when he has woken up again and the test is still in its call: it did not wait for the
 * call to end.
 */
struct somebody {
	void (*act)(unsigned int time);
	atomic_bool inside;
	atomic_bool stop;
	unsigned int times;
	pthread_t thread;
};

/* When it has been shown often enough, the naps are long: each costs a slow kernel a lot. */
static void nap(unsigned int times)
{
	struct timespec time = { .tv_nsec = times < 20 * OFTEN ? NAP : 100 * NAP };

	nanosleep(&time, NULL);
}

static void *somebody_acts(void *data)
{
	struct sched_param priority = { .sched_priority = 10 };
	struct somebody *self = data;
	unsigned int time = 0;

	must(!sched_setscheduler(0, SCHED_FIFO, &priority));
	while (!atomic_load(&self->stop)) {
		bool inside = atomic_load(&self->inside);

		if (inside)
			self->act(time++);
		nap(self->times);
		if (inside && atomic_load(&self->inside))
			self->times++;
	}
	return NULL;
}

static void somebody_comes(struct somebody *somebody, void (*act)(unsigned int time))
{
	*somebody = (struct somebody){ .act = act };
	must(!pthread_create(&somebody->thread, NULL, somebody_acts, somebody));
}

static void call_begins(struct somebody *somebody)
{
	somebody->times = 0;
	atomic_store(&somebody->inside, true);
}

static void call_ends(struct somebody *somebody, const char *what)
{
	atomic_store(&somebody->inside, false);
	printf("# meanwhile %u times: %s\n", somebody->times, what);
	if (somebody->times < OFTEN)
		fail_msg("%s kept somebody else off: %u times", what, somebody->times);
}

static void somebody_goes(struct somebody *somebody)
{
	atomic_store(&somebody->stop, true);
	pthread_join(somebody->thread, NULL);
}

static void look(unsigned int time)
{
	(void)time;
}

static uint32_t attach(void)
{
	struct faultq_attach told;

	assert_int_equal(faultq_attach(vm, device.platform, &told), 0);
	return told.device;
}

static void others_run_when_a_device_comes_and_goes(void **state)
{
	struct somebody somebody;
	uint32_t id;

	(void)state;
	somebody_comes(&somebody, look);
	call_begins(&somebody);
	id = attach();
	call_ends(&somebody, "ATTACH");
	call_begins(&somebody);
	assert_int_equal(faultq_detach(vm, id, NULL), 0);
	call_ends(&somebody, "DETACH");
	somebody_goes(&somebody);
}

static void others_run_when_everything_goes(void **state)
{
	struct somebody somebody;

	somebody_comes(&somebody, look);
	attach();
	call_begins(&somebody);
	assert_int_equal(faultq_unmap(vm, 0, ~0ull, NULL), 0);
	call_ends(&somebody, "UNMAP of all");
	faultq_close(vm);

	open_vm(state);
	attach();
	call_begins(&somebody);
	faultq_close(vm);
	call_ends(&somebody, "close()");
	somebody_goes(&somebody);
	assert_int_equal(faultq_open(&vm), 0);
}

static void map_and_unmap_between(unsigned int time)
{
	unsigned int before = time < OTHERS / 2 ? time / 2 : time - OTHERS / 2;

	must(!faultq_map(vm, iova_between(time), memory, PAGE, RW));
	must(!faultq_unmap(vm, iova_between(before), PAGE, NULL));
}

/* Where it is not the caller's. */
static void map_and_unmap_apart(unsigned int time)
{
	uint64_t iova = IOVA / 2 + time * PAGE;

	must(!faultq_map(vm, iova, memory, PAGE, RW));
	must(!faultq_unmap(vm, iova, PAGE, NULL));
}

static void the_vm_goes_on_while_much_is_unmapped(void **state)
{
	struct somebody somebody;
	uint64_t unmapped;

	(void)state;
	attach();
	somebody_comes(&somebody, map_and_unmap_apart);
	call_begins(&somebody);
	assert_int_equal(faultq_unmap(vm, IOVA, iova_of(COUNT) - IOVA, &unmapped), 0);
	call_ends(&somebody, "UNMAP of a range");
	somebody_goes(&somebody);
	assert_int_equal(unmapped, COUNT * PAGE);
}

/* All that were there are listed once, in order, among those that come and go. */
static void assert_all_are_listed(const struct faultq_mapping_entry *entries, uint32_t count)
{
	unsigned int found = 0;

	for (uint32_t i = 0; i < count; i++) {
		assert_true(!i || entries[i].iova > entries[i - 1].iova);
		assert_int_equal(entries[i].length, PAGE);
		assert_int_equal(entries[i].user_address, (uintptr_t)memory);
		if (entries[i].iova == iova_of(found))
			found++;
	}
	assert_int_equal(found, COUNT);
}

static void the_vm_goes_on_while_mappings_are_listed(void **state)
{
	struct faultq_mapping_entry *entries = calloc(2 * COUNT, sizeof(*entries));
	struct somebody somebody;
	uint32_t count = 2 * COUNT;

	(void)state;
	assert_non_null(entries);
	memset(entries, 0xff, 2 * COUNT * sizeof(*entries));
	somebody_comes(&somebody, map_and_unmap_between);
	/* it takes no longer than some naps */
	for (unsigned int i = 0; i < LISTS && somebody.times < OFTEN; i++) {
		count = 2 * COUNT;
		atomic_store(&somebody.inside, true);
		assert_int_equal(faultq_mappings(vm, 0, entries, &count), 0);
		atomic_store(&somebody.inside, false);
	}
	call_ends(&somebody, "MAPPINGS");
	somebody_goes(&somebody);
	assert_all_are_listed(entries, count);
	free(entries);
}

static void lists_say_when_there_is_more(void **state)
{
	static const uint32_t rooms[] = {
		0, 1, 255, 256, 257, 512, COUNT - 1, COUNT, COUNT + 1, 2 * COUNT,
	};
	struct faultq_mapping_entry *entries = calloc(2 * COUNT, sizeof(*entries));

	(void)state;
	assert_non_null(entries);
	for (unsigned int i = 0; i < ARRAY_SIZE(rooms); i++) {
		uint32_t count = rooms[i], listed = count < COUNT ? count : COUNT;

		memset(entries, 0xff, 2 * COUNT * sizeof(*entries));
		assert_int_equal(faultq_mappings(vm, 0, entries, &count), 0);
		assert_int_equal(count, COUNT);
		for (uint32_t j = 0; j < listed; j++)
			assert_int_equal(entries[j].iova, iova_of(j));
		assert_int_equal(entries[listed].iova, ~0ull);
	}
	free(entries);
}

/* Another VM's device comes and goes. */
static void attach_elsewhere(unsigned int time)
{
	struct faultq_attach told;
	struct faultq *fq;

	(void)time;
	must(!faultq_open(&fq));
	must(!faultq_attach(fq, other.platform, &told));
	faultq_close(fq);
}

static void no_vm_waits_for_the_attach_of_another(void **state)
{
	struct somebody somebody;

	(void)state;
	somebody_comes(&somebody, attach_elsewhere);
	call_begins(&somebody);
	attach();
	/* it takes a while to give a device back */
	somebody.times += somebody.times ? OFTEN : 0;
	call_ends(&somebody, "ATTACH in another VM");
	somebody_goes(&somebody);
}

/* What the guest's clock says of an UNMAP that is refused, as its range ends in a mapping. */
static unsigned long cost_of_cut(uint64_t length)
{
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(faultq_unmap(vm, IOVA, length, NULL), -EINVAL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	return (after.tv_sec - before.tv_sec) * 1000000000ul + after.tv_nsec - before.tv_nsec;
}

static void looking_at_the_ends_of_a_range_is_enough(void **state)
{
	uint64_t end = iova_of(COUNT), few, many;
	char *two = pages_new(2);

	(void)state;
	/* the first in the range is followed by one that is cut, and so is the last */
	assert_int_equal(faultq_unmap(vm, iova_of(1), PAGE, NULL), 0);
	assert_int_equal(faultq_map(vm, iova_of(1) - PAGE, two, 2 * PAGE, RW), 0);
	assert_int_equal(faultq_map(vm, end, two, 2 * PAGE, RW), 0);
	cost_of_cut(iova_of(1) - IOVA);
	few = cost_of_cut(iova_of(1) - IOVA);
	many = cost_of_cut(end + PAGE - IOVA);
	pages_free(two, 2);
	printf("# refused UNMAP: %lu ns with 1 mapping in the range, %lu ns with %u\n",
	       (unsigned long)few / 16, (unsigned long)many / 16, COUNT);
	assert_true(many < 8 * few);
}

#define LIMIT	"max_mappings"

static struct faultq *vm_limited(const char *limit)
{
	struct faultq *fq;

	assert_int_equal(vfio_parameter(MODULE_FAULTQ, LIMIT, limit), 0);
	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(vfio_parameter(MODULE_FAULTQ, LIMIT, "65535"), 0);
	return fq;
}

static uint32_t max_mappings(struct faultq *fq)
{
	struct faultq_info info;

	assert_int_equal(faultq_info(fq, &info), 0);
	return info.max_mappings;
}

static int map_number(struct faultq *fq, unsigned int number)
{
	return faultq_map(fq, iova_of(number), memory, PAGE, RW);
}

static void the_administrator_limits_mappings(void **state)
{
	struct faultq *fq = vm_limited("3"), *later;
	unsigned int number = 0;

	(void)state;
	assert_int_equal(max_mappings(fq), 3);
	while (number < 3)
		assert_int_equal(map_number(fq, number++), 0);
	assert_int_equal(map_number(fq, number), -ENOSPC);
	/* what is wrong otherwise is said first, and leaves the place free */
	assert_int_equal(map_number(fq, 0), -EEXIST);
	assert_int_equal(faultq_unmap(fq, iova_of(1), PAGE, NULL), 0);
	assert_int_equal(faultq_map(fq, iova_of(5), (void *)PAGE, PAGE, RW), -EFAULT);
	assert_int_equal(map_number(fq, number), 0);
	assert_int_equal(map_number(fq, 1), -ENOSPC);
	assert_int_equal(faultq_unmap(fq, 0, ~0ull, NULL), 0);
	for (number = 0; number < 3; number++)
		assert_int_equal(map_number(fq, number), 0);

	/* a VM keeps what it was opened with */
	later = vm_limited("4");
	assert_int_equal(max_mappings(fq), 3);
	assert_int_equal(max_mappings(later), 4);
	assert_int_equal(map_number(fq, number), -ENOSPC);
	for (number = 0; number < 4; number++)
		assert_int_equal(map_number(later, number), 0);
	assert_int_equal(map_number(later, number), -ENOSPC);
	faultq_close(later);
	faultq_close(fq);
}

static void the_limit_is_that_of_vfio(void **state)
{
	struct faultq *fq;
	unsigned int number;

	(void)state;
	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(max_mappings(fq), 65535);
	for (number = 0; number < 65535; number++)
		must(!map_number(fq, number));
	assert_int_equal(map_number(fq, number), -ENOSPC);
	faultq_close(fq);
}

static void without_a_limit_any_number_can_be_mapped(void **state)
{
	struct faultq *fq = vm_limited("0");

	(void)state;
	assert_int_equal(max_mappings(fq), 0);
	for (unsigned int number = 0; number < 70000; number++)
		must(!map_number(fq, number));
	faultq_close(fq);
}

/* How often the CPU's timer has interrupted it: the sum of its lines. */
static unsigned long timer_interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	unsigned long sum = 0, count;
	char line[256], *colon;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (colon && (strstr(line, "LOC:") || strstr(line, "arch_timer")) &&
		    sscanf(colon + 1, "%lu", &count) == 1)
			sum += count;
	}
	fclose(file);
	return sum;
}

#define ALARMS		40u
#define LARGE		8192u	/* pages */

/* Each comes with an interrupt of its own, unless interrupts are off when it comes. */
static void set_alarms(int alarms[ALARMS])
{
	for (unsigned int i = 0; i < ALARMS; i++) {
		struct itimerspec time = { .it_value.tv_nsec = (i + 5) * NAP / 2 };

		alarms[i] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		assert_true(alarms[i] >= 0);
		assert_int_equal(timerfd_settime(alarms[i], 0, &time, NULL), 0);
	}
}

static void the_mock_leaves_interrupts_on(void **state)
{
	char *large = pages_new(LARGE);
	unsigned long before, after;
	int alarms[ALARMS];

	(void)state;
	assert_int_equal(faultq_open(&vm), 0);
	attach();
	assert_int_equal(faultq_map(vm, IOVA, large, LARGE * PAGE, RW), 0);
	set_alarms(alarms);
	before = timer_interrupts();
	assert_int_equal(faultq_unmap(vm, IOVA, LARGE * PAGE, NULL), 0);
	after = timer_interrupts();
	printf("# %lu interrupts of the timer\n", after - before);
	for (unsigned int i = 0; i < ALARMS; i++)
		close(alarms[i]);
	pages_free(large, LARGE);
	assert_true(after - before >= ALARMS / 8);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_vm, close_vm)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(others_run_when_a_device_comes_and_goes),
		TEST(others_run_when_everything_goes),
		TEST(the_vm_goes_on_while_much_is_unmapped),
		TEST(the_vm_goes_on_while_mappings_are_listed),
		TEST(lists_say_when_there_is_more),
		TEST(no_vm_waits_for_the_attach_of_another),
		TEST(looking_at_the_ends_of_a_range_is_enough),
		cmocka_unit_test(the_administrator_limits_mappings),
		cmocka_unit_test(the_limit_is_that_of_vfio),
		cmocka_unit_test(without_a_limit_any_number_can_be_mapped),
		cmocka_unit_test_setup_teardown(the_mock_leaves_interrupts_on, NULL, close_vm),
	};

	return tap_run_group(tests, make_devices, remove_devices);
}
