# SPDX-License-Identifier: LGPL-2.1-or-later
"""For tests of disks that are copied along with a migration: two daemons, and guests with disks of their own."""

import json
import pathlib
import random
import subprocess
import sys

import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
import peers  # pylint: disable=wrong-import-position

MIB = 1 << 20
SIZE = 16 * MIB
FIRST, COUNT = 100, 500  # sectors that the guest writes to, again and again
WRITER = (f"(i=0; while [ ! -e /dev/enough ]; do i=$((i+1)); n=$((i%{COUNT}+{FIRST})); "
          "printf '%-512s' $i | dd of=/dev/vda bs=512 seek=$n conv=notrunc,fsync 2>/dev/null; echo $i >/dev/i; done; "
          "touch /dev/done) >/dev/null 2>&1 &")


class Host(peers.Host):
    """With disks of its own."""

    def __init__(self, t, number, **env):
        self.disks = t.dir / f"disks{number}"
        self.disks.mkdir()
        super().__init__(t, number, **env)

    def qmp(self, name, command, **arguments):
        text = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(self.stasis("qemu-monitor-command", name, text).stdout)["return"]

    def left(self):
        """Names of files, but for those of the disks that were there."""
        return sorted(path.name for path in self.disks.iterdir())


def hosts(t, **env):
    return peers.hosts(t, make=lambda t, number: Host(t, number, **(env if number else {})))


def make_raw(path, seed=1, size=SIZE):
    path.write_bytes(random.Random(seed).randbytes(4 * MIB).ljust(size, b"\0"))
    return path


def make_qcow2(path, *options, size=SIZE):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *map(str, options), path, *([] if options else [str(size)])],
                   check=True)
    return path


def octets_of(path, kind):
    """What the guest sees of it."""
    if kind == "raw":
        return path.read_bytes()
    flat = path.with_suffix(".flat")
    subprocess.run(["qemu-img", "convert", "-f", kind, "-O", "raw", path, flat], check=True)
    data = flat.read_bytes()
    flat.unlink()
    return data


def start(host, guest):
    host.daemon.virsh("create", guest.xml_file())
    return guest


def small_guest(t, host, kind="raw", **options):
    """It does not write to its disk, vdb."""
    disk = make_raw(host.disks / "b") if kind == "raw" else make_qcow2(host.disks / "b")
    guest = t.boot_sector_guest(disks=[(disk, kind, "virtio", False)], **options)
    start(host, guest)
    guest.wait_for_tick(2)
    return guest


def writing_guest(t, host, path, kind):
    """It writes to its disk, vda, until it is told to stop."""
    guest = start(host, t.linux_guest(disks=[(path, kind, "virtio", False)]))
    guest.wait_for_agent(120)
    guest.agent(f"sh {WRITER}")
    return guest


def written(guest):
    return int(guest.agent("sh cat /dev/i 2>/dev/null || echo 0") or 0)


def goes_on_writing(guest):
    guest.wait_for_agent(120)
    before = written(guest)
    harness.wait_for(lambda: written(guest) > before + 5, "the guest to write", 120)


def stop_writing(guest):
    """The last number that it wrote."""
    guest.agent("sh touch /dev/enough")
    harness.wait_for(lambda: "done" in guest.agent("sh ls /dev"), "the writer to end", 120)
    guest.agent("sh sync; echo 3 >/proc/sys/vm/drop_caches")
    return written(guest)


def expect_written(before, now, last):
    """@now is @before, and what the guest has written since."""
    wanted = bytearray(before)
    for number in range(max(1, last - COUNT + 1), last + 1):
        at = (number % COUNT + FIRST) * 512
        wanted[at:at + 512] = f"{number:<512}".encode()
    assert len(now) == len(wanted), (len(now), len(wanted))
    wrong = [at for at in range(0, len(now), 512) if now[at:at + 512] != wanted[at:at + 512]]
    assert not wrong, (last, wrong[:10], bytes(now[wrong[0]:wrong[0] + 32]))


def elsewhere(here, there, guest):
    """Its definition with the disks of the other host, which has other folders."""
    path = guest.dir / "elsewhere.xml"
    xml = here.says("dumpxml", "--migratable", guest.name)
    path.write_text(xml.replace(f"{here.disks}/", f"{there.disks}/"), encoding="utf-8")
    return path


def migrate(here, there, guest, *options, check=True):
    options = ["--live", "--xml", elsewhere(here, there, guest), *options]
    uri = there.peer() if "--p2p" in options else there.uri()
    return here.daemon.virsh("migrate", *options, guest.name, uri, check=check, timeout=300)


def is_clean(host, guest):
    """Nothing in QEMU copies, exports, or is open for that."""
    assert not host.qmp(guest.name, "query-jobs"), host.qmp(guest.name, "query-jobs")
    assert not host.qmp(guest.name, "query-block-exports")
    nodes = [(node["node-name"], node["drv"]) for node in host.qmp(guest.name, "query-named-block-nodes", flat=True)]
    assert not any("copy" in name or kind in ("mirror_top", "nbd") for name, kind in nodes), nodes


def expect_at(guest, here, there):
    harness.wait_for(lambda: here.says("domstate", guest.name, check=False) == "running", "the guest to run")
    harness.wait_for(lambda: guest.name not in there.names(), "the other one to end")
    status = here.state / "run" / "domains" / guest.name / "status.json"
    harness.wait_for(lambda: "job" not in json.loads(status.read_text()), "the journal to be cleared")
    is_clean(here, guest)


def expect_goes_on(guest, here, there, left=()):
    """At the source, as if nothing had been; and nothing is left at the destination."""
    expect_at(guest, here, there)
    guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]
    run = there.state / "run" / "domains" / guest.name
    harness.wait_for(lambda: not run.exists(), "the destination to clear away")
    assert there.left() == sorted(left), there.left()


def comes_after_all(guest, here, there, *options):
    before = (here.disks / "b").read_bytes()
    migrate(here, there, guest, "--copy-storage-all", *options)
    expect_at(guest, there, here)
    assert (there.disks / "b").read_bytes() == before


def fails(result, *words):
    assert result.returncode == 1, result.stdout
    for word in words:
        assert word in result.stderr, result.stderr
