#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""./dev setup on a machine that had no sshd: it has no service more, whenever it is killed."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cli"))
import tap  # pylint: disable=wrong-import-position

HELD = "/etc/ssh/sshd_not_to_be_run"
# Units, and what Debian notes of them, of a machine of one's own; systemctl has files only to do with.
ENTER = "for folder in /etc/systemd/system /etc/ssh /var/lib/systemd; do mount -t tmpfs none $folder; done; set -e; "
BEGIN = ". scripts/apt.sh; . scripts/hold-sshd.sh; "
KILLED = f"sh -c '{BEGIN} hold_sshd; kill -9 $$' || true; "
INSTALLED = "deb-systemd-helper enable ssh.service; test $(systemctl is-enabled ssh.service) = enabled; "
STARTS = "systemd-analyze condition --unit=ssh.service >/dev/null 2>&1"


def on_another_machine(script):
    result = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER + script], cwd=ROOT,
                            env=os.environ | {"SYSTEMD_OFFLINE": "1", "DPKG_MAINTSCRIPT_PACKAGE": "openssh-server", "LC_ALL": "C"}, check=False, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_unheld():
    """a package that is installed as it is has a service that starts"""
    on_another_machine(INSTALLED + STARTS)


def test_killed():
    """killed before the package is installed, while it is, or after that: the service does not start"""
    on_another_machine(KILLED + INSTALLED + f"! {STARTS}")


def test_again():
    """the next one after that disables the service, and leaves nothing behind"""
    on_another_machine(KILLED + INSTALLED + f"{BEGIN} release_sshd; test ! -e {HELD}; "
                       "test $(systemctl is-enabled ssh.service) = disabled")


def test_own():
    """an administrator's own word on it stays"""
    on_another_machine(f"echo mine >{HELD}; {BEGIN} hold_sshd; {INSTALLED} release_sshd; test $(cat {HELD}) = mine")


def why_not():
    wanted = ("unshare", "systemctl", "systemd-analyze", "deb-systemd-helper")
    if os.geteuid() != 0 or not all(shutil.which(name) for name in wanted):
        return f"root and {', '.join(wanted)} are needed"
    if not pathlib.Path("/lib/systemd/system/ssh.service").exists():
        return "no openssh-server here (./dev setup)"
    probe = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"]
    return "no mount namespaces here" if subprocess.run(probe, capture_output=True, check=False).returncode else ""


if reason := why_not():
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)
sys.exit(tap.run([test for name, test in list(globals().items()) if name.startswith("test_")]))
