"""Waiting for members: for one to lead, and for the others to follow it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from cli.inplace.cluster import Cluster
from provider.errors import PipeError

LEAD_SECONDS = 600
POLL_SECONDS = 0.5

Rows = Sequence[Mapping[str, Any]]


def leads(rows: Rows) -> bool:
    """Say whether one of the members as `patronictl list` has them leads."""
    return any((row["Role"], row["State"]) == ("Leader", "running") for row in rows)


def follows(row: Mapping[str, Any]) -> bool:
    """Say whether a member follows.

    One that lies behind on purpose first applies what it has, and that takes as long as its delay.
    """
    return row["State"] == "streaming" or (
        row["State"] == "in archive recovery" and bool((row.get("Tags") or {}).get("nofailover"))
    )


def all_follow(rows: Rows) -> bool:
    """Say whether one member leads and each of the others follows."""
    return leads(rows) and all(follows(row) for row in rows if row["Role"] != "Leader")


def wait_for_leader(cluster: Cluster) -> None:
    """Return once the restored member leads; raises PipeError when it does not in time."""
    print("  waits for the restored member to lead", flush=True)
    deadline = time.monotonic() + LEAD_SECONDS
    while not leads(rows := cluster.rows()):
        if time.monotonic() > deadline:
            raise PipeError(
                f"waited {LEAD_SECONDS} s for the restored member to lead; the members are: {_states(rows)}",
                f"its log says why: docker logs {cluster.members[0]}; then run the same command again",
            )
        time.sleep(POLL_SECONDS)


def wait_for_followers(cluster: Cluster) -> None:
    """Return once every member follows."""
    print("  waits for every member", flush=True)
    deadline = time.monotonic() + LEAD_SECONDS
    while not (len(rows := cluster.rows()) == len(cluster.members) and all_follow(rows)):
        if time.monotonic() > deadline:
            raise PipeError(
                f"waited {LEAD_SECONDS} s for every member; the members are: {_states(rows)}", "see the members' logs"
            )
        time.sleep(POLL_SECONDS)


def _states(rows: Rows) -> dict[str, tuple[str, str]]:
    return {row["Member"]: (row["Role"], row["State"]) for row in rows}
