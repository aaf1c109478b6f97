"""docs/backup-and-restore.md, run as it stands."""

from __future__ import annotations

from tests.fixtures.pages import Page
from tests.fixtures.stacks import ROOT

PAGE = Page(
    ROOT / "docs" / "backup-and-restore.md",
    {
        "at": "2026-05-01 12:00:00+09",
        "name": "before_release",
        "key": "prod.key",
        "timeline": "TIMELINE=1",
    },
)
run = PAGE.run
