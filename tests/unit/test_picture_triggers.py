"""What moves the picture of the catalog on: whatever of the program changes the catalog, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra import picture
from infra.access import matrix
from infra.settings import load


def triggers(**sections: Any) -> list[str]:
    given = {"environment": "dev", "network": {"port_base": 15400}} | sections
    return picture.triggers(load("dev", given))


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_users.sql").write_text("CREATE TABLE pipe.users ();")
    monkeypatch.setattr(picture, "FILES", tmp_path)
    return tmp_path


def test_the_same_program_has_the_same_triggers() -> None:
    assert triggers() == triggers()
    assert triggers(network={"port_base": 15500}) == triggers()


def test_a_new_or_changed_file_is_seen(files: Path) -> None:
    sql, access = triggers()
    (files / "migrations" / "0002_more.sql").write_text("CREATE TABLE pipe.more ();")
    assert triggers()[0] != sql
    assert triggers()[1] == access


@pytest.mark.parametrize(
    ("section", "changed"),
    [({"data": {"months_ahead": 7}}, 0), ({"credentials": {"app": 1}}, 1)],
    ids=["what settings render", "a login that closes"],
)
def test_settings_that_reach_the_catalog_are_seen(section: dict[str, Any], changed: int) -> None:
    assert triggers(**section)[changed] != triggers()[changed]


def test_the_matrix_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = triggers()
    monkeypatch.setattr(matrix, "MATRIX", matrix.MATRIX[:-1])
    assert triggers()[1] != before[1]
