# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two hosts: daemons in networks of their own (network.py), with state directories of their own."""

import contextlib
import json

import served
from served import harness


class Side:
    """A host: a daemon in a network, with a state directory of its own."""

    def __init__(self, t, net, number, **env):
        self.t, self.net, self.number, self.space, self.env = t, net, number, net[number], env
        self.state = t.dir / f"host{number}"
        folder = self.state / "config"
        folder.mkdir(mode=0o700, parents=True)
        self.state.chmod(0o700)
        common = (t.state / "config" / "stasis.conf").read_text(encoding="utf-8")
        (folder / "stasis.conf").write_text(f"{common}[migration]\nhost={net.address(number)}\n", encoding="utf-8")
        self.daemon = None
        self.start()

    def start(self, fault=None):
        more = self.env | ({"STASIS_FAULT": f"{fault}=stop"} if fault else {})
        self.daemon = served.Daemon(self.t, before=self.space.before, name=str(self.number),
                                    STASIS_STATE_DIR=str(self.state), **more)

    def is_alive(self):
        return self.daemon.process.poll() is None

    def kill(self):
        if self.is_alive():
            self.daemon.process.kill()
        self.daemon.process.wait(60)

    def restart(self, fault=None):
        if self.is_alive():
            self.daemon.stop()
        self.start(fault)

    def uri(self):
        return f"qemu+unix:///system?socket={self.daemon.socket}"

    def says(self, *arguments, **options):
        return self.daemon.says(*arguments, **options)

    def status(self, name):
        try:
            return json.loads((self.state / "run" / "domains" / name / "status.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_at_rest(self, name):
        """Neither at something, nor in doubt."""
        status = self.status(name)
        return status is None or not {"job", "undecided-migration"} & set(status)

    def qemus(self):
        """Of all QEMUs of this test, those of this host."""
        mark = str(self.state)
        return {pid: text for pid, text in self.t.processes().items() if harness.QEMU in text and mark in text
                and "-S" in text}

    def verdicts(self):
        folder = self.state / "lib" / "migrations"
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for path in folder.iterdir():
                with contextlib.suppress(ValueError, KeyError, FileNotFoundError, IsADirectoryError):
                    found[path.name] = json.loads(path.read_text(encoding="utf-8"))["verdict"]
        return found
