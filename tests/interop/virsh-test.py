#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An unmodified virsh drives stasisd."""

import contextlib
import os
import re
import signal
import subprocess
import time

from served import daemon, harness


def fields(text):
    """What dominfo and the like print: {label: value}."""
    return {label.strip(): value.strip() for label, _, value in (line.partition(":") for line in text.splitlines())}


@harness.test("define, start, look at, pause, end and undefine a domain")
def life(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        assert served.says("list", "--all").splitlines()[2:] == []
        assert "defined from" in served.says("define", guest.xml_file())
        assert served.says("domstate", guest.name) == "shut off"
        assert "started" in served.says("start", guest.name)
        guest.wait_for_tick(2)
        assert served.says("domstate", guest.name, "--reason") == "running (booted)"
        info = fields(served.says("dominfo", guest.name))
        assert info["State"] == "running" and info["Persistent"] == "yes" and info["OS Type"] == "hvm", info
        assert info["Max memory"] == "65536 KiB" and info["CPU(s)"] == "1" and info["Managed save"] == "no", info
        assert served.says("domname", info["UUID"]) == guest.name == served.says("domname", info["Id"])
        assert served.says("domuuid", guest.name) == info["UUID"] and served.says("domid", guest.name) == info["Id"]
        assert re.search(rf"{info['Id']}\s+{guest.name}\s+running", served.says("list"))
        assert guest.name not in served.says("list", "--inactive")
        assert served.says("list", "--uuid") == info["UUID"] and served.says("list", "--name") == guest.name
        served.virsh("suspend", guest.name)
        assert served.says("domstate", guest.name, "--reason") == "paused (user)"
        assert guest.name in served.says("list", "--state-paused")
        assert guest.name not in served.says("list", "--state-running")
        served.virsh("resume", guest.name)
        guest.wait_for_tick(guest.last_tick() + 2)
        assert served.says("domstate", guest.name, "--reason") == "running (unpaused)"
        served.virsh("reset", guest.name)
        harness.wait_for(lambda: guest.boots() == 2, "the guest to boot anew")
        served.virsh("autostart", guest.name)
        assert fields(served.says("dominfo", guest.name))["Autostart"] == "enable"
        served.virsh("autostart", "--disable", guest.name)
        if "--once" in served.says("help", "autostart"):  # since 11.2
            served.virsh("autostart", "--once", guest.name)
            info = fields(served.says("dominfo", guest.name))
            assert info["Autostart"] == "disable" and info["Autostart Once"] == "enable", info
            served.virsh("autostart", "--once", "--disable", guest.name)
            assert fields(served.says("dominfo", guest.name))["Autostart Once"] == "disable"
        served.virsh("destroy", guest.name)
        assert served.says("domstate", guest.name, "--reason") == "shut off (destroyed)"
        served.virsh("undefine", guest.name)
        failed = served.virsh("domstate", guest.name, check=False)
        assert failed.returncode == 1 and "failed to get domain" in failed.stderr, failed.stderr


@harness.test("save and restore: the guest goes on where it was")
def save(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        served.virsh("create", guest.xml_file())
        guest.wait_for_tick(2)
        for image, *options in (("a",), ("b", "--running"), ("c", "--paused"), ("d", "--bypass-cache", "--verbose")):
            assert "saved to" in served.says("save", guest.name, t.dir / image, *options)
            last = guest.last_tick()
            assert served.virsh("domstate", guest.name, check=False).returncode == 1
            assert f"<name>{guest.name}</name>" in served.says("save-image-dumpxml", t.dir / image)
            assert "restored from" in served.says("restore", t.dir / image)
            if image == "c":
                assert served.says("domstate", guest.name, "--reason") == "paused (user)"
                served.virsh("resume", guest.name)
            guest.wait_for_tick(last + 2)
            ticks = guest.ticks()
            assert ticks == list(range(ticks[0], ticks[0] + len(ticks))) and guest.damaged_pages() == 0
        t.stasis("image", "verify", t.dir / "a")
        failed = served.virsh("save", guest.name, "/nowhere/image", check=False)
        assert failed.returncode == 1 and "/nowhere" in failed.stderr, failed.stderr
        guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a managed save is started from")
def managed(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        served.virsh("define", guest.xml_file())
        served.virsh("start", guest.name)
        guest.wait_for_tick(2)
        served.virsh("managedsave", guest.name)
        last = guest.last_tick()
        assert fields(served.says("dominfo", guest.name))["Managed save"] == "yes"
        assert guest.name in served.says("list", "--all", "--with-managed-save")
        assert f"<name>{guest.name}</name>" in served.says("managedsave-dumpxml", guest.name)
        served.virsh("start", guest.name)
        guest.wait_for_tick(last + 2)
        served.virsh("managedsave", guest.name)
        served.virsh("managedsave-remove", guest.name)
        guest.serial.unlink()
        served.virsh("start", guest.name)
        guest.wait_for_tick(1)
        assert guest.ticks()[0] == 1, "the guest boots anew"


@harness.test("a job of another process is seen and aborted")
def jobs(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        served.virsh("create", guest.xml_file())
        guest.wait_for_tick(2)
        assert fields(served.says("domjobinfo", guest.name))["Job type"] == "None"
        assert served.virsh("domjobabort", guest.name, check=False).returncode == 1
        process = t.start("save", guest.name, t.dir / "image", STASIS_FAULT="save-copied=stop")
        harness.wait_for(lambda: harness.is_stopped(process.pid), "the save to come to its end")
        job = fields(served.says("domjobinfo", guest.name))
        assert job["Job type"] in ("Bounded", "Unbounded") and job["Operation"] == "Save", job
        assert served.says("domstate", guest.name, "--reason") == "paused (saving)"
        served.virsh("domjobabort", guest.name)
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(60) == 1, process.communicate()
        process.communicate()
        guest.wait_for_tick(guest.last_tick() + 2)
        job = fields(served.says("domjobinfo", guest.name, "--completed"))
        assert job["Operation"] == "Save", job
        served.virsh("save", guest.name, t.dir / "image", "--verbose")


@harness.test("who may only read changes nothing")
def read_only(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        served.virsh("create", guest.xml_file())
        assert guest.name in served.says("list", read_only=True)
        for command in (("destroy",), ("suspend",), ("save", t.dir / "image"), ("managedsave",)):
            failed = served.virsh(command[0], guest.name, *command[1:], check=False, read_only=True)
            assert failed.returncode == 1 and "read only" in failed.stderr, (command, failed.stderr)
        by_socket = subprocess.run(["virsh", "-c", f"qemu:///system?socket={served.socket}-ro", "destroy", guest.name],
                                   capture_output=True, text=True, check=False)
        assert by_socket.returncode == 1 and "read only" in by_socket.stderr, by_socket.stderr
        guest.wait_for_tick(guest.last_tick() + 2)
        secret = served.virsh("dumpxml", "--security-info", guest.name, check=False, read_only=True)
        assert secret.returncode == 1, secret.stdout


@contextlib.contextmanager
def starter(served, guest):
    """A virsh that has started the guest to end with it, and waits for the next command."""
    with subprocess.Popen(["virsh", "-c", served.uri()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as client:
        client.stdin.write(f"start {guest.name} --autodestroy\n")
        client.stdin.flush()
        while "started" not in (line := client.stdout.readline()):
            assert line, "virsh has ended"
        try:
            yield client
        finally:
            client.stdin.close()


@harness.test("a guest that ends with its client: however that goes, and no other one")
def autodestroy(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        served.virsh("create", "--autodestroy", guest.xml_file())
        harness.wait_for(lambda: not served.says("list", "--name"), "the guest to end with virsh")
        served.virsh("define", guest.xml_file())
        for number in (signal.SIGKILL, signal.SIGTERM):
            with starter(served, guest) as client:
                assert served.says("domstate", guest.name) == "running"
                client.send_signal(number)
            harness.wait_for(lambda: not served.says("list", "--name"), "the guest to end")
            assert served.says("domstate", guest.name, "--reason") == "shut off (destroyed)"
        with starter(served, guest):
            served.virsh("destroy", guest.name)
            served.virsh("start", guest.name)
        # Another run, which nobody meant.
        time.sleep(0.5)
        guest.wait_for_tick(guest.last_tick() + 2)
        served.virsh("destroy", guest.name)
        with starter(served, guest):
            served.stop()
            assert not t.stasis("list", "--name").stdout.strip()
            served.__init__(t)


@harness.test("a daemon that ends, or is killed, touches no guest; a second one is refused")
def ends(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        served.virsh("create", guest.xml_file())
        guest.wait_for_tick(2)
        second = subprocess.run([served.process.args[0], "--socket", t.dir / "other"], env=t.environment(),
                                capture_output=True, text=True, check=False, timeout=60)
        assert second.returncode == 1 and f"process {served.process.pid}" in second.stderr, second.stderr
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            served.stop(number)
            guest.wait_for_tick(guest.last_tick() + 2)
            served.__init__(t)
            assert served.says("domstate", guest.name) == "running"
        served.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: "read anew" in served.said(), "the configuration to be read")
        time.sleep(0.1)
        assert served.says("domstate", guest.name) == "running"


harness.main()
