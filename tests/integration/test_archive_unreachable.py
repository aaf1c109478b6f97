"""The repository is away: it shows, nothing is lost, and archiving catches up by itself."""

from __future__ import annotations

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import leader
from tests.fixtures import runbook
from tests.fixtures.stacks import Stack
from tests.integration.test_backups import info

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("archive_unreachable")]


def test_wal_waits_for_the_repository(own_stack: Stack) -> None:
    primary = leader(own_stack)
    eventually(
        lambda: own_stack.run("make", "status"),
        lambda done: done.returncode == 0,
        timeouts.COMMAND,
        "a status without complaint",
    )
    own_stack.container("repository").stop()
    own_stack.sql("SELECT pg_logical_emit_message(true, 'test', 'x')", primary)
    segment = own_stack.sql("SELECT pg_walfile_name(pg_switch_wal())", primary)[0]
    eventually(
        lambda: own_stack.sql("SELECT failed_count > 0 FROM pg_stat_archiver", primary),
        lambda failed: failed == ["t"],
        timeouts.ARCHIVED,
        "archiving fails visibly",
    )
    status = own_stack.run("make", "status")
    assert status.returncode != 0, status.stdout
    assert own_stack.sql(f"SELECT count(*) FROM pg_ls_waldir() WHERE name = '{segment}'", primary) == ["1"]

    runbook.run("start the repository", own_stack)
    eventually(
        lambda: info(own_stack)["archive"][-1]["max"],
        lambda newest: newest >= segment,
        timeouts.ARCHIVED,
        f"{segment} in the repository",
    )
