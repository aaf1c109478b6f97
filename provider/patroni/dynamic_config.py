"""``pipe:patroni:DynamicConfig``: the keys of Patroni's dynamic configuration that the program owns."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import ClassVar

from provider.errors import Cancelled, PipeError
from provider.patroni import accepted
from provider.patroni.member import WAY_BACK, wait
from provider.patroni.plan import (
    PARAMETERS,
    RESTART_PARAMETERS,
    may_need_restart,
    needs_restart,
    owned,
    patch,
    prior,
    restarts_told,
    reverse,
    unmet,
)
from provider.patroni.rest import Rest, Unreachable
from provider.patroni.restart import pending, roll
from provider.resource import Context, Fault, Field, Resource, State
from provider.values import Properties, has_unknown

# A member that answers takes a change over at once when it is woken; this is for one that is busy.
APPLY_SECONDS = 60
# Limit of each wait for a node during a rolling restart.
WAIT_SECONDS = 120
POLL_SECONDS = 0.1
# Patroni looks which parameters need a restart after its turn with etcd, a reload, and a second's wait for PostgreSQL.
# On a busy machine all that takes long; who waits for it is done as soon as every member has seen it.
_PENDING_SECONDS = 10.0
# Few parameters of extensions need a restart, and nothing tells that one does not: every change of one waits so long,
# as in a first `up`.
_EXTENSION_SECONDS = 2.0
ID = "config"
TAKEN_BACK = "the configuration from before is in force again on every member; mend it and run up again"


class DynamicConfig(Resource):
    """Owned keys. There is one configuration a cluster, so the id says little; an import gives any member's address."""

    token = "pipe:patroni:DynamicConfig"
    description = "Keys of Patroni's dynamic configuration; keys not given are left alone."
    inputs: ClassVar[dict[str, Field]] = {
        "endpoints": Field(list, "REST addresses of all members."),
        "config": Field(dict, "As in PATCH /config."),
        "containers": Field(list, "The members' containers, in the order of endpoints."),
        "restart": Field(str, "What to do where a restart is needed.", required=False, choices=("rolling", "pending")),
        "timeoutSeconds": Field(int, f"Limit of each wait for a node; {WAIT_SECONDS} by default.", required=False),
    }
    outputs: ClassVar[dict[str, tuple[type, str]]] = {
        "pendingRestart": (list, "Members that must restart before every parameter takes effect.")
    }

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Refuse a configuration without an endpoint."""
        yield from super().check(old, new)
        if new.get("endpoints") == []:
            yield Fault("endpoints", "is empty; give the REST address of every member")

    def diff(self, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare inputs; a pending restart is a change where a rolling restart is asked for."""
        result = super().diff(old, new)
        if new.get("restart") == "rolling" and old.get("pendingRestart"):
            result["restart"] = False
        return result

    def preview(self, context: Context, old: Properties | None, new: Properties) -> Properties:
        """Say which keys change, as far as they are known, and what that means for sessions."""
        known = old is not None and not has_unknown(new)
        if old is not None and known and (changed := unmet(old["config"], patch(old["config"], new["config"]))):
            context.info(f"changes of Patroni's configuration: {', '.join(changed)}")
            rolling, members = new.get("restart") == "rolling", len(new["endpoints"])
            parameters = (_parameters(one["config"]) for one in (old, new))
            told, warned = restarts_told(*parameters, rolling=rolling, members=members)
            for text in told:
                context.info(text)
            for text in warned:
                context.warning(text)
        return super().preview(context, old, new)

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Set the keys."""
        return ID, self._apply(context, {}, new)

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Return the owned keys with their actual values; an import owns every key that it finds."""
        endpoints = inputs.get("endpoints") or state.get("endpoints") or [id_]
        rest = Rest(context.config.tls())
        actual = _read(rest, endpoints)
        config = inputs.get("config") or state.get("config")
        found = actual if config is None else owned(actual, config)
        known = {"endpoints": endpoints} | inputs | {"config": found}
        return State(ID, state | known | {"pendingRestart": sorted(pending(rest, endpoints))}, known)

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Set what changed; take out what is no longer owned."""
        return self._apply(context, old.get("config", {}), new)

    def delete(self, context: Context, id_: str, state: Properties) -> None:
        """Leave the configuration as it is: taking keys out would bring defaults to a running database."""

    def _apply(self, context: Context, old: Properties, new: Properties) -> Properties:
        rest, endpoints = Rest(context.config.tls()), list(new["endpoints"])
        containers = dict(zip(endpoints, new["containers"], strict=True))
        change = patch(old, new["config"])
        actual = _read(rest, endpoints, wait_seconds=APPLY_SECONDS, context=context)
        # A run that was killed after it had stored the change has proved nothing of it.
        before = prior(old, actual, change) if old else actual
        changed = list(dict.fromkeys([*unmet(before, change), *unmet(actual, change)]))
        if changed:
            context.progress(f"sets {', '.join(changed)}")
        _send(context, rest, endpoints, change)
        try:
            if old and any(name.startswith(PARAMETERS) for name in changed):
                accepted.check(context, rest, containers, _reloaded(new["config"], changed))
            if may_need_restart(changed):
                _settle(context, rest, endpoints, _PENDING_SECONDS if needs_restart(changed) else _EXTENSION_SECONDS)
            waiting = pending(rest, endpoints)
            if waiting and new.get("restart") == "rolling":
                roll(context, rest, containers, new.get("timeoutSeconds", WAIT_SECONDS))
                waiting = pending(rest, endpoints)
        except Cancelled:
            raise
        except PipeError as error:
            if not old:
                raise
            _send(context, rest, endpoints, reverse(before, change))
            _await_return(context, rest, containers, new.get("timeoutSeconds", WAIT_SECONDS))
            _await_reload(context, rest, containers, _reloaded(before, changed))
            raise PipeError(error.message, *(hint for hint in error.hints if hint != WAY_BACK), TAKEN_BACK) from error
        for member, parameters in sorted(waiting.items()):
            context.warning(
                f'member "{member}" must restart before these parameters take effect: {", ".join(parameters)}\n'
                "HINT: only that shows whether PostgreSQL starts with them: restart a replica first"
                ' (bin/patronictl restart --pending), or set database.restart to "rolling"'
            )
        return new | {"pendingRestart": sorted(waiting)}


def _parameters(config: Properties) -> Properties:
    return dict(config.get("postgresql", {}).get("parameters", {}))


def _reloaded(config: Properties, changed: list[str]) -> Properties:
    """Return the parameters among the changed keys that PostgreSQL reads at a reload, with the values they have here.

    One that was not there before a change has none.
    """
    names = {key.removeprefix(PARAMETERS) for key in changed if key.startswith(PARAMETERS)} - RESTART_PARAMETERS
    return {name: value for name, value in _parameters(config).items() if name in names and value is not None}


def _read(rest: Rest, endpoints: list[str], *, wait_seconds: float = 0, context: Context | None = None) -> Properties:
    """Return the configuration as the first member that answers sees it; raises PipeError when none does."""
    deadline, cause = time.monotonic() + wait_seconds, ""
    while True:
        for endpoint in endpoints:
            try:
                answer = rest.send("GET", endpoint, "/config")
            except Unreachable as error:
                if error.untrusted:  # waiting mends no certificate
                    raise
                cause = error.message
                continue
            if answer.status == 200:
                return answer.document
            cause = f'Patroni at "{endpoint}" has no configuration yet (status {answer.status})'
        if context is None or time.monotonic() > deadline:
            raise PipeError(f"Patroni's configuration cannot be read: {cause}", "look at the members: make status")
        context.cancellation.pause(POLL_SECONDS, "waiting for Patroni's configuration")


def _send(context: Context, rest: Rest, endpoints: list[str], change: Properties) -> None:
    """Send the change to every member: the first stores it, and each one is woken, so that none lags a loop behind.

    Waits until each member that answers shows it; its PostgreSQL reloads a moment later. Raises PipeError where one
    does not show it in time.
    """
    answered: list[str] = []
    for endpoint in endpoints:
        try:
            rest.change("PATCH", endpoint, "/config", change)
        except Unreachable as error:
            context.progress(error.message)
        else:
            answered.append(endpoint)
    if not answered:
        raise PipeError("no member of the cluster answers", "look at the members: make status")
    deadline = time.monotonic() + APPLY_SECONDS
    while answered:
        answered = [e for e, answer in rest.reachable(answered, "/config") if unmet(answer.document, change)]
        if not answered:
            return
        if time.monotonic() > deadline:
            raise PipeError(
                f"the new configuration did not reach {', '.join(answered)} within {APPLY_SECONDS} s",
                "the member may have lost etcd; look at it with: bin/patronictl list",
            )
        context.cancellation.pause(POLL_SECONDS, "waiting until every member has the new configuration")


def _await_return(context: Context, rest: Rest, containers: dict[str, str], limit: int) -> None:
    """Give members that did not start with what is taken back now the time to start again; those that don't, don't."""
    for endpoint, answer in list(rest.reachable(containers, "/patroni")):
        name = answer.document.get("patroni", {}).get("name")
        if name and answer.document.get("state") != "running":
            with contextlib.suppress(PipeError):
                wait(context, rest, name, endpoint, limit, containers[endpoint])


def _await_reload(context: Context, rest: Rest, containers: dict[str, str], parameters: Properties) -> None:
    """Wait until the file of each member that runs has the values from before again; one that is down has no say."""
    for endpoint, answer in list(rest.reachable(containers, "/patroni")):
        if answer.document.get("state") == "running":
            with contextlib.suppress(PipeError):
                accepted.check(context, rest, {endpoint: containers[endpoint]}, parameters, back=True)


def _settle(context: Context, rest: Rest, endpoints: list[str], limit: float) -> None:
    """Give every member the moment that it needs to notice a pending restart; ``limit`` in seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and len(pending(rest, endpoints)) < len(endpoints):
        context.cancellation.pause(POLL_SECONDS, "waiting until every member has reloaded")
