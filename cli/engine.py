"""What a stack has on the Docker engine, found by its label."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from cli.errors import UserError

LABEL = "pipe.stack"
TIMEOUT = 60
Kind = Literal["container", "network", "volume"]
# The engine's own, for containers that say nothing.
USUAL_GRACE_S = 10
# The order in which things can go: a container holds on to its network and its volumes.
KINDS: tuple[Kind, ...] = ("container", "network", "volume")


@dataclass(frozen=True)
class Thing:
    kind: Kind
    id: str
    name: str


def client() -> Any:
    """A client of the engine that the caller's docker command would use. Raises UserError when it does not answer."""
    import docker
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    try:
        return docker.APIClient(version="auto", timeout=TIMEOUT, **kwargs_from_env())
    except DockerException as error:
        # docker-py wraps what the system said four times.
        said = re.search(r"\[Errno \d+\] ([^'\")]+)|Error\(\d+, '([^']+)'\)", str(error))
        reason = next(filter(None, said.groups())) if said else str(error)
        raise UserError(
            f"Docker's engine does not answer: {reason}", "`make setup` starts it, or says which DOCKER_HOST to mend."
        ) from None


def labelled(api: Any, stack: str) -> list[Thing]:
    """Everything on the engine that the stack made."""
    mine = {"label": f"{LABEL}={stack}"}
    things = [Thing("container", c["Id"], c["Names"][0].lstrip("/")) for c in api.containers(all=True, filters=mine)]
    things += [Thing("network", n["Id"], n["Name"]) for n in api.networks(filters=mine)]
    things += [Thing("volume", v["Name"], v["Name"]) for v in api.volumes(filters=mine)["Volumes"] or []]
    return things


def remove(api: Any, things: Iterable[Thing], *, gently: bool = False) -> list[str]:
    """Remove things, containers first; returns a sentence for each that stayed.

    `gently`: a container is stopped first and has the time that it was made with, as where its data stays.
    """
    from docker.errors import APIError, NotFound

    def remove_container(id_: str) -> None:
        if gently:
            grace = api.inspect_container(id_)["Config"].get("StopTimeout") or USUAL_GRACE_S
            api.stop(id_, timeout=grace)
        api.remove_container(id_, force=True, v=True)

    actions: dict[Kind, Callable[[str], Any]] = {
        "container": remove_container,
        "network": api.remove_network,
        "volume": api.remove_volume,
    }
    failures = []
    for thing in sorted(things, key=lambda thing: KINDS.index(thing.kind)):
        try:
            actions[thing.kind](thing.id)
        except NotFound:
            continue
        except APIError as error:
            failures.append(f'{thing.kind} "{thing.name}" stays: {error.explanation or error}')
    return failures
