"""Every rule between settings, in the order in which docs/configuration.md has them."""

from __future__ import annotations

# Importing them fills the list.
from infra.settings import recovery_rules, rules
from infra.settings.faults import Fault
from infra.settings.model import Settings
from infra.settings.rule import RULES

__all__ = ["RULES", "broken", "recovery_rules", "rules"]


def broken(settings: Settings, unreliable: set[str]) -> list[Fault]:
    """The faults between settings, leaving out rules over values that are already wrong."""
    faults: list[Fault] = []
    for item in RULES:
        if not any(key in unreliable or key.split(".")[0] in unreliable for key in item.keys):
            faults.extend(item.check(settings))
    return faults
