"""Whatever a drill fails of, it says so in a sentence, in the log, on the backup and in the database."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from drill import __main__ as program
from drill import instance, repository
from drill.failed import Failed
from drill.source import Mark, Source

LABEL = "20260501-000000F"
# Says what there is, notes what it is told, and restores nothing.
PGBACKREST = """#!/bin/sh
case "$*" in
  *" info") cat {folder}/info.json ;;
  *" annotate") printf '%s\\n' "$*" >> {folder}/notes ;;
  *" restore") echo "P00  ERROR: [082]: no such file" >&2; exit 82 ;;
esac
"""


@dataclass
class Primary:
    """The source as the drill sees it: it may refuse to begin, and keeps what it is told."""

    refuses: Exception
    away_for: int = 0
    told: list[tuple[int | None, Mapping[str, Any]]] = field(default_factory=list)
    queries: Mapping[str, str] = field(default_factory=dict)

    def mark(self) -> Mark:
        raise self.refuses

    def record(self, number: int | None, result: Mapping[str, Any]) -> None:
        if self.away_for:
            self.away_for -= 1
            raise psycopg.OperationalError("connection refused")
        self.told.append((number, result))


@dataclass
class Willing(Primary):
    """One that begins."""

    def mark(self) -> Mark:
        moment = datetime.fromisoformat("2026-05-01T03:00:00+00:00")
        return Mark(7, "pipe_drill_x", "0" * 24, moment, None, (frozenset(), frozenset()))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A scheduler's files, of one repository that holds a backup."""
    backup = {"label": LABEL, "timestamp": {"stop": 1}, "info": {"size": 1024}}
    archive = [{"max": "F" * 24}]
    info = [{"name": "prod", "repo": [{"status": {"code": 0}}], "backup": [backup], "archive": archive}]
    (tmp_path / "info.json").write_text(json.dumps(info))
    (tmp_path / "bin").mkdir()
    program_file = tmp_path / "bin" / "pgbackrest"
    program_file.write_text(PGBACKREST.format(folder=tmp_path))
    program_file.chmod(0o755)
    config = tmp_path / "pgbackrest.conf"
    config.write_text("[global]\nrepo1-path=/repository\n")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    for name in ("CONFIG", "OWN_CONFIG"):
        monkeypatch.setattr(repository, name, config.with_name(f"{name}.conf"))
    config.rename(repository.CONFIG)
    for name, value in {"HOME": "", "DATA": "data", "SOCKET": "run", "LOG": "log", "CONFIG": "c", "HBA": "h"}.items():
        monkeypatch.setattr(instance, name, home / value)
    monkeypatch.setattr(instance, "SPARE_BYTES", 0)
    stopped = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, stopped)


def run(monkeypatch: pytest.MonkeyPatch, primary: Primary) -> int:
    monkeypatch.setattr(Source, "load", lambda: primary)
    monkeypatch.setattr(program, "_PAUSE_SECONDS", 0)
    return program.main("prod")


def noted(place: Path) -> str:
    return (place / "notes").read_text() if (place / "notes").exists() else ""


@pytest.mark.parametrize(
    ("refusal", "problem"),
    [
        (
            psycopg.OperationalError('FATAL:  role "pipe_drill" is not permitted to log in'),
            'the primary did not answer: FATAL: role "pipe_drill" is not permitted to log in',
        ),
        (TypeError("what nobody thought of"), "TypeError: what nobody thought of"),
    ],
)
def test_a_drill_that_could_not_begin_at_the_primary_is_recorded_at_its_end(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refusal: Exception,
    problem: str,
) -> None:
    primary = Primary(refusal)
    assert run(monkeypatch, primary) == 1
    ((number, result),) = primary.told
    assert (number, result["backup"]) == (None, LABEL)
    assert result["problems"][0].endswith(problem)
    assert f"--set={LABEL} --annotation=drill=failed " in noted(place)
    said = capsys.readouterr()
    assert f"{problem}\n" in said.out
    assert "Traceback" not in said.out + said.err


def test_where_the_primary_stays_away_the_backup_and_the_log_say_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, Primary(psycopg.OperationalError("no"), away_for=9)) == 1
    assert "drill=failed" in noted(place)
    assert "PROBLEM         the result is not in the database: connection refused\nthe drill failed\n" in (
        capsys.readouterr().out
    )


def test_a_failover_at_the_end_does_not_lose_the_record(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    primary = Willing(RuntimeError(), away_for=3)
    assert run(monkeypatch, primary) == 1
    assert [number for number, _ in primary.told] == [7]
    assert primary.told[0][1]["problems"] == ["pgbackrest restore failed: [082]: no such file"]
    assert "drill=failed" in noted(place)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("{", "the drill broke off: JSONDecodeError: Expecting property name enclosed in double quotes"),
        ('[{"name": "prod", "backup": [{"label": "x"}]}]', "the drill broke off: KeyError: 'timestamp'"),
    ],
)
def test_what_nobody_thought_of_is_a_problem_of_the_repository(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str, problem: str
) -> None:
    (place / "info.json").write_text(broken)
    primary = Willing(RuntimeError())
    assert run(monkeypatch, primary) == 1
    ((number, result),) = primary.told
    assert number == 7
    assert [text.startswith(problem) for text in result["problems"]] == [True]
    assert "the drill failed\n" in capsys.readouterr().out


def test_what_ends_the_restore_is_recorded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a disk that breaks where the instance is to be."""

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(instance, "make_room", broken)
    primary = Willing(RuntimeError())
    assert run(monkeypatch, primary) == 1
    assert primary.told[0][1]["problems"] == ["the drill broke off: OSError: [Errno 5] Input/output error"]
    assert "drill=failed" in noted(place)


def test_without_a_configuration_the_drill_fails(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.CONFIG.unlink()
    primary = Willing(RuntimeError())
    assert run(monkeypatch, primary) == 1
    assert "No such file or directory" in primary.told[0][1]["problems"][0]
    assert capsys.readouterr().out.endswith("the drill failed\n")


@pytest.mark.parametrize(("code", "tries"), [(50, 3), (82, 1)], ids=["a lock, which is waited for", "anything else"])
def test_the_note_waits_for_a_backup_that_is_being_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, tries: int
) -> None:
    """pgBackRest notes nothing beside a backup: it holds the lock."""
    monkeypatch.setattr(repository, "LOCK_POLL_SECONDS", 0.0)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    program = tmp_path / "pgbackrest"
    refuses = f'echo "P00  ERROR: [{code:03}]: unable" >&2; exit {code}'
    program.write_text(
        f"#!/bin/sh\necho try >> {tmp_path}/tries\n[ $(wc -l < {tmp_path}/tries) -gt 2 ] || {{ {refuses}; }}\n"
    )
    program.chmod(0o755)
    backup = repository.Backup(LABEL, 1, 1)
    noted = repository.Repository("prod", 1)
    if code == 50:
        noted.annotate(backup, "passed")
        assert capsys.readouterr().out == "waits until repository 1 takes a note: a backup is being taken\n"
    else:
        with pytest.raises(Failed, match="082"):
            noted.annotate(backup, "passed")
    assert len((tmp_path / "tries").read_text().splitlines()) == tries
