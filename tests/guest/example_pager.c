// SPDX-License-Identifier: GPL-2.0-only
/*
 * The example program of the documentation, as it is, serves a mock device: what the device
 * writes can be read by the device again, so the memory that the program mapped held it.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/kinds.h"

/* The program's main() is called in a child process. */
#define main pager_main
#include "../../examples/pager.c"
#undef main

#define IOVA	0x7f0000000UL

struct pager {
	struct device device;
	pid_t process;
	FILE *output;
};

static void assert_says(struct pager *pager, const char *expected)
{
	char line[128];

	assert_non_null(fgets(line, sizeof(line), pager->output));
	assert_string_equal(line, expected);
}

static void run_pager(struct pager *pager, const char *groups)
{
	int output[2];

	assert_int_equal(pipe(output), 0);
	pager->process = fork();
	if (!pager->process) {
		char *arguments[4] = { "pager", pager->device.platform, (char *)groups, NULL };

		close(pager->device.fd);
		dup2(output[1], STDOUT_FILENO);
		close(output[0]);
		exit(pager_main(3, arguments));
	}
	close(output[1]);
	pager->output = fdopen(output[0], "r");
	assert_non_null(pager->output);
}

static int pager_status(struct pager *pager)
{
	int status;

	assert_int_equal(waitpid(pager->process, &status, 0), pager->process);
	fclose(pager->output);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int setup(void **state)
{
	static struct pager pager;

	*state = &pager;
	instance_make("example", 0);
	device_make(&pager.device, "example", "dev", "mode=pri");
	return 0;
}

static int teardown(void **state)
{
	struct pager *pager = *state;

	device_assert_idle(&pager->device);
	device_remove(&pager->device);
	instance_remove("example");
	return 0;
}

static void it_serves_a_dma(void **state)
{
	struct pager *pager = *state;
	char *data = pages_new(3), *back = pages_new(3);
	int tag;

	run_pager(pager, "2");
	assert_says(pager, "attached as device 1\n");
	pages_fill(data, 3 * PAGE, 9);
	tag = dma_start(&pager->device, MOCK_IOMMU_WRITE, IOVA, data, 3 * PAGE);
	assert_int_equal(dma_wait(&pager->device, tag, NULL).status, MOCK_IOMMU_DMA_DONE);
	assert_says(pager, "device 1 asked for the page at 0x7f0000000\n");
	assert_says(pager, "device 1 asked for the page at 0x7f0001000\n");
	assert_says(pager, "device 1 asked for the page at 0x7f0002000\n");

	tag = dma_start(&pager->device, MOCK_IOMMU_READ, IOVA, NULL, 3 * PAGE);
	assert_int_equal(dma_wait(&pager->device, tag, back).status, MOCK_IOMMU_DMA_DONE);
	assert_pages_filled(back, 3 * PAGE, 9);

	/* one group more, and it ends */
	tag = dma_start(&pager->device, MOCK_IOMMU_READ, IOVA + 3 * PAGE, NULL, PAGE);
	assert_true(dma_wait(&pager->device, tag, back).status != MOCK_IOMMU_DMA_FAULT);
	assert_int_equal(pager_status(pager), 0);
	pages_free(data, 3);
	pages_free(back, 3);
}

static void what_it_cannot_map_it_answers(void **state)
{
	struct pager *pager = *state;
	int tag;

	run_pager(pager, "1");
	assert_says(pager, "attached as device 1\n");
	/* beyond what the IOMMU can address */
	tag = dma_start(&pager->device, MOCK_IOMMU_WRITE, 0xffff000000000000UL, "x", 1);
	assert_int_equal(dma_wait(&pager->device, tag, NULL).status, MOCK_IOMMU_DMA_INVALID);
	assert_int_equal(pager_status(pager), 0);
}

static void it_fails_for_a_device_that_is_not_there(void **state)
{
	struct pager *pager = *state;

	snprintf(pager->device.platform, sizeof(pager->device.platform), "platform/nothing");
	run_pager(pager, "1");
	assert_int_equal(pager_status(pager), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_serves_a_dma, setup, teardown),
		cmocka_unit_test_setup_teardown(what_it_cannot_map_it_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(it_fails_for_a_device_that_is_not_there, setup,
						teardown),
	};

	return tap_run_request_group(tests, NULL, NULL);
}
