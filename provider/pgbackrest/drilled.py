"""What the notes on backups say of drills: which backup was restored on trial, when, and how it went. Pure.

The scheduler leaves them (`pgbackrest annotate`), so they are there whatever becomes of the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

NOTE = "drill"
_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Drilled:
    """A backup that was restored on trial."""

    label: str
    at: datetime
    passed: bool


@dataclass(frozen=True)
class Drills:
    """Those of a stanza whose backups are still kept."""

    drilled: tuple[Drilled, ...]
    """The newest drill last."""
    since: datetime | None
    """When the oldest backup was made; None: there is none."""

    @property
    def last_passed(self) -> Drilled | None:
        """The newest drill that passed."""
        return next((drill for drill in reversed(self.drilled) if drill.passed), None)


def drills(info: Iterable[Mapping[str, Any]], stanza: str) -> Drills:
    """Read what `pgbackrest --output=json info` says of a stanza."""
    backups = [backup for entry in info if entry.get("name") == stanza for backup in entry.get("backup") or ()]
    found = sorted(_noted(backups), key=lambda drill: drill.at)
    made = [datetime.fromtimestamp(int(backup["timestamp"]["stop"]), UTC) for backup in backups]
    return Drills(tuple(found), min(made, default=None))


def complaint(known: Drills, stanza: str, max_age_days: int | None, now: datetime) -> str | None:
    """Say what is wrong with the drills of a stanza, with what to do; None where nothing is."""
    last = known.drilled[-1] if known.drilled else None
    if last is not None and not last.passed:
        return (
            f'the restore drill of backup "{last.label}" failed on {last.at:%Y-%m-%d %H:%M} UTC\n'
            f"HINT: what it found: make status STACK={stanza}; what to do: docs/restore-drill.md"
        )
    passed = known.last_passed
    since = passed.at if passed else known.since
    if max_age_days is None or since is None or now - since <= timedelta(days=max_age_days):
        return None
    told = f"for {(now - since).days} days" if passed else "yet"
    return (
        f'no restore drill of "{stanza}" has passed {told}; one is due every {max_age_days} days\n'
        f"HINT: make restore-drill STACK={stanza}; by the clock: backup.drill_schedule"
    )


def told(known: Drills) -> str:
    """Say which backup was the last that a drill restored."""
    passed = known.last_passed
    if passed is None:
        return "no backup that is kept has passed a restore drill"
    return f"the last backup that passed a restore drill is {passed.label}, on {passed.at:%Y-%m-%d %H:%M} UTC"


def _noted(backups: Iterable[Mapping[str, Any]]) -> Iterator[Drilled]:
    for backup in backups:
        words = str((backup.get("annotation") or {}).get(NOTE, "")).split()
        if len(words) == 2:
            yield Drilled(
                str(backup["label"]), datetime.strptime(words[1], _FORM).replace(tzinfo=UTC), words[0] == "passed"
            )
