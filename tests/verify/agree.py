#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The independent reader and the library must say the same of every image.

usage: agree.py IMAGE-SAMPLES-PROGRAM

The program writes images into a folder, good ones and broken ones, and prints a line
`NAME VERDICT` for each, as the library sees it.  Prints TAP.
"""

import pathlib
import subprocess
import sys
import tempfile

import verify_image


def main(program):
    with tempfile.TemporaryDirectory(prefix="stasis-agree-") as folder:
        output = subprocess.run([program, folder], check=True, stdout=subprocess.PIPE, text=True)
        cases = [line.split() for line in output.stdout.splitlines()]
        print(f"1..{len(cases)}")
        failed = False
        for number, (name, expected) in enumerate(cases, 1):
            verdict, what = verify_image.check(pathlib.Path(folder) / name)
            good = verdict == expected
            failed |= not good
            print(f"{'ok' if good else 'not ok'} {number} - {name}: {expected}")
            if not good:
                print(f"# the independent reader says {verdict}: {what}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
