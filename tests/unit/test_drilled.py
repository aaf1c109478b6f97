"""What the notes on backups say of drills, and when a preview complains."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.status import checks
from provider.pgbackrest import drilled
from provider.pgbackrest.drilled import read_times, told

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def backup(label: str, made: datetime, note: str | None = None, repository: int = 1) -> dict[str, Any]:
    noted = {"annotation": {"drill": note}} if note else {}
    stop = int(made.timestamp())
    return {"label": label, "timestamp": {"start": 0, "stop": stop}, "database": {"repo-key": repository}, **noted}


def info(*backups: dict[str, Any], repositories: int = 1) -> list[dict[str, Any]]:
    places = [{"key": number} for number in range(1, repositories + 1)]
    return [
        {"name": "other", "repo": places, "backup": [backup("X", NOW, "failed 2026-05-20T11:00:00Z")]},
        {"name": "prod", "repo": places, "backup": list(backups)},
    ]


def complaints(
    known: list[dict[str, Any]], max_age_days: int | None, times: Mapping[int, datetime] | None = None
) -> list[str]:
    found = (drilled.complaint(one, "prod", max_age_days, NOW) for one in drilled.drills(known, "prod", times or {}))
    return [text for text in found if text]


def test_a_drill_that_passed_lately_is_no_complaint() -> None:
    known = info(backup("A", NOW - 2 * DAY, "passed 2026-05-18T03:00:00Z"), backup("B", NOW))
    assert complaints(known, 10) == []
    assert (
        told(drilled.drills(known, "prod", {}))
        == "the last backup that passed a restore drill is A, on 2026-05-18 03:00 UTC"
    )


def test_the_newest_drill_counts_in_whatever_order_backups_are_listed() -> None:
    passed, failed = (
        backup("A", NOW - 3 * DAY, "passed 2026-05-19T03:00:00Z"),
        backup("B", NOW - DAY, "failed 2026-05-18T03:00:00Z"),
    )
    assert complaints(info(passed, failed), 10) == []
    assert complaints(info(failed, passed), 10) == []


def test_a_failed_drill_is_a_complaint_whatever_its_age_may_be() -> None:
    known = info(backup("A", NOW - DAY, "failed 2026-05-19T03:00:00Z"))
    assert complaints(known, None) == [
        'the restore drill of backup "A" in repository 1 failed on 2026-05-19 03:00 UTC\n'
        "HINT: what it found: make status STACK=prod; what to do: docs/restore-drill.md"
    ]
    assert told(drilled.drills(known, "prod", {})) == "no backup that is kept has passed a restore drill"


def test_the_status_tells_of_a_drill_that_could_not_tell_the_database() -> None:
    known = info(backup("A", NOW - DAY, "failed 2026-05-19T03:00:00Z"), backup("B", NOW - 2 * DAY))
    (line,) = checks.drills(known, "prod")
    assert (line.ok, line.subject) == (False, "restore drill failed")
    assert line.text == "the drill of backup A in repository 1 failed on 2026-05-19 03:00 UTC"
    known = info(backup("A", NOW - DAY, "failed 2026-05-18T03:00:00Z"), backup("B", NOW, "passed 2026-05-19T03:00:00Z"))
    assert list(checks.drills(known, "prod")) == []
    assert list(checks.drills(None, "prod")) == []


def test_a_stale_drill_is_a_complaint() -> None:
    known = info(backup("A", NOW - 12 * DAY, "passed 2026-05-08T12:00:00Z"))
    hint = "\nHINT: make restore-drill STACK=prod; by the clock: backup.drill_schedule"
    assert complaints(known, 10) == [
        f'no restore drill of "prod" has passed in repository 1 for 12 days; one is due every 10 days{hint}'
    ]
    assert complaints(known, 12) == []
    assert complaints(known, None) == []


def test_a_drill_in_one_repository_says_nothing_of_another() -> None:
    passed = backup("B", NOW - DAY, "passed 2026-05-20T03:00:00Z", 2)
    failed = backup("A", NOW - 12 * DAY, "failed 2026-05-19T03:00:00Z")
    assert [text.partition("\n")[0] for text in complaints(info(failed, passed, repositories=2), 10)] == [
        'the restore drill of backup "A" in repository 1 failed on 2026-05-19 03:00 UTC'
    ]
    never = backup("A", NOW - 12 * DAY)
    assert [text.partition(";")[0] for text in complaints(info(never, passed, repositories=2), 10)] == [
        'no restore drill of "prod" has passed in repository 1 for 12 days'
    ]


def test_a_stack_gets_its_time_before_the_first_drill_is_missed() -> None:
    assert complaints(info(), 10) == []
    assert complaints(info(backup("A", NOW - 9 * DAY)), 10) == []
    assert complaints(info(backup("A", NOW)), 10, {1: NOW - 9 * DAY}) == []
    (text,) = complaints(info(backup("A", NOW - 11 * DAY), backup("B", NOW)), 10)
    assert text.startswith('no restore drill of "prod" has passed in repository 1 for 11 days; one is due every 10')


def test_a_stale_drill_shows_where_backups_are_kept_for_less_than_it_may_be_old() -> None:
    """Then its note is gone, and no backup is as old as the stack."""
    kept = info(backup("A", NOW - 3 * DAY), backup("B", NOW))
    (text,) = complaints(kept, 10, {1: NOW - 11 * DAY})
    assert text.startswith('no restore drill of "prod" has passed in repository 1 for 11 days; one is due every 10')
    assert complaints(kept, 10, {1: NOW - 9 * DAY}) == [], "it passed, though its backup is gone"


def test_a_note_that_is_newer_than_the_file_counts() -> None:
    """The scheduler may be of the time before the files, and its first file of today's."""
    known = info(backup("A", NOW - 9 * DAY, "passed 2026-05-18T03:00:00Z"))
    assert complaints(known, 5, {1: NOW - 11 * DAY}) == []


def test_the_times_of_the_files_are_read() -> None:
    assert read_times("drilled-1 1779278400.0000000000\ndrilled-12 1779192000.5000000000\n") == {
        1: NOW,
        12: NOW - DAY + timedelta(seconds=0.5),
    }
    assert read_times("") == {}
