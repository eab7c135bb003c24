#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Unmodified clients of VFIO, run in the guest, first on VFIO's own backend, type1, then on this project's, which takes
# containers that ask for type1:
#
#	dpdk-testpmd forwards packets between two network cards that are connected to each other;
#	qemu-system-x86_64 starts an inner guest whose firmware boots from a third card: iPXE's driver for it gets an
#	address by DHCP and files by TFTP, and prints what the last line of the second file tells it to.
#
# After that the cards go back to their own driver and must work there. Writes TAP. The machine: scripts/vfio-clients.
set -u

packets=20000	# that testpmd must have received from each card
patience=900	# seconds until silence, or work without result, is a failure
tests=0

now() { cut -d. -f1 /proc/uptime; }
say() { echo "# $*"; }

# check WHAT COMMAND...: the command succeeds; shown is what it prints if it does not.
check() {
	what=$1 word=ok
	shift
	"$@" >check.log 2>&1 || word="not ok"
	tests=$((tests + 1))
	echo "$word $tests - $what"
	[ "$word" = ok ] || sed 's/^/# /' check.log
}

# The card behind the port in SLOT.
card() {
	for path in /sys/bus/pci/devices/0000:00:"$1".0/0000:*:00.0; do
		echo "${path##*/}"
	done
}

driver() { basename "$(readlink "/sys/bus/pci/devices/$1/driver")"; }

leave() {
	[ ! -e "/sys/bus/pci/devices/$1/driver" ] || echo "$1" >"/sys/bus/pci/devices/$1/driver/unbind"
}

# give DRIVER CARD...: that driver and no other gets them
give() {
	wanted=$1
	shift
	for each; do
		leave "$each"
		echo "$wanted" >"/sys/bus/pci/devices/$each/driver_override"
		echo "$each" >/sys/bus/pci/drivers_probe
		[ "$(driver "$each")" = "$wanted" ] || { echo "$each: '$(driver "$each")'"; return 1; }
	done
}

# launch COMMAND...: in the background. What it prints comes through a pipe, line by line, and is kept in client.log.
launch() {
	rm -f lines client.log
	mkfifo lines
	started=$(now)
	"$@" >lines 2>&1 </dev/null &
	client=$!
	exec 4<lines
}

# await PATTERN: reads on until the client prints a line that matches, $line
await() {
	deadline=$((started + patience))
	# shellcheck disable=SC3045 # busybox knows -t
	while [ "$(now)" -lt "$deadline" ] && read -r -t "$patience" line <&4; do
		echo "$line" >>client.log
		# shellcheck disable=SC2254 # a pattern it is
		case $line in
		$1) return 0 ;;
		esac
	done
	echo "there was no '$1' in $patience seconds; the last lines:"
	tail -n 40 client.log
	return 1
}

# end SIGNAL: the client ends by itself, with status 0
end() {
	kill "-$1" "$client"
	cat <&4 >>client.log
	exec 4<&-
	wait "$client" || { echo "status $?; the last lines:"; tail -n 20 client.log; return 1; }
}

# Both cards' counters of received packets, one after the other, are high enough.
await_packets() {
	enough=0
	while [ "$enough" -lt 2 ]; do
		await '*RX-packets:*' || return 1
		count=${line#*RX-packets: }
		enough=$((enough + 1))
		[ "${count%% *}" -ge "$packets" ] || enough=0
	done
}

# The sum of both cards' COUNTER, as testpmd tells it at its end.
total() { sed -n "/Accumulated/,\$s/.* $1-total: *//p" client.log; }

# has_container COMMAND CARD...: the command has its container on this project's backend, with these cards
has_container() {
	stats=$(faultq stats --json) || return 1
	echo "$stats"
	for each in "\"command\":\"$1\"" "${2:+\"name\":\"pci/$2\"}" "${3:+\"name\":\"pci/$3\"}"; do
		case $stats in
		*"$each"*) ;;
		*) return 1 ;;
		esac
	done
}

# Nobody has.
no_container() { [ "$(faultq show | tee /dev/stderr)" = "no VMs" ]; }

# container COMMAND CARD...: it is where it should be
container() {
	if [ "$backend" = type1 ]; then
		no_container
	else
		has_container "$@"
	fi
}

# One lcore forwards, the other looks at the counters. It would run without an end.
try_testpmd() {
	launch dpdk-testpmd -l 0-1 -m 128 --iova-mode=va --no-telemetry -a "$wire0" -a "$wire1" -- \
		--total-num-mbufs=2048 --forward-mode=io --tx-first --stats-period 1
	check "$backend: testpmd forwards packets" await_packets
	check "$backend: testpmd's container is there" container dpdk-testpmd "$wire0" "$wire1"
	check "$backend: testpmd ends" end INT
	say "$backend: testpmd received $(total RX) and sent $(total TX) packets in $(($(now) - started)) s"
	check "$backend: nothing is left of testpmd's container" no_container
}

# The firmware's console is the serial port.
try_qemu() {
	launch qemu-system-x86_64 -M pc,graphics=off -accel tcg -m 128M -nodefaults -display none -no-reboot \
		-serial stdio -device "vfio-pci,host=$lan,romfile=pxe-e1000e.rom" -boot n
	check "$backend: the inner guest gets an address and two files" await 'faultq: the end of the second file, for 10.*'
	say "$backend: from QEMU's start to the end of the second file: $(($(now) - started)) s"
	check "$backend: QEMU's container is there" container qemu-system-x86 "$lan"
	check "$backend: QEMU ends" end TERM
	check "$backend: nothing is left of QEMU's container" no_container
}

try_clients() {
	backend=$1
	check "$backend: the cards are vfio-pci's" give vfio-pci "$wire0" "$wire1" "$lan"
	try_testpmd
	try_qemu
}

interface() { ls "/sys/bus/pci/devices/$1/net"; }

# What the cards can do without VFIO.
get_lease() {
	ip link set "$(interface "$lan")" up && udhcpc -i "$(interface "$lan")" -n -q -f -s /bin/true
}

not_refused() { ! dmesg | grep 'may go to type1 instead'; }

# All pages that were pinned for DMA are not any more.
no_pins() {
	grep nr_foll_pin /proc/vmstat
	[ "$(sed -n 's/^nr_foll_pin_[a-z]* //p' /proc/vmstat | uniq | wc -l)" = 1 ]
}

# What DPDK expects of a system.
prepare() {
	mkdir -p /run/dpdk /dev/hugepages
	[ -e /var/run ] || { mkdir -p /var && ln -s /run /var/run; }
	mount -t hugetlbfs hugetlbfs /dev/hugepages
	echo 128 >/proc/sys/vm/nr_hugepages
}

# As it was: nothing may be left that uses a module or holds a card.
restore() {
	for each in "$wire0" "$wire1" "$lan"; do
		leave "$each"
		echo >"/sys/bus/pci/devices/$each/driver_override"
	done
	umount /dev/hugepages
}

main() {
	wire0=$(card 10) wire1=$(card 11) lan=$(card 12)
	modprobe -r mock_iommu
	prepare
	modprobe vfio-pci
	modprobe vfio_iommu_type1
	try_clients type1
	modprobe vfio_iommu_faultq type1=1
	try_clients faultq
	check "nothing was refused" not_refused
	modprobe e1000e
	check "the cards go back to their driver" give e1000e "$wire0" "$wire1" "$lan"
	check "and get an address there" get_lease
	check "no page is pinned any more" no_pins
	restore
	check "the backend unloads" rmmod vfio_iommu_faultq
	echo "1..$tests"
}

main
