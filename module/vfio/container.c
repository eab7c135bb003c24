// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers that are set to this backend, each with its VM.
 *
 * VFIO does not lock calls on a container against its being set to another backend: a call can
 * come with the data of a container that was released. So what VFIO keeps is a number, and a
 * call looks the container up and holds it, or is refused. fq_containers' lock guards that.
 *
 * The VM goes when the container and all its files are gone.
 */
#include <linux/slab.h>
#include <linux/xarray.h>

#include "../compat/compat.h"
#include "../device.h"
#include "vfio.h"

static DEFINE_XARRAY_ALLOC1(fq_containers);
static u32 fq_last_container;

static struct fq_container *fq_container_create(void)
{
	struct fq_container *container = kzalloc(sizeof(*container), GFP_KERNEL_ACCOUNT);

	if (!container)
		return NULL;
	kref_init(&container->kref);
	container->vm = fq_vm_create();
	if (!container->vm) {
		kfree(container);
		return NULL;
	}
	return container;
}

static void fq_container_free(struct kref *kref)
{
	struct fq_container *container = container_of(kref, struct fq_container, kref);

	fq_vm_unuse(container->vm);
	kfree(container);
}

/**
 * fq_container_put() - end a call
 * @container: from fq_container_get()
 */
void fq_container_put(struct fq_container *container)
{
	kref_put(&container->kref, fq_container_free);
}

static_assert(FAULTQ_VFIO_MSI_SIZE >= FAULTQ_SW_MSI_MIN_SIZE);

static int fq_container_move_msi(struct fq_container *container, u64 base)
{
	struct faultq_window window = {
		.iova = base, .length = FAULTQ_VFIO_MSI_SIZE, .type = FAULTQ_WINDOW_SW_MSI,
	};

	return fq_window_add(&container->vm->ioas, &window);
}

static int fq_container_publish(struct fq_container *container)
{
	int ret = xa_alloc_cyclic(&fq_containers, &container->id, container,
				  XA_LIMIT(1, S32_MAX), &fq_last_container, GFP_KERNEL_ACCOUNT);

	return ret < 0 ? ret : 0;
}

/**
 * fq_container_open() - a container is set to this backend
 * @version: of type1, for which its owner asked, or 0: for this backend
 * @max_mappings: mappings that can be made in it; 0: any number
 * @msi_base: where the kernel's own window for MSI doorbells is to be, or 0: where it likes
 *
 * Return: what VFIO is to keep, or an ERR_PTR().
 */
void *fq_container_open(unsigned int version, unsigned int max_mappings, u64 msi_base)
{
	struct fq_container *container = fq_container_create();
	int ret;

	if (!container)
		return ERR_PTR(-ENOMEM);
	container->version = version;
	fq_ioas_limit(&container->vm->ioas, max_mappings);
	ret = msi_base ? fq_container_move_msi(container, msi_base) : 0;
	if (!ret)
		ret = fq_container_publish(container);
	if (!ret)
		return (void *)(unsigned long)container->id;
	fq_container_put(container);
	return ERR_PTR(ret);
}

/**
 * fq_container_release() - the container is not set to this backend any more
 * @iommu_data: from fq_container_open(); it has no groups
 */
void fq_container_release(void *iommu_data)
{
	struct fq_container *container = xa_erase(&fq_containers, (unsigned long)iommu_data);

	if (container)
		fq_container_put(container);
}

/**
 * fq_container_get() - begin a call
 * @iommu_data: what VFIO has; anything
 *
 * Return: the container, referenced, or NULL when there is none.
 */
struct fq_container *fq_container_get(void *iommu_data)
{
	struct fq_container *container;

	xa_lock(&fq_containers);
	container = xa_load(&fq_containers, (unsigned long)iommu_data);
	if (container)
		kref_get(&container->kref);
	xa_unlock(&fq_containers);
	return container;
}

static int fq_container_join(struct fq_container *container, struct iommu_group *group,
			     bool unsafe)
{
	if (!unsafe && !fq_compat_isolated_msi(group))
		return -EPERM;
	return fq_group_attach(container->vm, group);
}

/**
 * fq_container_attach() - a group that VFIO owns comes
 * @iommu_data: of its container
 * @group: the group
 * @unsafe: take it although its interrupts are not isolated
 *
 * When it fails while the container is being set, VFIO goes on to the next backend. Who asked
 * for this one's own number is refused by all others; who asked for type1 then gets it, which
 * nothing here can prevent, so the administrator is told.
 *
 * Return: 0 or a negative errno.
 */
int fq_container_attach(void *iommu_data, struct iommu_group *group, bool unsafe)
{
	struct fq_container *container = fq_container_get(iommu_data);
	int ret;

	if (!container)
		return -EINVAL;
	ret = fq_container_join(container, group, unsafe);
	if (ret && container->version)
		pr_warn_once("IOMMU group %d was refused (%d) and may go to type1 instead\n",
			     iommu_group_id(group), ret);
	fq_container_put(container);
	return ret;
}

/**
 * fq_container_detach() - a group goes
 * @iommu_data: of its container
 * @group: the group
 */
void fq_container_detach(void *iommu_data, struct iommu_group *group)
{
	struct fq_container *container = fq_container_get(iommu_data);

	if (!container)
		return;
	fq_group_detach(container->vm, group);
	fq_container_put(container);
}
