"""`make migration`: the next file, which nobody can apply before it was written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cli import migration
from cli.errors import UserError
from provider.sql.plan import migration_faults

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / migration.FOLDER
    folder.mkdir(parents=True)
    for name in ("0001_users.sql", "0012_more.sql", "0099_not_sql.txt", ".hidden"):
        (folder / name).touch()
    return tmp_path


def test_it_gets_the_next_number_and_its_path_is_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert migration.run(root, "add_notes") == 0
    assert capsys.readouterr().out == "sql/migrations/0013_add_notes.sql\n"
    assert migration.run(root, "add_notes") == 0
    assert capsys.readouterr().out == "sql/migrations/0014_add_notes.sql\n"
    assert (root / "sql/migrations/0013_add_notes.sql").read_text() == migration.TEMPLATE


def test_the_first_number_is_1_and_after_the_last_there_is_none() -> None:
    assert migration.next_number([]) == 1
    with pytest.raises(UserError, match="sql/migrations has the number 9999, after which there is none"):
        migration.next_number(["9999_last.sql"])


def test_what_the_template_asks_for_is_refused_until_it_is_written() -> None:
    asked = [number for number, line in enumerate(migration.TEMPLATE.splitlines(), 1) if "<" in line]
    assert list(migration_faults(migration.TEMPLATE)) == [
        "has no statement: a migration that does nothing cannot be told from a mistake",
        *(f"line {line}: still asks what to write there; write it, or delete the line" for line in asked),
    ]
    written = "\n".join(line for line in migration.TEMPLATE.splitlines() if "<" not in line)
    assert list(migration_faults(f"-- Runs have no notes.\n{written}\nCREATE TABLE pipe.notes ();\n")) == []


@pytest.mark.parametrize(
    "name", ["Add", "add-x", "add x", "0013_add", "add__x", "_add", "add_", "../x", "add_x.sql", "é", "a" * 61, "$(id)"]
)
def test_a_wrong_name_is_refused_in_one_sentence(root: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        migration.run(root, name)
    assert caught.value.text() == (
        f'error: "{name}" is no name for a migration: lower-case words joined by "_", 60 characters at most\n'
        "HINT: such as `make migration NAME=add_notes_to_runs`; the number comes by itself."
    )
    assert not list(root.rglob("*add*"))


@pytest.mark.parametrize("given", [[], ["NAME="]])
def test_make_without_a_name_says_how_whatever_the_environment_calls_this_machine(given: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")} | {"NAME": "desktop"}
    done = subprocess.run(
        ["make", "migration", *given], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "error: the migration has no name\nHINT: `make migration NAME=add_notes_to_runs` makes one.\n" in done.stderr
