// SPDX-License-Identifier: MIT
/*
 * Answers to page request groups. Safe from any thread: the cookie alone says
 * which group is meant, and a stale one meets no newer group.
 */
#include <stddef.h>

#include "private.h"

/* A call ends where it cannot read or write an entry; the next tells why. @call tells of both. */
static int respond_to_rest(const struct faultq *fq, struct faultq_respond *call)
{
	int ret;

	do {
		struct faultq_respond rest = *call;

		rest.answers += (uint64_t)call->done * call->entry_size;
		rest.count -= call->done;
		rest.done = 0;
		ret = fq_ioctl(fq, FAULTQ_RESPOND, &rest);
		call->done += rest.done;
	} while (!ret && call->done < call->count);
	return ret;
}

int faultq_respond_sized(struct faultq *fq, struct faultq_answer *answers, uint32_t count,
			 uint32_t *done, size_t entry_size)
{
	struct faultq_respond call = {
		.size = sizeof(call),
		.answers = (uintptr_t)answers,
		.count = count,
		.entry_size = entry_size,
	};
	int ret = fq_ioctl(fq, FAULTQ_RESPOND, &call);

	if (!ret && call.done < call.count)
		ret = respond_to_rest(fq, &call);
	if (done)
		*done = call.done;
	return ret;
}

int faultq_answer(struct faultq *fq, uint64_t cookie, uint32_t code)
{
	struct faultq_answer answer = { .cookie = cookie, .code = code };
	int ret = faultq_respond(fq, &answer, 1, NULL);

	return ret ? ret : answer.result;
}
