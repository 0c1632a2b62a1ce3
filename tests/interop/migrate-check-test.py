#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""stasis migrate --check asks a real destination for all that stands against a migration, and moves nothing."""

import contextlib
import json
import os
import pathlib
import socket
import tempfile

import served
from served import harness

OTHER_UUID = "2f0a6c1c-5c0f-4b6a-9a53-0c6e0d0f7a10"


@contextlib.contextmanager
def destination(t, allowed=harness.QEMU):
    """A daemon with a state directory of its own: another host."""
    state = t.dir / "there"
    config = state / "config"
    config.mkdir(mode=0o700, parents=True)
    state.chmod(0o700)
    (config / "stasis.conf").write_text(f"[emulators]\ndefault={harness.QEMU}\nallowed={allowed}\n", encoding="utf-8")
    with served.daemon(t, STASIS_STATE_DIR=str(state)) as daemon:
        daemon.state = state
        yield daemon


def check(t, guest, daemon, *options, source=None):
    """What it says: {what: (ok, text)}; and that its exit status is the same word."""
    uri = f"qemu+unix:///system?socket={daemon.socket}"
    said = t.stasis(*(["-c", source] if source else []), "migrate", guest.name, uri, "--live", "--check", "--json",
                    *options, check=False)
    assert said.stdout, said.stderr
    told = json.loads(said.stdout)
    assert told["can_migrate"] == (said.returncode == 0) == all(one["ok"] for one in told["checks"]), told
    assert told["can_migrate"] or "cannot migrate" in said.stderr, said.stderr
    return {one["what"]: (one["ok"], one["text"]) for one in told["checks"]}


def refused(told):
    return {what: text for what, (ok, text) in told.items() if not ok}


def expect_untouched(t, guest, daemon):
    """It runs here as if nobody had asked, and nothing is left over there."""
    assert t.domstate(guest) == "running" and "job" not in t.status(guest), t.status(guest)
    guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]
    assert not (daemon.state / "run" / "domains" / guest.name).exists()
    assert not list(daemon.state.rglob("migrations/*")), list(daemon.state.rglob("migrations/*"))


def running(t, **options):
    guest = t.boot_sector_guest(**options)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def changed(t, guest, *pairs):
    """Its definition for the destination."""
    xml = t.stasis("dumpxml", guest.name, "--migratable").stdout
    for old, new in pairs:
        assert str(old) in xml, (old, xml)
        xml = xml.replace(str(old), str(new))
    path = t.dir / "changed.xml"
    path.write_text(xml, encoding="utf-8")
    return path


@harness.test("where nothing stands against it, all is well, and it then migrates")
def well(t):
    with destination(t) as daemon:
        guest = running(t)
        told = check(t, guest, daemon)
        assert not refused(told), told
        for what in ("source", "host", "name and UUID", "definition", "machine", "CPU", "disk 'vda'", "memory", "port"):
            assert what in told, (what, told)
        assert "post-copy" not in told and "post-copy" in check(t, guest, daemon, "--postcopy")
        expect_untouched(t, guest, daemon)
        uri = f"qemu+unix:///system?socket={daemon.socket}"
        table = t.stasis("migrate", guest.name, uri, "--live", "--check").stdout
        assert table.split()[:3] == ["Check", "Result", "Reason"] and "machine" in table, table
        t.stasis("migrate", guest.name, uri, "--live")
        assert daemon.says("domstate", guest.name) == "running"
        daemon.virsh("destroy", guest.name)


@harness.test("all reasons come at once: the name is taken, a disk is not there, there is no such address")
def all_at_once(t):
    with destination(t) as daemon:
        guest = running(t)
        other = t.dir / "other.xml"
        other.write_text(guest.xml().replace("</name>", f"</name><uuid>{OTHER_UUID}</uuid>"), encoding="utf-8")
        daemon.virsh("define", other)
        xml = changed(t, guest, (guest.disk, t.dir / "nowhere.img"))
        told = refused(check(t, guest, daemon, "--xml", xml, "--listen-address", "192.0.2.1"))
        assert set(told) == {"name and UUID", "disk 'vda'", "port"}, told
        assert guest.name in told["name and UUID"] and "nowhere.img" in told["disk 'vda'"], told
        expect_untouched(t, guest, daemon)
        assert not refused(check(t, guest, daemon, "--dname", "another"))
        assert set(refused(check(t, guest, daemon, "--dname", ".."))) == {"definition", "name and UUID"}


@harness.test("a port that is taken is a warning where it was chosen, for it may be the destination's own")
def port(t):
    with destination(t) as daemon, socket.socket() as taken:
        guest = running(t)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = check(t, guest, daemon, "--migrateuri", f"tcp:127.0.0.1:{taken.getsockname()[1]}",
                     "--listen-address", "127.0.0.1")
        assert told["port"][0] and "taken" in told["port"][1], told
        told = check(t, guest, daemon, "--listen-address", "127.0.0.1")
        assert told["port"] == (True, None), told


def older_emulator(t):
    """That both sides may start, beside the present one."""
    other = pathlib.Path(os.environ["STASIS_TEST_BUILDDIR"]) / "qemu-7.2" / "qemu-system-x86_64"
    if not other.exists() or other.resolve() == pathlib.Path(harness.QEMU).resolve():
        raise harness.Skip("needs an older emulator beside the present one")
    conf = t.state / "config" / "stasis.conf"
    conf.write_text(f"[emulators]\ndefault={harness.QEMU}\nallowed={harness.QEMU};{other}\n", encoding="utf-8")
    return other


@contextlib.contextmanager
def running_by_link(t):
    """Its emulator is by now another one, as it is at a host that has not been upgraded."""
    other = older_emulator(t)
    # A test's own folder is closed to the user who asks emulators.
    with tempfile.TemporaryDirectory(prefix="stasis-test-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        link = pathlib.Path(folder) / "emulator"
        link.symlink_to(harness.QEMU)
        conf = t.state / "config" / "stasis.conf"
        conf.write_text(f"[emulators]\ndefault={harness.QEMU}\nallowed={harness.QEMU};{link}\n", encoding="utf-8")
        guest = t.boot_sector_guest()
        guest.qemu = link
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(2)
        link.unlink()
        link.symlink_to(other)
        yield guest, link


@harness.test("the destination lacks the machine")
def machine(t):
    with running_by_link(t) as (guest, link), destination(t, allowed=f"{harness.QEMU};{link}") as daemon:
        told = refused(check(t, guest, daemon))
        assert set(told) == {"definition", "machine"} and "has no machine" in told["machine"], told
        expect_untouched(t, guest, daemon)


@harness.test("the destination may not start the emulator, and that is not all that stands against it")
def emulator(t):
    with running_by_link(t) as (guest, _), destination(t) as daemon:
        told = check(t, guest, daemon, "--listen-address", "192.0.2.1")
        assert set(refused(told)) == {"definition", "emulator", "port"}, told
        assert "may not be started" in told["emulator"][1], told
        assert all(told[what] == (True, None) for what in ("name and UUID", "disk 'vda'", "memory", "clock")), told
        expect_untouched(t, guest, daemon)


@harness.test("an older emulator's CPU lacks what the guest has seen")
def cpu(t):
    other = older_emulator(t)
    with destination(t, allowed=f"{harness.QEMU};{other}") as daemon:
        guest = t.boot_sector_guest(machine="pc-i440fx-7.2")
        old = guest.dir / "old.xml"
        old.write_text(guest.xml().replace("<devices>", "<cpu mode='maximum'/>\n<devices>"), encoding="utf-8")
        t.stasis("create", old)
        guest.wait_for_tick(2)
        told = refused(check(t, guest, daemon, "--xml", changed(t, guest, (harness.QEMU, other))))
        assert "lacks what the guest has seen" in told["CPU"] and "machine" not in told, told
        expect_untouched(t, guest, daemon)


@harness.test("the destination has not the memory")
def memory(t):
    total = int(pathlib.Path("/proc/meminfo").read_text(encoding="ascii").split("MemTotal:")[1].split()[0])
    with destination(t) as daemon:
        # Paused before it begins, it touches none of it.
        guest = t.boot_sector_guest(memory_mib=total // 1024 * 99 // 100)
        if t.stasis("create", guest.xml_file(), "--paused", check=False).returncode != 0:
            raise harness.Skip("this host promises no more memory than is free")
        told = refused(check(t, guest, daemon))
        assert set(told) == {"memory"} and "can be had here" in told["memory"], told
        assert t.domstate(guest) == "paused"


@harness.test("the destination has not the huge pages")
def huge_pages(t):
    with destination(t) as daemon:
        guest = running(t)
        # More than anybody has free: the guest itself is of ordinary ones.
        huge = "<memoryBacking><hugepages><page size='4' unit='KiB'/></hugepages></memoryBacking>"
        told = refused(check(t, guest, daemon, "--xml", changed(t, guest, ("<os>", f"{huge}<os>"))))
        assert set(told) == {"memory"} and "no huge pages of 4 KiB" in told["memory"], told
        expect_untouched(t, guest, daemon)


@harness.test("the same host, and a domain that cannot leave")
def same(t):
    with served.daemon(t) as daemon:
        guest = running(t)
        told = refused(check(t, guest, daemon))
        assert "host" in told and "same state directory" in told["host"], told
        assert t.domstate(guest) == "running"
        off = t.boot_sector_guest(name="off")
        t.stasis("define", off.xml_file())
        told = refused(check(t, off, daemon))
        assert set(told) == {"source"} and "not running" in told["source"], told


@harness.test("a source behind a daemon is asked as well; its guest goes on, and no journal is left")
def by_daemon(t):
    with served.daemon(t) as one:
        guest = running(t)
        state = t.dir / "there"
        config = state / "config"
        config.mkdir(mode=0o700, parents=True)
        state.chmod(0o700)
        (config / "stasis.conf").write_text((t.state / "config" / "stasis.conf").read_text(encoding="utf-8"),
                                            encoding="utf-8")
        with served.daemon(t, name="2", STASIS_STATE_DIR=str(state)) as two:
            two.state = state
            source = f"qemu+unix:///system?socket={one.socket}"
            assert not refused(check(t, guest, two, source=source))
            for options in (["--p2p"], ["--p2p", "--tunnelled"]):
                assert not refused(check(t, guest, two, *options, source=source))
            assert "None" in one.says("domjobinfo", guest.name)
            expect_untouched(t, guest, two)


if __name__ == "__main__":
    harness.main()
