"""Throw-away PostgreSQL instances, restored by the steps that `make restore` takes, and read there and then."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import docker

from provider.config import Config
from provider.resource import Context
from provider.restore import look, replay
from provider.restore.moments import Target
from provider.restore.place import Place, Site, place
from provider.runtime import Cancellation, Reporter
from provider.sql.connection import Database
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.stacks import Stack

MEMORY_MB = 256
PROCESSES = 2
FAILURES = "SELECT failed_count FROM pg_stat_archiver"


def passphrase(stack: Stack) -> str:
    """Return the passphrase of the stack's repository."""
    return str(stack.outputs["backup_passphrase"])


def archive(stack: Stack) -> None:
    """Have everything written so far in the repository."""
    segment = stack.sql("SELECT pg_walfile_name(pg_switch_wal())")[0]
    eventually(
        lambda: stack.sql("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")[0],
        lambda newest: newest >= segment,
        timeouts.ARCHIVED,
        f"{segment} in the repository",
    )


@contextmanager
def repository_away(stack: Stack) -> Iterator[None]:
    """The repository host is down in this block, and a segment of the block's own failed to be archived."""
    repository = stack.container("repository")
    failures = int(stack.sql(FAILURES)[0])
    repository.stop()
    try:
        yield
        stack.sql("SELECT pg_switch_wal()")
        eventually(
            lambda: int(stack.sql(FAILURES)[0]), lambda now: now > failures, timeouts.ARCHIVED, "archiving fails"
        )
    finally:
        repository.start()


def source_of(stack: Stack) -> look.Source:
    """Return the stack's repository as a source."""
    return look.Source(stack.name, passphrase(stack), PROCESSES)


def context() -> Context:
    """Return what the steps need of a provider: nobody to report to."""
    config, cancellation = Config({}), Cancellation()
    return Context("", config, Database(config, cancellation), Reporter(None), cancellation)


def site(stack: Stack, name: str, volume: str | None, source: str | None = None, network: str = "none") -> Site:
    """Describe a throw-away container beside the stack; `source`: another stack's name; `network`: no volumes then."""
    repository = f"pipe-{source or stack.name}-repository"
    return Site(
        container=f"{name}-restore",
        image=str(stack.container("member-0").attrs["Config"]["Image"]),
        labels={"pipe.stack": stack.name, "pipe.component": "restore"},
        repository=(f"{repository}-archive", f"{repository}-backup") if network == "none" else None,
        data=volume,
        memory_mb=MEMORY_MB,
        network=network,
    )


def find(stack: Stack, target: Target, *, source: look.Source | None = None) -> Target:
    """Look for a target in the stack's repository, as the preview of a restore does."""
    name = f"pipe-{stack.name}-{secrets.token_hex(3)}"
    whose = source or source_of(stack)
    with place(context(), site(stack, name, None, whose.stack)) as there:
        look.configure(there, whose)
        return look.find(context(), there, whose, target)[1]


@contextmanager
def restored(stack: Stack, source: look.Source, target: Target, network: str = "none") -> Iterator[Place]:
    """Lend an instance that was restored to the target and promoted."""
    name = f"pipe-{stack.name}-{secrets.token_hex(3)}"
    engine = docker.from_env()
    volume = engine.volumes.create(f"{name}-data", labels={"pipe.stack": stack.name})
    try:
        with place(context(), site(stack, name, f"{name}-data", network=network)) as there:
            look.configure(there, source)
            backup, exact = look.find(context(), there, source, target)
            replay.fetch(context(), there, source, backup, exact)
            replay.replay(context(), there, source, exact, pause=False)
            yield there
    finally:
        volume.remove()
        engine.close()


def ledger_rows(there: Place) -> set[str]:
    """Return the ids of the ledgers' rows that an instance has."""
    query = "SELECT id FROM pipe.organizations WHERE name LIKE 'ledger %'"
    return set(there.must("reading the ledger", "psql", "-XAtq", "-d", "pipe", "-c", query).split())
