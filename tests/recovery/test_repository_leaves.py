"""A repository that stays away leaves the list: backups and archive go on, and the ones behind it move up by a number.

The steps are those of docs/disaster-runbook.md.
"""

from __future__ import annotations

import pytest
import yaml

from cli.status.archive import missing
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures import repositories as three
from tests.fixtures import runbook
from tests.fixtures.places import Place
from tests.fixtures.repositories import VOLUME, Repositories, set_secret
from tests.recovery.test_archiving_fails import alerts, archived, back_up, empty, switch, wait_for_the_alert

# Whoever comes first waits for the stack, and for the S3 server to be built.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.xdist_group("repositories"),
    pytest.mark.timeout(timeouts.BUILD + 4 * timeouts.UP),
]

LIST = ["volume", "s3", "sftp"]
# The numbers that are left.
LEFT = (VOLUME, 2)


def backups(repositories: Repositories, number: int) -> set[str]:
    """Return the backups that a repository has."""
    return {one["label"] for one in repositories.info()["backup"] if one["database"]["repo-key"] == number}


def test_the_others_go_on_without_it(repositories: Repositories) -> None:
    stack = repositories.stack
    since, held = switch(repositories), backups(repositories, three.SFTP)
    repositories.s3.container.stop()
    with stack.ledger() as ledger:
        runbook.run("go on without it", stack)
        ledger.wait_for_rows(5)
    with stack.connect() as app:
        assert ledger.verdict(app).is_whole
    assert [(one["key"], one["status"]["code"]) for one in repositories.info()["repo"]] == [(n, 0) for n in LEFT]
    assert held <= backups(repositories, 2), "what was the third is now the second, and is read"
    assert "repo3" not in stack.execute("member-0", "cat", "/etc/pipe/pgbackrest.conf")[1]
    stack.pgbackrest("check")
    newest = switch(repositories)
    for number in (VOLUME, three.SFTP):
        found = eventually(
            lambda number=number: archived(repositories, number),  # type: ignore[misc]
            lambda names: newest in names,
            timeouts.ARCHIVED,
            f"{newest} in {LIST[number - 1]}",
        )
        assert missing(since, newest, list(found)) == 0, f"a gap in {LIST[number - 1]}: {found}"
    eventually(lambda: alerts(repositories), lambda found: not found, timeouts.ARCHIVED, "no alert is left")
    back_up(repositories, 2)
    verified = stack.run("bin/pgbackrest", "--repo=2", "--output=text", "--verbose", "verify", timeout=timeouts.UP)
    assert "status: ok" in verified.stdout, verified.stdout + verified.stderr
    stack.pulumi("preview", "--expect-no-changes", timeout=timeouts.UP)


def test_time_files_go_by_kind(repositories: Repositories) -> None:
    status, text = repositories.stack.execute("scheduler", "ls", "/var/lib/pgbackrest/schedule")
    found = {name for name in text.split() if name.partition("-")[0] in ("drill", "full")}
    assert (status, found) == (0, {"drill", *(f"full-{kind}" for kind in LIST)})


@pytest.mark.parametrize("command", ["restore-in-place", "restore"])
def test_what_it_still_holds_is_refused(repositories: Repositories, command: str) -> None:
    stack = repositories.stack
    started = {container.name: container.attrs["State"]["StartedAt"] for container in stack.containers()}
    whose = [f"STACK={stack.name}"] if command == "restore-in-place" else ["STACK=t-never", f"FROM={stack.name}"]
    done = stack.run("make", command, *whose, "REPOSITORY=s3", "AT=2026-05-01 12:00:00+00")
    assert done.returncode != 0
    assert f'error: stack "{stack.name}" keeps no backups in s3: its repositories are volume, sftp\n' in done.stderr
    assert {container.name: container.attrs["State"]["StartedAt"] for container in stack.containers()} == started


def tell(repositories: Repositories, section: str, place: Place) -> None:
    """Write into the stack's file how a server is reached."""
    repositories.stack.configure(section, **place.settings)
    for name, value in place.secrets.items():
        set_secret(repositories.stack, f"{section}.{name}", value)


def test_the_only_one_makes_room_for_the_volume(repositories: Repositories) -> None:
    """As on a stack that never had another one: the volume is empty."""
    stack, s3 = repositories.stack, repositories.s3
    s3.container.start()
    document = yaml.safe_load(stack.file.read_text())
    del document["config"]["pipe:sftp"]
    stack.file.write_text(yaml.safe_dump(document, sort_keys=False))
    stack.configure("backup", repositories=["s3"])
    tell(repositories, "s3", s3)
    stack.up()
    empty(repositories)
    since = switch(repositories)
    eventually(
        lambda: archived(repositories, three.S3), lambda names: since in names, timeouts.ARCHIVED, f"{since} in s3"
    )
    s3.container.stop()
    with stack.ledger() as ledger:
        wait_for_the_alert(repositories)
        waiting = switch(repositories)
        runbook.run("the volume instead", stack)
        ledger.wait_for_rows(5)
    assert ledger.refusals() == []
    with stack.connect() as app:
        assert ledger.verdict(app).is_whole
    assert [(one["key"], one["status"]["code"]) for one in repositories.info()["repo"]] == [(VOLUME, 0)]
    assert backups(repositories, VOLUME), "a first full backup is there"
    first, newest = repositories.info()["backup"][0]["archive"]["start"], switch(repositories)
    eventually(
        lambda: archived(repositories, VOLUME),
        lambda names: waiting in names and missing(first, newest, list(names)) == 0,
        timeouts.ARCHIVED,
        "what waited, and all WAL of the backup",
    )
    eventually(lambda: alerts(repositories), lambda found: not found, timeouts.ARCHIVED, "no alert is left")


def test_they_come_back(repositories: Repositories) -> None:
    stack, s3 = repositories.stack, repositories.s3
    s3.container.start()
    stack.configure("backup", repositories=LIST)
    tell(repositories, "s3", s3)
    tell(repositories, "sftp", repositories.sftp)
    stack.up()
    for number in (three.S3, three.SFTP):
        back_up(repositories, number)
    assert [(one["key"], one["status"]["code"]) for one in repositories.info()["repo"]] == [(1, 0), (2, 0), (3, 0)]
    stack.pgbackrest("check")
    status = stack.run("make", "status")
    for name in ("s3", "sftp"):
        assert f"ok   WAL kept {name} " in status.stdout, status.stdout
