// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest is what the other tests expect: both modules are loaded and their character devices
 * are there.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "support/tap.h"

static int module_is_live(const char *name)
{
	char path[128], state[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(state, sizeof(state), file))
		state[0] = '\0';
	fclose(file);
	return !strcmp(state, "live\n");
}

static void assert_character_device(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISCHR(status.st_mode));
}

static void modules_are_loaded(void **state)
{
	(void)state;
	assert_true(module_is_live("iommu_faultq"));
	assert_true(module_is_live("mock_iommu"));
}

static void devices_exist(void **state)
{
	(void)state;
	assert_character_device("/dev/faultq");
	assert_character_device("/dev/mock-iommu");
}

static void configfs_has_the_mock(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(stat("/sys/kernel/config/mock-iommu", &status), 0);
	assert_true(S_ISDIR(status.st_mode));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modules_are_loaded),
		cmocka_unit_test(devices_exist),
		cmocka_unit_test(configfs_has_the_mock),
	};

	return tap_run_group(tests, NULL, NULL);
}
