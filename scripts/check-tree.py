#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Check sizes and banned words of the tracked files.  Prints TAP."""

import pathlib
import re
import subprocess
import sys

FILE_LINES = 600
FUNCTION_LINES = 60  # 40 is the aim; a table or a switch may be longer

# What must not stand where: name, files, pattern.
BANS = [
    ("no goto", r"\.[ch]$", r"\bgoto\b"),
    ("no unbounded string functions", r"\.[ch]$", r"\b(strcpy|strcat|sprintf|vsprintf|gets) *\("),
    ("no shell", r"^src/.*\.[ch]$", r"\b(system|popen) *\("),
    ("no fork but GLib's", r"^src/.*\.[ch]$", r"\bv?fork *\("),
    ("comments are /* */", r"\.[ch]$", r"(^|[;{}]\s*)//"),
    ("no notes to self", r"\.(c|h|py|sh|build|md)$|^dev$", r"\b(TODO|FIXME|XX" + r"X)\b"),
    ("no fixed temporary paths in the sources", r"^src/.*\.[ch]$", r'"/(var/)?tmp\b'),
    ("no paths of one machine", r".", r"(?<![\w.$}/-])/(work|home/\w+|root)/\w"),
    ("no trailing space", r"\.(c|h|py|sh|build|md|txt)$|^dev$", r"[ \t]+$"),
    ("no tabs", r"\.(c|h|py|sh|build)$|^dev$", r"\t"),
]
SOURCES = r"\.(c|h|py|sh|S)$|^dev$|^\.ci/run$"


def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True)
    for name in filter(None, names.stdout.split("\0")):
        path = pathlib.Path(name)
        if path.is_file() and not name.startswith(("tests/data/", "tests/fuzz/corpus/", "po/")):
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                pass


def long_functions(name, text):
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None and number - start - 1 > FUNCTION_LINES:
            yield f"{name}:{start}: {number - start - 1} lines, at most {FUNCTION_LINES}"


def banned(files, where, pattern):
    for name, text in files:
        if re.search(where, name) and name != "LICENSE" and not name.endswith("check-tree.py"):
            for number, line in enumerate(text.splitlines(), 1):
                if re.search(pattern, line):
                    yield f"{name}:{number}: {line.strip()}"


def main():
    files = sorted(tracked())
    sources = [(name, text) for name, text in files if re.search(SOURCES, name)]
    results = [
        (f"no file over {FILE_LINES} lines",
         [f"{n}: {t.count(chr(10))}" for n, t in sources if t.count("\n") > FILE_LINES]),
        (f"no function over {FUNCTION_LINES} lines",
         [f for n, t in sources if n.endswith(".c") for f in long_functions(n, t)]),
        ("every source names its licence",
         [n for n, t in sources if "SPDX-License-Identifier:" not in t[:200]]),
    ]
    results += [(name, list(banned(files, where, pattern))) for name, where, pattern in BANS]

    print(f"1..{len(results)}")
    for number, (name, found) in enumerate(results, 1):
        print(f"{'not ok' if found else 'ok'} {number} - {name}")
        for fault in found:
            print(f"# {fault}")
    return any(found for _, found in results)


if __name__ == "__main__":
    sys.exit(main())
