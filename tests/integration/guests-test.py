#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""All guests at once: stopped when the host shuts down, brought back when it has booted."""

import json
import os
import signal
import time

import harness
from qga import QgaGuest, facts


def configure(t, *lines):
    config = t.state / "config" / "stasis.conf"
    config.write_text(config.read_text() + "\n".join(["[guests]", *lines, ""]))
    t.reload()


def defined(t, guest):
    """It runs, and is persistent."""
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    return guest


def sectors(t, *names):
    """Guests that tick."""
    guests = [defined(t, t.boot_sector_guest(name=name)) for name in names]
    for guest in guests:
        guest.wait_for_tick(2)
    return guests


def button(t, name="button"):
    """A guest that shuts down when it is asked to."""
    guest = defined(t, t.button_guest(name=name))
    harness.wait_for(lambda: guest.boots() == 1, "the guest to boot")
    return guest


def stop(t, status=0, **env):
    return checked(t.stasis("guests", "stop", check=False, **env), status)


def start(t, status=0, **env):
    return checked(t.stasis("guests", "start", check=False, **env), status)


def checked(result, status):
    if result.returncode != status:
        raise harness.CommandFailed(result)
    return result


def owed(t, status=0):
    """{name: (state, problem)} of those that are to be brought back."""
    result = checked(t.stasis("guests", "status", "--json", check=False), status)
    return {one["name"]: (one["state"], one["problem"]) for one in json.loads(result.stdout)}


def running(t):
    return sorted(t.stasis("list", "--name").stdout.split())


def boots_anew(t, guest):
    """Guests are started, and it boots, which empties the file of its serial line."""
    guest.serial.unlink()
    told = start(t).stdout
    assert f"Domain '{guest.name}' started" in told, told
    harness.wait_for(lambda: guest.boots() == 1, "the guest to boot anew")
    assert owed(t) == {}


def image(t, guest):
    return t.state / "lib" / "save" / f"{guest.name}.stasis"


def goes_on(guest):
    """It ticks, and never began anew."""
    guest.wait_for_tick(guest.last_tick() + 2)
    ticks = guest.ticks()
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), ticks
    assert guest.damaged_pages() == 0


def stopped_at(t, step, *command):
    """A command that has stopped (SIGSTOP) at this step."""
    process = t.start(*command, STASIS_FAULT=f"{step}=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), f"{command} to come by {step}")
    return process


def ends(process, status=0):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == status, output + errors
    return output, errors


@harness.test("guests stop saves them all, guests start brings them back as they were")
def stop_and_start(t):
    guests = sectors(t, "one", "two", "three")
    t.stasis("suspend", "three")
    told = stop(t).stdout
    for guest in guests:
        assert f"Domain '{guest.name}' saved" in told, told
        t.stasis("image", "verify", image(t, guest))
    assert running(t) == [] and not [text for text in t.processes().values() if "qemu-system" in text]
    assert owed(t) == {guest.name: ("saved", None) for guest in guests}
    assert ["one", "saved", "-"] in [line.split() for line in t.stasis("guests", "status").stdout.splitlines()]

    told = start(t).stdout
    assert running(t) == ["one", "three", "two"] and told.count(" restored\n") == 3, told
    assert owed(t) == {} and not list((t.state / "lib" / "guests").iterdir())
    assert t.domstate(guests[2]) == "paused"
    t.stasis("resume", "three")
    for guest in guests:
        goes_on(guest)


@harness.test("with nothing to do both say nothing and succeed")
def nothing(t):
    for result in (stop(t), start(t), stop(t)):
        assert (result.stdout.strip(), result.stderr) == ("", ""), result
    assert owed(t) == {}


@harness.test("a damaged managed image is told and kept, and the others go on")
def damaged(t):
    bad, good = sectors(t, "bad", "good")
    stop(t)
    octets = bytearray(image(t, bad).read_bytes())
    octets[8:64] = bytes(56)
    image(t, bad).write_bytes(octets)
    errors = start(t, status=1).stderr
    assert "failed to start domain 'bad'" in errors and "managedsave-remove" in errors, errors
    assert image(t, bad).read_bytes() == octets and running(t) == ["good"]
    goes_on(good)
    state, problem = owed(t, status=1)["bad"]
    assert state == "saved" and "managedsave-remove" in problem, problem
    assert "managedsave-remove" in t.stasis("guests", "status", check=False).stdout
    # It stays on the list over the next shutdown, and until somebody has decided.
    stop(t)
    assert sorted(owed(t, status=1)) == ["bad", "good"]
    t.stasis("managedsave-remove", "bad")
    errors = start(t).stderr
    assert "'bad' is not brought back: its managed save image is gone" in errors, errors
    assert owed(t) == {} and running(t) == ["good"]


@harness.test("a transient guest is asked to shut down, and told where it does not")
def transient(t):
    configure(t, "shutdown-timeout=2")
    polite, deaf = t.button_guest(name="polite"), t.boot_sector_guest(name="deaf")
    for guest in (polite, deaf):
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(1)
    kept, = sectors(t, "kept")
    result = stop(t, status=1)
    assert "Domain 'polite' has shut down" in result.stdout, result.stdout
    assert "domain 'deaf' goes on running: it has not shut down within 2 s" in result.stderr, result.stderr
    assert "1 of 3 guests" in result.stderr, result.stderr
    assert running(t) == ["deaf"] and owed(t) == {"kept": ("saved", None)}
    goes_on(deaf)
    start(t)
    goes_on(kept)


def killed_stop(t, fault):
    guests = sectors(t, "one", "two", "three")
    process = t.start("guests", "stop", STASIS_FAULT=f"{fault}=kill")
    ends(process, -signal.SIGKILL)
    stop(t)
    assert running(t) == [] and owed(t) == {guest.name: ("saved", None) for guest in guests}
    start(t)
    for guest in guests:
        goes_on(guest)


for step in ("guests-listed", "save-journal", "save-paused", "save-commit", "save-renamed", "save-committed"):
    harness.test(f"a stop that is killed at {step} loses nothing, another one does the rest")(
        lambda t, step=step: killed_stop(t, step))


@harness.test("a stop that is killed and never repeated: guests that were saved come back, and none boots anew")
def killed_stop_then_start(t):
    guests = sectors(t, "one", "two", "three")
    ends(t.start("guests", "stop", STASIS_FAULT="save-committed=kill"), -signal.SIGKILL)
    harness.wait_for(lambda: len(running(t)) < 3, "a save to be finished")
    start(t)
    assert running(t) == ["one", "three", "two"] and owed(t) == {}
    for guest in guests:
        goes_on(guest)


def killed_start(t, fault):
    guests = sectors(t, "one", "two", "three")
    stop(t)
    ends(t.start("guests", "start", STASIS_FAULT=f"{fault}=kill"), -signal.SIGKILL)
    start(t)
    assert running(t) == ["one", "three", "two"] and owed(t) == {}
    for guest in guests:
        goes_on(guest)


for step in ("guest-start", "restore-started", "restore-loaded", "start-running"):
    harness.test(f"a start that is killed at {step} loses nothing, another one does the rest")(
        lambda t, step=step: killed_start(t, step))


def most_at_once(told, begin, end):
    most = now = 0
    for line in told.splitlines():
        now += line.startswith(begin) - line.endswith(end)
        most = max(most, now)
    return most


@harness.test("no more guests at once than [guests] parallel says")
def parallel(t):
    sectors(t, "one", "two", "three", "four")
    assert most_at_once(stop(t).stdout, "Saving", " saved") == 2
    assert most_at_once(start(t).stdout, "Starting", " restored") == 2
    configure(t, "parallel=1")
    assert most_at_once(stop(t).stdout, "Saving", " saved") == 1
    assert most_at_once(start(t).stdout, "Starting", " restored") == 1
    configure(t, "parallel=4")
    assert most_at_once(stop(t).stdout, "Saving", " saved") == 4


@harness.test("between the starts of two guests lies [guests] start-delay")
def start_delay(t):
    configure(t, "start-delay=86400")
    sectors(t, "one", "two")
    stop(t)
    process = t.start("guests", "start")
    while (told := process.stdout.readline()) and told != "Domain 'one' restored\n":
        pass
    os.kill(process.pid, signal.SIGTERM)
    _, errors = ends(process, 1)
    assert "cancelled" in errors.lower(), errors
    assert running(t) == ["one"] and owed(t) == {"two": ("saved", None)}


@harness.test("a stop that comes while another one goes on waits for it, and does what is left")
def second_stop(t):
    guests = sectors(t, "one", "two")
    first = stopped_at(t, "save-journal", "guests", "stop")
    second = t.start("guests", "stop")
    told = second.stderr.readline()
    assert told.startswith("waiting for another stop or start") and str(first.pid) in told, told
    harness.kill(first.pid)
    first.communicate()
    ends(second)
    assert running(t) == [] and len(owed(t)) == 2
    start(t)
    for guest in guests:
        goes_on(guest)


@harness.test("a stop that is called off lets its guests go on, and nothing is owed")
def called_off(t):
    guests = sectors(t, "one", "two", "three")
    process = stopped_at(t, "save-paused", "guests", "stop")
    os.kill(process.pid, signal.SIGTERM)
    while process.poll() is None:
        os.kill(process.pid, signal.SIGCONT)  # the other one may have come by the step too
        time.sleep(0.02)
    _, errors = ends(process, 1)
    assert "goes on running" in errors, errors
    saved = {"one", "two", "three"} - set(running(t))
    assert owed(t) == {name: ("saved", None) for name in saved}
    assert {entry.stem for entry in (t.state / "lib" / "guests").iterdir()} == saved
    start(t)
    for guest in guests:
        goes_on(guest)


@harness.test("a guest that cannot be saved is told and shut down, and boots with the others")
def not_saved(t):
    guest = button(t)
    result = stop(t, STASIS_FAULT="managed-save=fail")
    assert "failed to save domain 'button'" in result.stderr, result.stderr
    assert "Domain 'button' has shut down" in result.stdout, result.stdout
    assert owed(t) == {"button": ("shut-down", None)}
    boots_anew(t, guest)


@harness.test("the same with if-not-saved=leave: it goes on, and the others are saved")
def left(t):
    configure(t, "if-not-saved=leave")
    guest = button(t)
    result = stop(t, status=1, STASIS_FAULT="managed-save=fail")
    assert "domain 'button' goes on running" in result.stderr, result.stderr
    assert running(t) == ["button"] and guest.boots() == 1 and owed(t) == {}
    stop(t)
    assert owed(t) == {"button": ("saved", None)}


def on_full_disk(t, room):
    """What lies in the folder of managed images is on a disk of that size: before anybody looks there."""
    (t.state / "lib").mkdir(exist_ok=True)
    return harness.mounted("-t", "tmpfs", "-o", f"size={room},mode=0700", "none", at=t.state / "lib" / "save")


def free(folder):
    return os.statvfs(folder).f_bavail


@harness.test("a disk on which not all images fit: the others are saved, and that guest goes on", timeout=400)
def disk_full(t):
    configure(t, "if-not-saved=leave", "parallel=3")
    with on_full_disk(t, "40m") as folder:
        large = defined(t, t.linux_guest(name="large", memory_mib=192))
        large.wait_for_agent(timeout=120)
        large.agent("fill 64 1 random")
        total = large.agent("sum")
        large.close()
        small = sectors(t, "one", "two")
        result = stop(t, status=1)
        assert "domain 'large' goes on running: " in result.stderr and "space" in result.stderr.lower(), result.stderr
        assert running(t) == ["large"], result.stderr
        for guest in small:
            assert f"Domain '{guest.name}' saved" in result.stdout, result.stdout
            t.stasis("image", "verify", image(t, guest))
        assert sorted(path.name for path in folder.iterdir()) == ["one.stasis", "two.stasis"]
        used = sum(path.stat().st_blocks for path in folder.iterdir()) * 512
        assert free(folder) * os.statvfs(folder).f_frsize >= (40 << 20) - used - (1 << 20), "room is lost"
        large.wait_for_agent()
        assert large.agent("sum") == total
        assert {name: state for name, (state, _) in owed(t).items()} == {"one": "saved", "two": "saved"}
        start(t)
        for guest in small:
            goes_on(guest)
            t.stasis("destroy", guest.name)


@harness.test("a full disk: the guest that cannot be saved is told and shut down, and boots with the others")
def disk_quite_full(t):
    with on_full_disk(t, "8m") as folder:
        guest = button(t)
        other, = sectors(t, "other")
        stop_other = t.stasis("managedsave", other.name)
        assert stop_other.returncode == 0
        with open(folder / "filler", "wb") as filler:
            try:
                while True:
                    filler.write(bytes(65536))
                    filler.flush()
            except OSError:
                pass
        result = stop(t)
        assert "failed to save domain 'button'" in result.stderr and "space" in result.stderr.lower(), result.stderr
        assert "Domain 'button' has shut down" in result.stdout, result.stdout
        assert sorted(path.name for path in folder.iterdir()) == ["filler", "other.stasis"]
        assert owed(t) == {"button": ("shut-down", None)}
        boots_anew(t, guest)
        t.stasis("start", other.name)
        goes_on(other)
        t.stasis("destroy", other.name)
        t.stasis("destroy", guest.name)


@harness.test("with quiesce=yes a guest with an agent is frozen in its image, and any other is saved", timeout=600)
def quiesced(t):
    configure(t, "quiesce=yes")
    q = QgaGuest(t, name="agent", define=True)
    plain, = sectors(t, "plain")
    q.start_writer()
    result = stop(t)
    assert result.stderr == "", result.stderr
    assert owed(t) == {"agent": ("saved", None), "plain": ("saved", None)}
    assert facts(t, image(t, q.guest)).get("frozen") is True
    assert "frozen" not in facts(t, image(t, plain))
    start(t)
    goes_on(plain)
    q.restored()
    q.wait_writing("the start")
    harness.wait_for(lambda: q.noted() is None, "the note to go")

    # An agent that does not answer holds nobody up for ever.
    q.signal_qga("STOP")
    result = stop(t)
    assert "warning: domain 'agent' is saved without freezing its file systems: " in result.stderr, result.stderr
    assert "Domain 'agent' saved" in result.stdout and running(t) == [], result.stdout
    assert "frozen" not in facts(t, image(t, q.guest))
    start(t)
    q.restored()
    q.signal_qga("CONT")
    q.wait_writing("the second start")


@harness.test("on-shutdown=shutdown: guests shut down, and boot afterwards")
def shutdown(t):
    configure(t, "on-shutdown=shutdown", "shutdown-timeout=60")
    guest = button(t)
    assert "Domain 'button' has shut down" in stop(t).stdout
    assert owed(t) == {"button": ("shut-down", None)} and not image(t, guest).exists()
    stop(t)
    boots_anew(t, guest)


@harness.test("domains that are marked autostart are started, with on-boot=ignore they alone")
def autostart(t):
    one, two = sectors(t, "one", "two")
    t.stasis("autostart", "one")
    stop(t)
    configure(t, "on-boot=ignore")
    errors = start(t).stderr
    assert "'two' is not brought back" in errors and "on-boot=ignore" in errors, errors
    assert running(t) == ["one"] and owed(t) == {} and image(t, two).exists()
    goes_on(one)
    t.stasis("destroy", "one")
    assert "Domain 'one' started" in start(t).stdout


def once(t, name):
    return json.loads(t.stasis("dominfo", name, "--json").stdout)["autostart_once"]


@harness.test("domains that are marked for once are started once, and one that is brought back has been")
def autostart_once(t):
    one, two = sectors(t, "one", "two")
    t.stasis("destroy", "one")
    for name in ("one", "two"):
        t.stasis("autostart", name, "--once")
    start(t)
    assert running(t) == ["one", "two"] and not once(t, "one") and once(t, "two"), "it ran, and was not started"
    t.stasis("destroy", "one")
    stop(t)
    start(t)
    assert running(t) == ["two"] and not once(t, "two")
    goes_on(two)


@harness.test("a guest marked for once that the host dies of is not started again", embedded=True)
def autostart_once_dies(t):
    t.stasis("define", t.boot_sector_guest("one").xml_file())
    t.stasis("autostart", "one", "--once")
    ends(t.start("guests", "start", STASIS_FAULT="guest-start=kill"), -signal.SIGKILL)
    assert not once(t, "one")
    start(t)
    assert running(t) == []


@harness.test("a guest that was undefined, or ended by its user, is not brought back")
def gone(t):
    sectors(t, "gone", "other", "ended", "kept")
    ends(t.start("guests", "stop", STASIS_FAULT="guests-listed=kill"), -signal.SIGKILL)
    t.stasis("destroy", "ended")
    stop(t)
    assert sorted(owed(t)) == ["gone", "kept", "other"]
    for name in ("gone", "other"):
        t.stasis("undefine", name, "--managed-save")
    t.stasis("define", t.dir / "other.xml")  # another UUID
    errors = start(t).stderr
    assert "'gone' is not brought back: there is no such domain" in errors, errors
    assert "'other' is not brought back: another domain has its name" in errors, errors
    assert running(t) == ["kept"] and owed(t) == {}


@harness.test("an entry that cannot be read stands for a guest that ran")
def unreadable(t):
    guest, = sectors(t, "one")
    stop(t)
    (t.state / "lib" / "guests" / "one.json").write_text("{")
    assert "one.json" in owed(t, status=1)["one"][1]
    start(t)
    goes_on(guest)
    assert owed(t) == {}


@harness.test("the host goes down before a guest was saved: it boots with the others")
def host_died(t):
    guest = button(t)
    ends(t.start("guests", "stop", STASIS_FAULT="guests-listed=kill"), -signal.SIGKILL)
    harness.kill(t.status(guest)["qemu"]["pid"])
    harness.wait_for(lambda: running(t) == [], "the guest's end")
    assert owed(t) == {"button": ("ran", None)}
    boots_anew(t, guest)


harness.main()
