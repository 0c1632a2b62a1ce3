# SPDX-License-Identifier: LGPL-2.1-or-later
"""Both sides of a migration, by hand: the source's driver step by step, and a QEMU as its destination."""

import contextlib
import hashlib
import hmac
import json
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import threading
import time

import harness
from bare_qemu import QmpError

LIVE, PERSIST, UNDEFINE, OFFLINE, PARALLEL = 1, 8, 16, 1024, 1 << 17
HELLO = re.compile(rb"stasis-migrate/1 ([0-9a-f]{32}) (data|ask )\n")
FD = "incoming"


class StepFailed(AssertionError):
    def __init__(self, answer):
        self.answer = answer
        super().__init__(answer["error"])


class Source:
    """A process that has a domain's migration; steps are its methods."""

    def __init__(self, t, guest, **env):
        program = harness.BUILD / "tests" / "driver" / "migrate-source"
        self.process = subprocess.Popen([program, guest.name], stdin=subprocess.PIPE,
                                        env=t.environment(STASIS_LIBEXEC_DIR=harness.BUILD / "bin", **env),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.token = None

    def send(self, step, **members):
        self.process.stdin.write(json.dumps({"step": step, **members}) + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, f"the source has ended: {self.process.communicate()[1]} {self.process.returncode}"
        answer = json.loads(line)
        if "error" in answer:
            raise StepFailed(answer)
        return answer

    def step(self, step, **members):
        self.send(step, **members)
        return self.answer()

    def begin(self, flags=LIVE, **members):
        """The definition, and the cookie as an object."""
        answer = self.step("begin", flags=flags, **members)
        cookie = json.loads(answer["cookie"])
        self.token = cookie["token"]
        return answer["xml"], cookie

    def cancel(self):
        self.process.send_signal(signal.SIGUSR1)

    def end(self):
        """As a client that goes away."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        assert self.process.wait(60) == 0, self.process.stderr.read()
        return self.process.stderr.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)


class Destination:
    """A QEMU with the same machine that waits for the guest, and who listens for its source."""

    def __init__(self, t, guest, number=1):
        pid = t.status(guest)["qemu"]["pid"]
        self.serial = t.dir / f"{guest.name}.serial.{number}"
        self.path = t.dir / f"door.{number}"
        self.answers = {"status": "waiting", "revoke": "revoked"}
        self.asked = []
        self.settled = 0  # how often its source has said that it asks no more
        self.secret = secrets.token_hex(32)
        self.believed = True  # its answers are proved
        self.token = None
        self.is_cut = False  # data is taken and thrown away
        self.data = []
        self.stall = threading.Event()  # data is not read until then
        self.ours, theirs = socket.socketpair()
        arguments = self.arguments(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"), guest,
                                   theirs.fileno())
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), cwd=t.dir)
        theirs.close()
        self.buffer, self.events = b"", []
        self._receive(60)
        self.command("qmp_capabilities")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(8)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def arguments(self, command, guest, fd):
        """Those of the source, with other files and sockets."""
        words = [word.decode() for word in command if word]
        out, files = [], {}
        skipped = ("-add-fd", "-sandbox", "-mon")
        pairs = iter(words[1:])
        for word in pairs:
            if word in skipped:
                value = next(pairs)
                found = re.match(r"set=(\d+),fd=\d+,opaque=(.*)", value) if word == "-add-fd" else None
                if found:
                    files[found[1]] = str(self.serial) if found[2].startswith("chardev") else str(guest.disk)
                continue
            if word == "-chardev":
                value = next(pairs)
                if value.startswith("socket,id=charchannel"):
                    value = re.sub(r",fd=\d+.*", f",path={self.serial}.agent,server=on,wait=off", value)
                elif value.startswith("socket"):
                    continue
                out += [word, re.sub(r"/dev/fdset/(\d+)", lambda m: files[m[1]], value)]
                continue
            out.append(re.sub(r"/dev/fdset/(\d+)", lambda m: files[m[1]], word))
        return [words[0], *out, "-incoming", "defer", "-chardev", f"socket,id=qmp,fd={fd}", "-mon",
                "chardev=qmp,mode=control"]

    # QMP.

    def _receive(self, timeout):
        self.ours.settimeout(timeout)
        while b"\n" not in self.buffer:
            data = self.ours.recv(65536)
            if not data:
                raise QmpError(f"QEMU has ended: {self.process.wait()}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def command(self, name, fds=(), timeout=60, **arguments):
        text = json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n"
        if fds:
            socket.send_fds(self.ours, [text], list(fds))
        else:
            self.ours.sendall(text)
        while "event" in (answer := self._receive(timeout)):
            self.events.append(answer)
        if "error" in answer:
            raise QmpError(f"{name}: {answer['error']['desc']}")
        return answer["return"]

    # Who listens.

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection):
        hello = b""
        while len(hello) < 55:
            data = connection.recv(55 - len(hello))
            if not data:
                return
            hello += data
        found = HELLO.fullmatch(hello)
        if not found or found[1].decode() != self.token:
            return
        connection.sendall(b"ok\n")
        if found[2] == b"ask ":
            question, nonce, proof = connection.recv(106, socket.MSG_WAITALL).decode().split()
            assert proof == self.prove("ask", self.token, nonce, question), question
            if question == "settled":
                self.settled += 1
                question_of = "revoke"
            else:
                self.asked.append(question)
                question_of = question
            answer = self.answers[question_of]
            proof = self.prove("answer", self.token, nonce, question, answer if self.believed else "unknown")
            connection.sendall(f"{answer:<7} {'-' * 64 if answer == 'unknown' else proof}\n".encode())
        elif self.is_cut:
            self.data.append(connection.dup())
        else:
            self.command("getfd", fds=[connection.fileno()], fdname=FD)
            self.command("migrate-incoming", uri=f"fd:{FD}")

    def prove(self, *words):
        return hmac.new(self.secret.encode(), " ".join(words).encode(), hashlib.sha256).hexdigest()

    # Steps.

    def prepare(self, cookie, wanted=("events", "return-path", "late-block-activate", "switchover-ack")):
        """The cookie of Prepare, as text."""
        self.token = cookie["token"]
        has = {one["capability"] for one in self.command("query-migrate-capabilities")}
        on = [name for name in wanted if name in has]
        self.command("migrate-set-capabilities", capabilities=[{"capability": name, "state": True} for name in on])
        answer = {"stasis-migration": 1, "token": self.token,
                  "prepare": {"dest": {"name": "elsewhere"}, "capabilities": [name for name in on],
                              "addresses": [f"unix://{self.path}"], "door": f"unix://{self.path}", "secret": self.secret}}
        return json.dumps(answer)

    def begin_to_run(self):
        """Finish: the guest runs here.  The cookie, as text."""
        harness.wait_for(lambda: self.command("query-migrate").get("status") == "completed", "the destination")
        self.answers = {"status": "begun", "revoke": "begun"}
        run = time.time_ns() // 1000
        self.command("cont")
        return self.final(run)

    def final(self, run, begun=True):
        return json.dumps({"stasis-migration": 1, "token": self.token,
                           "final": {"begun": begun, "dest-run-us": run, "dest-end-us": time.time_ns() // 1000}})

    def text(self):
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""

    def last_tick(self):
        ticks = re.findall(r"tick (\d+).*\n", self.text().replace("\r", ""))
        return int(ticks[-1]) if ticks else 0

    def damaged_pages(self):
        return sum(line.count("E") for line in self.text().splitlines() if "tick" in line)

    def close_door(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.path.unlink(missing_ok=True)

    def end(self):
        self.close_door()
        for connection in self.data:
            connection.close()
        self.process.kill()
        self.process.wait(60)
        self.ours.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
