"""``pipe:patroni:Member``: waits until a node leads or streams."""

from __future__ import annotations

import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar

from provider import engine
from provider.errors import PipeError
from provider.patroni.copying import STATE as COPIED
from provider.patroni.copying import Copy
from provider.patroni.plan import Readiness, may_lead, readiness, successor
from provider.patroni.rest import Rest, Unreachable, refused
from provider.patroni.unled import Unled
from provider.patroni.wake import wake
from provider.resource import Context, Field, Resource, State
from provider.values import Properties

# Beside that a copy, from the primary or a backup, has as long as it grows.
WAIT_SECONDS = 300
POLL_SECONDS = 0.1
SWITCHOVER_SECONDS = 60
SUCCESSOR_SECONDS = 30
# Another change is under way; nobody may take over just now.
_NOT_YET = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)
# A certificate that is refused is a mistake, unless the old container still answers for a moment.
_UNTRUSTED_SECONDS = 10
# A program that ended so often ends every time. The engine waits longer before each start: this is after four seconds.
_TOO_MANY_RESTARTS = 5
_LOOK_AT_CONTAINER_SECONDS = 1.0
# What holds wherever a change stopped, since members change one at a time and the leader last.
WAY_BACK = "no other member was changed after it; mend the configuration or set it back, then run up again"


class Member(Resource):
    """A wait. Its id is the node's name; the container that it belongs to is another resource."""

    token = "pipe:patroni:Member"
    description = "Waits until a node is the running leader or a streaming replica; again when its container changes."
    inputs: ClassVar[dict[str, Field]] = {
        "member": Field(str, "Patroni's name of the node.", replaces=True),
        "endpoint": Field(str, "The node's REST address."),
        "endpoints": Field(list, "REST addresses of all members, for the hand-over before a removal.", required=False),
        "containerId": Field(str, "Its container; a new one waits again."),
        "certificate": Field(str, "The certificate that it shows; another one waits again.", required=False),
        "timeoutSeconds": Field(int, f"How long to wait; {WAIT_SECONDS} by default.", required=False),
    }

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Wait; raises PipeError with the node's last state when the time is up."""
        limit = int(new.get("timeoutSeconds", WAIT_SECONDS))
        name, endpoint, container = new["member"], new["endpoint"], str(new["containerId"])[:12]
        others = [other for other in new.get("endpoints") or [] if other != endpoint]
        wait(context, Rest(context.config.tls()), name, endpoint, limit, container, others)
        return name, new

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Wait again, but not for a changed limit alone; first take the lead from a node that goes."""
        staying = list(new.get("endpoints") or [])
        leaving = [endpoint for endpoint in old.get("endpoints") or [] if endpoint not in staying]
        # The first member does it for all, before anything else changes: soon the proxy knows only those that stay.
        if leaving and staying and new["endpoint"] == staying[0]:
            hand_over_from(context, Rest(context.config.tls()), leaving)
        if all(old.get(name) == new.get(name) for name in ("endpoint", "containerId", "certificate")):
            return new
        return super().update(context, id_, old, new)

    def delete(self, context: Context, id_: str, state: Properties) -> None:
        """Let a node that leads hand over before its container goes; raises PipeError when nobody could take over."""
        others = [endpoint for endpoint in state.get("endpoints") or [] if endpoint != state["endpoint"]]
        if others:
            hand_over_from(context, Rest(context.config.tls()), [state["endpoint"]])

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Warn when the node does not do its work now. That is no drift: an update would not mend it."""
        endpoint = state.get("endpoint")
        if isinstance(endpoint, str):
            found = look(Rest(context.config.tls()), id_, endpoint)
            if not found.ready:
                context.warning(f'member "{id_}" {found.words}')
        return State(id_, state, inputs)


def leads(rest: Rest, endpoint: str) -> bool:
    """Say whether the node at this address holds the leader's lock."""
    try:
        return rest.send("GET", endpoint, "/leader").status == 200
    except Unreachable:
        return False


def can_hand_over(rest: Rest, endpoint: str) -> bool:
    """Say whether the node leads and another one streams that may lead."""
    if not leads(rest, endpoint):
        return False
    members = rest.send("GET", endpoint, "/cluster").document.get("members", [])
    return any(map(may_lead, members))


def synchronous(rest: Rest, endpoints: list[str]) -> bool:
    """Say whether commits wait for a replica in this cluster."""
    return any(answer.document.get("synchronous_mode") for _, answer in rest.reachable(endpoints, "/config"))


def await_successor(context: Context, rest: Rest, endpoint: str, endpoints: list[str]) -> bool:
    """Say whether the node leads and another one may follow it.

    A replica that has just come back streams before the cluster's list says so, and before it is the synchronous one
    again; that is waited for.
    """
    others = [other for other in endpoints if other != endpoint]
    deadline = time.monotonic() + SUCCESSOR_SECONDS
    while leads(rest, endpoint):
        members = rest.send("GET", endpoint, "/cluster").document.get("members", [])
        able = list(filter(may_lead, members))
        ready = any(m.get("role") == "sync_standby" for m in able) or not synchronous(rest, [endpoint])
        late = time.monotonic() > deadline
        if able and (ready or late):
            return True
        if late or not _one_streams(rest, others):
            return False
        wake(rest, endpoints)
        context.cancellation.pause(POLL_SECONDS, "waiting until a replica may lead")
    return False


def _one_streams(rest: Rest, endpoints: list[str]) -> bool:
    answers = rest.reachable(endpoints, "/patroni")
    return any(may_lead(answer.document) for _, answer in answers)


def hand_over_from(context: Context, rest: Rest, leaving: list[str]) -> None:
    """Where one of the `leaving` nodes (REST addresses) leads, switch over to a streaming node that stays."""
    endpoint = next((endpoint for endpoint in leaving if leads(rest, endpoint)), None)
    if endpoint is None:
        return
    leaves = {str(a.document.get("patroni", {}).get("name")) for _, a in rest.reachable(leaving, "/patroni")}
    deadline = time.monotonic() + SWITCHOVER_SECONDS
    while True:
        members = rest.change("GET", endpoint, "/cluster", None).document.get("members", [])
        leader = next(str(m["name"]) for m in members if m.get("role") in ("leader", "primary", "master"))
        candidate = successor(members, leaves)
        if candidate is None:
            raise PipeError(
                f'member "{leader}" leads and no member that stays streams, so removing it would lose the data',
                "wait until a replica streams (make status), or set the number of replicas back",
            )
        context.progress(f'member "{leader}" hands over to "{candidate}"')
        body = {"leader": leader, "candidate": candidate}
        answer = rest.send("POST", endpoint, "/switchover", body, timeout=SWITCHOVER_SECONDS)
        if 200 <= answer.status < 300:
            break
        # A replica that was away becomes the synchronous one again, or another in its place, in Patroni's next loop.
        if answer.status not in _NOT_YET or time.monotonic() > deadline:
            raise refused("POST", endpoint, "/switchover", answer)
        context.cancellation.pause(POLL_SECONDS, f'waiting until "{candidate}" may lead')
    started = time.monotonic()
    while leads(rest, endpoint):
        if time.monotonic() - started > SWITCHOVER_SECONDS:
            raise PipeError(
                f'member "{leader}" still leads {SWITCHOVER_SECONDS} s after the switchover was asked for',
                "see why with `bin/patronictl list` and the members' logs, then run up again",
            )
        context.cancellation.pause(POLL_SECONDS, f'waiting for "{candidate}" to lead')


def look(rest: Rest, member: str, endpoint: str) -> Readiness:
    """Ask a node how it is; one that does not answer is not ready."""
    try:
        status = rest.send("GET", endpoint, "/patroni").document
        leads = status.get("role") in ("primary", "master", "standby_leader")
        holds_lock = leads and rest.send("GET", endpoint, "/leader").status == 200
    except Unreachable as error:
        if error.untrusted:
            raise
        return Readiness(False, f"does not answer: {error.cause}")
    return readiness(member, status, holds_lock=holds_lock)


def wait(
    context: Context,
    rest: Rest,
    member: str,
    endpoint: str,
    limit: float,
    container: str,
    others: Sequence[str] = (),
) -> None:
    """Poll a node until it leads or streams, reporting each new state; ``limit`` in seconds.

    Where nobody leads and one of the ``others`` (REST addresses) does not answer, this node has done what it can: that
    one's turn comes, and it may be the only one that can lead. Raises PipeError with the line of the container's log
    that says why when the time is up, or before that when the program in it ends again and again.
    """
    started, words, looked = time.monotonic(), "", 0.0
    unled, copy, ends = Unled(rest, endpoint, others), Copy(context.config, container), limit
    while True:
        elapsed = time.monotonic() - started
        try:
            found = look(rest, member, endpoint)
        except Unreachable as error:
            if elapsed > _UNTRUSTED_SECONDS:
                raise
            found = Readiness(False, error.cause)
        if found.ready:
            context.progress(f'member "{member}" {found.words}')
            return
        if absent := unled.absent(unled=found.unled):
            context.warning(
                f'member "{member}" runs, and nobody leads: it is not waited for any longer, because what it waits for '
                f"may be at {', '.join(absent)}, where nobody answers"
            )
            return
        if elapsed > ends and found.words.endswith(COPIED) and copy.has_grown():
            ends = elapsed + limit
        if elapsed > ends:
            raise PipeError(
                f'member "{member}" neither leads nor streams after {elapsed:.0f} s: it {found.words}',
                *evidence(engine.look(context.config, container), container),
                WAY_BACK,
            )
        if elapsed - looked > _LOOK_AT_CONTAINER_SECONDS:
            looked = elapsed
            _still_starts(engine.look(context.config, container), member, container)
        if found.words != words:
            words = found.words
            context.progress(f'member "{member}" {words}')
        context.cancellation.pause(POLL_SECONDS, f'waiting for member "{member}"')


def evidence(sight: engine.Sight | None, container: str) -> list[str]:
    """Return the hint that shows what a container said, and where the rest is."""
    if sight is None or not sight.line:
        return [f"its log says why: docker logs {container}"]
    return [f"its log says: {sight.line}", f"all of it: docker logs {container}"]


def _still_starts(sight: engine.Sight | None, member: str, container: str) -> None:
    """Raise PipeError for a container whose program has ended too often."""
    if sight is not None and sight.restarts >= _TOO_MANY_RESTARTS:
        raise PipeError(
            f'member "{member}" does not start: its program ended {sight.restarts} times, with exit code'
            f" {sight.exit_code}",
            *evidence(sight, container),
            WAY_BACK,
        )
