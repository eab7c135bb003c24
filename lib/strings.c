// SPDX-License-Identifier: MIT
/*
 * Names of the ABI's values, for people and for programs' output. The names are
 * part of the library's interface: they are never changed, only added to.
 */
#include <stddef.h>

#include "private.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

static const char *lookup(const char *const *names, size_t count, uint32_t value)
{
	return value < count && names[value] ? names[value] : "unknown";
}

/* Names of single bits go by the bit's number. */
static const char *lookup_bit(const char *const *names, size_t count, uint64_t bit)
{
	if (!bit || bit & (bit - 1))
		return "unknown";
	return lookup(names, count, __builtin_ctzll(bit));
}

const char *faultq_type_name(uint32_t type)
{
	static const char *const names[] = {
		[FAULTQ_PAGE_REQUEST] = "page-request",
		[FAULTQ_UNRECOVERABLE] = "unrecoverable",
		[FAULTQ_DEVICE_GONE] = "device-gone",
		[FAULTQ_OVER_QUOTA] = "over-quota",
		[FAULTQ_DEADLINE] = "deadline",
		[FAULTQ_FAULTING_OFF] = "faulting-off",
		[FAULTQ_MMIO_REVOKED] = "mmio-revoked",
		[FAULTQ_MMIO_RESTORED] = "mmio-restored",
	};

	return lookup(names, ARRAY_SIZE(names), type);
}

const char *faultq_code_name(uint32_t code)
{
	static const char *const names[] = {
		[FAULTQ_SUCCESS] = "success",
		[FAULTQ_INVALID] = "invalid",
		[FAULTQ_FAILURE] = "failure",
	};

	return lookup(names, ARRAY_SIZE(names), code);
}

const char *faultq_reason_name(uint32_t reason)
{
	static const char *const names[] = {
		[FAULTQ_REASON_UNKNOWN] = "unknown",
		[FAULTQ_REASON_PASID_FETCH] = "pasid-fetch",
		[FAULTQ_REASON_BAD_PASID_ENTRY] = "bad-pasid-entry",
		[FAULTQ_REASON_PASID_INVALID] = "pasid-invalid",
		[FAULTQ_REASON_WALK_ABORT] = "walk-abort",
		[FAULTQ_REASON_NOT_MAPPED] = "not-mapped",
		[FAULTQ_REASON_PERMISSION] = "permission",
		[FAULTQ_REASON_ACCESS] = "access-flag",
		[FAULTQ_REASON_ADDRESS_SIZE] = "address-size",
	};

	return lookup(names, ARRAY_SIZE(names), reason);
}

const char *faultq_cause_name(uint32_t cause)
{
	static const char *const names[] = {
		[FAULTQ_CAUSE_DEVICE] = "device-limit",
		[FAULTQ_CAUSE_VM] = "vm-limit",
		[FAULTQ_CAUSE_INSTANCE] = "instance-share",
		[FAULTQ_CAUSE_RATE] = "refused-rate",
		[FAULTQ_CAUSE_STRIKES] = "strikes",
	};

	return lookup(names, ARRAY_SIZE(names), cause);
}

const char *faultq_revocation_name(uint32_t revocation)
{
	static const char *const names[] = {
		[FAULTQ_REVOKED_CLEARED] = "cleared",
		[FAULTQ_REVOKED_UNMAPPED] = "unmapped",
		[FAULTQ_REVOKED_PROTECTED] = "protected",
		[FAULTQ_REVOKED_EXITED] = "exited",
		[FAULTQ_REVOKED_REMOVED] = "removed",
		[FAULTQ_REVOKED_UNBOUND] = "unbound",
	};

	return lookup(names, ARRAY_SIZE(names), revocation);
}

const char *faultq_state_name(uint32_t state)
{
	static const char *const names[] = { "on", "failed", "off", "failed+off" };

	return lookup(names, ARRAY_SIZE(names), state);
}

const char *faultq_window_type_name(uint32_t type)
{
	static const char *const names[] = {
		[FAULTQ_WINDOW_RESERVED] = "reserved",
		[FAULTQ_WINDOW_MSI] = "msi",
		[FAULTQ_WINDOW_SW_MSI] = "sw-msi",
		[FAULTQ_WINDOW_HW_MSI] = "hw-msi",
		[FAULTQ_WINDOW_DIRECT] = "direct",
		[FAULTQ_WINDOW_DIRECT_RELAXABLE] = "direct-relaxable",
	};

	return lookup(names, ARRAY_SIZE(names), type);
}

const char *faultq_kind_name(uint32_t kind)
{
	static const char *const names[] = {
		"page-request", "unrecoverable", "domain-fault", "pasid-request",
	};

	return lookup_bit(names, ARRAY_SIZE(names), kind);
}

const char *faultq_feature_name(uint64_t feature)
{
	static const char *const names[] = {
		"ring", "read", "owned", "map", "map-answer", "quota", "deadline", "drain",
		"enable", "takeover", "lists", "windows", "doorbells", "msi-faults",
		"mmio",
	};

	return lookup_bit(names, ARRAY_SIZE(names), feature);
}

const char *faultq_perm_name(uint32_t perm)
{
	static const char *const names[] = {
		"none", "r", "w", "rw", "x", "rx", "wx", "rwx",
		"none+priv", "r+priv", "w+priv", "rw+priv",
		"x+priv", "rx+priv", "wx+priv", "rwx+priv",
	};

	return lookup(names, ARRAY_SIZE(names), perm);
}

const char *faultq_why_text(uint32_t why)
{
	static const char *const texts[] = {
		[FAULTQ_WHY_DELIVERED] = "it is delivered",
		[FAULTQ_WHY_KERNEL] = "this kernel has no way to deliver it",
		[FAULTQ_WHY_DRIVER] = "the IOMMU driver does not report it",
		[FAULTQ_WHY_DEVICE] = "the device cannot raise it",
		[FAULTQ_WHY_UNKNOWN] = "the IOMMU driver is not known: it may come",
		[FAULTQ_WHY_SIBLING] = "this kernel cannot, with another device in its IOMMU group",
	};

	return lookup(texts, ARRAY_SIZE(texts), why);
}
