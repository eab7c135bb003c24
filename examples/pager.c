// SPDX-License-Identifier: MIT
/*
 * The ABI of /dev/faultq in about 30 statements: attach a device, give it a page of
 * memory wherever it asks for one, end after COUNT page request groups.
 *
 *	cc pager.c -o pager && ./pager platform/NAME COUNT
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/faultq.h>

/* Map new memory at the page; with the last one of a group, answer it. */
static int serve(int vm, const struct faultq_record *r)
{
	int last = r->flags & FAULTQ_RECORD_LAST;
	size_t length = getpagesize();
	struct faultq_answer no = { .cookie = r->cookie, .code = FAULTQ_INVALID };
	struct faultq_respond respond = {
		.size = sizeof(respond), .answers = (unsigned long)&no, .count = 1,
		.entry_size = sizeof(no),
	};
	struct faultq_map map = {
		.size = sizeof(map),
		.flags = FAULTQ_MAP_READ | FAULTQ_MAP_WRITE | (last ? FAULTQ_MAP_ANSWER : 0),
		.iova = r->address, .length = length, .cookie = last ? r->cookie : 0,
		.user_address = (unsigned long)mmap(NULL, length, PROT_READ | PROT_WRITE,
						    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	};

	if (ioctl(vm, FAULTQ_MAP, &map) && last)
		ioctl(vm, FAULTQ_RESPOND, &respond);
	printf("device %u asked for the page at 0x%llx\n", r->device, r->address);
	return !!last;
}

int main(int argc, char **argv)
{
	struct faultq_queue q = { .size = sizeof(q), .slots = 64, .entries = 256, .eventfd = -1 };
	struct faultq_attach device = { .size = sizeof(device) };
	int vm = open("/dev/faultq", O_RDWR | O_CLOEXEC);
	struct pollfd wakeup = { .fd = vm, .events = POLLIN };
	const struct faultq_record *records, *r;
	const struct faultq_ring_header *header;
	struct faultq_ring_consumer *consumer;
	long left = argc == 3 ? atol(argv[2]) : 0;
	__u32 next = 0;

	if (left <= 0)
		errx(2, "usage: pager platform/NAME COUNT");
	snprintf(device.name, sizeof(device.name), "%s", argv[1]);
	if (vm < 0 || ioctl(vm, FAULTQ_QUEUE, &q) || ioctl(vm, FAULTQ_ATTACH, &device))
		err(1, "cannot attach %s", argv[1]);
	header = mmap(NULL, q.header_size, PROT_READ, MAP_SHARED, vm, q.header_offset);
	consumer = mmap(NULL, q.consumer_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm,
			q.consumer_offset);
	records = mmap(NULL, q.records_size, PROT_READ, MAP_SHARED, vm, q.records_offset);
	if (header == MAP_FAILED || consumer == MAP_FAILED || records == MAP_FAILED)
		err(1, "mmap");
	setlinebuf(stdout);
	printf("attached as device %u\n", device.device);

	while (left > 0) {
		if (next == __atomic_load_n(&header->producer, __ATOMIC_ACQUIRE)) {
			poll(&wakeup, 1, -1);
			continue;
		}
		r = &records[next++ & (q.entries - 1)];
		if (r->type == FAULTQ_PAGE_REQUEST)
			left -= serve(vm, r);
		__atomic_store_n(&consumer->consumer, next, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return 0;
}
