#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`stasis` as a client: of a stasisd, where it says what it says embedded, and of a libvirtd."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

from held import Relay, held_save
from served import STASISD, daemon, harness

sys.path.insert(0, str(harness.ROOT / "bench"))
import virsh_peer  # pylint: disable=wrong-import-position

# In this order, of a guest that runs, both ways: N is its name.  What waits for the guest is left out.
COMMANDS = [
    "version", "version --json", "capabilities", "list", "list --all --title", "list --all --json", "list --uuid", "list --inactive",
    "dominfo N", "domstate N", "domstate N --reason", "domid N", "domuuid N", "dumpxml N", "dumpxml N --inactive",
    "dumpxml N --migratable", "domblklist N", "domstats N --state", "domjobinfo N", "domjobinfo N --completed --json",
    "domjobabort N", "managedsave-remove N", "clones list", "domtime N", "domfsfreeze N", "dominfo missing",
    "image info {image}", "image info {image} --json", "image dumpxml {image}", "image verify {image}",
    "image verify {text} --json", "image info {missing}", "image convert {image} {missing}/a", "save N {missing}/a",
    "restore {missing}", "restore {text}", "restore {image} --running --paused", "restore {image} --load parallel --flat",
    "restore {image}", "restore {image} --clone", "define {text}", "create {text}", "save N {image} --format nonsense",
    "checkpoint N {image} --base {text}", "qemu-monitor-command N --hmp info\\ status", "start N", "untrack N",
    "setmem N 32M --config", "setmem N 1024G", "setmaxmem N 1G --live", "setvcpus N 1 --config", "setvcpus N 9", "vcpucount N",
    "attach-device N {text}", "update-device N {text} --config", "detach-device N {text}", "detach-device-alias N none --config",
    "detach-disk N vdz", "attach-disk N {missing} vdb", "change-media N vda --eject", "domrename N N", "domrename N other",
    "domdetach N", "undefine missing", "destroy missing", "suspend N", "domstate N --reason",
]


def words(t, command, guest):
    places = {"{image}": t.dir / "image", "{text}": t.dir / "text", "{missing}": t.dir / "missing", "N": guest.name}
    return [places.get(word, word.replace("{missing}", str(t.dir / "missing")).replace("\\ ", " "))
            for word in re.split(r"(?<!\\) ", command)]


def plain(text):
    """Without what may differ from one moment to the next."""
    text = re.sub(r'(CPU time:?\s+|cpu[._]time[a-z_]*"?[=:]\s*)[\d.]+', r"\1?", text)
    return re.sub(r'("(elapsed_us|checked|[a-z_]*(time|us|second|ms))": )[-\d.]+', r"\1?", text)


@harness.test("every command says the same through a stasisd as embedded", timeout=300)
def alike(t):
    guest = t.boot_sector_guest()
    (t.dir / "text").write_text("this is no image, and no definition\n")
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    differ = []
    with daemon(t) as served:
        uri = f"stasis+unix:///system?socket={served.socket}"
        assert t.stasis("-c", uri, "uri").stdout.strip() == uri
        t.stasis("checkpoint", guest.name, t.dir / "image")
        for command in COMMANDS:
            here, there = (t.stasis(*options, *words(t, command, guest), check=False) for options in ((), ("-c", uri)))
            for what in ("returncode", "stdout", "stderr"):
                first, second = (plain(str(getattr(result, what))) for result in (here, there))
                if first != second:
                    differ.append(f"{command}: {what}: {first!r} embedded, {second!r} through stasisd")
    assert not differ, "\n".join(differ)


@harness.test("a save of a client: a look and an abort from another, Ctrl-C")
def jobs(t):
    guest = t.boot_sector_guest()
    with daemon(t, STASIS_FAULT="save-paused=stop") as served, Relay(t, served.socket) as relay:
        uri = f"stasis+unix:///system?socket={relay.path}"
        t.stasis("-c", uri, "create", guest.xml_file())
        for end in ("abort", "signal"):
            guest.wait_for_tick(guest.last_tick() + 2)
            with held_save(t, served, guest, uri) as save:
                info = json.loads(t.stasis("-c", uri, "domjobinfo", guest.name, "--json").stdout)
                assert info["state"] == "active" and info["operation"] == "save", info
                if end == "abort":
                    t.stasis("-c", uri, "domjobabort", guest.name)
                else:
                    save.send_signal(signal.SIGINT)
                    relay.wait_for_cancel()
                os.kill(t.status(guest)["qemu"]["pid"], signal.SIGCONT)
                _, said = save.communicate(timeout=60)
            assert save.returncode == 1 and "cancelled" in said and "Save" in said, said
            assert not (t.dir / "image").exists()
        guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a server that goes away in the middle of a save is named, and the guest goes on")
def lost(t):
    guest = t.boot_sector_guest()
    with daemon(t, STASIS_FAULT="save-paused=stop") as served:
        uri = f"stasis+unix:///system?socket={served.socket}"
        t.stasis("-c", uri, "create", guest.xml_file())
        guest.wait_for_tick(2)
        with held_save(t, served, guest, uri) as save:
            served.stop(signal.SIGKILL)
            _, said = save.communicate(timeout=60)
        assert save.returncode == 1 and uri in said and "in the middle of 'domain-save'" in said, said
        failed = t.stasis("-c", uri, "list", check=False)
        assert failed.returncode == 1 and str(served.socket) in failed.stderr, failed.stderr
        guest.wait_for_tick(guest.last_tick() + 2)
        served.__init__(t)
        assert t.stasis("-c", uri, "domstate", guest.name).stdout.strip() == "running"


@harness.test("a client that may only read is refused what changes anything")
def readers(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        uri = f"stasis+unix:///system?socket={served.socket}-ro"
        t.stasis("define", guest.xml_file())
        assert guest.name in t.stasis("-c", uri, "list", "--all").stdout
        for command in (("start", guest.name), ("undefine", guest.name), ("define", guest.xml_file()),
                        ("restore", t.dir / "x"), ("image", "info", t.dir / "x"), ("managedsave", guest.name)):
            failed = t.stasis("-c", uri, *command, check=False)
            assert failed.returncode == 1 and "read only access prevents" in failed.stderr, failed


@contextlib.contextmanager
def forwarded(path):
    """A port of this host behind which the socket is."""
    def copy(source, target):
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                target.sendall(octets)
            target.shutdown(socket.SHUT_WR)

    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(path))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@harness.test("plain TCP only where stasis.conf allows it; files are then the other host's")
def tcp(t):
    config = t.state / "config" / "stasis.conf"
    with daemon(t) as served, forwarded(served.socket) as port:
        uri = f"qemu+tcp://127.0.0.1:{port}/system"
        failed = t.stasis("-c", uri, "list", check=False)
        assert failed.returncode == 1 and "option 'tcp' in [client]" in failed.stderr, failed.stderr
        text = config.read_text()
        config.write_text(text + "[client]\ntcp=no\n")
        assert t.stasis("-c", uri, "list", check=False).returncode == 1
        config.write_text(text + "[client]\ntcp=yes\n")
        assert t.stasis("-c", uri, "uri").stdout.strip() == uri
        assert "Name" in t.stasis("-c", uri, "list").stdout
        failed = t.stasis("-c", uri, "image", "info", "relative", check=False)
        assert "'relative' is not an absolute path" in failed.stderr, failed.stderr
        failed = t.stasis("-c", uri, "attach-disk", "nobody", "relative", "vdb", check=False)
        assert "'relative' is not an absolute path" in failed.stderr, failed.stderr


@harness.test("without a word the usual socket is found, and with -r that for reading")
def usual(t):
    process = subprocess.Popen([STASISD], env=t.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        harness.wait_for((t.state / "run" / "stasisd" / "stasis-sock-ro").exists, "stasisd to listen")
        for uri in ("stasis+unix:///system", "qemu+unix:///system", "qemu:///system"):
            harness.wait_for(lambda: t.stasis("-c", uri, "list", check=False).returncode == 0, "stasisd to serve")
            assert t.stasis("uri", STASIS_DEFAULT_URI=uri).stdout.strip() == uri
            (t.state / "run" / "stasisd" / "stasis-sock").rename(t.dir / "away")
            assert t.stasis("-r", "-c", uri, "list").returncode == 0
            failed = t.stasis("-c", uri, "list", check=False)
            assert failed.returncode == 1 and "run/stasisd/stasis-sock" in failed.stderr, failed.stderr
            (t.dir / "away").rename(t.state / "run" / "stasisd" / "stasis-sock")
    finally:
        process.terminate()
        process.wait(60)


@harness.test("a path that is no plain file is refused by name")
def pipes(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        uri = f"stasis+unix:///system?socket={served.socket}"
        t.stasis("-c", uri, "create", guest.xml_file())
        os.mkfifo(t.dir / "fifo")
        failed = t.stasis("-c", uri, "save", guest.name, t.dir / "fifo", check=False)
        assert "is no plain file" in failed.stderr, failed.stderr
        assert t.stasis("-c", uri, "domstate", guest.name).stdout.strip() == "running"


def change_devices(t, says):
    """The guest, a boot sector, never releases what it is asked for."""
    for name in ("one", "two"):
        (t.dir / name).write_bytes(bytes(1 << 20))
    assert "attached" in says("attach-disk", "common", t.dir / "one", "vdx", "--live", "--config")
    assert "vdx" in says("domblklist", "common") and "vdx" in says("dumpxml", "common", "--inactive")
    assert "has not done so yet" in says("detach-disk", "common", "vdx")
    alias = re.search(r"<disk(?:(?!</disk>).)*'vdx'.*?alias name='([^']*)'", says("dumpxml", "common"), re.S)[1]
    assert "has not done so yet" in says("detach-device-alias", "common", alias)
    assert "Disk detached successfully" in says("detach-disk", "common", "vdx", "--config")
    assert "vdx" not in says("dumpxml", "common", "--inactive") and "vdx" in says("domblklist", "common")
    assert "none" in says("attach-disk", "common", t.dir / "none", "vdy", status=1)
    assert "attached" in says("attach-disk", "common", t.dir / "two", "sdx", "--targetbus", "sata", "--type", "cdrom", "--config")
    says("change-media", "common", "sdx", t.dir / "one", "--config", "--force")
    assert str(t.dir / "one") in says("dumpxml", "common", "--inactive")
    assert "detached" in says("detach-disk", "common", "sdx", "--config")
    says("setvcpus", "common", "3", "--maximum", "--config")
    says("setvcpus", "common", "2", "--config")
    assert says("vcpucount", "common").split() == [
        "maximum", "config", "3", "maximum", "live", "1", "current", "config", "2", "current", "live", "1"]
    says("setmem", "common", "48M", "--config")
    assert "unit='KiB'>49152</currentMemory>" in says("dumpxml", "common", "--inactive")
    says("setmem", "common", "1024G", "--config", status=1)


@harness.test("a libvirtd: what it has in common with us, and what it cannot do", timeout=300)
def libvirtd(t):
    reason = virsh_peer.why_not()
    if reason:
        raise harness.Skip(reason)
    guest = t.boot_sector_guest("common")
    peer = virsh_peer.VirshPeer(t.dir)

    def says(*arguments, status=0):
        result = t.stasis("-c", f"qemu+unix:///system?socket={peer.socket}", *arguments, check=False)
        assert result.returncode == status, (arguments, result)
        return (result.stdout if status == 0 else result.stderr).strip()

    try:
        assert "common" not in says("list", "--all")
        assert "defined from" in says("define", guest.xml_file())
        assert says("domstate", "common") == "shut off"
        says("start", "common")
        guest.wait_for_tick(2)
        assert says("domstate", "common", "--reason") == "running (booted)"
        assert re.search(r"\d+\s+common\s+running", says("list"))
        assert re.search(r"Persistent:\s+yes", says("dominfo", "common"))
        assert "<name>common</name>" in says("dumpxml", "common")
        assert says("domid", "common").isdigit()
        version = subprocess.run(["libvirtd", "--version"], capture_output=True, text=True, check=True).stdout
        is_older = tuple(map(int, re.search(r"(\d+)\.(\d+)", version).groups())) < (11, 2)
        assert re.search(r"Autostart Once:\s+disable", says("dominfo", "common"))
        says("autostart", "common")
        assert re.search(r"Autostart:\s+enable", says("dominfo", "common"))
        says("autostart", "common", "--disable")
        if is_older:
            assert "knows no 'domain-set-autostart-once'" in says("autostart", "common", "--once", status=1)
        else:
            says("autostart", "common", "--once")
            assert re.search(r"Autostart Once:\s+enable", says("dominfo", "common"))
            says("autostart", "common", "--once", "--disable")
        assert re.search(r"Autostart( Once)?:\s+disable", says("dominfo", "common"))
        says("suspend", "common")
        assert says("domstate", "common") == "paused"
        says("resume", "common")
        assert "None" in says("domjobinfo", "common")
        change_devices(t, says)
        assert "Using API: QEMU" in says("version")
        image = t.dir / "image"
        for command in (("checkpoint", "common", image), ("save", "common", image, "--live"), ("domfsfreeze", "common"),
                        ("image", "info", image), ("save", "common", image, "--compress", "zstd")):
            assert "is no stasisd" in says(*command, status=2 if command[:2] == ("image", "verify") else 1), command
        assert "saved to" in says("save", "common", image)
        assert says("domstate", "common", "--reason") == "shut off (saved)"
        assert "<name>common</name>" in says("save-image-dumpxml", image)
        assert "is no stasisd" in says("restore", image, "--clone", "twin", status=1)
        assert "restored from" in says("restore", image)
        guest.wait_for_tick(guest.last_tick() + 2)
        says("managedsave", "common")
        assert re.search(r"Managed save:\s+yes", says("dominfo", "common"))
        says("start", "common")
        guest.wait_for_tick(guest.last_tick() + 2)
        assert "failed to get domain 'missing'" in says("domstate", "missing", status=1)
        says("domjobabort", "common", status=1)
        says("shutdown", "common")
        says("destroy", "common")
        says("create", t.dir / "missing.xml", status=1)
        assert "successfully renamed" in says("domrename", "common", "rare")
        assert says("domstate", "rare") == "shut off"
        assert "rare" in says("domrename", "rare", "rare", status=1)
        says("undefine", "rare")
        assert "rare" not in says("list", "--all")
    finally:
        guest.close()
        peer.end()


harness.main()
