#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# setup-qemu-7.2.sh: unpack Debian 12's own QEMU beside the build, not installed
#
# The compatibility tests run on it.  QEMU finds its firmware and modules
# relative to its own program file, so the packages are unpacked as they are
# into build/qemu-7.2/.  Libraries that this machine lacks are unpacked too, and
# only then is the program a wrapper that names them.
set -eu

cd "$(dirname "$0")/.."
. /etc/os-release
if [ "${VERSION_ID:-}" != 12 ]; then
  echo "setup: no QEMU 7.2 on this release: the tests run on the installed QEMU alone"
  exit 0
fi
case $(dpkg-query -W -f '${Version}' qemu-system-x86 2>/dev/null) in
  *~bpo12*) ;;
  *) exit 0 ;; # the installed one is 7.2
esac

top=$PWD/build/qemu-7.2
done=$top/.complete
[ ! -e "$done" ] || exit 0
echo "setup: unpacking QEMU 7.2 into build/qemu-7.2"
rm -rf "$top"
mkdir -p "$top/download"
cd "$top/download"
chmod 755 "$top" "$top/download"

# The newest version of a package that is not from backports.
stable_version () {
  apt-cache madison "$1" | awk -F ' *\\| *' '$2 !~ /~bpo/ { print $2; exit }'
}

# Download one package in Debian 12's version and unpack it.
unpack () {
  apt-get -q -o APT::Sandbox::User=root download "$1=$(stable_version "$1")" >/dev/null
  dpkg-deb -x "$1"_*.deb "$top"
}

missing_libraries () {
  LD_LIBRARY_PATH=$top/usr/lib/x86_64-linux-gnu ldd "$top/usr/bin/qemu-system-x86_64" |
    awk '/not found/ { print $1 }'
}

# What a downloaded package depends on, by name, alternatives left out.
depends () {
  dpkg-deb -f "$1"_*.deb Depends | tr ',' '\n' | sed 's/^ *//; s/[ |(:].*//'
}

for package in qemu-system-x86 qemu-system-common qemu-system-data seabios ipxe-qemu; do
  unpack $package
done

queue=$(depends qemu-system-x86)
while [ -n "$(missing_libraries)" ]; do
  next=
  for package in $queue; do
    case $package in lib*) ;; *) continue ;; esac
    if ! dpkg-query -W "$package" >/dev/null 2>&1 && [ -z "$(find . -name "${package}_*.deb")" ]; then
      unpack "$package"
      next="$next $(depends "$package")"
    fi
  done
  if [ -z "$next" ]; then
    echo "setup: QEMU 7.2 lacks libraries: $(missing_libraries)" >&2
    exit 1
  fi
  queue=$next
done

cd "$top"
if ldd usr/bin/qemu-system-x86_64 | grep -q 'not found'; then
  cat >qemu-system-x86_64 <<'WRAPPER'
#!/bin/sh
top=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$top/usr/lib/x86_64-linux-gnu"
exec "$top/usr/bin/qemu-system-x86_64" "$@"
WRAPPER
  chmod 755 qemu-system-x86_64
else
  ln -s usr/bin/qemu-system-x86_64 qemu-system-x86_64
fi
rm -rf download
./qemu-system-x86_64 -version | head -n 1 | grep 'version 7\.2'
touch "$done"
