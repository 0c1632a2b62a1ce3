#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completion in a real bash."""

import os
import pathlib
import pty
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import tap

STASIS = os.environ["STASIS"]
COMPLETION = os.environ["STASIS_COMPLETION"]
QEMU = os.environ.get("STASIS_TEST_QEMU") or shutil.which("qemu-system-x86_64")
FOLDER = tempfile.TemporaryDirectory(prefix="stasis-cli-")
ENV = {**os.environ, "LC_ALL": "C.UTF-8", "STASIS_STATE_DIR": os.path.join(FOLDER.name, "state"),
       "PATH": f"{os.path.dirname(STASIS)}:{os.environ['PATH']}", "HISTFILE": "", "PS1": "ready> "}
XML = """<domain type='qemu'><name>{}</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>{}</emulator></devices></domain>
"""


def offers(*words):
    """What bash would offer for the last word."""
    script = f"""source {shlex.quote(COMPLETION)}
COMP_WORDS=(stasis "$@"); COMP_CWORD=$#; COMP_LINE="stasis $*"; COMP_POINT=${{#COMP_LINE}}
_stasis stasis "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], capture_output=True,
                          text=True, check=True, env=ENV, cwd=FOLDER.name, timeout=60)
    tap.equal(done.stderr, "")
    return sorted(done.stdout.split("\n")[:-1])


def help_commands():
    text = subprocess.run([STASIS, "help"], capture_output=True, text=True, check=True, env=ENV).stdout
    lines = text.split("  commands:", 1)[1].splitlines()
    return sorted({line.split()[0] for line in lines if line.startswith("    ")})


def prepare():
    """domains with ordinary and odd names"""
    if QEMU is None:
        return "there is no emulator"
    file = pathlib.Path(FOLDER.name, "guest.xml")
    for name in ("web", "web server", "worker", "db"):
        file.write_text(XML.format(name, QEMU), encoding="utf-8")
        subprocess.run([STASIS, "define", str(file)], check=True, env=ENV, capture_output=True)
    return None


def test_commands():
    """commands, all of them and by their beginning"""
    tap.equal(offers(""), help_commands())
    tap.equal(offers("domb"), ["domblklist"])
    tap.equal(offers("-q", "-c", "stasis:///session", "managedsave-e"), ["managedsave-edit"])
    tap.equal(offers("image", ""), ["convert", "dumpxml", "flatten", "info", "map", "verify"])
    tap.equal(offers("guests", "st"), ["start", "status", "stop"])
    tap.equal(offers("guests", "status", "--"), ["--json"])
    tap.equal(offers("help", "undef"), ["undefine"])
    tap.equal(offers("nonsense", ""), [""])


def test_options():
    """options, before the command and behind it"""
    tap.equal(offers("--re"), ["--readonly"])
    tap.equal(offers("start", "--f"), ["--force-boot"])
    tap.equal(offers("save-image-define", "--"), ["--file", "--paused", "--running", "--xml"])
    tap.equal(offers("image", "verify", "--v"), ["--verbose"])
    tap.equal(offers("migrate", "--p2"), ["--p2p"])
    tap.equal(offers("reboot", "web", "--mode", ""), ["acpi"])


def test_domains():
    """names of domains, quoted where they have to be"""
    if QEMU is None:
        return "there is no emulator"
    tap.equal(offers("start", "w"), [r"web", r"web\ server", "worker"])
    tap.equal(offers("dominfo", ""), ["db", "web", r"web\ server", "worker"])
    tap.equal(offers("edit", "--domain", "d"), ["db"])
    tap.equal(offers("destroy", ""), [""])  # none runs
    tap.equal(offers("autostart", "--disable", "d"), ["db"])
    return None


def test_files():
    """names of files"""
    pathlib.Path(FOLDER.name, "web.stasis").touch()
    tap.equal(offers("save", "db", "web"), ["web.stasis"])
    tap.equal(offers("restore", "web"), ["web.stasis"])
    tap.equal(offers("image", "info", "web"), ["web.stasis"])
    tap.equal(offers("restore", "--xml", "x", "we"), ["web.stasis"])


def read_until(master, text, deadline):
    output = ""
    while text not in output:
        if time.monotonic() > deadline:
            raise AssertionError(f"{text!r} did not come: {output!r}")
        if select.select([master], [], [], 0.1)[0]:
            output += os.read(master, 4096).decode(errors="replace")
    return output


def test_terminal():
    """the Tab key in an interactive bash"""
    if QEMU is None:
        return "there is no emulator"
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(FOLDER.name)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], {**ENV, "TERM": "dumb"})
    deadline = time.monotonic() + 25
    try:
        read_until(master, "ready> ", deadline)
        os.write(master, f"source {shlex.quote(COMPLETION)}\n".encode())
        read_until(master, "ready> ", deadline)
        os.write(master, b"stasis dominf\t")
        read_until(master, "stasis dominfo ", deadline)
        os.write(master, b"wo\t")
        read_until(master, "rker ", deadline)
        os.write(master, b"\n")
        read_until(master, "shut off", deadline)
    finally:
        os.write(master, b"\x03\nexit\n")
        os.close(master)
        os.waitpid(pid, 0)
    return None


TESTS = [prepare, test_commands, test_options, test_domains, test_files, test_terminal]

if __name__ == "__main__":
    try:
        sys.exit(tap.run(TESTS))
    finally:
        FOLDER.cleanup()
