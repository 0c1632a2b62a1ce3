# SPDX-License-Identifier: LGPL-2.1-or-later
"""A migration's source, played by hand, and a process that is its destination.

    with Destination(t) as destination:
        source = Source(t, guest)
        prepared = source.prepare(destination)
        source.send(prepared)
        destination.finish(guest.name, source.final())

The source's guest is started by `stasis` in the test's own state directory; the destination has one of
its own, on the same host.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import socket
import subprocess
import threading

import harness

LIVE, PERSIST, PAUSED, OFFLINE, POSTCOPY, PARALLEL = 1, 8, 32, 1024, 32768, 131072
CLIENT = harness.BUILD / "tests" / "driver" / "migrate-in-client"
LONG = 60  # seconds
SECRETS = {}  # of each token, as Prepare's cookie said it


class Refused(AssertionError):
    """What the destination said no with."""

    def __init__(self, answer):
        self.answer = answer
        super().__init__(answer["error"])


class Destination:
    """A driver in a process of its own (tests/driver/migrate-in-client.c)."""

    def __init__(self, t, fault=None, config="", name="there"):
        self.t, self.state = t, t.dir / name
        folder = self.state / "config"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state.chmod(0o700)
        (folder / "stasis.conf").write_text(
            f"[emulators]\ndefault={harness.QEMU}\nallowed={harness.QEMU}\n{config}")
        more = {"STASIS_STATE_DIR": self.state} | ({"STASIS_FAULT": fault} if fault else {})
        self.log = open(t.dir / f"{name}.log", "ab")
        self.process = subprocess.Popen([CLIENT], env=t.environment(STASIS_LIBEXEC_DIR=harness.BUILD / "bin", **more),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.lock, self.answers, self.next = threading.Condition(), {}, 0
        threading.Thread(target=self.listen, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def listen(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            with self.lock:
                self.answers[answer["id"]] = answer
                self.lock.notify_all()
        with self.lock:
            self.answers[None] = True
            self.lock.notify_all()

    def begin(self, what, **arguments):
        """Call, and do not wait; returns what answer() takes."""
        self.next += 1
        self.process.stdin.write(json.dumps({"id": self.next, "do": what, **arguments}) + "\n")
        self.process.stdin.flush()
        return self.next

    def answer(self, number):
        with self.lock:
            assert self.lock.wait_for(lambda: number in self.answers or None in self.answers, LONG), "no answer"
            assert number in self.answers, "the destination's process has ended"
            answer = self.answers.pop(number)
        if "error" in answer:
            raise Refused(answer)
        return answer

    def call(self, what, **arguments):
        return self.answer(self.begin(what, **arguments))

    def finish(self, name, cookie, flags=LIVE, **arguments):
        more = {"cookie": cookie} if cookie is not None else {}
        return self.call("finish", name=name, flags=flags, **more, **arguments)

    def stasis(self, *arguments, **options):
        return self.t.stasis(*arguments, STASIS_STATE_DIR=self.state, **options)

    def query(self, name, command):
        """What QEMU answers."""
        return json.loads(self.stasis("qemu-monitor-command", name, json.dumps({"execute": command})).stdout)["return"]

    def run_folder(self, name):
        return self.state / "run" / "domains" / name

    def status(self, name):
        return json.loads((self.run_folder(name) / "status.json").read_text())

    def verdict(self, token):
        try:
            return json.loads((self.state / "lib" / "migrations" / token).read_text())["verdict"]
        except FileNotFoundError:
            return "open"

    def prepared(self, token):
        return self.state / "lib" / "migrations" / f"{token}.prepared"

    def definition(self, name):
        return self.state / "config" / "domains" / f"{name}.xml"

    def processes(self):
        """Those that belong to this state directory, but its driver."""
        mark = str(self.state)
        return {pid: text for pid, text in self.t.processes().items() if pid != self.process.pid
                and mark in text + environment_of(pid)}

    def expect_nothing(self, name):
        """Nothing is left of a migration that came to nothing."""
        harness.wait_for(lambda: not self.run_folder(name).exists(), "the run folder to go")
        harness.wait_for(lambda: not self.processes(), f"all processes to end: {self.processes()}")
        assert not self.definition(name).exists(), "a definition is left"
        listed = self.stasis("list", "--all", "--name").stdout.split()
        assert name not in listed, listed

    def close(self):
        """The driver is freed, and the process ends."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        assert self.process.wait(LONG) in (0, -9), self.said()
        self.log.close()

    def kill(self):
        harness.kill(self.process.pid)
        self.process.wait(LONG)

    def said(self):
        return (self.t.dir / "there.log").read_text(errors="replace")


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


class Qmp:
    """A monitor, one command after the other."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(LONG)
        self.stream = self.socket.makefile("r", encoding="utf-8")
        self.stream.readline()
        self.command("qmp_capabilities")

    def command(self, name, fds=(), **arguments):
        text = json.dumps({"execute": name, "arguments": arguments} if arguments else {"execute": name}).encode()
        if fds:
            socket.send_fds(self.socket, [text + b"\n"], fds)
        else:
            self.socket.sendall(text + b"\n")
        while True:
            answer = json.loads(self.stream.readline())
            if "error" in answer:
                raise AssertionError(f"{name}: {answer}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        self.stream.close()
        self.socket.close()


def connect(address, token, purpose):
    """A connection with its hello said; ConnectionError where the other one closes it."""
    if address.startswith("unix://"):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(address.removeprefix("unix://"))
    else:
        host, port = address.removeprefix("tcp:").rsplit(":", 1)
        peer = socket.create_connection((host.strip("[]"), int(port)), LONG)
    peer.settimeout(LONG)
    peer.sendall(f"stasis-migrate/1 {token} {purpose:4}\n".encode())
    said = b""
    while len(said) < 3:
        octets = peer.recv(3 - len(said))
        if not octets:
            peer.close()
            raise ConnectionError("the hello was not welcome")
        said += octets
    assert said == b"ok\n", said
    return peer


def prove(secret, *words):
    return hmac.new(secret.encode(), " ".join(words).encode(), hashlib.sha256).hexdigest()


def ask(door, token, question, secret=None):
    """What the destination says at its door, which has to be proved; None where it does not."""
    secret, nonce = secret or SECRETS.get(token) or secrets.token_hex(32), secrets.token_hex(16)
    with connect(door, token, "ask") as peer, peer.makefile("rb") as lines:
        peer.sendall(f"{question:7} {nonce} {prove(secret, 'ask', token, nonce, question)}\n".encode())
        said = lines.read(73).decode()
        if not said:
            return None
        answer, proof = said.split()
        right = "-" * 64 if answer == "unknown" else prove(secret, "answer", token, nonce, question, answer)
        assert proof == right, said
        return answer


class Source:
    """The other side of a guest that runs."""

    def __init__(self, t, guest, **facts):
        self.t, self.guest, self.token = t, guest, secrets.token_hex(16)
        self.monitor, self.facts = None, facts
        guest.source = self
        self.xml = t.stasis("dumpxml", guest.name).stdout

    def cookie(self, **more):
        return json.dumps({"stasis-migration": 1, "token": self.token, **more})

    def offers(self):
        return ["events", "return-path"]

    def begin(self, needed=(), **changed):
        """What Begin would say."""
        version = self.t.qmp(self.guest, "monitor.sock", "query-version")["qemu"]
        root = next(line for line in self.xml.splitlines() if "machine='" in line)
        disks = []
        for number, (path, kind, bus, read_only) in enumerate(self.guest.disks):
            stat = os.stat(path)
            device = ("vd" if bus == "virtio" else "sd") + "abcdefgh"[number]
            disks.append({"target": device, "path": str(path), "format": kind, "size": stat.st_size,
                          "writable": not read_only, "copied": False, **file_system(path), "inode": stat.st_ino})
        qemu = {"emulator": harness.QEMU, "version": f"{version['major']}.{version['minor']}.{version['micro']}",
                "machine": root.split("machine='")[1].split("'")[0], "accelerator": harness.ACCEL,
                "package": "", "run-state": "running", "capabilities": list(needed), **self.facts}
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            host = {"name": "source", "boot-id": file.read().strip(), "state": "another"}
        uuid = self.xml.split("<uuid>")[1].split("<")[0]
        return self.cookie(begin={"source": host, "name": self.guest.name, "uuid": uuid, "qemu": qemu,
                                  "offers": self.offers(), "memory-kib": self.guest.memory_mib * 1024,
                                  "disks": disks, **changed})

    def prepare_arguments(self, needed=(), flags=LIVE, xml=None, **more):
        """The channel's socket gets another place: this one's is in use."""
        agent = str(self.guest.agent_path)
        text = (xml or self.xml).replace(agent, agent + ".there")
        return {"flags": flags, "xml": text, "cookie": self.begin(needed), **more}

    def prepare(self, destination, **arguments):
        arguments.setdefault("listen", "127.0.0.1")
        answer = destination.call("prepare", **self.prepare_arguments(**arguments))
        prepared = json.loads(answer["cookie"])
        assert prepared["token"] == self.token
        SECRETS[self.token] = prepared["prepare"].get("secret")
        return prepared["prepare"] | {"uri": answer["uri"]}

    def open_monitor(self):
        if self.monitor is None:
            self.monitor = Qmp(self.t.run_folder(self.guest) / "monitor.sock")
        return self.monitor

    def start(self, prepared, **parameters):
        """QEMU sends, by a connection of ours."""
        monitor = self.open_monitor()
        with connect(prepared["addresses"][0], self.token, "data") as peer:
            monitor.command("getfd", fds=[peer.fileno()], fdname="out")
        self.migrate("fd:out", prepared, **parameters)

    def migrate(self, uri, prepared, **parameters):
        monitor = self.open_monitor()
        known = {one["capability"] for one in monitor.command("query-migrate-capabilities")}
        wanted = [name for name in prepared["capabilities"] if name in known]
        monitor.command("migrate-set-capabilities",
                        capabilities=[{"capability": name, "state": True} for name in wanted])
        if parameters:
            monitor.command("migrate-set-parameters", **{key.replace("_", "-"): value
                                                         for key, value in parameters.items()})
        monitor.command("migrate", uri=uri)

    def state(self):
        return self.open_monitor().command("query-migrate").get("status", "none")

    def wait_until(self, state):
        harness.wait_for(lambda: self.state() in (state, "failed"), f"the migration to be {state}", LONG)
        assert self.state() == state, self.open_monitor().command("query-migrate")

    def send(self, prepared, **parameters):
        self.start(prepared, **parameters)
        self.wait_until("completed")

    def final(self, **more):
        """From Perform."""
        return self.cookie(final={"begun": False, "source-run-us": 1000, "source-end-us": 2000, **more})

    def go_on(self):
        """The guest is the source's after all."""
        monitor = self.open_monitor()
        if self.state() not in ("completed", "none"):
            monitor.command("migrate_cancel")
            harness.wait_for(lambda: self.state() in ("cancelled", "failed", "completed"), "the migration to end")
        monitor.command("cont")
        monitor.close()
        self.monitor = None

    def end(self):
        """The copy here, as Confirm would; its serial port writes to the same file."""
        if self.monitor is not None:
            self.monitor.close()
            self.monitor = None
        self.t.stasis("destroy", self.guest.name)


def file_system(path):
    """As the destination finds it by statfs(2), which Python does not have."""
    said = subprocess.run(["stat", "-f", "-c", "%t %i", path], capture_output=True, text=True, check=True).stdout.split()
    names = {"ef53": "ext", "58465342": "xfs", "9123683e": "btrfs", "1021994": "tmpfs", "2fc12fc1": "zfs",
             "794c7630": "overlay"}
    number = said[1].rjust(16, "0")
    return {"fs-type": names.get(said[0], said[0]), "fs-id": number}
