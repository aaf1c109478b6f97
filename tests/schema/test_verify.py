"""The scripts of sql/verify: each holds on the schema as it is, and fails on what it is there to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider.sql.scanner import split
from tests.fixtures.schema_database import ROOT, Connection

FOLDER = ROOT / "sql" / "verify"
BROKEN = {
    "0001": "GRANT SELECT (password_hash) ON pipe.users TO pipe_readonly",
    "0010": "GRANT SELECT ON pipe.audit_seals TO pipe_app",
    "0012": "DROP INDEX pipe.idx_pipeline_runs_pipeline;"
    " CREATE INDEX idx_pipeline_runs_pipeline ON ONLY pipe.pipeline_runs (pipeline_id, started_at)",
}


def holds(connection: Connection, script: Path) -> bool:
    """Whether every boolean of every row is true, as the provider judges."""
    connection.execute("SET LOCAL ROLE pipe_owner")
    rows = [row for one in split(script.read_text()) for row in connection.execute(one.text.encode()).fetchall()]
    connection.execute("RESET ROLE")
    assert rows
    return all(value is True for row in rows for value in row if isinstance(value, bool))


def test_every_script_is_tested() -> None:
    assert sorted(BROKEN) == [path.stem for path in sorted(FOLDER.iterdir())]


@pytest.mark.parametrize("version", sorted(BROKEN))
def test_a_script_holds_and_finds_what_it_looks_for(owner: Connection, version: str) -> None:
    script = FOLDER / f"{version}.sql"
    assert holds(owner, script)
    owner.execute(BROKEN[version].encode())
    assert not holds(owner, script)
