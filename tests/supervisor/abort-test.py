#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Aborts: of which job they are, and what becomes of them."""

import json
import os
import signal
import sys
import time

from stage import Domain, eventually, run


def abort_of_boot():
    """It is refused: a boot would not look at it."""
    with Domain("idle") as domain:
        for operation, step in (("start", "start"), ("start", "resume"), ("resume", "resume")):
            domain.note(step=step, operation=operation)
            answer = domain.client("abort", check=False)
            assert answer.startswith("error 4") and "cannot abort the start" in answer, answer
        assert not os.path.lexists(f"{domain.folder}/job-fate")
        domain.note(step="start", operation="restore")
        domain.client("abort")
        domain.note()


def abort_of_another():
    """An abort is one job's: the next one of the same process goes on."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        domain.note(step="save", operation="dump")
        domain.client("abort")
        domain.note()
        domain.note(step="save", operation="save")
        owner = domain.control()
        assert owner.ask(do="job-begin", operation="save")["ok"]
        assert owner.ask(do="job-stats", stats={"state": "active"})["abort"] is False
        assert owner.ask(do="job-end", stats={"state": "completed"})["ok"]
        domain.note()


def abort_beside():
    """Of two jobs of which one has no id, each has a fate of its own; the other one hears that ids are known."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        older, owner = domain.control(), domain.control()
        assert older.ask(do="job-begin", operation="save", background=True)["ok"]
        refused = owner.ask(do="job-begin", operation="checkpoint", id="a1")
        assert refused["code"] == "busy" and refused["id"] is True, refused
        domain.client("abort")
        assert os.readlink(f"{domain.folder}/job-fate") == "abort"
        assert older.ask(do="job-end", stats={"state": "cancelled"})["ok"]
        begun = owner.ask(do="job-begin", operation="checkpoint", id="a1")
        assert begun["ok"] and begun["id"] is True, begun
        assert not owner.ask(do="job-stats", stats={"state": "active"})["abort"]
        assert owner.ask(do="job-end", stats={"state": "completed"})["ok"]


def abort_of_one():
    """Of two jobs of one process an abort is of the one that is seen, whatever becomes of the connection."""
    def is_aborted(end):
        return end.ask(do="job-stats", stats={"state": "active"})["abort"]

    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        domain.note(step="save", operation="checkpoint", id="a1")
        domain.client("abort")
        end = domain.control()
        assert end.ask(do="job-begin", operation="save", id="b2", background=True)["ok"]
        assert not is_aborted(end), "it was the other one's"
        domain.client("abort")
        assert is_aborted(end)
        assert end.ask(do="job-begin", operation="save", id="b2")["ok"] and is_aborted(end)
        assert end.ask(do="job-begin", operation="save", id="c3")["ok"] and not is_aborted(end)
        assert end.ask(do="job-end", stats={"state": "completed"})["ok"]
        domain.kill_supervisor()
        domain.ensure()
        end = domain.control()
        assert end.ask(do="job-begin", operation="checkpoint", id="a1")["ok"] and is_aborted(end)
        assert end.ask(do="job-end", stats={"state": "cancelled"})["ok"]
        # Its journal is read late: it is over all the same.
        assert domain.client("abort", check=False).startswith("error 4 domain 'guest': no job")
        domain.note()
        links = {link: os.readlink(f"{domain.folder}/{link}") for link in os.listdir(domain.folder) if "fate" in link}
        assert links == {"job-fate-a1": "abort", "job-fate-b2": "abort"}, links


def abort_leaves_nothing():
    """What was decided of a job goes with it, also where its owner died."""
    def links(domain):
        return [link for link in os.listdir(domain.folder) if "fate" in link]

    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        owner = domain.own({"execute": "stop"}, step="save", id="a1", **{"was-running": True})
        os.kill(owner.pid, signal.SIGSTOP)
        domain.client("abort")
        assert links(domain) == ["job-fate-a1"]
        owner.kill()
        domain.wait_state("1 save canceled")
        eventually(lambda: not links(domain), "nothing is left")


def abort_unnoted():
    """An abort that cannot be noted is refused; the job goes on."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        owner, other = domain.control(), domain.control()
        for name, extra in (("job-fate-a1", {"id": "a1"}), ("job-fate", {})):
            assert owner.ask(do="job-begin", operation="save", **extra)["ok"]
            with open(f"{domain.folder}/{name}", "wb"):
                pass
            for _ in range(2):
                reply = other.ask(do="abort")
                assert not reply["ok"] and reply["code"] == "failed" and name in reply["error"], reply
                assert not owner.ask(do="job-stats", stats={"state": "active"})["abort"]
            answer = domain.client("abort", check=False)
            assert "the job goes on" in answer and "domain 'guest'" in answer, answer
            os.unlink(f"{domain.folder}/{name}")
            assert other.ask(do="abort")["ok"]
            assert owner.ask(do="job-stats", stats={"state": "active"})["abort"]
            assert owner.ask(do="job-end", stats={"state": "cancelled"})["ok"]


def unseen():
    """A job that was not taken, or was lost, is offered again with its updates until it is."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        job = domain.own(step="save", id="b2", **{"was-running": True})
        os.kill(job.pid, signal.SIGSTOP)
        domain.kill_supervisor()
        domain.ensure()
        first = domain.control()
        assert first.ask(do="job-begin", operation="checkpoint", id="a1", background=True)["ok"]
        os.kill(job.pid, signal.SIGCONT)
        time.sleep(1)  # it is refused meanwhile
        assert json.loads(domain.client("job"))["operation"] == "checkpoint"
        assert first.ask(do="job-end", stats={"state": "completed"})["ok"]
        eventually(lambda: json.loads(domain.client("job")).get("bytes-total") == 1000, "it is seen")
        domain.client("abort")
        eventually(lambda: job.poll() is not None, "it hears of the abort")
        assert job.returncode == 0


if __name__ == "__main__":
    sys.exit(run("abort", [abort_of_boot, abort_of_another, abort_beside, abort_of_one, abort_leaves_nothing, abort_unnoted, unseen]))
