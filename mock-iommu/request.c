// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page request groups: raised, reported, answered.
 *
 * A group is in its device's table from the moment it is raised, before the report,
 * because the answer may come from inside the report. It leaves the table when it is
 * settled: by an answer, by the mock itself when the IOMMU core did not take it, or
 * when the device goes. A place of the queue and credits go back then. An answer only
 * meets a group whose report has begun: a device may use an index again while it is
 * outstanding, and one that never gets to its report must not take the other's answer.
 *
 * What changes in a group is guarded by the instance's lock. Its requests are written
 * by its owner while it is neither outstanding nor being reported.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/era.h"
#include "mock.h"

static void group_report_work(struct work_struct *work);

/**
 * mock_group_alloc() - make a group, for use over and over
 * @device: whose
 * @count: how many requests it must have room for
 *
 * Return: the group with one reference, or NULL.
 */
struct mock_group *mock_group_alloc(struct mock_device *device, unsigned int count)
{
	struct mock_group *group;

	group = kzalloc(struct_size(group, address, count), GFP_KERNEL_ACCOUNT);
	if (!group)
		return NULL;
	kref_init(&group->ref);
	group->device = device;
	INIT_LIST_HEAD(&group->node);
	INIT_WORK(&group->report, group_report_work);
	return group;
}

static void group_release(struct kref *ref)
{
	struct mock_group *group = container_of(ref, struct mock_group, ref);

	if (group->injected)
		llist_add(&group->spare, &group->device->spares);
	else
		kfree(group);
}

/**
 * mock_group_stock() - make a spare group for an injected request
 * @device: whose
 *
 * Return: 0 or -ENOMEM.
 */
int mock_group_stock(struct mock_device *device)
{
	struct mock_group *group = mock_group_alloc(device, 1);

	if (!group)
		return -ENOMEM;
	group->injected = true;
	group->count = 1;
	mock_group_put(group);
	return 0;
}

/**
 * mock_group_reuse() - take a spare group
 * @device: whose; its instance's lock is held
 *
 * Return: the group with one reference, or NULL when there is none.
 */
struct mock_group *mock_group_reuse(struct mock_device *device)
{
	struct llist_node *node = llist_del_first(&device->spares);
	struct mock_group *group;

	if (!node)
		return NULL;
	group = llist_entry(node, struct mock_group, spare);
	kref_init(&group->ref);
	return group;
}

/**
 * mock_group_free_spares() - free the spare groups
 * @device: whose; nobody uses it any more
 */
void mock_group_free_spares(struct mock_device *device)
{
	struct mock_group *group, *next;

	llist_for_each_entry_safe(group, next, llist_del_all(&device->spares), spare)
		kfree(group);
}

/**
 * mock_group_put() - drop a reference
 * @group: the group, or NULL
 */
void mock_group_put(struct mock_group *group)
{
	if (group)
		kref_put(&group->ref, group_release);
}

static struct list_head *group_bucket(struct mock_device *device, u32 index)
{
	return &device->outstanding[index % MOCK_BUCKETS];
}

static bool group_index_used(struct mock_device *device, u32 index)
{
	struct mock_group *group;

	list_for_each_entry(group, group_bucket(device, index), node)
		if (group->request.group == index)
			return true;
	return false;
}

/**
 * mock_group_free_index() - find a page request group index that is not outstanding
 * @device: the device; its instance's lock is held
 * @limit: how many indices there are
 *
 * Return: the index, or @limit when there is none.
 */
u32 mock_group_free_index(struct mock_device *device, u32 limit)
{
	u32 i, index;

	for (i = 0; i < limit; i++) {
		index = (device->next_group + i) % limit;
		if (group_index_used(device, index))
			continue;
		device->next_group = index + 1;
		return index;
	}
	return limit;
}

/**
 * mock_group_raise() - make a group outstanding; the caller reports it next
 * @group: its requests are set, it has a place; the instance's lock is held
 */
void mock_group_raise(struct mock_group *group)
{
	struct mock_device *device = group->device;

	lockdep_assert_held(&device->instance->lock);
	kref_get(&group->ref);
	list_add_tail(&group->node, group_bucket(device, group->request.group));
	group->outstanding = true;
	group->reporting = true;
	group->reported = false;
	device->nr_outstanding++;
	device->counters.requests += group->count;
	if (!group->injected)
		device->credits_used += group->count;
}

static void answer_log(struct mock_device *device, const struct mock_answer *answer)
{
	unsigned int at = (device->answers_head + device->answers_count) % MOCK_ANSWERS;

	device->answers[at] = *answer;
	if (device->answers_count < MOCK_ANSWERS) {
		device->answers_count++;
	} else {
		device->answers_head = (device->answers_head + 1) % MOCK_ANSWERS;
		device->answers_dropped++;
	}
	if (wq_has_sleeper(&device->answered))
		wake_up(&device->answered);
}

static void group_free_place(struct mock_group *group)
{
	if (!group->place)
		return;
	group->place = false;
	mock_place_free(group->device->instance);
}

/* The room that a settled group leaves may be what others wait for. */
static void device_feed_starved(struct mock_device *device)
{
	struct mock_dma *dma, *next;

	list_for_each_entry_safe(dma, next, &device->starved, wait) {
		list_del_init(&dma->wait);
		mock_dma_kick(dma);
	}
}

static void group_leave(struct mock_group *group)
{
	struct mock_device *device = group->device;

	list_del_init(&group->node);
	group->outstanding = false;
	device->nr_outstanding--;
	if (!group->injected)
		device->credits_used -= group->count;
	group_free_place(group);
}

static void group_settle(struct mock_group *group, const struct mock_answer *answer)
{
	struct mock_device *device = group->device;

	group->code = answer->code;
	group_leave(group);
	if (answer->code == IOMMU_PAGE_RESP_FAILURE &&
	    device->settings.mode == MOCK_MODE_PRI)
		*mock_requests_switch(device) = false;
	if (group->injected)
		answer_log(device, answer);
	if (group->dma)
		mock_dma_kick(group->dma);
	device_feed_starved(device);
	mock_group_put(group);
}

/**
 * mock_group_drop_all() - free what is outstanding when the device goes
 * @device: it is not live, so no report is under way; its instance's lock is held
 *
 * Return: how many groups had been reported.
 */
unsigned int mock_group_drop_all(struct mock_device *device)
{
	struct mock_group *group, *next;
	unsigned int i, count = 0;

	for (i = 0; i < MOCK_BUCKETS; i++) {
		list_for_each_entry_safe(group, next, &device->outstanding[i], node) {
			count += group->reported;
			group_leave(group);
			mock_group_put(group);
		}
	}
	return count;
}

static struct mock_group *group_match(struct mock_device *device,
				      const struct mock_answer *answer)
{
	const struct mock_request *request;
	struct mock_group *group;

	list_for_each_entry(group, group_bucket(device, answer->group), node) {
		request = &group->request;
		if (request->group != answer->group ||
		    request->needs_pasid != answer->has_pasid || !READ_ONCE(group->reported))
			continue;
		if (!request->needs_pasid || answer->pasid == request->pasid)
			return group;
	}
	return NULL;
}

/**
 * mock_answer() - a page response arrives
 * @device: for which
 * @answer: the response
 *
 * Return: 0, or -EINVAL when no outstanding group matches.
 */
int mock_answer(struct mock_device *device, const struct mock_answer *answer)
{
	struct mock_group *group;

	spin_lock(&device->instance->lock);
	group = group_match(device, answer);
	if (group) {
		device->counters.answered++;
		group_settle(group, answer);
	} else {
		device->counters.unmatched++;
	}
	spin_unlock(&device->instance->lock);
	return group ? 0 : -EINVAL;
}

/*
 * Nobody will answer a group whose last request was not taken: it is invalid. When it
 * has got an answer all the same, that was meant for another one with its index, which
 * was reported before.
 */
static void group_refuse(struct mock_group *group)
{
	struct mock_answer answer = {
		.group = group->request.group,
		.pasid = group->request.pasid,
		.code = IOMMU_PAGE_RESP_INVALID,
	};

	if (!group->outstanding) {
		answer.code = group->code;
		answer.has_pasid = group->request.needs_pasid;
		group = group_match(group->device, &answer);
	}
	if (group)
		group_settle(group, &answer);
}

static void group_reported(struct mock_group *group, int ret, unsigned int refused)
{
	struct mock_device *device = group->device;

	spin_lock(&device->instance->lock);
	group->reporting = false;
	device->counters.refused += refused;
	if (ret)
		group_refuse(group);
	else if (device->instance->free_on_report)
		group_free_place(group);
	if (group->dma)
		mock_dma_kick(group->dma);
	spin_unlock(&device->instance->lock);
}

/**
 * mock_request_report() - report one page request
 * @device: whose it is, live; its life lock is held
 * @request: the request
 *
 * Return: 0, or -EIO: then nobody will answer it.
 */
int mock_request_report(struct mock_device *device, const struct mock_request *request)
{
	unsigned int bits = device->settings.request_bits;

	if (bits && request->address >> bits)
		return -EIO;
	return mock_era_report_request(device, request);
}

/**
 * mock_group_report() - report the requests of a group that was raised
 * @group: the group; the caller has a reference
 *
 * Return: 0, -ENODEV, or -EIO: the IOMMU core did not take the last one.
 */
int mock_group_report(struct mock_group *group)
{
	struct mock_device *device = group->device;
	struct mock_request request = group->request;
	unsigned int i, refused = 0;
	int ret = -ENODEV;

	down_read(&device->life);
	if (device->live)
		WRITE_ONCE(group->reported, true);
	for (i = 0; device->live && i < group->count; i++) {
		request.address = group->address[i];
		request.last = i == group->count - 1;
		ret = mock_request_report(device, &request);
		if (ret)
			refused++;
	}
	group_reported(group, ret, refused);
	up_read(&device->life);
	return ret;
}

static void group_report_work(struct work_struct *work)
{
	struct mock_group *group = container_of(work, struct mock_group, report);

	mock_group_report(group);
	mock_group_put(group);
}

static int answer_take(struct mock_device *device, struct mock_iommu_response *out)
{
	const struct mock_answer *answer;
	int ret = -EAGAIN;

	spin_lock(&device->instance->lock);
	if (!device->live) {
		ret = -ENODEV;
	} else if (device->answers_count) {
		answer = &device->answers[device->answers_head];
		out->flags = answer->has_pasid ? MOCK_IOMMU_RESPONSE_PASID : 0;
		out->group = answer->group;
		out->pasid = answer->has_pasid ? answer->pasid : 0;
		out->code = answer->code;
		out->dropped = device->answers_dropped;
		device->answers_dropped = 0;
		device->answers_head = (device->answers_head + 1) % MOCK_ANSWERS;
		device->answers_count--;
		ret = 0;
	}
	spin_unlock(&device->instance->lock);
	return ret;
}

/**
 * mock_answer_take() - take the oldest answer to an injected request
 * @device: the device
 * @wait: for one
 * @out: all but the size is set
 *
 * Return: 0, -EAGAIN, -ENODEV or -ERESTARTSYS.
 */
int mock_answer_take(struct mock_device *device, bool wait, struct mock_iommu_response *out)
{
	int ret;

	for (;;) {
		ret = answer_take(device, out);
		if (ret != -EAGAIN || !wait)
			return ret;
		ret = wait_event_interruptible(device->answered,
					       READ_ONCE(device->answers_count) ||
					       !READ_ONCE(device->live));
		if (ret)
			return ret;
	}
}
