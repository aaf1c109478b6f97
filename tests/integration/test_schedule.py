"""`images/schedule` with a pgBackRest and a drill that only say that they were called."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from infra.images import image_name, read_context
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.commands import executed

pytestmark = pytest.mark.integration

TIMES = "/var/lib/pgbackrest/schedule"
PGBACKREST = "#!/bin/sh\necho called: $*\nexit $(cat /tmp/status)\n"
PREPARE = """
mkdir -p /tmp/bin
for program in pgbackrest python3; do
  printf '%s' "$PGBACKREST" > /tmp/bin/$program; chmod +x /tmp/bin/$program
done
echo {status} > /tmp/status; touch -d '{last}' /var/lib/pgbackrest/schedule/{stamp}
PATH=/tmp/bin:$PATH exec schedule s 'volume s3' {kind} {fields}
"""


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


def schedule(
    engine: docker.DockerClient,
    *,
    last: str,
    due: datetime.datetime,
    status: int = 0,
    kind: str = "full",
    of: str = "volume",
) -> Container:
    """Start a daily schedule of two repositories in a container of its own; `of` is the one that has a time file."""
    fields = f"{due.minute} {due.hour} '*' '*' '*'"
    stamp = kind if kind == "drill" else f"{kind}-{of}"
    return engine.containers.run(
        image_name("scheduler", read_context()),
        ["-c", PREPARE.format(status=status, last=last, stamp=stamp, fields=fields, kind=kind)],
        entrypoint="/bin/sh",
        name=f"schedule-{secrets.token_hex(4)}",
        environment={"PGBACKREST": PGBACKREST, "TZ": "UTC"},
        detach=True,
    )


def log(container: Container) -> str:
    found = container.logs()
    assert isinstance(found, bytes)
    return found.decode()


def test_a_run_that_was_missed_is_made_up_for(engine: docker.DockerClient) -> None:
    due = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=3)
    container = schedule(engine, last="27 hours ago", due=due)
    try:
        eventually(
            lambda: log(container),
            lambda text: "called: --stanza=s --repo=1 --type=full backup" in text,
            timeouts.COMMAND,
            "the backup that was due three hours ago",
        )
    finally:
        container.remove(force=True)


def test_a_run_that_was_missed_is_that_of_its_repository(engine: docker.DockerClient) -> None:
    """The time file goes by the kind of the repository, whatever its number is now."""
    due = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=3)
    container = schedule(engine, last="27 hours ago", due=due, of="s3")
    try:
        eventually(
            lambda: log(container),
            lambda text: "called: --stanza=s --repo=2 --type=full backup" in text,
            timeouts.COMMAND,
            "the backup that was due three hours ago",
        )
        assert "--repo=1" not in log(container)
    finally:
        container.remove(force=True)


def test_a_failure_is_said_and_tried_again(engine: docker.DockerClient) -> None:
    due = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=3)
    container = schedule(engine, last="27 hours ago", due=due, status=1)
    try:
        eventually(
            lambda: log(container),
            lambda text: "the full backup to repository 1 failed; the next try is in five minutes" in text,
            timeouts.COMMAND,
            "the failure said",
        )
        found = executed(container, "find", f"{TIMES}/full-volume", "-mmin", "-60")
        assert found == (0, ""), "the time file still has the last success"
    finally:
        container.remove(force=True)


def test_a_drill_that_does_not_pass_waits_for_its_next_time(engine: docker.DockerClient) -> None:
    due = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=3)
    container = schedule(engine, last="27 hours ago", due=due, status=1, kind="drill")
    try:
        eventually(
            lambda: log(container),
            # Two channels: which line comes first in the log is the engine's affair.
            lambda text: sorted(text.splitlines()) == ["called: -m drill s", "the drill did not pass"],
            timeouts.COMMAND,
            "the drill that was due three hours ago",
        )
        eventually(
            lambda: executed(container, "find", f"{TIMES}/drill", "-mmin", "-60"),
            lambda found: found == (0, f"{TIMES}/drill\n"),
            timeouts.COMMAND,
            "its time file, as it ran",
        )
    finally:
        container.remove(force=True)


def test_what_is_not_due_waits(engine: docker.DockerClient) -> None:
    due = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=3)
    container = schedule(engine, last="2 hours ago", due=due)
    try:
        eventually(
            lambda: str(container.top(ps_args="-eo pid,args")["Processes"]),
            lambda processes: "snooze -s 20h" in processes,
            timeouts.COMMAND,
            "the schedule waiting",
        )
        assert "called" not in log(container)
        _, names = executed(container, "ls", TIMES)
        assert {"drilled-1", "drilled-2"} <= set(names.split()), "a drill is due from now on, whoever makes it"
    finally:
        container.remove(force=True)
