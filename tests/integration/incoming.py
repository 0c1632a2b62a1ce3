# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that comes to a destination, and what is to be said of it then."""

from migrating import LIVE, Refused, Source


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


def expect_refused(function, *words):
    """It fails, and says why."""
    try:
        function()
    except Refused as refused:
        for word in words:
            assert word in str(refused), refused
        return refused.answer
    raise AssertionError("it was not refused")


def expect_goes_on(t, guest):
    """It runs at the source, as if nothing had been."""
    guest.source.go_on()
    last = guest.last_tick()
    guest.wait_for_tick(last + 3)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]


def come(t, destination, guest, flags=LIVE, facts=None, finish_flags=None, **arguments):
    """All of it, without a hitch."""
    source = Source(t, guest, **(facts or {}))
    prepared = source.prepare(destination, flags=flags, **arguments)
    source.send(prepared)
    answer = destination.finish(arguments.get("dname", guest.name), source.final(),
                                flags=flags if finish_flags is None else finish_flags)
    source.end()
    return source, prepared, answer


def expect_came_to_nothing(t, destination, source, verdict="revoked"):
    destination.expect_nothing(source.guest.name)
    assert destination.verdict(source.token) == verdict, destination.verdict(source.token)
