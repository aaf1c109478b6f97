"""``pipe:catalog:Privileges``: the proof that every role may do what the access matrix says, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from provider.errors import Cancelled, PipeError
from provider.resource import Context, Field, Resource, State
from provider.values import Properties

ID = "privileges"
HINTS = (
    "what was taken away by hand comes back with: make up ARGS=--refresh",
    "what was given by hand: REVOKE it as pipe_provisioner, or write it into infra/access/matrix.py",
)
_SHOWN = 30


class Privileges(Resource):
    """Nothing is made. An `up` asks even where no input has changed, and fails by name where something is wrong."""

    token = "pipe:catalog:Privileges"
    description = "Proves effective privileges, connected as each role: what is expected works, all else is denied."
    inputs: ClassVar[dict[str, Field]] = {
        "expected": Field(dict, "Roles, owners and privileges, as the access matrix has them."),
        "passwords": Field(dict, "Passwords of the roles that may log in, by role.", secret=True),
    }
    outputs: ClassVar[dict[str, tuple[type, str]]] = {
        "violations": (list, "What a refresh found not to be as expected, a sentence each; empty otherwise.")
    }

    def compare(self, context: Context, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare inputs; where they are the same, ask. A violation is a change, so that the update runs, and fails.

        In a preview nothing has been granted yet, so where inputs changed there is nothing to ask: the update does.
        Nor is there while the provider's own login is not known yet.
        """
        changed = self.diff(old, new)
        if changed or not context.config.has_server:
            return changed
        try:
            found = _ask(context, new)
        except Cancelled:
            raise
        except PipeError as error:
            context.warning(f"privileges are not compared with the matrix: {error}")
            return {}
        if found:
            context.warning(str(_error(found)))
        return {"violations": False} if found or old.get("violations") else {}

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Ask; raises PipeError that names every violation."""
        if found := _ask(context, new):
            raise _error(found)
        return ID, new | {"violations": []}

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Report what is not as expected. There is nothing to import."""
        if not state:
            return None
        return State(ID, state | {"violations": _ask(context, state)}, inputs)


def _ask(context: Context, properties: Properties) -> list[str]:
    from provider.catalog.ask import ask

    return ask(context, properties["expected"], properties["passwords"])


def _error(found: Sequence[str]) -> PipeError:
    lines = list(found[:_SHOWN])
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more, which make drift shows")
    return PipeError("\n  ".join(["privileges are not what infra/access/matrix.py says:", *lines]), *HINTS)
