"""Archived months leave only when their export was read back and is the same, and come back as they left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from cli.export import leave, manifest
from cli.export.come_back import attach
from cli.export.leave import due
from cli.export.manifest import Month
from infra.access import matrix
from tests.fixtures.schema_database import DEFAULT_SETTINGS, Connection, SchemaDatabase
from tests.schema.exporting import ROWS, archived, months_due, quiet, rows_of, told


class Killed(BaseException):
    """The end of a run, at the place where it is raised."""


@pytest.fixture
def leaving(database: SchemaDatabase) -> Iterator[Connection]:
    """A session as the command has it, while old months are due."""
    with months_due(database) as connection:
        yield connection


def test_a_month_leaves_and_comes_back_as_it_was(database: SchemaDatabase, leaving: Connection, tmp_path: Path) -> None:
    month = archived(database, Month("pipeline_runs", date(2011, 1, 1)))
    before = rows_of(leaving, month)
    assert len(before) == ROWS
    assert month in due(leaving)
    said: list[str] = []
    leave.leave(leaving, month, tmp_path, said.append)

    assert rows_of(leaving, month) == []
    assert month not in due(leaving)
    file = manifest.path_of(tmp_path, month)
    exported = manifest.read(file)
    assert (exported.rows, exported.sha256) == (
        ROWS,
        hashlib.sha256((tmp_path / exported.data).read_bytes()).hexdigest(),
    )
    assert exported.columns[3] == ("started_at", "timestamp with time zone", True)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert sorted(path.name for path in tmp_path.iterdir()) == [exported.data, file.name]
    proof = {"rows": ROWS, "checksum": exported.checksum, "sha256": exported.sha256}
    assert told(leaving, "DROP_MONTH", month) == [proof]
    assert said == [
        f"{month.name}: exported 500 rows to {tmp_path / exported.data}",
        f"{month.name}: read back 500 rows, count and checksum are the same",
        f"{month.name}: dropped",
    ]

    assert attach(leaving, file) == exported
    assert rows_of(leaving, month) == before
    assert told(leaving, "ATTACH_MONTH", month) == [proof]


def test_a_month_that_is_back_is_like_any_archived_one(
    database: SchemaDatabase, leaving: Connection, tmp_path: Path
) -> None:
    month = archived(database, Month("pipeline_runs", date(2011, 2, 1)))
    other = archived(database, Month("pipeline_runs", date(2011, 3, 1)))
    leave.leave(leaving, month, tmp_path, quiet)
    attach(leaving, manifest.path_of(tmp_path, month))

    def shape(name: str) -> list[tuple[object, ...]]:
        rows = leaving.execute(
            "SELECT relowner::regrole::text, coalesce(relacl, acldefault('r', relowner))::text, relispartition,"
            " ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal ORDER BY 1),"
            " ARRAY(SELECT substring(pg_get_indexdef(indexrelid) FROM ' USING .*') FROM pg_index"
            "       WHERE indrelid = c.oid ORDER BY 1)"
            " FROM pg_class AS c WHERE oid = to_regclass(%s)",
            (f"archive.{name}",),
        ).fetchall()
        leaving.rollback()
        return rows

    assert shape(month.name) == shape(other.name) != []
    for statement in ("DELETE FROM", "TRUNCATE"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="archived months are read-only"):
            leaving.execute(f"{statement} archive.{month.name}".encode())
        leaving.rollback()
    with database.session(matrix.READONLY) as reader:
        plan = reader.execute(
            "EXPLAIN SELECT FROM pipe.pipeline_runs_all"
            " WHERE started_at >= '2011-02-02+00' AND started_at < '2011-02-03+00'"
        ).fetchall()
    assert [name for (line,) in plan for name in (month.name, other.name) if f" {name}" in line] == [month.name]


@pytest.mark.parametrize("day", [1, 2, 3, 4, 5])
def test_what_was_killed_is_finished_by_the_next_run(
    database: SchemaDatabase, leaving: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: int
) -> None:
    """Killed while the data is written, before the manifest, after it, after the read-back, and in the drop itself."""
    month = archived(database, Month("pipeline_runs", date(2012, day, 1)))
    before = rows_of(leaving, month)

    def killed_at(text: str) -> Callable[[str], None]:
        def say(line: str) -> None:
            if text in line:
                raise Killed

        return say

    say: Callable[[str], None] = quiet
    with monkeypatch.context() as patch:
        if day == 1:

            def half(*_: object) -> Iterator[bytes]:
                yield b"half a li"
                raise Killed

            patch.setattr(leave, "_rows", half)
        elif day == 2:

            def no_manifest(_: object) -> str:
                raise Killed

            patch.setattr(manifest.Manifest, "text", no_manifest)
        elif day == 3:
            say = killed_at("exported")
        elif day == 4:
            say = killed_at("read back")
        with database.session(matrix.MIGRATOR) as connection:
            if day == 5:

                def lose_the_session(line: str) -> None:
                    if "read back" in line:
                        leaving.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
                        leaving.rollback()

                say = lose_the_session
            with pytest.raises((Killed, psycopg.OperationalError)):
                leave.leave(connection, month, tmp_path, say)
    assert rows_of(leaving, month) == before
    assert told(leaving, "DROP_MONTH", month) == []

    leave.leave(leaving, month, tmp_path, quiet)
    assert rows_of(leaving, month) == []
    assert not list(tmp_path.glob("*.part"))
    attach(leaving, manifest.path_of(tmp_path, month))
    assert rows_of(leaving, month) == before


def test_the_default_keeps_every_month() -> None:
    data = DEFAULT_SETTINGS.data
    assert (data.runs_export_after_months, data.audit_export_after_months) == (None, None)
