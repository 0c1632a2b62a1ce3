#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kvm-works.sh: prints `kvm` if the test guest ticks under KVM here, else `tcg`
#
# A device node proves nothing: nested machines exist that accept /dev/kvm and
# then hang every Linux.  So the guest is booted, for at most 8 s, and the
# answer, which is the host's and no emulator's, is kept in build/guest/.
set -eu

cd "$(dirname "$0")/.."
qemu=${1:-qemu-system-x86_64}
answer=build/guest/accel

if [ ! -e $answer ]; then
  accel=tcg
  if [ -w /dev/kvm ]; then
    scripts/build-guest.sh >&2
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    timeout -k 1 8 "$qemu" -machine q35,accel=kvm -cpu host -m 256 -nodefaults -display none \
      -kernel build/guest/vmlinuz -initrd build/guest/initrd -append "$(cat build/guest/cmdline)" \
      -chardev "file,id=s,path=$work/serial" -serial chardev:s -no-reboot >/dev/null 2>&1 &
    pid=$!
    for _ in $(seq 80); do
      if grep -q '^tick 3 ' "$work/serial" 2>/dev/null; then accel=kvm; break; fi
      kill -0 $pid 2>/dev/null || break
      sleep 0.1
    done
    kill $pid 2>/dev/null || true
    wait $pid || true
  fi
  echo $accel >$answer
fi
cat $answer
