# SPDX-License-Identifier: LGPL-2.1-or-later
# stages.sh: run commands that end with a count, then print the sum (sourced by bash)
# shellcheck shell=bash

stage_logs=$(mktemp -d)
trap 'rm -rf "$stage_logs"' EXIT
stage_status=0

# stage NAME COMMAND...: fails the whole run if the command does, or prints no count
stage () {
  local name=$1
  shift
  echo "=== $name"
  "$@" 2>&1 | tee "$stage_logs/$name" || stage_status=1
  tail -n 1 "$stage_logs/$name" | grep -qE '^[0-9]+ passed, [0-9]+ failed' || stage_status=1
}

# The sum of all stages as the last line; exits.
end_stages () {
  echo "=== sum"
  tail -qn 1 "$stage_logs"/* | awk '
    / passed, / { for (i = 2; i <= NF; i += 2) { word = $i; sub (/,/, "", word); n[word] += $(i - 1) } }
    END { printf "%d passed, %d failed", n["passed"], n["failed"]
          if (n["skipped"]) printf ", %d skipped", n["skipped"]
          print "" }'
  exit $stage_status
}
