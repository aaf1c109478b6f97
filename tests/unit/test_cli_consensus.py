"""Who was primary last, told by the members' control files."""

from __future__ import annotations

import subprocess

import pytest

from cli import consensus
from cli.consensus import Control, last_primary, parse_control
from cli.errors import UserError

CONTROL = """\
pg_control version number:            1700
Database cluster state:               in production
pg_control last modified:             Thu Nov 26 06:36:32 2026
Latest checkpoint's TimeLineID:       10
Latest checkpoint's PrevTimeLineID:   9
"""
PRIMARY, OLD, REPLICA = Control("in production", 10), Control("shut down", 9), Control("in archive recovery", 10)


def test_a_control_file_tells_state_and_timeline() -> None:
    assert parse_control(CONTROL) == PRIMARY
    assert parse_control("pg_controldata: error: could not open file") is None


def test_the_newest_primary_was_the_last_one() -> None:
    assert (
        last_primary({"member-0": OLD, "member-1": PRIMARY, "member-2": REPLICA, "member-3": None}, None) == "member-1"
    )


def test_who_is_named_is_believed() -> None:
    assert last_primary({"member-0": OLD, "member-1": PRIMARY}, "member-0") == "member-0"


def test_nobody_who_is_not_there_can_be_named() -> None:
    with pytest.raises(UserError) as caught:
        last_primary({"member-0": PRIMARY, "member-1": REPLICA}, "member-7")
    assert caught.value.text() == ('error: there is no member "member-7"\nHINT: LEADER is one of member-0, member-1.')


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        (
            {"member-0": PRIMARY, "member-1": PRIMARY},
            "member-0: in production, timeline 10; member-1: in production, timeline 10",
        ),
        ({"member-0": REPLICA, "member-1": None}, "member-0: in archive recovery, timeline 10; member-1: no data"),
    ],
    ids=["two", "none"],
)
def test_where_it_is_not_clear_somebody_has_to_say(found: dict[str, Control | None], seen: str) -> None:
    with pytest.raises(UserError) as caught:
        last_primary(found, None)
    assert caught.value.text() == (
        f"error: it is not clear which member was primary last ({seen})\n"
        "HINT: name it: make rebuild-consensus LEADER=member-0. Commits that only others have are lost."
    )


@pytest.mark.parametrize(
    ("answers", "is_empty"),
    [
        ([(0, ""), (0, "")], True),
        ([(1, ""), (0, "")], True),
        ([(0, ""), (0, "7712878296859660378\n")], False),
        ([(1, ""), (124, "")], False),
    ],
    ids=["just made", "one is down", "known", "nobody can be asked"],
)
def test_only_a_store_that_says_so_is_empty(
    monkeypatch: pytest.MonkeyPatch, answers: list[tuple[int, str]], is_empty: bool
) -> None:
    said = {f"etcd-{number}": answer for number, answer in enumerate(answers)}

    def execute(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        assert words[-1] == "/service/dev/initialize"
        return subprocess.CompletedProcess(words, *said[name])

    monkeypatch.setattr(consensus, "_exec", execute)
    assert consensus._is_empty(dict.fromkeys(said, "image"), "dev") is is_empty
