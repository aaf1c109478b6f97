"""The full backups after a restore in place: none of the old ones leads to what is written from now on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from cli import source
from cli.inplace.cluster import Cluster
from cli.source import Source
from cli.status import collect
from provider.errors import PipeError
from provider.pgbackrest.run import Result

READY_SECONDS = 600
_POLL_SECONDS = 0.5
# pgBackRest's: archiving just began again; another command holds the lock for a moment.
_NOT_YET = frozenset({50, 55, 56, 82, 87})


def require(cluster: Cluster) -> None:
    """Raise PipeError unless the scheduler runs: it takes the backup of which replicas are made."""
    name = cluster.names.container("scheduler")
    try:
        if cluster.run(name, "true").code == 0:
            return
    except PipeError:
        pass
    raise PipeError(
        f'"{name}" does not run, which takes the backup that a restore in place ends with',
        f"docker start {name}, or where it is gone `make up STACK={cluster.session.stack}`; then run this again",
    )


def of_replicas(cluster: Cluster, read: Source) -> int:
    """Take the one that replicas are made from, which must be of this timeline; returns its repository's number."""
    number = source.first_to_answer(read, _info(cluster))
    if reason := _refused(cluster, number):
        raise PipeError(
            f"the restored member leads, but its full backup failed: {reason}",
            "when the cause is gone, run the same command again: it goes on, and makes the other members from it",
        )
    return number


def of_others(cluster: Cluster, read: Source, taken: int) -> list[str]:
    """Take one in every other repository; returns a sentence for each that has none now.

    The newest backup there may have been made after the moment that the stack went back to: no drill of it can pass.
    """
    away = collect.silent(_info(cluster) or ())
    lacking = []
    for number in range(1, len(read.listed) + 1):
        if number == taken:
            continue
        reason = away.get(number) or _refused(cluster, number)
        if reason:
            lacking.append(
                f"repository {number} ({read.listed[number - 1]}) has no full backup of this timeline: {reason}\n"
                f"take it     {_command(cluster, number)}   (when the repository answers)"
            )
    return lacking


def _info(cluster: Cluster) -> Sequence[Mapping[str, Any]] | None:
    return collect.backups(cluster.names.container("scheduler"))


def _refused(cluster: Cluster, number: int) -> str:
    try:
        result = _take(cluster, number)
    except PipeError as error:
        return error.message
    return result.error if result.code else ""


def _take(cluster: Cluster, number: int) -> Result:
    print(f"  takes a full backup into repository {number}", flush=True)
    words = (f"--stanza={cluster.session.stack}", f"--repo={number}", "--type=full", "--log-level-console=off")
    deadline = time.monotonic() + READY_SECONDS
    while True:
        result = cluster.run(cluster.names.container("scheduler"), "pgbackrest", *words, "backup")
        if result.code == 0 or result.error_code not in _NOT_YET or time.monotonic() > deadline:
            return result
        time.sleep(_POLL_SECONDS)


def _command(cluster: Cluster, number: int) -> str:
    return f"STACK={cluster.session.stack} bin/pgbackrest --repo={number} --type=full backup"
