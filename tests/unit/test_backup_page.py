"""Every block of commands of docs/backup-and-restore.md is run by a test."""

from __future__ import annotations

from tests.fixtures.pages import names_run
from tests.fixtures.stacks import ROOT
from tests.recovery.restore.page import PAGE


def test_every_block_of_commands_is_run() -> None:
    named = [name for name, _ in PAGE.commands()]
    assert None not in named
    assert len(named) == len(set(named))
    assert set(named) == names_run("page", (ROOT / "tests" / "recovery" / "restore").glob("test_*.py"))
