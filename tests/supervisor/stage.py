# SPDX-License-Identifier: LGPL-2.1-or-later
"""A run folder with a real QEMU in it, and TAP, for the tests of the supervisor."""

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

CLIENT = os.environ["STASIS_TEST_CLIENT"]
QEMU = os.environ.get("STASIS_TEST_QEMU") or shutil.which("qemu-system-x86_64")
F_OFD_SETLK = getattr(fcntl, "F_OFD_SETLK", 37)
WAIT = 60  # seconds that something may take on a busy machine


# --- guests: 64 KiB of firmware each, whose first instruction is ours ---------------------------

def out_byte(port, value):
    return b"\xba" + struct.pack("<H", port) + b"\xb0" + bytes([value]) + b"\xee"


def out_word(port, value):
    return b"\xba" + struct.pack("<H", port) + b"\xb8" + struct.pack("<H", value) + b"\xef"


def out_long(port, value):
    return b"\xba" + struct.pack("<H", port) + b"\x66\xb8" + struct.pack("<I", value) + b"\x66\xef"


IDLE = b"\xfa\xf4\xeb\xfd"
# q35's power management registers at 0x600, as firmware would place them.
POWER = (out_long(0xCF8, 0x8000F840) + out_long(0xCFC, 0x601)
         + out_long(0xCF8, 0x8000F844) + out_long(0xCFC, 0x80))
POWER_OFF = out_word(0x604, 0x2000)
SLEEP = out_word(0x604, 0x2400)
RESET = out_byte(0xCF9, 0x06)
# mov ecx, N; again: dec ecx; jnz again
SOME_TIME = b"\x66\xb9" + struct.pack("<I", 300_000_000) + b"\x66\x49\x75\xfc"
PANIC = out_byte(0x505, 0x01)


def once(action):
    """Do it unless memory says that it was done: a reset keeps memory."""
    mark = b"\xc6\x06\x00\x05\x01"
    body = mark + action
    return (b"\x31\xc0\x8e\xd8\x80\x3e\x00\x05\x01" + b"\x0f\x84" + struct.pack("<h", len(body))
            + body + IDLE)


def on_power_button(action):
    """Wait for the button, then do it."""
    clear = out_word(0x600, 0x0100)
    # again: mov dx, 0x600; in ax, dx; test ah, 1; jz again
    loop = b"\xba\x00\x06\xed\xf6\xc4\x01\x74\xf7"
    return out_word(0x602, 0x0100) + loop + clear + action + IDLE


GUESTS = {
    "idle": IDLE,
    "power-off": POWER + POWER_OFF + IDLE,
    "power-off-once": POWER + once(POWER_OFF),
    "reset-once": once(RESET),
    "panic": PANIC + IDLE,
    "panic-once": once(PANIC),
    "sleep-once": POWER + once(SLEEP),
    "slow-button": POWER + on_power_button(SOME_TIME + POWER_OFF),
    "button": POWER + on_power_button(POWER_OFF),
}


def firmware(name):
    code = GUESTS[name]
    image = bytearray(b"\xf4" * 65536)
    image[:len(code)] = code
    image[0xFFF0:0xFFF3] = b"\xe9" + struct.pack("<h", 0x10000 - 0xFFF3)
    return bytes(image)


# --- QMP and the control socket ----------------------------------------------------------------

class Lines:
    """Lines of JSON on a unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        # Blocking: with a timeout, a listener whose queue is full is EAGAIN at once.
        self.socket.connect(path)
        self.socket.settimeout(WAIT)
        self.buffer = b""

    def send(self, **message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self):
        while b"\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the connection was closed")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, **message):
        self.send(**message)
        return self.receive()

    def close(self):
        self.socket.close()


class Qmp(Lines):
    def __init__(self, path):
        super().__init__(path)
        self.receive()
        self.do("qmp_capabilities")

    def do(self, command, **arguments):
        self.send(execute=command, arguments=arguments)
        while True:
            message = self.receive()
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise RuntimeError(f"{command}: {message['error']['desc']}")


class LateEvents:
    """Between QEMU's monitor and the supervisor: events come with the answer to the next command only,
    and commands wait between hold() and let_go()."""

    def __init__(self, path, qemu_path):
        self.qemu_path = qemu_path
        self.may_ask = threading.Event()
        self.may_ask.set()
        self.hold, self.let_go = self.may_ask.clear, self.may_ask.set
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.start(self.serve)

    @staticmethod
    def start(target, *args):
        threading.Thread(target=target, args=args, daemon=True).start()

    def serve(self):
        while True:
            supervisor, _ = self.listener.accept()
            qemu = socket.socket(socket.AF_UNIX)
            qemu.connect(self.qemu_path)
            self.start(self.pass_commands, supervisor, qemu)
            self.start(self.pass_answers, qemu, supervisor)

    def pass_commands(self, supervisor, qemu):
        with supervisor.makefile("rb") as lines:
            for line in lines:
                self.may_ask.wait()
                qemu.sendall(line)
        qemu.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def pass_answers(qemu, supervisor):
        held = b""
        with qemu.makefile("rb") as lines:
            for line in lines:
                held += line
                if "event" in json.loads(line):
                    continue
                supervisor.sendall(held)
                held = b""
        supervisor.shutdown(socket.SHUT_RDWR)


def start_time(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rsplit(")", 1)[1].split()[19])


def eventually(claim, what, seconds=WAIT):
    """Wait until claim() is true; returns how long that took."""
    begin = time.monotonic()
    while True:
        value = claim()
        if value:
            return time.monotonic() - begin
        if time.monotonic() - begin > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


class Domain:
    """A running domain as a driver leaves it: QEMU, run folder, status file, supervisor."""

    def __init__(self, guest="idle", args=(), run=False, supervise=True, late=False, **policy):
        self.root = tempfile.mkdtemp(prefix="stasis-sup-")
        self.folder = f"{self.root}/run/domains/guest"
        self.last_path = f"{self.root}/lib/last/guest.json"
        self.lock = f"{self.root}/run/locks/guest.lock"
        self.owners = []
        self.held = None
        os.makedirs(self.folder, 0o700)
        os.makedirs(os.path.dirname(self.lock))
        os.makedirs(f"{self.root}/log")
        with open(f"{self.root}/rom", "wb") as file:
            file.write(firmware(guest))
        self.qemu = self.start_qemu(args, "qemu.sock" if late else "supervisor.sock")
        if late:
            self.late = LateEvents(f"{self.folder}/supervisor.sock", f"{self.folder}/qemu.sock")
        self.write_status(policy)
        if supervise:
            self.ensure()
        if run:
            self.qmp("cont")

    def start_qemu(self, args, supervisor_socket="supervisor.sock"):
        argv = [QEMU, "-S", "-M", "q35", "-m", "64", "-nodefaults", "-no-user-config", "-display",
                "none", "-no-shutdown", "-bios", f"{self.root}/rom", *args]
        listeners = []
        for name, path in (("charmonitor", "monitor.sock"), ("charsupervisor", supervisor_socket)):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{self.folder}/{path}")
            listener.listen(1)
            listeners.append(listener)
            argv += ["-chardev", f"socket,id={name},fd={listener.fileno()},server=on,wait=off",
                     "-mon", f"chardev={name},id={name}mon,mode=control"]
        with open(f"{self.root}/log/guest.log", "ab") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       pass_fds=[l.fileno() for l in listeners],
                                       start_new_session=True)
        for listener in listeners:
            listener.close()
        return process

    def write_status(self, policy, run=7):
        status = {
            "format": 1, "name": "guest", "uuid": "6f6f5c1d-27f4-4b35-8b3f-0c4a8a4d3a11", "id": run,
            "transient": False, "reason": "booted", "emulator": QEMU, "started": 12345, "uid": 0,
            "qemu": {"pid": self.qemu.pid, "start-time": start_time(self.qemu.pid)},
            "log": f"{self.root}/log/guest.log", "last": self.last_path, "lock": self.lock,
            "definition": f"{self.root}/config/guest.xml",
            "on-poweroff": policy.get("on_poweroff", "destroy"),
            "on-reboot": policy.get("on_reboot", "restart"),
            "on-crash": policy.get("on_crash", "destroy"),
        }
        with open(f"{self.folder}/status.json", "w", encoding="utf-8") as file:
            json.dump(status, file)

    # What drivers do.

    def client(self, *args, check=True):
        done = subprocess.run([CLIENT, self.folder, *args], capture_output=True, text=True,
                              timeout=60, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"client {args}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def ensure(self):
        self.client("ensure")

    def supervisor(self):
        return int(self.client("pid"))

    def state(self):
        return self.client("state")

    def wait_state(self, state, seconds=WAIT):
        return eventually(lambda: self.client("state", check=False) == state,
                          f"state '{state}', it is '{self.client('state', check=False)}'", seconds)

    def qmp(self, command, **arguments):
        monitor = Qmp(f"{self.folder}/monitor.sock")
        try:
            return monitor.do(command, **arguments)
        finally:
            monitor.close()

    def own(self, *commands, **journal):
        """A driver in the middle of a job."""
        process = subprocess.Popen(
            [CLIENT, self.folder, "own", json.dumps(journal), *map(json.dumps, commands)],
            stdout=subprocess.PIPE, text=True)
        self.owners.append(process)
        line = process.stdout.readline().strip()
        assert line == "ready", line
        return process

    def note(self, **journal):
        """We are the driver ourselves: its journal, under its lock, or none, with no connection."""
        status = self.status()
        status.pop("job", None)
        if journal and self.held is None:
            # A supervisor that begins meanwhile would undo it.
            self.held = open(self.lock, "ab")  # pylint: disable=consider-using-with
            everything = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            fcntl.fcntl(self.held, F_OFD_SETLK, everything)
        if journal:
            owner = {"pid": os.getpid(), "start-time": start_time(os.getpid())}
            status["job"] = {"owner": owner, **journal}
        with open(f"{self.folder}/status.new", "w", encoding="utf-8") as file:
            json.dump(status, file)
        os.rename(f"{self.folder}/status.new", f"{self.folder}/status.json")
        wanted = journal.get("operation")
        eventually(lambda: json.loads(self.client("job")).get("operation") == wanted, "the journal is known")
        if not journal:
            self.let_go()

    def let_go(self):
        if self.held is not None:
            self.held.close()
            self.held = None

    def control(self):
        return Lines(f"{self.folder}/control.sock")

    # What becomes of it.

    def status(self):
        with open(f"{self.folder}/status.json", encoding="utf-8") as file:
            return json.load(file)

    def is_gone(self):
        return not os.path.exists(self.folder)

    def last(self):
        with open(self.last_path, encoding="utf-8") as file:
            return json.load(file)

    def expect_end(self, reason, seconds=WAIT):
        self.qemu.wait(seconds)
        taken = eventually(self.is_gone, "the run folder has gone", seconds)
        assert self.last()["reason"] == reason, self.last()
        assert self.last()["state"] == "shutoff"
        return taken

    def kill_supervisor(self):
        pid = self.supervisor()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: has_ended(pid), "the supervisor has ended")
        return pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.let_go()
        for owner in self.owners:
            owner.kill()
            owner.wait()
            owner.stdout.close()
        try:
            os.kill(self.supervisor(), signal.SIGKILL)
        except (AssertionError, ProcessLookupError):
            pass
        self.qemu.kill()
        self.qemu.wait()
        log = f"{self.root}/log/guest.supervisor.log"
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as file:
                for line in file:
                    print(f"# supervisor: {line.rstrip()}")
        shutil.rmtree(self.root, ignore_errors=True)


def has_ended(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter: it ended while its line was read
        return True


# --- TAP ----------------------------------------------------------------------------------------

def run(prefix, tests):
    """Run the functions whose names are asked for on the command line, or all."""
    if QEMU is None:
        print("1..0 # SKIP no qemu-system-x86_64 (set STASIS_TEST_QEMU)")
        return 0
    asked = [test for test in tests if not sys.argv[1:] or test.__name__ in sys.argv[1:]]
    print(f"1..{len(asked)}", flush=True)
    failed = False
    for number, test in enumerate(asked, 1):
        name = f"/supervisor/{prefix}/{test.__name__.replace('_', '-')}"
        begin = time.monotonic()
        try:
            test()
            print(f"ok {number} - {name} # {time.monotonic() - begin:.2f} s", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed = True
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    return int(failed)
