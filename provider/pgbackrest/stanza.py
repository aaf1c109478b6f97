"""``pipe:pgbackrest:Stanza``: pgBackRest's place for one cluster in the repository."""

from __future__ import annotations

from typing import ClassVar

from provider.errors import PipeError
from provider.pgbackrest.info import Info, parse
from provider.pgbackrest.run import Container, retrying
from provider.resource import Context, Field, Resource, State
from provider.values import Properties

# The hosts' servers start at the same time as this; they answer within seconds.
CONNECT_SECONDS = 60
_PAUSE_SECONDS = 0.5
# No host or no primary reached yet (host-connect, db-connect, protocol, service); somebody else holds the lock.
NOT_YET = frozenset({39, 49, 50, 56, 101})
ERRORS_ONLY = ["--log-level-console=off", "--log-level-stderr=warn"]


class Stanza(Resource):
    """A stanza. Its id is its name."""

    token = "pipe:pgbackrest:Stanza"
    description = "pgBackRest's stanza, created in the repository's container; deleting leaves the backups alone."
    inputs: ClassVar[dict[str, Field]] = {
        "container": Field(str, "Container in which pgBackRest runs."),
        "stanza": Field(str, "The stanza's name.", replaces=True),
        "user": Field(str, "Operating-system user inside the container.", required=False),
        "triggers": Field(list, "Values whose change runs stanza-create again.", required=False),
    }
    outputs: ClassVar[dict[str, tuple[type, str]]] = {
        "systemId": (str, "The cluster's system identifier, as the repository knows it.")
    }

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Create it; a stanza that is there and fits is left as it is."""
        container = create_stanza(context, new)
        found = look(container, new["stanza"])
        return new["stanza"], new | {"systemId": found.system_id if found else None}

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Ask the repository; None only when it has no such stanza. An import gives "container/stanza"."""
        if not state.get("container"):
            container, _, id_ = id_.partition("/")
            inputs = {"container": container, "stanza": id_}
            state = inputs
        found = look(Container(context, state["container"], state.get("user")), id_)
        return State(id_, state | {"systemId": found.system_id}, inputs) if found else None


def create_stanza(context: Context, new: Properties) -> Container:
    """Create the stanza in every repository that lacks it, and return the container in which that was done."""
    stanza, container = new["stanza"], Container(context, new["container"], new.get("user"))
    doing = f'creating the stanza "{stanza}"'
    arguments = [f"--stanza={stanza}", *ERRORS_ONLY, "stanza-create"]
    result = retrying(context, doing, CONNECT_SECONDS, _PAUSE_SECONDS, NOT_YET, lambda: container.run(arguments))
    if result.code:
        raise PipeError(
            f"{doing} failed: {result.error}",
            f"see what pgBackRest reaches: docker exec {new['container']} pgbackrest --stanza={stanza} check",
        )
    return container


def look(container: Container, stanza: str) -> Info | None:
    """Return what the repository knows of a stanza; raises PipeError where it cannot tell."""
    result = container.run([f"--stanza={stanza}", *ERRORS_ONLY, "--output=json", "info"])
    if result.code:
        raise PipeError(f'reading the stanza "{stanza}" failed: {result.error}', "run: bin/pgbackrest info")
    return parse(result.stdout, stanza)
