#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# make-expected.sh: let libvirt define samples, in a private folder, and keep what it prints
#
#   make-expected.sh SAMPLE.xml ...
#
# Needs virsh with the QEMU driver (no daemon is used) and the user "libvirt-qemu".  Beside each
# sample that libvirt accepts, SAMPLE.expected.xml is written.
set -eu

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/etc"
printf 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\n' > "$root/etc/qemu.conf"

for sample; do
  expected=${sample%.xml}.expected.xml
  name=$(sed -n 's/.*<name>\([^<]*\)<.*/\1/p' "$sample" | head -n 1)
  virsh -q -c "qemu:///embed?root=$root" \
    "define $(realpath "$sample"); dumpxml $name; undefine $name --nvram" 2> "$root/errors" |
    sed -n '/^<domain/,/^<\/domain>/p' > "$expected"
  if [ ! -s "$expected" ]; then
    rm "$expected"
    echo "$sample: $(grep '^error' "$root/errors" | sed -n 2p)" >&2
  fi
done
