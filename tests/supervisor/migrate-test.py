#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Migrations whose drivers die, with real QEMUs: whose the guest is afterwards."""

import hashlib
import hmac
import json
import shutil
import socket
import sys
import tempfile
import threading

from stage import Domain, eventually, run

TOKEN = "00112233445566778899aabbccddeeff"
HELLO = f"stasis-migrate/1 {TOKEN} ask \n".encode()
SECRET = "0f" * 32
QUESTION = 106  # octets
LONG = 60  # seconds


def prove(*words):
    return hmac.new(SECRET.encode(), " ".join(words).encode(), hashlib.sha256).hexdigest()


class Door:
    """A destination that is asked, written after its description and not after its source."""

    def __init__(self, path, answer):
        self.path, self.answer, self.asked = path, answer, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as lines:
                if lines.read(len(HELLO)) != HELLO:
                    continue
                peer.sendall(b"ok\n")
                question, nonce, proof = lines.read(QUESTION).decode().split()
                assert proof == prove("ask", TOKEN, nonce, question), question
                self.asked.append(question)
                answer = self.answer
                peer.sendall(f"{answer:<7} {prove('answer', TOKEN, nonce, question, answer)}\n".encode())


def migration(domain, **more):
    return {"token": TOKEN, "secret": SECRET, "peer": "qemu+ssh://elsewhere/system", "flags": 3,
            "doors": [f"unix://{domain.root}/door"], **more}


def journal(domain, step, was_running=True, **more):
    return {"step": step, "operation": "migrate", "was-running": was_running,
            "migration": migration(domain, **more)}


def command(name, **arguments):
    return {"execute": name, "arguments": arguments}


def begin(domain, other, bandwidth=0):
    """What a source asks of QEMU, up to the migration itself."""
    uri = f"unix:{other.root}/data"
    other.qmp("migrate-incoming", uri=uri)
    return [
        command("migrate-set-capabilities",
                capabilities=[{"capability": "pause-before-switchover", "state": True}]),
        command("migrate-set-parameters", **{"max-bandwidth": bandwidth}),
        command("migrate", uri=uri)]


def migration_status(domain):
    return domain.qmp("query-migrate").get("status")


def owner_status(domain):
    """By the supervisor's way: monitor.sock is the owner's.  No event tells that all is sent: it has to look anew."""
    domain.control().ask(do="sync")
    return domain.control().ask(do="state")["run-state"]


def expect_running(domain):
    eventually(lambda: "job" not in domain.status() and "undecided-migration" not in domain.status(),
               "the journal is cleared", LONG)
    eventually(lambda: domain.qmp("query-status")["status"] == "running", "the guest runs", LONG)
    assert not any(one["state"] for one in domain.qmp("query-migrate-capabilities")), "reset"


def expect_undecided(domain):
    eventually(lambda: "undecided-migration" in domain.status(), "it is undecided", LONG)
    status = domain.status()
    assert "job" not in status and status["undecided-migration"]["token"] == TOKEN, status
    assert domain.qmp("query-status")["status"] != "running"


def kill(owner):
    owner.kill()
    owner.wait()


def incoming(**more):
    return Domain("idle", args=["-incoming", "defer"], supervise=False, **more)


# --- source, sending ----------------------------------------------------------------------------

def sending_active():
    with Domain("idle", run=True) as domain, incoming() as other:
        owner = domain.own(*begin(domain, other, bandwidth=1000),
                           **journal(domain, "migrate-sending"))
        kill(owner)
        expect_running(domain)


def sending_stopped():
    """All of memory is there, and the guest waits for migrate-continue: it goes on here."""
    with Domain("idle", run=True) as domain, incoming() as other:
        owner = domain.own(*begin(domain, other), **journal(domain, "migrate-sending"))
        eventually(lambda: owner_status(domain) == "finish-migrate", "the guest stands", LONG)
        kill(owner)
        expect_running(domain)
        eventually(lambda: other.qemu.poll() is not None, "the other one has ended", LONG)


def sending_of_paused():
    with Domain("idle") as domain, incoming() as other:
        owner = domain.own(*begin(domain, other, bandwidth=1000),
                           **journal(domain, "migrate-sending", was_running=False))
        kill(owner)
        eventually(lambda: "job" not in domain.status(), "the journal is cleared", LONG)
        assert domain.qmp("query-status")["status"] in ("paused", "prelaunch")


# --- source, handed -----------------------------------------------------------------------------

def hand_over(domain, other):
    """The whole guest goes to the other QEMU, and nobody knows whether it has begun there."""
    commands = begin(domain, other)
    commands[0]["arguments"]["capabilities"] = []
    owner = domain.own(*commands, **journal(domain, "migrate-handed"))
    eventually(lambda: owner_status(domain) == "postmigrate", "all is sent", LONG)
    eventually(lambda: other.qmp("query-status")["status"] == "paused", "all has come", LONG)
    kill(owner)


def handed_revoked():
    with Domain("idle", run=True) as domain, incoming() as other:
        door = Door(f"{domain.root}/door", "revoked")
        hand_over(domain, other)
        expect_running(domain)
        eventually(lambda: door.asked == ["revoke", "settled"], "the destination to be asked, and told that this is all", LONG)


def handed_begun():
    with Domain("idle", run=True) as domain, incoming() as other:
        door = Door(f"{domain.root}/door", "begun")
        hand_over(domain, other)
        domain.expect_end("migrated", LONG)
        eventually(lambda: door.asked == ["revoke", "settled"], "the destination to be asked, and told that this is all", LONG)


def handed_unreachable_then_revoked():
    """It stays paused until the destination can be asked, and resolves itself then."""
    with Domain("idle", run=True) as domain, incoming() as other:
        hand_over(domain, other)
        expect_undecided(domain)
        door = Door(f"{domain.root}/door", "revoked")
        expect_running(domain)
        eventually(lambda: door.asked[-1:] == ["settled"], "it says that it asks no more", LONG)


def handed_unreachable_then_begun():
    with Domain("idle", run=True) as domain, incoming() as other:
        hand_over(domain, other)
        expect_undecided(domain)
        door = Door(f"{domain.root}/door", "begun")
        domain.expect_end("migrated", LONG)
        eventually(lambda: door.asked[-1:] == ["settled"], "it says that it asks no more", LONG)


def handed_new_supervisor():
    """A later supervisor goes on to ask."""
    with Domain("idle", run=True) as domain, incoming() as other:
        hand_over(domain, other)
        expect_undecided(domain)
        domain.kill_supervisor()
        door = Door(f"{domain.root}/door", "waiting")
        domain.ensure()
        eventually(lambda: len(door.asked) >= 3, "it asks again and again", LONG)
        expect_undecided(domain)
        door.answer = "begun"
        domain.expect_end("migrated", LONG)


def handed_garbage():
    with Domain("idle", run=True) as domain, incoming() as other:
        door = Door(f"{domain.root}/door", "BEGUN")
        hand_over(domain, other)
        eventually(lambda: len(door.asked) >= 3, "it asks again and again", LONG)
        expect_undecided(domain)


def handed_qemu_dead():
    for answer, reason in (("begun", "migrated"), ("waiting", "crashed")):
        with Domain("idle", run=True) as domain:
            door = Door(f"{domain.root}/door", answer)
            owner = domain.own(**journal(domain, "migrate-handed"))
            domain.qemu.kill()
            kill(owner)
            domain.expect_end(reason, LONG)
            assert "revoke" not in door.asked, door.asked


def sent_although_sending():
    """QEMU knows better than the journal what has left: the destination is asked."""
    with Domain("idle", run=True) as domain, incoming() as other:
        commands = begin(domain, other)
        commands[0]["arguments"]["capabilities"] = []
        owner = domain.own(*commands, **journal(domain, "migrate-sending"))
        eventually(lambda: owner_status(domain) == "postmigrate", "all is sent", LONG)
        kill(owner)
        expect_undecided(domain)
        Door(f"{domain.root}/door", "revoked")
        expect_running(domain)


# --- destination --------------------------------------------------------------------------------

class Verdicts:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="stasis-verdicts-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def write(self, verdict):
        with open(f"{self.folder}/{TOKEN}", "w", encoding="utf-8") as file:
            json.dump({"format": 1, "token": TOKEN, "verdict": verdict}, file)

    def read(self):
        with open(f"{self.folder}/{TOKEN}", encoding="utf-8") as file:
            return json.load(file)


def incoming_revoked():
    with Verdicts() as verdicts, Domain("idle", args=["-incoming", "defer"]) as domain:
        owner = domain.own(**journal(domain, "migrate-incoming", verdicts=verdicts.folder))
        kill(owner)
        domain.expect_end("failed", LONG)
        said = verdicts.read()
        assert said["verdict"] == "revoked" and said["name"] == "guest", said


def receive(step, verdicts, was_running=True, prepare=lambda: None):
    """All of a guest has come to a domain whose driver dies then."""
    source = Domain("idle", run=True, supervise=False)
    domain = Domain("idle", args=["-incoming", "defer"])
    commands = begin(source, domain)
    owner = domain.own(**journal(domain, step, was_running, verdicts=verdicts.folder))
    source.qmp("migrate", **commands[2]["arguments"])
    eventually(lambda: owner_status(domain) == "paused", "all has come", LONG)
    prepare()
    kill(owner)
    return source, domain


def incoming_complete():
    """Nobody has said that it has begun: it is the source's, however complete."""
    with Verdicts() as verdicts:
        source, domain = receive("migrate-incoming", verdicts)
        with source, domain:
            domain.expect_end("failed", LONG)
            assert verdicts.read()["verdict"] == "revoked"


def incoming_decided():
    """Somebody has, and died before the journal said so."""
    with Verdicts() as verdicts:
        source, domain = receive("migrate-incoming", verdicts,
                                 prepare=lambda: verdicts.write("begun"))
        with source, domain:
            eventually(lambda: "job" not in domain.status(), "the journal is cleared", LONG)
            assert domain.qmp("query-status")["status"] == "running"
            assert verdicts.read()["verdict"] == "begun"


def begun():
    with Verdicts() as verdicts:
        verdicts.write("begun")
        for was_running, state in ((True, "running"), (False, "paused")):
            source, domain = receive("migrate-begun", verdicts, was_running)
            with source, domain:
                eventually(lambda: "job" not in domain.status(), "the journal is cleared", LONG)
                assert domain.qmp("query-status")["status"] == state


if __name__ == "__main__":
    sys.exit(run("migrate", [
        sending_active, sending_stopped, sending_of_paused, handed_revoked, handed_begun,
        handed_unreachable_then_revoked, handed_unreachable_then_begun, handed_new_supervisor,
        handed_garbage, handed_qemu_dead, sent_although_sending, incoming_revoked,
        incoming_complete, incoming_decided, begun]))
