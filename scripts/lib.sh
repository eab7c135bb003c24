# shellcheck shell=bash disable=SC2034 # who sources this uses the variables
# SPDX-License-Identifier: GPL-2.0-only
#
# lib.sh: what the scripts share; to be sourced. It owns the names of places (top, build, cache), the reading of
# lane files (tests/lanes/LANE), of what scripts/kernel found (build/LANE/kernel.env) and of the options of a test.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${FAULTQ_BUILD:-$top/build}
cache=${FAULTQ_CACHE:-$HOME/.cache/iommu-faultq}

# All that the modules are built from.
module_sources=(Kbuild dkms.conf module mock-iommu uapi scripts/kernel-probes scripts/dkms-{added,installed})

# Copies them to DIR, without what was built in them; what is newer there stays.
copy_module_sources() {
	mkdir -p "$1"
	(cd "$top" && find "${module_sources[@]}" -type f \
		! -name '*.o' ! -name '*.ko' ! -name '*.mod' ! -name '*.mod.c' ! -name '.*.cmd' \
		! -name Module.symvers ! -name modules.order ! -name 'probed-*.mk' -print0 |
		xargs -0 cp -u --parents --preserve=mode,timestamps -t "$1")
}

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# The names of all lanes, or of those with a stock kernel: list_lanes all|stock
list_lanes() {
	local file
	for file in "$top"/tests/lanes/*; do
		case ${file##*/} in
		*.config | *.machine) continue ;;
		esac
		[ "$1" != stock ] || grep -qx 'lane_stock=yes' "$file" || continue
		echo "${file##*/}"
	done
}

# Reads a lane file. What may stand in one:
load_lane() {
	lane=$1
	lane_arch=		# Debian's name of the architecture
	lane_triplet=		# the compilers' name of it
	lane_suite=		# the Debian release that the kernel comes from
	lane_stock=no		# yes: a kernel that Debian ships; belongs to "all lanes"
	lane_package=		# the meta package of such a kernel
	lane_needs=		# purposes of scripts/install-deps
	lane_compiler=		# arguments of scripts/package-root: the compiler, unless the machine runs that release
	lane_libraries=		# the same: what programs are built against, if not the machine's own libraries
	lane_source=		# or: the source package of a kernel that scripts/build-kernel builds
	lane_config=		# the names of its configuration fragments, tests/lanes/NAME.config
	lane_kernel=		# the lane whose kernel it is, if another one's
	lane_qemu=()		# QEMU: program, machine, devices
	lane_emulator=		# arguments of scripts/package-root: a QEMU with our device in it, PACKAGE=VERSION first
	lane_emulator_version=	# the versions that the device is made for, as 11.1
	lane_tests='*'		# globs: the tests that run when none are named
	lane_console=ttyS0	# the guest's first serial port: kernel log
	lane_tap=ttyS1		# its second one: TAP
	lane_tap_port=(-serial chardev:tap)	# QEMU options that connect it to the character device tap
	lane_append=		# kernel command line
	lane_modules=		# kernel modules in the image, beside this project's
	lane_smp=2
	lane_mem=512M
	lane_slowness=1		# multiplies the time that a test may take
	[ -f "$top/tests/lanes/$lane" ] || die "no lane '$lane'; there are: $(list_lanes all | xargs)"
	# shellcheck source=/dev/null
	. "$top/tests/lanes/$lane"
}

# Reads what scripts/kernel wrote for the lane that is loaded.
load_kernel() {
	kernel_version='' kernel_release='' kernel_image='' kernel_root='' kernel_build='' kernel_tools=''
	guest_libraries=''
	[ -f "$build/$lane/kernel.env" ] || die "lane $lane has no kernel yet: run scripts/guest-image $lane"
	# shellcheck source=/dev/null
	. "$build/$lane/kernel.env"
	[ -e "$kernel_image" ] || die "the kernel of lane $lane is gone from the cache: run scripts/guest-image $lane"
}

# Where the cache has the emulator that the lane asks for: a link to a directory of scripts/package-root.
emulator_link() {
	local -a words
	read -ra words <<<"$lane_emulator"
	echo "$cache/emulators/${words[2]}"
}

# Reads what scripts/emulator wrote for the lane that is loaded.
load_emulator() {
	emulator_root='' emulator_device='' emulator_missing=''
	[ -n "$lane_emulator" ] || return 0
	[ -f "$build/$lane/emulator.env" ] || die "lane $lane has no emulator yet: run scripts/guest-image $lane"
	# shellcheck source=/dev/null
	. "$build/$lane/emulator.env"
}

# Makes lane_qemu run the lane's own emulator, if it has one, with our device and its own firmware and modules.
use_emulator() {
	[ -n "$lane_emulator" ] || return 0
	lane_qemu=(
		env "LD_PRELOAD=$emulator_device" "QEMU_MODULE_DIR=$emulator_root/usr/lib/x86_64-linux-gnu/qemu"
		"$emulator_root/usr/bin/${lane_qemu[0]}"
		-L "$emulator_root/usr/share/qemu" -L "$emulator_root/usr/share/seabios" "${lane_qemu[@]:1}"
	)
}

# What stands before the names of the compiler and its tools, for the architecture of the lane that is loaded.
cross() { [ "$lane_arch" = "$(dpkg --print-architecture)" ] || echo "$lane_triplet-"; }

# kernel_make ARGUMENT...: the kernel's own build, for modules. It uses the machine's compiler, whatever version the kernel
# was built with; one that was unpacked for the lane is found by the name in the kernel's headers. BTF would need the
# kernel's vmlinux, which is not in its packages.
kernel_make() {
	local cross cc=''
	cross=$(cross)
	[ -n "$kernel_tools" ] || cc=${cross}gcc
	PATH=${kernel_tools:+$kernel_tools:}$PATH make -C "$kernel_build" ${cross:+"CROSS_COMPILE=$cross"} \
		${cc:+"CC=$cc"} CONFIG_DEBUG_INFO_BTF_MODULES='' "$@"
}

# The candidate version of a package in the machine's own apt configuration; empty if there is none.
candidate() {
	apt-cache policy "$1" | sed -n 's/^  Candidate: //p' | grep -vx '(none)' || true
}

# The file that holds the options of a test program or a benchmark, whether it is there or not.
test_options() {
	case $1 in
	bench_*) echo "$top/tests/bench/$1.opts" ;;
	*) echo "$top/tests/guest/$1.opts" ;;
	esac
}

soak_factor=12

# Reads the options of a test program, for the lane that is loaded. What may stand in its file:
load_options() {
	APPEND=''		# more of the kernel command line
	QEMU_ARGS=''		# more arguments for QEMU
	SMP=$lane_smp		# virtual CPUs
	MEM=$lane_mem		# memory
	PARALLEL=yes		# no: virtual CPUs take turns, see accelerator in boot-guest
	ALONE=no		# yes: needs a guest that no other program has used, or leaves one that none can use
	MODULES=all		# none: load none of this project's modules
	TIMEOUT=600		# seconds that the program may take: several times what it does on a quiet machine
	# shellcheck source=/dev/null
	[ ! -f "$(test_options "$1")" ] || . "$(test_options "$1")"
	TIMEOUT=$((TIMEOUT * lane_slowness))
	[ "${FAULTQ_SCALE:-quick}" != soak ] || TIMEOUT=$((TIMEOUT * soak_factor))
}

# What distinguishes the guest that a test wants, as a word: tests with the same one can share a guest of the lane that
# is loaded. Of a soak none do, where each takes long and may be run again alone.
guest_of() {
	(
		load_options "$1"
		[ "$ALONE" = no ] && [ "${FAULTQ_SCALE:-quick}" != soak ] || ALONE=$1
		printf '%s\0' "$ALONE" "$APPEND" "$QEMU_ARGS" "$SMP" "$MEM" "$PARALLEL" | sha256sum | cut -c 1-16
	)
}

# Where the results of LANE go; a soak's are kept apart, so that a quick run does not overwrite them.
log_dir() {
	if [ "${FAULTQ_SCALE:-quick}" = soak ]; then
		echo "$build/logs/$1/soak"
	else
		echo "$build/logs/$1"
	fi
}

# Does NAME match one of the globs, separated by spaces?
matches() {
	local name=$1 glob
	local -a globs
	read -ra globs <<<"$2"
	for glob in "${globs[@]}"; do
		# shellcheck disable=SC2053 # a pattern it is
		[[ $name != $glob ]] || return 0
	done
	return 1
}

# list_programs GLOBS FILE...: the names of the programs, made of FILE each, that match one of the globs.
list_programs() {
	local file name
	for file in "${@:2}"; do
		name=${file##*/}
		name=${name%.*}
		case $name in
		init | demo | '*') continue ;;
		esac
		! matches "$name" "$1" || echo "$name"
	done
}

# The names of all tests that match one of the globs. init is the guest's first process, demo no test.
list_tests() { list_programs "$1" "$top"/tests/guest/*.c "$top"/tests/guest/*.sh; }
