// SPDX-License-Identifier: MIT
/*
 * Answers to page request groups. Safe from any thread: the cookie alone says
 * which group is meant, and a stale one meets no newer group.
 */
#include <stddef.h>

#include "private.h"

int faultq_respond(struct faultq *fq, struct faultq_answer *answers, uint32_t count,
		   uint32_t *done)
{
	uint32_t total = 0;
	int ret;

	do {
		struct faultq_respond call = {
			.size = sizeof(call),
			.answers = (uintptr_t)(answers + total),
			.count = count - total,
			.entry_size = sizeof(*answers),
		};

		ret = fq_ioctl(fq, FAULTQ_RESPOND, &call);
		if (!ret)
			total += call.done;
	} while (!ret && total < count);
	if (done)
		*done = total;
	return ret;
}

int faultq_answer(struct faultq *fq, uint64_t cookie, uint32_t code)
{
	struct faultq_answer answer = { .cookie = cookie, .code = code };
	int ret = faultq_respond(fq, &answer, 1, NULL);

	return ret ? ret : answer.result;
}
