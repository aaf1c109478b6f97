"""When a member has waited long enough for a leader: nobody leads, and who may be able to does not answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import pytest

from provider.patroni import unled
from provider.patroni.plan import readiness
from provider.patroni.rest import Answer, Rest, Unreachable

MEMBERS = ["https://a", "https://b", "https://c"]


class Cluster:
    """Members that answer, and a clock."""

    def __init__(self, *answering: str, config: dict[str, Any] | None = None) -> None:
        self.answering, self.config, self.now = set(answering), config, 100.0

    def send(self, _: str, endpoint: str, path: str) -> Answer:
        assert path == "/config"
        if self.config is None:
            raise Unreachable(endpoint, "timed out")
        return Answer(200, self.config)

    def reachable(self, endpoints: Iterable[str], path: str) -> Iterator[tuple[str, Answer]]:
        assert path == "/patroni"
        yield from ((endpoint, Answer(200, {})) for endpoint in endpoints if endpoint in self.answering)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> tuple[Cluster, unled.Unled]:
    cluster = Cluster("https://a", "https://b", config={"ttl": 20, "loop_wait": 7})
    monkeypatch.setattr("time.monotonic", lambda: cluster.now)
    return cluster, unled.Unled(cast("Rest", cluster), MEMBERS[0], MEMBERS[1:])


def test_nobody_is_given_up_before_a_failover_would_be_over(judged: tuple[Cluster, unled.Unled]) -> None:
    cluster, found = judged
    assert found.absent(unled=True) == []
    cluster.now += 31
    assert found.absent(unled=True) == []
    cluster.now += 1
    assert found.absent(unled=True) == ["https://c"]


def test_a_leader_that_was_seen_meanwhile_begins_the_time_anew(judged: tuple[Cluster, unled.Unled]) -> None:
    cluster, found = judged
    found.absent(unled=True)
    cluster.now += 31
    assert found.absent(unled=False) == []
    cluster.now += 31
    assert found.absent(unled=True) == []
    cluster.now += 31
    assert found.absent(unled=True) == []


def test_where_all_answer_the_leader_is_waited_for(judged: tuple[Cluster, unled.Unled]) -> None:
    cluster, found = judged
    cluster.answering.add("https://c")
    found.absent(unled=True)
    cluster.now += 300
    assert found.absent(unled=True) == []


def test_a_member_that_knows_of_no_other_is_waited_for(judged: tuple[Cluster, unled.Unled]) -> None:
    cluster, _ = judged
    alone = unled.Unled(cast("Rest", cluster), MEMBERS[0], ())
    alone.absent(unled=True)
    cluster.now += 300
    assert alone.absent(unled=True) == []


def test_without_a_configuration_patronis_own_defaults_hold(judged: tuple[Cluster, unled.Unled]) -> None:
    cluster, found = judged
    cluster.config = None
    found.absent(unled=True)
    cluster.now += 44
    assert found.absent(unled=True) == []
    cluster.now += 1
    assert found.absent(unled=True) == ["https://c"]


@pytest.mark.parametrize(
    ("status", "is_unled"),
    [
        ({"state": "running", "role": "replica", "cluster_unlocked": True}, True),
        ({"state": "running", "role": "replica", "replication_state": "in archive recovery"}, False),
        ({"state": "starting", "role": "replica", "cluster_unlocked": True}, False),
        ({"state": "initializing new cluster", "role": "uninitialized", "cluster_unlocked": True}, False),
        ({"state": "running", "role": "primary", "cluster_unlocked": True}, False),
    ],
)
def test_only_a_replica_that_runs_may_wait_in_vain(status: dict[str, Any], is_unled: bool) -> None:
    found = readiness("member-0", {"patroni": {"name": "member-0"}, **status}, holds_lock=False)
    assert (found.ready, found.unled) == (False, is_unled)
