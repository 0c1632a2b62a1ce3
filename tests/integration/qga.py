# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Linux guest with QEMU's real guest agent, and a real file system that can be frozen."""

import json
import subprocess

import harness

PORT = "org.qemu.guest_agent.0"
CHANNEL = f"""
    <channel type='unix'><target type='virtio' name='{PORT}'/></channel>"""
DISK_MIB = 16


class QgaGuest:
    """Wraps a LinuxGuest; `writer` counts what it has written to the disk's file system."""

    def __init__(self, t, name="linux", channel=True, start=True, define=False):
        addition = harness.GUEST_DIR / "initrd-qga"
        if not addition.exists():
            raise harness.Skip("no guest agent for the test guest (scripts/build-guest.sh)")
        self.t = t
        self.disk = t.dir / f"{name}.ext4"
        with open(self.disk, "wb") as file:
            file.truncate(DISK_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.disk], check=True, capture_output=True)
        self.guest = t.linux_guest(name, memory_mib=192, disks=[(self.disk, "raw", "virtio", False)])
        self.name = self.guest.name
        both = t.dir / f"{name}.initrd"
        both.write_bytes(self.guest.initrd.read_bytes() + addition.read_bytes())
        self.guest.initrd = both
        xml = self.guest.xml_file(CHANNEL if channel else "")
        t.stasis("define" if define else "create", xml)
        if define:
            t.stasis("start", name)
        self.guest.wait_for_agent(timeout=180)
        self.sh("/qga/qga-start /dev/vda" + ("" if start and channel else " no-agent"))
        if start and channel:
            harness.wait_for(lambda: self.call("domtime").returncode == 0, "the guest agent", timeout=60)

    def sh(self, script):
        return self.guest.agent(f"sh {script}")

    def call(self, command, *arguments, **options):
        """A command of stasis for this domain, which may fail."""
        return self.t.stasis(command, self.name, *arguments, check=False, **options)

    def say(self, command, *arguments):
        return self.t.stasis(command, self.name, *arguments).stdout.strip()

    # A writer in the guest: one line after the other, each of them a change of the file system.

    def start_writer(self):
        self.sh("(n=0; while :; do n=$((n+1)); echo $n >>/mnt/log; echo $n >/run/written; "
                "busybox usleep 20000; done) </dev/null >/dev/null 2>&1 &")
        self.wait_writing("a writer that was just started")

    def written(self):
        return int(self.sh("cat /run/written 2>/dev/null || echo 0") or 0)

    def wait_writing(self, what):
        """The writer must go on."""
        self.guest.wait_for_agent()
        before = self.written()
        harness.wait_for(lambda: self.written() > before + 3, f"the guest to write: {what}")

    def is_stuck(self, uptime_s=1.5):
        """Whether the writer stands still while the guest's own clock goes on."""
        self.guest.wait_for_agent()
        before = self.written()
        begin = self.uptime()
        harness.wait_for(lambda: self.uptime() > begin + uptime_s, "the guest's clock", timeout=60)
        # What it had begun when the freeze came may still have ended.
        return self.written() <= before + 1

    def uptime(self):
        return float(self.guest.agent("time").split()[1])

    def clock(self):
        return float(self.guest.agent("time").split()[0])

    def signal_qga(self, name):
        self.sh(f"busybox kill -{name} $(cat /run/qga.pid)")

    def noted(self):
        """What status.json says is frozen."""
        return self.t.status(self.guest).get("frozen")

    def socket(self):
        """The host's end of the agent's channel."""
        xml = self.t.stasis("dumpxml", self.name).stdout
        part = xml[:xml.index(f"name='{PORT}'")]
        return part[part.rindex("path='") + 6:].split("'")[0]

    def restored(self):
        """After a restore: the old connections are gone."""
        self.guest.close()
        self.guest.wait_for_agent()


def facts(t, image):
    return json.loads(t.stasis("image", "info", image, "--json").stdout)["qemu"]
