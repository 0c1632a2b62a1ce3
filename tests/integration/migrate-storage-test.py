#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks are copied along with a migration: two daemons, real virsh and stasis, and whatever fails."""

import contextlib
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys

import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
import served  # pylint: disable=wrong-import-position

MIB = 1 << 20
SIZE = 16 * MIB
FIRST, COUNT = 100, 500  # sectors that the guest writes to, again and again
WRITER = (f"(i=0; while [ ! -e /dev/enough ]; do i=$((i+1)); n=$((i%{COUNT}+{FIRST})); "
          "printf '%-512s' $i | dd of=/dev/vda bs=512 seek=$n conv=notrunc,fsync 2>/dev/null; echo $i >/dev/i; done; "
          "touch /dev/done) >/dev/null 2>&1 &")


class Host:
    """A daemon with a state directory of its own, as if it were another host."""

    def __init__(self, t, number, **env):
        self.t, self.number = t, number
        self.state = t.state if number == 0 else t.dir / f"host{number}"
        if number > 0:
            folder = self.state / "config"
            folder.mkdir(mode=0o700, parents=True)
            self.state.chmod(0o700)
            shutil.copy(t.state / "config" / "stasis.conf", folder)
        self.disks = t.dir / f"disks{number}"
        self.disks.mkdir()
        self.start(**env)

    def start(self, **env):
        self.daemon = served.Daemon(self.t, name=str(self.number), STASIS_STATE_DIR=str(self.state), **env)

    def uri(self):
        return self.daemon.uri()

    def peer(self):
        """As another daemon reaches it."""
        return f"qemu+unix:///system?socket={self.daemon.socket}"

    def says(self, *arguments, **options):
        return self.daemon.says(*arguments, **options)

    def names(self, *options):
        return self.says("list", "--name", *options).split()

    def stasis(self, *arguments, **options):
        return self.t.stasis(*arguments, STASIS_STATE_DIR=self.state, **options)

    def qmp(self, name, command, **arguments):
        text = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(self.stasis("qemu-monitor-command", name, text).stdout)["return"]

    def left(self):
        """Names of files, but for those of the disks that were there."""
        return sorted(path.name for path in self.disks.iterdir())


@contextlib.contextmanager
def hosts(t, **env):
    if not shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    both = []
    try:
        both.append(Host(t, 0))
        both.append(Host(t, 1, **env))
        yield both
    except BaseException:
        for host in both:
            print(f"# daemon {host.number} said: {host.daemon.said()!r}", flush=True)
        raise
    finally:
        for host in both:
            for name in host.stasis("list", "--name", check=False).stdout.split():
                host.stasis("destroy", name, check=False)
            if host.daemon.process.poll() is None:
                host.daemon.stop()
            for word in ("CRITICAL", "runtime error", "AddressSanitizer", "ThreadSanitizer"):
                assert word not in host.daemon.said(), host.daemon.said()


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
    nodes = [node["node-name"] for node in host.qmp(guest.name, "query-named-block-nodes", flat=True)]
    assert not any("copy" in node for node in nodes), nodes


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


@harness.test("a guest that writes moves with its disk, there and back", timeout=600)
def there_and_back(t):
    with hosts(t) as (one, two):
        disk = make_raw(one.disks / "a")
        before = disk.read_bytes()
        guest = writing_guest(t, one, disk, "raw")
        for number, (here, there) in enumerate(((one, two), (two, one), (one, two))):
            goes_on_writing(guest)
            # A file that is missing is made; one that is there already is taken.
            migrate(here, there, guest, "--copy-storage-all", *([["--p2p"], [], ["--copy-storage-synchronous-writes"]][number]))
            guest.close()
            expect_at(guest, there, here)
        goes_on_writing(guest)
        last = stop_writing(guest)
        assert last > COUNT / 10
        two.daemon.virsh("destroy", guest.name)
        expect_written(before, (two.disks / "a").read_bytes(), last)


@harness.test("the top of a qcow2 moves alone, and the whole of one", timeout=600)
def qcow2(t):
    with hosts(t) as (one, two):
        base = make_raw(t.dir / "base")
        before = base.read_bytes()
        disk = make_qcow2(one.disks / "a", "-F", "raw", "-b", base)
        guest = writing_guest(t, one, disk, "qcow2")
        goes_on_writing(guest)
        migrate(one, two, guest, "--copy-storage-inc")
        guest.close()
        expect_at(guest, two, one)
        info = json.loads(subprocess.run(["qemu-img", "info", "-U", "--output=json", two.disks / "a"], check=True,
                                         capture_output=True).stdout)
        assert info["backing-filename"] == str(base) and info["format"] == "qcow2", info
        assert info["actual-size"] < 2 * MIB, info
        goes_on_writing(guest)
        disk.unlink()  # at the source it is of no more use
        migrate(two, one, guest, "--copy-storage-all", "--p2p")
        guest.close()
        expect_at(guest, one, two)
        info = json.loads(subprocess.run(["qemu-img", "info", "-U", "--output=json", disk], check=True,
                                         capture_output=True).stdout)
        assert "backing-filename" not in info and info["format"] == "qcow2", info
        goes_on_writing(guest)
        last = stop_writing(guest)
        one.daemon.virsh("destroy", guest.name)
        assert base.read_bytes() == before
        expect_written(before, octets_of(disk, "qcow2"), last)


@harness.test("a disk is copied for stasis as well, of a guest that is paused, or is to stand still")
def still(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        before = (one.disks / "b").read_bytes()
        t.stasis("-c", one.peer(), "migrate", guest.name, two.peer(), "--copy-storage-all", "--migrate-disks", "vdb",
                 "--xml", elsewhere(one, two, guest))
        expect_at(guest, two, one)
        assert (two.disks / "b").read_bytes() == before
        two.daemon.virsh("suspend", guest.name)
        (one.disks / "b").unlink()
        migrate(two, one, guest, "--copy-storage-all")
        assert one.says("domstate", guest.name) == "paused"
        is_clean(one, guest)
        assert (one.disks / "b").read_bytes() == before
        one.daemon.virsh("resume", guest.name)
        expect_at(guest, one, two)


@harness.test("a port and a unix socket for disks are used when they are asked for")
def places(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        path = t.dir / "disks.sock"
        t.dir.chmod(0o711)  # QEMU may have a user of its own
        comes_after_all(guest, one, two, "--disks-uri", f"unix://{path}", "--migrateuri", f"unix://{t.dir}/memory.sock")
        assert not path.exists()
        result = migrate(two, one, guest, "--copy-storage-all", "--migrateuri", f"unix://{t.dir}/other.sock", check=False)
        fails(result, "--disks-uri")
        expect_goes_on(guest, two, one, ["b"])
        with contextlib.closing(harness.socket.socket()) as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = chosen.getsockname()[1]
        comes_after_all(guest, two, one, "--disks-port", port)


@harness.test("what cannot be copied is refused, and nothing is left of it")
def refused(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        target = two.disks / "b"
        for options, words in (
                (["--copy-storage-all", "--migrate-disks", "vdz"], ["vdz", "no such disk"]),
                (["--copy-storage-all", "--migrate-disks", "vda"], ["vda", "does not write"]),
                (["--copy-storage-all", "--postcopy"], ["not supported yet"])):
            fails(migrate(one, two, guest, *options, check=False), *words)
            expect_goes_on(guest, one, two)
        make_raw(target, seed=2, size=SIZE + MIB)
        there = target.read_bytes()
        fails(migrate(one, two, guest, "--copy-storage-all", check=False), "vdb", str(SIZE), str(SIZE + MIB))
        expect_goes_on(guest, one, two, ["b"])
        assert target.read_bytes() == there
        target.unlink()
        target.symlink_to(one.disks / "b")
        fails(migrate(one, two, guest, "--copy-storage-all", check=False), "onto itself")
        target.unlink()
        folder = two.disks
        folder.rename(t.dir / "away")
        fails(migrate(one, two, guest, "--copy-storage-all", check=False), "vdb", str(folder))
        (t.dir / "away").rename(folder)
        expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


@harness.test("an abort while disks are copied leaves nothing, and says how far it was")
def aborted(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        virsh = subprocess.Popen(["virsh", "-c", one.uri(), "migrate", "--live", "--copy-storage-all", "--bandwidth", "1",
                                  "--xml", elsewhere(one, two, guest), guest.name, two.uri()], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def has_begun():
            assert virsh.poll() is None, virsh.communicate()
            found = re.search(r"File total:\s+([\d.]+) MiB", one.says("domjobinfo", guest.name, check=False))
            return found and float(found[1]) >= SIZE / MIB
        harness.wait_for(has_begun, "the disk to be copied")
        one.daemon.virsh("domjobabort", guest.name)
        _, said = virsh.communicate(timeout=60)
        assert virsh.returncode == 1 and "error:" in said, said
        expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


OUT = ["mirrors", "mirrored", "connected", "sending", "waiting", "mirrors-ending", "copied"]


@harness.test("whatever fails at the source before it is handed over, nothing is left at either end", timeout=900)
def source_fails(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        for how in ("fail", "kill"):
            for step in OUT:
                result = one.stasis("migrate", guest.name, two.peer(), "--live", "--copy-storage-all", "--xml",
                                    elsewhere(one, two, guest), check=False, STASIS_FAULT=f"migrate-out-{step}={how}")
                assert result.returncode != 0, (step, result)
                expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


IN = ["volumes-noted", "volumes", "journal", "exported", "listening", "finish", "loaded", "unexported", "committed"]


@harness.test("whatever fails at the destination before it has begun, no half copy is left", timeout=900)
def destination_fails(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        for how, steps in (("fail", IN), ("kill", IN[:IN.index("finish")])):
            for step in steps:
                two.daemon.stop()
                two.start(STASIS_FAULT=f"migrate-in-{step}={how}")
                result = migrate(one, two, guest, "--copy-storage-all", check=False)
                assert result.returncode != 0, (step, result)
                if how == "kill":
                    two.daemon.process.wait(60)
                    two.start()
                expect_goes_on(guest, one, two)
        two.daemon.stop()
        two.start()
        comes_after_all(guest, one, two)


@harness.test("a destination that is killed in Finish keeps no copy, as long as it has not begun")
def killed_in_finish(t):
    with hosts(t, STASIS_FAULT="migrate-in-unexported=kill") as (one, two):
        guest = small_guest(t, one)
        migrate(one, two, guest, "--copy-storage-all", check=False)
        two.daemon.process.wait(60)
        two.start()
        harness.wait_for(lambda: not (two.state / "run" / "domains" / guest.name).exists(), "the destination to clear away")
        assert two.left() == [], two.left()
        assert guest.name in one.names(), one.says("list", "--all")


@harness.test("a destination that is killed once it has begun keeps its copy")
def begun(t):
    with hosts(t, STASIS_FAULT="migrate-in-decided=kill") as (one, two):
        guest = small_guest(t, one)
        before = (one.disks / "b").read_bytes()
        migrate(one, two, guest, "--copy-storage-all", check=False)
        two.daemon.process.wait(60)
        two.start()
        harness.wait_for(lambda: two.says("domstate", guest.name, check=False) == "running", "the guest to run there")
        assert (two.disks / "b").read_bytes() == before
        one.daemon.virsh("destroy", guest.name, check=False)


@harness.test("QEMU's end at the destination while disks are copied is told")
def qemu_dies(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        virsh = subprocess.Popen(["virsh", "-c", one.uri(), "migrate", "--live", "--copy-storage-all", "--bandwidth", "1",
                                  "--xml", elsewhere(one, two, guest), guest.name, two.uri()], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.wait_for(lambda: "File total" in one.says("domjobinfo", guest.name, check=False), "the disk to be copied")
        status = json.loads((two.state / "run" / "domains" / guest.name / "status.json").read_text())
        harness.kill(status["qemu"]["pid"])
        _, said = virsh.communicate(timeout=120)
        assert virsh.returncode == 1 and "vdb" in said, said
        expect_goes_on(guest, one, two)


if __name__ == "__main__":
    harness.main()
