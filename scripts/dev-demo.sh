#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-demo.sh: set up, build, then run scripts/demo.py
set -eu

cd "$(dirname "$0")/.."
scripts/dev-setup.sh test
scripts/dev-build.sh
scripts/build-guest.sh
exec python3 scripts/demo.py "$@"
