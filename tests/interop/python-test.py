#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's python bindings drive stasisd: calls beside each other on one connection, and events."""

import os
import signal
import threading

from served import daemon, harness

try:
    import libvirt
except ImportError:
    libvirt = None

SAVED = (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SAVED) if libvirt else None


class Connection:
    """With an event loop on a thread of its own; `heard` are the lifecycle events, in their order."""

    def __init__(self, served):
        self.heard, self.jobs = [], []
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=self.loop, daemon=True).start()
        self.conn = libvirt.open(served.uri())
        self.conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self.on_life, None)
        self.conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self.on_job, None)

    @staticmethod
    def loop():
        while True:
            libvirt.virEventRunDefaultImpl()

    def on_life(self, _conn, domain, event, detail, _data):
        self.heard.append((domain.name(), event, detail))

    def on_job(self, _conn, domain, stats, _data):
        self.jobs.append((domain.name(), stats))

    def hears(self, guest, *wanted):
        harness.wait_for(lambda: (guest.name, *wanted) in self.heard, f"{wanted} of {self.heard}")


def raises(code, function, *arguments):
    try:
        function(*arguments)
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code, error
        return str(error)
    raise AssertionError(f"no error {code}")


@harness.test("define, start, save, restore and events")
def drives(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        client = Connection(served)
        conn = client.conn
        assert conn.getType() == "QEMU" and conn.isAlive() and conn.getInfo()[0] == "x86_64"
        domain = conn.defineXML(guest.xml())
        assert not domain.isActive() and domain.isPersistent() and domain.ID() == -1
        domain.create()
        guest.wait_for_tick(2)
        client.hears(guest, libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED)
        assert domain.state() == [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED]
        assert domain.maxVcpus() == 1 and all(domain.emulatorPinInfo())
        assert domain.info()[1] == 65536 and [one.name() for one in conn.listAllDomains()] == [guest.name]
        image = str(t.dir / "image")
        domain.saveFlags(image, None, libvirt.VIR_DOMAIN_SAVE_RUNNING)
        last = guest.last_tick()
        client.hears(guest, *SAVED)
        assert guest.name in conn.saveImageGetXMLDesc(image)
        conn.restore(image)
        client.hears(guest, libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_RESTORED)
        guest.wait_for_tick(last + 2)
        assert guest.damaged_pages() == 0
        stats = conn.getAllDomainStats()[0][1]
        assert stats["state.state"] == libvirt.VIR_DOMAIN_RUNNING and stats["vcpu.current"] == 1, stats
        assert "QEMU" in domain.XMLDesc() or "<domain" in domain.XMLDesc()
        domain.destroy()
        domain.undefine()
        client.hears(guest, libvirt.VIR_DOMAIN_EVENT_UNDEFINED, 0)


@harness.test("errors have the codes that clients react to")
def errors(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        conn = Connection(served).conn
        raises(libvirt.VIR_ERR_NO_DOMAIN, conn.lookupByName, "nobody")
        raises(libvirt.VIR_ERR_XML_ERROR, conn.defineXML, "<domain")
        raises(libvirt.VIR_ERR_NO_SUPPORT, conn.listAllSecrets)
        raises(libvirt.VIR_ERR_INVALID_ARG, conn.restoreFlags, "image", None, 1 << 20)
        domain = conn.defineXML(guest.xml())
        raises(libvirt.VIR_ERR_INVALID_ARG, domain.shutdownFlags, 1 << 10)
        raises(libvirt.VIR_ERR_INVALID_ARG, domain.reboot, 1 << 10)
        raises(libvirt.VIR_ERR_OPERATION_INVALID, domain.suspend)
        raises(libvirt.VIR_ERR_OPERATION_INVALID, domain.maxVcpus)
        raises(libvirt.VIR_ERR_OPERATION_INVALID, domain.save, str(t.dir / "image"))
        reader = libvirt.openReadOnly(served.uri())
        raises(libvirt.VIR_ERR_OPERATION_DENIED, reader.lookupByName(guest.name).create)
        raises(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, libvirt.open, served.uri().replace("///system", "///nowhere"))


@harness.test("a long save does not hold up what else is asked on its connection")
def beside(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        conn = Connection(served).conn
        domain = conn.createXML(guest.xml())
        guest.wait_for_tick(2)
        # Another process's job, stopped in its middle, holds the domain: the save has to wait for it.
        owner = t.start("save", guest.name, t.dir / "other", STASIS_FAULT="save-copied=stop")
        harness.wait_for(lambda: harness.is_stopped(owner.pid), "the other save")
        failed = []

        def save():
            try:
                domain.save(str(t.dir / "image"))
            except libvirt.libvirtError as error:
                failed.append(error)
        saver = threading.Thread(target=save)
        saver.start()
        for _ in range(20):
            assert domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE and conn.isAlive()
            assert domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED
            assert conn.lookupByName(guest.name).ID() == domain.ID()
        assert saver.is_alive() or failed, "the save was over before the other"
        domain.abortJob()
        os.kill(owner.pid, signal.SIGCONT)
        assert owner.wait(60) == 1
        owner.communicate()
        saver.join(60)
        assert not saver.is_alive()
        assert failed or (t.dir / "image").exists(), failed


harness.main("" if libvirt else "no python3-libvirt here (./dev setup)")
