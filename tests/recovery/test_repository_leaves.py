"""A repository that stays away leaves the list: backups and archive go on, and the ones behind it move up by a number.

The steps are those of docs/disaster-runbook.md.
"""

from __future__ import annotations

import pytest

from cli.status.archive import missing
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures import repositories as three
from tests.fixtures.places import documented
from tests.fixtures.repositories import VOLUME, Repositories, set_secret
from tests.recovery.test_archiving_fails import alerts, archived, switch

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


def back_up(repositories: Repositories, number: int) -> None:
    done = repositories.stack.run("bin/pgbackrest", f"--repo={number}", "--type=full", "backup", timeout=timeouts.UP)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_others_go_on_without_it(repositories: Repositories) -> None:
    stack = repositories.stack
    since, held = switch(repositories), backups(repositories, three.SFTP)
    repositories.s3.container.stop()
    with stack.ledger() as ledger:
        leave = documented("sh", "repositories[1]", "disaster-runbook")
        done = stack.run("bash", "-euc", leave, timeout=timeouts.UP)
        assert done.returncode == 0, done.stdout + done.stderr
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


def test_it_comes_back(repositories: Repositories) -> None:
    stack, s3 = repositories.stack, repositories.s3
    s3.container.start()
    stack.configure("backup", repositories=LIST)
    stack.configure("s3", **s3.settings)
    for name, value in s3.secrets.items():
        set_secret(stack, f"s3.{name}", value)
    stack.up()
    back_up(repositories, three.S3)
    assert [(one["key"], one["status"]["code"]) for one in repositories.info()["repo"]] == [(1, 0), (2, 0), (3, 0)]
    stack.pgbackrest("check")
    status = stack.run("make", "status")
    assert "ok   WAL kept s3 " in status.stdout, status.stdout
