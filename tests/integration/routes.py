# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two daemons, each with a state directory of its own, and a guest that goes from one to the other."""

import contextlib
import json
import pathlib
import signal
import sys
import urllib.parse

import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import served  # pylint: disable=wrong-import-position


class Host:
    """A daemon with a state directory of its own; its guests are looked at by `stasis`."""

    def __init__(self, t, name, config="", **env):
        self.t, self.name = t, name
        self.state = t.dir / name
        folder = self.state / "config"
        folder.mkdir(mode=0o700, parents=True)
        self.state.chmod(0o700)
        self.write_config(config)
        self.start(**env)

    def write_config(self, config):
        text = (self.t.state / "config" / "stasis.conf").read_text(encoding="utf-8")
        (self.state / "config" / "stasis.conf").write_text(text + config, encoding="utf-8")

    def start(self, **env):
        self.daemon = served.Daemon(self.t, name=self.name, STASIS_STATE_DIR=str(self.state), **env)

    def reread(self, config):
        """Its daemon reads a new configuration."""
        self.write_config(config)
        before = self.daemon.said().count("read anew")
        self.daemon.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: self.daemon.said().count("read anew") > before, "the configuration to be read")

    def unix(self):
        return f"qemu+unix:///system?socket={self.daemon.socket}"

    def ssh(self, sshd, **parameters):
        words = {"socket": self.daemon.socket, "keyfile": sshd.key, "known_hosts": sshd.known_hosts} | parameters
        return (f"qemu+ssh://{sshd.user}@127.0.0.1:{sshd.port}/system?"
                + "&".join(f"{key}={urllib.parse.quote(str(value))}" for key, value in words.items()))

    def stasis(self, *arguments, **options):
        """As a client of the daemon."""
        return self.t.stasis("-c", self.unix(), *arguments, **options)

    def names(self):
        return self.stasis("list", "--all", "--name").stdout.split()

    def domstate(self, guest, *options):
        return self.stasis("domstate", guest.name, *options, check=False).stdout.strip()

    def run_folder(self, guest):
        return self.state / "run" / "domains" / guest.name

    def status(self, guest):
        return json.loads((self.run_folder(guest) / "status.json").read_text(encoding="utf-8"))

    def qmp(self, guest, command):
        text = json.dumps({"execute": command})
        return json.loads(self.stasis("qemu-monitor-command", guest.name, text).stdout)["return"]


@contextlib.contextmanager
def hosts(t, *configs, **env):
    both = []
    try:
        for name, config in zip(("one", "two"), (*configs, "", "")):
            both.append(Host(t, name, config, **(env if name == "one" else {})))
        yield both
    except BaseException:
        for host in both:
            print(f"# daemon {host.name} said: {host.daemon.said()!r}", flush=True)
        raise
    finally:
        for host in both:
            if host.daemon.process.poll() is None:
                host.daemon.stop()
            for name in t.stasis("list", "--name", STASIS_STATE_DIR=host.state, check=False).stdout.split():
                t.stasis("destroy", name, STASIS_STATE_DIR=host.state, check=False)
            for word in ("CRITICAL", "runtime error", "AddressSanitizer", "ThreadSanitizer"):
                assert word not in host.daemon.said(), host.daemon.said()


def running_guest(t, host, **options):
    guest = t.boot_sector_guest(**options)
    host.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def expect_at(guest, here, there):
    """It runs here, as if nothing had been, and nothing is left of it there, nor of a migration here."""
    harness.wait_for(lambda: not there.run_folder(guest).exists(), "the other end to be cleared away")
    harness.wait_for(lambda: "job" not in here.status(guest), "the migration to end")
    assert here.domstate(guest) == "running", here.domstate(guest, "--reason")
    assert guest.name not in there.names(), there.names()
    guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]
    on = [one["capability"] for one in here.qmp(guest, "query-migrate-capabilities") if one["state"]]
    parameters = here.qmp(guest, "query-migrate-parameters")
    assert not on and not parameters.get("tls-creds") and not parameters.get("tls-hostname"), (on, parameters)


def fails(host, guest, *arguments, says=()):
    result = host.stasis("migrate", guest.name, *arguments, check=False)
    assert result.returncode == 1, result.stdout
    for words in says:
        assert words in result.stderr, (words, result.stderr)
    return result.stderr


def doors(host, guest):
    """Where the destination can be asked: they are written once it is connected to."""
    return host.status(guest).get("job", {}).get("migration", {}).get("doors")


def begin_slowly(host, guest, *arguments):
    """`stasis`, in the middle of Perform."""
    process = host.t.start("-c", host.unix(), "migrate", guest.name, *arguments, "--live", "--bandwidth", "1")
    harness.wait_for(lambda: process.poll() is not None or doors(host, guest), "the migration to begin")
    assert process.poll() is None, process.communicate()
    return process
