"""Plain Python values on one side, Pulumi's property values on the other.

Resources see dicts, lists, strings, booleans, ints and floats; a value that a preview cannot know is `UNKNOWN`.
Secrets arrive unwrapped, because the providers tell the engine that they take none: the engine then marks every output
whose input was secret by itself, as it does for the official providers. Outputs that the schema calls secret are marked
on the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_ON_THE_WIRE

Properties: TypeAlias = dict[str, Any]


class Unknown:
    """The type of `UNKNOWN`, a value that is only known once another resource exists."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value has no truth; ask `is UNKNOWN` or `has_unknown(value)` first")

    def __copy__(self) -> Unknown:
        return self

    def __deepcopy__(self, memo: Any) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


def has_unknown(value: Any) -> bool:
    """Whether the value is unknown or holds something unknown at any depth."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return False


def is_empty(value: Any) -> bool:
    """Whether the value says nothing: official providers treat null, false, zero and what is empty as one."""
    return value is not UNKNOWN and not value


def from_wire(value: PropertyValue) -> Any:
    """One property value as plain Python; internal keys (`__defaults`, `__meta`) are left out at every depth."""
    inner = value.value
    if isinstance(inner, Computed) or inner == UNKNOWN_ON_THE_WIRE:
        return UNKNOWN
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return {key: from_wire(item) for key, item in inner.items() if not key.startswith("__")}
    if isinstance(inner, tuple):
        return [from_wire(item) for item in inner]
    return inner


def map_from_wire(values: Mapping[str, PropertyValue]) -> Properties:
    """A whole property map as a dict; nulls and internal keys are left out."""
    plain = {key: from_wire(item) for key, item in values.items() if not key.startswith("__")}
    return {key: item for key, item in plain.items() if item is not None}


def to_wire(value: Any) -> PropertyValue:
    """One plain value as a property value; raises TypeError for types that Pulumi does not know."""
    if value is UNKNOWN:
        return PropertyValue(UNKNOWN_ON_THE_WIRE)
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    if isinstance(value, Mapping):
        return PropertyValue({str(key): to_wire(item) for key, item in value.items() if item is not None})
    if isinstance(value, list | tuple | set | frozenset):
        return PropertyValue([to_wire(item) for item in value])
    return PropertyValue(value)


def map_to_wire(values: Mapping[str, Any], secrets: Iterable[str] = ()) -> dict[str, PropertyValue]:
    """A dict as a property map without its nulls; the properties named in `secrets` are marked secret."""
    marked = frozenset(secrets)
    wire = {key: to_wire(item) for key, item in values.items() if item is not None}
    return {key: item.with_secret(True) if key in marked else item for key, item in wire.items()}
