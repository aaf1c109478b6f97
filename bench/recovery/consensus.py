"""Faults of etcd and of what Patroni keeps in it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from http.client import HTTPException

from bench.recovery import faults
from bench.recovery.shapes import Subject
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures import runbook

CREDENTIALS = ("--cacert=/etc/pipe/ca.pem", "--cert=/etc/pipe/cert.pem", "--key=/etc/pipe/key.pem")


def hosts(subject: Subject) -> list[str]:
    """Return etcd's members."""
    return [f"etcd-{index}" for index in range(subject.settings.consensus.members)]


def leader(subject: Subject) -> str:
    """Return the member of etcd that leads."""
    endpoints = "--endpoints=" + ",".join(f"https://{host}:2379" for host in hosts(subject))
    status, text = subject.stack.execute(
        "etcd-0", "etcdctl", endpoints, *CREDENTIALS, "endpoint", "status", "--write-out=json"
    )
    assert status == 0, text
    for found in json.loads(text):
        if found["Status"]["header"]["member_id"] == found["Status"]["leader"]:
            return str(found["Endpoint"]).removeprefix("https://").partition(":")[0]
    raise AssertionError(f"no member of etcd leads: {text}")


@contextlib.contextmanager
def leader_killed(subject: Subject, primary: str) -> Iterator[None]:
    """Kill the member of etcd that leads; the others elect another."""
    del primary
    host = leader(subject)
    with faults.killed(subject.stack, host):
        yield
        runbook.run("start etcd", subject.stack, etcd=host)


@contextlib.contextmanager
def all_down(subject: Subject, leader: str) -> Iterator[None]:
    """Kill every member of etcd; the fault is felt when the primary has done without for longer than its lease."""
    with faults.killed(subject.stack, *hosts(subject)):
        _outlived(subject, leader)
        yield
    # Over when the lease is one of etcd's again, not one that the members agree on.
    _reachable(subject, leader)


@contextlib.contextmanager
def lost(subject: Subject, leader: str) -> Iterator[None]:
    """Kill every member of etcd and delete what it stored; the documented command makes a new store."""
    for host in hosts(subject):
        subject.stack.container(host).kill()
        faults.emptied(subject.stack, host)
    _outlived(subject, leader)
    runbook.run("rebuild consensus", subject.stack)
    _reachable(subject, leader)
    yield


@contextlib.contextmanager
def restarted(subject: Subject, leader: str) -> Iterator[None]:
    """Restart every member of etcd."""
    for host in hosts(subject):
        subject.stack.container(host).restart()
    _reachable(subject, leader)
    yield


@contextlib.contextmanager
def asynchronous(subject: Subject) -> Iterator[None]:
    """Commits wait for no replica: first until Patroni has seen to it, then for as long as the block runs."""
    _synchronous(subject, "false")
    waits = "SELECT current_setting('synchronous_standby_names')"
    leader = subject.leader()
    eventually(lambda: subject.stack.sql(waits, leader), lambda seen: seen == [""], timeouts.HEALTH, "no commit waits")
    try:
        yield
    finally:
        _synchronous(subject, "true")


def _synchronous(subject: Subject, value: str) -> None:
    option = f"synchronous_mode={value}"
    done = subject.stack.run("bin/patronictl", "edit-config", "--force", "--set", option)
    assert done.returncode == 0, done.stdout + done.stderr


def _outlived(subject: Subject, leader: str) -> None:
    """Wait until a primary has been without etcd for longer than its lease lasts, and leads all the same."""
    ttl = subject.settings.failover.ttl
    eventually(
        lambda: time.time() - _last_seen(subject, leader, time.time()),
        lambda age: age > ttl,
        timeouts.FAILOVER,
        f"{leader} without etcd for longer than its lease",
    )


def _reachable(subject: Subject, leader: str) -> None:
    """Wait until a member has heard from etcd again."""
    since = time.time()
    eventually(
        lambda: _last_seen(subject, leader, 0),
        lambda seen: seen >= since,
        timeouts.FAILOVER,
        f"{leader} with etcd again",
    )


def _last_seen(subject: Subject, member: str, otherwise: float) -> float:
    """Return when a member heard from etcd last; `otherwise` where it does not answer now."""
    try:
        return float(subject.status(member)["dcs_last_seen"])
    except (OSError, ValueError, HTTPException):
        return otherwise
