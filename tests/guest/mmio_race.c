// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO that the process takes away while everything else happens to its mappings. After each zap
 * has returned a device looks: there must be nothing left of the way to the BAR.
 */
#include <sys/mman.h>

#include "support/commotion.h"
#include "support/tap.h"

#define BAR (&commotion.bar)

/* As long as nothing is there, or only what cannot be written, whoever maps or restores fails. */
static void unmap_and_map(void)
{
	bar_replace(BAR->memory);
	assert_no_way(COMMOTION_IOVA);
	assert_no_way(COMMOTION_MAPPER);
	assert_no_bar(COMMOTION_SCRATCH);
	must(bar_map(BAR, BAR->memory) == BAR->memory);
}

static void protect_and_permit(void)
{
	must(!mprotect(BAR->memory, BAR_SIZE, PROT_READ));
	assert_no_way(COMMOTION_IOVA);
	assert_no_way(COMMOTION_MAPPER);
	assert_no_bar(COMMOTION_SCRATCH);
	must(!mprotect(BAR->memory, BAR_SIZE, PROT_READ | PROT_WRITE));
}

static void the_bar_is_unmapped(void **state)
{
	(void)state;
	commotion_race(unmap_and_map, scaled(60, 1000));
	commotion_assert_all_comes_back();
}

static void the_bar_is_protected(void **state)
{
	(void)state;
	commotion_race(protect_and_permit, scaled(60, 1000));
	commotion_assert_all_comes_back();
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, commotion_open, commotion_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_bar_is_unmapped),
		TEST(the_bar_is_protected),
	};

	return tap_run_group(tests, commotion_make_devices, commotion_remove_devices);
}
