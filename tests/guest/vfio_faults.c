// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of a device that VFIO owns: the mock has adopted edu, vfio-pci hands it out, and what the
 * mock's engine asks for in its name reaches the VM of the container. Whatever ends first then, the
 * container, its group, the device, the VM's file or the process: as long as VFIO has the device
 * its page requests wait and can be answered, and when it lets the device go they are terminated.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/kinds.h"
#include "support/module.h"
#include "support/quota.h"
#include "support/space.h"
#include "support/vfio.h"

#define IOVA	0x400000ull
#define RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define PENDING	2		/* groups that wait in the tests of ends */

static struct pci edu;
static struct device adopted;
static struct vfio stack;
static struct faultq *vm;

static int load_all(void **state)
{
	(void)state;
	vfio_take_adopted_edu(&edu, &adopted);
	return 0;
}

static int unload_all(void **state)
{
	(void)state;
	vfio_give_adopted_edu_back(&edu, &adopted);
	return 0;
}

static int open_stack(void **state)
{
	(void)state;
	vfio_open(&stack, &edu, FAULTQ_VFIO_IOMMU);
	vm = vfio_vm(stack.container);
	return faultq_queue(vm, 16, 64, -1, 0);
}

static int close_stack(void **state)
{
	(void)state;
	faultq_close(vm);
	vm = NULL;
	vfio_close(&stack);
	device_assert_idle(&adopted);
	return 0;
}

static unsigned int outstanding(void)
{
	return device_state(&adopted).outstanding;
}

/*
 * Faults and answers
 */

static void a_page_request_is_answered(void **state)
{
	char *page = pages_new(1);
	int tag = dma_start(&adopted, MOCK_IOMMU_WRITE, IOVA, "hello", 6);
	uint64_t cookie = take_cookie(vm);

	(void)state;
	assert_int_equal(vfio_map(stack.container, IOVA, page, PAGE, RW), 0);
	assert_int_equal(faultq_answer(vm, cookie, FAULTQ_SUCCESS), 0);
	assert_int_equal(dma_wait(&adopted, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_string_equal(page, "hello");
	pages_free(page, 1);
}

static void it_is_mapped_and_answered_in_one_call(void **state)
{
	char *page = pages_new(1);
	int result, tag = dma_start(&adopted, MOCK_IOMMU_WRITE, IOVA, "hello", 6);

	(void)state;
	assert_int_equal(faultq_map_answer(vm, IOVA, page, PAGE, RW, take_cookie(vm), &result), 0);
	assert_int_equal(dma_wait(&adopted, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_string_equal(page, "hello");
	assert_int_equal(vfio_map(stack.container, IOVA, page, PAGE, RW), -EEXIST);
	pages_free(page, 1);
}

static void the_vm_is_listed_like_others(void **state)
{
	struct faultq_device_entry device;
	uint32_t count = 1;

	(void)state;
	assert_int_equal(faultq_devices(vm, 0, &device, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(device.name, edu.name);
	assert_string_equal(device.instance, "mock-vfio");
	assert_true(device.kinds & FAULTQ_KIND_PAGE_REQUEST);
	assert_int_equal(device.group, pci_group(&edu));
}

/*
 * Quotas, windows, isolation
 */

static void quotas_hold(void **state)
{
	struct faultq_share share = share_of("vfio");

	close_stack(state);
	share_set("vfio", 4, 0, 4);
	open_stack(state);
	for (unsigned int i = 0; i < 5; i++)
		inject_group(&adopted, i, IOVA);
	assert_response(&adopted, 4, FAULTQ_INVALID);
	assert_int_equal(outstanding(), 4);
	assert_int_equal(vm_stats(vm, 0).outstanding, 4);
	close_stack(state);
	share_set("vfio", share.depth, share.pool, share.guarantee);
	open_stack(state);
	for (unsigned int i = 0; i < 4; i++)
		assert_response(&adopted, i, FAULTQ_INVALID);
}

/* Somebody else has the only guarantee there is. */
static void a_want_of_quota_is_told(void **state)
{
	struct faultq_share share = share_of("vfio");
	struct device other;
	struct faultq *fq = vm_open(4, 64, 0);
	int container;

	close_stack(state);
	share_set("vfio", 4, 0, 4);
	device_make(&other, "vfio", "other", "mode=pri");
	vm_attach(fq, &other);
	vfio_begin(&stack, &edu, -1);
	container = stack.container;
	assert_int_equal(vfio_set_iommu(container, FAULTQ_VFIO_IOMMU), -ENOSPC);
	faultq_close(fq);
	assert_int_equal(vfio_set_iommu(container, FAULTQ_VFIO_IOMMU), 0);
	vfio_close(&stack);
	device_remove(&other);
	share_set("vfio", share.depth, share.pool, share.guarantee);
	open_stack(state);
}

static void interrupts_must_be_isolated(void **state)
{
	int ret;

	close_stack(state);
	assert_int_equal(vfio_parameter(MODULE_VFIO, "allow_unsafe_interrupts", "0"), 0);
	vfio_begin(&stack, &edu, -1);
	ret = vfio_set_iommu(stack.container, FAULTQ_VFIO_IOMMU);
	/* on 6.1 the mock says that they are */
	assert_true(ret == -EPERM || !ret);
	vfio_close(&stack);
	assert_int_equal(vfio_parameter(MODULE_VFIO, "allow_unsafe_interrupts", "1"), 0);
	open_stack(state);
}

/*
 * Ends, with page requests that wait
 */

static void let_wait(void)
{
	for (unsigned int i = 0; i < PENDING; i++)
		inject_group(&adopted, i, IOVA + i * PAGE);
	assert_int_equal(outstanding(), PENDING);
}

static void assert_terminated(void)
{
	assert_int_equal(outstanding(), 0);
	for (unsigned int i = 0; i < PENDING; i++)
		assert_response(&adopted, i, FAULTQ_INVALID);
	assert_int_equal(instance_counter("vfio", "unanswered"), 0);
}

enum file { CONTAINER, GROUP, DEVICE, VM_FILE, FILES };

static void close_one(enum file file)
{
	if (file == CONTAINER)
		vfio_close_file(&stack.container);
	if (file == GROUP)
		vfio_close_file(&stack.group);
	if (file == DEVICE)
		vfio_close_device(&stack);
	if (file == VM_FILE)
		faultq_close(vm);
	if (file == VM_FILE)
		vm = NULL;
}

/* VFIO has the device until group and device are closed, whatever else is. */
static void close_in_order(const enum file order[FILES])
{
	for (unsigned int i = 0; i < FILES; i++) {
		close_one(order[i]);
		if (stack.device < 0 && stack.group < 0)
			assert_int_equal(outstanding(), 0);
		else
			assert_int_equal(outstanding(), PENDING);
	}
	assert_terminated();
}

/* All orders: each file in each place. */
static void files_are_closed_in_any_order(void **state)
{
	enum file order[FILES];

	for (unsigned int code = 0; code < 1u << 2 * FILES; code++) {
		unsigned int seen = 0;

		for (unsigned int i = 0; i < FILES; i++) {
			order[i] = code >> 2 * i & 3;
			seen |= 1u << order[i];
		}
		if (seen != (1u << FILES) - 1)
			continue;
		let_wait();
		close_in_order(order);
		open_stack(state);
	}
}

static void a_group_is_taken_out_of_its_container(void **state)
{
	let_wait();
	assert_int_equal(ioctl(stack.group, VFIO_GROUP_UNSET_CONTAINER), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(outstanding(), PENDING);
	vfio_close_device(&stack);
	assert_int_equal(ioctl(stack.group, VFIO_GROUP_UNSET_CONTAINER), 0);
	assert_terminated();
	assert_int_equal(vm_stats(vm, 0).devices, 0);
	close_stack(state);
	open_stack(state);
}

static void answers_come_when_other_files_are_closed(void **state)
{
	uint64_t cookie;

	let_wait();
	vfio_close_file(&stack.container);
	vfio_close_file(&stack.group);
	for (unsigned int i = 0; i < PENDING; i++) {
		cookie = take_cookie(vm);
		assert_int_equal(faultq_answer(vm, cookie, FAULTQ_SUCCESS), 0);
		assert_response(&adopted, i, FAULTQ_SUCCESS);
		assert_int_equal(faultq_answer(vm, cookie, FAULTQ_SUCCESS), -ESTALE);
	}
	close_stack(state);
	open_stack(state);
}

/* What a child inherits keeps everything as it is. */
static void a_child_keeps_the_device(void **state)
{
	int wait[2];
	pid_t child;
	char byte;

	let_wait();
	assert_int_equal(pipe(wait), 0);
	child = fork();
	if (!child) {
		close(wait[1]);
		close(adopted.fd);
		_exit(read(wait[0], &byte, 1) != 0);
	}
	close(wait[0]);
	close_one(VM_FILE);
	vfio_close(&stack);
	assert_int_equal(outstanding(), PENDING);
	close(wait[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_terminated();
	open_stack(state);
}

static void __attribute__((noreturn)) own_device(int ready)
{
	char byte = 0;

	close(adopted.fd);
	open_stack(NULL);
	must(write(ready, &byte, 1) == 1);
	for (;;)
		pause();
}

static void a_process_is_killed(void **state)
{
	int ready[2];
	pid_t child;
	char byte;

	close_stack(state);
	for (unsigned long i = 0; i < scaled(10, 1000); i++) {
		assert_int_equal(pipe(ready), 0);
		child = fork();
		if (!child)
			own_device(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		let_wait();
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		assert_terminated();
		close(ready[0]);
		close(ready[1]);
	}
	open_stack(state);
}

static void modules_in_use_stay(void **state)
{
	let_wait();
	assert_int_equal(module_unload(MODULE_VFIO), -EAGAIN);
	assert_int_equal(module_unload(MODULE_MOCK), -EAGAIN);
	assert_int_equal(module_unload(MODULE_FAULTQ), -EAGAIN);
	assert_int_equal(outstanding(), PENDING);
	close_stack(state);
	assert_terminated();
	assert_int_equal(module_unload(MODULE_VFIO), 0);
	assert_int_equal(module_load(MODULE_VFIO), 0);
	assert_int_equal(vfio_parameter(MODULE_VFIO, "allow_unsafe_interrupts", "1"), 0);
	open_stack(state);
}

/*
 * Everything at once
 */

static bool faulting, paging;

static void *fault_all_the_time(void *argument)
{
	(void)argument;
	while (__atomic_load_n(&faulting, __ATOMIC_RELAXED))
		mock_page_request(adopted.fd, MOCK_IOMMU_LAST, MOCK_IOMMU_READ, 20, 0, IOVA);
	return NULL;
}

static void *answer_all_the_time(void *argument)
{
	const struct faultq_record *records;
	struct faultq *fq = argument;
	int count;

	do {
		count = faultq_peek(fq, &records);
		must(count >= 0);
		if (count && records[0].type == FAULTQ_PAGE_REQUEST)
			faultq_answer(fq, records[0].cookie, FAULTQ_INVALID);
		if (count)
			faultq_consume(fq);
	} while (__atomic_load_n(&paging, __ATOMIC_RELAXED));
	return NULL;
}

/* The group leaves and comes back, to another container, while it faults and is answered. */
static void groups_change_containers_while_they_fault(void **state)
{
	pthread_t faulter, pager;

	__atomic_store_n(&faulting, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_create(&faulter, NULL, fault_all_the_time, NULL), 0);
	for (unsigned long i = 0; i < scaled(20, 5000); i++) {
		__atomic_store_n(&paging, true, __ATOMIC_RELAXED);
		assert_int_equal(pthread_create(&pager, NULL, answer_all_the_time, vm), 0);
		vfio_close_device(&stack);
		if (i % 2)
			assert_int_equal(ioctl(stack.group, VFIO_GROUP_UNSET_CONTAINER), 0);
		vfio_close(&stack);
		__atomic_store_n(&paging, false, __ATOMIC_RELAXED);
		assert_int_equal(pthread_join(pager, NULL), 0);
		faultq_close(vm);
		open_stack(state);
	}
	__atomic_store_n(&faulting, false, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(faulter, NULL), 0);
}

int main(void)
{
#define STACK(test) cmocka_unit_test_setup_teardown(test, open_stack, close_stack)
	const struct CMUnitTest tests[] = {
		STACK(a_page_request_is_answered),
		STACK(it_is_mapped_and_answered_in_one_call),
		STACK(the_vm_is_listed_like_others),
		STACK(quotas_hold),
		STACK(a_want_of_quota_is_told),
		STACK(interrupts_must_be_isolated),
		STACK(files_are_closed_in_any_order),
		STACK(a_group_is_taken_out_of_its_container),
		STACK(answers_come_when_other_files_are_closed),
		STACK(a_child_keeps_the_device),
		STACK(a_process_is_killed),
		STACK(modules_in_use_stay),
		STACK(groups_change_containers_while_they_fault),
	};

	return tap_run_request_group(tests, load_all, unload_all);
}
