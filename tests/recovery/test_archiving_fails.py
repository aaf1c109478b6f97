"""A repository is away, full, or refuses the key: writes go on, it is told in time, and afterwards nothing is missing.

The steps to mend it are those of docs/disaster-runbook.md, run as they stand there.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cli.status.archive import missing
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import leader
from tests.fixtures import runbook
from tests.fixtures.places import BUCKET, FOLDER
from tests.fixtures.repositories import S3, SFTP, VOLUME, WAL_BOUND_MB, Repositories

# Whoever comes first waits for the stack, and for the S3 server to be built.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("repositories"),
    pytest.mark.timeout(timeouts.BUILD + 3 * timeouts.UP),
]


def alerts(repositories: Repositories) -> dict[str, tuple[str, str]]:
    """Return severity and message of every alert about archiving, as who watches the database reads them."""
    with repositories.stack.connect("monitor") as monitor:
        found = monitor.execute(
            "SELECT name, severity, message FROM upkeep.alerts() WHERE name IN ('archiving fails', 'WAL waiting')"
        )
        return {name: (severity, message) for name, severity, message in found}


def metric(repositories: Repositories, name: str) -> float:
    with repositories.stack.connect("monitor") as monitor:
        row = monitor.execute("SELECT value FROM upkeep.metrics() WHERE name = %s", (name,)).fetchone()
        assert row is not None
        return float(row[0])


def switch(repositories: Repositories) -> str:
    """Fill a segment and return its name."""
    stack = repositories.stack
    primary = leader(stack)
    stack.sql("SELECT pg_logical_emit_message(true, 'test', 'x')", primary)
    return stack.sql("SELECT pg_walfile_name(pg_switch_wal())", primary)[0]


def archived(repositories: Repositories, number: int) -> dict[str, str]:
    """Return the segments that a repository holds, in order, each with the checksum that its file's name has of it."""
    stack = repositories.stack
    below = f"{FOLDER}/archive/{stack.name}"
    if number == VOLUME:
        text = stack.execute("scheduler", "find", f"/var/lib{below}", "-type", "f")[1].splitlines()
    else:
        text = {
            S3: lambda: repositories.s3.files(f"/data/{BUCKET}{below}"),
            SFTP: lambda: repositories.sftp.files(f"/srv/all{below}"),
        }[number]()
    names = sorted(name.rpartition("/")[2] for name in text)
    return {name[:24]: name[25:65] for name in names if len(name.partition("-")[0]) == 24}


@contextmanager
def writes_go_on(repositories: Repositories, away: int) -> Iterator[None]:
    """Nobody who writes notices what happens to a repository in this block, and in the end none lacks a segment."""
    since = switch(repositories)
    with repositories.stack.ledger() as ledger:
        yield
        ledger.wait_for_rows(5)
    assert ledger.failures == []
    with repositories.stack.connect() as app:
        assert ledger.verdict(app).is_whole
    newest = switch(repositories)
    found: dict[int, dict[str, str]] = {}
    for number in (VOLUME, S3, SFTP):
        found[number] = eventually(
            lambda number=number: archived(repositories, number),  # type: ignore[misc]
            # Two files travel at a time, and the newer one may be there first.
            lambda names: missing(since, newest, list(names)) == 0,
            timeouts.ARCHIVED,
            f"all WAL from {since} to {newest} in repository {number}",
        )
    late = {name: checksum for name, checksum in found[VOLUME].items() if since <= name <= newest}
    assert late.items() <= found[away].items(), "the same content as where nothing was wrong"
    found_in_it = repositories.stack.pgbackrest(f"--repo={away}", "--output=text", "verify", timeout=timeouts.UP)
    assert "status: error" not in found_in_it
    eventually(lambda: alerts(repositories), lambda found: not found, timeouts.ARCHIVED, "no alert is left")
    runbook.run("prove it", repositories.stack)


def told_why(repositories: Repositories) -> str:
    """Return what the primary's log says last."""
    stack = repositories.stack
    done = runbook.attempt("why", stack, leader=leader(stack))
    return done.stdout + done.stderr


def wait_for_the_alert(repositories: Repositories) -> None:
    """Archiving fails, and whoever watches the database is told."""
    switch(repositories)
    severity, message = eventually(
        lambda: alerts(repositories).get("archiving fails", ("", "")),
        lambda found: bool(found[0]),
        timeouts.ARCHIVED,
        "the alert that archiving fails",
    )
    assert severity == "error"
    assert message.startswith("WAL is not archived since 20")
    assert metric(repositories, "pipe_archiving_ok") == 0


@contextmanager
def stopped(repositories: Repositories) -> Iterator[None]:
    """The S3 server is away in this block."""
    repositories.s3.container.stop()
    try:
        yield
    finally:
        repositories.s3.container.start()


@contextmanager
def full(repositories: Repositories, room_mb: int = 0) -> Iterator[None]:
    """Something else fills the SFTP server in this block: it has only so much room for WAL, none by default."""
    folder = f"/srv/all{FOLDER}/archive"
    free = f"$(df --output=avail --block-size=1M {folder} | tail -n 1)"
    fill = (
        f"head -c $(({free} - {room_mb}))M /dev/zero > {folder}/filler"
        if room_mb
        else f"cat /dev/zero > {folder}/filler"
    )
    repositories.sftp.must("sh", "-c", f"{fill} || true")
    try:
        yield
    finally:
        repositories.sftp.must("rm", f"{folder}/filler")


@pytest.mark.long
def test_a_repository_that_is_away_is_told_before_the_bound_is_reached(repositories: Repositories) -> None:
    with writes_go_on(repositories, S3), stopped(repositories):
        wait_for_the_alert(repositories)
        told: list[str] = []
        while told[-1:] != ["error"]:
            newest = switch(repositories)
            severity, message = alerts(repositories).get("WAL waiting", ("", ""))
            if severity and severity not in told:
                told.append(severity)
                assert re.fullmatch(
                    rf"\d+ MB of WAL wait to be archived; backup.wal_bound_mb allows {WAL_BOUND_MB} MB", message
                )
        assert told == ["warning", "error"]
        assert metric(repositories, "pipe_wal_waiting_bytes") > 0.8 * metric(repositories, "pipe_wal_bound_bytes")
        eventually(
            lambda: archived(repositories, VOLUME),
            lambda names: newest in names,
            timeouts.DRAINED,
            "what one repository does not take reaches the others",
        )
        status = runbook.attempt("how much waits", repositories.stack)
        for line in (
            r"BAD  archiving fails +WAL is not archived since .*: stuck at [0-9A-F]{24}, \d+ MB wait",
            r"BAD  WAL waiting",
            r"What to do: docs/disaster-runbook.md.",
            r"BAD  repository s3 +\[HostConnectError\]",
            r"ok   last backup volume",
            r"ok   WAL kept volume +all of it since ",
            r"archiving fails +\| error",
            r"pipe_wal_waiting_bytes +\|",
            r"pipe_archiving_ok +\|",
        ):
            assert re.search(line, status.stdout), status.stdout
    # Once it is back, this asks it by its number: the second of the list.
    assert f"stanza: {repositories.stack.name}" in runbook.run("each repository", repositories.stack)


def test_a_repository_without_room_takes_what_waits_once_it_has_some(repositories: Repositories) -> None:
    with writes_go_on(repositories, SFTP), full(repositories):
        wait_for_the_alert(repositories)
        assert "BAD  archiving fails" in repositories.stack.run("make", "status").stdout
        assert re.search(r"sftp error \[4\] failure", told_why(repositories))
        runbook.run("expire", repositories.stack, repository=f"--repo={SFTP}")


def fulls(repositories: Repositories, number: int) -> list[str]:
    """Return the full backups that a repository has, oldest first."""
    found = (one for one in repositories.info()["backup"] if one["database"]["repo-key"] == number)
    return [str(one["label"]) for one in found if one["type"] == "full"]


def back_up(repositories: Repositories, number: int) -> str:
    """Take a full backup into a repository; return which it is."""
    done = repositories.stack.run("bin/pgbackrest", f"--repo={number}", "--type=full", "backup", timeout=timeouts.UP)
    assert done.returncode == 0, done.stdout + done.stderr
    return fulls(repositories, number)[-1]


def test_a_key_that_is_refused_is_replaced(repositories: Repositories) -> None:
    stack, s3 = repositories.stack, repositories.s3
    new = secrets.token_hex(20)
    with writes_go_on(repositories, S3):
        s3.change_key("archive", new)
        try:
            wait_for_the_alert(repositories)
            why = told_why(repositories)
        finally:
            runbook.run("replace the key", stack, stdin=new)
        assert re.search("403|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied", why)


@pytest.mark.long
def test_a_wrong_passphrase_says_so(repositories: Repositories) -> None:
    ask = ("pgbackrest", f"--stanza={repositories.stack.name}", "--repo=1", "info")
    _, told = repositories.stack.execute("scheduler", "env", "PGBACKREST_REPO1_CIPHER_PASS=another", *ask)
    assert "unable to load info file" in told
    # Rarely does what it decrypts to look like a last block.
    assert "FormatError: key/value found outside of section" in told or "CryptoError" in told


def empty(repositories: Repositories) -> None:
    """Lose what the volume holds."""
    stanza = repositories.stack.name
    script = f"rm -rf /var/lib{FOLDER}/archive/{stanza} /var/lib{FOLDER}/backup/{stanza}"
    status, text = repositories.stack.execute("scheduler", "sh", "-c", script)
    assert status == 0, text


@pytest.mark.long
def test_a_repository_that_lost_everything_begins_anew(repositories: Repositories) -> None:
    stack = repositories.stack
    with stack.ledger() as ledger:
        empty(repositories)
        wait_for_the_alert(repositories)
        assert re.search(r"unable to load info file .*archive\.info", told_why(repositories))
        runbook.run("begin anew", stack)
        ledger.wait_for_rows(5)
    assert ledger.failures == []
    eventually(lambda: alerts(repositories), lambda found: not found, timeouts.ARCHIVED, "no alert is left")
    assert VOLUME in {one["database"]["repo-key"] for one in repositories.info()["backup"]}
