// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO that its device takes away, through VFIO, while everything else happens to its mappings.
 * After each zap has returned a device looks: there must be nothing left of the way to the BAR.
 */
#include "support/commotion.h"
#include "support/tap.h"

/* As long as it does not answer, whoever maps or restores fails. */
static void switch_decoding_off(void)
{
	bar_decode(&commotion.bar, false);
	assert_no_way(COMMOTION_IOVA);
	assert_no_way(COMMOTION_MAPPER);
	assert_no_way(COMMOTION_VIEW);
	assert_no_bar(COMMOTION_SCRATCH);
	bar_decode(&commotion.bar, true);
}

static void reset_the_device(void)
{
	bar_reset(&commotion.bar);
}

static void decoding_is_switched_off(void **state)
{
	(void)state;
	commotion_race(switch_decoding_off, scaled(60, 1500));
	commotion_assert_all_comes_back();
}

static void the_device_is_reset(void **state)
{
	(void)state;
	commotion_race(reset_the_device, scaled(4, 100));
	commotion_assert_all_comes_back();
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, commotion_open, commotion_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(decoding_is_switched_off),
		TEST(the_device_is_reset),
	};

	return tap_run_group(tests, commotion_make_devices, commotion_remove_devices);
}
