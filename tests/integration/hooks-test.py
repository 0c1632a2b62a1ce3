#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's hooks: when they are called, with what, and what they may refuse or change."""

import json
import os
import re
import shutil
import signal
import time

import harness
from hooks import STARTED, Hooks, ended
from mapped import need_mapping

RESTORED = ["restore begin -", *STARTED]
SAVED = ["save begin -", "saved end success", *ended("saved")]
SAYS_NO = "echo 'no XYZZY here' >&2; exit 3"


def refused(t, operation, *command):
    """The command fails because of the hook, and says so in its words."""
    result = t.stasis(*command, check=False)
    assert result.returncode == 1, result
    assert f"'{operation}' of domain" in result.stderr, result.stderr
    assert "exit status 3: no XYZZY here" in result.stderr, result.stderr


def qemu_pid(t, guest):
    return json.loads(t.stasis("dominfo", guest.name, "--json").stdout)["qemu_pid"]


def await_gone(t, guest):
    harness.wait_for(lambda: not t.run_folder(guest).exists(), "the run folder to go")


@harness.test("create and destroy: the operations in their order, with the definition")
def created(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    vnc = "<graphics type='vnc' autoport='yes' passwd='veryscrt'/>"
    t.stasis("create", guest.xml_file(vnc))
    assert hooks.take(guest) == STARTED
    t.stasis("destroy", guest.name)
    assert hooks.take(guest) == ended("destroyed")
    for operation in ("prepare", "start", "started", "stopped", "release"):
        xml = hooks.xml(operation)
        assert f"<name>{guest.name}</name>" in xml and "<uuid>" in xml and "id='1'" in xml, xml
        assert "veryscrt" not in xml, xml
    assert re.search(r"<graphics type='vnc' port='59\d\d'", hooks.xml("release")), hooks.xml("release")


@harness.test("the guest shuts down by itself, and QEMU is killed: its supervisor calls them")
def ends_by_itself(t):
    hooks = Hooks(t)
    guest = t.button_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)
    assert hooks.take(guest) == STARTED
    t.stasis("shutdown", guest.name)
    await_gone(t, guest)
    assert hooks.take(guest) == ended("shutdown")

    t.stasis("start", guest.name)
    hooks.take(guest)
    os.kill(qemu_pid(t, guest), signal.SIGKILL)
    await_gone(t, guest)
    assert hooks.take(guest) == ended("crashed")
    assert t.domstate(guest, "--reason") == "shut off (crashed)"


@harness.test("save, restore, managedsave, start, checkpoint")
def saved(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    image = t.dir / "image"
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    hooks.take(guest)
    t.stasis("save", guest.name, image)
    assert hooks.take(guest) == SAVED
    t.stasis("restore", image)
    assert hooks.take(guest) == RESTORED
    guest.wait_for_tick(guest.last_tick() + 1)
    t.stasis("managedsave", guest.name)
    assert hooks.take(guest) == SAVED
    t.stasis("start", guest.name)
    assert hooks.take(guest) == RESTORED
    guest.wait_for_tick(guest.last_tick() + 1)
    for _ in range(2):
        t.stasis("checkpoint", guest.name, t.dir / "checkpoint")
        assert hooks.take(guest) == ["checkpoint begin -", "checkpoint end success"]
    guest.wait_for_tick(guest.last_tick() + 1)
    t.stasis("destroy", guest.name)
    assert hooks.take(guest) == ended("destroyed")


@harness.test("clones: each by its own name")
def cloned(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    image = t.dir / "image"
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    t.stasis("save", guest.name, image)
    (hooks.notes / "calls").unlink()
    result = t.stasis("restore", image, "--clone", "try", "--count", "2", check=False)
    if result.returncode != 0 and "cannot be cloned" in result.stderr:
        raise harness.Skip(result.stderr.strip())
    assert result.returncode == 0, result
    assert hooks.calls(guest) == ["restore begin -"]
    for name in ("try-1", "try-2"):
        assert hooks.calls(name) == STARTED
        t.stasis("destroy", name)
        assert hooks.calls(name) == STARTED + ended("destroyed")
    (hooks.notes / "calls").unlink()
    hooks.do("started", 'if [ "$1" = try-2 ]; then ' + SAYS_NO + "; fi")
    refused(t, "started", "restore", image, "--clone", "try", "--count", "2")
    assert hooks.calls("try-2") == STARTED + ended("failed")
    assert t.stasis("list", "--name").stdout.split() == []


@harness.test("those at the end get the definition with the devices that came, and without those that went")
def devices(t):
    hooks = Hooks(t)
    guest = t.linux_guest()
    data = t.dir / "data"
    data.write_bytes(bytes(8 << 20))

    def run(fault, is_there, *more):
        t.stasis("create", guest.xml_file())
        guest.close()
        guest.wait_for_agent()
        t.stasis("attach-disk", guest.name, data, "vda", check=not fault, **({"STASIS_FAULT": fault} if fault else {}))
        if fault:
            t.wait_for_no_job(guest)
        for words in more:
            t.stasis(words[0], guest.name, *words[1:])
        os.kill(qemu_pid(t, guest), signal.SIGKILL)
        await_gone(t, guest)
        for operation in ("stopped", "release"):
            xml = hooks.xml(operation)
            assert (str(data) in xml) == is_there and "id='1'" in xml, (fault, more, xml)

    run("", True)
    run("", False, ("detach-disk", "vda"))
    run("device-done=kill", True)
    run("device-opened=kill", False)


@harness.test("one that refuses a start leaves nothing behind")
def refuse_start(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    for number, operation in enumerate(("prepare", "start", "started"), 1):
        hooks.do(operation, SAYS_NO)
        refused(t, operation, "start", guest.name)
        assert hooks.take(guest) == STARTED[:number] + ended("failed")
        assert t.domstate(guest) == "shut off" and not t.run_folder(guest).exists()
        harness.wait_for(lambda: not t.processes(), "QEMU and supervisor to end")
        hooks.do(operation, "")
    assert guest.last_tick() == 0
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)


@harness.test("one that refuses a restore leaves the image as it was")
def refuse_restore(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest(read_only=False)
    image = t.dir / "image"
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)
    t.stasis("save", guest.name, image)
    hooks.take(guest)
    before = image.read_bytes()
    for number, operation in enumerate(("restore", "prepare", "start", "started"), 1):
        hooks.do(operation, SAYS_NO)
        refused(t, operation, "restore", image)
        assert hooks.take(guest) == RESTORED[:number] + (ended("failed") if number > 1 else [])
        assert t.domstate(guest) == "shut off"
        hooks.do(operation, "")
    assert image.read_bytes() == before
    last = guest.last_tick()
    t.stasis("restore", image)
    guest.wait_for_tick(last + 2)
    assert guest.damaged_pages() == 0
    t.stasis("managedsave", guest.name)
    hooks.do("prepare", SAYS_NO)
    result = t.stasis("start", guest.name, check=False)
    assert result.returncode == 1 and "--force-boot" not in result.stderr, "nobody is to drop the image because of that"
    hooks.do("prepare", "")
    last = guest.last_tick()
    t.stasis("start", guest.name)
    guest.wait_for_tick(last + 2)


@harness.test("one that refuses a save lets the guest run on, and no image appears")
def refuse_save(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    image = t.dir / "image"
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)
    hooks.take(guest)
    hooks.do("save", SAYS_NO)
    for command in (["save", guest.name, image], ["managedsave", guest.name]):
        refused(t, "save", *command)
        assert hooks.take(guest) == ["save begin -", "saved end failure"]
        guest.wait_for_tick(guest.last_tick() + 1)
        assert t.domstate(guest, "--reason") == "running (booted)", t.domstate(guest, "--reason")
    hooks.do("checkpoint", SAYS_NO)
    refused(t, "checkpoint", "checkpoint", guest.name, image)
    assert hooks.take(guest) == ["checkpoint begin -", "checkpoint end failure"]
    assert not image.exists() and not list(t.dir.glob(".image*"))
    # The guest runs while it is asked.
    hooks.do("save", "")
    hooks.do("checkpoint", "echo running > ticks; sleep 2")
    last = guest.last_tick()
    t.stasis("checkpoint", guest.name, image)
    assert guest.last_tick() > last
    t.stasis("save", guest.name, t.dir / "other")
    assert hooks.take(guest) == ["checkpoint begin -", "checkpoint end success", *SAVED]


@harness.test("a save that fails later, and one that is aborted while a hook is asked")
def save_fails(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    hooks.take(guest)
    assert t.stasis("save", guest.name, t.dir / "image", check=False, STASIS_FAULT="save-passed=fail").returncode == 1
    assert hooks.take(guest) == ["save begin -", "saved end failure"]
    hooks.do("save", "sleep 1000")
    save = t.start("save", guest.name, t.dir / "image")
    harness.wait_for(lambda: hooks.calls(guest), "the hook to be asked")
    harness.wait_for(lambda: "sleep 1000" in str(t.processes()), "the hook to wait")
    t.stasis("domjobabort", guest.name)
    assert save.wait(60) == 1
    save.communicate()
    assert hooks.take(guest) == ["save begin -", "saved end failure"]
    assert "sleep 1000" not in str(t.processes())
    guest.wait_for_tick(guest.last_tick() + 1)


@harness.test("a refused checkpoint does not forget what the guest has written to")
def refuse_tracked(t):
    need_mapping()
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    t.stasis("checkpoint", guest.name, t.dir / "root", "--track")
    hooks.do("checkpoint", f"if [ $3 = begin ]; then {SAYS_NO}; fi")
    refused(t, "checkpoint", "checkpoint", guest.name, t.dir / "image", "--incremental")
    hooks.do("checkpoint", "")
    stats = json.loads(t.stasis("checkpoint", guest.name, t.dir / "image", "--incremental", "--json").stdout)
    assert "what the guest has written to since" in stats["engine"], stats


@harness.test("a guest that comes to stand still while the hooks are asked is not saved as one that runs")
def stops_meanwhile(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    hooks.take(guest)
    hooks.do("save", "while ! [ -e go ]; do sleep 0.1; done")
    save = t.start("save", guest.name, t.dir / "image")
    harness.wait_for(lambda: hooks.calls(guest), "the hook to be asked")
    t.by_hand(guest, "stop")
    (hooks.notes / "go").touch()
    _, errors = save.communicate(timeout=60)
    assert save.returncode == 1 and "came into the state 'paused' while its hooks were asked" in errors, errors
    assert hooks.take(guest) == ["save begin -", "saved end failure"] and not (t.dir / "image").exists()
    guest.wait_for_tick(guest.last_tick() + 1)


@harness.test("a restore's definition is changed by a hook, within the guest's ABI")
def filtered(t):
    hooks = Hooks(t)
    disk, moved = t.dir / "disk.raw", t.dir / "moved.raw"
    disk.write_bytes(bytes(1 << 20))
    guest = t.linux_guest(disks=[(disk, "raw", "virtio", False)])
    image = t.dir / "image"
    t.stasis("create", guest.xml_file())
    guest.wait_for_agent(timeout=120)
    guest.close()
    t.stasis("save", guest.name, image)
    hooks.take(guest)
    shutil.copy2(disk, moved)
    disk.unlink()
    result = t.stasis("restore", image, check=False)
    assert result.returncode == 1 and str(disk) in result.stderr, result.stderr

    hooks.do("restore", "echo '<domain'")
    result = t.stasis("restore", image, check=False)
    assert result.returncode == 1 and "the definition from a hook" in result.stderr, result.stderr
    hooks.do("restore", "sed 's/262144/524288/' xml.restore")
    result = t.stasis("restore", image, check=False)
    assert result.returncode == 1 and "memory" in result.stderr, result.stderr
    hooks.do("restore", "head -c 2000000 /dev/zero")
    result = t.stasis("restore", image, check=False)
    assert result.returncode == 1 and "more than 1048576 octets" in result.stderr, result.stderr
    (hooks.notes / "calls").unlink()

    hooks.do("restore", f"sed 's#{disk}#{moved}#' xml.restore")
    t.stasis("restore", image)
    assert hooks.take(guest) == RESTORED
    assert str(disk) in hooks.xml("restore") and str(moved) in hooks.xml("prepare")
    assert str(moved) in t.stasis("dumpxml", guest.name).stdout
    guest.wait_for_agent()
    guest.agent("sh echo hello > /dev/vda; sync")
    assert moved.read_bytes().startswith(b"hello")


@harness.test("several, one after the other: each gets what the one before has made of the definition")
def several(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    image = t.dir / "image"
    other = t.dir / "other.serial"
    note = f'echo "$0 $2" >> {hooks.notes}/order; cat > {hooks.notes}/${{0##*/}}.xml; '
    hooks.write("qemu.d/20-second", "#!/bin/sh\n" + note + "\n")
    hooks.write("qemu.d/10-first", "#!/bin/sh\n" + note + f'[ $2 != restore ] || sed s#{guest.serial}#{other}# '
                f'{hooks.notes}/10-first.xml\n')
    hooks.write("qemu.d/15-plain", "#!/bin/sh\n" + note, mode=0o644)
    hooks.write("qemu.d/.hidden", "#!/bin/sh\n" + note)
    hooks.write(f"qemu.d/{guest.name}/prepare", "#!/bin/sh\nexit 1\n")
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    names = [f"{hooks.folder}/qemu.d/10-first", f"{hooks.folder}/qemu.d/20-second"]
    order = (hooks.notes / "order").read_text().split("\n")[:-1]
    assert order == [f"{name} {operation}" for operation in ("prepare", "start", "started") for name in names], order
    t.stasis("save", guest.name, image)
    hooks.take(guest)
    t.stasis("restore", image)
    assert hooks.take(guest) == RESTORED
    assert str(other) in t.stasis("dumpxml", guest.name).stdout
    t.stasis("destroy", guest.name)

    # One fails: the others are called all the same, and then it is refused.
    hooks.write("qemu.d/10-first", "#!/bin/sh\n" + note + SAYS_NO + "\n")
    (hooks.notes / "order").unlink()
    refused(t, "prepare", "create", guest.xml_file())
    order = (hooks.notes / "order").read_text().split("\n")[:-1]
    assert order == [f"{name} {operation}" for operation in ("prepare", "stopped", "release") for name in names], order


@harness.test("without hooks, switched off, and elsewhere")
def elsewhere(t):
    folder = t.dir / "else"
    hooks = Hooks(t, folder)
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    assert not (t.run_folder(guest) / "hooks").exists()
    t.stasis("destroy", guest.name)
    assert hooks.take(guest) == []
    conf = t.state / "config" / "stasis.conf"
    text = conf.read_text()
    conf.write_text(text + f"folder={folder}\n")
    t.stasis("create", guest.xml_file())
    assert hooks.take(guest) == STARTED
    conf.write_text(text + f"folder={folder}\nenabled=no\n")
    t.stasis("destroy", guest.name)
    assert hooks.take(guest) == ended("destroyed"), "as the domain was started"
    t.stasis("create", guest.xml_file())
    conf.write_text(text + f"folder={folder}\n")
    t.stasis("destroy", guest.name)
    assert hooks.take(guest) == []


@harness.test("a hook that others could have put there is not called, and nothing is done without it")
def unsafe(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    hooks.take(guest)
    script, more = hooks.folder / "qemu", hooks.write("qemu.d/more", "#!/bin/sh\n")

    def is_refused(path):
        result = t.stasis("save", guest.name, t.dir / "image", check=False)
        assert result.returncode == 1 and f"hooks of '{path}' are not called" in result.stderr, result.stderr
        assert t.domstate(guest) == "running" and hooks.take(guest) == []

    for path in (script, more, more.parent, hooks.folder, hooks.folder.parent):
        mode = path.stat().st_mode
        for bit in (0o020, 0o002):
            path.chmod(mode | bit)
            is_refused(path)
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, 65534, -1)
            is_refused(path)
            os.chown(path, 0, -1)
    if os.geteuid() == 0:
        target = t.dir / "target"
        script.rename(target)
        script.symlink_to(target)
        os.chown(script, 65534, -1, follow_symlinks=False)
        result = t.stasis("save", guest.name, t.dir / "image", check=False)
        assert result.returncode == 1 and "symbolic link that belongs to user" in result.stderr, result.stderr
        os.chown(script, 0, -1, follow_symlinks=False)
        t.stasis("checkpoint", guest.name, t.dir / "image")
        assert hooks.take(guest) == ["checkpoint begin -", "checkpoint end success"]

    # Nobody can be refused any more at the end: a warning.
    target = script.resolve()
    target.chmod(0o777)
    result = t.stasis("destroy", guest.name)
    assert "are not called" in result.stderr or "are not called" in (
        t.state / "log" / "qemu" / f"{guest.name}.supervisor.log").read_text()
    assert hooks.take(guest) == []
    target.chmod(0o755)


@harness.test("what is no program: not executable, without an interpreter")
def no_program(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    (hooks.folder / "qemu").chmod(0o644)
    result = t.stasis("create", guest.xml_file())
    assert "is no executable file" in result.stderr, result.stderr
    t.stasis("destroy", guest.name)
    assert hooks.take(guest) == []
    hooks.write("qemu", "exit 0\n")
    result = t.stasis("create", guest.xml_file(), check=False)
    assert result.returncode == 1 and "Exec format error" in result.stderr, result.stderr
    hooks.write("qemu", "#!/no/such/shell\n")
    result = t.stasis("create", guest.xml_file(), check=False)
    assert result.returncode == 1 and "No such file" in result.stderr, result.stderr


@harness.test("one gets a clean environment, no descriptors, and a session of its own")
def environment(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    hooks.write("qemu.d/fds", f"#!/bin/sh\nexec ls /proc/self/fd > {hooks.notes}/fds\n")
    facts = ("env > env; cut -d' ' -f6 /proc/$$/stat > session; echo $$ >> session; "
             "umask > umask; pwd; grep Sig /proc/$$/status > signals")
    hooks.do("prepare", facts)
    t.stasis("create", guest.xml_file(), SECRET="hunter2", BASH_ENV="/tmp/x")
    names = {line.partition("=")[0] for line in (hooks.notes / "env").read_text().splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} <= {
        "PATH", "LC_ALL", "HOME", "USER", "LOGNAME", "TMPDIR", "STASIS_STATE_DIR"}, names
    fds = (hooks.notes / "fds").read_text().split()
    assert fds == ["0", "1", "2", "3"], "but of its own folder it has none"
    session, pid = (hooks.notes / "session").read_text().split()
    assert session == pid
    assert (hooks.notes / "umask").read_text().strip() == "0022"
    assert "SigIgn:\t0000000000000000" in (hooks.notes / "signals").read_text()


@harness.test("one that takes too long is ended with all that it has started")
def too_long(t):
    hooks = Hooks(t, timeout=5)
    guest = t.boot_sector_guest()
    for lines in ("sleep 1000", "trap '' TERM; sleep 1000 & wait; sleep 1000"):
        hooks.do("start", lines)
        result = t.stasis("create", guest.xml_file(), check=False)
        assert result.returncode == 1 and "took longer than 5 s" in result.stderr, result.stderr
        assert hooks.take(guest) == STARTED[:2] + ended("failed")
        harness.wait_for(lambda: not t.processes(), "all of it to end")
    hooks.do("start", "")
    hooks.do("stopped", "sleep 1000")
    t.stasis("create", guest.xml_file())
    hooks.take(guest)
    t.stasis("destroy", guest.name)
    assert hooks.take(guest) == ended("destroyed")
    harness.wait_for(lambda: not t.processes(), "all of it to end")


@harness.test("what one leaves running is left alone, and holds nobody up")
def leaves_behind(t):
    hooks = Hooks(t, timeout=20)
    guest = t.boot_sector_guest()
    hooks.do("prepare", "sleep 1000 & echo $! > background")
    began = time.monotonic()
    t.stasis("create", guest.xml_file())
    assert time.monotonic() - began < 20
    pid = int((hooks.notes / "background").read_text())
    t.stasis("destroy", guest.name)
    harness.kill(pid)


@harness.test("much on standard error is cut, and made harmless")
def noisy(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    hooks.do("prepare", r"printf 'one\ntwo \033[31m red\n' >&2; yes | head -c 3000000 >&2; yes | head -c 3000000; exit 3")
    result = t.stasis("create", guest.xml_file(), check=False)
    assert "exit status 3: one;two  [31m red;y;y" in result.stderr and len(result.stderr) < 4000, result.stderr[:500]


@harness.test("Ctrl-C ends the hook, and the start with it")
def interrupted(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    for number, operation in enumerate(("prepare", "start", "started"), 1):
        hooks.do(operation, "sleep 1000")
        create = t.start("create", guest.xml_file())
        harness.wait_for(lambda: "sleep 1000" in str(t.processes()), "the hook to wait")
        create.send_signal(signal.SIGINT)
        _, errors = create.communicate(timeout=60)
        assert create.returncode != 0, errors
        assert hooks.take(guest) == STARTED[:number] + ended("failed")
        harness.wait_for(lambda: not t.processes(), "all of it to end")
        hooks.do(operation, "")


@harness.test("one that calls back for its own domain is told that it is busy", timeout=400)
def calls_back(t):
    hooks = Hooks(t, timeout=100)
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    back = f"{harness.STASIS} start $1 > back.$2 2>&1; {harness.STASIS} domstate $1 > state.$2 2>&1"
    for operation in ("prepare", "start", "started"):
        hooks.do(operation, back)
    t.stasis("start", guest.name)
    for operation in ("prepare", "start", "started"):
        assert "is busy: start by process" in (hooks.notes / f"back.{operation}").read_text()
    hooks.do("checkpoint", f"if [ $3 = begin ]; then {harness.STASIS} suspend $1 > back.$2 2>&1; fi; true")
    t.stasis("checkpoint", guest.name, t.dir / "image")
    assert "is busy: checkpoint by process" in (hooks.notes / "back.checkpoint").read_text()
    hooks.do("release", back)
    t.stasis("destroy", guest.name)
    assert "is busy: another operation has held it for 30 s" in (hooks.notes / "back.release").read_text()
    assert "shut off" in (hooks.notes / "state.release").read_text()
    await_gone(t, guest)


harness.main()
