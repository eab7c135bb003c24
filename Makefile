# SPDX-License-Identifier: GPL-2.0-only
# iommu-faultq: everything starts here; `make help` lists it.
#
#   make demo                the main job in a guest, on a fresh machine, from nothing
#   make check               every test, small counts, on every stock lane
#   make check LANE=debug-6.1 T='ring*'
#   make soak LANE=...       the full counts
#   make                     the modules (KDIR or KVER chooses the kernel), library, command
#   sudo make install        library, command, headers, man pages, group, udev rule; `make uninstall` undoes it
#   sudo make dkms           build, install and remove through DKMS, as an administrator would
#   sudo make dkms-guests    the same in whole Debian systems, and upgrades, with guests that load the modules
#   make bench               what a fault and a mapping cost, in instructions, beside VFIO type1 and iommufd
#   make bench-check         the same, compared with the figures that are kept
#   make vfio-clients        Debian's dpdk-testpmd and QEMU on the VFIO backend, in guests

KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
LANE	?=
SYSTEM	?=
T	?= *
PREFIX	?= /usr/local
DESTDIR	?=
export LANE T PREFIX DESTDIR

.PHONY: all modules lib tools demo check soak bench bench-check lanes lint install uninstall dkms dkms-guests vfio-clients clean help

all: modules tools

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

lib:
	$(MAKE) -C lib

tools: lib
	$(MAKE) -C tools

demo:
	@scripts/demo

check:
	@scripts/check quick

soak:
	@scripts/check soak

bench:
	@scripts/bench

bench-check:
	@scripts/bench check

lanes:
	@scripts/lanes

lint:
	@scripts/lint

install: tools
	$(MAKE) -C lib install
	$(MAKE) -C tools install

uninstall:
	$(MAKE) -C lib uninstall
	$(MAKE) -C tools uninstall

dkms:
	@scripts/dkms-test

dkms-guests:
	@scripts/dkms-guests $(SYSTEM)

vfio-clients:
	@scripts/vfio-clients

clean:
	rm -rf build
	[ ! -e $(KDIR) ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	$(MAKE) -C lib clean
	$(MAKE) -C tools clean

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile
