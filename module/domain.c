// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's domains of an address space: one page table for the devices of one IOMMU
 * instance, what is mapped in it, and what it has besides.
 *
 * Where the kernel maps the MSI doorbells of a device's interrupts itself (Arm), its domain
 * has a cookie with a base for them. Some kernels give a domain either that or a fault
 * handler; then the cookie wins, as without it the device has no interrupts.
 *
 * DMA to memory snoops the CPU's caches (IOMMU_CACHE): devices for which the IOMMU cannot have
 * that are not attached.
 *
 * The lock of the address space guards everything here.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "domain.h"
#include "pin.h"
#include "source.h"

/* A table of runs is a page; an entry has a length of 32 bits. */
#define FQ_TABLE_ENTRIES	(PAGE_SIZE / sizeof(struct scatterlist))

/*
 * No call of an IOMMU driver reaches across a multiple of this: others can run between the calls.
 * No page of a page table does either, then, so what was mapped can be unmapped in pieces.
 */
#define FQ_PIECE		((size_t)SZ_1G)

/* What is mapped of MMIO at a time: entries, and pages of page tables that they may need. */
#define FQ_PART_ENTRIES		8192
#define FQ_PART_TABLES		32

static int fq_domain_equip(struct fq_domain *domain, struct fq_vm *vm)
{
	const struct fq_msi *msi = &domain->msi;

	if (!msi->size || FQ_COMPAT_MSI_AND_FAULTS)
		fq_source_watch_domain(domain->domain, vm);
	if (domain->requests)
		fq_source_watch_requests(domain->domain);
	return msi->size ? iommu_get_msi_cookie(domain->domain, msi->base) : 0;
}

static bool fq_needs_own(const struct fq_joining *joining, bool requests)
{
	return requests && fq_compat_quiet_alone(joining->quiet);
}

/* What is mapped beyond could not be asked for. */
static u64 fq_limit(const struct fq_joining *joining, bool requests)
{
	return requests ? fq_compat_last_request(joining->dev) : U64_MAX;
}

/**
 * fq_domain_create() - make an empty domain
 * @joining: for this group
 * @requests: for devices that raise page requests
 *
 * Return: the domain, or an ERR_PTR().
 */
struct fq_domain *fq_domain_create(const struct fq_joining *joining, bool requests)
{
	struct fq_domain *domain = kzalloc(sizeof(*domain), GFP_KERNEL_ACCOUNT);
	struct iommu_domain *paging;
	int ret;

	if (!domain)
		return ERR_PTR(-ENOMEM);
	paging = iommu_paging_domain_alloc(joining->dev);
	if (IS_ERR(paging)) {
		kfree(domain);
		return ERR_CAST(paging);
	}
	domain->domain = paging;
	domain->instance = joining->dev->iommu->iommu_dev;
	domain->requests = requests;
	domain->alone = fq_needs_own(joining, requests);
	domain->limit = fq_limit(joining, requests);
	domain->msi = joining->msi;
	ret = fq_domain_equip(domain, joining->vm);
	if (ret) {
		fq_domain_destroy(domain);
		return ERR_PTR(ret);
	}
	return domain;
}

/**
 * fq_domain_destroy() - free a domain that no device has
 * @domain: the domain; nothing is mapped in it
 */
void fq_domain_destroy(struct fq_domain *domain)
{
	iommu_domain_free(domain->domain);
	kfree(domain);
}

/*
 * A device that could get around the CPU's caches would read old data of a guest that relies on
 * coherent DMA, and a hypervisor asks whether it can.
 */
static bool fq_enforce_coherency(struct iommu_domain *domain)
{
	return domain->ops->enforce_cache_coherency && domain->ops->enforce_cache_coherency(domain);
}

/**
 * fq_domain_settle() - find out what an IOMMU driver may say only when it has attached a group
 * @domain: the domain, attached to its first group; nothing is mapped in it
 */
void fq_domain_settle(struct fq_domain *domain)
{
	const struct iommu_domain_geometry *geometry = &domain->domain->geometry;

	domain->coherent = fq_enforce_coherency(domain->domain);
	domain->first = geometry->aperture_start;
	domain->last = min_t(u64, geometry->aperture_end, domain->limit);
}

/**
 * fq_domain_suits() - could a group be attached to a domain that is there
 * @domain: the domain
 * @joining: the group
 * @requests: as a device that raises page requests
 *
 * A group whose devices can be kept from getting around the CPU's caches does not join those that
 * cannot. The other way round, the IOMMU driver refuses.
 *
 * Return: whether to try.
 */
bool fq_domain_suits(const struct fq_domain *domain, const struct fq_joining *joining,
		     bool requests)
{
	return domain->instance == joining->dev->iommu->iommu_dev &&
	       domain->requests == requests && !domain->alone &&
	       !fq_needs_own(joining, requests) && domain->msi.base == joining->msi.base &&
	       domain->msi.size == joining->msi.size &&
	       domain->limit == fq_limit(joining, requests) &&
	       (domain->coherent || !joining->snooped);
}

/* Bytes from an address on that are one piece. */
static size_t fq_piece(unsigned long iova, size_t left)
{
	return min(left, FQ_PIECE - (iova & (FQ_PIECE - 1)));
}

/*
 * Put the next runs into a table, as many as it takes, less than two pieces; @left is what is left
 * of the run that is next. Returns how many entries they are, and their bytes.
 */
static unsigned int fq_gather_runs(struct scatterlist *table, struct fq_run *left,
				   struct fq_run_iter *iter, size_t *size)
{
	const struct fq_run *next;
	unsigned long pages;
	unsigned int count;
	size_t sum = 0;

	for (count = 0; count < FQ_TABLE_ENTRIES && left->pages && sum < FQ_PIECE; count++) {
		pages = min(left->pages, FQ_PIECE >> PAGE_SHIFT);
		sg_set_page(&table[count], pfn_to_page(left->pfn), pages << PAGE_SHIFT, 0);
		sum += pages << PAGE_SHIFT;
		left->pfn += pages;
		left->pages -= pages;
		if (left->pages)
			continue;
		next = fq_next_run(iter);
		if (next)
			*left = *next;
	}
	*size = sum;
	return count;
}

/*
 * Many runs at a time: what an IOMMU driver does at the end of each call, such as flushing
 * what an emulated IOMMU has cached, it does once for them. Sets @done to the bytes that
 * were mapped, also on error.
 */
static int fq_domain_map_runs(struct fq_domain *domain, unsigned long iova,
			      const struct fq_pin *pin, int prot, size_t *done)
{
	struct scatterlist *table = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	struct fq_run_iter iter;
	struct fq_run left;
	ssize_t mapped = 0;
	unsigned int count;
	size_t size;

	*done = 0;
	if (!table)
		return -ENOMEM;
	sg_init_table(table, FQ_TABLE_ENTRIES);
	left = *fq_first_run(pin, &iter);
	while (mapped >= 0 && left.pages) {
		count = fq_gather_runs(table, &left, &iter, &size);
		mapped = iommu_map_sg(domain->domain, iova + *done, table, count,
				      prot | IOMMU_CACHE, GFP_KERNEL_ACCOUNT);
		if (mapped >= 0)
			*done += size;
		cond_resched();
	}
	kfree(table);
	return mapped < 0 ? mapped : 0;
}

/* Most ranges are one run, and need no table. Sets @done as above. */
static int fq_domain_map_run(struct fq_domain *domain, unsigned long iova,
			     const struct fq_run *run, int prot, size_t *done)
{
	size_t left = run->pages << PAGE_SHIFT, piece;
	phys_addr_t phys = PFN_PHYS(run->pfn);
	int ret;

	for (*done = 0;;) {
		piece = fq_piece(iova, left);
		ret = iommu_map(domain->domain, iova, phys, piece, prot | IOMMU_CACHE,
				GFP_KERNEL_ACCOUNT);
		if (ret)
			return ret;
		*done += piece;
		left -= piece;
		if (likely(!left))
			return 0;
		iova += piece;
		phys += piece;
		cond_resched();
	}
}

/**
 * fq_domain_map() - map pinned memory
 * @domain: the domain
 * @iova: first address
 * @last: last address
 * @pin: the memory
 * @prot: IOMMU_READ and so on
 *
 * Return: 0 or a negative errno: then nothing is mapped.
 */
int fq_domain_map(struct fq_domain *domain, unsigned long iova, unsigned long last,
		  const struct fq_pin *pin, int prot)
{
	size_t done;
	int ret;

	if (!fq_domain_fits(domain, iova, last))
		return -EINVAL;
	ret = pin->chunks ? fq_domain_map_runs(domain, iova, pin, prot, &done) :
			    fq_domain_map_run(domain, iova, &pin->first, prot, &done);
	if (ret)
		fq_domain_unmap(domain, iova, done);
	return ret;
}

/**
 * fq_domain_map_page() - map one page that is no memory of a process
 * @domain: the domain
 * @iova: its address, page-aligned
 * @phys: where it is, page-aligned
 * @prot: IOMMU_READ and so on
 *
 * Return: 0 or a negative errno, which may be the IOMMU driver's.
 */
int fq_domain_map_page(struct fq_domain *domain, unsigned long iova, phys_addr_t phys, int prot)
{
	if (!fq_domain_fits(domain, iova, iova + PAGE_SIZE - 1))
		return -EINVAL;
	return iommu_map(domain->domain, iova, phys, PAGE_SIZE, prot, GFP_KERNEL_ACCOUNT);
}

/* The largest page that the IOMMU can use. */
static unsigned long fq_domain_page(const struct fq_domain *domain, unsigned long iova,
				    phys_addr_t phys)
{
	unsigned long usable = GENMASK(__ffs64((iova ^ phys) | FQ_PIECE), 0);

	usable &= domain->domain->pgsize_bitmap;
	return usable ? 1UL << __fls(usable) : PAGE_SIZE;
}

/**
 * fq_domain_map_mmio() - map a part of a range of MMIO, without waiting for memory
 * @domain: the domain
 * @iova: first address, page-aligned
 * @size: bytes, page-aligned
 * @phys: where it is, page-aligned
 * @prot: IOMMU_READ and so on
 * @done: is set to the bytes that were mapped; 0 on error
 *
 * As much as needs no more memory than fq_domain_reclaim() provides.
 *
 * Return: 0 or a negative errno: then nothing is mapped.
 */
int fq_domain_map_mmio(struct fq_domain *domain, unsigned long iova, size_t size,
		       phys_addr_t phys, int prot, size_t *done)
{
	size_t part = min(FQ_PIECE, FQ_PART_ENTRIES * fq_domain_page(domain, iova, phys));
	int ret;

	*done = 0;
	if (!fq_domain_fits(domain, iova, iova + size - 1))
		return -EINVAL;
	part = min(size, part - (iova & (part - 1)));
	ret = iommu_map(domain->domain, iova, phys, part, prot | IOMMU_MMIO,
			GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!ret)
		*done = part;
	return ret;
}

/**
 * fq_domain_reclaim() - see that fq_domain_map_mmio() finds memory
 *
 * Waits until what it needs is free, beside what the kernel keeps for those who cannot wait, and
 * within the limits of the caller's memory cgroup.
 *
 * Return: 0 or -ENOMEM.
 */
int fq_domain_reclaim(void)
{
	struct page *pages[FQ_PART_TABLES];
	unsigned int i, count;

	for (count = 0; count < FQ_PART_TABLES; count++) {
		pages[count] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
					  __GFP_NOWARN);
		if (!pages[count])
			break;
	}
	for (i = 0; i < count; i++)
		__free_page(pages[i]);
	return count == FQ_PART_TABLES ? 0 : -ENOMEM;
}

/**
 * fq_domain_map_repeated() - map one page of memory everywhere in a range
 * @domain: the domain
 * @iova: first address, page-aligned
 * @size: bytes, page-aligned
 * @phys: where the page is
 * @prot: IOMMU_READ and so on
 *
 * Return: 0 or a negative errno: then nothing is mapped.
 */
int fq_domain_map_repeated(struct fq_domain *domain, unsigned long iova, size_t size,
			   phys_addr_t phys, int prot)
{
	size_t done;
	int ret = 0;

	for (done = 0; done < size && !ret; done += PAGE_SIZE) {
		ret = fq_domain_map_page(domain, iova + done, phys, prot | IOMMU_CACHE);
		cond_resched();
	}
	if (ret)
		fq_domain_unmap(domain, iova, done - PAGE_SIZE);
	return ret;
}

/**
 * fq_domain_unmap() - remove what is mapped in a range
 * @domain: the domain
 * @iova: first address
 * @size: bytes, all of them mapped
 *
 * When it returns, no device of the domain reaches what was there.
 */
void fq_domain_unmap(struct fq_domain *domain, unsigned long iova, size_t size)
{
	size_t piece;

	while (size) {
		piece = fq_piece(iova, size);
		WARN_ON_ONCE(iommu_unmap(domain->domain, iova, piece) != piece);
		size -= piece;
		if (likely(!size))
			return;
		iova += piece;
		cond_resched();
	}
}
