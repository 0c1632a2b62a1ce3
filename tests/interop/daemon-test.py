#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""stasisd as a program: options, configuration, sockets, signals, and the service manager."""

import contextlib
import fcntl
import grp
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time

from served import STASISD, Daemon, daemon, harness

NOBODY = 65534
BUSY_ROUNDS = 10


def stasisd(t, *options, **env):
    """Run it to its end."""
    return subprocess.run([STASISD, *map(str, options)], env=t.environment(**env), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


def config(t, text):
    path = t.dir / "stasisd.conf"
    path.write_text(text)
    return path


def mode_of(path):
    return stat.S_IMODE(pathlib.Path(path).lstat().st_mode)


class Manager:
    """What a service manager hears by NOTIFY_SOCKET."""

    def __init__(self, name):
        self.name = str(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.name.replace("@", "\0", 1) if self.name.startswith("@") else self.name)
        self.socket.settimeout(60)

    def hears(self):
        return self.socket.recv(4096).decode().splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@harness.test("options: help and version; what is not understood ends with 2")
def options(t):
    for option in ("--help", "-h"):
        shown = stasisd(t, option)
        assert shown.returncode == 0 and "--check-config" in shown.stdout and not shown.stderr, shown
    for option in ("--version", "-V"):
        shown = stasisd(t, option)
        assert shown.returncode == 0 and re.fullmatch(r"stasisd [\d.]+\n", shown.stdout), shown
    for words, message in ((["--nonsense"], "--nonsense"), (["word"], "'word'"), (["--config"], "--config"),
                           (["--session", "--system"], "exclude each other")):
        refused = stasisd(t, *words)
        assert refused.returncode == 2 and not refused.stdout, refused
        assert refused.stderr.startswith("stasisd: ") and message in refused.stderr, refused.stderr


WRONG = [
    ("[sockets]\nmode=7777", "[sockets] mode: '7777' is not an octal number from 0 to 0777"),
    ("[sockets]\nread-only-mode=rw", "[sockets] read-only-mode: 'rw' is not an octal"),
    ("[sockets]\nfolder=here", "[sockets] folder: 'here' is not an absolute path"),
    ("[sockets]\ngroup=nobody's", "[sockets] group: 'nobody's' is not a group"),
    ("[limits]\nmax-clients=0", "[limits] max-clients: "),
    ("[limits]\nmax-workers=many", "[limits] max-workers: "),
    ("[limits]\nmax-requests=-1", "[limits] max-requests: "),
    ("[limits]\nshutdown-timeout=1 # s", "[limits] shutdown-timeout: "),
    ("[limits]\npatience=1", "[limits] has no option 'patience'"),
    ("[keepalive]\ninterval=86401", "[keepalive] interval: "),
    ("[keepalive]\ncount=x", "[keepalive] count: "),
    ("[save]\nformat=nonsense", "[save] format: there is no kind of save image called 'nonsense'"),
    ("[log]\nlevel=loud", "[log] level: 'loud' is not a level"),
    ("[log]\nfilters=stasis-remote", "[log] filters: 'stasis-remote' is not a filter"),
    ("[log]\noutput=paper", "[log] output: 'paper' is not an output"),
    ("[guests]\n", "there is no section [guests]"),
    ("junk", "junk"),
]


@harness.test("what is wrong with the configuration is said with file, section and option")
def wrong(t):
    for text, message in WRONG:
        path = config(t, text + "\n")
        for refused in (stasisd(t, "--config", path, "--check-config"), stasisd(t, "--config", path)):
            assert refused.returncode == 1, (text, refused)
            assert refused.stderr.startswith(f"stasisd: {path}: ") and message in refused.stderr, refused.stderr
    missing = stasisd(t, "--config", t.dir / "none", "--check-config")
    assert missing.returncode == 1 and str(t.dir / "none") in missing.stderr, missing.stderr
    good = stasisd(t, "--check-config")
    assert good.returncode == 0 and not good.stderr and not good.stdout, good
    by_default = t.state / "config/stasisd.conf"
    by_default.write_text("[log]\nlevel=loud\n")
    assert f"{by_default}: [log] level" in stasisd(t, "--check-config").stderr
    assert not (t.state / "run/stasisd.lock").exists()


@harness.test("every option of the example is accepted, and says the default")
def example(t):
    text = (harness.ROOT / "data/examples/stasisd.conf").read_text(encoding="utf-8")
    assert stasisd(t, "--config", config(t, text), "--check-config").returncode == 0
    every = config(t, re.sub(r"^#([a-z-]+=)", r"\1", text, flags=re.M))
    checked = stasisd(t, "--config", every, "--check-config")
    assert checked.returncode == 0 and not checked.stderr, checked.stderr
    with daemon(t, "--config", every) as served:
        assert mode_of(served.socket) == 0o600 and mode_of(f"{served.socket}-ro") == 0o666


@harness.test("a signal that comes as soon as there is a socket is not the end")
def early(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    path = t.dir / "early/sock"
    for _ in range(BUSY_ROUNDS):
        with subprocess.Popen([STASISD, "--socket", path], env=t.environment(), stderr=subprocess.PIPE,
                              text=True) as process:
            while not path.exists() and process.poll() is None:
                pass
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == 0 and "read anew" in said and not path.exists(), (process.returncode, said)


@harness.test("SIGHUP: the configuration is read anew; a bad one changes nothing")
def reload(t):
    path = config(t, "[log]\nlevel=info\n")
    with daemon(t, "--config", path) as served:
        served.virsh("list")
        assert "client 1" not in served.said()
        config(t, "[log]\nlevel=warning\nfilters=stasis-remote:debug\n")
        served.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: served.virsh("list") and "client " in served.said(), "the part's own level")
        config(t, "[log]\nlevel=loud\n")
        served.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: f"stays as it was: {path}: [log] level" in served.said(), "the refusal")
        config(t, "[limits]\nmax-clients=1\n")
        served.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: "was read anew" in served.said(), "the limit")
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(served.socket))
            harness.wait_for(lambda: "no more connections: there are 1" in served.said(), "the limit to hold")
        served.virsh("list")


@harness.test("sockets and their folder have the modes and the group of the configuration")
def modes(t):
    group = next((g for g in grp.getgrall() if g.gr_gid not in (0, os.getegid())), None) if os.geteuid() == 0 else None
    for number, (text, mode, read_only, folder) in enumerate((
            ("", 0o600, 0o666, 0o755),
            ("mode=0660\nread-only-mode=0600", 0o660, 0o600, 0o755),
            ("mode=600\nread-only-mode=0600", 0o600, 0o600, 0o700))):
        place = t.dir / f"made-{number}"
        more = f"group={group.gr_name}\n" if group else ""
        path = config(t, f"[sockets]\nfolder={place}\n{more}{text}\n")
        with started(t, "--config", path) as process:
            name = place / "stasis-sock"
            harness.wait_for(lambda at=name: listens(f"{at}-ro"), "the sockets")
            assert (mode_of(name), mode_of(f"{name}-ro"), mode_of(place)) == (mode, read_only, folder)
            assert not group or name.stat().st_gid == pathlib.Path(f"{name}-ro").stat().st_gid == group.gr_gid
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0 and not list(place.iterdir())
    # One that is there stays as it is.
    place.chmod(0o711)
    with started(t, "--config", path):
        harness.wait_for(lambda: listens(place / "stasis-sock-ro"), "the sockets")
        assert mode_of(place) == 0o711


@contextlib.contextmanager
def started(t, *options, **env):
    process = subprocess.Popen([STASISD, *map(str, options)], env=t.environment(**env), stdin=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        assert process.wait(60) == 0


def listens(path, uid=None):
    """Whether somebody listens there, and lets that user in."""
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    done = subprocess.run([*command, "/usr/bin/python3", "-c", code, path], capture_output=True, check=False)
    return done.returncode == 0


@harness.test("another user gets to the socket for reading, and not to the other")
def other_user(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can be somebody else")
    t.dir.chmod(0o711)
    with daemon(t) as served:
        assert not listens(served.socket, NOBODY) and listens(f"{served.socket}-ro", NOBODY)


@harness.test("a socket on which somebody listens is not taken away; one that is left over is replaced")
def taken(t):
    with daemon(t) as served:
        second = stasisd(t, "--socket", served.socket, STASIS_STATE_DIR=t.dir / "other")
        assert second.returncode == 1 and f"another process listens on '{served.socket}'" in second.stderr, second
        served.virsh("list")
        served.stop(signal.SIGKILL)
        assert served.socket.exists()
        served.__init__(t)
        served.virsh("list")
    assert not served.socket.exists() and not (t.dir / "sock-ro").exists()


def activated(t, listeners, names, **env):
    """Start it as systemd does: sockets from descriptor 3 on."""
    # Out of the way of those numbers first.
    high = [fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 40) for listener in listeners]
    words = " ".join(f"{3 + number}<&{fd}" for number, fd in enumerate(high))
    try:
        with open(t.dir / "stasisd.log", "ab") as log:
            return subprocess.Popen(["bash", "-c", f"exec {words}; export LISTEN_PID=$$; exec {STASISD}"],
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=high,
                                    env=t.environment(LISTEN_FDS=len(high), LISTEN_FDNAMES=names, **env))
    finally:
        for fd in high:
            os.close(fd)


def listener_at(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


@harness.test("sockets of systemd: who called before there was a daemon is served, the second is for reading")
def activation(t):
    folder = t.dir / "listen"
    folder.mkdir()
    guest = t.boot_sector_guest()
    uri = f"qemu:///system?socket={folder}/"
    with listener_at(folder / "a") as first, listener_at(folder / "b") as second:
        waiting = subprocess.Popen(["virsh", "-c", uri + "a", "create", guest.xml_file()], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        process = activated(t, (first, second), "stasisd.socket:read-only")
        try:
            assert waiting.communicate(timeout=120)[0] and waiting.returncode == 0
            guest.wait_for_tick(2)
            refused = subprocess.run(["virsh", "-c", uri + "b", "destroy", guest.name], capture_output=True, text=True,
                                     check=False)
            assert refused.returncode == 1 and "read only" in refused.stderr, refused
            assert "at the sockets of systemd" in (t.dir / "stasisd.log").read_text()
            assert not (t.state / "run/stasisd").exists()
            # They are for nobody else.
            for pid, command in t.processes().items():
                if "qemu-system" in command or "supervisor" in command:
                    assert b"LISTEN_" not in pathlib.Path(f"/proc/{pid}/environ").read_bytes(), command
        finally:
            process.terminate()
        assert process.wait(60) == 0 and (folder / "a").exists() and (folder / "b").exists()
        guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a descriptor that is no socket is refused by its number")
def no_socket(t):
    with open("/dev/null", "rb") as null:
        process = activated(t, (null,), "stasisd.socket")
        assert process.wait(60) == 1
    assert "LISTEN_FDS: descriptor 3 is no socket" in (t.dir / "stasisd.log").read_text()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = activated(t, (listener,), "stasisd.socket")
        assert process.wait(60) == 1, "anybody of this host could connect"
    assert "LISTEN_FDS: descriptor 3 is no unix socket" in (t.dir / "stasisd.log").read_text()


@harness.test("the service manager hears of readiness, reloading and the end")
def readiness(t):
    for name in (t.dir / "notify", f"@{t.dir}/abstract"):
        with Manager(name) as manager, daemon(t, NOTIFY_SOCKET=name) as served:
            assert manager.hears() == ["READY=1"]
            served.virsh("list")
            served.process.send_signal(signal.SIGHUP)
            assert manager.hears() == ["RELOADING=1"] and manager.hears() == ["READY=1"]
            served.stop()
            assert manager.hears() == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=45000000"]
            served.__init__(t)


@contextlib.contextmanager
def held_save(t, manager):
    """A daemon that has had SIGTERM in the middle of a save of which QEMU is stopped: (daemon, guest, virsh)."""
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(3)
    qemu = next(pid for pid, command in t.processes().items() if "qemu-system" in command)
    served = Daemon(t, NOTIFY_SOCKET=manager.name, STASIS_FAULT="save-paused=stop")
    assert manager.hears() == ["READY=1"]
    virsh = subprocess.Popen(["virsh", "-c", served.uri(), "save", guest.name, t.dir / "image"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        harness.wait_for(lambda: harness.is_stopped(served.process.pid), "the save")
        os.kill(qemu, signal.SIGSTOP)
        served.process.send_signal(signal.SIGTERM)
        served.process.send_signal(signal.SIGCONT)
        assert manager.hears()[0] == "STOPPING=1"
        yield served, guest, virsh, qemu
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(qemu, signal.SIGCONT)
        if served.process.poll() is None:
            served.stop(signal.SIGKILL)
        virsh.communicate(timeout=60)


@harness.test("SIGTERM: a save that goes on comes to its end, and nothing new is begun")
def term(t):
    with Manager(t.dir / "notify") as manager, held_save(t, manager) as (served, _guest, virsh, qemu):
        time.sleep(0.5)
        assert served.process.poll() is None and virsh.poll() is None
        os.kill(qemu, signal.SIGCONT)
        assert served.process.wait(60) == 0
        said = virsh.communicate(timeout=60)[0]
        assert virsh.returncode == 0 and "saved to" in said, said
    t.stasis("image", "verify", t.dir / "image")
    assert not t.stasis("list", "--name").stdout.strip()


@harness.test("SIGTERM twice: the save is rolled back, and the guest runs")
def term_twice(t):
    with Manager(t.dir / "notify") as manager, held_save(t, manager) as (served, guest, virsh, qemu):
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0
        assert "1 calls are left to be recovered" in served.said(), served.said()
        assert not served.socket.exists()
        virsh.communicate(timeout=60)
        assert virsh.returncode == 1
        os.kill(qemu, signal.SIGCONT)
        guest.wait_for_tick(guest.last_tick() + 3)
        assert not (t.dir / "image").exists()
        assert t.stasis("domstate", guest.name, "--reason").stdout.strip() == "running (save canceled)"


harness.main()
