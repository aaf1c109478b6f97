"""Plain values of a stack file -> dataclasses of `model.py`, one field at a time, collecting every fault. Pure."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any

from infra.settings import forms, parameters
from infra.settings.faults import NOT_SET, Fault, full_key, shown, unknown

ENCRYPTED = object()
"""Stands for a value that can't be read here; no rule judges it."""


class Wrong(Exception):
    """A value that its field does not allow: `allowed` says what it does, `fix` how to mend it (else the usual way)."""

    def __init__(self, allowed: str, fix: str = "") -> None:
        self.allowed = allowed
        self.fix = fix
        super().__init__(allowed)


@dataclasses.dataclass
class Findings:
    """What a parse found: the faults, and the keys whose values can't be relied on by rules across fields."""

    faults: list[Fault] = dataclasses.field(default_factory=list)
    unreliable: set[str] = dataclasses.field(default_factory=set)

    def add(self, fault: Fault, *path: str) -> None:
        """Note a fault of the value at `path`."""
        self.faults.append(fault)
        self.unreliable.add(".".join(path))


@functools.cache
def hints(cls: type) -> dict[str, Any]:
    """The resolved types of a dataclass's fields."""
    return typing.get_type_hints(cls)


def default_of(item: dataclasses.Field[Any], environment: str | None) -> Any:
    """The default of a field in an environment, or NOT_SET where it has to be given."""
    by_environment = item.metadata["by_environment"]
    if environment in by_environment:
        return by_environment[environment]
    if item.default is not dataclasses.MISSING:
        return item.default
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return NOT_SET


def key_of(item: dataclasses.Field[Any]) -> str:
    """The key of a field; one that Python keeps for itself has an underscore behind it."""
    return item.name.removesuffix("_")


def section(
    cls: type, path: tuple[str, ...], raw: Any, findings: Findings, *, environment: str | None, secret: bool
) -> Any:
    """An object of `cls` from a mapping, with defaults for what is missing or wrong; faults go to `findings`."""
    if raw is ENCRYPTED:
        raw = {key_of(item): ENCRYPTED for item in dataclasses.fields(cls)}
    if not isinstance(raw, Mapping):
        fields = ", ".join(key_of(item) for item in dataclasses.fields(cls))
        key = full_key(*path)
        fault = Fault(
            key, shown(raw, key=key, secret=secret), f"must be a map of {fields}", "write one key a line under it"
        )
        findings.add(fault, *path)
        raw = {}
        for item in dataclasses.fields(cls):
            findings.unreliable.add(".".join((*path, key_of(item))))
    known = {key_of(item): item for item in dataclasses.fields(cls)}
    for name in raw:
        if name not in known:
            findings.add(unknown((*path, str(name)), raw[name], known, secret=secret), *path, str(name))
    values = {
        item.name: value_of(
            cls, item, (*path, name), raw.get(name, NOT_SET), findings, environment=environment, secret=secret
        )
        for name, item in known.items()
    }
    return cls(**values)


def value_of(
    cls: type,
    item: dataclasses.Field[Any],
    path: tuple[str, ...],
    raw: Any,
    findings: Findings,
    *,
    environment: str | None,
    secret: bool = False,
) -> Any:
    """The value of one field, or its default with a fault noted."""
    default = default_of(item, environment)
    kind = hints(cls)[item.name]
    if raw is ENCRYPTED:
        findings.unreliable.add(".".join(path))
        return _placeholder(kind) if default is NOT_SET else default
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        inner = {} if raw is NOT_SET else raw
        return section(kind, path, inner, findings, environment=environment, secret=secret)
    if item.metadata["secret"] and raw is not NOT_SET and not secret:
        key = full_key(*path)
        findings.add(Fault(key, shown(raw, secret=True), "must be encrypted in the stack file", _encrypt(key)), *path)
        return default
    if raw is NOT_SET:
        if default is not NOT_SET or ".".join(path) in findings.unreliable:
            return _placeholder(kind) if default is NOT_SET else default
        findings.add(Fault(full_key(*path), shown(NOT_SET), allowed_text(kind, item), _usual_fix(item, default)), *path)
        return _placeholder(kind)
    if item.metadata["form"] == "parameters":
        return _parameters(path, raw, findings, secret=secret)
    try:
        return _convert(kind, item, raw)
    except Wrong as wrong:
        key = full_key(*path)
        fix = _encrypt(key) if item.metadata["secret"] else wrong.fix or _usual_fix(item, default)
        findings.add(Fault(key, shown(raw, key=key, secret=secret), wrong.allowed, fix), *path)
        return _placeholder(kind) if default is NOT_SET else default


def allowed_text(kind: Any, item: dataclasses.Field[Any]) -> str:
    """What a field takes, in words: "must be a whole number from 0 to 5"."""
    kind, nullable = without_null(kind)
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        choices = [str(choice) for choice in typing.get_args(kind)]
        return "must be " + ", ".join(choices[:-1]) + f" or {choices[-1]}"
    if kind is bool:
        return "must be true or false"
    if kind in (int, float):
        low, high = item.metadata["minimum"], item.metadata["maximum"]
        unit = f" {item.metadata['unit']}" if item.metadata["unit"] else ""
        text = f"must be a {'whole ' if kind is int else ''}number from {_plain(low)} to {_plain(high)}{unit}"
        return text + (" or null" if nullable else "")
    if origin is tuple:
        return "must be a list of texts"
    return "must be a text" + (" or null" if nullable else "")


def without_null(kind: Any) -> tuple[Any, bool]:
    """A field's type without None, and whether it had it."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        (other,) = (member for member in typing.get_args(kind) if member is not type(None))
        return other, True
    return kind, False


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _encrypt(key: str) -> str:
    return f"run `bin/pulumi config set --secret --path '{key}'`, which asks for it"


def _usual_fix(item: dataclasses.Field[Any], default: Any) -> str:
    if default is NOT_SET:
        return f"for example {key_of(item)}: {item.metadata['example']}"
    if default is None:
        return f"for example {key_of(item)}: {item.metadata['example']!r}, or remove it for none".replace("'", '"')
    if isinstance(default, tuple):
        return f"for example {item.name}: [{forms.EXAMPLES[item.metadata['form']]}], or remove it for the default, none"
    return f"remove it for the default, {shown(default)}"


def _placeholder(kind: Any) -> Any:
    """A harmless value for a field without default, so that the other faults can still be found."""
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)[0]
    return kind()


def _convert(kind: Any, item: dataclasses.Field[Any], raw: Any) -> Any:
    """The value as its field's type; raises Wrong."""
    allowed = allowed_text(kind, item)
    kind, nullable = without_null(kind)
    if nullable and raw is None:
        return None
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return _choice(typing.get_args(kind), raw, allowed)
    if kind is bool:
        return _boolean(raw, allowed)
    if kind is int or kind is float:
        return _number(kind, item, raw, allowed)
    if origin is tuple:
        if not isinstance(raw, list | tuple):
            raise Wrong(allowed)
        return tuple(_text(item, entry, f"entry {number} must be a text") for number, entry in enumerate(raw, start=1))
    return _text(item, raw, allowed)


def _choice(choices: tuple[Any, ...], raw: Any, allowed: str) -> Any:
    # YAML 1.1 readers take an unquoted on or off for a boolean.
    if isinstance(raw, bool):
        raw = "on" if raw else "off"
    for choice in choices:
        if raw == choice or (isinstance(raw, str) and raw == str(choice)):
            return choice
    raise Wrong(allowed)


def _boolean(raw: Any, allowed: str) -> bool:
    # `pulumi config set` stores texts.
    if isinstance(raw, bool):
        return raw
    if raw in ("true", "false"):
        return bool(raw == "true")
    raise Wrong(allowed)


def _number(kind: type, item: dataclasses.Field[Any], raw: Any, allowed: str) -> int | float:
    if isinstance(raw, str):
        try:
            raw = kind(raw)
        except ValueError:
            raise Wrong(allowed) from None
    # A boolean is an int to Python; JSON has one kind of number, so 2.0 may be a whole one.
    if isinstance(raw, bool) or not isinstance(raw, int | float) or raw != raw:
        raise Wrong(allowed)
    if not item.metadata["minimum"] <= raw <= item.metadata["maximum"] or (kind is int and raw != int(raw)):
        raise Wrong(allowed)
    return int(raw) if kind is int else float(raw)


def _text(item: dataclasses.Field[Any], raw: Any, allowed: str) -> str:
    if not isinstance(raw, str):
        raise Wrong(allowed)
    form = item.metadata["form"]
    wrong = forms.FORMS[form](raw) if form else None
    if wrong is not None:
        raise Wrong(wrong, "" if default_of(item, None) is None else f"for example {forms.EXAMPLES[form]}")
    return raw


def _parameters(path: tuple[str, ...], raw: Any, findings: Findings, *, secret: bool) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        fault = Fault(
            full_key(*path), shown(raw, secret=secret), "must be a map of name: value", "for example {work_mem: 8MB}"
        )
        findings.add(fault, *path)
        return types.MappingProxyType({})
    for name, value in raw.items():
        problem = parameters.problem(str(name), value)
        if problem is not None:
            key = full_key(*path, str(name))
            findings.add(Fault(key, shown(value, key=str(name), secret=secret), *problem), *path, str(name))
    # PostgreSQL takes names in any case; one form makes them win over computed ones.
    return types.MappingProxyType({str(name).lower(): value for name, value in raw.items()})
