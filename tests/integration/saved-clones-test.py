#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a clone that was saved has written stays as long as its image may need it, and can be dropped."""

import json
import shutil
import subprocess

import harness
from clones import clone, folders, overlays
from mapped import goes_on, need_mapping, save


def saved_clones(t, *options):
    """{uuid: (name, image, file)} of the disks that are kept for saved clones."""
    told = json.loads(t.stasis("clones", "saved", "--json", *options).stdout)
    assert all(one["allocated"] > 0 for one in told), told
    return {one["uuid"]: (one["name"], one["image"], one["file"]) for one in told}


@harness.test("the disks of saved clones are listed, and dropped only where no image is known to need them")
def kept_disks(t):
    need_mapping()
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image, kept, moved = t.dir / "a.stasis", t.dir / "c.stasis", t.dir / "moved.stasis"
    save(t, guest, image)
    one, two = clone(t, guest, image, "c", 2)
    assert saved_clones(t) == {}
    last = save(t, one, kept)
    (folder,) = [path.parent for path in overlays(t) if path.name == "saved"]
    uuid = folder.name
    assert saved_clones(t) == {uuid: ("c-1", "there", str(kept))} and saved_clones(t, "--leftover") == {}
    result = t.stasis("clones", "drop", uuid, check=False)
    assert result.returncode == 1 and f"the image '{kept}' needs" in result.stderr, result.stderr

    # Edited it is another file, and still it.
    path = t.dir / "titled.xml"
    path.write_text(t.stasis("save-image-dumpxml", kept).stdout.replace("</name>", "</name><title>new</title>"))
    t.stasis("save-image-define", kept, path)
    assert saved_clones(t)[uuid][1] == "there"
    kept.rename(moved)
    assert saved_clones(t) == saved_clones(t, "--leftover") == {uuid: ("c-1", "missing", str(kept))}
    assert uuid in t.stasis("clones", "saved", "--leftover").stdout
    kept.write_bytes(b"something else")
    assert saved_clones(t)[uuid][1] == "replaced"
    subprocess.run(["cp", image, kept], check=True)
    assert saved_clones(t)[uuid][1] == "replaced"
    kept.unlink()

    # Nobody else removes them, and the image that was moved has them.
    three, = clone(t, guest, image, "d")
    assert folder.exists()
    t.stasis("restore", moved)
    goes_on(one, last)
    assert saved_clones(t) == {}
    result = t.stasis("clones", "drop", uuid, check=False)
    assert result.returncode == 1 and folder.exists(), result.stderr
    t.stasis("save", one.name, kept)
    kept.unlink()
    t.stasis("clones", "drop", uuid)
    assert not folder.exists() and saved_clones(t) == {}
    assert t.stasis("clones", "drop", uuid, check=False).returncode == 1
    assert t.stasis("clones", "drop", "../..", check=False).returncode == 1
    for each in (two, three):
        goes_on(each, each.last_tick())


@harness.test("disks of a saved clone that others rest on are not dropped")
def kept_disks_used(t):
    need_mapping()
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image, kept, upper = t.dir / "a.stasis", t.dir / "c.stasis", t.dir / "d.stasis"
    save(t, guest, image)
    one, = clone(t, guest, image)
    save(t, one, kept)
    (uuid,) = saved_clones(t)
    two, = clone(t, one, kept, "d")
    kept.unlink()

    def refused_drop(words):
        result = t.stasis("clones", "drop", uuid, "--force", check=False)
        assert result.returncode == 1 and words in result.stderr, result.stderr
        assert uuid in saved_clones(t)
    refused_drop("used by the running domain 'd'")
    last = save(t, two, upper)
    (other,) = set(saved_clones(t)) - {uuid}
    refused_drop(f"the disks of the saved clone {other} rest on those")
    t.stasis("restore", upper)
    goes_on(two, last)
    t.stasis("destroy", two.name)
    t.stasis("clones", "drop", uuid)
    assert folders(t) == []

    # Of an image in a pipe nobody knows where it is.
    one, = clone(t, guest, image, "e")
    with open(t.dir / "piped", "wb") as out:
        process = subprocess.Popen([harness.STASIS, "save", one.name, "-"], env=t.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        shutil.copyfileobj(process.stdout, out)
        assert process.wait(60) == 0
    ((uuid, seen),) = saved_clones(t, "--leftover").items()
    assert seen == ("e", "unknown", None), seen
    assert "not known" in t.stasis("clones", "drop", uuid, check=False).stderr
    t.stasis("clones", "drop", uuid, "--force")
    assert folders(t) == []


harness.main()
