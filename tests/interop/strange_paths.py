# SPDX-License-Identifier: LGPL-2.1-or-later
"""Paths that no image has, from clients of a daemon that runs as root."""

import contextlib
import os
import pathlib

from served import harness
from wire import CODE_RPC, ERROR


def link_of_nobody(path, to):
    path.symlink_to(to)
    os.chown(path, 65534, 65534, follow_symlinks=False)
    return path


@contextlib.contextmanager
def folder(t):
    """One that some of them lead to; nothing is made in it, nor where they begin."""
    if os.geteuid() != 0:
        raise harness.Skip("only root can make another user's link")
    place = t.dir / "folder"
    place.mkdir()
    os.mkfifo(t.dir / "fifo")
    yield place
    assert list(place.iterdir()) == [] and not (t.dir / "relative").exists()


def of(t, place):
    return ["", "relative", "./relative", "../relative", place, f"{place}/", place / "..", "/", "/dev/null", "/dev/full",
            "/proc/self/mem", "/proc/self/fd/0", "/nowhere/image", t.dir / "sock", "/" + "x" * 5000,
            link_of_nobody(t.dir / "link", place / "victim"), link_of_nobody(t.dir / "way", place) / "victim"]


def check_refused(reply, path):
    """By name, unless that is another one by now."""
    assert reply.status == ERROR and reply.code not in (1, CODE_RPC), (path, reply)
    assert str(path).startswith("/proc/self") or str(path).rstrip("/") in reply.message \
        or str(pathlib.Path(path).resolve()) in reply.message, (path, reply)
