"""What the base refuses by itself, from the schema alone."""

from __future__ import annotations

from typing import Any

import pytest

from airgap.base.check import Failure, check_against_schema
from airgap.base.schema import Property, ResourceSchema
from airgap.base.values import UNKNOWN

TYPES = {
    "t:Label": {
        "properties": {"label": {"type": "string"}, "value": {"type": "string"}},
        "required": ["label"],
    },
    "t:Choice": {"type": "string", "enum": [{"value": "a"}, {"value": "b"}]},
}
SPECS: dict[str, Any] = {
    "name": {"type": "string"},
    "count": {"type": "integer"},
    "share": {"type": "number"},
    "on": {"type": "boolean"},
    "labels": {"type": "array", "items": {"$ref": "#/types/t:Label"}},
    "one": {"$ref": "#/types/t:Label"},
    "choice": {"$ref": "#/types/t:Choice"},
    "options": {"type": "object", "additionalProperties": {"type": "string"}},
    "anything": {"$ref": "pulumi.json#/Any"},
}
SCHEMA = ResourceSchema("t:r", {name: Property(spec, TYPES) for name, spec in SPECS.items()}, ("name",), {})


def failures(inputs: dict[str, Any], unsupported: dict[str, str] | None = None) -> list[Failure]:
    return list(check_against_schema(SCHEMA, {"name": "x", **inputs}, unsupported or {}, "the stand-in"))


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"nmae": 1}, "nmae", "is not a property of this resource; did you mean 'name'?"),
        ({"zzz": 1}, "zzz", "is not a property of this resource"),
        ({"name": 1}, "name", "must be a string, but is a number"),
        ({"count": "1"}, "count", "must be a whole number, but is a string"),
        ({"count": 1.5}, "count", "must be a whole number, but is a number"),
        ({"count": True}, "count", "must be a whole number, but is a boolean"),
        ({"on": "true"}, "on", "must be true or false, but is a string"),
        ({"labels": {}}, "labels", "must be a list, but is an object"),
        ({"labels": [{"label": 1}]}, "labels[0].label", "must be a string, but is a number"),
        ({"labels": [{"value": "v"}]}, "labels[0].label", "is required, but no value was given"),
        (
            {"one": {"label": "a", "vaule": "v"}},
            "one.vaule",
            "is not a property of this resource; did you mean 'value'?",
        ),
        ({"choice": "c"}, "choice", "must be one of a, b"),
        ({"options": {"max-size": 1}}, 'options["max-size"]', "must be a string, but is a number"),
        ({"name": None}, "name", "is required, but no value was given"),
    ],
)
def test_refused(inputs: dict[str, Any], path: str, reason: str) -> None:
    assert failures(inputs) == [Failure(path, reason)]


@pytest.mark.parametrize(
    "inputs",
    [
        {"count": 3, "share": 3, "on": False, "choice": "a", "options": {"a": "b"}},
        {"share": 0.5, "labels": [], "one": {"label": "a"}},
        {"name": UNKNOWN, "labels": UNKNOWN, "one": {"label": UNKNOWN}, "count": UNKNOWN},
        {"anything": {"x": [1, "2"]}},
    ],
)
def test_accepted(inputs: dict[str, Any]) -> None:
    assert failures(inputs) == []


def test_what_the_stand_in_lacks_is_refused_with_a_way_out() -> None:
    unsupported = {"one.value": "leave it out", "labels.value": "leave it out"}
    assert failures({"one": {"label": "a", "value": "b"}, "labels": [{"label": "a", "value": "b"}]}, unsupported) == [
        Failure("one.value", "is not supported by the stand-in: leave it out"),
        Failure("labels[0].value", "is not supported by the stand-in: leave it out"),
    ]


def test_a_value_is_never_part_of_the_reason() -> None:
    assert all("hush" not in failure.reason for failure in failures({"count": "hush", "choice": "hush", "on": "hush"}))
