"""The window of `backup.retention_days`: what is older goes, what any second of it needs stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.settings import load
from tests.recovery.aging import Aging, aging_database

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("retention")]

WINDOW_DAYS = 5
FIRST_DAY = 12
BACKUPS = {
    12: "full",
    11: "diff",
    10: "incr",
    9: "full",
    8: "incr",
    7: "full",
    6: "incr",
    4: "full",
    2: "diff",
    0: "full",
}
# The full of the seventh day is the last one from before the window: the fifth day is restored from it.
KEPT = [7, 6, 4, 2, 0]
SETTINGS = load(
    "dev", {"environment": "dev", "network": {"port_base": 15400}, "backup": {"retention_days": WINDOW_DAYS}}
)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def aged() -> Iterator[Aging]:
    """A database with twelve days behind it: a row a day, and backups as BACKUPS says."""
    with aging_database(SETTINGS, FIRST_DAY) as aging:
        aging.sql("CREATE TABLE days (ago integer)")
        aging.sql("CREATE TABLE big AS SELECT n, md5(n::text) FROM generate_series(1, 200000) AS n")
        for day in range(FIRST_DAY, -1, -1):
            aging.days_ago(day)
            aging.sql(f"INSERT INTO days VALUES ({day})")
            aging.sql("UPDATE big SET n = -n WHERE n = 1000 OR n = -1000")
            if day in BACKUPS:
                aging.pgbackrest(f"--type={BACKUPS[day]}", "backup")
            aging.sql("SELECT pg_switch_wal()")
        yield aging


def days_of_backups(aging: Aging) -> list[int]:
    stops = [backup["timestamp"]["stop"] for backup in aging.info()["backup"]]
    return [round((datetime.now(UTC) - datetime.fromtimestamp(stop, UTC)) / timedelta(days=1)) for stop in stops]


def test_backups_that_no_second_of_the_window_needs_are_gone(aged: Aging) -> None:
    assert days_of_backups(aged) == KEPT


def test_wal_goes_with_the_last_backup_that_needs_it(aged: Aging) -> None:
    info = aged.info()
    oldest = info["backup"][0]["archive"]["start"]
    assert info["archive"][0]["min"] == oldest
    files = aged.must("find", "/var/lib/pgbackrest/archive/s", "-type", "f", "-printf", "%f\n").splitlines()
    segments = sorted(name[:24] for name in files if len(name.partition("-")[0]) == 24)
    assert segments[0] == oldest
    numbers = [int(name[8:16], 16) * 256 + int(name[16:], 16) for name in dict.fromkeys(segments)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "no gap"


def restore(aging: Aging, target: datetime) -> tuple[int, str]:
    aging.must("sh", "-c", "rm -rf /data/restored && mkdir -m 700 /data/restored")
    return aging.run(
        "pgbackrest",
        "--config=/tmp/pgbackrest.conf",
        "--stanza=s",
        "--pg1-path=/data/restored",
        "--type=time",
        f"--target={target:%Y-%m-%d %H:%M:%S+00}",
        "--target-action=promote",
        "restore",
    )


def test_the_beginning_of_the_window_can_be_restored(aged: Aging) -> None:
    status, text = restore(aged, datetime.now(UTC) - timedelta(days=WINDOW_DAYS) + timedelta(hours=1))
    assert status == 0, text
    options = "-c port=5433 -c archive_mode=off"
    aged.must("sh", "-c", f"pg_ctl -D /data/restored -w -o '{options}' start > /tmp/restored.log 2>&1")
    try:
        assert aged.sql("SELECT min(ago), count(*) FROM days", port=5433) == [f"{WINDOW_DAYS}|8"]
    finally:
        aged.must("pg_ctl", "-D", "/data/restored", "-m", "immediate", "stop")


def test_what_lies_before_it_is_refused(aged: Aging) -> None:
    status, text = restore(aged, datetime.now(UTC) - timedelta(days=9))
    assert status != 0
    assert "unable to find backup set with stop time less than" in text


def test_an_incremental_backup_holds_the_blocks_that_changed_not_the_files(aged: Aging) -> None:
    incremental = next(backup for backup in aged.info()["backup"] if backup["type"] == "incr")
    assert incremental["info"]["delta"] > 10 * MIB, "the table's file"
    assert incremental["info"]["repository"]["delta"] < MIB


def test_small_files_lie_in_bundles(aged: Aging) -> None:
    newest = aged.info()["backup"][-1]["label"]
    folder = f"/var/lib/pgbackrest/backup/s/{newest}"
    assert aged.must("find", f"{folder}/bundle", "-type", "f").splitlines()
    assert len(aged.must("find", folder, "-type", "f").splitlines()) < 100, "a database has about a thousand"
