#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The control socket: states, jobs, limits; and supervisors that are replaced."""

import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time

from stage import Domain, eventually, has_ended, run

RSS_MAX_KIB = 8 * 1024


def states():
    with Domain("idle") as domain:
        assert domain.state() == "3 user", domain.state()
        domain.qmp("cont")
        domain.client("sync")
        assert domain.state() == "1 booted", domain.state()
        for _ in range(20):
            domain.qmp("stop")
            domain.client("sync")
            assert domain.state() == "3 user", domain.state()
            domain.qmp("cont")
            domain.client("sync")
            assert domain.state() == "1 unpaused", domain.state()


def state_reply():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        reply = domain.control().ask(do="state")
        assert reply["ok"] and reply["qemu-pid"] == domain.qemu.pid, reply
        assert reply["supervisor-pid"] == domain.supervisor() and "job" not in reply, reply


def socket_mode():
    with Domain("idle") as domain:
        assert stat.S_IMODE(os.stat(f"{domain.folder}/control.sock").st_mode) == 0o600


def starting_up():
    with Domain("idle") as domain:
        domain.own(step="start", operation="start")
        assert domain.state() == "3 starting up", domain.state()


def replaced():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        domain.kill_supervisor()
        answer = domain.client("state", check=False)
        assert "supervisor of domain 'guest' does not answer" in answer, answer
        domain.ensure()
        assert domain.state() == "1 booted", domain.state()
        domain.qmp("stop")
        domain.qmp("cont")
        domain.client("sync")
        domain.kill_supervisor()
        domain.ensure()
        assert domain.state() == "1 unpaused", domain.state()
        domain.qmp("stop")
        domain.client("sync")
        domain.kill_supervisor()
        domain.ensure()
        assert domain.state() == "3 user", domain.state()


def only_one():
    with Domain("idle") as domain:
        first = domain.supervisor()
        domain.ensure()
        assert domain.supervisor() == first
        domain.kill_supervisor()
        clients = [subprocess.Popen([os.environ["STASIS_TEST_CLIENT"], domain.folder, "ensure"],
                                    stdout=subprocess.PIPE) for _ in range(6)]
        for client in clients:
            output, _ = client.communicate(timeout=60)
            assert client.returncode == 0, output
        assert domain.supervisor() != first


def cannot_start():
    with Domain("idle", supervise=False) as domain:
        os.mkdir(f"{domain.folder}/control.sock")
        answer = domain.client("ensure", check=False)
        assert "ended at once" in answer and "control.sock" in answer, answer
        os.rmdir(f"{domain.folder}/control.sock")
        domain.ensure()


def job():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        assert json.loads(domain.client("job"))["state"] == "none"
        answer = domain.client("abort", check=False)
        assert answer.startswith("error 4 domain 'guest': no job"), answer
        owner = domain.own(step="save", **{"was-running": True})
        eventually(lambda: json.loads(domain.client("job"))["bytes-processed"] > 1, "progress")
        stats = json.loads(domain.client("job"))
        assert stats["state"] == "active" and stats["operation"] == "save", stats
        assert stats["owner-pid"] == owner.pid and stats["bytes-total"] == 1000, stats
        assert domain.control().ask(do="state")["job"]["operation"] == "save"
        other = domain.control().ask(do="job-begin", operation="dump")
        assert not other["ok"] and other["code"] == "busy" and str(owner.pid) in other["error"]
        domain.client("abort")
        assert owner.stdout.readline().strip() == "aborted"
        assert owner.wait(60) == 0
        assert json.loads(domain.client("job"))["state"] == "none"
        assert domain.state() == "1 booted", domain.state()


def watched():
    """Who watches hears of each change, however many there are between two questions."""
    def words(reply):
        assert reply["ok"], reply
        return [f"{event['state']} {event['reason']}" for event in reply["events"] if "state" in event]

    def hear(control, reply, what):
        """The first reply with more than QEMU's own words."""
        while not (found := what(reply)):
            reply = control.ask(do="watch", after=reply["number"])
        return found, reply["number"]

    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        watcher, idle = domain.control(), domain.control()
        first = watcher.ask(do="watch")
        assert words(first) == ["1 booted"], first
        idle.send(do="watch", after=first["number"])
        assert words(watcher.ask(do="watch", after=0))[-1] == "1 booted"
        for _ in range(40):
            domain.qmp("stop")
            domain.qmp("cont")
        domain.client("sync")
        reply = idle.receive()
        assert reply["events"][0]["qemu"] == "STOP", reply
        assert hear(idle, reply, words)[0][0] == "3 user"
        # Of states as many as are kept, and none was pushed out by what QEMU said.
        reply = watcher.ask(do="watch", after=first["number"])
        assert reply["lost"] and words(reply) == ["3 user", "1 unpaused"] * 32, reply
        idle.send(do="watch", after=reply["number"])
        assert watcher.ask(do="device-added", alias="net7")["ok"]
        said = idle.receive()
        assert said["events"] == [{"device-added": "net7"}], said
        for alias in (None, "", "x" * 256, 7):
            assert watcher.ask(do="device-added", alias=alias)["code"] == "request"
        idle.send(do="watch", after=said["number"])
        owner = domain.own(step="save", **{"was-running": True})
        domain.client("abort")
        assert owner.wait(60) == 0
        job = hear(idle, idle.receive(), lambda said: [one["job"] for one in said["events"] if "job" in one])[0][0]
        assert job["operation"] == "save" and job["owner-pid"] == owner.pid, job


def staying():
    """Who stays is told without asking, before whoever did it hears that it is done; and may ask as well."""
    def reasons(lines):
        return [event["reason"] for line in lines for event in line.get("events", []) if "reason" in event]

    def heard(watcher):
        """What has come already: nothing is waited for."""
        watcher.socket.setblocking(False)
        try:
            return reasons([json.loads(line) for line in watcher.socket.recv(65536).splitlines()])
        except BlockingIOError:
            return []
        finally:
            watcher.socket.settimeout(60)

    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        watcher, silent = domain.control(), domain.control()
        first = watcher.ask(do="watch", stay=True)
        assert first["stay"] and reasons([first]) == ["booted"], first
        silent.send(do="watch", stay=True, after=0)
        for _ in range(20):
            domain.qmp("stop")
            domain.client("sync")
            assert heard(watcher) == ["user"]
            domain.qmp("cont")
            domain.client("sync")
            assert heard(watcher) == ["unpaused"]
        assert watcher.ask(do="state")["reason"] == "unpaused"
        # Pipelined, and told of something in between.
        watcher.socket.sendall(b'{"do":"state"}\n{"do":"sync"}\n{"do":"state"}\n')
        domain.qmp("stop")
        domain.client("sync")
        lines = []
        while sum("ok" in line for line in lines) < 3 or not reasons(lines):
            lines.append(watcher.receive())
        assert all(line.get("ok", True) for line in lines) and reasons(lines) == ["user"], lines
        # Nobody has to take what he is told, and nobody else waits for that.
        owner = domain.control()
        for _ in range(16):
            assert owner.ask(do="job-begin", operation="save")["ok"]
            assert owner.ask(do="job-end", stats={"state": "failed", "error": "x" * 50000})["ok"]
        assert domain.state() == "3 user", domain.state()
        try:
            while True:
                silent.receive()
        except EOFError:
            pass  # it was given up, and can ask anew


def job_reasons():
    """Who watches hears why a guest stands still also where only the job has changed."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        domain.qmp("stop")
        domain.client("sync")
        watcher = domain.control()
        after = watcher.ask(do="watch")["number"]
        owner = domain.own(step="save", **{"was-running": False})
        reply = watcher.ask(do="watch", after=after)
        assert [event["reason"] for event in reply["events"]] == ["saving"], reply
        assert watcher.ask(do="watch")["events"][0]["reason"] == "saving"
        domain.client("abort")
        assert owner.wait(60) == 0
        eventually(lambda: domain.control().ask(do="watch")["events"][0]["reason"] == "user", "it stands still by itself")


def waiting_watchers():
    """However many watch, nobody who asks is locked out by them."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        watchers = [domain.control() for _ in range(40)]
        for watcher in watchers:
            try:
                watcher.send(do="watch", after=10**6)
            except OSError:
                pass  # it has made room
        domain.wait_state("1 booted")  # once it has read what they ask, in the middle of which nobody is dropped
        owner = domain.own(step="save", **{"was-running": True})
        eventually(lambda: json.loads(domain.client("job"))["state"] == "active", "the job is known")
        domain.client("abort")
        assert owner.wait(60) == 0
        for watcher in watchers:
            watcher.close()


def job_survives_supervisor():
    """The owner finds the new supervisor by itself; before that, the journal tells of it."""
    with Domain("idle", run=True) as domain:
        owner = domain.own({"execute": "stop"}, step="save", **{"was-running": True})
        domain.client("sync")
        assert domain.state() == "3 saving", domain.state()
        domain.kill_supervisor()
        os.kill(owner.pid, signal.SIGSTOP)
        domain.ensure()
        assert domain.state() == "3 saving", domain.state()
        stats = json.loads(domain.client("job"))
        assert stats["operation"] == "save" and stats["owner-pid"] == owner.pid, stats
        domain.client("abort")
        time.sleep(0.5)
        assert domain.state() == "3 saving", "a stopped owner is not dead"
        os.kill(owner.pid, signal.SIGCONT)
        eventually(lambda: owner.poll() is not None, "the owner was told to abort")
        assert owner.returncode == 0


def paused_reasons():
    with Domain("idle", run=True) as domain:
        domain.own({"execute": "stop"}, step="save", operation="managedsave",
                   **{"was-running": True})
        domain.client("sync")
        assert domain.state() == "3 saving", domain.state()


def end_of_job():
    """Whoever is told that the job is over finds the guest as the job has left it."""
    with Domain("idle", run=True, late=True) as domain:
        domain.client("sync")
        for is_pause_seen, operation in ((True, "save"), (False, "save"), (False, "checkpoint")):
            owner = domain.control()
            before = domain.state()
            assert owner.ask(do="job-begin", operation=operation)["ok"]
            domain.qmp("stop")
            if is_pause_seen:
                domain.client("sync")
                assert domain.state() == "3 saving", domain.state()
            domain.qmp("cont")
            assert owner.ask(do="job-end", stats={"state": "cancelled" if operation == "save" else "completed"})["ok"]
            assert domain.state() == ("1 save canceled" if operation == "save" else before), domain.state()
            domain.qmp("stop")
            domain.qmp("cont")
            domain.client("sync")
            assert domain.state() == "1 unpaused", domain.state()


def end_of_recovery():
    """The same where the owner of the job died."""
    with Domain("idle", run=True, late=True) as domain:
        domain.client("sync")
        owner = domain.own({"execute": "stop"}, step="save", **{"was-running": True})
        domain.client("sync")
        assert domain.state() == "3 saving", domain.state()
        domain.late.hold()
        owner.kill()
        begin = time.monotonic()

        def is_undone():
            if time.monotonic() - begin > 2:  # QEMU was slow to greet: then the supervisor's own monitor is used
                domain.late.let_go()
            return json.loads(domain.client("job"))["state"] == "none"
        eventually(is_undone, "the job was undone")
        asking = subprocess.Popen([os.environ["STASIS_TEST_CLIENT"], domain.folder, "state"], stdout=subprocess.PIPE,
                                  text=True)
        try:
            asking.wait(1)  # it had better wait for QEMU
        except subprocess.TimeoutExpired:
            pass
        domain.late.let_go()
        answer, _ = asking.communicate(timeout=60)
        assert answer.strip() == "1 save canceled", answer


def hostile_octets():
    hostile = [
        b"\n\n\n", b"{}\n", b"[]\n", b"null\n", b"\0\n", b"\xff\xfe\n", b'{"do":7}\n',
        b'{"do":"no-such-thing"}\n', b'{"do":"job-begin"}\n', b'{"do":"job-begin","operation":""}\n',
        b'{"do":"job-begin","operation":"save","id":"../x"}\n', b'{"do":"job-begin","operation":"save","id":""}\n',
        b'{"do":"job-begin","operation":"' + b"x" * 5000 + b'"}\n', b'{"do":"job-stats"}\n',
        b'{"do":"job-end","stats":[]}\n', b"[" * 60000 + b"\n", b'{"a":' * 10000 + b"\n",
        b'{"do":"state","do":"state"}\n', b"\n" * 60000, os.urandom(50000) + b"\n",
    ]
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        pid = domain.supervisor()
        for octets in hostile:
            with socket.socket(socket.AF_UNIX) as end:
                end.settimeout(60)
                end.connect(f"{domain.folder}/control.sock")
                end.setblocking(False)
                try:
                    end.sendall(octets)
                except BlockingIOError:
                    pass  # it waits for us to take its replies
                end.settimeout(60)
                reply = end.recv(65536)
                first = json.loads(reply.split(b"\n")[0])
                assert first["ok"] is (b'"state"' in octets), (octets[:40], first)
        begun = domain.control()
        assert begun.ask(do="job-begin", operation="save")["ok"]
        for stats in (None, 7, {}, {"state": "odd"}, {"state": "active", "phase": 3}):
            reply = begun.ask(do="job-stats", stats=stats)
            assert reply["ok"] is (stats == {"state": "active", "phase": 3}), reply
        begun.close()
        assert domain.supervisor() == pid
        domain.wait_state("1 booted")


def too_long():
    with Domain("idle") as domain:
        end = domain.control()
        end.socket.sendall(b"x" * (65536 + 4096))
        reply = end.receive()
        assert not reply["ok"] and "too long" in reply["error"], reply
        try:
            assert end.socket.recv(1) == b""
        except ConnectionResetError:
            pass
        assert domain.state() == "3 user"


def pipelined():
    with Domain("idle") as domain:
        end = domain.control()
        end.socket.sendall(b'{"do":"sync"}\n{"do":"state"}\n{"do":"job-info"}\n{"do":"st')
        assert end.receive() == {"ok": True}
        assert end.receive()["state"] == 3
        assert end.receive() == {"ok": True}
        end.socket.sendall(b'ate"}\n')
        assert end.receive()["state"] == 3


def slow_reader_and_half_request():
    with Domain("idle") as domain:
        slow = domain.control()
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.socket.setblocking(False)
        sent = 0
        try:
            while sent < 10_000_000:
                sent += slow.socket.send(b'{"do":"state"}\n' * 100)
        except BlockingIOError:
            pass
        assert sent < 10_000_000, "it reads on without its replies being taken"
        half = domain.control()
        half.socket.sendall(b'{"do":')
        begin = time.monotonic()
        idle = domain.control()
        assert idle.ask(do="state")["ok"]
        assert half.socket.recv(1) == b""
        assert time.monotonic() - begin > 8
        hung_up = select.poll()
        hung_up.register(slow.socket, 0)
        assert hung_up.poll(60000), "it is given up; reading earlier would save it"
        slow.socket.settimeout(60)
        try:
            while slow.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        time.sleep(1)
        assert idle.ask(do="state")["ok"], "who waits between two requests is left alone"


def is_open(end):
    """Answered like any other, or closed before that."""
    try:
        return end.ask(do="state")["ok"]
    except (EOFError, OSError):
        return False


def idle_clients():
    """Whoever comes gets in: the connection that has been idle for longest makes room."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        job, *ends = [domain.control() for _ in range(32)]
        assert job.ask(do="job-begin", operation="save")["ok"]
        for end in ends[::-1]:
            assert end.ask(do="state")["ok"]
        assert domain.client("state") == "1 booted"
        new = domain.control()
        assert new.ask(do="state")["ok"], "no place for a new one"
        assert [is_open(end) for end in ends[-2:]] == [True, False], "not the oldest one was dropped"
        assert all(is_open(end) for end in ends[:-1]) and is_open(new)
        assert job.ask(do="job-stats", stats={"state": "active"})["ok"], "the job's place was taken"


def gone_clients():
    """One that has gone makes room before all others, whenever it was last heard of."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        supervisor = domain.supervisor()
        ends = [domain.control() for _ in range(32)]
        assert all(end.ask(do="state")["ok"] for end in ends)
        os.kill(supervisor, signal.SIGSTOP)
        ends.pop().socket.close()
        new = domain.control()
        os.kill(supervisor, signal.SIGCONT)
        assert new.ask(do="state")["ok"], "no place for a new one"
        assert all(is_open(end) for end in ends), "a living one was dropped"


def busy_clients():
    """Nobody who is in the middle of something is dropped."""
    with Domain("idle") as domain:
        ends = [domain.control() for _ in range(32)]
        for end in ends:
            end.socket.sendall(b'{"do":')
        refused = domain.control()
        reply = refused.receive()
        assert not reply["ok"] and "too many" in reply["error"], reply
        for end in ends:
            end.socket.sendall(b'"state"}\n')
        assert all(end.receive()["ok"] for end in ends)
        assert domain.client("state") == "3 user"


def vm_rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def memory():
    """Resident memory, after some work and with all places taken."""
    with Domain("idle", run=True) as domain:
        pid = domain.supervisor()
        at_rest = vm_rss_kib(pid)
        ends = [domain.control() for _ in range(32)]
        for _ in range(50):
            for end in ends:
                assert end.ask(do="state")["ok"]
        busy = vm_rss_kib(pid)
        for end in ends:
            end.close()
        domain.wait_state("1 booted")
        owner = domain.own({"execute": "stop"}, step="save", **{"was-running": True})
        owner.kill()
        domain.wait_state("1 save canceled")
        after = vm_rss_kib(pid)
        print(f"# VmRSS: {at_rest} KiB at rest, {busy} KiB with 32 clients, {after} KiB after a "
              "recovery")
        if not os.environ.get("STASIS_TEST_SANITIZED"):
            assert max(at_rest, busy, after) <= RSS_MAX_KIB


def own_log():
    """What it says itself does not fill the disk, while it lives and when the next one comes."""
    with Domain("idle") as domain:
        log, newer, older = (f"{domain.root}/log/guest.supervisor.log{end}" for end in ("", ".0", ".1"))
        for size in (3 << 20, 5 << 20):
            with open(log, "ab") as file:
                file.write(b"a line of sixteen\n" * (size // 18))
            eventually(lambda: os.path.getsize(log) < 1 << 20, "the log was cut", 60)
            assert 1 << 20 < os.path.getsize(newer) <= 3 << 20, os.path.getsize(newer)
        assert not os.path.exists(older)
        with open(log, "ab") as file:
            file.write(b"the last words\n" * ((3 << 19) // 15))
        domain.kill_supervisor()
        domain.ensure()
        assert os.path.getsize(log) < 1 << 20 and not os.path.exists(newer)
        with open(older, "rb") as file:
            assert file.read().endswith(b"the last words\n")


def no_descriptors_left():
    with Domain("idle") as domain:
        pid = domain.supervisor()
        domain.client("sync")
        before = len(os.listdir(f"/proc/{pid}/fd"))
        for _ in range(20):
            end = domain.control()
            end.ask(do="job-begin", operation="save")
            end.close()
        eventually(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before, "descriptors are closed")
        assert not has_ended(pid)


if __name__ == "__main__":
    sys.exit(run("control", [
        states, state_reply, socket_mode, starting_up, replaced, only_one, cannot_start, job,
        watched, staying, job_reasons, waiting_watchers, job_survives_supervisor, paused_reasons, end_of_job, end_of_recovery, hostile_octets, too_long, pipelined,
        slow_reader_and_half_request, idle_clients, gone_clients, busy_clients, memory,
        own_log, no_descriptors_left,
    ]))
