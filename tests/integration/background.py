# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of QEMU's background snapshots have in common: commands for which the kernel is an old one."""

import os
import pathlib
import subprocess

import harness

SNAPSHOT = "mapped-ram, background snapshot: QEMU writes what the memory was, while the guest runs on; not from outside: "
PRECOPY = "mapped-ram, precopy: QEMU writes while the guest runs; not from outside: "
OLD_KERNEL = [harness.BUILD / "tests" / "integration" / "deny", "scan"]


def why_not():
    """Why nothing of this can be tried here."""
    if not harness.QEMU:
        return ""
    if subprocess.run([*OLD_KERNEL, "/bin/true"], check=False).returncode == 77:
        return "no seccomp here"
    may = pathlib.Path("/proc/sys/vm/unprivileged_userfaultfd")
    if not os.access("/dev/userfaultfd", os.R_OK | os.W_OK) and not (may.exists() and may.read_text().strip() == "1"):
        return "this user may not use userfaultfd"
    told = subprocess.run([harness.QEMU, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"],
                          input='{"execute":"qmp_capabilities"}{"execute":"query-migrate-capabilities"}{"execute":"quit"}',
                          capture_output=True, text=True, check=False).stdout
    return "" if '"mapped-ram"' in told else "this emulator has no mapped-ram"


def command(t, *arguments, **env):
    """Start a command for which the kernel is an old one."""
    return subprocess.Popen([*OLD_KERNEL, harness.STASIS, *map(str, arguments)], env=t.environment(**env),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(t, *arguments, status=0, **env):
    """The same, to its end; what it said."""
    process = command(t, *arguments, **env)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == status, (arguments, env, process.returncode, errors)
    return output if status == 0 else errors
