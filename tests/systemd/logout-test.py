# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests and the end of who started them, be it a login, a unit or stasisd, under a real systemd.

Runs as root inside the machine that scripts/systemd-machine.sh boots.  Logins are
real: ssh to the machine's own sshd, whose PAM tells logind.  logind stops a user's
manager at once at the last logout (UserStopDelaySec=0).
"""

import contextlib
import importlib
import pathlib
import pwd

from machine import USER, cgroups, guest_of, harness, lives_on, logged_out, make_users, manager_gone, \
    manager_state, run, scope, ssh, uid_of, without_login
import guests_unit

BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
SESSION = r"/user\.slice/user-%d\.slice/session-[c\d]+\.scope"
LOGIND = pathlib.Path("/etc/systemd/logind.conf.d/kill.conf")


def save_and_restore(guest, user):
    image = guest.dir / f"{guest.name}.stasis"
    ssh(user, f"stasis save {guest.name} {image}")
    logged_out(user)
    assert not cgroups(guest.name)
    ssh(user, f"stasis restore {image}")
    logged_out(user)


def ended_by_logout(guest):
    """What the manual warns of; the name is free again."""
    harness.wait_for(lambda: not cgroups(guest.name), "the guest's end")
    manager_gone(USER)
    assert guest.name not in ssh(USER, "stasis list --all --name").split()
    ssh(USER, f"stasis create {guest.dir}/{guest.name}.xml")


@contextlib.contextmanager
def lingering(user):
    run("loginctl", "enable-linger", user)
    harness.wait_for(lambda: manager_state(user) == "active", "the user's manager")
    try:
        yield rf"/user\.slice/user-{uid_of(user)}\.slice/user@{uid_of(user)}\.service/app\.slice"
    finally:
        run("loginctl", "disable-linger", user)
        manager_gone(user)


@contextlib.contextmanager
def killing_logind():
    """logind that ends all of a session's processes at logout."""
    LOGIND.write_text("[Login]\nKillUserProcesses=yes\n")
    run("systemctl", "restart", "systemd-logind")
    try:
        yield
    finally:
        LOGIND.unlink()
        run("systemctl", "restart", "systemd-logind")


@contextlib.contextmanager
def other_boot(t):
    fake = t.dir / "boot_id"
    fake.write_text("00000000-0000-4000-8000-000000000001\n")
    run("mount", "--bind", fake, BOOT_ID)
    try:
        yield
    finally:
        run("umount", BOOT_ID)


@harness.test("root's guest outlives the login that started it")
def root_login(t):
    with guest_of(t, "root", "rlogin") as guest, killing_logind():
        ssh("root", f"stasis create {guest.dir}/rlogin.xml")
        logged_out("root")
        lives_on(guest, "root", scope(r"/system\.slice", "rlogin"))
        save_and_restore(guest, "root")
        lives_on(guest, "root", scope(r"/system\.slice", "rlogin"))


@harness.test("root's guest outlives the unit that started it")
def root_unit(t):
    with guest_of(t, "root", "runit") as guest:
        run("systemd-run", "--unit=starter", "--property=Type=oneshot", "--remain-after-exit",
            "stasis", "create", f"{guest.dir}/runit.xml")
        assert run("systemctl", "is-active", "starter").strip() == "active"
        lives_on(guest, "root", scope(r"/system\.slice", "runit"))
        run("systemctl", "stop", "starter")
        lives_on(guest, "root", scope(r"/system\.slice", "runit"))


@harness.test("a user's guest outlives the logout of a user who does not linger")
def user_login(t):
    session = SESSION % uid_of(USER)
    with guest_of(t, USER, "ulogin") as guest:
        ssh(USER, f"stasis create {guest.dir}/ulogin.xml")
        logged_out(USER)
        lives_on(guest, USER, session)
        save_and_restore(guest, USER)
        lives_on(guest, USER, session)


@harness.test("a user's guest that was started without a login outlives a later logout")
def user_without_login(t):
    with guest_of(t, USER, "ucron") as guest:
        without_login(USER, "stasis", "create", guest.dir / "ucron.xml")
        lives_on(guest, USER, r"/system\.slice/logout-test\.service")
        manager_gone(USER)
        lives_on(guest, USER, r"/system\.slice/logout-test\.service")


@harness.test("a lingering user's guest lives in a scope of the user's manager")
def user_lingers(t):
    with lingering(USER) as parent, guest_of(t, USER, "ulinger") as guest:
        ssh(USER, f"stasis create {guest.dir}/ulinger.xml")
        logged_out(USER)
        lives_on(guest, USER, scope(parent, "ulinger"))
        save_and_restore(guest, USER)
        lives_on(guest, USER, scope(parent, "ulinger"))


@harness.test("a lingering user's guest outlives KillUserProcesses=yes")
def user_lingers_killing(t):
    with lingering(USER) as parent, guest_of(t, USER, "ukill") as guest, killing_logind():
        ssh(USER, f"stasis create {guest.dir}/ukill.xml")
        logged_out(USER)
        lives_on(guest, USER, scope(parent, "ukill"))


@harness.test("a lingering user's guest that was started without a login is in such a scope too")
def user_lingers_without_login(t):
    with lingering(USER) as parent, guest_of(t, USER, "ulcron") as guest:
        without_login(USER, "stasis", "create", guest.dir / "ulcron.xml")
        lives_on(guest, USER, scope(parent, "ulcron"))


@harness.test("a user's guest outlives the unit of the user's manager that started it")
def user_unit(t):
    with guest_of(t, USER, "uunit") as guest:
        listed = ssh(USER, f"systemd-run --user --unit=starter --property=Type=oneshot"
                           f" --remain-after-exit stasis create {guest.dir}/uunit.xml"
                           f" && systemctl --user stop starter && stasis list --name")
        assert "uunit" in listed.split(), listed
        ended_by_logout(guest)


@harness.test("KillUserProcesses=yes ends the guest of a user who does not linger")
def user_killed(t):
    with guest_of(t, USER, "ukilled") as guest, killing_logind():
        listed = ssh(USER, f"stasis create {guest.dir}/ukilled.xml >/dev/null && stasis list --name")
        assert "ukilled" in listed.split(), listed
        ended_by_logout(guest)


@harness.test("after a loss of power nothing is left of a user's run folder")
def user_reboot(t):
    runs = pathlib.Path(pwd.getpwnam(USER).pw_dir) / ".local/state/stasis/run"
    with guest_of(t, USER, "ureboot") as guest:
        ssh(USER, f"stasis define {guest.dir}/ureboot.xml && stasis start ureboot")
        before = set(runs.iterdir())
        assert len(before) == 1 and (before.copy().pop() / "domains/ureboot/status.json").exists()
        run("pkill", "-KILL", "-u", USER, "-f", "ureboot")
        with other_boot(t):
            assert ssh(USER, "stasis domstate ureboot").strip() == "shut off"
            assert not before & set(runs.iterdir())
            ssh(USER, "stasis start ureboot")
            guest.wait_for_tick(3)
            ssh(USER, "stasis destroy ureboot && stasis undefine ureboot")
        logged_out(USER)


importlib.import_module("daemon_unit")  # registers its tests

if __name__ == "__main__":
    make_users()
    try:
        harness.main()
    finally:
        guests_unit.leave_one_running()
