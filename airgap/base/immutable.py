"""Resources that live in the state only: made once from chance or arithmetic, replaced when an input changes.

The official schemas of such providers do not say which inputs replace, because all but a few do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from airgap.base.diff import Change, Diff
from airgap.base.errors import ProviderError
from airgap.base.resource import Context, Found, Resource
from airgap.base.values import Properties


class Immutable(Resource):
    """A resource whose state is all there is of it."""

    in_place: ClassVar[frozenset[str]] = frozenset()
    """Inputs that change without a replacement."""

    def diff(self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties) -> Diff:
        """Every change replaces, but those of `in_place`."""
        changes = self.changes(state, old_inputs, inputs)
        return Diff(tuple(replace(change, replace=self.replaces(change, state)) for change in changes))

    def replaces(self, change: Change, state: Properties) -> bool:
        """Whether a change of an input makes a new object."""
        return change.root not in self.in_place

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        """The state as it is; with an empty one, the object that the id to import describes."""
        return Found(state) if state else self.imported(id)

    def imported(self, id: str) -> Found:
        """What an import by `id` gives. Raises ProviderError when the id says too little."""
        kind = self.schema.token.rpartition(":")[2]
        raise ProviderError(f"a {kind} can't be imported", "its value is only in the state: create a new one")

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        """Takes over the inputs that change in place; the outputs stay."""
        return {}

    def delete(self, context: Context, id: str, state: Properties) -> None:
        """Nothing exists outside the state."""
