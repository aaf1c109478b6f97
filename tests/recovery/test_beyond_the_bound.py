"""More WAL waits than `backup.wal_bound_mb` allows: by default it is kept; where that was asked for it is dropped, seen
to be missing, and made up for by a full backup."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cli.status.archive import NAME, missing
from infra.archive import member_conf
from infra.settings import load
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.recovery.aging import Aging, aging_database
from tests.unit.test_native_config import ini

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.xdist_group("bound")]

ARCHIVE = "/var/lib/pgbackrest/archive"
# Segments of 16 MB.
BOUND, SEGMENTS = 4, 8
FAILING = "SELECT last_failed_time > coalesce(last_archived_time, '-infinity') FROM pg_stat_archiver"
WAITING = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"


@pytest.fixture(params=["wait", "drop"])
def bounded(request: pytest.FixtureRequest) -> Iterator[tuple[str, Aging]]:
    """A database with a full backup, archiving as members do."""
    backup = {"wal_bound_mb": 16 * BOUND, "beyond_wal_bound": request.param}
    settings = load("dev", {"environment": "dev", "network": {"port_base": 15400}, "backup": backup})
    options = ini(member_conf(settings))["global"]
    names: tuple[str, ...] = ("archive-async", "archive-push-queue-max")
    taken = {name: options[name][0] for name in names if name in options}
    with aging_database(settings, 0, {**taken, "spool-path": "/tmp/spool"}) as database:
        database.sql("CREATE TABLE t (n integer)")
        database.pgbackrest("--type=full", "backup")
        yield str(request.param), database


def lacking(database: Aging) -> int:
    """Return how many segments `make status` would miss."""
    names = json.loads(
        database.must(
            *("pgbackrest", "--config=/tmp/pgbackrest.conf", "--repo=1", "--recurse", "--output=json"),
            *(f"--filter={NAME}", "repo-ls", "archive/s"),
        )
    )
    newest = [backup for backup in database.info()["backup"] if backup["type"] == "full"][-1]
    until = database.sql("SELECT last_archived_wal FROM pg_stat_archiver WHERE last_archived_wal !~ 'history'")[0]
    return missing(newest["archive"]["start"], until, [name.rpartition("/")[2][:24] for name in names])


def test_what_happens_is_what_was_asked_for(bounded: tuple[str, Aging]) -> None:
    asked, database = bounded
    database.must("mv", ARCHIVE, f"{ARCHIVE}.away")
    for number in range(SEGMENTS):
        database.sql(f"INSERT INTO t VALUES ({number})")
        database.sql("SELECT pg_switch_wal()")
    if asked == "wait":
        eventually(lambda: database.sql(FAILING), lambda found: found == ["t"], timeouts.ARCHIVED, "archiving fails")
        assert int(database.sql(WAITING)[0]) >= SEGMENTS
    else:
        eventually(
            lambda: int(database.sql(WAITING)[0]), lambda found: found <= BOUND, timeouts.ARCHIVED, "some was dropped"
        )
    database.must("mv", f"{ARCHIVE}.away", ARCHIVE)
    database.sql("INSERT INTO t VALUES (100)")
    database.pgbackrest("check")
    eventually(lambda: database.sql(WAITING), lambda found: found == ["0"], timeouts.ARCHIVED, "nothing waits")
    if asked == "wait":
        assert lacking(database) == 0
    else:
        assert lacking(database) >= SEGMENTS - BOUND
        database.pgbackrest("--type=full", "backup")
        assert lacking(database) == 0
    assert database.sql("SELECT count(*) FROM t") == [str(SEGMENTS + 1)], "whoever wrote has noticed nothing"
