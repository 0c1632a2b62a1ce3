#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# systemd-machine.sh: do guests outlive logout and services under a real systemd, and does its
# shutdown save them?  Prints TAP.
#
# A minimal Debian of this machine's own release, with systemd, logind and sshd; over it lie the
# freshly installed Stasis and, below everything, this machine's /usr with the emulator.  Its
# systemd boots as process 1 of new namespaces in a cgroup of its own, and runs
# tests/systemd/logout-test.py as a service.  All that is written goes to a tmpfs of its mount
# namespace, but for what Stasis keeps and the last guest, which are looked at after the machine's
# shutdown.  The end of this script, whatever the way, ends the machine and removes its root.
# Needs root and cgroup2.
#
# STASIS_MACHINE_ROOT=FOLDER uses that root and leaves it there; arguments choose tests.
set -uo pipefail

# The first process of the namespaces: lay out the machine, then become its systemd.
if [ "${1:-}" = --inside ]; then
  set -e
  root=$2 work=$3 project=$4
  cd "$work"
  mount -t tmpfs -o mode=755 none machine
  mkdir machine/{changes,scratch,root}
  new=$work/machine/root
  mount -t overlay -o "lowerdir=$root,upperdir=machine/changes,workdir=machine/scratch" none "$new"
  mount -t overlay -o "ro,lowerdir=installed/usr:$root/usr:/usr" none "$new/usr"
  mkdir -p "$new"/srv/stasis/{tests,build/guest,out}
  mount -o bind,ro "$project/tests" "$new/srv/stasis/tests"
  mount -o bind,ro "$project/build/guest" "$new/srv/stasis/build/guest"
  mount -o bind out "$new/srv/stasis/out"
  mkdir -p "$new/var/lib/stasis"
  mount -o bind lib "$new/var/lib/stasis"
  cp logout-test.service "$new/etc/systemd/system/"
  mkdir -p "$new/etc/systemd/logind.conf.d" "$new/etc/systemd/system/multi-user.target.wants"
  printf '[Login]\nUserStopDelaySec=0\n' >"$new/etc/systemd/logind.conf.d/test.conf"
  ln -s ../logout-test.service "$new/etc/systemd/system/multi-user.target.wants/"

  mount -t tmpfs -o mode=755 none "$new/dev"
  for node in null zero full random urandom tty; do
    touch "$new/dev/$node"
    mount -o bind "/dev/$node" "$new/dev/$node"
  done
  mkdir "$new"/dev/{pts,shm}
  mount -t devpts -o newinstance,ptmxmode=666,mode=620 none "$new/dev/pts"
  ln -s pts/ptmx "$new/dev/ptmx"
  mount -t tmpfs -o mode=1777 none "$new/dev/shm"
  mount -t tmpfs -o mode=755 none "$new/run"
  # The kernel's settings are not the machine's own.
  mount -t proc proc "$new/proc"
  mount -o bind "$new/proc/sys" "$new/proc/sys"
  mount -o remount,bind,ro "$new/proc/sys"
  mount -t sysfs -o ro none "$new/sys"
  mount -t cgroup2 none "$new/sys/fs/cgroup"
  hostname machine

  mkdir "$new/run/old"
  cd "$new"
  pivot_root . run/old
  exec chroot . env -i container=stasis PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -ec '
    ip link set lo up || ifconfig lo up
    ldconfig -C /etc/ld.so.cache
    umount -l /run/old
    exec /lib/systemd/systemd --unit=multi-user.target'
fi

cd "$(dirname "$0")/.." || exit 1
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
  echo "1..0 # SKIP needs root and debootstrap (./dev setup)"
  exit 0
fi
cgroups=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
if [ -z "$cgroups" ] || [ ! -w "$cgroups" ]; then
  echo "1..0 # SKIP no cgroup2 here"
  exit 0
fi
# shellcheck source=scripts/debian-root.sh
. scripts/debian-root.sh

work=$(mktemp -d /var/tmp/stasis-machine-XXXXXX)
cgroup=$cgroups$(sed -n 's/^0:://p' /proc/self/cgroup)/$(basename "$work")
machine=

end_machine () {
  [ -z "$machine" ] || kill -KILL "$machine" 2>/dev/null # and with it all of the PID namespace
  { wait; } 2>/dev/null
  for _ in {1..100}; do
    grep -qs 'populated 1' "$cgroup/cgroup.events" || break
    sleep 0.1
  done
  [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} \;
  rm -rf --one-file-system "$work"
}
trap end_machine EXIT
trap 'exit 130' INT TERM HUP

fail () {
  echo "1..1"
  echo "not ok 1 - $1"
  tail -n 40 "$work/log" | sed 's/^/# /'
  exit 1
}

# What is installed below is what stands here.
{ scripts/dev-build.sh build && scripts/build-guest.sh; } >"$work/log" 2>&1 || fail 'build'
mkdir "$work"/{machine,out,lib}
chmod 700 "$work/lib"
root=${STASIS_MACHINE_ROOT:-$work/root}
if [ ! -e "$root/lib/systemd/systemd" ]; then
  make_debian "$debian_here" "$root" >"$work/log" 2>&1 \
    --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,openssh-server,iproute2,procps ||
    fail 'minimal root'
fi
DESTDIR=$work/installed meson install -C build --no-rebuild >"$work/log" 2>&1 || fail 'installation'
cat >"$work/logout-test.service" <<TEXT
[Unit]
After=multi-user.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
Environment=STASIS_BIN=/usr/local/bin/stasis PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/python3 /srv/stasis/tests/systemd/logout-test.py ${*@Q}
StandardOutput=append:/srv/stasis/out/tap
StandardError=append:/srv/stasis/out/tap
TEXT

mkdir "$cgroup" 2>"$work/log" || fail 'a cgroup'
(
  echo "$BASHPID" >"$cgroup/cgroup.procs"
  exec timeout -k 1 1800 setpriv --pdeathsig KILL \
    unshare --mount --pid --uts --ipc --cgroup --net --fork --kill-child \
      bash scripts/systemd-machine.sh --inside "$root" "$work" "$PWD"
) </dev/null >"$work/log" 2>&1 &
machine=$!
wait "$machine"
machine=
[ -s "$work/out/tap" ] || fail 'the machine boots'

# The guest that still ran was saved by the machine's own shutdown, and by nothing else.
planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$work/out/tap")
sed -i "s/^1\\.\\..*/1..$((planned + 1))/" "$work/out/tap"
if grep -qs '"saved"' "$work/lib/guests/last.json" &&
  STASIS_STATE_DIR=$work/own build/bin/stasis image verify "$work/lib/save/last.stasis" >"$work/log" 2>&1; then
  echo "ok $((planned + 1)) - the shutdown of the host saves its guests"
else
  sed 's/^/# /' "$work/log"
  echo "not ok $((planned + 1)) - the shutdown of the host saves its guests"
fi >>"$work/out/tap"
cat "$work/out/tap"
! grep -q '^not ok' "$work/out/tap"
