"""Which of the things that an interrupted run left are waited for before they are removed."""

from __future__ import annotations

import pytest

from cli import bootstrap
from cli.engine import Thing


def test_a_member_is_waited_for_until_it_leads_or_follows(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def is_done(container: str) -> bool:
        asked.append(container)
        return len(asked) == 3

    member = Thing("container", "1", "pipe-mine-member-0")
    others = [
        Thing("container", "2", "pipe-mine-member-0-config"),
        Thing("container", "3", "pipe-mine-etcd-0"),
        Thing("network", "4", "pipe-mine"),
    ]
    bootstrap.let_finish([*others, member], is_done)
    assert asked == ["pipe-mine-member-0"] * 3
    said = "recovering: pipe-mine-member-0 is making its database; waiting for it to end\n"
    assert capsys.readouterr().out == said


def test_a_member_that_is_ready_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    bootstrap.let_finish([Thing("container", "1", "pipe-mine-member-0")], lambda _: True)
    assert capsys.readouterr().out == ""


def test_one_that_never_gets_ready_is_waited_for_only_so_long() -> None:
    bootstrap.let_finish([Thing("container", "1", "pipe-mine-member-0")], lambda _: False, wait=0)
