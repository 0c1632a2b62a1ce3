# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that are slow, so that requests are under way for long."""

import contextlib
import os
import pathlib

import harness


@contextlib.contextmanager
def slow_reads(t, guest, path):
    """Its QEMU reads the disk of that file at 16 MiB/s; a Skip where the kernel lets nobody say so."""
    group = pathlib.Path(f"/sys/fs/cgroup/blkio/stasis-test-{os.getpid()}")
    device = os.stat(path).st_dev
    pid = t.status(guest)["qemu"]["pid"]
    try:
        group.mkdir()
    except OSError as reason:
        raise harness.Skip(f"no blkio control group here: {reason}") from reason
    try:
        limit = f"{os.major(device)}:{os.minor(device)} {16 << 20}"
        (group / "blkio.throttle.read_bps_device").write_text(limit)
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()
