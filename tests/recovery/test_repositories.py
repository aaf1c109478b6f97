"""Three repositories at once: the volume, a bucket of a real S3 server, a folder of a real SFTP server."""

from __future__ import annotations

import json
import secrets

import pytest

from infra.paths import DATA_DIR, POSTGRES_HOME
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import leader
from tests.fixtures.helper_images import of_project
from tests.fixtures.places import BUCKET, FOLDER
from tests.fixtures.repositories import S3, SFTP, VOLUME, Repositories

# Whoever comes first waits for the stack, and for the S3 server to be built.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("repositories"),
    pytest.mark.timeout(timeouts.BUILD + 3 * timeouts.UP),
]

# What a compressed file begins with.
ZSTANDARD = ["28", "b5", "2f", "fd"]
# How a restored server starts by itself, beside the cluster that it is a copy of.
ALONE = (
    "archive_mode=off",
    "listen_addresses=",
    "unix_socket_directories=/tmp",
    "ssl=off",
    "shared_preload_libraries=",
    "shared_buffers=32MB",
)
REMOTE = pytest.mark.parametrize("number", [S3, SFTP], ids=["s3", "sftp"])


def files(repositories: Repositories, number: int, part: str) -> list[str]:
    """Return what the server itself has in ``archive`` or ``backup``."""
    below = f"{FOLDER}/{part}/{repositories.stack.name}"
    if number == S3:
        return repositories.s3.files(f"/data/{BUCKET}{below}")
    return repositories.sftp.files(f"/srv/all{below}")


def test_each_has_a_full_backup(repositories: Repositories) -> None:
    info = repositories.info()
    assert [(one["key"], one["status"]["code"], one["cipher"]) for one in info["repo"]] == [
        (number, 0, "aes-256-cbc") for number in (VOLUME, S3, SFTP)
    ]
    assert {one["database"]["repo-key"] for one in info["backup"] if one["type"] == "full"} == {VOLUME, S3, SFTP}


def test_wal_reaches_each(repositories: Repositories) -> None:
    stack = repositories.stack
    primary = leader(stack)
    stack.sql("SELECT pg_logical_emit_message(true, 'test', 'something to archive')", primary)
    segment = stack.sql("SELECT pg_walfile_name(pg_switch_wal())", primary)[0]
    for number in (S3, SFTP):
        eventually(
            lambda number=number: files(repositories, number, "archive"),  # type: ignore[misc]
            lambda found: any(segment in name for name in found),
            timeouts.ARCHIVED,
            f"{segment} in repository {number}",
        )


@REMOTE
def test_what_lies_there_is_encrypted(repositories: Repositories, number: int) -> None:
    place = {S3: repositories.s3, SFTP: repositories.sftp}[number]
    # What piled up for it in an earlier test has arrived.
    repositories.stack.pgbackrest("check")
    found = [name for part in ("archive", "backup") for name in files(repositories, number, part)]
    # S3 has no folders: the server keeps an empty object for some.
    full = [name for name in found if place.must("stat", "-c", "%s", name).strip() != "0"]
    assert len(full) > 5
    for name in full:
        begin = place.must("od", "-An", "-tx1", "-N8", name).split()
        if "/bundle/" in name:
            # Many files, each encrypted by itself.
            assert begin[:4] != ZSTANDARD, name
        else:
            assert bytes.fromhex("".join(begin)) == b"Salted__", name


@pytest.mark.long
@REMOTE
def test_incremental_backups_go_there_and_everything_verifies(repositories: Repositories, number: int) -> None:
    stack = repositories.stack
    done = stack.run("bin/pgbackrest", f"--repo={number}", "--type=incr", "backup", timeout=timeouts.UP)
    assert done.returncode == 0, done.stdout + done.stderr
    done = stack.run("bin/pgbackrest", f"--repo={number}", "--output=text", "--verbose", "verify", timeout=timeouts.UP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "status: ok" in done.stdout


@pytest.mark.long
@REMOTE
def test_the_database_can_be_restored_from_there(repositories: Repositories, number: int) -> None:
    stack = repositories.stack
    name = f"restored-{secrets.token_hex(4)}"
    with stack.connect() as app:
        app.execute("INSERT INTO pipe.organizations (name) VALUES (%s)", (name,))
    stack.pgbackrest("check")
    script = f"""
        pgbackrest --stanza={stack.name} --repo={number} --reset-pg1-host restore
        pg_ctl -D {DATA_DIR} -w -o '{" ".join(f"-c {setting}" for setting in ALONE)}' start > /tmp/log || tail /tmp/log
        ask() {{ psql -h /tmp -U postgres -d pipe -XAtqc "$1"; }}
        # It answers before it has replayed everything.
        while [ "$(ask 'SELECT pg_is_in_recovery()')" != f ]; do sleep {timeouts.POLL}; done
        ask "SELECT count(*) FROM pipe.organizations WHERE name = '{name}'"
    """
    container = stack.engine.containers.run(
        of_project("member"),
        ["-euc", script],
        entrypoint="/bin/bash",
        network=f"pipe-{stack.name}",
        volumes={f"pipe-{stack.name}-scheduler-config": {"bind": "/etc/pipe", "mode": "ro"}},
        tmpfs={POSTGRES_HOME: "uid=999,gid=999,mode=0700,size=1g"},
        group_add=["0"],
        detach=True,
    )
    try:
        status = container.wait(timeout=timeouts.UP)["StatusCode"]
        text = container.logs().decode()
        assert status == 0, text
        assert text.splitlines()[-1] == "1", text
    finally:
        container.remove(force=True, v=True)


def test_a_drill_restores_from_each_and_leaves_each_as_it_was(repositories: Repositories) -> None:
    stack, everywhere = repositories.stack, [one["key"] for one in repositories.info()["repo"]]

    def labels() -> list[tuple[int, str]]:
        return [(one["database"]["repo-key"], one["label"]) for one in repositories.info()["backup"]]

    before = labels()
    said = stack.make("restore-drill", timeout=len(everywhere) * timeouts.DRILL)
    assert said.splitlines()[-1] == "the drill passed"
    assert labels() == before
    newest = {one["database"]["repo-key"]: one for one in repositories.info()["backup"]}
    for number in everywhere:
        assert newest[number]["annotation"]["drill"].startswith("passed "), number
        done = stack.run(
            "bin/pgbackrest", f"--repo={number}", "--output=text", "--verbose", "verify", timeout=timeouts.UP
        )
        assert "status: ok" in done.stdout, done.stdout + done.stderr
    recorded = stack.sql("SELECT backup FROM upkeep.drills ORDER BY number DESC LIMIT 1", leader(stack))
    assert recorded == [", ".join(f"{newest[number]['label']} in repository {number}" for number in everywhere)]


@REMOTE
def test_what_serves_the_members_cannot_delete_a_backup(repositories: Repositories, number: int) -> None:
    stack = repositories.stack
    before = files(repositories, number, "backup")
    remove = ["pgbackrest", f"--stanza={stack.name}", f"--repo={number}", "repo-rm", "--recurse"]
    status, text = stack.execute("repository", *remove, f"backup/{stack.name}")
    assert status != 0, text
    assert files(repositories, number, "backup") == before


def test_members_know_no_key(repositories: Repositories) -> None:
    for component in ("member-0", "agent-0"):
        status, found = repositories.stack.execute(component, "sh", "-c", "cat /etc/pipe/*")
        assert status == 0
        assert "repo3-host=repository" in found
        assert not any(secret.strip() in found for secret in repositories.secrets)


def test_secrets_are_encrypted_in_state_and_file_and_in_no_description_of_a_container(
    repositories: Repositories,
) -> None:
    stack = repositories.stack
    texts = {
        "the stack's file": stack.file.read_text(),
        "the state": stack.pulumi("stack", "export"),
        "docker inspect": json.dumps([container.attrs for container in stack.containers(running=False)]),
        "the processes": json.dumps([container.top(ps_args="-eo pid,args") for container in stack.containers()]),
        "the logs": "".join(stack.logs(component) for component in ("repository", "scheduler", "member-0")),
    }
    passphrase = stack.pulumi("stack", "output", "backup_passphrase", "--show-secrets").strip()
    assert len(passphrase) == 64
    for where, text in texts.items():
        for secret in (*repositories.secrets, passphrase):
            # The middle line of a private key: in JSON its lines end otherwise.
            part = secret.splitlines()[len(secret.splitlines()) // 2]
            assert part not in text, where


@pytest.mark.long
def test_the_passphrase_that_is_kept_safe_is_the_one(repositories: Repositories) -> None:
    stack = repositories.stack
    passphrase = stack.pulumi("stack", "output", "backup_passphrase", "--show-secrets").strip()
    assert stack.execute("scheduler", "grep", "-c", f"cipher-pass={passphrase}$", "/etc/pipe/pgbackrest.conf") == (
        0,
        "3\n",
    )
    assert "[secret]" in stack.pulumi("stack", "output")


@pytest.mark.long
def test_another_up_changes_nothing(repositories: Repositories) -> None:
    repositories.stack.pulumi("preview", "--expect-no-changes", timeout=timeouts.UP)
    repositories.stack.make("drift", timeout=timeouts.UP)
