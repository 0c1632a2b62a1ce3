# SPDX-License-Identifier: LGPL-2.1-or-later
# hold-sshd.sh: openssh-server is installed for its program, not as a service of this machine (sourced)
# shellcheck shell=sh
#
# Its package enables ssh.service.  So that it does not stay so, whenever this
# is killed, the file in which Debian's units and init script of sshd see that
# they are not wanted is there before the package, and goes after the unit was
# disabled.  What is left by one that was killed is put right by the next one;
# an administrator's own file is let be.

held=/etc/ssh/sshd_not_to_be_run
held_by="Put here by './dev setup' of Stasis, which was killed; it takes this away when it is called again."

hold_sshd () {
  [ ! -e $held ] || return 0
  as_root mkdir -p "${held%/*}"
  echo "$held_by" | as_root tee $held >/dev/null
}

release_sshd () {
  [ "$(cat $held 2>/dev/null)" = "$held_by" ] || return 0
  if command -v systemctl >/dev/null; then
    set -- systemctl disable ssh.service
  else
    set -- update-rc.d ssh disable
  fi
  if as_root "$@"; then
    as_root rm -f $held
  else
    echo "setup: ssh.service stays enabled, and is kept from starting by $held" >&2
  fi
}
