#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Count the single tests of a run: the last line is `N passed, N failed[, N skipped]`.

Takes meson's logs (testlog*.json) and TAP streams (any other file).  A program
that died, timed out or broke its plan counts as one failure more, unless it has
reported a failing test itself.  Subtests (indented) count instead of the line
that sums them up.  What a failing test has said is shown.  Exits non-zero if anything failed or nothing ran.
"""

import json
import re
import sys

POINT = re.compile(r"^( *)(not )?ok\b(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(.*)$")
SKIP = re.compile(r"#\s*SKIP\b", re.I)
SAID_MAX = 40  # lines of what a failing test has said


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.failures = []

    def add(self, program, ok, rest, said=()):
        if SKIP.search(rest):
            self.skipped += 1
        elif ok:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append((f"{program}: {rest.strip(' -') or 'not ok'}", list(said)[-SAID_MAX:]))

    def total(self):
        return self.passed + self.failed + self.skipped

    def line(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def count_tap(count, program, text):
    """Add the points of one TAP stream; returns whether its plan was kept."""
    inner_total, inner_failed = {}, {}
    plan, outer, said = None, 0, []
    for line in text.splitlines():
        if match := PLAN.match(line):
            plan = int(match[1])
            if plan == 0:
                count.add(program, True, match[2] if SKIP.search(match[2]) else "# SKIP no tests")
            continue
        match = POINT.match(line)
        if match is None:
            said.append(line)
            continue
        depth, ok, rest = len(match[1]) // 4, match[2] is None, match[3]
        outer += depth == 0
        inner_total[depth] = inner_total.get(depth, 0) + 1
        inner_failed[depth] = inner_failed.get(depth, 0) + (not ok)
        nested, failed = inner_total.pop(depth + 1, 0), inner_failed.pop(depth + 1, 0)
        if nested == 0 or (not ok and failed == 0):
            count.add(program, ok, rest, said)
        said = []
    return plan is not None and plan == outer and "Bail out!" not in text


def count_program(count, program, text, result):
    """One test program of meson's, which knows how it ended."""
    if not any(PLAN.match(line) or POINT.match(line) for line in text.splitlines()):
        count.add(program, result in ("OK", "EXPECTEDFAIL"), "# SKIP" if result == "SKIP" else result)
        return
    before = count.failed
    count_tap(count, program, text)
    if result not in ("OK", "SKIP", "EXPECTEDFAIL") and count.failed == before:
        count.add(program, False, f"ended badly ({result})", text.splitlines()[-SAID_MAX:])


def main(paths):
    count = Count()
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            if path.endswith(".json"):
                for line in file:
                    test = json.loads(line)
                    count_program(count, test["name"], test.get("stdout") or "", test["result"])
            else:
                before = count.failed
                if not count_tap(count, path, file.read()) and count.failed == before:
                    count.add(path, False, "broke its plan")

    for failure, said in count.failures:
        print(f"FAILED {failure}")
        for line in said:
            print(f"  {line}")
    print(count.line())
    return count.failed != 0 or count.total() == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
