"""Compares what is with what is wanted, property by property, down to the path that differs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from airgap.base.schema import Property
from airgap.base.values import UNKNOWN, is_empty

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")


class Kind(Enum):
    """What happened to a property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Change:
    """One property path (`labels[0].value`) that differs, and whether that replaces the resource."""

    path: str
    kind: Kind = Kind.UPDATE
    replace: bool = False

    @property
    def root(self) -> str:
        """The top-level property that the path starts with."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


@dataclass(frozen=True)
class Diff:
    """All changes of a resource; `delete_before_replace` when both could never exist at once."""

    changes: tuple[Change, ...] = ()
    delete_before_replace: bool = False

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def replaces(self) -> bool:
        """Whether any change needs a replacement."""
        return any(change.replace for change in self.changes)


def child(path: str, key: str | int) -> str:
    """The path of an element: `a.b`, `a[0]`, or `a["max-size"]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN_KEY.match(key):
        return f"{path}.{key}" if path else key
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{escaped}"]'


def compare(
    path: str, old: Any, new: Any, schema: Property, replace: bool = False, unordered: bool = False
) -> Iterator[Change]:
    """Yields what differs at and below `path`.

    `replace` is inherited: a property below one that replaces does so, too. `unordered` compares lists as sets:
    elements that are in both are equal wherever they stand.
    """
    replace = replace or schema.replaces
    if new is UNKNOWN:
        yield Change(path, Kind.UPDATE if not is_empty(old) else Kind.ADD, replace)
    elif old == new or (is_empty(old) and is_empty(new)):
        return
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            inner = schema.fields.get(key, Property({}, {})) if schema.kind == "object" else schema.element
            yield from compare(child(path, key), old.get(key), new.get(key), inner, replace)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _compare_lists(path, old, new, schema.element, replace, unordered)
    else:
        kind = Kind.ADD if is_empty(old) else Kind.DELETE if is_empty(new) else Kind.UPDATE
        yield Change(path, kind, replace)


def _compare_lists(
    path: str, old: list[Any], new: list[Any], element: Property, replace: bool, unordered: bool
) -> Iterator[Change]:
    left = list(enumerate(old))
    right = list(enumerate(new))
    if unordered:
        rest = list(new)
        for index, item in enumerate(old):
            if item in rest:
                rest.remove(item)
                left.remove((index, item))
        still = list(old)
        for index, item in enumerate(new):
            if item in still:
                still.remove(item)
                right.remove((index, item))
    for (_, before), (index, after) in zip(left, right, strict=False):
        yield from compare(child(path, index), before, after, element, replace)
    for index, _ in left[len(right) :]:
        yield Change(child(path, index), Kind.DELETE, replace or element.replaces)
    for index, _ in right[len(left) :]:
        yield Change(child(path, index), Kind.ADD, replace or element.replaces)
