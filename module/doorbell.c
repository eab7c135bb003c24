// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells in an address space: physical pages that its devices write to signal interrupts.
 *
 * A page is bound once, whatever number of devices use it, at an IOVA that is allocated in a
 * window for doorbells, in every domain of the address space or in none. Each device's
 * bindings are counted, so that what it does not give back ends with it.
 *
 * fq_ioas.lock guards everything here.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "device.h"
#include "domain.h"
#include "doorbell.h"
#include "ioas.h"
#include "window.h"

/**
 * struct fq_binding - the use that a device makes of a doorbell
 * @node: in the device's bindings
 * @doorbell: the doorbell
 * @count: how often the device took it
 */
struct fq_binding {
	struct list_head node;
	struct fq_doorbell *doorbell;
	unsigned int count;
};

static int fq_doorbell_prot(const struct fq_doorbell *doorbell)
{
	return fq_mapping_prot(doorbell->window->prot) | IOMMU_MMIO;
}

static int fq_doorbell_map(struct fq_domain *domain, const struct fq_doorbell *doorbell)
{
	return fq_domain_map_page(domain, doorbell->iova, doorbell->phys,
				  fq_doorbell_prot(doorbell));
}

/* Into all domains, or into none. */
static int fq_doorbell_map_all(struct fq_ioas *ioas, const struct fq_doorbell *doorbell)
{
	struct fq_domain *domain;
	int ret;

	list_for_each_entry(domain, &ioas->domains, node) {
		ret = fq_doorbell_map(domain, doorbell);
		if (ret)
			goto undo;
	}
	return 0;

undo:
	list_for_each_entry_continue_reverse(domain, &ioas->domains, node)
		fq_domain_unmap(domain, doorbell->iova, PAGE_SIZE);
	return ret;
}

static void fq_doorbell_unmap_all(struct fq_ioas *ioas, const struct fq_doorbell *doorbell)
{
	struct fq_domain *domain;

	list_for_each_entry(domain, &ioas->domains, node)
		fq_domain_unmap(domain, doorbell->iova, PAGE_SIZE);
}

/* A free page of a window; false when it has none. */
static bool fq_window_take(struct fq_window *window, struct fq_doorbell *doorbell)
{
	struct iova *iova = alloc_iova(&window->iovas, 1, window->node.last >> PAGE_SHIFT, false);

	if (!iova)
		return false;
	doorbell->iova = iova->pfn_lo << PAGE_SHIFT;
	doorbell->window = window;
	window->used++;
	return true;
}

static void fq_window_give_back(struct fq_doorbell *doorbell)
{
	free_iova(&doorbell->window->iovas, doorbell->iova >> PAGE_SHIFT);
	doorbell->window->used--;
}

/* Some window for doorbells that has room. */
static int fq_doorbell_place(struct fq_ioas *ioas, struct fq_doorbell *doorbell)
{
	struct fq_window *window;
	int ret = -ENOENT;

	for (window = fq_window_first(ioas, 0, ULONG_MAX); window;
	     window = fq_window_next(window, 0, ULONG_MAX)) {
		if (window->type != FAULTQ_WINDOW_MSI)
			continue;
		if (fq_window_take(window, doorbell))
			return 0;
		ret = -ENOSPC;
	}
	return ret;
}

static struct fq_doorbell *fq_doorbell_create(struct fq_ioas *ioas, phys_addr_t phys)
{
	struct fq_doorbell *doorbell;
	int ret;

	if (ioas->nr_doorbells == FQ_MAX_DOORBELLS)
		return ERR_PTR(-ENOSPC);
	doorbell = kzalloc(sizeof(*doorbell), GFP_KERNEL_ACCOUNT);
	if (!doorbell)
		return ERR_PTR(-ENOMEM);
	doorbell->phys = phys;
	ret = fq_doorbell_place(ioas, doorbell);
	if (ret)
		goto free;
	ret = fq_doorbell_map_all(ioas, doorbell);
	if (ret)
		goto give_back;
	list_add_tail(&doorbell->node, &ioas->doorbells);
	ioas->nr_doorbells++;
	return doorbell;

give_back:
	fq_window_give_back(doorbell);
free:
	kfree(doorbell);
	return ERR_PTR(ret);
}

static void fq_doorbell_put(struct fq_ioas *ioas, struct fq_doorbell *doorbell,
			    unsigned int count)
{
	doorbell->users -= count;
	if (doorbell->users)
		return;
	fq_doorbell_unmap_all(ioas, doorbell);
	fq_window_give_back(doorbell);
	list_del(&doorbell->node);
	ioas->nr_doorbells--;
	kfree(doorbell);
}

static struct fq_doorbell *fq_doorbell_find(struct fq_ioas *ioas, phys_addr_t phys)
{
	struct fq_doorbell *doorbell;

	list_for_each_entry(doorbell, &ioas->doorbells, node)
		if (doorbell->phys == phys)
			return doorbell;
	return NULL;
}

static struct fq_binding *fq_binding_find(struct fq_device *device, phys_addr_t phys)
{
	struct fq_binding *binding;

	list_for_each_entry(binding, &device->bindings, node)
		if (binding->doorbell->phys == phys)
			return binding;
	return NULL;
}

static struct fq_binding *fq_binding_create(struct fq_ioas *ioas, struct fq_device *device,
					    phys_addr_t phys)
{
	struct fq_binding *binding = kzalloc(sizeof(*binding), GFP_KERNEL_ACCOUNT);
	struct fq_doorbell *doorbell;

	if (!binding)
		return ERR_PTR(-ENOMEM);
	doorbell = fq_doorbell_find(ioas, phys) ?: fq_doorbell_create(ioas, phys);
	if (IS_ERR(doorbell)) {
		kfree(binding);
		return ERR_CAST(doorbell);
	}
	binding->doorbell = doorbell;
	list_add_tail(&binding->node, &device->bindings);
	return binding;
}

static void fq_binding_end(struct fq_ioas *ioas, struct fq_binding *binding)
{
	fq_doorbell_put(ioas, binding->doorbell, binding->count);
	list_del(&binding->node);
	kfree(binding);
}

/**
 * fq_doorbell_bind() - let a device reach a doorbell
 * @ioas: the device's address space
 * @device: the device
 * @phys: the doorbell's page
 * @iova: is set to where it is bound
 *
 * Return: 0 or a negative errno as faultq_doorbell_get() gives it.
 */
int fq_doorbell_bind(struct fq_ioas *ioas, struct fq_device *device, phys_addr_t phys,
		     dma_addr_t *iova)
{
	struct fq_binding *binding;

	mutex_lock(&ioas->lock);
	binding = fq_binding_find(device, phys) ?: fq_binding_create(ioas, device, phys);
	if (!IS_ERR(binding)) {
		binding->count++;
		binding->doorbell->users++;
		*iova = binding->doorbell->iova;
	}
	mutex_unlock(&ioas->lock);
	return PTR_ERR_OR_ZERO(binding);
}

/**
 * fq_doorbell_unbind() - undo one fq_doorbell_bind()
 * @ioas: the device's address space
 * @device: the device
 * @phys: the doorbell's page; nothing is done if it is not bound
 */
void fq_doorbell_unbind(struct fq_ioas *ioas, struct fq_device *device, phys_addr_t phys)
{
	struct fq_binding *binding;

	mutex_lock(&ioas->lock);
	binding = fq_binding_find(device, phys);
	if (binding && binding->count > 1) {
		binding->count--;
		binding->doorbell->users--;
	} else if (binding) {
		fq_binding_end(ioas, binding);
	}
	mutex_unlock(&ioas->lock);
}

/**
 * fq_doorbells_end() - undo all that a device has bound
 * @ioas: the device's address space
 * @device: the device; its DMA is blocked
 */
void fq_doorbells_end(struct fq_ioas *ioas, struct fq_device *device)
{
	struct fq_binding *binding, *next;

	mutex_lock(&ioas->lock);
	list_for_each_entry_safe(binding, next, &device->bindings, node)
		fq_binding_end(ioas, binding);
	mutex_unlock(&ioas->lock);
}

/**
 * fq_doorbells_fill() - map all doorbells into a new domain
 * @ioas: the address space; its lock is held
 * @domain: not yet in its list
 *
 * Return: 0 or a negative errno: then none is mapped.
 */
int fq_doorbells_fill(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_doorbell *doorbell;
	int ret;

	list_for_each_entry(doorbell, &ioas->doorbells, node) {
		ret = fq_doorbell_map(domain, doorbell);
		if (ret)
			goto undo;
		cond_resched();
	}
	return 0;

undo:
	list_for_each_entry_continue_reverse(doorbell, &ioas->doorbells, node)
		fq_domain_unmap(domain, doorbell->iova, PAGE_SIZE);
	return ret;
}

/**
 * fq_doorbells_empty() - unmap all doorbells from a domain that goes
 * @ioas: the address space; its lock is held
 * @domain: the domain
 */
void fq_doorbells_empty(struct fq_ioas *ioas, struct fq_domain *domain)
{
	struct fq_doorbell *doorbell;

	list_for_each_entry(doorbell, &ioas->doorbells, node) {
		fq_domain_unmap(domain, doorbell->iova, PAGE_SIZE);
		cond_resched();
	}
}

/**
 * fq_ioas_list_doorbells() - list the doorbells that are bound
 * @ioas: the address space
 * @entries: where they go, zeroed
 * @room: how many fit
 *
 * Return: how many there are, which may be more.
 */
unsigned int fq_ioas_list_doorbells(struct fq_ioas *ioas, struct faultq_doorbell_entry *entries,
				    unsigned int room)
{
	struct fq_doorbell *doorbell;
	unsigned int count = 0;

	mutex_lock(&ioas->lock);
	list_for_each_entry(doorbell, &ioas->doorbells, node) {
		if (count < room) {
			entries[count].iova = doorbell->iova;
			entries[count].window = doorbell->window->id;
			entries[count].users = doorbell->users;
		}
		count++;
	}
	mutex_unlock(&ioas->lock);
	return count;
}
