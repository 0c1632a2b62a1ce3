#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is written of stasisd names what there is, and nothing else."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/cli"))
import tap  # noqa: E402

STASISD = os.environ["STASISD"]
PAGES = [ROOT / "man/stasis-connect.1", ROOT / "man/stasis-migration.7", ROOT / "man/stasisd.8", ROOT / "man/stasisd.conf.5"]
PROGRAMS = {"REMOTE": 0x20008086, "QEMU": 0x20008087, "OWN": 0x20005354}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def plain(text):
    text = text.replace("\\-", "-").replace("\\(aq", "'")
    return re.sub(r"\\f[BIR]", "", text)


def section(page, title):
    return re.split(r"^\.SH ", read(page).split(f".SH {title}\n", 1)[1], flags=re.M)[0]


def check_options(program, page):
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True,
                           env={**os.environ, "LC_ALL": "C"}).stdout
    wanted = re.findall(r"^  (?:(-\w), )?(--[a-z-]+(?:=[A-Z]+)?)  ", shown, re.M)
    found = [re.fullmatch(r'\.BR? (?:(-\w) ", " )?(--[a-z-]+)\s*(=[A-Z]+)?', plain(line)).groups(default="")
             for line in section(page, "OPTIONS").splitlines() if re.match(r"\.BR? .*\\-\\-", line)
             and not line.endswith(" .")]
    tap.equal(sorted((short, name + value) for short, name, value in found), sorted(wanted))


def test_options():
    """stasisd.8 and stasis-connect.1 have the options of the help, with their short names and arguments"""
    check_options(STASISD, "man/stasisd.8")
    check_options(pathlib.Path(STASISD).with_name("stasis-connect"), "man/stasis-connect.1")


def options_known():
    """(section, option) of the table of daemon-config.c."""
    return re.findall(r'^  \{ "([a-z]+)", "([a-z-]+)", read_\w+ \},$', read("src/daemon/daemon-config.c"), re.M)


def options_in(text, section_pattern, option_pattern):
    found, current = [], None
    for line in text.splitlines():
        if match := re.match(section_pattern, line):
            current = match[1]
        elif match := re.match(option_pattern, line):
            found.append((current, match[1]))
    return found


def test_configuration():
    """stasisd.conf.5 and the example have each option that is read, in its section"""
    tap.equal(len(options_known()), 14)
    page = plain(read("man/stasisd.conf.5").split(".SH EXAMPLES")[0])
    tap.equal(options_in(page, r"\.SH \[([a-z]+)\]", r"\.BR ([a-z-]+) ="), options_known())
    example = read("data/examples/stasisd.conf")
    tap.equal(options_in(example, r"\[([a-z]+)\]", r"#([a-z-]+)="), options_known())


def test_defaults():
    """where both name a default, the page's is that of the example"""
    page = plain(read("man/stasisd.conf.5"))
    for option, value in re.findall(r"^#([a-z-]+)=(\d+)$", read("data/examples/stasisd.conf"), re.M):
        text = re.split(r"^\.(?:TP|SH)", page.split(f".BR {option} =", 1)[1], flags=re.M)[0]
        tap.contains(re.findall(r"(\d+) by default", text), value)


def test_procedures():
    """docs/remote-protocol.md has every procedure of the table with its number, and no other"""
    source = read("src/remote/procedures.c")
    wanted = [(PROGRAMS[program], int(number), name) for program, number, name
              in re.findall(r'^  (REMOTE|QEMU|OWN) \((\d+), "([a-z-]+)"', source, re.M)]
    tap.equal(len(wanted) > 70, True)
    program, found = None, []
    for line in read("docs/remote-protocol.md").splitlines():
        if match := re.search(r"^#+ .*`(0x[0-9a-f]{8})`", line):
            program = int(match[1], 16)
        elif match := re.match(r"\| (\d+) \| `([a-z-]+)` \|", line):
            found.append((program, int(match[1]), match[2]))
    tap.equal(found, wanted)


def test_access():
    """what a connection for reading may call, and what is answered at once, is marked in the document"""
    source = re.sub(r",\n {10}", ", ", read("src/remote/procedures.c"))
    table = re.findall(r'^  (?:REMOTE|QEMU|OWN) \((\d+), "([a-z-]+)", "\w*", "\w*", (\w+), (\w+),', source, re.M)
    tap.equal(len(table) > 70, True)
    text = read("docs/remote-protocol.md")
    for number, name, access, quick in table:
        marks = re.search(rf"^\| {number} \| `{name}` \| (\w*) ?\| (\w*) ?\|", text, re.M)
        tap.equal((name, *(marks.groups() if marks else ())),
                  (name, access.lower(), "quick" if quick == "TRUE" else ""))


def test_units():
    """the manual names the units that are installed"""
    text = plain(read("man/stasisd.8"))
    for path in sorted((ROOT / "data/systemd").glob("stasisd*")):
        tap.contains(text, path.name.removesuffix(".in"))


def test_roff():
    """groff formats the pages without a warning"""
    for page in PAGES:
        try:
            done = subprocess.run(["groff", "-t", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True,
                                  check=False)
        except FileNotFoundError:
            return "there is no groff"
        tap.equal((done.returncode, done.stderr), (0, ""))
    return None


if __name__ == "__main__":
    sys.exit(tap.run([test_options, test_configuration, test_defaults, test_procedures, test_access, test_units,
                      test_roff]))
