// SPDX-License-Identifier: MIT
/*
 * The life of a handle: opened or made from a descriptor, asked what the kernel
 * can do, closed. Also the helpers that every other file uses.
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

int faultq_info(struct faultq *fq, struct faultq_info *info)
{
	*info = (struct faultq_info){ .size = sizeof(*info) };
	return fq_ioctl(fq, FAULTQ_GET_INFO, info);
}
