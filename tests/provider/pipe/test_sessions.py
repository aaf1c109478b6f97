"""``pipe:sql:Sessions`` against a real cluster of two members: what it ends, what it leaves, what it can't do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.provider.airgap.harness import Failed, Refused
from tests.provider.pipe.cluster import READY_SECONDS, Cluster
from tests.provider.pipe.driver import PipePlugin

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("patroni")]
PASSWORD = "password-of-the-test"
SESSIONS = (
    "SELECT usename, count(*) FROM pg_stat_activity WHERE usename IN ('pipe_one', 'pipe_other') GROUP BY 1 ORDER BY 1"
)
BOTH = "pipe_one|1\npipe_other|1"


def roles(patroni: Cluster) -> list[str]:
    return [patroni.psql("SELECT pg_is_in_recovery()", index) for index in range(2)]


@pytest.fixture(scope="module", autouse=True)
def logins(patroni: Cluster) -> Iterator[None]:
    """Two logins, once one member leads and the other follows it."""
    plugin = PipePlugin(patroni.config)
    lives = [plugin.live("patroni:Member", f"member-{index}") for index in range(2)]
    wanted = [
        {
            "member": f"member-{i}",
            "endpoint": patroni.endpoints[i],
            "containerId": "x",
            "timeoutSeconds": READY_SECONDS,
        }
        for i in range(2)
    ]
    threads = [threading.Thread(target=live.up, args=(wanted[i],)) for i, live in enumerate(lives)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plugin.stop()
    primary = roles(patroni).index("f")
    for role in ("pipe_one", "pipe_other"):
        patroni.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'", primary)
    yield
    for role in ("pipe_one", "pipe_other"):
        patroni.psql(f"DROP ROLE {role}", primary)


@pytest.fixture(autouse=True)
def sessions(patroni: Cluster) -> Iterator[None]:
    """A session of each login on each member."""
    for index, member in enumerate(patroni.members):
        for role in ("pipe_one", "pipe_other"):
            uri = f"host=member-{index} dbname=postgres user={role} password={PASSWORD} sslmode=require"
            ask = partial(member.exec_run, ["psql", uri, "-c", "SELECT 1"])
            eventually(ask, lambda done: done.exit_code == 0, timeouts.REPLAYED, "the login on every member")
            member.exec_run(["psql", uri, "-c", "SELECT pg_sleep(600)"], detach=True)
    for index in range(2):
        eventually(partial(patroni.psql, SESSIONS, index), BOTH.__eq__, timeouts.COMMAND, "all sessions")
    yield
    for index in range(2):
        patroni.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'pipe_o%'", index)
        eventually(partial(patroni.psql, SESSIONS, index), "".__eq__, timeouts.COMMAND, "no session")


def of(patroni: Cluster, trigger: str, **other: Any) -> dict[str, Any]:
    containers = [member.name for member in patroni.members]
    return {"role": "pipe_one", "containers": containers, "triggers": [trigger]} | other


def test_a_changed_trigger_ends_the_sessions_of_this_role_on_every_member(
    operator: PipePlugin, patroni: Cluster
) -> None:
    live = operator.live("sql:Sessions")
    assert live.up(of(patroni, "a")) == "create"
    assert live.up(of(patroni, "a")) == "same"
    assert live.up(of(patroni, "a", containers=[patroni.members[0].name])) == "update"
    assert [patroni.psql(SESSIONS, index) for index in range(2)] == [BOTH, BOTH], "nothing changed that ends them"

    assert live.up(of(patroni, "b")) == "update"
    assert [patroni.psql(SESSIONS, index) for index in range(2)] == ["pipe_other|1", "pipe_other|1"]
    first, second = (member.name for member in patroni.members)
    assert operator.messages[-1] == (
        f'ended sessions of "pipe_one" that began with its old password: 1 on {first}, 1 on {second}'
    )


def test_a_replica_that_has_not_replayed_the_change_is_an_error(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("sql:Sessions")
    live.up(of(patroni, "a"))
    replica, primary = roles(patroni).index("t"), roles(patroni).index("f")
    name = patroni.members[replica].name
    patroni.psql("CREATE TABLE held ()", primary)
    held = "SELECT count(*) FROM pg_locks WHERE relation = to_regclass('held')"
    # Replay waits for the reader, at most for max_standby_streaming_delay.
    reader = "SELECT pg_sleep(600) FROM (SELECT count(*) FROM held) AS held"
    eventually(partial(patroni.psql, "SELECT to_regclass('held')", replica), bool, timeouts.REPLAYED, "the table there")
    patroni.members[replica].exec_run(["psql", "-c", reader], user="postgres", detach=True)
    eventually(partial(patroni.psql, held, replica), "1".__eq__, timeouts.COMMAND, "the reader's lock")
    patroni.psql("DROP TABLE held", primary)
    try:
        with pytest.raises(Failed) as failed:
            live.up(of(patroni, "b", timeoutSeconds=1))
    finally:
        patroni.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $$" + reader + "$$", replica)
    assert str(failed.value) == (
        f'ending the sessions of "pipe_one" on {name} failed: '
        "within 1 s it did not replay that the password changed\n"
        "HINT: see how far it lags: bin/patronictl list; then run up again"
    )
    assert live.up(of(patroni, "b")) == "update", "the state did not take the change for done"


def test_without_a_primary_nothing_is_ended(operator: PipePlugin, patroni: Cluster) -> None:
    live = operator.live("sql:Sessions")
    live.up(of(patroni, "a"))
    replica = patroni.members[roles(patroni).index("t")].name
    with pytest.raises(Failed, match='the sessions of "pipe_one" could not be ended: no member leads\nHINT: see what'):
        live.up(of(patroni, "b", containers=[replica]))
    assert [patroni.psql(SESSIONS, index) for index in range(2)] == [BOTH, BOTH]


def test_a_role_that_would_need_quoting_is_refused(operator: PipePlugin, patroni: Cluster) -> None:
    with pytest.raises(Refused) as refused:
        operator.live("sql:Sessions").up(of(patroni, "a", role="o'hara"))
    assert refused.value.failures == {"role": 'is "o\'hara"; allowed are lower-case letters, digits and _'}
