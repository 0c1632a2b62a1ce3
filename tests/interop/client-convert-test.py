#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that are converted from and to pipes of a client: as embedded, for the daemon's files."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time

import wire
from served import daemon, harness

sys.path.insert(0, str(harness.ROOT / "tests" / "transport"))
import sshd as ssh_server  # pylint: disable=wrong-import-position

SAVE_PIPE, TO_PIPE, FROM_PIPE = 46, 48, 49
WINDOW = 2 * 1024 * 1024


@contextlib.contextmanager
def ways(t):
    """A daemon, and how `stasis` gets to its files: {word: options}."""
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(daemon(t))
        found = {"embedded": [], "unix": ["-c", f"stasis+unix:///system?socket={served.socket}"]}
        if not ssh_server.why_not():
            server = stack.enter_context(ssh_server.sshd(t.dir / "sshd"))
            found["ssh"] = ["-c", f"stasis+ssh://{server.user}@127.0.0.1:{server.port}/system?socket={served.socket}"
                                  f"&keyfile={server.key}&known_hosts={server.known_hosts}"]
        yield served, found


def saved(t):
    """An image in a file; its domain is defined."""
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    image = t.dir / "image"
    t.stasis("save", guest.name, image)
    return guest, image


def convert(t, options, *words, **more):
    """Octets on standard input and output."""
    if "input" not in more:
        more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([harness.STASIS, *options, "image", "convert", *map(str, words)], env=t.environment(),
                          stderr=subprocess.PIPE, timeout=120, check=False, **more)


def begin(t, options, *words):
    return subprocess.Popen([harness.STASIS, *options, "image", "convert", *map(str, words)], env=t.environment(),
                            bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def left(t):
    """What lies beside the images that is not to be there."""
    return sorted(path.name for path in t.dir.iterdir() if path.name.startswith("."))


@harness.test("to a pipe, from one and between two: the same images and words embedded, through a socket and through ssh",
              timeout=300)
def there_and_back(t):
    _guest, image = saved(t)
    t.stasis("image", "convert", "-O", "trailer", image, t.dir / "plain")
    plain = (t.dir / "plain").read_bytes()
    piece = t.dir / "piece"
    with ways(t) as (_, found):
        told = {}
        for word, options in found.items():
            said = told.setdefault(word, [])
            for kind in ((), ("-O", "libvirt"), ("-O", "libvirt-zstd"), ("--compress", "zstd"), ("-O", "trailer")):
                done = convert(t, options, *kind, image, "-")
                assert done.returncode == 0, (word, kind, done.stderr)
                said.append(done.stderr)
                back = t.dir / f"back-{word}"
                if kind != ("-O", "trailer"):
                    twice = convert(t, options, "-", "-", input=done.stdout)
                    assert twice.returncode == 0, (word, kind, twice.stderr)
                    said.append(twice.stderr)
                    again = convert(t, options, "-", back, input=twice.stdout)
                    assert (again.returncode, again.stdout.strip().decode()) == (0, f"Save image converted to {back}"), again
                    said.append(again.stderr)
                    t.stasis("image", "verify", back)
                    assert convert(t, options, "-O", "trailer", back, "-").stdout == plain, (word, kind)
                else:
                    assert done.stdout == plain, word
            with open(piece, "wb") as file:
                assert convert(t, options, image, "-", stdout=file).returncode == 0
                os.write(file.fileno(), b"behind it")  # its position is behind the image
            octets = piece.read_bytes()
            assert octets.endswith(b"behind it"), word
            piece.write_bytes(octets[:-9])
            t.stasis("image", "verify", piece)
            with open(os.devnull, "wb") as file:
                assert convert(t, options, image, "-", stdout=file).returncode == 0
            with open(t.dir / "plain", "rb") as file:  # a trailer's definition is that of the domain
                with open(piece, "w+b") as new:
                    assert convert(t, options, "-", "-", stdin=file, stdout=new).returncode == 0, word
            t.stasis("image", "verify", piece)
            assert not left(t)
        for word, said in told.items():
            assert said == told["embedded"], word


@harness.test("from and into files of the client, of kinds that no pipe has: as embedded, through a socket and through ssh",
              timeout=300)
def files_here(t):
    _guest, image = saved(t)
    t.stasis("image", "convert", "-O", "libvirt-sparse", image, t.dir / "libvirt-sparse")
    t.stasis("image", "convert", "-O", "trailer", image, t.dir / "trailer")
    plain = (t.dir / "trailer").read_bytes()
    damaged = bytearray(image.read_bytes())
    damaged[-100] ^= 0x10
    damaged[len(damaged) // 2] ^= 0x10
    (t.dir / "damaged").write_bytes(damaged)
    (t.dir / "text").write_text("no image at all\n" * 1000, encoding="utf-8")
    with ways(t) as (served, found):
        told = {}
        for word, options in found.items():
            said = told.setdefault(word, [])
            out = t.dir / f"out-{word}"

            def run(*words, source=None, target=None, options=options, said=said):
                with contextlib.ExitStack() as stack:
                    more = {"stdin": stack.enter_context(open(source, "rb"))} if source else {}
                    if target:
                        more["stdout"] = stack.enter_context(open(target, "w+b"))
                    done = convert(t, options, *words, **more)
                said.append((done.returncode, done.stderr))
                return done.returncode

            for name in ("image", "libvirt-sparse", "trailer"):
                for kind in ("stasis", "libvirt", "trailer"):
                    assert run("-O", kind, "-", out, source=t.dir / name) == 0, (word, name, kind, said)
                    assert convert(t, [], "-O", "trailer", out, "-").stdout == plain, (word, name, kind)
            for kind in ("stasis", "libvirt-sparse"):
                for name in ("image", "libvirt-sparse", "trailer"):
                    assert run("-O", kind, t.dir / name, "-", target=t.dir / "new") == 0, (word, name, kind, said)
                    assert convert(t, [], "-f", kind, "-O", "trailer", t.dir / "new", "-").stdout == plain, (word, name)
            old = out.read_bytes()
            for name in ("damaged", "text"):
                assert run("-", out, source=t.dir / name) == 1 and out.read_bytes() == old, (word, name)
                assert run("-O", "stasis", t.dir / name, "-", target=t.dir / "new") == 1, (word, name)
                assert not (t.dir / "new").stat().st_size, word
            assert run("-f", "libvirt", "-", out, source=image) == 1
            assert run("-O", "libvirt-sparse", "--compress", "zstd", image, "-", target=t.dir / "new") == 1
            assert run("-", t.dir / "no-folder" / "out", source=image) == 1
            assert run("-O", "stasis", t.dir / "missing", "-", target=t.dir / "new") == 1
            assert not left(t) and not serves(served), word
        for word, said in told.items():
            for one, other in zip(said, told["embedded"]):
                one, other = ((status, text.replace(word.encode(), b"embedded")) for status, text in (one, other))
                assert one == other, (word, one, other)


@harness.test("what fails says and leaves the same, embedded, through a socket and through ssh", timeout=300)
def failures(t):
    _guest, image = saved(t)
    stream = convert(t, [], image, "-").stdout
    (t.dir / "text").write_text("no image at all\n" * 1000, encoding="utf-8")
    out = t.dir / "out"
    out.write_bytes(convert(t, [], "-O", "libvirt", image, "-").stdout)
    old = out.read_bytes()
    damaged = bytearray(stream)
    damaged[len(stream) // 2] ^= 0x10
    with ways(t) as (_, found):
        told = {}
        for word, options in found.items():
            said = told.setdefault(word, [])

            def fails(*words, options=options, said=said, **more):
                done = convert(t, options, *words, **more)
                assert done.returncode == 1 and not done.stdout, done
                said.append(done.stderr)

            for octets in (b"", b"no image", stream[:100], stream[:len(stream) // 2], stream[:-1], bytes(damaged)):
                fails("-", out, input=octets)
                assert out.read_bytes() == old and not left(t), (word, len(octets))
            fails("-f", "trailer", "-", out, input=stream)
            fails("-O", "nonsense", "-", out, input=stream)
            fails("-O", "stasis", image, "-")
            fails("-O", "libvirt-sparse", image, "-")
            fails(t.dir / "missing", "-")
            fails(t.dir / "text", "-")
            fails("-", t.dir / "no-folder" / "out", input=stream)
            fails("-", t.dir / "text", input=stream)
            with open("/dev/full", "wb") as full:
                fails(image, "-", stdout=full)
            with open(t.dir / "text", "ab") as more:
                fails(image, "-", stdout=more)
            with open(t.dir / "cut", "w+b") as new:
                fails(t.dir / "text", "-", stdout=new)
            fails(image, "--json", "-")
            fails("-", "-", input=b"no image")
        for word, said in told.items():
            for one, other in zip(said, told["embedded"]):
                assert one == other, (word, one, other)


@harness.test("a reader or a client that goes away ends it, and an input that is not whole leaves nothing", timeout=300)
def cut(t):
    _guest, image = saved(t)
    stream = convert(t, [], image, "-").stdout
    assert len(stream) > WINDOW
    out = t.dir / "out"
    out.write_bytes(stream)
    with ways(t) as (served, found):
        for word, options in found.items():
            process = begin(t, options, image, "-")
            process.stdout.read(10)
            process.stdout.close()
            said = process.stderr.read()
            assert process.wait(60) == 1 and b"failed to convert" in said and b"the reader has gone away after" in said, (word, said)
            process = begin(t, options, image, "-")
            first = process.stdout.read(1)
            time.sleep(0.5)
            assert process.poll() is None, word
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]
            assert process.returncode == 1 and b"cancel" in said, (word, said)
            process = begin(t, options, image, "-")
            process.stdout.read(1)
            process.kill()
            process.communicate()
            process = begin(t, options, image, "-")  # and a slow reader has all of it
            first = process.stdout.read(1)
            time.sleep(0.5)
            rest = process.communicate(timeout=60)[0]
            (t.dir / "rest").write_bytes(first + rest)
            assert process.returncode == 0, word
            t.stasis("image", "verify", t.dir / "rest")
            for number in (signal.SIGINT, signal.SIGKILL):
                process = begin(t, options, "-", out)
                process.stdin.write(stream[:len(stream) // 2])
                harness.wait_for(lambda: serves(served) if options else True, "the conversion to begin")
                process.send_signal(number)
                process.communicate(timeout=60)
                harness.wait_for(lambda: not serves(served), "its end")
                assert out.read_bytes() == stream and not left(t), word


def open_files(served):
    """Of the daemon, in the test's folder."""
    folder = f"/proc/{served.process.pid}/fd"
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            target = os.readlink(f"{folder}/{name}")
            if target.startswith(f"{served.t.dir}/"):
                yield target


def serves(served):
    """Whether a conversion is under way: its output has no name, or a hidden one, but is open."""
    return any("(deleted)" in target or "/." in target for target in open_files(served))


def to_pipe(image, kind="libvirt"):
    return wire.string(image) + wire.optional(None) + wire.optional(kind) + wire.optional(None)


def octets_until_silence(client, seconds=1):
    """What comes in packets of the type stream."""
    count = 0
    while not client.says_nothing(seconds):
        got = client.receive()
        assert got is not None and got.kind in (wire.STREAM, wire.EVENT), got
        count += len(got.payload) if got.kind == wire.STREAM else 0
    return count


@harness.test("no more is under way than may be, and two images of one connection have two serials")
def bounded(t):
    _guest, image = saved(t)
    with daemon(t) as served:
        with wire.Client(served.socket) as client:
            serial = client.ask(TO_PIPE, to_pipe(image), program=wire.OWN)
            assert octets_until_silence(client) == WINDOW
            for procedure, payload in ((TO_PIPE, to_pipe(image)),
                                       (FROM_PIPE, wire.string("-") + wire.optional(None)
                                        + wire.string(t.dir / "new") + 2 * wire.optional(None))):
                client.send(wire.packet(procedure, payload, program=wire.OWN, serial=serial))
                reply = client.receive()
                assert reply.kind == wire.REPLY and "under way" in reply.message, reply
            assert octets_until_silence(client, 0.3) == 0  # the first is as it was
            client.send(wire.packet(TO_PIPE, struct.pack(">Q", WINDOW), program=wire.OWN, kind=wire.STREAM, serial=serial,
                                    status=2))
            assert octets_until_silence(client) > 0
        with wire.Client(served.socket) as client:  # who sends more than that is none that we serve
            client.ask(FROM_PIPE, wire.string("-") + wire.optional(None) + wire.string(t.dir / "new")
                       + 2 * wire.optional(None), program=wire.OWN)
            assert not client.receive().payload
            for _ in range(3):
                octets = wire.packet(FROM_PIPE, bytes(WINDOW // 8), program=wire.OWN, kind=wire.STREAM,
                                     serial=client.serial, status=2)
                client.send(octets)
            harness.wait_for(lambda: not serves(served), "the end of it")
            assert not (t.dir / "new").exists() and not left(t)


def runs_alone(t, guest):
    return "job" not in t.status(guest) and t.domstate(guest) == "running"


@harness.test("a call whose client has gone before it begins ends as well")
def gone(t):
    guest, image = saved(t)
    t.stasis("image", "convert", "-O", "stasis-stream", image, t.dir / "stream")
    t.stasis("restore", image)
    with daemon(t) as served:
        for _ in range(10):
            with wire.Client(served.socket) as client:
                domain = client.lookup(guest.name)
                served.process.send_signal(signal.SIGSTOP)
                client.ask(SAVE_PIPE, domain + wire.string("-") + 3 * wire.optional(None) + wire.u32(0), program=wire.OWN)
            served.process.send_signal(signal.SIGCONT)
            harness.wait_for(lambda: runs_alone(t, guest), "the end of the save")
        for _ in range(20):
            with wire.Client(served.socket) as client:
                served.process.send_signal(signal.SIGSTOP)
                for _ in range(3):
                    client.ask(TO_PIPE, to_pipe(t.dir / "stream"), program=wire.OWN)
            served.process.send_signal(signal.SIGCONT)
        harness.wait_for(lambda: str(t.dir / "stream") not in open_files(served), "their end")
        harness.wait_for(lambda: runs_alone(t, guest), "the end of a save that began late")


harness.main()
