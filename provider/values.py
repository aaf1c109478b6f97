"""Between Pulumi's property values and plain Python: whole numbers become ``int``, unknowns become ``UNKNOWN``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pulumi.provider.experimental.property_value import Computed, PropertyValue

Properties = dict[str, Any]

# How an unknown travels: Pulumi's property values have a type for it but neither read nor write it. One text a type.
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = frozenset(
    {
        _UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class Unknown:
    """The type of ``UNKNOWN``: a value that is known only after an update. Equal to nothing, not even to itself."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def plain(value: PropertyValue) -> Any:
    """Convert one property value; secrets lose their mark (see :func:`secret_keys`)."""
    inner = value.value
    if isinstance(inner, Computed) or (isinstance(inner, str) and inner in _UNKNOWNS):
        return UNKNOWN
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [plain(item) for item in inner]
    return inner


def plain_map(values: Mapping[str, PropertyValue]) -> Properties:
    """Convert a resource's properties; those that are null are left out, as if never given."""
    result = {key: plain(value) for key, value in values.items()}
    return {key: value for key, value in result.items() if value is not None}


def secret_keys(values: Mapping[str, PropertyValue]) -> set[str]:
    """Return the names of the properties that are secret or hold a secret."""
    return {key for key, value in values.items() if value.contains_secret()}


def wire(value: Any) -> PropertyValue:
    """Convert a plain value back."""
    if isinstance(value, Unknown):
        return PropertyValue(_UNKNOWN_STRING)
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    if isinstance(value, Mapping):
        return PropertyValue({str(key): wire(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return PropertyValue([wire(item) for item in value])
    return PropertyValue(value)


def wire_map(values: Mapping[str, Any], secrets: set[str] | frozenset[str] = frozenset()) -> dict[str, PropertyValue]:
    """Convert a resource's properties back, marking the secret ones."""
    return {key: wire(value).with_secret(key in secrets) for key, value in values.items()}


def has_unknown(value: Any) -> bool:
    """Say whether a plain value is unknown or holds an unknown."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(has_unknown(item) for item in value)
