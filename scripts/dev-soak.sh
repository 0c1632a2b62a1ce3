#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-soak.sh: the long tests in full, valgrind, the daemon under ThreadSanitizer, bare machines, and one with systemd
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
# shellcheck source=scripts/stages.sh
. scripts/stages.sh

tap () {
  local log=build/$1.tap
  shift
  "$@" | tee "$log"
  scripts/count-tests.py "$log"
}

stage tests env STASIS_TEST_SOAK=1 ./dev test "$@"
stage valgrind ./dev test --suite unit --setup valgrind
stage thread-sanitizer scripts/thread-sanitizer.sh
stage bare-machines tap bare-machines scripts/bare-machines.sh
stage systemd-machine tap systemd-machine scripts/systemd-machine.sh
end_stages
