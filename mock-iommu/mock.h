/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the mock share: its objects, their locks, their functions.
 *
 *   config ─▶ instance, device ─▶ engine, inject ─▶ request ─▶ compat (reports)
 *   chardev ─▶ device, engine, inject, request      compat ─▶ ops ─▶ domain
 *
 * Locks, from the outside in:
 *   mock_device.life         read across a report; taken for writing to change what a
 *                            report must not meet half-way: @live, @released, and in
 *                            compat what is attached and whether page requests are on
 *   mock_instance.lock       all that changes in an instance and its devices, but
 *                            for the next two; process context
 *   mock_device.attach_lock  the device's domains; held across an access, so that a
 *                            domain that was detached is no longer in use; any context
 *   mock_domain.tlb_lock     the IOTLB; held across an access, so that none is in
 *                            flight when an invalidation returns; any context
 * Nothing is held across a report that an answer from inside it would take.
 */
#ifndef MOCK_IOMMU_MOCK_H
#define MOCK_IOMMU_MOCK_H

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <linux/mock-iommu.h>

#define MOCK_GROUP_MAX		32	/* page requests that the engine puts in a group */
#define MOCK_BUCKETS		256	/* of the table of outstanding groups */
#define MOCK_ANSWERS		4096	/* answers to injected requests, remembered */
#define MOCK_RESERVED_MAX	16
#define MOCK_PCI_NAME_SIZE	20
#define MOCK_TLB_ENTRIES	64
#define MOCK_IOVA_BITS		48

#define MOCK_DEPTH_DEFAULT	256
#define MOCK_DEPTH_MAX		65536
#define MOCK_CREDITS_DEFAULT	32
#define MOCK_CREDITS_MAX	4096
#define MOCK_PASID_BITS_MAX	20

/* Properties of a device, for consumers. */
#define MOCK_SHARED_REQUESTS	"shared-page-requests"
#define MOCK_REQUEST_BITS	"page-request-bits"

#define MOCK_PERMISSIONS	(MOCK_IOMMU_READ | MOCK_IOMMU_WRITE | \
				 MOCK_IOMMU_EXEC | MOCK_IOMMU_PRIV)
#define MOCK_ACCESS_MASK	(MOCK_PERMISSIONS | MOCK_IOMMU_PASID)

/* Of enum iommu_fault_reason, which not every kernel has. */
#define MOCK_REASON_PTE_FETCH	5
#define MOCK_REASON_PERMISSION	6

/**
 * struct mock_instance - an IOMMU: what its devices share
 * @ref: the configuration while it is live, and each device
 * @name: in sysfs, "mock-" and the name in configfs
 * @iommu: for the IOMMU core
 * @iopf: the core's queue of its devices' page requests, where a kernel has one
 * @depth: places of the page request queue
 * @free_on_report: a place is free when the group was reported, not when answered
 * @reports: ordered; the engines' reports, as one queue thread makes them
 * @lock: guards what follows, and the like in every device
 * @used: places in use
 * @waiters: DMAs that wait for a place, first come first served
 * @requests_on: no FAILURE switched page requests off that devices share
 * @unanswered: groups that were outstanding when their device went
 */
struct mock_instance {
	struct kref ref;
	char name[MOCK_IOMMU_NAME_SIZE];
	struct iommu_device iommu;
	struct iopf_queue *iopf;
	unsigned int depth;
	bool free_on_report;
	struct workqueue_struct *reports;

	spinlock_t lock;	/* see the top of this file */
	unsigned int used;
	struct list_head waiters;
	bool requests_on;
	u64 unanswered;
};

enum mock_mode { MOCK_MODE_PRI, MOCK_MODE_STALL, MOCK_MODE_NONE };

struct mock_reserved {
	phys_addr_t start;
	size_t length;
	enum iommu_resv_type type;
};

/**
 * struct mock_settings - what configfs says about a device; fixed while live
 * @mode: what the engine does on a miss
 * @pasid_bits: width of its PASIDs, 0: none
 * @credits: page requests that the engine may have outstanding (pri)
 * @fault_by_domain: mode none reports through the domain, not the device
 * @response_pasid: the answer to a request with PASID must carry it
 * @page_requests: the IOMMU takes its page requests
 * @request_bits: of the addresses of those that it takes, 0: any
 * @shared_requests: they are those of all such devices of the instance, as a PCI device
 *	and its virtual functions share theirs
 * @coherent: its DMA sees what is in the CPU's caches
 * @snoop_control: it can be kept from getting around them
 * @pci: name of the PCI device that it adopts; empty: it is a platform device
 * @nr_reserved: how many of @reserved
 * @reserved: reserved regions
 */
struct mock_settings {
	enum mock_mode mode;
	unsigned int pasid_bits;
	unsigned int credits;
	bool fault_by_domain;
	bool response_pasid;
	bool page_requests;
	unsigned int request_bits;
	bool shared_requests;
	bool coherent;
	bool snoop_control;
	char pci[MOCK_PCI_NAME_SIZE];
	unsigned int nr_reserved;
	struct mock_reserved reserved[MOCK_RESERVED_MAX];
};

struct mock_counters {
	u64 requests;
	u64 answered;
	u64 unmatched;
	u64 overflows;
	u64 refused;
	u64 faults;
	u64 identity;
	u64 blocked;
	u64 dmas;
};

/**
 * struct mock_answer - a page response, as it reaches the device
 * @group: page request group index
 * @pasid: with @has_pasid
 * @code: 0 success, 1 invalid, 2 failure
 * @has_pasid: the PASID was in the answer
 */
struct mock_answer {
	u32 group;
	u32 pasid;
	u32 code;
	bool has_pasid;
};

/**
 * struct mock_device - a device behind an instance, from live to its last user
 * @ref: the configuration while it is live, bound files, DMAs
 * @node: in the list of live devices (device.c)
 * @name: of the device for programs, and of its platform device
 * @instance: has a reference
 * @dev: the platform device, or the PCI device that was adopted; to be used by who
 *	holds @life and found it @live
 * @settings: never change
 * @engine: runs the DMAs
 * @life: see the top of this file
 * @live: between creation and destruction; cleared with @life and the instance's
 *	lock held
 * @released: the IOMMU core has let go of @dev, and must not be told of it any more;
 *	changes with @life held for writing, and @attach_lock
 * @requests_wanted: by how many the IOMMU core wants page requests, where it says;
 *	changes with @life held for writing
 * @attach_lock: guards @domain and @pasids
 * @domain: what the IOMMU core attached
 * @pasids: what it attached to a PASID, where it can
 * @dmas: DMAs under way
 * @starved: those of them that wait for credits or a group index
 * @outstanding: groups that wait for an answer, by group index
 * @spares: groups of injected requests that were answered, to be used again
 * @nr_outstanding: how many
 * @credits_used: page requests of the engine that wait for an answer
 * @next_group: where the engine looks for a free group index
 * @requests_on: no FAILURE switched page requests off; see mock_requests_switch()
 * @counters: for STATE
 * @answers: ring of the answers to injected requests
 * @answers_head: oldest of them
 * @answers_count: how many
 * @answers_dropped: overwritten since the last RESPONSE
 * @answered: where RESPONSE waits
 * @doorbells: where interrupt controllers' doorbells were bound last; 0: nowhere
 *
 * All from @dmas to @answered is guarded by the instance's lock.
 */
struct mock_device {
	struct kref ref;
	struct list_head node;
	char name[MOCK_IOMMU_NAME_SIZE];
	struct mock_instance *instance;
	struct device *dev;
	struct mock_settings settings;
	struct workqueue_struct *engine;

	struct rw_semaphore life;
	bool live;
	bool released;
	unsigned int requests_wanted;

	spinlock_t attach_lock;	/* see the top of this file */
	struct mock_domain *domain;
	struct xarray pasids;

	struct list_head dmas;
	struct list_head starved;
	struct list_head outstanding[MOCK_BUCKETS];
	struct llist_head spares;
	unsigned int nr_outstanding;
	unsigned int credits_used;
	u32 next_group;
	bool requests_on;
	struct mock_counters counters;
	struct mock_answer *answers;
	unsigned int answers_head;
	unsigned int answers_count;
	u32 answers_dropped;
	wait_queue_head_t answered;
	u64 doorbells[MOCK_IOMMU_CONTROLLERS];
};

/**
 * struct mock_domain - an IOMMU domain: a page table and its IOTLB
 * @domain: for the IOMMU core
 * @pages: the page table: page number to mock_pte
 * @snooped: no device gets around the CPU's caches; once set, it stays
 * @tlb_lock: guards @tlb
 * @tlb: direct-mapped by page number; caches what is not present too
 */
struct mock_domain {
	struct iommu_domain domain;
	struct xarray pages;
	bool snooped;
	spinlock_t tlb_lock;	/* see the top of this file */
	struct mock_tlb_entry {
		bool valid;
		unsigned long page;
		void *pte;
	} tlb[MOCK_TLB_ENTRIES];
};

/**
 * struct mock_request - one page request, as it is reported
 * @address: IOVA
 * @group: page request group index
 * @pasid: with MOCK_IOMMU_PASID
 * @access: MOCK_IOMMU_READ and so on
 * @last: the last of its group
 * @needs_pasid: the answer must carry the PASID
 */
struct mock_request {
	u64 address;
	u32 group;
	u32 pasid;
	u32 access;
	bool last;
	bool needs_pasid;
};

/**
 * struct mock_group - a page request group that waits, or can wait, for an answer
 * @ref: its owner, the table of outstanding groups, the report
 * @device: outlives it, see mock_device_destroy()
 * @node: in the device's table while @outstanding
 * @spare: among the device's spare groups, without a reference
 * @report: makes the engine's report
 * @dma: whose it is; NULL: injected, or the DMA ended before the answer came
 * @injected: by a program, not the engine's
 * @outstanding: raised and not answered
 * @reporting: the report is not finished
 * @reported: it has begun, so there may be an answer; changes with the device's @life held
 * @place: it has a place of the instance's queue
 * @code: the answer, when it is neither @outstanding nor @reporting
 * @request: what its requests have in common; of an injected one all
 * @count: how many requests
 * @address: of each
 */
struct mock_group {
	struct kref ref;
	struct mock_device *device;
	struct list_head node;
	struct llist_node spare;
	struct work_struct report;
	struct mock_dma *dma;
	bool injected;
	bool outstanding;
	bool reporting;
	bool reported;
	bool place;
	u32 code;
	struct mock_request request;
	unsigned int count;
	u64 address[];
};

/**
 * struct mock_dma - one DMA of the engine
 * @ref: who started it, the engine while it is under way, queued work
 * @device: has a reference
 * @run: takes it on by as many steps as it can do without waiting
 * @report: reports its unrecoverable fault
 * @node: in the device's list; empty when it ended
 * @wait: in a list of those that wait for a place or credits
 * @group: its page requests; one group at a time
 * @asked: @group was raised and its answer was not looked at
 * @faulting: an unrecoverable fault is to be reported
 * @faulted: it was
 * @denied: it was for lack of permission, not of a page
 * @place: it was given a place of the instance's queue
 * @aborted: its owner wants it to end
 * @retries: SUCCESS answers since bytes moved last
 * @iova: first address
 * @length: bytes
 * @done: bytes that moved
 * @access: MOCK_IOMMU_READ and so on
 * @pasid: with MOCK_IOMMU_PASID
 * @requests: page requests raised
 * @status: valid when it ended: enum mock_iommu_dma_status
 * @ended: completed when it ended
 * @buffer: the device's side
 *
 * @done, @retries and @group's requests belong to @run; the rest that changes is
 * guarded by the instance's lock.
 */
struct mock_dma {
	struct kref ref;
	struct mock_device *device;
	struct work_struct run;
	struct work_struct report;
	struct list_head node;
	struct list_head wait;
	struct mock_group *group;
	bool asked;
	bool faulting;
	bool faulted;
	bool denied;
	bool place;
	bool aborted;
	unsigned int retries;
	u64 iova;
	size_t length;
	size_t done;
	u32 access;
	u32 pasid;
	u32 requests;
	int status;
	struct completion ended;
	void *buffer;
};

/* What a FAILURE switches off; the instance's lock is held. */
static inline bool *mock_requests_switch(struct mock_device *device)
{
	return device->settings.shared_requests ? &device->instance->requests_on :
						  &device->requests_on;
}

/* How one access of a device to memory went. */
enum mock_access {
	MOCK_ACCESS_DONE,
	MOCK_ACCESS_MISS,	/* no translation */
	MOCK_ACCESS_DENIED,	/* one without the permission */
	MOCK_ACCESS_NO_MEMORY,	/* it leads to something that is not RAM */
	MOCK_ACCESS_BLOCKED,
	MOCK_ACCESS_IDENTITY,
};

/* config.c: the tree in configfs. */
int mock_config_init(void);
void mock_config_exit(void);

/* config_text.c: the text interface of a device. */
struct mock_dma *mock_text_dma_start(struct mock_device *device, char *line);
ssize_t mock_text_dma_show(struct mock_dma *dma, char *page);
int mock_text_inject(struct mock_device *device, char *line);
ssize_t mock_text_state(struct mock_device *device, char *page);
ssize_t mock_text_instance_state(struct mock_instance *instance, char *page);

/* chardev.c: /dev/mock-iommu. */
int mock_chardev_init(void);
void mock_chardev_exit(void);

/* instance.c: IOMMU instances and the places of their queues. */
struct mock_instance *mock_instance_create(const char *name, unsigned int depth,
					   bool free_on_report);
void mock_instance_destroy(struct mock_instance *instance);
void mock_instance_get(struct mock_instance *instance);
void mock_instance_put(struct mock_instance *instance);
bool mock_place_take(struct mock_instance *instance);
bool mock_place_take_or_wait(struct mock_instance *instance, struct mock_dma *dma);
void mock_place_free(struct mock_instance *instance);

/* device.c: devices and their lifetime. */
struct mock_device *mock_device_create(struct mock_instance *instance, const char *name,
				       const struct mock_settings *settings);
void mock_device_destroy(struct mock_device *device);
void mock_device_put(struct mock_device *device);
struct mock_device *mock_device_find(const char *name);
void mock_device_list_add(struct mock_device *device);
void mock_device_list_del(struct mock_device *device);
struct mock_device *mock_device_of(struct device *dev);
void mock_device_release(struct mock_device *device);
int mock_device_check(const struct mock_device *device, const struct mock_domain *domain);
void mock_device_attach(struct mock_device *device, struct mock_domain *domain);
bool mock_devices_snoop(struct mock_domain *domain);
int mock_device_attach_pasid(struct mock_device *device, u32 pasid, struct mock_domain *domain);
struct mock_domain *mock_device_domain(struct mock_device *device, u32 access, u32 pasid);
void mock_device_resume_requests(struct mock_device *device);
enum mock_access mock_device_access(struct mock_device *device, u32 access, u32 pasid,
				    u64 iova, void *buffer, size_t length);
int mock_device_state(struct mock_device *device, struct mock_iommu_state *state);

/* pci.c: PCI devices that are adopted. */
int mock_pci_adopt(struct mock_device *device);
void mock_pci_give_back(struct mock_device *device);

/* domain.c: page table and IOTLB. */
struct mock_domain *mock_domain_alloc(void);
void mock_domain_free(struct mock_domain *domain);
int mock_domain_map(struct mock_domain *domain, unsigned long iova, phys_addr_t phys,
		    size_t length, int prot, gfp_t gfp, size_t *mapped);
size_t mock_domain_unmap(struct mock_domain *domain, unsigned long iova, size_t length);
phys_addr_t mock_domain_iova_to_phys(struct mock_domain *domain, u64 iova);
void mock_domain_invalidate(struct mock_domain *domain, unsigned long first,
			    unsigned long last);
enum mock_access mock_domain_access(struct mock_domain *domain, u32 access, u64 iova,
				    void *buffer, size_t length);

/* ops.c: callbacks of the IOMMU core that are the same in every era. */
bool mock_ops_capable(struct device *dev, enum iommu_cap cap);
void mock_ops_get_resv_regions(struct device *dev, struct list_head *head);

/* engine.c: DMA. */
struct mock_dma *mock_dma_alloc(struct mock_device *device,
				const struct mock_iommu_dma_start *start);
int mock_dma_start(struct mock_dma *dma);
void mock_dma_kick(struct mock_dma *dma);
void mock_dma_abort(struct mock_dma *dma);
void mock_dma_put(struct mock_dma *dma);

/* request.c: page requests and their answers. */
struct mock_group *mock_group_alloc(struct mock_device *device, unsigned int count);
int mock_group_stock(struct mock_device *device);
struct mock_group *mock_group_reuse(struct mock_device *device);
void mock_group_free_spares(struct mock_device *device);
void mock_group_put(struct mock_group *group);
u32 mock_group_free_index(struct mock_device *device, u32 limit);
void mock_group_raise(struct mock_group *group);
int mock_request_report(struct mock_device *device, const struct mock_request *request);
int mock_group_report(struct mock_group *group);
unsigned int mock_group_drop_all(struct mock_device *device);
int mock_answer(struct mock_device *device, const struct mock_answer *answer);
int mock_answer_take(struct mock_device *device, bool wait, struct mock_iommu_response *out);

/* fault.c: unrecoverable faults. */
int mock_fault_report(struct mock_device *device,
		      const struct mock_iommu_unrecoverable *fault);
int mock_fault_report_hard_irq(struct mock_device *device,
			       const struct mock_iommu_unrecoverable *fault,
			       unsigned int *count);

/* msi.c: interrupts by message, and looking through a page table. */
int mock_msi_bind(struct mock_device *device, struct mock_iommu_msi *msi);
int mock_msi_unbind(struct mock_device *device, const struct mock_iommu_msi *msi);
int mock_msi_send(struct mock_device *device, struct mock_iommu_msi *msi);
int mock_msi_read(struct mock_iommu_msi *msi);
void mock_scan(struct mock_device *device, u32 access, u64 iova,
	       struct mock_iommu_scan_page *pages, unsigned int count);
int mock_msi_init(void);
void mock_msi_exit(void);

/* inject.c: what no engine would do. */
int mock_inject_requests(struct mock_device *device, struct mock_iommu_page_request *inject);
int mock_inject_faults(struct mock_device *device, struct mock_iommu_unrecoverable *inject);

#endif
