"""A rule that holds between settings, and the list of them that the modules of rules fill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.settings.faults import Fault, full_key, shown
from infra.settings.model import Settings

Check = Callable[[Settings], Iterator[Fault]]


@dataclass(frozen=True)
class Rule:
    """A check with the keys that it looks at; its docstring is its line in docs/configuration.md."""

    keys: tuple[str, ...]
    check: Check

    @property
    def text(self) -> str:
        """The rule in words."""
        return (self.check.__doc__ or "").strip()


RULES: list[Rule] = []


def rule(*keys: str) -> Callable[[Check], Check]:
    """Registers a check over the settings with these keys."""

    def register(check: Check) -> Check:
        RULES.append(Rule(keys, check))
        return check

    return register


def fault(key: str, value: object, allowed: str, fix: str) -> Fault:
    """Return the fault of a setting, given by its dotted key."""
    return Fault(full_key(*key.split(".")), shown(value), allowed, fix)
