# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests and the end of who started them, under a real systemd.

Runs as root inside the machine that scripts/systemd-machine.sh boots.  Logins are
real: ssh to the machine's own sshd, whose PAM tells logind.  logind stops a user's
manager at once at the last logout (UserStopDelaySec=0).
"""

import contextlib
import pathlib
import pwd
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import harness  # noqa: E402

USER = "alice"
KEY = pathlib.Path("/run/test-key")
BARE = ["env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"]
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
SESSION = r"/user\.slice/user-%d\.slice/session-[c\d]+\.scope"
LOGIND = pathlib.Path("/etc/systemd/logind.conf.d/kill.conf")


def run(*command, check=True):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=120, check=False)
    if check and result.returncode != 0:
        raise harness.CommandFailed(result)
    return result.stdout


def make_users():
    run("useradd", "--create-home", "--shell", "/bin/bash", USER)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEY)
    for name in (USER, "root"):
        home, uid = pathlib.Path(pwd.getpwnam(name).pw_dir), pwd.getpwnam(name).pw_uid
        (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(f"{KEY}.pub", home / ".ssh/authorized_keys")
        for path in (home / ".ssh", home / ".ssh/authorized_keys"):
            shutil.chown(path, uid, uid)


def uid_of(user):
    return pwd.getpwnam(user).pw_uid


def ssh(user, command):
    """A login that ends with the command."""
    return run("ssh", "-i", KEY, "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
               "-o", "UserKnownHostsFile=/dev/null", f"{user}@127.0.0.1", command)


def without_login(user, *command):
    """As a cron job has it: neither a session nor XDG_RUNTIME_DIR, in our own service's cgroup."""
    record = pwd.getpwnam(user)
    return run("setpriv", f"--reuid={record.pw_uid}", f"--regid={record.pw_gid}", "--clear-groups",
               *BARE, f"HOME={record.pw_dir}", *command)


def open_logins(user):
    """The user's sessions but the one of his manager and those of which only processes are left."""
    for line in run("loginctl", "list-sessions", "--no-legend").splitlines():
        number, _uid, owner = line.split()[:3]
        text = run("loginctl", "show-session", "-p", "State", "-p", "Class", number, check=False)
        session = dict(line.split("=", 1) for line in text.splitlines())
        is_login = session.get("Class", "").startswith("user") and session["State"] != "closing"
        if owner == user and is_login:
            yield number


def logged_out(user):
    harness.wait_for(lambda: not list(open_logins(user)), f"the logout of {user}")


def manager_state(user):
    return run("systemctl", "is-active", f"user@{uid_of(user)}", check=False).strip()


def manager_gone(user):
    """Wait until the user's own systemd, and /run/user/UID, are gone."""
    folder = pathlib.Path(f"/run/user/{uid_of(user)}")
    harness.wait_for(lambda: not folder.exists() and manager_state(user) == "inactive",
                     f"the end of {folder}")


def cgroups(name):
    """{"qemu": cgroup, "supervisor": cgroup} of the domain's living processes."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            cgroup = re.search(r"^0::(.*)$", (entry / "cgroup").read_text(), re.M)[1]
        except OSError:
            continue
        if words[0].endswith("stasis-supervisor") and words[1].endswith(f"/{name}"):
            found["supervisor"] = cgroup
        elif "qemu-system" in words[0] and any(f"guest={name}" in word for word in words):
            found["qemu"] = cgroup
    return found


@contextlib.contextmanager
def guest_of(t, user, name):
    """The files of a guest that belong to the user; it is destroyed in the end."""
    guest = t.boot_sector_guest(name)
    guest.xml_file()
    t.dir.chmod(0o711)
    uid = uid_of(user)
    for path in [t.dir, *t.dir.glob(f"{name}*")]:
        shutil.chown(path, uid, uid)
    try:
        yield guest
    finally:
        ssh(user, f"stasis destroy {name} || true")
        logged_out(user)


def lives_on(guest, user, pattern):
    """Both of its processes are where they should be, and the guest goes on."""
    guest.wait_for_tick(guest.last_tick() + 3)
    found = cgroups(guest.name)
    assert set(found) == {"qemu", "supervisor"}, found
    for cgroup in found.values():
        assert re.fullmatch(pattern, cgroup), found
    for listed in (ssh(user, "stasis list --name"), without_login(user, "stasis", "list", "--name")):
        assert guest.name in listed.split(), listed


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


def scope(parent, name):
    return rf"{parent}/stasis-{name}-\d+\.scope"


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


if __name__ == "__main__":
    make_users()
    harness.main()
