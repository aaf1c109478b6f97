"""``pipe:patroni:Membership``: a node's place in the cluster.

It hands over the lead before the node's container is replaced, and its deletion waits until the cluster has forgotten
the node.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, ClassVar

from provider.errors import PipeError
from provider.patroni.member import await_successor, can_hand_over, hand_over_from, leads
from provider.patroni.plan import slot_name
from provider.patroni.release import when_away
from provider.patroni.rest import Answer, Rest
from provider.patroni.unled import LOOP_SECONDS, TTL_SECONDS
from provider.resource import Context, Fault, Field, Resource
from provider.values import Properties

POLL_SECONDS = 0.3
# Beyond the time that Patroni itself takes: ttl until the entry expires, then two loops until the slot is dropped.
MARGIN_SECONDS = 15
# So many polls in a row without any member's answer mean that the whole cluster is being torn down.
_SILENT_POLLS = 3
_SLOTS_TTL = "member_slots_ttl"
_BEGIN_SECONDS, _BEGIN_POLL_SECONDS = 120, 0.05


def begun(status: dict[str, Any]) -> bool:
    """Judge ``GET /patroni`` of a member: whether it makes a new cluster just now, or knows one that has a leader."""
    led = "role" in status and not status.get("cluster_unlocked")
    return led or status.get("state") == "initializing new cluster"


def await_begun(context: Context, rest: Rest, endpoints: list[str]) -> None:
    """Wait until a cluster has begun, so that the first member makes it and not whichever is the fastest.

    Raises PipeError when none does: where the first one has data and is slow, an empty one would begin another cluster.
    """
    deadline = time.monotonic() + _BEGIN_SECONDS
    while not any(begun(answer.document) for _, answer in rest.reachable(endpoints, "/patroni")):
        if time.monotonic() > deadline:
            raise PipeError(
                f"no member has begun a cluster after {_BEGIN_SECONDS} s, so this one has nothing to copy from",
                "see why the first one does not: docker logs of its container; then run up again",
            )
        context.cancellation.pause(_BEGIN_POLL_SECONDS, "waiting until the first member makes the cluster")


def refuse_paused(rest: Rest, endpoints: list[str], member: str) -> None:
    """Raise PipeError in maintenance mode, in which a container takes its PostgreSQL with it and none is started."""
    if any(answer.document.get("pause") for _, answer in rest.reachable(endpoints, "/cluster")):
        raise PipeError(
            f'Patroni is paused, and the container of member "{member}" is to be replaced: its PostgreSQL would not '
            "start again",
            "run `bin/patronictl resume`, then up again",
        )


class Membership(Resource):
    """A place in the cluster. Its id is the node's name; Patroni itself makes the entry."""

    token = "pipe:patroni:Membership"
    description = "A node's place in the cluster; deleting it waits until entry and replication slot are gone."
    inputs: ClassVar[dict[str, Field]] = {
        "member": Field(str, "Patroni's name of the node.", replaces=True),
        "scope": Field(str, "Patroni's name of the cluster.", replaces=True),
        "endpoints": Field(list, "REST addresses of all members."),
        "endpoint": Field(str, "The node's own REST address.", required=False),
        "version": Field(int, "PostgreSQL's major version, which made the node's data.", required=False),
        "generation": Field(
            str,
            "Digest of what its container is made from; before a new one a node that leads hands over.",
            required=False,
        ),
    }

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Refuse another major version than that of the data that is there."""
        yield from super().check(old, new)
        before, after = (old or {}).get("version"), new.get("version")
        if before and after != before:
            yield Fault(
                "version",
                f"cannot change from {before} to {after} on a stack that exists: PostgreSQL {after} cannot read its"
                f" data HINT: go on with PostgreSQL {before} here; a new stack takes the data over, see"
                " docs/major-upgrade.md",
            )

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Wait until the node would find a cluster to enter, which the first one makes; it enters by itself."""
        if new.get("endpoint") not in (None, new["endpoints"][0]):
            await_begun(context, Rest(context.config.tls()), new["endpoints"])
        return new["member"], new

    def preview(self, context: Context, old: Properties | None, new: Properties) -> Properties:
        """Say what the replacement of its container means for sessions, where the node leads now."""
        before, after, endpoint = (old or {}).get("generation"), new.get("generation"), new.get("endpoint")
        if before and after and isinstance(endpoint, str) and before != after:
            rest = Rest(context.config.tls())
            refuse_paused(rest, list(new["endpoints"]), str(new["member"]))
            if can_hand_over(rest, endpoint):
                context.info(f'member "{new["member"]}" leads: it is replaced last, after it has handed over')
            elif leads(rest, endpoint):
                context.warning(
                    f'member "{new["member"]}" leads and no other one may follow it: nobody writes while it is replaced'
                )
        return super().preview(context, old, new)

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Hand over where the node leads and is about to be replaced. One that nobody can follow stops as it is."""
        before, after, endpoint = old.get("generation"), new.get("generation"), new.get("endpoint")
        if before and after and endpoint and before != after:
            rest = Rest(context.config.tls())
            refuse_paused(rest, list(new["endpoints"]), id_)
            if await_successor(context, rest, endpoint, list(new["endpoints"])):
                context.info(f'member "{id_}" leads and hands over before its container is replaced')
                hand_over_from(context, rest, [endpoint])
            elif leads(rest, endpoint):
                context.warning(f'member "{id_}" leads and no other one may follow it: writes stop until it is back')
            when_away(rest, list(new["endpoints"]), id_, endpoint)
        return new

    def delete(self, context: Context, id_: str, state: Properties) -> None:
        """Wait until the entry has expired and the slot is dropped; skip when no other member answers any more."""
        rest, endpoints = Rest(context.config.tls()), list(state.get("endpoints", []))
        settings = _first(rest, endpoints, "/config")
        if settings is None:
            return
        endpoint, answer = settings
        limit = _limit(answer.document)
        deadline = time.monotonic() + limit
        if not self._await_entry(context, rest, id_, endpoints, deadline):
            return
        slot = slot_name(id_)
        if not _slot_exists(context, slot):
            return
        before = answer.document.get(_SLOTS_TTL)
        try:
            # Patroni keeps an absent member's slot for half an hour; this one will not come back.
            rest.change("PATCH", endpoint, "/config", {_SLOTS_TTL: 0})
            while _slot_exists(context, slot):
                if time.monotonic() > deadline:
                    raise PipeError(
                        f'the cluster still keeps the replication slot "{slot}" of "{id_}" after {limit} s',
                        "it holds back WAL on the primary; drop it there: SELECT pg_drop_replication_slot('"
                        + slot
                        + "')",
                    )
                context.progress(f'waits until the slot "{slot}" is dropped')
                context.cancellation.pause(POLL_SECONDS, f'waiting until the slot "{slot}" is dropped')
        finally:
            rest.change("PATCH", endpoint, "/config", {_SLOTS_TTL: before})

    def _await_entry(self, context: Context, rest: Rest, member: str, endpoints: list[str], deadline: float) -> bool:
        """Wait until no member lists the node; False when nobody answers."""
        silent = 0
        while True:
            found = _first(rest, endpoints, "/cluster")
            if found is None:
                silent += 1
                if silent == _SILENT_POLLS:
                    return False
            else:
                silent = 0
                names = [entry.get("name") for entry in found[1].document.get("members", [])]
                if member not in names:
                    return True
                if time.monotonic() > deadline:
                    raise PipeError(
                        f'the cluster still lists "{member}", although its container is gone',
                        "see who keeps the entry alive: bin/patronictl list",
                    )
                context.progress(f'waits until the cluster has forgotten "{member}"; its entry expires by itself')
            context.cancellation.pause(POLL_SECONDS, f'waiting until the cluster has forgotten "{member}"')


def _first(rest: Rest, endpoints: list[str], path: str) -> tuple[str, Answer] | None:
    """Return the first good answer of a member; members that are gone or not ready are passed over."""
    return next((pair for pair in rest.reachable(endpoints, path) if pair[1].status == 200), None)


def _limit(config: dict[str, Any]) -> int:
    ttl, loop = config.get("ttl", TTL_SECONDS), config.get("loop_wait", LOOP_SECONDS)
    return int(ttl) + 2 * int(loop) + MARGIN_SECONDS


def _slot_exists(context: Context, slot: str) -> bool:
    """Ask the primary; without a PostgreSQL login in the provider's configuration the answer is no."""
    if not context.config.has_server:
        return False
    with context.database.session(f'looking for the replication slot "{slot}"') as connection:
        row = connection.execute(
            "SELECT 1 FROM pg_catalog.pg_replication_slots WHERE slot_name = %s", (slot,)
        ).fetchone()
    return row is not None
