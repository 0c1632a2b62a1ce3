#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks are copied along with a migration that QEMU encrypts."""

import certificates
import harness
from copies import (comes_after_all, expect_at, expect_goes_on, expect_written, fails, goes_on_writing, hosts, make_raw, migrate,
                    small_guest, stop_writing, writing_guest)
from ways import way
import peers


def trust(t, more=""):
    """Both hosts have certificates of one authority."""
    keys = certificates.folder(t.dir / "keys")
    with (t.state / "config" / "stasis.conf").open("a", encoding="utf-8") as config:
        config.write(f"[migration]\nhost=127.0.0.1\ntls-dir={keys}\n{more}")
    return keys


@harness.test("a guest that writes moves with its disk, and nothing of it can be read on the way", timeout=600)
def encrypted(t):
    trust(t, "tls-required=yes\n")
    with hosts(t) as (one, two):
        disk = make_raw(one.disks / "a")
        before = disk.read_bytes()
        guest = writing_guest(t, one, disk, "raw")
        goes_on_writing(guest)
        with way() as watched:
            migrate(one, two, guest, "--copy-storage-all", "--tls", "--tls-destination", "there.example", *watched.options())
            assert len(watched.seen) > len(before) // 4
            assert before[:512] not in watched.seen and b"NBDMAGIC" in watched.seen
        guest.close()
        expect_at(guest, two, one)
        goes_on_writing(guest)
        migrate(two, one, guest, "--copy-storage-all", "--tls", "--p2p", "--unsafe")
        guest.close()
        expect_at(guest, one, two)
        goes_on_writing(guest)
        last = stop_writing(guest)
        one.daemon.virsh("destroy", guest.name)
        expect_written(before, disk.read_bytes(), last)


@harness.test("who is not trusted gets no disk, and gives none")
def not_trusted(t):
    keys = trust(t)
    with hosts(t) as (one, two), way() as watched:
        guest = small_guest(t, one)
        first = (one.disks / "b").read_bytes()[:512]
        fails(migrate(one, two, guest, "--copy-storage-all", "--tls", "--tls-destination", "nobody.example", check=False), "vdb")
        expect_goes_on(guest, one, two)
        fails(migrate(one, two, guest, "--copy-storage-all", "--tls", "--disks-uri", f"unix://{t.dir}/disks", check=False),
              "--tls-destination")
        expect_goes_on(guest, one, two)
        # The destination has an authority of its own; the source's client trusts both.
        others = certificates.folder(t.dir / "others")
        config = two.state / "config" / "stasis.conf"
        config.write_text(config.read_text(encoding="utf-8").replace(str(keys), str(others)), encoding="utf-8")
        (keys / "ca-cert.pem").write_bytes((keys / "ca-cert.pem").read_bytes() + (others / "ca-cert.pem").read_bytes())
        peers.reload(two)
        fails(migrate(one, two, guest, "--copy-storage-all", "--tls", "--tls-destination", "there.example", *watched.options(),
                      check=False), "vdb")
        assert b"NBDMAGIC" in watched.seen and first not in watched.seen
        expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)  # without --tls


if __name__ == "__main__":
    harness.main()
