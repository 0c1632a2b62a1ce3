# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real sshd of a test's own on loopback, with keys of its own; nothing of the host's is read or changed.

Where root runs it, it lives in a mount namespace with an empty /run, so that sockets at the usual places can be
given to it (`links`), and the host's are not seen.
"""

import contextlib
import os
import pathlib
import random
import pwd
import shutil
import signal
import socket
import subprocess
import time

SSHD = "/usr/sbin/sshd"

CONFIG = """ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_ed25519
HostKey {folder}/host_ecdsa
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 200
LogLevel VERBOSE
"""

# An empty /run, the links NAME TARGET ... (elsewhere they are mounts), and then the program.
ENTER = """set -e
mount -t tmpfs tmpfs /run
mkdir /run/sshd
while [ "$1" != -- ]; do
  case $1 in
    /run/*) mkdir -p "${1%/*}"; ln -s "$2" "$1" ;;
    *) mount --bind "$2" "$1" ;;
  esac
  shift 2
done
shift
exec "$@"
"""


def why_not():
    """What is missing here; empty: nothing."""
    missing = [name for name in (SSHD, "ssh", "ssh-keygen") if not shutil.which(name)]
    return f"no {' and no '.join(missing)} here (./dev setup)" if missing else ""


def in_namespace(*command, links=None):
    """A command that runs there: {name: target} are symbolic links below its own /run."""
    words = [str(word) for pair in (links or {}).items() for word in pair]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", *words, "--",
            *map(str, command)]


def has_namespaces():
    return os.geteuid() == 0 and subprocess.run(in_namespace("true"), capture_output=True, check=False).returncode == 0


def make_key(path, kind="ed25519", passphrase=""):
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "a key of a test", "-f", path], check=True)
    return path


def public(key):
    """Kind and base64 of a key."""
    return " ".join(pathlib.Path(f"{key}.pub").read_text(encoding="utf-8").split()[:2])


def free_port():
    """For somebody who binds it later: none that the kernel gives to whoever connects meanwhile."""
    while True:
        port = random.randrange(10000, 32000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def descendants(pid):
    """Those who come from it, children first."""
    found, parents = [], {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
    layer = [pid]
    while layer := [one for one, parent in parents.items() if parent in layer]:
        found += layer
    return found


class Sshd:
    """It lets this user in by the key `key`."""

    def __init__(self, folder, config="", links=None, env=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.more, self.links, self.env = config, links, env or {}
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.log = self.folder / "sshd.log"
        self.key = make_key(self.folder / "id_ed25519")
        (self.folder / "authorized_keys").write_text(public(self.key) + "\n", encoding="utf-8")
        for kind in ("ed25519", "ecdsa"):
            make_key(self.folder / f"host_{kind}", kind)
        for _ in range(20):  # the port may be taken by somebody else in between
            if self._start():
                break
        else:
            raise AssertionError(f"sshd does not start: {self.said()}")
        self.known_hosts = self.folder / "known_hosts"
        self.known_hosts.write_text(self.known_host(), encoding="utf-8")

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def known_host(self, kind="ed25519"):
        return f"[127.0.0.1]:{self.port} {public(self.folder / f'host_{kind}')}\n"

    def fingerprint(self, kind="ed25519"):
        shown = subprocess.run(["ssh-keygen", "-lf", self.folder / f"host_{kind}.pub"], check=True, text=True,
                               capture_output=True)
        return shown.stdout.split()[1]

    def _configure(self):
        file = self.folder / "sshd_config"
        # A bash that is not the first of its kind leaves the user's ~/.bashrc alone, and whatever that may do or wait for.
        environment = "".join(f" {key}={value}" for key, value in ({"SHLVL": 1} | self.env).items())
        text = self.more + CONFIG.format(port=self.port, folder=self.folder)  # the first value counts
        text += f"SetEnv{environment}\n"
        # Versions that punish those who fail to log in know this word, others do not.
        file.write_text(text + "PerSourcePenalties no\n", encoding="utf-8")
        if subprocess.run(self._command("-t", "-f", file), capture_output=True, check=False).returncode != 0:
            file.write_text(text, encoding="utf-8")
        return file

    def _command(self, *arguments):
        command = [SSHD, *map(str, arguments)]
        if has_namespaces():
            return in_namespace(*command, links=self.links)
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        return command

    def _start(self):
        self.port = free_port()
        command = self._command("-D", "-E", self.log, "-f", self._configure())
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                if probe.recv(4) == b"SSH-":
                    return True
            time.sleep(0.02)
        self.stop()
        return False

    def sessions(self):
        return descendants(self.process.pid)

    def kill_sessions(self, number=signal.SIGKILL):
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self):
        """End it and who was logged in."""
        left = self.sessions()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        for pid in left:  # sessions outlive the sshd that listens
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ssh_folder(self):
        """A folder with an `ssh` that knows this host and its key: for the PATH of a client."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        config = self.folder / "ssh_config"
        config.write_text(f"IdentityFile {self.key}\nIdentitiesOnly yes\nUserKnownHostsFile {self.known_hosts}\n"
                          "GlobalKnownHostsFile none\nStrictHostKeyChecking yes\nBatchMode yes\n", encoding="utf-8")
        script = folder / "ssh"
        script.write_text(f"#!/bin/sh\nexec {shutil.which('ssh')} -F {config} \"$@\"\n", encoding="utf-8")
        script.chmod(0o755)
        return folder


@contextlib.contextmanager
def sshd(folder, **options):
    served = Sshd(folder, **options)
    try:
        yield served
    finally:
        served.stop()
