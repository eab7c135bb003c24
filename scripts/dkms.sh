# shellcheck shell=bash disable=SC2034,SC2154 # variables of who sources this, and for it
# SPDX-License-Identifier: GPL-2.0-only
#
# dkms.sh: what is to be found in a system that has the package through DKMS, and the counting of what was; to be
# sourced after lib.sh. The system is the machine itself, or the tree $system if that is set. Who sources this sets
# $work, a directory for the output of what is being tried.
kernelver='' kernel_source_dir='' dkms_tree=''	# which dkms tells dkms.conf
# shellcheck source=dkms.conf
. "$top/dkms.conf"

modules=(iommu_faultq vfio_iommu_faultq mock_iommu)
system=''
passed=0 failed=0 skipped=0

# result STATUS WHAT [LOG]
result() {
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
		echo "ok      $2"
	else
		failed=$((failed + 1))
		echo "FAILED  $2"
		[ -z "${3:-}" ] || sed 's/^/        /' "$3"
	fi
}

# expect WHAT COMMAND...: the command succeeds; shown is what it prints if it does not.
expect() {
	local what=$1 status=0
	shift
	"$@" >"$work/log" 2>&1 || status=$?
	result "$status" "$what" "$work/log"
	return "$status"
}

# The last line of a test, and its exit status.
summary() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

installed_file() {
	find "$system/lib/modules/$1/updates/dkms" -name "$2.ko*" 2>/dev/null | grep .
}

all_installed() {
	local module
	for module in "${modules[@]}"; do
		installed_file "$1" "$module" || return 1
	done
}

none_installed() {
	local module
	for module in "${modules[@]}"; do
		! installed_file "$1" "$module" || return 1
	done
}

# modinfo KERNEL ARGUMENT...: of a module as modprobe would find it
module_info() {
	local kernel=$1
	shift
	modinfo -b "$system/" -k "$kernel" "$@"
}

# What KERNEL cannot have is a placeholder: found by its name, built for this very kernel.
is_placeholder() {
	local info
	info=$(module_info "$1" "$2")
	echo "$info"
	grep -q "^vermagic: *$1 " <<<"$info" && grep -q '^description: *Placeholder' <<<"$info"
}

# expect_placeholders KERNEL MODULE...
expect_placeholders() {
	local kernel=$1 module
	shift
	for module; do
		expect "$kernel: $module is left out" is_placeholder "$kernel" "$module" || true
	done
}

# module_is_right KERNEL MODULE VERSION: found by its name, built for this very kernel, under the licence of the kernel.
module_is_right() {
	local info
	info=$(module_info "$1" "$2")
	echo "$info"
	grep -q "^filename: .*/updates/dkms/$2\.ko" <<<"$info" &&
		grep -q "^vermagic: *$1 " <<<"$info" &&
		grep -qx "version: *$3" <<<"$info" &&
		grep -q '^license: *GPL' <<<"$info" &&
		grep '^description: *.' <<<"$info" | grep -vq Placeholder
}

# Nothing can ask for the mock but its name: no alias, no mention where modules to load are listed.
mock_loads_only_by_name() {
	[ -z "$(module_info "$1" -F alias mock_iommu)" ] || { echo "it has aliases"; return 1; }
	! grep -rs 'mock[-_]iommu' "$system"/etc/modules "$system"/{etc,lib}/modules-load.d "$system"/{etc,lib}/modprobe.d \
		"$system"/{etc,lib}/udev/rules.d
}

# expect_modules KERNEL VERSION [MODULE...]: all of this for a kernel, of the modules or of all
expect_modules() {
	local kernel=$1 version=$2 module
	local -a wanted=("${@:3}")
	expect "$kernel: the modules are in updates/dkms" all_installed "$kernel" || return 0
	for module in "${wanted[@]:-${modules[@]}}"; do
		expect "$kernel: modinfo of $module is right" module_is_right "$kernel" "$module" "$version" || true
	done
	expect "$kernel: nothing loads mock_iommu by itself" mock_loads_only_by_name "$kernel" || true
}
