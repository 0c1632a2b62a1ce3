#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Something is stopped, spoilt, or happens at the same moment: the driver copes, and says what it is."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import harness


def stopped(t, *command, at):
    """A command that has stopped (SIGSTOP) at this step."""
    process = t.start(*command, STASIS_FAULT=f"{at}=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), f"{command[0]} to come by {at}")
    return process


def go_on(slow, *others):
    os.kill(slow.pid, signal.SIGCONT)
    for process in (slow, *others):
        output, errors = process.communicate(timeout=90)
        assert process.returncode == 0, output + errors


def qemu_users(t):
    return [os.stat(f"/proc/{pid}").st_uid for pid, text in t.processes().items() if "qemu-system" in text]


@harness.test("two domains that are started at the same moment get different users", once=True)
def two_users(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root has other users for QEMU")
    config = t.state / "config" / "stasis.conf"
    config.write_text(config.read_text() + "[security]\nuid-base=2013300000\nuid-count=3\n")
    first, second, between = [t.boot_sector_guest(name=name) for name in ("first", "second", "between")]
    slow = stopped(t, "create", first.xml_file(), at="start-user")
    # Its number lies between theirs, which begin to look at the same user then.
    (t.state / "run" / "last-id").write_text("2\n")
    fast = t.start("create", second.xml_file())
    try:
        fast.wait(3)  # it had better wait for the other one
    except subprocess.TimeoutExpired:
        pass
    go_on(slow, fast)
    users = qemu_users(t)
    assert len(users) == 2 and len(set(users)) == 2, users
    assert t.stasis("create", between.xml_file(), check=False).returncode == 1


def pid_of(t, program):
    """The only process of the test that runs this program."""
    pids = [pid for pid, text in t.processes().items() if program in text.split(" ", 1)[0]]
    assert len(pids) == 1, pids
    return pids[0]


def refused(t, *command, says):
    result = t.stasis(*command, check=False)
    assert result.returncode == 1, f"{command} was not refused: {result.stdout}"
    for word in says:
        assert word in result.stderr, f"{command}: '{word}' is not in: {result.stderr}"


def spoilt(t, guest, text):
    path = t.run_folder(guest) / "status.json"
    assert path.exists()
    path.write_text(text)
    return str(path)


def seen_spoilt(t, guest, path):
    """Nothing is said of it that is not known, and the file is named."""
    assert t.stasis("domstate", guest.name, "--reason").stdout.strip() == "no state (unknown)"
    assert t.stasis("list").stdout.split()[-4:] == ["-", guest.name, "no", "state"]
    assert t.stasis("list", "--inactive", "--name").stdout.split() == []
    for command in (["dominfo"], ["dumpxml"], ["suspend"], ["domjobinfo"], ["save", t.dir / "image"]):
        refused(t, command[0], guest.name, *command[1:], says=[path, f"destroy {guest.name}"])


@harness.test("a status that cannot be read: nothing else is started, destroy ends the guest", once=True)
def unreadable_status(t):
    for text, signalled in (("", None), ('{"format": 1, "na', signal.SIGKILL), ("{}", signal.SIGSTOP)):
        guest = t.boot_sector_guest()
        t.stasis("define", guest.xml_file())
        t.stasis("start", guest.name)
        guest.wait_for_tick(2)
        qemu, supervisor = pid_of(t, "qemu-system"), pid_of(t, "stasis-supervisor")
        path = spoilt(t, guest, text)
        if signalled is not None:
            os.kill(supervisor, signalled)
        seen_spoilt(t, guest, path)
        refused(t, "start", guest.name, says=[path])
        refused(t, "undefine", guest.name, says=[path])
        assert pid_of(t, "qemu-system") == qemu
        t.stasis("destroy", guest.name)
        assert not [text for text in t.processes().values() if "qemu-system" in text]
        assert not t.run_folder(guest).exists()
        assert t.stasis("domstate", guest.name, "--reason").stdout.strip() == "shut off (destroyed)"
        if signalled == signal.SIGSTOP:
            os.kill(supervisor, signal.SIGCONT)
        harness.wait_for(lambda: not t.processes(), "the supervisor to leave")
        t.stasis("start", guest.name)
        t.stasis("destroy", guest.name)
        t.stasis("undefine", guest.name)


@harness.test("a transient domain whose status cannot be read is found and ended", once=True)
def unreadable_transient(t):
    guest, other = t.boot_sector_guest(), t.boot_sector_guest(name="other")
    t.stasis("create", guest.xml_file())
    t.stasis("create", other.xml_file())
    uuid = t.stasis("domuuid", guest.name).stdout
    seen_users = set(qemu_users(t))
    path = spoilt(t, guest, "\0")
    seen_spoilt(t, guest, path)
    assert t.stasis("domuuid", guest.name).stdout == uuid
    t.stasis("destroy", guest.name)
    assert len(qemu_users(t)) == 1 and set(qemu_users(t)) <= seen_users
    refused(t, "domstate", guest.name, says=[guest.name])
    assert t.stasis("domstate", other.name).stdout.strip() == "running"


@harness.test("a status that cannot be read, of a guest that has died, is cleared away by destroy", once=True)
def unreadable_and_dead(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    spoilt(t, guest, "")
    for program in ("stasis-supervisor", "qemu-system"):
        os.kill(pid_of(t, program), signal.SIGKILL)
    harness.wait_for(lambda: not t.processes(), "both to end")
    assert t.stasis("domstate", guest.name).stdout.strip() == "no state"
    t.stasis("destroy", guest.name)
    t.stasis("start", guest.name)
    t.stasis("destroy", guest.name)


@harness.test("what has a lost guest's monitor and is not found keeps the run folder", once=True)
def unreadable_and_hidden(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    path = spoilt(t, guest, "")
    for program in ("stasis-supervisor", "qemu-system"):
        os.kill(pid_of(t, program), signal.SIGKILL)
    monitor = t.run_folder(guest) / "monitor.sock"
    monitor.unlink()
    with socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind(str(monitor))
        hidden.listen()
        refused(t, "destroy", guest.name, says=[str(monitor)])
        assert os.path.exists(path)
        os.unlink(path)
        refused(t, "create", guest.xml_file(), says=["destroy"])
        # One that is ending has lost its command line already, and its socket not yet.
        hidden.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                hidden.accept()[0].close()
        hidden.settimeout(60)
        destroy = t.start("destroy", guest.name)
        for _ in range(5):  # it is looked at again and again
            hidden.accept()[0].close()
        hidden.shutdown(socket.SHUT_RDWR)
        assert destroy.wait(60) == 0, destroy.communicate()
        destroy.communicate()
    t.stasis("create", guest.xml_file())


@harness.test("a status that has gone does not make a second QEMU possible", once=True)
def lost_status(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    (t.run_folder(guest) / "status.json").unlink()
    refused(t, "start", guest.name, says=[str(t.run_folder(guest))])
    t.stasis("destroy", guest.name)
    assert not t.run_folder(guest).exists()


@harness.test("QEMU of a domain whose status cannot be read keeps its user for itself", once=True)
def unreadable_user(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root has other users for QEMU")
    config = t.state / "config" / "stasis.conf"
    config.write_text(config.read_text() + "[security]\nuid-base=2013300000\nuid-count=3\n")
    first, second = t.boot_sector_guest(name="first"), t.boot_sector_guest(name="second")
    t.stasis("create", first.xml_file())
    spoilt(t, first, "")
    (t.state / "run" / "last-id").write_text("2\n")
    t.stasis("create", second.xml_file())
    users = qemu_users(t)
    assert len(users) == 2 and len(set(users)) == 2, users


def renamed_process(t, guest, pid):
    """The status names another process, or none; everything else in it is right."""
    path = t.run_folder(guest) / "status.json"
    status = json.loads(path.read_text())
    status["qemu"]["pid"] = pid
    path.write_text(json.dumps(status))
    return str(path)


@harness.test("a status that names another process makes no second QEMU possible, destroy finds the right one", once=True)
def wrong_process(t):
    for pid, signalled in ((os.getpid(), None), (2 ** 22 - 1, signal.SIGKILL), (0, signal.SIGKILL)):
        guest = t.boot_sector_guest()
        t.stasis("define", guest.xml_file())
        t.stasis("start", guest.name)
        guest.wait_for_tick(2)
        qemu, supervisor = pid_of(t, "qemu-system"), pid_of(t, "stasis-supervisor")
        path = renamed_process(t, guest, pid)
        if signalled is not None:
            os.kill(supervisor, signalled)
        seen_spoilt(t, guest, path)
        for command in ("start", "undefine"):
            refused(t, command, guest.name, says=[path, f"process {qemu} is its QEMU"])
        refused(t, "create", guest.xml_file(), says=[path])
        assert pid_of(t, "qemu-system") == qemu
        t.stasis("destroy", guest.name)
        harness.wait_for(lambda: not t.processes(), "all to end")
        assert not t.run_folder(guest).exists()
        t.stasis("start", guest.name)
        t.stasis("destroy", guest.name)
        t.stasis("undefine", guest.name)


def remove_folder(folder):
    """Although a supervisor may be writing into it."""
    def is_gone():
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    harness.wait_for(is_gone, "the run folder to be gone")


@harness.test("a run folder that was removed makes no second QEMU possible, destroy finds the first", once=True)
def removed_folder(t):
    for transient, signalled in ((False, False), (True, False), (False, True)):
        guest = t.boot_sector_guest()
        if not transient:
            t.stasis("define", guest.xml_file())
        again = ["create", guest.xml_file()] if transient else ["start", guest.name]
        t.stasis(*again)
        guest.wait_for_tick(2)
        qemu = pid_of(t, "qemu-system")
        if signalled:
            os.kill(pid_of(t, "stasis-supervisor"), signal.SIGKILL)
        remove_folder(t.run_folder(guest))
        refused(t, *again, says=[f"process {qemu}", f"destroy {guest.name}"])
        assert pid_of(t, "qemu-system") == qemu
        guest.wait_for_tick(guest.last_tick() + 2)
        t.stasis("destroy", guest.name)
        harness.wait_for(lambda: not t.processes(), "all to end")
        refused(t, "destroy", guest.name, says=[guest.name])
        t.stasis(*again)
        t.stasis("destroy", guest.name)
        if not transient:
            t.stasis("undefine", guest.name)


@harness.test("a save whose run folder is removed says so, and not that the guest stands still", once=True)
def removed_while_saving(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "image"
    process = stopped(t, "save", guest.name, image, at="save-written")
    remove_folder(t.run_folder(guest))
    os.kill(process.pid, signal.SIGCONT)
    errors = process.communicate(timeout=90)[1]
    assert process.returncode == 1, errors
    assert str(t.run_folder(guest)) in errors, errors
    assert "not be let go on" not in errors and "the guest is as it was" in errors, errors
    assert not image.exists()
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("the supervisor of a removed run folder says so, and lives as long as QEMU", once=True)
def removed_and_supervised(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    qemu, supervisor = pid_of(t, "qemu-system"), pid_of(t, "stasis-supervisor")
    remove_folder(t.run_folder(guest))
    log = t.state / "log" / "qemu" / f"{guest.name}.supervisor.log"
    harness.wait_for(lambda: "was removed while QEMU runs" in log.read_text(), "the supervisor to say so")
    assert pid_of(t, "stasis-supervisor") == supervisor
    os.kill(qemu, signal.SIGTERM)
    harness.wait_for(lambda: not t.processes(), "both to end")


def read_only(folder):
    """Nothing in it can be removed, not even by root."""
    return harness.mounted("--bind", "-o", "ro", folder, at=folder)


def resumed_but_left(t, guest, image):
    """The guest has gone on from its managed image, which is still there: it is not used again."""
    guest.wait_for_tick(guest.last_tick() + 2)
    assert image.exists()
    t.stasis("destroy", guest.name)
    for _ in range(2):
        refused(t, "start", guest.name, says=[str(image), "already resumed", "managedsave-remove"])


@harness.test("a managed image that cannot be removed is named, and not resumed a second time", once=True)
def unremovable_image(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    t.stasis("managedsave", guest.name)
    image = next((t.state / "lib" / "save").glob("*.stasis"))
    with read_only(image.parent):
        errors = t.stasis("start", guest.name).stderr
        assert str(image) in errors and "cannot be removed" in errors, errors
        resumed_but_left(t, guest, image)
    t.stasis("managedsave-remove", guest.name)
    t.stasis("start", guest.name)

    # The same by recovery; whoever is dead, the supervisor says it.
    t.stasis("managedsave", guest.name)
    with read_only(image.parent):
        t.stasis("start", guest.name, check=False, STASIS_FAULT="start-running=kill")
        guest.wait_for_tick(guest.last_tick() + 1)
        log = t.state / "log" / "qemu" / f"{guest.name}.supervisor.log"
        harness.wait_for(lambda: f"'{image}' cannot be removed" in log.read_text(), "the supervisor to say so")
        resumed_but_left(t, guest, image)
    t.stasis("start", guest.name, "--force-boot")
    assert not image.exists()


@harness.test("destroy ends a guest although the state folder is full", once=True)
def full_state(t):
    config = (t.state / "config" / "stasis.conf").read_text()
    with harness.mounted("-t", "tmpfs", "-o", "size=4m,mode=700", "none", at=t.state) as state:
        (state / "config").mkdir(mode=0o700)
        (state / "config" / "stasis.conf").write_text(config)
        for defined in (True, False):
            guest = t.boot_sector_guest()
            if defined:
                t.stasis("define", guest.xml_file())
            t.stasis(*(["start", guest.name] if defined else ["create", guest.xml_file()]))
            guest.wait_for_tick(1)
            harness.fill(state)
            t.stasis("destroy", guest.name)
            assert not t.run_folder(guest).exists()
            harness.wait_for(lambda: not t.processes(), "QEMU and its supervisor to end")
            (state / "fill").unlink()
            if defined:
                assert t.stasis("domstate", guest.name).stdout.strip() == "shut off"
                t.stasis("undefine", guest.name)
            assert t.stasis("list", "--all", "--name").stdout.split() == []


def both_dead(t, guest, image, step):
    """A save whose process and supervisor were killed at this step."""
    process = stopped(t, "save", guest.name, image, at=step)
    os.kill(pid_of(t, "stasis-supervisor"), signal.SIGKILL)
    process.kill()
    process.communicate()


@harness.test("whatever asks for a domain puts right what a dead driver and supervisor left", timeout=300, once=True)
def asked_for(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    for command in (["list", "--name"], ["dominfo", guest.name], ["dumpxml", guest.name], ["domid", guest.name],
                    ["domjobinfo", guest.name], ["list", "--all"]):
        both_dead(t, guest, t.dir / "image", "save-paused")
        last = guest.last_tick()
        assert t.stasis(*command).stdout
        assert guest.wait_for_tick(last + 1)
        assert "job" not in t.status(guest), command
    for command in (["list", "--all"], ["dominfo", guest.name], ["dumpxml", guest.name]):
        both_dead(t, guest, t.dir / "image", "save-renamed")
        output = t.stasis(*command).stdout
        assert command[0] == "dumpxml" or "shut off" in output, output
        assert not t.run_folder(guest).exists() and (t.dir / "image").exists(), command
        (t.dir / "image").unlink()
        t.stasis("start", guest.name)
        guest.wait_for_tick(1)


@harness.test("an error quotes what QEMU said in this run, not in earlier ones")
def log_of_this_run(t):
    guest = t.boot_sector_guest()
    log = t.state / "log" / "qemu" / f"{guest.name}.log"
    log.parent.mkdir(mode=0o700, parents=True)
    log.write_text("it failed long ago\n")
    wrong = t.dir / "wrong.xml"
    wrong.write_text(guest.xml().replace("<domain ", "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' ")
                     .replace("</domain>", "<qemu:commandline><qemu:arg value='-nonsense'/></qemu:commandline></domain>"))
    for _ in range(2):
        result = t.stasis("create", wrong, check=False)
        assert result.returncode == 1 and result.stderr.count("-nonsense") == 1, result.stderr
        assert "long ago" not in result.stderr, result.stderr
    assert log.read_text().startswith("it failed long ago\n") and log.read_text().count("-nonsense") == 2
    slow = t.start("create", wrong, STASIS_FAULT="start-launched=stop")  # it comes to a QEMU that has ended
    harness.wait_for(lambda: harness.is_stopped(slow.pid), "the start of QEMU")
    harness.wait_for(lambda: not [c for c in t.processes().values() if "qemu-system" in c], "QEMU to end")
    os.kill(slow.pid, signal.SIGCONT)
    errors = slow.communicate(timeout=60)[1]
    assert slow.returncode == 1 and errors.count("-nonsense") == 1 and "long ago" not in errors, errors

    t.stasis("create", guest.xml_file())
    result = save_of_dying_qemu(t, guest)
    assert result.startswith("error: ") and "-nonsense" not in result and "long ago" not in result, result


@harness.test("a QEMU that floods its log does not fill the disk, and an error quotes its last words")
def flooded_log(t):
    guest = t.boot_sector_guest()
    log = t.state / "log" / "qemu" / f"{guest.name}.log"
    newer, older = (log.with_name(f"{log.name}.{number}") for number in (0, 1))
    log.parent.mkdir(mode=0o700, parents=True)
    log.write_text("it failed long ago\n")
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    qemu = pid_of(t, "qemu-system")
    told = pathlib.Path(f"/proc/{qemu}/fdinfo/2").read_text()
    assert int(re.search(r"flags:\s+(\d+)", told)[1], 8) & os.O_APPEND, told

    def complain(octets):
        with open(f"/proc/{qemu}/fd/2", "ab") as words:
            words.write(octets)

    for number in range(3):
        supervisor = t.supervisor()
        os.kill(supervisor, signal.SIGSTOP)  # it comes when all is there
        complain(b"complaint %d\n" % number * 300_000)
        if number == 1:
            harness.kill(supervisor)
            t.stasis("domstate", guest.name)  # starts another
        else:
            os.kill(supervisor, signal.SIGCONT)
        harness.wait_for(lambda: log.stat().st_size == 0, "the log to be cut")
        kept = newer.read_bytes()
        assert len(kept) == 2 << 20 and kept.endswith(b"complaint %d\n" % number), (len(kept), kept[-80:])
    complain(b"the disk is on fire\n")
    assert log.read_text() == "the disk is on fire\n"
    result = save_of_dying_qemu(t, guest)
    assert result.count("complaint 2") == 9 and "the disk is on fire" in result, result
    assert not older.exists()

    t.stasis("create", guest.xml_file())
    assert older.read_bytes() == kept and not newer.exists()
    result = save_of_dying_qemu(t, guest)
    assert result.startswith("error: ") and "complaint" not in result and "on fire" not in result, result


def waited_in_vain_ms(text):
    """How long the driver was ready to wait for a supervisor that did not answer, by its own word."""
    return sum(map(int, re.findall(r"waited (\d+) ms for a supervisor in vain", text)))


@harness.test("a supervisor that is stopped in the middle of a save does not lengthen the pause", once=True)
def stopped_supervisor(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image, supervisor = t.dir / "image", pid_of(t, "stasis-supervisor")
    for fault in ("save-paused=stop", "save-paused=stop,save-written=fail"):
        process = t.start("save", guest.name, image, STASIS_FAULT=fault, G_MESSAGES_DEBUG="all")
        harness.wait_for(lambda: harness.is_stopped(process.pid), "the save to pause the guest")  # pylint: disable=cell-var-from-loop
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGCONT)
        output, errors = process.communicate(timeout=90)
        os.kill(supervisor, signal.SIGCONT)
        waited = waited_in_vain_ms(output + errors)
        assert 0 < waited <= 1000, f"{waited} ms: {errors}"
        if fault.endswith("fail"):
            assert process.returncode == 1, output
            guest.wait_for_tick(guest.last_tick() + 2)
            assert t.stasis("domstate", guest.name).stdout.strip() == "running"
            assert "None" in t.stasis("domjobinfo", guest.name).stdout
            continue
        assert process.returncode == 0, errors
        t.stasis("image", "verify", image)
        harness.wait_for(lambda: not t.processes(), "the supervisor to leave")
        t.stasis("restore", image)
        guest.wait_for_tick(guest.last_tick() + 1)
        image.unlink()
        supervisor = pid_of(t, "stasis-supervisor")


def save_of_dying_qemu(t, guest):
    """What a save says whose QEMU is killed in the middle."""
    process = stopped(t, "save", guest.name, t.dir / "image", at="save-passed")
    os.kill(pid_of(t, "qemu-system"), signal.SIGKILL)
    os.kill(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    return errors


harness.main()
