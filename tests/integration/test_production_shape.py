"""Prod's shape on one machine: three etcd members, two replicas, two proxies, synchronous, differential backups."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader
from tests.fixtures.stacks import Stack, throw_away_stack
from tests.integration.test_backups import info

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("production_shape")]


@pytest.fixture(scope="module")
def production() -> Iterator[Stack]:
    with throw_away_stack("prod") as stack:
        stack.prepare()
        stack.configure("consensus", members=3)
        stack.configure("database", replicas=2)
        stack.configure("failover", synchronous="on")
        stack.configure("proxy", instances=2)
        stack.configure("backup", differential_schedule="* * * * *", time_zone="Europe/Berlin")
        stack.up()
        yield stack


def test_two_replicas_stream_and_one_is_synchronous(production: Stack) -> None:
    assert_replicated(production, replicas=2)
    eventually(
        lambda: production.sql("SELECT sync_state FROM pg_stat_replication ORDER BY 1", leader(production)),
        lambda states: states == ["async", "sync"],
        timeouts.RELOAD,
        "one replica that commits wait for",
    )


def test_etcd_has_three_members_that_agree(production: Stack) -> None:
    words = "etcdctl --endpoints=https://etcd-0:2379,https://etcd-1:2379,https://etcd-2:2379 --cacert=/etc/pipe/ca.pem"
    keys = ["--cert=/etc/pipe/cert.pem", "--key=/etc/pipe/key.pem", "endpoint", "health"]
    _, text = eventually(
        lambda: production.execute("etcd-0", *words.split(), *keys),
        lambda done: done[0] == 0,
        timeouts.COMMAND,
        "every member of etcd healthy",
    )
    assert text.count("is healthy") == 3


@pytest.mark.parametrize("target", ["read_write", "read_only"])
def test_clients_go_to_the_other_proxy_when_one_is_gone(production: Stack, target: str) -> None:
    lost = production.container("proxy-0")
    lost.kill()
    try:
        with production.connect("app", target) as session:
            row = session.execute("SELECT pg_is_in_recovery()").fetchone()
    finally:
        lost.start()
    assert row == (target == "read_only",)


def test_a_scheduled_backup_is_taken_by_itself(production: Stack) -> None:
    eventually(
        lambda: [backup["type"] for backup in info(production)["backup"]],
        lambda types: "diff" in types,
        timeouts.SCHEDULED,
        "a differential backup, which is due every minute",
    )


def test_both_schedules_wait_in_the_configured_time_zone(production: Stack) -> None:
    _, processes = production.execute("scheduler", "ps", "-eo", "args")
    assert "-M 0 -H 0 -d * -m * -w *" in processes
    assert "schedule" in processes
    assert production.execute("scheduler", "date", "+%Z")[1].strip() in ("CET", "CEST")


def test_the_number_of_etcd_members_is_for_good(production: Stack) -> None:
    production.configure("consensus", members=1)
    try:
        done = production.run("bin/pulumi", "preview", timeout=timeouts.UP)
        assert done.returncode != 0
        assert "consensus.members cannot change from 3 to 1" in done.stdout + done.stderr
    finally:
        production.configure("consensus", members=3)
