# shellcheck shell=bash disable=SC2154 # lib.sh sets the names of places
# SPDX-License-Identifier: GPL-2.0-only
#
# archive.sh: packages of other Debian releases and architectures than the machine's own; to be sourced after
# lib.sh. It owns the private apt directories CACHE/apt/CODENAME-ARCH: lists, sources and configuration of their
# own, which know of no installed package. Nothing in the machine's own apt configuration or dpkg database
# changes, and neither root nor a mount is needed.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

machine_codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# Debian's archives as the machine's own apt knows them, one a line: URI RELEASE, such as bookworm-security.
machine_archives() {
	# shellcheck disable=SC2016 # apt's variables
	env -u APT_CONFIG apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
		"Created-By: Packages" "Origin: Debian" "Component: main" | sort -u
}

# The same archives for the release CODENAME, and its backports.
write_sources() {
	local codename=$1 arch=$2 own uri release base=
	own=$(machine_codename)
	while read -r uri release; do
		[ "$release" != "$own" ] || base=$uri
		case $release in
		"$own-backports") continue ;;
		"$own" | "$own"-*) ;;
		*) continue ;;
		esac
		echo "deb [target=Packages arch=$arch signed-by=$keyring] $uri $codename${release#"$own"} main"
	done < <(machine_archives)
	[ -n "$base" ] || die "apt has no lists of Debian's $own: run 'apt-get update'"
	echo "deb [target=Packages arch=$arch signed-by=$keyring] $base $codename-backports main"
}

# A candidate comes from RELEASE, a name or an expression, if that has the package. The machine's own configuration
# still applies (proxies).
write_configuration() {
	local dir=$1 arch=$2 release=$3
	cat <<-EOF_CONF
		Dir::State "$dir/state";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Dir::Etc::SourceList "$dir/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		Dir::Etc::Trusted "/dev/null";
		Dir::Etc::TrustedParts "/dev/null";
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Default-Release "$release";
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		Acquire::Retries "3";
		Debug::NoLocking "true";
	EOF_CONF
}

# Fetches the package lists into DIR, which appears only when it is whole.
create_archive() {
	local dir=$1 codename=$2 arch=$3 release
	rm -rf "$dir"
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	write_sources "$codename" "$arch" >"$dir/sources.list"
	write_configuration "$dir" "$arch" "/^$codename(|-updates|-security)$/" >"$dir/$codename.conf"
	write_configuration "$dir" "$arch" "$codename-backports" >"$dir/$codename-backports.conf"
	say "fetching the package lists of $codename for $arch"
	APT_CONFIG=$dir/$codename.conf apt-get -qq update >&2 ||
		die "cannot fetch the package lists of $codename for $arch"
	touch "$dir/.complete"
}

# From here on apt-get and apt-cache speak of the release SUITE for ARCH: of the machine's own lists if that is
# what the machine runs, else of private ones.
use_archive() {
	if [ "$1" = "$(machine_codename)" ] && [ "$2" = "$(dpkg --print-architecture)" ]; then
		archive_name="$1 for $2"
		archive_refresh="run 'apt-get update'"
		unset APT_CONFIG
		return
	fi
	use_private_archive "$@"
}

# The same, but always of private lists, which are fetched if they are not there.
use_private_archive() {
	local suite=$1 arch=$2 codename=${1%-backports} dir
	archive_name="$suite for $arch"
	dir=$cache/apt/$codename-$arch
	archive_refresh="remove $dir"
	mkdir -p "$cache/apt"
	exec 7>"$cache/apt/.lock"
	flock 7
	[ -e "$dir/.complete" ] || create_archive "$dir" "$codename" "$arch"
	exec 7>&-
	export APT_CONFIG=$dir/$suite.conf
}

# The candidate of PACKAGE, or the end.
required_candidate() {
	local version
	version=$(candidate "$1")
	[ -n "$version" ] || die "there is no package $1 in $archive_name; if the lists are old, $archive_refresh and try again"
	echo "$version"
}

# What PACKAGE=VERSION depends on, one name a line; of alternatives the first.
dependencies() {
	apt-cache show "$1" | sed -n 's/^Depends: //p' | head -n 1 | tr ',' '\n' | sed 's/^ *//; s/[ :].*//'
}

# What PACKAGE=VERSION, which has nothing in it, leads to: the first that it depends on whose name begins with PREFIX.
led_to() {
	dependencies "$1" | grep -m 1 "^$2" || die "$1 leads to no $2*"
}

# Downloads NAME=VERSION... into DIR.
download() {
	local dir=$1
	shift
	say "downloading $*"
	(cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" >&2) ||
		die "cannot download $*: if $archive_name has moved on to newer versions, $archive_refresh and try again"
}

# PACKAGE... and all that they depend on, as NAME=VERSION, one a line; in an archive that knows no installed package.
closure() {
	apt-get -qq install --no-install-recommends --simulate "$@" |
		sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*/\1=\2/p' | sort
}
