#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-build.sh: compile into build/, or into the folder named first with meson's options after it
#
# Fault points are for the tests, which these builds are made for; what is installed, and the
# bench build, are without (-Dfaults=false).
set -eu

cd "$(dirname "$0")/.."
scripts/dev-setup.sh build

folder=${1:-build}
[ $# = 0 ] || shift
[ -e "$folder/build.ninja" ] || meson setup "$folder" -Dfaults=true "$@"
ninja -C "$folder"
