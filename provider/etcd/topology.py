"""``pipe:etcd:Topology``: of how many members the consensus store was made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from provider.resource import Context, Fault, Field, Resource
from provider.values import Properties


class Topology(Resource):
    """Keeps the number of members. They find each other once, when the store is made; a later change is refused.

    A member added to a list that the others never agreed on would wait for a cluster that does not exist.
    """

    token = "pipe:etcd:Topology"
    description = "The number of etcd members with which the store was made."
    inputs: ClassVar[dict[str, Field]] = {"members": Field(list, "Names of the members.")}

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Refuse another number than the one that the store was made with."""
        yield from super().check(old, new)
        before, after = len((old or {}).get("members", [])), len(new.get("members", []))
        if before and before != after:
            yield Fault(
                "members",
                f"consensus.members cannot change from {before} to {after} on a stack that exists"
                f" HINT: set it back to {before}; a stack with {after} members is made anew and restored from a backup",
            )

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Nothing to do: the members' own configuration makes the store."""
        del context
        return "etcd", new
