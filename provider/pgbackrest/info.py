"""What ``pgbackrest info`` says of a stanza. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from provider.errors import PipeError

# Status codes in the JSON: 0 is fine, two say that a stanza is not there, one that a repository cannot tell.
_MISSING = (1, 3)  # missing stanza path, missing stanza data
_OTHER = 99


@dataclass(frozen=True)
class Info:
    """A stanza as the repository knows it."""

    system_id: str | None
    full_backups: tuple[str, ...]
    """Labels of the full backups that have no error, oldest first."""
    without_full: tuple[int, ...] = ()
    """Numbers of the repositories that have none."""


def parse(text: str, stanza: str) -> Info | None:
    """Read the JSON; None when the repository definitely has no such stanza."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PipeError(
            f"pgbackrest info wrote no JSON: {text.strip()[:200]}", "run it by hand: bin/pgbackrest info"
        ) from error
    for entry in document:
        if entry.get("name") == stanza:
            return _entry(entry)
    return None


def _entry(entry: dict[str, Any]) -> Info | None:
    databases = entry.get("db") or []
    repositories = entry.get("repo") or []
    for repository in repositories:
        status = repository.get("status") or {}
        if status.get("code") == _OTHER:
            raise PipeError(
                f"repository {repository.get('key')} does not answer: {' '.join(str(status.get('message')).split())}",
                "run: bin/pgbackrest info",
            )
    if entry.get("status", {}).get("code") in _MISSING and not databases:
        return None
    system_id = str(databases[-1]["system-id"]) if databases else None
    backups = entry.get("backup") or []
    full = [b for b in backups if b.get("type") == "full" and not b.get("error")]
    with_full = {b.get("database", {}).get("repo-key", 1) for b in full}
    without = (key for repository in repositories if (key := repository.get("key")) not in with_full)
    return Info(system_id, tuple(b["label"] for b in full), tuple(without))
