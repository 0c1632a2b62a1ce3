#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the program does before it needs a guest: help, mistakes, exit statuses, streams."""

import os
import re
import signal
import struct
import subprocess
import sys
import tempfile

import tap

STASIS = os.environ["STASIS"]
STATE = tempfile.TemporaryDirectory(prefix="stasis-cli-")
ENV = {**os.environ, "LC_ALL": "C", "STASIS_STATE_DIR": os.path.join(STATE.name, "state")}


def run(*words, **kwargs):
    return subprocess.run([STASIS, *words], capture_output=True, text=True, check=False, env=ENV,
                          timeout=60, cwd=STATE.name, **kwargs)


def check(words, status, out, err):
    done = run(*words)
    tap.equal((words, done.returncode, done.stdout, done.stderr), (words, status, out, err))


def commands():
    text = run("help").stdout.split("  commands:", 1)[1]
    return re.findall(r"^    ([a-z][a-z-]*(?: [a-z]+)?)(?:  )", text, re.M)


def test_help():
    """help lists the commands, --help says the same"""
    tap.equal(len(commands()) > 35, True)
    tap.equal(run("--help").stdout, run("-h").stdout)
    tap.contains(run("help").stdout, run("--help").stdout.rstrip("\n"))


def test_help_each():
    """every command has a help, by both ways"""
    for command in commands():
        words = command.split()
        by_help = run("help", *words)
        by_option = run(*words, "--help")
        tap.equal((command, by_help.returncode, by_option.returncode), (command, 0, 0))
        tap.equal(by_help.stdout, by_option.stdout)
        tap.contains(by_help.stdout, f"    {command} - ")
        for line in by_help.stdout.splitlines():
            if "SYNOPSIS" not in line and not line.startswith(f"    {command} "):
                tap.equal((line, len(line) <= 110), (line, True))


def test_help_group():
    """help takes a group, and the first word of a family; --help behind either says the same"""
    tap.contains(run("help", "host").stdout, "capabilities")
    tap.equal(len(run("help", "image").stdout.split("\n    image ")), 6)
    for word in ("image", "domain", "state", "monitor", "host", "stasis"):
        for option in ("--help", "-h"):
            done = run(word, option)
            tap.equal((word, done.returncode, done.stdout, done.stderr),
                      (word, 0, run("help", word).stdout, ""))


def test_help_words():
    """summaries begin small, titles of groups are written alike"""
    text = run("help").stdout.split("  commands:", 1)[1]
    for line in text.splitlines():
        if line.startswith("    ") and not line[35:].startswith("QEMU "):
            tap.equal((line, line[35:36]), (line, line[35:36].lower()))
    for title in re.findall(r"^ (\w.*) \(help keyword", text, re.M):
        tap.equal(title, " ".join(word if word == "and" else word.capitalize() for word in title.split()))


def test_closed_output():
    """standard output that is closed takes no image"""
    done = subprocess.run(["sh", "-c", 'exec "$0" save web - >&-', STASIS], stderr=subprocess.PIPE, text=True,
                          check=False, env=ENV, timeout=60)
    tap.equal((done.returncode, done.stderr), (1, "error: standard output is closed\n"))
    check(["save", "web", "--fd", "99"], 1, "", "error: file descriptor 99 is not open\n")


def test_help_width():
    """a synopsis fits into 80 columns and is complete"""
    for command in commands():
        text = run("help", *command.split()).stdout
        synopsis = text.split("  SYNOPSIS\n", 1)[1].split("\n\n", 1)[0]
        for line in synopsis.splitlines():
            tap.equal((line, len(line) <= 80, line.startswith("    ")), (line, True, True))
    text = " ".join(run("save", "--help").stdout.split("  SYNOPSIS\n", 1)[1].split("\n\n")[0].split())
    tap.contains(text, "save <domain> [[--file] <file>] [--bypass-cache] [[--xml] <file>] [--format <kind>]")
    tap.contains(text, "[--verbose] [--json]")


def test_mistakes():
    """a mistake is one line that says what and what next"""
    cases = [
        ([], "no command given; see 'stasis help'"),
        (["lisst"], "unknown command: 'lisst'; did you mean 'list'?"),
        (["state"], "'state' is a group of commands; see 'stasis help state'"),
        (["host", "x"], "'host' is a group of commands; see 'stasis help host'"),
        (["frobnicate"], "unknown command: 'frobnicate'; see 'stasis help'"),
        (["help", "saev"], "command or command group 'saev' doesn't exist; did you mean 'save'?"),
        (["image"], "'image' needs a second word; see 'stasis help image'"),
        (["image", "inof", "x"], "unknown command: 'image inof'; did you mean 'image info'?"),
        (["list", "--al"], "command 'list' doesn't support option --al; did you mean --all?"),
        (["list", "x"], "unexpected data 'x': there is no place left for it; see 'stasis list --help'"),
        (["image", "info", "a", "b"],
         "unexpected data 'b': there is no place left for it; see 'stasis image info --help'"),
        (["start"], "command 'start' requires <domain> option"),
        (["save", "web"], "command 'save' requires <file> option"),
        (["autostart"], "command 'autostart' requires <domain> option"),
        (["list", "--name", "--table"], "options --table and --name are mutually exclusive"),
        (["save", "a", "b", "--running", "--paused"],
         "options --running and --paused are mutually exclusive"),
        (["-Z"], "unsupported option '-Z'; see 'stasis --help'"),
        (["--frob", "list"], "unsupported option '--frob'; see 'stasis --help'"),
        (["-c"], "option '-c' requires an argument"),
        (["-e", "ab", "uri"], "invalid string 'ab' for escape sequence"),
        (["-d", "5", "uri"], "option '--debug' takes a level from 0 to 4, not '5'"),
        (["-r", "destroy", "web"], "operation forbidden: read only access prevents 'destroy'"),
    ]
    for words, message in cases:
        check(words, 1, "", f"error: {message}\n")


def test_version():
    """-v prints the bare version"""
    tap.equal(re.fullmatch(r"\d+\.\d+\.\d+\n", run("-v").stdout) is not None, True)
    tap.equal(run("--version").stdout, run("-v").stdout)


def test_list_empty():
    """list without domains, as virsh prints it"""
    check(["list", "--all"], 0, " Id   Name   State\n--------------------\n\n", "")
    check(["list", "--name"], 0, "\n", "")
    check(["-q", "list"], 0, "", "")
    check(["list", "--json"], 0, "[]\n", "")
    check(["list", "--json", "--all"], 0, "[]\n", "")


def test_no_domain():
    """a domain that is not there: what failed, then why"""
    for words in (["domid", "web"], ["save", "web", "x"], ["console", "web"], ["edit", "web"]):
        done = run(*words)
        lines = done.stderr.splitlines()
        tap.equal((done.returncode, done.stdout, lines[0], len(lines)),
                  (1, "", "error: failed to get domain 'web'", 2))
        tap.equal(lines[1], "error: no domain 'web'")


DOMAIN = "<domain type='qemu'><name>{}</name><memory>8192</memory><os><type>hvm</type></os></domain>"


def test_nearest_domain():
    """a domain that is not there, and one that may be meant"""
    done = run("define", "-", input=DOMAIN.format("webserver"))
    tap.equal((done.returncode, done.stderr), (0, ""))
    try:
        for word in ("websrever", "webs"):
            check(["domid", word], 1, "",
                  f"error: failed to get domain '{word}'\n"
                  f"error: no domain '{word}'; did you mean 'webserver'?\n")
        check(["domid", "mail"], 1, "", "error: failed to get domain 'mail'\nerror: no domain 'mail'\n")
    finally:
        run("undefine", "webserver")


def test_files():
    """files that cannot be read"""
    check(["define", "none.xml"], 1, "",
          "error: failed to define domain from none.xml\n"
          "error: failed to open file 'none.xml': No such file or directory\n")
    done = run("define", "-", input="not xml")
    tap.equal((done.returncode, done.stderr.splitlines()[0]),
              (1, "error: failed to define domain from -"))
    with open("/dev/zero", encoding="utf-8") as zero:
        done = subprocess.run([STASIS, "define", "-"], stdin=zero, capture_output=True, text=True,
                              check=False, env=ENV, timeout=60)
    tap.equal((done.returncode, "longer than 1 MiB (1048576 octets)" in done.stderr), (1, True))


def sample_image():
    """A save image of libvirt's: header, definition, the beginning of QEMU's stream."""
    xml = DOMAIN.format("web").encode() + b"\0"
    return (b"LibvirtQemudSave" + struct.pack("<5I", 2, len(xml), 1, 0, 0) + bytes(14 * 4) + xml
            + b"QEVM\0\0\0\3" + bytes(64))


def test_image_for_definition():
    """a save image where a definition is wanted: what it is, and what is for it"""
    path = os.path.join(STATE.name, "saved")
    for octets in (sample_image(), sample_image() + bytes(2 << 20)):
        with open(path, "wb") as file:
            file.write(octets)
        for command in ("define", "create"):
            done = run(command, "saved")
            tap.equal((done.returncode, len(done.stderr.splitlines())), (1, 2))
            tap.contains(done.stderr, "error: 'saved' is a save image, not a definition: "
                         "'stasis restore saved' starts its domain, "
                         "'stasis save-image-dumpxml saved' prints its definition\n")


def test_configuration():
    """what the host's configuration forbids names its file and its option"""
    path = os.path.join(STATE.name, "state/config/stasis.conf")
    network = "<devices><interface type='network'><source network='lan'/></interface></devices>"
    for inside, says in (("<devices><emulator>/usr/bin/env</emulator></devices>",
                          "the emulator '/usr/bin/env' may not be started: option 'allowed' in "
                          f"[emulators] of '{path}' does not name it"),
                         (network, "no bridge is configured for network 'lan'; name one in "
                                   f"[networks] of '{path}', or use <interface type='bridge'>")):
        done = run("define", "-", input=DOMAIN.format("web").replace("</domain>", f"{inside}</domain>"))
        tap.equal(done.returncode, 1)
        tap.contains(done.stderr, says)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("[emulators]\ndefault=/nonexistent/qemu\n")
    try:
        done = run("define", "-", input=DOMAIN.format("web"))
    finally:
        os.unlink(path)
    tap.equal(done.returncode, 1)
    tap.contains(done.stderr, "cannot find the emulator '/nonexistent/qemu': No such file or directory "
                 f"(it is the default: option 'default' in [emulators] of '{path}')\n")


def test_fifo():
    """a definition from a FIFO is waited for, as cat does, and Ctrl-C ends the waiting"""
    fifo = os.path.join(STATE.name, "fifo")
    os.mkfifo(fifo)
    for interrupted in (False, True):
        with subprocess.Popen([STASIS, "define", fifo], stderr=subprocess.PIPE, text=True, env=ENV,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:
            with open(fifo, "w", encoding="utf-8") as writer:  # comes back when it reads
                writer.write("not ")
                writer.flush()
                if interrupted:
                    process.send_signal(signal.SIGINT)
                    process.wait(60)
                else:
                    writer.write("xml")
            errors = process.communicate(timeout=60)[1]
        if interrupted:
            tap.equal((process.returncode, errors), (-signal.SIGINT, ""))
        else:
            tap.equal((process.returncode, "'<' not found" in errors), (1, True))


def test_restore_stream():
    """standard input that is no image is refused with a reason"""
    done = run("restore", "-")
    tap.equal((done.returncode, done.stderr.splitlines()[0]),
              (1, "error: failed to restore domain from -"))
    tap.contains(done.stderr, "neither a regular file nor a pipe")


def test_verify_status():
    """image verify: 2 where there is nothing that it could look at"""
    with open(os.path.join(STATE.name, "junk"), "w", encoding="utf-8") as junk:
        junk.write("junk" * 4096)
    tap.equal(run("image", "verify", "none").returncode, 2)
    tap.equal(run("image", "verify").returncode, 2)
    done = run("image", "verify", "junk", "--json")
    tap.equal((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 2))


def test_full_output():
    """standard output that is full is an error"""
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([STASIS, "help"], stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False, env=ENV)
    tap.equal(done.returncode, 1)
    tap.contains(done.stderr, "failed to write to standard output: No space left on device")


def test_gone_reader():
    """a reader that went away is no error"""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([STASIS, "help"], stdout=writer, stderr=subprocess.PIPE, text=True,
                          check=False, env=ENV)
    os.close(writer)
    tap.equal((done.returncode, done.stderr), (0, ""))


TESTS = [test_help, test_help_each, test_help_group, test_help_words, test_help_width, test_closed_output, test_mistakes, test_version,
         test_list_empty, test_no_domain, test_nearest_domain, test_files, test_image_for_definition,
         test_configuration, test_fifo,
         test_restore_stream, test_verify_status, test_full_output,
         test_gone_reader]

if __name__ == "__main__":
    try:
        sys.exit(tap.run(TESTS))
    finally:
        STATE.cleanup()
