"""Runs a file's statements one by one, so that an error names its line and statement exactly."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from provider.errors import Cancelled, PipeError, sqlstate_hints
from provider.sql.header import Header
from provider.sql.plan import excerpt
from provider.sql.scanner import Statement, split
from provider.sql.waiting import LockNotHad, Watch, watching

if TYPE_CHECKING:
    from provider.resource import Context
    from provider.sql.connection import Connection

# A forgotten transaction (the provider's host asleep) frees its locks by itself.
IDLE_TIMEOUT_SECONDS = 60
ROLLED_BACK = "everything of this file was rolled back; correct it and run up again, which goes on from here"
# A connection that is lost during COMMIT leaves that open.
_UNKNOWN = "whether it was committed is in the history: run up again, which looks there first"
_SHOWN_LINES = 12


def become(connection: Connection, owner: str, header: Header, *, local: bool = True) -> None:
    """Act as the owner with the header's limits until the transaction ends, or with ``local=False`` the session.

    Also after a file that changed these for itself.
    """
    settings = {
        "role": owner,
        "lock_timeout": f"{header.lock_timeout_ms}ms",
        "statement_timeout": f"{header.statement_timeout_ms}ms",
        "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_SECONDS}s",
    }
    connection.execute(
        "SELECT pg_catalog.set_config(name, value, %s) FROM unnest(%s::text[], %s::text[]) AS setting(name, value)",
        (local, list(settings), list(settings.values())),
    )


@dataclass(frozen=True)
class Run:
    """One text that runs: where, and how what the server says of it is told. Made by :func:`running`."""

    connection: Connection
    context: Context
    what: str
    file: str
    hints: Sequence[str]
    watch: Watch

    def every(self, text: str) -> int:
        """Execute every statement of the text; return the duration in milliseconds."""
        statements = split(text)
        started = time.monotonic()
        for number, statement in enumerate(statements, 1):
            if len(statements) > 1:
                self.watch.doing = f"{self.file}: statement {number} of {len(statements)}, line {statement.line}"
            self.execute(statement)
        return milliseconds(started)

    def execute(self, statement: Statement) -> psycopg.Cursor[tuple[object, ...]]:
        """Execute one statement; fails as :meth:`reporting` says."""
        with self.reporting(statement):
            return self.connection.execute(statement.text.encode())

    @contextlib.contextmanager
    def reporting(self, statement: Statement) -> Iterator[None]:
        """Report what the server says inside the block as said of the statement.

        A lock that was not had becomes LockNotHad, any other failure a PipeError.
        """
        if self.context.cancellation:
            raise Cancelled(f'running "{self.file}"')
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            raise self.watch.not_had(self._failure(error, statement)) from error
        except psycopg.errors.DeadlockDetected as error:
            raise LockNotHad.in_deadlock(self._failure(error, statement)) from error
        except psycopg.errors.QueryCanceled as error:
            if self.context.cancellation:
                raise Cancelled(f'running "{self.file}"') from error
            raise self._failure(error, statement) from error
        except psycopg.Error as error:
            raise self._failure(error, statement) from error

    def _failure(self, error: psycopg.Error, statement: Statement) -> PipeError:
        """Return the error of a failed statement: file and line, SQLSTATE, PostgreSQL's message, the statement."""
        position = error.diag.statement_position
        line = statement.line_of(int(position)) if position else statement.line
        told = _told(error, f'{self.what} failed at "{self.file}" line {line}')
        return PipeError(f"{told}\n{shown(statement, line)}", *_hints(error, self.hints))


@contextlib.contextmanager
def running(
    connection: Connection, context: Context, what: str, file: str, header: Header, hints: Sequence[str]
) -> Iterator[Run]:
    """Lend what executes a text's statements, and says for what they wait."""
    handler = _relay(context, file)
    connection.add_notice_handler(handler)
    try:
        with watching(connection, context, file, header.lock_timeout_ms) as watch:
            yield Run(connection, context, what, file, hints, watch)
    finally:
        connection.remove_notice_handler(handler)


@contextlib.contextmanager
def transaction(connection: Connection, what: str, file: str, hints: Sequence[str]) -> Iterator[None]:
    """Run the block in a transaction; what fails only at its end, as a deferred constraint does, names the file."""
    try:
        with connection.transaction():
            yield
    except psycopg.Error as error:
        told = _told(error, f'{what} failed when "{file}" was to be recorded and committed')
        raise PipeError(told, *((_UNKNOWN,) if connection.closed else _hints(error, hints))) from error


def _told(error: psycopg.Error, failed: str) -> str:
    diag = error.diag
    code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    lines = [f"{failed}: {diag.message_primary or str(error).strip() or type(error).__name__}{code}"]
    if diag.message_detail:
        lines.append(f"DETAIL: {diag.message_detail}")
    if diag.context:
        lines.append(f"CONTEXT: {diag.context}")
    return "\n".join(lines)


def _hints(error: psycopg.Error, hints: Sequence[str]) -> list[str]:
    own = [error.diag.message_hint] if error.diag.message_hint else []
    return [*own, *sqlstate_hints(error.sqlstate), *hints]


def shown(statement: Statement, line: int) -> str:
    """Return the statement with line numbers; of a long one the first lines and the line of the error."""
    last = statement.line + statement.text.count("\n")
    wanted = [number for number in range(statement.line, last + 1) if number - statement.line < _SHOWN_LINES]
    lines = [excerpt(statement, number) for number in wanted]
    if last > wanted[-1]:
        lines.append("  ... |")
    if line > wanted[-1]:
        lines.append(excerpt(statement, line))
    return "\n".join(lines)


def milliseconds(since: float) -> int:
    """Return how long ago a moment of the monotonic clock is."""
    return round((time.monotonic() - since) * 1000)


def _relay(context: Context, file: str) -> Callable[[psycopg.errors.Diagnostic], None]:
    def handler(diagnostic: psycopg.errors.Diagnostic) -> None:
        message = f"{file}: {diagnostic.message_primary}"
        if diagnostic.severity_nonlocalized == "WARNING":
            context.warning(message)
        else:
            context.reporter.debug(context.urn, message)

    return handler
