#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-lint.sh: every check that reads the sources; prints TAP, then the counts
#
# Versions of clang-format disagree about details, so version 14 (Debian 12's)
# is the one whose word counts; where it is absent that check is skipped.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
scripts/dev-setup.sh test || exit 1
mkdir -p build/lint
log=build/lint/tools.tap

formatter () {
  for program in clang-format-14 clang-format; do
    if command -v $program >/dev/null && $program --version | grep -q 'version 14\.'; then
      echo $program
      return
    fi
  done
}

# check NUMBER NAME COMMAND...: a test that passes if the command does
check () {
  local number=$1 name=$2 output
  shift 2
  if output=$("$@" 2>&1); then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    head -n 100 <<<"$output" | sed 's/^/# /'
  fi
}

check_format () {
  git ls-files -z '*.c' '*.h' | xargs -0r "$(formatter)" --dry-run -Werror
}

check_spelling () {
  git ls-files -z | grep -zvE '^(LICENSE|po/|tests/data/|tests/fuzz/corpus/)' |
    xargs -0r codespell --ignore-words-list=inout,mis,lits,sav,restor,hda,te
}

check_shell () {
  { git ls-files -z '*.sh' && printf 'dev\0.ci/run\0'; } | xargs -0r shellcheck -x -s bash -e SC1091,SC2317
}

# A name that is not there is found by running; one in a test that runs seldom, too late.
check_python () {
  { git ls-files -z '*.py'; git grep -lz '^#!.*python3' -- bench; } | sort -zu | xargs -0r pyflakes3
}

{
  echo 1..4
  if [ -n "$(formatter)" ]; then
    check 1 'clang-format changes nothing' check_format
  else
    echo 'ok 1 - clang-format changes nothing # SKIP no clang-format 14 here'
  fi
  check 2 'codespell finds nothing' check_spelling
  check 3 'shellcheck finds nothing' check_shell
  check 4 'pyflakes finds nothing' check_python
} | tee $log
scripts/check-tree.py | tee build/lint/tree.tap
scripts/check-layers.py src | tee build/lint/layers.tap
scripts/count-tests.py build/lint/*.tap
