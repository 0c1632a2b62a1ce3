#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever dies in the middle: the guest goes on, or its finished image is there; never both."""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import time

import harness
from mapped import can_map

# The named steps of a save (util/fault.h), in their order; the rename lies between the lists.
BEFORE = ["image-begin", "image-begun", "save-journal", "save-passed", "save-paused", "save-copied",
          "image-finish", "image-hashed", "image-tail", "image-tail-synced", "image-complete",
          "image-complete-synced", "save-written", "save-linked", "save-commit"]
LIVE = ["capture-tracked", "save-followed"]  # of one that is copied while it runs
AFTER = ["save-renamed", "save-committed"]


def running_guest(t, define=False):
    guest = t.boot_sector_guest()
    t.stasis("define" if define else "create", guest.xml_file())
    if define:
        t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    return guest


def leftovers(folder):
    return [path.name for path in folder.glob(".*")]


def goes_on(t, guest, what):
    """The guest must tick again, without any command of ours, and the time it took."""
    began = time.monotonic()
    last = guest.last_tick()
    harness.wait_for(lambda: guest.last_tick() > last, f"the guest to go on after {what}")
    print(f"# {what}: the guest ticked after {1000 * (time.monotonic() - began):.0f} ms")
    assert guest.damaged_pages() == 0


def is_settled_running(t, guest, image):
    assert not image.exists(), "an image appeared"
    t.wait_for_no_job(guest)
    assert leftovers(image.parent) == [], leftovers(image.parent)
    assert t.stasis("domstate", guest.name).stdout.strip() == "running"


def is_settled_saved(t, guest, image):
    harness.wait_for(lambda: not (t.state / "run" / "domains" / guest.name).exists(), "the end of QEMU")
    t.stasis("image", "verify", image)
    assert leftovers(image.parent) == [], leftovers(image.parent)
    last = guest.last_tick()
    t.stasis("restore", image)
    guest.wait_for_tick(last + 2)


@harness.test("kill -9 of the saving process at each step before the rename", timeout=300)
def saver_killed_before(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    for options, steps in (("--still",), BEFORE), ((), [*BEFORE, *LIVE] if can_map() else BEFORE):
        for step in steps:
            result = t.stasis("save", guest.name, image, *options, check=False, STASIS_FAULT=f"{step}=kill")
            assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
            goes_on(t, guest, step)
            is_settled_running(t, guest, image)
    t.stasis("save", guest.name, image)
    is_settled_saved(t, guest, image)


@harness.test("kill -9 of the saving process at each step after the rename")
def saver_killed_after(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    for step in AFTER:
        result = t.stasis("save", guest.name, image, check=False, STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        is_settled_saved(t, guest, image)


def completed(t, guest):
    return json.loads(t.stasis("domjobinfo", guest.name, "--completed", "--json").stdout)


@harness.test("the last job is the one that was killed or failed, not an older one", once=True)
def last_job(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    t.stasis("save", guest.name, image)
    t.stasis("restore", image)
    told = completed(t, guest)
    assert (told["operation"], told["state"]) == ("restore", "completed"), told
    other = t.dir / "other.stasis"
    t.stasis("save", guest.name, other, check=False, STASIS_FAULT="save-paused=kill")
    goes_on(t, guest, "save-paused")
    told = completed(t, guest)
    assert told["state"] == "none", told
    t.stasis("save", guest.name, other, check=False, STASIS_FAULT="save-paused=fail")
    told = completed(t, guest)
    assert (told["operation"], told["state"]) == ("save", "failed"), told
    t.stasis("save", guest.name, other, check=False, STASIS_FAULT="image-begin=fail")
    told = completed(t, guest)
    assert "image-begin" in told["error"], told


@harness.test("a guest that ends while it is being saved", timeout=400)
def ends_while_saved(t):
    guest = t.linux_guest()
    t.stasis("define", guest.xml_file())
    image = t.dir / "image.stasis"

    def stopped_save(step):
        t.stasis("start", guest.name)
        guest.wait_for_agent(timeout=120)
        save = t.start("save", guest.name, image, STASIS_FAULT=f"{step}=stop")
        harness.wait_for(lambda: pathlib.Path(f"/proc/{save.pid}/stat").read_text().split()[2] == "T",
                         "the save to stand still")
        return save, json.loads(t.stasis("dominfo", guest.name, "--json").stdout)["qemu_pid"]

    def goes_wrong(save, what):
        save.send_signal(signal.SIGCONT)
        _, err = save.communicate(timeout=60)
        assert save.returncode == 1 and not image.exists(), err
        assert err == (f"error: failed to save domain '{guest.name}' to {image}\n"
                       f"error: domain '{guest.name}' was {what} while it was being saved; "
                       "no image was written\n"), err
        guest.close()
        harness.wait_for(lambda: "shut off" in t.stasis("domstate", guest.name).stdout, "the end")
        assert leftovers(t.dir) == []

    save, qemu = stopped_save("save-passed")
    try:
        guest.agent("poweroff")
    except OSError:  # there is nobody left to answer
        pass
    harness.wait_for(lambda: not pathlib.Path(f"/proc/{qemu}").exists(), "the end of QEMU")
    goes_wrong(save, "shut off")
    save, qemu = stopped_save("save-paused")
    destroy = t.start("destroy", guest.name)
    harness.wait_for(lambda: not pathlib.Path(f"/proc/{qemu}").exists(), "the end of QEMU")
    goes_wrong(save, "destroyed")
    assert destroy.wait(60) == 0
    told = completed(t, guest)
    assert told["state"] == "failed" and "was destroyed while" in told["error"], told


@harness.test("an existing image stays until the new one is complete", once=True)
def old_image_stays(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    t.stasis("save", guest.name, image)
    t.stasis("restore", image)
    before = (image.stat().st_ino, image.stat().st_size)
    for step in ["save-paused", "image-complete-synced", "save-commit"]:
        t.stasis("save", guest.name, image, check=False, STASIS_FAULT=f"{step}=kill")
        goes_on(t, guest, step)
        t.wait_for_no_job(guest)
        assert (image.stat().st_ino, image.stat().st_size) == before
        t.stasis("image", "verify", image)
    assert leftovers(t.dir) == []


@harness.test("a failure at each step before the rename is rolled back", timeout=300)
def saver_fails(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    for step in BEFORE:
        result = t.stasis("save", guest.name, image, check=False, STASIS_FAULT=f"{step}=fail")
        assert result.returncode == 1 and step in result.stderr, result.stderr
        goes_on(t, guest, step)
        is_settled_running(t, guest, image)


def stopped_at(t, guest, image, step):
    """A save that has stopped (SIGSTOP) at this step."""
    process = t.start("save", guest.name, image, STASIS_FAULT=f"{step}=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), f"the save to come by {step}")
    return process


@harness.test("a complete image whose guest has ended is a success, whatever cannot be noted or cleared away", once=True)
def saved_but_left(t):
    guest = running_guest(t)
    image, folder = t.dir / "image.stasis", t.run_folder(guest)
    in_the_way = {"no reason": folder / "end-reason" / "file",  # as where the state folder is full
                  "not removable": folder.joinpath("nest", *["deeper"] * 20)}
    for what, path in in_the_way.items():
        process = stopped_at(t, guest, image, "save-committed")
        path.mkdir(parents=True)
        os.kill(process.pid, signal.SIGCONT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, f"{what}: {errors}"
        assert (what == "not removable") == ("is complete" in errors and str(folder) in errors), f"{what}: {errors}"
        if what == "not removable":
            harness.wait_for(lambda: not [c for c in t.processes().values() if "qemu" in c], "QEMU to end")
            # Its supervisor clears the folder away, too, as far as it can.
            shutil.rmtree(folder / "nest", ignore_errors=True)
            assert not (folder / "nest").exists()
        is_settled_saved(t, guest, image)


@harness.test("a complete image that is moved away while saver and supervisor are dead: the guest stays paused", once=True)
def image_moved(t):
    guest = running_guest(t)
    for step in ("save-renamed", "save-commit"):
        image, moved = t.dir / "image.stasis", t.dir / "moved.stasis"
        process = stopped_at(t, guest, image, step)
        os.kill(t.supervisor(), signal.SIGKILL)
        process.kill()
        process.wait()
        (image if step == "save-renamed" else next(t.dir.glob(".image*.tmp"))).rename(moved)
        last = guest.last_tick()
        assert t.stasis("domstate", guest.name, "--reason").stdout.strip() == "paused (save undecided)"
        t.stasis("image", "verify", moved)
        assert guest.last_tick() == last, "the guest ran beside its image"
        moved.unlink()
        t.stasis("resume", guest.name)
        guest.wait_for_tick(last + 2)


@harness.test("kill -9 of the supervisor at each step: the save goes on", timeout=300)
def supervisor_killed(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    for step in BEFORE[2:] + AFTER:
        process = stopped_at(t, guest, image, step)
        os.kill(t.supervisor(), signal.SIGKILL)
        os.kill(process.pid, signal.SIGCONT)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, f"{step}: {output}{errors}"
        is_settled_saved(t, guest, image)
        image.unlink()


@harness.test("kill -9 of supervisor and saver: the next command puts it right", timeout=300)
def both_killed(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    for step in ["save-journal", "save-paused", "save-written", "save-commit", "save-linked"]:
        process = stopped_at(t, guest, image, step)
        os.kill(t.supervisor(), signal.SIGKILL)
        process.kill()
        process.communicate()
        assert t.stasis("domstate", guest.name).stdout.strip() in ("running", "paused")
        goes_on(t, guest, step)
        is_settled_running(t, guest, image)


@harness.test("kill -9 of the supervisor of a running guest: nothing else notices", once=True)
def supervisor_alone(t):
    guest = running_guest(t)
    os.kill(t.supervisor(), signal.SIGKILL)
    guest.wait_for_tick(guest.last_tick() + 2)
    assert t.stasis("domstate", guest.name).stdout.strip() == "running"
    assert t.supervisor()


@harness.test("kill -9 of QEMU in the middle of a save")
def qemu_killed(t):
    guest = running_guest(t, define=True)
    image = t.dir / "image.stasis"
    for step in ["save-passed", "save-paused", "save-copied"]:
        process = stopped_at(t, guest, image, step)
        os.kill(t.status(guest)["qemu"]["pid"], signal.SIGKILL)
        os.kill(process.pid, signal.SIGCONT)
        _, errors = process.communicate(timeout=60)
        if step == "save-copied":
            # All of the memory is in the file by then: completing it or refusing are both right.
            assert process.returncode in (0, 1)
        else:
            assert process.returncode == 1 and "error:" in errors, errors
        harness.wait_for(lambda: t.stasis("domstate", guest.name).stdout.strip() == "shut off",
                         "the domain to be shut off")
        assert leftovers(t.dir) == []
        if image.exists():
            t.stasis("image", "verify", image)
            image.unlink()
        t.stasis("start", guest.name)
        guest.wait_for_tick(2)


@harness.test("kill -9 of the restoring process: nothing is left, or the guest runs", timeout=300)
def restorer_killed(t):
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "image.stasis"
    t.stasis("save", guest.name, image)
    for step in ["start-spawned", "restore-started", "restore-loaded", "restore-marked", "start-resume"]:
        result = t.stasis("restore", image, check=False, STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        assert t.stasis("list", "--name").stdout.strip() in ("", guest.name)
        harness.wait_for(lambda: not [c for c in t.processes().values() if "qemu" in c], "QEMU to end")
    for step in ["start-resuming", "start-running"]:
        result = t.stasis("restore", image, check=False, STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        goes_on(t, guest, step)
        t.wait_for_no_job(guest)
        t.stasis("save", guest.name, image)
    t.stasis("restore", image)
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("kill -9 while a failed restore is undone: no guest runs without the image's mark", timeout=300)
def undoer_killed(t):
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "image.stasis"
    t.stasis("save", guest.name, image)
    result = t.stasis("restore", image, check=False, STASIS_FAULT="start-resuming=fail")
    assert "start-resuming" in result.stderr, result.stderr
    result = t.stasis("restore", image, check=False, STASIS_FAULT="start-resuming=fail,restore-undo=kill")
    assert result.returncode == -signal.SIGKILL, f"the step was not reached: {result.stderr}"
    if t.stasis("list", "--name").stdout.strip() == guest.name:
        t.wait_for_no_job(guest)
        t.stasis("destroy", guest.name)
    result = t.stasis("restore", image, check=False)
    assert result.returncode == 1 and "already resumed" in result.stderr, result.stderr
    t.stasis("restore", image, "--force")
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("kill -9 while starting from a managed image: it is used up, or still there")
def managed_start_killed(t):
    guest = running_guest(t, define=True)
    for step in ["restore-loaded", "restore-marked", "start-resuming", "start-running"]:
        t.stasis("managedsave", guest.name)
        image = next((t.state / "lib" / "save").glob("*.stasis"))
        result = t.stasis("start", guest.name, check=False, STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        if step.startswith("restore"):
            harness.wait_for(lambda: not [c for c in t.processes().values() if "qemu" in c], "QEMU to end")
            assert image.exists()
            t.stasis("start", guest.name)
        goes_on(t, guest, step)
        harness.wait_for(lambda: not image.exists(), "the managed image to be used up")


@harness.test("kill -9 of QEMU and the process that starts it from a managed image: the image is not lost")
def managed_start_lost(t):
    guest = running_guest(t, define=True)
    t.stasis("managedsave", guest.name)
    image = next((t.state / "lib" / "save").glob("*.stasis"))
    process = t.start("start", guest.name, STASIS_FAULT="start-resuming=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), "the guest to be about to run")
    harness.kill(t.status(guest)["qemu"]["pid"])
    process.kill()
    process.communicate(timeout=60)
    harness.wait_for(lambda: not t.run_folder(guest).exists(), "the supervisor to clear up")
    result = t.stasis("start", guest.name, check=False)
    assert result.returncode == 1 and "already resumed" in result.stderr, result.stderr
    t.stasis("restore", image, "--force")
    goes_on(t, guest, "restore")


@harness.test("kill -9 of the starting process: nothing is left, the domain can be started", once=True)
def starter_killed(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    for step in ["start-spawned", "start-started"]:
        result = t.stasis("start", guest.name, check=False, STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        t.stasis("list", "--all")
        t.stasis("start", guest.name)
        guest.wait_for_tick(1)
        t.stasis("destroy", guest.name)


@harness.test("abort: by domjobabort from another terminal, and by Ctrl-C")
def aborted(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    for way in ["domjobabort", "SIGINT"]:
        process = stopped_at(t, guest, image, "save-paused")
        assert "save" in t.stasis("domjobinfo", guest.name).stdout.lower()
        if way == "SIGINT":
            os.kill(process.pid, signal.SIGINT)
        else:
            t.stasis("domjobabort", guest.name)
        os.kill(process.pid, signal.SIGCONT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1 and "cancel" in errors.lower(), errors
        goes_on(t, guest, way)
        is_settled_running(t, guest, image)
    assert t.stasis("domjobabort", guest.name, check=False).returncode == 1


@harness.test("an abort that was accepted holds, however late and slow the supervisor; one that comes too late is refused", once=True)
def aborted_late(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    for way in ("save", "checkpoint", "stream"):
        process = t.start(*{"save": ["save"], "checkpoint": ["checkpoint"], "stream": ["save", "--format", "stasis-stream"]}[way],
                          guest.name, image, G_MESSAGES_DEBUG="stasis-driver",
                          STASIS_FAULT="save-linked=stop" if way != "stream" else "save-written=stop")
        harness.wait_for(lambda: harness.is_stopped(process.pid), f"the end of a {way}")  # pylint: disable=cell-var-from-loop
        t.stasis("domjobabort", guest.name)
        supervisor = t.supervisor()
        os.kill(supervisor, signal.SIGSTOP)  # it tells nobody
        os.kill(process.pid, signal.SIGCONT)
        output, errors = process.communicate(timeout=60)
        os.kill(supervisor, signal.SIGCONT)
        assert process.returncode == 1 and "cancelled: the domain" in errors, f"{way}: {process.returncode} {errors}"
        if harness.MODE == "embedded":  # else it is the daemon that asks
            waited = re.findall(r"waited (\d+) ms for a supervisor in vain", output)
            assert waited.count("5000") == 1 and "is as before" in errors, f"{way}: {waited} {errors}"
        goes_on(t, guest, way)
        is_settled_running(t, guest, image)
    process = stopped_at(t, guest, image, "save-renamed")
    result = t.stasis("domjobabort", guest.name, check=False)
    assert result.returncode == 1 and "too late" in result.stderr, result
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(60) == 0
    is_settled_saved(t, guest, image)


def sends(pid):
    """Whether QEMU's sending threads exist: the save is in the middle of copying."""
    try:
        return any("send_" in (task / "comm").read_text() for task in pathlib.Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False


@harness.test("cancelled and killed while QEMU's threads write: the guest goes on", timeout=1800)
def cancelled_in_flight(t):
    guest = t.linux_guest(memory_mib=512)
    t.stasis("create", guest.xml_file())
    guest.wait_for_agent(120)
    guest.agent("fill 400 1 mix", timeout=120)
    total = guest.agent("sum")
    guest.close()
    image = t.dir / "image.stasis"
    pid = t.status(guest)["qemu"]["pid"]
    for _ in range(200 if harness.SOAK else 15):
        process = t.start("save", guest.name, image)
        while process.poll() is None and not sends(pid):
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.15))
        process.send_signal(random.choice([signal.SIGINT, signal.SIGKILL]))
        process.communicate()
        if image.exists():  # it was too late for this one
            is_settled_saved(t, guest, image)
            image.unlink()
            pid = t.status(guest)["qemu"]["pid"]
            continue
        last = guest.last_tick()
        harness.wait_for(lambda: guest.last_tick() > last, "the guest to go on")  # pylint: disable=cell-var-from-loop
        t.wait_for_no_job(guest)
    guest.wait_for_agent()
    assert guest.agent("sum") == total


@harness.test("a second save at the same time is refused and does no harm", once=True)
def second_save(t):
    guest = running_guest(t)
    image = t.dir / "image.stasis"
    process = stopped_at(t, guest, image, "save-paused")
    for command in [("save", guest.name, t.dir / "other.stasis"), ("suspend", guest.name),
                    ("resume", guest.name)]:
        result = t.stasis(*command, check=False)
        assert result.returncode == 1 and "busy" in result.stderr and str(process.pid) in result.stderr, \
            result.stderr
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    is_settled_saved(t, guest, image)


@harness.test("destroy ends a guest in the middle of its save")
def destroyed(t):
    guest = running_guest(t, define=True)
    process = stopped_at(t, guest, t.dir / "image.stasis", "save-paused")
    qemu = t.status(guest)["qemu"]["pid"]
    destroy = t.start("destroy", guest.name)
    harness.wait_for(lambda: not pathlib.Path(f"/proc/{qemu}").exists(), "the end of QEMU")
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=60)
    destroy.communicate(timeout=60)
    assert process.returncode == 1 and destroy.returncode == 0
    assert t.stasis("domstate", guest.name, "--reason").stdout.strip() == "shut off (destroyed)"
    assert leftovers(t.dir) == [] and not (t.dir / "image.stasis").exists()


harness.main()
