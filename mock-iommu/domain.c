// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU domains: a page table, an IOTLB in front of it, and the devices' way to
 * memory through both.
 *
 * The page table has an entry for each 4 KiB page, whatever page size it was mapped
 * with. The IOTLB is what makes the mock strict: it caches entries, and their
 * absence, until the IOMMU core asks for an invalidation, so that a consumer or a
 * core that forgets one is seen. An access looks up and copies with the IOTLB's
 * lock held: when an invalidation returns, no access to the old page is in flight.
 *
 * Blocking and identity domains are the same object without a use for its table.
 */
#include <linux/highmem.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "mock.h"

#define ENTRY_READ	BIT(0)
#define ENTRY_WRITE	BIT(1)
#define ENTRY_EXEC	BIT(2)
#define ENTRY_PFN_SHIFT	3

/* Entries that are removed with interrupts off, or without a look whether others want to run. */
#define BATCH	64

static void *entry_make(unsigned long pfn, int prot)
{
	unsigned long value = pfn << ENTRY_PFN_SHIFT;

	if (prot & IOMMU_READ)
		value |= ENTRY_READ;
	if (prot & IOMMU_WRITE)
		value |= ENTRY_WRITE;
	if (!(prot & IOMMU_NOEXEC))
		value |= ENTRY_EXEC;
	return xa_mk_value(value);
}

static unsigned long entry_pfn(void *pte)
{
	return xa_to_value(pte) >> ENTRY_PFN_SHIFT;
}

static bool entry_permits(void *pte, u32 access)
{
	unsigned long value = xa_to_value(pte);

	return (!(access & MOCK_IOMMU_READ) || value & ENTRY_READ) &&
	       (!(access & MOCK_IOMMU_WRITE) || value & ENTRY_WRITE) &&
	       (!(access & MOCK_IOMMU_EXEC) || value & ENTRY_EXEC);
}

/**
 * mock_domain_alloc() - make a domain without mappings
 *
 * It holds the module: whoever frees it last calls into it, and that may be long
 * after its device went.
 *
 * Return: the domain, or NULL.
 */
struct mock_domain *mock_domain_alloc(void)
{
	struct mock_domain *domain;

	if (!try_module_get(THIS_MODULE))
		return NULL;
	domain = kzalloc(sizeof(*domain), GFP_KERNEL_ACCOUNT);
	if (!domain) {
		module_put(THIS_MODULE);
		return NULL;
	}
	xa_init_flags(&domain->pages, XA_FLAGS_LOCK_IRQ | XA_FLAGS_ACCOUNT);
	spin_lock_init(&domain->tlb_lock);
	domain->domain.geometry.aperture_end = GENMASK_ULL(MOCK_IOVA_BITS - 1, 0);
	domain->domain.geometry.force_aperture = true;
	return domain;
}

/* What its owner did not unmap. xa_destroy() has interrupts off from the first to the last. */
static void domain_clear(struct mock_domain *domain)
{
	unsigned long page, count = 0;
	void *pte;

	xa_for_each(&domain->pages, page, pte) {
		xa_erase_irq(&domain->pages, page);
		if (!(++count % BATCH))
			cond_resched();
	}
}

/**
 * mock_domain_free() - free a domain that no device has
 * @domain: the domain
 */
void mock_domain_free(struct mock_domain *domain)
{
	domain_clear(domain);
	xa_destroy(&domain->pages);
	kfree(domain);
	module_put(THIS_MODULE);
}

static int domain_map_page(struct mock_domain *domain, unsigned long page, void *pte,
			   gfp_t gfp)
{
	unsigned long flags;
	int ret;

	xa_lock_irqsave(&domain->pages, flags);
	ret = __xa_insert(&domain->pages, page, pte, gfp);
	xa_unlock_irqrestore(&domain->pages, flags);
	return ret == -EBUSY ? -EEXIST : ret;
}

/**
 * mock_domain_map() - enter a range into the page table
 * @domain: the domain
 * @iova: first address, page-aligned
 * @phys: where it leads, page-aligned
 * @length: bytes, page-aligned
 * @prot: IOMMU_READ and so on
 * @gfp: for the table
 * @mapped: is increased by the bytes that were mapped, on an error too
 *
 * Return: 0, -EEXIST, -ENOMEM, or -EINVAL: as other IOMMUs, it has no entry that permits
 * neither reading nor writing.
 */
int mock_domain_map(struct mock_domain *domain, unsigned long iova, phys_addr_t phys,
		    size_t length, int prot, gfp_t gfp, size_t *mapped)
{
	size_t offset = 0;
	int ret;

	if (!(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	while (offset < length) {
		ret = domain_map_page(domain, (iova + offset) >> PAGE_SHIFT,
				      entry_make(PHYS_PFN(phys + offset), prot), gfp);
		if (ret)
			return ret;
		*mapped += PAGE_SIZE;
		offset += PAGE_SIZE;
		if (!(offset % (BATCH * PAGE_SIZE)) && gfpflags_allow_blocking(gfp))
			cond_resched();
	}
	return 0;
}

/* Returns the bytes up to the first page that was not mapped. */
static size_t domain_unmap_some(struct mock_domain *domain, unsigned long iova, size_t length)
{
	unsigned long flags;
	size_t offset;

	xa_lock_irqsave(&domain->pages, flags);
	for (offset = 0; offset < length; offset += PAGE_SIZE)
		if (!__xa_erase(&domain->pages, (iova + offset) >> PAGE_SHIFT))
			break;
	xa_unlock_irqrestore(&domain->pages, flags);
	return offset;
}

/**
 * mock_domain_unmap() - remove a range from the page table, not from the IOTLB
 * @domain: the domain
 * @iova: first address, page-aligned
 * @length: bytes, page-aligned
 *
 * Return: bytes up to the first page that was not mapped.
 */
size_t mock_domain_unmap(struct mock_domain *domain, unsigned long iova, size_t length)
{
	size_t done = 0, want, got;

	do {
		want = min(length - done, BATCH * PAGE_SIZE);
		got = domain_unmap_some(domain, iova + done, want);
		done += got;
	} while (got == want && done < length);
	return done;
}

/**
 * mock_domain_iova_to_phys() - look an address up in the page table
 * @domain: the domain
 * @iova: the address
 *
 * Return: where it leads, 0: nowhere.
 */
phys_addr_t mock_domain_iova_to_phys(struct mock_domain *domain, u64 iova)
{
	void *pte = xa_load(&domain->pages, iova >> PAGE_SHIFT);

	return pte ? PFN_PHYS(entry_pfn(pte)) + offset_in_page(iova) : 0;
}

/**
 * mock_domain_invalidate() - forget what the IOTLB knows of a range
 * @domain: the domain
 * @first: first address of the range
 * @last: last address of the range
 *
 * When it returns, no access that used an old entry is in flight.
 */
void mock_domain_invalidate(struct mock_domain *domain, unsigned long first,
			    unsigned long last)
{
	struct mock_tlb_entry *entry;
	unsigned long flags;

	spin_lock_irqsave(&domain->tlb_lock, flags);
	for (entry = domain->tlb; entry < domain->tlb + MOCK_TLB_ENTRIES; entry++)
		if (entry->page >= first >> PAGE_SHIFT && entry->page <= last >> PAGE_SHIFT)
			entry->valid = false;
	spin_unlock_irqrestore(&domain->tlb_lock, flags);
}

static void *tlb_lookup(struct mock_domain *domain, unsigned long page)
{
	struct mock_tlb_entry *entry = &domain->tlb[page % MOCK_TLB_ENTRIES];

	if (!entry->valid || entry->page != page) {
		entry->page = page;
		entry->pte = xa_load(&domain->pages, page);
		entry->valid = true;
	}
	return entry->pte;
}

/* Memory that may be copied from and to: RAM in use, no hole and no device. */
static struct page *ram_page(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page || (PageReserved(page) && !is_zero_pfn(pfn)))
		return NULL;
	return page;
}

static bool copy_page_part(unsigned long pfn, u32 access, unsigned int offset,
			   void *buffer, size_t length)
{
	struct page *page = ram_page(pfn);
	void *memory;

	if (!page)
		return false;
	memory = kmap_local_page(page);
	if (access & MOCK_IOMMU_WRITE)
		memcpy(memory + offset, buffer, length);
	else
		memcpy(buffer, memory + offset, length);
	kunmap_local(memory);
	return true;
}

/**
 * mock_domain_access() - one access of a device
 * @domain: the domain, of any type
 * @access: MOCK_IOMMU_READ or _WRITE, with _EXEC
 * @iova: first address
 * @buffer: the device's side
 * @length: bytes, within one page; 0: translate only
 *
 * Return: how it went.
 */
enum mock_access mock_domain_access(struct mock_domain *domain, u32 access, u64 iova,
				    void *buffer, size_t length)
{
	enum mock_access result = MOCK_ACCESS_DONE;
	unsigned long flags;
	void *pte;

	if (domain->domain.type == IOMMU_DOMAIN_BLOCKED)
		return MOCK_ACCESS_BLOCKED;
	if (domain->domain.type == IOMMU_DOMAIN_IDENTITY)
		return MOCK_ACCESS_IDENTITY;

	spin_lock_irqsave(&domain->tlb_lock, flags);
	pte = tlb_lookup(domain, iova >> PAGE_SHIFT);
	if (!pte)
		result = MOCK_ACCESS_MISS;
	else if (!entry_permits(pte, access))
		result = MOCK_ACCESS_DENIED;
	else if (length && !copy_page_part(entry_pfn(pte), access, offset_in_page(iova),
					   buffer, length))
		result = MOCK_ACCESS_NO_MEMORY;
	spin_unlock_irqrestore(&domain->tlb_lock, flags);
	return result;
}
