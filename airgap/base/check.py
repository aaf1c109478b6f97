"""Checks inputs against the schema: names, types, choices, what is required, what the stand-in does not have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from airgap.base.diff import child
from airgap.base.schema import Property, ResourceSchema
from airgap.base.values import UNKNOWN

_ARTICLES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "map": "a map",
}


@dataclass(frozen=True)
class Failure:
    """One input that is refused: the path of the property as the user wrote it, and the rule that it breaks."""

    property: str
    reason: str


def check_against_schema(
    schema: ResourceSchema, inputs: Mapping[str, Any], unsupported: Mapping[str, str], label: str
) -> Iterator[Failure]:
    """Yields every input that the schema does not know, that has the wrong type, or that the stand-in lacks.

    `unsupported` maps a property path without indices (`build.cacheFrom`) to what to use instead; `label` names the
    stand-in, such as "the air-gapped docker provider".
    """
    for name, value in inputs.items():
        found = schema.inputs.get(name)
        if found is None:
            yield Failure(name, _unknown(name, schema.inputs))
        else:
            yield from _check_value(name, name, value, found, unsupported, label)
    for name in schema.required:
        if inputs.get(name) is None:
            yield Failure(name, "is required, but no value was given")


def _check_value(
    path: str, plain: str, value: Any, schema: Property, unsupported: Mapping[str, str], label: str
) -> Iterator[Failure]:
    if value is None or value is UNKNOWN:
        return
    if plain in unsupported:
        yield Failure(path, f"is not supported by {label}: {unsupported[plain]}")
        return
    kind = schema.kind
    if not _has_kind(value, kind):
        yield Failure(path, f"must be {_ARTICLES[kind]}, but is {_describe(value)}")
    elif schema.choices and value not in schema.choices:
        yield Failure(path, f"must be one of {', '.join(map(str, schema.choices))}")
    elif kind == "array":
        for index, item in enumerate(value):
            yield from _check_value(child(path, index), plain, item, schema.element, unsupported, label)
    elif kind == "map":
        for key, item in value.items():
            yield from _check_value(child(path, key), plain, item, schema.element, unsupported, label)
    elif kind == "object":
        for key, item in value.items():
            inner = schema.fields.get(key)
            if inner is None:
                yield Failure(child(path, key), _unknown(key, schema.fields))
            else:
                yield from _check_value(child(path, key), f"{plain}.{key}", item, inner, unsupported, label)
        for key in schema.required:
            if value.get(key) is None:
                yield Failure(child(path, key), "is required, but no value was given")


def _has_kind(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object" | "map":
            return isinstance(value, Mapping)
        case _:
            return True


def _describe(value: Any) -> str:
    """The type of a value, never the value: it may be secret."""
    match value:
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case pulumi.Asset() | pulumi.Archive():
            return "an asset"
        case _:
            return "an object"


def _unknown(name: str, known: Iterable[str]) -> str:
    closest = difflib.get_close_matches(name, list(known), n=1)
    return "is not a property of this resource" + (f"; did you mean '{closest[0]}'?" if closest else "")
