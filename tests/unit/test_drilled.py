"""What the notes on backups say of drills, and when a preview complains."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from provider.pgbackrest.drilled import complaint, drills, told

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def backup(label: str, made: datetime, note: str | None = None) -> dict[str, Any]:
    noted = {"annotation": {"drill": note}} if note else {}
    return {"label": label, "timestamp": {"start": 0, "stop": int(made.timestamp())}, **noted}


def info(*backups: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": "other", "backup": [backup("X", NOW, "failed 2026-05-20T11:00:00Z")]},
        {"name": "prod", "backup": list(backups)},
    ]


def test_a_drill_that_passed_lately_is_no_complaint() -> None:
    known = drills(info(backup("A", NOW - 2 * DAY, "passed 2026-05-18T03:00:00Z"), backup("B", NOW)), "prod")
    assert complaint(known, "prod", 10, NOW) is None
    assert told(known) == "the last backup that passed a restore drill is A, on 2026-05-18 03:00 UTC"


def test_the_newest_drill_counts_in_whatever_order_backups_are_listed() -> None:
    passed, failed = (
        backup("A", NOW - 3 * DAY, "passed 2026-05-19T03:00:00Z"),
        backup("B", NOW - DAY, "failed 2026-05-18T03:00:00Z"),
    )
    assert complaint(drills(info(passed, failed), "prod"), "prod", 10, NOW) is None
    assert complaint(drills(info(failed, passed), "prod"), "prod", 10, NOW) is None


def test_a_failed_drill_is_a_complaint_whatever_its_age_may_be() -> None:
    known = drills(info(backup("A", NOW - DAY, "failed 2026-05-19T03:00:00Z")), "prod")
    assert complaint(known, "prod", None, NOW) == (
        'the restore drill of backup "A" failed on 2026-05-19 03:00 UTC\n'
        "HINT: what it found: make status STACK=prod; what to do: docs/restore-drill.md"
    )
    assert told(known) == "no backup that is kept has passed a restore drill"


def test_a_stale_drill_is_a_complaint() -> None:
    known = drills(info(backup("A", NOW - 12 * DAY, "passed 2026-05-08T12:00:00Z")), "prod")
    hint = "\nHINT: make restore-drill STACK=prod; by the clock: backup.drill_schedule"
    assert complaint(known, "prod", 10, NOW) == (
        f'no restore drill of "prod" has passed for 12 days; one is due every 10 days{hint}'
    )
    assert complaint(known, "prod", 12, NOW) is None
    assert complaint(known, "prod", None, NOW) is None


def test_a_stack_gets_its_time_before_the_first_drill_is_missed() -> None:
    assert complaint(drills(info(), "prod"), "prod", 10, NOW) is None
    assert complaint(drills(info(backup("A", NOW - 9 * DAY)), "prod"), "prod", 10, NOW) is None
    text = complaint(drills(info(backup("A", NOW - 11 * DAY), backup("B", NOW)), "prod"), "prod", 10, NOW)
    assert text is not None
    assert text.startswith('no restore drill of "prod" has passed yet; one is due every 10 days')
