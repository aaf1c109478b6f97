"""The comment that a migration begins with: why it is there, and how it wants to run. Pure.

-- Lookups by organization scan the table since it has a million rows.
-- pipe: no-transaction
-- pipe: lock_timeout = 3s
-- pipe: statement_timeout = 30min
-- pipe: retries = 8
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A migration that queues for a table lock makes everyone behind it queue as well: it gives up early, and tries again.
LOCK_TIMEOUT_MS = 5_000
# A statement may build an index on a large table, but never holds its locks for ever.
STATEMENT_TIMEOUT_MS = 15 * 60_000
RETRIES = 5

_UNITS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}
_DIRECTIVE = re.compile(r"\s*--\s*pipe:(?P<text>.*)")
_COMMENT = re.compile(r"\s*--(?P<text>.*)")
# A line of the template that was not replaced by what it asks for.
_PLACEHOLDER = re.compile(r"\s*--[\s*]*<.*>\s*")
_ALLOWED = "no-transaction, lock_timeout = 3s, statement_timeout = 30min, retries = 5"
_MAX_RETRIES = 50
# name -> smallest and largest, as they are written.
_BOUNDS = {"lock_timeout": ("10ms", "1min"), "statement_timeout": ("1s", "24h")}


@dataclass(frozen=True)
class Header:
    """How a migration runs. Times in milliseconds."""

    transactional: bool = True
    lock_timeout_ms: int = LOCK_TIMEOUT_MS
    """How long a statement waits for a lock."""
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS
    retries: int = RETRIES
    """How many more times it is tried when a lock was not had in time."""
    patient: bool = True
    """Whether CONCURRENTLY may wait longer than lock_timeout: no lock_timeout was asked for."""


def header(text: str) -> Header:
    """Return what the header asks for; what is faulty in it (see :func:`faults`) counts as not written."""
    found: dict[str, str] = {}
    for _, directive in _directives(text):
        name, _, value = (part.strip() for part in directive.partition("="))
        if _fault(name, value, {}) is None:
            found[name] = value
    return Header(
        transactional="no-transaction" not in found,
        lock_timeout_ms=_milliseconds(found.get("lock_timeout", "")) or LOCK_TIMEOUT_MS,
        statement_timeout_ms=_milliseconds(found.get("statement_timeout", "")) or STATEMENT_TIMEOUT_MS,
        retries=int(found.get("retries", RETRIES)),
        patient="lock_timeout" not in found,
    )


def faults(text: str) -> Iterator[str]:
    """Yield, as one sentence each, what is wrong: no reason given, a directive unknown, repeated, faulty, misplaced."""
    first = _header_lines(text)
    if not any(_says_something(line) for line in first):
        yield "line 1: has no header; begin the file with a comment that says why this change is made"
    for line, content in enumerate(first, 1):
        if _PLACEHOLDER.fullmatch(content):
            yield f"line {line}: still asks what to write there; write it, or delete the line"
    seen: dict[str, int] = {}
    for line, directive in _directives(text):
        name, _, value = (part.strip() for part in directive.partition("="))
        if reason := _fault(name, value, seen):
            yield f"line {line}: {reason}"
        seen.setdefault(name, line)
    for line, content in enumerate(text.splitlines()[len(first) :], len(first) + 1):
        if match := _DIRECTIVE.fullmatch(content):
            yield f'line {line}: "pipe:{match["text"]}" stands below the header; move it into the first comment'


def directive_lines(text: str) -> list[int]:
    """Return the lines of a text that look like directives, wherever they are."""
    return [line for line, content in enumerate(text.splitlines(), 1) if _DIRECTIVE.fullmatch(content)]


def _header_lines(text: str) -> list[str]:
    """Return the lines before the first one that is neither blank nor a comment."""
    lines = []
    for line in text.splitlines():
        if line.strip() and not _COMMENT.fullmatch(line):
            break
        lines.append(line)
    return lines


def _says_something(line: str) -> bool:
    comment = _COMMENT.fullmatch(line)
    return comment is not None and not _DIRECTIVE.fullmatch(line) and re.search(r"\w", comment["text"]) is not None


def _directives(text: str) -> Iterator[tuple[int, str]]:
    for line, content in enumerate(_header_lines(text), 1):
        if match := _DIRECTIVE.fullmatch(content):
            yield line, match["text"].strip()


def _fault(name: str, value: str, seen: dict[str, int]) -> str | None:
    if name in seen:
        return f'directive "{name}" is on line {seen[name]} already'
    match name:
        case "no-transaction":
            return f'directive "{name}" takes no value, not "{value}"' if value else None
        case "retries":
            good = re.fullmatch(r"\d{1,2}", value) and int(value) <= _MAX_RETRIES
            return None if good else f'directive "retries" is a whole number from 0 to {_MAX_RETRIES}, not "{value}"'
        case "lock_timeout" | "statement_timeout":
            low, high = _BOUNDS[name]
            found = _milliseconds(value)
            if found and (_milliseconds(low) or 0) <= found <= (_milliseconds(high) or 0):
                return None
            return f'directive "{name}" is a time from {low} to {high} such as 500ms, 3s or 30min, not "{value}"'
        case _:
            return f'"{name}" is no directive; there are: {_ALLOWED}'


def _milliseconds(value: str) -> int | None:
    match = re.fullmatch(r"(\d{1,9})\s*(ms|s|min|h)", value)
    return int(match[1]) * _UNITS[match[2]] if match else None
