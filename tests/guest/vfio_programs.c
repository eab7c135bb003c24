// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that get their device from VFIO by its PCI address: libfaultq's calls for that, with
 * each of their errors, `faultq pager --vfio`, and the example of a VMM. The mock has adopted edu,
 * so that it asks for pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/kinds.h"
#include "support/module.h"
#include "support/space.h"
#include "support/vfio.h"

#define IOVA	0x400000ull	/* in the example's memory, behind what is mapped from the start */

static struct pci edu, nic;
static struct device adopted;

static int load_all(void **state)
{
	(void)state;
	assert_true(pci_find(&nic, PCI_E1000E, "bus"));
	vfio_take_adopted_edu(&edu, &adopted);
	return 0;
}

static int unload_all(void **state)
{
	(void)state;
	vfio_give_adopted_edu_back(&edu, &adopted);
	return 0;
}

static int is_idle(void **state)
{
	(void)state;
	device_assert_idle(&adopted);
	return 0;
}

/* The program's output, from where it is read; it has begun when this returns. */
static FILE *start(pid_t *child, const char *program, const char *arguments[])
{
	int output[2];
	FILE *file;

	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	*child = fork();
	if (!*child) {
		dup2(output[1], STDOUT_FILENO);
		execvp(program, (char **)arguments);
		_exit(127);
	}
	close(output[1]);
	file = fdopen(output[0], "r");
	assert_non_null(file);
	return file;
}

static void expect_line(FILE *output, const char *text)
{
	char line[256];

	assert_non_null(fgets(line, sizeof(line), output));
	if (!strstr(line, text))
		fail_msg("'%s' instead of '%s'", line, text);
}

static void expect_success(pid_t child, FILE *output)
{
	int status;

	while (fgetc(output) != EOF)
		;
	fclose(output);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int write_dma(uint64_t iova)
{
	int tag = dma_start(&adopted, MOCK_IOMMU_WRITE, iova, "hello", 6);

	return dma_wait(&adopted, tag, NULL).status;
}

static void the_pager_serves_a_device_of_vfio(void **state)
{
	const char *arguments[8] = {
		"faultq", "pager", "--vfio", edu.address, "--count=3", "--ready-fd=1", NULL,
	};
	FILE *output;
	pid_t child;

	(void)state;
	output = start(&child, "faultq", arguments);
	expect_line(output, "attached as device 1");
	expect_line(output, "ready");
	assert_int_equal(write_dma(IOVA), MOCK_IOMMU_DMA_DONE);
	assert_int_equal(write_dma(IOVA + PAGE), MOCK_IOMMU_DMA_DONE);
	/* the last one that it answers: it may be gone before the DMA goes on */
	write_dma(IOVA + 2 * PAGE);
	expect_success(child, output);
}

static void the_example_is_a_vmm(void **state)
{
	const char *arguments[4] = { "vmm", edu.address, "2", NULL };
	FILE *output;
	pid_t child;

	(void)state;
	output = start(&child, "/examples/vmm", arguments);
	expect_line(output, "is ready");
	/* mapped from the start, when asked for, and not the guest's */
	assert_int_equal(write_dma(PAGE), MOCK_IOMMU_DMA_DONE);
	assert_int_equal(write_dma(IOVA), MOCK_IOMMU_DMA_DONE);
	expect_line(output, "1 pages from 0x400000: success");
	assert_int_equal(write_dma(1ull << 30), MOCK_IOMMU_DMA_INVALID);
	expect_line(output, "1 pages from 0x40000000: invalid");
	expect_success(child, output);
}

static void a_device_is_opened_by_its_address(void **state)
{
	struct faultq_vfio vfio, second;
	struct faultq *fq, *other;

	(void)state;
	assert_int_equal(faultq_vfio_open(&fq, &vfio, edu.address), 0);
	assert_true(vfio.container >= 0 && vfio.group >= 0 && vfio.device >= 0);
	assert_int_equal(vm_stats(fq, 0).devices, 1);
	assert_int_equal(faultq_vfio_open(&other, &second, edu.address), -EBUSY);
	assert_int_equal(second.container, -1);
	faultq_vfio_close(&vfio);
	assert_int_equal(vfio.device, -1);
	assert_int_equal(vm_stats(fq, 0).devices, 0);
	assert_int_equal(faultq_vfio_open(&other, &second, edu.address), 0);
	faultq_close(other);
	faultq_vfio_close(&second);
	faultq_close(fq);
}

/* The other one is the mock's, too: on 6.1 it has all of the bus while it has adopted one. */
static void another_device_is_added(void **state)
{
	struct faultq_vfio vfio, added, again;
	struct device other;
	struct faultq *fq;

	(void)state;
	device_adopt(&other, "vfio", "nic", nic.address, "mode=none");
	vfio_bind(&nic);
	assert_int_equal(faultq_vfio_open(&fq, &vfio, edu.address), 0);
	assert_int_equal(faultq_vfio_add(&added, &vfio, nic.address), 0);
	assert_int_equal(added.container, -1);
	assert_true(added.group >= 0 && added.device >= 0);
	assert_int_equal(vm_stats(fq, 0).devices, 2);
	/* a device of the same group, here the same device, comes without a group of its own */
	assert_int_equal(faultq_vfio_add(&again, &vfio, edu.address), 0);
	assert_int_equal(again.group, -1);
	assert_true(again.device >= 0);
	faultq_vfio_close(&again);
	assert_int_equal(faultq_vfio_add(&again, &vfio, nic.address), -EBUSY);
	faultq_vfio_close(&added);
	faultq_vfio_close(&vfio);
	faultq_close(fq);
	vfio_unbind(&nic);
	device_remove(&other);
}

static void errors_are_told(void **state)
{
	struct faultq_vfio vfio;
	struct faultq *fq;
	char name[5000];
	int ret;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(faultq_vfio_open(&fq, &vfio, name), -ENAMETOOLONG);
	assert_int_equal(faultq_vfio_open(&fq, &vfio, "0000:ff:1f.7"), -ENODEV);
	assert_int_equal(faultq_vfio_open(&fq, &vfio, "../0000:00:04.0"), -EINVAL);
	vfio_unbind(&edu);
	assert_int_equal(faultq_vfio_open(&fq, &vfio, edu.address), -ENOENT);
	vfio_bind(&edu);
	vfio_unload();
	assert_int_equal(faultq_vfio_open(&fq, &vfio, edu.address), -EOPNOTSUPP);
	assert_int_equal(module_load(MODULE_VFIO), 0);
	ret = faultq_vfio_open(&fq, &vfio, edu.address);
	/* on 6.1 the mock says that interrupts are isolated */
	assert_true(!ret || ret == -EPERM);
	if (!ret)
		faultq_close(fq);
	faultq_vfio_close(&vfio);
	assert_int_equal(vfio_parameter(MODULE_VFIO, "allow_unsafe_interrupts", "1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_pager_serves_a_device_of_vfio, is_idle),
		cmocka_unit_test_teardown(the_example_is_a_vmm, is_idle),
		cmocka_unit_test_teardown(a_device_is_opened_by_its_address, is_idle),
		cmocka_unit_test_teardown(another_device_is_added, is_idle),
		cmocka_unit_test_teardown(errors_are_told, is_idle),
	};

	return tap_run_request_group(tests, load_all, unload_all);
}
