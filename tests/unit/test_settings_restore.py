"""The section `restore`: one target, in a form that means the same everywhere, and never shown with its passphrase."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings import load
from tests.unit.settings_lines import lines

PLAIN: dict[str, Any] = {"environment": "dev", "network": {"port_base": 15400}}
EXAMPLE = 'for example at: "2026-05-01 12:00:00+09", or remove it for none'
WRONG = {
    "a time without an offset": (
        {"from": "prod", "at": "2026-05-01 12:00:00"},
        "pipe:restore.at = 2026-05-01 12:00:00: must be a time with its offset from UTC, such as "
        f"2026-05-01 12:00:00+09; {EXAMPLE}",
    ),
    "no time": (
        {"from": "prod", "at": "noon"},
        "pipe:restore.at = noon: must be a time with its offset from UTC, such as 2026-05-01 12:00:00+09; " + EXAMPLE,
    ),
    "no position": (
        {"from": "prod", "lsn": "5000028"},
        "pipe:restore.lsn = 5000028: must be a position in the WAL, such as 0/5000028; "
        'for example lsn: "0/5000028", or remove it for none',
    ),
    "two targets": (
        {"from": "prod", "name": "here", "lsn": "0/5000028"},
        "pipe:restore.lsn = 0/5000028: must be the only target, beside name; leave one of them",
    ),
    "no source": (
        {"name": "here"},
        "pipe:restore.from = null: must name the stack to restore from, as restore.name is set; for example from: prod",
    ),
    "itself": (
        {"from": "mine"},
        "pipe:restore.from = mine: must be another stack: a restore of this one is in place; "
        "docs/backup-and-restore.md says how to do that",
    ),
    "a pause nowhere": (
        {"from": "prod", "pause": True},
        "pipe:restore.pause = true: needs restore.at, name or lsn to pause at; set one of them, or no pause",
    ),
}


@pytest.mark.parametrize(("section", "line"), WRONG.values(), ids=list(WRONG))
def test_what_cannot_be_meant_is_one_line(section: dict[str, Any], line: str) -> None:
    assert lines({**PLAIN, "restore": section}) == [line]


def test_the_key_from_is_written_as_it_is_said() -> None:
    restore = load("dev", {**PLAIN, "restore": {"from": "prod", "at": "2026-05-01 12:00:00+09"}}).restore
    assert (restore.from_, restore.at) == ("prod", "2026-05-01 12:00:00+09")


def test_the_passphrase_is_not_shown() -> None:
    document = {**PLAIN, "restore": {"from": "prod", "passphrase": "hunter2"}}
    assert "hunter2" not in repr(load("dev", document, secret_keys={"restore"}))
