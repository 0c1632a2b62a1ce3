#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our own program on the wire, from clients that may misbehave."""

import contextlib
import json
import os
import re
import signal
import struct

import strange_paths
import wire
from crowd import crowded
from served import busy, daemon, harness
from wire import Client, optional, string, u32

VERSION, CANCEL, RESTORE, CLONE, STATE, START, SAVE, MANAGED, INFO, CONVERT = 1, 2, 12, 13, 20, 30, 31, 32, 40, 43
DETACH, LIBVIRT_DETACH = 39, 392
SAVE_PIPE = 46
DROP_CLONE, IMAGE_DEFINE, CHECK, FLATTEN, DRAW_MAP = 15, 41, 42, 44, 45
JOB_PROGRESS = 3
CANCELLED, INVALID_STATE = 78, 55
CONTINUE = 2
BYPASS, LIVE, INCREMENTAL, UNKNOWN = 1, 8, 128, 0x80000000


def save(domain, path, flags=0, base=None, form=None):
    return domain + string(path) + optional(form) + optional(None) + optional(None) + u32(flags) + optional(base)


@contextlib.contextmanager
def held(t, served, guest):
    """What is begun here waits for QEMU, which is stopped."""
    qemu = t.status(guest)["qemu"]["pid"]
    harness.wait_for(lambda: harness.is_stopped(served.process.pid), "the save")
    os.kill(qemu, signal.SIGSTOP)
    served.process.send_signal(signal.SIGCONT)
    try:
        yield
    finally:
        os.kill(qemu, signal.SIGCONT)


def own(client, procedure, payload=b""):
    return client.call(procedure, payload, program=wire.OWN)


def until_reply(client, serial, silence=0.3):
    """(what was told of that call, its reply); nothing is told of it after that."""
    told = []
    while (got := client.receive()).kind != wire.REPLY or got.serial != serial:
        if got.kind == wire.EVENT:
            assert (got.program, got.procedure) == (wire.OWN, JOB_PROGRESS), got
            number, length = struct.unpack(">II", got.payload[:8])
            assert number == serial, got
            told.append(json.loads(got.payload[8:8 + length]))
    assert client.says_nothing(silence)
    return told, got


@harness.test("a call is cancelled by its serial on its own connection, and by no other")
def cancel(t):
    guest = t.boot_sector_guest()
    with daemon(t, STASIS_FAULT="save-paused=stop") as served, Client(served.socket) as client, \
            Client(served.socket) as other:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(2)
        domain = client.lookup(guest.name)
        assert own(client, CANCEL, u32(12345)).status == wire.OK
        other.serial = client.serial
        serial = client.ask(SAVE, save(domain, t.dir / "image"), program=wire.OWN)
        with held(t, served, guest):
            assert own(other, CANCEL, u32(serial)).status == wire.OK
            second = other.ask(SAVE, save(domain, t.dir / "second"), program=wire.OWN)
            _, reply = until_reply(other, second)
            assert reply.status == wire.ERROR and reply.code == 68, reply  # the domain is busy
            assert "job" in t.status(guest)
            client.ask(CANCEL, u32(serial), program=wire.OWN)
        told, reply = until_reply(client, serial)
        assert reply.status == wire.ERROR and reply.code == CANCELLED, reply
        assert told and all(stats["operation"] == "save" for stats in told), told
        assert not (t.dir / "image").exists()
        guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a call that is cancelled right behind it, before anybody has begun with it, is not carried out")
def cancel_at_once(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Client(served.socket) as client:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(2)
        domain = client.lookup(guest.name)
        for serial in range(1000, 1010):
            client.send(wire.packet(SAVE, save(domain, t.dir / "image"), program=wire.OWN, serial=serial)
                        + wire.packet(CANCEL, u32(serial), program=wire.OWN, serial=serial + 1000))
            reply = until_reply(client, serial)[1]
            assert (reply.status, reply.code) == (wire.ERROR, CANCELLED), reply
        assert t.domstate(guest) == "running" and not (t.dir / "image").exists()


@harness.test("waiting for a guest to release a device is cancelled, in our call and in libvirt's")
def cancel_detach(t):
    guest = t.boot_sector_guest()
    (t.dir / "data").write_bytes(bytes(1 << 20))
    with daemon(t) as served, Client(served.socket) as client:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(2)
        t.stasis("attach-disk", guest.name, t.dir / "data", "vdx")
        domain = client.lookup(guest.name)
        alias = re.search(r"<disk(?:(?!</disk>).)*'vdx'.*?alias name='([^']*)'", t.stasis("dumpxml", guest.name).stdout, re.S)[1]
        for program, procedure, payload in ((wire.OWN, DETACH, optional(None) + optional(alias)),
                                            (wire.REMOTE, LIBVIRT_DETACH, string(alias))):
            serial = client.ask(procedure, domain + payload + u32(1), program=program)
            assert client.says_nothing(0.5)
            client.ask(CANCEL, u32(serial), program=wire.OWN)
            reply = until_reply(client, serial)[1]
            assert reply.status == wire.ERROR and reply.code == CANCELLED, (program, reply)
        assert "vdx" in t.stasis("domblklist", guest.name).stdout
        reply = own(client, DETACH, domain + optional(None) + optional(alias) + u32(1))
        assert (reply.status, reply.payload) == (wire.OK, u32(0)), reply


@harness.test("who goes away ends nothing; serials may come twice")
def gone(t):
    guest = t.boot_sector_guest()
    with daemon(t, STASIS_FAULT="save-paused=stop") as served:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(2)
        with Client(served.socket) as client:
            domain = client.lookup(guest.name)
            payload = save(domain, t.dir / "image")
            for _ in range(3):
                client.send(wire.packet(SAVE, payload, program=wire.OWN, serial=7))
            with held(t, served, guest):
                client.close()
        harness.wait_for((t.dir / "image").exists, "the image")
        harness.wait_for(lambda: not t.stasis("list", "--name").stdout.strip(), "the end of the guest")
    assert "is good" in t.stasis("image", "verify", t.dir / "image").stdout


class PipeSave:
    """A save whose image goes through the connection, as `stasis` would take it: all, or step by step."""

    def __init__(self, client, domain, form=None):
        self.client, self.count, self.asked = client, 0, 0
        payload = domain + string("the image") + optional(form) + optional(None) * 2 + u32(0)
        self.serial = client.ask(SAVE_PIPE, payload, program=wire.OWN)

    def answer(self, status):
        self.client.send(wire.packet(SAVE_PIPE, struct.pack(">Q", self.count), program=wire.OWN, kind=wire.STREAM,
                                     serial=self.serial, status=status))

    def take(self, got):
        assert got.serial == self.serial, got
        self.count += len(got.payload)
        self.asked += 0 if got.payload else 1
        self.answer(CONTINUE if got.payload else wire.OK)

    def until_asked(self):
        while not self.asked:
            got = self.client.receive()
            assert got.kind in (wire.STREAM, wire.EVENT), got
            if got.kind == wire.STREAM:
                self.take(got)


@harness.test("a connection that ends behind the end of an image, and before anybody asked, leaves the guest paused")
def end_of_image(t):
    guest = t.boot_sector_guest()
    with daemon(t, STASIS_FAULT="save-released=stop") as served:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(2)
        for form in ("stasis-stream", "libvirt"):
            with Client(served.socket) as client:
                save_pipe = PipeSave(client, client.lookup(guest.name), form)
                save_pipe.until_asked()
                got = client.receive()
                assert got.kind == wire.EVENT or got.payload, got
                while got.kind != wire.STREAM:
                    got = client.receive()
                harness.wait_for(lambda: harness.is_stopped(served.process.pid), "the end of the image to be sent")
            # Its end comes to the server before the next look at what the reader has.
            served.process.send_signal(signal.SIGCONT)
            t.wait_for_no_job(guest)
            assert t.domstate(guest, "--reason") == "paused (save undecided)", (form, t.domstate(guest, "--reason"))
            t.stasis("resume", guest.name)
            guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a client whose reader goes within the end of an image: it may have enough where the kind lets some be missing")
def reader_goes(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(2)
        for form, state in (("stasis-stream", "running"), ("libvirt", "paused (save undecided)")):
            with Client(served.socket) as client:
                save_pipe = PipeSave(client, client.lookup(guest.name), form)
                save_pipe.until_asked()
                while not (got := client.receive()).payload or got.kind != wire.STREAM:
                    assert got.kind == wire.EVENT, got
                save_pipe.answer(wire.ERROR)
                reply = until_reply(client, save_pipe.serial)[1]
                assert ("resume" in reply.message) == (form == "libvirt"), (form, reply.message)
            t.wait_for_no_job(guest)
            assert t.domstate(guest, "--reason").startswith(state), (form, t.domstate(guest, "--reason"))
            if form == "libvirt":
                t.stasis("resume", guest.name)
            guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("an image goes through a connection of which more calls wait than may: what is more is refused")
def too_many(t):
    guest, other = t.boot_sector_guest(), t.boot_sector_guest("other")
    with daemon(t) as served, Client(served.socket) as client:
        t.stasis("create", guest.xml_file())
        t.stasis("define", other.xml_file())
        guest.wait_for_tick(2)
        domain = client.lookup(other.name)
        refused = set()
        with busy(t, other.name):
            save_pipe = PipeSave(client, client.lookup(guest.name))
            waits = {client.ask(wire.SUSPEND, domain) for _ in range(120)}
            client.send(wire.PING_PACKET)
            ponged = False
            while (got := client.receive()).kind != wire.REPLY or got.serial != save_pipe.serial:
                if got.kind == wire.STREAM:
                    save_pipe.take(got)
                elif got.kind == wire.REPLY and "too many calls" in got.message:
                    assert got.code == 68, got
                    refused.add(got.serial)
                else:
                    # Not that the other guest was waited for in vain: nothing stands still so long.
                    assert got.kind == wire.EVENT, got
                    ponged |= got.is_pong()
        assert got.status == wire.OK, (got.code, got.message)
        # As many as may are under way or wait, the save among them.
        assert ponged and 0 < len(refused) <= 120 - 15 - 64, len(refused)
        while waits - refused:
            got = client.receive()
            assert "is not running" in got.message or "too many calls" in got.message, got
            waits.remove(got.serial)
        assert not t.stasis("list", "--name").stdout.strip()


@harness.test("a call is cancelled although more calls wait than may")
def cancel_in_crowd(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Client(served.socket) as client:
        t.stasis("create", guest.xml_file())
        with crowded(t, client, client.lookup(guest.name)) as serial:
            replies = {}
            cancel_serial = client.ask(CANCEL, u32(serial), program=wire.OWN)
            while not {serial, cancel_serial} <= set(replies):
                got = client.receive()
                if got.kind == wire.REPLY:
                    replies[got.serial] = got
                if got.serial == cancel_serial:
                    assert got.status == wire.OK, got
            assert replies[serial].code == CANCELLED, replies[serial]
        assert not (t.dir / "converted").exists()


@harness.test("flags that are not known, paths that are none, files that are no plain ones")
def refused(t):
    guest = t.boot_sector_guest()
    os.mkfifo(t.dir / "fifo")
    with daemon(t) as served, Client(served.socket) as client:
        t.stasis("define", guest.xml_file())
        domain = client.lookup(guest.name)
        image = string(t.dir / "image")
        for procedure, payload in ((RESTORE, image + optional(None) + u32(UNKNOWN)), (START, domain + u32(UNKNOWN)),
                                   (CLONE, image + string("x") + u32(1) + optional(None) + u32(UNKNOWN)),
                                   (DETACH, domain + optional(None) + optional("net0") + u32(UNKNOWN)),
                                   (SAVE, save(domain, t.dir / "image", UNKNOWN)), (MANAGED, domain + u32(UNKNOWN))):
            reply = own(client, procedure, payload)
            assert reply.code == wire.CODE_INVALID and "0x80000000" in reply.message, (procedure, reply)
        for path, said in (("relative", "absolute"), ("", "absolute"), (t.dir / "fifo", "no plain file"),
                           ("/dev/zero", "no plain file")):
            for procedure, payload in ((SAVE, save(domain, path)), (SAVE, save(domain, t.dir / "image", base=path)),
                                       (RESTORE, string(path) + optional(None) + u32(0)), (INFO, string(path)),
                                       (CONVERT, image + optional(None) + string(path) + optional(None) * 2)):
                reply = own(client, procedure, payload)
                assert reply.code == wire.CODE_INVALID and said in reply.message, (procedure, path, reply)
        for device in (optional(None) * 2, optional("<disk/>") + optional("net0")):
            reply = own(client, DETACH, domain + device + u32(0))
            assert reply.code == wire.CODE_INVALID and "by its XML or by its alias" in reply.message, reply
        serial = client.ask(SAVE, save(domain, t.dir / "image"), program=wire.OWN)
        assert until_reply(client, serial)[1].code == INVALID_STATE
        assert struct.unpack(">i", own(client, STATE, domain).payload[:4])[0] == 5
        assert own(client, VERSION).payload == u32(1)
        assert client.lives() and not (t.dir / "image").exists()


@harness.test("paths that no image has are refused by name in every procedure of ours, and touch nothing")
def paths(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Client(served.socket) as client, strange_paths.folder(t) as folder:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(1)
        t.stasis("checkpoint", guest.name, t.dir / "image")
        domain, image, xml = client.lookup(guest.name), string(t.dir / "image"), string(guest.xml())

        def calls(path):
            text, fresh = string(path), string(folder / "fresh")
            yield from ((RESTORE, text + optional(None) + u32(0)), (CLONE, text + string("x") + u32(1) + optional(None) + u32(0)),
                        (SAVE, save(domain, path)), (SAVE, save(domain, path, LIVE)), (SAVE, save(domain, folder / "fresh", INCREMENTAL, base=path)),
                        (INFO, text), (IMAGE_DEFINE, text + xml + optional(None) + u32(0)), (CHECK, text),
                        (CONVERT, text + optional(None) + fresh + optional(None) * 2),
                        (CONVERT, image + optional(None) + text + optional(None) * 2),
                        (FLATTEN, text + fresh), (FLATTEN, image + text), (DRAW_MAP, text + string("png")))

        for path in [*strange_paths.of(t, folder), t.dir / "fifo"]:  # nobody is at its other end
            for procedure, payload in calls(path):
                serial = client.ask(procedure, payload, program=wire.OWN)
                strange_paths.check_refused(until_reply(client, serial, 0)[1], path)
        for name in ("../../run", "..", "", "/etc", "x" * 5000):
            reply = own(client, DROP_CLONE, string(name) + u32(1))
            assert reply.status == wire.ERROR and "no disks are kept" in reply.message, (name, reply)
        assert t.domstate(guest) == "running"
        assert "is good" in t.stasis("image", "verify", t.dir / "image").stdout


harness.main()
