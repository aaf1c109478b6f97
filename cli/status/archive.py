"""Whether a repository has all WAL since its newest full backup: what was dropped, or removed, is missed here."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.status.checks import Line, full_backups
from cli.status.collect import INFO_TIMEOUT, TIMEOUT

SEGMENTS_OF_A_LOG = 256  # 4 GB of 16 MB each
NAME = "/[0-9A-F]{24}-"


def segments(repository: str, stanza: str, number: int) -> list[str] | None:
    """The names of the segments that a repository holds; None where it does not tell."""
    options = [f"--repo={number}", f"--io-timeout={TIMEOUT}", "--recurse", "--output=json", f"--filter={NAME}"]
    command = ["docker", "exec", repository, "pgbackrest", *options, "repo-ls", f"archive/{stanza}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INFO_TIMEOUT, check=True)
        return [name.rpartition("/")[2][:24] for name in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def lines(
    info: Sequence[Mapping[str, Any]] | None, stanza: str, kinds: Sequence[str], where: str, until: str | None
) -> Iterator[Line]:
    """One line a repository that answers and has a full backup.

    `where` is the container that serves it, `until` the last segment that PostgreSQL believes archived: those after it
    are on their way, in any order.
    """
    if until is None or not re.match("[0-9A-F]{24}", until):
        return
    entry = next((entry for entry in info or [] if entry.get("name") == stanza), {})
    for number, kind in enumerate(kinds, start=1):
        fulls = full_backups(entry, number)
        found = segments(where, stanza, number) if fulls else None
        if found is not None:
            subject = "WAL kept" if len(kinds) == 1 else f"WAL kept {kind}"
            yield line(subject, number, str(fulls[-1]["label"]), missing(fulls[-1]["archive"]["start"], until, found))


def line(subject: str, number: int, label: str, lacking: int) -> Line:
    """Say how many segments are missing since a backup's first one."""
    if not lacking:
        return Line(True, subject, f"all of it since {label}")
    text = f"{lacking} segments are missing since {label}: the times in them and after them cannot be restored"
    return Line(False, subject, text, f"Take a full backup: `bin/pgbackrest --repo={number} --type=full backup`.")


def missing(start: str, until: str, names: Sequence[str]) -> int:
    """How many segments are missing from `start` to `until`.

    A new timeline begins in the segment in which the old one ends, so positions are compared, whatever the timeline.
    """
    wanted = range(_position(start), _position(until) + 1)
    return len(set(wanted) - {_position(name) for name in names})


def _position(name: str) -> int:
    return int(name[8:16], 16) * SEGMENTS_OF_A_LOG + int(name[16:24], 16)
