#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The destination of a migration, with real QEMUs on both sides and the source played by hand."""

import json

import harness
from migrating import Destination, Source, ask


def running_guest(t, **options):
    guest = t.boot_sector_guest(**options)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def expect_here(destination, guest, token):
    """It runs at the destination, and has seen nothing of its move."""
    last = guest.last_tick()
    guest.wait_for_tick(last + 3)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]
    assert destination.verdict(token) == "begun"
    status = destination.status(guest.name)
    assert "job" not in status, status["job"]
    assert destination.stasis("domstate", guest.name, "--reason").stdout.strip() == "running (migrated)"


@harness.test("a guest comes by TCP")
def by_tcp(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        prepared = source.prepare(destination)
        assert prepared["uri"].startswith("tcp:127.0.0.1:49"), prepared
        assert prepared["door"] == prepared["addresses"][0] == prepared["uri"], prepared
        assert prepared["capabilities"] == ["events", "return-path"], prepared
        job = destination.status(guest.name)["job"]
        assert job["step"] == "migrate-incoming" and job["migration"]["token"] == source.token, job
        info = destination.stasis("domjobinfo", guest.name).stdout
        assert "migrat" in info.lower(), info
        assert ask(prepared["door"], source.token, "status") == "waiting"
        source.send(prepared)
        assert destination.verdict(source.token) == "open"
        answer = destination.finish(guest.name, source.final())
        assert answer["domain"] == guest.name
        final = json.loads(answer["cookie"])["final"]
        assert final["begun"] and final["dest-run-us"] > 0 and final["source-run-us"] == 1000, final
        source.end()
        expect_here(destination, guest, source.token)
        for question in ("status", "revoke"):
            assert ask(prepared["door"], source.token, question) == "begun"
        destination.stasis("destroy", guest.name)


if __name__ == "__main__":
    harness.main()
