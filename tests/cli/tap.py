# SPDX-License-Identifier: LGPL-2.1-or-later
"""The little that scripts need to print TAP."""

import sys
import traceback


def run(tests):
    """Run functions in their order; the first line of the docstring is the name."""
    failed = False
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        name = (test.__doc__ or test.__name__).splitlines()[0]
        try:
            reason = test()
        except Exception:  # a test fails by any exception
            failed = True
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
        else:
            skip = f" # SKIP {reason}" if reason else ""
            print(f"ok {number} - {name}{skip}")
        sys.stdout.flush()
    return failed


def equal(got, wanted):
    """Fail with both values."""
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def contains(text, part):
    """Fail where part is missing."""
    if part not in text:
        raise AssertionError(f"{part!r} is not in {text!r}")
