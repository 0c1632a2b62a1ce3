# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of clones have in common."""

import copy
import pathlib


def clone_of(t, guest, name):
    """The guest's clone of that name, as a test sees it."""
    one = copy.copy(guest)
    one.name = name
    one.serial = pathlib.Path(f"{guest.serial}.{name}")
    one.agent_path = pathlib.Path(f"{guest.agent_path}.{name}")
    one._agent, one._line = None, b""  # pylint: disable=protected-access
    t.guests.append(one)
    return one


def clone(t, guest, image, name="c", count=1, *options, **env):
    """Start clones, and say how they are seen."""
    t.stasis("restore", image, "--clone", name, "--count", str(count), *options, **env)
    return [clone_of(t, guest, name if count == 1 else f"{name}-{i + 1}") for i in range(count)]


def overlays(t):
    """All files of clones' disks."""
    return sorted(path for path in (t.state / "lib" / "clones").glob("*/*/*"))


def folders(t):
    return list((t.state / "lib" / "clones").glob("*/*"))
