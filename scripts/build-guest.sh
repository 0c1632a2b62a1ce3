#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# build-guest.sh: make the test guest in build/guest/: vmlinuz, vmlinux, initrd,
# initrd-qga, cmdline, boot-sector.img
#
# The kernel is Debian's cloud kernel, downloaded and unpacked, not installed;
# vmlinux is the same one decompressed, which saves each guest doing it.
# The initial RAM disk holds busybox, the agent and the few modules that a
# virtual machine wants; it comes out the same from the same inputs.
# initrd-qga is what a guest with QEMU's guest agent has besides: the agent with
# its libraries, downloaded too, and ext4.  It is appended to initrd.
set -eu

cd "$(dirname "$0")/.."
source=$PWD/tests/guest
guest=$PWD/build/guest
mkdir -p "$guest"

# virtio, disks, the power button, pvpanic; what depends on what is asked of depmod.
modules='virtio_pci virtio_console virtio_blk virtio_net virtio_scsi virtio_balloon virtio-rng
  sd_mod ata_piix ahci button evdev pvpanic-pci pvpanic-mmio'

fetch_kernel () {
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
  if [ -z "$package" ]; then
    echo "guest: apt knows no linux-image-cloud-amd64" >&2
    return 1
  fi
  echo "guest: unpacking $package"
  rm -rf "$guest/kernel"
  mkdir -p "$guest/kernel"
  (cd "$guest/kernel" && apt-get -q -o APT::Sandbox::User=root download "$package" >/dev/null &&
    dpkg-deb -x "$package"_*.deb . && rm -f ./*.deb)
}

fetch_qga () {
  echo "guest: unpacking qemu-guest-agent"
  rm -rf "$guest/qga"
  mkdir -p "$guest/qga"
  (cd "$guest/qga" && apt-get -q -o APT::Sandbox::User=root download qemu-guest-agent >/dev/null &&
    dpkg-deb -x qemu-guest-agent_*.deb . && rm -f ./*.deb)
}

# The files of the modules $3..., each after those it needs.
module_order () {
  folder=$1 release=$2
  shift 2
  for module; do
    modprobe -d "$folder" -S "$release" --show-depends "$module" 2>/dev/null | awk '/^insmod/ { print $2 }'
  done | awk '!seen[$0]++'
}

# copy_modules FOLDER LIST MODULE...: into FOLDER of the root, by their names in LIST.
copy_modules () {
  to=$1 list=$2
  shift 2
  # Debian 13 has its modules below /usr/lib.
  if [ ! -e "$guest/kernel/lib" ]; then
    ln -s usr/lib "$guest/kernel/lib"
  fi
  version=$(ls "$guest/kernel/lib/modules")
  depmod -b "$guest/kernel" "$version" 2>/dev/null
  mkdir -p "$root$to"
  : >"$root$list"
  module_order "$guest/kernel" "$version" "$@" | while read -r file; do
    name=$(basename "$file")
    case $name in
      *.xz) xz -dc "$file" >"$root$to/${name%.xz}"; name=${name%.xz} ;;
      *) cp "$file" "$root$to/$name" ;;
    esac
    echo "$to/$name" >>"$root$list"
  done
}

# pack NAME: the root becomes that archive.
pack () {
  find "$root" -exec touch -h -d @0 {} +
  (cd "$root" && find . | LC_ALL=C sort | cpio --quiet --reproducible -R 0:0 -H newc -o) >"$guest/$1.new"
  mv "$guest/$1.new" "$guest/$1"
  rm -rf "$root"
}

make_initrd () {
  root=$guest/root
  rm -rf "$root"
  mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in sh mount ip udhcpc sed grep cat dd sync dmesg ls; do
    ln -s busybox "$root/bin/$applet"
  done
  cp "$source/init" "$source/dhcp" "$root/"
  gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wno-unused-parameter -static -pthread -s \
    -o "$root/agent" "$source/agent.c" "$source/memory.c"
  # shellcheck disable=SC2086
  copy_modules /lib /modules $modules
  pack initrd
}

# The libraries are those of this host, which is of the agent's release.
make_initrd_qga () {
  root=$guest/root
  rm -rf "$root"
  mkdir -p "$root/qga"
  cp "$guest/qga/usr/sbin/qemu-ga" "$source/qga-start" "$root/qga/"
  for library in $(ldd "$root/qga/qemu-ga" | grep -o '/[^ ]*'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  if ldd "$root/qga/qemu-ga" | grep 'not found' >&2; then
    return 1
  fi
  copy_modules /qga /qga/modules ext4
  pack initrd-qga
}

# A raw disk of 1 MiB that starts with the boot sector.
make_boot_sector () {
  gcc -m32 -c -o "$guest/boot-sector.o" "$source/boot-sector.S"
  ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$guest/boot-sector.img" "$guest/boot-sector.o"
  truncate -s 1M "$guest/boot-sector.img"
  rm "$guest/boot-sector.o"
}

key=$(cat "$source"/* scripts/build-guest.sh scripts/unpack-kernel.py | sha256sum | cut -d ' ' -f 1)
if [ -e "$guest/.key" ] && [ "$(cat "$guest/.key")" = "$key" ]; then
  exit 0
fi
[ -e "$guest/kernel/boot" ] || fetch_kernel
cp "$guest"/kernel/boot/vmlinuz-* "$guest/vmlinuz"
# QEMU starts either; the packed one boots a second later.
scripts/unpack-kernel.py "$guest/vmlinuz" "$guest/vmlinux" || cp "$guest/vmlinuz" "$guest/vmlinux"
cp "$source/cmdline" "$guest/cmdline"
make_initrd
[ -e "$guest/qga/usr" ] || fetch_qga
make_initrd_qga
make_boot_sector
chmod 644 "$guest"/vmlinuz "$guest"/vmlinux "$guest"/initrd "$guest"/initrd-qga "$guest"/boot-sector.img
echo "$key" >"$guest/.key"
