#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stream through a real sshd on loopback: who the host is, and who we are."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import sshd as ssh_server
from peers import AUTH, HOST_KEY, cancel, command, echo, folder, goes, known, listening, main, refused, tap

SERVER = None  # the sshd of most tests


def use(server):
    global SERVER  # pylint: disable=global-statement
    SERVER = server


def test_known():
    """a known host, a key file, a socket: octets go both ways"""
    with listening(echo) as listener:
        tap.equal(goes(SERVER, listener, *known(SERVER)), "open\nreason: none\n")


def test_unknown_refused():
    """an unknown host is refused where nobody can be asked, with its fingerprint and what to do"""
    home = folder()
    refused(SERVER, "--keyfile", SERVER.key, code=HOST_KEY, home=home,
            says=("is not known", f"ED25519 {SERVER.fingerprint()}", f"ssh-keyscan -p {SERVER.port} 127.0.0.1",
                  f"'{home}/.ssh/known_hosts'"))
    tap.equal(list(home.iterdir()), [])


def test_unknown_asked():
    """an unknown host is asked about; no: refused; yes: it is remembered, and not asked about again"""
    home = folder()
    asked = f"asked: [127.0.0.1]:{SERVER.port} ED25519 {SERVER.fingerprint()}\n"
    said = refused(SERVER, "--keyfile", SERVER.key, "--verdict", "no", code=HOST_KEY, says="was refused", home=home)
    tap.contains(said, asked)
    tap.equal(list(home.iterdir()), [])
    with listening(echo) as listener:
        said = goes(SERVER, listener, "--keyfile", SERVER.key, "--verdict", "yes", home=home)
        tap.contains(said, asked)
        tap.equal((home / ".ssh/known_hosts").read_text(encoding="utf-8"), SERVER.known_host())
        tap.equal(os.stat(home / ".ssh").st_mode & 0o777, 0o700)
        tap.equal(os.stat(home / ".ssh/known_hosts").st_mode & 0o777, 0o600)
        tap.equal(goes(SERVER, listener, "--keyfile", SERVER.key, "--verdict", "no", home=home),
                  "open\nreason: none\n")


def test_hashed():
    """a host that OpenSSH has remembered by a hash is known; a new one is hashed beside it"""
    file = folder() / "known_hosts"
    file.write_text("# mine\n\n" + SERVER.known_host().rstrip("\n"), encoding="utf-8")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert "127.0.0.1" not in file.read_text(encoding="utf-8")
    with listening(echo) as listener:
        goes(SERVER, listener, "--keyfile", SERVER.key, "--known-hosts", file)
        with ssh_server.sshd(folder()) as other:
            goes(other, listener, "--keyfile", other.key, "--known-hosts", file, "--verdict", "yes")
            assert "127.0.0.1" not in file.read_text(encoding="utf-8")
            found = subprocess.run(["ssh-keygen", "-F", f"[127.0.0.1]:{other.port}", "-f", file], check=True,
                                   capture_output=True, text=True)
            tap.contains(found.stdout, ssh_server.public(other.folder / "host_ed25519"))
            goes(other, listener, "--keyfile", other.key, "--known-hosts", file)


def test_changed():
    """a host whose key is another one is refused by file and line, and nobody is asked"""
    file = folder() / "known_hosts"
    wrong = ssh_server.make_key(folder() / "wrong")
    file.write_text(f"# another host\nelsewhere {ssh_server.public(wrong)}\n"
                    f"[127.0.0.1]:{SERVER.port} {ssh_server.public(wrong)}\n", encoding="utf-8")
    before = file.read_text(encoding="utf-8")
    said = refused(SERVER, "--keyfile", SERVER.key, "--known-hosts", file, "--verdict", "yes", code=HOST_KEY,
                   says=("HAS CHANGED", f"line 3 of '{file}'", SERVER.fingerprint()))
    assert "asked" not in said and file.read_text(encoding="utf-8") == before, said
    with listening(echo) as listener:
        goes(SERVER, listener, "--keyfile", SERVER.key, "--known-hosts", file, "--no-verify")


def test_revoked():
    """a key that is revoked is refused, known or not"""
    file = folder() / "known_hosts"
    file.write_text(f"{SERVER.known_host()}@revoked * {ssh_server.public(SERVER.folder / 'host_ed25519')}\n",
                    encoding="utf-8")
    refused(SERVER, "--keyfile", SERVER.key, "--known-hosts", file, "--verdict", "yes", code=HOST_KEY,
            says=("IS REVOKED", f"line 2 of '{file}'"))


def test_kinds():
    """the kind of key that is known is asked for, whatever the host likes best"""
    file = folder() / "known_hosts"
    file.write_text(SERVER.known_host("ecdsa"), encoding="utf-8")
    with listening(echo) as listener:
        goes(SERVER, listener, "--keyfile", SERVER.key, "--known-hosts", file)
    file.write_text(f"[127.0.0.1]:{SERVER.port} {ssh_server.public(make_rsa())}\n", encoding="utf-8")
    refused(SERVER, "--keyfile", SERVER.key, "--known-hosts", file, "--verdict", "yes", code=HOST_KEY,
            says=("ANOTHER KIND", f"line 1 of '{file}'"))


def make_rsa():
    return ssh_server.make_key(folder() / "rsa", "rsa")


def listens(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@contextlib.contextmanager
def agent(*keys):
    """A real ssh-agent that has these keys; its environment."""
    path = folder() / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        env = {"SSH_AUTH_SOCK": str(path)}
        deadline = time.monotonic() + 30
        while not listens(path) and time.monotonic() < deadline:
            time.sleep(0.02)
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], env=os.environ | env, check=True, capture_output=True)
        yield env
    finally:
        process.kill()
        process.wait(30)


def test_agent():
    """a key of the agent lets us in, after others in it that do not"""
    wrong = [ssh_server.make_key(folder() / "wrong", kind) for kind in ("ed25519", "ecdsa")]
    with agent(*wrong, SERVER.key) as env, listening(echo) as listener:
        goes(SERVER, listener, "--known-hosts", SERVER.known_hosts, **env)
    with agent(*wrong) as env:
        refused(SERVER, "--known-hosts", SERVER.known_hosts, code=AUTH, says=("2 keys of the agent", "publickey"), **env)
    refused(SERVER, "--known-hosts", SERVER.known_hosts, code=AUTH, says="no agent (",
            SSH_AUTH_SOCK=str(folder() / "none"))


def test_agent_only():
    """with a key file named, the agent signs for that key only"""
    key = folder() / "locked"
    ssh_server.make_key(key, passphrase="open sesame")
    with open(SERVER.folder / "authorized_keys", "a", encoding="utf-8") as file:
        file.write(ssh_server.public(key) + "\n")
    askpass = folder() / "askpass"
    askpass.write_text("#!/bin/sh\necho open sesame\n", encoding="utf-8")
    askpass.chmod(0o755)
    with agent(SERVER.key) as env:
        said = refused(SERVER, "--keyfile", key, "--known-hosts", SERVER.known_hosts, code=AUTH,
                       says="it is encrypted", **env)
        assert "of the agent" not in said, said
        subprocess.run(["ssh-add", "-q", key], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                       env=os.environ | env | {"SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force"})
        with listening(echo) as listener:
            goes(SERVER, listener, "--keyfile", key, "--known-hosts", SERVER.known_hosts, **env)
            key.with_suffix(".pub").unlink()  # the file itself says which key it is
            goes(SERVER, listener, "--keyfile", key, "--known-hosts", SERVER.known_hosts, **env)
        key.write_bytes(key.read_bytes()[:150])
        refused(SERVER, "--keyfile", key, "--known-hosts", SERVER.known_hosts, code=AUTH, says="it is encrypted", **env)


def test_agent_hangs():
    """an agent that says nothing, or nonsense, holds nobody up for ever"""
    key = folder()
    (key / ".ssh").mkdir()
    shutil.copy(SERVER.key, key / ".ssh/id_ed25519")

    def nonsense(peer):
        peer.recv(5)
        peer.sendall(b"\xff\xff\xff\xffand so on")

    with listening(nonsense) as bad, listening(echo) as listener:
        goes(SERVER, listener, "--known-hosts", SERVER.known_hosts, home=key, SSH_AUTH_SOCK=str(bad.path))
    for answer in (b"\0\0\0\x05\x0c\0\0\0\xff", b"\0\0\0\x0a\x0c\0\0\0\1\xff\xff\xff\xff\1", b"\0\0\0\x01\x05", b"\0\0"):
        def short(peer, answer=answer):
            peer.recv(5)
            peer.sendall(answer)
        with listening(short) as bad, listening(echo) as listener:
            goes(SERVER, listener, "--known-hosts", SERVER.known_hosts, home=key, SSH_AUTH_SOCK=str(bad.path))

    is_asked = threading.Event()

    def silent(peer):
        while peer.recv(100):
            is_asked.set()

    with listening(silent) as hangs:
        words, env = command(SERVER, "--known-hosts", SERVER.known_hosts, SSH_AUTH_SOCK=str(hangs.path))
        cancel(words, env, lambda: is_asked.wait(60))


def test_usual_keys():
    """the usual key files are tried, and what is wrong with each is said"""
    home = folder()
    (home / ".ssh").mkdir()
    shutil.copy(SERVER.key, home / ".ssh/id_ecdsa")
    ssh_server.make_key(home / ".ssh/id_ed25519")
    with listening(echo) as listener:
        goes(SERVER, listener, "--known-hosts", SERVER.known_hosts, home=home)
    (home / ".ssh/id_ecdsa").write_text("nothing\n", encoding="utf-8")
    make = ssh_server.make_key(folder() / "open")
    shutil.copy(make, home / ".ssh/id_rsa")
    (home / ".ssh/id_rsa").chmod(0o644)
    refused(SERVER, "--known-hosts", SERVER.known_hosts, code=AUTH, home=home,
            says=("id_ecdsa' is no private key", "others may read the key", "id_ed25519' ("))


def test_wrong_key():
    """a key that the host does not take, and one that is not there"""
    wrong = ssh_server.make_key(folder() / "wrong")
    refused(SERVER, "--keyfile", wrong, "--known-hosts", SERVER.known_hosts, code=AUTH,
            says=(f"does not let '{SERVER.user}' in", f"'{wrong}'", "it takes: publickey"))
    refused(SERVER, "--keyfile", "/nowhere/key", "--known-hosts", SERVER.known_hosts, code=AUTH, says="/nowhere/key")
    refused(SERVER, *known(SERVER), "--user", "nobody-of-that-name", code=AUTH, says="'nobody-of-that-name'")


def test_encrypted():
    """an encrypted key is asked for its passphrase, three times, and refused where nobody can be asked"""
    for form in ([], ["-m", "PEM"]):
        key = folder() / "key"
        kind = "ecdsa" if form else "ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "open sesame", *form, "-f", key], check=True)
        with open(SERVER.folder / "authorized_keys", "a", encoding="utf-8") as file:
            file.write(ssh_server.public(key) + "\n")
        options = ("--keyfile", key, "--known-hosts", SERVER.known_hosts)
        refused(SERVER, *options, code=AUTH, says="it is encrypted, and nobody can be asked")
        with listening(echo) as listener:
            said = goes(SERVER, listener, *options, "--answer", "wrong", "--answer", "open sesame")
            tap.equal(said.count(f"asked: Passphrase of the key '{key}': \n"), 2)
            assert "open sesame" not in said, said
        said = refused(SERVER, *options, "--answer", "a", "--answer", "b", "--answer", "c", "--answer", "d", code=AUTH,
                       says="no right passphrase")
        tap.equal(said.count("asked: "), 3)


def test_too_many_keys():
    """a host that has hung up over keys that it does not take: nobody is asked for the passphrase of another one"""
    home = folder()
    (home / ".ssh").mkdir()
    ssh_server.make_key(home / ".ssh/id_ed25519", passphrase="open sesame")
    wrong = [ssh_server.make_key(folder() / "wrong", kind) for kind in ("ed25519", "ecdsa")]
    with ssh_server.sshd(folder(), config="MaxAuthTries 1\n") as server, agent(*wrong) as env:
        said = refused(server, "--known-hosts", server.known_hosts, "--answer", "open sesame", code=AUTH, home=home,
                       says="Too many authentication failures", **env)
        assert "asked" not in said, said


def test_hangs_up():
    """a host that hangs up while somebody thinks of a passphrase: he is not asked again"""
    key = ssh_server.make_key(folder() / "key", passphrase="open sesame")
    with ssh_server.sshd(folder()) as server:
        words, env = command(server, "--known-hosts", server.known_hosts, "--keyfile", key, "--stop",
                             *["--answer", "wrong"] * 3)
        with subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as process:
            state = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            server.kill_sessions()
            while server.sessions():
                time.sleep(0.02)
            if state.si_code == os.CLD_STOPPED:
                process.send_signal(signal.SIGCONT)
            if os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED:
                process.kill()  # it asks again
            said = process.communicate(timeout=60)[1].decode()
        tap.equal(said.count("asked: "), 1)
        tap.contains(said, "it has hung up")


PASSWORD = "open sesame"


def accounts():
    """The files that let this user in by a password, in a namespace only."""
    if not ssh_server.has_namespaces():
        return None
    place = folder()
    hashed = subprocess.run(["perl", "-e", 'print crypt($ARGV[0], q($6$salt$))', PASSWORD], check=True,
                            capture_output=True, text=True).stdout
    (place / "shadow").write_text(f"{SERVER.user}:{hashed}:20000:0:99999:7:::\n", encoding="utf-8")
    (place / "pam").write_text("auth required pam_unix.so\naccount required pam_permit.so\n"
                               "session required pam_permit.so\n", encoding="utf-8")
    return {"/etc/shadow": place / "shadow", "/etc/pam.d/sshd": place / "pam"}


def test_password():
    """a password is asked for, three times; where nobody can be asked, it is said that the host takes one"""
    if (links := accounts()) is None:
        return "root and mount namespaces are needed for an account of one's own"
    with ssh_server.sshd(folder(), links=links, config="PasswordAuthentication yes\nPubkeyAuthentication no\n") as server:
        options = ("--known-hosts", server.known_hosts)
        refused(server, *options, code=AUTH, says="it takes: password)")
        said = refused(server, *options, *["--answer", "x"] * 4, code=AUTH, says="in vain: password")
        tap.equal(said.count("asked: "), 3)
        with listening(echo) as listener:
            said = goes(server, listener, *options, "--answer", "wrong", "--answer", PASSWORD)
            tap.contains(said, f"asked: Password of {server.user} at '127.0.0.1' port {server.port}: \n")
            assert PASSWORD not in said, said
    return None


def test_questions():
    """questions of the host are passed on, and so are the answers"""
    if (links := accounts()) is None:
        return "root and mount namespaces are needed for an account of one's own"
    config = "UsePAM yes\nKbdInteractiveAuthentication yes\nPubkeyAuthentication no\n"
    with ssh_server.sshd(folder(), links=links, config=config) as server:
        options = ("--known-hosts", server.known_hosts)
        with listening(echo) as listener:
            said = goes(server, listener, *options, "--answer", PASSWORD)
            tap.contains(said, "asked: (127.0.0.1) Password: \n")
        said = refused(server, *options, "--answer", "wrong", code=AUTH, says="in vain: keyboard-interactive")
        tap.equal(said.count("asked: "), 2)  # and no answer to the second one
    return None


def memory(pid):
    """All of it that can be written to."""
    found = b""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb") as file:
        for line in maps:
            where, mode = line.split()[:2]
            first, end = (int(number, 16) for number in where.split("-"))
            if mode.startswith("rw"):
                with contextlib.suppress(OSError):
                    file.seek(first)
                    found += file.read(end - first)
    return found


def wait_for_stop(process):
    assert os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED


def keeps_no_secret(server, secret, *options):
    """When a second one is asked for, the first one, which was wrong, is in its memory no more."""
    shifted = "".join(chr(ord(letter) + 1) for letter in secret)
    words, env = command(server, "--known-hosts", server.known_hosts, "--stop", "--shifted", "--answer", shifted, *options)
    with subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_stop(process)
            process.send_signal(signal.SIGCONT)
            os.waitid(os.P_PID, process.pid, os.WCONTINUED)
            wait_for_stop(process)
            held = memory(process.pid)
        finally:
            process.kill()
    assert shifted.encode() in held, "this is not the memory"
    # Memory that is free is overwritten here and there.
    parts = [secret[at:at + 12] for at in range(0, len(secret) - 11)]
    assert not [part for part in parts if part.encode() in held]


def test_secrets():
    """passwords, answers and passphrases do not stay in memory"""
    secret = "a-password-that-is-long-enough-to-be-found-" + "again-and-" * 20 + "again"
    keeps_no_secret(SERVER, secret, "--keyfile", ssh_server.make_key(folder() / "key", passphrase="another"))
    if (links := accounts()) is None:
        return "root and mount namespaces are needed for an account of one's own"
    for config in ("PasswordAuthentication yes\n", "UsePAM yes\nKbdInteractiveAuthentication yes\n"):
        with ssh_server.sshd(folder(), links=links, config=f"{config}PubkeyAuthentication no\n") as server:
            keeps_no_secret(server, secret)
    return None


def test_two():
    """a host that wants a key and a password gets both"""
    if (links := accounts()) is None:
        return "root and mount namespaces are needed for an account of one's own"
    config = "PasswordAuthentication yes\nAuthenticationMethods publickey,password\n"
    with ssh_server.sshd(folder(), links=links, config=config) as server, listening(echo) as listener:
        goes(server, listener, *known(server), "--answer", PASSWORD)
        refused(server, *known(server), code=AUTH, says="does not let")
    return None


main(dict(globals()), use)
