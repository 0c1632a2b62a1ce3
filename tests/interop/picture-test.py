#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stasisd says of domains is how they are, whoever changed them, as soon as that is over."""

import os
import random
import re
import shutil
import signal
import struct
import subprocess
import uuid

import wire
from listener import Listener, begins, drown
from served import daemon, harness
from wire import u32

INFO, CREATE_DEFINED, AUTOSTART, BY_ID, BY_UUID, ACTIVE, PERSISTENT, MANAGED, STATE = 16, 9, 15, 22, 24, 150, 151, 183, 212
ONCE = 449
NO_DOMAIN = 42
LATE_MOUNT = harness.BUILD / "tests" / "interop" / "liblate-mount.so"
STATES = {1: "running", 3: "paused", 5: "shut off"}
REASONS = {1: ["unknown", "booted", "migrated", "restored", "from snapshot", "unpaused", "migration canceled", "save canceled"],
           3: ["unknown", "user", "migrating", "saving"],
           5: ["unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed"]}


def unpack_domain(payload, at=0):
    """Name, UUID, number; and where what follows begins."""
    length = struct.unpack_from(">I", payload, at)[0]
    name = payload[at + 4:at + 4 + length].decode()
    at += 4 + length + (-length % 4)
    return name, uuid.UUID(bytes=payload[at:at + 16]), struct.unpack_from(">i", payload, at + 16)[0], at + 20


class Client(wire.Client):
    def numbers(self, procedure, payload, layout=">i"):
        reply = self.call(procedure, payload)
        assert reply.status == wire.OK, (reply.code, reply.message)
        return struct.unpack_from(layout, reply.payload)

    def list(self, flags=0):
        """Name -> (UUID, number)."""
        payload = self.call(wire.LIST, u32(1) + u32(flags)).payload
        domains, at = {}, 4
        for _ in range(struct.unpack_from(">I", payload)[0]):
            name, number, running_id, at = unpack_domain(payload, at)
            assert name not in domains, name
            domains[name] = (number, running_id)
        return domains

    def sees(self, name):
        """All that is quickly told of a domain, or None."""
        reply = self.call(wire.BY_NAME, wire.string(name))
        if reply.status != wire.OK:
            assert reply.code == NO_DOMAIN, (reply.code, reply.message)
            assert name not in self.list()
            return None
        domain = reply.payload
        _, number, running_id, _ = unpack_domain(domain)
        assert self.call(BY_UUID, number.bytes).payload == domain
        if running_id > 0:
            assert self.call(BY_ID, u32(running_id)).payload == domain
        assert self.list()[name] == (number, running_id)
        state, reason = self.numbers(STATE, domain + u32(0), ">ii")
        seen = {"id": running_id, "state": state, "reason": reason, "uuid": str(number),
                "active": self.numbers(ACTIVE, domain)[0], "persistent": self.numbers(PERSISTENT, domain)[0],
                "autostart": self.numbers(AUTOSTART, domain)[0], "once": self.numbers(ONCE, domain)[0],
                "managed": self.numbers(MANAGED, domain + u32(0))[0]}
        info = self.numbers(INFO, domain, ">iQQI")
        assert info[0] == state, (info, state)
        seen["memory"], seen["vcpus"] = info[1], info[3]
        lists = {"active": (1, 2), "persistent": (4, 8), "managed": (0x100, 0x200), "autostart": (0x400, 0x800)}
        for what, (yes, no) in lists.items():
            assert (name in self.list(yes), name in self.list(no)) == (bool(seen[what]), not seen[what]), (what, seen)
        bit = {1: 0x10, 3: 0x20, 5: 0x40}.get(state, 0x80)
        assert name in self.list(bit) and name not in self.list(0xF0 & ~bit), (state, bit)
        return seen


class Pair:
    """What the daemon says, and what a process finds that has just come and reads all."""

    def __init__(self, t, served):
        self.t, self.client = t, Client(served.socket)

    def truth(self, name):
        shown = self.t.stasis("dominfo", name, check=False)
        if shown.returncode != 0:
            return None
        truth = dict(line.split(":", 1) for line in shown.stdout.splitlines() if ":" in line)
        truth = {key: value.strip() for key, value in truth.items()}
        truth["reason"] = self.t.stasis("domstate", name, "--reason").stdout.partition("(")[2].strip().strip(")")
        return truth

    def check(self, name):
        """The same; what the daemon says."""
        seen, truth = self.client.sees(name), self.truth(name)
        assert (seen is None) == (truth is None), (seen, truth)
        if seen is None:
            return None
        wanted = {"state": STATES[seen["state"]], "reason": REASONS[seen["state"]][seen["reason"]],
                  "id": "-" if seen["id"] < 0 else str(seen["id"]), "uuid": seen["uuid"],
                  "persistent": "yes" if seen["persistent"] else "no", "managed": "yes" if seen["managed"] else "no",
                  "autostart": "enable" if seen["autostart"] else "disable",
                  "once": "enable" if seen["once"] else "disable", "vcpus": str(seen["vcpus"]),
                  "memory": f"{seen['memory']} KiB"}
        found = {"state": truth["State"], "reason": truth["reason"], "id": truth["Id"], "uuid": truth["UUID"],
                 "persistent": truth["Persistent"], "managed": truth["Managed save"], "autostart": truth["Autostart"],
                 "once": truth["Autostart Once"],
                 "vcpus": truth["CPU(s)"], "memory": truth["Max memory"]}
        assert wanted == found, (wanted, found)
        return seen


def definition(t, guest):
    return t.state / "config" / "domains" / f"{guest.name}.xml"


@harness.test("what the command has done is seen by the call that comes after it")
def by_command(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        pair = Pair(t, served)
        steps = [("define", guest.xml_file()), ("autostart", guest.name), ("start", guest.name), ("suspend", guest.name),
                 ("resume", guest.name), ("autostart", guest.name, "--once"), ("autostart", guest.name, "--disable"),
                 ("autostart", guest.name, "--once", "--disable"), ("checkpoint", guest.name, t.dir / "one"),
                 ("managedsave", guest.name), ("start", guest.name), ("managedsave", guest.name),
                 ("managedsave-remove", guest.name), ("start", guest.name, "--paused"), ("resume", guest.name),
                 ("save", guest.name, t.dir / "two"), ("restore", t.dir / "two", "--paused"), ("undefine", guest.name),
                 ("destroy", guest.name), ("create", guest.xml_file()), ("destroy", guest.name)]
        assert pair.check(guest.name) is None
        for step in steps:
            t.stasis(*step)
            seen = pair.check(guest.name)
            assert (seen is None) == (step[0] == "destroy"), (step, seen)
            if step[0] == "resume":
                guest.wait_for_tick(1)


@harness.test("whatever comes after whatever: the daemon says what is so", timeout=600)
def at_random(t):
    chance = random.Random(5)
    guests = [t.boot_sector_guest(f"guest-{number}") for number in range(3)]
    files = {guest.name: guest.xml_file() for guest in guests}
    with daemon(t) as served:
        pair = Pair(t, served)
        for _ in range(300 if harness.SOAK else 60):
            name = chance.choice(guests).name
            words = chance.choice([("define", files[name]), ("undefine", name), ("start", name), ("create", files[name]),
                                   ("destroy", name), ("suspend", name), ("resume", name), ("managedsave", name),
                                   ("managedsave-remove", name), ("autostart", name), ("autostart", name, "--disable"),
                                   ("autostart", name, "--once"), ("autostart", name, "--once", "--disable"),
                                   ("save", name, t.dir / name), ("restore", t.dir / name), ("reset", name)])
            t.stasis(*words, check=False)
            pair.check(name)


@harness.test("what a connection has done it sees itself, and so does every other one")
def by_itself(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        pair, other = Pair(t, served), Client(served.socket)

        def does(procedure, payload, **wanted):
            reply = pair.client.call(procedure, payload)
            assert reply.status == wire.OK, (procedure, reply.message)
            for client in (pair.client, other):
                seen = client.sees(guest.name)
                assert {key: seen[key] for key in wanted} == wanted, (procedure, seen)
            return reply.payload
        domain = does(wire.DEFINE, wire.string(guest.xml()), state=5, persistent=1, active=0)
        for _ in range(5):
            does(CREATE_DEFINED, domain, state=1, active=1)
            does(wire.SUSPEND, domain, state=3)
            does(wire.RESUME, domain, state=1)
            does(wire.DESTROY, domain, state=5, active=0, id=-1, reason=2)
        pair.check(guest.name)


@harness.test("what people do to files by hand is seen: edits, links, folders that are replaced")
def by_hand(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        pair = Pair(t, served)
        t.stasis("define", guest.xml_file())
        path = definition(t, guest)
        text = path.read_text(encoding="utf-8")
        memory = pair.check(guest.name)["memory"]
        path.write_text(text.replace(f">{memory}<", f">{memory * 2}<"), encoding="utf-8")
        assert pair.check(guest.name)["memory"] == memory * 2
        number = pair.client.sees(guest.name)["uuid"]
        path.write_text(text.replace(number, "AAAAAAAA-0000-4000-8000-000000000001"), encoding="utf-8")
        assert pair.check(guest.name)["uuid"] == "aaaaaaaa-0000-4000-8000-000000000001"
        path.write_text(text, encoding="utf-8")
        pair.check(guest.name)

        elsewhere = t.dir / "elsewhere.xml"
        elsewhere.write_text(text, encoding="utf-8")
        path.unlink()
        assert pair.check(guest.name) is None
        path.symlink_to(elsewhere)
        assert pair.check(guest.name)["memory"] == memory
        elsewhere.write_text(text.replace(f">{memory}<", f">{memory * 3}<"), encoding="utf-8")
        assert pair.check(guest.name)["memory"] == memory * 3
        elsewhere.unlink()
        path.unlink()
        path.write_text(text, encoding="utf-8")

        image = t.state / "lib" / "save" / f"{guest.name}.stasis"
        image.parent.mkdir(exist_ok=True)
        (t.dir / "image").touch()
        image.symlink_to(t.dir / "image")
        assert pair.client.sees(guest.name)["managed"] == 1
        (t.dir / "image").unlink()
        assert pair.client.sees(guest.name)["managed"] == 0
        image.unlink()

        folder = path.parent
        folder.rename(t.dir / "kept")
        assert pair.check(guest.name) is None
        (t.dir / "kept").rename(folder)
        assert pair.check(guest.name)["persistent"] == 1
        shutil.rmtree(folder)
        assert pair.check(guest.name) is None
        t.stasis("define", guest.xml_file())
        pair.check(guest.name)
        config = folder.parent
        shutil.copytree(config, t.dir / "config", symlinks=True)
        config.rename(t.dir / "old")
        assert pair.client.sees(guest.name) is None
        assert not config.exists()
        (t.dir / "config").rename(config)
        t.stasis("autostart", guest.name)
        assert pair.check(guest.name)["autostart"] == 1


@harness.test("two definitions with one UUID, one that is none, one that nobody may wait for")
def odd_definitions(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        client = Client(served.socket)
        t.stasis("define", guest.xml_file())
        path = definition(t, guest)
        (path.parent / "other.xml").write_bytes(path.read_bytes())
        assert set(client.list()) == {guest.name, "other"}
        number = client.list()[guest.name][0]
        found = client.call(BY_UUID, number.bytes).payload
        assert unpack_domain(found)[0] == t.stasis("domname", str(number)).stdout.strip()
        (path.parent / "other.xml").write_text("<domain>", encoding="utf-8")
        (path.parent / "empty.xml").touch()
        assert set(client.list()) == {guest.name, "other", "empty"}
        assert client.sees(guest.name)["persistent"] == 1
        os.mkfifo(path.parent / "fifo.xml")
        assert client.call(wire.HOSTNAME).status == wire.OK
        (path.parent / "fifo.xml").unlink()
        assert client.sees(guest.name)["persistent"] == 1


@harness.test("QEMU or its supervisor is killed, its status is damaged; a supervisor that hangs holds up no list")
def trouble(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        pair = Pair(t, served)
        t.stasis("define", guest.xml_file())
        t.stasis("start", guest.name)
        guest.wait_for_tick(1)
        pair.check(guest.name)
        harness.kill(t.supervisor())
        assert pair.check(guest.name)["state"] == 1
        t.stasis("suspend", guest.name)
        assert pair.check(guest.name)["state"] == 3
        t.stasis("resume", guest.name)

        harness.wait_for(lambda: pair.client.sees(guest.name)["state"] == 1, "the new supervisor")
        supervisor = t.supervisor()
        os.kill(supervisor, signal.SIGSTOP)
        try:
            assert pair.client.sees(guest.name)["state"] == 1
        finally:
            os.kill(supervisor, signal.SIGCONT)

        status = t.run_folder(guest) / "status.json"
        text = status.read_text(encoding="utf-8")
        status.write_text("{", encoding="utf-8")
        seen = pair.client.list()
        assert seen[guest.name][1] == -1
        assert pair.client.numbers(STATE, pair.client.call(wire.BY_NAME, wire.string(guest.name)).payload + u32(0), ">ii")[0] == 0
        status.write_text(text, encoding="utf-8")
        assert pair.check(guest.name)["state"] == 1

        harness.kill(t.status(guest)["qemu"]["pid"])
        assert pair.client.list()[guest.name][1] == -1
        assert pair.client.sees(guest.name)["state"] == 5


@harness.test("a job goes on, and whoever had it dies: what is said is what a fresh look says")
def jobs(t):
    if not harness.has_faults():
        raise harness.Skip("without fault points (-Dfaults=true)")
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        pair = Pair(t, served)
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(1)
        for _ in range(3):
            save = t.start("save", guest.name, t.dir / "image", STASIS_FAULT="save-copied=stop")
            harness.wait_for(lambda: harness.is_stopped(save.pid), "the save to come to its end")
            assert pair.check(guest.name)["state"] == 3
            harness.kill(save.pid)
            save.communicate()
            t.stasis("domstate", guest.name)
            assert pair.check(guest.name)["state"] == 1


@harness.test("where the kernel has lost some of what happened, all is looked at anew, and told")
def overflow(t):
    stopped, remade, gone, new = (t.boot_sector_guest(name) for name in ("stopped", "remade", "gone", "new"))
    with daemon(t) as served, Listener(t, served, "--event", "lifecycle") as listener:
        pair = Pair(t, served)
        for guest in (stopped, remade, gone):
            t.stasis("define", guest.xml_file())
        for guest in (stopped, remade):
            t.stasis("start", guest.name)
        begins(listener, t)
        before = pair.check(remade.name)["id"]
        listener.path.write_text("")
        os.kill(served.process.pid, signal.SIGSTOP)
        try:
            drown(t)
            t.stasis("destroy", stopped.name)
            t.stasis("destroy", remade.name)
            t.stasis("start", remade.name)
            t.stasis("undefine", gone.name)
            t.stasis("define", new.xml_file())
        finally:
            os.kill(served.process.pid, signal.SIGCONT)
        assert pair.check(stopped.name)["state"] == 5
        assert pair.check(remade.name)["id"] > before
        assert pair.check(gone.name) is None
        assert pair.check(new.name)["persistent"] == 1
        wanted = {stopped.name: ["Stopped Destroyed"], remade.name: ["Stopped Destroyed", "Started Booted"],
                  gone.name: ["Undefined Removed"], new.name: ["Defined Added"]}
        harness.wait_for(lambda: {name: listener.lifecycle(name) for name in wanted} == wanted,
                         f"{wanted}, not {listener.lines()}")
        listener.path.write_text("")
        t.stasis("suspend", remade.name)
        assert pair.check(remade.name)["state"] == 3
        listener.hears(remade.name, "Suspended Paused")


@harness.test("a domain starts from the image that is there, though it came by a mount that nothing told of")
def mounted(t):
    guest = t.boot_sector_guest()
    saves = t.state / "lib" / "save"
    with daemon(t) as served:
        t.stasis("define", guest.xml_file())
        t.stasis("start", guest.name)
        guest.wait_for_tick(3)
        t.stasis("managedsave", guest.name)
        marked = lambda: served.says("list", "--all", "--with-managed-save", "--name").split()  # noqa: E731
        assert marked() == [guest.name]
        last = guest.last_tick()
        image, = saves.iterdir()
        (t.dir / "elsewhere").mkdir(mode=0o700)
        image.rename(t.dir / "elsewhere" / image.name)
        assert marked() == [] and re.search("Managed save: *no", served.says("dominfo", guest.name))
        with harness.mounted("--bind", t.dir / "elsewhere", at=saves):
            assert marked() == [guest.name]
            served.virsh("start", guest.name)
            guest.wait_for_tick(last + 2)
            assert not image.exists() and marked() == []
            (saves / image.name).write_bytes(b"")
            assert marked() == [guest.name]
        assert marked() == []


@harness.test("a mount over a folder in the moment in which it is looked at for the first time is seen")
def mounted_late(t):
    guest = t.boot_sector_guest()
    saves, elsewhere = t.state / "lib" / "save", t.dir / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    t.stasis("define", guest.xml_file())
    for folder in (saves.parent, saves):
        folder.mkdir(mode=0o700, exist_ok=True)
    with harness.mounted("--bind", elsewhere, at=elsewhere):
        pass  # or it is skipped
    with daemon(t, LD_PRELOAD=LATE_MOUNT, LATE_MOUNT_FROM=elsewhere, LATE_MOUNT_AT=saves) as served:
        try:
            assert os.path.samefile(saves, elsewhere)
            marked = lambda: served.says("list", "--all", "--with-managed-save", "--name").split()  # noqa: E731
            assert marked() == []
            (saves / f"{guest.name}.stasis").write_bytes(b"")
            assert marked() == [guest.name]
            (saves / f"{guest.name}.stasis").unlink()
            assert marked() == []
        finally:
            subprocess.run(["umount", "-l", saves], check=True)


@harness.test("without inotify there are no events, which the log says; all else is as it was, and a reload looks again")
def deaf(t):
    guest = t.boot_sector_guest()
    deny = harness.BUILD / "tests" / "integration" / "deny"
    if subprocess.run([deny, "inotify", "/bin/true"], check=False).returncode == 77:
        raise harness.Skip("this kernel takes no filter")
    with daemon(t, before=(deny, "inotify")) as served:
        pair = Pair(t, served)
        assert "there are no events" in served.said(), served.said()
        t.stasis("define", guest.xml_file())
        assert pair.check(guest.name)["state"] == 5
        t.stasis("start", guest.name)
        assert pair.check(guest.name)["state"] == 1
        served.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: served.said().count("there are no events") == 2, "the reload")
        t.stasis("suspend", guest.name)
        assert pair.check(guest.name)["state"] == 3


harness.main()
