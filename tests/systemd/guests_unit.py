# SPDX-License-Identifier: LGPL-2.1-or-later
"""stasis-guests.service: guests are saved before their scopes end, and brought back."""

import contextlib
import pathlib
import shutil

from machine import cgroups, guest_of, harness, lives_on, logged_out, run, scope, ssh
import guest as guests

UNIT = "stasis-guests.service"
CONFIG = pathlib.Path("/etc/stasis/stasis.conf")
SAVE = pathlib.Path("/var/lib/stasis/save")
LAST = pathlib.Path("/srv/stasis/out/last")
SCOPE = r"/system\.slice"


@contextlib.contextmanager
def root_guest(t, name):
    """A persistent guest of root that runs."""
    with guest_of(t, "root", name) as guest:
        ssh("root", f"stasis define {guest.dir}/{name}.xml && stasis start {name}")
        logged_out("root")
        try:
            guest.wait_for_tick(3)
            yield guest
        finally:
            ssh("root", f"stasis destroy {name}; stasis undefine {name} --managed-save")


@contextlib.contextmanager
def unit_running():
    run("systemctl", "start", UNIT)
    try:
        yield
    finally:
        run("systemctl", "stop", UNIT, check=False)
        run("systemctl", "reset-failed", UNIT, check=False)


def never_rebooted(guest):
    ticks = guest.ticks()
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), ticks


@harness.test("a guest's scope is stopped after stasis-guests.service")
def ordered(t):
    with root_guest(t, "gorder"):
        unit = pathlib.Path(cgroups("gorder")["qemu"]).name
        before = run("systemctl", "show", "--property=Before", "--value", unit)
        assert UNIT in before.split(), before
        # Nothing but the unit's own stop ends it.
        assert "shutdown.target" not in run("systemctl", "show", "--property=Conflicts", unit)


@harness.test("the unit saves guests when it stops and brings them back when it starts")
def stop_and_start(t):
    with root_guest(t, "gone") as guest, unit_running():
        lives_on(guest, "root", scope(SCOPE, "gone"))
        run("systemctl", "stop", UNIT)
        assert run("systemctl", "is-failed", UNIT, check=False).strip() == "inactive"
        assert not cgroups("gone") and (SAVE / "gone.stasis").exists()
        assert "gone   saved" in ssh("root", "stasis guests status")
        run("systemctl", "start", UNIT)
        lives_on(guest, "root", scope(SCOPE, "gone"))
        never_rebooted(guest)


@harness.test("a host that shuts down while guests are being started saves those that run")
def interrupted_start(t):
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    CONFIG.write_text("[guests]\nstart-delay=86400\n")
    try:
        with root_guest(t, "gfirst") as first, root_guest(t, "gsecond") as second:
            with unit_running():
                run("systemctl", "stop", UNIT)
                assert not cgroups("gfirst") and not cgroups("gsecond")
                run("systemctl", "start", "--no-block", UNIT)
                harness.wait_for(lambda: set(cgroups("gfirst")) == {"qemu", "supervisor"}, "the first guest")
                first.wait_for_tick(first.last_tick() + 2)
                run("systemctl", "stop", UNIT)
                assert not cgroups("gfirst") and not cgroups("gsecond")
                CONFIG.unlink()
                run("systemctl", "start", UNIT)
                for guest in (first, second):
                    lives_on(guest, "root", scope(SCOPE, guest.name))
                    never_rebooted(guest)
    finally:
        CONFIG.unlink(missing_ok=True)


@harness.test("a guest that cannot be brought back leaves the unit active: the others are saved later")
def start_fails(t):
    with root_guest(t, "gbad") as bad, root_guest(t, "ggood") as good, unit_running():
        run("systemctl", "stop", UNIT)
        octets = bytearray((SAVE / "gbad.stasis").read_bytes())
        octets[8:64] = bytes(56)
        (SAVE / "gbad.stasis").write_bytes(octets)
        run("systemctl", "start", UNIT)
        assert run("systemctl", "is-active", UNIT).strip() == "active"
        lives_on(good, "root", scope(SCOPE, "ggood"))
        assert not cgroups(bad.name)
        run("systemctl", "stop", UNIT)
        assert not cgroups("ggood") and (SAVE / "ggood.stasis").exists()


def leave_one_running():
    """Of the last guest the end of the machine takes care; scripts/systemd-machine.sh looks."""
    LAST.mkdir()
    last = guests.BootSectorGuest(LAST, "last", harness.QEMU, harness.ACCEL, harness.GUEST_DIR)
    last.xml_file()
    for path in LAST.iterdir():
        shutil.chown(path, 0, 0)
    ssh("root", f"stasis define {LAST}/last.xml && stasis start last")
    last.wait_for_tick(3)
    run("systemctl", "start", UNIT)
