#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-test.sh: build and run the tests; the last line counts the single tests
#
# The tests of suite 'qemu' run once for each emulator at hand, all others once; so do those of them
# that are in suite 'once', too, whose guest is only there to be looked at, and the single tests in a
# program that say so themselves (STASIS_TEST_REPEATED).
# Suite 'soak' runs if named or if STASIS_TEST_SOAK asks for the full counts of
# long tests.  STASIS_TEST_BUILD names another build folder, STASIS_TEST_OPTIONS
# its meson options (sanitizers, coverage).
set -euo pipefail

cd "$(dirname "$0")/.."
build=${STASIS_TEST_BUILD:-build}
read -ra options <<<"${STASIS_TEST_OPTIONS:-}"
wanted=${STASIS_TEST_QEMU:-}
coverage=
suites=()
arguments=()
while (($#)); do
  case $1 in
    --qemu) wanted=${2:?--qemu needs 7.2, 10 or a path}; shift ;;
    --qemu=*) wanted=${1#*=} ;;
    --coverage) coverage=1; build='build-coverage'; options+=(-Db_coverage=true) ;;
    --suite) suites+=("${2:?--suite needs a name}"); shift ;;
    --suite=*) suites+=("${1#*=}") ;;
    *) arguments+=("$1") ;;
  esac
  shift
done

# The programs that answer to 7.2, 10 or a path; each one at hand if not told.
emulators () {
  local installed unpacked=$PWD/build/qemu-7.2/qemu-system-x86_64
  installed=$(command -v qemu-system-x86_64 || true)
  case $wanted in
    '') [ -z "$installed" ] || echo "$installed"
        [ ! -x "$unpacked" ] || echo "$unpacked" ;;
    */*) echo "$wanted" ;;
    *) for program in "$installed" "$unpacked"; do
         if [ -x "$program" ] && "$program" -version | grep -q "version $wanted\."; then
           echo "$program"
           return
         fi
       done
       echo "test: no QEMU $wanted here (./dev setup)" >&2
       return 1 ;;
  esac
}

status=0

# What a choice of suites leaves to run, one a line.
listed () {
  local names
  # Newer ones of meson fail where a name fits nothing.
  names=$(meson test -C "$build" --no-rebuild --list "$@" "${arguments[@]}" 2>/dev/null) || return 0
  grep -v "^No " <<<"$names" || true
}

# Run what the filters leave, if anything; $1 names the log.
run_tests () {
  local name=$1
  shift
  [ -n "$(listed "$@")" ] || return 0
  meson test -C "$build" --no-rebuild --print-errorlogs --logbase "$name" "$@" "${arguments[@]}" </dev/null ||
    status=1
}

ordinary=()
with_qemu=
for suite in "${suites[@]}"; do
  if [ "$suite" = qemu ]; then with_qemu=1; else ordinary+=(--suite "$suite"); fi
done
if ((${#suites[@]} == 0)); then
  with_qemu=1
  ordinary=(--no-suite qemu)
  if [ -n "${STASIS_TEST_SOAK:-}" ]; then
    arguments+=(--timeout-multiplier 20)
  else
    ordinary+=(--no-suite soak)
  fi
fi

# The unit tests need no more than the build does.
if [ -n "$with_qemu$coverage" ]; then scripts/dev-setup.sh test; fi
# Which emulators are meant is known before anything is built.
programs=
if [ -n "$with_qemu" ]; then programs=$(emulators); fi
scripts/dev-build.sh "$build" "${options[@]}"

rm -f "$build"/meson-logs/testlog*
((${#ordinary[@]} == 0)) || run_tests testlog "${ordinary[@]}"
if [ -n "$with_qemu" ] && [ -n "$(listed --suite qemu)" ]; then
  scripts/build-guest.sh
  # Tests with guests wait a good part of their time: half as many again as there are processors fill these.
  processors=$(nproc)
  export MESON_TESTTHREADS=${MESON_TESTTHREADS:-$((processors + (processors + 1) / 2))}
  number=0
  for program in $programs; do
    echo "== emulator: $program ($("$program" -version | head -n 1))"
    number=$((number + 1))
    repeated=() again=
    if [ "$number" != 1 ] && [ -z "${STASIS_TEST_SOAK:-}" ]; then repeated=(--no-suite once) again=1; fi
    STASIS_TEST_REPEATED=$again STASIS_TEST_QEMU=$program STASIS_TEST_ACCEL=$(scripts/kvm-works.sh "$program") \
      run_tests "testlog-qemu-$number" --suite qemu "${repeated[@]}"
  done
fi

if [ -n "$coverage" ]; then
  gcovr --root . --filter src/ --exclude-unreachable-branches --print-summary "$build" | grep -v '^-'
fi
# Meson adds the name of a --setup to that of the log.
shopt -s nullglob
scripts/count-tests.py "$build"/meson-logs/testlog*.json || status=1
exit $status
