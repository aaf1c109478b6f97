"""What docs/disaster-runbook.md tells to type is there, and what its source names is run by a test."""

from __future__ import annotations

import os
import re

from tests.fixtures.pages import names_run
from tests.fixtures.runbook import PAGE
from tests.fixtures.stacks import ROOT


def test_every_command_with_a_name_is_run() -> None:
    named = [name for name, _ in PAGE.commands() if name]
    assert len(named) == len(set(named))
    files = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "bench" / "recovery").glob("*.py")]
    assert set(named) == names_run("runbook", files)


def test_every_target_and_script_is_there() -> None:
    text = PAGE.file.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    # "make room" is no command: what is typed stands in code.
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE)) <= targets
    scripts = set(re.findall(r"\bbin/[a-z]+", text))
    assert {script for script in scripts if not os.access(ROOT / script, os.X_OK)} == set()
