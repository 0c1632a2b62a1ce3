# SPDX-License-Identifier: LGPL-2.1-or-later
# apt.sh: what the set-up scripts ask of dpkg and apt (sourced)
# shellcheck shell=sh

as_root () {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "setup: '$*' needs root: run './dev setup' as root or install sudo" >&2
    return 1
  fi
}

# The packages among the arguments that are not installed.
missing_packages () {
  for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      printf '%s ' "$package"
  done
}

apt_update () {
  echo "setup: apt-get update"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 update
}

# Nothing that we install may start a service.  An administrator's own
# policy-rc.d is left alone; ours is gone again on every way out.
policy=/usr/sbin/policy-rc.d
hold_services () {
  if [ ! -e $policy ]; then
    # shellcheck disable=SC2064
    trap "as_root rm -f $policy" EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
  fi
}

apt_install_now () {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
    -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" </dev/null
}

# Install packages and options; refresh apt's lists only if it does not know
# the packages or if what it knows is out of date.
apt_install () {
  hold_services
  apt_install_now "$@" || { apt_update && apt_install_now "$@"; }
}
