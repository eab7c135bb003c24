/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's domains of an address space; see domain.c.
 */
#ifndef FQ_DOMAIN_H
#define FQ_DOMAIN_H

#include <linux/list.h>
#include <linux/types.h>

struct fq_pin;
struct fq_quiet;
struct fq_vm;
struct iommu_attach_handle;
struct iommu_domain;
struct iommu_group;

/**
 * struct fq_msi - where the kernel maps the MSI doorbells of devices itself
 * @base: first IOVA
 * @size: bytes; 0: it does not
 */
struct fq_msi {
	u64 base;
	u64 size;
};

/**
 * struct fq_joining - a group that is being attached
 * @vm: to this VM
 * @dev: a device of the group
 * @group: the group; its DMA ownership is claimed
 * @handle: names the attachment; stays until the group is detached
 * @msi: the window where the kernel may map the MSI doorbells of the group
 * @snooped: its devices can be kept from getting around the CPU's caches
 * @requests: its devices may raise page requests, if they can
 * @quiet: what the group needs then
 */
struct fq_joining {
	struct fq_vm *vm;
	struct device *dev;
	struct iommu_group *group;
	struct iommu_attach_handle *handle;
	struct fq_msi msi;
	bool snooped;
	bool requests;
	struct fq_quiet *quiet;
};

/**
 * struct fq_domain - the page table for the devices of one IOMMU instance
 * @node: in the address space's domains
 * @domain: the kernel's domain
 * @instance: the IOMMU instance
 * @requests: for devices that raise page requests
 * @alone: for one group only
 * @limit: last address that may be mapped, if the geometry allows more
 * @msi: the window of its MSI cookie, which all its groups have
 * @first: first address that can be mapped
 * @last: last address that can be mapped
 * @coherent: its devices cannot get around the CPU's caches
 * @users: attached groups
 */
struct fq_domain {
	struct list_head node;
	struct iommu_domain *domain;
	struct iommu_device *instance;
	bool requests;
	bool alone;
	u64 limit;
	struct fq_msi msi;
	u64 first;
	u64 last;
	bool coherent;
	unsigned int users;
};

/**
 * fq_domain_fits() - can a domain address a range
 * @domain: the domain
 * @iova: first address
 * @last: last address
 *
 * Return: whether it can.
 */
static inline bool fq_domain_fits(const struct fq_domain *domain, unsigned long iova,
				  unsigned long last)
{
	return iova >= domain->first && last <= domain->last;
}

struct fq_domain *fq_domain_create(const struct fq_joining *joining, bool requests);
void fq_domain_destroy(struct fq_domain *domain);
void fq_domain_settle(struct fq_domain *domain);
bool fq_domain_suits(const struct fq_domain *domain, const struct fq_joining *joining,
		     bool requests);

int fq_domain_map(struct fq_domain *domain, unsigned long iova, unsigned long last,
		  const struct fq_pin *pin, int prot);
int fq_domain_map_page(struct fq_domain *domain, unsigned long iova, phys_addr_t phys, int prot);
int fq_domain_map_mmio(struct fq_domain *domain, unsigned long iova, size_t size,
		       phys_addr_t phys, int prot, size_t *done);
int fq_domain_reclaim(void);
int fq_domain_map_repeated(struct fq_domain *domain, unsigned long iova, size_t size,
			   phys_addr_t phys, int prot);
void fq_domain_unmap(struct fq_domain *domain, unsigned long iova, size_t size);

#endif
