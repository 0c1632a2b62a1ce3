#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ways by which a migration's octets go between two daemons: by ssh, and through a tunnel."""

import contextlib
import json
import os
import pathlib
import sys

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
        self.config = folder / "stasis.conf"
        self.config.write_text((t.state / "config" / "stasis.conf").read_text(encoding="utf-8") + config,
                               encoding="utf-8")
        self.start(**env)

    def start(self, **env):
        self.daemon = served.Daemon(self.t, name=self.name, STASIS_STATE_DIR=str(self.state), **env)

    def unix(self):
        return f"qemu+unix:///system?socket={self.daemon.socket}"

    def ssh(self, sshd, **parameters):
        words = {"socket": self.daemon.socket, "keyfile": sshd.key, "known_hosts": sshd.known_hosts} | parameters
        return (f"qemu+ssh://{sshd.user}@127.0.0.1:{sshd.port}/system?"
                + "&".join(f"{key}={value}" for key, value in words.items()))

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


@contextlib.contextmanager
def ssh_server(t):
    """One of this test's own, which finds our helper."""
    harness.ssh_server()  # or a Skip
    import sshd  # pylint: disable=import-outside-toplevel
    path = f"{pathlib.Path(harness.STASIS).parent}:{os.environ['PATH']}"
    with sshd.sshd(t.dir / "sshd", env={"PATH": path}) as server:
        yield server


@harness.test("peer-to-peer by ssh, plainly and through a tunnel, back and forth", timeout=400)
def peer_to_peer(t):
    with ssh_server(t) as sshd, hosts(t) as (one, two):
        guest = running_guest(t, one)
        for options in ([], ["--tunnelled"]):
            for here, there in ((one, two), (two, one)):
                said = here.stasis("migrate", guest.name, there.ssh(sshd), "--live", "--p2p", *options)
                assert f"Domain '{guest.name}' migrated" in said.stdout, said.stdout
                expect_at(guest, there, here)


@harness.test("client-managed by ssh: stasis stands between both, or is the source itself", timeout=400)
def client_managed(t):
    with ssh_server(t) as sshd, hosts(t) as (one, two):
        guest = running_guest(t, one)
        t.stasis("-c", one.ssh(sshd), "migrate", guest.name, two.ssh(sshd), "--live")
        expect_at(guest, two, one)
        t.stasis("migrate", guest.name, one.ssh(sshd), "--live", STASIS_STATE_DIR=two.state)
        expect_at(guest, one, two)


@harness.test("through a tunnel by a unix socket; nothing goes by TCP", timeout=400)
def tunnel_unix(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        process = begin_slowly(one, guest, two.unix(), "--p2p", "--tunnelled")
        (door,) = doors(one, guest)
        assert door.startswith(f"unix://{two.state}/run/tunnel-"), door
        one.stasis("domjobabort", guest.name)
        process.communicate(timeout=60)
        expect_at(guest, one, two)
        one.stasis("migrate", guest.name, two.unix(), "--live", "--p2p", "--tunnelled")
        expect_at(guest, two, one)
        two.stasis("migrate", guest.name, one.unix(), "--p2p", "--tunnelled")
        expect_at(guest, one, two)


@harness.test("virsh has a guest go through a tunnel, by a unix socket and by ssh", timeout=400)
def by_virsh(t):
    if not served.shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    with ssh_server(t) as sshd, hosts(t) as (one, two):
        guest = running_guest(t, one)
        one.daemon.virsh("migrate", "--live", "--p2p", "--tunnelled", guest.name, two.unix())
        expect_at(guest, two, one)
        two.daemon.virsh("migrate", "--live", "--p2p", "--tunnelled", guest.name, one.ssh(sshd))
        expect_at(guest, one, two)
        two.daemon.stop()
        failed = one.daemon.virsh("migrate", "--live", "--p2p", "--tunnelled", guest.name, two.ssh(sshd), check=False)
        assert failed.returncode == 1 and "connecting to qemu+ssh://" in failed.stderr, failed.stderr
        two.start()
        expect_at(guest, one, two)


@harness.test("through a tunnel by ssh the journal has the way to ask, and QEMU a socket of this host")
def tunnel_ssh(t):
    with ssh_server(t) as sshd, hosts(t) as (one, two):
        guest = running_guest(t, one)
        process = begin_slowly(one, guest, two.ssh(sshd), "--p2p", "--tunnelled")
        (door,) = doors(one, guest)
        assert door.startswith("tunnel:qemu%2Bssh%3A%2F%2F") and f"{two.state}/run/tunnel-" in door, door
        one.stasis("domjobabort", guest.name)
        process.communicate(timeout=60)
        expect_at(guest, one, two)


@harness.test("what cannot be tunnelled is refused, and the guest goes on")
def refused(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        tcp = "qemu+tcp://127.0.0.1:1/system"
        for where, options, words in (
                (two.unix(), ["--tunnelled"], "--tunnelled needs --p2p"),
                (two.unix(), ["--p2p", "--tunnelled", "--parallel"], "cannot go together"),
                (two.unix(), ["--p2p", "--tunnelled", "--migrateuri", "tcp:h:1"], "cannot go together"),
                (tcp, ["--p2p", "--tunnelled"], "tcp")):
            fails(one, guest, where, "--live", *options, says=[words])
            expect_at(guest, one, two)


@harness.test("an unknown host key, a wrong key and a host that is none are told, and nothing has happened", timeout=400)
def cannot_log_in(t):
    with ssh_server(t) as sshd, hosts(t) as (one, two):
        import sshd as module  # pylint: disable=import-outside-toplevel
        guest = running_guest(t, one)
        nobody = t.dir / "known_nobody"
        nobody.write_text("", encoding="utf-8")
        wrong = module.make_key(t.dir / "id_wrong")
        for uri, words in ((two.ssh(sshd, known_hosts=nobody), "key"), (two.ssh(sshd, keyfile=wrong), "'127.0.0.1'"),
                           (two.ssh(sshd, socket=t.dir / "none"), "none"),
                           (f"qemu+ssh://127.0.0.1:{module.free_port()}/system?no_verify=1", "efused")):
            fails(one, guest, uri, "--live", "--p2p", "--tunnelled", says=["connecting to qemu+ssh://", words])
            expect_at(guest, one, two)


@harness.test("sshd is killed in Perform: the guest goes on, and migrates after all", timeout=400)
def cut_in_perform(t):
    with ssh_server(t) as sshd, hosts(t) as (one, two):
        guest = running_guest(t, one)
        for options in (["--p2p", "--tunnelled"], ["--p2p"]):
            process = begin_slowly(one, guest, two.ssh(sshd), *options)
            sshd.kill_sessions()
            _, said = process.communicate(timeout=120)
            assert process.returncode == 1, said
            assert ("perform: " in said or "finish" in said) and "onnection" in said, said
            expect_at(guest, one, two)
        one.stasis("migrate", guest.name, two.ssh(sshd), "--live", "--p2p", "--tunnelled")
        expect_at(guest, two, one)


@harness.test("the connections are lost once all is sent: the source asks through a new one", timeout=400)
def cut_at_the_end(t):
    with ssh_server(t) as sshd, hosts(t, STASIS_FAULT="migrate-out-completed=stop") as (one, two):
        guest = running_guest(t, one)
        process = t.start("-c", one.unix(), "migrate", guest.name, two.ssh(sshd), "--live", "--p2p", "--tunnelled")
        harness.wait_for(lambda: process.poll() is not None or harness.is_stopped(one.daemon.process.pid),
                         "all to be sent")
        assert process.poll() is None, process.communicate()
        before = sshd.said().count("Accepted publickey")
        sshd.kill_sessions()
        os.kill(one.daemon.process.pid, 18)  # SIGCONT
        _, said = process.communicate(timeout=120)
        assert process.returncode == 1, said
        assert sshd.said().count("Accepted publickey") > before, sshd.said()
        expect_at(guest, one, two)


if __name__ == "__main__":
    harness.main()
