"""Every block of commands of docs/backup-and-restore.md is run by a test."""

from __future__ import annotations

from tests.fixtures.stacks import ROOT
from tests.recovery.restore import page


def test_every_block_of_commands_is_run() -> None:
    named = [name for name, _ in page.blocks()]
    assert None not in named
    assert len(named) == len(set(named))
    assert set(named) == page.names_run_in(ROOT / "tests" / "recovery" / "restore")
