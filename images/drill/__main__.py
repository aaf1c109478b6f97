"""python3 -m drill STANZA: one drill of every repository, from the mark in the source's WAL to the record.

Exits 1 when it did not pass.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg

from drill import instance, verdict
from drill.failed import Failed
from drill.instance import Instance
from drill.picture import look
from drill.repository import Backup, Repository
from drill.source import Mark, Source
from drill.verdict import Drill, Result


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
    source, drill, repositories = Source.load(), Drill(), Repository.every(stanza)
    drill.results += [Result(repository.number) for repository in repositories]
    # Before the mark: what is restored has to reach it, and hours may pass until the last repository has its turn.
    backups = [_newest(repository, result) for repository, result in zip(repositories, drill.results, strict=True)]
    mark = _mark(source, drill)
    for repository, backup, result in zip(repositories, backups, drill.results, strict=True):
        if backup is not None:
            _drill(source, repository, backup, mark, result)
            _note(repository, backup, drill, result)
    _record(source, mark, drill)
    print("\n".join(drill.lines()), flush=True)
    return 0 if drill.passed else 1


def _mark(source: Source, drill: Drill) -> Mark | None:
    """Begin at the source. Where it does not answer, the backups are still worth a look."""
    try:
        mark = source.mark()
    except psycopg.Error as error:
        drill.problems.append(f"there was nothing to compare with, the primary did not answer: {_line(error)}")
        return None
    _say(f"marked restore point {mark.restore_point}")
    return mark


def _newest(repository: Repository, result: Result) -> Backup | None:
    """Choose the backup; that there is none goes to the result."""
    try:
        backup = repository.newest()
    except Failed as failed:
        result.problems.append(str(failed))
        return None
    result.backup, result.bytes = backup.label, backup.bytes
    return backup


def _drill(source: Source, repository: Repository, backup: Backup, mark: Mark | None, result: Result) -> None:
    """Restore and look; what is wrong goes to the result."""
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
            _look_inside(source, server, mark, result)
        except psycopg.Error as error:
            result.problems.append(f"the restored database did not answer: {_line(error)}")
        _attempt(result, "checked every table and index", server.amcheck)
        server.stop()
        _attempt(result, "checked every page", server.checksums)
    except Failed as failed:
        result.problems.append(str(failed))
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


def _look_inside(source: Source, server: Instance, mark: Mark | None, result: Result) -> None:
    with server.connect() as connection:
        (replayed,) = connection.execute("SELECT pg_last_xact_replay_timestamp()").fetchone() or (None,)
        result.recovery_point = mark.at if mark else replayed
        if mark is not None:
            result.problems += verdict.picture(mark.pictures, look(connection, source.queries))
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
    try:
        repository.annotate(backup, note)
    except Failed as failed:
        result.problems.append(str(failed))
    if not drill.problems and not result.problems:
        repository.passed()


def _record(source: Source, mark: Mark | None, drill: Drill) -> None:
    """Tell the database: what is not recorded is a problem of the drill as well."""
    if mark is not None:
        try:
            source.record(mark.number, drill.record())
        except psycopg.Error as error:
            drill.problems.append(f"the result is not in the database: {_line(error)}")


def _say(what: str) -> None:
    print(what, flush=True)


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 -m drill STANZA")
    sys.exit(main(sys.argv[1]))
