"""``images/restore_wal``: which segments a member takes from the archive, and which only from its leader."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "images" / "restore_wal"
# Timeline 3 left timeline 1 in segment 9 and timeline 2 at the very beginning of segment 256, which is number 1/0.
HISTORY = "1\t0/90000A0\tno recovery target specified\n\n2\t1/0\tno recovery target specified\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory, and a pgBackRest that finds everything and says what it was asked for."""
    (tmp_path / "pg_wal").mkdir()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "pgbackrest"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    return tmp_path


def restore(data: Path, file: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), "demo", file, "pg_wal/RECOVERYXLOG"],
        cwd=data,
        env={"PATH": f"{data / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    "file",
    [
        "000000010000000000000008",  # before timeline 2 began
        "000000020000000000000009",  # timeline 2's own copy
        "0000000200000000000000FF",  # the last one of timeline 2
        "000000030000000100000000",
        "000000040000000100000000",  # a timeline that nobody has left yet
        "00000004.history",
        "000000010000000000000009.partial",
    ],
)
def test_what_the_newest_timeline_came_through_is_fetched(data: Path, file: str) -> None:
    (data / "pg_wal" / "00000002.history").write_text("1\t0/30000A0\tan older one is not asked\n")
    (data / "pg_wal" / "00000003.history").write_text(HISTORY)
    done = restore(data, file)
    assert done.stdout == f"--stanza=demo archive-get {file} pg_wal/RECOVERYXLOG\n"
    assert done.returncode == 0


@pytest.mark.parametrize("file", ["000000010000000000000009", "00000001000000000000000A", "000000020000000100000000"])
def test_what_goes_beyond_a_timeline_is_not(data: Path, file: str) -> None:
    (data / "pg_wal" / "00000003.history").write_text(HISTORY)
    done = restore(data, file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"restore_wal: not from the archive: {file} ends after its timeline was left\n"


def test_without_a_history_everything_is_fetched(data: Path) -> None:
    assert restore(data, "000000010000000000000009").returncode == 0


def test_the_status_is_that_of_pgbackrest(data: Path) -> None:
    (data / "bin" / "pgbackrest").write_text("#!/bin/sh\nexit 25\n")
    assert restore(data, "000000010000000000000009").returncode == 25
