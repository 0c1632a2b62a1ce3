#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# setup-qemu.sh: install the emulator; on Debian 12 from the backports suite
#
# Debian 12 itself has QEMU 7.2, which knows neither mapped-ram nor file: URIs.
# Its backports suite has 10.0.  Where that suite lies is derived from the apt
# entry that already serves bookworm (same address, same key), so mirrors and
# proxies are kept.  One file is added to /etc/apt and nothing is upgraded from
# it: apt gives backports priority 100, and only the emulator is asked from it.
# STASIS_QEMU=distro stays with 7.2.
set -eu

cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
# shellcheck source=scripts/apt.sh
. scripts/apt.sh

suite=bookworm-backports
added=/etc/apt/sources.list.d/stasis-backports.sources

# Release, codename, address and entry of each package index apt knows.
indexes () {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)|$(SOURCESENTRY)' \
    'Created-By: Packages'
}

# The Signed-By of an entry FILE:NUMBER.  In a .sources file the number counts
# stanzas, in a .list file lines; a key may be a whole block of lines.
signed_by () {
  file=${1%:*}
  number=${1##*:}
  case $file in
    *.sources)
      awk -v want="$number" '
        /^[ \t]*$/ { if (seen) { count++; seen = 0 } on = 0; next }
        /^#/ { next }
        { seen = 1 }
        count + 1 != want { next }
        /^[^ \t]/ { on = tolower ($0) ~ /^signed-by:/ }
        on { print }' "$file" ;;
    *)
      sed -n "${number}s/.*signed-by=\\([^] ]*\\).*/Signed-By: \\1/p" "$file" ;;
  esac
}

add_backports () {
  if indexes | grep -q "^$suite|"; then
    return
  fi
  entry=$(indexes | awk -F '|' '$3 == "main" && ($1 == "bookworm" || $2 == "bookworm") { print; exit }')
  if [ -z "$entry" ]; then
    echo "setup: apt has no entry that serves bookworm main, so backports cannot be derived from it;" >&2
    echo "setup: STASIS_QEMU=distro uses Debian's own QEMU 7.2" >&2
    exit 1
  fi
  uri=$(echo "$entry" | cut -d '|' -f 4)
  echo "setup: adding $added: $suite from $uri (nothing else in apt is changed)"
  {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" $suite
    signed_by "$(echo "$entry" | cut -d '|' -f 5)"
  } | as_root tee $added >/dev/null
  apt_update
}

. /etc/os-release
if [ "${VERSION_ID:-}" != 12 ] || [ "${STASIS_QEMU:-}" = distro ]; then
  # shellcheck disable=SC2046,SC2086,SC2154
  set -- $(missing_packages $packages_qemu)
  [ $# = 0 ] || apt_install "$@"
  exit 0
fi

case $(dpkg-query -W -f '${db:Status-Status} ${Version}' qemu-system-x86 2>/dev/null) in
  'installed '*~bpo12*) exit 0 ;;
esac
# The address in the entry needs the lists of bookworm for its codename.
[ -n "$(indexes | cut -d '|' -f 2 | grep -v '^\$' | head -n 1)" ] || apt_update
add_backports
echo "setup: installing the emulator from $suite"
# shellcheck disable=SC2086
apt_install -t $suite $packages_qemu
