# SPDX-License-Identifier: LGPL-2.1-or-later
# debian-root.sh: make minimal Debian roots the way this machine's own apt gets its packages (sourced)
#
# Mirror, key and proxy are those of this machine.
# shellcheck shell=bash

debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Field $2 of the first index that serves suite $1 of this machine's release.
from_apt () {
  apt-get indextargets --format "\$(CODENAME)|\$(COMPONENT)|\$($2)" 'Created-By: Packages' |
    awk -F '|' -v suite="$1" '$1 == suite && $2 == "main" { print $3; exit }'
}

debian_here=$(. /etc/os-release && echo "$VERSION_CODENAME")
debian_mirror=$(from_apt "$debian_here" REPO_URI)

# make_debian SUITE FOLDER [OPTION...]: the options are debootstrap's
make_debian () {
  local suite=$1 root=$2
  shift 2
  debootstrap --variant=minbase --keyring=$debian_keyring "$@" "$suite" "$root" "$debian_mirror"
}
