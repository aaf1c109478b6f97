"""Whether the engine's disk has room for what a restore makes: all volumes are on it, also those of other stacks."""

from __future__ import annotations

import os

from provider.errors import PipeError
from provider.restore.look import RESTORING
from provider.restore.place import HOME, Place, shell
from provider.restore.replay import RESTORED

ALLOW = "PIPE_IGNORE_FREE_SPACE"
# Beside the files of the backup: WAL that is replayed, and what a member writes before it frees it. As for a drill.
SPARE_MB = 1024


def needed_mb(size: int, copies: int) -> int:
    """Return how much room so many copies of a database take, in MB as its size."""
    return size * copies + SPARE_MB


def free_mb(there: Place) -> int:
    """Return what is free on the disk of the volume, with what an interrupted run left in it, which goes first."""
    free = there.must("measuring the disk", "df", "--output=avail", "--block-size=1M", HOME)
    left = there.run(*shell(['for one in "$0" "$1"; do [ ! -e "$one" ] || du -sm "$one"; done', RESTORING, RESTORED]))
    return int(free.split()[-1]) + sum(int(line.split()[0]) for line in left.stdout.splitlines())


def require(there: Place, source: str, size: int, members: int) -> None:
    """Raise PipeError unless there is room for a new cluster with so many members; size in MB."""
    free, needed = free_mb(there), needed_mb(size, members)
    if free < needed and os.environ.get(ALLOW) != "1":
        each = f" for each of {members} members" if members > 1 else ""
        raise PipeError(
            f'the disk of Docker\'s engine has {free} MB free, and what is restored of "{source}" needs {needed} MB: '
            f"{size} MB{each}, and {SPARE_MB} MB for WAL",
            f"free some space, or begin with fewer pipe:database.replicas; whoever knows better sets {ALLOW}=1",
        )
