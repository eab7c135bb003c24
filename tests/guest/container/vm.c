// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of /dev/faultq, as they are, on VMs of VFIO containers. The linker leads some of their
 * calls here (--wrap), and
 *
 * - a mock device that they make adopts one of the guest's PCI devices that are there for it;
 * - a VM that they open is that of a new container. VFIO wants a group in it before there is a
 *   VM, so each has a device of its own, which raises no page requests, behind an IOMMU instance
 *   that no test knows, with room for all;
 * - a device that they attach comes into the container by its group, and is the VM's then.
 *
 * Device files are not opened: the mock's engine does the DMA. One thread at a time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "support/fault.h"
#include "support/module.h"
#include "support/pci.h"
#include "support/vfio.h"
#include "vm.h"

#define DEVICES		64
#define NO_DEVICE	UINT32_MAX
#define ANCHORS		"anchors"	/* the instance of the VMs' own devices */

/**
 * struct place - a PCI device that a mock device can adopt
 * @pci: the device
 * @mock: name of the mock device's platform device, had it one; "": it is free
 */
static struct place {
	struct pci pci;
	char mock[FAULTQ_NAME_SIZE];
} places[DEVICES];

/**
 * struct group - a group of a container
 * @fq: the container's VM; NULL: there is no such group
 * @device: id of its device in the VM; 0: the VM's own; NO_DEVICE: not known yet
 * @fd: of the group
 * @container: of the VM's own group, the container; else -1
 * @anchor: name of the mock device of the VM's own group
 */
static struct group {
	struct faultq *fq;
	uint32_t device;
	int fd;
	int container;
	char anchor[16];
} groups[DEVICES];

static pid_t owner;	/* the process that runs the tests */

static void find_places(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	unsigned int count = 0;
	struct pci pci;

	assert_non_null(dir);
	while (count < DEVICES && (entry = readdir(dir)))
		if (pci_is_at(&pci, entry->d_name, PCI_TESTDEV))
			places[count++].pci = pci;
	closedir(dir);
}

static void end(void)
{
	mock_instance_destroy(ANCHORS);
	module_unload(MODULE_VFIO);
}

/* Settings of its own, so that a test can change the defaults while VMs are there. */
static void make_anchors(void)
{
	struct faultq_share share = {
		.name = "mock-" ANCHORS, .depth = DEVICES, .pool = 0, .guarantee = 1,
	};
	struct faultq *fq;

	assert_int_equal(mock_instance_create(ANCHORS, 0), 0);
	assert_int_equal(__real_faultq_open(&fq), 0);
	assert_int_equal(faultq_set_share(fq, &share), 0);
	__real_faultq_close(fq);
}

/* Before the first VM or device; undone when the program ends. */
static void begin_once(void)
{
	static bool begun;

	if (begun)
		return;
	begun = true;
	owner = getpid();
	vfio_load();
	assert_int_equal(vfio_parameter(MODULE_VFIO, "allow_unsafe_interrupts", "1"), 0);
	find_places();
	make_anchors();
	atexit(end);
}

static void name_platform(char name[FAULTQ_NAME_SIZE], const char *instance, const char *device)
{
	snprintf(name, FAULTQ_NAME_SIZE, "platform/mock-%s-%s", instance, device);
}

static struct place *place_of(const char *mock)
{
	for (unsigned int i = 0; i < DEVICES; i++)
		if (!strcmp(places[i].mock, mock))
			return &places[i];
	return NULL;
}

static struct place *place_of_device(const char *instance, const char *device)
{
	char name[FAULTQ_NAME_SIZE];

	name_platform(name, instance, device);
	return place_of(name);
}

static struct place *free_place(void)
{
	struct place *place = place_of("");

	if (!place || !place->pci.address[0])
		fail_msg("the guest has not enough PCI devices");
	return place;
}

/* PCI devices have PASIDs of their own, or none. */
static void adopting(char *to, size_t size, const struct place *place, const char *settings)
{
	char copy[256], *rest = copy, *setting;
	size_t length = snprintf(to, size, "pci=%s", place->pci.address);

	snprintf(copy, sizeof(copy), "%s", settings ?: "");
	while ((setting = strsep(&rest, " ")))
		if (*setting && strncmp(setting, "pasid_bits=", 11))
			length += snprintf(to + length, size - length, " %s", setting);
}

int __wrap_mock_device_create(const char *instance, const char *device, const char *settings)
{
	struct place *place;
	char all[512];
	int ret;

	begin_once();
	place = free_place();
	adopting(all, sizeof(all), place, settings);
	ret = __real_mock_device_create(instance, device, all);
	if (!ret)
		name_platform(place->mock, instance, device);
	return ret;
}

int __wrap_mock_device_destroy(const char *instance, const char *device)
{
	int ret = __real_mock_device_destroy(instance, device);
	struct place *place = place_of_device(instance, device);

	if (!ret && place)
		place->mock[0] = '\0';
	return ret;
}

static void give_to_vfio(const struct pci *pci)
{
	pci_write_attribute(pci, "driver_override", "vfio-pci");
	pci_bind(pci, "vfio-pci");	/* it may be already */
}

static struct group *new_group(struct faultq *fq)
{
	for (unsigned int i = 0; i < DEVICES; i++) {
		if (groups[i].fq)
			continue;
		groups[i] = (struct group){
			.fq = fq, .device = NO_DEVICE, .fd = -1, .container = -1,
		};
		return &groups[i];
	}
	fail_msg("too many groups");
	return NULL;
}

static struct group *group_of(struct faultq *fq, uint32_t device)
{
	for (unsigned int i = 0; i < DEVICES; i++)
		if (groups[i].fq == fq && groups[i].device == device)
			return &groups[i];
	return NULL;
}

static void close_group(struct group *group)
{
	close(group->fd);
	if (group->container >= 0)
		close(group->container);
	if (group->anchor[0])
		assert_int_equal(__wrap_mock_device_destroy(ANCHORS, group->anchor), 0);
	*group = (struct group){};
}

/* A container with a device of its own; returns its VM. */
static struct faultq *new_container(const char *anchor)
{
	struct pci *pci;
	struct group *group;
	struct vfio vfio;

	assert_int_equal(__wrap_mock_device_create(ANCHORS, anchor, "mode=none"), 0);
	pci = &place_of_device(ANCHORS, anchor)->pci;
	give_to_vfio(pci);
	vfio_begin(&vfio, pci, -1);
	assert_int_equal(vfio_set_iommu(vfio.container, FAULTQ_VFIO_IOMMU), 0);
	group = new_group(vfio_vm(vfio.container));
	group->device = 0;
	group->fd = vfio.group;
	group->container = vfio.container;
	snprintf(group->anchor, sizeof(group->anchor), "%s", anchor);
	return group->fq;
}

/*
 * Who has no privileges cannot open a group, and what a child takes its parent would not know:
 * they get a VM of /dev/faultq.
 */
int __wrap_faultq_open(struct faultq **fqp)
{
	static unsigned int number;
	char anchor[16];

	begin_once();
	if (geteuid() || getpid() != owner)
		return __real_faultq_open(fqp);
	snprintf(anchor, sizeof(anchor), "a%u", number++);
	*fqp = new_container(anchor);
	return 0;
}

void __wrap_faultq_close(struct faultq *fq)
{
	for (unsigned int i = 0; fq && i < DEVICES; i++)
		if (groups[i].fq == fq)
			close_group(&groups[i]);
	__real_faultq_close(fq);
}

static int join(struct faultq *fq, const struct pci *pci, struct group *group)
{
	int container = group_of(fq, 0)->container;

	give_to_vfio(pci);
	group->fd = vfio_open_group(pci);
	if (group->fd < 0)
		return group->fd;
	return ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, &container) ? -errno : 0;
}

/* What is attached already is told by the call itself, and so is a want of privileges. */
int __wrap_faultq_attach_sized(struct faultq *fq, const char *name, struct faultq_attach *attach,
			       size_t size)
{
	struct place *place = place_of(name);
	struct faultq_attach unwanted;
	struct group *group;
	int ret;

	attach = attach ?: &unwanted;
	if (!place || !group_of(fq, 0) || geteuid())
		return __real_faultq_attach_sized(fq, name, attach, size);
	group = new_group(fq);
	ret = join(fq, &place->pci, group);
	/* VFIO lets a group's file be opened once */
	if (!ret || ret == -EBUSY)
		ret = __real_faultq_attach_sized(fq, place->pci.name, attach, size);
	if (!ret && !group_of(fq, attach->device))
		group->device = attach->device;
	else
		close_group(group);
	return ret;
}

int __wrap_faultq_detach(struct faultq *fq, uint32_t id, int *held)
{
	struct group *group = group_of(fq, id);

	if (!group || !id)
		return __real_faultq_detach(fq, id, held);
	close_group(group);
	if (held)
		*held = 0;
	return 0;
}
