"""What a rehearsal makes of its samples, and how it says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli import containers, engine
from cli.errors import UserError
from cli.rehearse import invented, run
from cli.rehearse.measured import Holds, Lock, Rehearsal, Rehearsed, Table, remarks, rewritten
from cli.rehearse.report import markdown, terminal
from cli.session import Session
from cli.status import collect
from delivery import preview_comment
from setup.paths import checkout

SHARE = ("pipe.users", "ShareLock")
EXCLUSIVE = ("pipe.users", "AccessExclusiveLock")
READ = ("pipe.pipelines", "AccessShareLock")
FILE = "sql/migrations/0014_widen.sql"


def test_a_lock_is_held_from_the_first_sample_to_the_last_in_a_row() -> None:
    holds = Holds()
    for at, held in ((1.0, [READ]), (1.5, [READ, EXCLUSIVE]), (2.5, [EXCLUSIVE]), (3.0, []), (3.5, [EXCLUSIVE])):
        holds.add(at, held)
    assert holds.locks() == [Lock(*EXCLUSIVE, 1.0), Lock(*READ, 0.5)]


def test_the_strongest_comes_first_and_what_no_sample_met_is_seen_from_within() -> None:
    holds = Holds()
    holds.add(1.0, [READ])
    holds.add(9.0, [READ])
    assert [lock.mode for lock in holds.locks([SHARE, EXCLUSIVE])] == [
        "AccessExclusiveLock",
        "ShareLock",
        "AccessShareLock",
    ]


def test_modes_are_named_as_in_sql() -> None:
    assert Lock(*EXCLUSIVE, 0).name == "ACCESS EXCLUSIVE"
    assert Lock("t", "ShareRowExclusiveLock", 0).name == "SHARE ROW EXCLUSIVE"
    assert Lock(*SHARE, 0).name == "SHARE"


def test_a_table_with_another_file_was_rewritten_and_a_new_one_was_not() -> None:
    before = {1: Table("pipe.users", 10), 2: Table("pipe.gone", 20), 3: Table("pipe.same", 30)}
    after = {1: Table("pipe.people", 11), 3: Table("pipe.same", 30), 4: Table("pipe.new", 40)}
    assert rewritten(before, after) == ["pipe.people"]


@pytest.mark.parametrize(
    ("lock", "told"),
    [
        (Lock(*EXCLUSIVE, 2.0), ["ACCESS EXCLUSIVE on pipe.users for 2.0 s: nobody reads or writes it meanwhile"]),
        (Lock(*SHARE, 1.0), ["SHARE on pipe.users for 1.0 s: nobody writes it meanwhile"]),
        (Lock(*EXCLUSIVE, 0.9), []),
        (Lock(*READ, 60.0), []),
    ],
)
def test_what_keeps_others_out_for_a_second_is_remarked(lock: Lock, told: list[str]) -> None:
    assert list(remarks(Rehearsed(FILE, 3.0, (lock,)))) == told


def test_of_each_table_only_the_strongest_lock_is_remarked() -> None:
    other = Lock("pipe.pipelines", "ShareLock", 3.0)
    found = list(remarks(Rehearsed(FILE, 3.0, (Lock(*EXCLUSIVE, 2.0), other, Lock(*SHARE, 2.0)))))
    assert [remark.partition(" for ")[0] for remark in found] == [
        "ACCESS EXCLUSIVE on pipe.users",
        "SHARE on pipe.pipelines",
    ]


def test_what_clients_were_refused_with_is_remarked() -> None:
    refused = Rehearsed(FILE, 1.0, refused=("permission denied for table users",))
    assert list(remarks(refused)) == ["clients were refused: permission denied for table users"]


REHEARSAL = Rehearsal(
    "prod",
    "20260501-000000F",
    12.345,
    (
        Rehearsed(FILE, 2.5, (Lock(*EXCLUSIVE, 2.0), Lock(*READ, 2.0)), (("pipe.users", 1000),), 0, 2.04),
        Rehearsed("sql/migrations/0015_bad.sql", 0.012, failure="no such column"),
    ),
)


def test_the_table_on_the_terminal() -> None:
    assert terminal(REHEARSAL).splitlines() == [
        "rehearsed on backup 20260501-000000F of prod, 12.35 GB",
        "",
        "migration                      took    strongest lock                  held   rows rewritten      rows changed"
        "  clients waited",
        "sql/migrations/0014_widen.sql  2.5 s   ACCESS EXCLUSIVE on pipe.users  2.0 s  1000 of pipe.users  0"
        "             2.0 s",
        "sql/migrations/0015_bad.sql    failed  none                                   none                0"
        "             0 ms",
        f"see  {FILE}: ACCESS EXCLUSIVE on pipe.users for 2.0 s: nobody reads or writes it meanwhile",
        "see  sql/migrations/0015_bad.sql failed: no such column",
    ]


def test_the_section_of_the_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = markdown(REHEARSAL)
    assert text.splitlines()[:5] == [
        "### Rehearsal on backup 20260501-000000F of prod, 12.35 GB",
        "",
        "| migration | took | strongest lock | held | rows rewritten | rows changed | clients waited |",
        "|---|---|---|---|---|---|---|",
        f"| `{FILE}` | 2.5 s | ACCESS EXCLUSIVE on pipe.users | 2.0 s | 1000 of pipe.users | 0 | 2.0 s |",
    ]
    file = tmp_path / "rehearsal.md"
    file.write_text(text)
    recorded = str(Path(__file__).parent / "recorded" / "preview.json")
    preview_comment.main(["prod", "--from", recorded, "--rehearsal", str(file)])
    assert text in capsys.readouterr().out


def test_what_was_rehearsed_on_made_up_data_says_so() -> None:
    made_up = Rehearsal("prod", None, 0.05, (Rehearsed(FILE, 1.0),))
    assert terminal(made_up).startswith("rehearsed on made-up data, 0.05 GB: prod has no backup\n")
    assert markdown(made_up).startswith("### Rehearsal on made-up data, 0.05 GB: prod has no backup\n")


def has_no_backup(monkeypatch: pytest.MonkeyPatch, info: list[dict[str, Any]]) -> bool:
    monkeypatch.setattr(engine, "client", lambda: None)
    monkeypatch.setattr(containers, "running", lambda *_: [{"Names": ["/pipe-prod-scheduler"]}])
    monkeypatch.setattr(collect, "backups", lambda _: info)
    return invented.has_no_backup("prod")


def repositories(*codes: int) -> list[dict[str, Any]]:
    """The status of each repository of a stack, by its code."""
    message = "[HostConnectError]\nno"
    return [{"key": key, "status": {"code": code, "message": message}} for key, code in enumerate(codes, start=1)]


def test_only_repositories_that_answer_have_no_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pgbackrest info` ends well and lists no backup where a repository is away, too."""
    kept = [{"error": False}]
    assert has_no_backup(monkeypatch, [{"repo": repositories(2, 2), "backup": []}])
    assert not has_no_backup(monkeypatch, [{"repo": repositories(0, 0), "backup": kept}])
    assert not has_no_backup(monkeypatch, [{"repo": repositories(99, 0), "backup": kept}])
    with pytest.raises(UserError) as caught:
        has_no_backup(monkeypatch, [{"repo": repositories(2, 99), "backup": [{"error": True}]}])
    assert caught.value.text() == (
        'error: repository 2 of stack "prod" does not answer: [HostConnectError] no\n'
        "HINT: see `STACK=prod bin/pgbackrest info`; made-up rows are for a stack that has no backup."
    )


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session of a stack that is made, of which no copy may be begun."""
    monkeypatch.setattr(Session, "outputs", lambda _: {})
    monkeypatch.setattr(invented, "has_no_backup", lambda _: pytest.fail("a copy is made"))
    return Session("prod", checkout(), {})


@pytest.mark.parametrize("place", ["nowhere/rehearsal.md", "."])
def test_a_file_that_cannot_be_written_is_told_before_a_copy_is_made(
    session: Session, tmp_path: Path, place: str
) -> None:
    with pytest.raises(UserError) as caught:
        run.run(session, None, str(tmp_path / place), None)
    assert caught.value.text() == (
        f'error: OUT "{tmp_path / place}" cannot be written\nHINT: OUT is the path of a file in a folder that is there.'
    )


@pytest.mark.parametrize(
    ("content", "fact"), [(None, "cannot be read: No such file or directory"), (b"\xff\xfe", "is no text in UTF-8")]
)
def test_a_draft_that_cannot_be_read(session: Session, tmp_path: Path, content: bytes | None, fact: str) -> None:
    draft = tmp_path / "draft.sql"
    if content is not None:
        draft.write_bytes(content)
    with pytest.raises(UserError) as caught:
        run.run(session, str(draft), None, None)
    assert caught.value.text() == f'error: the draft "{draft}" {fact}\nHINT: FILE is the path of an SQL file.'


def test_a_size_that_there_is_not() -> None:
    assert invented.size(None) == invented.size("small") == 10_000
    with pytest.raises(UserError) as caught:
        invented.size("huge")
    assert caught.value.text() == 'error: there is no size "huge"\nHINT: SIZE is one of small, medium, 1m, 10m.'


def test_a_lock_too_short_for_a_sample() -> None:
    short = Rehearsal("prod", "B", 1, (Rehearsed(FILE, 0.005, (Lock(*EXCLUSIVE, 0.0),)),))
    assert "| ACCESS EXCLUSIVE on pipe.users | < 10 ms |" in markdown(short)
