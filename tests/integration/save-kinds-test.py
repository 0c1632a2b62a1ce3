#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saves to every kind of image, into files and pipes; whatever fails, there is one guest or one image."""

import fcntl
import json
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

import harness

VERIFY = harness.ROOT / "tests" / "verify" / "verify_image.py"
PROGRAMS = {"libvirt-bzip2": "bzip2", "libvirt-xz": "xz", "libvirt-lzop": "lzop"}
PIPE_KINDS = ["stasis-stream", "libvirt", "libvirt-gzip", "libvirt-bzip2", "libvirt-xz", "libvirt-lzop",
              "libvirt-zstd", "trailer"]
KINDS = ["stasis", "libvirt-sparse", *PIPE_KINDS]
STREAM = ("--format", "stasis-stream", "--compress", "zstd")
BEFORE = ["save-begin", "save-journal", "save-passed", "save-paused", "save-copied", "save-written", "save-linked"]


def running_guest(t, **options):
    guest = t.boot_sector_guest(**options)
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    return guest


def goes_on(t, guest, what=""):
    last = guest.last_tick()
    harness.wait_for(lambda: guest.last_tick() > last, f"the guest to go on after {what}")
    assert guest.damaged_pages() == 0
    t.wait_for_no_job(guest)
    assert t.stasis("domstate", guest.name).stdout.strip() == "running"


def stays_paused(t, guest):
    """Nobody has decided yet."""
    t.wait_for_no_job(guest)
    assert t.domstate(guest, "--reason") == "paused (save undecided)", t.domstate(guest, "--reason")
    last = guest.last_tick()
    time.sleep(0.5)
    assert guest.last_tick() == last, "the guest runs"


def available(kind):
    return kind not in PROGRAMS or shutil.which(PROGRAMS[kind]) is not None


def comes_back(t, guest, image, kind):
    """The domain is gone; the image holds it, by all who can tell."""
    assert t.domstate(guest, "--reason") == "shut off (saved)", t.domstate(guest, "--reason")
    last = guest.last_tick()
    if kind.startswith("stasis"):
        t.stasis("image", "verify", image)
        result = subprocess.run([sys.executable, VERIFY, image], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    t.stasis("restore", image)
    if kind == "trailer":  # it does not say whether the guest ran
        t.stasis("resume", guest.name)
    guest.wait_for_tick(last + 2)
    ticks = guest.ticks()
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "a tick is missing or doubled"
    assert guest.damaged_pages() == 0


def start(t, *arguments, stdout=subprocess.PIPE, pass_fds=(), **env):
    return subprocess.Popen([harness.STASIS, *map(str, arguments)], env=t.environment(**env), stdout=stdout,
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=pass_fds)


def save_through_pipe(t, guest, image, *options, **env):
    """`stasis save NAME - | cat > image`; its exit status and standard error."""
    with open(image, "wb") as file:
        process = start(t, "save", guest.name, "-", *options, **env)
        with subprocess.Popen(["cat"], stdin=process.stdout, stdout=file):
            process.stdout.close()
            errors = process.stderr.read().decode()
            process.wait(120)
    return process.returncode, errors


@harness.test("every kind of image in a file: the guest goes on where it was", timeout=600)
def to_files(t):
    guest = running_guest(t)
    for kind in filter(available, KINDS):
        image = t.dir / kind
        result = t.stasis("save", guest.name, "/dev/null", "--format", kind, check=False)
        assert result.returncode == 1 and "warning: " not in result.stderr, result.stderr
        result = t.stasis("save", guest.name, image, "--format", kind, check=False)
        if kind == "libvirt-sparse" and "mapped-ram" in result.stderr:
            assert result.returncode == 1 and not image.exists()
            goes_on(t, guest, kind)
            continue
        assert result.returncode == 0, result.stderr
        assert ("warning: " in result.stderr) == (not kind.startswith("stasis")), result.stderr
        assert image.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in t.dir.glob(".*")] == []
        comes_back(t, guest, image, kind)


@harness.test("every kind that a pipe takes: the guest goes on where it was", timeout=600)
def to_pipes(t):
    guest = running_guest(t)
    for kind in filter(available, PIPE_KINDS):
        image = t.dir / kind
        status, errors = save_through_pipe(t, guest, image, "--format", kind)
        assert status == 0, errors
        assert f"Domain '{guest.name}' saved to standard output" in errors, errors
        comes_back(t, guest, image, kind)


@harness.test("a pipe gets stasis-stream by itself, --compress makes it one, --verbose says how much")
def defaults(t):
    guest = running_guest(t)
    image, packed = t.dir / "image", t.dir / "packed"
    status, errors = save_through_pipe(t, guest, image)
    assert status == 0 and "warning" not in errors, errors
    assert json.loads(t.stasis("image", "info", image, "--json").stdout)["body"]["kind"] == "chunks"
    comes_back(t, guest, image, "stasis-stream")
    told = json.loads(t.stasis("save", guest.name, packed, "--compress", "zstd:9", "--json").stdout)
    assert told["bytes_written"] == packed.stat().st_size, told
    assert packed.stat().st_size < image.stat().st_size / 2
    assert "ompleted" in t.stasis("domjobinfo", guest.name, "--completed").stdout
    comes_back(t, guest, packed, "stasis-stream")


@harness.test("a FIFO, an inherited descriptor, a socket, and standard output that is a file", once=True)
def other_ends(t):
    guest = running_guest(t)
    image, fifo = t.dir / "image", t.dir / "fifo"
    os.mkfifo(fifo)
    process = start(t, "save", guest.name, fifo)
    guest.wait_for_tick(guest.last_tick() + 2)  # it waits for its reader, and the guest runs
    image.write_bytes(fifo.read_bytes())
    assert process.wait(60) == 0, process.stderr.read()
    comes_back(t, guest, image, "stasis-stream")

    with open(image, "wb") as file:
        process = start(t, "save", guest.name, "--fd", file.fileno(), "--compress", "zstd", pass_fds=[file.fileno()])
        assert process.wait(60) == 0, process.stderr.read()
    comes_back(t, guest, image, "stasis-stream")

    ours, theirs = socket.socketpair()
    process = start(t, "save", guest.name, "--fd", theirs.fileno(), pass_fds=[theirs.fileno()])
    theirs.close()
    with ours, ours.makefile("rb") as stream:
        image.write_bytes(stream.read())
    assert process.wait(60) == 0, process.stderr.read()
    comes_back(t, guest, image, "stasis-stream")

    with open(image, "wb") as file:
        process = start(t, "save", guest.name, "-", stdout=file)
        assert process.wait(60) == 0, process.stderr.read()
    comes_back(t, guest, image, "stasis-stream")


def refused(t, guest, *arguments, says, **options):
    result = t.stasis("save", guest.name, *arguments, check=False, **options)
    assert result.returncode == 1, result.stdout
    for word in says:
        assert word in result.stderr, f"'{word}' is not in: {result.stderr}"


@harness.test("what makes no sense is refused before anything happens, and says what there is", once=True)
def refusals(t):
    guest = running_guest(t)
    image = t.dir / "image"
    refused(t, guest, image, "--format", "vmdk", says=["'vmdk'", "stasis-stream", "libvirt-zstd", "trailer"])
    refused(t, guest, image, "--compress", "lzma", says=["'lzma'", "zstd:LEVEL"])
    for level in ("0", "20", "x", "", "-1", "3 "):
        refused(t, guest, image, "--compress", f"zstd:{level}", says=["1 to 19"])
    refused(t, guest, image, "--compress", "zstd", "--format", "libvirt", says=["libvirt-zstd", "stasis-stream"])
    for kind in ("stasis", "libvirt-sparse"):
        refused(t, guest, "-", "--format", kind, says=[kind, "pipe", "stasis-stream"])
    refused(t, guest, "--fd", "x", says=["'x'"])
    refused(t, guest, "--fd", "999", says=["999"])
    refused(t, guest, image, "--fd", "1", says=["fd"])
    refused(t, guest, says=["<file>"])
    refused(t, guest, "-", "--json", says=["--json"])
    with open("/dev/null", "wb") as null:
        process = start(t, "save", guest.name, "-", stdout=null)
        assert process.wait(60) == 1 and b"neither a file nor a pipe" in process.stderr.read()
    ours, theirs = pty.openpty()
    process = start(t, "save", guest.name, "-", stdout=theirs)
    assert process.wait(60) == 1 and b"terminal" in process.stderr.read()
    os.close(theirs)
    os.close(ours)
    assert not image.exists()
    goes_on(t, guest)


@harness.test("a reader that dies in the middle: the guest runs on", once=True)
def reader_dies(t):
    guest = running_guest(t)
    for kind in ("stasis-stream", "libvirt", "libvirt-zstd", "trailer"):
        process = start(t, "save", guest.name, "-", "--format", kind)
        assert process.stdout.read(5000)
        process.stdout.close()
        errors = process.stderr.read().decode()
        assert process.wait(60) == 1 and "reader has gone" in errors, errors
        if kind == "libvirt-zstd":  # of so small a guest all of it is the end, of which some may be missing
            stays_paused(t, guest)
            t.stasis("resume", guest.name)
        goes_on(t, guest, kind)


def big_pipe():
    """A pipe that holds the whole of a compressed image."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    return reader, writer


def end_in_pipe(t, guest):
    """A save that has written all of its image into a pipe that nobody reads."""
    reader, writer = big_pipe()
    process = start(t, "save", guest.name, "-", *STREAM, stdout=writer)
    os.close(writer)
    harness.wait_for(lambda: "wait for the reader" in t.stasis("domjobinfo", guest.name).stdout, "the end of the image")
    return reader, process


@harness.test("a reader that goes away and leaves the last octets in the pipe: the guest runs on", once=True)
def reader_leaves_the_end(t):
    guest = running_guest(t)
    reader, process = end_in_pipe(t, guest)
    os.read(reader, 100000)
    assert process.poll() is None
    os.close(reader)
    errors = process.stderr.read().decode()
    assert process.wait(60) == 1 and "gone away and left the last" in errors, errors
    goes_on(t, guest)


def read_all_but(reader, size, is_over):
    """What goes through a pipe, of which so many octets stay in it until all has been written."""
    read = 0
    while True:
        was_over = is_over()
        n = struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, bytes(4)))[0]
        if n > size:
            read += len(os.read(reader, n - size))
        elif was_over:
            return read


@harness.test("a reader that lacks little of another's kind may have enough: the guest stays paused", embedded=True, once=True)
def reader_has_enough(t):
    guest = running_guest(t)
    for kind in ("libvirt", "trailer"):
        reader, writer = big_pipe()
        process = start(t, "save", guest.name, "-", "--format", kind, stdout=writer)
        os.close(writer)
        waits = lambda: "wait for the reader" in t.stasis("domjobinfo", guest.name).stdout
        assert read_all_but(reader, 40, waits) > 1 << 20
        os.close(reader)
        errors = process.stderr.read().decode()
        assert process.wait(60) == 1 and "left the last 40 octets" in errors, errors
        assert "may have a complete image" in errors and "resume" in errors, errors
        stays_paused(t, guest)
        t.stasis("resume", guest.name)
        goes_on(t, guest, kind)


@harness.test("cancelled with the end of the image in the pipe: the guest stays paused, and people decide", once=True)
def cancelled_at_the_end(t):
    guest = running_guest(t)
    reader, process = end_in_pipe(t, guest)
    t.stasis("domjobabort", guest.name)
    errors = process.stderr.read().decode()
    assert process.wait(60) == 1 and "may have a complete image" in errors and "resume" in errors, errors
    stays_paused(t, guest)
    result = t.stasis("save", guest.name, t.dir / "image", check=False)
    assert result.returncode == 1 and "resume or destroy" in result.stderr, result.stderr
    os.close(reader)
    t.stasis("resume", guest.name)
    goes_on(t, guest)
    t.stasis("save", guest.name, t.dir / "image")
    comes_back(t, guest, t.dir / "image", "stasis")


@harness.test("a full pipe whose reader never reads: aborted by domjobabort and by Ctrl-C", once=True)
def reader_sleeps(t):
    guest = running_guest(t)
    for kind in ("stasis-stream", "libvirt"):
        for way in ("domjobabort", "SIGINT"):
            process = start(t, "save", guest.name, "-", "--format", kind)
            # What QEMU sends may have found room in our buffers.
            harness.wait_for(lambda: {"copy", "hash"} & set(t.stasis("domjobinfo", guest.name).stdout.split()),
                             "the copy")
            time.sleep(0.3)
            if way == "SIGINT":
                process.send_signal(signal.SIGINT)
            else:
                t.stasis("domjobabort", guest.name)
            assert process.wait(60) == 1  # pylint: disable=no-member
            assert b"cancel" in process.stderr.read()
            process.stdout.close()
            goes_on(t, guest, way)


@harness.test("kill -9 at each step of a save of a stream into a file", timeout=300, once=True)
def killed_file(t):
    guest = running_guest(t)
    image = t.dir / "image"
    for step in [*BEFORE, "save-commit"]:
        result = t.stasis("save", guest.name, image, *STREAM, check=False, STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        goes_on(t, guest, step)
        assert not image.exists() and [path.name for path in t.dir.glob(".*")] == []
    for step in ["save-renamed", "save-committed"]:
        result = t.stasis("save", guest.name, image, *STREAM, check=False, STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        harness.wait_for(lambda: "shut off" in t.domstate(guest, "--reason"), "the end of QEMU")
        comes_back(t, guest, image, "stasis-stream")


@harness.test("kill -9 at each step of a save into a pipe: goes on, stays paused at COMMIT, or is gone", timeout=300, once=True)
def killed_pipe(t):
    guest = running_guest(t)
    image = t.dir / "image"
    for step in BEFORE:
        status, errors = save_through_pipe(t, guest, image, STASIS_FAULT=f"{step}=kill")
        assert status == -signal.SIGKILL, f"{step} was not reached: {errors}"
        goes_on(t, guest, step)
        result = t.stasis("restore", image, check=False)
        assert result.returncode == 1, "the image is complete"
    for step in ["save-commit", "save-released", "save-renamed"]:
        status, errors = save_through_pipe(t, guest, image, STASIS_FAULT=f"{step}=kill")
        assert status == -signal.SIGKILL, f"{step} was not reached: {errors}"
        stays_paused(t, guest)
        t.stasis("resume", guest.name)
        goes_on(t, guest, step)
    status, errors = save_through_pipe(t, guest, image, STASIS_FAULT="save-committed=kill")
    assert status == -signal.SIGKILL, errors
    harness.wait_for(lambda: "shut off" in t.domstate(guest, "--reason"), "the end of QEMU")
    comes_back(t, guest, image, "stasis-stream")


@harness.test("what a save had sent before its COMMIT when it died is no complete image, whatever its kind", once=True)
def cut_images(t):
    guest = running_guest(t)
    image = t.dir / "image"
    for kind in filter(available, PIPE_KINDS):
        status, errors = save_through_pipe(t, guest, image, "--format", kind, STASIS_FAULT="save-linked=kill")
        assert status == -signal.SIGKILL, errors
        goes_on(t, guest, kind)
        t.stasis("destroy", guest.name)
        result = t.stasis("restore", image, check=False)
        assert result.returncode == 1, f"{kind}: the image is complete"
        print(f"# {kind}: {image.stat().st_size} octets: {result.stderr.strip().splitlines()[-1]}")
        t.stasis("start", guest.name)
        guest.wait_for_tick(2)


@harness.test("an image of another's kind that was cut, or has something behind it, is not restored")
def damaged_ends(t):
    guest = running_guest(t)
    for kind in filter(available, ["libvirt", "libvirt-gzip", "libvirt-xz", "libvirt-zstd"]):
        image, broken = t.dir / kind, t.dir / "broken"
        t.stasis("save", guest.name, image, "--format", kind)
        octets = image.read_bytes()
        for what, damaged in {"cut by 1": octets[:-1], "cut by 40": octets[:-40], "longer": octets + b"more",
                              "longer by zeros": octets + bytes(8)}.items():
            if (kind, what) == ("libvirt-xz", "longer by zeros"):
                continue  # xz has padding
            broken.write_bytes(damaged)
            for way in ("file", "pipe"):
                with open(broken, "rb") as file:
                    cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
                    result = t.stasis("restore", "-" if way == "pipe" else broken, stdin=cat.stdout, check=False)
                    cat.stdout.close()
                    cat.wait()
                assert result.returncode == 1, f"{kind}, {what}, from a {way}"
                assert t.domstate(guest) == "shut off", f"{kind}, {what}, from a {way}"
                print(f"# {kind}, {what}, {way}: {result.stderr.strip().splitlines()[-1][-110:]}")
        t.stasis("restore", image)
        guest.wait_for_tick(2)


@harness.test("the image of a save that died at its very end, if the reader has it, is good", once=True)
def killed_with_image(t):
    guest = running_guest(t)
    image = t.dir / "image"
    status, _ = save_through_pipe(t, guest, image, STASIS_FAULT="save-released=kill")
    assert status == -signal.SIGKILL
    stays_paused(t, guest)
    log = t.state / "log" / "qemu" / f"{guest.name}.supervisor.log"
    assert "stays paused" in log.read_text(), log.read_text()
    t.stasis("destroy", guest.name)
    t.stasis("restore", image)
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a failure at each step is rolled back, in a file and in a pipe", timeout=300)
def fails(t):
    guest = running_guest(t)
    image = t.dir / "image"
    for step in [*BEFORE, "save-commit"]:
        result = t.stasis("save", guest.name, image, *STREAM, check=False, STASIS_FAULT=f"{step}=fail")
        assert result.returncode == 1 and step in result.stderr, result.stderr
        goes_on(t, guest, step)
        assert not image.exists()
        status, errors = save_through_pipe(t, guest, t.dir / "cut", STASIS_FAULT=f"{step}=fail")
        assert status == 1 and step in errors, errors
        goes_on(t, guest, step)


@harness.test("a disk that is full in the middle: the guest runs on", once=True)
def full_disk(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can mount a small file system")
    guest = running_guest(t)
    small = t.dir / "small"
    small.mkdir()
    for kind in filter(available, KINDS):
        # Only in a namespace of its own, which goes with the process.
        script = 'mount -t tmpfs -o size=100k none "$1" && shift && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, "sh", str(small), harness.STASIS, "save", guest.name,
                   str(small / "image"), "--format", kind]
        result = subprocess.run(command, env=t.environment(), capture_output=True, text=True, check=False, timeout=60)
        assert result.returncode == 1, f"{kind}: {result.stderr}"
        if kind == "libvirt-sparse" and "mapped-ram" in result.stderr:
            continue
        print(f"# {kind}: {result.stderr.strip().splitlines()[-1]}")
        goes_on(t, guest, kind)


harness.main()
