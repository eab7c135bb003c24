// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA engine of a device.
 *
 * A DMA is a state machine that runs as a work item: it moves bytes page by page, and
 * on a miss does what the device's mode says, then leaves the CPU. Whatever it waits
 * for kicks it, that is, queues the work again: the answer to its page requests, the
 * end of their report, credits, a place of the queue, its owner's wish to abort it,
 * or the end of the device. All decisions are taken in the work item, which never
 * runs twice at once.
 *
 * Kicks happen with the instance's lock held, and only for DMAs in the device's list,
 * so that none comes after the end.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "mock.h"

#define ENGINE_PRI_INDICES	512	/* a PRGI has 9 bits */
#define ENGINE_STALL_TAGS	65536
#define ENGINE_RETRIES		8

/* How a step of the engine went, when it is not an enum mock_iommu_dma_status. */
#define ENGINE_GO		(-1)	/* take the next step */
#define ENGINE_WAIT		(-2)	/* a kick will come */

static void engine_run(struct work_struct *work);
static void engine_report(struct work_struct *work);

static bool engine_accepts(struct mock_device *device,
			   const struct mock_iommu_dma_start *start)
{
	u32 direction = start->flags & (MOCK_IOMMU_READ | MOCK_IOMMU_WRITE);

	if (start->flags & ~MOCK_ACCESS_MASK ||
	    (direction != MOCK_IOMMU_READ && direction != MOCK_IOMMU_WRITE))
		return false;
	if (!start->length || start->length > MOCK_IOMMU_DMA_MAX ||
	    start->iova + start->length - 1 < start->iova)
		return false;
	if (!(start->flags & MOCK_IOMMU_PASID))
		return !start->pasid;
	return start->pasid < 1U << device->settings.pasid_bits &&
	       device->settings.pasid_bits;
}

static void dma_release(struct kref *ref)
{
	struct mock_dma *dma = container_of(ref, struct mock_dma, ref);

	mock_group_put(dma->group);
	mock_device_put(dma->device);
	kvfree(dma->buffer);
	kfree(dma);
}

/**
 * mock_dma_put() - drop a reference
 * @dma: the DMA
 */
void mock_dma_put(struct mock_dma *dma)
{
	kref_put(&dma->ref, dma_release);
}

/**
 * mock_dma_alloc() - make a DMA
 * @device: of which device
 * @start: what it is to do
 *
 * The caller fills its buffer and starts it.
 *
 * Return: the DMA with one reference, or an ERR_PTR.
 */
struct mock_dma *mock_dma_alloc(struct mock_device *device,
				const struct mock_iommu_dma_start *start)
{
	struct mock_dma *dma;

	if (!engine_accepts(device, start))
		return ERR_PTR(-EINVAL);
	dma = kzalloc(sizeof(*dma), GFP_KERNEL_ACCOUNT);
	if (!dma)
		return ERR_PTR(-ENOMEM);
	kref_init(&dma->ref);
	kref_get(&device->ref);
	dma->device = device;
	INIT_WORK(&dma->run, engine_run);
	INIT_WORK(&dma->report, engine_report);
	INIT_LIST_HEAD(&dma->node);
	INIT_LIST_HEAD(&dma->wait);
	init_completion(&dma->ended);
	dma->iova = start->iova;
	dma->length = start->length;
	dma->access = start->flags;
	dma->pasid = start->pasid;
	dma->group = mock_group_alloc(device, MOCK_GROUP_MAX);
	dma->buffer = kvzalloc(dma->length, GFP_KERNEL_ACCOUNT);
	if (!dma->group || !dma->buffer) {
		mock_dma_put(dma);
		return ERR_PTR(-ENOMEM);
	}
	return dma;
}

/**
 * mock_dma_kick() - let a DMA go on that waits for something
 * @dma: in its device's list; the instance's lock is held
 */
void mock_dma_kick(struct mock_dma *dma)
{
	lockdep_assert_held(&dma->device->instance->lock);
	kref_get(&dma->ref);
	if (!queue_work(dma->device->engine, &dma->run))
		mock_dma_put(dma);
}

/**
 * mock_dma_start() - start a DMA
 * @dma: the DMA
 *
 * Return: 0, or -ENODEV.
 */
int mock_dma_start(struct mock_dma *dma)
{
	struct mock_device *device = dma->device;
	int ret = -ENODEV;

	spin_lock(&device->instance->lock);
	if (device->live) {
		kref_get(&dma->ref);
		list_add_tail(&dma->node, &device->dmas);
		mock_dma_kick(dma);
		ret = 0;
	}
	spin_unlock(&device->instance->lock);
	if (ret) {
		dma->status = MOCK_IOMMU_DMA_GONE;
		complete_all(&dma->ended);
	}
	return ret;
}

/**
 * mock_dma_abort() - end a DMA soon
 * @dma: the DMA, which may have ended
 */
void mock_dma_abort(struct mock_dma *dma)
{
	struct mock_instance *instance = dma->device->instance;

	spin_lock(&instance->lock);
	if (!list_empty(&dma->node)) {
		dma->aborted = true;
		mock_dma_kick(dma);
	}
	spin_unlock(&instance->lock);
}

static void engine_count_end(struct mock_counters *counters, int status)
{
	counters->dmas++;
	if (status == MOCK_IOMMU_DMA_BLOCKED)
		counters->blocked++;
	if (status == MOCK_IOMMU_DMA_IDENTITY)
		counters->identity++;
}

/* Its page requests may go on without it: they are the device's until answered. */
static void engine_end(struct mock_dma *dma, int status)
{
	struct mock_instance *instance = dma->device->instance;

	spin_lock(&instance->lock);
	list_del_init(&dma->node);
	list_del_init(&dma->wait);
	dma->group->dma = NULL;
	if (dma->place)
		mock_place_free(instance);
	engine_count_end(&dma->device->counters, status);
	spin_unlock(&instance->lock);
	dma->status = status;
	complete_all(&dma->ended);
	mock_dma_put(dma);
}

static int engine_answered(struct mock_dma *dma)
{
	if (dma->group->outstanding || dma->group->reporting)
		return ENGINE_WAIT;
	dma->asked = false;
	dma->group->dma = NULL;
	switch (dma->group->code) {
	case IOMMU_PAGE_RESP_SUCCESS:
		dma->retries++;
		return ENGINE_GO;
	case IOMMU_PAGE_RESP_FAILURE:
		return MOCK_IOMMU_DMA_FAILURE;
	default:
		return MOCK_IOMMU_DMA_INVALID;
	}
}

/* What a kick means. */
static int engine_resume(struct mock_dma *dma)
{
	struct mock_device *device = dma->device;
	int step = ENGINE_GO;

	spin_lock(&device->instance->lock);
	list_del_init(&dma->wait);
	if (list_empty(&dma->node))
		step = ENGINE_WAIT;
	else if (dma->aborted || !device->live)
		step = MOCK_IOMMU_DMA_GONE;
	else if (dma->faulting)
		step = dma->faulted ? MOCK_IOMMU_DMA_FAULT : ENGINE_WAIT;
	else if (dma->asked)
		step = engine_answered(dma);
	spin_unlock(&device->instance->lock);
	return step;
}

/* Move one page's part. */
static enum mock_access engine_move_page(struct mock_dma *dma)
{
	u64 iova = dma->iova + dma->done;
	size_t length = min_t(size_t, PAGE_SIZE - offset_in_page(iova),
			      dma->length - dma->done);
	enum mock_access result;

	result = mock_device_access(dma->device, dma->access, dma->pasid, iova,
				    dma->buffer + dma->done, length);
	if (result == MOCK_ACCESS_DONE) {
		dma->done += length;
		dma->retries = 0;
	}
	return result;
}

static int engine_move(struct mock_dma *dma)
{
	while (dma->done < dma->length) {
		if (READ_ONCE(dma->aborted) || !READ_ONCE(dma->device->live))
			return MOCK_IOMMU_DMA_GONE;
		switch (engine_move_page(dma)) {
		case MOCK_ACCESS_DONE:
			break;
		case MOCK_ACCESS_MISS:
			dma->denied = false;
			return ENGINE_GO;
		case MOCK_ACCESS_DENIED:
			dma->denied = true;
			return ENGINE_GO;
		case MOCK_ACCESS_NO_MEMORY:
			return MOCK_IOMMU_DMA_FAULT;
		case MOCK_ACCESS_BLOCKED:
			return MOCK_IOMMU_DMA_BLOCKED;
		case MOCK_ACCESS_IDENTITY:
			return MOCK_IOMMU_DMA_IDENTITY;
		}
		cond_resched();
	}
	return MOCK_IOMMU_DMA_DONE;
}

/* List the pages to ask for in the group; none is missing when they came meanwhile. */
static unsigned int engine_missing(struct mock_dma *dma)
{
	u64 page = PAGE_ALIGN_DOWN(dma->iova + dma->done);
	u64 last = PAGE_ALIGN_DOWN(dma->iova + dma->length - 1);
	unsigned int most = dma->device->settings.mode == MOCK_MODE_PRI ? MOCK_GROUP_MAX : 1;
	unsigned int count = 0;
	enum mock_access result;

	for (;; page += PAGE_SIZE) {
		result = mock_device_access(dma->device, dma->access, dma->pasid, page,
					    NULL, 0);
		if (result == MOCK_ACCESS_MISS || result == MOCK_ACCESS_DENIED)
			dma->group->address[count++] = page;
		if (count == most || page == last)
			return count;
	}
}

static int engine_starve(struct mock_dma *dma)
{
	list_add_tail(&dma->wait, &dma->device->starved);
	return ENGINE_WAIT;
}

/* What PCIe page requests need: credits, an index, a place, or they are lost. */
static int engine_claim_pri(struct mock_dma *dma)
{
	struct mock_device *device = dma->device;
	struct mock_group *group = dma->group;

	if (!*mock_requests_switch(device))
		return MOCK_IOMMU_DMA_FAILURE;
	if (device->credits_used >= device->settings.credits)
		return engine_starve(dma);
	group->count = min(group->count, device->settings.credits - device->credits_used);
	group->request.group = mock_group_free_index(device, ENGINE_PRI_INDICES);
	if (group->request.group == ENGINE_PRI_INDICES)
		return engine_starve(dma);
	if (!mock_place_take(device->instance)) {
		device->counters.requests += group->count;
		device->counters.overflows++;
		dma->requests += group->count;
		return MOCK_IOMMU_DMA_OVERFLOW;
	}
	dma->place = true;
	return ENGINE_GO;
}

/* What a stalled access needs: a place, for which the hardware waits, and a tag. */
static int engine_claim_stall(struct mock_dma *dma)
{
	struct mock_device *device = dma->device;
	struct mock_group *group = dma->group;

	if (!dma->place && !mock_place_take_or_wait(device->instance, dma))
		return ENGINE_WAIT;
	dma->place = true;
	group->request.group = mock_group_free_index(device, ENGINE_STALL_TAGS);
	if (group->request.group == ENGINE_STALL_TAGS)
		return engine_starve(dma);
	return ENGINE_GO;
}

static void engine_raise(struct mock_dma *dma)
{
	struct mock_device *device = dma->device;
	struct mock_group *group = dma->group;

	group->request.access = dma->access;
	group->request.pasid = dma->pasid;
	group->request.needs_pasid = dma->access & MOCK_IOMMU_PASID &&
				     device->settings.response_pasid;
	group->dma = dma;
	group->place = true;
	dma->place = false;
	dma->asked = true;
	dma->requests += group->count;
	mock_group_raise(group);
	kref_get(&group->ref);
	queue_work(device->instance->reports, &group->report);
}

static int engine_ask(struct mock_dma *dma)
{
	struct mock_device *device = dma->device;
	int step;

	if (dma->retries >= ENGINE_RETRIES)
		return MOCK_IOMMU_DMA_RETRIES;
	dma->group->count = engine_missing(dma);
	if (!dma->group->count)
		return ENGINE_GO;

	spin_lock(&device->instance->lock);
	if (device->settings.mode == MOCK_MODE_PRI)
		step = engine_claim_pri(dma);
	else
		step = engine_claim_stall(dma);
	if (step == ENGINE_GO) {
		engine_raise(dma);
		step = ENGINE_WAIT;
	}
	spin_unlock(&device->instance->lock);
	return step;
}

/* Mode none: the access is lost. */
static int engine_fault(struct mock_dma *dma)
{
	dma->faulting = true;
	kref_get(&dma->ref);
	queue_work(dma->device->instance->reports, &dma->report);
	return ENGINE_WAIT;
}

static void engine_report(struct work_struct *work)
{
	struct mock_dma *dma = container_of(work, struct mock_dma, report);
	struct mock_device *device = dma->device;
	struct mock_iommu_unrecoverable fault = {
		.access = dma->access,
		.reason = dma->denied ? MOCK_REASON_PERMISSION :
					MOCK_REASON_PTE_FETCH,
		.pasid = dma->pasid,
		.address = dma->iova + dma->done,
	};

	if (device->settings.fault_by_domain ||
	    mock_fault_report(device, &fault) == -EOPNOTSUPP) {
		fault.flags = MOCK_IOMMU_VIA_DOMAIN;
		mock_fault_report(device, &fault);
	}

	spin_lock(&device->instance->lock);
	dma->faulted = true;
	if (!list_empty(&dma->node))
		mock_dma_kick(dma);
	spin_unlock(&device->instance->lock);
	mock_dma_put(dma);
}

static int engine_step(struct mock_dma *dma)
{
	int step = engine_move(dma);

	if (step != ENGINE_GO)
		return step;
	if (dma->device->settings.mode == MOCK_MODE_NONE)
		return engine_fault(dma);
	return engine_ask(dma);
}

static void engine_run(struct work_struct *work)
{
	struct mock_dma *dma = container_of(work, struct mock_dma, run);
	int step = engine_resume(dma);

	while (step == ENGINE_GO)
		step = engine_step(dma);
	if (step != ENGINE_WAIT)
		engine_end(dma, step);
	mock_dma_put(dma);
}
