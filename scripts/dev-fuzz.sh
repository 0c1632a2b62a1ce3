#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# dev-fuzz.sh: run every fuzz target for its share of the time
#
# What is found new lies in build-fuzz/corpus/NAME, what crashed in
# build-fuzz/crashes/; tests/fuzz/corpus/NAME is only read.
set -euo pipefail

cd "$(dirname "$0")/.."
if [[ ! ${1:-} =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: ./dev fuzz SECONDS [TARGET...]" >&2
  exit 2
fi
seconds=$1
shift
scripts/dev-setup.sh test
[ -e build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzz=true -Dfaults=true

targets=("$@")
if ((${#targets[@]} == 0)); then
  mapfile -t targets < <(find tests/fuzz -maxdepth 1 -name '*-fuzz.c' -printf '%f\n' | sed 's/-fuzz\.c$//' | sort)
fi
if ((${#targets[@]} == 0)); then
  echo "fuzz: no targets in tests/fuzz" >&2
  exit 1
fi

ninja -C build-fuzz "${targets[@]/#/tests/fuzz/fuzz-}"
share=$((seconds / ${#targets[@]}))
((share > 0)) || share=1
failed=0
mkdir -p build-fuzz/crashes
for target in "${targets[@]}"; do
  echo "== $target for $share s"
  found=build-fuzz/corpus/$target
  mkdir -p "$found"
  folders=("$found")
  [ ! -d "tests/fuzz/corpus/$target" ] || folders+=("tests/fuzz/corpus/$target")
  "build-fuzz/tests/fuzz/fuzz-$target" -max_total_time="$share" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="build-fuzz/crashes/$target-" "${folders[@]}" 2>&1 |
    tail -n 40 || failed=$((failed + 1))
done
echo "$((${#targets[@]} - failed)) passed, $failed failed"
((failed == 0))
