#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest's agent, QEMU's own, by virsh through stasisd."""

import json
import pathlib
import signal
import subprocess
import time

from served import daemon, harness
from qga import QgaGuest

DAY = 86400


@harness.test("virsh asks the guest's agent, and hears of its coming and going", timeout=400)
def agent(t):
    q = QgaGuest(t)
    heard = pathlib.Path(t.dir / "events")
    with daemon(t) as served, open(heard, "wb") as file:
        listener = subprocess.Popen(["virsh", "-c", served.uri(), "event", "--loop", "--event", "agent-lifecycle"],
                                    stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        assert abs(int(served.says("domtime", q.name).partition(":")[2]) - time.time()) < DAY
        served.virsh("domtime", q.name, "--time", 1000000000)
        assert 1000000000 <= int(served.says("domtime", q.name).partition(":")[2]) < 1000001000
        served.virsh("domtime", q.name, "--now")
        assert abs(int(served.says("domtime", q.name).partition(":")[2]) - time.time()) < 60
        q.start_writer()
        assert served.says("domfsfreeze", q.name) == "Froze 1 filesystem(s)"
        assert q.is_stuck(), "the guest wrote to a frozen file system"
        assert served.says("domfsthaw", q.name) == "Thawed 1 filesystem(s)"
        q.wait_writing("domfsthaw")
        some = served.virsh("domfsfreeze", q.name, "--mountpoint", "/mnt", check=False)
        assert some.returncode == 1 and "all together" in some.stderr, some.stderr
        # This agent may have no command for it: then it says so.
        trimmed = served.virsh("domfstrim", q.name, check=False)
        assert trimmed.returncode == 0 or "guest-fstrim" in trimmed.stderr, trimmed.stderr
        name = served.virsh("domhostname", q.name, check=False)
        assert name.returncode == 0 or "guest-get-host-name" in name.stderr, name.stderr
        rows = [line.split() for line in served.says("domfsinfo", q.name).splitlines()[2:]]
        assert ["/mnt", "vda", "ext4", "vda"] in rows, rows
        said = json.loads(served.says("qemu-agent-command", q.name, '{"execute":"guest-sync","arguments":{"id":7}}'))
        assert said == {"return": 7}, said
        for command, words in (('{"execute":"guest-nonsense"}', "guest-nonsense"), ("nonsense", ""), ("{}", "execute")):
            failed = served.virsh("qemu-agent-command", q.name, command, check=False)
            assert failed.returncode == 1 and words in failed.stderr, (command, failed.stderr)
        for command in ("domtime", "domfsfreeze", "domfsthaw", "domfsinfo", "domfstrim", "domhostname"):
            assert served.virsh(command, q.name, check=False, read_only=True).returncode == 1, command
        q.sh("killall qemu-ga || pkill qemu-ga")
        harness.wait_for(lambda: "disconnected" in heard.read_text(encoding="utf-8"), "the agent's end")
        assert served.virsh("domtime", q.name, check=False).returncode == 1
        listener.send_signal(signal.SIGINT)
        listener.wait(60)


harness.main()
