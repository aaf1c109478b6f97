"""Pending restarts and the rolling restart: one node at a time, replicas first, the leader last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider import engine
from provider.errors import PipeError
from provider.patroni.member import WAY_BACK, await_successor, evidence, hand_over_from, wait
from provider.patroni.plan import leads, restart_order
from provider.patroni.release import while_away
from provider.patroni.rest import Rest
from provider.resource import Context

# A lowered limit (max_connections, ...) takes effect on replicas only after the leader has it: they restart once more.
_ROUNDS = 3
# Patroni answers a restart when it is done: its own limit comes first, then ours.
_ANSWER_MARGIN_SECONDS = 15


def pending(rest: Rest, endpoints: list[str]) -> dict[str, list[str]]:
    """Return the members that must restart, each with the parameters that wait for it."""
    result: dict[str, list[str]] = {}
    for _, answer in rest.reachable(endpoints, "/patroni"):
        if answer.document.get("pending_restart"):
            result[_name(answer.document)] = sorted(answer.document.get("pending_restart_reason", {})) or ["(unknown)"]
    return result


def roll(context: Context, rest: Rest, containers: Mapping[str, str], limit: int) -> None:
    """Restart the members that wait for it, each until it leads or streams again; ``limit`` in seconds a member.

    ``containers``: REST address -> the container behind it, whose log says why one does not come back.
    """
    for _ in range(_ROUNDS):
        found = {_name(a.document): (e, a.document) for e, a in rest.reachable(containers, "/patroni")}
        roles = {name: str(status.get("role")) for name, (_, status) in found.items() if status.get("pending_restart")}
        if not roles:
            return
        for number, name in enumerate(restart_order(roles), 1):
            endpoint = found[name][0]
            if leads(roles[name]) and _hand_over(context, rest, name, endpoint, list(containers)):
                wait(context, rest, name, endpoint, limit, containers[endpoint])
                # Who hands over starts anew as a replica, and with that it is done.
                if not pending(rest, [endpoint]):
                    continue
            context.info(f'restarts member "{name}" ({roles[name]}), {number} of {len(roles)}')
            with while_away(rest, list(containers), name, endpoint):
                _restart(context, rest, name, endpoint, limit, containers[endpoint])
            wait(context, rest, name, endpoint, limit, containers[endpoint])


def _hand_over(context: Context, rest: Rest, member: str, endpoint: str, endpoints: list[str]) -> bool:
    """Let the leader hand over to a replica that has the new parameters; say whether it did.

    A limit that was lowered no replica has before its leader has it: then the leader restarts as it is.
    """
    if pending(rest, [other for other in endpoints if other != endpoint]):
        return False
    if not await_successor(context, rest, endpoint, endpoints):
        return False
    context.info(f'member "{member}" leads and hands over before it restarts')
    hand_over_from(context, rest, [endpoint])
    return True


def _restart(context: Context, rest: Rest, member: str, endpoint: str, limit: int, container: str) -> None:
    """Restart one member where it still waits for it; raises PipeError with Patroni's words and the log's."""
    body = {"restart_pending": True, "timeout": limit}
    answer = rest.send("POST", endpoint, "/restart", body, timeout=limit + _ANSWER_MARGIN_SECONDS)
    # 503 also says that the condition (a pending restart) no longer holds: who handed over has started anew already.
    if answer.status == 200 or (answer.status == 503 and "conditions" in str(answer.body)):
        return
    raise PipeError(
        f'member "{member}" was not restarted: {str(answer.body).strip()} (status {answer.status})',
        *evidence(engine.look(context.config, container), container),
        WAY_BACK,
    )


def _name(status: dict[str, Any]) -> str:
    return str(status.get("patroni", {}).get("name", "?"))
