"""python3 -m drill STANZA: one drill of every repository, from the mark in the source's WAL to the record.

Exits 1 when it did not pass. Whatever it failed of, it says so in a sentence, and where that is possible the database
and the backup say it too.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import psycopg

from drill import instance, verdict
from drill.failed import Failed
from drill.instance import Instance
from drill.picture import look
from drill.repository import Backup, Repository
from drill.source import Mark, Source
from drill.verdict import Drill, Result

# A failover is over by then.
RECORD_SECONDS = 60
_PAUSE_SECONDS = 1

T = TypeVar("T")


def main(stanza: str) -> int:
    """Run the drill unless one runs already; returns the exit status."""
    # A stop of the container ends it in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    place = os.open(instance.HOME, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another drill is running", file=sys.stderr)
        return 1
    drill = Drill()
    found = _guarded(drill.problems, lambda: Repository.every(stanza))
    if found == []:
        drill.problems.append("there is no repository in the configuration")
    repositories = found or []
    drill.results += [Result(repository.number) for repository in repositories]
    # Before the mark: what is restored has to reach it, and hours may pass until the last repository has its turn.
    backups = [_newest(repository, result) for repository, result in zip(repositories, drill.results, strict=True)]
    source, mark = _begin(drill)
    for repository, backup, result in zip(repositories, backups, drill.results, strict=True):
        if backup is not None:
            _guarded(result.problems, partial(_drill, source, repository, backup, mark, result))
            _note(repository, backup, drill, result)
    _record(source, mark, drill)
    print("\n".join(drill.lines()), flush=True)
    return 0 if drill.passed else 1


def _guarded(problems: list[str], step: Callable[[], T]) -> T | None:
    """Make a step. What keeps it from its end is a problem, also what nobody thought of: a drill has to tell of it."""
    try:
        return step()
    except Failed as failed:
        problems.append(str(failed))
    except Exception as error:  # noqa: BLE001 a drill that says nothing looks like one that never ran
        problems.append(f"the drill broke off: {_told(error)}")
    return None


def _begin(drill: Drill) -> tuple[Source | None, Mark | None]:
    """Begin at the source. Where it does not answer, the backups are still worth a look."""
    source = None
    try:
        source = Source.load()
        mark = source.mark()
    except psycopg.Error as error:
        drill.problems.append(f"there was nothing to compare with, the primary did not answer: {_line(error)}")
        return source, None
    except Exception as error:  # noqa: BLE001 as above
        drill.problems.append(f"there was nothing to compare with: {_told(error)}")
        return source, None
    _say(f"marked restore point {mark.restore_point}")
    return source, mark


def _newest(repository: Repository, result: Result) -> Backup | None:
    """Choose the backup; that there is none goes to the result."""
    backup = _guarded(result.problems, repository.newest)
    if backup is not None:
        result.backup, result.bytes = backup.label, backup.bytes
    return backup


def _drill(source: Source | None, repository: Repository, backup: Backup, mark: Mark | None, result: Result) -> None:
    """Restore and look; what is wrong goes to the result, what ends it is raised."""
    server = Instance()
    try:
        result.problems += repository.verify()
        _say(f"read the whole of repository {repository.number}")
        if mark is not None:
            repository.wait_for(mark.segment)
        started = time.monotonic()
        instance.make_room(backup.bytes)
        repository.restore(instance.DATA, backup)
        server.recover(repository.restore_command, mark.restore_point if mark else None)
        result.recovery_seconds = round(time.monotonic() - started, 1)
        _say(f"restored {backup.label} in {result.recovery_seconds} s")
        try:
            _look_inside(source.queries if source else {}, server, mark, result)
        except psycopg.Error as error:
            result.problems.append(f"the restored database did not answer: {_line(error)}")
        _attempt(result, "checked every table and index", server.amcheck)
        server.stop()
        _attempt(result, "checked every page", server.checksums)
    finally:
        server.stop()
        instance.clear()
        repository.forget()


def _attempt(result: Result, done: str, check: Callable[[], None]) -> None:
    """Make a check that does not keep the next one from being made."""
    try:
        check()
    except Failed as failed:
        result.problems.append(str(failed))
    else:
        _say(done)


def _look_inside(queries: Mapping[str, str], server: Instance, mark: Mark | None, result: Result) -> None:
    with server.connect() as connection:
        (replayed,) = connection.execute("SELECT pg_last_xact_replay_timestamp()").fetchone() or (None,)
        result.recovery_point = mark.at if mark else replayed
        if mark is not None:
            result.problems += verdict.picture(mark.pictures, look(connection, queries))
        if mark is not None and mark.rows is not None:
            (counts,) = connection.execute("SELECT upkeep.row_counts()").fetchone() or ({},)
            result.problems += verdict.rows(mark.rows, counts)
            result.rows = sum(counts.values())
        _say("compared the catalog" + (f" and {result.rows} rows" if result.rows is not None else ""))
        (broken, problem) = connection.execute("SELECT broken_seal, problem FROM pipe.audit_verify(1)").fetchone() or (
            None,
            None,
        )
        if broken is not None:
            result.problems.append(f"seal {broken} of the audit log does not hold: {problem}")
        _say("checked the seals of the audit log")


def _note(repository: Repository, backup: Backup, drill: Drill, result: Result) -> None:
    """Tell the repository: what could not be noted is a problem of it as well."""
    note = drill.note(result, datetime.now(UTC))
    _guarded(result.problems, lambda: repository.annotate(backup, note))
    if not drill.problems and not result.problems:
        _guarded(result.problems, repository.passed)


def _record(source: Source | None, mark: Mark | None, drill: Drill) -> None:
    """Tell the database: what is not recorded is a problem of the drill as well."""
    if source is None:
        return
    # A primary that answered in the beginning comes back; one that did not may have by now.
    until = time.monotonic() + (RECORD_SECONDS if mark else 0)
    while True:
        try:
            return source.record(mark.number if mark else None, drill.record())
        except psycopg.Error as error:
            if time.monotonic() >= until:
                drill.problems.append(f"the result is not in the database: {_line(error)}")
                return None
        time.sleep(_PAUSE_SECONDS)


def _say(what: str) -> None:
    print(what, flush=True)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {_line(error)}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 -m drill STANZA")
    sys.exit(main(sys.argv[1]))
