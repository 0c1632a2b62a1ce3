#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions without a guest: what define, list, edit and their like say, on pipes and terminals."""

import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time

import tap

STASIS = os.environ["STASIS"]
QEMU = os.environ.get("STASIS_TEST_QEMU") or shutil.which("qemu-system-x86_64")
FOLDER = tempfile.TemporaryDirectory(prefix="stasis-cli-")
TEMP = pathlib.Path(FOLDER.name) / "tmp"
UUID = "5c2d3c1e-6c1d-4b3f-9d63-3a4e7c1f0a01"
XML = f"""<domain type='qemu'>
  <name>web</name>
  <uuid>{UUID}</uuid>
  <title>A &amp; B</title>
  <memory unit='KiB'>65536</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <emulator>{QEMU}</emulator>
    <graphics type='vnc' port='-1' autoport='yes'/>
  </devices>
</domain>
"""


def environment(**more):
    return {**os.environ, "LC_ALL": "C.UTF-8", "TMPDIR": str(TEMP),
            "STASIS_STATE_DIR": os.path.join(FOLDER.name, "state"), **more}


def run(*words, **env):
    return subprocess.run([STASIS, *words], capture_output=True, text=True, check=False,
                          env=environment(**env), timeout=60, cwd=FOLDER.name,
                          stdin=subprocess.DEVNULL)


def on_terminal(words, answers, **env):
    """Run on a terminal; answers are (what to wait for, what to type).  Returns status, output."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(STASIS, [STASIS, *words], environment(**env))
    output, seen, answers = "", 0, list(answers)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if answers and answers[0][0] in output[seen:]:
            seen = len(output)
            os.write(master, answers.pop(0)[1].encode())
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            octets = os.read(master, 4096)
        except OSError:
            break
        if not octets:
            break
        output += octets.decode()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(master)
    tap.equal(answers, [])
    return status, output.replace("\r\n", "\n")


def leftovers():
    return sorted(str(path.relative_to(TEMP)) for path in TEMP.rglob("*"))


def test_define():
    """define says what virsh says"""
    pathlib.Path(FOLDER.name, "web.xml").write_text(XML, encoding="utf-8")
    done = run("define", "web.xml")
    tap.equal((done.returncode, done.stdout, done.stderr),
              (0, "Domain 'web' defined from web.xml\n\n", ""))


def variant(name, *devices):
    """A definition with more devices, the first of them in line 10."""
    lines = [line for line in XML.splitlines() if "graphics" not in line]
    at = lines.index("  </devices>")
    text = "\n".join(lines[:at] + [f"    {device}" for device in devices] + lines[at:])
    text = text.replace("web", name).replace(UUID, UUID.replace("01", "77"))
    pathlib.Path(FOLDER.name, f"{name}.xml").write_text(text, encoding="utf-8")
    return f"{name}.xml"


def refused(file, message):
    for command in ("define", "create"):
        done = run(command, file)
        tap.equal((command, done.returncode, done.stderr.splitlines()[1:]),
                  (command, 1, [f"error: {file}:{message}"]))
    tap.equal(run("-q", "list", "--all", "--name").stdout, "web\n")


def test_define_refuses():
    """define refuses by name and line what start would refuse"""
    spice = "<graphics type='spice' autoport='yes'/>"
    refused(variant("spice", "<sound model='ich6'/>", spice),
            "11: /domain/devices/graphics[1]/@type: 'spice' is not supported here")
    refused(variant("both", "<redirdev bus='usb' type='spicevmc'/>", spice),
            "11: /domain/devices/graphics[1]/@type: 'spice' is not supported here")
    channel = "<channel type='spicevmc'><target type='virtio'/></channel>"
    refused(variant("vmc", spice, channel),
            "11: /domain/devices/channel[1]/@type: 'spicevmc' is not supported here")
    refused(variant("redir", "<redirdev bus='usb' type='spicevmc'/>"),
            "10: /domain/devices/redirdev[1]/@type: 'spicevmc' needs <graphics type='spice'>")
    refused(variant("watch", "<watchdog model='i6300esb' action='dump'/>"),
            "10: /domain/devices/watchdog[1]: 'dump' is not supported here")


BAD = "a\u202eb\u009bc\x1bd"
ESCAPED = r"a\u202eb\u009bc\x1bd"


def test_names():
    """names that a terminal would obey are refused, and printed escaped"""
    file = pathlib.Path(FOLDER.name, "bad.xml")
    for character, code in (("\u202e", "202E"), ("\u009b", "009B"), ("\u200b", "200B")):
        file.write_text(XML.replace("web", f"w{character}b"), encoding="utf-8")
        done = run("define", "bad.xml")
        tap.equal((done.returncode, done.stderr.splitlines()[1]),
                  (1, "error: bad.xml:2: /domain/name: control and formatting characters are not "
                      f"allowed (U+{code})"))
    done = run("domid", BAD)
    tap.equal(done.stderr, f"error: failed to get domain '{ESCAPED}'\n"
                           f"error: no domain '{ESCAPED}'\n")
    # One that lies there all the same.
    domains = pathlib.Path(FOLDER.name, "state", "config", "domains")
    (domains / f"{BAD}.xml").write_text(XML.replace("web", "x"), encoding="utf-8")
    tap.contains(run("list", "--all").stdout, f" -    {ESCAPED}   shut off\n")
    tap.contains(run("list", "--all", "--name").stdout, f"{BAD}\n")
    status, output = on_terminal(["list", "--all", "--name"], [])
    tap.equal((status, output), (0, f"{ESCAPED}\nweb\n\n"))
    (domains / f"{BAD}.xml").unlink()


def test_foreign_text():
    """a title that a terminal would obey is printed escaped there, and as it is to a file"""
    text = XML.replace("A &amp; B", "A &#x202e;&#x9b;2J B")
    pathlib.Path(FOLDER.name, "web.xml").write_text(text, encoding="utf-8")
    tap.equal(run("define", "web.xml").returncode, 0)
    tap.contains(run("dumpxml", "web").stdout, "A \u202e\u009b2J B")
    for words in (["dumpxml", "web"], ["list", "--all", "--title"], ["list", "--all", "--json"]):
        status, output = on_terminal(words, [])
        tap.equal(status, 0)
        tap.contains(output, r"A \u202e\u009b2J B")
    pathlib.Path(FOLDER.name, "web.xml").write_text(XML, encoding="utf-8")
    tap.equal(run("define", "web.xml").returncode, 0)


def test_list():
    """list, bare and in JSON"""
    tap.equal(run("list", "--all").stdout,
              " Id   Name   State\n-----------------------\n -    web    shut off\n\n")
    tap.equal(run("list", "--all", "--title").stdout.splitlines()[2],
              " -    web    shut off   A & B")
    tap.equal(run("-q", "list", "--inactive", "--uuid", "--id", "--name").stdout,
              f"{UUID} - web\n")
    tap.equal(run("-q", "list", "--state-shutoff", "--name").stdout, "web\n")
    tap.equal(run("-q", "list", "--all", "--state-running", "--name").stdout, "")
    tap.equal(run("-q", "list", "--all", "--transient", "--name").stdout, "")
    tap.equal(json.loads(run("list", "--all", "--json").stdout),
              [{"id": None, "name": "web", "uuid": UUID, "state": "shut off", "title": "A & B",
                "persistent": True, "autostart": False, "managed_save": False,
                "clone_of": None, "clone_image": None}])


def test_dominfo():
    """dominfo and its like of a domain that does not run"""
    tap.equal(run("dominfo", "web").stdout,
              f"Id:             -\nName:           web\nUUID:           {UUID}\n"
              "OS Type:        hvm\nState:          shut off\nCPU(s):         1\n"
              "Max memory:     65536 KiB\nUsed memory:    65536 KiB\nPersistent:     yes\n"
              "Autostart:      disable\nAutostart Once: disable\nManaged save:   no\nSecurity model: none\n"
              "Security DOI:   0\n\n")
    tap.equal(json.loads(run("dominfo", UUID, "--json").stdout)["qemu_pid"], None)
    tap.equal(run("-q", "domid", "web").stdout, "-\n")
    tap.equal(run("-q", "domname", UUID).stdout, "web\n")
    tap.equal(run("-q", "domuuid", "web").stdout, f"{UUID}\n")
    tap.equal(run("-q", "domstate", "web").stdout, "shut off\n")
    tap.equal(run("-q", "domjobinfo", "web", "--completed").stdout,
              "Job type:         None        \n")


def test_dumpxml():
    """dumpxml prints the definition, with what was filled in"""
    text = run("dumpxml", "web").stdout
    tap.contains(text, "<name>web</name>")
    tap.contains(text, "<title>A &amp; B</title>")
    tap.contains(text, "machine='pc-i440fx-")
    tap.contains(run("dumpxml", "web", "--inactive", "--security-info").stdout, "<name>web</name>")


def test_not_running():
    """what needs a running domain says so in two lines"""
    for command in ("suspend", "resume", "shutdown", "reboot", "reset", "destroy", "managedsave",
                    "console", "domdetach", "domuntrack", "domjobinfo", "domjobabort"):
        done = run(command, "web")
        tap.equal((command, done.returncode, done.stdout, len(done.stderr.splitlines())),
                  (command, 1, "", 2))
    done = run("save", "web", "web.stasis")
    tap.equal(done.stderr.splitlines()[0], "error: failed to save domain 'web' to web.stasis")
    done = run("managedsave-dumpxml", "web")
    tap.equal(done.stderr.splitlines()[1], "error: domain 'web' has no managed save image")
    tap.equal(run("managedsave-remove", "web").stdout,
              "Domain 'web' has no managed save image; removal skipped\n\n")


def test_autostart():
    """autostart marks and unmarks"""
    tap.equal(run("autostart", "web").stdout, "Domain 'web' marked as autostarted\n\n")
    tap.equal(run("-q", "list", "--all", "--autostart", "--name").stdout, "web\n")
    tap.equal(run("autostart", "web", "--disable").stdout,
              "Domain 'web' unmarked as autostarted\n\n")
    tap.equal(run("-q", "list", "--all", "--autostart", "--name").stdout, "")


def test_autostart_once():
    """autostart --once: a mark of its own, for the next boot"""
    def shown():
        info = json.loads(run("dominfo", "web", "--json").stdout)
        return info["autostart"], info["autostart_once"]
    tap.equal(run("autostart", "web", "--once").stdout, "Domain 'web' marked as autostarted on next boot\n\n")
    tap.equal(shown(), (False, True))
    tap.contains(run("dominfo", "web").stdout, "Autostart:      disable\nAutostart Once: enable\n")
    tap.equal(run("-q", "list", "--all", "--autostart", "--name").stdout, "")
    tap.equal((run("autostart", "web").returncode, shown()), (0, (True, True)))
    tap.equal((run("autostart", "web", "--disable").returncode, shown()), (0, (False, True)))
    tap.equal(run("autostart", "--disable", "--once", "web").stdout,
              "Domain 'web' unmarked as autostarted on next boot\n\n")
    tap.equal((run("autostart", "web", "--disable", "--once").returncode, shown()), (0, (False, False)))
    tap.equal(run("autostart", "--start", "--once").returncode, 1)


def test_rename():
    """domrename: the definition, the marks for autostart and the NVRAM go by the new name"""
    uuid = run("domuuid", "web").stdout
    run("autostart", "web")
    run("autostart", "web", "--once")
    state = pathlib.Path(FOLDER.name) / "state"
    (state / "lib/nvram").mkdir(parents=True, exist_ok=True)
    nvram = state / "lib/nvram/web_VARS.fd"
    nvram.write_bytes(b"variables")
    tap.equal(run("domrename", "web", "net").stdout, "Domain successfully renamed\n\n")
    tap.equal((nvram.exists(), (state / "lib/nvram/net_VARS.fd").read_bytes()), (False, b"variables"))
    tap.equal(run("domuuid", "net").stdout, uuid)
    tap.equal(run("domname", uuid.strip()).stdout, "net\n\n")
    tap.equal(run("-q", "list", "--all", "--name", "--autostart").stdout, "net\n")
    tap.contains(run("dumpxml", "net").stdout, "<name>net</name>")
    tap.equal(run("domstate", "web").returncode, 1)
    for folder in ("autostart", "autostart-once"):
        tap.equal([(link.name, os.readlink(link)) for link in (state / "config" / folder).iterdir()],
                  [("net.xml", "../domains/net.xml")])
    # What is in the way of it.
    other = pathlib.Path(FOLDER.name) / "db.xml"
    text = run("dumpxml", "net").stdout.replace("<name>net<", "<name>db<")
    other.write_text(text.replace(uuid.strip(), "00000000-0000-0000-0000-000000000007"))
    tap.equal(run("define", str(other)).returncode, 0)
    for name, message in (("net", "has that name already"), ("db", "domain 'db' exists already"),
                          ("a/b", "cannot be the name of a domain")):
        done = run("domrename", "net", name)
        tap.equal((done.returncode, message in done.stderr), (1, True))
    managed = state / "lib/save/net.stasis"
    for path, message in ((managed, "has a managed save image"), (nvram, "is there already")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        done = run("domrename", "net", "web")
        tap.equal((done.returncode, message in done.stderr), (1, True))
        path.unlink()
    tap.equal(run("domrename", "net", "web").returncode, 0)
    tap.equal(run("undefine", "db").returncode, 0)
    tap.equal(run("autostart", "web", "--disable").returncode, 0)
    tap.equal(run("autostart", "web", "--disable", "--once").returncode, 0)
    (state / "lib/nvram/web_VARS.fd").unlink()


def test_edit():
    """edit changes a definition and leaves nothing behind"""
    before = run("dumpxml", "web", "--inactive", "--security-info").stdout
    tap.equal(run("edit", "web", EDITOR="true").stdout,
              "Domain 'web' XML configuration not changed.\n\n")
    tap.equal(run("dumpxml", "web", "--inactive", "--security-info").stdout, before)
    tap.equal(run("edit", "web", EDITOR="sed -i s/65536/131072/").stdout,
              "Domain 'web' XML configuration edited.\n\n")
    tap.equal(run("dumpxml", "web", "--inactive", "--security-info").stdout,
              before.replace("65536", "131072"))
    tap.equal(leftovers(), [])


def test_edit_refused():
    """without a terminal a refused edit is kept in a file, and what takes it is said"""
    for editor in ("sed -i s/vcpu/bad/g", "sh -c 'sed -i s/vcpu/bad/g \"$0\"; exit 3'"):
        done = run("edit", "web", EDITOR=editor)
        tap.equal((done.returncode, done.stdout), (1, ""))
        kept = [path for path in TEMP.rglob("*.xml")]
        tap.equal(len(kept), 1)
        lines = done.stderr.splitlines()
        tap.equal((lines[0], len(lines)), ("error: failed to edit domain 'web'", 3))
        tap.equal(lines[2], f"the edited text is kept in '{kept[0]}'; "
                  f"once it is right, 'stasis define {kept[0]}' takes it")
        tap.contains(kept[0].read_text(encoding="utf-8"), "<bad")
        kept[0].unlink()
        kept[0].parent.rmdir()


def test_edit_no_editor():
    """an editor that cannot be run is named, and where it is from"""
    for variables, name in (({"EDITOR": "/nonexistent/ed -x"}, "EDITOR"),
                            ({"EDITOR": "true", "VISUAL": "/nonexistent/ed"}, "VISUAL")):
        done = run("edit", "web", **variables)
        tap.equal((done.returncode, done.stdout, done.stderr),
                  (1, "", "error: failed to edit domain 'web'\n"
                   f"error: cannot run the editor '/nonexistent/ed', which {name} names: "
                   "No such file or directory\n"))
        tap.equal(leftovers(), [])


def test_edit_asks():
    """on a terminal a refused edit is asked about"""
    question = "Failed. Try again? [y,n,f,?]: "
    status, output = on_terminal(["edit", "web"], [(question, "?\n"), (question, "f\n"),
                                                   (question, "n\n")],
                                 EDITOR="sed -i s/vcpu/bad/g")
    tap.equal(status, 1)
    tap.contains(output, "n - no, throw away my changes")
    tap.contains(output, "error: the changes were thrown away")
    tap.equal(leftovers(), [])


def test_edit_again():
    """on a terminal a refused edit can be mended"""
    editor = pathlib.Path(FOLDER.name, "editor")
    editor.write_text("#!/bin/sh\nif grep -q '<bad' \"$1\"; then sed -i s/bad/vcpu/g \"$1\"; "
                      "sed -i s/131072/65536/ \"$1\"; else sed -i s/vcpu/bad/g \"$1\"; fi\n",
                      encoding="utf-8")
    editor.chmod(0o700)
    status, output = on_terminal(["edit", "web"], [("[y,n,f,?]: ", "y\n")], VISUAL=str(editor))
    tap.contains(output, "Domain 'web' XML configuration edited.")
    tap.equal(status, 0)
    tap.contains(run("dominfo", "web").stdout, "65536 KiB")
    tap.equal(leftovers(), [])


def test_edit_race():
    """a definition that somebody else changed meanwhile is not overwritten unless forced"""
    other = pathlib.Path(FOLDER.name, "other.xml")
    other.write_text(XML.replace("A &amp; B", "other"), encoding="utf-8")
    editor = f"sh -c '{STASIS} define {other} >/dev/null; sed -i s/65536/131072/ \"$0\"'"
    done = run("edit", "web", EDITOR=editor)
    tap.contains(done.stderr, "the XML configuration was changed by another user")
    shutil.rmtree(TEMP)
    TEMP.mkdir()
    pathlib.Path(FOLDER.name, "other.xml").write_text(XML, encoding="utf-8")
    status, _ = on_terminal(["edit", "web"], [("[y,n,f,?]: ", "f\n")], EDITOR=editor)
    tap.equal(status, 0)
    tap.contains(run("dominfo", "web").stdout, "131072 KiB")


def test_undefine():
    """undefine says what virsh says"""
    tap.equal(run("undefine", "web").stdout, "Domain 'web' has been undefined\n\n")
    tap.equal(run("-q", "list", "--all").stdout, "")


TESTS = [test_define, test_define_refuses, test_names, test_foreign_text, test_list, test_dominfo, test_dumpxml, test_not_running, test_autostart, test_autostart_once, test_rename,
         test_edit, test_edit_refused, test_edit_no_editor, test_edit_asks, test_edit_again, test_edit_race,
         test_undefine]

if __name__ == "__main__":
    if QEMU is None:
        print("1..0 # SKIP no qemu-system-x86_64 here")
        sys.exit(0)
    TEMP.mkdir()
    try:
        sys.exit(tap.run(TESTS))
    finally:
        FOLDER.cleanup()
