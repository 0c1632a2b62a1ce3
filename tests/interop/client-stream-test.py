#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes through a stream of octets between `stasis` and a stasisd: consoles and images in pipes."""

import contextlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time

from served import daemon, harness

sys.path.insert(0, str(harness.ROOT / "tests" / "transport"))
sys.path.insert(0, str(harness.ROOT / "bench"))
import sshd as ssh_server  # pylint: disable=wrong-import-position
import virsh_peer  # pylint: disable=wrong-import-position

ESCAPE = b"\x1d"


@contextlib.contextmanager
def ways(t, **env):
    """A daemon, and how `stasis` gets to its domains: {word: options}."""
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(daemon(t, **env))
        found = {"embedded": [], "unix": ["-c", f"stasis+unix:///system?socket={served.socket}"]}
        if not ssh_server.why_not():
            server = stack.enter_context(ssh_server.sshd(t.dir / "sshd"))
            found["ssh"] = ["-c", f"stasis+ssh://{server.user}@127.0.0.1:{server.port}/system?socket={served.socket}"
                                  f"&keyfile={server.key}&known_hosts={server.known_hosts}"]
        yield served, found


class Port:
    """A second serial port, of which the test is the other end: whoever opens the console gets here."""

    def __init__(self, t):
        self.path = t.dir / "port"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.path.chmod(0o666)  # QEMU has a user of its own
        t.dir.chmod(0o711)
        self.listener.listen(64)
        self.listener.settimeout(60)

    def xml(self):
        return f"<serial type='unix'><source mode='connect' path='{self.path}'/><target port='1'/></serial>"

    def accept(self, process=None):
        """Who comes: it is QEMU, or @process, which does not end instead."""
        while process is not None and not select.select([self.listener], [], [], 0.1)[0]:
            assert process.poll() is None, process.communicate()
        connection = self.listener.accept()[0]
        connection.settimeout(60)
        return connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def read_exact(end, count):
    octets = b""
    while len(octets) < count and (more := end.recv(count - len(octets))):
        octets += more
    return octets


def console(t, options, guest, *more):
    """Its process; standard input and output are pipes."""
    return subprocess.Popen([harness.STASIS, "-q", *options, "console", guest.name, "serial1", *more],
                            env=t.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def typed_and_said(t, options, guest, port):
    """Octets both ways, and the escape character ends it."""
    process = console(t, options, guest)
    with port.accept(process) as end:
        process.stdin.write(b"typed\r")
        process.stdin.flush()
        assert read_exact(end, 6) == b"typed\r"
        said = bytes(range(256)) * 200
        end.sendall(said)
        got = b""
        while len(got) < len(said):
            got += process.stdout.read1(65536)
        assert got == said
        process.stdin.write(b"last" + ESCAPE + b"never")
        process.stdin.flush()
        assert read_exact(end, 100) == b"last"  # and then its end
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, out, errors) == (0, b"", b""), (process.returncode, out, errors)


def ended_by_guest(t, options, guest, port):
    """The end of standard input is none; what the guest says comes until its side ends."""
    process = console(t, options, guest)
    with port.accept(process) as end:
        process.stdin.write(b"typed")
        process.stdin.close()
        process.stdin = None
        assert read_exact(end, 5) == b"typed"
        end.sendall(b"the last words")
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, b"the last words", b""), (process.returncode, out, errors)


def on_terminal(t, options, guest, port):
    """Its exit status and the escape character on a terminal, which is left as it was."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(harness.STASIS, [harness.STASIS, *options, "console", guest.name, "serial1"], t.environment())
    shown = b""
    with port.accept() as end:
        while b"Escape character" not in shown:
            shown += os.read(terminal, 4096)
        end.sendall(b"said")
        while b"said" not in shown:
            shown += os.read(terminal, 4096)
        os.write(terminal, b"\x03typed" + ESCAPE)  # Ctrl-C is the guest's
        assert read_exact(end, 100) == b"\x03typed"
    with contextlib.suppress(OSError):
        while select.select([terminal], [], [], 60)[0] and os.read(terminal, 4096):
            pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    assert f"Connected to domain '{guest.name}'" in shown.decode(), shown


@harness.test("a console does and says the same embedded, through a socket and through ssh")
def consoles(t):
    with Port(t) as port:
        guest = t.boot_sector_guest()
        t.stasis("create", guest.xml_file(port.xml()))
        qemu = port.accept()
        with ways(t) as (_, found):
            for options in found.values():
                typed_and_said(t, options, guest, port)
                ended_by_guest(t, options, guest, port)
                on_terminal(t, options, guest, port)
                for words in (("console", guest.name, "nowhere"), ("console", "missing"), ("-r", "console", guest.name)):
                    failed = t.stasis(*options, *words, check=False)
                    assert failed.returncode == 1 and "error" in failed.stderr, failed
        qemu.close()


@harness.test("a console whose output nobody takes outlives the server's patience, and says all of it then", timeout=300)
def slow_console(t):
    with Port(t) as port:
        guest = t.boot_sector_guest()
        t.stasis("create", guest.xml_file(port.xml()))
        qemu = port.accept()
        config = t.dir / "stasisd.conf"
        config.write_text("[keepalive]\ninterval=1\ncount=2\n")
        with daemon(t, "--config", config) as served:
            process = console(t, ["-c", f"stasis+unix:///system?socket={served.socket}"], guest)
            said = b"x" * (8 * 1024 * 1024)
            with port.accept() as end:
                end.setblocking(False)
                sent = 0
                while select.select([], [end], [], 5)[1]:
                    sent += end.send(said[sent:sent + 65536])
                assert 0 < sent < len(said), "somebody keeps all of it"
                assert process.poll() is None
                end.setblocking(True)
                end.shutdown(socket.SHUT_WR)
            out, errors = process.communicate(timeout=60)
            assert (process.returncode, len(out), errors) == (0, sent, b""), (process.returncode, len(out), errors)
        qemu.close()


@harness.test("a console of a libvirtd's guest, too, and what it says where it has none")
def libvirtd(t):
    reason = virsh_peer.why_not()
    if reason:
        raise harness.Skip(reason)
    peer = virsh_peer.VirshPeer(t.dir)
    try:
        guest = t.boot_sector_guest("common")
        options = ["-c", f"qemu+unix:///system?socket={peer.socket}"]
        t.stasis(*options, "create", guest.xml_file("<serial type='pty'><target port='1'/></serial>"))
        process = console(t, options, guest)
        out, errors = process.communicate(b"typed" + ESCAPE, timeout=60)
        assert (process.returncode, out, errors) == (0, b"", b""), (process.returncode, out, errors)
        failed = t.stasis(*options, "console", guest.name, check=False)
        assert failed.returncode == 1 and "not using a PTY" in failed.stderr, failed
        t.stasis(*options, "destroy", guest.name)
        guest.close()
    finally:
        peer.end()


def image_of(t, options, guest, *more):
    """What it is saved into through a pipe."""
    result = subprocess.run([harness.STASIS, *options, "save", guest.name, "-", *more], env=t.environment(),
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr.endswith(f"Domain '{guest.name}' saved to standard output\n".encode()), result.stderr
    return result.stdout


def restore(t, options, image, *more, status=0):
    result = subprocess.run([harness.STASIS, *options, "restore", "-", *more], env=t.environment(), input=image,
                            capture_output=True, timeout=120, check=False)
    assert result.returncode == status, result
    return (result.stdout if status == 0 else result.stderr).decode()


def is_free(t, image):
    """Whether it could be restored, and is; nothing but another job is in its way."""
    result = subprocess.run([harness.STASIS, "restore", "-"], env=t.environment(), input=image, capture_output=True,
                            timeout=120, check=False)
    assert result.returncode == 0 or b"is busy: " in result.stderr, result
    return result.returncode == 0


def restore_oddly(t, options, image):
    """Its octets come in odd portions, and faster than QEMU starts: no more are under way than may be."""
    process = subprocess.Popen([harness.STASIS, *options, "restore", "-"], env=t.environment(), bufsize=0,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(image[:1])
    time.sleep(0.1)
    out, errors = process.communicate(image[1:], timeout=60)
    assert (process.returncode, errors) == (0, b""), (out, errors)


def qemus(t):
    return [text for text in t.processes().values() if "qemu-system" in text]


@harness.test("an image through pipes, there and back, says and is the same embedded, through a socket and through ssh",
              timeout=300)
def images(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    with ways(t) as (_, found):
        for options in found.values():
            for more in ((), ("--format", "libvirt"), ("--compress", "zstd")):
                image = image_of(t, options, guest, *more)
                assert not qemus(t)
                assert restore(t, options, image).strip() == "Domain restored from -"
                guest.wait_for_tick(guest.last_tick() + 2)
            image = image_of(t, options, guest)
            restore_oddly(t, options, image)
            guest.wait_for_tick(guest.last_tick() + 2)
            with open(t.dir / "image", "wb") as file:
                result = subprocess.run([harness.STASIS, *options, "save", guest.name, "--fd", str(file.fileno())],
                                        env=t.environment(), pass_fds=[file.fileno()], capture_output=True, text=True,
                                        stdin=subprocess.DEVNULL, timeout=120, check=False)
            assert (result.returncode, result.stderr) == (0, ""), result
            assert "saved to file descriptor " in result.stdout, result.stdout
            t.stasis("image", "verify", t.dir / "image")
            with open(t.dir / "image", "rb") as file:
                stats = json.loads(t.stasis(*options, "restore", "-", "--json", stdin=file).stdout)
            assert stats["domain"] == guest.name and stats["file"] == "-", stats
            guest.wait_for_tick(guest.last_tick() + 2)
            for words in (("save", guest.name, "-", "--live"), ("save", guest.name, "-", "--format", "nonsense"),
                          ("save", "missing", "-"), ("save", guest.name, "-", "--json")):
                failed = t.stasis(*options, *words, check=False)
                assert failed.returncode == 1 and not failed.stdout, failed
            assert "already" in restore(t, options, image, status=1)
            assert "error" in restore(t, options, b"no image", status=1)
            assert t.stasis(*options, "domstate", guest.name).stdout.strip() == "running"


def save_unread(t, options, guest, *more):
    """A save into a pipe whose reader takes one octet; its process, and that."""
    process = subprocess.Popen([harness.STASIS, *options, "save", guest.name, "-", *more], env=t.environment(), bufsize=0,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = process.stdout.read(1)
    time.sleep(1)
    assert process.poll() is None, process.communicate()
    return process, first


def goes_on(t, guest):
    t.wait_for_no_job(guest)
    assert t.domstate(guest) == "running"
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a save whose reader goes, or whose client is killed or hung up, leaves the guest running", timeout=400)
def cut_saves(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    with ways(t) as (_, found):
        for options in found.values():
            process, _ = save_unread(t, options, guest)
            process.stdout.close()
            process.wait(60)
            said = process.stderr.read().decode()
            assert process.returncode == 1 and "failed to save domain" in said, said
            goes_on(t, guest)
            for more in ((), ("--compress", "zstd")):  # the second is less than what may be under way
                process, _ = save_unread(t, options, guest, *more)
                process.kill()
                process.communicate()
                goes_on(t, guest)
            process, _ = save_unread(t, options, guest)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
            assert process.returncode == 1 and b"cancelled: the domain runs on" in said, said
            goes_on(t, guest)
            process, first = save_unread(t, options, guest)  # and now it is taken after all
            rest, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
            assert not qemus(t)
            restore(t, options, first + rest)
            guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a restore whose stream is cut, or whose client is killed, leaves nothing running", timeout=300)
def cut_restores(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    with ways(t) as (_, found):
        image = image_of(t, [], guest)
        for options in found.values():
            for size in (10, len(image) // 2, len(image) - 1):
                assert "error" in restore(t, options, image[:size], status=1)
                assert not qemus(t)
            process = subprocess.Popen([harness.STASIS, *options, "restore", "-"], env=t.environment(),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdin.write(image[:len(image) // 2])
            process.stdin.flush()
            harness.wait_for(lambda: qemus(t), "QEMU")
            process.kill()
            process.communicate()
            harness.wait_for(lambda: not qemus(t) and not t.stasis("list", "--name").stdout.strip(), "the end of it")
        harness.wait_for(lambda: is_free(t, image), "the daemon to let go of the domain, behind the end of its QEMU")
        guest.wait_for_tick(guest.last_tick() + 2)


harness.main()
