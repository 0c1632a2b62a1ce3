#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ways by which a migration's octets go between two daemons: by ssh, and through a tunnel."""

import contextlib
import os
import pathlib
import shutil

import harness
from routes import begin_slowly, doors, expect_at, fails, hosts, running_guest


@contextlib.contextmanager
def ssh_server(t, config=""):
    """One of this test's own, which finds our helper."""
    harness.ssh_server()  # or a Skip
    import sshd  # pylint: disable=import-outside-toplevel
    path = f"{pathlib.Path(harness.STASIS).parent}:{os.environ['PATH']}"
    with sshd.sshd(t.dir / "sshd", config=config, env={"PATH": path}) as server:
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
    if not shutil.which("virsh"):
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


def who_goes(sshd):
    """The programs that are logged in, by what sshd was told of them."""
    return [line.rpartition("remote software version ")[2] for line in sshd.said().splitlines()
            if "remote software version" in line]


def processes_with(word):
    """Those that were started with it."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word in file.read_bytes().decode(errors="replace"):
                found.append(file.parent.name)
    return found


@harness.test("a tunnel goes by the program ssh, and by libssh2 where that would not understand the key's path")
def by_program(t):
    with ssh_server(t, "LogLevel DEBUG1\n") as sshd, hosts(t) as (one, two):
        guest = running_guest(t, one)
        strange = t.dir / "id $HOME %h"
        shutil.copy(sshd.key, strange)
        shutil.copy(f"{sshd.key}.pub", f"{strange}.pub")
        for key, (here, there), program in ((sshd.key, (one, two), True), (strange, (two, one), False)):
            before = len(who_goes(sshd))
            here.stasis("migrate", guest.name, there.ssh(sshd, keyfile=key), "--live", "--p2p", "--tunnelled")
            expect_at(guest, there, here)
            programs = who_goes(sshd)[before:]
            assert len(programs) == 3 and ("OpenSSH" in "".join(programs)) == program, programs
        process = begin_slowly(one, guest, two.ssh(sshd), "--p2p", "--tunnelled")
        key = f"IdentityFile={sshd.key}"
        assert processes_with(key), "no ssh"
        one.stasis("domjobabort", guest.name)
        process.communicate(timeout=60)
        harness.wait_for(lambda: not processes_with(key), "the program to end")


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
