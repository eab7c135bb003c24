// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end at any moment, of a real device that asks for pages all the time: DETACH, close, SIGKILL
 * of the pager, a function reset by VFIO, removal, unbinding. The IOMMU's driver has requests of
 * the device in its hands then, and groups wait for their answer. After each end the device waits
 * for nothing, and works.
 *
 * The device's storm needs no help of the guest, so that it goes on whatever ends, until the
 * device is reset or told to end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/pri.h"
#include "support/vfio.h"

#define IOVA	0x40000000ULL
#define OTHER	0x30000000ULL	/* what the storm does not ask for */
#define RW	(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)
#define LIMIT	128	/* groups of the storm that wait at a time */
#define KEPT	48	/* groups that the pager keeps waiting */
#define BUSY	200	/* answers, or less, after which something may end */

static struct pci pri;
static struct vfio stack;
static unsigned int seed;

/* A pager: answers each group when KEPT others have come. */

static struct pager {
	struct faultq *fq;
	pthread_t thread;
	bool runs;
	bool stop;
	uint64_t kept[KEPT];
	unsigned int next;
} pager;

static void serve(const struct faultq_record *record)
{
	uint64_t *kept = &pager.kept[pager.next++ % KEPT];

	/* that of a device that is gone meanwhile is stale */
	if (*kept)
		faultq_answer(pager.fq, *kept, pager.next % 4 ? FAULTQ_SUCCESS : FAULTQ_INVALID);
	*kept = record->cookie;
}

static void serve_all(void)
{
	const struct faultq_record *records;
	int count;

	while ((count = faultq_peek(pager.fq, &records)) > 0) {
		if (records[count - 1].type == FAULTQ_PAGE_REQUEST)
			serve(&records[count - 1]);
		faultq_consume(pager.fq);
	}
}

static void *be_pager(void *nothing)
{
	while (!__atomic_load_n(&pager.stop, __ATOMIC_RELAXED)) {
		faultq_wait(pager.fq, 1);
		serve_all();
	}
	return nothing;
}

static void start_pager(struct faultq *fq)
{
	pager = (struct pager){ .fq = fq };
	assert_int_equal(pthread_create(&pager.thread, NULL, be_pager, NULL), 0);
	pager.runs = true;
}

static void stop_pager(void)
{
	if (!pager.runs)
		return;
	__atomic_store_n(&pager.stop, true, __ATOMIC_RELAXED);
	pthread_join(pager.thread, NULL);
	pager.runs = false;
}

/* The device */

static void let_it_ask(void)
{
	pri_clear(&pri);
	pri_storm(&pri, IOVA, LIMIT);
	pri_wait_answers(&pri, 1 + rand_r(&seed) % BUSY);
}

static void assert_idle(void)
{
	assert_int_equal(pri_read(&pri, PRI_OUTSTANDING), 0);
}

/* Requests of a former storm may come until now. */
static uint64_t take_cookie_of(struct faultq *fq, uint64_t address)
{
	struct faultq_record record;

	while ((record = take_record(fq)).address != address)
		faultq_answer(fq, record.cookie, FAULTQ_INVALID);
	return record.cookie;
}

static void assert_serves(struct faultq *fq)
{
	uint64_t *page = pages_new(1), cookie;
	int result;

	pri_dma(&pri, PRI_WRITE, OTHER, seed);
	assert_int_equal(pri_read(&pri, PRI_STATUS), PRI_STATUS_WAITING);
	cookie = take_cookie_of(fq, OTHER);
	assert_int_equal(faultq_map_answer(fq, OTHER, page, PAGE, RW, cookie, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(pri_wait(&pri), PRI_STATUS_DONE);
	assert_int_equal(page[0], seed);
	assert_int_equal(faultq_unmap(fq, OTHER, PAGE, NULL), 0);
	pages_free(page, 1);
}

/* In the kernel's log, which may have something to say. */
static void mark(const char *test)
{
	FILE *log = fopen("/dev/kmsg", "we");

	assert_non_null(log);
	fprintf(log, "<4>pri_teardown: %s\n", test);
	fclose(log);
}

/* Devices without VFIO */

static int open_device(void **state)
{
	(void)state;
	assert_true(pri_find(&pri, PRI_ANY));
	pci_open(&pri);
	return 0;
}

static int close_device(void **state)
{
	struct faultq *fq = pager.runs ? pager.fq : NULL;

	(void)state;
	stop_pager();
	faultq_close(fq);
	pci_close(&pri);
	return 0;
}

static struct faultq *attach(uint32_t *id)
{
	struct faultq *fq = vm_open(64, 512, 0);

	*id = vm_attach_name(fq, pri.name);
	pci_set_master(&pri, true);
	return fq;
}

/* It has a pager, and asks. */
static struct faultq *attach_and_ask(uint32_t *id)
{
	struct faultq *fq = attach(id);

	start_pager(fq);
	let_it_ask();
	return fq;
}

static void needs_requests(void)
{
	struct faultq_attach told;
	struct faultq *fq;

	assert_int_equal(faultq_open(&fq), 0);
	assert_int_equal(faultq_attach(fq, pri.name, &told), 0);
	faultq_close(fq);
	pri_needs_requests(&told);
}

static void assert_works(void)
{
	uint32_t id;
	struct faultq *fq = attach(&id);

	assert_serves(fq);
	faultq_close(fq);
}

static void detach_at_any_moment(void **state)
{
	int held;

	(void)state;
	mark(__func__);
	needs_requests();
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		uint32_t id;
		struct faultq *fq = attach_and_ask(&id);

		assert_int_equal(faultq_detach(fq, id, &held), 0);
		assert_int_equal(held, 0);
		assert_idle();
		stop_pager();
		assert_int_equal(vm_stats(fq, 0).outstanding, 0);
		faultq_close(fq);
	}
	assert_works();
}

static void close_at_any_moment(void **state)
{
	(void)state;
	mark(__func__);
	needs_requests();
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		uint32_t id;
		struct faultq *fq = attach_and_ask(&id);

		stop_pager();
		faultq_close(fq);
		assert_idle();
	}
	assert_works();
}

/* Processes */

static void __attribute__((noreturn)) be_pager_process(int ready)
{
	struct faultq_attach told;

	pager = (struct pager){ .fq = NULL };
	must(!faultq_open(&pager.fq));
	must(!faultq_queue(pager.fq, 64, 512, -1, 0));
	must(!faultq_attach(pager.fq, pri.name, &told));
	must(write(ready, "", 1) == 1);
	be_pager(NULL);
	_exit(0);
}

static void kill_and_wait(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void sigkill_at_any_moment(void **state)
{
	(void)state;
	mark(__func__);
	needs_requests();
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		int ready[2];
		pid_t child;
		char byte;

		assert_int_equal(pipe(ready), 0);
		child = fork();
		if (!child)
			be_pager_process(ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		close(ready[0]);
		pci_set_master(&pri, true);
		let_it_ask();
		kill_and_wait(child);
		assert_idle();
	}
	assert_works();
}

/* Removal: the registers go with the device. */

static void removal_at_any_moment(void **state)
{
	(void)state;
	mark(__func__);
	needs_requests();
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		uint32_t id;
		struct faultq *fq = attach_and_ask(&id);

		pci_remove(&pri);
		stop_pager();
		assert_int_equal(vm_stats(fq, 0).outstanding, 0);
		assert_int_equal(vm_stats(fq, 0).devices, 0);
		faultq_close(fq);
		pci_close(&pri);
		pci_scan();
		pci_open(&pri);
		assert_idle();
	}
	assert_works();
}

/* VFIO */

static int take(enum pri_kind kind)
{
	assert_true(pri_find(&pri, kind));
	vfio_load();
	vfio_bind(&pri);
	stack = (struct vfio){ .pci = &pri, .container = -1, .group = -1, .device = -1 };
	return 0;
}

static int take_device(void **state)
{
	(void)state;
	return take(PRI_NEIGHBOUR);
}

static int take_device_without_pasid(void **state)
{
	(void)state;
	return take(PRI_WITHOUT_PASID);
}

static int give_device_back(void **state)
{
	struct faultq *fq = pager.runs ? pager.fq : NULL;

	(void)state;
	stop_pager();
	faultq_close(fq);
	vfio_close(&stack);
	vfio_unbind(&pri);
	vfio_unload();
	return 0;
}

static struct faultq *open_stack(struct faultq_attach *told)
{
	struct faultq *fq;

	vfio_open(&stack, &pri, FAULTQ_VFIO_IOMMU);
	fq = vfio_vm(stack.container);
	assert_int_equal(faultq_queue(fq, 64, 512, -1, 0), 0);
	assert_int_equal(faultq_attach(fq, pri.name, told), 0);
	return fq;
}

static void close_stack(struct faultq *fq)
{
	faultq_close(fq);
	vfio_close(&stack);
}

static void vfio_needs_requests(void)
{
	struct faultq_attach told;

	close_stack(open_stack(&told));
	pri_needs_requests(&told);
}

static void vfio_assert_works(void)
{
	struct faultq_attach told;
	struct faultq *fq = open_stack(&told);

	assert_serves(fq);
	close_stack(fq);
}

static void function_reset_at_any_moment(void **state)
{
	struct faultq_attach told;
	struct faultq *fq;

	(void)state;
	mark(__func__);
	vfio_needs_requests();
	fq = open_stack(&told);
	start_pager(fq);
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		let_it_ask();
		assert_int_equal(ioctl(stack.device, VFIO_DEVICE_RESET), 0);
		vfio_enable(&stack);
		assert_idle();
	}
	stop_pager();
	close_stack(fq);
	vfio_assert_works();
}

static void vfio_close_at_any_moment(void **state)
{
	struct faultq_attach told;

	(void)state;
	mark(__func__);
	vfio_needs_requests();
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		struct faultq *fq = open_stack(&told);

		start_pager(fq);
		let_it_ask();
		vfio_close(&stack);
		stop_pager();
		faultq_close(fq);
	}
	vfio_assert_works();
}

/* A child has the files, and the device asks, when this returns. */
static pid_t start_vfio_pager(void)
{
	struct faultq_attach told;
	pid_t child;

	pager = (struct pager){ .fq = open_stack(&told) };
	child = fork();
	if (!child)
		be_pager(NULL);
	let_it_ask();
	close_stack(pager.fq);
	return child;
}

static void vfio_sigkill_at_any_moment(void **state)
{
	(void)state;
	mark(__func__);
	vfio_needs_requests();
	for (unsigned long i = 0; i < scaled(20, 1000); i++)
		kill_and_wait(start_vfio_pager());
	vfio_assert_works();
}

/* Unbinding waits for whoever has the device open. */
static void unbinding_at_any_moment(void **state)
{
	(void)state;
	mark(__func__);
	vfio_needs_requests();
	for (unsigned long i = 0; i < scaled(20, 1000); i++) {
		pid_t child = start_vfio_pager(), unbinder = fork();
		int status;

		if (!unbinder)
			_exit(pci_unbind(&pri, "vfio-pci") != 0);
		kill_and_wait(child);
		assert_int_equal(waitpid(unbinder, &status, 0), unbinder);
		assert_int_equal(status, 0);
		assert_int_equal(pci_bind(&pri, "vfio-pci"), 0);
	}
	vfio_assert_works();
}

int main(void)
{
#define OWNED(test) cmocka_unit_test_setup_teardown(test, open_device, close_device)
#define VFIO(test) cmocka_unit_test_setup_teardown(test, take_device, give_device_back)
	const struct CMUnitTest tests[] = {
		OWNED(detach_at_any_moment),
		OWNED(close_at_any_moment),
		OWNED(sigkill_at_any_moment),
		OWNED(removal_at_any_moment),
		VFIO(function_reset_at_any_moment),
		VFIO(vfio_close_at_any_moment),
		VFIO(vfio_sigkill_at_any_moment),
		VFIO(unbinding_at_any_moment),
		{
			.name = "function_reset_without_pasids_at_any_moment",
			.test_func = function_reset_at_any_moment,
			.setup_func = take_device_without_pasid,
			.teardown_func = give_device_back,
		},
	};

	seed = test_seed();
	fprintf(stderr, "FAULTQ_SEED=%u\n", seed);
	return tap_run_pri_group(tests, NULL, NULL);
}
