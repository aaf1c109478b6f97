"""What every resource of the provider is: declared inputs, a diff that follows from them, and the lifecycle methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from provider.runtime import Cancellation, Reporter
from provider.values import UNKNOWN, Properties, has_unknown

if TYPE_CHECKING:
    from provider.config import Config
    from provider.sql.connection import Database

_TYPE_NAMES: dict[type, str] = {str: "string", int: "integer", list: "array", dict: "object"}


@dataclass(frozen=True)
class Field:
    """One input: its type, whether it must be given, whether a change replaces the resource."""

    type: type
    description: str
    required: bool = True
    replaces: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()
    of_objects: bool = False
    """Whether a list holds objects; any other holds strings."""
    kept: bool = True
    """Whether the state's outputs have it too; without, a change of it is no addition."""


@dataclass(frozen=True)
class Fault:
    """A faulty input, by the name that the user wrote."""

    name: str
    reason: str


@dataclass(frozen=True)
class State:
    """What a read found: id, outputs, and inputs as they would have to be written to get there."""

    id: str
    outputs: Properties
    inputs: Properties


@dataclass
class Context:
    """What a resource works with: configuration, the shared database connection, reports on its URN, cancellation."""

    urn: str
    config: Config
    database: Database
    reporter: Reporter
    cancellation: Cancellation = field(default_factory=Cancellation)

    def progress(self, message: str) -> None:
        """Show what is being waited for."""
        self.reporter.progress(self.urn, message)

    def info(self, message: str) -> None:
        """Tell something that stays readable."""
        self.reporter.info(self.urn, message)

    def warning(self, message: str) -> None:
        """Warn."""
        self.reporter.warning(self.urn, message)


class Resource(ABC):
    """Base of all resources. Methods are blocking and run in a thread; they raise PipeError for expected failures."""

    token: ClassVar[str]
    description: ClassVar[str]
    inputs: ClassVar[dict[str, Field]]
    # Outputs that are not inputs as well: name -> (type, description).
    outputs: ClassVar[dict[str, tuple[type, str]]] = {}

    def check(self, old: Properties | None, new: Properties) -> Iterator[Fault]:
        """Yield every faulty input; ``old`` are the inputs of the last update, None for a new resource."""
        for name in sorted(new.keys() - self.inputs.keys()):
            yield Fault(name, f"is not an input of {self.token}; there are: {', '.join(self.inputs)}")
        for name, declared in self.inputs.items():
            yield from _check_field(name, declared, new)

    def diff(self, old: Properties, new: Properties) -> dict[str, bool]:
        """Return the inputs that changed, each with whether it replaces the resource. ``old`` is the state."""
        names = (name for name in self.inputs if old.get(name) != new.get(name))
        return {name: self.inputs[name].replaces for name in names}

    def compare(self, context: Context, old: Properties, new: Properties) -> dict[str, bool]:
        """Return what :meth:`diff` finds; a resource that has to look at the real object as well overrides this.

        A changed output may be named too. Called in previews, in updates and, with what a read found as ``old``, in
        refreshes: a read that reports something to the user has to be a change here.
        """
        del context
        return self.diff(old, new)

    def preview(self, context: Context, old: Properties | None, new: Properties) -> Properties:
        """Return the outputs as far as they are known before a create (``old`` is None) or an update."""
        del context, old
        return new | dict.fromkeys(self.outputs, UNKNOWN)

    @abstractmethod
    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Make it; return its id and outputs."""

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Return what is there, or None only when it is definitely gone. An import has no state."""
        del context
        return State(id_, state, inputs)

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Change it in place; return its outputs. By default the same as making it."""
        del id_, old
        return self.create(context, new)[1]

    def delete(self, context: Context, id_: str, state: Properties) -> None:
        """Remove it. By default nothing exists outside Pulumi's state."""
        del context, id_, state


def _check_field(name: str, declared: Field, new: Properties) -> Iterator[Fault]:
    value: Any = new.get(name)
    if value is None:
        if declared.required:
            yield Fault(name, "is missing")
    elif has_unknown(value):
        return
    elif not isinstance(value, declared.type) or isinstance(value, bool):
        yield Fault(name, f"must be of type {_TYPE_NAMES[declared.type]}, not {type(value).__name__}")
    elif declared.choices and value not in declared.choices:
        yield Fault(name, f'is "{value}"; allowed are: {", ".join(declared.choices)}')
