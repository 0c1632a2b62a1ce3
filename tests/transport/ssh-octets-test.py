#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stream through a real sshd on loopback: the way to the socket, and what becomes of the octets."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import sshd as ssh_server
from peers import (CONNECT, CONNECT_PROGRAM, MIB, TOP, cancel, command, echo, folder, goes, known, listening, main,
                   programs, refused, run, tap)

SERVER = None  # the sshd of most tests


def use(server):
    global SERVER  # pylint: disable=global-statement
    SERVER = server


def test_hosts():
    """hosts that are none: nobody listens, what listens is no sshd, says nothing, or hangs up"""
    class Nobody:
        port = ssh_server.free_port()
    said = run(Nobody, "--no-verify", "--socket", "/nowhere").stderr.decode()
    tap.contains(said, f"cannot connect to '127.0.0.1' port {Nobody.port}: ")
    tap.contains(said, "efused")

    def serve(octets):
        def once(listener):
            peer, _ = listener.accept()
            with peer:
                peer.sendall(octets)
                if octets:
                    peer.recv(100)
        return once

    for octets in (b"", b"HTTP/1.0 400 no\r\n\r\n" * 1000, b"SSH-2.0-x\r\n" + b"\xff" * 4000, b"\x1b[2J" * 4000):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve(octets), args=(listener,))
            thread.start()
            Nobody.port = listener.getsockname()[1]
            said = refused(Nobody, "--no-verify", code=CONNECT, says=f"'127.0.0.1' port {Nobody.port}: no ssh connection: ")
            assert not re.search(r"[\x00-\x09\x0b-\x1f]", said), said
            thread.join(30)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Nobody.port = listener.getsockname()[1]
        listener.settimeout(60)
        cancel(*command(Nobody, "--no-verify", "--socket", "/nowhere"), listener.accept)


def test_trickle():
    """a host that never comes to the point is given up"""
    if not os.environ.get("STASIS_TEST_SOAK"):
        return "half a minute: ./dev soak"

    def serve(listener):
        peer, _ = listener.accept()
        with peer, contextlib.suppress(OSError):
            until = time.monotonic() + 60
            while time.monotonic() < until:
                peer.sendall(b"no\r\n" * 1000)

    class Tarpit:
        pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        Tarpit.port = listener.getsockname()[1]
        result = run(Tarpit, "--no-verify", "--socket", "/nowhere", timeout=50)
        thread.join(80)
    tap.equal(result.returncode, 1)
    tap.contains(result.stderr.decode(), f"'127.0.0.1' port {Tarpit.port}: the handshake takes too long")
    return None


def test_addresses():
    """the addresses of a name are tried in turn; a name that there is not is named"""
    with listening(echo) as listener:  # sshd listens at one of the addresses of localhost only
        goes(SERVER, listener, "--no-verify", "--keyfile", SERVER.key, host="localhost")
    result = run(SERVER, "--no-verify", "--socket", "/nowhere", host="host.invalid")
    tap.equal(result.returncode, 1)
    tap.contains(result.stderr.decode(), f"cannot connect to 'host.invalid' port {SERVER.port}: ")


def test_arguments():
    """names and paths that are none are refused before anybody is asked"""
    for options in (("--socket", "relative"), ("--socket", "/a\nb"), ("--socket", "/a\x1b"), ("--user", "-oProxyCommand=x"),
                    ("--user", "a b"), ("--socket", "/" + "a" * 5000)):
        result = run(SERVER, *known(SERVER), *options)
        tap.equal(result.returncode, 1)
        tap.contains(result.stderr.decode(), "error: g-io-error-quark 13: ")


def test_no_socket():
    """a socket that is not there, and one on which nobody listens: the end, and why"""
    dead = folder() / "dead"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(dead))
    for path, why in ((folder() / "none", "No such file"), (dead, "efused")):
        result = run(SERVER, *known(SERVER), "--socket", path)
        tap.equal((result.returncode, result.stdout), (0, b""))
        tap.contains(result.stderr.decode(), "reason: '127.0.0.1' port")
        tap.contains(result.stderr.decode(), why)


def test_tricks():
    """a path with quotes, dollars, spaces is a path"""
    marker = folder() / "marker"
    for name in ("it's", '"q"', "$(touch marker)", "`touch marker`", "a; touch marker #", "-q", "a b  c", "\\", "é☃", "%2F&x=1"):
        place = folder()
        with listening(echo, place / name) as listener:
            goes(SERVER, listener, *known(SERVER))
    assert not marker.exists() and not list(TOP.rglob("marker"))


# The programs are run where sshd itself may not connect to sockets, or libssh2 cannot ask for that.
NOT_DIRECT = "AllowStreamLocalForwarding no\n"


def test_no_nc():
    """a host without any program that connects to sockets says which there are"""
    with ssh_server.sshd(folder(), env={"PATH": programs("sh")}, config=NOT_DIRECT) as server, listening(echo) as listener:
        result = run(server, *known(server), "--socket", listener.path)
        tap.equal(result.stdout, b"")
        tap.contains(result.stderr.decode(), "ended with status 127")
        tap.contains(result.stderr.decode(), "nc (with -U)")


def test_connect():
    """stasis-connect, where the host has it: both ends, sockets that are not there, a daemon that never ends"""
    with ssh_server.sshd(folder(), env={"PATH": programs("sh", CONNECT_PROGRAM)}, config=NOT_DIRECT) as server:
        with listening(late) as listener:
            result = run(server, *known(server), "--socket", listener.path, octets=b"a question")
            tap.equal(result.stdout, b"after the end: a question")
        result = run(server, *known(server), "--socket", "/nowhere/sock")
        tap.contains(result.stderr.decode(), "stasis-connect: cannot connect to '/nowhere/sock': ")
        ends(server)


def digest_of(got):
    """Someone who hears all, and answers with what it amounts to."""
    def serve(peer):
        digest, size = hashlib.sha256(), 0
        while octets := peer.recv(MIB):
            digest.update(octets)
            size += len(octets)
        got.append(size)
        peer.sendall(digest.digest())
    return serve


def test_connect_much():
    """stasis-connect has a pipe by which much comes made larger, and passes on all of it; so it does with a socket"""
    octets = pattern(b"much", 24 * MIB) + b"and a rest"
    reader, writer = os.pipe()
    usual = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    here, there = socket.socketpair()
    with here, there:
        sockets = there.detach(), here.makefile("wb", buffering=0)
    for stdin, ours in ((reader, open(writer, "wb", buffering=0)), sockets):
        got = []
        with listening(digest_of(got)) as listener, subprocess.Popen(
                [CONNECT_PROGRAM, "-U", listener.path], stdin=stdin, stdout=subprocess.PIPE) as process:
            os.close(stdin)
            with ours:
                for at in range(0, len(octets), 70000):  # no multiple of a page
                    send(ours, octets[at:at + 70000])
                    if stdin == reader and at == 0:
                        tap.equal(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ), usual)
                if stdin == reader:
                    assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) >= MIB
            tap.equal(process.stdout.read(), hashlib.sha256(octets).digest())
            tap.equal((process.wait(60), got), (0, [len(octets)]))


def send(file, octets):
    view = memoryview(octets)
    while view:
        view = view[file.write(view):]


def test_connect_gone():
    """stasis-connect ends where the daemon goes in the middle of what comes, and so does who writes to it"""
    reader, writer = os.pipe()

    def serve(peer):
        for _ in range(4):
            peer.recv(MIB, socket.MSG_WAITALL)

    with listening(serve) as listener, subprocess.Popen([CONNECT_PROGRAM, "-U", listener.path], stdin=reader,
                                                        stdout=subprocess.PIPE) as process:
        os.close(reader)
        with open(writer, "wb", buffering=0) as ours, contextlib.suppress(BrokenPipeError):
            while True:
                ours.write(bytes(MIB))
        tap.equal(process.stdout.read(), b"")
        assert process.wait(60) in (0, 1)


def test_connect_usual():
    """stasis-connect knows where the daemon of the host, of a user, and its socket for reading are"""
    state = folder()
    (state / "run/stasisd").mkdir(parents=True)
    (state / "config").mkdir()
    env = {"PATH": programs("sh", CONNECT_PROGRAM), "STASIS_STATE_DIR": state}
    with ssh_server.sshd(folder(), env=env, config=NOT_DIRECT) as server:
        for name, options in (("stasis-sock", ()), ("stasis-sock", ("--session",)), ("stasis-sock-ro", ("--read-only",))):
            path = state / "run/stasisd" / name
            with listening(echo, path):
                result = run(server, *known(server), *options, octets=b"there and back")
                tap.equal((result.returncode, result.stdout), (0, b"there and back"))
            path.unlink()
        (state / "config/stasisd.conf").write_text(f"[sockets]\nfolder={state}\n", encoding="utf-8")
        with listening(echo, state / "stasis-sock"):
            tap.equal(run(server, *known(server), octets=b"there and back").stdout, b"there and back")


def test_usual():
    """without stasis-connect, nc goes to the usual places: ours, then libvirt's"""
    if not ssh_server.has_namespaces():
        return "root and mount namespaces are needed for a /run of one's own"
    with listening(lambda peer: peer.sendall(b"ours")) as ours, listening(lambda peer: peer.sendall(b"theirs")) as theirs:
        places = {"/run/libvirt/libvirt-sock": theirs.path, "/run/libvirt/libvirt-sock-ro": ours.path}
        with ssh_server.sshd(folder(), links=places, config=NOT_DIRECT) as server:
            tap.equal(run(server, *known(server)).stdout, b"theirs")
            tap.equal(run(server, *known(server), "--read-only").stdout, b"ours")
        places["/run/stasisd/stasis-sock"] = ours.path
        with ssh_server.sshd(folder(), links=places, config=NOT_DIRECT) as server:
            tap.equal(run(server, *known(server)).stdout, b"ours")
    with ssh_server.sshd(folder(), env={"PATH": programs("sh", "nc")}, config=NOT_DIRECT) as server:
        result = run(server, *known(server))
        tap.contains(result.stderr.decode(), "no daemon's socket at the usual places")
    return None


def pattern(seed, size):
    return hashlib.shake_128(seed).digest(MIB) * (size // MIB)


def test_volume():
    """100 MiB both ways at once arrive as they were sent"""
    size = 100 * MIB
    there, back = pattern(b"there", size), pattern(b"back", size)
    got = []

    def serve(peer):
        writer = threading.Thread(target=peer.sendall, args=(back,))
        writer.start()
        digest = hashlib.sha256()
        while octets := peer.recv(MIB):
            digest.update(octets)
        writer.join(60)
        got.append(digest.hexdigest())

    with listening(serve) as listener:
        result = run(SERVER, *known(SERVER), "--socket", listener.path, octets=there, timeout=300)
        tap.equal(result.stderr.decode(), "open\nreason: none\n")
        tap.equal((len(result.stdout), result.stdout == back), (size, True))
    tap.equal(got, [hashlib.sha256(there).hexdigest()])


def test_pressure():
    """who does not read holds up who writes, and nothing is kept in memory"""
    state = {"sent": 0}
    release = threading.Event()

    def serve(peer):
        peer.settimeout(3)
        with contextlib.suppress(TimeoutError):
            while state["sent"] < 400 * MIB:
                state["sent"] += peer.send(bytes(MIB))
        state["held"] = True
        release.wait(60)

    with listening(serve) as listener:
        words, env = command(SERVER, *known(SERVER), "--socket", listener.path)
        with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 120
            while "held" not in state and time.monotonic() < deadline:
                time.sleep(0.05)
            before = cpu(process.pid)
            time.sleep(1)
            idle = cpu(process.pid) - before
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
            process.kill()
        release.set()
    assert state["sent"] < 32 * MIB and resident < 64 * 1024, (state, resident)
    assert idle <= 5, idle


def cpu(pid):
    """Ticks of the processor that it has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def late(peer):
    """An answer after the end of the question."""
    octets = b""
    while more := peer.recv(65536):
        octets += more
    time.sleep(0.5)
    peer.sendall(b"after the end: " + octets)


def test_half_close():
    """the end of our side arrives there, and what is written there afterwards arrives here"""
    with listening(late) as listener:
        result = run(SERVER, *known(SERVER), "--socket", listener.path, octets=b"a question")
        tap.equal(result.stdout, b"after the end: a question")


def test_their_end():
    """the end of their side arrives here while ours is open"""
    with listening(lambda peer: peer.sendall(b"done")) as listener:
        words, env = command(SERVER, *known(SERVER), "--socket", listener.path)
        with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            tap.equal(process.stdout.read(), b"done")
            tap.equal(process.wait(30), 0)


def test_idle():
    """a stream on which nothing happens costs nothing, and goes on"""
    with listening(echo) as listener:
        words, env = command(SERVER, *known(SERVER), "--socket", listener.path, "--keepalive", "2")
        with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdin.write(b"x")
            process.stdin.flush()
            tap.equal(process.stdout.read(1), b"x")
            before = cpu(process.pid)
            time.sleep(10)  # longer than the silence that would be the end
            assert cpu(process.pid) - before <= 5
            out, said = process.communicate(b"y", timeout=30)
            tap.equal((out, said), (b"y", b"open\nreason: none\n"))


def lost(end, says, *options):
    """Something ends the connection in the middle of a transfer."""
    with ssh_server.sshd(folder()) as server, listening(lambda peer: peer.sendall(bytes(300 * MIB))) as listener:
        listener.failed = NoList()
        words, env = command(server, *known(server), "--socket", listener.path, *options)
        with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdout.read(MIB)
            end(server)
            process.stdout.read()
            said = process.communicate(timeout=60)[1].decode()
            server.kill_sessions()
            tap.equal(process.returncode, 0)
            assert any(words in said for words in says), said


class NoList(list):
    """A peer that is cut off fails, as it should."""

    def __bool__(self):
        return False


def test_killed():
    """an sshd that is killed in the middle: the end, and that the connection is lost"""
    lost(lambda server: server.kill_sessions(), ("is lost",))


def test_stopped():
    """a host that falls silent in the middle is given up"""
    def stop(server):
        server.kill_sessions(signal.SIGSTOP)
    lost(stop, ("no sign of life",), "--keepalive", "1")


def ends(server):
    """Who closes the stream ends what runs on the host, whether the daemon there says anything or not."""
    release = threading.Event()

    def silent(peer):
        peer.sendall(peer.recv(1))
        release.wait(60)

    with listening(silent) as listener:
        words, env = command(server, *known(server), "--socket", listener.path)
        with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdin.write(b"x")
            process.stdin.flush()
            process.stdout.read(1)
            assert server.sessions()
            process.kill()
        deadline = time.monotonic() + 30
        while server.sessions() and time.monotonic() < deadline:
            time.sleep(0.05)
        left = server.sessions()
        release.set()
        tap.equal(left, [])


def test_leaver():
    """who closes the stream ends what runs on the host"""
    with ssh_server.sshd(folder(), env={"PATH": programs("sh", CONNECT_PROGRAM)}, config=NOT_DIRECT) as server:
        ends(server)


main(dict(globals()), use)
