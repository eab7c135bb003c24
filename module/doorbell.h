/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Doorbells in an address space; see doorbell.c.
 */
#ifndef FQ_DOORBELL_H
#define FQ_DOORBELL_H

#include <linux/list.h>
#include <linux/types.h>

#define FQ_MAX_DOORBELLS 1024

struct fq_device;
struct fq_domain;
struct fq_ioas;
struct fq_window;

/**
 * struct fq_doorbell - a physical page that is bound in an address space
 * @node: in the address space's doorbells
 * @phys: the page
 * @iova: where it is bound
 * @window: the window it is in
 * @users: bindings of devices
 */
struct fq_doorbell {
	struct list_head node;
	phys_addr_t phys;
	unsigned long iova;
	struct fq_window *window;
	unsigned int users;
};

int fq_doorbell_bind(struct fq_ioas *ioas, struct fq_device *device, phys_addr_t phys,
		     dma_addr_t *iova);
void fq_doorbell_unbind(struct fq_ioas *ioas, struct fq_device *device, phys_addr_t phys);
void fq_doorbells_end(struct fq_ioas *ioas, struct fq_device *device);

int fq_doorbells_fill(struct fq_ioas *ioas, struct fq_domain *domain);
void fq_doorbells_empty(struct fq_ioas *ioas, struct fq_domain *domain);

#endif
