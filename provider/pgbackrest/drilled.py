"""What is known of drills: which backup was restored on trial, when, and how it went. Pure.

The scheduler notes it on the backup (`pgbackrest annotate`), so it is there whatever becomes of the database. The note
goes with its backup, maybe long before the next drill is due, so the time of a file tells as well when one passed last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

NOTE = "drill"
_FORM = "%Y-%m-%dT%H:%M:%SZ"
# Has `find` print each file's name and time; `images/schedule` says what the time is.
FIND_TIMES = ["/var/lib/pgbackrest/schedule", "-name", "drilled-*", "-printf", "%f %T@\\n"]


@dataclass(frozen=True)
class Drilled:
    """A backup that was restored on trial."""

    label: str
    at: datetime
    passed: bool


@dataclass(frozen=True)
class Drills:
    """Those of a stanza in one repository."""

    repository: int
    """pgBackRest's number."""
    drilled: tuple[Drilled, ...]
    """Those whose backups are still kept; the newest drill last."""
    since: datetime | None
    """When one passed last, or else could have been made first; None: there is no backup."""

    @property
    def last_passed(self) -> Drilled | None:
        """The newest drill that passed."""
        return next((drill for drill in reversed(self.drilled) if drill.passed), None)


def drills(info: Iterable[Mapping[str, Any]], stanza: str, times: Mapping[int, datetime]) -> list[Drills]:
    """Read what `pgbackrest --output=json info` says of a stanza, beside the times of the files."""
    kept: dict[int, list[Mapping[str, Any]]] = {}
    for entry in info:
        if entry.get("name") == stanza:
            kept |= {int(repository["key"]): [] for repository in entry.get("repo") or ()}
            for backup in entry.get("backup") or ():
                kept[int(backup["database"]["repo-key"])].append(backup)
    return [_drills(number, backups, times.get(number)) for number, backups in sorted(kept.items())]


def read_times(found: str) -> dict[int, datetime]:
    """Read what `find` printed: the time of each repository's file."""
    pairs = (line.split() for line in found.splitlines())
    return {int(name.rpartition("-")[2]): datetime.fromtimestamp(float(at), UTC) for name, at in pairs}


def complaint(known: Drills, stanza: str, max_age_days: int | None, now: datetime) -> str | None:
    """Say what is wrong with the drills of a stanza in a repository, with what to do; None where nothing is."""
    last = known.drilled[-1] if known.drilled else None
    if last is not None and not last.passed:
        return (
            f'the restore drill of backup "{last.label}" in repository {known.repository} failed'
            f" on {last.at:%Y-%m-%d %H:%M} UTC\n"
            f"HINT: what it found: make status STACK={stanza}; what to do: docs/restore-drill.md"
        )
    if max_age_days is None or known.since is None or now - known.since <= timedelta(days=max_age_days):
        return None
    return (
        f'no restore drill of "{stanza}" has passed in repository {known.repository}'
        f" for {(now - known.since).days} days; one is due every {max_age_days} days\n"
        f"HINT: make restore-drill STACK={stanza}; by the clock: backup.drill_schedule"
    )


def told(known: Iterable[Drills]) -> str:
    """Say which backup was the last that a drill restored."""
    passed = [last for drills in known if (last := drills.last_passed)]
    if not passed:
        return "no backup that is kept has passed a restore drill"
    last = max(passed, key=lambda drill: drill.at)
    return f"the last backup that passed a restore drill is {last.label}, on {last.at:%Y-%m-%d %H:%M} UTC"


def _drills(number: int, backups: list[Mapping[str, Any]], time: datetime | None) -> Drills:
    drilled = sorted(_noted(backups), key=lambda drill: drill.at)
    made = [datetime.fromtimestamp(int(backup["timestamp"]["stop"]), UTC) for backup in backups]
    # A scheduler from before the files has none: then the oldest backup is the oldest that is known.
    first = time or min(made, default=None)
    passed = [drill.at for drill in drilled if drill.passed]
    return Drills(number, tuple(drilled), max([*passed, *([first] if first else [])], default=None))


def _noted(backups: Iterable[Mapping[str, Any]]) -> Iterator[Drilled]:
    for backup in backups:
        words = str((backup.get("annotation") or {}).get(NOTE, "")).split()
        if len(words) == 2:
            yield Drilled(
                str(backup["label"]), datetime.strptime(words[1], _FORM).replace(tzinfo=UTC), words[0] == "passed"
            )
