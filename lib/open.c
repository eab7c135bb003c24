// SPDX-License-Identifier: MIT
/*
 * The life of a handle: opened or made from a descriptor, asked what the kernel
 * can do, closed. Also the helpers that every other file uses. Structures that the
 * caller gives go to the kernel as they are, of the size that the caller knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

int fq_copy_name(char to[FAULTQ_NAME_SIZE], const char *name)
{
	size_t length = strlen(name);

	if (length >= FAULTQ_NAME_SIZE)
		return -ENAMETOOLONG;
	memcpy(to, name, length + 1);
	return 0;
}

int fq_begin(void *structure, size_t size, size_t least)
{
	uint32_t head = size;

	if (size < least)
		return -EINVAL;
	if (size > sizeof(union call))
		return -E2BIG;
	memset(structure, 0, size);
	memcpy(structure, &head, sizeof(head));
	return 0;
}

int fq_set(const struct faultq *fq, unsigned long request, uint32_t flags, const void *structure,
	   size_t size, size_t least)
{
	union call call;

	if (size < least)
		return -EINVAL;
	if (size > sizeof(call))
		return -E2BIG;
	memcpy(&call, structure, size);
	call.head[0] = size;
	call.head[1] = flags;
	return fq_ioctl(fq, request, &call);
}

int faultq_from_fd(struct faultq **fqp, int fd)
{
	struct faultq *fq = calloc(1, sizeof(*fq));
	int ret;

	if (!fq)
		return -ENOMEM;
	fq->fd = fd;
	ret = faultq_info(fq, &fq->info);
	if (!ret && fq->info.record_size != sizeof(struct faultq_record))
		ret = -EPROTO;
	if (ret) {
		free(fq);
		return ret;
	}
	*fqp = fq;
	return 0;
}

int fq_from_new_fd(struct faultq **fqp, int fd)
{
	int ret;

	if (fd < 0)
		return -errno;
	ret = faultq_from_fd(fqp, fd);
	if (ret)
		close(fd);
	return ret;
}

int faultq_open(struct faultq **fqp)
{
	return fq_from_new_fd(fqp, open("/dev/faultq", O_RDWR | O_CLOEXEC));
}

void faultq_close(struct faultq *fq)
{
	if (!fq)
		return;
	ring_fini(fq);
	reader_fini(fq);
	close(fq->fd);
	free(fq);
}

int faultq_fd(const struct faultq *fq)
{
	return fq->fd;
}

int faultq_info_sized(struct faultq *fq, struct faultq_info *info, size_t size)
{
	int ret = fq_begin(info, size, FIRST_INFO);

	return ret ? ret : fq_ioctl(fq, FAULTQ_GET_INFO, info);
}
