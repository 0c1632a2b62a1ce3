# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two daemons on one host, between which guests migrate, and the calls of a client that does it by hand."""

import contextlib
import os
import signal
import subprocess

import served
import wire
from served import Failed, harness
from wire import u32

BEGIN, PREPARE, PERFORM, FINISH, CONFIRM = 302, 303, 305, 306, 307


class Host:
    """A daemon, and what virsh says of it."""

    def __init__(self, t, number, **env):
        self.t, self.number = t, number
        self.state = t.state if number == 0 else t.dir / f"host{number}"
        if number > 0:
            folder = self.state / "config"
            folder.mkdir(mode=0o700, parents=True)
            self.state.chmod(0o700)
            (folder / "stasis.conf").write_text((t.state / "config" / "stasis.conf").read_text(encoding="utf-8"),
                                                encoding="utf-8")
        self.start(**env)

    def start(self, **env):
        self.daemon = served.Daemon(self.t, name=str(self.number) if self.number else "",
                                    STASIS_STATE_DIR=str(self.state), **env)

    def uri(self):
        return self.daemon.uri()

    def peer(self):
        """As another daemon reaches it."""
        return f"qemu+unix:///system?socket={self.daemon.socket}"

    def virsh(self, *arguments, **options):
        return self.daemon.virsh(*arguments, **options)

    def says(self, *arguments, **options):
        return self.daemon.says(*arguments, **options)

    def names(self, *options):
        return self.says("list", "--name", *options).split()

    def state_of(self, guest):
        return self.says("domstate", guest.name, "--reason", check=False)

    def stasis(self, *arguments, **options):
        return self.t.stasis(*arguments, STASIS_STATE_DIR=self.state, **options)

    def stop(self):
        if self.daemon.process.poll() is None:
            self.daemon.stop()


@contextlib.contextmanager
def hosts(t, count=2, make=Host):
    if not served.shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    all_of_them = []
    try:
        for number in range(count):
            all_of_them.append(make(t, number))
        yield all_of_them
    except BaseException:
        for host in all_of_them:
            print(f"# daemon {host.number} said: {host.daemon.said()!r}", flush=True)
        raise
    finally:
        for host in all_of_them:
            for name in host.stasis("list", "--name", check=False).stdout.split():
                host.stasis("destroy", name, check=False)
            host.stop()
            for word in ("CRITICAL", "runtime error", "AddressSanitizer", "ThreadSanitizer"):
                assert word not in host.daemon.said(), host.daemon.said()


def running_guest(t, host, persistent=False, **options):
    guest = t.boot_sector_guest(**options)
    if persistent:
        host.virsh("define", guest.xml_file())
        host.virsh("start", guest.name)
    else:
        host.virsh("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def expect_at(guest, here, there, state="running"):
    """It is here, and goes on as if nothing had been; there it does not run."""
    assert here.says("domstate", guest.name) == state
    assert guest.name not in there.names(), there.says("list", "--all")
    if state == "running":
        last = guest.last_tick()
        guest.wait_for_tick(last + 2)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]


def fails(command):
    try:
        command()
    except Failed as failed:
        return failed.result.stderr
    raise AssertionError("it went well")


def begin_slowly(host, guest, there, *options, bandwidth="1"):
    """virsh, in the middle of Perform."""
    slow = ["--bandwidth", bandwidth] if bandwidth else []
    virsh = subprocess.Popen(["virsh", "-c", host.uri(), "migrate", "--live", *slow, *options, guest.name,
                              there.peer() if "--p2p" in options else there.uri()],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    harness.wait_for(lambda: "outgoing migration" in host.says("domjobinfo", guest.name, check=False).lower()
                     or virsh.poll() is not None, "the migration to begin")
    assert virsh.poll() is None, virsh.communicate()
    return virsh


def expect_nothing_at(guest, host):
    """Nothing is left of what came to nothing."""
    run = host.state / "run" / "domains" / guest.name
    harness.wait_for(lambda: not run.exists(), "the destination to clear away")
    assert guest.name not in host.names("--all"), host.says("list", "--all")


def migrates_after_all(guest, one, two):
    """Once the thread that has cleared away the one before has ended, too."""
    def is_let_in():
        done = one.virsh("migrate", "--live", guest.name, two.uri(), check=False)
        assert done.returncode == 0 or "a migration of it is coming in" in done.stderr, done
        return done.returncode == 0

    harness.wait_for(is_let_in, "the destination to take the guest")
    expect_at(guest, two, one)


def cookie_of(packet):
    length = int.from_bytes(packet.payload[:4], "big")
    return packet.payload[4:4 + length], packet.payload[4 + length + -length % 4:]


def octets(data):
    return u32(len(data)) + data + bytes(-len(data) % 4)


def begin(client, domain):
    reply = client.call(BEGIN, domain + u32(0) + u32(1))
    assert reply.status == wire.OK, reply.message
    cookie, rest = cookie_of(reply)
    return cookie, cookie_of(type("Rest", (), {"payload": rest}))[0].decode()


def prepare(client, cookie, xml):
    reply = client.call(PREPARE, u32(1) + wire.parameter("destination_xml", xml) + octets(cookie) + u32(1))
    assert reply.status == wire.OK, reply.message
    cookie, rest = cookie_of(reply)
    return cookie, cookie_of(type("Rest", (), {"payload": rest[4:]}))[0].decode()


def perform(client, domain, cookie, uri):
    reply = client.call(PERFORM, domain + u32(0) + u32(1) + wire.parameter("migrate_uri", uri) + octets(cookie)
                        + u32(1))
    assert reply.status == wire.OK, reply.message
    return cookie_of(reply)[0]


def reload(host):
    """Its configuration is read anew, and so it has another driver."""
    before = host.daemon.said().count("read anew")
    os.kill(host.daemon.process.pid, signal.SIGHUP)
    harness.wait_for(lambda: host.daemon.said().count("read anew") > before, "the configuration to be read")
