#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the command line says of guests that run and of their images."""

import json
import os
import re
import signal
import socket

import harness

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
VNC = "<graphics type='vnc' port='-1' autoport='yes' passwd='s3cret'/>"


def paused(t, extra="", **options):
    """A guest that stands still: what is asked here does not need one that runs."""
    guest = t.boot_sector_guest(**options)
    t.stasis("create", guest.xml_file(extra), "--paused")
    return guest


def saved(t, extra=""):
    guest = paused(t, extra)
    image = t.dir / "image.stasis"
    t.stasis("save", guest.name, image)
    return guest, image


@harness.test("image info: times, the domain's name, RAM blocks once and with units")
def info(t):
    guest, image = saved(t)
    text = t.stasis("image", "info", image, TZ="Asia/Kolkata").stdout
    assert re.search(rf"^Domain name: +{guest.name}$", text, re.M), text
    assert re.search(r"^Created: +20\S+\+05:30$", text, re.M), text
    assert not re.search(r"\d{19}", text), text
    assert text.count("pc.ram") == 1, text
    assert re.search(r"Name: +pc.ram\n +(Length|Size): +64.0 MiB\n", text), text

    told = json.loads(t.stasis("image", "info", image, "--json", TZ="Asia/Kolkata").stdout)
    assert told["domain-name"] == guest.name, told
    assert told["created-ns"] > 10**18, told
    assert ISO.fullmatch(told["created"]) and told["created"].endswith("+05:30"), told
    assert ISO.fullmatch(told["disks"][0]["mtime"]) and told["disks"][0]["mtime-ns"] > 10**18, told
    if told["body"]["kind"] == "mapped-ram":  # a stream says nothing of its blocks but the facts
        assert told["memory"]["blocks"][0]["length"] == 64 << 20, told
    assert told["qemu"]["ram-blocks"][0]["size"] == 64 << 20, told


def run_state(t, image):
    return json.loads(t.stasis("image", "info", image, "--json").stdout)["qemu"]["run-state"]


@harness.test("save-image-define and -edit take --running and --paused", once=True)
def define_run_state(t):
    guest, image = saved(t)
    xml = t.dir / "new.xml"
    xml.write_text(t.stasis("save-image-dumpxml", image, "--security-info").stdout)
    assert run_state(t, image) == "paused"
    t.stasis("save-image-define", image, xml, "--running")
    assert run_state(t, image) == "running"
    t.stasis("image", "verify", image)
    t.stasis("save-image-define", image, xml)
    assert run_state(t, image) == "running"
    told = t.stasis("save-image-edit", image, "--paused", EDITOR="true").stdout
    assert told == f"State file {image} edited.\n\n", told
    assert run_state(t, image) == "paused"
    told = t.stasis("save-image-edit", image, EDITOR="true").stdout
    assert "not changed" in told, told
    both = t.stasis("save-image-define", image, xml, "--running", "--paused", check=False)
    assert both.returncode == 1 and "mutually exclusive" in both.stderr, both
    t.stasis("save-image-define", image, xml, "--running")
    t.stasis("restore", image)
    assert t.stasis("-q", "domstate", guest.name).stdout == "running\n"
    guest.wait_for_tick(1)


@harness.test("managedsave-define and -edit take --running and --paused", once=True)
def managed_run_state(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name, "--paused")
    t.stasis("managedsave", guest.name)
    t.stasis("managedsave-edit", guest.name, "--running", EDITOR="true")
    xml = t.dir / "new.xml"
    xml.write_text(t.stasis("managedsave-dumpxml", guest.name, "--security-info").stdout)
    t.stasis("managedsave-define", guest.name, xml, "--paused")
    t.stasis("managedsave-edit", guest.name, "--running", EDITOR="true")
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)


def final(text):
    return json.loads(text)["state"]


@harness.test("--json ends with completed where a job has ended well")
def completed(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    image = t.dir / "image.stasis"
    assert final(t.stasis("save", guest.name, image, "--json").stdout) == "completed"
    verdict = json.loads(t.stasis("image", "verify", image, "--json").stdout)
    assert verdict["statistics"]["state"] == "completed", verdict
    assert final(t.stasis("restore", image, "--json").stdout) == "completed"
    assert final(t.stasis("managedsave", guest.name, "--json").stdout) == "completed"


def counts(told):
    """What the statistics of a job that ended well have to say."""
    statistics = told.get("statistics", told)
    assert statistics["bytes_total"] > 0, told
    assert statistics["bytes_processed"] == statistics["bytes_total"], told
    assert statistics["bytes_remaining"] == 0 and statistics["bytes_written"] > 0, told
    return statistics


@harness.test("--json tells the amounts of short jobs, too")
def amounts(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    image = t.dir / "image"
    for kind in ("stasis", "stasis-stream", "libvirt-zstd", "libvirt"):
        more = ["--format", kind]
        assert counts(json.loads(t.stasis("save", guest.name, image, *more, "--json").stdout))["engine"]
        counts(json.loads(t.stasis("image", "verify", image, "--json").stdout))
        counts(json.loads(t.stasis("image", "convert", "-O", "stasis-stream", image, t.dir / "other",
                                   "--json").stdout))
        done = t.stasis("restore", image, "--json", "--verbose")
        engine = counts(json.loads(done.stdout))["engine"]
        told = json.loads(t.stasis("image", "info", image, "--json").stdout)
        is_mapped = told.get("body", {}).get("kind") == "mapped-ram"
        assert engine.startswith(("instant: ", "mapped-ram") if is_mapped else "plain stream"), engine
        completed = counts(json.loads(t.stasis("domjobinfo", guest.name, "--completed", "--json").stdout))
        assert completed["engine"] == engine, completed
        t.stasis("save", guest.name, image, "--format", kind)
        assert f"Restore: {engine}\n" in t.stasis("restore", image, "--verbose").stderr
    with open(t.dir / "other", "rb") as pipe:
        t.stasis("destroy", guest.name)
        counts(json.loads(t.stasis("restore", "-", "--json", "--force", stdin=pipe).stdout))


@harness.test("domjobinfo tells what the reader of a pipe has taken", embedded=True)
def taken(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    fifo = t.dir / "fifo"
    os.mkfifo(fifo)
    for kind in ("stasis-stream", "libvirt"):
        process = t.start("save", guest.name, fifo, "--format", kind, "--json")
        with open(fifo, "rb") as reader:
            octets = reader.read(200_000)
            seen = json.loads(harness.wait_for(
                lambda n=len(octets): next((text for text in [t.stasis("domjobinfo", guest.name, "--json").stdout]
                                            if json.loads(text)["bytes_written"] >= n), None),
                "the octets to be told"))
            assert seen["bytes_written"] <= len(octets) + (1 << 18), seen
            if kind == "libvirt":
                process.send_signal(signal.SIGINT)
                told = json.loads(process.communicate(timeout=60)[0])
                assert told["state"] == "cancelled", told
                assert len(octets) <= told["bytes_written"] <= len(octets) + (1 << 18), told
                break
            while more := reader.read(1 << 20):
                octets += more
            told = json.loads(process.communicate(timeout=60)[0])
            assert told["bytes_written"] == len(octets) and told["bytes_per_second"] > 0, told
        (t.dir / "image").write_bytes(octets)
        t.stasis("restore", t.dir / "image")


@harness.test("--json ends with failed where a job has failed")
def failed(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    image = t.dir / "image.stasis"
    for words in (["save", guest.name, image], ["managedsave", guest.name]):
        result = t.stasis(*words, "--json", "--verbose", check=False, STASIS_FAULT="save-paused=fail")
        assert result.returncode == 1, result
        told = json.loads(result.stdout)
        assert told["state"] == "failed" and told["error"] in result.stderr, told
        assert '"state":"failed"' in result.stderr.replace(" ", ""), result.stderr
    t.stasis("save", guest.name, image)
    result = t.stasis("restore", image, "--json", check=False, STASIS_FAULT="restore-loaded=fail")
    assert result.returncode == 1 and final(result.stdout) == "failed", result
    told = json.loads(t.stasis("image", "info", image, "--json").stdout)
    is_mapped = "memory" in told
    with open(image, "r+b") as file:
        file.seek(told["memory"]["blocks"][0]["pages-offset"] + 0x7c00 if is_mapped
                  else told["body"]["offset"] + told["body"]["length"] // 2)
        file.write(b"damage")
    result = t.stasis("image", "verify", image, "--json", check=False)
    verdict = json.loads(result.stdout)
    assert result.returncode == 1 and verdict["good"] is False, verdict
    assert verdict["statistics"]["state"] == "failed", verdict
    assert verdict["statistics"]["error"] == verdict["error"], verdict
    os.truncate(image, 4096)
    result = t.stasis("image", "verify", image, "--json", check=False)
    verdict = json.loads(result.stdout)
    assert result.returncode == 1 and verdict["good"] is False, verdict
    assert verdict["statistics"]["state"] == "failed", verdict


@harness.test("a damage is told once, and --force is said not to be for it", once=True)
def damage(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "image.stasis"
    t.stasis("save", guest.name, image)
    told = json.loads(t.stasis("image", "info", image, "--json").stdout)
    with open(image, "r+b") as file:
        file.seek(told["memory"]["blocks"][0]["pages-offset"] + 0x7c00 if "memory" in told
                  else told["body"]["offset"] + told["body"]["length"] // 2)
        file.write(b"damage")
    result = t.stasis("image", "verify", image, check=False)
    assert result.returncode == 1 and len(result.stdout.splitlines()) == 1, result
    assert re.match(r"octets? \d+", result.stdout), result
    assert result.stderr == f"error: save image {image} is damaged\n", result
    what = result.stdout.split(": ", 1)[1].strip()
    result = t.stasis("image", "verify", image, "--json", check=False)
    assert result.returncode == 1, result
    assert (result.stdout + result.stderr).count(what) == 1, result
    assert json.loads(result.stdout)["damages"][0]["what"] == what, result

    plain = t.stasis("restore", image, check=False)
    assert plain.returncode == 1 and "--force" not in plain.stderr, plain
    forced = t.stasis("restore", image, "--force", check=False)
    assert forced.returncode == 1, forced
    assert forced.stderr.rstrip().endswith("(--force does not apply to damage)"), forced
    os.truncate(image, 4096)
    cut = t.stasis("restore", image, "--force", check=False)
    assert cut.stderr.rstrip().endswith("(--force does not apply to damage)"), cut
    assert guest.name not in t.stasis("list", "--all", "--name").stdout


@harness.test("the definition in an image keeps name and UUID", once=True)
def identity(t):
    guest, image = saved(t)
    xml = t.stasis("save-image-dumpxml", image, "--security-info").stdout
    uuid = re.search(r"<uuid>(.*)</uuid>", xml).group(1)
    before = image.read_bytes()
    other = t.dir / "other.xml"
    for old, new, says in (
            (f"<name>{guest.name}</name>", "<name>other</name>",
             f"the image is of domain '{guest.name}', whose name cannot be changed to 'other'"),
            (uuid, uuid[:-1] + ("0" if uuid[-1] != "0" else "1"), "whose UUID cannot be changed to")):
        other.write_text(xml.replace(old, new))
        result = t.stasis("save-image-define", image, other, check=False)
        assert result.returncode == 1 and says in result.stderr, result
        result = t.stasis("save-image-edit", image, check=False, TMPDIR=t.dir,
                          EDITOR=f"cp {other}")
        kept = list(t.dir.glob("stasis-*/domain.xml"))
        assert result.returncode == 1 and says in result.stderr, result
        assert f"'stasis save-image-define {image} {kept[0]}' takes it" in result.stderr, result
        kept[0].unlink()
    assert image.read_bytes() == before
    t.stasis("restore", image)


@harness.test("--json ends with cancelled where a job was cancelled")
def cancelled(t):
    guest = t.linux_guest(memory_mib=1024)
    t.stasis("create", guest.xml_file())
    guest.wait_for_agent()
    guest.agent("fill 600 1")
    image = t.dir / "image.stasis"
    process = t.start("save", guest.name, image, "--json", "--verbose")
    for line in process.stderr:
        if json.loads(line)["bytes_processed"] > 0:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode == 0:
        raise harness.Skip("the save was faster than the signal")
    assert process.returncode == 1 and "cancelled" in err, err
    assert final(out) == "cancelled", out


@harness.test("save-image-dumpxml leaves secrets out without --security-info", once=True)
def secrets(t):
    guest, image = saved(t, VNC)
    for command in (["save-image-dumpxml"], ["image", "dumpxml"]):
        plain = t.stasis(*command, image).stdout
        assert "s3cret" not in plain and "<graphics type='vnc'" in plain, plain
        secure = t.stasis(*command, image, "--security-info").stdout
        assert "passwd='s3cret'" in secure, secure
        assert secure.replace(" passwd='s3cret'", "") == plain
    t.stasis("save-image-edit", image, EDITOR="sed -i s/s3cret/t0psec/")
    assert "passwd='t0psec'" in t.stasis("image", "dumpxml", image, "--security-info").stdout
    t.stasis("restore", image)
    assert "t0psec" not in t.stasis("dumpxml", guest.name).stdout
    assert "passwd='t0psec'" in t.stasis("dumpxml", guest.name, "--security-info").stdout
    assert not any("t0psec" in line for line in t.processes().values())


DEVICES = """
    <disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
    <interface type='user'>
      <mac address='52:54:00:00:00:02'/><target dev='tap7'/><model type='e1000e'/>
    </interface>
    <graphics type='vnc' port='-1' autoport='yes'/>"""


@harness.test("domblklist and domiflist print virsh's tables, and JSON")
def device_lists(t):
    guest = paused(t, DEVICES)
    rule = "-" * (len(str(guest.disk)) + 3 + 9)
    for more in ([], ["--inactive"]):
        told = t.stasis("domblklist", guest.name, *more).stdout
        assert told == (f" Target   Source\n{rule}\n vda      {guest.disk}\n sdb      -\n\n"), told
    told = t.stasis("domblklist", guest.name, "--details").stdout.splitlines()
    assert told[0] == " Type   Device   Target   Source", told
    assert told[2:4] == [f" file   disk     vda      {guest.disk}", " file   cdrom    sdb      -"], told
    told = t.stasis("-q", "domblklist", guest.name).stdout
    assert told == f" vda   {guest.disk}\n sdb   -\n", told
    told = json.loads(t.stasis("domblklist", guest.name, "--json").stdout)
    assert told == [
        {"type": "file", "device": "disk", "target": "vda", "source": str(guest.disk)},
        {"type": "file", "device": "cdrom", "target": "sdb", "source": None}], told

    told = t.stasis("domiflist", guest.name).stdout
    assert told == """\
 Interface   Type   Source   Model    MAC
---------------------------------------------------------
 -           user   -        virtio   52:54:00:00:00:01
 tap7        user   -        e1000e   52:54:00:00:00:02

""", told
    told = json.loads(t.stasis("domiflist", guest.name, "--json").stdout)
    assert told[1] == {"interface": "tap7", "type": "user", "source": None, "model": "e1000e",
                       "mac": "52:54:00:00:00:02"}, told


@harness.test("vncdisplay and ttyconsole name what one can connect to")
def displays(t):
    guest = paused(t, DEVICES + "<console type='pty'><target type='virtio'/></console>")
    told = t.stasis("-q", "vncdisplay", guest.name).stdout
    assert re.fullmatch(r"127\.0\.0\.1:\d+\n", told), told
    port = 5900 + int(told.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as vnc:
        assert vnc.recv(4) == b"RFB "
    tty = t.stasis("-q", "ttyconsole", guest.name).stdout.rstrip("\n")
    assert re.fullmatch(r"/dev/pts/\d+", tty) and os.path.exists(tty), tty

    bare = paused(t, name="bare")
    for command in ("vncdisplay", "ttyconsole"):
        result = t.stasis(command, "bare", check=False)
        assert result.returncode == 1 and "domain 'bare' has no" in result.stderr, result
    t.stasis("destroy", bare.name)
    t.stasis("destroy", guest.name)
    t.stasis("define", guest.xml_file(DEVICES))
    for command in ("vncdisplay", "ttyconsole"):
        result = t.stasis(command, guest.name, check=False)
        assert result.returncode == 1 and "is not running" in result.stderr, result


@harness.test("ttyconsole names the first port that has a terminal")
def first_terminal(t):
    guest = t.boot_sector_guest()
    xml = guest.xml_file(f"""
    <serial type='file'><source path='{t.dir}/log'/><target port='1'/></serial>
    <serial type='pty'><target port='2'/></serial>""")
    assert "<serial type='pty'" in xml.read_text()
    t.stasis("create", xml, "--paused")
    live = t.stasis("dumpxml", guest.name).stdout
    ttys = re.findall(r"<source path='(/dev/pts/\d+)'/>", live)
    assert ttys and "<console type='pty'" not in live, live
    assert t.stasis("-q", "ttyconsole", guest.name).stdout == f"{ttys[0]}\n", live


@harness.test("qemu-monitor-command passes commands and tells replies")
def monitor(t):
    guest = paused(t)

    def ask(*words, **more):
        return t.stasis("qemu-monitor-command", guest.name, *words, **more)

    told = json.loads(ask('{"execute": "query-status", "id": 7}').stdout)
    assert told["return"]["status"] == "prelaunch" and told["id"] == 7, told
    assert json.loads(ask("query-status").stdout) == {"return": told["return"]}
    text = ask("query-status", "--return-value", "--pretty").stdout
    assert json.loads(text) == told["return"] and text.startswith("{\n"), text
    arguments = '{"path": "/machine", "property": "type"}'
    told = json.loads(ask("qom-get", arguments, "--return-value").stdout)
    assert told.startswith("pc-q35-"), told
    assert "VM status: paused" in ask("--hmp", "info", "status").stdout
    for words in (["no-such-command"], ["{"], ['{"arguments": {}}'], ["query-status", "{x"],
                  ['{"execute": "stop", "control": 1}'], ["qom-get", "{}"]):
        result = ask(*words, check=False)
        assert result.returncode == 1 and len(result.stderr.splitlines()) == 2, (words, result)
    result = t.stasis("-r", "qemu-monitor-command", guest.name, "query-status", check=False)
    assert result.returncode == 1 and "read only" in result.stderr, result
    # What it changes is known at once.
    ask("cont")
    assert t.stasis("-q", "domstate", guest.name).stdout == "running\n"


@harness.test("domstats tells libvirt's fields of what runs and of what does not")
def domstats(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    idle = t.boot_sector_guest(name="idle")
    t.stasis("define", idle.xml_file())
    blocks = t.stasis("domstats", "--state", "--block", guest.name).stdout.splitlines()
    assert blocks[:4] == [f"Domain: '{guest.name}'", "  state.state=1", "  block.count=1",
                          "  block.0.name=vda"], blocks
    assert blocks[4] == f"  block.0.path={guest.disk}", blocks
    told = {one["domain"]: one for one in json.loads(t.stasis("domstats", "--json").stdout)}
    assert list(told) == [guest.name, "idle"], told
    assert told[guest.name]["block.0.rd.bytes"] >= 512, told
    assert told[guest.name]["cpu.time"] > 0 and told[guest.name]["vcpu.current"] == 1, told
    assert told[guest.name]["balloon.current"] == 64 << 10, told
    assert told["idle"]["state.state"] == 5 and "cpu.time" not in told["idle"], told
    assert told["idle"]["block.count"] == 1 and "block.0.rd.bytes" not in told["idle"], told
    only = t.stasis("domstats", "--list-inactive", "--vcpu").stdout
    assert only == "Domain: 'idle'\n  vcpu.current=1\n\n", only
    both = t.stasis("domstats", "--vcpu").stdout
    assert both == f"Domain: '{guest.name}'\n  vcpu.current=1\n\nDomain: 'idle'\n  vcpu.current=1\n\n", both


@harness.test("domrename: not while it runs; then it is started, and starts by itself, under the new name", once=True)
def rename(t):
    guest = t.boot_sector_guest("before")
    t.stasis("define", guest.xml_file())
    t.stasis("autostart", "before")
    t.stasis("start", "before", "--paused")
    failed = t.stasis("domrename", "before", "after", check=False)
    assert failed.returncode == 1 and "is active" in failed.stderr, failed.stderr
    t.stasis("destroy", "before")
    uuid = t.stasis("domuuid", "before").stdout.strip()
    for name, text in (("before", "has that name already"), ("a/b", "cannot be the name")):
        failed = t.stasis("domrename", "before", name, check=False)
        assert failed.returncode == 1 and text in failed.stderr, failed.stderr
    assert "successfully renamed" in t.stasis("domrename", "before", "after").stdout
    assert t.stasis("domname", uuid).stdout.strip() == "after"
    assert t.stasis("-q", "list", "--all", "--autostart", "--name").stdout == "after\n"
    t.stasis("start", "after", "--paused")
    assert t.stasis("domstate", "after").stdout.strip() == "paused"
    t.stasis("destroy", "after")


@harness.test("domrename that is killed: the NVRAM is where the definition says, and it can be done again", embedded=True, once=True)
def rename_killed(t):
    guest = t.boot_sector_guest("before")
    t.stasis("define", guest.xml_file())
    folder = t.state / "lib" / "nvram"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "before_VARS.fd").write_bytes(b"variables")
    killed = t.stasis("domrename", "before", "after", check=False, STASIS_FAULT="rename-moved=kill")
    assert killed.returncode == -9 and t.stasis("-q", "list", "--all", "--name").stdout == "before\n"
    assert (folder / "before_VARS.fd").read_bytes() == b"variables"
    failed = t.stasis("domrename", "before", "after", check=False, STASIS_FAULT="rename-moved=fail")
    assert failed.returncode == 1 and [file.name for file in folder.iterdir()] == ["before_VARS.fd"]
    t.stasis("domrename", "before", "after")
    assert [file.name for file in folder.iterdir()] == ["after_VARS.fd"]
    (folder / "other_VARS.fd").write_bytes(b"another's")
    failed = t.stasis("domrename", "after", "other", check=False)
    assert failed.returncode == 1 and "of an earlier domain" in failed.stderr


harness.main()
