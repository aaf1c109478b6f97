"""What somebody changed by hand: shown by drift and named by `up`, which fails where somebody got or lost a right."""

from __future__ import annotations

import pytest

from tests import timeouts
from tests.asserts.replication import leader
from tests.fixtures.stacks import Stack, succeeded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("shared")]

COLUMN = "table pipe.users column by_hand"
GIVEN = "role pipe_auditor may SELECT pipe.users, which the matrix does not allow"
TAKEN = "role pipe_auditor may not SELECT pipe.audit_logs, which the matrix allows"


def test_changes_by_hand_show_by_name_until_they_are_mended(stack: Stack) -> None:
    def sql(*statements: str) -> None:
        for statement in statements:
            stack.sql(statement, leader(stack))

    try:
        sql(
            "ALTER TABLE pipe.users ADD COLUMN by_hand text",
            "GRANT SELECT ON pipe.users TO pipe_auditor",
            "REVOKE SELECT ON pipe.audit_logs FROM pipe_auditor",
        )
        drift = stack.run("make", "drift", timeout=timeouts.UP)
        assert drift.returncode != 0
        for shown in (COLUMN, GIVEN, TAKEN):
            assert shown in drift.stdout, drift.stdout

        failed = stack.run("bin/pulumi", "up", "--yes", timeout=timeouts.UP)
        assert failed.returncode != 0
        for named in (COLUMN, GIVEN, TAKEN, "make up ARGS=--refresh"):
            assert named in failed.stdout, failed.stdout

        # What was taken comes back by a refresh; what was given is for a hand to take; the column still shows.
        sql("REVOKE SELECT ON pipe.users FROM pipe_auditor")
        assert COLUMN in stack.pulumi("up", "--yes", "--refresh", timeout=timeouts.UP)
        with stack.connect("auditor") as auditor:
            auditor.execute("SELECT FROM pipe.audit_logs LIMIT 1")
    finally:
        sql(
            "ALTER TABLE pipe.users DROP COLUMN IF EXISTS by_hand",
            "REVOKE SELECT ON pipe.users FROM pipe_auditor",
            "GRANT SELECT ON pipe.audit_logs TO pipe_auditor",
        )
    succeeded(stack.run("make", "drift", timeout=timeouts.UP))
