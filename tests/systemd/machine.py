# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in the machine of scripts/systemd-machine.sh share: users, logins, cgroups."""

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


def scope(parent, name):
    return rf"{parent}/stasis-{name}-\d+\.scope"
