"""Waiting for locks: who blocks is said while it lasts, and what had to give up is tried again, later each time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import psycopg

from provider.errors import PipeError

if TYPE_CHECKING:
    from provider.resource import Context
    from provider.sql.connection import Connection
    from provider.sql.header import Header

_LOOK_SECONDS = 1.0
_LOOK_TIMEOUT_SECONDS = 2
_LONGEST_PAUSE_SECONDS = 30
_NOBODY = "a session that was not seen"
T = TypeVar("T")


class LockNotHad(PipeError):
    """A statement gave up waiting for a lock, or was given up by the server; another attempt may get it."""

    def __init__(self, failure: PipeError, how: str, *hints: str) -> None:
        """Add to what failed how it did."""
        super().__init__(failure.message, *hints, *failure.hints)
        self.how = how

    @classmethod
    def in_deadlock(cls, failure: PipeError) -> LockNotHad:
        """Return what happened to a statement that the server ended so that another one could go on."""
        return cls(failure, "was ended by the server: it and another session waited for each other's locks")


@dataclass
class Watch:
    """What was seen while a text's statements ran."""

    lock_timeout_ms: int
    doing: str = ""
    """What is shown once it takes long."""
    blockers: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def pause(self) -> float:
        """Seconds between two looks: often enough to see who blocks before the statement gives up."""
        return min(_LOOK_SECONDS, self.lock_timeout_ms / 2000) or _LOOK_SECONDS

    def not_had(self, failure: PipeError) -> LockNotHad:
        """Return what happened to a statement that waited for a lock until lock_timeout."""
        blockers = self.blockers or _NOBODY
        how = f"did not get its lock within {self.lock_timeout_ms} ms, which is held by {blockers}"
        return LockNotHad(failure, how, f"the lock was held by {blockers}")


def retrying(context: Context, file: str, header: Header, attempt: Callable[[], T]) -> T:
    """Run ``attempt``, again after 1, 2, 4 ... seconds where it did not get a lock, as often as the header says."""
    attempts = header.retries + 1
    for number in range(1, attempts):
        try:
            return attempt()
        except LockNotHad as error:
            pause = min(2 ** (number - 1), _LONGEST_PAUSE_SECONDS)
            context.info(f"{file}: attempt {number} of {attempts} {error.how}; tries again in {pause} s")
            context.cancellation.pause(pause, f'waiting to run "{file}" again')
    return attempt()


@contextlib.contextmanager
def watching(connection: Connection, context: Context, file: str, lock_timeout_ms: int) -> Iterator[Watch]:
    """See what the session waits for inside the block, from one of its own that is made only when it takes long."""
    watch, pid = Watch(lock_timeout_ms), connection.info.backend_pid
    thread = threading.Thread(target=_look, args=(watch, pid, context, file), name="watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.done.set()


def _look(watch: Watch, pid: int, context: Context, file: str) -> None:
    from provider.sql.connection import connect

    if watch.done.wait(watch.pause):
        return
    said = ""
    # Only a help: the statement itself does not depend on it.
    with (
        contextlib.suppress(psycopg.Error),
        connect(context.config.server(), timeout=_LOOK_TIMEOUT_SECONDS) as connection,
    ):
        while True:
            found = _blockers(connection, pid)
            watch.blockers = found or watch.blockers
            say = f"{file} waits for a lock held by {found}" if found else watch.doing
            if say and say != said:
                context.progress(say)
                said = say
            if watch.done.wait(watch.pause):
                return


def _blockers(connection: Connection, pid: int) -> str:
    rows = connection.execute(
        "SELECT usename, pid, application_name, client_addr FROM pg_catalog.pg_stat_activity"
        " WHERE pid = ANY (pg_catalog.pg_blocking_pids(%s)) ORDER BY pid LIMIT 3",
        (pid,),
    ).fetchall()
    return " and ".join(
        f'"{user}", pid {blocker}' + (f", {program}" if program else "") + (f" from {address}" if address else "")
        for user, blocker, program, address in rows
    )
