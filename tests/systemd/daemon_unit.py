# SPDX-License-Identifier: LGPL-2.1-or-later
"""stasisd.service and its sockets: activated by virsh, ended in every way, and no guest notices."""

import contextlib
import pathlib
import shutil

from machine import cgroups, guest_of, harness, lives_on, run, scope, without_login

SERVICE = "stasisd.service"
SOCKETS = ("stasisd.socket", "stasisd-ro.socket")
SOCKET = pathlib.Path("/run/stasisd/stasis-sock")
CONFIG = pathlib.Path("/etc/stasis/stasisd.conf")
SCOPE = r"/system\.slice"


def virsh(*words, user="root", socket=SOCKET, check=True):
    """As anybody who logs in would."""
    command = ["virsh", "-c", f"qemu:///system?socket={socket}", *words]
    return run(*command, check=check) if user == "root" else without_login(user, *command)


def is_active(unit=SERVICE):
    return run("systemctl", "is-active", unit, check=False).strip()


def main_pid():
    return int(run("systemctl", "show", "--property=MainPID", "--value", SERVICE))


@contextlib.contextmanager
def listening(t):
    """The sockets stand, and nobody is behind them yet."""
    if not shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    run("systemctl", "start", *SOCKETS)
    try:
        assert is_active() == "inactive", is_active()
        yield
    finally:
        run("systemctl", "stop", *SOCKETS, SERVICE, check=False)
        run("systemctl", "reset-failed", SERVICE, *SOCKETS, check=False)
    assert not SOCKET.exists(), "the socket is removed with its unit"


@contextlib.contextmanager
def guest_by_virsh(t, name):
    with guest_of(t, "root", name) as guest:
        virsh("create", guest.dir / f"{name}.xml")
        yield guest


@harness.test("the first call of virsh starts stasisd, whose guests are in scopes of their own")
def activated(t):
    with listening(t), guest_by_virsh(t, "dfirst") as guest:
        assert is_active() == "active"
        lives_on(guest, "root", scope(SCOPE, "dfirst"))
        assert SERVICE in run("cat", f"/proc/{main_pid()}/cgroup")


@harness.test("everybody may look by the socket for reading, and nobody gets to the other")
def access(t):
    with listening(t), guest_by_virsh(t, "dread"):
        assert f"{SOCKET.stat().st_mode:o}".endswith("660") and SOCKET.stat().st_gid == 0
        assert "dread" in virsh("list", "--name", user="nobody", socket=f"{SOCKET}-ro")
        for words, socket in ((("destroy", "dread"), f"{SOCKET}-ro"), (("list",), SOCKET)):
            try:
                virsh(*words, user="nobody", socket=socket)
            except harness.CommandFailed as failed:
                assert "read only" in failed.result.stderr or "denied" in failed.result.stderr, failed
            else:
                raise AssertionError(f"{words} was allowed")
        assert virsh("domstate", "dread").strip() == "running"


@harness.test("drop-ins with Symlinks= lead clients here that look at libvirt's places, and at none")
def usual(t):
    places = {"stasisd": "/run/libvirt/libvirt-sock", "stasisd-ro": "/run/libvirt/libvirt-sock-ro"}
    folders = [pathlib.Path(f"/run/systemd/system/{unit}.socket.d") for unit in places]
    for folder, place in zip(folders, places.values()):
        folder.mkdir(parents=True)
        (folder / "usual.conf").write_text(f"[Socket]\nSymlinks={place}\n")
    run("systemctl", "daemon-reload")
    try:
        with listening(t), guest_by_virsh(t, "dusual"):
            for words in (("-c", "qemu:///system"), ("-r", "-c", "qemu:///system"), ()):
                assert "dusual" in run("virsh", *words, "list", "--name"), words
        assert not any(pathlib.Path(place).is_symlink() for place in places.values())
    finally:
        for folder in folders:
            shutil.rmtree(folder)
        run("systemctl", "daemon-reload")


@harness.test("systemctl stop, kill and restart of stasisd touch no guest")
def ended(t):
    with listening(t), guest_by_virsh(t, "dend") as guest:
        before = cgroups("dend")
        run("systemctl", "stop", SERVICE)
        assert is_active() == "inactive"
        lives_on(guest, "root", scope(SCOPE, "dend"))
        assert virsh("domstate", "dend").strip() == "running" and is_active() == "active"
        first = main_pid()
        run("systemctl", "kill", "--signal=KILL", SERVICE)
        harness.wait_for(lambda: main_pid() not in (0, first) and is_active() == "active", "stasisd to come back")
        lives_on(guest, "root", scope(SCOPE, "dend"))
        run("systemctl", "restart", SERVICE)
        assert is_active() == "active" and virsh("domstate", "dend").strip() == "running"
        lives_on(guest, "root", scope(SCOPE, "dend"))
        assert cgroups("dend") == before
        virsh("save", "dend", guest.dir / "dend.save")
        run("systemctl", "stop", SERVICE)
        virsh("restore", guest.dir / "dend.save")
        lives_on(guest, "root", scope(SCOPE, "dend"))


@harness.test("systemctl reload has the configuration read anew")
def reloaded(t):
    with listening(t):
        virsh("list")
        pid = main_pid()
        CONFIG.parent.mkdir(parents=True, exist_ok=True)
        CONFIG.write_text("[log]\nlevel=loud\n")
        try:
            run("systemctl", "reload", SERVICE)
            wait_for_log("stays as it was: /etc/stasis/stasisd.conf: [log] level")
            CONFIG.write_text("[log]\nlevel=info\n")
            run("systemctl", "reload", SERVICE)
            wait_for_log("the configuration was read anew")
        finally:
            CONFIG.unlink()
        virsh("list")
        assert main_pid() == pid and is_active() == "active"


def wait_for_log(words):
    harness.wait_for(lambda: words in run("journalctl", "--unit", SERVICE, "--output=cat"), f"'{words}' in the journal")


@harness.test("stasisd that cannot start fails with its reason")
def failed(t):
    with listening(t):
        CONFIG.parent.mkdir(parents=True, exist_ok=True)
        CONFIG.write_text("[limits]\nmax-clients=0\n")
        try:
            run("systemctl", "start", SERVICE, check=False)
            assert is_active() != "active"
            wait_for_log("/etc/stasis/stasisd.conf: [limits] max-clients")
        finally:
            CONFIG.unlink()
            run("systemctl", "stop", SERVICE, *SOCKETS, check=False)
            run("systemctl", "reset-failed", SERVICE, *SOCKETS, check=False)
