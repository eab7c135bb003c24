/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests of /dev/faultq that run on VMs of VFIO containers: see vm.c. Such a test is a file
 * vfio_NAME.c that includes NAME.c; the linker leads its calls here.
 */
#ifndef TESTS_CONTAINER_VM_H
#define TESTS_CONTAINER_VM_H

#include <faultq.h>

int __wrap_mock_device_create(const char *instance, const char *device, const char *settings);
int __wrap_mock_device_destroy(const char *instance, const char *device);
int __wrap_faultq_open(struct faultq **fqp);
void __wrap_faultq_close(struct faultq *fq);
int __wrap_faultq_attach_sized(struct faultq *fq, const char *name, struct faultq_attach *attach,
			       size_t size);
int __wrap_faultq_detach(struct faultq *fq, uint32_t id, int *held);

int __real_mock_device_create(const char *instance, const char *device, const char *settings);
int __real_mock_device_destroy(const char *instance, const char *device);
int __real_faultq_open(struct faultq **fqp);
void __real_faultq_close(struct faultq *fq);
int __real_faultq_attach_sized(struct faultq *fq, const char *name, struct faultq_attach *attach,
			       size_t size);
int __real_faultq_detach(struct faultq *fq, uint32_t id, int *held);

#endif
