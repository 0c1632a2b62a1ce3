# SPDX-License-Identifier: LGPL-2.1-or-later
# packages.sh: which Debian packages each level of './dev setup' needs (sourced)
# shellcheck shell=sh disable=SC2034

# Compiling and the unit tests.
packages_build='gcc libc6-dev meson ninja-build pkg-config gettext python3
  libglib2.0-dev libxml2-dev libyajl-dev libzstd-dev libxxhash-dev libssh2-1-dev'

# A libvirt whose images are read, and which restores ours.  None of these brings a service with it:
# the units of libvirt are in libvirt-daemon-system.
packages_libvirt='libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients'

# Clients of stasisd besides virsh.
packages_clients='python3-libvirt'

# Another host: the tests run an sshd of their own on loopback.  The one that comes with
# openssh-server is neither started nor enabled (hold-sshd.sh).
packages_ssh='openssh-server openssh-client netcat-openbsd'

# The whole test run: guests, sanitizers, lint.  The emulator stands apart
# (setup-qemu.sh), since Debian 12 takes it from its backports suite.  libnuma1, libudev1 and
# liburing2 are what the guest agent in the test guest needs besides GLib (build-guest.sh).
packages_test='git dpkg-dev qemu-utils seabios ovmf busybox-static cpio kmod xz-utils bzip2 lz4 lzop zstd virtinst e2fsprogs
  libnuma1 libudev1 liburing2
  valgrind clang clang-format codespell gcovr pyflakes3 shellcheck debootstrap '"$packages_libvirt $packages_clients $packages_ssh"
packages_qemu='qemu-system-x86 qemu-utils'

# The peers of bench/.
packages_bench=$packages_libvirt
