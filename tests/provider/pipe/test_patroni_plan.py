"""What is sent to Patroni, and what its answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provider.errors import PipeError
from provider.patroni.plan import (
    Readiness,
    may_need_restart,
    needs_restart,
    owned,
    patch,
    prior,
    readiness,
    restart_order,
    restarts_told,
    reverse,
    slot_name,
    successor,
    unmet,
)
from provider.pgbackrest.info import Info, parse
from provider.pgbackrest.run import Result

ME = {"patroni": {"name": "member-0"}}


@pytest.mark.parametrize(
    ("status", "holds_lock", "expected"),
    [
        ({"role": "primary", "state": "running"}, True, Readiness(True, "leads")),
        ({"role": "primary", "state": "running"}, False,
         Readiness(False, "runs, but does not hold the leader's lock yet")),
        ({"role": "primary", "state": "starting"}, False, Readiness(False, "is to lead, but is starting")),
        ({"role": "replica", "state": "creating replica"}, False, Readiness(False, "is creating replica")),
        ({"role": "replica", "state": "running", "replication_state": "streaming"}, False, Readiness(True, "streams")),
        ({"role": "replica", "state": "running", "replication_state": "in archive recovery"}, False,
         Readiness(False, "runs as a replica, but does not stream: in archive recovery")),
        ({"role": "replica", "state": "running", "replication_state": "in archive recovery",
          "tags": {"nofailover": True}}, False, Readiness(True, "follows from the archive, behind on purpose")),
    ],
)  # fmt: skip
def test_readiness(status: dict[str, Any], holds_lock: bool, expected: Readiness) -> None:
    assert readiness("member-0", ME | status, holds_lock=holds_lock) == expected


def test_another_member_at_the_address_is_not_ready() -> None:
    assert readiness("member-1", ME, holds_lock=True) == Readiness(False, 'another member answers there: "member-0"')


def test_a_patch_sets_what_is_wanted_and_clears_what_is_no_longer_owned() -> None:
    old = {"ttl": 30, "postgresql": {"parameters": {"a": 1, "b": 2}}, "standby": {"host": "x"}}
    new = {"postgresql": {"parameters": {"b": 3, "c": 4}}}
    assert patch(old, new) == {
        "ttl": None,
        "postgresql": {"parameters": {"a": None, "b": 3, "c": 4}},
        "standby": {"host": None},
    }


def test_a_change_is_taken_back_to_what_was_there_before() -> None:
    before = {"ttl": 30, "postgresql": {"parameters": {"a": "1", "z": 9}}, "loop_wait": 10}
    change = {"ttl": 20, "retry_timeout": 5, "postgresql": {"parameters": {"a": 2, "b": 3, "c": None}}}
    assert reverse(before, change) == {
        "ttl": 30,
        "retry_timeout": None,
        "postgresql": {"parameters": {"a": "1", "b": None, "c": None}},
    }


def test_what_a_killed_run_stored_was_not_there_before_and_what_somebody_else_did_was() -> None:
    old = {"ttl": 30, "postgresql": {"parameters": {"a": "1", "gone": 7}}}
    change = {"ttl": 20, "loop_wait": 5, "postgresql": {"parameters": {"a": 2, "b": 3, "c": 4, "gone": None}}}
    stored = {"ttl": 20, "loop_wait": 10, "postgresql": {"parameters": {"a": "2", "b": "3", "c": 9}}}
    before = prior(old, stored, change)
    assert before == {"ttl": 30, "loop_wait": 10, "postgresql": {"parameters": {"a": "1", "c": 9, "gone": 7}}}
    assert unmet(stored, change) == ["loop_wait", "postgresql.parameters.c"]
    assert len(unmet(before, change)) == 6, "each is a change still to be proved"
    assert reverse(before, change)["postgresql"]["parameters"] == {"a": "1", "b": None, "c": 9, "gone": 7}


def test_owned_keys_are_shown_with_their_actual_values_and_others_are_not() -> None:
    actual = {"ttl": 20, "loop_wait": 10, "postgresql": {"parameters": {"a": "1", "z": 9}, "use_slots": True}}
    assert owned(actual, {"ttl": 30, "gone": 1, "postgresql": {"parameters": {"a": 1}}}) == {
        "ttl": 20,
        "postgresql": {"parameters": {"a": 1}},
    }


def test_unmet_names_the_keys_that_are_not_there_yet() -> None:
    actual = {"ttl": 20, "postgresql": {"parameters": {"a": "1"}}}
    assert unmet(actual, {"ttl": 30, "x": None, "postgresql": {"parameters": {"a": 1, "b": 2}}}) == [
        "ttl",
        "postgresql.parameters.b",
    ]


@pytest.mark.parametrize(
    ("key", "needs", "may"),
    [
        ("ttl", False, False),
        ("postgresql.parameters.archive_command", False, False),
        ("postgresql.parameters.max_connections", True, True),
        ("postgresql.parameters.cron.database_name", False, True),
    ],
)
def test_only_some_parameters_need_or_may_need_a_restart(key: str, needs: bool, may: bool) -> None:
    assert (needs_restart([key]), may_need_restart([key])) == (needs, may)


def test_replicas_restart_first_and_the_leader_last() -> None:
    assert restart_order({"a": "primary", "c": "replica", "b": "replica"}) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("new", "rolling", "members", "told", "warned"),
    [
        ({"work_mem": "5MB"}, True, 2, "", ""),
        ({"max_connections": 100}, True, 2, "", ""),
        ({"max_connections": 110}, False, 2,
         "a restart has to follow for max_connections: database.restart is pending", ""),
        ({"max_connections": 110}, True, 2,
         "each member restarts for max_connections: replicas first, the leader last, after it has handed over", ""),
        ({"shared_buffers": "1GB", "max_connections": 90}, True, 2, "",
         "max_connections can be lowered on the leader only as it is, and on replicas only after it:"
         " the leader restarts without handing over, nobody writes until it is back, and replicas restart twice"),
        ({"shared_buffers": "1GB"}, True, 1, "",
         "PostgreSQL restarts for shared_buffers and has no replica: nobody reads or writes until it is back"),
    ],
)  # fmt: skip
def test_a_preview_tells_what_a_restart_means(
    new: dict[str, Any], rolling: bool, members: int, told: str, warned: str
) -> None:
    old = {"max_connections": "100", "shared_buffers": "128MB", "work_mem": "4MB"}
    expected = ([told] if told else [], [warned] if warned else [])
    assert restarts_told(old, old | new, rolling=rolling, members=members) == expected


def test_slot_names_are_patronis() -> None:
    assert slot_name("Member-1.x") == "member_1_x"
    assert slot_name("ä") == "u0228"


def test_info_knows_a_stanza_its_full_backups_and_that_there_is_none() -> None:
    text = (
        '[{"name": "x", "status": {"code": 0}, "db": [{"system-id": 7}], "backup": ['
        '{"label": "1F", "type": "full", "error": true}, {"label": "2F", "type": "full", "error": false},'
        '{"label": "2F_3D", "type": "diff"}]}]'
    )
    assert parse(text, "x") == Info("7", ("2F",))
    assert parse(text, "y") is None
    assert parse('[{"name": "x", "status": {"code": 1}, "db": [], "backup": []}]', "x") is None


def several(*statuses: dict[str, Any]) -> str:
    """What pgBackRest says of a stanza in several repositories, of which the last has a full backup."""
    repositories = [{"key": key, "status": status} for key, status in enumerate(statuses, start=1)]
    backup = {"label": "2F", "type": "full", "error": False, "database": {"repo-key": len(statuses)}}
    entry = {"name": "x", "status": {"code": 4}, "db": [{"system-id": 7}], "repo": repositories, "backup": [backup]}
    return json.dumps([entry])


def test_info_knows_in_which_repositories_a_full_backup_is_missing() -> None:
    found = parse(several({"code": 2}, {"code": 1}, {"code": 0}), "x")
    assert found == Info("7", ("2F",), without_full=(1, 2))


def test_a_repository_that_does_not_answer_is_not_one_without_backups() -> None:
    away = {"code": 99, "message": "[HostConnectError] unable to reach s3\nHINT: more"}
    with pytest.raises(PipeError, match=r"repository 1 does not answer: \[HostConnectError\] unable to reach s3"):
        parse(several(away, {"code": 0}), "x")


def test_errors_are_pgbackrests_own_lines() -> None:
    log = (
        "2025-01-01 00:00:00.000 P00   INFO: check command begin\n"
        "2025-01-01 00:00:00.000 P00  ERROR: [082]: WAL segment 01 was not archived\n"
        "                                    HINT: check the archive_command\n"
        "2025-01-01 00:00:00.000 P00   INFO: check command end\n"
    )
    result = Result(82, "", log)
    assert result.error == "[082] WAL segment 01 was not archived HINT: check the archive_command"
    assert result.error_code == 82


def streams(name: str, role: str = "replica", state: str = "streaming", **tags: bool) -> dict[str, Any]:
    return {"name": name, "role": role, "state": state, "tags": tags}


@pytest.mark.parametrize(
    ("members", "leaving", "expected"),
    [
        ([streams("member-2"), streams("member-1")], {"member-0"}, "member-1"),
        ([streams("member-1"), streams("member-2", "sync_standby")], {"member-0"}, "member-2"),
        ([streams("member-1"), streams("member-2", "sync_standby")], {"member-0", "member-2"}, "member-1"),
        ([streams("member-1", state="starting"), streams("member-0", "leader", "running")], {"member-0"}, None),
        ([streams("member-1", nofailover=True), streams("member-2")], {"member-0"}, "member-2"),
        ([streams("member-1", nofailover=True)], {"member-0"}, None),
    ],
    ids=[
        "the first that streams",
        "the synchronous one",
        "not one that goes as well",
        "nobody",
        "not one that lies behind on purpose",
        "that one alone",
    ],
)
def test_who_takes_the_lead_streams_and_stays(
    members: list[dict[str, Any]], leaving: set[str], expected: str | None
) -> None:
    assert successor(members, leaving) == expected
