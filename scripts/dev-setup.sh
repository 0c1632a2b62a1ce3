#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-setup.sh: install what a level needs; quick when there is nothing to do
#
# A stamp in build/.stamps says that a level was set up by these very scripts
# on this very release.
set -eu

cd "$(dirname "$0")/.."
level=${1:-test}
case $level in
  build|test|bench) ;;
  --bench) level=bench ;;
  *) echo "usage: ./dev setup [build|test|bench]" >&2; exit 2 ;;
esac

if [ ! -e /etc/debian_version ] || ! command -v apt-get >/dev/null; then
  echo "setup: this is not Debian; install by hand what scripts/packages.sh names" >&2
  exit 1
fi

# shellcheck source=scripts/packages.sh
. scripts/packages.sh
# shellcheck source=scripts/apt.sh
. scripts/apt.sh
# shellcheck source=scripts/hold-sshd.sh
. scripts/hold-sshd.sh

key=$(cat scripts/dev-setup.sh scripts/packages.sh scripts/apt.sh scripts/hold-sshd.sh scripts/setup-qemu.sh \
  scripts/setup-qemu-7.2.sh /etc/os-release | sha256sum | cut -d ' ' -f 1)-${STASIS_QEMU:-default}

install_level () {
  # shellcheck disable=SC2046
  set -- $(missing_packages "$@")
  if [ $# != 0 ]; then
    echo "setup: installing $*"
    case " $* " in
      *' openssh-server '*) hold_sshd ;;
    esac
    apt_install "$@"
  fi
  release_sshd
}

setup_level () {
  stamp=build/.stamps/setup-$1
  if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then
    return
  fi

  # shellcheck disable=SC2086,SC2154
  case $1 in
    build) install_level $packages_build ;;
    test)
      scripts/setup-qemu.sh
      install_level $packages_test
      scripts/setup-qemu-7.2.sh ;;
    bench) install_level $packages_bench ;;
  esac
  mkdir -p build/.stamps
  echo "$key" >"$stamp"
}

setup_level build
[ "$level" = build ] || setup_level test
[ "$level" != bench ] || setup_level bench
