// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text interface of a device in configfs, for shells: the attributes dma, inject
 * and state. Each line becomes the structure that a program would pass to
 * /dev/mock-iommu, and the same code works on it.
 *
 * Callers hold the mutex of the device's directory.
 */
#include <linux/kstrtox.h>
#include <linux/parser.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mock.h"

/* What a page of text can show, if every byte must be escaped. */
#define TEXT_DATA_MAX	512

static int text_u32(const char *word, u32 *value)
{
	return kstrtou32(word, 0, value);
}

/* What a line says about a DMA beside what a program would pass. */
struct text_dma {
	struct mock_iommu_dma_start start;
	char *text;	/* to be written, or NULL */
	u32 times;	/* so often */
};

/* Cut "pasid=N" and "times=N" off the end of a line, as often as they are there. */
static int text_cut_options(char *line, struct text_dma *dma)
{
	char *word;
	int ret = 0;

	while (!ret && (word = strrchr(line, ' '))) {
		if (!strncmp(word, " pasid=", strlen(" pasid="))) {
			dma->start.flags |= MOCK_IOMMU_PASID;
			ret = text_u32(word + strlen(" pasid="), &dma->start.pasid);
		} else if (!strncmp(word, " times=", strlen(" times="))) {
			ret = text_u32(word + strlen(" times="), &dma->times);
		} else {
			break;
		}
		*word = '\0';
	}
	return ret;
}

static int text_direction(const char *word, u32 *flags)
{
	if (!strcmp(word, "write"))
		*flags |= MOCK_IOMMU_WRITE;
	else if (!strcmp(word, "read"))
		*flags |= MOCK_IOMMU_READ;
	else
		return -EINVAL;
	return 0;
}

/* "write IOVA TEXT" or "read IOVA LENGTH", then perhaps "pasid=N", "times=N". */
static int text_parse_dma(char *line, struct text_dma *dma)
{
	struct mock_iommu_dma_start *start = &dma->start;
	char *direction, *iova;
	int ret;

	ret = text_cut_options(line, dma);
	if (ret)
		return ret;
	direction = strsep(&line, " ");
	iova = strsep(&line, " ");
	if (!iova || !line || !*line)
		return -EINVAL;
	ret = text_direction(direction, &start->flags);
	if (!ret)
		ret = kstrtou64(iova, 0, &start->iova);
	if (ret)
		return ret;
	if (start->flags & MOCK_IOMMU_READ)
		return kstrtou64(line, 0, &start->length);
	dma->text = line;
	start->length = (u64)strlen(line) * dma->times;
	return 0;
}

/**
 * mock_text_dma_start() - start a DMA as a line of text says
 * @device: the device
 * @line: without white space around it; is changed
 *
 * Return: the DMA with a reference, or an ERR_PTR.
 */
struct mock_dma *mock_text_dma_start(struct mock_device *device, char *line)
{
	struct text_dma text = { .times = 1 };
	struct mock_dma *dma;
	size_t length, at;
	int ret;

	ret = text_parse_dma(line, &text);
	if (ret)
		return ERR_PTR(ret);
	if (!text.text && text.start.length > TEXT_DATA_MAX)
		return ERR_PTR(-E2BIG);
	dma = mock_dma_alloc(device, &text.start);
	if (IS_ERR(dma))
		return dma;
	length = text.text ? strlen(text.text) : 0;
	for (at = 0; length && at < text.start.length; at += length)
		memcpy(dma->buffer + at, text.text, length);
	ret = mock_dma_start(dma);
	if (ret) {
		mock_dma_put(dma);
		return ERR_PTR(ret);
	}
	return dma;
}

static const char * const status_names[] = {
	[MOCK_IOMMU_DMA_DONE] = "done",
	[MOCK_IOMMU_DMA_INVALID] = "invalid",
	[MOCK_IOMMU_DMA_FAILURE] = "failure",
	[MOCK_IOMMU_DMA_FAULT] = "fault",
	[MOCK_IOMMU_DMA_OVERFLOW] = "overflow",
	[MOCK_IOMMU_DMA_RETRIES] = "retries",
	[MOCK_IOMMU_DMA_BLOCKED] = "blocked",
	[MOCK_IOMMU_DMA_IDENTITY] = "identity",
	[MOCK_IOMMU_DMA_GONE] = "gone",
};

/**
 * mock_text_dma_show() - tell how a DMA ended, or that it did not yet
 * @dma: the DMA
 * @page: for the text
 *
 * Return: length of the text.
 */
ssize_t mock_text_dma_show(struct mock_dma *dma, char *page)
{
	int at;

	if (!completion_done(&dma->ended))
		return scnprintf(page, PAGE_SIZE, "status waiting\n");
	at = scnprintf(page, PAGE_SIZE, "status %s\ndone %zu\nrequests %u\n",
		       status_names[dma->status], dma->done, dma->requests);
	if (dma->access & MOCK_IOMMU_READ && dma->done)
		at += scnprintf(page + at, PAGE_SIZE - at, "data %*pE\n", (int)dma->done,
				dma->buffer);
	return at;
}

enum {
	WORD_ADDRESS, WORD_PERM, WORD_GROUP, WORD_LAST, WORD_PASID, WORD_NEEDS_PASID,
	WORD_REASON, WORD_FETCH, WORD_DEVICE, WORD_DOMAIN, WORD_HARD_IRQ, WORD_UNKNOWN,
};

static const match_table_t inject_words = {
	{ WORD_ADDRESS,		"addr=%s" },
	{ WORD_PERM,		"perm=%s" },
	{ WORD_GROUP,		"group=%s" },
	{ WORD_LAST,		"last" },
	{ WORD_PASID,		"pasid=%s" },
	{ WORD_NEEDS_PASID,	"needs-pasid" },
	{ WORD_REASON,		"reason=%s" },
	{ WORD_FETCH,		"fetch=%s" },
	{ WORD_DEVICE,		"via=device" },
	{ WORD_DOMAIN,		"via=domain" },
	{ WORD_HARD_IRQ,	"hard-irq" },
	{ WORD_UNKNOWN,		NULL },
};

static int text_perm(const char *letters, u32 *access)
{
	static const char known[] = "rwxp";
	const char *found;

	for (; *letters; letters++) {
		found = strchr(known, *letters);
		if (!found)
			return -EINVAL;
		*access |= MOCK_IOMMU_READ << (found - known);
	}
	return 0;
}

static int text_request_word(struct mock_iommu_page_request *request, char *word)
{
	substring_t arg[MAX_OPT_ARGS];

	switch (match_token(word, inject_words, arg)) {
	case WORD_ADDRESS:
		return kstrtou64(arg[0].from, 0, &request->address);
	case WORD_PERM:
		return text_perm(arg[0].from, &request->access);
	case WORD_GROUP:
		return text_u32(arg[0].from, &request->group);
	case WORD_LAST:
		request->flags |= MOCK_IOMMU_LAST;
		return 0;
	case WORD_PASID:
		request->access |= MOCK_IOMMU_PASID;
		return text_u32(arg[0].from, &request->pasid);
	case WORD_NEEDS_PASID:
		request->flags |= MOCK_IOMMU_NEEDS_PASID;
		return 0;
	default:
		return -EINVAL;
	}
}

static int text_fault_word(struct mock_iommu_unrecoverable *fault, char *word)
{
	substring_t arg[MAX_OPT_ARGS];

	switch (match_token(word, inject_words, arg)) {
	case WORD_ADDRESS:
		fault->flags &= ~MOCK_IOMMU_NO_ADDRESS;
		return kstrtou64(arg[0].from, 0, &fault->address);
	case WORD_PERM:
		return text_perm(arg[0].from, &fault->access);
	case WORD_PASID:
		fault->access |= MOCK_IOMMU_PASID;
		return text_u32(arg[0].from, &fault->pasid);
	case WORD_REASON:
		return text_u32(arg[0].from, &fault->reason);
	case WORD_FETCH:
		fault->flags |= MOCK_IOMMU_FETCH;
		return kstrtou64(arg[0].from, 0, &fault->fetch_address);
	case WORD_DEVICE:
		return 0;
	case WORD_DOMAIN:
		fault->flags |= MOCK_IOMMU_VIA_DOMAIN;
		return 0;
	case WORD_HARD_IRQ:
		fault->flags |= MOCK_IOMMU_HARD_IRQ;
		return 0;
	default:
		return -EINVAL;
	}
}

static int text_inject_request(struct mock_device *device, char *line)
{
	struct mock_iommu_page_request request = { .count = 1 };
	char *word;
	int ret;

	while ((word = strsep(&line, " "))) {
		ret = text_request_word(&request, word);
		if (ret)
			return ret;
	}
	return mock_inject_requests(device, &request);
}

static int text_inject_fault(struct mock_device *device, char *line)
{
	struct mock_iommu_unrecoverable fault = {
		.flags = MOCK_IOMMU_NO_ADDRESS,
		.count = 1,
	};
	char *word;
	int ret;

	while ((word = strsep(&line, " "))) {
		ret = text_fault_word(&fault, word);
		if (ret)
			return ret;
	}
	return mock_inject_faults(device, &fault);
}

/**
 * mock_text_inject() - inject what a line of text says
 * @device: the device
 * @line: without white space around it; is changed
 *
 * Return: 0 or an error; whether the IOMMU core took it is told by the state.
 */
int mock_text_inject(struct mock_device *device, char *line)
{
	char *what = strsep(&line, " ");

	if (!strcmp(what, "request"))
		return text_inject_request(device, line);
	if (!strcmp(what, "unrecoverable"))
		return text_inject_fault(device, line);
	return -EINVAL;
}

/**
 * mock_text_state() - show the counters of a device and its instance
 * @device: the device
 * @page: for the text
 *
 * Return: length of the text, or -ENODEV.
 */
ssize_t mock_text_state(struct mock_device *device, char *page)
{
	struct mock_iommu_state state;
	int ret;

	ret = mock_device_state(device, &state);
	if (ret)
		return ret;
	return scnprintf(page, PAGE_SIZE,
			 "outstanding %u\nqueue_used %u\nqueue_depth %u\nrequests_on %u\n"
			 "requests %llu\nanswered %llu\nunmatched %llu\nunanswered %llu\n"
			 "overflows %llu\nrefused %llu\nfaults %llu\nidentity %llu\n"
			 "blocked %llu\ndmas %llu\nsnooped %u\n",
			 state.outstanding, state.queue_used, state.queue_depth,
			 state.requests_on, state.requests, state.answered,
			 state.unmatched, state.unanswered, state.overflows,
			 state.refused, state.faults, state.identity, state.blocked,
			 state.dmas, state.snooped);
}

/**
 * mock_text_instance_state() - show the counters of an instance
 * @instance: the instance
 * @page: for the text
 *
 * Return: length of the text.
 */
ssize_t mock_text_instance_state(struct mock_instance *instance, char *page)
{
	unsigned int used;
	u64 unanswered;

	spin_lock(&instance->lock);
	used = instance->used;
	unanswered = instance->unanswered;
	spin_unlock(&instance->lock);
	return scnprintf(page, PAGE_SIZE, "queue_used %u\nqueue_depth %u\nunanswered %llu\n",
			 used, instance->depth, unanswered);
}
