"""The judgements of `make status`: what is fine, and what someone should act on."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.errors import UserError
from cli.session import Session
from cli.state import State
from cli.status import collect, report
from cli.status.archive import line, missing
from cli.status.checks import (
    Line,
    ago,
    archiving,
    backups,
    certificate,
    certificates,
    members,
    migrations,
    period,
)
from cli.status.upkeep import Alert, Drill, Migration, Upkeep, lines
from infra.settings import load
from setup.paths import Paths

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LEADER = {"name": "member-0", "role": "leader", "state": "running", "timeline": 1}
REPLICA = {"name": "member-1", "role": "replica", "state": "streaming", "timeline": 1, "lag": 0}
NAMES = ["member-0", "member-1"]


def cluster(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"members": list(found), **more}


def wrong(table: list[Line]) -> list[str]:
    return [f"{line.subject}: {line.text}" for line in table if not line.ok]


def test_a_leader_and_a_streaming_replica_are_fine() -> None:
    found = members(NAMES, cluster(LEADER, REPLICA), 16)
    assert wrong(found) == []
    assert found[1].text == "replica, streaming, timeline 1, lag 0.0 MiB"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "members: no member answers on its REST API"),
        (cluster(LEADER), "member-1: not in the cluster"),
        (cluster(LEADER, REPLICA, {**REPLICA, "name": "old"}), "old: in the cluster, but not in this stack"),
        (
            cluster(LEADER, {**REPLICA, "lag": 17 * 1024 * 1024}),
            "member-1: replica, streaming, timeline 1, lag 17.0 MiB",
        ),
        (cluster(LEADER, {**REPLICA, "lag": "unknown"}), "member-1: replica, streaming, timeline 1, lag unknown"),
        (cluster(LEADER, {**REPLICA, "state": "starting"}), "member-1: replica, starting, timeline 1, lag 0.0 MiB"),
        (cluster({**LEADER, "role": "replica", "lag": 0}, REPLICA), "leader: 0 leaders"),
        (cluster(LEADER, REPLICA, pause=True), "failover: paused: `bin/patronictl resume` ends it"),
    ],
)
def test_what_is_wrong_with_members(found: dict[str, Any] | None, text: str) -> None:
    assert wrong(members(NAMES, found, 16)) == [text]


@pytest.mark.parametrize("state", ["stopped", "start failed", "crashed"])
def test_a_member_that_does_not_run_is_told_where_it_says_why(state: str) -> None:
    (_, found) = members(NAMES, cluster(LEADER, {**REPLICA, "state": state}), 16)
    assert not found.ok
    assert found.hint == (
        "its log says why: `docker logs`. On a full disk it needs room; one whose data is damaged is copied anew by "
        "`bin/patronictl reinit`."
    )


def test_a_pending_restart_is_told_and_is_not_wrong() -> None:
    found = members(NAMES, cluster({**LEADER, "pending_restart": True}, REPLICA), 16)
    assert wrong(found) == []
    assert found[0].text.endswith("restart pending for changed parameters")


def info(age: timedelta, code: int = 0, **more: Any) -> list[dict[str, Any]]:
    stop = int((NOW - age).timestamp())
    full = {"type": "full", "label": "20261124-000000F", "timestamp": {"stop": stop}, **more}
    return [{"name": "dev", "backup": [full], "status": {"code": code, "message": "no valid backups"}}]


def test_backups() -> None:
    assert wrong(backups(info(timedelta(hours=12)), "dev", ["volume"], NOW, DAY)) == []
    assert wrong(backups(info(timedelta(hours=31)), "dev", ["volume"], NOW, DAY)) == [
        "last backup: 20261124-000000F, 31 h ago, later than scheduled, 1 full kept"
    ]
    assert wrong(backups(None, "dev", ["volume"], NOW, DAY)) == ["last backup: the repository does not answer"]
    assert wrong(backups([], "dev", ["volume"], NOW, DAY)) == ["last backup: no such stanza"]
    assert wrong(backups(info(DAY, error=True), "dev", ["volume"], NOW, DAY)) == ["last backup: there is none"]
    assert wrong(backups(info(timedelta(hours=1), code=2), "dev", ["volume"], NOW, DAY)) == [
        "repository volume: no valid backups"
    ]


def test_each_of_several_repositories_is_judged_by_itself() -> None:
    (entry,) = info(timedelta(hours=12), database={"repo-key": 2})
    away = {"code": 99, "message": "[HostConnectError] unable to reach s3\nHINT: more"}
    entry["repo"] = [{"key": 1, "status": away}, {"key": 2, "status": {"code": 0}}]
    found = backups([entry], "dev", ["s3", "volume"], NOW, DAY)
    assert wrong(found) == [
        "last backup s3: there is none",
        "repository s3: [HostConnectError] unable to reach s3",
    ]
    assert all("docs/disaster-runbook.md" in line.hint for line in found if not line.ok)
    assert found[-1].text.startswith("20261124-000000F, 12 h ago")


@pytest.mark.parametrize(
    ("names", "until", "lacking"),
    [
        (["000000010000000000000005", "000000010000000000000006"], "000000010000000000000006", 0),
        (["000000010000000000000003", "000000010000000000000005"], "000000010000000000000005", 0),
        (["000000010000000000000005", "000000010000000000000008"], "000000010000000000000008", 2),
        (["0000000100000000000000FF", "000000010000000100000000"], "000000010000000100000000", 250),
        # The seventh is on its way, and the eighth was faster.
        (["000000010000000000000005", "000000010000000000000008"], "000000010000000000000005", 0),
        # A failover: the new timeline begins in the segment in which the old one ended.
        (["000000010000000000000005", "000000020000000000000005"], "000000020000000000000005", 0),
        (["000000010000000000000005", "000000020000000000000007"], "000000020000000000000007", 1),
        ([], "000000010000000000000005", 1),
        ([], "000000010000000000000004", 0),
    ],
)
def test_wal_that_is_missing_since_the_last_full_backup(names: list[str], until: str, lacking: int) -> None:
    assert missing("000000010000000000000005", until, names) == lacking


def test_what_to_do_about_missing_wal() -> None:
    assert line("WAL kept", 1, "20261124-000000F", 0) == Line(True, "WAL kept", "all of it since 20261124-000000F")
    assert line("WAL kept s3", 2, "20261124-000000F", 2) == Line(
        False,
        "WAL kept s3",
        "2 segments are missing since 20261124-000000F: the times in them and after them cannot be restored",
        "Take a full backup: `bin/pgbackrest --repo=2 --type=full backup`.",
    )


def test_archiving_is_wrong_while_its_last_attempt_failed() -> None:
    earlier, later = NOW - timedelta(minutes=10), NOW - timedelta(minutes=1)
    assert archiving(later, earlier, "0001", 0, NOW) == Line(True, "WAL archived", "0001, 60 s ago")
    failing = archiving(earlier, later, "0001", 3, NOW)
    assert failing == Line(False, "WAL archived", "0001, 10 min ago; failing since then, 3 segments wait")
    assert not archiving(None, None, None, 0, NOW).ok
    assert archiving(earlier, later, "0001", 0, NOW).ok, "another member archived it while it led"


def test_migrations_are_those_that_the_database_has() -> None:
    files = {"0001", "0002"}
    assert migrations(files, "0002", finished=True) == Line(True, "migrations", "2 applied, none pending")
    assert migrations(files, "0001", finished=True) == Line(False, "migrations", "1 applied, pending: 0002")
    assert migrations(files, "0002", finished=False) == Line(False, "migrations", "1 applied, pending: 0002")
    assert migrations(files, "", finished=True) == Line(False, "migrations", "0 applied, pending: 0001, 0002")
    beyond = Line(False, "migrations", "the database is at 0003, which this checkout does not have")
    assert migrations(files, "0003", finished=True) == beyond


def upkeep_of(**more: Any) -> Upkeep:
    found = Upkeep(
        alerts=[],
        findings=[],
        jobs=11,
        last_start=NOW - timedelta(seconds=30),
        months=[("audit_logs", 6)],
        migration=None,
    )
    return dataclasses.replace(found, **more)


def test_what_the_database_says_of_itself() -> None:
    migration = Migration("0012", "upkeep", NOW - DAY, "before_0012", "0/3000060")
    assert list(lines(upkeep_of(migration=migration), NOW)) == [
        Line(True, "audit_logs", "partitions for 6 months ahead"),
        Line(True, "jobs", "11 scheduled, the last began 30 s ago"),
        Line(True, "last migration", "0012_upkeep, 24 h ago; just before it: restore point before_0012, LSN 0/3000060"),
    ]


@pytest.mark.parametrize(
    ("state", "done", "text", "hint"),
    [
        ("partial", 2, "stopped: 2 of its statements are done and stay", "`make up` goes on from there."),
        ("unverified", None, "done, but its check did not hold", "`make up` runs the check again."),
    ],
)
def test_a_migration_that_did_not_end_is_wrong(state: str, done: int | None, text: str, hint: str) -> None:
    migration = Migration("0013", "index", NOW - DAY, "before_0013", "0/3000060", state, done)
    (line,) = (line for line in lines(upkeep_of(migration=migration), NOW) if line.subject == "last migration")
    assert not line.ok
    assert line.text == f"0013_index, 24 h ago, {text}; just before it: restore point before_0013, LSN 0/3000060"
    assert line.hint.endswith(hint)


def test_the_last_drill_is_told_and_what_is_wrong_with_it_is_an_alert_s_business() -> None:
    drill = Drill(NOW - DAY, True, "20260101-000000F", 2**20, 3.25)
    text = "passed 24 h ago: backup 20260101-000000F, 1.0 MiB restored in 3.2 s"
    assert list(lines(upkeep_of(drill=drill), NOW))[-1] == Line(True, "last drill", text)
    cut_short = dataclasses.replace(drill, passed=False, seconds=None)
    assert list(lines(upkeep_of(drill=cut_short), NOW))[-1] == Line(True, "last drill", "failed 24 h ago")


def test_an_alert_is_shown_with_its_hint_and_only_an_error_is_wrong() -> None:
    error = Alert("job failed", "error", "job pipe_archive failed: no", "Do this.")
    warning = Alert("invalid index", "warning", "index x is not valid", "Do that.")
    found = [line for line in lines(upkeep_of(alerts=[error, warning]), NOW) if line.hint]
    assert [(line.mark, line.subject, line.hint) for line in found] == [
        ("BAD", "job failed", "Do this."),
        ("see", "invalid index", "Do that."),
    ]
    assert wrong(found) == ["job failed: job pipe_archive failed: no"]


def test_findings_are_counted_and_are_not_wrong() -> None:
    (line,) = (line for line in lines(upkeep_of(findings=[("unused index", 2)]), NOW) if line.subject == "findings")
    assert (line.mark, line.text) == ("see", "2 unused index")
    assert "upkeep.report()" in line.hint


def test_a_database_that_cannot_tell_is_wrong() -> None:
    (line,) = lines("function upkeep.alerts() does not exist", NOW)
    assert (line.ok, line.text) == (False, "the database does not tell: function upkeep.alerts() does not exist")


def test_a_certificate_is_due_when_up_would_renew_it() -> None:
    assert certificate("certificate", NOW + 91 * DAY, NOW, 90 * DAY, "act") == Line(
        True, "certificate", "expires 2027-02-23, in 91 days"
    )
    due = certificate("certificate", NOW + 89 * DAY, NOW, 90 * DAY, "act")
    assert due == Line(False, "certificate", "expires 2027-02-21, in 89 days; act")


def test_the_first_certificate_to_end_decides() -> None:
    assert certificates({}, NOW, DAY) == Line(False, "certificates", "the state knows of none")
    found = certificates({"operator": NOW + 100 * DAY, "member-0": NOW + 91 * DAY}, NOW, 90 * DAY)
    assert found == Line(True, "certificates", "2, the first to end is that of member-0, on 2027-02-23, in 91 days")


def signed(name: str, until: datetime) -> dict[str, Any]:
    kind = "tls:index/locallySignedCert:LocallySignedCert"
    urn = f"urn:pulumi:dev::pipe::pipe:index:Certificates${kind}::certificates-{name}"
    return {"urn": urn, "type": kind, "outputs": {"validityEndTime": until.isoformat()}}


def test_only_what_the_authority_has_signed_is_renewed_by_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = NOW + DAY
    monkeypatch.setattr(collect, "server_expiry", lambda *_: soon)
    monkeypatch.setattr(collect, "authority_expiry", lambda _: soon)
    authority = tmp_path / "ca.pem"
    authority.touch()
    settings = load("dev", {"environment": "dev", "network": {"port_base": 15400}})
    subject = report.Subject(Session("dev", Paths(tmp_path), {}), settings, {}, authority, NOW)
    state = State((signed("etcd-0", soon), signed("operator", NOW + 99 * DAY)))
    monkeypatch.setattr("cli.state.read", lambda _: state)
    leaf, signed_by_it, root = report._certificates(subject, "127.0.0.1")
    assert leaf.text.endswith("; `make up` renews it")
    assert signed_by_it == Line(
        False,
        "certificates",
        "2, the first to end is that of etcd-0, on 2026-11-25, in 1 days; `make up` renews it in place",
    )
    assert root.text.endswith(
        "; a new one is planned work (docs/architecture.md); `make up` renews only what it has signed"
    )


def test_an_encrypted_value_is_no_wrong_setting(tmp_path: Path) -> None:
    file = tmp_path / "stacks/Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text(
        "config:\n"
        "  pipe:environment: dev\n"
        "  pipe:backup: {secure: v1:abc}\n"
        "  pipe:network: {port_base: 16000, bind_address: {secure: v1:abc}}\n"
    )
    assert report._settings(Session("dev", Paths(tmp_path), {})).network.port_base == 16000
    file.write_text("config:\n  pipe:environment: dev\n  pipe:network: {port_base: none}\n")
    with pytest.raises(UserError, match="1 setting is wrong"):
        report._settings(Session("dev", Paths(tmp_path), {}))


@pytest.mark.parametrize(
    ("schedule", "days"),
    [("0 0 * * *", 1), ("0 */6 * * *", 1), ("0 0 * * 0", 7), ("0 0 1 * *", 31), ("0 0 1 1 *", 366)],
)
def test_the_time_between_two_backups(schedule: str, days: int) -> None:
    assert period(schedule) == days * DAY


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (200000, "2 d ago")]
)
def test_ago(seconds: int, text: str) -> None:
    assert ago(timedelta(seconds=seconds)) == text
