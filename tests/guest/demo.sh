#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The demonstration, run in the guest: a mock device does DMA, `faultq pager` gives it
# memory when it asks, and the data is compared on both sides. Whatever it prints was
# checked; the last line is "demo: ok" only if all of it held.

set -eu

mock=/sys/kernel/config/mock-iommu/demo
card=$mock/card			# asks for pages that are missing (PCIe PRI)
plain=$mock/plain		# cannot ask: its faults are unrecoverable
memory=/dev/shm/vm.mem		# the file that the pager gives pages of
base=0x100000			# I/O address of its first byte
pager=
answered=3			# groups that are to be answered success, and pages for them
pages=5
patience=60			# seconds until the pager's silence is a failure

say() { printf '%s\n' "$*"; }

fail() {
	trap - EXIT
	clean_up
	say "demo: FAILED: $*"
	exit 1
}

clean_up() {
	[ -z "$pager" ] || kill "$pager" 2>/dev/null || true
	rmdir "$card" "$plain" "$mock" 2>/dev/null || true
}

# same WHAT IT-IS IT-SHOULD-BE
same() {
	[ "$2" = "$3" ] || fail "$1: '$2' instead of '$3'"
}

# delivers KIND: whether this kernel does
delivers() { faultq info | grep -q "^  yes  $1 "; }

make_device() {
	mkdir "$1"
	echo "$2" >"$1/mode"
	echo 8 >"$1/pasid_bits"
	echo 1 >"$1/live"
}

make_devices() {
	mkdir "$mock"
	echo 1 >"$mock/live"
	make_device "$card" pri
	make_device "$plain" none
}

# The pager's lines come through a pipe and are read one by one, so that the script is
# never ahead of it.
start_pager() {
	mkfifo lines ready
	faultq pager -v --memory "$memory" --base "$base" --size 1M --ready-fd 3 \
		platform/mock-demo-card platform/mock-demo-plain >lines 2>&1 3>ready &
	pager=$!
	exec 4<lines
	read -r word <ready || word="nothing"
	hear "mock-demo-card: attached"
	hear "mock-demo-plain: attached"
	same "what the pager says when it is ready" "$word" ready
}

# hear PATTERN: the pager's next line, which must match
hear() {
	# shellcheck disable=SC3045 # busybox knows -t
	read -r -t "$patience" line <&4 || fail "the pager said nothing instead of '$1'"
	say "    pager:  $line"
	# shellcheck disable=SC2254 # a pattern it is
	case $line in
	*$1*) ;;
	*) fail "the pager did not say '$1'" ;;
	esac
}

# Where an I/O address is in the memory file.
offset() { echo $(($1 - base)); }

get_memory() { dd if="$memory" bs=1 skip="$(offset "$1")" count="$2" 2>/dev/null; }

put_memory() { printf '%s' "$2" | dd of="$memory" bs=1 seek="$(offset "$1")" conv=notrunc 2>/dev/null; }

# field FILE NAME: what an attribute of the mock says about it
field() { sed -n "s/^$2 //p" "$1"; }

# start DEVICE LINE: let it do a DMA
start() {
	say "    device: $2"
	printf '%s\n' "$2" >"$1/dma"
}

# ended DEVICE STATUS: its DMA ends like that. The attribute cannot be waited for.
ended() {
	tries=100000
	while [ "$(field "$1/dma" status)" = waiting ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "the DMA did not end"
	done
	say "    device: DMA ended: $(field "$1/dma" status), $(field "$1/dma" "done") bytes moved"
	same "how the DMA ended" "$(field "$1/dma" status)" "$2"
}

# memory_holds IOVA TEXT
memory_holds() {
	same "the memory at $1" "$(get_memory "$1" "${#2}")" "$2"
	say "    memory: at $1 there is now '$2'"
}

one_page() {
	text="Hello from the device."
	say
	say "1. The device writes where nothing is mapped. It asks for the page; the pager maps"
	say "   one and answers 'success'; the device goes on, and its data is in the memory."
	start "$card" "write 0x100000 $text"
	hear "page request (w) at 0x100000, group *: answered success"
	ended "$card" "done"
	memory_holds 0x100000 "$text"
}

other_direction() {
	text="Hello from the VM."
	say
	say "2. The other way round: the device reads what was put into the memory."
	put_memory 0x101000 "$text"
	start "$card" "read 0x101000 ${#text}"
	hear "page request (r) at 0x101000, group *: answered success"
	ended "$card" "done"
	same "what the device read" "$(field "$card/dma" data)" "$text"
	say "    device: has read '$text'"
}

group_of_three() {
	text="One group, three pages, and a single answer to them."
	length=$((${#text} * 100))
	say
	say "3. A longer write, over three pages. The device asks for all three at once, in a"
	say "   group, which gets one answer."
	start "$card" "write 0x102f00 $text times=100"
	hear "page request (w) at 0x102000, group *, more to come"
	hear "page request (w) at 0x103000, group *, more to come"
	hear "page request (w) at 0x104000, group *: answered success"
	ended "$card" "done"
	get_memory 0x102f00 "$length" >got
	yes "$text" | head -n 100 | tr -d '\n' | cmp - got || fail "the memory at 0x102f00"
	say "    memory: from 0x102f00 on there are now $length bytes, 100 times '$text'"
}

with_pasid() {
	text="Hello from one process of the VM."
	say
	if ! delivers pasid-request; then
		say "4. (This kernel does not deliver page requests with a PASID.)"
		return
	fi
	say "4. The same with a PASID, which says for whom in the VM the device works."
	start "$card" "write 0x105000 $text pasid=5"
	hear "page request (w) at 0x105000, PASID 5, group *: answered success"
	ended "$card" "done"
	memory_holds 0x105000 "$text"
	answered=4
	pages=6
}

invalid() {
	say
	say "5. The device asks for a page that the VM does not have. The pager answers"
	say "   'invalid', and the access is aborted."
	start "$card" "write 0x900000 nobody should see this"
	hear "page request (w) at 0x900000, group *: answered invalid"
	ended "$card" invalid
}

unrecoverable() {
	reason=
	! delivers unrecoverable || reason=": not-mapped"
	say
	say "6. Another device of the VM cannot ask for pages. Its fault is unrecoverable: there"
	say "   is nothing to answer, but it arrives in the same queue${reason:+, with its reason}."
	start "$plain" "write 0x106000 nobody should see this"
	hear "mock-demo-plain: unrecoverable fault (w) at 0x106000$reason"
	ended "$plain" fault
}

summary() {
	say
	say "At the end the pager says what it did, and the device that all was answered."
	kill "$pager"
	wait "$pager" || fail "the pager ended with status $?"
	pager=
	hear "page request groups: $answered answered success, 1 answered invalid, 0 answered too late"
	hear "unrecoverable faults: 1"
	hear "memory given: $pages pages"
	same "page requests without an answer" "$(field "$mock/state" unanswered)" 0
	same "answers without a page request" "$(field "$card/state" unmatched)" 0
	say "    device: $(field "$card/state" requests) page requests, $(field "$card/state" answered) answers, none missing"
}

say "What this kernel ($(uname -r)) can do:"
faultq info
trap 'fail "a command failed"' EXIT
make_devices
start_pager
one_page
other_direction
group_of_three
with_pasid
invalid
unrecoverable
summary
trap - EXIT
clean_up
[ ! -e "$mock" ] || fail "the devices do not go away"
say
say "demo: ok"
