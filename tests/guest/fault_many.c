// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several devices of one VM, several VMs, several threads: faults go to their own VM under
 * their own id, and a group is answered once, whoever tries.
 */
#include <errno.h>
#include <string.h>

#include "support/fault.h"
#include "support/kinds.h"

#define IOVA		0x1000000UL
#define DEVICES		4
#define VMS		3
#define RW		(FAULTQ_MAP_READ | FAULTQ_MAP_WRITE)

static const char *const names[DEVICES] = { "d0", "d1", "d2", "d3" };

static void devices_make(struct device *devices, unsigned int count)
{
	instance_make("many", 4096);
	for (unsigned int i = 0; i < count; i++)
		device_make(&devices[i], "many", names[i], i % 2 ? "mode=stall" : "mode=pri");
}

static void devices_remove(struct device *devices, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		device_assert_idle(&devices[i]);
		device_remove(&devices[i]);
	}
	instance_remove("many");
}

static void faults_of_several_devices_tell_whose_they_are(void **state)
{
	struct device devices[DEVICES];
	struct faultq *fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
	uint32_t ids[DEVICES];

	(void)state;
	devices_make(devices, DEVICES);
	for (unsigned int i = 0; i < DEVICES; i++) {
		ids[i] = vm_attach(fq, &devices[i]);
		for (unsigned int other = 0; other < i; other++)
			assert_int_not_equal(ids[i], ids[other]);
	}
	assert_int_equal(vm_stats(fq, 0).devices, DEVICES);

	/* all use the same index and address */
	for (unsigned int i = 0; i < DEVICES; i++)
		inject_group(&devices[i], 1, IOVA);
	for (unsigned int i = 0; i < DEVICES; i++) {
		struct faultq_record record = take_record(fq);

		assert_int_equal(record.device, ids[i]);
		assert_int_equal(faultq_answer(fq, record.cookie, i % 3), 0);
		assert_response(&devices[i], 1, i % 3);
		for (unsigned int other = 0; other < DEVICES; other++)
			assert_no_response(&devices[other]);
		assert_int_equal(vm_stats(fq, ids[i]).groups, 1);
	}
	faultq_close(fq);
	devices_remove(devices, DEVICES);
}

static void detaching_one_device_leaves_the_others_groups(void **state)
{
	struct device devices[DEVICES];
	struct faultq *fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
	uint64_t cookies[DEVICES];
	uint32_t ids[DEVICES];

	(void)state;
	devices_make(devices, DEVICES);
	for (unsigned int i = 0; i < DEVICES; i++) {
		ids[i] = vm_attach(fq, &devices[i]);
		inject_group(&devices[i], 1, IOVA);
		cookies[i] = take_cookie(fq);
	}
	vm_detach(fq, ids[1]);
	assert_response(&devices[1], 1, FAULTQ_INVALID);
	assert_int_equal(vm_stats(fq, 0).outstanding, DEVICES - 1);
	for (unsigned int i = 0; i < DEVICES; i++) {
		assert_int_equal(faultq_answer(fq, cookies[i], FAULTQ_SUCCESS),
				 i == 1 ? -ESTALE : 0);
		if (i != 1)
			assert_response(&devices[i], 1, FAULTQ_SUCCESS);
	}
	faultq_close(fq);
	devices_remove(devices, DEVICES);
}

static void faults_go_to_their_own_vm(void **state)
{
	struct device devices[VMS];
	struct faultq *fqs[VMS];
	uint64_t cookies[VMS];

	(void)state;
	devices_make(devices, VMS);
	for (unsigned int i = 0; i < VMS; i++) {
		fqs[i] = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
		vm_attach(fqs[i], &devices[i]);
	}
	for (unsigned int i = 0; i < VMS; i++) {
		inject_group(&devices[i], i, IOVA + i * PAGE);
		for (unsigned int other = 0; other < VMS; other++)
			if (other != i)
				assert_queue_empty(fqs[other]);
		struct faultq_record record = take_record(fqs[i]);

		assert_int_equal(record.group, i);
		assert_int_equal(record.address, IOVA + i * PAGE);
		cookies[i] = record.cookie;
	}

	/* cookies are a VM's own: equal ones of two VMs name different groups */
	assert_int_equal(cookies[0], cookies[1]);
	assert_int_equal(faultq_answer(fqs[1], cookies[0], FAULTQ_SUCCESS), 0);
	assert_response(&devices[1], 1, FAULTQ_SUCCESS);
	assert_no_response(&devices[0]);
	assert_int_equal(vm_stats(fqs[0], 0).outstanding, 1);

	for (unsigned int i = 0; i < VMS; i++)
		faultq_close(fqs[i]);
	devices_remove(devices, VMS);
}

static void a_device_has_one_owner(void **state)
{
	struct rig *rig = *state;
	struct faultq *other = vm_open(RIG_SLOTS, RIG_ENTRIES, 0);
	struct faultq_attach attach;

	assert_int_equal(faultq_attach(other, rig->device.platform, &attach), -EBUSY);
	assert_int_equal(faultq_attach(rig->fq, rig->device.platform, &attach), 0);
	assert_int_equal(attach.device, rig->id);
	vm_detach(rig->fq, rig->id);
	vm_attach(other, &rig->device);
	faultq_close(other);
	rig->id = vm_attach(rig->fq, &rig->device);
}

struct answerer {
	struct faultq *fq;
	const struct faultq_answer *answers;
	struct faultq_answer mine[RIG_SLOTS];
	pthread_barrier_t *start;
};

static void *answer_all(void *argument)
{
	struct answerer *answerer = argument;

	memcpy(answerer->mine, answerer->answers, sizeof(answerer->mine));
	pthread_barrier_wait(answerer->start);
	must(!faultq_respond(answerer->fq, answerer->mine, RIG_SLOTS, NULL));
	return NULL;
}

/* Two threads answer the same groups at the same time. */
static void race_answers(struct rig *rig, unsigned long round)
{
	struct faultq_answer answers[RIG_SLOTS] = { 0 };
	struct answerer answerers[2];
	pthread_barrier_t start;
	pthread_t threads[2];

	for (unsigned int i = 0; i < RIG_SLOTS; i++) {
		inject_group(&rig->device, round * RIG_SLOTS + i, IOVA);
		answers[i].cookie = take_cookie(rig->fq);
	}
	pthread_barrier_init(&start, NULL, 2);
	for (unsigned int i = 0; i < 2; i++) {
		answerers[i] =
			(struct answerer){ .fq = rig->fq, .answers = answers, .start = &start };
		assert_int_equal(pthread_create(&threads[i], NULL, answer_all, &answerers[i]), 0);
	}
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&start);

	for (unsigned int i = 0; i < RIG_SLOTS; i++) {
		int first = answerers[0].mine[i].result, second = answerers[1].mine[i].result;

		assert_int_equal(first + second, -ESTALE);
		assert_int_equal(response(&rig->device).code, FAULTQ_SUCCESS);
	}
	assert_no_response(&rig->device);
}

static void two_threads_answering_the_same_cookies_succeed_once_each(void **state)
{
	struct rig *rig = *state;
	unsigned long rounds = scaled(20, 2000);

	for (unsigned long i = 0; i < rounds; i++)
		race_answers(rig, i);
	assert_int_equal(vm_stats(rig->fq, 0).answered_success, rounds * RIG_SLOTS);
	assert_int_equal(vm_stats(rig->fq, 0).stale_answers, rounds * RIG_SLOTS);
}

/* A VM with one device, its pager and its device's user, in threads of their own. */
struct party {
	struct device device;
	struct faultq *fq;
	char *memory;
	unsigned long rounds;
	unsigned int seed;
};

static void *page_party(void *argument)
{
	struct party *party = argument;
	const struct faultq_record *record;

	for (unsigned long i = 0; i < party->rounds; i++) {
		int result;

		must(!faultq_wait(party->fq, -1));
		must(faultq_peek(party->fq, &record) == 1);
		must(record->type == FAULTQ_PAGE_REQUEST);
		must(!faultq_unmap(party->fq, 0, ~0ULL, NULL));
		must(!faultq_map_answer(party->fq, record->address, party->memory, PAGE, RW,
					record->cookie, &result));
		must(!result);
		faultq_consume(party->fq);
	}
	return NULL;
}

static void *use_party(void *argument)
{
	struct party *party = argument;
	unsigned char data[64];

	for (unsigned long i = 0; i < party->rounds; i++) {
		memset(data, party->seed + i, sizeof(data));
		must(mock_dma_write(party->device.fd, IOVA + i * PAGE, data, sizeof(data), NULL) ==
		     MOCK_IOMMU_DMA_DONE);
		must(!memcmp(data, party->memory, sizeof(data)));
	}
	return NULL;
}

static void several_vms_are_served_at_the_same_time(void **state)
{
	struct device devices[DEVICES];
	struct party parties[DEVICES];
	pthread_t threads[DEVICES][2];

	(void)state;
	devices_make(devices, DEVICES);
	for (unsigned int i = 0; i < DEVICES; i++) {
		parties[i] = (struct party){
			.device = devices[i], .fq = vm_open(RIG_SLOTS, RIG_ENTRIES, 0),
			.memory = pages_new(1), .rounds = scaled(100, 20000), .seed = i * 50,
		};
		vm_attach(parties[i].fq, &devices[i]);
		assert_int_equal(pthread_create(&threads[i][0], NULL, page_party, &parties[i]), 0);
		assert_int_equal(pthread_create(&threads[i][1], NULL, use_party, &parties[i]), 0);
	}
	for (unsigned int i = 0; i < DEVICES; i++) {
		assert_int_equal(pthread_join(threads[i][0], NULL), 0);
		assert_int_equal(pthread_join(threads[i][1], NULL), 0);
		assert_int_equal(vm_stats(parties[i].fq, 0).answered_success, parties[i].rounds);
		faultq_close(parties[i].fq);
		pages_free(parties[i].memory, 1);
	}
	devices_remove(devices, DEVICES);
}

struct mapper {
	struct rig *rig;
	uint64_t cookie;
	uint64_t iova;
	char *page;
	pthread_barrier_t *start;
	int result;
};

static void *map_and_answer(void *argument)
{
	struct mapper *mapper = argument;

	pthread_barrier_wait(mapper->start);
	must(!faultq_map_answer(mapper->rig->fq, mapper->iova, mapper->page, PAGE, RW,
				mapper->cookie, &mapper->result));
	return NULL;
}

static void map_and_respond_race_for_a_cookie(void **state)
{
	struct rig *rig = *state;
	struct mapper mapper = { .rig = rig, .page = pages_new(1) };
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, 2);
	mapper.start = &start;
	for (unsigned long i = 0; i < scaled(100, 10000); i++) {
		pthread_t thread;
		int answered;

		inject_group(&rig->device, i, IOVA);
		mapper.cookie = take_cookie(rig->fq);
		mapper.iova = IOVA + i * PAGE;
		assert_int_equal(pthread_create(&thread, NULL, map_and_answer, &mapper), 0);
		pthread_barrier_wait(&start);
		answered = faultq_answer(rig->fq, mapper.cookie, FAULTQ_SUCCESS);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(answered + mapper.result, -ESTALE);
		assert_int_equal(response(&rig->device).code, FAULTQ_SUCCESS);
		assert_no_response(&rig->device);
		assert_int_equal(faultq_unmap(rig->fq, 0, ~0ULL, NULL), 0);
	}
	pthread_barrier_destroy(&start);
	pages_free(mapper.page, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_of_several_devices_tell_whose_they_are),
		cmocka_unit_test(detaching_one_device_leaves_the_others_groups),
		cmocka_unit_test(faults_go_to_their_own_vm),
		RIG_TEST(a_device_has_one_owner),
		RIG_TEST(two_threads_answering_the_same_cookies_succeed_once_each),
		RIG_TEST(map_and_respond_race_for_a_cookie),
		cmocka_unit_test(several_vms_are_served_at_the_same_time),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
