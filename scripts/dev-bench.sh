#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-bench.sh: set up the peers, build optimized, run bench/image, zstd-save, fast and save-restore
set -eu

cd "$(dirname "$0")/.."
scripts/dev-setup.sh bench
scripts/dev-build.sh build-bench --buildtype=release -Dfaults=false
scripts/build-guest.sh
STASIS_TEST_BUILDDIR=$PWD/build-bench STASIS_BIN=$PWD/build-bench/bin/stasis
STASIS_TEST_ACCEL=$(scripts/kvm-works.sh)
export STASIS_TEST_BUILDDIR STASIS_BIN STASIS_TEST_ACCEL
# The parent of all orphans is to take them at once: who waits for a process waits for that, too.
tests/keep.py bench/image
tests/keep.py bench/zstd-save
tests/keep.py bench/fast
exec tests/keep.py bench/save-restore "$@"
