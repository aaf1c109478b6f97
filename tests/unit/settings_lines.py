"""What the tests of the settings share: a good configuration, changes to it, and the lines that follow."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from infra.settings import SettingsError, load

REMOVED = object()

GOOD: dict[str, Any] = {"environment": "dev", "network": {"port_base": 15400}}


def with_values(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with dotted keys set: {"database.replicas": 9}; REMOVED takes one away."""
    raw = copy.deepcopy(GOOD)
    for key, value in changes.items():
        *parents, last = key.split(".", maxsplit=2)
        place = raw
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return raw


def lines(changes: dict[str, Any], stack: str = "mine", **options: Any) -> list[str]:
    """The lines about single keys."""
    with pytest.raises(SettingsError) as caught:
        load(stack, with_values(changes), **options)
    head, *body, foot = str(caught.value).splitlines()
    assert head.startswith(f'stack "{stack}": ')
    assert foot == f"  Settings are in stacks/Pulumi.{stack}.yaml and explained in docs/configuration.md."
    return [line.removeprefix("  ") for line in body]
