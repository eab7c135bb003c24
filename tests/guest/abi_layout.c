// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layout of the structures of /dev/faultq is fixed, and the same for 32-bit and
 * 64-bit programs: sizes and offsets are checked when this is compiled, for whatever
 * machine. On x86 the calls are made as a 32-bit program makes them, too.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/abi.h"
#include "support/tap.h"

#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)
#define AT(type, member, offset) \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member)

SIZE(faultq_info, 64);
AT(faultq_info, flags, 4);
AT(faultq_info, features, 8);
AT(faultq_info, kinds, 16);
AT(faultq_info, record_size, 20);
AT(faultq_info, max_slots, 24);
AT(faultq_info, min_entries, 28);
AT(faultq_info, max_entries, 32);
AT(faultq_info, max_group, 36);
AT(faultq_info, max_devices, 40);
AT(faultq_info, reserved, 44);
AT(faultq_info, max_windows, 48);
AT(faultq_info, max_doorbells, 52);
AT(faultq_info, max_extents, 56);
AT(faultq_info, max_mappings, 60);

SIZE(faultq_queue, 64);
AT(faultq_queue, flags, 4);
AT(faultq_queue, slots, 8);
AT(faultq_queue, entries, 12);
AT(faultq_queue, eventfd, 16);
AT(faultq_queue, reserved, 20);
AT(faultq_queue, header_offset, 24);
AT(faultq_queue, consumer_offset, 32);
AT(faultq_queue, records_offset, 40);
AT(faultq_queue, header_size, 48);
AT(faultq_queue, consumer_size, 52);
AT(faultq_queue, records_size, 56);
AT(faultq_queue, reserved2, 60);

SIZE(faultq_ring_header, 32);
AT(faultq_ring_header, producer, 0);
AT(faultq_ring_header, flags, 4);
AT(faultq_ring_header, entries, 8);
AT(faultq_ring_header, record_size, 12);
AT(faultq_ring_header, lost, 16);
AT(faultq_ring_header, terminated, 24);

SIZE(faultq_ring_consumer, 4);

SIZE(faultq_record, 64);
AT(faultq_record, perm, 1);
AT(faultq_record, flags, 2);
AT(faultq_record, device, 4);
AT(faultq_record, pasid, 8);
AT(faultq_record, group, 12);
AT(faultq_record, address, 16);
AT(faultq_record, cookie, 24);
AT(faultq_record, timestamp, 32);
AT(faultq_record, fetch_address, 40);
AT(faultq_record, length, 40);
AT(faultq_record, reason, 48);
AT(faultq_record, count, 52);
AT(faultq_record, reserved, 56);

SIZE(faultq_attach, 96);
AT(faultq_attach, flags, 4);
AT(faultq_attach, name, 8);
AT(faultq_attach, device, 72);
AT(faultq_attach, kinds, 76);
AT(faultq_attach, no_page_request, 80);
AT(faultq_attach, no_unrecoverable, 84);
AT(faultq_attach, group, 88);
AT(faultq_attach, reserved, 92);

SIZE(faultq_detach, 16);
AT(faultq_detach, flags, 4);
AT(faultq_detach, device, 8);
AT(faultq_detach, held, 12);

SIZE(faultq_answer, 16);
AT(faultq_answer, cookie, 0);
AT(faultq_answer, code, 8);
AT(faultq_answer, result, 12);

SIZE(faultq_respond, 32);
AT(faultq_respond, flags, 4);
AT(faultq_respond, answers, 8);
AT(faultq_respond, count, 16);
AT(faultq_respond, entry_size, 20);
AT(faultq_respond, done, 24);
AT(faultq_respond, reserved, 28);

SIZE(faultq_map, 56);
AT(faultq_map, flags, 4);
AT(faultq_map, iova, 8);
AT(faultq_map, length, 16);
AT(faultq_map, user_address, 24);
AT(faultq_map, cookie, 32);
AT(faultq_map, answer_result, 40);
AT(faultq_map, reserved, 44);
AT(faultq_map, id, 48);

SIZE(faultq_unmap, 32);
AT(faultq_unmap, flags, 4);
AT(faultq_unmap, iova, 8);
AT(faultq_unmap, length, 16);
AT(faultq_unmap, unmapped, 24);

SIZE(faultq_stats, 432);
AT(faultq_stats, flags, 4);
AT(faultq_stats, device, 8);
AT(faultq_stats, devices, 12);
AT(faultq_stats, outstanding, 16);
AT(faultq_stats, slots, 20);
AT(faultq_stats, page_requests, 24);
AT(faultq_stats, groups, 32);
AT(faultq_stats, answered_success, 40);
AT(faultq_stats, answered_invalid, 48);
AT(faultq_stats, answered_failure, 56);
AT(faultq_stats, stale_answers, 64);
AT(faultq_stats, terminated_no_queue, 72);
AT(faultq_stats, terminated_no_slot, 80);
AT(faultq_stats, terminated_no_room, 88);
AT(faultq_stats, terminated_too_long, 96);
AT(faultq_stats, terminated_detached, 104);
AT(faultq_stats, terminated_stopped, 112);
AT(faultq_stats, partial_dropped, 120);
AT(faultq_stats, unrecoverable, 128);
AT(faultq_stats, lost, 136);
AT(faultq_stats, mapped_bytes, 144);
AT(faultq_stats, pinned_pages, 152);
AT(faultq_stats, terminated_over_device, 160);
AT(faultq_stats, terminated_over_vm, 168);
AT(faultq_stats, terminated_over_instance, 176);
AT(faultq_stats, terminated_off, 184);
AT(faultq_stats, terminated_drained, 192);
AT(faultq_stats, terminated_deadline, 200);
AT(faultq_stats, deadlines, 208);
AT(faultq_stats, switched_off, 216);
AT(faultq_stats, latency, 224);
AT(faultq_stats, vm, 416);
AT(faultq_stats, state, 420);
AT(faultq_stats, revocations, 424);

SIZE(faultq_held_entry, 72);
AT(faultq_held_entry, name, 0);
AT(faultq_held_entry, group, 64);
AT(faultq_held_entry, reserved, 68);

SIZE(faultq_held, 24);
AT(faultq_held, flags, 4);
AT(faultq_held, entries, 8);
AT(faultq_held, count, 16);
AT(faultq_held, entry_size, 20);

SIZE(faultq_release, 72);
AT(faultq_release, flags, 4);
AT(faultq_release, name, 8);

SIZE(faultq_limits, 48);
AT(faultq_limits, flags, 4);
AT(faultq_limits, device, 8);
AT(faultq_limits, max_outstanding, 12);
AT(faultq_limits, cap, 16);
AT(faultq_limits, refused_rate, 20);
AT(faultq_limits, rate_cap, 24);
AT(faultq_limits, deadline_ms, 28);
AT(faultq_limits, invalid, 32);
AT(faultq_limits, grace_ms, 36);
AT(faultq_limits, strikes, 40);
AT(faultq_limits, reserved, 44);

SIZE(faultq_pending, 32);
AT(faultq_pending, flags, 4);
AT(faultq_pending, records, 8);
AT(faultq_pending, count, 16);
AT(faultq_pending, entry_size, 20);
AT(faultq_pending, position, 24);
AT(faultq_pending, reserved, 28);

SIZE(faultq_drain, 24);
AT(faultq_drain, flags, 4);
AT(faultq_drain, device, 8);
AT(faultq_drain, pasid, 12);
AT(faultq_drain, drained, 16);
AT(faultq_drain, reserved, 20);

SIZE(faultq_enable, 16);
AT(faultq_enable, flags, 4);
AT(faultq_enable, device, 8);
AT(faultq_enable, interrupted, 12);

SIZE(faultq_share, 112);
AT(faultq_share, flags, 4);
AT(faultq_share, name, 8);
AT(faultq_share, depth, 72);
AT(faultq_share, pool, 76);
AT(faultq_share, guarantee, 80);
AT(faultq_share, max_device, 84);
AT(faultq_share, refused_rate, 88);
AT(faultq_share, max_vm, 92);
AT(faultq_share, vms, 96);
AT(faultq_share, pool_used, 100);
AT(faultq_share, own, 104);
AT(faultq_share, reserved, 108);

SIZE(faultq_list, 32);
AT(faultq_list, flags, 4);
AT(faultq_list, entries, 8);
AT(faultq_list, count, 16);
AT(faultq_list, entry_size, 20);
AT(faultq_list, vm, 24);
AT(faultq_list, reserved, 28);

SIZE(faultq_vm_entry, 64);
AT(faultq_vm_entry, vm, 0);
AT(faultq_vm_entry, pid, 4);
AT(faultq_vm_entry, comm, 8);
AT(faultq_vm_entry, devices, 24);
AT(faultq_vm_entry, outstanding, 28);
AT(faultq_vm_entry, slots, 32);
AT(faultq_vm_entry, max_outstanding, 36);
AT(faultq_vm_entry, groups, 40);
AT(faultq_vm_entry, terminated, 48);
AT(faultq_vm_entry, unrecoverable, 56);

SIZE(faultq_device_entry, 152);
AT(faultq_device_entry, name, 0);
AT(faultq_device_entry, instance, 64);
AT(faultq_device_entry, device, 128);
AT(faultq_device_entry, group, 132);
AT(faultq_device_entry, kinds, 136);
AT(faultq_device_entry, state, 140);
AT(faultq_device_entry, outstanding, 144);
AT(faultq_device_entry, max_outstanding, 148);

SIZE(faultq_window, 40);
AT(faultq_window, flags, 4);
AT(faultq_window, iova, 8);
AT(faultq_window, length, 16);
AT(faultq_window, type, 24);
AT(faultq_window, prot, 28);
AT(faultq_window, id, 32);
AT(faultq_window, reserved, 36);

SIZE(faultq_window_del, 16);
AT(faultq_window_del, flags, 4);
AT(faultq_window_del, id, 8);
AT(faultq_window_del, reserved, 12);

SIZE(faultq_window_entry, 40);
AT(faultq_window_entry, iova, 0);
AT(faultq_window_entry, length, 8);
AT(faultq_window_entry, id, 16);
AT(faultq_window_entry, type, 20);
AT(faultq_window_entry, prot, 24);
AT(faultq_window_entry, groups, 28);
AT(faultq_window_entry, used, 32);
AT(faultq_window_entry, reserved, 36);

SIZE(faultq_range_entry, 16);
AT(faultq_range_entry, first, 0);
AT(faultq_range_entry, last, 8);

SIZE(faultq_mapping_entry, 48);
AT(faultq_mapping_entry, iova, 0);
AT(faultq_mapping_entry, length, 8);
AT(faultq_mapping_entry, user_address, 16);
AT(faultq_mapping_entry, flags, 24);
AT(faultq_mapping_entry, state, 28);
AT(faultq_mapping_entry, id, 32);
AT(faultq_mapping_entry, revocation, 40);
AT(faultq_mapping_entry, reserved, 44);

SIZE(faultq_doorbell_entry, 16);
AT(faultq_doorbell_entry, iova, 0);
AT(faultq_doorbell_entry, window, 8);
AT(faultq_doorbell_entry, users, 12);

SIZE(faultq_restore, 40);
AT(faultq_restore, flags, 4);
AT(faultq_restore, id, 8);
AT(faultq_restore, restored, 16);
AT(faultq_restore, revoked, 24);
AT(faultq_restore, written, 32);
AT(faultq_restore, reserved, 36);

_Static_assert(FAULTQ_GET_INFO == 0xfa00 && FAULTQ_MMIO_RESTORE == 0xfa18, "numbers");

static void info_tells_the_limits(void **state)
{
	struct faultq_info info = { .size = sizeof(info) };
	int vm = abi_open();

	(void)state;
	assert_int_equal(abi_ioctl(vm, FAULTQ_GET_INFO, &info), 0);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(info.flags, 0);
	assert_int_equal(info.record_size, sizeof(struct faultq_record));
	assert_true(info.max_slots >= 1);
	assert_true(info.min_entries >= 1 && info.min_entries <= info.max_entries);
	assert_int_equal(info.min_entries & (info.min_entries - 1), 0);
	assert_int_equal(info.max_entries & (info.max_entries - 1), 0);
	assert_int_equal(info.max_group, 32);
	assert_true(info.max_devices >= 1);
	assert_int_equal(info.reserved, 0);
	assert_true(info.max_windows >= 1);
	assert_true(info.max_doorbells >= 1);
	assert_true(info.max_extents >= 1);
	assert_int_equal(info.max_mappings, 65535);
	close(vm);
}

static void info_tells_features_and_kinds(void **state)
{
	const uint64_t features = FAULTQ_FEATURE_RING | FAULTQ_FEATURE_READ | FAULTQ_FEATURE_OWNED |
				  FAULTQ_FEATURE_MAP | FAULTQ_FEATURE_MAP_ANSWER |
				  FAULTQ_FEATURE_QUOTA | FAULTQ_FEATURE_DEADLINE |
				  FAULTQ_FEATURE_DRAIN | FAULTQ_FEATURE_ENABLE |
				  FAULTQ_FEATURE_TAKEOVER | FAULTQ_FEATURE_LISTS |
				  FAULTQ_FEATURE_WINDOWS | FAULTQ_FEATURE_DOORBELLS |
				  FAULTQ_FEATURE_MMIO;
	struct faultq_info info = { .size = sizeof(info) };
	int vm = abi_open();

	(void)state;
	assert_int_equal(abi_ioctl(vm, FAULTQ_GET_INFO, &info), 0);
	assert_int_equal(info.features & features, features);
	assert_true(info.kinds & FAULTQ_KIND_DOMAIN_FAULT);
	assert_int_equal(info.kinds & ~(FAULTQ_KIND_PAGE_REQUEST | FAULTQ_KIND_UNRECOVERABLE |
					FAULTQ_KIND_DOMAIN_FAULT | FAULTQ_KIND_PASID_REQUEST),
			 0);
	close(vm);
}

#ifdef __x86_64__

#define IOCTL_OF_I386 54

static int ioctl_as_32_bit(int fd, unsigned int command, void *argument)
{
	int ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(IOCTL_OF_I386), "b"(fd), "c"(command), "d"((uint32_t)(uintptr_t)argument)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static union abi_argument *low_memory(void)
{
	void *memory = mmap(NULL, sizeof(union abi_argument), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

static void calls_of_32_bit_programs_do_the_same(void **state)
{
	union abi_argument *low = low_memory();

	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		union abi_argument native = {};
		int vm = abi_open(), other = abi_open();

		call->sample(&native);
		memcpy(low, &native, sizeof(native));
		assert_int_equal(abi_ioctl(vm, call->command, &native), call->result);
		assert_int_equal(ioctl_as_32_bit(other, call->command, low), call->result);
		assert_memory_equal(low, &native, sizeof(native));
		close(vm);
		close(other);
	}
	munmap(low, sizeof(*low));
}

static void bad_calls_of_32_bit_programs_are_refused(void **state)
{
	union abi_argument *low = low_memory();
	int vm = abi_open();

	(void)state;
	for (const struct abi_call *call = abi_calls; call->name; call++) {
		call->sample(low);
		low->head[1] = 1U << 31;
		assert_int_equal(ioctl_as_32_bit(vm, call->command, low), -EINVAL);
		assert_int_equal(ioctl_as_32_bit(vm, call->command, NULL), -EFAULT);
		assert_int_equal(ioctl_as_32_bit(vm, call->command | 1U << 30, low), -ENOTTY);
	}
	close(vm);
	munmap(low, sizeof(*low));
}

#else

static void calls_of_32_bit_programs_do_the_same(void **state)
{
	(void)state;
	skip_because("only x86 lets a 64-bit program make 32-bit system calls");
}

static void bad_calls_of_32_bit_programs_are_refused(void **state)
{
	(void)state;
	skip_because("only x86 lets a 64-bit program make 32-bit system calls");
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(info_tells_the_limits),
		cmocka_unit_test(info_tells_features_and_kinds),
		cmocka_unit_test(calls_of_32_bit_programs_do_the_same),
		cmocka_unit_test(bad_calls_of_32_bit_programs_are_refused),
	};

	return tap_run_group(tests, NULL, NULL);
}
