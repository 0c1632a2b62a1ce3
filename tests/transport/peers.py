# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of a stream through ssh share: the program that has one, what it leads to, how they are run."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import sshd as ssh_server

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import tap  # pylint: disable=wrong-import-position

STREAM = os.environ["STASIS_SSH_STREAM"]
CONNECT_PROGRAM = os.environ["STASIS_CONNECT"]
FOLDER = tempfile.TemporaryDirectory(prefix="stasis-ssh-")
TOP = pathlib.Path(FOLDER.name)
MIB = 1024 * 1024


def folder():
    return pathlib.Path(tempfile.mkdtemp(dir=TOP))


class Listener:
    """What listens at the socket of the other host: each connection is handed to a function in a thread."""

    def __init__(self, serve, path=None):
        self.path = path or folder() / "sock"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(8)
        self.serve, self.failed = serve, []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.socket.accept()
                with peer:
                    try:
                        self.serve(peer)
                    except Exception as error:  # pylint: disable=broad-except
                        self.failed.append(error)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(30)


@contextlib.contextmanager
def listening(serve, path=None):
    one = Listener(serve, path)
    try:
        yield one
    finally:
        one.close()
    assert not one.failed, one.failed


def echo(peer):
    """Until its end, then ours."""
    while octets := peer.recv(65536):
        peer.sendall(octets)


def command(server, *options, home=None, host="127.0.0.1", **env):
    base = dict(os.environ, LC_ALL="C.UTF-8", HOME=str(home or folder()))
    for name in ("SSH_AUTH_SOCK", "SSH_AGENT_PID"):
        base.pop(name, None)
    return [STREAM, host, "--port", str(server.port), *map(str, options)], base | env


def run(server, *options, octets=b"", timeout=60, **more):
    words, env = command(server, *options, **more)
    return subprocess.run(words, env=env, input=octets, capture_output=True, timeout=timeout, check=False)


def known(server):
    return ("--keyfile", server.key, "--known-hosts", server.known_hosts)


def goes(server, listener, *options, **more):
    """It gets through, and says so."""
    result = run(server, "--socket", listener.path, *options, octets=b"there and back", **more)
    tap.equal((result.returncode, result.stdout), (0, b"there and back") if result.returncode == 0
              else (0, result.stderr.decode()))
    return result.stderr.decode()


def refused(server, *options, code, says, **more):
    result = run(server, "--socket", "/nowhere", *options, **more)
    said = result.stderr.decode()
    tap.equal((result.returncode, result.stdout), (1, b""))
    tap.contains(said, f"error: stasis-ssh-error-quark {code}: ")
    for words in [says] if isinstance(says, str) else says:
        tap.contains(said, words)
    return said


def cancel(words, env, comes_to):
    """Cancel it where it waits, once comes_to() says that it does."""
    with subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        place = comes_to()  # a connection perhaps, which is to stay
        assert place and process.poll() is None, process.communicate()
        process.send_signal(signal.SIGUSR1)
        said = process.communicate(timeout=30)[1].decode()
        tap.equal(process.returncode, 1)
        tap.contains(said, "error: g-io-error-quark 19: ")


def programs(*names):
    """A folder with these programs only."""
    path = folder()
    for name in names:
        (path / pathlib.Path(name).name).symlink_to(shutil.which(name))
    return path


CONNECT, HOST_KEY, AUTH = 0, 1, 2  # codes of errors


def main(tests, use):
    """Run the tests that the arguments name (default: all), with an sshd that `use` is given to."""
    chosen = [test for name, test in tests.items() if name.startswith("test_")
              and (len(sys.argv) < 2 or any(word in (test.__doc__ or "") + name for word in sys.argv[1:]))]
    if reason := ssh_server.why_not():
        print(f"1..0 # SKIP {reason}")
        sys.exit(0)
    with FOLDER, ssh_server.sshd(folder()) as server:
        use(server)
        sys.exit(tap.run(chosen))
