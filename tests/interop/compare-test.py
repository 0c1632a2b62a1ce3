#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same commands of virsh to stasisd and to a libvirtd, with the same domain: they should not differ.

`{image}` is a file of the side that the command goes to.  What differs from one run to the next is left out
of the comparison: ids, times, what time has been spent.
"""

import os
import re
import shlex
import subprocess
import sys

from served import daemon, harness

sys.path.insert(0, str(harness.ROOT / "bench"))
import virsh_peer  # pylint: disable=wrong-import-position

UUID = "5a5a0000-1111-4222-8333-444455556677"

# What has to be equal, and what has to be well on both sides only.
SAME, WELL = "same", "well"

# In this order; N stands for the domain's name.  Each command exits with 0, with what stands behind it, or (None) with
# what it exits with for libvirtd: versions of virsh differ.
COMMANDS = [
    (WELL, "uri"), (SAME, "hostname"), (SAME, "list --all"), (SAME, "nodeinfo"),
    (SAME, "nodecpumap"), (WELL, "nodecpustats"), (WELL, "nodecpustats --cpu 0"), (SAME, "nodecpustats --cpu 4000", 1),
    (WELL, "nodememstats"), (WELL, "freecell"), (SAME, "sysinfo", None), (WELL, "domcapabilities"),
    (WELL, "domcapabilities --virttype qemu --machine q35"), (SAME, "domcapabilities --arch sparc", 1), (WELL, "version"),
    (WELL, "version --daemon"), (WELL, "capabilities"), (SAME, "maxvcpus --type qemu"), (SAME, "domstate N", 1),
    (SAME, "define {xml}"), (SAME, "list --all"), (SAME, "list --inactive"), (SAME, "list --all --persistent"),
    (SAME, "list --all --transient"), (SAME, "list --all --no-autostart"), (SAME, "list --all --autostart"),
    (SAME, "list --all --uuid"), (SAME, "list --all --name"), (SAME, "list --all --state-shutoff"),
    (SAME, "list --all --without-managed-save"), (SAME, "list --all --with-managed-save"),
    (SAME, "list --all --managed-save"), (SAME, "list --all --title"), (SAME, "list --all --without-snapshot"),
    (SAME, "domstate N"), (SAME, "domid N"), (SAME, "domuuid N"), (SAME, "domname " + UUID), (SAME, "dominfo N"),
    (SAME, "desc N"), (SAME, "desc N --title"), (WELL, "dumpxml N"), (WELL, "dumpxml N --inactive"),
    (WELL, "dumpxml N --migratable"), (WELL, "dumpxml N --security-info"), (SAME, "domblklist N"),
    (SAME, "domblklist N --details"), (SAME, "domblkinfo N vda"), (SAME, "domblkstat N vda", 1), (SAME, "dommemstat N", 1),
    (SAME, "domcontrol N", 1), (SAME, "vcpuinfo N"), (SAME, "emulatorpin N"),
    (SAME, "emulatorpin N --config"), (SAME, "emulatorpin N --live", 1), (SAME, "domfsinfo N", 1), (SAME, "desc N 'a definition of mine'"), (SAME, "desc N"),
    (SAME, "metadata N --uri urn:one --key k --set '<a/>'"), (SAME, "metadata N --uri urn:one"),
    (SAME, "metadata N --uri urn:one --remove"), (SAME, "metadata N --uri urn:one", None), (SAME, "desc N --title"),
    (SAME, "domrename N other"), (SAME, "dominfo N", 1), (SAME, "domstate other --reason"), (SAME, "list --all"),
    (SAME, "domrename other other", 1), (SAME, "domrename other N"), (SAME, "domrename nobody N", 1), (SAME, "domiflist N"), (SAME, "vcpucount N --maximum --config", None),
    (SAME, "autostart N"), (SAME, "list --all --autostart"), (SAME, "autostart N --disable"),
    (SAME, "suspend N", 1), (SAME, "resume N", 1), (SAME, "destroy N", 1), (SAME, "domjobinfo N", None),
    (SAME, "managedsave-remove N"), (SAME, "snapshot-list N"), (SAME, "start N"), (SAME, "start N", 1),
    (SAME, "domstate N"), (SAME, "domstate N --reason"), (SAME, "list"), (SAME, "list --state-running"),
    (SAME, "list --state-paused"), (SAME, "list --state-other"), (SAME, "dominfo N"), (SAME, "domjobinfo N"),
    (SAME, "domcontrol N"), (SAME, "domblklist N"), (SAME, "domblkinfo N vda"), (SAME, "domblkinfo N vdb"),
    (SAME, "domblkinfo N --all"), (SAME, "domblkstat N vda"), (SAME, "domblkstat N"), (SAME, "domifstat N vnet7", 1),
    (WELL, "dommemstat N"), (SAME, "vcpuinfo N"), (SAME, "emulatorpin N"),
    (SAME, "emulatorpin N --live"), (SAME, "domfsinfo N", 1), (SAME, "desc N --live 'a live one'"),
    (SAME, "desc N"), (SAME, "desc N --config"), (SAME, "desc N --config --title 'a title'"), (SAME, "list --title"),
    (SAME, "metadata N --uri urn:one", None), (SAME, "metadata N --uri urn:one --key k --set '<a><b>c</b></a>'"),
    (SAME, "metadata N --uri urn:one"), (SAME, "metadata N --uri urn:one --config", None),
    (SAME, "metadata N --uri urn:two --key l --set '<l:d/>' --config", None),
    (SAME, "metadata N --uri urn:one --remove --live"), (SAME, "metadata N --uri urn:one", None),
    (SAME, "domrename N other", 1), (SAME, "send-key N KEY_A KEY_B"), (SAME, "send-key N --codeset xt 30 --holdtime 9"),
    (SAME, "send-key N --codeset linux KEY_NOTHING", 1), (SAME, "inject-nmi N"), (SAME, "domhostname N", 1),
    (SAME, "domtime N", 1), (SAME, "domfsfreeze N", 1), (SAME, 'qemu-agent-command N \'{"execute":"guest-ping"}\'', 1), (SAME, "suspend N"), (SAME, "domstate N --reason"),
    (SAME, "resume N"), (SAME, "domstate N --reason"), (SAME, "reset N"), (SAME, "domjobabort N", 1),
    (SAME, "domstats N --state"), (WELL, "domstats N --vcpu"), (WELL, "domstats N --block"), (SAME, "domstats N --interface"), (WELL, "domstats"), (SAME, "undefine N"), (SAME, "dominfo N"),
    (SAME, "managedsave N", 1), (SAME, "define {xml}"), (SAME, "save N {image}"), (SAME, "domstate N --reason"),
    (WELL, "save-image-dumpxml {image}"), (SAME, "restore {image}"), (SAME, "domstate N --reason"),
    (SAME, "save N {image} --paused"), (SAME, "restore {image}"), (SAME, "domstate N"), (WELL, "domstate N --reason"),
    (SAME, "resume N"), (SAME, "save N {image} --running"), (SAME, "save-image-define {image} {dumped}"),
    (SAME, "restore {image}"), (SAME, "managedsave N"), (SAME, "dominfo N"), (SAME, "list --all --managed-save"),
    (SAME, "list --all --with-managed-save"), (WELL, "managedsave-dumpxml N"), (SAME, "start N"),
    (SAME, "domstate N --reason"), (SAME, "managedsave N --verbose"), (SAME, "managedsave-remove N"),
    (SAME, "start N --paused"), (SAME, "domstate N --reason"), (SAME, "resume N"), (SAME, "destroy N"),
    (SAME, "domstate N --reason"), (SAME, "undefine N --managed-save"), (SAME, "create {xml}"),
    (SAME, "list --transient"), (SAME, "qemu-monitor-command N --hmp info status", None), (SAME, "shutdown N"),
    (SAME, "destroy N --graceful"), (SAME, "list --all"), (SAME, "destroy N", 1), (SAME, "dumpxml N", 1),
    (SAME, "restore /nonexistent/image", None), (SAME, "define /dev/null", None),
]


class Side:
    def __init__(self, t, label, uri, xml):
        self.t, self.label, self.uri = t, label, uri
        self.words = {"{xml}": str(xml), "{image}": str(t.dir / f"{label}.image"),
                      "{dumped}": str(t.dir / f"{label}.dumped.xml")}

    def run(self, command):
        words = shlex.split(command)
        arguments = [self.words.get(word, "alike" if word == "N" else word) for word in words]
        result = subprocess.run(["virsh", "-c", self.uri, *arguments], stdin=subprocess.DEVNULL, text=True,
                                capture_output=True, env=dict(os.environ, LC_ALL="C.UTF-8"), timeout=120, check=False)
        if command.startswith("save-image-dumpxml"):
            with open(self.words["{dumped}"], "w", encoding="utf-8") as file:
                file.write(result.stdout)
        return result

    def plain(self, text):
        """Without what may differ."""
        for word, path in self.words.items():
            text = text.replace(path, word)
        text = re.sub(r"(CPU time:\s+|CPU frequency:\s+)[\d.]+.*", r"\1?", text)
        text = re.sub(r"(?m)^(CPU:\s+|CPU time:\s+)\S+$", r"\1?", text)
        text = re.sub(r"(?m)^(vda|) ?(\w+(?:_\w+)*) \d+ *$", r"\1 \2 ?", text)
        text = re.sub(r"(?m)^(Id:\s+)\d+$", r"\1?", text)
        text = re.sub(r"(?m)^ \d+(\s+alike)", r" ?\1", text)
        text = re.sub(r"(?m)^Security (model|DOI|label):.*\n", "", text)
        return re.sub(r"(?m)^(Messages|Autostart Once):.*\n", "", text).strip()


@harness.test("a hundred commands of virsh: the same answers as libvirtd gives", timeout=900)
def alike(t):
    reason = virsh_peer.why_not()
    if reason:
        raise harness.Skip(reason)
    disk = t.dir / "disk.raw"
    disk.write_bytes(bytes(3 * 1024 * 1024))
    guest = t.boot_sector_guest("alike", disks=[(disk, "raw", "virtio", True)])
    text = guest.xml().replace("<name>alike</name>", f"<name>alike</name><uuid>{UUID}</uuid>")
    xml = t.dir / "alike.xml"
    xml.write_text(text)
    peer = virsh_peer.VirshPeer(t.dir)
    differ = []
    try:
        with daemon(t) as served:
            ours = Side(t, "ours", served.uri(), xml)
            theirs = Side(t, "theirs", f"qemu:///system?socket={peer.socket}", xml)
            for kind, command, *status in COMMANDS:
                results = [side.run(command) for side in (theirs, ours)]
                wanted = results[0].returncode if status == [None] else status[0] if status else 0
                for side, result in zip((theirs, ours), results):
                    if result.returncode != wanted:
                        differ.append(f"{command}: exit {result.returncode} of {side.label}: {result.stderr.strip()}")
                plain = [side.plain(result.stdout) for side, result in zip((theirs, ours), results)]
                if kind == SAME and plain[0] != plain[1]:
                    differ.append(f"{command}:\n  libvirtd: {plain[0]!r}\n  stasisd:  {plain[1]!r}")
    finally:
        guest.close()
        peer.end()
    assert not differ, f"{len(differ)} of {len(COMMANDS)} differ:\n" + "\n".join(differ)


harness.main()
