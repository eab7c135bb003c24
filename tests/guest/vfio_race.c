// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls on a container from several threads, while another one takes its group out, closes it, sets
 * the container anew, and the module is removed and loaded. VFIO does not lock the one against the
 * other, so a call can come for what is gone already: then it must fail as if nothing had ever been
 * there. And a process with all that under way is killed.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/module.h"
#include "support/space.h"
#include "support/vfio.h"

#define IOVA	0x400000ull
#define PAGES	16
#define RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define CALLERS	3

static struct pci edu;
static char *memory;

/**
 * struct calls - what the threads of a process share
 * @container: descriptor of the container, open all the time
 * @left: calls that are still to be made
 * @served: calls that found the container set
 * @refused: calls that did not
 */
static struct calls {
	int container;
	long left;
	unsigned long served;
	unsigned long refused;
} calls;

static bool more(void)
{
	return __atomic_load_n(&calls.left, __ATOMIC_RELAXED) > 0;
}

static int map_one(unsigned int *state)
{
	unsigned int page = rand_r(state) % PAGES;

	return vfio_map(calls.container, IOVA + page * PAGE, memory + page * PAGE, PAGE, RW);
}

static int unmap_some(unsigned int *state)
{
	uint64_t unmapped, first = rand_r(state) % PAGES;

	return vfio_unmap(calls.container, IOVA + first * PAGE, PAGE, 0, &unmapped);
}

static int unmap_all(unsigned int *state)
{
	uint64_t unmapped;

	(void)state;
	return vfio_unmap(calls.container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, &unmapped);
}

static int get_info(unsigned int *state)
{
	union {
		struct vfio_iommu_type1_info info;
		char room[512];
	} info = { .info.argsz = sizeof(info) };

	(void)state;
	return ioctl(calls.container, VFIO_IOMMU_GET_INFO, &info) ? -errno : 0;
}

static int ask_extension(unsigned int *state)
{
	int ret = ioctl(calls.container, VFIO_CHECK_EXTENSION, rand_r(state) % 12);

	return ret < 0 ? -errno : 0;
}

static int use_vm(unsigned int *state)
{
	int fd = ioctl(calls.container, FAULTQ_VFIO_VM, 0);
	struct faultq *fq;

	(void)state;
	if (fd < 0)
		return -errno;
	must(!faultq_from_fd(&fq, fd));
	faultq_unmap(fq, 0, ~0ull, NULL);
	faultq_close(fq);
	return 0;
}

static bool is_clean(int ret)
{
	return !ret || ret == -EINVAL || ret == -EEXIST || ret == -ENOTTY;
}

static void *call(void *argument)
{
	static int (*const what[])(unsigned int *state) = {
		map_one, unmap_some, unmap_all, get_info, ask_extension, use_vm,
	};
	unsigned int state = (unsigned long)argument;
	int ret;

	while (__atomic_fetch_sub(&calls.left, 1, __ATOMIC_RELAXED) > 0) {
		ret = what[rand_r(&state) % ARRAY_SIZE(what)](&state);
		must(is_clean(ret));
		__atomic_fetch_add(ret ? &calls.refused : &calls.served, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The module can be away, or be on its way out. */
static void set(void)
{
	int ret = vfio_set_iommu(calls.container, FAULTQ_VFIO_IOMMU);

	must(!ret || ret == -EINVAL || ret == -ENODEV);
}

/* So that not all calls come too late. */
static void let_calls_be_made(long count)
{
	long until = __atomic_load_n(&calls.left, __ATOMIC_RELAXED) - count;

	while (more() && __atomic_load_n(&calls.left, __ATOMIC_RELAXED) > until)
		sched_yield();
}

/* By UNSET, by closing the group, and with the device open, in turn. */
static void set_and_unset(unsigned int round)
{
	int group = vfio_open_group(&edu), device = -1;

	must(group >= 0);
	must(!ioctl(group, VFIO_GROUP_SET_CONTAINER, &calls.container));
	set();
	if (round % 3 == 0)
		device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, edu.address);
	let_calls_be_made(round % 128);
	if (device >= 0)
		close(device);
	if (round % 2)
		must(!ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
	close(group);
}

static void *set_all_the_time(void *argument)
{
	(void)argument;
	for (unsigned int round = 0; more(); round++)
		set_and_unset(round);
	return NULL;
}

static void *unload_all_the_time(void *argument)
{
	unsigned long *unloaded = argument;

	while (more()) {
		if (module_unload(MODULE_VFIO))
			continue;
		__atomic_fetch_add(unloaded, 1, __ATOMIC_RELAXED);
		must(!module_load(MODULE_VFIO));
	}
	return NULL;
}

static void start(pthread_t threads[CALLERS + 2], unsigned long *unloaded)
{
	for (unsigned long i = 0; i < CALLERS; i++)
		must(!pthread_create(&threads[i], NULL, call, (void *)(i + 1)));
	must(!pthread_create(&threads[CALLERS], NULL, set_all_the_time, NULL));
	must(!pthread_create(&threads[CALLERS + 1], NULL, unload_all_the_time, unloaded));
}

static void calls_race_with_the_containers_end(void **state)
{
	pthread_t threads[CALLERS + 2];
	unsigned long unloaded = 0;

	(void)state;
	calls = (struct calls){
		.container = vfio_container(), .left = scaled(10000, 1000000),
	};
	assert_true(calls.container >= 0);
	start(threads, &unloaded);
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	printf("# %lu calls served, %lu refused, module removed %lu times\n", calls.served,
	       calls.refused, unloaded);
	close(calls.container);
}

static void a_process_is_killed_at_any_moment(void **state)
{
	unsigned long unloaded = 0;
	pthread_t threads[CALLERS + 2];
	unsigned int moment = 1;
	pid_t child;
	int status;

	(void)state;
	for (unsigned int i = 0; i < scaled(20, 1000); i++) {
		child = fork();
		if (!child) {
			calls = (struct calls){ .container = vfio_container(), .left = 1 << 30 };
			must(calls.container >= 0);
			start(threads, &unloaded);
			pause();
		}
		for (unsigned int spin = rand_r(&moment) % 2000; spin; spin--)
			sched_yield();
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	/* it may have been killed while the module was away */
	status = module_load(MODULE_VFIO);
	assert_true(!status || status == -EEXIST);
}

static int load_all(void **state)
{
	(void)state;
	vfio_take_edu(&edu);
	memory = pages_new(PAGES);
	return 0;
}

static int unload_all(void **state)
{
	(void)state;
	pages_free(memory, PAGES);
	vfio_give_edu_back(&edu);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_race_with_the_containers_end),
		cmocka_unit_test(a_process_is_killed_at_any_moment),
	};

	return tap_run_group(tests, load_all, unload_all);
}
