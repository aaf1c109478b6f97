"""What the state has and the engine has not: containers that somebody removed, or lost with a disk.

Pulumi believes its state: it makes nothing anew. A refresh looks, but at all at once, also at roles and grants, and
those cannot be read while the proxy that leads to them is what is missing. So what is missing is looked for here, and
only that is refreshed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cli import engine, state
from cli.engine import Kind, Thing
from cli.errors import UserError
from cli.recover import ALLOW, CONTAINER, NETWORK
from cli.session import Session
from cli.state import State

VOLUME = "docker:index/volume:Volume"
_KINDS: Mapping[str, Kind] = {CONTAINER: "container", NETWORK: "network", VOLUME: "volume"}


def find(things: Iterable[Thing], known: State) -> list[Mapping[str, Any]]:
    """Return the resources of the state that are not on the engine."""
    there = {(thing.kind, thing.id) for thing in things}
    made = (one for one in known.resources if one.get("type") in _KINDS and one.get("id") and not one.get("delete"))
    return [one for one in made if (_KINDS[one["type"]], str(one["id"])) not in there]


def forget(session: Session, known: State) -> None:
    """Take what is missing out of the state, so that the next update makes it; what was in a volume is gone.

    Raises UserError where nothing of the stack is there, which may be another engine; where etcd's data is gone: an
    empty store in its place would let any member lead, also one that lacks commits; and where the state protects it.
    """
    allowed = session.environ.get(ALLOW) == "1"
    things = engine.labelled(engine.client(), session.stack)
    missing = find(things, known)
    if not missing:
        return
    if not things and not allowed:
        raise UserError(
            f'nothing of stack "{session.stack}" is on this Docker engine, and its state has {len(missing)} objects',
            f"is DOCKER_HOST the right one? If all of them are lost: {ALLOW}=1 makes them anew, and empty.",
        )
    names = state.names(missing)
    lost = [name for name in names if re.fullmatch(r"etcd-\d+-data", name)]
    if lost and _has_data(things) and not allowed:
        raise UserError(
            f'etcd of stack "{session.stack}" has lost its data ({", ".join(lost)})',
            f"docs/disaster-runbook.md, etcd, says what goes before; then run again with {ALLOW}=1.",
        )
    if protected := [one for one in missing if one.get("protect")]:
        raise UserError(
            f'{", ".join(state.names(protected))} of stack "{session.stack}" is gone from the engine, and its state '
            "protects it",
            f"what was in it does not come back; if that is so, STACK={session.stack} bin/pulumi state unprotect "
            + " ".join(f"'{one['urn']}'" for one in protected),
        )
    print(f"recovering: {', '.join(names)} {'is' if len(names) == 1 else 'are'} gone from the engine", flush=True)
    targets = [word for one in missing for word in ("--target", str(one["urn"]))]
    done = session.ask("refresh", "--yes", "--skip-preview", "--stack", session.stack, *targets)
    if done.returncode != 0:
        raise UserError(
            f'the state of stack "{session.stack}" cannot be compared with the engine: {done.stderr.strip()}',
            f"`STACK={session.stack} bin/pulumi refresh` says more.",
        )


def _has_data(things: Iterable[Thing]) -> bool:
    """Say whether a member's volume is there."""
    return any(thing.kind == "volume" and re.search(r"-member-\d+-data$", thing.name) for thing in things)
