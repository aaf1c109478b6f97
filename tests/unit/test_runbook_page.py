"""What the disaster runbook tells to type is there, and a test runs it: every block, and in the text all but a few."""

from __future__ import annotations

import os
import re

from tests.fixtures.pages import names_run
from tests.fixtures.runbook import PAGE
from tests.fixtures.stacks import ROOT

# Commands in the text that have no name, and why. What is only another spelling of one with a name needs none.
BARE = {
    "make status": "most tests of recovery run it",
    "make status STACK=…": "the same",
    "make up": "every test of a stack runs it",
    "make rebuild-consensus": "the same as `rebuild consensus`, where STACK is set",
    "make rebuild-consensus LEADER=member-N": "for volumes that do not tell: who leads is chosen in unit tests",
    "docker stop": "the engine's own; the tests have it done by its API",
    "docker start": "the same",
    "docker unpause": "tests/fixtures/freezing.py has the engine do it",
    "bin/pulumi state unprotect '<urn of member-N-data>'": "Pulumi's own, and staging and prod alone need it",
    "bin/pgbackrest --repo=… --type=full backup": "the same as in `begin anew`",
    "bin/pgbackrest --repo=1 --type=full backup": "the same",
}


def test_every_block_and_every_command_with_a_name_is_run() -> None:
    named = [name for name, _ in PAGE.commands()]
    assert None not in named, "a block of commands has no name"
    assert len(named) == len(set(named))
    files = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "bench" / "recovery").glob("*.py")]
    assert set(named) == names_run("runbook", files)


def test_a_command_in_the_text_has_a_name_or_a_reason_for_none() -> None:
    text = re.sub(r"^```.*?^```$", "", PAGE.file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    bare = re.findall(r"(?<!-->)`((?:docker|make|bin/\w+) [^`\n]*)`", text)
    assert set(bare) == BARE.keys()


def test_every_target_and_script_is_there() -> None:
    text = PAGE.file.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    # "make room" is no command: what is typed stands in code.
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE)) <= targets
    scripts = set(re.findall(r"\bbin/[a-z]+", text))
    assert {script for script in scripts if not os.access(ROOT / script, os.X_OK)} == set()
