"""Every key of every section, wrong in every way that its type allows: one line each, and all at once in one run.

The cases follow from the dataclasses, so that a new key is among them by itself.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from infra.settings import SettingsError, load, parse
from infra.settings.load import is_section, top_level
from infra.settings.model import Settings
from tests.unit.settings_lines import GOOD, lines

SECTIONS = [name for name in top_level() if is_section(name)]
A_MAP = {"a": "map"}


def fields() -> Iterator[tuple[str, str, Any, dataclasses.Field[Any]]]:
    """Section, key, type and field of every nested setting that has one value."""
    for section in SECTIONS:
        kind = parse.hints(Settings)[section]
        for item in dataclasses.fields(kind):
            wanted, _ = parse.without_null(parse.hints(kind)[item.name])
            if wanted is int or wanted is float or wanted is bool or wanted is str or typing.get_origin(wanted):
                yield section, item.name, wanted, item


def wrong() -> dict[str, tuple[str, Any]]:
    """Name of the case -> dotted key and a wrong value for it."""
    cases: dict[str, tuple[str, Any]] = {}
    for section, name, kind, item in fields():
        key = f"{section}.{name}"
        if kind is int or kind is float:
            low, high = item.metadata["minimum"], item.metadata["maximum"]
            ways = {"below": low - 1, "above": high + 1, "a word": "many", "not a number": float("nan")}
        elif kind is bool:
            ways = {"a word": "perhaps", "a number": 2}
        elif typing.get_origin(kind) is typing.Literal:
            ways = {"no choice": "something else"}
        elif typing.get_origin(kind) is tuple:
            ways = {"a text": "one"}
        elif kind is str:
            ways = {"a number": 5}
        else:
            continue
        cases |= {f"{key} {way}": (key, value) for way, value in ways.items()}
        cases[f"{key} a map"] = (key, A_MAP)
        cases[f"{key} misspelt"] = (f"{key}x", "anything")
    cases |= {f"{section} a text": (section, "one") for section in SECTIONS}
    return cases


WRONG = wrong()


def test_there_are_many_kinds_in_every_section() -> None:
    assert len(WRONG) >= 60
    assert {key.split(".")[0] for key, _ in WRONG.values()} == set(SECTIONS)


@pytest.mark.parametrize(("key", "value"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_value_is_one_line_about_its_key(key: str, value: Any) -> None:
    (line,) = lines({key: value})
    assert line.startswith(f"pipe:{key} = ")
    assert ": must be " in line or "entry " in line or "no such setting; did you mean pipe:" in line, line
    assert "; " in line, "and how to mend it"


def test_every_key_wrong_at_once_is_every_line_at_once() -> None:
    last = {key: value for key, value in WRONG.values() if "." in key}
    raw: dict[str, Any] = {**GOOD, **{section: {} for section in SECTIONS}}
    for key, value in last.items():
        section, name = key.split(".")
        raw[section] = {**raw[section], name: value}
    with pytest.raises(SettingsError) as caught:
        load("mine", raw)
    assert {fault.key.removeprefix("pipe:") for fault in caught.value.faults} == set(last)
    assert str(caught.value).startswith(f'stack "mine": {len(last)} settings are wrong, nothing was changed\n')
