#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bare-machines.sh: does the project build on a Debian with nothing on it?  Prints TAP.
#
# For Debian 12 and 13: a minimal debootstrap root, the committed tree cloned
# into it, ./dev build, the unit tests, the whole ./dev setup, and the interop
# matrix with that Debian's libvirt (9.0 and 11.3), whose virsh and python3 also drive stasisd.  Nothing is installed by
# hand, so a step missing from the set-up fails here.  The roots are
# mounted in a namespace of their own and every way out removes them.  Needs root.
#
# Usage: bare-machines.sh [SUITE...]
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
suites=("$@")
((${#suites[@]})) || suites=(bookworm trixie)
steps=('minimal root' './dev build' 'unit tests' './dev setup' 'interop with libvirt' 'stasisd')

# shellcheck source=scripts/debian-root.sh
. scripts/debian-root.sh

if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
  echo "1..0 # SKIP needs root and debootstrap (./dev setup)"
  exit 0
fi
security=$(from_apt "$debian_here-security" REPO_URI)

work=$(mktemp -d /var/tmp/stasis-bare-XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM HUP
number=0
failed=0
echo "1..$((${#suites[@]} * ${#steps[@]}))"

# report OK NAME LOG
report () {
  number=$((number + 1))
  if [ "$1" = 0 ]; then
    echo "ok $number - $2"
  else
    failed=1
    echo "not ok $number - $2"
    tail -n 200 "$3" | sed 's/^/# /'
  fi
}

# How this machine's apt reaches its mirror: proxies, certificates, dates.
copy_apt_ways () {
  apt-config dump | grep -E '^Acquire::(http|https|ftp|socks|Check-Date|Check-Valid-Until|Max-Future)[: ]' \
    >"$1/etc/apt/apt.conf.d/90host"
  cp /etc/resolv.conf /etc/hosts "$1/etc/" 2>/dev/null
  if [[ $debian_mirror == https:* ]]; then
    mkdir -p "$1/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
  fi
}

make_root () {
  local suite=$1 root=$2
  make_debian "$suite" "$root" || return
  {
    echo "deb [signed-by=$debian_keyring] $debian_mirror $suite main"
    echo "deb [signed-by=$debian_keyring] $debian_mirror $suite-updates main"
    [ -z "$security" ] || echo "deb [signed-by=$debian_keyring] $security $suite-security main"
  } >"$root/etc/apt/sources.list"
  copy_apt_ways "$root"
  git clone -q --no-hardlinks . "$root/srv/stasis"
}

# Run a command in the clone; mounts and processes end with the namespaces.
inside () {
  local root=$1
  shift
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child sh -c '
    root=$1
    shift
    # A mount point, so that there can be mount namespaces inside.
    mount --bind "$root" "$root" || exit 1
    mount -t proc proc "$root/proc" || exit 1
    for folder in /dev /sys; do mount --rbind "$folder" "$root$folder" || exit 1; done
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 CI=true \
      ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
      sh -c "cd /srv/stasis && exec \"\$@\"" sh "$@"' sh "$root" "$@" </dev/null
}

for suite in "${suites[@]}"; do
  root=$work/$suite
  log=$work/$suite.log
  make_root "$suite" "$root" >"$log" 2>&1
  report $? "$suite: ${steps[0]}" "$log"
  inside "$root" ./dev build >"$log" 2>&1
  report $? "$suite: ${steps[1]}" "$log"
  inside "$root" ./dev test --suite unit >"$log" 2>&1
  report $? "$suite: ${steps[2]}" "$log"
  echo "# $(tail -n 1 "$log")"
  inside "$root" ./dev setup >"$log" 2>&1
  report $? "$suite: ${steps[3]}" "$log"
  inside "$root" ./dev test --qemu 10 integration/interop >"$log" 2>&1
  report $? "$suite: ${steps[4]}" "$log"
  grep -hE '^# (libvirt|kind)' "$root"/srv/stasis/build/meson-logs/testlog*.txt
  inside "$root" ./dev test --qemu 10 interop/compare interop/events interop/python interop/ssh interop/virsh >"$log" 2>&1
  report $? "$suite: ${steps[5]} with virsh $(inside "$root" virsh --version)" "$log"
  rm -rf --one-file-system "$root"
done
exit $failed
