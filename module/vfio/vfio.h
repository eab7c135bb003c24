/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VFIO container backend: what its files share.
 *
 * VFIO does not ship the header in which a backend is declared, so that is repeated here; its
 * layout is the same in all supported kernels, but for a last member that 6.1 has.
 */
#ifndef FQ_VFIO_H
#define FQ_VFIO_H

#include <linux/kref.h>
#include <linux/types.h>

struct fq_vm;
struct iommu_domain;
struct iommu_group;
struct module;
struct page;
struct vfio_device;

enum vfio_group_type {
	VFIO_IOMMU,
	VFIO_EMULATED_IOMMU,
	VFIO_NO_IOMMU,
};

struct vfio_iommu_driver_ops {
	char *name;
	struct module *owner;
	void *(*open)(unsigned long arg);
	void (*release)(void *iommu_data);
	long (*ioctl)(void *iommu_data, unsigned int cmd, unsigned long arg);
	int (*attach_group)(void *iommu_data, struct iommu_group *group,
			    enum vfio_group_type type);
	void (*detach_group)(void *iommu_data, struct iommu_group *group);
	int (*pin_pages)(void *iommu_data, struct iommu_group *group, dma_addr_t iova, int count,
			 int prot, struct page **pages);
	void (*unpin_pages)(void *iommu_data, dma_addr_t iova, int count);
	void (*register_device)(void *iommu_data, struct vfio_device *device);
	void (*unregister_device)(void *iommu_data, struct vfio_device *device);
	int (*dma_rw)(void *iommu_data, dma_addr_t iova, void *data, size_t count, bool write);
	struct iommu_domain *(*group_iommu_domain)(void *iommu_data, struct iommu_group *group);
	void (*notify)(void *iommu_data, int event);
};

int vfio_register_iommu_driver(const struct vfio_iommu_driver_ops *ops);
void vfio_unregister_iommu_driver(const struct vfio_iommu_driver_ops *ops);

/**
 * struct fq_container - a VFIO container that is set to this backend
 * @kref: of VFIO, and of each call that is in it
 * @id: VFIO's name for it
 * @vm: the VM, of which it is a user
 * @version: of type1, for which its owner asked, or 0: for this backend
 */
struct fq_container {
	struct kref kref;
	u32 id;
	struct fq_vm *vm;
	unsigned int version;
};

void *fq_container_open(unsigned int version, unsigned int max_mappings, u64 msi_base);
void fq_container_release(void *iommu_data);
struct fq_container *fq_container_get(void *iommu_data);
void fq_container_put(struct fq_container *container);
int fq_container_attach(void *iommu_data, struct iommu_group *group, bool unsafe);
void fq_container_detach(void *iommu_data, struct iommu_group *group);

int fq_type1_info(struct fq_container *container, void __user *user);
long fq_type1_ioctl(struct fq_container *container, unsigned int cmd, unsigned long arg);

#endif
