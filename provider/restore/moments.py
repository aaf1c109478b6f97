"""Where a restore ends: a time, a position in the WAL, a named point, or the end of what is archived. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_LSN = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """At most one of the three; none is the end of the archive. ``timeline`` is the newest one where it is None."""

    at: datetime | None = None
    name: str | None = None
    lsn: int | None = None
    timeline: int | None = None

    @property
    def words(self) -> str:
        """The target as a person says it."""
        if self.at is not None:
            return shown(self.at)
        if self.name is not None:
            return f'restore point "{self.name}"'
        if self.lsn is not None:
            return f"LSN {lsn_text(self.lsn)}"
        return "the end of the archive" if self.timeline is None else f"the end of timeline {self.timeline}"


def parse_time(text: str) -> datetime | None:
    """Return the moment that a text names together with its offset from UTC; None when it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(UTC)


def parse_lsn(text: str) -> int | None:
    """Return the position that ``0/5000028`` names; None when it names none."""
    match = _LSN.fullmatch(text)
    return None if match is None else int(match[1], 16) << 32 | int(match[2], 16)


def lsn_text(lsn: int) -> str:
    """Return a position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def shown(moment: datetime) -> str:
    """Return a moment for people, to the second unless it says more."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return text + (f".{moment.microsecond:06}" if moment.microsecond else "") + "+00"
