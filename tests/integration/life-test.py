#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of a domain: defined, started, paused, shut down, gone."""

import json
import os
import pty
import re
import signal
import socket
import subprocess

import harness


@harness.test("define, start, suspend, resume, destroy, undefine")
def life(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    assert t.domstate(guest) == "shut off"
    uuid = t.stasis("domuuid", guest.name).stdout.strip()
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    assert t.domstate(guest, "--reason") == "running (booted)"
    number = t.stasis("domid", guest.name).stdout.strip()
    assert t.stasis("domname", number).stdout.strip() == guest.name
    assert t.stasis("domname", uuid).stdout.strip() == guest.name
    t.stasis("suspend", guest.name)
    assert t.domstate(guest, "--reason") == "paused (user)"
    last = guest.last_tick()
    t.stasis("suspend", guest.name)  # it is paused already: that is what was asked for
    t.stasis("resume", guest.name)
    guest.wait_for_tick(last + 2)
    again = t.stasis("resume", guest.name, check=False)
    assert again.returncode == 1 and f"domain '{guest.name}' is already running" in again.stderr, again
    assert t.domstate(guest) == "running"
    assert t.stasis("start", guest.name, check=False).returncode == 1
    t.stasis("destroy", guest.name)
    assert t.domstate(guest, "--reason") == "shut off (destroyed)"
    t.stasis("undefine", guest.name)
    assert t.stasis("domstate", guest.name, check=False).returncode == 1


@harness.test("list, as text and as JSON", once=True)
def listed(t):
    guest = t.boot_sector_guest()
    other = t.boot_sector_guest(name="other")
    t.stasis("define", guest.xml_file())
    t.stasis("create", other.xml_file())
    assert "other" in t.stasis("list").stdout and "sector" not in t.stasis("list").stdout
    assert t.stasis("list", "--inactive", "--name").stdout.split() == ["sector"]
    assert sorted(t.stasis("list", "--all", "--name").stdout.split()) == ["other", "sector"]
    assert t.stasis("list", "--transient", "--name").stdout.split() == ["other"]
    entries = json.loads(t.stasis("list", "--all", "--json").stdout)
    assert {entry["name"] for entry in entries} == {"other", "sector"}, entries


@harness.test("a Linux guest shuts down and reboots by its power button", timeout=400)
def power_button(t):
    guest = t.linux_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_agent(timeout=120)
    guest.close()
    t.stasis("reboot", guest.name)
    harness.wait_for(lambda: guest.boots() == 2, "a second boot", 120)
    assert t.domstate(guest) == "running"
    guest.wait_for_agent(timeout=120)
    guest.close()
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: t.domstate(guest) == "shut off", "the shutdown", 60)
    assert t.domstate(guest, "--reason") == "shut off (shutdown)"


def policy(t, guest, **actions):
    xml = guest.xml()
    for name, action in actions.items():
        xml = xml.replace("<devices>", f"<{name}>{action}</{name}>\n  <devices>", 1)
    path = t.dir / "policy.xml"
    path.write_text(xml)
    return path


@harness.test("on_poweroff preserve and restart", timeout=400)
def on_poweroff(t):
    guest = t.linux_guest()
    t.stasis("create", policy(t, guest, on_poweroff="restart"))
    guest.wait_for_agent(timeout=120)
    guest.close()
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: guest.boots() == 2, "a second boot", 120)
    t.stasis("destroy", guest.name)
    guest = t.linux_guest(name="kept")
    t.stasis("create", policy(t, guest, on_poweroff="preserve"))
    guest.wait_for_agent(timeout=120)
    guest.close()
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: t.domstate(guest) == "in shutdown", "the shutdown", 60)


@harness.test("the socket of a channel goes with its domain, and no other does", once=True)
def channel_sockets(t):
    path = t.dir / "channel.sock"
    channel = (f"<channel type='unix'><source mode='bind' path='{path}'/>"
               "<target type='virtio' name='org.stasis.test'/></channel>")
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file(channel))
    image = t.dir / "image"
    for way in (["destroy", guest.name], ["save", guest.name, image]):
        t.stasis("start", guest.name)
        assert path.is_socket()
        t.stasis(*way)
        assert not path.exists(), way
    t.stasis("restore", image)
    assert path.is_socket()

    # Somebody else's by now.
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        t.stasis("destroy", guest.name)
        assert path.is_socket()
    t.stasis("start", guest.name)
    path.unlink()
    path.write_text("a file")
    os.kill(json.loads(t.stasis("dominfo", guest.name, "--json").stdout)["qemu_pid"], signal.SIGKILL)
    harness.wait_for(lambda: t.domstate(guest) == "shut off", "the end of QEMU")
    assert path.read_text() == "a file"
    path.unlink()

    # A start that fails leaves none either.
    t.stasis("start", guest.name, check=False, STASIS_FAULT="start-started=fail")
    assert not path.exists()


def files_of(t, name):
    """What lies about of this name, but its log and its lock."""
    return sorted(str(path.relative_to(t.state)) for path in t.state.rglob(f"{name}.*")
                  if path.parent.name not in ("locks", "qemu"))


@harness.test("undefine removes what belongs to the name alone", once=True)
def undefined(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    t.stasis("autostart", guest.name)
    t.stasis("autostart", guest.name, "--once")
    t.stasis("managedsave", guest.name)
    assert {name.split("/")[1] for name in files_of(t, guest.name)} == {
        "domains", "autostart", "autostart-once", "save", "last", "last-job"}, files_of(t, guest.name)
    t.stasis("undefine", guest.name, "--managed-save")
    assert files_of(t, guest.name) == [], files_of(t, guest.name)

    # One that runs on without a definition has nothing left when it ends.
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    t.stasis("save", guest.name, t.dir / "image")
    t.stasis("restore", t.dir / "image")
    t.stasis("undefine", guest.name)
    t.stasis("destroy", guest.name)
    assert files_of(t, guest.name) == [], files_of(t, guest.name)


@harness.test("QEMU that dies by itself: crashed, and everything cleared away")
def crashed(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)
    pid = json.loads((t.state / "run" / "domains" / guest.name / "status.json").read_text())["qemu"]["pid"]
    os.kill(pid, signal.SIGKILL)
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "shut off (crashed)", "the end to be noticed")
    harness.wait_for(lambda: not t.processes(), "the supervisor to end")


@harness.test("a graceful destroy that fails leaves no reason for a later end", once=True)
def destroy_fails(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    folder = t.state / "run" / "domains" / guest.name
    pid = json.loads((folder / "status.json").read_text())["qemu"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        result = t.stasis("destroy", "--graceful", guest.name, check=False)
        assert result.returncode == 1 and "does not end" in result.stderr, result.stderr
        assert not (folder / "end-reason").exists()
    finally:
        os.kill(pid, signal.SIGCONT)


@harness.test("as root, QEMU runs as a user of its own and without privileges")
def own_user(t):
    if os.geteuid() != 0:
        raise harness.Skip("QEMU runs as its caller where that is not root")
    guests = [t.boot_sector_guest(name="one", read_only=False), t.boot_sector_guest(name="two", read_only=False)]
    users = set()
    for guest in guests:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(1)
        pid = json.loads((t.state / "run" / "domains" / guest.name / "status.json").read_text())["qemu"]["pid"]
        fields = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
        uids = set(fields["Uid"].split())
        assert len(uids) == 1 and uids != {"0"}, uids
        users |= uids
        assert int(fields["CapEff"], 16) == 0 and fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"
        assert (guest.disk.stat().st_mode & 0o777, guest.disk.stat().st_uid) != (0o666, 0)
    assert len(users) == 2, users


@harness.test("a hang-up of the terminal that started a guest does not touch it", once=True)
def hang_up(t):
    guest = t.boot_sector_guest()
    guest.xml_file()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(t.environment())
        command = f"{harness.STASIS} create {guest.dir}/{guest.name}.xml && exec sleep 100"
        os.execv("/bin/sh", ["sh", "-c", command])
    guest.wait_for_tick(2)
    os.close(terminal)  # the kernel sends SIGHUP to the session
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGHUP
    guest.wait_for_tick(guest.last_tick() + 3)
    assert t.domstate(guest) == "running"
    assert [text for text in t.processes().values() if "stasis-supervisor" in text]


@harness.test("a user without privileges runs, saves and restores a guest of their own")
def unprivileged(t):
    if os.geteuid() != 0:
        raise harness.Skip("the other tests do it already")
    nobody = 65534
    guest = t.boot_sector_guest(read_only=False)
    guest.xml_file()
    for root, _, files in os.walk(t.dir):
        for path in [root] + [os.path.join(root, name) for name in files]:
            os.chown(path, nobody, nobody)

    def stasis(*arguments):
        return subprocess.run([harness.STASIS, *map(str, arguments)], user=nobody, group=nobody, extra_groups=[],
                              env=t.environment(HOME=t.dir), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False, cwd="/")

    try:
        usable = stasis("uri")
    except PermissionError as reason:
        raise harness.Skip("the build folder is not open to other users") from reason
    assert usable.stdout.strip() == "stasis:///session", usable.stdout + usable.stderr
    for command in [("create", guest.dir / f"{guest.name}.xml"), ("save", guest.name, t.dir / "image.stasis"),
                    ("image", "verify", t.dir / "image.stasis"), ("restore", t.dir / "image.stasis")]:
        result = stasis(*command)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        if command[0] in ("create", "restore"):
            guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.damaged_pages() == 0
    ticks = guest.ticks()
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    assert stasis("destroy", guest.name).returncode == 0


@harness.test("what QEMU has no option for: a link that is down, the balloon's statistics")
def late_options(t):
    guest = t.boot_sector_guest()
    xml = guest.xml("<interface type='user'><model type='virtio'/><link state='down'/></interface>")
    path = t.dir / "late.xml"
    path.write_text(xml.replace("<memballoon model='none'/>",
                                "<memballoon model='virtio'><stats period='7'/></memballoon>"))
    t.stasis("create", path)
    guest.wait_for_tick(1)
    monitor = socket.socket(socket.AF_UNIX)
    monitor.connect(str(t.state / "run" / "domains" / guest.name / "monitor.sock"))
    with monitor, monitor.makefile("rw") as stream:
        answers = []
        for command in [{"execute": "qmp_capabilities"},
                        {"execute": "qom-get", "arguments": {"path": "/machine/peripheral/balloon0",
                                                             "property": "guest-stats-polling-interval"}},
                        {"execute": "human-monitor-command", "arguments": {"command-line": "info network"}}]:
            stream.write(json.dumps(command) + "\n")
            stream.flush()
            while "return" not in (answer := json.loads(stream.readline())):
                assert "error" not in answer, answer
            answers.append(answer["return"])
    assert answers[1] == 7, answers
    t.stasis("save", guest.name, t.dir / "image.stasis")
    t.stasis("restore", t.dir / "image.stasis")
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("autostart --start starts what is marked, and goes on past what cannot be started", once=True)
def autostart_all(t):
    guests = [t.boot_sector_guest(name) for name in ("first", "second", "third")]
    missing = t.dir / "missing.img"
    missing.write_bytes(bytes(65536))
    guests[1].disks.append((missing, "raw", "virtio", True))
    for guest in guests:
        t.stasis("define", guest.xml_file())
        t.stasis("autostart", guest.name)
    missing.unlink()
    result = t.stasis("autostart", "--start", check=False)
    assert result.returncode == 1, result
    assert "failed to start domain 'second'" in result.stderr and "missing.img" in result.stderr, result.stderr
    assert "1 of 3 domains did not start" in result.stderr, result.stderr
    assert sorted(t.stasis("list", "--name").stdout.split()) == ["first", "third"]
    t.stasis("autostart", "--disable", "second")
    t.stasis("destroy", "first")
    assert "Domain 'first' started" in t.stasis("autostart", "--start").stdout
    assert t.stasis("autostart", "--start").returncode == 0


def is_once(t, name):
    return json.loads(t.stasis("dominfo", name, "--json").stdout)["autostart_once"]


@harness.test("autostart --once: started the next time, and not once more, whatever becomes of that start", once=True)
def autostart_once(t):
    well, lost = [t.boot_sector_guest(name) for name in ("well", "lost")]
    missing = t.dir / "missing.img"
    missing.write_bytes(bytes(65536))
    lost.disks.append((missing, "raw", "virtio", True))
    for guest in (well, lost):
        t.stasis("define", guest.xml_file())
        t.stasis("autostart", "--once", guest.name)
    missing.unlink()
    t.stasis("start", "well")
    assert is_once(t, "well"), "a start that the host has not made took the mark"
    assert "1 of 1 domains did not start" in t.stasis("autostart", "--start", check=False).stderr
    assert is_once(t, "well") and not is_once(t, "lost")
    t.stasis("destroy", "well")
    assert "Domain 'well' started" in t.stasis("autostart", "--start").stdout
    well.wait_for_tick(1)
    t.stasis("destroy", "well")
    assert not is_once(t, "well")
    assert t.stasis("autostart", "--start").stdout.strip() == ""
    assert t.stasis("list", "--name").stdout.split() == []

    t.stasis("create", t.boot_sector_guest("passing").xml_file())
    failed = t.stasis("autostart", "--once", "passing", check=False)
    assert failed.returncode == 1 and "transient domain" in failed.stderr, failed.stderr


@harness.test("autostart --once: a start that the host dies of is not tried again", embedded=True, once=True)
def autostart_once_dies(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("autostart", "--once", guest.name)
    died = t.stasis("autostart", "--start", check=False, STASIS_FAULT="start-started=kill")
    assert died.returncode == -signal.SIGKILL, died
    assert not is_once(t, guest.name)
    assert t.stasis("autostart", "--start").stdout.strip() == ""
    assert t.stasis("list", "--name").stdout.split() == []


@harness.test("autostart marks a domain", once=True)
def autostart(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("autostart", guest.name)
    assert t.stasis("list", "--all", "--autostart", "--name").stdout.split() == [guest.name]
    t.stasis("autostart", "--disable", guest.name)
    assert t.stasis("list", "--all", "--autostart", "--name").stdout.split() == []


@harness.test("a domain is edited by $EDITOR", once=True)
def edited(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("edit", guest.name, EDITOR="sed -i s,<vcpu.*vcpu>,<vcpu>2</vcpu>,")
    assert ">2</vcpu>" in t.stasis("dumpxml", guest.name).stdout


@harness.test("two domains of the same name or UUID are refused", once=True)
def unique(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    result = t.stasis("define", guest.xml_file(), check=False)
    assert result.returncode == 1 and "already exists" in result.stderr, result.stderr
    uuid = t.stasis("domuuid", guest.name).stdout.strip()
    same = t.dir / "same.xml"
    same.write_text(guest.xml().replace("<name>sector</name>", f"<name>new</name><uuid>{uuid}</uuid>"))
    result = t.stasis("define", same, check=False)
    assert result.returncode == 1 and "already exists" in result.stderr, result.stderr
    t.stasis("define", "/dev/stdin", check=False)


@harness.test("a refused undefine costs nothing", once=True)
def undefine_refused(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)
    t.stasis("managedsave", guest.name)
    images = list((t.state / "lib" / "save").glob("*"))
    nvram = t.state / "lib" / "nvram" / f"{guest.name}_VARS.fd"
    nvram.parent.mkdir(parents=True, exist_ok=True)
    nvram.write_bytes(b"variables")
    assert len(images) == 1, images
    for options, missing in [(["--managed-save"], "--nvram"), (["--nvram"], "--managed-save"), ([], "--managed-save")]:
        result = t.stasis("undefine", guest.name, *options, check=False)
        assert result.returncode == 1 and missing in result.stderr, result.stderr
        assert images[0].exists() and nvram.exists()
        assert t.domstate(guest) == "shut off"
    t.stasis("undefine", guest.name, "--managed-save", "--nvram")
    assert not images[0].exists() and not nvram.exists()
    assert t.stasis("domstate", guest.name, check=False).returncode == 1


@harness.test("virt-install's default XML is understood, or refused by the name of a device")
def virt_install(t):
    try:
        result = subprocess.run(
            ["virt-install", "--connect", "test:///default", "--print-xml", "--dry-run", "--name", "v", "--memory",
             "256", "--import", "--disk", "none", "--osinfo", "linux2022", "--graphics", "none", "--network", "user"],
            capture_output=True, text=True, check=False)
    except FileNotFoundError as reason:
        raise harness.Skip("virt-install is not installed") from reason
    assert result.returncode == 0, result.stderr
    # libvirt's test driver knows no other guests than its own.
    xml = re.sub(r"<domain type=.test.", "<domain type='qemu'", result.stdout)
    xml = re.sub(r"<type arch=.*?>", "<type arch='x86_64' machine='q35'>", xml)
    path = t.dir / "v.xml"
    path.write_text(re.sub(r"<emulator>.*?</emulator>", f"<emulator>{harness.QEMU}</emulator>", xml))
    told = t.stasis("define", path, check=False)
    assert told.returncode == 0 or "not supported" in told.stderr, told.stderr


harness.main()
