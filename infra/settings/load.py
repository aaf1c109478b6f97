"""A stack's configuration as `Settings`, or every fault of it at once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any

from infra.settings import forms, parse
from infra.settings.faults import NOT_SET, Fault, SettingsError, full_key, shown, unknown
from infra.settings.model import NAMESPACE, Settings
from infra.settings.rulebook import broken


def top_level() -> dict[str, dataclasses.Field[Any]]:
    """The fields of `Settings` that are config keys, by name."""
    return {item.name: item for item in dataclasses.fields(Settings) if item.name != "stack"}


def is_section(name: str) -> bool:
    """Whether the key holds a map."""
    return dataclasses.is_dataclass(parse.hints(Settings)[name])


def load(stack: str, raw: Mapping[str, Any], *, secret_keys: Collection[str] = ()) -> Settings:
    """The settings of a stack from plain values without the namespace: {"environment": "dev", "network": {...}}.

    Values under `secret_keys` are never shown. Raises SettingsError with every wrong, missing and unknown key.
    """
    findings = parse.Findings()
    known = top_level()
    # An empty text is what Pulumi.yaml gives a key that has to be set, so that Pulumi doesn't stop at the first one.
    given = {name: value for name, value in raw.items() if value is not None and value != ""}
    if not forms.is_stack_name(stack):
        findings.add(_bad_stack_name(stack), "stack")
    if not any(value for value in given.values()):
        raise SettingsError(stack, [*findings.faults, _no_config(stack)])
    for name, value in given.items():
        if name not in known:
            secret = name in secret_keys or value is parse.ENCRYPTED
            findings.add(unknown((name,), value, known, secret=secret), name)
    values: dict[str, Any] = {}
    environment: str | None = None
    for name, item in known.items():
        value = given.get(name, NOT_SET)
        secret = name in secret_keys
        if is_section(name):
            # A section that is absent may still lack a key that it needs.
            mapping = {} if value is NOT_SET else value
            cls = parse.hints(Settings)[name]
            values[name] = parse.section(cls, (name,), mapping, findings, environment=environment, secret=secret)
        else:
            values[name] = parse.value_of(
                Settings, item, (name,), value, findings, environment=environment, secret=secret
            )
        if name == "environment" and name not in findings.unreliable:
            environment = values[name]
    settings = Settings(stack=stack, **values)
    faults = [*findings.faults, *broken(settings, findings.unreliable)]
    if faults:
        raise SettingsError(stack, faults)
    return settings


def from_pulumi() -> Settings:
    """The settings of the running Pulumi program's stack. Raises pulumi.RunError with every fault in one text."""
    import pulumi
    from pulumi.runtime import config

    stack = pulumi.get_stack()
    everything: dict[str, Any] = {**config.get_config_env(), **config.CONFIG.get()}
    prefix = f"{NAMESPACE}:"
    mine = {key.removeprefix(prefix): value for key, value in everything.items() if key.startswith(prefix)}
    secret_keys = {name for name in mine if config.is_config_secret(prefix + name)}
    try:
        return load(stack, {name: _decoded(name, value) for name, value in mine.items()}, secret_keys=secret_keys)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def _decoded(name: str, text: Any) -> Any:
    """A config value as plain Python: Pulumi hands over maps as JSON text."""
    if name not in top_level() or not is_section(name) or not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _bad_stack_name(stack: str) -> Fault:
    allowed = "must be 1 to 30 lower-case letters, digits and inner dashes, beginning with a letter"
    return Fault("stack name", shown(stack), allowed, "make a stack with another name")


def _no_config(stack: str) -> Fault:
    path = f"stacks/Pulumi.{stack}.yaml"
    allowed = "a stack needs at least environment and network.port_base"
    fix = f"write {path}, or start from another stack's with `make up STACK={stack} LIKE=test`"
    return Fault(full_key("environment"), shown(NOT_SET), f"{path} is missing or empty, and {allowed}", fix)
