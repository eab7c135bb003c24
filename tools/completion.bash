# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of the faultq command: its subcommands, the options that --help lists
# and, behind the commands that take devices, the names of devices behind an IOMMU.

_faultq_devices() {
	local device
	for device in /sys/bus/{pci,platform}/devices/*/iommu_group; do
		[[ -e $device ]] || continue
		device=${device%/iommu_group}
		device=${device#/sys/bus/}
		echo "${device/devices\//}"
	done
}

_faultq() {
	local word=${COMP_WORDS[COMP_CWORD]}
	local command=${COMP_WORDS[1]}

	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "info stats top limits show monitor pager held release" -- "$word")
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --vfio ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(cd /sys/bus/pci/drivers/vfio-pci 2>/dev/null && echo *:*)" -- "$word")
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(faultq "$command" --help 2>/dev/null |
			grep -o -- '--[a-z-]*')" -- "$word")
	elif [[ $command == @(monitor|pager|release) ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_faultq_devices)" -- "$word")
	fi
}

complete -o default -F _faultq faultq
