# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two test guests: their domain XML, their ticks, their agent."""

import math
import pathlib
import re
import shutil
import socket
import struct
import time

TICK = re.compile(r"^E*tick (\d+)(?: ([\d.]+))?$", re.M)
PAGES_OFFSET = 504  # of the boot sector, see boot-sector.S


class AgentError(AssertionError):
    pass


class Guest:
    def __init__(self, folder, name, qemu, accel, machine="q35", memory_mib=64, disks=()):
        self.dir, self.name, self.qemu, self.accel = pathlib.Path(folder), name, qemu, accel
        self.machine, self.memory_mib = machine, memory_mib
        self.serial = self.dir / f"{name}.serial"
        self.agent_path = self.dir / f"{name}.agent"
        self.disks = list(disks)  # (path, format, bus, read-only)
        self._agent, self._line, self._tag = None, b"", 0

    # Domain XML.

    def os_xml(self):
        raise NotImplementedError

    def disk_xml(self, number, path, kind, bus, read_only):
        device = ("vd" if bus == "virtio" else "sd") + "abcdefgh"[number]
        return f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='{kind}'/>
      <source file='{path}'/>
      <target dev='{device}' bus='{bus}'/>{"<readonly/>" if read_only else ""}
    </disk>"""

    def xml(self, extra=""):
        """The domain XML; `extra` goes into <devices>."""
        disks = "".join(self.disk_xml(i, *disk) for i, disk in enumerate(self.disks))
        return f"""<domain type='{"kvm" if self.accel == "kvm" else "qemu"}'>
  <name>{self.name}</name>
  <memory unit='MiB'>{self.memory_mib}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='{self.machine}'>hvm</type>{self.os_xml()}
  </os>
  <features><acpi/><apic/></features>
  <devices>
    <emulator>{self.qemu}</emulator>{disks}
    <serial type='file'><source path='{self.serial}'/><target port='0'/></serial>
    <console type='file'><source path='{self.serial}'/><target type='serial' port='0'/></console>
    <channel type='unix'>
      <source mode='bind' path='{self.agent_path}'/>
      <target type='virtio' name='org.stasis.agent'/>
    </channel>
    <memballoon model='none'/>{extra}
  </devices>
</domain>
"""

    def xml_file(self, extra=""):
        path = self.dir / f"{self.name}.xml"
        path.write_text(self.xml(extra), encoding="utf-8")
        return path

    # Ticks.

    def serial_text(self):
        try:
            return self.serial.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def ticks(self):
        """All ticks printed so far, as numbers; a line being written is left out."""
        text = self.serial_text().replace("\r", "")
        return [int(match[1]) for match in TICK.finditer(text[:text.rfind("\n") + 1])]

    def last_tick(self):
        return (self.ticks() or [0])[-1]

    def boots(self):
        """How often it has begun anew: it counts from 1 each time."""
        ticks = self.ticks()
        return sum(now <= before for before, now in zip([math.inf, *ticks], ticks))

    def wait_for_tick(self, number, timeout=60):
        """Wait until the last tick is at least this one."""
        deadline = time.monotonic() + timeout
        while self.last_tick() < number:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: tick {self.last_tick()} after {timeout} s, not {number}")
            time.sleep(0.02)
        return self.last_tick()

    # The agent.

    def agent(self, command, timeout=60):
        """Send a command to the agent and return its answer; AgentError if it says error."""
        deadline = time.monotonic() + timeout
        self._tag += 1
        tag = f"@{time.monotonic_ns()}.{self._tag}"
        self._connect(deadline)
        self._agent.sendall(f"{tag} {command}\n".encode())
        while True:
            words = self._read_line(deadline, command).split(" ", 2)
            if words[0] == tag:
                break
        if words[1:2] != ["ok"]:
            raise AgentError(f"{self.name}: {command}: {' '.join(words[1:])}")
        return " ".join(words[2:])

    def wait_for_agent(self, timeout=60):
        """Wait until the agent answers; also connects anew after a restore."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.agent("ping", timeout=2)
            except (OSError, AssertionError):
                self.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def close(self):
        if self._agent is not None:
            self._agent.close()
        self._agent, self._line = None, b""

    def _connect(self, deadline):
        if self._agent is None:
            self._agent = socket.socket(socket.AF_UNIX)
            self._agent.settimeout(max(0.1, deadline - time.monotonic()))
            self._agent.connect(str(self.agent_path))

    def _read_line(self, deadline, command):
        while b"\n" not in self._line:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{self.name}: no answer to '{command}'")
            self._agent.settimeout(left)
            try:
                data = self._agent.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise ConnectionError(f"{self.name}: the agent's channel was closed")
            self._line += data
        line, self._line = self._line.split(b"\n", 1)
        return line.decode(errors="replace")


class LinuxGuest(Guest):
    """Boots in some seconds; the agent does what tests/guest/agent.c says.

    `packed`: the kernel decompresses itself, which takes longer, and is what UEFI can start.
    """

    def __init__(self, folder, name, qemu, accel, guest_dir, memory_mib=256, append="", packed=False, **options):
        super().__init__(folder, name, qemu, accel, memory_mib=memory_mib, **options)
        self.kernel, self.initrd = guest_dir / ("vmlinuz" if packed else "vmlinux"), guest_dir / "initrd"
        self.cmdline = f"{(guest_dir / 'cmdline').read_text().strip()} {append}".strip()

    def os_xml(self):
        return f"""
    <kernel>{self.kernel}</kernel>
    <initrd>{self.initrd}</initrd>
    <cmdline>{self.cmdline}</cmdline>"""


class ButtonGuest(Guest):
    """Prints a tick when it has booted, and powers off, or sleeps (S3), when its button is pressed."""

    def __init__(self, folder, name, qemu, accel, sleeps=False, **options):
        super().__init__(folder, name, qemu, accel, **options)
        self.disk = self.dir / f"{name}.img"
        self.disk.write_bytes(self.boot_sector(0x2400 if sleeps else 0x2000).ljust(1 << 20, b"\0"))
        self.disks.insert(0, (self.disk, "raw", "virtio", True))

    @staticmethod
    def boot_sector(control):
        """16 bits, in a row; the power management registers lie where SeaBIOS puts those of q35."""
        def out(port, value, size):
            head = b"\xba" + struct.pack("<H", port)  # mov dx, port
            return head + (b"\xb0" + bytes([value]) + b"\xee" if size == 1  # mov al, value; out dx, al
                           else b"\xb8" + struct.pack("<H", value) + b"\xef")
        code = b"\xfa" + out(0x602, 0x0100, 2)  # tell of the button
        code += b"".join(out(0x3f8, letter, 1) for letter in b"tick 1\n")
        code += b"\xba\x00\x06\xed\xf6\xc4\x01\x74\xf7"  # mov dx, 0x600; again: in ax, dx; test ah, 1; jz
        code += out(0x600, 0x0100, 2) + out(0x604, control, 2) + b"\xf4\xeb\xfd"  # power off or sleep; hlt
        return code.ljust(510, b"\0") + b"\x55\xaa"

    def os_xml(self):
        return "\n    <boot dev='hd'/>"


class BootSectorGuest(Guest):
    """Boots at once; dirties `pages` pages each tick and prints an E for each damaged one."""

    def __init__(self, folder, name, qemu, accel, guest_dir, pages=1024, read_only=True, bus="virtio",
                 **options):
        super().__init__(folder, name, qemu, accel, **options)
        self.disk = self.dir / f"{name}.img"
        shutil.copy(guest_dir / "boot-sector.img", self.disk)
        with open(self.disk, "r+b") as file:
            file.seek(PAGES_OFFSET)
            file.write(struct.pack("<I", pages))
        self.disks.insert(0, (self.disk, "raw", bus, read_only))

    def os_xml(self):
        return "\n    <boot dev='hd'/>"

    def damaged_pages(self):
        """How often the guest found a page that was not as it had left it."""
        return sum(line.count("E") for line in self.serial_text().splitlines() if "tick" in line)
