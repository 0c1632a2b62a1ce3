#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What users choose of how a guest is sent is what QEMU does; and definitions of their own are what comes."""

import json

from peers import expect_at, hosts, running_guest
from served import harness


def lacks(host, guest, capability):
    """Whether this QEMU does not know it."""
    text = json.dumps({"execute": "query-migrate-capabilities"})
    told = json.loads(host.stasis("qemu-monitor-command", guest.name, text).stdout)["return"]
    return capability not in [one["capability"] for one in told]


@harness.test("compressed over one connection, or over several, by each method, and slowed down: all of it arrives", timeout=600)
def compressed(t):
    ways = ((["--compressed"], "xbzrle"),
            (["--compressed", "--comp-methods", "xbzrle", "--comp-xbzrle-cache", "1048576"], "xbzrle"),
            (["--parallel", "--parallel-connections", "3"], "multifd"),
            (["--parallel", "--compressed"], "multifd"),
            (["--parallel", "--comp-methods", "zlib", "--comp-zlib-level", "1"], "multifd"),
            (["--parallel", "--comp-methods", "zstd", "--comp-zstd-level", "3"], "multifd"),
            (["--auto-converge", "--auto-converge-initial", "30"], "auto-converge"),
            (["--comp-methods", "mt", "--comp-mt-threads", "2", "--comp-mt-dthreads", "2"], "compress"),
            (["--abort-on-error"], "events"))
    with hosts(t) as (one, two):
        guest = running_guest(t, one, pages=64)
        here, there = one, two
        for options, known in ways:
            if lacks(here, guest, known):
                print(f"# not by this QEMU: {options}", flush=True)
                continue
            t.stasis("-c", here.peer(), "migrate", guest.name, there.peer(), "--live", *options)
            expect_at(guest, there, here)
            here, there = there, here


@harness.test("what was chosen for a migration that was aborted is not left in QEMU", timeout=300)
def given_back(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)

        def parameters():
            text = json.dumps({"execute": "query-migrate-parameters"})
            return json.loads(one.stasis("qemu-monitor-command", guest.name, text).stdout)["return"]
        before = parameters()
        client = t.start("-c", one.peer(), "migrate", guest.name, two.peer(), "--live", "--parallel",
                         "--parallel-connections", "3", "--comp-methods", "zstd", "--comp-zstd-level", "7",
                         "--bandwidth", "1")
        harness.wait_for(lambda: "outgoing migration" in one.says("domjobinfo", guest.name, check=False).lower()
                         or client.poll() is not None, "the migration to begin")
        assert client.poll() is None, client.communicate()
        one.virsh("domjobabort", guest.name)
        client.communicate(timeout=60)
        expect_at(guest, one, two)
        assert parameters() == before, parameters()


@harness.test("a definition of the user's for the destination, and another to be kept there")
def definitions(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, persistent=True)
        xml = one.says("dumpxml", "--migratable", guest.name)
        live, kept = t.dir / "live.xml", t.dir / "kept.xml"
        live.write_text(xml.replace("</name>", "</name><title>as it runs</title>", 1), encoding="utf-8")
        kept.write_text(xml.replace("</name>", "</name><title>as it is kept</title>", 1), encoding="utf-8")
        one.virsh("migrate", "--live", "--persistent", "--xml", live, "--persistent-xml", kept, guest.name, two.uri())
        expect_at(guest, two, one)
        assert "as it runs" in two.says("dumpxml", guest.name)
        assert "as it is kept" in two.says("dumpxml", "--inactive", guest.name)


if __name__ == "__main__":
    harness.main()
