#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual page names every command and option of the help, and no other."""

import os
import pathlib
import re
import subprocess
import sys

import tap

STASIS = os.environ["STASIS"]
MAN = pathlib.Path(os.environ["STASIS_MAN"]).read_text(encoding="utf-8")


def help_of(*words):
    done = subprocess.run([STASIS, *words], capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C"})
    return done.stdout


def commands_of_help():
    text = help_of("help").split("  commands:", 1)[1]
    return re.findall(r"^    ([a-z][a-z-]*(?: [a-z]+)?)(?:  )", text, re.M)


def options_of_help(command):
    text = help_of("help", *command.split())
    if "\n  OPTIONS\n" not in text:
        return set()
    return set(re.findall(r"^    \[?--([a-z0-9-]+)", text.split("\n  OPTIONS\n", 1)[1], re.M))


def plain(text):
    return text.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")


def commands_of_man():
    """Each command is a .SS section; its options are written \\-\\-like\\-this in it."""
    found = {}
    for part in re.split(r"^\.SS ", MAN, flags=re.M)[1:]:
        title, _, body = part.partition("\n")
        body = re.split(r"^\.SH ", body, flags=re.M)[0]
        found[title.strip('" ')] = set(re.findall(r"--([a-z][a-z0-9-]*)", plain(body)))
    return found


def test_commands():
    """every command has a section, and every section a command"""
    tap.equal(sorted(commands_of_man()), sorted(commands_of_help()))


def test_options():
    """every option of a command is in its section, and no other"""
    sections = commands_of_man()
    for command in commands_of_help():
        tap.equal((command, sorted(sections[command])), (command, sorted(options_of_help(command))))


def synopsis_of_help(command):
    text = help_of("help", *command.split()).split("  SYNOPSIS\n", 1)[1].split("\n\n", 1)[0]
    return " ".join(text.split())[len(command):].replace("<", "").replace(">", "").strip()


def synopsis_of_man(command):
    """Of what excludes each other the help says that each may be left out."""
    body = re.split(r'^\.SS "?' + re.escape(command) + r'"?$', MAN, flags=re.M)[1]
    text = " ".join(plain(body.split("\n.PP", 1)[0]).splitlines()[2:])
    return re.sub(r"\{(.*) \| (.*)\}", r"[\1] [\2]", text).strip()


def test_synopses():
    """a synopsis is that of the help"""
    for command in commands_of_help():
        tap.equal((command, synopsis_of_man(command)), (command, synopsis_of_help(command)))


def test_globals():
    """the options before the command are described"""
    text = help_of("--help").split("  commands:", 1)[0]
    section = re.split(r"^\.SH ", MAN.split(".SH OPTIONS\n", 1)[1], flags=re.M)[0]
    in_man = set(re.findall(r"--([a-z]+)", plain(section)))
    tap.equal(sorted(in_man), sorted(re.findall(r"\| --([a-z]+)", text)))


def test_configuration():
    """every section and option of the example of stasis.conf is described"""
    example = (pathlib.Path(os.environ["STASIS_MAN"]).parent.parent
               / "data/examples/stasis.conf").read_text(encoding="utf-8")
    section = re.split(r"^\.SH ", MAN.split(".SH STASIS.CONF\n", 1)[1], flags=re.M)[0]
    names = re.findall(r"^(\[[a-z]+\])", example, re.M) + re.findall(r"^#([a-z-]+)=", example, re.M)
    tap.equal(len(names), 28)
    for name in names:
        tap.contains(plain(section), name)


def test_roff():
    """groff formats the page without a warning"""
    try:
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=MAN,
                              capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "there is no groff"
    tap.equal((done.returncode, done.stderr), (0, ""))
    return None


if __name__ == "__main__":
    sys.exit(tap.run([test_commands, test_options, test_synopses, test_globals, test_configuration, test_roff]))
