"""What a repository keeps of a cluster, and the backup from which a target is reached. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from provider.errors import PipeError
from provider.restore.moments import Target, lsn_text, parse_lsn, shown

_SEGMENT = re.compile(r"/[0-9A-F]{24}-[0-9a-f]{40}[^/]*$")
_COMMIT = re.compile(r"desc: COMMIT (\S+ \S+) UTC")
_RECORD = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+),")
_POINT = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+),.* desc: RESTORE_POINT (.*)")
# The code of a repository that cannot tell.
_NO_ANSWER = 99
# Far beyond every real position.
_END = (1 << 64) - 1
# What initdb makes where nobody says otherwise.
_SEGMENT_BYTES = 16 * 1024 * 1024

Lineage = Mapping[int, int]
"""Each timeline that the cluster went through, with the position at which it left it."""


@dataclass(frozen=True)
class Backup:
    """One backup that a restore can begin with."""

    label: str
    timeline: int
    consistent: datetime
    """From here on a restore of it can end: the first whole second after it was complete."""
    stop_lsn: int
    size_mb: int
    """How large the database is that a restore of it makes."""


@dataclass(frozen=True)
class Stanza:
    """A cluster as ``pgbackrest info`` describes it."""

    archive_id: str
    backups: tuple[Backup, ...]
    """Oldest first."""


@dataclass(frozen=True)
class Run:
    """WAL without a gap, and the backups that end in it, oldest first."""

    backups: tuple[Backup, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """All that a choice needs of one run."""

    source: str
    backups: tuple[Backup, ...]
    """Those from which the timeline can be reached, oldest first."""
    last_commit: datetime | None
    last_lsn: int


def stanza(text: str, name: str) -> Stanza | None:
    """Read the JSON of ``pgbackrest info``; None when there is no such stanza or it has no archive."""
    for entry in json.loads(text):
        if entry.get("name") == name and entry.get("archive"):
            backups = [_backup(one) for one in entry.get("backup") or [] if not one.get("error")]
            return Stanza(str(entry["archive"][-1]["id"]), tuple(sorted(backups, key=lambda one: one.stop_lsn)))
    return None


def silence(text: str, name: str) -> str:
    """Return why the repository cannot tell, by the JSON of ``pgbackrest info``; empty when it can."""
    repositories = [one for entry in json.loads(text) if entry.get("name") == name for one in entry.get("repo") or []]
    messages = (str(one["status"]["message"]) for one in repositories if one["status"]["code"] == _NO_ANSWER)
    return " ".join(" ".join(messages).split())


def _backup(one: Mapping[str, Mapping[str, str | int]]) -> Backup:
    stopped = datetime.fromtimestamp(int(one["timestamp"]["stop"]), UTC)
    return Backup(
        str(one["label"]),
        timeline_of(str(one["archive"]["stop"])),
        # The time is cut to the second: the backup may have become consistent within it.
        stopped + timedelta(seconds=1),
        parse_lsn(str(one["lsn"]["stop"])) or 0,
        int(one["info"]["size"]) >> 20,
    )


def segments(files: Sequence[str]) -> list[str]:
    """Return the files that are whole WAL segments, in the order of their names."""
    return sorted((file for file in files if _SEGMENT.search(file)), key=lambda file: file.rpartition("/")[2])


def timeline_of(file: str) -> int:
    """Return the timeline of a WAL segment, by its name or its file in the repository."""
    return int(file.rpartition("/")[2][:8], 16)


def position_of(file: str) -> int:
    """Return where a WAL segment begins, by its name or its file in the repository."""
    name = file.rpartition("/")[2]
    return int(name[8:16], 16) << 32 | int(name[16:24], 16) * _SEGMENT_BYTES


def followed(files: Sequence[str], line: Lineage) -> list[str]:
    """Return the segments that hold the way to the timeline, of those in the order of their names.

    Of a timeline that was left, none from the segment on in which that happened: the next one's copy has what was
    before, and what came after led elsewhere.
    """
    return [file for file in files if position_of(file) + _SEGMENT_BYTES <= line.get(timeline_of(file), 0)]


def runs(backups: Sequence[Backup], files: Sequence[str]) -> list[Run]:
    """Return each stretch of WAL without a gap in which a backup ends, oldest first."""
    stretches: dict[int, list[str]] = {}
    for file in sorted(files, key=position_of):
        position = position_of(file)
        # Every position of a stretch has the same list.
        stretches[position] = stretches.get(position - _SEGMENT_BYTES, [])
        stretches[position].append(file)
    within: dict[str, list[Backup]] = {}
    for backup in backups:
        stretch = stretches.get((backup.stop_lsn - 1) // _SEGMENT_BYTES * _SEGMENT_BYTES)
        if stretch:
            within.setdefault(stretch[0], []).append(backup)
    return [Run(tuple(ended), tuple(stretches[position_of(first)])) for first, ended in within.items()]


def lineage(timeline: int, history: str) -> Lineage:
    """Return the timelines that lead to this one, by its history file.

    Each ends where the first of the later ones begins: who goes back twice, the second time further, leaves a timeline
    before the position at which it was left first, and the file keeps both.
    """
    rows = [line.split() for line in history.splitlines() if line.strip() and not line.startswith("#")]
    ends, last = {timeline: _END}, _END
    for row in reversed(rows):
        last = min(last, parse_lsn(row[1]) or 0)
        ends[int(row[0])] = last
    return ends


def beginning(history: str) -> int:
    """Return the position at which a timeline began, by its history file."""
    return max((end for end in lineage(0, history).values() if end != _END), default=0)


def reachable(backups: Sequence[Backup], line: Lineage) -> tuple[Backup, ...]:
    """Leave out the backups that were complete only after the timeline had gone another way."""
    return tuple(one for one in backups if one.stop_lsn <= line.get(one.timeline, -1))


def last_commit(dump: str) -> datetime | None:
    """Return the time of the last commit that ``pg_waldump`` shows."""
    found = _COMMIT.findall(dump)
    return datetime.fromisoformat(found[-1]).replace(tzinfo=UTC) if found else None


def first_commit(dump: str, behind: int) -> datetime | None:
    """Return the time of the first commit behind a position that ``pg_waldump`` shows."""
    for line in dump.splitlines():
        commit, record = _COMMIT.search(line), _RECORD.search(line)
        if commit and record and (parse_lsn(record[1]) or 0) >= behind:
            return datetime.fromisoformat(commit[1]).replace(tzinfo=UTC)
    return None


def last_lsn(dump: str) -> int | None:
    """Return the position of the last record that ``pg_waldump`` shows."""
    found = _RECORD.findall(dump)
    return parse_lsn(found[-1]) if found else None


def restore_point(dump: str, name: str) -> int | None:
    """Return the position of the last restore point of that name that ``pg_waldump`` shows."""
    return max((parse_lsn(at) or 0 for at, point in _POINT.findall(dump) if point.strip() == name), default=None)


def choose(parts: Sequence[Kept], source: str, target: Target) -> Backup:
    """Return the newest backup from which the target is reached, of the runs, oldest first.

    :raises PipeError: the target lies outside of what is kept; the text says what is.
    """
    if not parts:
        raise PipeError(
            f'the repository of stack "{source}" keeps no backup from which {target.words} is reached',
            "see what it keeps: bin/pgbackrest info",
        )
    for kept in reversed(parts):
        fit = [one for one in kept.backups if _begins_before(one, target)]
        if fit and not _ends_after(kept, target):
            return fit[-1]
    raise refused(parts, source, target)


def _begins_before(backup: Backup, target: Target) -> bool:
    if target.at is not None:
        return backup.consistent <= target.at
    return target.lsn is None or backup.stop_lsn <= target.lsn


def _ends_after(kept: Kept, target: Target) -> bool:
    # That a time is reached shows by a commit after it.
    if target.at is not None:
        return kept.last_commit is None or target.at >= kept.last_commit
    return target.lsn is not None and target.lsn > kept.last_lsn


def refused(parts: Sequence[Kept], source: str, target: Target) -> PipeError:
    """Return the refusal of a target outside of what is kept."""
    return PipeError(
        f'the repository of stack "{source}" cannot restore {target.words}: it keeps '
        + ", then after a gap ".join(_span(kept, target) for kept in parts),
        "choose a moment of that range; what was written just now is kept once its WAL segment is archived",
    )


def _span(kept: Kept, target: Target) -> str:
    first = kept.backups[0]
    if target.at is None:
        return f"LSN {lsn_text(first.stop_lsn)} to {lsn_text(kept.last_lsn)}"
    if kept.last_commit is None or kept.last_commit <= first.consistent:
        return f"a backup of {shown(first.consistent)} and no commit after it"
    return f"{shown(first.consistent)} to {shown(kept.last_commit.replace(microsecond=0))}"


def left(source: str, target: Target, timeline: int, first: datetime, last: datetime) -> PipeError:
    """Return the refusal of a moment at which the cluster was on a timeline that it left later."""
    return PipeError(
        f'at {target.words} stack "{source}" was on timeline {timeline}, which it left later: what was there from '
        f"{shown(first)} to {shown(last)} is not on the timeline that is restored",
        f"set restore.timeline to {timeline} (TIMELINE={timeline}) for what was there then, or choose another moment",
    )


def unknown_point(parts: Sequence[Kept], source: str, name: str, others: Sequence[int]) -> PipeError:
    """Return the refusal of a restore point that is not in the archived WAL; `others`: timelines that were left."""
    where = "".join(
        f" between LSN {lsn_text(one.backups[0].stop_lsn)} and {lsn_text(one.last_lsn)}" for one in parts[-1:]
    )
    elsewhere = [
        f"one from before a restore in place lies on a timeline that was left: restore.timeline (TIMELINE=) is one of "
        f"{', '.join(map(str, others))}"
    ]
    return PipeError(
        f'the repository of stack "{source}" has no restore point "{name}"{where}',
        "those of migrations are in migrations.history; one that was set just now is kept once its WAL is archived",
        *(elsewhere if others else []),
    )
