# SPDX-License-Identifier: LGPL-2.1-or-later
"""The peer: Debian's libvirt, in private folders.

A libvirtd of our own runs in a mount namespace where its folders (/etc/libvirt,
/var/lib/libvirt, ...) are ours, so nothing of the host's libvirt is seen or
touched, and virsh reaches it through a socket in the private folder.  What would
only slow libvirt down in such a place (cgroups, namespaces, security labels,
virtlogd) is switched off.  Needs root.

libvirtd looks up its built-in user before it reads its configuration.  That user
comes with a package that starts a daemon, so where the host lacks it, it exists
in our namespace only.
"""

import fcntl
import os
import pathlib
import shutil
import subprocess
import time

FOLDERS = ["/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt", "/run/libvirt"]

QEMU_CONF = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""

DAEMON_CONF = """unix_sock_dir = "/run/libvirt"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""

# What libvirtd was built to run QEMU as, by file of accounts.
ACCOUNTS = {
    "/etc/passwd": "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin\n",
    "/etc/group": "libvirt-qemu:x:64055:\n",
}

# Bind our folders and files over libvirt's, then become the daemon.
ENTER = """set -e
top=$1; shift
for path in "$@"; do mount --bind "$top$path" "$path"; done
exec libvirtd -f /etc/libvirt/libvirtd.conf -p /run/libvirt/libvirtd.pid
"""


def why_not():
    """What the peer lacks here; empty: nothing."""
    missing = [name for name in ("libvirtd", "virsh") if not shutil.which(name)]
    if missing:
        return f"no {' and no '.join(missing)} here (./dev setup)"
    return "" if os.geteuid() == 0 else "a private libvirtd needs root"


class MountPoints:
    """The folders that this host lacks, made once for all peers that run at the same time.

    Every peer shares a lock for as long as it lives.  Who gets the lock alone at its end is the last one
    and removes what the file says that was made.
    """

    path = "/run/lock/stasis-virsh-peer"

    def __init__(self, folders):
        self.file = None
        while self.file is None or not self._is_there():
            self.file = open(self.path, "a+", encoding="utf-8")
            fcntl.flock(self.file, fcntl.LOCK_SH)
        for folder in folders:
            try:
                os.mkdir(folder, mode=0o755)
            except FileExistsError:
                continue
            self.file.write(f"{folder}\n")
            self.file.flush()

    def _is_there(self):
        """The file that is locked is not one that was just removed."""
        return os.path.exists(self.path) and os.path.samestat(os.stat(self.path), os.fstat(self.file.fileno()))

    def release(self):
        with self.file:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self.file.seek(0)
            for line in reversed(self.file.read().splitlines()):
                os.rmdir(line)
            os.unlink(self.path)


class VirshPeer:
    """Same interface as FloorPeer: start, save, restore, end."""

    name = "virsh"

    def __init__(self, folder, save_options=(), conf="", daemon_conf="", cache=None):
        """`conf` is added to qemu.conf, `daemon_conf` to libvirtd.conf.  `cache`, a folder, keeps from one daemon to the next what
        emulators can do: asking them takes longer than all else of a start."""
        self.cache = cache
        self.dir = pathlib.Path(folder) / "libvirt"
        self.save_options = list(save_options)
        self.guest = None
        for path in FOLDERS:
            (self.dir / path[1:]).mkdir(parents=True)
        self.mount_points = MountPoints(FOLDERS)
        if cache is not None:
            shutil.copytree(cache, self.dir / "var/cache/libvirt", dirs_exist_ok=True)
        for path, line in ACCOUNTS.items():
            accounts = pathlib.Path(path).read_text(encoding="utf-8")
            (self.dir / path[1:]).write_text(accounts if "\nlibvirt-qemu:" in accounts else accounts + line)
        (self.dir / "etc/libvirt/qemu.conf").write_text(QEMU_CONF + conf)
        (self.dir / "etc/libvirt/libvirtd.conf").write_text(DAEMON_CONF + daemon_conf)
        self.socket = self.dir / "run/libvirt/libvirt-sock"
        self.log = open(self.dir / "daemon.log", "wb")
        self.daemon = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(self.dir), *FOLDERS, *ACCOUNTS],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self._wait_for_daemon()

    def _wait_for_daemon(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.virsh("version")
            except (OSError, RuntimeError):
                if time.monotonic() > deadline or self.daemon.poll() is not None:
                    raise
                time.sleep(0.1)

    def virsh(self, *arguments):
        result = subprocess.run(
            ["virsh", "-q", "-c", f"qemu+unix:///system?socket={self.socket}", *map(str, arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            log = (self.dir / "daemon.log").read_text(errors="replace")[-1000:]
            raise RuntimeError(f"virsh {arguments}: {result.stderr.strip()}\n{log}")
        return result.stdout

    def _timed(self, *arguments):
        start = time.monotonic()
        self.virsh(*arguments)
        return time.monotonic() - start

    def version(self):
        return self.virsh("version").strip().splitlines()[0]

    def version_numbers(self):
        """Of the daemon: (11, 3, 0)."""
        return tuple(map(int, self.virsh("version", "--daemon").splitlines()[-1].split()[-1].split(".")))

    def start(self, guest):
        """Start a guest of tests/integration/guest.py."""
        self.guest = guest
        self.virsh("create", guest.xml_file())

    def save(self, path):
        """Save and destroy; seconds until virsh has returned."""
        self.guest.close()
        return {"save_and_end": self._timed("save", *self.save_options, self.guest.name, path)}

    def restore(self, path):
        """Restore and run; seconds until virsh has returned."""
        return {"restore": self._timed("restore", path)}

    def list(self):
        return self._timed("list", "--all")

    def end(self):
        try:
            if self.guest is not None:
                self.guest.close()
                self.virsh("destroy", self.guest.name)
        except RuntimeError:
            pass
        self.daemon.terminate()
        self.daemon.wait(30)
        self.log.close()
        if self.cache is not None:
            shutil.copytree(self.dir / "var/cache/libvirt", self.cache, dirs_exist_ok=True)
        self.mount_points.release()
