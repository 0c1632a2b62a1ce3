#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong late in a migration, with the destination a driver and the source played by hand."""

import pathlib
import signal

import harness
from migrating import LIVE, PERSIST, Destination, Refused, Source


def running_guest(t, **options):
    guest = t.boot_sector_guest(**options)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def run_state(pid):
    """T: it stands at its fault point."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]


def finish_until(t, guest, step):
    """A destination that stands still at a step of Finish; its QEMU's process."""
    destination = Destination(t, fault=f"{step}=stop", name=f"there-{guest.name}")
    source = Source(t, guest)
    source.send(source.prepare(destination, flags=LIVE | PERSIST))
    number = destination.begin("finish", name=guest.name, flags=LIVE | PERSIST, cookie=source.final())
    harness.wait_for(lambda: run_state(destination.process.pid) == "T", step)
    assert destination.verdict(source.token) == "begun"
    source.end()
    return destination, number


def expect_defined(destination, guest, reason="crashed"):
    harness.wait_for(lambda: not destination.run_folder(guest.name).exists(), "the run folder to go")
    assert destination.definition(guest.name).exists(), "its definition is lost"
    state = destination.stasis("domstate", guest.name, "--reason").stdout.strip()
    assert state == f"shut off ({reason})", state


@harness.test("QEMU ends behind the verdict: the definition that came along is there", timeout=300)
def qemu_dies(t):
    for step in ("migrate-in-decided", "migrate-in-begun", "migrate-in-running"):
        guest = running_guest(t, name=step)
        destination, number = finish_until(t, guest, step)
        with destination:
            harness.kill(destination.status(guest.name)["qemu"]["pid"])
            destination.process.send_signal(signal.SIGCONT)
            try:
                destination.answer(number)
                assert step == "migrate-in-running", step  # it had begun to run by then
            except Refused as refused:
                assert "has come here" in str(refused), refused
            expect_defined(destination, guest)


@harness.test("QEMU and the driver end behind the verdict: recovery stores the definition", timeout=300)
def both_die(t):
    for step in ("migrate-in-decided", "migrate-in-begun"):
        guest = running_guest(t, name=step)
        destination, _ = finish_until(t, guest, step)
        harness.kill(destination.status(guest.name)["qemu"]["pid"])
        destination.kill()
        expect_defined(destination, guest)


if __name__ == "__main__":
    harness.main()
