"""A bucket and an SFTP server are restored from like the volumes: read, and left as they are."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cli import source
from cli.session import Session
from infra import repositories as rendered
from provider.restore import look
from provider.restore.moments import Target
from tests import timeouts
from tests.asserts.replication import assert_replicated, leader
from tests.asserts.traces import traces
from tests.fixtures.places import BUCKET, FOLDER
from tests.fixtures.repositories import Repositories
from tests.fixtures.stacks import Stack, throw_away_stack
from tests.recovery.restore import page
from tests.recovery.restore.instances import PROCESSES, restored

# Whoever comes first waits for the stack, and for the S3 server to be built.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.xdist_group("repositories"),
    pytest.mark.timeout(timeouts.BUILD + 3 * timeouts.UP + timeouts.RESTORE),
]

POINT = "before the mistake of elsewhere"
NAMES = "SELECT name FROM pipe.organizations WHERE name LIKE 'elsewhere %'"


def write(repositories: Repositories) -> str:
    """Write a row that every repository has at once; return its name."""
    name = f"elsewhere {secrets.token_hex(4)}"
    with repositories.stack.connect() as app:
        app.execute("INSERT INTO pipe.organizations (name) VALUES (%s)", (name,))
    repositories.stack.pgbackrest("check")
    return name


def network(repositories: Repositories) -> str:
    """Return the network in which the servers have their names."""
    return f"NETWORK=pipe-{repositories.stack.name}"


def bucket(repositories: Repositories) -> dict[str, str]:
    """Return size and time of each file in the bucket, by its name."""
    listed = repositories.s3.must("find", f"/data/{BUCKET}{FOLDER}", "-type", "f", "-printf", "%P\t%s %T@\n")
    return dict(line.split("\t") for line in listed.splitlines())


@dataclass(frozen=True)
class Elsewhere:
    """A stack made where nothing is known of its source but what was printed."""

    stack: Stack
    row: str
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def elsewhere(repositories: Repositories, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    folder = tmp_path_factory.mktemp("another-machine")
    kept, prod = folder / "kept.key", repositories.stack.name
    page.run("print the passphrase", repositories.stack, key=str(kept), prod=prod)
    row, before = write(repositories), bucket(repositories)
    with throw_away_stack("elsewhere") as stack:
        stack.settings = {"PULUMI_BACKEND_URL": f"file://{folder}"}
        # Like its source, whose file has keys that no other stack can read.
        words = f"{kept} {network(repositories)} LIKE={prod}"
        page.run("the machine is lost", stack, key=words, prod=prod, new=stack.name)
        yield Elsewhere(stack, row, before, bucket(repositories))


def test_a_stack_is_made_of_a_bucket_without_the_state_of_its_source(elsewhere: Elsewhere) -> None:
    assert elsewhere.row in elsewhere.stack.sql(NAMES)
    stanza = json.loads(elsewhere.stack.pgbackrest("info", "--output=json"))[0]
    assert (stanza["name"], len(stanza["repo"]), len(stanza["backup"])) == (elsewhere.stack.name, 1, 1)


def test_the_bucket_stays_as_it_was(elsewhere: Elsewhere, repositories: Repositories) -> None:
    """Nothing is changed, and what came meanwhile is WAL of the source, on its timeline."""
    assert elsewhere.before.items() <= elsewhere.after.items()
    new = elsewhere.after.keys() - elsewhere.before.keys()
    assert all(name.startswith(f"archive/{repositories.stack.name}/") for name in new), new
    assert not any(name.endswith(".history") for name in new), new


def test_keys_are_in_no_plain_text_and_no_member_has_them(elsewhere: Elsewhere, repositories: Repositories) -> None:
    stack = elsewhere.stack
    texts = {
        "the stack's file": stack.file.read_text(),
        "the state": stack.pulumi("stack", "export"),
        "docker inspect": json.dumps([container.attrs for container in stack.containers(running=False)]),
        "a member": stack.execute("member-0", "sh", "-c", "cat /etc/pipe/*")[1],
    }
    for where, text in texts.items():
        for secret in repositories.secrets:
            assert secret.splitlines()[len(secret.splitlines()) // 2] not in text, where


def test_another_up_changes_nothing(elsewhere: Elsewhere) -> None:
    elsewhere.stack.pulumi("preview", "--expect-no-changes", timeout=timeouts.UP)


def test_a_server_is_read_by_the_state_of_its_stack(repositories: Repositories) -> None:
    row, stack = write(repositories), repositories.stack
    read = source.find(Session.current(stack.name), stack.name, "sftp")
    whose = look.Source(stack.name, read.passphrase, PROCESSES, *rendered.to_read(read.settings))
    with restored(stack, whose, Target(), network=f"pipe-{stack.name}") as there:
        assert row in there.must("reading", "psql", "-XAtq", "-d", "pipe", "-c", NAMES).splitlines()


def restore(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    return stack.run("make", "restore", f"STACK={stack.name}", *words, timeout=timeouts.RESTORE)


def test_what_it_does_not_keep_is_refused_before_anything_is_made(repositories: Repositories) -> None:
    prod = repositories.stack.name
    refusals = {
        ("REPOSITORY=s3", "AT=2020-01-01 00:00:00+00"): f'the repository of stack "{prod}" cannot restore 2020-',
        ("REPOSITORY=sftp", "NETWORK=none"): f'the repository of stack "{prod}" does not answer: ',
    }
    for words, reason in refusals.items():
        with throw_away_stack("early") as stack:
            done = restore(stack, f"FROM={prod}", network(repositories), *words)
            text = done.stdout + done.stderr
            assert done.returncode != 0
            assert reason in text
            assert "Traceback" not in text
            assert (traces(stack.name), stack.file.exists()) == ([], False)


@pytest.mark.timeout(timeouts.BUILD + 2 * timeouts.RESTORE)
def test_a_stack_goes_back_by_what_a_server_has(repositories: Repositories) -> None:
    stack, kept = repositories.stack, write(repositories)
    stack.sql(f"SELECT pg_create_restore_point('{POINT}')", leader(stack))
    lost = write(repositories)
    words = (f"STACK={stack.name}", "REPOSITORY=sftp", f"NAME={POINT}")
    done = stack.run("make", "restore-in-place", *words, timeout=timeouts.RESTORE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_replicated(stack, replicas=1)
    found = stack.sql(NAMES, leader(stack))
    assert kept in found
    assert lost not in found
    stack.pgbackrest("check")
    done = stack.run("make", "restore-in-place", f"STACK={stack.name}", "OLD=remove")
    assert done.returncode == 0, done.stdout + done.stderr
