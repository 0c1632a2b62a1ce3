#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that may run at the destination of its migration, which cannot be asked: what can be done with it."""

import contextlib
import hashlib
import hmac
import json
import socket
import threading

import harness

TOKEN = "00112233445566778899aabbccddeeff"
SECRET = "0f" * 32
UNDECIDED = {"token": TOKEN, "secret": SECRET, "peer": "qemu+ssh://elsewhere/system", "doors": ["unix:///no/such/door"], "flags": 3,
             "was-running": True}


UNDEFINE = 16


def define(t, guest):
    t.stasis("define", guest.xml_file())
    guest.uuid = t.stasis("domuuid", guest.name).stdout.strip()


def note_path(t, guest):
    return t.state / "lib" / "migrating" / guest.uuid


def write_note(t, guest, **more):
    """As a host that went down leaves it."""
    path = note_path(t, guest)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps({"format": 1, "name": guest.name, "migration": {**UNDECIDED, **more}}))


def undecided_guest(t, **more):
    """As recovery leaves it."""
    guest = t.boot_sector_guest()
    define(t, guest)
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    t.stasis("suspend", guest.name)
    write_note(t, guest, **more)
    path = t.run_folder(guest) / "status.json"
    status = json.loads(path.read_text())
    status["undecided-migration"] = {**UNDECIDED, "note": str(note_path(t, guest)), **more}
    new = path.with_name("status.json.new")
    new.write_text(json.dumps(status))
    new.rename(path)
    return guest


def fails(t, *command):
    result = t.stasis(*command, check=False)
    assert result.returncode == 1, result
    return result.stderr


def prove(word, *words):
    return hmac.new(SECRET.encode(), " ".join((word, TOKEN, *words)).encode(), hashlib.sha256).hexdigest()


@contextlib.contextmanager
def door(t, answer):
    """Who answers for the destination."""
    path = t.dir / "door"

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                if lines.read(55)[-6:] == b" ask \n":
                    connection.sendall(b"ok\n")
                    question, nonce, proof = lines.read(106).decode().split()
                    assert proof == prove("ask", nonce, question), question
                    if question != "settled":
                        asked.append(question)
                    connection.sendall(f"{answer:<7} {prove('answer', nonce, question, answer)}\n".encode())

    asked = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"unix://{path}", asked
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)
        path.unlink()


@harness.test("it is shown, and neither let run nor saved")
def shown(t):
    guest = undecided_guest(t)
    last = guest.last_tick()
    assert t.domstate(guest, "--reason") == "paused (migration undecided)", t.domstate(guest, "--reason")
    assert guest.name in t.stasis("list").stdout
    assert "paused" in t.stasis("dominfo", guest.name).stdout
    t.stasis("dumpxml", guest.name)
    for command in (["resume", guest.name], ["save", guest.name, t.dir / "image"], ["managedsave", guest.name]):
        result = t.stasis(*command, check=False)
        assert result.returncode == 1 and "stasis migrate-resolve" in result.stderr, result.stderr
    assert not (t.dir / "image").exists()
    for command in (["reset", guest.name], ["reboot", guest.name], ["shutdown", guest.name],
                    ["setvcpus", guest.name, "1", "--live"]):
        assert "stasis migrate-resolve" in fails(t, *command), command
    assert guest.last_tick() == last and guest.boots() == 1, "the guest runs"
    assert t.domstate(guest, "--reason") == "paused (migration undecided)", t.domstate(guest, "--reason")


@harness.test("it can be destroyed, with a warning")
def destroyed(t):
    guest = undecided_guest(t)
    result = t.stasis("destroy", guest.name)
    assert "destination" in result.stderr, result.stderr
    assert t.domstate(guest, "--reason") == "shut off (destroyed)", t.domstate(guest, "--reason")
    assert "stasis migrate-resolve" in fails(t, "start", guest.name), "the destination may have it all the same"
    t.stasis("migrate-resolve", guest.name, "--revoked")
    t.stasis("start", guest.name)


@harness.test("who lets it run by QEMU's monitor finds it paused again")
def let_run(t):
    guest = undecided_guest(t)
    t.stasis("qemu-monitor-command", guest.name, json.dumps({"execute": "cont"}))
    harness.wait_for(lambda: t.qmp_command(guest, "query-status")["status"] == "paused", "it to be paused")
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "paused (migration undecided)", "that to be told")


@harness.test("people decide that it goes on here")
def revoked_by_hand(t):
    guest = undecided_guest(t)
    last = guest.last_tick()
    assert "cannot be asked" in fails(t, "migrate-resolve", guest.name)
    assert "mutually exclusive" in t.stasis("migrate-resolve", guest.name, "--begun", "--revoked", check=False).stderr
    assert guest.last_tick() == last and note_path(t, guest).exists()
    said = t.stasis("migrate-resolve", guest.name, "--revoked").stdout
    assert "goes on here" in said, said
    guest.wait_for_tick(last + 2)
    assert t.domstate(guest) == "running" and "undecided-migration" not in t.status(guest)
    assert guest.damaged_pages() == 0 and not note_path(t, guest).exists()
    assert "is undecided" in fails(t, "migrate-resolve", guest.name, "--revoked")
    t.stasis("reset", guest.name)


@harness.test("people decide that it has left")
def begun_by_hand(t):
    guest = undecided_guest(t)
    said = t.stasis("migrate-resolve", guest.name, "--begun").stdout
    assert "has migrated" in said, said
    assert t.domstate(guest, "--reason") == "shut off (migrated)", t.domstate(guest, "--reason")
    assert not note_path(t, guest).exists()
    assert "is undecided" in fails(t, "migrate-resolve", guest.name)


@harness.test("its definition goes with it where the migration was to undefine it, whoever finds that out")
def undefined(t):
    for by_hand in (True, False):
        if by_hand:
            guest = undecided_guest(t, flags=UNDEFINE)
            t.stasis("migrate-resolve", guest.name, "--begun")
        else:
            with door(t, "begun") as (address, _):
                guest = undecided_guest(t, flags=UNDEFINE, doors=[address])
                harness.wait_for(lambda: not t.run_folder(guest).exists(), "the copy to end")
        assert guest.name not in t.stasis("list", "--all", "--name").stdout.split()
        assert not note_path(t, guest).exists()
        assert not list((t.state / "config" / "by-uuid").iterdir())


@harness.test("what the destination says holds against what people say")
def contradicted(t):
    for answer, option in (("begun", "--revoked"), ("revoked", "--begun"), ("waiting", "--begun")):
        guest = undecided_guest(t)
        t.stasis("destroy", guest.name)
        with door(t, answer) as (address, asked):
            write_note(t, guest, doors=[address])
            said = fails(t, "migrate-resolve", guest.name, option)
            assert "has just said" in said, said
            assert note_path(t, guest).exists() and asked == ["revoke" if option == "--revoked" else "status"], asked
        note_path(t, guest).unlink()
        t.stasis("undefine", guest.name)


@harness.test("a domain whose host went down does not start before it is decided")
def host_down(t):
    guest = t.boot_sector_guest()
    define(t, guest)
    t.stasis("autostart", guest.name)
    write_note(t, guest)
    assert "stasis migrate-resolve" in fails(t, "start", guest.name)
    assert "stasis migrate-resolve" in fails(t, "autostart", "--start")
    assert t.domstate(guest) == "shut off"
    assert "cannot be asked" in fails(t, "migrate-resolve", guest.name)
    assert "may be started" in t.stasis("migrate-resolve", guest.name, "--revoked").stdout
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    assert not note_path(t, guest).exists()


@harness.test("it starts where its destination can be asked, and has revoked")
def host_down_revoked(t):
    guest = t.boot_sector_guest()
    define(t, guest)
    with door(t, "waiting") as (address, asked):
        write_note(t, guest, doors=[address])
        assert "stasis migrate-resolve" in fails(t, "start", guest.name)
        assert "nothing is decided" in fails(t, "migrate-resolve", guest.name)
    with door(t, "revoked") as (address, more):
        t.stasis("start", guest.name)
    assert set(asked + more) == {"status"}, (asked, more)
    guest.wait_for_tick(2)
    assert not note_path(t, guest).exists()


@harness.test("a note that cannot be read keeps it from starting, and says so")
def damaged_note(t):
    guest = t.boot_sector_guest()
    define(t, guest)
    for text in ("", "{", "[]", '{"migration": 1}', '{"migration": {"token": "x"}}', " " * 70000):
        write_note(t, guest)
        note_path(t, guest).write_text(text)
        assert str(note_path(t, guest)) in fails(t, "start", guest.name), text
    note_path(t, guest).unlink()
    t.stasis("start", guest.name)


if __name__ == "__main__":
    harness.main()
