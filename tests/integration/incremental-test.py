#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An incremental image holds what has changed, and nothing is lost by that."""

import json
import os
import shutil
import signal
import subprocess

import harness
from mapped import can_map, need_mapping


def linux(t):
    guest = t.linux_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_agent(timeout=120)
    guest.agent("fill 64 7 mix")
    return guest


def save(t, guest, image, *options, command="save"):
    """Save it; the statistics."""
    guest.close()
    return json.loads(t.stasis(command, guest.name, image, "--json", *options).stdout)


def stored(t, image):
    return json.loads(t.stasis("image", "info", image, "--json").stdout)["memory"]["stored"]


def comes_back(t, guest, image, total, *options):
    guest.close()
    t.stasis("destroy", guest.name, check=False)
    t.stasis("restore", image, *options)
    guest.wait_for_agent()
    assert guest.agent("sum") == total, "the guest's memory has changed"


@harness.test("of a guest on a mapped image only what it has written to since is saved")
def of_mapped(t):
    need_mapping()
    guest = linux(t)
    base, image = t.dir / "base.stasis", t.dir / "a.stasis"
    save(t, guest, base)
    t.stasis("restore", base)
    guest.wait_for_agent()
    guest.agent("fill 4 9 mix")
    total = guest.agent("sum")
    stats = save(t, guest, image, "--incremental")
    assert stats["engine"].startswith("incremental, written from outside QEMU: what the guest has written to"), stats
    assert stats["pages_skipped"] > stats["pages_normal"] > stats["pages_zero"], stats
    assert stats["bytes_written"] == 4096 * stats["pages_normal"], stats
    assert stored(t, image) < stored(t, base) / 2, (stored(t, image), stored(t, base))
    assert image.stat().st_blocks < base.stat().st_blocks / 2
    told = json.loads(t.stasis("image", "info", image, "--json").stdout)
    assert told["parent"]["file"] == str(base) and told["parent"]["image"] == \
        json.loads(t.stasis("image", "info", base, "--json").stdout)["uuid"], told["parent"]
    assert "zero" in json.loads(t.stasis("image", "info", base, "--json").stdout)["memory"]
    memory = told["memory"]
    assert memory["in-parent"] == memory["total"] - memory["stored"] and "zero" not in memory, memory
    picture = [t.stasis("image", "map", which, "--svg", "-").stdout for which in (base, image)]
    assert ["in the parent" in one for one in picture] == [False, True]
    assert [">zero<" in one for one in picture] == [True, False]
    t.stasis("image", "verify", image)
    reader = os.path.join(os.path.dirname(__file__), "..", "verify", "verify_image.py")
    subprocess.run(["/usr/bin/python3", reader, image], check=True, stdout=subprocess.DEVNULL)
    comes_back(t, guest, image, total)
    assert t.status(guest)["memory-image"]["path"] == str(base)
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("of any guest what differs from a base is saved, generation on generation, and made whole again")
def generations(t):
    need_mapping()
    guest = linux(t)
    images = [t.dir / f"{number}.stasis" for number in range(4)]
    totals = []
    for number, image in enumerate(images):
        totals.append(guest.agent(f"fill {8 + number} {number} mix") and guest.agent("sum"))
        options = ["--base", images[number - 1]] if number else []
        stats = save(t, guest, image, *options, command="checkpoint")
        if number:
            assert stats["engine"].startswith("incremental, written from outside QEMU while the guest runs"), stats
            assert stored(t, image) < stored(t, images[0]) / 2
        t.stasis("image", "verify", image)
    t.stasis("destroy", guest.name)
    for image, total in zip(images, totals):
        comes_back(t, guest, image, total)
    guest.close()
    t.stasis("destroy", guest.name)
    whole = t.dir / "whole.stasis"
    t.stasis("image", "flatten", images[3], whole)
    t.stasis("image", "verify", whole)
    reader = os.path.join(os.path.dirname(__file__), "..", "verify", "verify_image.py")
    subprocess.run(["/usr/bin/python3", reader, whole], check=True, stdout=subprocess.DEVNULL)
    for image in images:
        image.unlink()
    for load in ("auto", "parallel"):
        comes_back(t, guest, whole, totals[3], "--load", load)


@harness.test("a page that became zero is zero, and not the base's")
def zeroed(t):
    need_mapping()
    guest = linux(t)
    base, image = t.dir / "base.stasis", t.dir / "a.stasis"
    guest.agent("sh dd if=/dev/urandom of=/x bs=1M count=8")
    save(t, guest, base)
    t.stasis("restore", base)
    guest.wait_for_agent()
    guest.agent("sh dd if=/dev/zero of=/x bs=1M count=8 conv=notrunc")
    for options in (["--incremental"], ["--base", base]):
        save(t, guest, image, *options)
        t.stasis("restore", image)
        guest.wait_for_agent()
        assert guest.agent("sh tr -d '\\000' </x | wc -c").strip() == "0", "old pages came back"


@harness.test("a base that is missing, changed, damaged or another one is named, and nothing runs")
def bad_base(t):
    need_mapping()
    guest = linux(t)
    base, image = t.dir / "base.stasis", t.dir / "a.stasis"
    save(t, guest, base)
    t.stasis("restore", base)
    guest.wait_for_agent()
    total = guest.agent("fill 4 9 mix") and guest.agent("sum")
    save(t, guest, image, "--incremental")
    kept = t.dir / "kept"
    shutil.copy(base, kept)

    def refused(word, *commands):
        for command in commands or (["restore", image], ["image", "verify", image],
                                    ["image", "flatten", image, t.dir / "x"]):
            result = t.stasis(*command, check=False)
            assert result.returncode == 1 and word in result.stderr, (command, result.stderr)
        assert t.stasis("list", "--name").stdout.strip() == "" and not (t.dir / "x").exists()
    base.unlink()
    refused("base.stasis")
    shutil.copy(image, base)
    refused("base.stasis")
    shutil.copy(kept, base)
    with open(base, "r+b") as file:
        file.seek(-100000, os.SEEK_END)
        octet = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([octet[0] ^ 1]))
    refused("base.stasis")
    shutil.copy(kept, base)
    refused("is incremental", ["image", "convert", image, t.dir / "y", "-O", "libvirt"],
            ["restore", image, "--load", "parallel"])
    # Moved together they are found, and an edited base is the same one.
    folder = t.dir / "moved"
    folder.mkdir()
    shutil.copy(kept, folder / "base.stasis")
    base.unlink()
    shutil.move(image, folder / "a.stasis")
    comes_back(t, guest, folder / "a.stasis", total)


@harness.test("a full disk: the guest goes on, nothing is left, and the next one is right")
def full_disk(t):
    need_mapping()
    guest = linux(t)
    base, image, small = t.dir / "base.stasis", t.dir / "a.stasis", t.dir / "small.img"
    save(t, guest, base)
    t.stasis("restore", base)
    guest.wait_for_agent()
    total = guest.agent("fill 32 9 random") and guest.agent("sum")
    guest.close()
    with open(small, "wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", small], check=True)
    # Past the page cache, and through it.
    for mount in (["-o", "loop", small], ["-t", "tmpfs", "-o", "size=8m", "tmpfs"]):
        with harness.mounted(*mount, at=t.dir / "small") as folder:
            for command in (["checkpoint", "--incremental"], ["save", "--incremental"], ["save", "--base", base]):
                result = t.stasis(*command, "--domain", guest.name, "--file", folder / "x.stasis", check=False)
                assert result.returncode == 1 and "No space left" in result.stderr, result.stderr
                assert [path for path in folder.iterdir() if path.name != "lost+found"] == []
                assert t.domstate(guest) == "running"
                guest.wait_for_tick(guest.last_tick() + 2)
    save(t, guest, image, "--incremental")
    comes_back(t, guest, image, total)


@harness.test("a base of somebody else, or that others may write to, needs --trust, and is named")
def whose(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can give a file away")
    need_mapping()
    guest = linux(t)
    images = [t.dir / f"{number}.stasis" for number in range(3)]
    for number, image in enumerate(images):
        save(t, guest, image, *(["--base", images[number - 1]] if number else []), command="checkpoint")
    total = guest.agent("sum")
    guest.close()
    t.stasis("destroy", guest.name)
    for base in images[:2]:
        os.chown(base, 12345, 12345)
        for options in ([], ["--clone", "c"]):
            result = t.stasis("restore", images[2], *options, check=False)
            assert result.returncode == 1 and f"'{base}' belongs to user 12345" in result.stderr \
                and "--trust" in result.stderr, result.stderr
        # What is made of it is no more to be trusted than it was.
        whole = t.dir / "whole.stasis"
        t.stasis("image", "flatten", images[2], whole)
        assert whole.stat().st_uid == 12345
        result = t.stasis("restore", whole, check=False)
        assert result.returncode == 1 and f"'{whole}' belongs to user 12345" in result.stderr, result.stderr
        os.chown(base, 0, 0)
        base.chmod(0o622)
        result = t.stasis("restore", images[2], check=False)
        assert result.returncode == 1 and f"may write to '{base}' (mode 0622)" in result.stderr, result.stderr
        base.chmod(0o600)
    assert t.stasis("list", "--name").stdout.strip() == ""
    os.chown(images[1], 12345, 12345)
    comes_back(t, guest, images[2], total, "--trust")
    guest.close()
    t.stasis("destroy", guest.name)
    # What is mapped is root's in any case; there is a way round that.
    os.chown(images[0], 12345, 12345)
    result = t.stasis("restore", images[2], "--trust", check=False)
    assert result.returncode == 1 and "image flatten" in result.stderr, result.stderr
    comes_back(t, guest, whole, total, "--trust")


@harness.test("what cannot be saved incrementally is refused, and the guest goes on")
def refusals(t):
    need_mapping()
    guest = linux(t)
    base, image = t.dir / "base.stasis", t.dir / "a.stasis"
    result = t.stasis("save", guest.name, image, "--incremental", check=False)
    assert result.returncode == 1 and "--base" in result.stderr, result.stderr
    result = t.stasis("save", guest.name, image, "--incremental", "--format", "libvirt", check=False)
    assert result.returncode == 1 and "of our own kind" in result.stderr, result.stderr
    save(t, guest, base, command="checkpoint")
    result = t.stasis("save", guest.name, base, "--base", base, check=False)
    assert result.returncode == 1 and "stand on" in result.stderr, result.stderr
    other = t.boot_sector_guest()
    t.stasis("create", other.xml_file())
    other.wait_for_tick(1)
    result = t.stasis("checkpoint", other.name, image, "--base", base, check=False)
    assert result.returncode == 1 and "another domain" in result.stderr, result.stderr
    for step in ("save-passed", "save-paused", "save-copied", "save-written", "save-linked"):
        for how in ("fail", "kill"):
            result = t.stasis("save", guest.name, image, "--base", base, check=False, STASIS_FAULT=f"{step}={how}")
            assert result.returncode == (1 if how == "fail" else -signal.SIGKILL), (step, how, result.stderr)
            guest.wait_for_tick(guest.last_tick() + 2)
            t.wait_for_no_job(guest)
            assert not image.exists(), (step, how)
    assert guest.agent("ping") is not None


@harness.test("an emulator that maps nothing neither saves nor restores so", timeout=300)
def old_emulator(t):
    if can_map():
        raise harness.Skip("this emulator can")
    guest = linux(t)
    base = t.dir / "base.stasis"
    save(t, guest, base, command="checkpoint")
    result = t.stasis("save", guest.name, t.dir / "a.stasis", "--base", base, check=False)
    assert result.returncode == 1 and "place" in result.stderr, result.stderr


harness.main()
