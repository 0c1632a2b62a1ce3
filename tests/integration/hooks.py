# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks that write down how they were called."""

import harness

SCRIPT = """#!/bin/sh
cd {notes}
cat > xml.$2
echo "$1 $2 $3 $4" >> calls
if [ -f do.$2 ]; then . ./do.$2; fi
"""

STARTED = ["prepare begin -", "start begin -", "started begin -"]


def ended(reason):
    return ["stopped end -", f"release end {reason}"]


class Hooks:
    """In the folder of a test's configuration; each does what do() says, and notes its arguments and its input."""

    def __init__(self, t, folder=None, **options):
        self.folder = folder or t.state / "config" / "hooks"
        self.notes = t.dir / "notes"
        self.notes.mkdir()
        self.folder.mkdir(mode=0o700)
        self.write("qemu", SCRIPT.format(notes=self.notes))
        with open(t.state / "config" / "stasis.conf", "a", encoding="utf-8") as file:
            file.write("[hooks]\n" + "".join(f"{key}={value}\n" for key, value in options.items()))

    def write(self, name, text, mode=0o755):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def do(self, operation, lines):
        """What the hook does besides, in this operation; nothing where that is empty."""
        path = self.notes / f"do.{operation}"
        path.unlink(missing_ok=True)
        if lines:
            path.write_text(lines + "\n", encoding="utf-8")

    def calls(self, guest):
        """Their arguments so far, without the domain's name."""
        path = self.notes / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        name = guest if isinstance(guest, str) else guest.name
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def take(self, guest):
        """The same, and they are forgotten."""
        calls = self.calls(guest)
        (self.notes / "calls").unlink(missing_ok=True)
        return calls

    def take_once_there(self, guest, last):
        """Once one was called of which the arguments begin so, and its domain has gone."""
        harness.wait_for(lambda: any(call.startswith(last) for call in self.calls(guest)), f"'{last}' to be called")
        return self.take(guest)

    def has_called(self, guest, operation):
        return any(call.split()[0] == operation for call in self.calls(guest))

    def xml(self, operation):
        return (self.notes / f"xml.{operation}").read_text(encoding="utf-8")
