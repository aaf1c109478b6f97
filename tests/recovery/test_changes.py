"""Each kind of change under clients that write, one after another on one stack, which goes on through all of them.

In the order of the file: the kinds, what certificates programs show, changes that fail half-way, expired certificates.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509

from bench.changes.catalog import CHANGES, Change
from bench.changes.run import once, running
from bench.scratch import copy
from infra.settings import check
from provider.patroni.dynamic_config import TAKEN_BACK
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader, led_by
from tests.fixtures.stacks import Stack
from tests.recovery.expired import expire

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.xdist_group("changes")]

# What a new leader says of a lead that it was handed.
HANDED_OVER = "Cleaning up failover key after acquiring leader lock"
STARTED = "SELECT pg_postmaster_start_time()"
# Where each program shows its certificate inside the stack's network, and how one asks it for that.
SHOWN = {
    "etcd-0": ["etcd-0:2379", "etcd-0:2380"],
    "etcd-1": ["etcd-1:2379"],
    "etcd-2": ["etcd-2:2379"],
    "member-0": ["member-0:8008", "member-0:5432 -starttls postgres", "agent-0:8432"],
    "member-1": ["member-1:8008", "member-1:5432 -starttls postgres", "agent-1:8432"],
    "repository": ["repository:8432"],
}
BROKEN = "#!/bin/sh\necho 'FATAL: this image cannot start' >&2\nexit 3\n"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as made:
        yield made


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.key)
def test_nothing_is_lost_and_nobody_is_told_more_than_that_a_session_ended(stack: Stack, change: Change) -> None:
    since = time.time()
    outcome = once(stack, change, 1)
    assert (outcome.lost, outcome.doubled, outcome.refusals) == (0, 0, [])
    assert set(outcome.replaced) == change.replaced
    assert outcome.moved is change.moves
    assert outcome.outage < check.check(stack.name).failover.ttl, "no lease had to run out"
    if change.moves:
        assert HANDED_OVER in stack.logs(leader(stack), since)


def test_every_program_shows_its_renewed_certificate(stack: Stack) -> None:
    before = {host: serial(stack, places[0]) for host, places in SHOWN.items()}
    containers = {c.id for c in stack.containers()}
    stack.configure("certificates", validity_days=89)
    stack.up()
    assert {c.id for c in stack.containers()} == containers
    for host, places in SHOWN.items():
        lies = stack.execute(host, "cat", "/etc/pipe/cert.pem")[1]
        renewed = x509.load_pem_x509_certificate(lies.encode()).serial_number
        assert renewed != before[host]
        assert [serial(stack, place) for place in places] == [renewed] * len(places), host
    stack.pulumi("preview", "--expect-no-changes")


def test_the_database_knows_when_certificates_end(stack: Stack) -> None:
    query = "SELECT labels->>'certificate', value FROM upkeep.metrics() WHERE name LIKE 'pipe_certificate_expiry%'"
    with stack.connect("monitor") as session:
        ends = dict(session.execute(query).fetchall())
    assert ends.keys() == {"first", "authority"}
    assert ends["first"] == pytest.approx(time.time() + timedelta(days=89).total_seconds(), abs=timeouts.UP)
    assert ends["authority"] > ends["first"]


def test_an_image_that_does_not_start_stops_at_the_first_replica(stack: Stack, tmp_path: Path) -> None:
    led = leader(stack)
    replica = next(name for name in assert_replicated(stack, replicas=1) if name != led)
    started, untouched = stack.sql(STARTED, led), all_of(stack, led)
    checkout = tmp_path / "checkout"
    copy(checkout)
    (checkout / "stacks" / stack.file.name).write_bytes(stack.file.read_bytes())
    (checkout / "images" / "member").write_text(BROKEN)
    with stack.ledger() as ledger:
        done = replace(stack, root=checkout).run("bin/pulumi", "up", "--yes", "--skip-preview", timeout=timeouts.UP)
        ledger.wait_for_rows(10)
        text = done.stdout + done.stderr
        assert done.returncode != 0
        assert f'member "{replica}" does not start: its program ended' in text
        assert "HINT: its log says: FATAL: this image cannot start" in text
        assert (
            "HINT: no other member was changed after it; mend the configuration or set it back, then run up again"
            in text
        )
        assert (stack.sql(STARTED, led), all_of(stack, led)) == (started, untouched)
        stack.up()
        ledger.wait_for_rows(10)
    assert_replicated(stack, replicas=1)
    assert ledger.refusals() == []
    with stack.connect() as session:
        assert ledger.verdict(session).is_whole


@pytest.mark.parametrize(
    ("parameter", "value", "good", "fact", "line"),
    [
        ("max_locks_per_transaction", 100_000_000, 140, "was not restarted", "could not map anonymous shared memory"),
        ("timezone", "Mars/Olympus", "UTC", "refuses timezone", 'invalid value for parameter "TimeZone"'),
    ],
    ids=["at a restart", "at a reload"],
)
def test_a_parameter_that_postgresql_refuses_is_taken_back(
    stack: Stack, parameter: str, value: str | int, good: str | int, fact: str, line: str
) -> None:
    led = leader(stack)
    started, before = stack.sql(STARTED, led), stack.sql(f"SHOW {parameter}", led)
    stack.configure("database", parameters={parameter: value})
    done = stack.run("bin/pulumi", "up", "--yes", "--skip-preview", timeout=timeouts.UP)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert fact in text
    assert line in text
    assert f"HINT: {TAKEN_BACK}" in text
    assert (stack.sql(STARTED, led), stack.sql(f"SHOW {parameter}", led)) == (started, before)
    assert_replicated(stack, replicas=1)

    stack.configure("database", parameters={parameter: good})
    stack.up()
    members = assert_replicated(stack, replicas=1)
    assert [stack.sql(f"SHOW {parameter}", member) for member in members] == [[str(good)]] * 2


@pytest.mark.parametrize("led", ["member-0", "member-1"])
def test_certificates_that_have_expired_are_mended_by_up(stack: Stack, tmp_path: Path, led: str) -> None:
    """Whoever led, and so alone may lead, gets its certificate first or last."""
    led_by(stack, led, replicas=1)
    expire(stack, datetime.now(UTC) - timedelta(days=1), tmp_path / "state.json")
    with pytest.raises(psycopg.OperationalError):
        stack.connect()
    said = stack.run("make", "status", f"STACK={stack.name}").stdout
    assert "`make up` renews it in place" in said
    containers = {c.id for c in stack.containers()}

    stack.up()

    assert {c.id for c in stack.containers()} == containers
    assert_replicated(stack, replicas=1)
    with stack.ledger() as ledger:
        ledger.wait_for_rows(10)
    eventually(
        lambda: stack.run("make", "status", f"STACK={stack.name}"),
        lambda done: done.returncode == 0,
        # A job whose time passed while nobody led is late until its next one.
        timeouts.SCHEDULED,
        "nothing wrong in the stack's status",
    )


def all_of(stack: Stack, member: str) -> list[str]:
    """Return the containers of a member: PostgreSQL's, the one that put its files there, and its agent's."""
    names = (member, f"{member}-config", member.replace("member", "agent"))
    return [str(stack.container(name).id) for name in names]


def serial(stack: Stack, place: str) -> int:
    """Return the number of the certificate that a program shows, as a member sees it."""
    pair = "-cert /etc/pipe/cert.pem -key /etc/pipe/key.pem"
    status, text = stack.execute("member-0", "sh", "-c", f"openssl s_client -connect {place} {pair} </dev/null 2>&1")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    assert begin in text, f"{place}: {text} ({status})"
    return x509.load_pem_x509_certificate((begin + text.split(begin)[1].split(end)[0] + end).encode()).serial_number
