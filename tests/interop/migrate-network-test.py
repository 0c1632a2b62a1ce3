#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest migrates between two hosts of a network, in which others speak with it."""

import contextlib
import os
import pathlib
import subprocess
import time

import network
import served
from hosts import Side
from served import harness

ROUNDS = 20 if harness.SOAK else 4
MAC = "52:54:00:12:34:01"
GUEST_ADDRESS = "192.0.2.100"
PORT = 7000
JUMP_CLOCK = pathlib.Path(os.environ["STASIS_TEST_BUILDDIR"]) / "tests/interop/libjump-clock.so"
HOURS = 7 * 3600
NIC = f"<interface type='bridge'><source bridge='{network.BRIDGE}'/><mac address='{MAC}'/><model type='virtio'/></interface>"

# In the guest: numbered lines go out, one each tenth of a second, and the answers are kept.
TALK = (f"busybox mkfifo /talk; (i=0; while :; do i=$((i+1)); echo line $i; busybox usleep 100000; done) | "
        f"busybox nc 192.0.2.3 {PORT} >/answers 2>/errors &")
# Each block of the second disk has its number, written through.
WRITE = ("(i=0; while :; do i=$((i+1)); busybox printf '%-512d' $i | "
         "dd of=/dev/vda seek=$i bs=512 conv=notrunc,fsync 2>/dev/null || echo $i >>/failed; echo $i >/written; "
         "busybox usleep 50000; done) >/dev/null </dev/null 2>&1 &")

# In the third host: one who answers each line, and says where it is not the next one, or ends.
PEER = """
import socket, sys
server = socket.create_server(("192.0.2.3", int(sys.argv[1])))
print("here", flush=True)
connection = server.accept()[0]
n = 0
for line in connection.makefile("r"):
    n += 1
    if line != f"line {n}\\n":
        print(f"bad {line!r} after {n - 1}", flush=True)
    connection.sendall(f"answer {n}\\n".encode())
    print(n, flush=True)
print("ended", flush=True)
"""


@contextlib.contextmanager
def two_hosts(t, spaces=2, **env):
    """@env: of the second daemon."""
    if not served.shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    with network.joined(t, spaces) as net:
        sides = [Side(t, net, 0), Side(t, net, 1, **env)]
        try:
            yield net, *sides
        except BaseException:
            for side in sides:
                print(f"# daemon {side.number} said: {side.daemon.said()[-3000:]!r}", flush=True)
            raise
        finally:
            for side in sides:
                for name in side.says("list", "--name").split():
                    side.says("destroy", name, check=False)
                side.daemon.stop()


class Peer:
    """Who the guest talks to."""

    def __init__(self, t, space):
        self.log = t.dir / "peer.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*space.before, "/usr/bin/python3", "-c", PEER, str(PORT)], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, cwd=t.dir)
        harness.wait_for(lambda: "here" in self.said(), "the peer")

    def said(self):
        return self.log.read_text(encoding="utf-8")

    def last(self):
        numbers = [line for line in self.said().splitlines() if line.isdigit()]
        return int(numbers[-1]) if numbers else 0

    def expect_goes_on(self):
        last = self.last()
        harness.wait_for(lambda: self.last() > last + 2, f"the conversation to go on: {self.said()[-200:]!r}")
        said = self.said()
        assert "bad" not in said and "ended" not in said and "Error" not in said, said[-500:]

    def end(self):
        self.process.kill()
        self.process.wait()


def migrate(here, there, guest, *options, check=True):
    return here.daemon.virsh("migrate", "--live", *options, guest.name, there.uri(), check=check)


@harness.test("a conversation goes on, and a disk is written, through migrations back and forth", timeout=3600)
def conversation(t):
    disk = t.dir / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    with two_hosts(t, spaces=3) as (net, one, two):
        peer = Peer(t, net[2])
        try:
            guest = t.linux_guest(disks=[(disk, "raw", "virtio", False)])
            one.daemon.virsh("create", guest.xml_file(extra=NIC))
            guest.wait_for_agent(timeout=180)
            guest.agent(f"sh ip link set lo up; ip link set eth0 up; ip addr add {GUEST_ADDRESS}/24 dev eth0")
            for script in (TALK, WRITE):
                guest.agent(f"sh {script}")
            peer.expect_goes_on()
            began = guest.last_tick()
            for number in range(ROUNDS):
                here, there = (one, two) if number % 2 == 0 else (two, one)
                migrate(here, there, guest, *(["--p2p"] if number % 4 > 1 else []))
                peer.expect_goes_on()
                assert there.says("domstate", guest.name) == "running" and guest.name not in here.says("list", "--name")
                guest.close()
            assert guest.last_tick() > began and guest.boots() == 1
            guest.wait_for_agent()
            assert guest.agent("sh cat /errors /failed 2>/dev/null; echo none") == "none"
            written = int(guest.agent("sh cat /written"))
            answers = int(guest.agent("sh busybox wc -l </answers"))
            assert 0 < answers <= peer.last(), (answers, peer.last())
            print(f"# {ROUNDS} migrations, {peer.last()} lines, {written} blocks", flush=True)
            content = disk.read_bytes()
            for number in range(1, written + 1):
                assert int(content[512 * number:512 * number + 512]) == number, number
        finally:
            peer.end()


@harness.test("a guest that writes faster than its link carries does not converge, and is let go by an abort", timeout=400)
def never_converges(t):
    with two_hosts(t) as (net, one, two):
        net.slow(1, 40)
        guest = t.boot_sector_guest(pages=2048)  # 8 MiB, ten times a second
        one.daemon.virsh("create", guest.xml_file())
        guest.wait_for_tick(2)
        client = subprocess.Popen(["virsh", "-c", one.uri(), "migrate", "--live", guest.name, two.uri()],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def passes():
            words = one.says("domjobinfo", guest.name, check=False).partition("Iteration:")[2].split()
            return int(words[0]) if words else 0
        try:
            harness.wait_for(lambda: passes() > 3 or client.poll() is not None, "some passes", 120)
            assert client.poll() is None, client.communicate()
            one.daemon.virsh("domjobabort", guest.name)
            _, said = client.communicate(timeout=60)
        finally:
            client.kill()
        assert client.returncode == 1 and "error:" in said, said
        last = guest.last_tick()
        guest.wait_for_tick(last + 2)
        assert guest.boots() == 1 and guest.damaged_pages() == 0
        harness.wait_for(lambda: two.status(guest.name) is None, "the destination to clear away")
        net.switch.run("tc", "qdisc", "del", "dev", "port1", "root")
        migrate(one, two, guest)


@harness.test("the hosts' clocks differ by hours", timeout=300)
def clocks(t):
    clock_file = t.dir / "clock"
    for jump in (HOURS, -HOURS):
        clock_file.write_text(str(jump))
        with two_hosts(t, LD_PRELOAD=JUMP_CLOCK, JUMP_CLOCK=clock_file) as (_, one, two):
            guest = t.boot_sector_guest(name=f"sector{jump}")
            one.daemon.virsh("create", guest.xml_file())
            guest.wait_for_tick(2)
            for here, there in ((one, two), (two, one)):
                migrate(here, there, guest)
                last = guest.last_tick()
                guest.wait_for_tick(last + 2)
                # QEMU does not get what is preloaded, and tells the time of this host: it is the source's.
                told = two.says("domjobinfo", guest.name, "--completed") if there is two else "Total downtime: 0"
                downtime = next(line.split()[2] for line in told.splitlines() if "Total downtime" in line)
                assert 0 <= int(downtime) < 3600 * 1000, told
            assert guest.boots() == 1 and guest.damaged_pages() == 0
        for state in t.dir.glob("host*"):
            served.shutil.rmtree(state)


@harness.test("what the network has against it is told: ports that are taken, an address that is nowhere", timeout=300)
def told(t):
    with two_hosts(t) as (net, one, two):
        guest = t.boot_sector_guest()
        one.daemon.virsh("create", guest.xml_file())
        guest.wait_for_tick(2)
        taken = subprocess.Popen([*net[1].before, "/usr/bin/python3", "-c",
                                  "import socket, time; s = [socket.create_server(('', port)) for port in (50000, "
                                  "*range(49152, 49216))]; print(1, flush=True); time.sleep(3600)"],
                                 stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=t.dir)
        try:
            taken.stdout.readline()
            every = "all ports from 49152 to 49215 are taken"
            checked = t.stasis("-c", one.uri(), "migrate", guest.name, two.uri(), "--live", "--check", check=False)
            assert checked.returncode == 1 and every in checked.stdout, checked
            for options, word in (([], every), (["--parallel"], every),
                                  (["--migrateuri", "tcp://192.0.2.2:50000"], "50000"),
                                  (["--migrateuri", "tcp://192.0.2.77:50001"], "192.0.2.77"),
                                  (["--migrateuri", "tcp://no-such-host.invalid:50002"], "no-such-host.invalid")):
                began = time.monotonic()
                said = migrate(one, two, guest, *options, check=False)
                assert said.returncode == 1 and word in said.stderr, said.stderr
                print(f"# {options}: {time.monotonic() - began:.1f} s: {said.stderr.strip()}", flush=True)
                assert one.says("domstate", guest.name) == "running"
                harness.wait_for(lambda: two.status(guest.name) is None, "the destination to clear away")
        finally:
            taken.kill()
            taken.communicate()
        migrate(one, two, guest)
        last = guest.last_tick()
        guest.wait_for_tick(last + 2)


@harness.test("of the ports all but two are taken, one for the door and one for QEMU")
def few(t):
    with two_hosts(t) as (net, one, two):
        guest = t.boot_sector_guest()
        one.daemon.virsh("create", guest.xml_file())
        guest.wait_for_tick(2)
        taken = subprocess.Popen([*net[1].before, "/usr/bin/python3", "-c",
                                  "import socket, time; s = [socket.create_server(('', port)) for port in range(49152, 49214)];"
                                  "print(1, flush=True); time.sleep(3600)"],
                                 stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=t.dir)
        try:
            taken.stdout.readline()
            migrate(one, two, guest, "--parallel")
        finally:
            taken.kill()
            taken.communicate()
        last = guest.last_tick()
        guest.wait_for_tick(last + 2)
        assert guest.boots() == 1 and guest.damaged_pages() == 0


if __name__ == "__main__":
    harness.main()
