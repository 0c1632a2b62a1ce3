#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-bench.sh: set up the peers, build optimized, run all of bench
set -eu

cd "$(dirname "$0")/.."
scripts/dev-setup.sh bench
scripts/dev-build.sh build-bench --buildtype=release -Dfaults=false
scripts/build-guest.sh
STASIS_TEST_BUILDDIR=$PWD/build-bench STASIS_BIN=$PWD/build-bench/bin/stasis
STASIS_TEST_ACCEL=$(scripts/kvm-works.sh)
export STASIS_TEST_BUILDDIR STASIS_BIN STASIS_TEST_ACCEL
# The parent of all orphans is to take them at once: who waits for a process waits for that, too.
status=0
for name in image zstd-save fast remote migrate tunnel handover; do
  tests/keep.py "bench/$name" || status=1 # a limit was missed; the others are still to be measured
done
tests/keep.py bench/save-restore "$@" || status=1
exit $status
