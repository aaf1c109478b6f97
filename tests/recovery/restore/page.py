"""docs/backup-and-restore.md, run as it stands: each block of commands has a name, and the tests run it by that."""

from __future__ import annotations

import re
from pathlib import Path

from tests import timeouts
from tests.fixtures.stacks import ROOT, Stack, succeeded

PAGE = ROOT / "docs" / "backup-and-restore.md"
_PLACEHOLDERS = {
    "at": "2026-05-01 12:00:00+09",
    "name": "before_release",
    "key": "prod.key",
    "timeline": "TIMELINE=1",
}
_BLOCK = re.compile(r"(?:<!-- run: (?P<name>[^>]*) -->\n)?```sh\n(?P<text>.*?)```", re.DOTALL)


def blocks() -> list[tuple[str | None, str]]:
    """Return each block of commands with its name."""
    return [(match["name"], match["text"]) for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]


def run(wanted: str, stack: Stack, /, **others: str) -> str:
    """Run a block, with `prod`, `new`, the moment, … of the page replaced; return what it printed."""
    (text,) = (text for name, text in blocks() if name == wanted)
    for placeholder, value in others.items():
        known = _PLACEHOLDERS.get(placeholder)
        text = text.replace(known, value) if known else re.sub(rf"\b{placeholder}\b", value, text)
    return succeeded(stack.run("bash", "-euc", text, timeout=timeouts.RESTORE))


def names_run_in(folder: Path) -> set[str]:
    """Return the names of the blocks that tests of a folder run."""
    texts = (file.read_text(encoding="utf-8") for file in folder.glob("test_*.py"))
    return {name for text in texts for name in re.findall(r'page\.run\(\s*"([^"]*)"', text)}
