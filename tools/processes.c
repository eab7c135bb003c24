// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMs that are running. A descriptor of another process is looked at through
 * /proc and duplicated by pidfd_getfd(2), which needs the right to trace that
 * process. The duplicate keeps the VM alive until it is closed.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <error.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"
#include "processes.h"

static DIR *open_fds(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	return opendir(path);
}

static void read_command(struct vm_file *file)
{
	char path[32];
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/%d/comm", file->pid);
	comm = fopen(path, "re");
	if (!comm)
		return;
	if (fgets(file->command, sizeof(file->command), comm))
		file->command[strcspn(file->command, "\n")] = '\0';
	fclose(comm);
}

static int duplicate(pid_t pid, int number)
{
	int pidfd = pidfd_open(pid, 0);
	int fd;

	if (pidfd < 0)
		return -1;
	fd = pidfd_getfd(pidfd, number, 0);
	close(pidfd);
	return fd;
}

/* A VM may be open in several processes, and more than once in each. */
static bool is_known(const struct vm_files *found, int fd)
{
	pid_t self = getpid();
	size_t i;

	for (i = 0; i < found->count; i++)
		if (!syscall(SYS_kcmp, self, self, KCMP_FILE, fd, found->files[i].fd))
			return true;
	return false;
}

static void add(struct vm_files *found, pid_t pid, int number)
{
	struct vm_file file = { .pid = pid, .number = number, .fd = duplicate(pid, number) };

	if (file.fd < 0) {
		found->incomplete |= errno == EPERM;
		return;
	}
	if (is_known(found, file.fd)) {
		close(file.fd);
		return;
	}
	read_command(&file);
	found->files = reallocarray(found->files, found->count + 1, sizeof(file));
	if (!found->files)
		error(EXIT_FAILURE, ENOMEM, "VMs");
	found->files[found->count++] = file;
}

/* Returns 0, or -1 with errno when the process cannot be looked at. */
static int look_at(struct vm_files *found, pid_t pid, dev_t device)
{
	DIR *fds = open_fds(pid);
	struct dirent *entry;
	struct stat st;

	if (!fds)
		return -1;
	while ((entry = readdir(fds))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    fstatat(dirfd(fds), entry->d_name, &st, 0))
			continue;
		if (S_ISCHR(st.st_mode) && st.st_rdev == device)
			add(found, pid, atoi(entry->d_name));
	}
	closedir(fds);
	return 0;
}

static void look_at_all(struct vm_files *found, dev_t device)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		error(EXIT_FAILURE, errno, "/proc");
	while ((entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && pid != getpid() && look_at(found, pid, device))
			found->incomplete |= errno == EACCES;
	}
	closedir(proc);
}

void vm_files_find(struct vm_files *found, pid_t pid)
{
	struct stat st;

	*found = (struct vm_files){};
	if (stat("/dev/faultq", &st))
		error(EXIT_NO_MODULE, 0,
		      "there is no /dev/faultq: is the module iommu_faultq loaded?");
	if (!pid)
		look_at_all(found, st.st_rdev);
	else if (look_at(found, pid, st.st_rdev))
		error(EXIT_FAILURE, errno, "process %d", pid);
}

void vm_files_close(struct vm_files *found)
{
	while (found->count)
		close(found->files[--found->count].fd);
	free(found->files);
}
