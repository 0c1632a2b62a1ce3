#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-demo.sh: set up, build, then run scripts/demo.sh
set -eu

cd "$(dirname "$0")/.."
if [ ! -e scripts/demo.sh ]; then
  echo "demo: scripts/demo.sh is not written yet" >&2
  exit 1
fi
scripts/dev-setup.sh test
scripts/dev-build.sh
scripts/build-guest.sh
exec scripts/demo.sh "$@"
