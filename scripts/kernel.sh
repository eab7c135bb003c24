# shellcheck shell=bash disable=SC2034,SC2154 # who sources this uses the variables; lib.sh sets the names of places
# SPDX-License-Identifier: GPL-2.0-only
#
# kernel.sh: which kernel the lane that is loaded has, and where in the cache it is or will be; to be sourced after
# archive.sh. It owns the names of those directories. Nothing but package lists is fetched here.

# The kernel that Debian ships: its version, its release, its directory.
find_debian_kernel() {
	use_archive "$lane_suite" "$lane_arch"
	kernel_version=$(required_candidate "$lane_package")
	kernel_release=$(led_to "$lane_package=$kernel_version" linux-image-)
	kernel_release=${kernel_release#linux-image-}
	kernel_root=$cache/kernels/$kernel_release-$kernel_version
}

# The configuration fragments of a kernel that is built, in the order in which they apply.
fragments() {
	local file
	# shellcheck disable=SC2086 # a list
	for file in $lane_config "${lane_kernel:-$lane}"; do
		file=$top/tests/lanes/$file.config
		[ ! -e "$file" ] || echo "$file"
	done
}

# Part of the name of a built kernel's directory: count it up when what scripts/build-kernel puts there changes.
built_layout=1

# The kernel that is built: its source package, the version of that, its directory. linux-source leads to the newest one of
# its suite.
find_built_kernel() {
	local hash
	local -a parts
	use_archive "$lane_suite" "$lane_arch"
	kernel_source=$lane_source
	if [ "$kernel_source" = linux-source ]; then
		kernel_version=$(required_candidate "$kernel_source")
		kernel_source=$(led_to "$kernel_source=$kernel_version" linux-source-)
	fi
	kernel_version=$(required_candidate "$kernel_source")
	mapfile -t parts < <(fragments)
	hash=$({ echo "$built_layout"; grep -hE '^(# )?CONFIG_' "${parts[@]}"; } | sha256sum | cut -c1-12)
	kernel_root=$cache/${lane_kernel:-$lane}-$kernel_version-$hash
}
