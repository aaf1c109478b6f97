"""What a restore in place is asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cli import restore
from cli.errors import UserError
from provider.restore.moments import Target, parse_lsn, parse_time

WORDS = ("AT", "NAME", "LSN", "TIMELINE", "REPOSITORY", "OLD")


def parse(words: Sequence[str]) -> dict[str, str]:
    """Return what was asked for by its lower-case name. Raises UserError when something else was."""
    wanted = dict(word.split("=", 1) for word in words if "=" in word)
    for key, value in wanted.items():
        if key in WORDS and not value:
            # An unset variable of a shell must not mean: to the end of the archive.
            raise UserError(f'"{key}=" says nothing to a restore in place', "give it a value, or leave it out.")
    fits = wanted.keys() <= set(WORDS) and len(wanted) == len(words)
    targets = [key for key in ("AT", "NAME", "LSN") if key in wanted]
    if not fits or not wanted or len(targets) > 1 or ("OLD" in wanted and wanted != {"OLD": "remove"}):
        raise UserError(
            "a restore in place takes one of AT=, NAME= and LSN=, with or without TIMELINE= and REPOSITORY=; or "
            "OLD=remove alone",
            "for example: make restore-in-place STACK=dev AT='2026-05-01 12:00:00+09'.",
        )
    found = {key.lower(): value for key, value in wanted.items()}
    restore.check_repository(found)
    return found


def target(wanted: Mapping[str, str]) -> Target:
    """Return where it is to end. Raises UserError when a value names no such place."""
    at, lsn = wanted.get("at"), wanted.get("lsn")
    moment, position = (parse_time(at) if at else None), (parse_lsn(lsn) if lsn else None)
    if at and moment is None:
        raise UserError(f'AT "{at}" is no time with its offset from UTC', "for example AT='2026-05-01 12:00:00+09'.")
    if lsn and position is None:
        raise UserError(f'LSN "{lsn}" is no position in the WAL', "for example LSN=0/5000028.")
    timeline = wanted.get("timeline")
    if timeline and not timeline.isdecimal():
        raise UserError(f'TIMELINE "{timeline}" is no number', "for example TIMELINE=1.")
    return Target(moment, wanted.get("name"), position, int(timeline) if timeline else None)
