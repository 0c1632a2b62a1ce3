#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The link between two hosts is cut, without a word to anybody, while a guest and its disk are on their way.

Both QEMUs still have their connections: only time tells that nobody is at the other end.
"""

import contextlib
import os
import pathlib
import signal
import subprocess

import network
import served
from hosts import Side
from served import harness
import copies

ESTABLISHED = "01"


class Host(Side):
    """With disks of its own."""

    def __init__(self, t, net, number):
        self.disks = t.dir / f"disks{number}"
        self.disks.mkdir()
        super().__init__(t, net, number)

    qmp, left = copies.Host.qmp, copies.Host.left

    def stasis(self, *arguments, **options):
        return self.t.stasis(*arguments, STASIS_STATE_DIR=self.state, **options)

    def names(self):
        return self.says("list", "--name").split()

    def is_unanswered(self):
        """Something was sent, and nobody has said that it came."""
        lines = pathlib.Path(f"/proc/{self.space.holder.pid}/net/tcp").read_text(encoding="utf-8").splitlines()[1:]
        return any(words[3] == ESTABLISHED and int(words[4].partition(":")[0], 16) > 0 for words in map(str.split, lines))


@contextlib.contextmanager
def pair(t):
    if not served.shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    with network.joined(t, 2) as net:
        both = []
        try:
            both += [Host(t, net, number) for number in range(2)]
            yield (net, *both)
        except BaseException:
            for host in both:
                print(f"# daemon {host.number} said: {host.daemon.said()[-3000:]!r}", flush=True)
            raise
        finally:
            for host in both:
                if host.is_alive():
                    host.daemon.process.send_signal(signal.SIGCONT)
                    for name in host.names():
                        host.says("destroy", name, check=False)
                    host.daemon.stop()


def comes_to(source, there, guest, step, live):
    """virsh, and the source's daemon, which stands still at that step."""
    source.restart(f"migrate-out-{step}")
    xml = copies.elsewhere(source, there, guest)
    virsh = subprocess.Popen(["virsh", "-c", source.uri(), "migrate", *(["--live"] if live else []), "--copy-storage-all",
                              "--bandwidth", "4", "--xml", xml, guest.name, there.uri()], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_there():
        assert virsh.poll() is None, virsh.communicate()
        return harness.is_stopped(source.daemon.process.pid)
    harness.wait_for(is_there, f"the migration to come to '{step}'", 120)
    return virsh


# Its copy has just begun; QEMU is told to stop the guest; it has stopped, and the copy is to become complete.
@harness.test("a link that is cut costs the migration only, whether the guest runs or stands still", timeout=900)
def cut(t):
    with pair(t) as (net, one, two):
        disk = copies.make_raw(one.disks / "a")
        before = disk.read_bytes()
        guest = copies.writing_guest(t, one, disk, "raw")
        for step, live in (("mirrors", True), ("connected", False), ("waiting", True)):
            virsh = comes_to(one, two, guest, step, live)
            net.cut(1)
            if step != "waiting":
                harness.wait_for(one.is_unanswered, "something to be sent that nobody answers")
            os.kill(one.daemon.process.pid, signal.SIGCONT)
            _, said = virsh.communicate(timeout=300)
            print(f"# {step}: {said.strip()}", flush=True)
            assert virsh.returncode == 1 and "vda" in said, said
            copies.expect_at(guest, one, two)
            copies.goes_on_writing(guest)
            net.join(1)
            harness.wait_for(lambda: not (two.state / "run" / "domains" / guest.name).exists(),
                             "the destination to clear away")
            assert two.left() == [], two.left()
            one.restart()
        copies.migrate(one, two, guest, "--copy-storage-all")
        guest.close()
        copies.expect_at(guest, two, one)
        copies.goes_on_writing(guest)
        last = copies.stop_writing(guest)
        two.says("destroy", guest.name)
        copies.expect_written(before, (two.disks / "a").read_bytes(), last)


if __name__ == "__main__":
    harness.main()
