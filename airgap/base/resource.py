"""What a stand-in implements for each resource type; `airgap.base` says how, this file has the types."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from airgap.base.check import Failure
from airgap.base.diff import Change, Diff, Kind, compare
from airgap.base.errors import Cancelled
from airgap.base.schema import ResourceSchema
from airgap.base.values import UNKNOWN, Properties, has_unknown, is_empty


@dataclass(frozen=True)
class Created:
    """What a create made: its id and its outputs; inputs that are outputs as well are added by the base."""

    id: str
    state: Properties = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What a read found. `state` holds real values of inputs and outputs; `inputs`, when None, is derived from them."""

    state: Properties
    inputs: Properties | None = None
    id: str | None = None


LogFunction = Callable[[str, str, bool], None]


@dataclass(frozen=True)
class Context:
    """What a call knows beside its values. `config` is the provider's configuration as plain values."""

    urn: str
    config: Properties
    timeout: float
    random_seed: bytes
    cancelled: threading.Event
    connect: Callable[[], Any]
    write_log: LogFunction

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rpartition("::")[2]

    @property
    def client(self) -> Any:
        """What the provider's `connect` function returns; made once, at the first use, shared by all calls."""
        return self.connect()

    def info(self, message: str) -> None:
        """A diagnostic on this resource that stays."""
        self.write_log("info", message, False)

    def warning(self, message: str) -> None:
        """A warning on this resource."""
        self.write_log("warning", message, False)

    def debug(self, message: str) -> None:
        """Seen with `--debug` only."""
        self.write_log("debug", message, False)

    def progress(self, message: str) -> None:
        """Shown beside the resource while it is worked on, then gone."""
        self.write_log("info", message, True)

    def pause(self, seconds: float, doing: str = "waiting") -> None:
        """Waits between two polls; raises Cancelled at once when the user presses Ctrl-C."""
        if self.cancelled.wait(seconds):
            raise Cancelled(doing)


class Resource(ABC):
    """One resource type. The class variables say what the official provider does beyond its schema."""

    defaults: ClassVar[Mapping[str, Any]] = {}
    """Values that the official provider fills in for omitted inputs."""

    computed: ClassVar[frozenset[str]] = frozenset()
    """Inputs that the real object decides when omitted: an omitted one is never a difference."""

    unordered: ClassVar[frozenset[str]] = frozenset()
    """List inputs that are sets: their order is no difference."""

    unsupported: ClassVar[Mapping[str, str]] = {}
    """Input paths without indices (`build.cacheFrom`) that this stand-in refuses -> what to use instead."""

    autoname: ClassVar[str | None] = None
    """The input that gets `<logical name>-<7 hex digits>` when omitted."""

    volatile: ClassVar[frozenset[str]] = frozenset()
    """Outputs whose value after an update only the update knows."""

    state_version: ClassVar[int] = 0
    """The official provider's schema version of this type, so that it reads our state without migrating it."""

    def __init__(self, schema: ResourceSchema) -> None:
        self.schema = schema

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        """Rules beyond the schema; may fill in more inputs. They hold their defaults already; values may be UNKNOWN."""
        return []

    def normalise(self, values: Properties) -> Properties:
        """Brings inputs, wanted or actual, to one form before they are compared; must not change its argument."""
        return values

    def diff(self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties) -> Diff:
        """Compares every input with the state; override to add or drop changes."""
        return Diff(tuple(self.changes(state, old_inputs, inputs)))

    @abstractmethod
    def create(self, context: Context, inputs: Properties) -> Created:
        """Makes the object. Raise ProviderError when nothing was made, InitFailed when something half-made remains."""

    @abstractmethod
    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        """Looks at the real object; None only when it is definitely gone. `state` is empty on an import."""

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        """Changes the object in place and returns its outputs, as in `Created`. Not needed when all changes replace."""
        raise NotImplementedError(f"{self.schema.token} has no change that is made in place")

    @abstractmethod
    def delete(self, context: Context, id: str, state: Properties) -> None:
        """Removes the object; an object that is gone already is fine."""

    def planned(self, state: Properties, inputs: Properties) -> Properties:
        """The outputs that a preview shows: inputs, what the state keeps, UNKNOWN for the rest. Rarely overridden."""
        known = {name: value for name, value in inputs.items() if name in self.schema.outputs}
        for name in self.schema.outputs:
            if name in known:
                continue
            if not state or name in self.volatile:
                if name not in self.schema.inputs or name in self.computed:
                    known[name] = UNKNOWN
            elif name not in self.schema.inputs or name in self.computed:
                known[name] = state.get(name)
        return known

    def changes(self, state: Properties, old_inputs: Properties, inputs: Properties) -> list[Change]:
        """The generic comparison: wanted inputs against the state, or the old inputs where the state is silent."""
        actual = {name: state.get(name, old_inputs.get(name)) for name in self.schema.inputs}
        # An unknown hides the form of what surrounds it, so only complete values are brought to one form.
        known = {name: value for name, value in inputs.items() if not has_unknown(value)}
        new = {**inputs, **self.normalise(known)}
        old = self.normalise({name: value for name, value in actual.items() if value is not None})
        found: list[Change] = []
        for name, schema in self.schema.inputs.items():
            if name not in new and name in self.computed:
                continue
            found.extend(compare(name, old.get(name), new.get(name), schema, unordered=name in self.unordered))
        return found

    def inputs_from(self, state: Properties, old_inputs: Properties) -> Properties:
        """The inputs that describe the real object: the old ones where they still hold, else what was found.

        On an import there are no old ones: every input that is neither empty nor a default is taken.
        """
        if not old_inputs:
            return {
                name: value
                for name, value in state.items()
                if name in self.schema.inputs and (name in self.defaults or not is_empty(value))
            }
        drifted = {change.root for change in self.changes(state, old_inputs, old_inputs)}
        kept = {name: value for name, value in old_inputs.items() if name not in drifted}
        found = {name: state[name] for name in drifted if name in state and not is_empty(state[name])}
        return {**kept, **found}


__all__ = ["Change", "Context", "Created", "Diff", "Failure", "Found", "Kind", "Resource"]
