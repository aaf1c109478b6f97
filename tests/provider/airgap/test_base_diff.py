"""What counts as a difference, and under which path it is shown."""

from __future__ import annotations

from typing import Any

import pytest

from airgap.base.diff import Change, Kind, child, compare
from airgap.base.schema import Property
from airgap.base.values import UNKNOWN

TYPES = {
    "t:Label": {
        "properties": {"label": {"type": "string"}, "value": {"type": "string", "willReplaceOnChanges": True}},
    }
}
TEXT = Property({"type": "string"}, TYPES)
LABELS = Property({"type": "array", "items": {"$ref": "#/types/t:Label"}}, TYPES)
OPTIONS = Property({"type": "object", "additionalProperties": {"type": "string"}, "willReplaceOnChanges": True}, TYPES)


def changes(old: Any, new: Any, schema: Property, **more: Any) -> list[Change]:
    return list(compare("p", old, new, schema, **more))


@pytest.mark.parametrize(("old", "new"), [(None, ""), (0, None), (False, None), ([], None), ({}, None), ("a", "a")])
def test_nothing_is_no_difference(old: Any, new: Any) -> None:
    assert changes(old, new, TEXT) == []


def test_added_removed_and_changed_are_told_apart() -> None:
    assert changes(None, "a", TEXT) == [Change("p", Kind.ADD)]
    assert changes("a", None, TEXT) == [Change("p", Kind.DELETE)]
    assert changes("a", "b", TEXT) == [Change("p", Kind.UPDATE)]


def test_an_unknown_value_may_be_anything_and_so_differs() -> None:
    assert changes("a", UNKNOWN, TEXT) == [Change("p", Kind.UPDATE)]


def test_the_path_leads_to_the_leaf_and_the_leaf_says_whether_it_replaces() -> None:
    old, new = [{"label": "a", "value": "1"}], [{"label": "b", "value": "2"}]
    assert changes(old, new, LABELS) == [Change("p[0].label"), Change("p[0].value", replace=True)]


def test_what_lies_below_a_replacing_property_replaces() -> None:
    assert changes({"max-size": "1"}, {"max-size": "2"}, OPTIONS) == [Change('p["max-size"]', replace=True)]


def test_a_set_has_no_order() -> None:
    one, two = {"label": "a", "value": "1"}, {"label": "b", "value": "2"}
    assert changes([one, two], [two, one], LABELS, unordered=True) == []
    assert changes([one, two], [two], LABELS, unordered=True) == [Change("p[0]", Kind.DELETE)]
    assert changes([two], [one, two], LABELS, unordered=True) == [Change("p[0]", Kind.ADD)]


def test_keys_that_are_no_names_are_quoted() -> None:
    assert child("a", "b") == "a.b"
    assert child("a", 0) == "a[0]"
    assert child("a", 'x"y') == 'a["x\\"y"]'
