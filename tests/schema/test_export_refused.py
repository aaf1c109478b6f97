"""What is not as it was exported is neither dropped nor attached, and the seals tell an export from a deletion."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from cli.errors import UserError
from cli.export import leave, manifest
from cli.export.come_back import attach
from cli.export.leave import due
from cli.export.manifest import Month
from infra.access import matrix
from infra.policies import partition_policy
from tests.fixtures.schema_database import DEFAULT_SETTINGS, Connection, SchemaDatabase
from tests.schema.exporting import ROWS, archived, months_due, quiet, rows_of
from tests.schema.rows import one, seal

VERIFY = "SELECT broken_seal, problem FROM pipe.audit_verify(1)"


@pytest.fixture
def leaving(database: SchemaDatabase) -> Iterator[Connection]:
    """A session as the command has it, while old months are due."""
    with months_due(database) as connection:
        yield connection


def test_what_is_not_the_same_is_not_dropped(database: SchemaDatabase, leaving: Connection, tmp_path: Path) -> None:
    month = archived(database, Month("pipeline_runs", date(2011, 4, 1)))
    exported = leave.export(leaving, month, tmp_path)
    data, file = tmp_path / exported.data, manifest.path_of(tmp_path, month)
    whole = data.read_bytes()

    data.write_bytes(whole[:-20])
    with pytest.raises(UserError, match=rf'^"{data}" has SHA-256 [0-9a-f]{{16}}…, its manifest says '):
        leave.leave(leaving, month, tmp_path, quiet)
    # A file that is whole, and holds a row less.
    lines = gzip.decompress(whole).splitlines(keepends=True)
    data.write_bytes(gzip.compress(b"".join(lines[1:])))
    text = file.read_text()
    file.write_text(text.replace(exported.sha256, hashlib.sha256(data.read_bytes()).hexdigest()))
    leaving.rollback()
    with pytest.raises(UserError, match=r"holds 499 rows with checksum \d+-\d+, exported were 500 with ") as caught:
        leave.leave(leaving, month, tmp_path, quiet)
    assert caught.value.hint.endswith("and run it again; nothing was dropped.")
    leaving.rollback()
    # Rows that changed after the export.
    data.write_bytes(whole)
    file.write_text(text)
    with database.session(matrix.PROVISIONER) as owner:
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute(f"DELETE FROM archive.{month.name} WHERE ctid = '(0,1)'".encode())
        owner.commit()
    with pytest.raises(psycopg.errors.DataException, match="has 499 rows with checksum") as refused:
        leave.leave(leaving, month, tmp_path, quiet)
    assert refused.value.diag.message_hint == "Nothing was dropped; export it again."
    leaving.rollback()
    assert len(rows_of(leaving, month)) == ROWS - 1


def test_only_a_month_that_is_due_is_dropped(database: SchemaDatabase, leaving: Connection, tmp_path: Path) -> None:
    month = archived(database, Month("pipeline_runs", date(2011, 5, 1)))
    exported = leave.export(leaving, month, tmp_path)
    database.apply_text(partition_policy(DEFAULT_SETTINGS).text)
    assert due(leaving) == []
    with pytest.raises(
        psycopg.errors.ObjectNotInPrerequisiteState, match=r"month 2011-05 of archive.pipeline_runs is not due to leave"
    ):
        leaving.execute(
            "SELECT pipe.drop_month(%s, %s, %s, %s, %s)",
            (month.table, month.first_day, exported.rows, exported.checksum, exported.sha256),
        )


def test_what_does_not_fit_is_not_attached(database: SchemaDatabase, leaving: Connection, tmp_path: Path) -> None:
    month = archived(database, Month("pipeline_runs", date(2011, 6, 1)))
    leave.leave(leaving, month, tmp_path, quiet)
    file = manifest.path_of(tmp_path, month)
    text = file.read_text()
    content = json.loads(text)

    def refused(change: dict[str, object], match: str) -> None:
        file.write_text(json.dumps(content | change))
        with pytest.raises((UserError, psycopg.errors.DataException), match=match):
            attach(leaving, file)
        leaving.rollback()
        assert rows_of(leaving, month) == []

    refused({"format": 2}, r"has format 2")
    refused({"data": "../elsewhere"}, r"is no manifest of an export")
    refused({"rows": 7}, r"500 rows with checksum .* came back, 7 with checksum .* had left")
    refused(
        {"columns": content["columns"][:-1]}, 'table "pipeline_runs" has other columns than the export: now created_by'
    )
    file.write_text(text)
    attach(leaving, file)
    with pytest.raises(
        psycopg.errors.DuplicateTable, match=r"month 2011-06 of pipeline_runs is in the database already"
    ):
        attach(leaving, file)


def test_seals_hold_while_a_month_of_the_audit_log_is_away_and_when_it_is_back(
    database: SchemaDatabase, leaving: Connection, tmp_path: Path
) -> None:
    month = archived(database, Month("audit_logs", date(2011, 7, 1)))
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="has rows that are not under seal yet"):
        leave.leave(leaving, month, tmp_path, quiet)
    leaving.rollback()
    with database.session(matrix.MIGRATOR, autocommit=True) as sealer:
        seal(sealer)
        leave.leave(leaving, month, tmp_path, quiet)
        exported = manifest.read(manifest.path_of(tmp_path, month))
        assert exported.seals is not None
        assert exported.seals[1] == one(sealer, "SELECT max(number) FROM pipe.audit_seals")
        assert sealer.execute(VERIFY).fetchone() == (None, None)

        # Somebody tampers with the file, and with all that the manifest says of it.
        data, file = tmp_path / exported.data, manifest.path_of(tmp_path, month)
        whole, text = data.read_bytes(), file.read_text()
        data.write_bytes(gzip.compress(gzip.decompress(whole).replace(b"\told\t", b"\tnew\t", 1)))
        forged = json.loads(text) | {"sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
        file.write_text(json.dumps(forged))
        with pytest.raises(psycopg.errors.DataException) as caught:
            attach(leaving, file)
        leaving.rollback()
        checksum = str(caught.value.diag.message_primary).split("checksum ")[1].split(" ")[0]
        file.write_text(json.dumps(forged | {"checksum": checksum}))
        attach(leaving, file)
        broken = sealer.execute(VERIFY).fetchone()
        assert broken is not None
        assert "of which some were changed" in str(broken[1])
        # Nor may it leave again like that.
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match=r"seal \d+ of the audit log does not hold"
        ):
            leave.leave(leaving, month, tmp_path, quiet)
        leaving.rollback()

        sealer.execute(f"DROP TABLE archive.{month.name}".encode())
        data.write_bytes(whole)
        file.write_text(text)
        attach(leaving, file)
        assert sealer.execute(VERIFY).fetchone() == (None, None)
        assert len(rows_of(leaving, month)) == ROWS
