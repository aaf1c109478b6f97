"""What says that a restore in place has taken effect: whoever repeats it goes on, and does not go back once more."""

from __future__ import annotations

from dataclasses import dataclass

from cli.inplace.cluster import Cluster
from infra.paths import POSTGRES_HOME
from provider.restore.moments import Target
from provider.restore.place import place, shell

# In the first member's volume, from when its data is in place until every member and repository has its own.
NOTE = f"{POSTGRES_HOME}/went-back-to"


@dataclass(frozen=True)
class Reached:
    """When the old data was set aside, and how large the database is in MB."""

    stamp: str
    size_mb: int


def note(cluster: Cluster, target: Target, at: Reached) -> None:
    """Note it, before the member starts."""
    with place(cluster.context, cluster.site(0)) as there:
        text = f"{at.stamp} {at.size_mb} {target.words}"
        there.must("noting what the stack went back to", *shell(['printf %s "$1" > "$0"; sync "$0"', NOTE, text]))


def read(cluster: Cluster, target: Target) -> Reached | None:
    """Return it where an interrupted run had the same target."""
    if 0 not in cluster.members:
        return None
    with place(cluster.context, cluster.site(0)) as there:
        noted = there.run("cat", NOTE)
    stamp, _, rest = noted.stdout.partition(" ")
    size, _, words = rest.partition(" ")
    return Reached(stamp, int(size)) if noted.code == 0 and words == target.words else None


def forget(cluster: Cluster) -> None:
    """Remove the note: the same command goes back again."""
    cluster.run(next(iter(cluster.members.values())), "rm", "-f", NOTE)
