"""Waiting for members: for one to lead, and for the others to follow it, however long their copies take."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from cli.inplace.cluster import Cluster
from infra.paths import DATA_DIR
from provider.errors import PipeError

LEAD_SECONDS = 600
# How long nothing may move. A member that begins its copy anew after a mishap has this long to come to where it was.
STILL_SECONDS = 600
TELL_SECONDS = 30
POLL_SECONDS = 0.5
# Measuring reads every folder of the data.
MEASURE_SECONDS = 5

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


def wait_for_followers(cluster: Cluster, size_mb: int) -> None:
    """Return once every member follows. As long as a copy grows, or one catches up, it is on its way.

    :param size_mb: how much each is going to have, about.
    :raises PipeError: nothing has moved for a long time.
    """
    print("  waits for every member to follow; the stack serves meanwhile", flush=True)
    moved = told = measured = time.monotonic()
    best: dict[str, int] = {}
    while not (len(rows := cluster.rows()) == len(cluster.members) and all_follow(rows)):
        time.sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - measured < MEASURE_SECONDS:
            continue
        measured, copied = now, _copied(cluster, rows)
        if goes_on(best, _way(rows, copied)):
            moved = now
        if now - moved > STILL_SECONDS:
            raise _stand_still(cluster, rows, list(copied))
        if now - told > TELL_SECONDS:
            told = now
            for name, size in copied.items():
                print(f"  {name} has {size} of about {size_mb} MB", flush=True)


def goes_on(best: dict[str, int], now: Mapping[str, int]) -> bool:
    """Note how far each is, and say whether one is where it has not been.

    So one that fails half-way and begins anew, again and again, goes nowhere.
    """
    further = {what: far for what, far in now.items() if what not in best or far > best[what]}
    best.update(further)
    return bool(further)


def _stand_still(cluster: Cluster, rows: Rows, late: Sequence[str]) -> PipeError:
    names = late or list(cluster.members.values())
    return PipeError(
        f"the stack is restored and its primary serves, but for {STILL_SECONDS} s nothing has moved at "
        f"{' and '.join(names)}; the members are: {_states(rows)}",
        f"the logs say why: docker logs {names[0]}; a member follows by itself once the cause is gone",
    )


def _copied(cluster: Cluster, rows: Rows) -> dict[str, int]:
    """Return how much data each member has that does not follow yet, in MB."""
    prefix = f"{cluster.names.network}-"
    done = {f"{prefix}{row['Member']}" for row in rows if row["Role"] == "Leader" or follows(row)}
    return {name: _size_mb(cluster, name) for name in cluster.members.values() if name not in done}


def _size_mb(cluster: Cluster, member: str) -> int:
    # Files come and go while it looks, so that its status tells nothing; before the first one it writes nothing.
    try:
        said = cluster.run(member, "du", "-sm", DATA_DIR).stdout.split()
    except PipeError:
        return 0
    return int(said[0]) if said else 0


def _way(rows: Rows, copied: Mapping[str, int]) -> dict[str, int]:
    """Return how far each is; every number grows while something moves."""
    replicas = [row for row in rows if row["Role"] != "Leader"]
    lags = {f"lag of {row['Member']}": row.get("Lag in MB") for row in replicas}
    caught_up = {what: -lag for what, lag in lags.items() if isinstance(lag, int)}
    return {"following": sum(map(follows, replicas)), **copied, **caught_up}


def _states(rows: Rows) -> dict[str, tuple[str, str]]:
    return {row["Member"]: (row["Role"], row["State"]) for row in rows}
