// SPDX-License-Identifier: GPL-2.0-only
/* The memory that a pager gives to its devices. */
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "memory.h"

/* Opens @file with at least *@size bytes; *@size 0 becomes what it has. */
static int open_file(const char *file, __u64 *size)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		error(EXIT_FAILURE, errno, "%s", file);
	if (!*size)
		*size = st.st_size;
	if ((__u64)st.st_size < *size && ftruncate(fd, *size))
		error(EXIT_FAILURE, errno, "%s: cannot make it %llu bytes long", file,
		      *size);
	return fd;
}

void memory_open(struct memory *memory, const char *file, __u64 iova, __u64 size)
{
	__u64 page_size = sysconf(_SC_PAGESIZE);
	int flags = file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int fd = file ? open_file(file, &size) : -1;

	if (!size || (iova | size) & (page_size - 1))
		error(EXIT_USAGE, 0, "base and size must be multiples of %llu, size not 0",
		      page_size);
	if (iova + size - 1 < iova)
		error(EXIT_USAGE, 0, "base and size are too much");
	*memory = (struct memory){ .iova = iova, .size = size, .page_size = page_size };
	memory->data = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	memory->mapped = calloc(size / page_size, 1);
	if (memory->data == MAP_FAILED || !memory->mapped)
		error(EXIT_FAILURE, errno, "%llu bytes of memory", size);
	if (file)
		close(fd);
}

void memory_close(struct memory *memory)
{
	munmap(memory->data, memory->size);
	free(memory->mapped);
}

bool memory_contains(const struct memory *memory, __u64 iova)
{
	return iova - memory->iova < memory->size;
}

static __u64 page_of(const struct memory *memory, __u64 iova)
{
	return (iova - memory->iova) / memory->page_size;
}

bool memory_is_mapped(const struct memory *memory, __u64 iova, uint32_t perm)
{
	return !(perm & ~memory->mapped[page_of(memory, iova)]);
}

/* A mapping cannot be given more permissions: it is replaced. */
static int unmap_page(struct memory *memory, struct faultq *fq, __u64 page)
{
	int ret;

	if (!memory->mapped[page])
		return 0;
	ret = faultq_unmap(fq, memory->iova + page * memory->page_size, memory->page_size, NULL);
	if (!ret) {
		memory->mapped[page] = 0;
		memory->mapped_pages--;
	}
	return ret;
}

int memory_map(struct memory *memory, struct faultq *fq, __u64 iova, uint32_t perm,
	       __u64 cookie, int *result)
{
	__u64 page = page_of(memory, iova);
	__u64 offset = page * memory->page_size;
	unsigned char *data = memory->data + offset;
	__u64 length = memory->page_size;
	int ret;

	perm |= memory->mapped[page];
	ret = unmap_page(memory, fq, page);
	if (ret)
		return ret;
	if (cookie)
		ret = faultq_map_answer(fq, memory->iova + offset, data, length, perm, cookie,
					result);
	else
		ret = faultq_map(fq, memory->iova + offset, data, length, perm);
	if (!ret) {
		memory->mapped[page] = perm;
		memory->mapped_pages++;
	}
	return ret;
}
