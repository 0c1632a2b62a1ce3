# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU without Stasis: to test the test guests, and the floor of the benchmarks."""

import json
import socket
import subprocess
import time


class QmpError(Exception):
    pass


class BareQemu:
    """One QEMU with a QMP connection over an inherited socket."""

    def __init__(self, qemu, *arguments, accel="tcg", machine="q35", memory_mib=256, pass_fds=()):
        ours, theirs = socket.socketpair()
        self.events = []
        self.process = subprocess.Popen(
            [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-machine",
             f"{machine},accel={accel}", "-m", str(memory_mib),
             "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control",
             *map(str, arguments)],
            stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(), *pass_fds))
        theirs.close()
        self.socket, self.buffer = ours, b""
        self._receive(60)  # the greeting
        self.command("qmp_capabilities")

    @staticmethod
    def guest_arguments(guest):
        """What a Guest of guest.py needs: disks, serial, agent, kernel."""
        arguments = ["-serial", f"file:{guest.serial}", "-device", "virtio-serial-pci",
                     "-chardev", f"socket,id=agent,path={guest.agent_path},server=on,wait=off",
                     "-device", "virtserialport,chardev=agent,name=org.stasis.agent"]
        for number, (path, kind, _bus, read_only) in enumerate(guest.disks):
            flag = "on" if read_only else "off"
            arguments += ["-blockdev", f"driver={kind},node-name=d{number},read-only={flag},"
                          f"file.driver=file,file.filename={path}",
                          "-device", f"virtio-blk-pci,drive=d{number}"]
        if hasattr(guest, "kernel"):
            arguments += ["-kernel", guest.kernel, "-initrd", guest.initrd, "-append", guest.cmdline]
        return arguments

    def _receive(self, timeout):
        self.socket.settimeout(timeout)
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise QmpError(f"QEMU has ended: {self.process.wait()}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def command(self, name, fds=(), timeout=60, **arguments):
        """Run a command and return its answer; fds travel with it."""
        text = json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n"
        if fds:
            socket.send_fds(self.socket, [text], list(fds))
        else:
            self.socket.sendall(text)
        while True:
            answer = self._receive(timeout)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def wait_for_migration(self, timeout=120, poll=0.005):
        """Wait until a migration has ended; QmpError if it failed."""
        deadline = time.monotonic() + timeout
        while (state := self.command("query-migrate")).get("status") != "completed":
            if state.get("status") in ("failed", "cancelled") or time.monotonic() > deadline:
                raise QmpError(f"migration: {state.get('status')}: {state.get('error-desc')}")
            time.sleep(poll)
        return state

    def wait_for_event(self, name, timeout=60):
        while not any(event["event"] == name for event in self.events):
            answer = self._receive(timeout)
            if "event" in answer:
                self.events.append(answer)

    def end(self):
        """End it, if it has not ended by itself."""
        try:
            self.command("quit", timeout=10)
        except (OSError, QmpError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
