#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# thread-sanitizer.sh: run tests of the daemon under ThreadSanitizer
#
# GLib's locks are futexes of its own, of which ThreadSanitizer sees nothing: with Debian's library
# it reports every datum that they guard.  So GLib is built once more with the sanitizer, from the
# source of the very version that is installed, and our programs alone are linked to that.
# Arguments are those of './dev test'; without any, the tests of the daemon.
set -euo pipefail

cd "$(dirname "$0")/.."
scripts/dev-setup.sh test
version=$(dpkg-query -W -f '${source:Version}' libglib2.0-dev)
top=$PWD/build/glib-tsan
libraries=$top/installed/lib

# apt's own entries, read as entries of sources: same address, same key.
source_entries () {
  mkdir -p "$top/apt/parts" "$top/apt/lists/partial"
  sed 's/^deb /deb-src /' /etc/apt/sources.list >"$top/apt/sources.list" 2>/dev/null || : >"$top/apt/sources.list"
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$top/apt/parts/${file##*/}"
  done
  for file in /etc/apt/sources.list.d/*.list; do
    [ ! -e "$file" ] || sed 's/^deb /deb-src /' "$file" >"$top/apt/parts/${file##*/}"
  done
}

# A question or a download from these entries, with lists of its own: the system's stay as they are.
apt_source () {
  apt-get -q -o "Dir::Etc::SourceList=$top/apt/sources.list" -o "Dir::Etc::SourceParts=$top/apt/parts" \
    -o "Dir::State::Lists=$top/apt/lists" -o "Dir::Cache=$top/apt" -o APT::Sandbox::User=root "$@"
}

build_glib () {
  echo "thread-sanitizer: building GLib $version"
  rm -rf "$top"
  source_entries
  apt_source update
  (cd "$top" && apt_source source --download-only "glib2.0=$version" && dpkg-source -x glib2.0_*.dsc source)
  # shellcheck disable=SC2086
  CFLAGS='-g1 -Wno-tsan' meson setup "$top/build" "$top/source" $sanitize --prefix="$top/installed" --libdir=lib \
    -Dtests=false -Dselinux=disabled -Dlibmount=disabled -Dnls=disabled
  ninja -C "$top/build" install
  rm -rf "$top/build" "$top/source" "$top/apt"
  echo "$version" >"$top/complete"
}

sanitize='-Db_sanitize=thread -Db_lundef=false -Doptimization=1'
[ "$(cat "$top/complete" 2>/dev/null)" = "$version" ] || build_glib
# An old-style run path serves the libraries that a program's libraries want, too.
export STASIS_TEST_BUILD=build-tsan
export STASIS_TEST_OPTIONS="$sanitize -Ddebug=false -Dc_args=-g1 -Dc_link_args=-Wl,--disable-new-dtags,-rpath,$libraries"
# A daemon that is told twice to end leaves the threads of its calls alone.
export TSAN_OPTIONS=halt_on_error=1:exitcode=66:second_deadlock_stack=1:report_thread_leaks=0:suppressions=$PWD/tests/thread-sanitizer.supp
export G_SLICE=always-malloc # its own allocator looks at sizes and counts of other threads by intent
(($#)) || set -- --qemu 10 interop/client interop/client-convert interop/client-stream interop/daemon interop/events interop/fds interop/hostile interop/missed interop/own interop/picture interop/python interop/readers interop/stream interop/virsh
exec ./dev test "$@"
