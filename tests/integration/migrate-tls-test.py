#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Migrations that QEMU encrypts: whom both ends trust, what is said where they do not, and that nothing is left."""

import json
import shutil

import certificates
import harness
from routes import expect_at, fails, hosts, running_guest


def config(folder, more=""):
    return f"[migration]\nhost=127.0.0.1\ntls-dir={folder}\n{more}"


def is_clear(t, *both):
    """No copy of a key is left in a run folder."""
    left = [str(path) for host in both for path in (host.state / "run").rglob("*.pem")]
    assert not left, left


@harness.test("QEMU encrypts it: over one connection, over several, by a name, and peer-to-peer", timeout=600)
def encrypted(t):
    keys = certificates.folder(t.dir / "keys")
    with hosts(t, config(keys), config(keys)) as (one, two):
        guest = running_guest(t, one)
        here, there = one, two
        for options in ([], ["--parallel", "--parallel-connections", "2"], ["--tls-destination", "there.example"],
                        ["--p2p"], ["--migrateuri", f"unix://{t.dir}/by", "--tls-destination", "there.example"]):
            here.stasis("migrate", guest.name, there.unix(), "--live", "--tls", *options)
            expect_at(guest, there, here)
            is_clear(t, one, two)
            here, there = there, here
        # As it was: the next one is not encrypted.
        here.stasis("migrate", guest.name, there.unix(), "--live")
        expect_at(guest, there, here)


@harness.test("virsh has QEMU encrypt it", timeout=400)
def by_virsh(t):
    if not shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    keys = certificates.folder(t.dir / "keys")
    with hosts(t, config(keys), config(keys)) as (one, two):
        guest = running_guest(t, one)
        one.daemon.virsh("migrate", "--live", "--tls", guest.name, two.daemon.uri())
        expect_at(guest, two, one)
        two.daemon.virsh("migrate", "--live", "--tls", "--p2p", "--tls-destination", "there.example", guest.name, one.unix())
        expect_at(guest, one, two)


@harness.test("a certificate of another name, or of another authority, is not trusted", timeout=600)
def not_trusted(t):
    keys, others = certificates.folder(t.dir / "keys"), certificates.folder(t.dir / "others")
    with hosts(t, config(keys), config(keys)) as (one, two):
        guest = running_guest(t, one)
        for options in ([], ["--parallel", "--parallel-connections", "2"]):
            said = fails(one, guest, two.unix(), "--live", "--tls", "--tls-destination", "nobody.example", *options)
            assert "perform: " in said, said
            expect_at(guest, one, two)
        assert "nobody.example" in said or "ertificate" in said, said
        # The source has one of another authority; then none is asked for, but it does not trust the destination.
        for more in ("", "tls-verify=no\n"):
            two.reread(config(others, more))
            fails(one, guest, two.unix(), "--live", "--tls", says=["perform: "])
            expect_at(guest, one, two)
        is_clear(t, one, two)


@harness.test("a source without a certificate is let in only where both hosts say so", timeout=400)
def not_verified(t):
    keys, own = certificates.folder(t.dir / "keys"), t.dir / "own"
    shutil.copytree(keys, own)
    (own / "client-cert.pem").unlink()
    (own / "client-key.pem").unlink()
    with hosts(t, config(own), config(keys)) as (one, two):
        guest = running_guest(t, one)
        fails(one, guest, two.unix(), "--live", "--tls", says=[str(own / "client-cert.pem"), "tls-dir"])
        expect_at(guest, one, two)
        one.reread(config(own, "tls-verify=no\n"))
        fails(one, guest, two.unix(), "--live", "--tls", says=["perform: "])
        expect_at(guest, one, two)
        two.reread(config(keys, "tls-verify=no\n"))
        one.stasis("migrate", guest.name, two.unix(), "--live", "--tls")
        expect_at(guest, two, one)


@harness.test("a file that is missing, empty or of no use is named, at either end", timeout=600, once=True)
def missing(t):
    keys = certificates.folder(t.dir / "keys")
    theirs = t.dir / "theirs"
    shutil.copytree(keys, theirs)
    with hosts(t, config(keys), config(theirs)) as (one, two):
        guest = running_guest(t, one)
        for folder, name, phase in ((theirs, "server-key.pem", "prepare at"), (theirs, "ca-cert.pem", "prepare at"),
                                    (keys, "client-cert.pem", "perform: ")):
            path = folder / name
            octets = path.read_bytes()
            path.unlink()
            fails(one, guest, two.unix(), "--live", "--tls", says=[phase, f"'{path}': No such file", "tls-dir"])
            path.write_bytes(b"")
            fails(one, guest, two.unix(), "--live", "--tls", says=[phase, f"'{path}': it is empty"])
            path.write_bytes(b"no certificate\n")
            fails(one, guest, two.unix(), "--live", "--tls", says=[phase, f"the certificates in '{folder}'"])
            path.write_bytes(octets)
            expect_at(guest, one, two)
        is_clear(t, one, two)
        fails(one, guest, two.unix(), "--live", "--tls", "--migrateuri", f"unix://{t.dir}/by", says=["--tls-destination"])
        expect_at(guest, one, two)
        one.stasis("migrate", guest.name, two.unix(), "--live", "--tls")
        expect_at(guest, two, one)


@harness.test("a destination may want encryption: by TLS, or by a tunnel", once=True)
def required(t):
    keys = certificates.folder(t.dir / "keys")
    with hosts(t, config(keys), config(keys, "tls-required=yes\n")) as (one, two):
        guest = running_guest(t, one)
        fails(one, guest, two.unix(), "--live", says=["prepare at", "tls-required"])
        expect_at(guest, one, two)
        one.stasis("migrate", guest.name, two.unix(), "--live", "--p2p", "--tunnelled")
        expect_at(guest, two, one)
        two.stasis("migrate", guest.name, one.unix(), "--live")
        expect_at(guest, one, two)
        one.stasis("migrate", guest.name, two.unix(), "--live", "--tls")
        expect_at(guest, two, one)


@harness.test("--check says what a destination wants, and has", once=True)
def checked(t):
    keys, theirs = certificates.folder(t.dir / "keys"), t.dir / "theirs"
    shutil.copytree(keys, theirs)
    with hosts(t, config(keys), config(theirs, "tls-required=yes\n")) as (one, two):
        guest = running_guest(t, one)

        def check(*options):
            said = one.stasis("migrate", guest.name, two.unix(), "--live", "--check", "--json", *options, check=False)
            told = {reason["what"]: (reason["ok"], reason["text"]) for reason in json.loads(said.stdout)["checks"]}
            assert (said.returncode == 0) == told["encryption"][0], told
            return told["encryption"][1]
        assert "tls-required" in check()
        assert check("--p2p", "--tunnelled") is None and check("--tls") is None
        (theirs / "server-key.pem").unlink()
        assert f"'{theirs}/server-key.pem': No such file" in check("--tls")
        expect_at(guest, one, two)


if __name__ == "__main__":
    harness.main()
