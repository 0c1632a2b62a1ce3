#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`stasis` as a client of a stasisd on another host, through a real sshd."""

import contextlib
import os
import pty
import select
import signal
import sys

from held import Relay, held_save
from served import daemon, harness

sys.path.insert(0, str(harness.ROOT / "tests" / "transport"))
import sshd as ssh_server  # pylint: disable=wrong-import-position


@contextlib.contextmanager
def host(t, name="sshd"):
    reason = ssh_server.why_not()
    if reason:
        raise harness.Skip(reason)
    with ssh_server.sshd(t.dir / name) as server:
        yield server


def uri(server, path, **more):
    parameters = {"socket": path, "keyfile": server.key, "known_hosts": server.known_hosts} | more
    query = "&".join(f"{key}={value}" for key, value in parameters.items())
    return f"stasis+ssh://{server.user}@127.0.0.1:{server.port}/system?{query}"


@harness.test("a guest's life, a checkpoint, a save that is cancelled, and one that is restored")
def life(t):
    guest = t.boot_sector_guest()
    with daemon(t, STASIS_FAULT="save-paused=stop") as served, host(t) as server:
        far = uri(server, served.socket)
        assert t.stasis("-c", far, "uri").stdout.strip() == far
        assert "defined from" in t.stasis("-c", far, "define", guest.xml_file()).stdout
        t.stasis("-c", far, "start", guest.name)
        guest.wait_for_tick(2)
        assert "running (booted)" in t.stasis("-c", far, "domstate", guest.name, "--reason").stdout
        failed = t.stasis("-c", far, "save", guest.name, "relative", check=False)
        assert "'relative' is not an absolute path" in failed.stderr, failed.stderr
        with Relay(t, served.socket) as relay, held_save(t, served, guest, uri(server, relay.path)) as save:
            save.send_signal(signal.SIGINT)
            relay.wait_for_cancel()
            os.kill(t.status(guest)["qemu"]["pid"], signal.SIGCONT)
            _, said = save.communicate(timeout=60)
        assert save.returncode == 1 and "cancelled" in said, said
        guest.wait_for_tick(guest.last_tick() + 2)
    with daemon(t) as served, host(t, "again") as server:
        far = uri(server, served.socket)
        t.stasis("-c", far, "checkpoint", guest.name, t.dir / "image")
        assert "is good" in t.stasis("-c", far, "image", "verify", t.dir / "image").stdout
        t.stasis("-c", far, "save", guest.name, t.dir / "image", "--format", "libvirt")
        t.stasis("-c", far, "restore", t.dir / "image")
        guest.wait_for_tick(guest.last_tick() + 2)
        server.kill_sessions()
        refused = t.stasis("-r", "-c", far, "define", guest.xml_file(), check=False)
        assert "read only" in refused.stderr, refused.stderr


@harness.test("a socket that is not there, a key that is not let in, a host that is not known")
def refused(t):
    with daemon(t) as served, host(t) as server:
        def fails(far):
            result = t.stasis("-c", far, "list", check=False, timeout=60)
            assert result.returncode == 1 and far in result.stderr, result
            return result.stderr
        assert "nowhere" in fails(uri(server, t.dir / "nowhere"))
        other = ssh_server.make_key(t.dir / "other")
        fails(uri(server, served.socket, keyfile=other))
        empty = t.dir / "empty"
        empty.write_text("")
        assert "127.0.0.1" in fails(uri(server, served.socket, known_hosts=empty))
        assert not empty.read_text()
        t.stasis("-c", uri(server, served.socket, known_hosts=empty, no_verify=1), "list")


def answer(t, far, text):
    """What a command shows on a terminal of its own where that is answered; its exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(harness.STASIS, [harness.STASIS, "-c", far, "list"], t.environment())
    shown, is_asked = b"", False
    with contextlib.suppress(OSError):  # the end of the terminal
        while select.select([terminal], [], [], 60)[0] and (octets := os.read(terminal, 4096)):
            shown += octets
            if b"(yes/no)?" in shown and not is_asked:
                is_asked = True
                os.write(terminal, text + b"\n")
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@harness.test("the key of a host that is not known is shown, and remembered where somebody says yes")
def unknown(t):
    with daemon(t) as served, host(t) as server:
        known = t.dir / "known"
        known.write_text("")
        far = uri(server, served.socket, known_hosts=known)
        shown, status = answer(t, far, b"no")
        assert status == 1 and not known.read_text(), shown
        shown, status = answer(t, far, b"yes")
        assert status == 0 and "Name" in shown, shown
        assert any(server.fingerprint(kind) in shown for kind in ("ed25519", "ecdsa")), shown
        assert "127.0.0.1" in known.read_text()
        t.stasis("-c", far, "list")


harness.main()
