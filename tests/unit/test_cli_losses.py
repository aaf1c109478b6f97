"""What is said of a stack that somebody is about to remove."""

from __future__ import annotations

from typing import Any

import pytest

from cli import losses


def backup(kind: str, stop: int, *, error: bool = False) -> dict[str, Any]:
    return {"type": kind, "timestamp": {"stop": stop}, "error": error}


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (None, "a repository that does not answer now"),
        ([], "no backup"),
        ([{"name": "dev"}], "no backup"),
        (
            [
                {
                    "backup": [
                        backup("full", 1795674641),
                        backup("diff", 1795675000),
                        backup("full", 1795676000, error=True),
                    ]
                }
            ],
            "2 backups, the last (diff) of 2026-11-26 06:36:40+00",
        ),
    ],
)
def test_the_last_good_backup_is_named(info: list[dict[str, Any]] | None, text: str) -> None:
    assert losses.backups(info) == text


def test_the_database_is_named_by_its_size_and_tenants() -> None:
    assert losses.database(("35 MB", 200, 3)) == "a database of 35 MB with 200 organizations and 3 users"
    assert losses.database(None) == "a database that does not answer now"
