"""Decides, without touching a database, which text may run at all, and how. Pure."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from provider.sql import header
from provider.sql.scanner import ScanError, Statement, split
from provider.sql.shapes import created_index, dropped_index, is_concurrent, reindexed, runs_by_itself

_TRANSACTION_HINT = "the provider runs the whole file in one transaction of its own"
_STEPS_HINT = "the provider runs each statement of the file by itself"
_OUTSIDE_HINT = 'it cannot run inside a transaction; write "-- pipe: no-transaction" into the header'
# The header has a place for each; a file that set them itself would pass by the bounds there.
_LIMITS = ("LOCK_TIMEOUT", "STATEMENT_TIMEOUT")
_SET_BY_FUNCTION = re.compile(rf"(?i)\bset_config\s*\(\s*'(?P<name>{'|'.join(_LIMITS)})'")


@dataclass(frozen=True)
class File:
    """A file of ``sql/migrations`` or ``sql/verify``."""

    version: str
    name: str
    file: str
    """Its path within the project, for messages."""
    sql: str

    @property
    def checksum(self) -> str:
        """Its text's checksum."""
        return checksum(self.sql)


@dataclass(frozen=True)
class Applied:
    """What a history row says of the text that ran."""

    version: str
    name: str
    file: str
    sql: str
    checksum: str
    applied_by: str
    applied_at: str
    """ISO 8601, UTC."""
    duration_ms: int
    state: str = "applied"
    """``applied``; ``partial`` after a failure without a transaction; ``unverified`` when only its check is lacking."""
    statements_done: int | None = None
    """Of a ``partial`` one: how many statements need not run again."""
    restore_point: str | None = None
    lsn: str | None = None

    @property
    def is_untouched(self) -> bool:
        """Whether it began and nothing of it was done."""
        return self.state == "partial" and not self.statements_done


def checksum(sql: str) -> str:
    """Return the text's SHA-256. Line ends of another operating system are no change."""
    return hashlib.sha256(sql.replace("\r\n", "\n").encode()).hexdigest()


def migration_faults(sql: str) -> Iterator[str]:
    """Yield, as one sentence each, why a migration cannot run: what :func:`faults` finds, and what its header lacks."""
    yield from faults(sql, transactional=header.header(sql).transactional, own_limits=False)
    yield from header.faults(sql)


def repeatable_faults(sql: str) -> Iterator[str]:
    """Yield, as one sentence each, why a repeatable text cannot run."""
    yield from faults(sql)
    for line in header.directive_lines(sql):
        yield f"line {line}: directives are for migrations; a repeatable text always runs in one transaction"


def faults(sql: str, *, transactional: bool = True, own_limits: bool = True) -> Iterator[str]:
    """Yield, as one sentence each, why a text cannot run: empty, psql commands, transaction control, open quotes.

    ``own_limits``: it may set its time limits itself, having no header for them.
    """
    try:
        statements = split(sql)
    except ScanError as error:
        yield str(error)
        return
    if not statements:
        yield "has no statement: a migration that does nothing cannot be told from a mistake"
    for statement in statements:
        if reason := _refusal(statement, transactional) or (None if own_limits else _sets_limit(statement)):
            yield f"line {statement.line}: {reason}"


def _refusal(statement: Statement, transactional: bool) -> str | None:
    words = statement.words
    hint = _TRANSACTION_HINT if transactional else _STEPS_HINT
    match words:
        case ("\\", *_):
            command = statement.text.split(None, 1)[0]
            return f'"{command}" is a command of psql, which does not run here; write SQL only'
        case ("BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE", *_):
            return f'"{words[0]}" controls a transaction: remove it; {hint}'
        case ("START" | "PREPARE" | "SET", "TRANSACTION", *_):
            return f'"{" ".join(words[:2])}" controls a transaction: remove it; {hint}'
        case ("COPY", *_) if _copies_from_stdin(statement.code):
            return '"COPY ... FROM STDIN" is refused: its data would have to follow in the file; write INSERT instead'
        case _ if not transactional:
            return _unfindable(statement)
        case ("DO" | "CALL", *_):
            return None
        case _ if runs_by_itself(statement):
            return f'"{_shape(statement)}" is refused: {_OUTSIDE_HINT}'
        case _:
            return None


def _sets_limit(statement: Statement) -> str | None:
    match statement.words:
        case ("SET", "LOCAL" | "SESSION", name, *_) | ("SET" | "RESET", name, *_) if name in _LIMITS:
            return _belongs_in_header(f"{statement.words[0]} {name.lower()}", name)
        case ("RESET" | "DISCARD", "ALL", *_):
            what = " ".join(statement.words[:2])
            return f'"{what}" is refused: it ends the limits of the header; RESET what is meant by its name'
        # A routine that is made does not run yet.
        case ("CREATE", "FUNCTION" | "PROCEDURE", *_) | ("CREATE", "OR", "REPLACE", "FUNCTION" | "PROCEDURE", *_):
            return None
        case _ if call := _SET_BY_FUNCTION.search(statement.code):
            return _belongs_in_header(f"set_config('{call['name'].lower()}')", call["name"])
        case _:
            return None


def _belongs_in_header(what: str, name: str) -> str:
    return f'"{what}" is refused: write "-- pipe: {name.lower()} = 3s" into the header'


def _unfindable(statement: Statement) -> str | None:
    """Refuse what could not be found again to go on after a failure."""
    if not is_concurrent(statement):
        return None
    match statement.words[0]:
        case "CREATE" if created_index(statement) is None:
            return "give the index a name: without one it cannot be found again after a failure"
        case "DROP" if dropped_index(statement) is None:
            return "drop one index a statement: PostgreSQL takes no list with CONCURRENTLY"
        case "REINDEX" if reindexed(statement) is None:
            return "name one table or index a statement: what is left of others cannot be found after a failure"
        case _:
            return None


def _shape(statement: Statement) -> str:
    """Return what it is in a few words."""
    words = statement.words
    if is_concurrent(statement):
        return f"{words[0]} ... CONCURRENTLY"
    if words[:2] == ("ALTER", "TABLE"):
        return "ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY"
    return words[0] if words[0] == "VACUUM" else " ".join(words[:2])


def _copies_from_stdin(code: str) -> bool:
    words = code.upper().split()
    return any(pair == ("FROM", "STDIN") for pair in itertools.pairwise(words))


def excerpt(statement: Statement, line: int) -> str:
    """Return the line of a statement that an error is about, with its number, for the error's text."""
    lines = statement.text.split("\n")
    text = lines[min(line - statement.line, len(lines) - 1)]
    return f"{line:>5} | {text.rstrip()}"
